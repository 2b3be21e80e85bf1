//! Mass effect: where the brain has been pushed to by blood, as a map from the deformed head back to the undisturbed one.

use super::haemorrhage::Bleeds;
use super::shape::{Point, dot, length, minus, smoothstep};

/// Where the tissue now at `p` would be without the bleeds, and how hard it is squeezed there (0 to 1). `depth` is the depth of
/// `p` below the brain's own surface: at the skull nothing moves, except where blood lies between.
pub fn undisturbed(bleeds: &Bleeds, p: Point, depth: f32) -> (Point, f32) {
    let mut q = p;
    let mut squeeze = 0.0_f32;
    let held = smoothstep(0.0, 24.0, depth);
    if let Some(clot) = &bleeds.epidural {
        let shove = from_surface(p, clot.middle, clot.thick * 1.05, 66.0, held);
        q = minus(q, shove.0);
        squeeze = squeeze.max(shove.1);
    }
    if let Some(clot) = &bleeds.subdural {
        let middle = [clot.side * 0.96, 0.04, 0.28];
        let shove = from_surface(p, middle, clot.thick * 1.85, 66.0, held);
        q = minus(q, shove.0);
        squeeze = squeeze.max(shove.1);
    }
    if let Some(clot) = &bleeds.intraparenchymal {
        let v = minus(p, clot.centre);
        let r = length(v).max(1.0);
        let reach = clot.radius / r.max(clot.radius);
        let push =
            0.85 * (clot.radius - 3.0).max(0.0) * reach * (0.8 + 0.2 * reach) * held * (r / clot.radius).min(1.0);
        q = minus(q, [v[0] / r * push, v[1] / r * push, v[2] / r * push * 0.5]);
        squeeze = squeeze.max((reach * reach * 1.3 - 0.1).clamp(0.0, 1.0) * smoothstep(9.0, 15.0, clot.radius));
    }
    (q, squeeze)
}

/// Push of a clot on the surface in direction `middle`: `thick` at its foot, fading over `reach` millimetres.
fn from_surface(p: Point, middle: Point, thick: f32, reach: f32, held: f32) -> (Point, f32) {
    let foot = [middle[0] * 62.0, middle[1] * 74.0, middle[2] * 66.0];
    let far = length(minus(p, foot)) / reach;
    let amount = thick / (1.0 + far * far);
    let facing = smoothstep(0.0, 42.0, dot(p, middle));
    let push = amount * held.max(facing);
    // Sideways more than down: the falx gives way at its free edge, the tentorium hardly.
    (
        [-middle[0] * push, -middle[1] * push * 0.8, -middle[2] * push * 0.4],
        (1.25 / (1.0 + far * far) - 0.15).clamp(0.0, 1.0) * smoothstep(4.0, 9.0, thick),
    )
}
