//! Head phantom: axial CT slices in Hounsfield units from a head built in millimetres, with the five kinds of haemorrhage and
//! a mask for each.
//!
//! In go a patient seed, a level between skull base and vertex, and the patient's findings; out comes a slice. The anatomy and
//! every bleed are solids fixed by the patient seed, so neighbouring levels of one patient show the same head and a bleed fades
//! in and out over them.

mod cortex;
mod haemorrhage;
mod head;
mod lattice;
mod mass_effect;
mod posterior;
mod scanner;
mod shape;
mod skull;
mod skull_base;
#[cfg(test)]
mod tests;
mod tissue;
mod ventricles;

use crate::radiograph::{Meaning, Radiograph};
use haemorrhage::Bleeds;
use head::{FIELD_OF_VIEW, Head};
use tissue::sample;

/// Place of "No Finding" in the RSNA order.
const NO_FINDING: usize = 5;

/// Square millimetres of blood from which a reader would see it.
const VISIBLE_AREA: [f32; 5] = [90.0, 70.0, 45.0, 60.0, 90.0];

/// Millimetres of head that one slice averages.
const SLICE_THICKNESS: f32 = 4.0;

/// One axial slice of one phantom head.
pub struct BrainSlice {
    /// Hounsfield units, `side` × `side`, the patient's right at the left of the picture, front at the top; the field of view
    /// is 230 mm.
    pub image: Radiograph,
    /// For every kind of blood that shows, its index in the RSNA order and the pixels it covers.
    pub masks: Vec<(usize, Vec<bool>)>,
}

/// Which of a patient's findings show at `level` (0 = skull base … 1 = vertex), in the RSNA order: Epidural, Intraparenchymal,
/// Intraventricular, Subarachnoid, Subdural, No Finding. The last is true exactly when none of the others is.
pub fn visible_findings(patient_seed: u64, level: f32, patient_findings: &[bool; 6]) -> [bool; 6] {
    let head = Head::new(patient_seed);
    let bleeds = Bleeds::new(patient_seed, *patient_findings);
    visible(&head, &bleeds, level)
}

/// Measures the blood of each kind at a level on a coarse grid.
fn visible(head: &Head, bleeds: &Bleeds, level: f32) -> [bool; 6] {
    const PROBE: usize = 72;
    let mut found = [false; 6];
    found[NO_FINDING] = true;
    let any = bleeds.epidural.is_some()
        || bleeds.intraparenchymal.is_some()
        || bleeds.intraventricular.is_some()
        || bleeds.subarachnoid.is_some()
        || bleeds.subdural.is_some();
    if !any {
        return found;
    }
    let pitch = FIELD_OF_VIEW / PROBE as f32;
    let mut area = [0.0_f32; 5];
    for row in 0..PROBE {
        for column in 0..PROBE {
            let (x, y) = (centre_of(column, pitch), centre_of(row, pitch));
            let off = SLICE_THICKNESS * if (row + column) % 2 == 0 { 0.25 } else { -0.25 };
            let p = head.place(level, x, y, off);
            if !head.inside(p) {
                continue;
            }
            let here = sample(head, bleeds, p);
            for (sum, share) in area.iter_mut().zip(here.blood) {
                *sum += share * pitch * pitch;
            }
        }
    }
    for kind in 0..5 {
        found[kind] = area[kind] >= VISIBLE_AREA[kind];
        found[NO_FINDING] &= !found[kind];
    }
    found
}

/// Millimetres from the middle of the picture of the `index`th pixel of width `pitch`.
fn centre_of(index: usize, pitch: f32) -> f32 {
    (index as f32 + 0.5) * pitch - FIELD_OF_VIEW / 2.0
}

/// The slice of a patient at `level` (0 = skull base … 1 = vertex), `side` pixels wide and high (a power of two, 32 to 512).
///
/// `findings` are the patient's, in the RSNA order; the masks that come back are those of [`visible_findings`] at this level. A
/// bleed above or below still pushes the brain, as it would.
pub fn slice(patient_seed: u64, level: f32, findings: &[bool; 6], side: usize) -> BrainSlice {
    let head = Head::new(patient_seed);
    let mut bleeds = Bleeds::new(patient_seed, *findings);
    let seen = visible(&head, &bleeds, level);
    bleeds.painted.copy_from_slice(&seen[..NO_FINDING]);

    // Sampled finer than shown, each sample of a block of four at its own height in the slice: this averages over the pixel's
    // footprint and the slice's thickness at once.
    let fine = (2 * side).max(256);
    let pitch = FIELD_OF_VIEW / fine as f32;
    let kinds: Vec<usize> = (0..NO_FINDING).filter(|&k| seen[k]).collect();
    let mut units = vec![0.0_f32; fine * fine];
    let mut blood = vec![vec![0.0_f32; fine * fine]; kinds.len()];
    for row in 0..fine {
        for column in 0..fine {
            let height = [0.375, -0.125, -0.375, 0.125][(row & 1) * 2 + (column & 1)];
            let (x, y) = (centre_of(column, pitch), centre_of(row, pitch));
            let here = sample(&head, &bleeds, head.place(level, x, y, height * SLICE_THICKNESS));
            let index = row * fine + column;
            units[index] = here.units;
            if here.units < -900.0
                && let Some(shell) = scanner::holder(&head, x, y)
            {
                units[index] = shell;
            }
            for (plane, &kind) in blood.iter_mut().zip(&kinds) {
                plane[index] = here.blood[kind];
            }
        }
    }
    scanner::blur(&mut units, fine, 0.55 / pitch);
    let mut pixels = block_means(&units, fine, side);
    scanner::harden(&head, &mut pixels, side);
    scanner::add_noise(&head, patient_seed, level, &mut pixels, side);
    for hu in &mut pixels {
        *hu = hu.clamp(-1024.0, 3071.0);
    }
    let masks = kinds.iter().zip(&blood).map(|(&kind, plane)| (kind, mask(&block_means(plane, fine, side)))).collect();
    let image = Radiograph::new(side, side, pixels, Meaning::Hounsfield)
        .unwrap_or_else(|error| unreachable!("a square of finite pixels is a radiograph: {error}"));
    BrainSlice { image, masks }
}

/// Pixels at least half covered; where blood is thinner than any pixel, those that hold nearly the most of it.
fn mask(share: &[f32]) -> Vec<bool> {
    let most = share.iter().copied().fold(0.0, f32::max);
    let enough = 0.5_f32.min(0.8 * most).max(f32::MIN_POSITIVE);
    share.iter().map(|&s| s >= enough).collect()
}

/// Means over square blocks: from `fine` × `fine` to `side` × `side`.
fn block_means(plane: &[f32], fine: usize, side: usize) -> Vec<f32> {
    let step = fine / side;
    let scale = 1.0 / (step * step) as f32;
    let mut means = vec![0.0_f32; side * side];
    for (row, line) in plane.chunks_exact(fine).enumerate().take(side * step) {
        let out = &mut means[row / step * side..][..side];
        for (mean, block) in out.iter_mut().zip(line.chunks_exact(step)) {
            *mean += scale * block.iter().sum::<f32>();
        }
    }
    means
}
