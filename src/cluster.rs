//! The same run command, sent to a Slurm cluster.
//!
//! In: run folders on a file system that the cluster's nodes see under the same path, or a graph of commands that work on
//! such a folder. Out: batch scripts that run `negatoscope` for each of them, and what the scheduler says about the jobs.
//! Nothing of a run is kept here: a node that takes a run over finds everything in its folder.

mod graph;
mod job;
mod script;
mod slurm;
mod submit;

pub use graph::{SentGraph, Step, send as send_graph};
pub use job::{JobId, JobState};
pub use script::{Batch, Resources, script};
pub use slurm::Slurm;
pub use submit::{Submission, Submitted, ask, cancel, refresh, send_again};

use std::path::PathBuf;

use crate::store::StoreError;
use crate::training::TrainingError;

/// Why the cluster could not be asked, or refused.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A command of the scheduler is not there or cannot be started.
    #[error("{command} cannot be started: {source} (is Slurm installed here? Name the login node with --host)")]
    Missing {
        /// The command.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A login node cannot be reached.
    #[error(
        "{host} cannot be reached over ssh: {problem} (try `ssh {host}` in a terminal; it must not ask for a password)"
    )]
    OutOfReach {
        /// The login node.
        host: String,
        /// What ssh said.
        problem: String,
    },
    /// A command of the scheduler failed.
    #[error("{command} refused: {problem}")]
    Refused {
        /// The command.
        command: String,
        /// What it said.
        problem: String,
    },
    /// What was asked for cannot be sent.
    #[error("{path}: {problem}")]
    Folder {
        /// The file or folder in question.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The run cannot be begun.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
