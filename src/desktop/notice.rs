//! Short messages over the light box: what was done, or what went wrong and what helps.

use std::time::{Duration, Instant};

/// How long a message that needs no answer stays.
const STAYS: Duration = Duration::from_secs(6);
/// Most messages at once; older ones give way.
const MOST: usize = 4;

/// One message.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Whether something went wrong; such a message stays until it is dismissed.
    pub failed: bool,
    since: Instant,
}

/// The messages now on screen, oldest first.
#[derive(Debug, Default)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// Says that something was done.
    pub fn say(&mut self, text: impl Into<String>) {
        self.push(text.into(), false);
    }

    /// Says that something went wrong.
    pub fn fail(&mut self, text: impl Into<String>) {
        self.push(text.into(), true);
    }

    fn push(&mut self, text: String, failed: bool) {
        self.0.retain(|notice| notice.text != text);
        self.0.push(Notice { text, failed, since: Instant::now() });
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Forgets messages that have been on screen long enough; tells when the next one will have been.
    pub fn expire(&mut self) -> Option<Duration> {
        self.0.retain(|notice| notice.failed || notice.since.elapsed() < STAYS);
        self.0.iter().filter(|n| !n.failed).map(|n| STAYS.saturating_sub(n.since.elapsed())).min()
    }

    /// The messages, oldest first.
    pub fn all(&self) -> &[Notice] {
        &self.0
    }

    /// Takes a message away.
    pub fn dismiss(&mut self, index: usize) {
        if index < self.0.len() {
            self.0.remove(index);
        }
    }

    /// Takes all failures away, when what failed was tried again.
    pub fn clear_failures(&mut self) {
        self.0.retain(|notice| !notice.failed);
    }
}
