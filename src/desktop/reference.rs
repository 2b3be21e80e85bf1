//! The real side of the comparison: a cohort, the encoder that measures nearness, and the index over both.
//!
//! In: a pack's folder and the generator it is to be compared with. Out: for a sample, the real films nearest to it.
//! A pack that the generator was not trained on is refused here, so that other people are never shown as neighbours.

use std::path::Path;
use std::sync::Arc;

use super::lightbox::{Film, Gpu};
use super::widgets::grouped;
use crate::cohort::{Pack, Record, Sex};
use crate::encoder::{self, Encoder};
use crate::generator::Generator;
use crate::neighbour::{self, Index, NeighbourError};
use crate::progress::Progress;
use crate::radiograph::{Meaning, Radiograph};

/// Largest side at which neighbours are shown.
const SHOWN: usize = 256;

/// Why a pack cannot serve as the real side of a generator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It is another cohort.
    #[error(
        "this model was trained on {wanted}, and the pack {name} is not that cohort as it was then; its people are not \
         this model's neighbours"
    )]
    OtherCohort {
        /// The cohort in the pack.
        name: String,
        /// The cohort of the model.
        wanted: String,
    },
    /// No encoder is here that was trained on this cohort.
    #[error(
        "no encoder trained on {name} is among the shipped models or beside the pack; nearness cannot be measured \
         without one"
    )]
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
    /// Share of unseen films, 0 to 100, whose own nearest training film is as near as this or nearer; `None` where the
    /// cohort has no unseen films.
    pub percentile: Option<f32>,
    /// Root mean square difference of brightness, 0 to 1.
    pub pixel_rms: f32,
    /// The patient, as the source names them.
    pub patient: String,
    /// Age, sex and view, as far as stated: `58 M · PA`.
    pub about: String,
    /// Findings on the film.
    pub findings: Vec<String>,
    /// How many more films of this patient are among the nearest.
    pub more_films: u32,
    /// The film.
    pub film: Arc<Film>,
}

/// A cohort that a generator's samples can be compared with.
pub struct Reference {
    pack: Pack,
    encoder: Encoder,
    index: Index,
}

impl Reference {
    /// Opens a pack, makes sure that the generator was trained on it, finds its encoder and indexes it where needed.
    ///
    /// # Errors
    /// [`ReferenceError`] in a sentence for the user.
    pub fn open(folder: &Path, generator: &Generator, progress: &Progress) -> Result<Self, ReferenceError> {
        let unusable = |error: &dyn std::fmt::Display| ReferenceError::Unusable(error.to_string());
        let pack = Pack::open(folder).map_err(|error| unusable(&error))?;
        let training = &generator.card().training;
        let name = pack.header().name.clone();
        if pack.header().identity != training.cohort_hash {
            return Err(ReferenceError::OtherCohort { name, wanted: training.cohort.clone() });
        }
        let encoder = own_encoder(&pack)?;
        Self::indexed(pack, encoder, progress)
    }

    /// As [`Reference::open`], for samples of a run that trains on this very pack, and by the encoder in this file where one
    /// is named.
    ///
    /// # Errors
    /// [`ReferenceError`] in a sentence for the user.
    pub fn of_pack(folder: &Path, encoder: Option<&Path>, progress: &Progress) -> Result<Self, ReferenceError> {
        let unusable = |error: &dyn std::fmt::Display| ReferenceError::Unusable(error.to_string());
        let pack = Pack::open(folder).map_err(|error| unusable(&error))?;
        let encoder = match encoder {
            Some(file) => {
                let header = pack.header();
                Encoder::for_images(file, header.meaning, header.window).map_err(|error| unusable(&error))?
            }
            None => own_encoder(&pack)?,
        };
        Self::indexed(pack, encoder, progress)
    }

    fn indexed(pack: Pack, encoder: Encoder, progress: &Progress) -> Result<Self, ReferenceError> {
        let index = Index::open_or_build(&pack, &encoder, progress).map_err(|error| match error {
            NeighbourError::Cancelled(_) => ReferenceError::Cancelled,
            other => ReferenceError::Unusable(other.to_string()),
        })?;
        Ok(Self { pack, encoder, index })
    }

