//! The demonstration sweep: the same program as a child process, followed by the file it notes its progress in.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eframe::egui;

use crate::benchmark::{Standing, SweepFolder};
use crate::desktop::task::{Outcome, Task};

/// Time from one look at the child to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A demonstration sweep at work. Dropping it stops the child; closing the window lets it go on.
pub struct Demo {
    task: Task<Result<(), String>>,
    standing: Arc<Mutex<Option<Standing>>>,
}

impl Demo {
    /// Starts the sweep in `folder`; one that was begun there goes on.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(ctx: &egui::Context, folder: PathBuf) -> std::io::Result<Self> {
        let standing = Arc::new(Mutex::new(None));
        let (of_thread, repaint) = (standing.clone(), ctx.clone());
        let task = Task::spawn("demonstration sweep", ctx, move |progress| {
            let program = std::env::current_exe().map_err(|e| format!("The program cannot be found: {e}"))?;
            let mut child = Command::new(program)
                .args(["sweep", "run", "--preset", "demo", "--json", "--out"])
                .arg(&folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|e| format!("The sweep could not be started: {e}"))?;
            loop {
                if progress.is_cancelled() {
                    // Either it ends now, or it has ended already.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("The sweep was stopped. What is done is found done the next time.".to_owned());
                }
                if child.try_wait().map_err(|e| format!("The sweep could not be followed: {e}"))?.is_some() {
                    break;
                }
                let now = SweepFolder::open(&folder).ok().and_then(|(folder, _)| folder.standing());
                *of_thread.lock().unwrap_or_else(PoisonError::into_inner) = now;
                repaint.request_repaint();
                std::thread::sleep(LOOK_EVERY);
            }
            let output = child.wait_with_output().map_err(|e| format!("The sweep could not be followed: {e}"))?;
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("The sweep stopped: {}", said.lines().last().unwrap_or("it gave no reason")))
        })?;
        Ok(Self { task, standing })
    }

    /// What it came to; `None` while it runs.
    pub fn poll(&self) -> Option<Result<(), String>> {
        match self.task.poll() {
            Outcome::Running => None,
            Outcome::Done(outcome) => Some(outcome),
            Outcome::Failed => Some(Err("Following the sweep failed unexpectedly.".to_owned())),
        }
    }

    /// Where it stands, once it has said so.
    pub fn standing(&self) -> Option<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
