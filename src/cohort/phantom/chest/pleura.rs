//! Findings between lung and chest wall: air, fluid, thickening and plaques.

use super::dice::{Dice, sign};
use super::disease::finding;
use super::exposure::{BONE, LUNG};
use super::lungs::{Dome, section};
use super::plane::{mottle, ramp};
use super::scene::Scene;

/// Air between lung and chest wall.
#[derive(Debug, Clone)]
pub(super) struct Pneumothorax {
    pub side: usize,
    /// Width of the gap over the apex and along the side, mm.
    apical: f32,
    lateral: f32,
    /// Under pressure: the mediastinum is pushed across.
    tension: bool,
}

impl Pneumothorax {
    pub fn of(patient: u64, film: u32) -> Self {
        let mut dice = Dice::of_film(patient, film, "pneumothorax");
        let side = dice.side();
        match dice.below(10) {
            0..=3 => Self { side, apical: dice.within(22.0, 34.0), lateral: dice.within(9.0, 16.0), tension: false },
            4..=7 => Self { side, apical: dice.within(34.0, 56.0), lateral: dice.within(20.0, 36.0), tension: false },
            _ => Self {
                side,
                apical: dice.within(56.0, 76.0),
                lateral: dice.within(48.0, 68.0),
                tension: dice.chance(0.5),
            },
        }
    }

    /// How far the mediastinum moves towards `side`'s sign, mm.
    pub fn push(&self) -> f32 {
        if self.tension { 14.0 * sign(self.side) } else { 0.0 }
    }

    /// Distance of the lung's edge from the midline.
    fn edge(&self, scene: &Scene<'_>, z: f32) -> f32 {
        let taper = if self.lateral > 40.0 { 1.0 } else { ramp(118.0, 0.0, z) };
        let fallen = section(scene.anatomy, z - self.apical * ramp(140.0, -60.0, z)).width;
        (fallen - self.lateral * taper * ramp(0.0, 60.0, fallen)).max(0.0)
    }

    pub fn paint(&self, scene: &mut Scene<'_>) {
        let squeezed = (0.03 + 0.0046 * self.lateral).min(0.5);
        // The edge per row, so that its slope is known; one row per half millimetre.
        let rows: Vec<f32> = (0..700).map(|i| self.edge(scene, -160.0 + 0.5 * i as f32)).collect();
        let area = if self.side == 0 { [-175.0, 6.0, -150.0, 170.0] } else { [-6.0, 175.0, -150.0, 170.0] };
        let (side, width) = (self.side, 0.75 + 0.3 * scene.grid.pitch());
        scene.act(finding::PNEUMOTHORAX, area, |spot, beam| {
            if spot.side != side || beam.air <= 0.0 {
                return;
            }
            let at = ((spot.z + 160.0) * 2.0).clamp(1.0, 697.0);
            let low = at as usize;
            let edge = rows[low] + (rows[low + 1] - rows[low]) * (at - low as f32);
            let slope = rows[low + 1] - rows[low - 1];
            let off = (spot.u - edge) / (1.0 + slope * slope).sqrt();
            let free = ramp(-1.0, 1.0, off);
            let shown = (beam.air / 40.0).min(1.0);
            beam.extra -= free * LUNG * beam.air * 0.95;
            beam.blood *= 1.0 - free;
            beam.veil *= 1.0 - free;
            beam.air *= 1.0 - squeezed * (1.0 - free);
            beam.extra += 0.24 * shown * (0.75 / width) * (-(off / width).powi(2)).exp();
        });
    }
}

/// Fluid around the base of one lung.
#[derive(Debug, Clone)]
pub(super) struct Effusion {
    pub side: usize,
    /// Height of the fluid above the top of the diaphragm, mm; negative while it only fills the angle.
    level: f32,
}

impl Effusion {
    pub fn of(patient: u64, film: u32) -> Vec<Self> {
        let mut dice = Dice::of_film(patient, film, "effusion");
        let first = dice.side();
        let both = dice.chance(0.3);
        let mut one = |side, most| {
            let level = match dice.below(most) {
                0..=3 => dice.within(-26.0, -12.0),
                4..=7 => dice.within(2.0, 40.0),
                _ => dice.within(60.0, 120.0),
            };
            Self { side, level }
        };
        let mut effusions = vec![one(first, 10)];
        if both {
            effusions.push(one(1 - first, 8));
        }
        effusions
    }

    /// How far the mediastinum is pushed towards this side's sign, mm.
    pub fn push(&self) -> f32 {
        (0.16 * (self.level - 40.0)).max(0.0) * sign(self.side)
    }

