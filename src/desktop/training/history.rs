//! Everything that a run's log has told so far, in the order of training: what a resumed run did again is told once.

use std::path::PathBuf;

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
    /// What a person should know.
    pub notices: Vec<String>,
}

impl History {
    /// Takes in the next event of the log.
    pub fn hear(&mut self, event: &Event) {
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
            Event::Notice { text } => self.notices.push(text.clone()),
            Event::Ended { .. } => {}
        }
    }

    /// Forgets what was told of steps after `step`: a resumed run takes them again.
    fn go_back_to(&mut self, step: u64) {
        self.figures.retain(|figures| figures.step <= step);
        self.qualities.retain(|quality| quality.step <= step);
        self.samples.retain(|stage| stage.step <= step);
        self.checkpoints.retain(|stage| stage.step <= step);
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
}
