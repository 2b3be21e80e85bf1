//! One finding of a curve at a point, over its seeds.

use super::Value;
use crate::benchmark::folder::FindingTest;
use crate::stats::{self, Bounds};

/// One finding over the seeds of a curve at a point: means, each absent where it is not defined at every seed.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingMean {
    /// Test films that have it.
    pub positives: usize,
    /// AUROC.
    pub auroc: Option<f64>,
    /// 95 % interval of it: the half-widths by `DeLong` of the seeds, averaged, about their mean.
    pub interval: Option<Bounds>,
    /// AUROC of each seed; empty where one has none.
    pub seeds: Vec<f64>,
    /// Interval of the ratio of its AUROC to that of the real films, where the result holds one.
    pub ratio_interval: Option<Bounds>,
    /// Each seed's probability by the paired test of `DeLong` against the real films; a mean of them would be none.
    pub against_real: Vec<Option<f64>>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Sensitivity.
    pub sensitivity: Option<f64>,
    /// Specificity.
    pub specificity: Option<f64>,
    /// F1.
    pub f1: Option<f64>,
}

impl Value {
    /// A finding over the seeds; `None` where it was not tested.
    pub fn finding(&self, name: &str) -> Option<FindingMean> {
        let tested = |tests: &[FindingTest]| tests.iter().position(|test| test.finding == name);
        let place = tested(&self.seeds.first()?.result.findings)?;
        let tests: Vec<&FindingTest> =
            self.seeds.iter().map(|seed| seed.result.findings.get(place)).collect::<Option<_>>()?;
        let each = |of: fn(&FindingTest) -> Option<f64>| tests.iter().map(|test| of(test)).collect::<Option<Vec<_>>>();
        let mean = |of| each(of).as_deref().and_then(stats::mean);
        let seeds = each(|test| test.auroc).unwrap_or_default();
        let auroc = stats::mean(&seeds);
        let half = mean(|test| test.interval.map(|bounds| 0.5 * (bounds.high - bounds.low)));
        let about = |(mean, half): (f64, f64)| Bounds { low: (mean - half).max(0.0), high: (mean + half).min(1.0) };
        let relative = self.relative.as_ref();
        Some(FindingMean {
            positives: tests[0].positives,
            auroc,
            interval: auroc.zip(half).map(about),
            seeds,
            ratio_interval: relative.and_then(|relative| relative.findings.get(place).copied().flatten()),
            against_real: self.seeds.iter().map(|seed| seed.against_real.get(place).copied().flatten()).collect(),
            brier: mean(|test| test.brier),
            calibration_error: mean(|test| test.calibration_error),
            sensitivity: mean(|test| test.sensitivity),
            specificity: mean(|test| test.specificity),
            f1: mean(|test| test.f1),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::benchmark::result::example;
    use crate::stats::Bounds;

    #[test]
    fn a_finding_is_averaged_over_the_seeds_and_is_absent_where_one_seed_has_it_not() {
        let mut value = example::result().points[0].values[1].clone();
        for (seed, auroc) in value.seeds.iter_mut().zip([0.7, 0.8, 0.9]) {
            seed.result.findings[1].auroc = Some(auroc);
            seed.result.findings[1].interval = Some(Bounds { low: auroc - 0.06, high: auroc + 0.06 });
        }
        let mass = value.finding("Mass").unwrap();
        assert!((mass.auroc.unwrap() - 0.8).abs() < 1e-12 && mass.seeds.len() == 3);
        assert!((mass.interval.unwrap().low - 0.74).abs() < 1e-12);
        assert_eq!((mass.against_real, mass.ratio_interval), (vec![None; 3], None));
        assert_eq!(value.finding("Edema").unwrap().against_real, [Some(0.2); 3]);
        value.seeds[1].result.findings[1].auroc = None;
        let mass = value.finding("Mass").unwrap();
        assert_eq!((mass.auroc, mass.interval, mass.seeds.len()), (None, None, 0));
        assert!(mass.brier.is_some() && value.finding("Hernia").is_none());
    }
}
