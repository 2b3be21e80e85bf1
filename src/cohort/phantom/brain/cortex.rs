//! Hemispheres: folded cortex, sulci, the Sylvian fissure with the insula, the interhemispheric fissure and its falx.

use super::head::Head;
use super::shape::{Point, bump, cover, hypotenuse, mix, segment, smoothstep, soft_min, unit};

/// Distance between neighbouring sulci in millimetres.
const FOLD: f32 = 12.5;

/// What a point of a hemisphere is made of; shares from 0 to 1.
#[derive(Clone, Copy, Default)]
pub struct Folded {
    /// Share of grey matter in the tissue.
    pub grey: f32,
    /// Share of cerebrospinal fluid.
    pub fluid: f32,
    /// Share of dura: falx and sinus.
    pub dura: f32,
}

/// Cortex and fluid at `p`, a point of the undeformed brain, `depth` millimetres below its surface and `under_vault` below its
/// convexity. Sulci are about `open` millimetres to either side of their middle, and at least `held`;
/// `texture` is the local irregularity.
pub fn folded(head: &Head, p: Point, depth: f32, under_vault: f32, open: f32, held: f32, texture: f32) -> Folded {
    let [x, y, z] = p;
    let off = x.abs();
    let noise = &head.lattice;
    let mut fluid = 0.0_f32;
    // Distance to the nearest cortical surface, whether outer, in a sulcus, on the midline or of the insula.
    let mut surface = depth;
    let [dx, dy, dz] = unit(p);
    let local = if under_vault < 27.0 { noise.at(dx * 3.6, dy * 3.6, dz * 3.6 + 11.0) } else { -1.0 };
    let reach_in = 13.0 + 9.0 * local;
    if under_vault < reach_in + 8.0 {
        // Sulci stand on the surface: the field is taken on the direction, bent a little with depth.
        let reach = 74.0 / FOLD;
        let bend = 0.8 * local * smoothstep(0.0, 16.0, under_vault);
        let field = noise.at(dx * reach + bend, dy * reach - bend, dz * reach + 0.5 * bend)
            + 0.42 * noise.at(dx * 2.1 * reach + bend, dy * 2.1 * reach + 17.0, dz * 2.1 * reach - bend);
        let far = field.abs() * FOLD * 0.62;
        let beyond = (under_vault - reach_in).max(0.0);
        let sulcus = hypotenuse(far, beyond * 0.8);
        surface = surface.min(sulcus);
        let width = open * (0.75 + 0.9 * local).max(0.12) * mix(1.25, 0.5, (under_vault / 18.0).min(1.0));
        fluid = cover(sulcus - width.max(held), 0.55);
    }
    // The rim of fluid over the convexity, patchy, wider over the front in an old brain.
    let rim = open.min(1.5) * (0.45 + 0.9 * head.age * smoothstep(0.2, 0.9, -dy)) - 0.1;
    fluid = fluid.max(cover(depth - rim, 0.5));
    let callosum = bump(y - 3.0, 40.0) * smoothstep(30.0, 20.0, z);
    let mut dura = 0.0;
    if off < 26.0 && z > -16.0 && callosum < 0.6 {
        // Mesial cortex, with sulci of its own that run away from the midline.
        let open_here = smoothstep(0.6, 0.3, callosum);
        let mesial = off + 40.0 * callosum;
        surface = surface.min(mesial + 0.5);
        let run = 12.0 + 6.0 * texture;
        if mesial < run + 8.0 {
            let field = noise.at(11.0 + 6.0 * x.signum() + 0.04 * x, y / FOLD + 0.3, z / FOLD)
                + 0.4 * noise.at(3.0 + x.signum() * 5.0, y * 2.0 / FOLD, z * 2.0 / FOLD);
            let sulcus = hypotenuse(field.abs() * FOLD * 0.62, (mesial - run).max(0.0));
            surface = surface.min(sulcus);
            fluid = fluid.max(cover(sulcus - 0.42 * open, 0.55) * open_here);
        }
        let fissure = open * (0.5 + 0.55 * smoothstep(-10.0, -50.0, y)) * (1.0 + 1.2 * texture) + 0.12;
        fluid = fluid.max(cover(off - fissure, 0.5) * open_here);
        // Falx: from the crest of the ethmoid back to the tentorium, deeper behind.
        let drop = mix(20.0, 42.0, smoothstep(-50.0, 30.0, y));
        let bow = x - head.falx_bow * bump(y, 70.0);
        let leaf = smoothstep(drop + 6.0, drop, depth).max(smoothstep(20.0, 34.0, y) * smoothstep(-2.0, 6.0, z));
        dura = cover(bow.abs() - 0.55 - 0.25 * smoothstep(0.0, 50.0, y), 0.5) * leaf * open_here;
        let sinus = (6.5 - depth) * 0.55 - off;
        if z > -6.0 && (y > -20.0 || z > 20.0) {
            dura = f32::max(dura, cover(-sinus, 0.6));
        }
    }
    let sylvian = sylvian(head, p);
    if sylvian < 20.0 {
        surface = surface.min(sylvian + 0.3);
        fluid = fluid.max(cover(sylvian - (0.1 + 1.1 * open + 0.05 * (off - 42.0).max(0.0)), 0.6));
    }
    let ribbon = 3.5 + 1.2 * texture;
    let fluid = fluid * (1.0 - dura);
    Folded { grey: smoothstep(ribbon + 1.2, ribbon - 0.9, surface), fluid, dura }
}

/// Distance from the Sylvian fissure: a stem from the temple to the insula, and the insular cleft before and behind it.
pub fn sylvian(head: &Head, p: Point) -> f32 {
    let [x, y, z] = p;
    let off = x.abs();
    if off < 26.0 || z.abs() > 30.0 {
        return 30.0;
    }
    let wave = 3.0 * head.lattice.at(x * 0.06, y * 0.06, z * 0.06 + 70.0);
    // The stem climbs backwards.
    let stem_y = -16.0 + 0.75 * z + wave;
    let stem = segment(off, y - stem_y, [42.0, 4.0], [72.0, -3.0]);
    let front = -24.0 + 0.4 * z + wave;
    let back = 9.0 + 0.5 * z.min(10.0);
    let cleft = {
        let along = y.clamp(front, back);
        let bow = 39.5 + 0.012 * (along + 8.0).powi(2) + 0.9 * wave;
        hypotenuse(off - bow, y - along) + 0.5
    };
    let high = (z - 13.0).max(-11.0 - z).max(0.0);
    hypotenuse(soft_min(stem, cleft, 2.5), high * 1.2)
}
