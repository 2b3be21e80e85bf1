//! What is at a point of a head: Hounsfield units, and how much of each kind of blood.

use super::cortex::{Folded, folded};
use super::haemorrhage::{Bleeds, SWELL};
use super::head::{Head, Wall};
use super::mass_effect::undisturbed;
use super::posterior::base;
use super::shape::{Point, cover, mix, smoothstep};
use super::skull::{AIR, scalp, vault};
use super::skull_base::{ABOVE_FLOOR, ear, floor, under};
use super::ventricles::{calcium, deep_grey, tracts, ventricles};

/// Hounsfield units of cerebrospinal fluid.
pub const FLUID: f32 = 5.0;
/// Hounsfield units of falx, tentorium and venous sinus.
const DURA: f32 = 58.0;
/// Fall of attenuation in oedema.
const OEDEMA: f32 = 16.0;

/// A point's attenuation and its share of blood of each kind, in the RSNA order without "no finding".
#[derive(Clone, Copy)]
pub struct Sample {
    /// Hounsfield units.
    pub units: f32,
    /// Share of blood, 0 to 1.
    pub blood: [f32; 5],
}

/// Looks up a point of the head.
pub fn sample(head: &Head, bleeds: &Bleeds, p: Point) -> Sample {
    let wall = head.wall(p);
    if wall.depth < -36.0 {
        return plain(AIR);
    }
    let mut depth = wall.depth;
    if p[2] < ABOVE_FLOOR {
        let clear = p[2] - floor(head, p[0], p[1]);
        if clear < 0.0 || wall.depth < 0.0 {
            let thickness = head.skull_thickness(&wall);
            if wall.depth > -thickness - 30.0
                && clear < 0.0
                && let Some(units) = under(head, p, -clear, &wall, thickness)
            {
                return plain(units);
            }
        }
        if wall.depth > 0.0 {
            // The floor is steep nearly everywhere: a millimetre aside is several up.
            depth = depth.min(clear * 0.5);
            if clear < 0.0 {
                return plain(900.0);
            }
        }
    }
    if wall.depth < 0.0 {
        return plain(outside(head, p, &wall));
    }
    brain(head, bleeds, p, &wall, depth)
}

fn plain(units: f32) -> Sample {
    Sample { units, blood: [0.0; 5] }
}

/// Skull, scalp, ear or air.
fn outside(head: &Head, p: Point, wall: &Wall) -> f32 {
    let thickness = head.skull_thickness(wall);
    let out = -wall.depth;
    if out < thickness {
        return vault(head, p, wall, thickness);
    }
    let soft = head.scalp_thickness(p);
    let beyond = out - thickness - soft;
    if beyond < 0.0 {
        return scalp(head, p, out - thickness, soft);
    }
    ear(head, p, beyond).unwrap_or(AIR)
}

/// Everything inside the skull.
fn brain(head: &Head, bleeds: &Bleeds, p: Point, wall: &Wall, depth: f32) -> Sample {
    let mut blood = [0.0_f32; 5];
    let near = wall.depth < 32.0;
    let epidural =
        bleeds.epidural.as_ref().map_or(0.0, |b| if near { b.thickness(head, p, wall.direction) } else { 0.0 });
    let subdural =
        bleeds.subdural.as_ref().map_or(0.0, |b| if near { b.thickness(head, p, wall.direction) } else { 0.0 });
    let outer = if epidural > 0.4 { cover(wall.depth - epidural, 0.5) } else { 0.0 };
    let crescent = if subdural > 0.6 { cover(wall.depth - epidural - subdural, 0.5) * (1.0 - outer) } else { 0.0 };
    let under_vault = (wall.depth - epidural - subdural).max(0.0);
    let depth = (depth - epidural - subdural).max(0.0);

    let (q, squeeze) = undisturbed(bleeds, p, depth);
    let spill = bleeds.subarachnoid.as_ref().map_or(0.0, |b| b.share(q));
    // Blood holds open the spaces it fills.
    let open = ((0.4 + 1.0 * head.age) * (1.0 - 0.9 * squeeze)).max(1.35 * spill);
    let texture = head.lattice.at(q[0] * 0.14, q[1] * 0.14, q[2] * 0.14 + 77.0);
    let base = base(head, q, depth, squeeze - 1.4 * spill);
    let swell = if bleeds.intraventricular.is_some() { SWELL } else { 1.0 } * (1.0 - 0.3 * squeeze);
    let ventricle = ventricles(head, q, swell, texture);
    let fold = if base.stem < 0.99 {
        folded(head, q, depth, under_vault, open, 1.15 * spill, texture)
    } else {
        Folded::default()
    };
    let above = 1.0 - base.stem;

    let deep = deep_grey(q, texture) * above;
    let grey = (fold.grey * above).max(deep) + base.grey * base.stem;
    let mut units = mix(head.white, head.grey, grey.min(1.0)) + 0.9 * texture - 1.8 * tracts(q) * (1.0 - grey.min(1.0));

    let clot = bleeds.intraparenchymal.as_ref().map(|b| (b, b.distance(&head.lattice, p)));
    let mut fluid = (fold.fluid * above).max(base.fluid);
    if let Some((bleed, d)) = &clot {
        let wet = bleed.oedema(*d);
        // Oedema follows white matter more than cortex, and shuts the sulci it swells.
        units -= OEDEMA * wet * (1.0 - 0.45 * grey.min(1.0));
        fluid *= 1.0 - 0.8 * wet;
    }
    let inside = ventricle.all();
    let open = fluid * (1.0 - inside);
    let dura = base.dura.max(fold.dura * above) * (1.0 - inside);
    units = mix(units, FLUID, open);
    units = mix(units, FLUID, inside);
    units = mix(units, DURA, dura) + calcium(head, q);

    let mut pour = |kind: usize, share: f32, to: f32, units: &mut f32| {
        if share > 0.01 && bleeds.painted[kind] {
            blood[kind] = share;
            *units = mix(*units, to, share);
        }
    };
    if let Some(bleed) = &bleeds.subarachnoid {
        pour(3, open * spill * (1.0 - dura), bleed.units(), &mut units);
    }
    if let Some(bleed) = &bleeds.intraventricular
        && inside > 0.01
    {
        pour(2, inside * bleed.share(&head.lattice, q, ventricle.lateral), bleed.units(), &mut units);
    }
    if let Some((bleed, d)) = &clot {
        let share = cover(*d, 0.7) * smoothstep(0.5, 2.5, depth);
        pour(1, share, bleed.units(&head.lattice, p), &mut units);
    }
    if let Some(bleed) = &bleeds.subdural {
        let leaf = bleed.leaf(q, depth, base.over);
        let share = crescent.max(leaf * (1.0 - outer));
        if share > 0.0 {
            pour(4, share, bleed.units(&head.lattice, p), &mut units);
        }
    }
    if let Some(bleed) = &bleeds.epidural {
        pour(0, outer, bleed.units(&head.lattice, p), &mut units);
    }
    Sample { units, blood }
}
