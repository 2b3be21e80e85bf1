//! Soft tissue around the chest: trunk, neck, shoulders, arms, breasts; and gas under the left dome.

use super::anatomy::Anatomy;
use super::dice::{Dice, sign};
use super::lungs::{Profile, section};
use super::plane::{Grid, Plane, ramp};
use super::pose::Pose;

/// Soft tissue in the beam as if the chest were filled with it, mm.
pub(super) fn paint(grid: Grid, anatomy: &Anatomy, pose: &Pose) -> Plane {
    let mut plane = Plane::new(grid);
    let profile = Profile::new(2.8);
    let round = Profile::new(2.0);
    let shoulder_z = -147.0;
    let fat = anatomy.fat;
    let arms = [0, 1].map(|side| {
        let lift = sign(side) * pose.shrug;
        // Hands on the hips turn the elbows out; the arm leaves the film.
        (anatomy.shoulder - 4.0, shoulder_z + 34.0 + lift, pose.arm[side], 40.0 + 0.35 * fat)
    });
    for row in 0..grid.side {
        let z = pose.height(grid.mm(row));
        let inner = section(anatomy, z.max(anatomy.apex + 14.0));
        let flank = ramp(-5.0, -85.0, z);
        let width = inner.width + 13.0 + fat + 44.0 * flank + 6.0 * ramp(90.0, 190.0, z) * (fat / 17.0);
        let depth = anatomy.half_depth + 12.0 + 0.8 * fat - 14.0 * ramp(-60.0, -150.0, z) + 14.0 * ramp(60.0, 170.0, z);
        let neck_width = anatomy.neck * (1.0 + 0.22 * ramp(-200.0, -235.0, z));
        let in_neck = ramp(-60.0, -140.0, z);
        let middle = anatomy.midline(z) * 0.5;
        for (value, x) in plane.row(row).iter_mut().zip(pose.columns(grid, z)) {
            let x = x - middle;
            let side = usize::from(x > 0.0);
            let off = x.abs();
            let lift = sign(side) * pose.shrug * (off / 150.0).min(1.0);
            // The slope from neck to shoulder, and how far below it this point lies.
            let skin = shoulder_z + lift - anatomy.trapezius * fast_decay((off - 44.0) / 46.0)
                + 0.0011 * (off - 60.0).max(0.0).powi(2);
            let under = (z - skin) / 40.0;
            let mut chord = 0.0_f32;
            if under > 0.0 && off < width {
                let cap = if under < 1.0 { round.at(1.0 - under) } else { 1.0 };
                chord = 2.0 * depth * profile.at(off / width) * cap;
            }
            if off < neck_width {
                chord = chord.max(126.0 * round.at(off / neck_width) * in_neck);
            }
            let (ax, az, slope, radius) = arms[side];
            let below = z - az;
            let centre = ax + slope * below.max(0.0);
            let out = (off - centre) / radius;
            let up = if below < 0.0 { below / (radius * 1.05) } else { 0.0 };
            let q = out * out + up * up;
            if q < 1.0 {
                // Hands on the hips: the beam meets the arm obliquely.
                let arm = 2.7 * radius * (1.0 - q).sqrt();
                // Where arm and trunk overlap, the armpit lies between them.
                chord = (chord * chord + arm * arm * 0.85).sqrt().max(chord);
            }
            // The shoulder girdle: trapezius, deltoid and chest muscle, down to the fold of the armpit.
            let girdle = off / (anatomy.shoulder + 16.0);
            let armpit = ramp(0.0, 44.0, -38.0 + lift - 0.25 * (off - 120.0) - z);
            if girdle < 1.0 && under > 0.0 && armpit > 0.0 {
                let cap = if under < 1.0 { round.at(1.0 - under) } else { 1.0 };
                chord = chord.max((172.0 + 0.6 * fat) * round.at(girdle * girdle) * cap * armpit);
            }
            *value = chord;
        }
    }
    plane.blur(3.5);
    plane
}

/// Falls from 1 like a bell's flank, without a call to `exp`.
fn fast_decay(t: f32) -> f32 {
    let t = t.max(0.0);
    1.0 / (1.0 + t + 0.7 * t * t + 0.4 * t * t * t)
}

/// Breast tissue in the beam, mm: fullest and sharpest below.
pub(super) fn breasts(plane: &mut Plane, anatomy: &Anatomy, pose: &Pose) {
    let [width, height, thickness] = anatomy.breast;
    if thickness <= 0.0 {
        return;
    }
    for side in 0..2 {
        let centre = [sign(side) * 76.0, anatomy.half_depth + 20.0, anatomy.breast_height + sign(side) * 3.0];
        let [x, z, scale] = pose.project(anatomy, centre);
        let lower = z + 0.2 * height;
        let grid = plane.grid;
        let (a, c) = (width * scale, height * scale);
        for row in grid.span(z - 1.5 * c, z + c) {
            let dz = grid.mm(row) - z;
            let v = if dz < 0.0 { dz / (1.5 * c) } else { dz / c };
            let fade = ramp(z - 1.5 * c, lower, grid.mm(row));
            let columns = grid.span(x - a, x + a);
            let values = &mut plane.row(row)[columns.clone()];
            for (value, column) in values.iter_mut().zip(columns) {
                let u = (grid.mm(column) - x) / a;
                let inside = 1.0 - u * u - v * v;
                if inside > 0.0 {
                    *value += thickness * fade * inside.sqrt();
                }
            }
        }
    }
}

/// Gas in stomach and bowel under the diaphragm, mm.
pub(super) fn gas(plane: &mut Plane, patient: u64, film: u32, anatomy: &Anatomy, pose: &Pose) {
    let mut dice = Dice::of_film(patient, film, "gas");
    let dome = anatomy.dome[1] - pose.raised[1];
    let add = |value: &mut f32, chord: f32| *value += chord;
    if dice.chance(0.75) {
        let (a, c) = (dice.within(14.0, 30.0), dice.within(7.0, 15.0));
        let [x, z, scale] = pose.project(anatomy, [dice.about(66.0, 8.0), 20.0, dome + c + dice.within(7.0, 12.0)]);
        plane.ellipsoid([x, z], [a * scale, c * scale], dice.about(0.0, 0.15), dice.within(20.0, 45.0), add);
    }
    for _ in 0..dice.below(5) {
        let r = dice.within(7.0, 14.0);
        let [x, z, scale] = pose.project(anatomy, [dice.within(30.0, 118.0), 20.0, dome + dice.within(42.0, 90.0)]);
        plane.ellipsoid([x, z], [r * 1.3 * scale, r * scale], dice.within(-0.6, 0.6), dice.within(8.0, 22.0), add);
    }
}
