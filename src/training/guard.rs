//! When losses run away: how long that is borne, and what is done then.

use super::spec::{Guard, Then};
use super::state::{Course, StepFigures};

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    GoOn,
    /// Go back to the last good checkpoint and lower the rate.
    RollBack,
    /// End the run.
    Stop,
}

/// Counts a step that was skipped or ran away, and says what to do.
pub fn judge(course: &mut Course, guard: &Guard, figures: &StepFigures) -> Verdict {
    let away = |loss: f32| !loss.is_finite() || f64::from(loss.abs()) > guard.loss;
    if !(figures.skipped || away(figures.critic_loss) || away(figures.generator_loss)) {
        course.trouble = 0;
        return Verdict::GoOn;
    }
    course.trouble += 1;
    if course.trouble < guard.steps {
        return Verdict::GoOn;
    }
    match guard.then {
        Then::RollBack if course.rolled_back < guard.most => Verdict::RollBack,
        Then::RollBack | Then::Stop => Verdict::Stop,
    }
}

/// Why the run ended, and what may help.
pub fn sentence(course: &Course, guard: &Guard) -> String {
    let returns = match course.rolled_back {
        0 => String::new(),
        1 => ", although it went back to a checkpoint once and lowered the rate".to_owned(),
        n => format!(", although it went back to a checkpoint {n} times and lowered the rate"),
    };
    format!(
        "the losses ran away: {} steps in a row were skipped or exceeded {:e}{returns}; lower optimiser.rate in run.toml \
         and resume",
        guard.steps, guard.loss,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(loss: f32, skipped: bool) -> StepFigures {
        StepFigures {
            critic_loss: loss,
            generator_loss: 0.0,
            real_score: 0.0,
            fake_score: 0.0,
            penalty: None,
            gradients: None,
            skipped,
            alone: false,
        }
    }

    #[test]
    fn trouble_counts_in_a_row_and_returns_are_limited() {
        let guard = Guard { steps: 2, loss: 10.0, then: Then::RollBack, rate: 0.5, most: 1 };
        let mut course = Course::default();
        let mut after = |loss, skipped| judge(&mut course, &guard, &figures(loss, skipped));
        assert_eq!(after(-11.0, false), Verdict::GoOn);
        assert_eq!(after(9.0, false), Verdict::GoOn);
        assert_eq!(after(0.0, true), Verdict::GoOn);
        assert_eq!(after(f32::NAN, false), Verdict::RollBack);
        course = Course { rolled_back: 1, ..Course::default() };
        assert_eq!(judge(&mut course, &guard, &figures(11.0, false)), Verdict::GoOn);
        assert_eq!(judge(&mut course, &guard, &figures(11.0, false)), Verdict::Stop);
        assert!(sentence(&course, &guard).contains("once"));
        let stop = Guard { then: Then::Stop, steps: 1, ..guard };
        assert_eq!(judge(&mut Course::default(), &stop, &figures(0.0, true)), Verdict::Stop);
        assert_eq!([0, 2].map(|returns| guard.lowered(returns)), [1.0, 0.25]);
    }
}
