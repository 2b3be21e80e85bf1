//! How a run stands, told from its folder alone: the same for a run of this process, of another one, or of another host.
//!
//! A [`RunWatch`] remembers how far it has read, so that asking again costs what was appended since.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::TrainingError;
use super::events::{Event, Figures, News, Quality, Tail};
use super::run_folder::{self, Holder, JobRecord, Request};
use super::spec::RunSpec;

/// A run of another host whose lock does not reach this one counts as running for this long after its last event.
const SILENCE: Duration = Duration::from_mins(2);

/// How a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its folder is made; nothing has been trained.
    #[default]
    NotBegun,
    /// A process of this host works on it.
    RunningHere,
    /// A process of another host works on it.
    RunningElsewhere,
    /// It waits to be resumed.
    Paused,
    /// Someone ended it before its time.
    Stopped,
    /// All images were shown, or the stop rule was met.
    Finished,
    /// It ended with an error, which the last notice tells; it can be resumed.
    Failed,
    /// Its process ended without a word: killed, or the power failed. It can be resumed.
    Interrupted,
}

impl RunState {
    /// Whether a process works on it.
    pub fn is_running(self) -> bool {
        matches!(self, Self::RunningHere | Self::RunningElsewhere)
    }

    /// Whether `negatoscope train FOLDER` would go on with it.
    pub fn can_resume(self) -> bool {
        matches!(self, Self::NotBegun | Self::Paused | Self::Failed | Self::Interrupted)
    }

    /// For reading.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotBegun => "not begun",
            Self::RunningHere => "running",
            Self::RunningElsewhere => "running elsewhere",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// How a run stands and how far it has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunStatus {
    /// The run's folder.
    pub folder: PathBuf,
    /// Name of the model that comes out.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// The process that works on it, or died over it.
    pub holder: Option<Holder>,
    /// The request that it has not yet obeyed.
    pub request: Option<Request>,
    /// The job of a cluster that it was sent as.
    pub job: Option<JobRecord>,
    /// What the cluster says about that job; filled in by whoever asks it.
    pub job_state: Option<String>,
    /// The pack that it trains on.
    pub cohort: PathBuf,
    /// What it computes on, or computed on last.
    pub device: Option<String>,
    /// Critic steps taken, as far as the log tells.
    pub step: u64,
    /// Real images shown, in thousands, as far as the log tells.
    pub kimg: f64,
    /// Real images to be shown over the whole run, in thousands.
    pub total_kimg: f64,
    /// The last figures.
    pub figures: Option<Figures>,
    /// The last measure of quality, by the first encoder.
    pub quality: Option<Quality>,
    /// The last notice: after a failure, what went wrong.
    pub notice: Option<String>,
    /// Seconds since 1970, UTC, of the last event.
    pub last_event: Option<u64>,
}

/// Follows a run's folder.
#[derive(Debug, Clone)]
pub struct RunWatch {
    tail: Tail,
    status: RunStatus,
    /// How the log says it ended; `None` while a start has no end.
    ended: Option<RunState>,
    begun: bool,
    spec_read: bool,
}

impl RunWatch {
    /// Follows the run in `root`; reads nothing yet.
    pub fn new(root: &Path) -> Self {
        let status = RunStatus { folder: root.to_path_buf(), ..RunStatus::default() };
        Self { tail: Tail::new(&root.join("events.jsonl")), status, ended: None, begun: false, spec_read: false }
    }

    /// How the run stood when it was last looked at.
    pub fn status(&self) -> &RunStatus {
        &self.status
    }

    /// Looks again, and gives the events that have come since the look before.
    ///
    /// # Errors
    /// When the spec or the log cannot be read.
    pub fn look(&mut self) -> Result<News, TrainingError> {
        let root = self.status.folder.clone();
        if !self.spec_read {
            let spec = RunSpec::read(&root.join("run.toml"))?;
            self.status.name = spec.name;
            self.status.cohort = spec.cohort;
            self.status.total_kimg = spec.schedule.total_kimg;
            self.spec_read = true;
        }
        // The lock before the log: a run that ends in between has then logged its end, and is not taken for interrupted.
        let (holder, held) = run_folder::holder(&root);
        let news = self.tail.look()?;
        if news.anew {
            (self.ended, self.begun) = (None, false);
        }
        for event in &news.events {
            self.hear(event);
        }
        let changed = fs::metadata(root.join("events.jsonl")).and_then(|data| data.modified()).ok();
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs());
        self.status.last_event = changed.and_then(seconds).filter(|_| self.begun);
        let silent = changed.and_then(|time| time.elapsed().ok()).is_none_or(|silence| silence > SILENCE);
        self.status.state = match (&holder, held) {
            (Some(holder), true) if !holder.is_here() => RunState::RunningElsewhere,
            (_, true) => RunState::RunningHere,
            (Some(holder), false) if !holder.is_here() && !silent && self.begun && self.ended.is_none() => {
                RunState::RunningElsewhere
            }
            _ if !self.begun => RunState::NotBegun,
            _ => self.ended.unwrap_or(RunState::Interrupted),
        };
        self.status.holder = holder;
        self.status.request = run_folder::waiting_request(&root);
        self.status.job = run_folder::job(&root);
        Ok(news)
    }

    fn hear(&mut self, event: &Event) {
        let status = &mut self.status;
        match event {
            Event::Started { step, device, .. } => {
                (self.begun, self.ended) = (true, None);
                status.device = Some(device.clone());
                // A resumed run may stand before what it had reached when it was interrupted.
                status.step = *step;
                if *step == 0 {
                    status.kimg = 0.0;
                }
            }
            Event::Step(figures) => {
                (status.step, status.kimg) = (figures.step, figures.kimg);
                status.figures = Some(figures.clone());
            }
            Event::Sample { step, kimg, .. } | Event::Checkpoint { step, kimg, .. } => {
                (status.step, status.kimg) = (*step, *kimg);
            }
            // The second encoder's figures are on another scale, and judge nothing.
            Event::Quality(quality) if quality.second => {}
            Event::Quality(quality) => status.quality = Some(quality.clone()),
            Event::Notice { text } => status.notice = Some(text.clone()),
            Event::Ended { step, how } => {
                status.step = *step;
                self.ended = Some(match how.as_str() {
                    "paused" => RunState::Paused,
                    "stopped" => RunState::Stopped,
                    "finished" => RunState::Finished,
                    _ => RunState::Failed,
                });
            }
        }
    }
}

