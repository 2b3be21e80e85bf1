//! Training: from a cohort's train fold to a model file, in runs that can be stopped and resumed.
//!
//! In: a [`RunSpec`] and a pack. Out: a run folder, which is the contract with whoever watches:
//! `run.toml` (the spec), `events.jsonl` (one line per event, appended), `samples/*.png` (the same latents at every
//! stage), `checkpoints/*.safetensors` (everything that a resumed run needs), `model.safetensors` (what Explore opens)
//! and `result.json`. Requests travel the other way as files: see [`run_folder`].
//! Whoever wants to know how a run stands asks [`status`], which reads the folder and nothing else.

pub mod anchor;
pub mod augment;
pub mod checkpoint;
pub mod classifier;
pub mod device_check;
pub mod enlarge;
pub mod estimate;
pub mod events;
pub mod export;
pub mod guard;
pub mod launch;
pub mod lesson;
pub mod losses;
pub mod micro_batch;
pub mod pack;
pub mod presets;
pub mod quality;
pub mod queue;
pub mod reals;
pub mod run;
pub mod run_folder;
pub mod sampling;
pub mod schedule;
pub mod spec;
pub mod state;
pub mod status;
pub mod tensorboard;

pub use reals::{RadiographSource, TrainFold};
pub use run::{Outcome, resume, resume_on, train, train_on};
pub use spec::RunSpec;
pub use status::{RunState, RunStatus, RunWatch};

use std::path::PathBuf;

/// Why a run did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The spec cannot be read, or asks for something impossible.
    #[error("{path}: {problem}")]
    Spec {
        /// The spec's file, or the name of the run.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The cohort cannot be used for this run.
    #[error("cohort {path}: {problem}")]
    Cohort {
        /// The pack.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The run folder cannot be used.
    #[error("run folder {path}: {problem}")]
    Folder {
        /// The run folder or a file in it.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The losses ran away.
    #[error("stopped at step {step}: {problem}")]
    Diverged {
        /// Critic steps taken.
        step: u64,
        /// What was seen, and what may help.
        problem: String,
    },
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The arithmetic failed.
    #[error("the training step failed: {0}")]
    Compute(#[from] candle_core::Error),
}
