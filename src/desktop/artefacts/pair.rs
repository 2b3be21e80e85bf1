//! Two classifiers that are looked at side by side: one trained on films, one on samples in their place.

use std::path::{Path, PathBuf};

use crate::benchmark::{SweepFolder, classifier_pairs};
use crate::encoder::{Encoder, EncoderCard, Source, library};
use crate::progress::Progress;

/// A pair that could be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What it is called in the list.
    pub title: String,
    /// Where it comes from: `shipped`, the name of a sweep, or `opened`.
    pub from: String,
    /// Files of the one trained on films and of the one trained on samples.
    pub files: [Option<PathBuf>; 2],
    /// Identity of the cohort, as far as it is known.
    pub cohort: String,
}

/// Two classifiers, ready to be asked; either may be missing.
pub struct Pair {
    /// Trained on films; trained on samples.
    pub classifiers: [Option<Encoder>; 2],
}

impl Pair {
    /// Reads the files of a pair.
    ///
    /// # Errors
    /// A sentence that names the file and the remedy.
    pub fn open(files: &[Option<PathBuf>; 2]) -> Result<Self, String> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(Encoder::load).transpose();
        let [films, samples] = [read(&files[0]), read(&files[1])];
        let classifiers = [films.map_err(|e| e.to_string())?, samples.map_err(|e| e.to_string())?];
        if let [Some(a), Some(b)] = &classifiers {
            let (a, b) = (a.card(), b.card());
            if a.input.meaning != b.input.meaning {
                return Err(format!(
                    "{} looks at {:?} values and {} at {:?} values, so that they have no film in common; open two of one kind",
                    a.name, a.input.meaning, b.name, b.input.meaning
                ));
            }
            if !a.vocabulary.findings.iter().any(|finding| b.vocabulary.position(finding).is_some()) {
                return Err(format!("{} and {} have no finding in common; open two of one vocabulary", a.name, b.name));
            }
        }
        Ok(Self { classifiers })
    }

    /// The card of the first that is there.
    pub fn card(&self) -> Option<&EncoderCard> {
        self.classifiers.iter().flatten().next().map(Encoder::card)
    }

    /// Findings that all of them name, in the first one's words and order.
    pub fn findings(&self) -> Vec<String> {
        let Some(card) = self.card() else { return Vec::new() };
        let known = |finding: &&String| {
            self.classifiers.iter().flatten().all(|c| c.card().vocabulary.position(finding).is_some())
        };
        card.vocabulary.findings.iter().filter(known).cloned().collect()
    }
}

/// What a classifier learnt from, in a few words.
pub fn learnt_from(card: &EncoderCard) -> String {
    let films = if card.training.phantom { "phantoms" } else { "real films" };
    match &card.training.source {
        Source::Films => films.to_owned(),
        Source::Samples { generator, .. } => format!("samples of {generator}"),
        Source::Mixture { generator, ratio, .. } => format!("{films} and {ratio} samples each of {generator}"),
    }
}

/// As [`learnt_from`], short enough for the head of a pane.
pub fn heading_of(card: &EncoderCard) -> String {
    match &card.training.source {
        Source::Samples { .. } => "Trained on samples".to_owned(),
        Source::Mixture { .. } => "Trained on films and samples".to_owned(),
        Source::Films => format!("Trained on {}", learnt_from(card)),
    }
}

/// Where a classifier belongs in a pair: 0 with those trained on films, 1 with those that saw samples.
pub fn slot_of(card: &EncoderCard) -> usize {
    usize::from(!card.training.source.is_films())
}

/// The pairs that ship: for each cohort its classifiers, whole pairs first.
pub fn shipped() -> Vec<Candidate> {
    let mut pairs: Vec<Candidate> = Vec::new();
    for (path, card) in library::shipped_classifiers() {
        let (training, slot) = (&card.training, slot_of(&card));
        let known = pairs.iter_mut().find(|p| p.cohort == training.cohort_hash && p.files[slot].is_none());
        if let Some(pair) = known {
            pair.files[slot] = Some(path);
        } else {
            let mut files = [None, None];
            files[slot] = Some(path);
            let (title, cohort) = (training.cohort.clone(), training.cohort_hash.clone());
            pairs.push(Candidate { title, from: "shipped".to_owned(), files, cohort });
        }
    }
    pairs.sort_by_key(|pair| (pair.files.iter().any(Option::is_none), pair.title != "phantom-chest"));
    pairs
}

/// The pairs that a sweep has left behind.
///
/// # Errors
/// A sentence that names the folder and the remedy.
pub fn of_sweep(root: &Path, progress: &Progress) -> Result<Vec<Candidate>, String> {
    let (folder, spec) = SweepFolder::open(root).map_err(|error| error.to_string())?;
    let pack = folder.cohort(&spec, progress).map_err(|error| error.to_string())?;
    let pairs = classifier_pairs(&folder, &spec, &pack).map_err(|error| error.to_string())?;
    if pairs.is_empty() {
        return Err(format!("{} holds no two classifiers yet; run the sweep first", root.display()));
    }
    let candidate = |pair: crate::benchmark::ClassifierPair| Candidate {
        title: pair.title,
        from: spec.name.clone(),
        files: [Some(pair.real), Some(pair.synthetic)],
        cohort: pack.header().identity.clone(),
    };
    Ok(pairs.into_iter().map(candidate).collect())
}
