//! The run folder: names of its files, the lock that keeps a second process out, and requests from whoever watches.
//!
//! A request is an empty file in the folder: `request.pause` (write a checkpoint and end; resume later), `request.stop`
//! (the same, and the run counts as done), `request.snapshot` (write a checkpoint and a sample grid now, go on). The run
//! removes the file once it has obeyed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::spec::RunSpec;
use crate::store;

/// What a watcher asks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Write a checkpoint and end; resume later.
    Pause,
    /// Write a checkpoint and end; the run counts as done.
    Stop,
    /// Write a checkpoint and a sample grid now, and go on.
    Snapshot,
}

impl Request {
    const ALL: [Self; 3] = [Self::Stop, Self::Pause, Self::Snapshot];

    fn file(self) -> &'static str {
        match self {
            Self::Pause => "request.pause",
            Self::Stop => "request.stop",
            Self::Snapshot => "request.snapshot",
        }
    }
}

/// How a run ended; `result.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// `finished`, `stopped` or `paused`.
    pub how: String,
    /// Critic steps taken.
    pub step: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// Seconds of training, over all processes that worked on the run.
    pub seconds: f64,
    /// The model file, relative to the run folder; absent while the network has not grown to its full size.
    pub model: Option<PathBuf>,
}

/// Which radiographs a run is trained on; `trained-on.json`, written when the first step is about to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainedOn {
    /// Identity of the cohort.
    pub cohort: String,
    /// The part of its train fold that a sweep chose; the whole without it.
    pub part: Option<String>,
}

/// Name of the lock file.
const LOCK: &str = "run.lock";

/// How long a lock is tried for: whoever asks for a run's state holds it for an instant.
const PATIENCE: Duration = Duration::from_millis(500);

/// The job of a cluster that works on a run, or will; `job.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Number of the job, or of the array that it is a task of.
    pub job: u64,
    /// Number of the task in its array.
    pub task: Option<u32>,
    /// The login node that it was sent from; this machine without it.
    pub host: Option<String>,
    /// The folder of Slurm's commands there, where they are not found without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<PathBuf>,
}

/// The job that the run in `root` was sent as, if it was.
pub fn job(root: &Path) -> Option<JobRecord> {
    serde_json::from_slice(&fs::read(root.join("job.json")).ok()?).ok()
}

/// Notes the job that the run in `root` was sent as.
///
/// # Errors
/// When the disk refuses.
pub fn write_job(root: &Path, job: &JobRecord) -> Result<(), store::StoreError> {
    let text = serde_json::to_vec_pretty(job).unwrap_or_default();
    store::write_atomic(&root.join("job.json"), &text)
}

/// Which process works on a run; the text of the lock file, `run.lock`.
///
/// The lock itself is the system's and ends with the process, however that ends; the text only says whose it is or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its number on its host.
    pub pid: u32,
    /// Name of its host.
    pub host: String,
}

impl Holder {
    /// This process.
    pub fn here() -> Self {
        Self { pid: std::process::id(), host: host() }
    }

    /// Whether it is a process of this host.
    pub fn is_here(&self) -> bool {
        self.host == host()
    }
}

/// Name of this host, or nothing where the system does not say.
fn host() -> String {
    let named =
        ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().find_map(|path| fs::read_to_string(path).ok());
    let named = named.or_else(|| ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok()));
    named.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Who the lock file of the run in `root` names, and whether the lock is held at this moment.
pub fn holder(root: &Path) -> (Option<Holder>, bool) {
    let path = root.join(LOCK);
    let Ok(lock) = File::open(&path) else { return (None, false) };
    // Shared, so that two who ask do not take each other for the run.
    let held = matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
    let text = fs::read(&path).unwrap_or_default();
    (serde_json::from_slice(&text).ok(), held)
}

/// One run's folder, held by this process alone.
pub struct RunFolder {
    root: PathBuf,
    /// Held for as long as the run goes on; the system lets go of it when the process ends, however it ends.
    lock: File,
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A name left behind says that the process ended without closing the run; where it cannot be removed, no more than
        // that is said.
        let _ = self.lock.set_len(0);
    }
}

impl RunFolder {
    /// Makes the folder for a new run.
    ///
    /// # Errors
    /// When it already holds a run, belongs to another process, or cannot be made.
    pub fn create(root: &Path, spec: &RunSpec) -> Result<Self, TrainingError> {
        if root.join("run.toml").exists() {
            return Err(TrainingError::Folder {
                path: root.to_path_buf(),
                problem: "already holds a run; resume it, or choose another folder".to_owned(),
            });
        }
        for folder in [root.to_path_buf(), root.join("samples"), root.join("checkpoints")] {
            store::make_folder(&folder)?;
        }
        let folder = Self::lock(root)?;
        store::write_atomic(&folder.spec(), spec.to_toml().as_bytes())?;
        Ok(folder)
    }

