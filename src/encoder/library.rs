//! Which encoder measures nearness in a cohort: the one that was trained on its films, and no other. And which classifiers
//! are at hand to be compared.

use std::path::{Path, PathBuf};

use super::{Encoder, EncoderCard, file};
use crate::shipped;

/// The encoder trained on the cohort of this identity: in the folder of its pack where that is given, else among the
/// shipped weights.
///
/// Files that are no encoder, or a damaged one, are passed over; whoever opens them by hand is told what is wrong.
pub fn for_cohort(identity: &str, pack: Option<&Path>) -> Option<Encoder> {
    let mut beside: Vec<PathBuf> = pack
        .and_then(|folder| std::fs::read_dir(folder).ok())
        .map_or(Vec::new(), |entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect());
    beside.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    beside.sort();
    let mut encoders = beside.into_iter().chain(shipped::weights()).filter_map(|path| Encoder::load(&path).ok());
    encoders.find(|encoder| {
        let training = &encoder.card().training;
        training.cohort_hash == identity && training.source.is_films()
    })
}

/// The classifiers that ship, with their files: those trained on films and those trained on samples.
///
/// Files that are no encoder, or a damaged one, are passed over.
pub fn shipped_classifiers() -> Vec<(PathBuf, EncoderCard)> {
    shipped::weights().into_iter().filter_map(|path| Some((path.clone(), file::read(&path).ok()?.card))).collect()
}
