//! Jobs as Slurm names them and tells of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A job, or one task of an array of jobs: `123` or `123_4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobId {
    /// Number of the job or of its array.
    pub job: u64,
    /// Number of the task in the array.
    pub task: Option<u32>,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "{}_{task}", self.job),
            None => write!(f, "{}", self.job),
        }
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for JobId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for JobId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no job: say 123, or 123_4 for a task of an array");
        let (job, task) = match text.split_once('_') {
            Some((job, task)) => (job, Some(task.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        Ok(Self { job: job.parse().map_err(|_| wrong())?, task })
    }
}

/// What the scheduler says about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits, and for what.
    Pending(String),
    /// A node works on it.
    Running,
    /// A node has it and does not work on it.
    Suspended,
    /// It ended with exit code 0.
    Completed,
    /// It ended with another exit code.
    Failed,
    /// Somebody took it back.
    Cancelled,
    /// It ran into its time limit.
    TimedOut,
    /// Its node failed.
    NodeFailed,
    /// It needed more memory than it had asked for.
    OutOfMemory,
    /// Something else, in Slurm's own word.
    Other(String),
}

impl JobState {
    /// Slurm's word, long form, with its reason where it waits.
    pub fn parse(word: &str, reason: &str) -> Self {
        // "CANCELLED by 1000" names who did it.
        match word.split_whitespace().next().unwrap_or_default().trim_end_matches('+') {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => {
                Self::Pending(if reason == "None" { String::new() } else { reason.to_owned() })
            }
            "RUNNING" | "COMPLETING" | "CONFIGURING" | "STAGE_OUT" | "SIGNALING" => Self::Running,
            "SUSPENDED" | "STOPPED" => Self::Suspended,
            "COMPLETED" => Self::Completed,
            "FAILED" | "BOOT_FAIL" => Self::Failed,
            "CANCELLED" | "REVOKED" => Self::Cancelled,
            "TIMEOUT" | "DEADLINE" | "PREEMPTED" => Self::TimedOut,
            "NODE_FAIL" => Self::NodeFailed,
            "OUT_OF_MEMORY" => Self::OutOfMemory,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether a node works on it, or may yet.
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::Running | Self::Suspended)
    }

    /// For reading.
    pub fn words(&self) -> String {
        match self {
            Self::Pending(reason) if reason.is_empty() => "queued".to_owned(),
            Self::Pending(reason) => format!("queued ({reason})"),
            Self::Running => "running".to_owned(),
            Self::Suspended => "suspended".to_owned(),
            Self::Completed => "completed".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::Cancelled => "cancelled".to_owned(),
            Self::TimedOut => "out of time".to_owned(),
            Self::NodeFailed => "its node failed".to_owned(),
            Self::OutOfMemory => "out of memory".to_owned(),
            Self::Other(word) => word.to_lowercase(),
        }
    }
}

/// The fields that [`parse_squeue`] reads, for `squeue --format`.
pub const SQUEUE: &str = "%A|%F|%K|%T|%r";

/// Lines of `squeue -h -r -t all -o '%A|%F|%K|%T|%r'`: job, array, task, state, reason.
pub fn parse_squeue(text: &str) -> BTreeMap<JobId, JobState> {
    let line = |line: &str| {
        let mut fields = line.trim().splitn(5, '|');
        let (job, array, task) = (fields.next()?, fields.next()?, fields.next()?);
        let (state, reason) = (fields.next().filter(|state| !state.is_empty())?, fields.next().unwrap_or_default());
        let id = match task.parse() {
            Ok(task) => JobId { job: array.parse().ok()?, task: Some(task) },
            Err(_) => JobId { job: job.parse().ok()?, task: None },
        };
        Some((id, JobState::parse(state, reason)))
    };
    text.lines().filter_map(line).collect()
}

/// Lines of `sacct -n -P -X -D --format=JobID,State`: a job that was requeued has several, of which the last counts.
pub fn parse_sacct(text: &str) -> BTreeMap<JobId, JobState> {
    let line = |line: &str| {
        let (id, state) = line.trim().split_once('|')?;
        Some((id.parse().ok()?, JobState::parse(state.split('|').next()?, "")))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(job: u64, task: Option<u32>) -> JobId {
        JobId { job, task }
    }

    #[test]
    fn jobs_read_back_as_written() {
        for job in [id(12, None), id(12, Some(0)), id(4_000_000_000, Some(1000))] {
            assert_eq!(job.to_string().parse(), Ok(job));
        }
        for wrong in ["", "x", "1_", "_1", "1_[0-3]", "1.batch"] {
            assert!(wrong.parse::<JobId>().unwrap_err().contains("is no job"), "{wrong}");
        }
    }

    #[test]
    fn the_queue_of_slurm_22_is_read() {
        // As squeue 22.05.8 printed it: a job, two tasks of an array, one that waits for another job.
        let text = "7|7|N/A|RUNNING|None\n5|4|0|COMPLETED|None\n4|4|1|PENDING|Resources\n8|8|N/A|PENDING|Dependency\n\
                    9|9|N/A|CANCELLED|None\nnonsense\n";
        let found = parse_squeue(text);
        let pending = |reason: &str| JobState::Pending(reason.to_owned());
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                (id(4, Some(0)), JobState::Completed),
                (id(4, Some(1)), pending("Resources")),
                (id(7, None), JobState::Running),
                (id(8, None), pending("Dependency")),
                (id(9, None), JobState::Cancelled),
            ]
        );
    }

    #[test]
    fn the_accounts_last_word_counts() {
        let text = "7|NODE_FAIL|0:0\n7|COMPLETED|0:0\n4_1|CANCELLED by 1000|0:15\n4_[2-9]|PENDING|0:0\n6|TIMEOUT\n";
        let found = parse_sacct(text);
        let expected = [
            (id(4, Some(1)), JobState::Cancelled),
            (id(6, None), JobState::TimedOut),
            (id(7, None), JobState::Completed),
        ];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(JobState::parse("OUT_OF_ME+", "").words(), "out_of_me");
        assert_eq!(JobState::parse("PENDING", "Priority").words(), "queued (Priority)");
    }
}
