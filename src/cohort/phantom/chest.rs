//! Chest phantom: an analytic thorax in millimetres under an X-ray tube.
//!
//! In: a patient's seed, the number of the film, and the findings. Out: a film as displayed, and for each finding a
//! mask of the pixels it changed. Anatomy follows the patient, pose and exposure follow the film, and a finding acts
//! on the body, never on the picture: the beam's path through each tissue is computed, attenuated, scattered, counted
//! in quanta, and developed.

mod airspace;
mod anatomy;
mod bones;
mod devices;
mod dice;
mod disease;
mod exposure;
mod lungs;
mod mediastinum;
mod plane;
mod pleura;
mod pose;
mod ribs;
mod scene;
mod skeleton;
#[cfg(test)]
mod tests;
mod torso;
mod vessels;

use crate::radiograph::{Meaning, Radiograph};

use anatomy::Anatomy;
use disease::{Disease, finding};
use exposure::{Exposure, LUNG, MUSCLE};
use plane::{Grid, Plane};
use pose::Pose;
use scene::Scene;

/// One film of one phantom patient.
#[derive(Debug, Clone)]
pub struct ChestFilm {
    /// Density as displayed, 0 dark to 1 bright, `side` × `side`.
    pub image: Radiograph,
    /// For each positive finding but No Finding, its place in the order of `CheXpert` and the `side * side` pixels it
    /// changed.
    pub masks: Vec<(usize, Vec<bool>)>,
}

/// Smallest grid on which bodies are computed; smaller films are averaged down from it.
const FINEST: usize = 256;
/// Change of optical depth from which a pixel counts as changed.
const VISIBLE: f32 = 0.035;

/// Renders film `film_index` of the patient with the findings, in the order of `CheXpert`, on `side` × `side` pixels.
///
/// The same arguments give the same bits. `side` is meant to be 32 to 512 and a power of two; it is held to 1 to 1024.
///
/// # Panics
/// Never: the image is always square and finite.
pub fn film(patient_seed: u64, film_index: u32, findings: &[bool; 14], side: usize) -> ChestFilm {
    let side = side.clamp(1, 1024);
    let anatomy = Anatomy::of(patient_seed);
    let pose = Pose::of(patient_seed, film_index, &anatomy);
    let disease = Disease::of(patient_seed, film_index, findings);

    let healthy = Disease::none();
    let small = Grid { side: 48, extent: pose.extent };
    let reference = Scene::new(patient_seed, film_index, small, &anatomy, &pose, &healthy);
    let lung = reference.air.clone();
    let exposure = Exposure::of(patient_seed, film_index, &reference.compose().0, &lung);

    let factor = FINEST.div_ceil(side).max(2);
    let grid = Grid { side: side * factor, extent: pose.extent };
    let mut scene = Scene::new(patient_seed, film_index, grid, &anatomy, &pose, &disease);
    reshaped(&mut scene, findings);
    sicken(&mut scene, findings);
    let (depth, changes) = scene.compose();
    let pixels = exposure.develop(depth, patient_seed, film_index, side);
    let image = Radiograph::new(side, side, pixels, Meaning::Density)
        .expect("side * side finite pixels were computed just above");
    let mut masks: Vec<_> = changes.iter().map(|(index, change)| (*index, mask(change, factor))).collect();
    masks.sort_by_key(|&(index, _)| index);
    ChestFilm { image, masks }
}

/// Records where findings that move organs have changed the beam's path: against the same body without them.
fn reshaped(scene: &mut Scene<'_>, findings: &[bool; 14]) {
    let disease = scene.disease;
    let none = Disease::none();
    let without = [
        (finding::CARDIOMEGALY, Disease { heart: none.heart, ..disease.clone() }),
        (finding::ENLARGED_CARDIOMEDIASTINUM, Disease { upper: none.upper, ..disease.clone() }),
        (finding::ATELECTASIS, Disease { raised: none.raised, shift: none.shift, ..disease.clone() }),
    ];
    for (index, other) in without.into_iter().filter(|(index, _)| findings[*index]) {
        let mut change = scene::aerated(scene.grid, scene.anatomy, scene.pose, &other);
        for (value, air) in change.values.iter_mut().zip(&scene.air.values) {
            *value = (MUSCLE - LUNG) * (*value - air);
        }
        scene.changes.push((index, change));
    }
}

/// What one finding does to a scene.
type Act = fn(&mut Scene<'_>);

/// Lets every finding act on lungs, pleura and film.
fn sicken(scene: &mut Scene<'_>, findings: &[bool; 14]) {
    let disease = scene.disease;
    if let Some((side, kind)) = disease.collapse {
        airspace::collapse(scene, side, kind);
    }
    let acts: [(usize, Act); 5] = [
        (finding::LUNG_OPACITY, airspace::opacity),
        (finding::EDEMA, airspace::edema),
        (finding::CONSOLIDATION, airspace::consolidation),
        (finding::PNEUMONIA, airspace::pneumonia),
        (finding::LUNG_LESION, airspace::lesion),
    ];
    for (index, act) in acts {
        if findings[index] {
            act(scene);
        }
    }
    if findings[finding::PLEURAL_OTHER] {
        pleura::thickening(scene);
    }
    if let Some(pneumothorax) = &disease.pneumothorax {
        pneumothorax.paint(scene);
    }
    for effusion in &disease.effusions {
        effusion.paint(scene);
    }
    if findings[finding::SUPPORT_DEVICES] {
        devices::paint(scene);
    }
}

/// Film pixels whose mean change can be seen; the most changed ones of a faint finding.
fn mask(change: &Plane, factor: usize) -> Vec<bool> {
    let magnitude = Plane { grid: change.grid, values: change.values.iter().map(|v| v.abs()).collect() };
    let film = magnitude.reduced(factor);
    let most = film.values.iter().copied().fold(0.0, f32::max);
    let threshold = VISIBLE.min(0.4 * most);
    film.values.iter().map(|&value| value > 0.0 && value >= threshold).collect()
}
