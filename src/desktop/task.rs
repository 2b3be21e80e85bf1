//! A long job on its own named thread, with progress, time left and a switch that stops it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use eframe::egui;

use crate::progress::Progress;

/// One job that ends in a `T`. Dropping it asks the job to stop.
pub struct Task<T> {
    name: String,
    progress: Progress,
    answer: mpsc::Receiver<Option<T>>,
}

/// What became of a job.
pub enum Outcome<T> {
    /// It still runs.
    Running,
    /// Its result.
    Done(T),
    /// It panicked; the log says where.
    Failed,
}

impl<T: Send + 'static> Task<T> {
    /// Starts `work`; the window is drawn again when it ends.
    ///
    /// # Errors
    /// What the system said when it has no thread to give.
    pub fn spawn(
        name: impl Into<String>,
        ctx: &egui::Context,
        work: impl FnOnce(&Progress) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let name = name.into();
        let (sender, answer) = mpsc::channel();
        let progress = Progress::new();
        let (of_thread, ctx) = (progress.clone(), ctx.clone());
        thread::Builder::new().name(name.clone()).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&of_thread))).ok();
            // The window may have closed meanwhile.
            let _ = sender.send(result);
            ctx.request_repaint();
        })?;
        Ok(Self { name, progress, answer })
    }

    /// What the job is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its counter and cancel switch.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Looks whether it has ended, without waiting.
    pub fn poll(&self) -> Outcome<T> {
        match self.answer.try_recv() {
            Ok(Some(result)) => Outcome::Done(result),
            Err(mpsc::TryRecvError::Empty) => Outcome::Running,
            Ok(None) | Err(mpsc::TryRecvError::Disconnected) => Outcome::Failed,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.progress.cancel();
    }
}

/// A time left as a person says it: "40 s left", "3 min left", "2 h 10 min left".
pub fn time_left(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..=90 => format!("{} s left", seconds.max(1)),
        91..=5400 => format!("{} min left", seconds.div_ceil(60)),
        172_801.. => format!("{:.1} days left", seconds as f64 / 86400.0),
        _ => format!("{} h {} min left", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_said_in_the_unit_a_person_would_use() {
        let said = |seconds| time_left(Duration::from_secs(seconds));
        assert_eq!(
            [said(0), said(45), said(200), said(7800), said(300_000)],
            ["1 s left", "45 s left", "4 min left", "2 h 10 min left", "3.5 days left"]
        );
    }

    #[test]
    fn a_dropped_task_is_asked_to_stop_and_a_panic_is_an_outcome() {
        let ctx = egui::Context::default();
        let (sender, receiver) = mpsc::channel();
        let task = Task::spawn("test", &ctx, move |progress| {
            while !progress.is_cancelled() {
                thread::sleep(Duration::from_millis(1));
            }
            sender.send(()).unwrap();
        })
        .unwrap();
        assert!(matches!(task.poll(), Outcome::Running));
        drop(task);
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();

        let task = Task::spawn("test", &ctx, |_| -> u8 { panic!("this message belongs to the test") }).unwrap();
        loop {
            match task.poll() {
                Outcome::Running => thread::sleep(Duration::from_millis(1)),
                Outcome::Failed => break,
                Outcome::Done(_) => panic!("it cannot be done"),
            }
        }
    }
}
