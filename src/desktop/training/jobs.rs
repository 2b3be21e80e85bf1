//! What a cluster says about the jobs of runs: asked by a thread of its own, every few seconds while a job is alive.
//!
//! In: the runs that were sent, with their jobs. Out: the state of each job, or why its scheduler could not be asked. A login
//! node that takes its time to answer holds up nobody else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use eframe::egui;

use super::watcher::Run;
use crate::cluster::{self, JobId, JobState};
use crate::training::run_folder::JobRecord;
use crate::training::status::RunState;

/// Time between two questions while a job is alive: on this machine, and over ssh.
const EVERY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// Time between two questions while no job is known to be alive.
const REST: Duration = Duration::from_mins(1);

/// What is known of a run's job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// The login node that it was sent from; this machine without it.
    pub host: Option<String>,
    /// What its scheduler says; `None` where it no longer knows the job, or why it could not be asked.
    pub state: Result<Option<JobState>, String>,
}

impl Job {
    /// Whether the scheduler says that it waits or runs.
    pub fn is_alive(&self) -> bool {
        matches!(&self.state, Ok(Some(state)) if state.is_alive())
    }

    /// Whether it waits in the cluster's queue.
    pub fn waits(&self) -> bool {
        matches!(self.state, Ok(Some(JobState::Pending(_))))
    }

    /// `job 41 on login`.
    pub fn name(&self) -> String {
        match &self.host {
            Some(host) => format!("job {} on {host}", self.id),
            None => format!("job {}", self.id),
        }
    }

    /// What is to be said where the job will not bring the run to its end.
    pub fn trouble(&self, run: RunState) -> Option<String> {
        let name = self.name();
        let ended = |what: &str, remedy: &str| Some(format!("The {name} {what}. {remedy}"));
        match &self.state {
            Err(problem) => Some(format!("What became of {name} is not known: {problem}")),
            Ok(_) if matches!(run, RunState::Finished | RunState::Stopped) || run.is_running() => None,
            Ok(Some(JobState::Pending(reason))) if reason == "DependencyNeverSatisfied" => {
                ended("waits for a job that failed", "Cancel it and send the run again.")
            }
            Ok(Some(state)) if state.is_alive() => None,
            Ok(Some(JobState::OutOfMemory)) => {
                ended("needed more memory than it had asked for", "Duplicate the run and ask for more.")
            }
            Ok(Some(JobState::TimedOut)) => {
                ended("ran out of time before it could put itself back", "Sent again, it goes on from its checkpoint.")
            }
            Ok(Some(JobState::NodeFailed)) => {
                ended("lost its node", "Sent again, the run goes on from its last checkpoint.")
            }
            Ok(Some(JobState::Failed)) => ended("failed", "Its log lies beside the run's folder."),
            Ok(Some(JobState::Cancelled)) => ended("was cancelled", "Sent again, the run goes on where it was."),
            Ok(Some(JobState::Completed) | None) => None,
            Ok(Some(state)) => ended(&format!("is {}", state.words()), "Its log lies beside the run's folder."),
        }
    }
}

/// Jobs by the folder of their runs.
pub type Jobs = BTreeMap<PathBuf, Job>;

/// The window's end of the thread.
pub struct JobWatcher {
    questions: mpsc::Sender<BTreeMap<PathBuf, JobRecord>>,
    answers: mpsc::Receiver<Jobs>,
    asked: BTreeMap<PathBuf, JobRecord>,
    jobs: Jobs,
}

impl JobWatcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(ctx: &egui::Context) -> io::Result<Self> {
        let (questions, of_thread) = mpsc::channel::<BTreeMap<PathBuf, JobRecord>>();
        let (sender, answers) = mpsc::channel();
        let ctx = ctx.clone();
        thread::Builder::new().name("ask the cluster".to_owned()).spawn(move || {
            let mut records = BTreeMap::new();
            let mut last = Jobs::new();
            let mut pause = REST;
            loop {
                match of_thread.recv_timeout(pause) {
                    Ok(newest) => records = of_thread.try_iter().last().unwrap_or(newest),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if records.is_empty() {
                    pause = REST;
                    continue;
                }
                let jobs = ask(&records);
                let open = jobs.values().filter(|job| job.is_alive() || job.state.is_err());
                pause = open.map(|job| EVERY[usize::from(job.host.is_some())]).min().unwrap_or(REST);
                if jobs != last {
                    last.clone_from(&jobs);
                    if sender.send(jobs).is_err() {
                        return;
                    }
                    ctx.request_repaint();
                }
            }
        })?;
        Ok(Self { questions, answers, asked: BTreeMap::new(), jobs: Jobs::new() })
    }

    /// States whose jobs are to be asked about: those of `runs` that have not come to their end.
    pub fn follow(&mut self, runs: &[Run]) {
        let open = runs.iter().filter(|run| !matches!(run.status.state, RunState::Finished | RunState::Stopped));
        let wanted: BTreeMap<PathBuf, JobRecord> =
            open.filter_map(|run| Some((run.root.clone(), run.status.job.clone()?))).collect();
        if wanted != self.asked {
            self.asked = wanted;
            self.ask_again();
        }
    }

    /// Has the schedulers asked at once.
    pub fn ask_again(&self) {
        // The thread ends with the window; a question that nobody hears harms nobody.
        let _ = self.questions.send(self.asked.clone());
    }

    /// Takes in what was answered; tells whether anything was.
    pub fn advance(&mut self) -> bool {
        let newest = self.answers.try_iter().last();
        let news = newest.is_some();
        if let Some(jobs) = newest {
            self.jobs = jobs;
        }
        news
    }

    /// What is known of the job of the run in `root`.
    pub fn job(&self, root: &Path) -> Option<&Job> {
        self.jobs.get(root).filter(|_| self.asked.contains_key(root))
    }
}

fn ask(records: &BTreeMap<PathBuf, JobRecord>) -> Jobs {
    let list: Vec<JobRecord> = records.values().cloned().collect();
    let states = cluster::ask(&list);
    let job = |record: &JobRecord, state| Job {
        id: JobId { job: record.job, task: record.task },
        host: record.host.clone(),
        state,
    };
    records.iter().zip(states).map(|((root, record), state)| (root.clone(), job(record, state))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_job_is_said_where_the_run_has_not_ended() {
        let job = |state: Result<Option<JobState>, String>| Job {
            id: JobId { job: 41, task: Some(2) },
            host: Some("login".to_owned()),
            state,
        };
        let said = |state, run| job(state).trouble(run).unwrap_or_default();
        let interrupted = RunState::Interrupted;
        let lost = said(Ok(Some(JobState::NodeFailed)), interrupted);
        assert!(lost.starts_with("The job 41_2 on login lost its node"), "{lost}");
        assert!(said(Ok(Some(JobState::OutOfMemory)), interrupted).contains("more memory"));
        assert!(said(Err("No route to host".to_owned()), interrupted).contains("No route to host"));
        assert!(said(Err("No route to host".to_owned()), RunState::RunningElsewhere).contains("not known"));
        for (state, run) in [
            (Ok(Some(JobState::Pending("Priority".to_owned()))), RunState::NotBegun),
            (Ok(Some(JobState::Cancelled)), RunState::Finished),
            (Ok(Some(JobState::Running)), RunState::RunningElsewhere),
            (Ok(None), RunState::Paused),
        ] {
            assert_eq!(said(state.clone(), run), "", "{state:?}");
        }
    }
}