    /// Opens the folder of a run that was begun before.
    ///
    /// # Errors
    /// When there is no run in it, or another process works on it.
    pub fn open(root: &Path) -> Result<(Self, RunSpec), TrainingError> {
        if !root.join("run.toml").is_file() {
            return Err(TrainingError::Folder {
                path: root.to_path_buf(),
                problem: "holds no run.toml; give the folder of a run, or begin one from a spec".to_owned(),
            });
        }
        let folder = Self::lock(root)?;
        let spec = RunSpec::read(&folder.spec())?;
        Ok((folder, spec))
    }

    fn lock(root: &Path) -> Result<Self, TrainingError> {
        let path = root.join(LOCK);
        let wrong = |problem| TrainingError::Folder { path: path.clone(), problem };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut lock = lock.map_err(|e| wrong(format!("cannot be made: {e} (check permissions)")))?;
        let begun = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    let who = holder(root).0.map_or("another process".to_owned(), |Holder { pid, host }| {
                        format!("another process ({pid} on {host})")
                    });
                    return Err(wrong(format!("is held: {who} works on this run; stop that one first")));
                }
                Err(TryLockError::Error(e)) => return Err(wrong(format!("cannot be locked: {e}"))),
            }
        }
        // The text of a process that died is replaced.
        let text = serde_json::to_vec(&Holder::here()).unwrap_or_default();
        let named = store::permit()
            .and_then(|()| lock.set_len(0))
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(&text));
        named.map_err(|e| wrong(format!("cannot be written: {e} (check free space and permissions)")))?;
        Ok(Self { root: root.to_path_buf(), lock })
    }

    /// Notes what the run is trained on, or refuses what is not what it was begun on.
    ///
    /// # Errors
    /// When it was begun on other radiographs, or the note cannot be written.
    pub fn bind(&self, now: &TrainedOn) -> Result<(), TrainingError> {
        let path = self.root.join("trained-on.json");
        let Ok(bytes) = fs::read(&path) else {
            let text = serde_json::to_vec_pretty(now).unwrap_or_default();
            return Ok(store::write_atomic(&path, &text)?);
        };
        let wrong = |problem: &str| Err(TrainingError::Folder { path: self.root.clone(), problem: problem.to_owned() });
        match serde_json::from_slice::<TrainedOn>(&bytes) {
            Ok(begun) if begun == *now => Ok(()),
            Ok(begun) if begun.cohort == now.cohort && begun.part.is_some() && now.part.is_none() => wrong(
                "belongs to a sweep and was begun on the films that the sweep chose; go on with it by: negatoscope sweep run",
            ),
            Ok(begun) if begun.cohort == now.cohort => {
                wrong("was begun on other films of this cohort; begin a new run")
            }
            Ok(_) => {
                wrong("was begun on another cohort than the pack holds now; put the old pack back, or begin a new run")
            }
            Err(error) => wrong(&format!("holds a trained-on.json that cannot be read: {error}; remove that file")),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `run.toml`.
    pub fn spec(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// `events.jsonl`.
    pub fn events(&self) -> PathBuf {
        self.root.join("events.jsonl")
    }

    /// `result.json`.
    pub fn result(&self) -> PathBuf {
        self.root.join("result.json")
    }

    /// `model.safetensors`.
    pub fn model(&self) -> PathBuf {
        self.root.join("model.safetensors")
    }

    /// The sample grid of a step, relative to the folder.
    pub fn sample(step: u64) -> PathBuf {
        Path::new("samples").join(format!("{step:08}.png"))
    }

    /// The checkpoint of a step, relative to the folder.
    pub fn checkpoint(step: u64) -> PathBuf {
        Path::new("checkpoints").join(format!("{step:08}.safetensors"))
    }

    /// The checkpoint with the smallest Fréchet distance, which is kept beside the newest ones.
    pub fn best(&self) -> PathBuf {
        Self::best_of(&self.root)
    }

    /// The same, of a folder that is only looked at.
    pub fn best_of(root: &Path) -> PathBuf {
        root.join("checkpoints").join("best.safetensors")
    }

    /// Where TensorBoard's files lie.
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tensorboard")
    }

    /// All checkpoints, newest first; the best one, if it is kept beside them, is not among them.
    pub fn checkpoints(&self) -> Vec<PathBuf> {
        Self::checkpoints_of(&self.root)
    }

    /// The same, of a folder that is only looked at.
    pub fn checkpoints_of(root: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join("checkpoints")).into_iter().flatten().flatten();
        let step = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors") && step(path).is_some())
            .collect();
        found.sort_by_key(|path| std::cmp::Reverse(step(path)));
        found
    }

    /// The request that waits, taken out of the folder; the strongest if there are several.
    pub fn take_request(&self) -> Option<Request> {
        Request::ALL.into_iter().find(|request| fs::remove_file(self.root.join(request.file())).is_ok())
    }
}

