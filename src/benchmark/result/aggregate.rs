//! From the results of all jobs to the one result: means, intervals and tests.

use std::cell::RefCell;
use std::collections::BTreeSet;

use rand::Rng;
use rayon::prelude::*;

use super::{Cohort, Curve, Difference, FORMAT, Point, RESAMPLES, Relative, SeedValue, SweepResult, Value};
use crate::benchmark::BenchmarkError;
use crate::benchmark::folder::{JobResult, SweepFolder, TestResult};
use crate::benchmark::job::{self, Context};
use crate::benchmark::plan::{Cell, Plan};
use crate::benchmark::reading;
use crate::benchmark::spec::SweepSpec;
use crate::cohort::Pack;
use crate::compute::random;
use crate::stats::{self, Bounds, TTest};
use crate::store;
use crate::training::classifier::LabelledImages;

/// Scores of all seeds of one curve at one point, column by column.
struct Scored {
    /// `[seed][finding][film]`.
    scores: Vec<Vec<Vec<f32>>>,
    /// `[finding][film]`.
    positive: Vec<Vec<bool>>,
    as_published: bool,
}

impl Scored {
    /// AUROC of each finding of one seed, on the drawn films.
    fn aurocs(&self, seed: usize, films: &[usize]) -> Vec<Option<f64>> {
        let finding = |(scores, positive): (&Vec<f32>, &Vec<bool>)| {
            let s: Vec<f32> = films.iter().map(|&i| scores[i]).collect();
            let p: Vec<bool> = films.iter().map(|&i| positive[i]).collect();
            job::auroc(&s, &p, self.as_published)
        };
        self.scores[seed].iter().zip(&self.positive).map(finding).collect()
    }

    /// Mean over findings of one seed, on the drawn films.
    fn mean_auroc(&self, seed: usize, films: &[usize]) -> Option<f64> {
        mean_of_defined(&self.aurocs(seed, films))
    }

    /// Mean over the drawn seeds: over all findings, and of each alone.
    fn means(&self, seeds: &[usize], films: &[usize]) -> (Option<f64>, Vec<Option<f64>>) {
        let table: Vec<Vec<Option<f64>>> = seeds.iter().map(|&seed| self.aurocs(seed, films)).collect();
        let over_seeds = |of: &dyn Fn(&Vec<Option<f64>>) -> Option<f64>| {
            stats::mean(&table.iter().map(of).collect::<Option<Vec<f64>>>()?)
        };
        let each = (0..self.positive.len()).map(|finding| over_seeds(&|aurocs| aurocs[finding])).collect();
        (over_seeds(&|aurocs| mean_of_defined(aurocs)), each)
    }
}

