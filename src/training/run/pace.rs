//! The figures that a run writes every few seconds.

use std::time::{Duration, Instant};

use super::kimg;
use crate::compute::{device, memory};
use crate::training::events::{Event, Figures};
use crate::training::spec::RunSpec;
use crate::training::state::{State, StepFigures};

/// Time from one line of figures to the next.
const FIGURES_EVERY: Duration = Duration::from_secs(2);

/// Measures speed between two lines of figures.
pub(super) struct Pace {
    since: Instant,
    shown: u64,
    penalty: f32,
}

impl Pace {
    pub(super) fn new(shown: u64) -> Self {
        Self { since: Instant::now(), shown, penalty: 0.0 }
    }

    /// Whether the next step's line of figures is due.
    pub(super) fn is_due(&self) -> bool {
        self.since.elapsed() >= FIGURES_EVERY
    }

    /// A line of figures, where one is due.
    pub(super) fn figures(&mut self, state: &State, spec: &RunSpec, step: StepFigures) -> Option<Event> {
        self.penalty = step.penalty.unwrap_or(self.penalty);
        // Decided before the step, so that the step could measure its gradients.
        if !state.measure_gradients {
            return None;
        }
        let position = state.position;
        let rate = (position.shown - self.shown) as f64 / self.since.elapsed().as_secs_f64();
        let growth = state.growth(spec);
        let on_device = device::memory_of(&state.device);
        let figures = Figures {
            step: position.step,
            kimg: kimg(state),
            side: growth.side,
            fade: growth.fade,
            critic_loss: step.critic_loss,
            generator_loss: step.generator_loss,
            real_score: step.real_score,
            fake_score: step.fake_score,
            penalty: self.penalty,
            skipped: state.skipped(),
            images_per_second: rate,
            seconds_left: spec.schedule.seconds_left(position.shown, rate),
            critic_gradient: step.gradients.map_or(0.0, |[critic, _]| critic),
            generator_gradient: step.gradients.map_or(0.0, |[_, generator]| generator),
            memory_bytes: memory::held(),
            device_memory_bytes: on_device.map(|memory| memory.used),
            device_memory_total_bytes: on_device.map(|memory| memory.total),
            alone: step.alone,
        };
        *self = Self { since: Instant::now(), shown: position.shown, penalty: self.penalty };
        Some(Event::Step(figures))
    }
}
