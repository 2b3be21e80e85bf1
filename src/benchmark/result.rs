//! The aggregated result: what the curves, tables and reports are made from. It holds no time and no path, so that the
//! same sweep gives the same bytes however often it was stopped and on whichever machine of one kind.

mod aggregate;
mod finding;

use serde::{Deserialize, Serialize};

pub use aggregate::aggregate;
pub use finding::FindingMean;

use super::folder::TestResult;
use crate::stats::Bounds;

/// The layout this program writes.
pub const FORMAT: u32 = 1;

/// Bootstrap draws behind each interval.
pub const RESAMPLES: usize = 1000;

/// Everything a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Name of the sweep.
    pub name: String,
    /// `classes`, `samples`, `resolution` or `mix`.
    pub factor: String,
    /// The cohort.
    pub cohort: Cohort,
    /// Classifier in a line.
    pub classifier: String,
    /// Each curve: `real`, then the generators.
    pub curves: Vec<Curve>,
    /// Whether the published code's faults are kept.
    pub as_published: bool,
    /// Number of repeats.
    pub seeds: usize,
    /// Points in the order of the spec.
    pub points: Vec<Point>,
    /// What it says and does not say, in sentences.
    pub sentences: Vec<String>,
    /// Version of the program that trained and judged.
    pub software: String,
    /// SHA-256 of the spec.
    pub spec: String,
}

/// So many seeds, in words.
pub fn seeds(count: usize) -> String {
    if count == 1 { "1 seed".to_owned() } else { format!("{count} seeds") }
}

impl SweepResult {
    /// Cohort and name, the cohort once where the name holds it.
    pub fn title(&self) -> String {
        let (cohort, name) = (&self.cohort.name, &self.name);
        if name.contains(cohort.as_str()) { name.clone() } else { format!("{cohort}, {name}") }
    }

    /// Whether samples are added to the real films, and not put in their place.
    pub fn is_mix(&self) -> bool {
        self.factor == "mix"
    }

    /// Findings of all points, each once.
    pub fn findings(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for finding in self.points.iter().flat_map(|point| &point.findings) {
            if !names.contains(&finding.as_str()) {
                names.push(finding);
            }
        }
        names
    }

    /// What the curves of a point are compared with: its own classifiers of real films; in a mix, those of the point without
    /// samples.
    pub fn real<'a>(&'a self, point: &'a Point) -> Option<&'a Value> {
        let own = |point: &'a Point| point.values.iter().find(|value| value.curve == 0);
        own(point).or_else(|| self.points.iter().filter(|_| self.is_mix()).find_map(own))
    }
}

/// The cohort of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub identity: String,
    /// Whether it holds phantoms.
    pub phantom: bool,
    /// Films in all.
    pub films: usize,
    /// Patients in all.
    pub patients: usize,
    /// Licence of the films.
    pub licence: String,
    /// Whom to cite.
    pub citation: String,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// `real`, or the generator's name.
    pub name: String,
    /// `prog_gan` or `cpd_gan`; absent for real films.
    pub family: Option<crate::generator::Family>,
    /// How its generators were trained, in a line.
    pub training: String,
}

/// One point of the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The number on the axis.
    pub value: f64,
    /// Side of the images.
    pub side: usize,
    /// Classes (combinations of findings).
    pub classes: usize,
    /// Films in train, validation and test.
    pub films: [usize; 3],
    /// Patients in the test fold.
    pub test_patients: usize,
    /// Findings whose columns are kept.
    pub findings: Vec<String>,
    /// SHA-256 over the films and columns.
    pub subset: String,
    /// One entry for each curve that has this point.
    pub values: Vec<Value>,
}

/// One curve at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Position in [`SweepResult::curves`].
    pub curve: usize,
    /// Mean over the seeds of the mean AUROC over findings.
    pub auroc: Option<f64>,
    /// 95 % percentile interval of it: patients of the test fold and seeds drawn with replacement.
    pub interval: Option<Bounds>,
    /// 95 % interval of the mean over seeds alone, by Student's t; absent for one seed.
    pub seed_interval: Option<Bounds>,
    /// Each seed's test.
    pub seeds: Vec<SeedValue>,
    /// The same against the real films; absent for them.
    pub relative: Option<Relative>,
}

/// One seed of one curve at one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedValue {
    /// Which seed, as position in the spec.
    pub seed: usize,
    /// Mean AUROC over findings.
    pub auroc: Option<f64>,
    /// Key of the test's job; its folder holds the scores.
    pub test: String,
    /// Key of the generator's job; its folder holds the model.
    pub generator: Option<String>,
    /// The test's own result.
    pub result: TestResult,
    /// Probability of so large a difference from the real-trained classifier of the same seed for each finding, by the
    /// paired test of `DeLong`; absent for the real-trained.
    pub against_real: Vec<Option<f64>>,
}

