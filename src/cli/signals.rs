//! Signals of a cluster's scheduler: the run writes a checkpoint and ends with an exit code that says it can go on.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::Progress;

/// Exit code of a run that a signal paused; `EX_TEMPFAIL` of sysexits.h: try again.
pub const PAUSED_BY_SIGNAL: i32 = 75;

static CAME: AtomicBool = AtomicBool::new(false);

/// Whether a signal asked for a pause.
pub fn came() -> bool {
    CAME.load(Ordering::SeqCst)
}

/// Lets SIGTERM and SIGUSR1 pause the job as the first Ctrl-C does. Without effect where there are no signals.
pub fn pause_on(progress: &Progress) {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGTERM, SIGUSR1};
        let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGTERM, SIGUSR1]) else { return };
        let progress = progress.clone();
        let listen = move || {
            for _ in &mut signals {
                CAME.store(true, Ordering::SeqCst);
                progress.cancel();
            }
        };
        // Where no thread can be had, the signals end the process, as they would without this.
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(listen);
    }
    #[cfg(not(unix))]
    let _ = progress;
}
