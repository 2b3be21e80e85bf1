//! Findings within the lung: opacity, lesion, oedema, consolidation, pneumonia, collapse.

use super::anatomy::HILUM;
use super::dice::{Dice, sign};
use super::disease::{Collapse, finding};
use super::exposure::{LUNG, MUSCLE};
use super::lungs::{Dome, lung_path, section};
use super::plane::{Node, Plane, SOLID, mottle, ramp};
use super::scene::Scene;

const EVERYWHERE: [f32; 4] = [-175.0, 175.0, -150.0, 190.0];

/// A place over open lung, away from heart and diaphragm, in `[low, high]` of the lung's height.
fn open_lung(scene: &Scene<'_>, dice: &mut Dice, side: usize, low: f32, high: f32, margin: f32) -> [f32; 2] {
    let dome = Dome::of(scene.anatomy, scene.pose, scene.disease, side);
    let mut best = ([70.0, 0.0], f32::MIN);
    for _ in 0..24 {
        let z = dice.within(low, high);
        let section = section(scene.anatomy, z);
        let u = dice.within(34.0, (section.width - margin).max(40.0));
        let heart = if side == 1 { 62.0 + 0.28 * z.max(0.0) } else { 48.0 } * scene.disease.heart;
        let clear = (u - heart).min(section.width - u).min(dome.skyline(u) - 4.0 - z);
        let score = clear.min(margin) + 0.02 * lung_path(section, &dome, u, z);
        if score > best.1 {
            best = ([u, z], score);
        }
        if clear > margin {
            break;
        }
    }
    best.0
}

/// Hazy veil through which vessels stay visible.
pub(super) fn opacity(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "opacity");
    let first = dice.side();
    for i in 0..=dice.below(2) {
        let side = if i == 0 { first } else { 1 - first };
        let [u, z] = open_lung(scene, &mut dice, side, -75.0, 60.0, 26.0);
        let (a, c) = (dice.within(34.0, 52.0), dice.within(36.0, 58.0));
        let strength = dice.within(0.36, 0.48);
        let seed = dice.seed();
        scene.act(finding::LUNG_OPACITY, EVERYWHERE, |spot, beam| {
            if spot.side != side || beam.air <= 0.0 {
                return;
            }
            let r = ((spot.u - u) / a).powi(2) + ((spot.z - z) / c).powi(2);
            if r < 1.9 {
                let wave = 0.22 * mottle(spot.x, spot.z, 22.0, seed);
                beam.veil += strength * ramp(1.5, 0.1, r + wave) * (MUSCLE - LUNG) * beam.air;
            }
        });
    }
}

/// Nodules or one mass.
pub(super) fn lesion(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_patient(scene.patient, "lesion");
    let kind = dice.below(10);
    let (count, low, high) = match kind {
        0..=3 => (1, 10.5, 15.0),
        4..=6 => (1, 18.0, 30.0),
        _ => (3 + dice.below(4), 7.5, 12.5),
    };
    let cavity = kind == 6;
    for _ in 0..count {
        let (side, radius) = (dice.side(), dice.within(low, high));
        let [u, z] = open_lung(scene, &mut dice, side, -85.0, 70.0, radius + 4.0);
        let seed = dice.seed();
        let lobes = dice.within(0.04, 0.16) * if radius > 15.0 { 1.5 } else { 1.0 };
        let spicules = if radius > 15.0 && dice.chance(0.5) { 0.25 } else { 0.0 };
        let z = scene.pose.breathed(side, scene.anatomy.dome[side], z);
        let x = sign(side) * u + scene.anatomy.midline(z);
        let reach = 1.6 * radius;
        scene.act(finding::LUNG_LESION, [x - reach, x + reach, z - reach, z + reach], |spot, beam| {
            let (dx, dz) = (spot.x - x, spot.z - z);
            let r = dx.hypot(dz) / radius;
            let turn = dz.atan2(dx);
            let edge = 1.0
                + lobes * mottle(2.2 * turn.cos(), 2.2 * turn.sin(), 1.0, seed)
                + spicules * (mottle(turn * 7.0, 0.0, 1.0, seed ^ 9).max(0.0)).powi(2);
            let q = r / edge;
            if q < 1.0 {
                let mut chord = 2.0 * radius * (1.0 - q * q).sqrt();
                if cavity && q < 0.62 {
                    chord -= 1.9 * radius * (0.62 * 0.62 - q * q).sqrt();
                }
                beam.veil += 2.0 * (MUSCLE - LUNG) * chord.min(beam.air.max(0.4 * chord));
            }
        });
    }
}

