//! Everything that a run's log has told so far, in the order of training: what a resumed run did again is told once.

use std::fmt;
use std::path::PathBuf;

use crate::desktop::widgets::grouped;
use crate::training::events::{Event, Figures, Quality};

/// A file that a run wrote at some step: a sample grid or a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Critic steps behind it.
    pub step: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// The file, relative to the run folder.
    pub file: PathBuf,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Real images shown when it was told, in thousands.
    pub kimg: f64,
    /// A sentence.
    pub text: String,
}

/// What a quality figure rests on; figures that rest on something else are not comparable with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis<'a> {
    /// Samples, and as many reals, that were compared.
    pub count: usize,
    /// Name of the encoder whose features were compared.
    pub encoder: &'a str,
}

impl fmt::Display for Basis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "N = {}, {}", grouped(self.count as u64), self.encoder)
    }
}

impl<'a> From<&'a Quality> for Basis<'a> {
    fn from(quality: &'a Quality) -> Self {
        Self { count: quality.count, encoder: &quality.encoder }
    }
}

impl Basis<'_> {
    /// The newest of a run's bases, with the earlier ones behind it; nothing where there is none.
    pub fn in_words(bases: &[Self]) -> Option<String> {
        let (newest, earlier) = bases.split_first()?;
        let earlier: Vec<String> = earlier.iter().map(Self::to_string).collect();
        let behind = if earlier.is_empty() { String::new() } else { format!(" (earlier {})", earlier.join("; ")) };
        Some(format!("{newest}{behind}"))
    }
}

/// The log of one run, sorted by what it tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Losses, speed and the like.
    pub figures: Vec<Figures>,
    /// Measures of quality.
    pub qualities: Vec<Quality>,
    /// Sample grids, the same latents at every stage.
    pub samples: Vec<Stage>,
    /// Checkpoints that were written; older ones may be gone.
    pub checkpoints: Vec<Stage>,
    /// What a person should know, each sentence once, where it was told last.
    pub notices: Vec<Notice>,
    /// Real images shown at the last event, in thousands.
    pub reached: f64,
}

