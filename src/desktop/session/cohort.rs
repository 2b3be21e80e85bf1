//! The cohort beside the model: opening it, indexing it, and saying why there is none.

use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use super::model::file_name;
use crate::desktop::reference::{Reference, ReferenceError};
use crate::desktop::task::{Outcome, Task};
use crate::desktop::widgets::Histogram;
use crate::progress::Progress;

/// The real side of the comparison, or why there is none.
pub enum Cohort {
    /// None is open.
    None,
    /// One is being made, opened or indexed.
    Opening {
        /// Its folder.
        folder: PathBuf,
        /// The job.
        task: Task<Result<Reference, ReferenceError>>,
    },
    /// It can be compared with.
    Ready {
        /// Films, encoder and index.
        reference: Arc<Reference>,
        /// Distances of unseen patients.
        histogram: Histogram,
    },
    /// It cannot be compared with.
    Refused {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        reason: ReferenceError,
    },
}

impl Cohort {
    /// Films, encoder and index, once they are ready.
    pub fn reference(&self) -> Option<&Arc<Reference>> {
        match self {
            Self::Ready { reference, .. } => Some(reference),
            _ => None,
        }
    }

    /// Whether a job runs.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Opening { .. })
    }

    /// Name and progress of the job that runs.
    pub fn job(&self) -> Option<(&str, &Progress)> {
        match self {
            Self::Opening { task, .. } => Some((task.name(), task.progress())),
            _ => None,
        }
    }
}

impl Session {
    /// Opens a pack as the real side of the model that is open, and indexes it where that was not done before.
    pub fn open_cohort(&mut self, folder: PathBuf) {
        let Some(model) = self.models.open() else {
            self.notices.fail("Open a model first: a cohort is compared with the samples of a model.");
            return;
        };
        let (generator, of_thread) = (model.generator.clone(), folder.clone());
        let name = format!("indexing {}", file_name(&folder));
        let task = Task::spawn(name, &self.ctx, move |progress| Reference::open(&of_thread, &generator, progress));
        self.begin_cohort(folder, task);
    }

    pub(super) fn begin_cohort(
        &mut self,
        folder: PathBuf,
        task: std::io::Result<Task<Result<Reference, ReferenceError>>>,
    ) {
        self.verdict = None;
        match task {
            Ok(task) => self.cohort = Cohort::Opening { folder, task },
            Err(error) => self.notices.fail(format!("No thread could be started to open the cohort: {error}")),
        }
    }

    /// Closes the cohort, or stops opening it.
    pub fn close_cohort(&mut self) {
        self.cohort = Cohort::None;
        self.verdict = None;
    }

    /// TEMPORARY
    pub fn make_phantoms(&mut self) {}

    /// After a model was opened: keeps the cohort if the model was trained on it, else opens the one that is
    /// remembered for it.
    pub(super) fn reopen_cohort(&mut self) {
        let Some(model) = self.models.open() else { return };
        let wanted = model.generator.card().training.cohort_hash.clone();
        if self.cohort.reference().is_some_and(|reference| reference.identity() == wanted) {
            self.ask_neighbours();
            return;
        }
        self.cohort = Cohort::None;
        if let Some(folder) = self.pending_cohort.take() {
            self.open_cohort(folder);
        } else if let Some(folder) = self.settings.cohorts.get(&wanted).cloned()
            && folder.is_dir()
        {
            self.open_cohort(folder);
        }
    }

    pub(super) fn advance_cohort(&mut self) {
        let Cohort::Opening { folder, task } = &self.cohort else { return };
        let result = match task.poll() {
            Outcome::Running => return,
            Outcome::Done(result) => result,
            Outcome::Failed => Err(ReferenceError::Unusable(format!(
                "Reading {} failed unexpectedly; the log names the place.",
                folder.display()
            ))),
        };
        let folder = folder.clone();
        match result {
            Ok(reference) => {
                self.settings.cohorts.insert(reference.identity().to_owned(), folder);
                let histogram = Histogram::of(reference.held_out());
                self.cohort = Cohort::Ready { reference: Arc::new(reference), histogram };
                self.ask_neighbours();
            }
            Err(ReferenceError::Cancelled) => self.cohort = Cohort::None,
            Err(reason) => self.cohort = Cohort::Refused { folder, reason },
        }
    }
}
