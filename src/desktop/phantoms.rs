//! The phantoms a model was trained on, drawn again: a phantom cohort is fixed by one sentence, and a model's card holds
//! that sentence's hash.

use std::path::PathBuf;

use super::reference::ReferenceError;
use crate::cohort::ImportError;
use crate::cohort::phantom::{self, Kind, PhantomOptions, bodies};
use crate::generator::ModelCard;
use crate::progress::Progress;

/// Where phantom packs are kept on this machine.
pub fn folder() -> PathBuf {
    directories::ProjectDirs::from("", "", "negatoscope")
        .map_or_else(|| std::env::temp_dir().join("negatoscope"), |dirs| dirs.data_dir().to_path_buf())
        .join("packs")
}

/// Draws the phantom cohort of a model, or finds it drawn already; gives the pack's folder.
pub fn make(card: &ModelCard, progress: &Progress) -> Result<PathBuf, ReferenceError> {
    let training = &card.training;
    let (kind, count, seed) = sentence_of(card).ok_or_else(|| {
        ReferenceError::Unusable(format!(
            "the phantoms of {} cannot be drawn again: they come from another version of this program",
            training.cohort
        ))
    })?;
    let name = format!("{}-{count}-{seed}-{}px", kind.name(), card.architecture.resolution);
    let out = folder().join(name);
    let options = PhantomOptions { kind, count, resolution: card.architecture.resolution, seed, out: out.clone() };
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).map_err(|error| {
            ReferenceError::Unusable(format!("cannot make the folder {}: {error}", parent.display()))
        })?;
    }
    match phantom::write(&options, progress) {
        Ok(_) => Ok(out),
        Err(ImportError::Cancelled(_)) => Err(ReferenceError::Cancelled),
        Err(error) => Err(ReferenceError::Unusable(error.to_string())),
    }
}

/// Kind, count and seed of the cohort whose identity is in the card.
fn sentence_of(card: &ModelCard) -> Option<(Kind, usize, u64)> {
    let training = &card.training;
    bodies::sentence_of(&training.cohort, bodies::counts_of(training.images), &training.cohort_hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{Family, testing};

    #[test]
    fn the_sentence_is_found_by_its_hash_and_only_by_it() {
        let mut card = testing::card(testing::architecture(Family::CpdGan, 16, 8, 3, 64, 16));
        card.training.cohort = "phantom-brain".into();
        card.training.images = 322;
        card.training.cohort_hash = phantom::identity(Kind::Brain, 400, 5);
        let found = sentence_of(&card).unwrap();
        assert_eq!((found.0, found.1, found.2), (Kind::Brain, 400, 5));
        card.training.cohort = "phantom-chest".into();
        assert!(sentence_of(&card).is_none());
        card.training.cohort = "nih-cxr14".into();
        assert!(sentence_of(&card).is_none());
    }
}
