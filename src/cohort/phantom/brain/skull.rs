//! The vault and the scalp: two tables with diploe between, sutures, the frontal sinus, skin, fat and muscle.

use super::head::{Head, Wall};
use super::shape::{Point, bump, mix, smoothstep};

/// Hounsfield units of air.
pub const AIR: f32 = -1000.0;
/// Hounsfield units of fat.
pub const FAT: f32 = -92.0;
/// Hounsfield units of muscle.
pub const MUSCLE: f32 = 54.0;

/// Bone of the vault at a point `-depth` millimetres outside the inner table; `thickness` is that of the skull there.
pub fn vault(head: &Head, p: Point, wall: &Wall, thickness: f32) -> f32 {
    let out = -wall.depth;
    let [x, y, z] = p;
    if let Some(air) = frontal_sinus(head, p, out, thickness) {
        return air;
    }
    let table = 1.15 + 0.1 * thickness;
    let from_tables = out.min(thickness - out);
    let grain = head.lattice.at(x * 0.45, y * 0.45, z * 0.3);
    let diploe = 560.0 + 260.0 * grain;
    let bone = mix(1380.0, diploe, smoothstep(table - 0.5, table + 0.7, from_tables));
    // Sutures meander; through the outer table more than through the inner one.
    let teeth = 1.8 * head.lattice.at(x * 0.3 + 31.0, (y + z) * 0.3, out * 0.35);
    let coronal = y - head.sutures[0] + 0.12 * z - 0.1 * x.abs() + teeth;
    let lambdoid = y - head.sutures[1] - 0.42 * (30.0 - z).max(-30.0) * 0.4 + 0.16 * x.abs() + teeth;
    let sagittal = if y > head.sutures[0] && y < head.sutures[1] + 14.0 { x + teeth } else { 9.0 };
    let squamous = if y.abs() < 28.0 { (z - 12.0 + 0.012 * y * y + teeth) * 0.8 } else { 9.0 };
    let gap = if z > 2.0 {
        coronal.abs().min(lambdoid.abs()).min(sagittal.abs())
    } else {
        squamous.abs().min(lambdoid.abs())
    };
    mix(bone, 70.0, 0.9 * bump(gap, 1.4))
}

/// Air, mucosa or septum of the frontal sinus, where the point lies in it.
fn frontal_sinus(head: &Head, p: Point, out: f32, thickness: f32) -> Option<f32> {
    let [x, y, z] = p;
    if y > -40.0 || z > head.frontal_sinus_top + 6.0 || z < -30.0 {
        return None;
    }
    let half = head.frontal_sinus[usize::from(x > 0.0)];
    let lobes = head.lattice.at(x * 0.13, 7.5, z * 0.12);
    let top = head.frontal_sinus_top - 0.012 * x * x + 8.0 * lobes;
    // Each half is a lens between the tables, the two parted by a crooked septum.
    let (u, v) = ((x.abs() - 0.5 * half) / (0.5 * half + 0.5), (out / thickness - 0.52) * 2.6);
    let inside = 1.0 + 0.8 * lobes - u * u - v * v;
    if inside < 0.0 || z > top || half < 4.0 || (x - 2.0 * lobes).abs() < 0.7 {
        return None;
    }
    Some(if inside < 0.1 { 30.0 } else { AIR })
}

/// Soft tissue `out` millimetres outside the bone, of thickness `scalp`: galea, fat lobules, muscle where it is thick, skin.
pub fn scalp(head: &Head, p: Point, out: f32, scalp: f32) -> f32 {
    let from_skin = scalp - out;
    if from_skin < 0.0 {
        return AIR;
    }
    if from_skin < 1.9 {
        return 62.0;
    }
    let [x, y, z] = p;
    let lobules = head.lattice.at(x * 0.22, y * 0.22, z * 0.16 + 9.0);
    let muscle_depth = scalp - 4.2 + 1.2 * lobules;
    if scalp > head.scalp + 2.0 && out < muscle_depth {
        // Bellies of muscle with fat between them.
        let plane = head.lattice.at(x * 0.06, y * 0.06 + 3.0, z * 0.04);
        return if plane.abs() < 0.018 { -40.0 } else { MUSCLE + 8.0 * lobules };
    }
    if out < 1.5 + 0.7 * lobules {
        return 44.0;
    }
    FAT + 90.0 * smoothstep(0.1, 0.5, lobules)
}
