//! The cohort beside the model: opening it, indexing it, and saying why there is none.

use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use super::model::file_name;
use crate::desktop::phantoms;
use crate::desktop::reference::{Reference, ReferenceError};
use crate::desktop::task::{Outcome, Task};
use crate::desktop::widgets::Histogram;
use crate::progress::Progress;

/// The real side of the comparison, or why there is none.
pub enum Cohort {
    /// None is open.
    None,
    /// Phantoms are being drawn.
    Making {
        /// The job; it ends with the pack's folder.
        task: Task<Result<PathBuf, ReferenceError>>,
    },
    /// One is being opened or indexed.
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
        matches!(self, Self::Opening { .. } | Self::Making { .. })
    }

    /// Name and progress of the job that runs.
    pub fn job(&self) -> Option<(&str, &Progress)> {
        match self {
            Self::Opening { task, .. } => Some((task.name(), task.progress())),
            Self::Making { task } => Some((task.name(), task.progress())),
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
        self.verdict = None;
        match task {
            Ok(task) => self.cohort = Cohort::Opening { folder, task },
            Err(error) => self.notices.fail(format!("No thread could be started to open the cohort: {error}")),
        }
    }

    /// Draws the phantoms that the open model was trained on, and then opens them.
    pub fn make_phantoms(&mut self) {
        let Some(model) = self.models.open() else { return };
        let card = model.generator.card().clone();
        let task = Task::spawn("drawing phantoms", &self.ctx, move |progress| phantoms::make(&card, progress));
        self.verdict = None;
        match task {
            Ok(task) => self.cohort = Cohort::Making { task },
            Err(error) => self.notices.fail(format!("No thread could be started to draw phantoms: {error}")),
        }
    }

    /// Closes the cohort, or stops opening it.
    pub fn close_cohort(&mut self) {
        self.cohort = Cohort::None;
        self.verdict = None;
    }

    /// After a model was opened: keeps the cohort if the model was trained on it, else opens the one that is
    /// remembered for it.
    pub(super) fn reopen_cohort(&mut self) {
        let Some(model) = self.models.open() else { return };
        let wanted = model.generator.card().training.cohort_hash.clone();
        let stated = self.pending_cohort.take();
        if self.cohort.reference().is_some_and(|reference| reference.identity() == wanted) {
            self.ask_neighbours();
            return;
        }
        self.cohort = Cohort::None;
        if let Some(folder) = stated {
            self.open_cohort(folder);
        } else if let Some(folder) = self.settings.cohorts.get(&wanted).cloned()
            && folder.is_dir()
        {
            self.open_cohort(folder);
        }
    }

    pub(super) fn advance_cohort(&mut self) {
        if let Cohort::Making { task } = &self.cohort {
            let result = match task.poll() {
                Outcome::Running => return,
                Outcome::Done(result) => result,
                Outcome::Failed => Err(ReferenceError::Unusable(
                    "Drawing the phantoms failed unexpectedly; the log names the place.".into(),
                )),
            };
            match result {
                Ok(folder) => self.open_cohort(folder),
                Err(ReferenceError::Cancelled) => self.cohort = Cohort::None,
                Err(reason) => self.cohort = Cohort::Refused { folder: phantoms::folder(), reason },
            }
        }
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