/// The request that waits in the folder of a run, left where it is; the strongest if there are several.
pub fn waiting_request(root: &Path) -> Option<Request> {
    Request::ALL.into_iter().find(|request| root.join(request.file()).exists())
}

/// Asks the run in `root` for something, from any process.
///
/// # Errors
/// When the request cannot be written.
pub fn request(root: &Path, request: Request) -> Result<(), TrainingError> {
    Ok(store::write_atomic(&root.join(request.file()), b"")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::presets::preset;

    #[test]
    fn a_run_is_held_by_one_process_and_begun_once() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("run");
        let spec = preset("small-64", Family::ProgGan).unwrap();
        let message = |result: Result<RunFolder, TrainingError>| result.err().unwrap().to_string();
        assert!(message(RunFolder::open(&root).map(|(folder, _)| folder)).contains("no run.toml"));
        let first = RunFolder::create(&root, &spec).unwrap();
        let refused = message(RunFolder::open(&root).map(|(folder, _)| folder));
        assert!(refused.contains("another process") && refused.contains(&std::process::id().to_string()), "{refused}");
        assert_eq!(holder(&root), (Some(Holder::here()), true));
        drop(first);
        assert_eq!(holder(&root), (None, false));
        assert!(message(RunFolder::create(&root, &spec)).contains("already holds a run"));
        assert_eq!(RunFolder::open(&root).unwrap().1.schedule, spec.schedule);
    }

    #[test]
    fn a_run_goes_on_with_the_films_it_was_begun_on_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder =
            RunFolder::create(&parent.path().join("run"), &preset("small-64", Family::ProgGan).unwrap()).unwrap();
        let on = |cohort: &str, part: Option<&str>| TrainedOn { cohort: cohort.into(), part: part.map(str::to_owned) };
        let said = |on: &TrainedOn| folder.bind(on).unwrap_err().to_string();
        folder.bind(&on("a", Some("fold"))).unwrap();
        folder.bind(&on("a", Some("fold"))).unwrap();
        assert!(said(&on("a", None)).contains("negatoscope sweep run"));
        assert!(said(&on("a", Some("other"))).contains("other films"));
        assert!(said(&on("b", Some("fold"))).contains("another cohort"));
        fs::write(folder.root().join("trained-on.json"), "{").unwrap();
        assert!(said(&on("a", Some("fold"))).contains("remove that file"));
    }

    #[test]
    fn the_lock_of_a_process_that_died_is_taken_over() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("run");
        let spec = preset("small-64", Family::ProgGan).unwrap();
        drop(RunFolder::create(&root, &spec).unwrap());
        // What a killed process leaves: its name, and a lock that the system has let go of.
        let dead = Holder { pid: 1 << 30, host: "somewhere".to_owned() };
        fs::write(root.join(LOCK), serde_json::to_vec(&dead).unwrap()).unwrap();
        assert_eq!(holder(&root), (Some(dead), false));
        let (folder, _) = RunFolder::open(&root).unwrap();
        assert_eq!(holder(&root), (Some(Holder::here()), true));
        drop(folder);
    }

    #[test]
    fn requests_are_taken_once_and_stop_goes_first() {
        let parent = tempfile::tempdir().unwrap();
        let spec = preset("small-64", Family::ProgGan).unwrap();
        let folder = RunFolder::create(&parent.path().join("run"), &spec).unwrap();
        assert_eq!(folder.take_request(), None);
        request(folder.root(), Request::Snapshot).unwrap();
        request(folder.root(), Request::Stop).unwrap();
        assert_eq!(waiting_request(folder.root()), Some(Request::Stop));
        assert_eq!(folder.take_request(), Some(Request::Stop));
        assert_eq!(folder.take_request(), Some(Request::Snapshot));
        assert_eq!(folder.take_request(), None);
    }
}