/// A generator's curve against that of the real films.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// Mean AUROC of the classifiers trained on samples over that of those trained on real films.
    pub ratio: f64,
    /// 95 % percentile interval, the same patients and seeds drawn for both.
    pub interval: Option<Bounds>,
    /// Ratio of each pair with the same seed.
    pub seeds: Vec<f64>,
    /// The same interval of each finding alone, in the order of the point's findings; empty in results of before they were
    /// kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Option<Bounds>>,
    /// Mean difference of the pairs (synthetic minus real), tested by paired t.
    pub difference: Option<Difference>,
}

/// A mean difference over pairs of seeds, tested.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean.
    pub mean: f64,
    /// Student's t.
    pub t: f64,
    /// Degrees of freedom; below 4 the test is weak.
    pub freedom: f64,
    /// Two-sided probability.
    pub p: f64,
    /// The same times the number of tests in the sweep, at most 1.
    pub p_bonferroni: f64,
    /// That number.
    pub tests: usize,
}

/// A small result for the tests of those who read results.
#[cfg(test)]
pub(crate) mod example {
    use super::*;
    use crate::generator::Family;

    /// Two points, three curves, three seeds; relative performance rises while AUROC falls.
    pub fn result() -> SweepResult {
        let curve = |name: &str, family| Curve { name: name.to_owned(), family, training: "small".to_owned() };
        let value = |curve: usize, auroc: f64, real: f64| Value {
            curve,
            auroc: Some(auroc),
            interval: Some(Bounds { low: auroc - 0.02, high: auroc + 0.02 }),
            seed_interval: Some(Bounds { low: auroc - 0.03, high: auroc + 0.03 }),
            seeds: (0..3)
                .map(|seed| SeedValue {
                    seed,
                    auroc: Some(auroc + 0.01 * (seed as f64 - 1.0)),
                    test: format!("{curve}{seed}").repeat(8),
                    generator: (curve > 0).then(|| format!("{seed}{curve}").repeat(8)),
                    result: TestResult {
                        films: 100,
                        scores: "0".repeat(64),
                        auroc: Some(auroc),
                        findings: ["Edema", "Mass"].map(|finding| finding_test(finding, auroc)).into(),
                    },
                    against_real: if curve == 0 { vec![] } else { vec![Some(0.2), None] },
                })
                .collect(),
            relative: (curve > 0).then(|| Relative {
                ratio: auroc / real,
                interval: Some(Bounds { low: auroc / real - 0.01, high: auroc / real + 0.01 }),
                seeds: vec![auroc / real; 3],
                findings: vec![Some(Bounds { low: auroc / real - 0.04, high: auroc / real + 0.04 }), None],
                difference: Some(Difference {
                    mean: auroc - real,
                    t: -3.0,
                    freedom: 2.0,
                    p: 0.04,
                    p_bonferroni: 0.16,
                    tests: 4,
                }),
            }),
        };
        let point = |at: f64, real: f64, cpd: f64, prog: f64| Point {
            value: at,
            side: 32,
            classes: 4,
            films: [400, 80, 100],
            test_patients: 60,
            findings: vec!["Edema".to_owned(), "Mass".to_owned()],
            subset: "0".repeat(64),
            values: vec![value(0, real, real), value(1, cpd, real), value(2, prog, real)],
        };
        SweepResult {
            format: FORMAT,
            name: "example".to_owned(),
            factor: "classes".to_owned(),
            cohort: Cohort {
                name: "drawn".to_owned(),
                identity: "a".repeat(64),
                phantom: true,
                films: 1000,
                patients: 500,
                licence: "none".to_owned(),
                citation: String::new(),
            },
            classifier: "small".to_owned(),
            curves: vec![
                curve("real", None),
                curve("cpD-GAN", Some(Family::CpdGan)),
                curve("prog-GAN", Some(Family::ProgGan)),
            ],
            as_published: false,
            seeds: 3,
            points: vec![point(8.0, 0.90, 0.80, 0.78), point(2.0, 0.80, 0.78, 0.74)],
            sentences: vec!["Said in a sentence.".to_owned()],
            software: "0".to_owned(),
            spec: "b".repeat(64),
        }
    }

    /// A mix: real films alone, and one sample for each of them.
    pub fn mix() -> SweepResult {
        let mut mix = result();
        "mix".clone_into(&mut mix.factor);
        (mix.points[0].value, mix.points[1].value) = (0.0, 1.0);
        mix.points[0].values.truncate(1);
        mix.points[1].values.remove(0);
        mix
    }

    fn finding_test(finding: &str, auroc: f64) -> crate::benchmark::folder::FindingTest {
        crate::benchmark::folder::FindingTest {
            finding: finding.to_owned(),
            positives: 40,
            auroc: Some(auroc),
            interval: Some(Bounds { low: auroc - 0.05, high: auroc + 0.05 }),
            brier: Some(0.2),
            calibration_error: Some(0.05),
            threshold: Some(0.4),
            sensitivity: Some(0.8),
            specificity: Some(0.7),
            f1: Some(0.75),
        }
    }
}
