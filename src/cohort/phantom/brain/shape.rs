//! Small pieces of solid geometry, in millimetres: soft steps, soft coverage, distances to segments and ellipsoids.

/// A point or vector in head coordinates: x towards the patient's left, y towards the back, z towards the vertex.
pub type Point = [f32; 3];

/// Cubic step from 0 at `from` to 1 at `to`.
#[inline]
pub fn smoothstep(from: f32, to: f32, x: f32) -> f32 {
    // Written so that the quotient folds away where the bounds are constants.
    let t = ((x - from) * (1.0 / (to - from))).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Share of a soft-edged solid at signed distance `d` (negative inside); the edge is `2 * soft` wide.
#[inline]
pub fn cover(d: f32, soft: f32) -> f32 {
    (0.5 - d * (0.5 / soft)).clamp(0.0, 1.0)
}

/// A bump that is 1 at 0 and falls to 0 at ±`width`, with no slope at either end.
#[inline]
pub fn bump(x: f32, width: f32) -> f32 {
    let u = x * (1.0 / width);
    let t = 1.0 - u * u;
    if t > 0.0 { t * t } else { 0.0 }
}

/// Linear blend: `a` at 0, `b` at 1.
pub fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Length of a vector.
pub fn length(v: Point) -> f32 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt()
}

/// `a - b`.
pub fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Inner product.
pub fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The vector of unit length along `v`.
pub fn unit(v: Point) -> Point {
    let n = length(v).max(1e-6);
    [v[0] / n, v[1] / n, v[2] / n]
}

/// Signed distance, to first order, from an axis-parallel ellipsoid.
#[inline]
pub fn ellipsoid(p: Point, centre: Point, radii: Point) -> f32 {
    let v = minus(p, centre);
    let inverse = [1.0 / radii[0], 1.0 / radii[1], 1.0 / radii[2]];
    let u = [v[0] * inverse[0], v[1] * inverse[1], v[2] * inverse[2]];
    let near = length(u);
    let slope = length([u[0] * inverse[0], u[1] * inverse[1], u[2] * inverse[2]]);
    if slope < 1e-6 {
        return -radii[0].min(radii[1]).min(radii[2]);
    }
    near * (near - 1.0) / slope
}

/// Signed distance from a tapering rod between two balls; heights count `flat` times, so that below 1 the rod stands
/// taller than it is wide.
pub fn rod(p: Point, from: Point, to: Point, radii: [f32; 2], flat: f32) -> f32 {
    let v = [p[0] - from[0], p[1] - from[1], (p[2] - from[2]) * flat];
    let w = [to[0] - from[0], to[1] - from[1], (to[2] - from[2]) * flat];
    let t = (dot(v, w) / dot(w, w)).clamp(0.0, 1.0);
    length([v[0] - t * w[0], v[1] - t * w[1], v[2] - t * w[2]]) - mix(radii[0], radii[1], t)
}

/// Distance in the plane from a segment.
pub fn segment(x: f32, y: f32, from: [f32; 2], to: [f32; 2]) -> f32 {
    let (vx, vy) = (x - from[0], y - from[1]);
    let (wx, wy) = (to[0] - from[0], to[1] - from[1]);
    let t = ((vx * wx + vy * wy) / (wx * wx + wy * wy)).clamp(0.0, 1.0);
    ((vx - t * wx).powi(2) + (vy - t * wy).powi(2)).sqrt()
}

/// The smaller of two distances, rounded where they meet over a width `k`.
pub fn soft_min(a: f32, b: f32, k: f32) -> f32 {
    let h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0);
    mix(b, a, h) - k * h * (1.0 - h)
}

/// Length of the hypotenuse, without the library's care for overflow.
pub fn hypotenuse(a: f32, b: f32) -> f32 {
    (a * a + b * b).sqrt()
}
