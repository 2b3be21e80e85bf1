//! How far a long job is, how long it has left, and the switch that stops it.
//!
//! In: a job counts its steps here. Out: whoever started it reads the count, the time left, and may cancel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The job was cancelled by whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// One long job's counter and cancel switch; clones share both.
#[derive(Debug, Clone)]
pub struct Progress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// A job that has not begun counting.
    pub fn new() -> Self {
        let shared = Shared {
            started: Instant::now(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// States how many steps there are; zero means not known.
    pub fn set_total(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// Counts from nothing again, for the next part of a job of several; a cancel stays.
    pub fn restart(&self) {
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.total.store(0, Ordering::Relaxed);
    }

    /// Counts `n` steps as done.
    pub fn advance(&self, n: u64) {
        self.shared.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Steps done and steps in all (zero: not known).
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.done.load(Ordering::Relaxed), self.shared.total.load(Ordering::Relaxed))
    }

    /// Share done, 0 to 1; `None` while the total is not known.
    pub fn fraction(&self) -> Option<f32> {
        let (done, total) = self.counts();
        (total > 0).then(|| (done as f32 / total as f32).min(1.0))
    }

    /// Time left if the rest goes as fast as what is done; `None` before the first step.
    pub fn time_left(&self) -> Option<Duration> {
        let (done, total) = self.counts();
        if done == 0 || total == 0 {
            return None;
        }
        let per_step = self.shared.started.elapsed().as_secs_f64() / done as f64;
        Some(Duration::from_secs_f64(per_step * total.saturating_sub(done) as f64))
    }

    /// Asks the job to stop at its next [`Progress::check`].
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked the job to stop.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// To be called by the job between steps.
    ///
    /// # Errors
    /// [`Cancelled`] once someone asked the job to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_cancel_are_shared_between_clones() {
        let job = Progress::new();
        let watcher = job.clone();
        assert_eq!(watcher.fraction(), None);
        job.set_total(4);
        job.advance(1);
        assert_eq!(watcher.fraction(), Some(0.25));
        assert!(watcher.time_left().is_some());
        watcher.restart();
        assert_eq!(job.counts(), (0, 0));
        watcher.cancel();
        assert_eq!(job.check(), Err(Cancelled));
    }
}
