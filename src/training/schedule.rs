//! Growth over time: which side, how far faded, which minibatch, after how many real images.

use super::spec::{Level, RunSpec, Schedule};
use crate::generator::network::Growth;

/// Steps from one reading of the schedule to the next (DuMont Schütte 2021).
pub const STEPS_PER_READING: u64 = 4;

/// What `rate` images per second at side `from` become at side `to`, if every doubling of the side divides the rate by 3.
pub fn pace_at(rate: f64, from: usize, to: usize) -> f64 {
    let doublings = |side: usize| side.max(1).ilog2() as i32;
    rate * 3f64.powi(doublings(from) - doublings(to))
}

impl Schedule {
    /// The level in use and its growth after `shown` real images.
    ///
    /// During a fade the level is already the new one.
    pub fn at(&self, shown: u64) -> (Level, Growth) {
        let mut left = shown as f64 / 1000.0;
        let last = self.levels.len() - 1;
        for (i, &level) in self.levels.iter().enumerate() {
            if i > 0 && left < level.fade_kimg {
                return (level, Growth { side: level.side, fade: 1.0 - left / level.fade_kimg });
            }
            left -= if i > 0 { level.fade_kimg } else { 0.0 };
            if i == last || left < level.stable_kimg {
                return (level, Growth { side: level.side, fade: 0.0 });
            }
            left -= level.stable_kimg;
        }
        unreachable!("the last level has no end")
    }

    /// Seconds left after `shown` images at `rate` images per second now, by the rule of [`pace_at`].
    pub fn seconds_left(&self, shown: u64, rate: f64) -> f64 {
        let (total, now) = (self.total() as f64, self.at(shown).0.side);
        let (mut begins, mut seconds) = (0.0, 0.0);
        for (i, level) in self.levels.iter().enumerate() {
            let fade = if i > 0 { level.fade_kimg } else { 0.0 };
            let own = 1000.0 * (fade + level.stable_kimg);
            let ends = if i + 1 == self.levels.len() { total } else { (begins + own).min(total) };
            let images = (ends - f64::max(begins, shown as f64)).max(0.0);
            seconds += images / pace_at(rate, now, level.side);
            begins = ends;
        }
        seconds
    }

    /// Seconds of the whole run where the last side trains at `rate` images per second, by the same rule.
    pub fn seconds_at(&self, rate: f64) -> f64 {
        let (first, last) = (self.levels[0].side, self.levels[self.levels.len() - 1].side);
        self.seconds_left(0, pace_at(rate, last, first))
    }

    /// Real images over the whole run.
    pub fn total(&self) -> u64 {
        (self.total_kimg * 1000.0).round() as u64
    }
}

/// Level of detail as published: `log2(resolution / side) + fade`.
fn lod(growth: Growth) -> f64 {
    growth.fade - growth.side.ilog2() as f64
}

/// Whether Adam starts anew between these two: where the floor or the ceiling of the level of detail changes.
pub fn resets_adam(before: Growth, now: Growth) -> bool {
    let (a, b) = (lod(before), lod(now));
    a.floor() != b.floor() || a.ceil() != b.ceil()
}

