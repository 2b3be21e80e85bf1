//! The run folder: names of its files, the lock that keeps a second process out, and requests from whoever watches.
//!
//! A request is an empty file in the folder: `request.pause` (write a checkpoint and end; resume later), `request.stop`
//! (the same, and the run counts as done), `request.snapshot` (write a checkpoint and a sample grid now, go on). The run
//! removes the file once it has obeyed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainingError;
use super::spec::RunSpec;
use crate::store;

/// What a watcher asks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// One run's folder, held by this process alone.
pub struct RunFolder {
    root: PathBuf,
    /// Held for as long as the run goes on; the system lets go of it when the process ends, however it ends.
    _lock: File,
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
            fs::create_dir_all(&folder).map_err(|e| TrainingError::Folder {
                problem: format!("cannot be made: {e} (check free space and permissions)"),
                path: folder,
            })?;
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
        let path = root.join("run.lock");
        let wrong = |problem| TrainingError::Folder { path: path.clone(), problem };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|e| wrong(format!("cannot be made: {e} (check permissions)")))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(wrong("is held: another process works on this run; stop that one first".to_owned()))
            }
            Err(TryLockError::Error(e)) => Err(wrong(format!("cannot be locked: {e}"))),
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

    /// All checkpoints, newest first.
    pub fn checkpoints(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join("checkpoints")).into_iter().flatten().flatten();
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
        assert!(message(RunFolder::open(&root).map(|(folder, _)| folder)).contains("another process"));
        drop(first);
        assert!(message(RunFolder::create(&root, &spec)).contains("already holds a run"));
        assert_eq!(RunFolder::open(&root).unwrap().1.schedule, spec.schedule);
    }

    #[test]
    fn requests_are_taken_once_and_stop_goes_first() {
        let parent = tempfile::tempdir().unwrap();
        let spec = preset("small-64", Family::ProgGan).unwrap();
        let folder = RunFolder::create(&parent.path().join("run"), &spec).unwrap();
        assert_eq!(folder.take_request(), None);
        request(folder.root(), Request::Snapshot).unwrap();
        request(folder.root(), Request::Stop).unwrap();
        assert_eq!(folder.take_request(), Some(Request::Stop));
        assert_eq!(folder.take_request(), Some(Request::Snapshot));
        assert_eq!(folder.take_request(), None);
    }
}
