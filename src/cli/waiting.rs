//! A progress line with time left for long verbs, and Ctrl-C as a polite cancel.

use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::progress::Progress;

/// The job that Ctrl-C cancels. The handler can be installed only once in a process.
static CURRENT: OnceLock<Progress> = OnceLock::new();

/// Runs `job` with a progress line on standard error; the first Ctrl-C cancels it cleanly, the second kills.
pub fn watched<T>(what: &str, job: impl FnOnce(&Progress) -> T) -> T {
    let progress = CURRENT.get_or_init(Progress::new).clone();
    let handler = progress.clone();
    // A second watched job in one process shares the first one's handler and switch.
    let _ = ctrlc::set_handler(move || {
        if handler.is_cancelled() {
            std::process::exit(130);
        }
        eprintln!("\nstopping cleanly; once more to stop at once");
        handler.cancel();
    });
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
    let bar = ProgressBar::new(0).with_message(what.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let watcher = progress.clone();
    let line = bar.clone();
    let thread = std::thread::Builder::new().name("progress line".to_owned()).spawn(move || {
        while !line.is_finished() {
            let (done, total) = watcher.counts();
            line.set_length(total);
            line.set_position(done);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let result = job(&progress);
    bar.finish_and_clear();
    if let Ok(thread) = thread {
        // A progress line that broke must not hide the job's own result.
        let _ = thread.join();
    }
    result
}
