//! The thread that looks into run folders, once or twice a second, and tells the window what has changed.
//!
//! In: which folders hold runs, and of which runs the whole history is wanted. Out: a report, whenever one differs from
//! the one before. The window asks and never waits.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use eframe::egui;

use super::Places;
use super::curves::{CurveLook, Curves};
use super::history::History;
use super::jobs::Job;
use crate::training::queue::{Queue, Waiting};
use crate::training::run_folder::RunFolder;
use crate::training::spec::RunSpec;
use crate::training::status::{self, RunState, RunStatus, RunWatch};
use crate::training::{checkpoint, launch};

/// Time between two looks while a run goes on, and while none does.
const EVERY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// What the window wants to know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// Folders that are runs or hold runs.
    pub folders: Vec<PathBuf>,
    /// Runs whose whole history is wanted.
    pub followed: Vec<PathBuf>,
    /// How curves are drawn.
    pub look: CurveLook,
}

/// One run of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its folder.
    pub root: PathBuf,
    /// How it stands.
    pub status: RunStatus,
    /// What fixes it.
    pub spec: Option<Arc<RunSpec>>,
    /// Why it cannot be read, in a sentence.
    pub problem: Option<String>,
    /// Its place in the queue, from 1.
    pub queued: Option<usize>,
    /// The end of what its process said, where it would not begin or go on.
    pub last_words: String,
    /// What the cluster says about its job, where it was sent as one and the cluster has been asked.
    pub job: Option<Job>,
    /// Whether a model file is there to be opened.
    pub has_model: bool,
    /// Seconds since 1970 at which its folder was made, as far as known; newest runs come first.
    pub made: u64,
}

/// What is known of a run whose history was wanted.
#[derive(Debug, PartialEq)]
pub struct Followed {
    /// The log, sorted.
    pub history: History,
    /// Its curves.
    pub curves: Curves,
    /// Steps of the checkpoints that are still on disk, newest first.
    pub checkpoints: Vec<u64>,
    /// The best checkpoint, which is kept beside them.
    pub best: Option<Best>,
}

/// The checkpoint with the smallest Fréchet distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Critic steps behind it.
    pub step: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// Its Fréchet distance.
    pub fid: f64,
}

impl Best {
    /// Reads what it is from the head of its file. The log may tell otherwise: of a better measure that came before a
    /// resumption, or that did not count.
    pub fn read(root: &Path) -> Option<Self> {
        let (position, course) = checkpoint::head(&RunFolder::best_of(root)).ok()?;
        Some(Self { step: position.step, kimg: position.shown as f64 / 1000.0, fid: f64::from_bits(course.best?) })
    }
}

/// Everything that the window shows of run folders.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The wish it answers.
    number: u64,
    /// All runs, the newest first.
    pub runs: Vec<Run>,
    /// The histories wanted.
    pub followed: BTreeMap<PathBuf, Arc<Followed>>,
    /// The runs that wait for their turn.
    pub waiting: Waiting,
}

impl Report {
    fn differs(&self, other: &Self) -> bool {
        let same = |a: &BTreeMap<PathBuf, Arc<Followed>>, b: &BTreeMap<PathBuf, Arc<Followed>>| {
            a.len() == b.len() && a.iter().zip(b).all(|((p, f), (q, g))| p == q && Arc::ptr_eq(f, g))
        };
        self.number != other.number
            || self.runs != other.runs
            || self.waiting != other.waiting
            || !same(&self.followed, &other.followed)
    }
}

impl Run {
    /// How it stands, in the words of the list.
    pub fn words(&self) -> String {
        super::progress::state(self)
    }

    /// Whether this machine trains it.
    pub fn runs_here(&self) -> bool {
        self.status.state == RunState::RunningHere
    }

    /// Whether it waits or runs on a cluster, as far as the cluster says.
    pub fn is_with_cluster(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_alive)
    }
}

/// The window's end of the thread.
pub struct Watcher {
    wishes: mpsc::Sender<(u64, Wish)>,
    reports: mpsc::Receiver<Report>,
    wished: Wish,
    asked: u64,
    answered: u64,
}

