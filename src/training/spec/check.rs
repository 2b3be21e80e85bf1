//! Whether a run can be what its spec says: every number, before anything is done with it.

use super::{Average, Loss, RunSpec, Schedule};
use crate::generator::Family;

impl RunSpec {
    /// Checks every number before anything is done with it.
    ///
    /// # Errors
    /// A sentence that says which number is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let check = |ok: bool, text: &str| if ok { Ok(()) } else { Err(text.to_owned()) };
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let weight = |v: f64| v.is_finite() && v >= 0.0;
        self.architecture(1).validate()?;
        let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
        check(
            !self.name.trim().is_empty() && self.name.len() <= 64 && self.name.chars().all(plain),
            "name must be 1 to 64 letters, digits, spaces, dots, hyphens or underscores",
        )?;
        match self.loss {
            Loss::WganGp { penalty, drift } => {
                check(weight(penalty) && weight(drift), "loss weights must not be negative")?;
            }
            Loss::R1 { gamma, every, label_weight } => {
                check(weight(gamma) && weight(label_weight), "loss weights must not be negative")?;
                check((1..=1000).contains(&every), "loss.every must be 1 to 1000 steps")?;
            }
        }
        let Schedule { total_kimg, levels } = &self.schedule;
        check(positive(*total_kimg) && *total_kimg <= 1e7, "schedule.total_kimg must be above 0")?;
        let sides: Vec<usize> = levels.iter().map(|level| level.side).collect();
        check(
            sides.last() == Some(&self.network.resolution)
                && sides.windows(2).all(|pair| pair[0].checked_mul(2) == Some(pair[1]))
                && sides.first().is_some_and(|&side| side >= 4 && side.is_power_of_two()),
            "schedule.levels must double from one side to the next and end at network.resolution",
        )?;
        check(
            self.network.family == Family::ProgGan || levels.len() == 1,
            "cpd_gan does not grow: give one level, at network.resolution",
        )?;
        for level in levels {
            check(
                (1..=4096).contains(&level.batch) && (level.batch < 4 || level.batch.is_multiple_of(4)),
                "batch must be a multiple of 4 (the critic compares images in fours), at most 4096",
            )?;
            check(
                weight(level.fade_kimg) && weight(level.stable_kimg),
                "fade_kimg and stable_kimg must not be negative",
            )?;
        }
        let adam = self.optimiser;
        check(positive(adam.rate) && positive(adam.epsilon), "optimiser.rate and epsilon must be above 0")?;
        check((0.0..1.0).contains(&adam.beta1) && (0.0..1.0).contains(&adam.beta2), "betas must be 0 up to below 1")?;
        check((0.0..=1.0).contains(&adam.settle), "optimiser.settle must be 0 to 1")?;
        check(adam.below.is_none_or(|share| (0.0..=1.0).contains(&share)), "optimiser.below must be 0 to 1")?;
        check(
            adam.below.is_none() || self.start_from.is_some(),
            "optimiser.below is for a run that starts from a smaller network: give start_from, or leave it out",
        )?;
        match self.average {
            Average::PerStep { decay } => check((0.0..1.0).contains(&decay), "average.decay must be 0 up to below 1")?,
            Average::HalfLife { kimg } => check(positive(kimg), "average.kimg must be above 0")?,
        }
        if let Some(anchor) = self.anchor {
            check(
                [anchor.alone_kimg, anchor.weight, anchor.findings, anchor.later()].into_iter().all(weight),
                "anchor.alone_kimg, weight, findings and findings_later must not be negative",
            )?;
            check(anchor.rate.is_none_or(positive), "anchor.rate must be above 0")?;
        }
        check((16..=100_000).contains(&self.quality.count), "quality.count must be 16 to 100,000")?;
        if let Some(stop) = self.quality.stop {
            check(weight(stop.from_kimg) && stop.patience >= 1, "quality.stop needs a patience of at least 1")?;
            check(self.record.quality_kimg > 0.0, "quality.stop needs record.quality_kimg above 0")?;
        }
        let guard = self.guard;
        check(guard.steps >= 1 && guard.loss > 0.0, "guard.steps must be at least 1 and guard.loss above 0")?;
        check(guard.rate > 0.0 && guard.rate <= 1.0, "guard.rate must be above 0 and at most 1")?;
        check(
            self.micro_batch.is_none_or(|most| (4..=4096).contains(&most)),
            "micro_batch must be at least 4 (the critic compares images in fours)",
        )?;
        let record = self.record;
        check(weight(record.quality_kimg), "record.quality_kimg must not be negative")?;
        check(
            positive(record.sample_kimg) && positive(record.checkpoint_kimg) && record.keep >= 1,
            "record.sample_kimg and checkpoint_kimg must be above 0, keep at least 1",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::presets;
    use crate::training::spec::StopRule;

    #[test]
    fn impossible_specs_are_refused_with_a_reason() {
        let good = presets::preset("small-64", Family::ProgGan).unwrap();
        let refused = |change: fn(&mut RunSpec)| {
            let mut spec = good.clone();
            change(&mut spec);
            RunSpec::parse(&spec.to_toml()).unwrap_err()
        };
        assert!(refused(|s| s.schedule.levels[0].batch = 6).contains("multiple of 4"));
        assert!(refused(|s| s.schedule.levels.clear()).contains("levels"));
        assert!(refused(|s| s.network.family = Family::CpdGan).contains("does not grow"));
        assert!(refused(|s| s.network.resolution = 48).contains("power of two"));
        assert!(refused(|s| s.optimiser.rate = f64::NAN).contains("rate"));
        assert!(refused(|s| s.optimiser.below = Some(0.1)).contains("give start_from"));
        assert!(refused(|s| s.schedule.total_kimg = 0.0).contains("total_kimg"));
        assert!(refused(|s| s.micro_batch = Some(2)).contains("fours"));
        assert!(refused(|s| s.guard.rate = 2.0).contains("guard.rate"));
        assert!(refused(|s| s.quality.count = 1).contains("quality.count"));
        let stop = Some(StopRule { from_kimg: 0.0, patience: 2 });
        let mut spec = good.clone();
        (spec.quality.stop, spec.record.quality_kimg) = (stop, 0.0);
        assert!(spec.validate().unwrap_err().contains("quality_kimg"));
        assert!(refused(|s| s.name = "../x".to_owned()).contains("name"));
        assert!(RunSpec::parse("name = 3").unwrap_err().contains("not a run spec"));
        let unknown = good.to_toml().replace("seed = ", "sead = 1\nseed = ");
        assert!(RunSpec::parse(&unknown).unwrap_err().contains("sead"));
    }
}