/// How the run in `root` stands.
///
/// # Errors
/// When there is no run, or it cannot be read.
pub fn status(root: &Path) -> Result<RunStatus, TrainingError> {
    let mut watch = RunWatch::new(root);
    watch.look()?;
    Ok(watch.status)
}

/// The folders of runs that `folder` is or holds, to two levels below it, by name.
pub fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let found = walkdir::WalkDir::new(folder).max_depth(3).sort_by_file_name().into_iter();
    // What cannot be looked into holds no run that could be shown.
    let specs = found.filter_map(Result::ok).filter(|entry| entry.file_name() == "run.toml");
    specs.filter_map(|entry| entry.path().parent().map(Path::to_path_buf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::events::Log;
    use crate::training::presets::preset;
    use crate::training::run_folder::RunFolder;

    #[test]
    fn a_watch_tells_every_state_from_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("run");
        let mut spec = preset("small-64", Family::CpdGan).unwrap();
        spec.cohort = PathBuf::from("/packs/chest");
        let folder = RunFolder::create(&root, &spec).unwrap();
        let mut watch = RunWatch::new(&root);
        let mut state = || {
            watch.look().unwrap();
            watch.status().clone()
        };
        assert_eq!(state().state, RunState::RunningHere);
        drop(folder);
        assert_eq!((state().state, state().last_event), (RunState::NotBegun, None));
        let open = || RunFolder::open(&root).unwrap().0;
        let tell = |event: &Event| Log::open(&root.join("events.jsonl")).unwrap().append(event).unwrap();
        let ends = |how: &str| Event::Ended { step: 9, how: how.to_owned() };
        let start = Event::Started { step: 0, unix_seconds: 0, device: "CPU".to_owned() };

        let folder = open();
        tell(&start);
        tell(&Event::Step(Figures { step: 7, kimg: 0.5, ..Figures::default() }));
        tell(&Event::Quality(Quality { fid: 12.5, ..Quality::default() }));
        tell(&Event::Quality(Quality { fid: 80.0, second: true, ..Quality::default() }));
        let now = state();
        assert_eq!((now.state, now.step, now.kimg, now.total_kimg), (RunState::RunningHere, 7, 0.5, 100.0));
        assert_eq!(now.holder, Some(Holder::here()));
        assert_eq!((now.device.as_deref(), now.quality.unwrap().fid), (Some("CPU"), 12.5));
        assert_eq!((now.name.as_str(), now.cohort.as_path()), ("my-model", Path::new("/packs/chest")));
        assert!(now.last_event.is_some());
        drop(folder);
        assert_eq!(state().state, RunState::Interrupted);
        for (how, expected) in
            [("paused", RunState::Paused), ("failed", RunState::Failed), ("stopped", RunState::Stopped)]
        {
            tell(&start);
            tell(&ends(how));
            assert_eq!(state().state, expected);
        }
        tell(&ends("finished"));
        run_folder::request(&root, Request::Pause).unwrap();
        assert_eq!((state().state, state().request), (RunState::Finished, Some(Request::Pause)));
    }

    #[test]
    fn a_run_of_another_host_counts_as_running_while_it_writes() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("run");
        drop(RunFolder::create(&root, &preset("small-64", Family::CpdGan).unwrap()).unwrap());
        let other = Holder { pid: 7, host: "a host that is not this one".to_owned() };
        fs::write(root.join("run.lock"), serde_json::to_vec(&other).unwrap()).unwrap();
        let log = root.join("events.jsonl");
        let start = Event::Started { step: 0, unix_seconds: 0, device: "CUDA".to_owned() };
        Log::open(&log).unwrap().append(&start).unwrap();
        assert_eq!(status(&root).unwrap().state, RunState::RunningElsewhere);
        let old = SystemTime::now() - SILENCE - Duration::from_secs(5);
        fs::File::options().append(true).open(&log).unwrap().set_modified(old).unwrap();
        assert_eq!(status(&root).unwrap().state, RunState::Interrupted);
        assert_eq!(runs_in(parent.path()), std::slice::from_ref(&root));
        assert_eq!(runs_in(&root), [root]);
    }
}