impl Watcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(ctx: &egui::Context, queue: Queue) -> io::Result<Self> {
        let (wishes, of_thread) = mpsc::channel();
        let (sender, reports) = mpsc::channel();
        let ctx = ctx.clone();
        thread::Builder::new().name("watch runs".to_owned()).spawn(move || {
            let mut looker = Looker { queue, wish: Wish::default(), number: 0, watched: BTreeMap::new() };
            let mut last: Option<Report> = None;
            let mut pause = Duration::ZERO;
            loop {
                match of_thread.recv_timeout(pause) {
                    Ok(newest) => {
                        let (number, wish) = of_thread.try_iter().last().unwrap_or(newest);
                        (looker.number, looker.wish) = (number, wish);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                let report = looker.look();
                let running = report.runs.iter().any(|run| run.status.state.is_running());
                pause = EVERY[usize::from(!running)];
                if last.as_ref().is_none_or(|last| report.differs(last)) {
                    last = Some(report.clone());
                    if sender.send(report).is_err() {
                        return;
                    }
                    ctx.request_repaint();
                }
            }
        })?;
        Ok(Self { wishes, reports, wished: Wish::default(), asked: 0, answered: 0 })
    }

    /// States what is wanted from now on.
    pub fn wish(&mut self, wish: Wish) {
        if self.asked == 0 || wish != self.wished {
            self.wished = wish;
            self.look_again();
        }
    }

    /// Has the folders looked into at once.
    pub fn look_again(&mut self) {
        self.asked += 1;
        // The thread ends with the window; a wish that nobody hears harms nobody.
        let _ = self.wishes.send((self.asked, self.wished.clone()));
    }

    /// The newest report since the last call.
    pub fn newest(&mut self) -> Option<Report> {
        let report = self.reports.try_iter().last()?;
        self.answered = self.answered.max(report.number);
        Some(report)
    }

    /// Whether a wish has not been answered yet.
    pub fn is_busy(&self) -> bool {
        self.answered < self.asked
    }
}

/// What the thread remembers between two looks.
struct Looker {
    queue: Queue,
    wish: Wish,
    number: u64,
    watched: BTreeMap<PathBuf, Watched>,
}

/// One run that is watched.
struct Watched {
    watch: RunWatch,
    spec: Option<Arc<RunSpec>>,
    made: u64,
    history: History,
    /// Whether the history is kept: it then is whole.
    keeps: bool,
    best: Option<Best>,
    /// When the file of the best was written.
    best_written: Option<SystemTime>,
    drawn: Option<(CurveLook, Arc<Followed>)>,
}

impl Looker {
    fn look(&mut self) -> Report {
        let mut roots: Vec<PathBuf> = self.wish.folders.iter().flat_map(|folder| status::runs_in(folder)).collect();
        roots.retain(|root| !Places::is_in_bin(root));
        roots.extend(self.wish.followed.iter().filter(|root| root.join("run.toml").is_file()).cloned());
        roots.sort();
        roots.dedup();
        self.watched.retain(|root, _| roots.contains(root));
        let waiting = self.queue.read();
        let mut report = Report { number: self.number, waiting, ..Report::default() };
        for root in roots {
            let keeps = self.wish.followed.contains(&root);
            let watched = self.watched.entry(root.clone()).or_insert_with(|| Watched::new(&root));
            if keeps && !watched.keeps {
                // From the beginning, so that the history is whole.
                *watched = Watched { keeps, ..Watched::new(&root) };
            }
            let problem = watched.look(&root).err();
            if keeps {
                report.followed.insert(root.clone(), watched.followed(&root, self.wish.look));
            }
            report.runs.push(Run {
                queued: report.waiting.place(&root),
                has_model: root.join("model.safetensors").is_file(),
                job: None,
                last_words: match watched.watch.status().state {
                    RunState::NotBegun | RunState::Failed => launch::last_words(&root, 2),
                    _ => String::new(),
                },
                status: watched.watch.status().clone(),
                spec: watched.spec.clone(),
                made: watched.made,
                problem,
                root,
            });
        }
        report.runs.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| a.root.cmp(&b.root)));
        report
    }
}

impl Watched {
    fn new(root: &Path) -> Self {
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|d| d.as_secs());
        // The spec is written once, when the run is made.
        let made = fs::metadata(root.join("run.toml")).and_then(|data| data.modified()).ok().and_then(seconds);
        Self {
            watch: RunWatch::new(root),
            spec: None,
            made: made.unwrap_or(0),
            history: History::default(),
            keeps: false,
            best: None,
            best_written: None,
            drawn: None,
        }
    }

    fn look(&mut self, root: &Path) -> Result<(), String> {
        if self.spec.is_none() {
            self.spec = Some(Arc::new(RunSpec::read(&root.join("run.toml")).map_err(|error| error.to_string())?));
        }
        let news = self.watch.look().map_err(|error| error.to_string())?;
        if self.keeps {
            if news.anew {
                self.history = History::default();
            }
            if news.anew || !news.events.is_empty() {
                self.drawn = None;
            }
            for event in &news.events {
                self.history.hear(event);
            }
            // It is written after its measure is told, so that the log alone does not say when to look.
            let written = fs::metadata(RunFolder::best_of(root)).and_then(|data| data.modified()).ok();
            if written != self.best_written {
                (self.best_written, self.best, self.drawn) = (written, Best::read(root), None);
            }
        }
        Ok(())
    }

    fn followed(&mut self, root: &Path, look: CurveLook) -> Arc<Followed> {
        if let Some((_, followed)) = self.drawn.as_ref().filter(|(drawn, _)| *drawn == look) {
            return Arc::clone(followed);
        }
        let followed = Arc::new(Followed {
            curves: Curves::of(&self.history, look),
            history: self.history.clone(),
            checkpoints: checkpoints(root),
            best: self.best,
        });
        self.drawn = Some((look, Arc::clone(&followed)));
        followed
    }
}

/// Steps of the checkpoints in a run folder, newest first.
fn checkpoints(root: &Path) -> Vec<u64> {
    let entries = fs::read_dir(root.join("checkpoints")).into_iter().flatten().flatten();
    let step = |path: PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let mut steps: Vec<u64> = entries.filter_map(|entry| step(entry.path())).collect();
    steps.retain(|&step| root.join(RunFolder::checkpoint(step)).is_file());
    steps.sort_unstable_by(|a, b| b.cmp(a));
    steps
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::generator::Family;
    use crate::training::presets;
    use crate::training::state::State;

    #[test]
    fn the_best_checkpoint_says_itself_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(Best::read(root), None);
        fs::create_dir(root.join("checkpoints")).unwrap();
        let spec = presets::preset("small-32", Family::CpdGan).unwrap();
        let mut state = State::new(&spec, 2, &Device::Cpu).unwrap();
        (state.position.step, state.position.shown) = (1250, 20_000);
        checkpoint::write(&RunFolder::best_of(root), &state).unwrap();
        assert_eq!(Best::read(root), None, "it was never measured");
        state.course.best = Some(1.25_f64.to_bits());
        checkpoint::write(&RunFolder::best_of(root), &state).unwrap();
        assert_eq!(Best::read(root), Some(Best { step: 1250, kimg: 20.0, fid: 1.25 }));
        fs::write(RunFolder::best_of(root), b"not a checkpoint").unwrap();
        assert_eq!(Best::read(root), None);
    }
}