    pub fn paint(&self, scene: &mut Scene<'_>) {
        let anatomy = scene.anatomy;
        let dome = Dome::of(anatomy, scene.pose, scene.disease, self.side);
        let level = dome.skyline(anatomy.peak[self.side]) - self.level;
        let widest = anatomy.half_width;
        let side = self.side;
        let rise = 30.0 + 0.22 * self.level.max(0.0);
        scene.act(finding::PLEURAL_EFFUSION, [-175.0, 175.0, -140.0, 210.0], |spot, beam| {
            if spot.side != side || beam.air <= 0.0 {
                return;
            }
            // The surface climbs the chest wall, and a little the mediastinum.
            let from_wall = (widest - spot.u).max(0.0);
            let climb = rise / (1.0 + from_wall / 21.0 + (from_wall / 32.0).powi(2));
            let medial = 9.0 * (1.0 - spot.u / 70.0).clamp(0.0, 1.0);
            let under = spot.z - (level - climb - medial);
            let haze = 0.16 * ramp(-50.0, 0.0, under);
            let share = haze.max(ramp(-8.0, 7.0, under) * 0.985);
            beam.air *= 1.0 - share;
            beam.veil *= 1.0 - share;
        });
    }
}

/// Thickened, plaque-bearing or calcified pleura.
pub(super) fn thickening(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_patient(scene.patient, "pleura");
    let kind = dice.below(3);
    let sides = if dice.chance(0.4) {
        [true, true]
    } else {
        let s = dice.side();
        [s == 0, s == 1]
    };
    let seed = dice.seed();
    let anatomy = scene.anatomy;
    let area = [-175.0, 175.0, -140.0, 190.0];
    if kind == 1 {
        plaques(scene, &mut dice, sides);
        return;
    }
    let thick = if kind == 0 { dice.within(11.0, 17.0) } else { dice.within(22.0, 30.0) };
    let (top, bottom) = if kind == 0 { (dice.within(-60.0, 0.0), 190.0) } else { (-140.0, dice.within(-72.0, -58.0)) };
    scene.act(finding::PLEURAL_OTHER, area, |spot, beam| {
        if !sides[spot.side] || beam.air <= 0.0 || spot.z < top || spot.z > bottom {
            return;
        }
        let here = section(anatomy, spot.z);
        let above = section(anatomy, spot.z - 2.0);
        let slope = (here.width - above.width) * 0.5;
        let inside = (here.width - spot.u) / (1.0 + slope * slope).sqrt();
        let lumps = 1.0 + 0.35 * mottle(0.0, spot.z, 30.0, seed) + 0.16 * mottle(0.0, spot.z, 12.0, seed ^ 7);
        let fade = ramp(top, top + 18.0, spot.z).min(ramp(bottom, bottom - 26.0, spot.z));
        let fade = if kind == 0 { ramp(top, top + 18.0, spot.z) } else { fade };
        let rind = thick * lumps * fade;
        let share = 0.8 * ramp(rind + 1.5, rind - 1.5, inside);
        // A rind runs around the lung: it shows as a band at the side and as a veil in front.
        beam.air *= 1.0 - share.max(0.10 * fade);
    });
}

/// Calcified plaques, face on over the lungs and along the diaphragm.
fn plaques(scene: &mut Scene<'_>, dice: &mut Dice, sides: [bool; 2]) {
    for side in [0, 1].into_iter().filter(|&side| sides[side]) {
        let dome = Dome::of(scene.anatomy, scene.pose, scene.disease, side);
        for i in 0..2 + dice.below(3) {
            let seed = dice.seed();
            let (u, z) = (dice.within(50.0, 100.0), -50.0 + 42.0 * i as f32 + dice.about(0.0, 8.0));
            let (a, c) = (dice.within(13.0, 22.0), dice.within(9.0, 15.0));
            let tilt = dice.about(0.4, 0.3);
            let x = sign(side) * u + scene.anatomy.midline(z);
            scene.act(finding::PLEURAL_OTHER, [x - 2.0 * a, x + 2.0 * a, z - 2.0 * a, z + 2.0 * a], |spot, beam| {
                if beam.air <= 25.0 {
                    return;
                }
                let (dx, dz) = ((spot.x - x) * sign(side), spot.z - z);
                let (p, q) = ((dx * tilt.cos() + dz * tilt.sin()) / a, (dz * tilt.cos() - dx * tilt.sin()) / c);
                let ragged = 0.6 * mottle(spot.x, spot.z, 8.0, seed) + 0.3 * mottle(spot.x, spot.z, 3.5, seed ^ 5);
                let r = 1.0 - p * p - q * q + ragged;
                // Holly leaf: the rolled rim is denser than the middle.
                let leaf = ramp(0.0, 0.2, r) * (0.85 + 0.3 * ramp(0.5, 0.15, r) + 0.5 * ragged);
                beam.extra += BONE * 9.0 * leaf;
            });
        }
        let (from, to) = (dice.within(35.0, 55.0), dice.within(80.0, 105.0));
        scene.act(finding::PLEURAL_OTHER, [-150.0, 150.0, 20.0, 170.0], |spot, beam| {
            if spot.side != side || spot.u < from || spot.u > to {
                return;
            }
            let off = spot.z - dome.skyline(spot.u) - 0.5;
            let ends = ramp(from, from + 8.0, spot.u) * ramp(to, to - 8.0, spot.u);
            beam.extra += BONE * 12.0 * ends * (-(off / 2.2).powi(2)).exp();
        });
    }
}