/// Fluid in the lung: haze around the hila, thick septa, full upper vessels.
pub(super) fn edema(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "edema");
    let strength = dice.within(0.56, 0.78);
    let (reach, uneven) = (dice.within(40.0, 54.0), dice.about(0.0, 0.1));
    let seed = dice.seed();
    scene.act(finding::EDEMA, EVERYWHERE, |spot, beam| {
        if beam.air <= 0.0 {
            return;
        }
        let bat = (-((spot.u - 46.0) / reach).powi(2) - ((spot.z - 14.0) / 62.0).powi(2)).exp();
        let clouds = 0.9 + 0.42 * mottle(spot.x, spot.z, 12.0, seed) + 0.28 * mottle(spot.x, spot.z, 5.5, seed ^ 1);
        // The net of thickened septa.
        let net = (1.0 - 3.2 * mottle(spot.x, spot.z, 7.0, seed ^ 2).abs()).max(0.0);
        let lopsided = 1.0 + uneven * sign(spot.side);
        let share = strength * bat * clouds * lopsided + 0.07 * net * ramp(-70.0, 20.0, spot.z);
        beam.veil += share.clamp(0.0, 0.8) * (MUSCLE - LUNG) * beam.air * 0.8;
        beam.blood *= 1.0 - 0.25 * bat;
    });
    let mut lines: Vec<Vec<Node>> = Vec::new();
    for side in 0..2 {
        let out = sign(side);
        // Kerley B: short lines that meet the pleura at the base.
        let mut z = dice.within(28.0, 36.0);
        while z < scene.anatomy.dome[side] - scene.pose.raised[side] + 18.0 {
            let wall = section(scene.anatomy, z).width - 2.0;
            let length = dice.within(12.0, 19.0);
            let tilt = dice.about(0.0, 1.5);
            let from = [out * wall, 0.0, z];
            lines.push(vec![scene.node(from, 0.75), scene.node([out * (wall - length), 0.0, z + tilt], 0.75)]);
            z += dice.within(6.0, 9.5);
        }
        // Kerley A: longer ones from the hila outwards and up.
        for _ in 0..4 {
            let angle = dice.within(-1.0, 0.2);
            let (u, z, length) = (dice.within(46.0, 58.0), HILUM - 4.0 + 20.0 * angle, dice.within(26.0, 42.0));
            let end = [out * (u + length * angle.cos()), 0.0, z + length * angle.sin()];
            lines.push(vec![scene.node([out * u, 0.0, z], 0.7), scene.node(end, 0.7)]);
        }
        // Bronchi end on, their walls thick.
        for _ in 0..3 {
            let centre = [out * dice.within(40.0, 62.0), 0.0, HILUM + dice.within(-24.0, 26.0)];
            lines.push(
                (0..9)
                    .map(|i| {
                        let turn = std::f32::consts::TAU * i as f32 / 8.0;
                        scene.node([centre[0] + 4.2 * turn.cos(), 0.0, centre[2] + 4.2 * turn.sin()], 1.1)
                    })
                    .collect(),
            );
        }
    }
    // Fluid in the horizontal fissure.
    let z = dice.within(-4.0, 6.0);
    lines.push([(44.0, 0.0), (80.0, -2.0), (116.0, 3.0)].map(|(u, dz)| scene.node([-u, 0.0, z + dz], 1.1)).to_vec());
    scene.tubes(finding::EDEMA, &lines, 0.11);
}

/// The lobes as they lie on the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lobe {
    Upper,
    Middle,
    Lower,
}

