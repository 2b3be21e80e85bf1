//! The real side of the comparison: a cohort, the encoder that measures nearness, and the index over both.
//!
//! In: a pack's folder and the model it is to be compared with. Out: for a sample, the real films nearest to it.
//! A pack that the model was not trained on is refused here, so that other people are never shown as neighbours.

use std::path::{Path, PathBuf};

use super::lightbox::Film;
use super::standin::Generator;
use crate::progress::Progress;
use crate::radiograph::Radiograph;
use crate::generator::Recipe;

/// Why a pack cannot serve as the real side of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It is another cohort.
    #[error("this model was trained on {wanted}; the pack {name} holds other patients, and they are not its neighbours")]
    OtherCohort {
        /// The cohort in the pack.
        name: String,
        /// The cohort of the model.
        wanted: String,
    },
    /// No encoder is here that was trained on this cohort.
    #[error("no encoder for {name} is on this machine; nearness cannot be measured without one")]
    NoEncoder {
        /// The cohort in the pack.
        name: String,
    },
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
    /// Anything else, in a sentence that names the file.
    #[error("{0}")]
    Unusable(String),
}

/// One real film near a sample.
#[derive(Clone)]
pub struct Near {
    /// Its place in the pack.
    pub item: u32,
    /// 1 − cosine in encoder space.
    pub distance: f32,
    /// Share of unseen patients, 0 to 100, whose own nearest film is as near as this or nearer.
    pub percentile: f32,
    /// Root mean square of the pixel differences, in the film's unit.
    pub pixel_rms: Option<f32>,
    /// The patient, as the source names them.
    pub patient: String,
    /// Age, sex and view, as far as stated: `58 M · PA`.
    pub about: String,
    /// Findings on the film.
    pub findings: Vec<String>,
    /// How many more films of this patient are among the nearest.
    pub more_films: usize,
    /// The film.
    pub film: std::sync::Arc<Film>,
}

/// A cohort that a model's samples can be compared with.
pub struct Reference {
    folder: PathBuf,
    held_out: Vec<f32>,
    generator: Generator,
}

impl Reference {
    /// TEMPORARY
    pub fn open(folder: &Path, generator: &Generator, progress: &Progress) -> Result<Self, ReferenceError> {
        progress.set_total(40);
        for _ in 0..40 {
            progress.check().map_err(|_| ReferenceError::Cancelled)?;
            std::thread::sleep(std::time::Duration::from_millis(25));
            progress.advance(1);
        }
        let mut held_out = crate::compute::random::normals(&mut crate::compute::random::stream(1, "x"), 240);
        for v in &mut held_out { *v = (0.2 + *v * 0.05).max(0.02); }
        held_out.sort_by(f32::total_cmp);
        Ok(Self { folder: folder.into(), held_out, generator: generator.clone() })
    }
    /// Where the pack lies.
    pub fn folder(&self) -> &Path { &self.folder }
    /// Name of the cohort.
    pub fn name(&self) -> &str { "phantom-chest" }
    /// Identity of the cohort.
    pub fn identity(&self) -> &str { "abc" }
    /// Films in the cohort.
    pub fn films(&self) -> usize { 2595 }
    /// Whether it holds phantoms, not patients.
    pub fn is_phantom(&self) -> bool { true }
    /// Distances of unseen patients to their nearest film of the train fold, ascending.
    pub fn held_out(&self) -> &[f32] { &self.held_out }
    /// TEMPORARY
    pub fn nearest(&self, _image: &Radiograph, k: usize, gpu: Option<&super::lightbox::Gpu>) -> Result<Vec<Near>, String> {
        Ok((0..k).map(|i| {
            let image = self.generator.render(&Recipe::new("", i as u64 + 100)).unwrap();
            Near { item: i as u32, distance: 0.081 + 0.006 * i as f32, percentile: if i == 0 { 0.6 } else { 3.1 * i as f32 }, pixel_rms: Some(0.13),
                patient: format!("phantom-{:05}", 284 + i), about: "58 M · PA".into(), findings: vec!["Cardiomegaly".into(), "Pleural Effusion".into()], more_films: i % 3, film: std::sync::Arc::new(Film::new(image, gpu)) }
        }).collect())
    }
}
