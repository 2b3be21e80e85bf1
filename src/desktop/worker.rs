//! A named thread with a mailbox of one: the newest request replaces the one not yet begun.
//!
//! In: requests, numbered in the order they are asked. Out: answers with their request's number; an answer older than
//! one already taken is dropped. Whoever asks never waits.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;

/// A thread that works on the newest request of kind `Q` and answers with any number of `A`.
pub struct Worker<Q, A> {
    shared: Arc<Shared<Q>>,
    answers: mpsc::Receiver<(u64, A)>,
    taken: u64,
}

struct Shared<Q> {
    slot: Mutex<Slot<Q>>,
    wake: Condvar,
    asked: AtomicU64,
    finished: AtomicU64,
    panics: AtomicU64,
}

struct Slot<Q> {
    request: Option<(u64, Q)>,
    closed: bool,
}

/// What the work may know about its request while it runs, and where its answers go.
pub struct Desk<'a, A> {
    number: u64,
    asked: &'a AtomicU64,
    answers: &'a mpsc::Sender<(u64, A)>,
    repaint: &'a dyn Fn(),
}

impl<A> Desk<'_, A> {
    /// Whether a newer request is waiting, so that the rest of this one is no longer wanted.
    pub fn superseded(&self) -> bool {
        self.asked.load(Ordering::Acquire) != self.number
    }

    /// Hands an answer over and has the window drawn again.
    pub fn answer(&self, answer: A) {
        // The window may have closed meanwhile; then nobody wants the answer.
        if self.answers.send((self.number, answer)).is_ok() {
            (self.repaint)();
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Worker<Q, A> {
    /// Starts the thread. `repaint` is called after every answer and at the end of every request.
    ///
    /// # Errors
    /// What the system said when it has no thread to give.
    pub fn spawn(
        name: &str,
        repaint: impl Fn() + Send + 'static,
        mut work: impl FnMut(Q, &Desk<'_, A>) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            slot: Mutex::new(Slot { request: None, closed: false }),
            wake: Condvar::new(),
            asked: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        });
        let (sender, answers) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some((number, request)) = of_thread.next() {
                let desk = Desk { number, asked: &of_thread.asked, answers: &sender, repaint: &repaint };
                // One bad request must not silence all later ones.
                if catch_unwind(AssertUnwindSafe(|| work(request, &desk))).is_err() {
                    of_thread.panics.fetch_add(1, Ordering::Relaxed);
                }
                of_thread.finished.store(number, Ordering::Release);
                repaint();
            }
        })?;
        Ok(Self { shared, answers, taken: 0 })
    }

    /// Puts a request into the mailbox, in place of one that is not yet begun. Returns its number, from 1.
    pub fn ask(&self, request: Q) -> u64 {
        let mut slot = self.shared.lock();
        let number = self.shared.asked.load(Ordering::Relaxed) + 1;
        self.shared.asked.store(number, Ordering::Release);
        slot.request = Some((number, request));
        self.shared.wake.notify_one();
        number
    }

    /// Withdraws a request that is not yet begun, and tells a running one that it is no longer wanted.
    pub fn withdraw(&self) {
        let mut slot = self.shared.lock();
        slot.request = None;
        let number = self.shared.asked.load(Ordering::Relaxed) + 1;
        self.shared.asked.store(number, Ordering::Release);
        self.shared.finished.fetch_max(number, Ordering::AcqRel);
    }

    /// The newest answer that came in since the last call; older ones are dropped.
    pub fn newest(&mut self) -> Option<A> {
        self.drain().pop()
    }

    /// All answers that came in since the last call, oldest first, without those older than one already taken.
    pub fn drain(&mut self) -> Vec<A> {
        let mut fresh = Vec::new();
        while let Ok((number, answer)) = self.answers.try_recv() {
            if number >= self.taken {
                self.taken = number;
                fresh.push(answer);
            }
        }
        fresh
    }

    /// Whether a request waits or is being worked on.
    pub fn is_busy(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire) < self.shared.asked.load(Ordering::Acquire)
    }

    /// How often the work panicked, for a notice to the user.
    pub fn panics(&self) -> u64 {
        self.shared.panics.load(Ordering::Relaxed)
    }
}

impl<Q> Shared<Q> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Slot<Q>> {
        // Nothing that can panic runs under the lock.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until there is a request; `None` once the window let go of the worker.
    fn next(&self) -> Option<(u64, Q)> {
        let mut slot = self.lock();
        loop {
            if slot.closed {
                return None;
            }
            if let Some(request) = slot.request.take() {
                return Some(request);
            }
            slot = self.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<Q, A> Drop for Worker<Q, A> {
    fn drop(&mut self) {
        let mut slot = self.shared.lock();
        slot.closed = true;
        // Whatever runs is no longer wanted.
        self.shared.asked.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn until(mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(20), "the worker did not answer");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_newest_request_replaces_those_not_yet_begun() {
        let (begun, is_begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let mut worker = Worker::spawn(
            "test",
            || (),
            move |n: u32, desk: &Desk<'_, u32>| {
                begun.send(n).unwrap();
                may_go.recv().unwrap();
                desk.answer(n);
            },
        )
        .unwrap();
        worker.ask(1);
        assert_eq!(is_begun.recv().unwrap(), 1);
        for n in 2..=9 {
            worker.ask(n);
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        let mut seen = Vec::new();
        until(|| {
            seen.extend(worker.drain());
            !worker.is_busy()
        });
        seen.extend(worker.drain());
        assert_eq!(seen, [1, 9]);
    }

    #[test]
    fn a_panic_is_counted_and_the_next_request_is_served() {
        let mut worker = Worker::spawn(
            "test",
            || (),
            |n: u32, desk: &Desk<'_, u32>| {
                assert!(n > 0, "a request that cannot be served (this message belongs to the test)");
                desk.answer(n);
            },
        )
        .unwrap();
        worker.ask(0);
        until(|| !worker.is_busy());
        assert_eq!((worker.newest(), worker.panics()), (None, 1));
        worker.ask(5);
        until(|| !worker.is_busy());
        assert_eq!(worker.newest(), Some(5));
    }

    #[test]
    fn long_work_learns_that_it_is_superseded() {
        let worker = Worker::spawn(
            "test",
            || (),
            |(): (), desk: &Desk<'_, ()>| {
                until(|| desk.superseded());
            },
        )
        .unwrap();
        worker.ask(());
        thread::sleep(Duration::from_millis(5));
        worker.withdraw();
        until(|| !worker.is_busy());
    }
}