impl History {
    /// Takes in the next event of the log.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Step(Figures { kimg, .. })
            | Event::Quality(Quality { kimg, .. })
            | Event::Sample { kimg, .. }
            | Event::Checkpoint { kimg, .. } => self.reached = *kimg,
            Event::Started { .. } | Event::Notice { .. } | Event::Ended { .. } => {}
        }
        match event {
            Event::Started { step, .. } => self.go_back_to(*step),
            Event::Step(figures) => self.figures.push(figures.clone()),
            Event::Quality(quality) => self.qualities.push(quality.clone()),
            Event::Sample { step, kimg, file } => {
                // At a pause and at the resumption after it, the same grid may be told of twice.
                self.samples.retain(|stage| stage.step != *step);
                self.samples.push(Stage { step: *step, kimg: *kimg, file: file.clone() });
            }
            Event::Checkpoint { step, kimg, file } => {
                self.checkpoints.retain(|stage| stage.step != *step);
                self.checkpoints.push(Stage { step: *step, kimg: *kimg, file: file.clone() });
            }
            Event::Notice { text } => {
                self.notices.retain(|notice| notice.text != *text);
                self.notices.push(Notice { kimg: self.reached, text: text.clone() });
            }
            Event::Ended { .. } => {}
        }
    }

    /// Forgets what was told of steps after `step`: a resumed run takes them again.
    fn go_back_to(&mut self, step: u64) {
        self.figures.retain(|figures| figures.step <= step);
        self.qualities.retain(|quality| quality.step <= step);
        self.samples.retain(|stage| stage.step <= step);
        self.checkpoints.retain(|stage| stage.step <= step);
        let figures = self.figures.iter().map(|figures| figures.kimg);
        let stages = self.samples.iter().chain(&self.checkpoints).map(|stage| stage.kimg);
        self.reached = figures.chain(stages).fold(0.0, f64::max);
    }

    /// What the first encoder's quality figures of `step` rest on.
    pub fn basis_at(&self, step: u64) -> Option<Basis<'_>> {
        self.qualities.iter().find(|quality| quality.step == step && !quality.second).map(Basis::from)
    }

    /// What the first encoder's quality figures rest on, or the `second`'s, each basis once, the newest first.
    pub fn bases(&self, second: bool) -> Vec<Basis<'_>> {
        let mut bases = Vec::new();
        for quality in self.qualities.iter().rev().filter(|quality| quality.second == second) {
            let basis = Basis::from(quality);
            if !bases.contains(&basis) {
                bases.push(basis);
            }
        }
        bases
    }

    /// The checkpoint at or before `step`.
    pub fn checkpoint_at(&self, step: u64) -> Option<&Stage> {
        self.checkpoints.iter().filter(|stage| stage.step <= step).max_by_key(|stage| stage.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_a_resumed_run_takes_again_are_told_once() {
        let mut history = History::default();
        let figures = |step| Event::Step(Figures { step, ..Figures::default() });
        let sample = |step| Event::Sample { step, kimg: 0.0, file: PathBuf::from(format!("{step}.png")) };
        let start = |step| Event::Started { step, unix_seconds: 0, device: "CPU".to_owned() };
        for event in [start(0), sample(0), figures(10), figures(20), sample(20), start(10), figures(15), sample(20)] {
            history.hear(&event);
        }
        let steps: Vec<u64> = history.figures.iter().map(|figures| figures.step).collect();
        assert_eq!(steps, [10, 15]);
        let stages: Vec<u64> = history.samples.iter().map(|stage| stage.step).collect();
        assert_eq!(stages, [0, 20]);
        assert_eq!(history.checkpoint_at(30), None);
    }

    #[test]
    fn a_notice_stands_where_it_was_told_last() {
        let mut history = History::default();
        let figures = |step, kimg| Event::Step(Figures { step, kimg, ..Figures::default() });
        let notice = |text: &str| Event::Notice { text: text.to_owned() };
        let start = |step| Event::Started { step, unix_seconds: 0, device: "CPU".to_owned() };
        let before = [notice("no encoder"), start(0), figures(10, 1.0), figures(20, 2.0), notice("memory is full")];
        let resumed = [notice("a checkpoint is damaged"), start(10), notice("no encoder")];
        for event in before.into_iter().chain(resumed) {
            history.hear(&event);
        }
        let told: Vec<(f64, &str)> = history.notices.iter().map(|notice| (notice.kimg, notice.text.as_str())).collect();
        assert_eq!(told, [(2.0, "memory is full"), (2.0, "a checkpoint is damaged"), (1.0, "no encoder")]);
    }

    #[test]
    fn the_newest_basis_of_quality_comes_first_and_earlier_ones_are_told() {
        let mut history = History::default();
        assert_eq!(Basis::in_words(&history.bases(false)), None);
        for (count, encoder) in [(500, "small"), (1000, "small"), (1000, "small")] {
            let step = count as u64;
            history.qualities.push(Quality { step, count, encoder: encoder.to_owned(), ..Quality::default() });
            let encoder = "photographs".to_owned();
            history.qualities.push(Quality { step, count, encoder, second: true, ..Quality::default() });
        }
        let bases = history.bases(false);
        assert_eq!(bases[0].to_string(), "N = 1\u{a0}000, small");
        assert_eq!(Basis::in_words(&bases[..1]).as_deref(), Some("N = 1\u{a0}000, small"));
        assert_eq!(Basis::in_words(&bases).as_deref(), Some("N = 1\u{a0}000, small (earlier N = 500, small)"));
        // The second encoder's stand by themselves, and the best checkpoint is the first's.
        assert_eq!(history.bases(true)[0].to_string(), "N = 1\u{a0}000, photographs");
        assert_eq!(history.basis_at(500).unwrap().encoder, "small");
    }
}