/// One lobe filled, with open bronchi running through it.
pub(super) fn consolidation(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "consolidation");
    let side = dice.side();
    let lobe = match dice.below(if side == 0 { 3 } else { 2 }) {
        0 => Lobe::Upper,
        1 => Lobe::Lower,
        _ => Lobe::Middle,
    };
    let fissure = dice.within(-12.0, 2.0);
    let bow = dice.within(-4.0, 5.0);
    let filled = dice.within(0.8, 0.92);
    let extent = dice.within(0.75, 1.2);
    let seed = dice.seed();
    let shape = move |u: f32, x: f32, z: f32| -> f32 {
        let line = fissure + bow * ((u - 30.0) / 60.0 - ((u - 30.0) / 70.0).powi(2)) + 0.03 * u;
        let soft = 8.0 * mottle(x, z, 24.0, seed) + 4.0 * mottle(x, z, 8.0, seed ^ 1);
        match lobe {
            Lobe::Upper => {
                let below =
                    if side == 0 { ramp(1.3, -1.3, z - line) } else { ramp(16.0, -16.0, z - line - 12.0 + soft) };
                below * ramp(-112.0 - 34.0 * extent, -80.0 - 34.0 * extent, z + soft)
            }
            Lobe::Middle => {
                let lateral = ramp(108.0 * extent, 58.0 * extent, u + 0.35 * (z - line) + soft);
                ramp(-1.3, 1.3, z - line) * lateral * ramp(92.0, 68.0, z + 0.4 * soft)
            }
            Lobe::Lower => {
                ramp(-6.0, 44.0, z - 0.28 * (u - 60.0) + soft - 14.0 * (1.0 - extent))
                    * ramp(150.0 * extent, 116.0 * extent, u + soft)
            }
        }
    };
    let weight = if lobe == Lobe::Lower { 0.86 * filled } else { filled };
    scene.act(finding::CONSOLIDATION, EVERYWHERE, |spot, beam| {
        if spot.side == side && beam.air > 0.0 {
            let share = weight * shape(spot.u, spot.x, spot.z) * (0.93 + 0.1 * mottle(spot.x, spot.z, 9.0, seed ^ 2));
            // Filled lung keeps its volume; the blood in it no longer stands out.
            beam.veil += share * (MUSCLE - LUNG) * beam.air * 0.72;
            beam.air *= 1.0 - 0.28 * share;
            beam.blood *= 1.0 - share;
        }
    });
    let bronchi = bronchi(scene, side);
    let columns = scene.grid.side;
    let mut record = scene.record(finding::CONSOLIDATION);
    for row in 0..columns {
        let z = scene.pose.height(scene.grid.mm(row));
        let middle = scene.anatomy.midline(z);
        for (column, x) in scene.pose.columns(scene.grid, z).enumerate() {
            let pixel = row * columns + column;
            let tube = bronchi.values[pixel];
            if tube > 0.0 && scene.air.values[pixel] > 25.0 {
                let u = (x - middle) * sign(side);
                let change = -1.3 * (MUSCLE - LUNG) * tube.min(5.0) * shape(u, x, z) * weight;
                scene.veil.values[pixel] += change;
                record.values[pixel] += change;
            }
        }
    }
    scene.changes.push((finding::CONSOLIDATION, record));
}

/// Air in the bronchi, which run beside the larger vessels.
fn bronchi(scene: &mut Scene<'_>, side: usize) -> Plane {
    let mut plane = Plane::new(scene.grid);
    let anatomy = scene.anatomy;
    for twig in &anatomy.vessels[side] {
        if twig.radii[0] < 1.15 {
            continue;
        }
        let nodes: Vec<_> = twig
            .points
            .iter()
            .zip(&twig.radii)
            .map(|(&[x, y, z], &radius)| {
                let z = scene.pose.breathed(side, anatomy.dome[side], z + 2.5);
                scene.node([x, y, z], (1.25 * radius).min(3.3))
            })
            .collect();
        plane.tube(&nodes, SOLID);
    }
    plane
}

