//! A pack's train fold as a source of radiographs.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::TrainingError;
use super::reals::{RadiographSource, TrainFold};
use crate::cohort::{Fold, Pack};
use crate::radiograph::Radiograph;

/// The train fold of a pack.
pub struct PackSource {
    pack: Arc<Pack>,
    fold: Vec<u32>,
    facts: TrainFold,
    /// The validation and test folds.
    held_out: Option<Box<PackSource>>,
}

impl PackSource {
    /// Opens a pack.
    ///
    /// # Errors
    /// [`TrainingError::Cohort`] with what the pack says.
    pub fn open(path: &Path) -> Result<Self, TrainingError> {
        let wrong = |problem| TrainingError::Cohort { path: path.to_path_buf(), problem };
        let pack = Arc::new(Pack::open(path).map_err(|e| wrong(e.to_string()))?);
        let fold = pack.fold_indices(Fold::Train);
        let patients: HashSet<u32> = fold.iter().map(|&i| pack.patient_key(i as usize)).collect();
        let header = pack.header();
        let facts = TrainFold {
            cohort: header.name.clone(),
            identity: header.identity.clone(),
            phantom: header.phantom,
            vocabulary: header.vocabulary.clone(),
            meaning: header.meaning,
            window: header.window,
            patients: patients.len(),
            licence: header.licence.clone(),
            citation: header.citation.clone(),
        };
        let others = [pack.fold_indices(Fold::Validation), pack.fold_indices(Fold::Test)].concat();
        let held_out = (!others.is_empty())
            .then(|| Box::new(Self { pack: Arc::clone(&pack), fold: others, facts: facts.clone(), held_out: None }));
        Ok(Self { pack, fold, facts, held_out })
    }
}

impl RadiographSource for PackSource {
    fn facts(&self) -> &TrainFold {
        &self.facts
    }

    fn len(&self) -> usize {
        self.fold.len()
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.pack.labels(self.fold[i] as usize)
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<Radiograph, String> {
        self.pack.check_side(side)?;
        Ok(self.pack.seen(self.fold[i] as usize, side))
    }

    fn held_out(&self) -> Option<&dyn RadiographSource> {
        self.held_out.as_deref().map(|source| source as &dyn RadiographSource)
    }
}
