//! The aggregated result: what the curves, tables and reports are made from. It holds no time and no path, so that the
//! same sweep gives the same bytes however often it was stopped and on whichever machine of one kind.

use std::cell::RefCell;

use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::BenchmarkError;
use super::folder::{JobResult, SweepFolder, TestResult};
use super::job::{self, Context};
use super::plan::{Cell, Plan};
use super::reading;
use super::spec::SweepSpec;
use crate::cohort::Pack;
use crate::compute::random;
use crate::stats::{self, Bounds, TTest};
use crate::store;
use crate::training::classifier::LabelledImages;

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

impl SweepResult {
    /// Cohort and name, the cohort once where the name holds it.
    pub fn title(&self) -> String {
        let (cohort, name) = (&self.cohort.name, &self.name);
        if name.contains(cohort.as_str()) { name.clone() } else { format!("{cohort}, {name}") }
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

/// Scores of all seeds of one curve at one point, column by column.
struct Scored {
    /// `[seed][finding][film]`.
    scores: Vec<Vec<Vec<f32>>>,
    /// `[finding][film]`.
    positive: Vec<Vec<bool>>,
    as_published: bool,
}

impl Scored {
    /// Mean over findings of one seed, on the drawn films.
    fn mean_auroc(&self, seed: usize, films: &[usize]) -> Option<f64> {
        let each = self.scores[seed].iter().zip(&self.positive).filter_map(|(scores, positive)| {
            let s: Vec<f32> = films.iter().map(|&i| scores[i]).collect();
            let p: Vec<bool> = films.iter().map(|&i| positive[i]).collect();
            job::auroc(&s, &p, self.as_published)
        });
        stats::mean(&each.collect::<Vec<_>>())
    }

    /// Mean over the drawn seeds.
    fn mean(&self, seeds: &[usize], films: &[usize]) -> Option<f64> {
        stats::mean(&seeds.iter().map(|&seed| self.mean_auroc(seed, films)).collect::<Option<Vec<f64>>>()?)
    }
}

/// Reads all jobs' results and makes one of them.
///
/// # Errors
/// [`BenchmarkError::Unfinished`] when a job is not done; [`BenchmarkError::Damaged`] when its files are not what they say.
pub fn aggregate(
    folder: &SweepFolder,
    spec: &SweepSpec,
    pack: &Pack,
    plan: &Plan,
) -> Result<SweepResult, BenchmarkError> {
    let done = plan.jobs.iter().filter(|job| folder.is_done(&job.key)).count();
    if done < plan.jobs.len() {
        return Err(BenchmarkError::Unfinished { done, jobs: plan.jobs.len() });
    }
    let context = Context { spec, pack, plan, folder };
    let tests: usize = plan.points.len() * spec.generators.len();
    let points: Vec<Point> = (0..plan.points.len())
        .into_par_iter()
        .map(|point| self::point(&context, point, tests))
        .collect::<Result<_, _>>()?;
    let header = pack.header();
    let curves = std::iter::once(Curve { name: "real".to_owned(), family: None, training: String::new() });
    let curves = curves.chain(spec.generators.iter().map(|setting| {
        let training = setting.run(spec.factor.side(0), 1).map(|run| training::line(setting, &run)).unwrap_or_default();
        Curve { name: setting.name.clone(), family: Some(setting.family), training }
    }));
    let mut result = SweepResult {
        format: FORMAT,
        name: spec.name.clone(),
        factor: spec.factor.kind().to_owned(),
        cohort: Cohort {
            name: header.name.clone(),
            identity: header.identity.clone(),
            phantom: header.phantom,
            films: header.films,
            patients: header.patients,
            licence: header.licence.clone(),
            citation: header.citation.clone(),
        },
        classifier: training::classifier_line(spec),
        curves: curves.collect(),
        as_published: spec.as_published,
        seeds: spec.seeds.len(),
        points,
        sentences: Vec::new(),
        software: crate::VERSION.to_owned(),
        spec: store::hash_bytes(SweepSpec { cohort: None, ..spec.clone() }.to_toml().as_bytes()),
    };
    result.sentences = reading::sentences(&result);
    Ok(result)
}

fn point(context: &Context<'_>, point: usize, tests: usize) -> Result<Point, BenchmarkError> {
    let Context { spec, pack, plan, folder } = *context;
    let subset = &plan.points[point];
    let first = plan.cells.iter().find(|cell| cell.point == point).map_or(0, |cell| cell.test);
    let films = context.test_films(&plan.jobs[first], spec.as_published);
    let findings = subset.columns.len();
    let n = LabelledImages::len(&films);
    let positive: Vec<Vec<bool>> = (0..findings).map(|c| job::positives(films.all_labels(), c, findings)).collect();
    let mut patients = films.patients();
    let all: Vec<usize> = (0..n).collect();
    let read = |curve: usize| -> Result<(Vec<&Cell>, Vec<TestResult>, Scored), BenchmarkError> {
        // A mix compares each of its points with the real films of the point without samples.
        let mut cells: Vec<&Cell> = plan.cells.iter().filter(|c| c.curve == curve && c.point == point).collect();
        if cells.is_empty() && curve == 0 {
            cells = plan.cells.iter().filter(|c| c.curve == 0).collect();
        }
        let mut scored = Scored { scores: Vec::new(), positive: positive.clone(), as_published: spec.as_published };
        let mut results = Vec::new();
        for cell in &cells {
            let key = &plan.jobs[cell.test].key;
            let table = context.scores(key, n * findings)?;
            scored.scores.push((0..findings).map(|c| job::column(&table, c, findings)).collect());
            let wrong = |problem: &str| BenchmarkError::Damaged { path: folder.job(key), problem: problem.to_owned() };
            match folder.job_result(key)? {
                Some(JobResult::Test(test)) => results.push(*test),
                _ => return Err(wrong("its result is not that of a test")),
            }
        }
        Ok((cells, results, scored))
    };
    let (_, _, real) = read(0)?;
    let mut values = Vec::new();
    for curve in 0..=spec.generators.len() {
        if !plan.cells.iter().any(|cell| cell.curve == curve && cell.point == point) {
            continue;
        }
        let (cells, results, scored) = read(curve)?;
        let own: Vec<Option<f64>> = (0..cells.len()).map(|seed| scored.mean_auroc(seed, &all)).collect();
        let defined: Option<Vec<f64>> = own.iter().copied().collect();
        let purpose = format!("bootstrap, point {point}, curve {curve}");
        let interval = bootstrap(&patients, &purpose, cells.len(), |seeds, films| scored.mean(seeds, films));
        let seed_interval = defined.as_deref().and_then(stats::t_test).map(|test| test.interval(0.95));
        let relative =
            (curve > 0 && !real.scores.is_empty()).then(|| relative(&patients, &scored, &real, &purpose, tests));
        let seeds = cells.iter().zip(results).enumerate().map(|(s, (cell, result))| SeedValue {
            seed: cell.seed,
            auroc: own[s],
            test: plan.jobs[cell.test].key.clone(),
            generator: cell.generator.map(|g| plan.jobs[g].key.clone()),
            result,
            against_real: if curve == 0 || s >= real.scores.len() {
                Vec::new()
            } else {
                (0..findings).map(|c| paired(&scored.scores[s][c], &real.scores[s][c], &positive[c])).collect()
            },
        });
        values.push(Value {
            curve,
            auroc: defined.as_deref().and_then(stats::mean),
            interval,
            seed_interval,
            seeds: seeds.collect(),
            relative: relative.flatten(),
        });
    }
    patients.sort_unstable();
    patients.dedup();
    Ok(Point {
        value: spec.factor.value(point),
        side: spec.factor.side(point),
        classes: subset.classes.len(),
        films: [subset.train.len(), subset.validation.len(), n],
        test_patients: patients.len(),
        findings: super::source::vocabulary(pack, subset).findings,
        subset: subset.hash(),
        values,
    })
}

/// Probability by the paired test of `DeLong` that two classifiers that do not differ would differ so much.
fn paired(a: &[f32], b: &[f32], positive: &[bool]) -> Option<f64> {
    Some(stats::DeLong::of(&[a, b], positive)?.compare(0, 1)?.p)
}

/// Percentile interval of a statistic of drawn seeds and drawn films of drawn patients.
fn bootstrap(
    patients: &[u32],
    purpose: &str,
    seeds: usize,
    statistic: impl Fn(&[usize], &[usize]) -> Option<f64>,
) -> Option<Bounds> {
    let of_seeds = RefCell::new(random::stream(0, &format!("{purpose}, seeds")));
    let mut of_patients = random::stream(0, purpose);
    let interval = stats::bootstrap_by_patient(patients, RESAMPLES, 0.95, &mut of_patients, |films| {
        let mut rng = of_seeds.borrow_mut();
        let drawn: Vec<usize> = (0..seeds).map(|_| rng.random_range(0..seeds)).collect();
        statistic(&drawn, films)
    })?;
    Some(Bounds { low: interval.low, high: interval.high })
}

fn relative(patients: &[u32], synthetic: &Scored, real: &Scored, purpose: &str, tests: usize) -> Option<Relative> {
    let all: Vec<usize> = (0..patients.len()).collect();
    let pairs = synthetic.scores.len().min(real.scores.len());
    let each = |scored: &Scored| (0..pairs).map(|seed| scored.mean_auroc(seed, &all)).collect::<Option<Vec<f64>>>();
    let (above, below) = (each(synthetic)?, each(real)?);
    let ratio = stats::mean(&above)? / stats::mean(&below)?;
    let interval = bootstrap(patients, &format!("{purpose}, ratio"), pairs, |seeds, films| {
        let under = real.mean(seeds, films).filter(|&v| v > 0.0)?;
        Some(synthetic.mean(seeds, films)? / under)
    });
    let difference = stats::paired_t_test(&above, &below).map(|test: TTest| Difference {
        mean: test.mean,
        t: test.t,
        freedom: test.freedom,
        p: test.p,
        p_bonferroni: stats::bonferroni(test.p, tests),
        tests,
    });
    let seeds = above.iter().zip(&below).map(|(a, b)| a / b).collect();
    Some(Relative { ratio, interval, seeds, difference })
}

/// Lines that say how networks were trained.
mod training {
    use crate::benchmark::spec::{GeneratorSetting, SweepSpec};
    use crate::training::RunSpec;
    use crate::training::spec::Loss;

    /// A generator's training in a line.
    pub fn line(setting: &GeneratorSetting, run: &RunSpec) -> String {
        let loss = match run.loss {
            Loss::WganGp { .. } => "WGAN-GP as published",
            Loss::R1 { .. } => "logistic loss with R1 (not the paper's)",
        };
        let preset = if setting.spec.is_some() { "own specification" } else { &setting.preset };
        let anchor = if run.anchor.is_some() { ", anchored to principal components (not the paper's)" } else { "" };
        format!(
            "{preset}: {loss}, {} kimg, at most {} feature maps{anchor}",
            run.schedule.total_kimg, run.network.feature_max
        )
    }

    /// The classifier in a line.
    pub fn classifier_line(spec: &SweepSpec) -> String {
        match spec.classifier.spec(spec.factor.side(0), 1, spec.as_published) {
            Ok(own) => format!(
                "{}, at most {} epochs of at most {} images, batch {}, {}",
                own.preset.name(),
                own.epochs,
                own.epoch_images,
                own.batch,
                if own.class_weights { "findings weighted by their frequency" } else { "unweighted" }
            ),
            Err(_) => spec.classifier.preset.clone(),
        }
    }
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
