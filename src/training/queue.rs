//! Runs that wait for their turn: a list on disk, and the process that works through it.
//!
//! The list outlives the window. [`work`] takes the first run, trains it in a process of its own, waits for its end and
//! takes the next. It is one process on a machine: whoever finds the queue's lock held leaves the work to the holder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{launch, status};
use crate::store::{self, StoreError};

/// How often the worker looks whether the run before has ended.
const EVERY: Duration = Duration::from_secs(1);

/// The runs that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// The run that the worker trains now, or trained when it was killed.
    pub current: Option<PathBuf>,
    /// The runs that follow, in their order.
    pub next: Vec<PathBuf>,
}

impl Waiting {
    /// The place in the queue of the run in `root`, from 1.
    pub fn place(&self, root: &Path) -> Option<usize> {
        self.next.iter().position(|waiting| waiting == root).map(|place| place + 1)
    }
}

/// The queue in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    folder: PathBuf,
}

impl Queue {
    /// The queue in `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("queue.json")
    }

    /// The runs that wait; none where there is no queue, or its file is not one.
    pub fn read(&self) -> Waiting {
        let bytes = fs::read(self.file()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Changes the list while nobody else does, and gives what `change` gives.
    ///
    /// # Errors
    /// When the folder cannot be made, locked or written.
    pub fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> Result<T, StoreError> {
        let failed = |source| StoreError::Write { path: self.file(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let lock = open(&self.folder.join("queue.lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let before = self.read();
        let mut waiting = before.clone();
        let answer = change(&mut waiting);
        if waiting != before {
            let text = serde_json::to_vec_pretty(&waiting).map_err(|error| failed(io::Error::other(error)))?;
            store::write_atomic(&self.file(), &text)?;
        }
        Ok(answer)
    }

    /// Puts the run in `root` at the end.
    ///
    /// # Errors
    /// As [`Queue::change`].
    pub fn add(&self, root: &Path) -> Result<(), StoreError> {
        self.change(|waiting| {
            if waiting.place(root).is_none() {
                waiting.next.push(root.to_path_buf());
            }
        })
    }

    /// Takes the run in `root` out.
    ///
    /// # Errors
    /// As [`Queue::change`].
    pub fn remove(&self, root: &Path) -> Result<(), StoreError> {
        self.change(|waiting| waiting.next.retain(|other| other != root))
    }

    /// Whether a process works through the queue.
    pub fn is_worked_on(&self) -> bool {
        File::open(self.folder.join("queue.worker"))
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Starts `program queue --folder FOLDER` where runs wait and nobody works on them; tells whether it did.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn begin(&self, program: &Path) -> io::Result<Option<std::process::Child>> {
        let waiting = self.read();
        if waiting == Waiting::default() || self.is_worked_on() {
            return Ok(None);
        }
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("queue.log"))?;
        let mut command = Command::new(program);
        command.arg("queue").arg("--folder").arg(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        launch::apart(&mut command);
        command.spawn().map(Some)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// Works through the queue until it is empty: `train` begins a run and comes back when it ended, however it ended. Does
/// nothing where another process works on it. `runs` is the folder whose running runs are waited for.
///
/// # Errors
/// When the queue cannot be read or written.
pub fn work(queue: &Queue, runs: &Path, mut train: impl FnMut(&Path)) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write { path: queue.file(), source };
    fs::create_dir_all(&queue.folder).map_err(failed)?;
    let lock = open(&queue.folder.join("queue.worker")).map_err(failed)?;
    // Whoever asks whether the queue is worked on holds the lock for an instant.
    let held = (0..20).any(|_| {
        let locked = lock.try_lock().is_ok();
        if !locked {
            std::thread::sleep(EVERY / 20);
        }
        locked
    });
    if !held {
        return Ok(());
    }
    // A worker that was killed left its run behind; it goes on first.
    queue.change(|waiting| {
        if let Some(run) = waiting.current.take() {
            let unfinished = status::status(&run).is_ok_and(|status| status.state == status::RunState::Interrupted);
            if unfinished && waiting.place(&run).is_none() {
                waiting.next.insert(0, run);
            }
        }
    })?;
    loop {
        if queue.read().next.is_empty() {
            return queue.change(|waiting| waiting.current = None);
        }
        let running =
            |root: &PathBuf| status::status(root).is_ok_and(|status| status.state == status::RunState::RunningHere);
        if status::runs_in(runs).iter().any(running) {
            std::thread::sleep(EVERY);
            continue;
        }
        let next = queue.change(|waiting| {
            waiting.current = (!waiting.next.is_empty()).then(|| waiting.next.remove(0));
            waiting.current.clone()
        })?;
        if let Some(run) = next {
            train(&run);
            queue.change(|waiting| waiting.current = None)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_taken_in_their_order_and_those_added_meanwhile_too() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::new(&folder.path().join("queue"));
        let [a, b, c] = ["a", "b", "c"].map(PathBuf::from);
        assert_eq!(queue.read(), Waiting::default());
        for run in [&a, &b, &a] {
            queue.add(run).unwrap();
        }
        assert_eq!((queue.read().place(&a), queue.read().place(&b), queue.read().place(&c)), (Some(1), Some(2), None));
        let mut trained = Vec::new();
        work(&queue, folder.path(), |run| {
            assert!(queue.is_worked_on());
            assert_eq!(queue.read().current.as_deref(), Some(run));
            // A second worker leaves the work to the first.
            work(&queue, folder.path(), |_| panic!("two work on one queue")).unwrap();
            if trained.is_empty() {
                queue.remove(&b).unwrap();
                queue.add(&c).unwrap();
            }
            trained.push(run.to_path_buf());
        })
        .unwrap();
        assert_eq!(trained, [a, c]);
        assert!(!queue.is_worked_on());
        assert_eq!(queue.read(), Waiting::default());
    }

    #[test]
    fn a_file_that_is_no_queue_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("queue.json"), b"[1, 2").unwrap();
        assert_eq!(Queue::new(folder.path()).read(), Waiting::default());
    }
}
