//! Benchmarks: sweeps of generators and classifiers over one factor, from cohort to curve.
//!
//! In: a [`SweepSpec`] and the pack it names. Out: a sweep folder that holds every job's result and the one [`SweepResult`]
//! that the curves are drawn from. A sweep is a graph of jobs (train generator → draw samples → train classifier → test),
//! each named by the hash of everything that it depends on, so that nothing done is done again.
//!
//! | file in the sweep folder | content |
//! |---|---|
//! | `sweep.toml` | the spec |
//! | `cohort/` | the pack of phantoms, where the spec asks for them |
//! | `jobs/KEY/` | one job's files; its `result.json` is written last, and `seconds.json` says how long it took |
//! | `progress.json` | where the sweep stands, for whoever watches |
//! | `result.json` | the aggregated result: the same bytes however often it was stopped |

mod classifiers;
pub mod figure;
pub mod folder;
mod job;
pub mod plan;
pub mod presets;
pub mod published;
mod reading;
pub mod report;
pub mod result;
mod run;
pub mod shipped;
mod source;
pub mod spec;
pub mod subset;
pub mod time_left;

pub use classifiers::{ClassifierPair, classifier_pairs};
pub use folder::SweepFolder;
pub use plan::{Job, Plan, Work};
pub use result::{SweepResult, aggregate};
pub use run::{Options, Standing, run};
pub use spec::SweepSpec;
pub use subset::{Catalogue, Subset};

use std::path::PathBuf;

use crate::progress::Cancelled;

/// Why a sweep was not planned, not run or not reported.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// The spec cannot be read, or asks for something impossible.
    #[error("{path}: {problem}")]
    Spec {
        /// The spec's file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The cohort cannot give what the sweep asks for.
    #[error("cohort {path}: {problem}")]
    Cohort {
        /// The pack.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file of the sweep folder cannot be used.
    #[error("{path} cannot be used: {problem} (remove it, and the sweep makes it again)")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A job failed; the others went on.
    #[error("{failed} of {jobs} jobs failed, the first in {path}: {problem}")]
    Jobs {
        /// How many failed.
        failed: usize,
        /// How many there are.
        jobs: usize,
        /// Folder of the first that did.
        path: PathBuf,
        /// What it said.
        problem: String,
    },
    /// Not all jobs are done yet.
    #[error("{done} of {jobs} jobs are done; run the sweep to its end first")]
    Unfinished {
        /// Jobs done.
        done: usize,
        /// All jobs.
        jobs: usize,
    },
    /// Whoever started it stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The phantoms could not be drawn.
    #[error(transparent)]
    Phantoms(#[from] crate::cohort::ImportError),
    /// A generator's training failed.
    #[error(transparent)]
    Training(#[from] crate::training::TrainingError),
    /// A model file could not be used.
    #[error(transparent)]
    Model(#[from] crate::generator::ModelError),
    /// A classifier's training failed.
    #[error(transparent)]
    Classifier(#[from] crate::training::classifier::ClassifierError),
    /// A classifier's file could not be used.
    #[error(transparent)]
    Encoder(#[from] crate::encoder::EncoderError),
}
