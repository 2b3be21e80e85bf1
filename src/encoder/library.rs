//! The encoders that ship with the program, and which of them suits a cohort.

use std::path::PathBuf;

use super::{Encoder, EncoderError, file};
use crate::radiograph::Meaning;
use crate::shipped;

/// How the file of an encoder begins; models beside it are generators.
const PREFIX: &str = "encoder-";

/// All encoder files in the program's folders.
pub fn files() -> Vec<PathBuf> {
    let is_encoder =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    shipped::weights().into_iter().filter(is_encoder).collect()
}

/// The encoder trained on the cohort of this name, or else the first for images of the same meaning; `None` when there
/// is neither.
///
/// # Errors
/// [`EncoderError`] when a file that may be the one cannot be used.
pub fn for_cohort(cohort: &str, meaning: Meaning) -> Result<Option<Encoder>, EncoderError> {
    let mut cards = Vec::new();
    for path in files() {
        cards.push((file::read(&path)?.card, path));
    }
    let own = cards.iter().find(|(card, _)| card.training.cohort == cohort && card.input.meaning == meaning);
    let like = || cards.iter().find(|(card, _)| card.input.meaning == meaning);
    own.or_else(like).map(|(_, path)| Encoder::load(path)).transpose()
}