/// Patches along the bronchi of one or two segments.
pub(super) fn pneumonia(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "pneumonia");
    let side = dice.side();
    let [u, z] = open_lung(scene, &mut dice, side, -60.0, 70.0, 24.0);
    let count = 6 + dice.below(5);
    let mut patches = Vec::new();
    for i in 0..count {
        let far = i >= count - 2 && dice.chance(0.5);
        let spread = if far { 50.0 } else { 22.0 };
        patches.push([
            u + dice.about(0.0, spread),
            z + dice.about(0.0, spread),
            dice.within(13.0, 24.0),
            dice.within(0.38, 0.62),
        ]);
    }
    let seed = dice.seed();
    scene.act(finding::PNEUMONIA, EVERYWHERE, |spot, beam| {
        if spot.side != side || beam.air <= 0.0 {
            return;
        }
        let mut clear = 1.0_f32;
        let mut near = false;
        for [pu, pz, radius, _] in &patches {
            near |= (spot.u - pu).abs() < 1.6 * radius && (spot.z - pz).abs() < 1.6 * radius;
        }
        if !near {
            return;
        }
        let fluff = 0.38 * mottle(spot.x, spot.z, 11.0, seed) + 0.2 * mottle(spot.x, spot.z, 5.0, seed ^ 1);
        for &[pu, pz, radius, strength] in &patches {
            let r = ((spot.u - pu).powi(2) + (spot.z - pz).powi(2)) / (radius * radius);
            clear *= 1.0 - strength * ramp(-0.6, 1.3, 1.0 - r + fluff);
        }
        let share = 1.0 - clear;
        beam.veil += share.min(0.8) * (MUSCLE - LUNG) * beam.air * 0.72;
        beam.blood *= 1.0 - share;
    });
}

/// Lung without air: bands over a raised diaphragm, or a lobe folded away.
pub(super) fn collapse(scene: &mut Scene<'_>, side: usize, kind: Collapse) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "collapsed lung");
    let dome = Dome::of(scene.anatomy, scene.pose, scene.disease, side);
    let top = dome.skyline(scene.anatomy.peak[side]);
    let out = sign(side);
    match kind {
        Collapse::Plates => {
            let mut lines = Vec::new();
            for i in 0..2 + dice.below(2) {
                let z = top - 11.0 - 15.0 * i as f32 - dice.within(0.0, 5.0);
                let (from, length) = (dice.within(44.0, 66.0), dice.within(44.0, 68.0));
                let (tilt, bend) = (dice.about(-0.04, 0.16), dice.about(0.0, 3.5));
                let radius = dice.within(1.9, 3.0);
                lines.push(
                    (0..7)
                        .map(|k| {
                            let t = k as f32 / 6.0;
                            let sag = bend * 4.0 * t * (1.0 - t);
                            let width = radius * (0.45 + 2.2 * t * (1.0 - t));
                            scene.node([out * (from + length * t), 0.0, z + tilt * length * t + sag], width)
                        })
                        .collect::<Vec<_>>(),
                );
            }
            scene.tubes(finding::ATELECTASIS, &lines, 0.105);
            let seed = dice.seed();
            scene.act(finding::ATELECTASIS, EVERYWHERE, |spot, beam| {
                if spot.side == side && beam.air > 0.0 {
                    let crowded = ramp(top - 34.0, top - 4.0, spot.z + 7.0 * mottle(spot.x, spot.z, 16.0, seed));
                    beam.veil += 0.16 * crowded * (MUSCLE - LUNG) * beam.air;
                }
            });
        }
        Collapse::LowerLobe => {
            let (from, to) = (dice.within(22.0, 30.0), dice.within(76.0, 92.0));
            scene.act(finding::ATELECTASIS, EVERYWHERE, |spot, beam| {
                if spot.side == side && beam.air > 0.0 && spot.z > HILUM - 6.0 {
                    let t = (spot.z - HILUM) / (top - HILUM);
                    let edge = from + (to - from) * t.max(0.0);
                    let share = 0.88 * ramp(1.5, -1.5, spot.u - edge) * ramp(HILUM - 6.0, HILUM + 14.0, spot.z);
                    beam.air *= 1.0 - share;
                    beam.blood *= 1.0 - share;
                }
            });
        }
        Collapse::UpperLobe => {
            let (hinge, lateral) = (dice.within(-34.0, -24.0), dice.within(-78.0, -58.0));
            scene.act(finding::ATELECTASIS, EVERYWHERE, |spot, beam| {
                if spot.side == side && beam.air > 0.0 && spot.z < 10.0 {
                    let t = ((spot.u - 24.0) / 76.0).clamp(0.0, 1.2);
                    // The fissure is drawn up in a curve from the hilum to the chest wall.
                    let line = hinge + (lateral - hinge) * t.powf(0.7);
                    let share = 0.88 * ramp(1.5, -1.5, spot.z - line);
                    beam.air *= 1.0 - share;
                    beam.blood *= 1.0 - share;
                }
            });
        }
    }
}
