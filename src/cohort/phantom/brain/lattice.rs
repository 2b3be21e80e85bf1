//! Gradient noise on a lattice: the irregularity of one patient's tissue, the same from every level it is seen at.

use rand::Rng;

/// Directions to the twelve edges of a cube, four of them twice so that four bits choose one.
const GRADIENTS: [[f32; 3]; 16] = [
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0],
    [1.0, 0.0, 1.0],
    [-1.0, 0.0, 1.0],
    [1.0, 0.0, -1.0],
    [-1.0, 0.0, -1.0],
    [0.0, 1.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, -1.0],
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [0.0, -1.0, 1.0],
    [0.0, -1.0, -1.0],
];

/// One patient's noise field. Values lie in about ±1, are 0 on average, and vary over about one unit of length.
pub struct Lattice {
    shuffled: [u8; 512],
}

impl Lattice {
    /// Shuffles a fresh lattice.
    pub fn new(rng: &mut impl Rng) -> Self {
        let mut shuffled = [0_u8; 512];
        for (i, slot) in shuffled.iter_mut().take(256).enumerate() {
            *slot = i as u8;
        }
        for i in (1..256).rev() {
            shuffled.swap(i, rng.random_range(0..=i));
        }
        let (first, second) = shuffled.split_at_mut(256);
        second.copy_from_slice(first);
        Self { shuffled }
    }

    /// The field at a point given in lattice units, any of which must lie within ±4096.
    pub fn at(&self, x: f32, y: f32, z: f32) -> f32 {
        let ((i, fx), (j, fy), (k, fz)) = (cell(x), cell(y), cell(z));
        let s = &self.shuffled;
        let corner = |di: usize, dj: usize, dk: usize| {
            let a = usize::from(s[(i + di) & 255]) + ((j + dj) & 255);
            let b = usize::from(s[a & 511]) + ((k + dk) & 255);
            let g = GRADIENTS[usize::from(s[b & 511] & 15)];
            g[0] * (fx - di as f32) + g[1] * (fy - dj as f32) + g[2] * (fz - dk as f32)
        };
        let (u, v, w) = (ease(fx), ease(fy), ease(fz));
        let low = lerp(lerp(corner(0, 0, 0), corner(1, 0, 0), u), lerp(corner(0, 1, 0), corner(1, 1, 0), u), v);
        let high = lerp(lerp(corner(0, 0, 1), corner(1, 0, 1), u), lerp(corner(0, 1, 1), corner(1, 1, 1), u), v);
        lerp(low, high, w)
    }
}

/// The cell a coordinate falls in and the place within it.
fn cell(x: f32) -> (usize, f32) {
    let shifted = x + 4096.0;
    let whole = shifted as u32;
    (whole as usize, shifted - whole as f32)
}

/// Quintic ease: no kink in slope or curvature at the cell walls.
fn ease(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}