fn mean_of_defined(aurocs: &[Option<f64>]) -> Option<f64> {
    stats::mean(&aurocs.iter().flatten().copied().collect::<Vec<_>>())
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
    let tests = comparisons(plan);
    let points: Vec<Point> = (0..plan.points.len())
        .into_par_iter()
        .map(|point| self::point(&context, point, tests))
        .collect::<Result<_, _>>()?;
    let header = pack.header();
    let curves = std::iter::once(Curve { name: "real".to_owned(), family: None, training: String::new() });
    let curves = curves.chain(spec.generators.iter().map(|setting| {
        let training = training::line(setting, &spec.factor);
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

/// How often a curve is compared with the real films, which is what a correction for many tests counts. A mix compares
/// nothing where it has no samples.
fn comparisons(plan: &Plan) -> usize {
    let compared = plan.cells.iter().filter(|cell| cell.curve > 0);
    compared.map(|cell| (cell.point, cell.curve)).collect::<BTreeSet<_>>().len()
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
        let interval = bootstrap(&patients, &purpose, cells.len(), |seeds, films| scored.means(seeds, films).0);
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
        findings: crate::benchmark::source::vocabulary(pack, subset).findings,
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
    let ratio_of = |(above, below): (Option<f64>, Option<f64>)| Some(above? / below.filter(|&v| v > 0.0)?);
    let drawn = RefCell::new(vec![Vec::with_capacity(RESAMPLES); real.positive.len()]);
    let interval = bootstrap(patients, &format!("{purpose}, ratio"), pairs, |seeds, films| {
        let (above, below) = (synthetic.means(seeds, films), real.means(seeds, films));
        for (drawn, pair) in drawn.borrow_mut().iter_mut().zip(above.1.into_iter().zip(below.1)) {
            drawn.extend(ratio_of(pair));
        }
        ratio_of((above.0, below.0))
    });
    let findings = drawn.into_inner().into_iter().map(percentiles).collect();
    let difference = stats::paired_t_test(&above, &below).map(|test: TTest| Difference {
        mean: test.mean,
        t: test.t,
        freedom: test.freedom,
        p: test.p,
        p_bonferroni: stats::bonferroni(test.p, tests),
        tests,
    });
    let seeds = above.iter().zip(&below).map(|(a, b)| a / b).collect();
    Some(Relative { ratio, interval, seeds, findings, difference })
}

/// The middle 95 % of what the draws gave; `None` where fewer than half of them gave a number.
fn percentiles(mut drawn: Vec<f64>) -> Option<Bounds> {
    if drawn.len() * 2 < RESAMPLES {
        return None;
    }
    drawn.sort_by(f64::total_cmp);
    Some(Bounds { low: stats::quantile(&drawn, 0.025)?, high: stats::quantile(&drawn, 0.975)? })
}

/// Lines that say how networks were trained.
mod training {
    use std::fmt::Display;

    use crate::benchmark::spec::{Factor, GeneratorSetting, SweepSpec};
    use crate::training::RunSpec;
    use crate::training::spec::Loss;

    /// A generator's training in a line that holds at every side of the sweep.
    pub fn line(setting: &GeneratorSetting, factor: &Factor) -> String {
        let mut sides: Vec<usize> = (0..factor.points()).map(|point| factor.side(point)).collect();
        sides.dedup();
        let runs: Vec<(usize, RunSpec)> =
            sides.into_iter().filter_map(|side| Some((side, setting.run(side, 1).ok()?))).collect();
        let Some((_, run)) = runs.first() else { return String::new() };
        let loss = match run.loss {
            Loss::WganGp { .. } => "WGAN-GP as published",
            Loss::R1 { .. } => "logistic loss with R1 (not the paper's)",
        };
        let preset = if setting.spec.is_some() { "own specification" } else { &setting.preset };
        let anchor = if run.anchor.is_some() { ", anchored to principal components (not the paper's)" } else { "" };
        let kimg = at_every_side(&runs, "kimg", |run| run.schedule.total_kimg);
        let maps = at_every_side(&runs, "feature maps", |run| run.network.feature_max);
        format!("{preset}: {loss}, {kimg}, at most {maps}{anchor}")
    }

    /// A number with its unit, once where all sides share it and side by side where they do not.
    fn at_every_side<T: Display + PartialEq>(
        runs: &[(usize, RunSpec)],
        unit: &str,
        number: impl Fn(&RunSpec) -> T,
    ) -> String {
        let numbers: Vec<T> = runs.iter().map(|(_, run)| number(run)).collect();
        let listed = |all: Vec<String>| all.join(" / ");
        if numbers.windows(2).all(|pair| pair[0] == pair[1]) {
            return format!("{} {unit}", numbers[0]);
        }
        let sides = listed(runs.iter().map(|(side, _)| side.to_string()).collect());
        format!("{} {unit} at {sides} px", listed(numbers.iter().map(T::to_string).collect()))
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::plan::Work;
    use crate::benchmark::presets::preset;
    use crate::benchmark::spec::{Factor, Seed};
    use crate::neighbour::testing;

    #[test]
    fn a_mix_draws_samples_once_for_all_ratios_and_compares_nothing_where_there_are_none() {
        let parent = tempfile::tempdir().unwrap();
        let pack = testing::pack(parent.path(), 96, 3);
        let factor = Factor::Mix {
            resolution: 32,
            least_count: 4,
            classes: 2,
            train: 12,
            validation: 3,
            test: 3,
            grid: vec![0.0, 0.5, 1.0, 2.0],
        };
        let seeds = vec![Seed::Same(1)];
        let spec = SweepSpec { seeds, factor, ..preset("small-mix", pack.folder()).unwrap() };
        let plan = Plan::new(&spec, &pack).unwrap();
        // Real films alone once; of each of two generators a training, its samples, and three ratios.
        assert_eq!((plan.jobs.len(), plan.cells.len()), (2 + 2 * (1 + 1 + 3 * 2), 1 + 2 * 3));
        let rounds = plan.jobs.iter().filter_map(|job| match job.work {
            Work::Samples { rounds, .. } => Some(rounds),
            _ => None,
        });
        assert_eq!(rounds.collect::<Vec<_>>(), [2, 2]);
        let real: Vec<(usize, usize)> = plan.cells.iter().map(|c| (c.curve, c.point)).filter(|c| c.0 == 0).collect();
        assert_eq!((real, comparisons(&plan)), (vec![(0, 0)], 3 * 2));
    }

    #[test]
    fn a_line_of_training_holds_at_every_side() {
        let line = |name: &str, generator: usize| {
            let spec = preset(name, Path::new("cohort")).unwrap();
            training::line(&spec.generators[generator], &spec.factor)
        };
        let kimg = "12000 / 14000 / 16000 kimg at 32 / 64 / 128 px, at most 512 feature maps";
        assert_eq!(line("paper-resolution", 0), format!("paper: WGAN-GP as published, {kimg}"));
        assert_eq!(line("paper-classes", 1), "paper: WGAN-GP as published, 12000 kimg, at most 512 feature maps");
        assert!(line("small-resolution", 1).contains("(not the paper's), 15 kimg, at most 32 feature maps, anchored"));
    }

    #[test]
    fn an_interval_needs_half_of_the_draws() {
        let few: Vec<f64> = (0..RESAMPLES / 2 - 1).map(|i| i as f64).collect();
        assert_eq!(percentiles(few), None);
        let all: Vec<f64> = (0..=RESAMPLES).rev().map(|i| i as f64 / RESAMPLES as f64).collect();
        let Bounds { low, high } = percentiles(all).unwrap();
        assert!((low - 0.025).abs() < 1e-9 && (high - 0.975).abs() < 1e-9);
    }
}