    /// What networks are shown as black and white, in the films' unit, and that unit.
    pub fn unit(&self) -> ([f32; 2], Meaning) {
        (self.pack.header().window, self.pack.header().meaning)
    }

    /// Where the pack lies.
    pub fn folder(&self) -> &Path {
        self.pack.folder()
    }

    /// Name of the cohort.
    pub fn name(&self) -> &str {
        &self.pack.header().name
    }

    /// Identity of the cohort, which model cards name.
    pub fn identity(&self) -> &str {
        &self.pack.header().identity
    }

    /// Films in the cohort.
    pub fn films(&self) -> usize {
        self.pack.len()
    }

    /// Whether it holds phantoms, not patients.
    pub fn is_phantom(&self) -> bool {
        self.pack.header().phantom
    }

    /// Distances of unseen films to their nearest film of the train fold, ascending.
    pub fn held_out(&self) -> &[f32] {
        self.index.held_out()
    }

    /// What is compared with, and by what, in lines.
    pub fn about(&self) -> Vec<String> {
        let header = self.pack.header();
        let who = if header.phantom { "phantoms" } else { "patients" };
        let card = self.encoder.card();
        vec![
            format!("{} films of {} {who}", grouped(header.films as u64), grouped(header.patients as u64)),
            format!(
                "compared with the train fold: {} films of {} {who}",
                grouped(self.index.len() as u64),
                grouped(self.index.patients() as u64)
            ),
            format!("by {} ({}, {} features, {})", card.name, card.preset, self.encoder.dim(), self.encoder.id()),
            format!("licence of the films: {}", header.licence),
            header.citation.clone(),
        ]
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect()
    }

    /// The `k` patients nearest to a sample, nearest first.
    ///
    /// # Errors
    /// A sentence, when the encoder was made for other values than the sample's.
    pub fn nearest(&self, sample: &Radiograph, k: usize, gpu: Option<&Gpu>) -> Result<Vec<Near>, String> {
        let features = self.encoder.features(std::slice::from_ref(sample)).map_err(|error| error.to_string())?;
        let header = self.pack.header();
        let side = header.resolutions.iter().copied().find(|&side| side <= SHOWN).unwrap_or(SHOWN);
        let near = |found: neighbour::Neighbour| {
            let item = found.item as usize;
            let record = self.pack.record(item);
            let findings = header.vocabulary.positives(&record.labels).map(str::to_owned).collect();
            Near {
                item: found.item,
                distance: found.distance,
                percentile: (!found.percentile.is_nan()).then_some(found.percentile),
                pixel_rms: neighbour::pixel_rms(&self.pack, found.item, sample),
                about: about(&record),
                patient: record.patient,
                findings,
                more_films: found.others,
                film: Arc::new(Film::new(self.pack.seen(item, side), gpu)),
            }
        };
        Ok(self.index.nearest(&features, k).into_iter().map(near).collect())
    }
}

/// The encoder that was trained on a pack's cohort, shipped or beside the pack.
fn own_encoder(pack: &Pack) -> Result<Encoder, ReferenceError> {
    let header = pack.header();
    encoder::library::for_cohort(&header.identity, Some(pack.folder()))
        .ok_or_else(|| ReferenceError::NoEncoder { name: header.name.clone() })
}

/// Age, sex and view, as far as stated.
fn about(record: &Record) -> String {
    let age = record.age.map(|age| format!("{age:.0}"));
    let sex = record.sex.map(|sex| match sex {
        Sex::Female => "F".to_owned(),
        Sex::Male => "M".to_owned(),
        Sex::Other => "O".to_owned(),
    });
    let person: Vec<String> = [age, sex].into_iter().flatten().collect();
    let person = (!person.is_empty()).then(|| person.join(" "));
    let parts: Vec<String> = [person, record.view.clone()].into_iter().flatten().collect();
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::Fold;

    #[test]
    fn a_person_is_described_as_far_as_stated() {
        let mut record = Record {
            patient: "7".into(),
            source: "7.png".into(),
            labels: vec![],
            fold: Fold::Train,
            age: Some(58.0),
            sex: Some(Sex::Male),
            view: Some("PA".into()),
        };
        assert_eq!(about(&record), "58 M · PA");
        record.age = None;
        record.view = None;
        assert_eq!(about(&record), "M");
        record.sex = None;
        assert_eq!(about(&record), "");
    }
}
