//! The inside of the chest: cage, domes of the diaphragm, and how much lung the beam passes.

use super::anatomy::Anatomy;
use super::dice::sign;
use super::disease::Disease;
use super::plane::{Plane, ramp};
use super::pose::Pose;

/// Half-width and half-depth of the cage at one height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub width: f32,
    pub depth: f32,
}

/// The cage's cross-section at a height; of no width above the apex.
pub(super) fn section(anatomy: &Anatomy, z: f32) -> Section {
    let t = (z - anatomy.apex) / (anatomy.base - anatomy.apex);
    if t <= 0.0 {
        return Section { width: 0.0, depth: 0.0 };
    }
    let filled = 1.0 - (1.0 - t.min(1.0)).powf(anatomy.shoulder_curve);
    let width = anatomy.half_width * filled.sqrt() * (1.0 + anatomy.flare * (t.min(1.2) - 0.6));
    Section { width, depth: anatomy.half_depth * filled.powf(0.62) }
}

/// One hemidiaphragm as it stands on this film.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dome {
    top: f32,
    peak: f32,
    hump: f32,
}

/// How far the diaphragm falls from its top over one radius.
const FALL: f32 = 46.0;

impl Dome {
    pub fn of(anatomy: &Anatomy, pose: &Pose, disease: &Disease, side: usize) -> Self {
        let top = anatomy.dome[side] - pose.raised[side] - disease.raised[side];
        Self { top, peak: anatomy.peak[side], hump: anatomy.hump[side] }
    }

    /// Height of the diaphragm's skyline at `u` mm from the midline.
    pub fn skyline(&self, u: f32) -> f32 {
        let off = (u - self.peak) / if u > self.peak { 66.0 } else { 135.0 };
        let beside = (u - 0.55 * self.peak) / 24.0;
        self.top + FALL * off * off - self.hump / (1.0 + beside * beside)
    }

    /// Half of the depth over which the abdomen stands in the beam at height `z`; negative above the skyline.
    fn abdomen(&self, u: f32, z: f32) -> f32 {
        let under = z - self.skyline(u);
        if under <= 0.0 { -1.0 } else { 98.0 * (under / FALL).sqrt() }
    }
}

/// Lung in the beam at `u` mm from the midline before heart and vessels take their room, mm.
pub(super) fn lung_path(section: Section, dome: &Dome, u: f32, z: f32) -> f32 {
    if u <= 0.0 || u >= section.width {
        return 0.0;
    }
    let q = u / section.width;
    let half = section.depth * (1.0 - q * q * q.sqrt()).sqrt();
    let abdomen = dome.abdomen(u, z);
    if abdomen < 0.0 {
        return 2.0 * half;
    }
    // The dome's summit lies forward of the middle, so the recess behind it stays open longest.
    let front = (half - (12.0 + abdomen)).max(0.0);
    let back = (half - (abdomen - 12.0)).clamp(0.0, 2.0 * half);
    front + back
}

/// Lung in the beam for every pixel where `heart` holds the room of heart and mediastinum, mm.
///
/// Heart and abdomen lie one before the other, so the greater of the two bounds what is left for the lung.
pub(super) fn paint(heart: Plane, anatomy: &Anatomy, pose: &Pose, disease: &Disease) -> Plane {
    let mut plane = heart;
    let grid = plane.grid;
    let domes = [0, 1].map(|side| Dome::of(anatomy, pose, disease, side));
    let profile = Profile::new(2.5);
    for row in 0..grid.side {
        let z = pose.height(grid.mm(row));
        let section = section(anatomy, z);
        if section.width <= 0.0 || z > anatomy.base + 40.0 {
            plane.row(row).fill(0.0);
            continue;
        }
        let middle = anatomy.midline(z);
        for (value, x) in plane.row(row).iter_mut().zip(pose.columns(grid, z)) {
            let offset = x - middle;
            let side = usize::from(offset > 0.0);
            let u = offset * sign(side);
            if u >= section.width {
                *value = 0.0;
                continue;
            }
            let half = section.depth * profile.at(u / section.width);
            let abdomen = domes[side].abdomen(u, z);
            // Towards the spine the lung ends, low down farther out.
            let low = (z - domes[side].top + 10.0).max(0.0);
            let inner = ramp(4.0 + 0.3 * low, 20.0 + 1.9 * low, u);
            let beside = inner * (2.0 * half - 1.25 * *value).max(0.0);
            *value = if abdomen < 0.0 {
                beside
            } else {
                beside.min((half - (12.0 + abdomen)).max(0.0) + (half - (abdomen - 12.0)).clamp(0.0, 2.0 * half))
            };
        }
    }
    plane
}

/// `sqrt(1 - q^power)` for q in 0..1, from a table.
#[derive(Debug)]
pub(super) struct Profile([f32; 258]);

impl Profile {
    pub fn new(power: f32) -> Self {
        let mut table = [0.0; 258];
        // Steep near the rim, so the table is spaced in the root of what remains.
        for (i, value) in table.iter_mut().enumerate().take(257) {
            let rest = (i as f32 / 256.0).powi(2);
            *value = (1.0 - (1.0 - rest).powf(power)).max(0.0).sqrt();
        }
        table[257] = table[256];
        Self(table)
    }

    /// Value at `q`; zero from 1 on.
    pub fn at(&self, q: f32) -> f32 {
        let at = (1.0 - q.min(1.0)).sqrt() * 256.0;
        let low = at as usize;
        let t = at - low as f32;
        self.0[low] + (self.0[low + 1] - self.0[low]) * t
    }
}
