//! The threads that compute, in a process that also draws a window.

/// Has the threads that compute give way to those that draw, wherever there is less processor than work. To be called before
/// anything is computed; the threads that are there by then stay as they are. Only Linux has a priority for one thread.
pub fn give_way() {
    // A pool that exists already is no error: a second window of one process finds the first one's.
    let _ = rayon::ThreadPoolBuilder::new().start_handler(|_| lower()).build_global();
}

#[cfg(target_os = "linux")]
fn lower() {
    /// Steps below normal: as `nice` takes by itself, and enough to go second.
    const STEPS: libc::c_int = 10;
    // SAFETY: the call changes how often the calling thread runs and touches no memory.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, libc::getpriority(libc::PRIO_PROCESS, 0) + STEPS);
    }
}

#[cfg(not(target_os = "linux"))]
fn lower() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_threads_that_compute_are_lowered() {
        let nice = || {
            // SAFETY: the call reads a number of the calling thread.
            unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
        };
        let before = nice();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).start_handler(|_| lower()).build().unwrap();
        assert_eq!(pool.install(nice), (before + 10).min(19));
        assert_eq!(nice(), before);
    }
}