/// Learning rate after `shown` real images.
pub fn rate(spec: &RunSpec, shown: u64) -> f64 {
    let adam = spec.optimiser;
    let done = shown as f64 / spec.schedule.total() as f64;
    let settled = if adam.settle > 0.0 { ((done - (1.0 - adam.settle)) / adam.settle).clamp(0.0, 1.0) } else { 0.0 };
    let raised = spec.anchor.map_or(1.0, |anchor| match (anchor.rate, shown as f64 / (anchor.alone_kimg * 1000.0)) {
        (Some(rate), part) if part < 1.0 => (rate / adam.rate).powf((2.0 - 2.0 * part).min(1.0)),
        _ => 1.0,
    });
    adam.rate * 0.1f64.powf(settled) * raised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::presets::preset;
    use crate::training::spec::Anchor;

    #[test]
    fn the_rate_against_the_anchor_alone_falls_to_the_optimisers() {
        let mut spec = preset("small-32", Family::CpdGan).unwrap();
        (spec.optimiser.rate, spec.optimiser.settle, spec.schedule.total_kimg) = (0.001, 0.0, 40.0);
        spec.anchor =
            Some(Anchor { alone_kimg: 10.0, weight: 1.0, findings: 0.0, findings_later: None, rate: Some(0.1) });
        for (shown, expected) in [(0, 0.1), (5000, 0.1), (7500, 0.01), (10_000, 0.001), (20_000, 0.001)] {
            assert!((rate(&spec, shown) / expected - 1.0).abs() < 1e-9, "after {shown}: {}", rate(&spec, shown));
        }
        spec.anchor.as_mut().unwrap().alone_kimg = 0.0;
        assert_eq!(rate(&spec, 0), 0.001);
    }

    #[test]
    fn the_paper_schedule_grows_as_its_table_says() {
        // DuMont Schütte 2021: 1400 kimg stable and fade per level from 8 px; 32 px fully reached at 5600.
        let schedule = preset("paper-32", Family::ProgGan).unwrap().schedule;
        let at = |kimg: u64| {
            let (level, growth) = schedule.at(kimg * 1000);
            (growth.side, growth.fade, level.batch)
        };
        assert_eq!(at(0), (8, 0.0, 256));
        assert_eq!(at(1399), (8, 0.0, 256));
        assert_eq!(at(1400), (16, 1.0, 128));
        assert_eq!(at(2100), (16, 0.5, 128));
        assert_eq!(at(2800), (16, 0.0, 128));
        assert_eq!(at(4200), (32, 1.0, 64));
        assert_eq!(at(5600), (32, 0.0, 64));
        assert_eq!(at(12_000), (32, 0.0, 64));
        for (name, full) in [("paper-64", 6000), ("paper-128", 8000)] {
            let schedule = preset(name, Family::ProgGan).unwrap().schedule;
            assert!(schedule.at(full * 1000 - 1).1.fade > 0.0);
            assert_eq!(schedule.at(full * 1000).1.fade, 0.0);
        }
    }

    #[test]
    fn the_whole_paper_schedule_has_the_computed_number_of_steps() {
        // Facts, §3: about 149 k, 332 k and 676 k critic steps.
        for (name, steps) in [("paper-32", 149), ("paper-64", 332), ("paper-128", 676)] {
            let schedule = preset(name, Family::ProgGan).unwrap().schedule;
            let (mut shown, mut counted) = (0u64, 0u64);
            while shown < schedule.total() {
                shown += STEPS_PER_READING * schedule.at(shown).0.batch as u64;
                counted += STEPS_PER_READING;
            }
            assert!(counted.abs_diff(steps * 1000) <= 1000, "{name}: {counted}");
        }
    }

    #[test]
    fn time_left_counts_what_is_still_to_be_shown_at_each_side() {
        // paper-32 at 2800 kimg: 1400 left at 16 px, 7800 at 32 px, which cost three times as much each.
        let schedule = preset("paper-32", Family::ProgGan).unwrap().schedule;
        let seconds = schedule.seconds_left(2_800_000, 1000.0);
        assert!((seconds - (1400.0 + 3.0 * 7800.0)).abs() < 1e-6, "{seconds}");
        assert_eq!(schedule.seconds_left(12_000_000, 1000.0), 0.0);
    }

    #[test]
    fn adam_starts_anew_where_a_fade_begins_and_ends() {
        let growth = |side, fade| Growth { side, fade };
        assert!(!resets_adam(growth(8, 0.0), growth(8, 0.0)));
        assert!(resets_adam(growth(8, 0.0), growth(16, 0.99)));
        assert!(!resets_adam(growth(16, 0.99), growth(16, 0.5)));
        assert!(resets_adam(growth(16, 0.01), growth(16, 0.0)));
    }
}
