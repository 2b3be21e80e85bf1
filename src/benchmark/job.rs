//! One job: a generator's training, its samples, a classifier's training, its test.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use candle_core::Device;
use rand::Rng;
use rand::seq::SliceRandom;

use super::BenchmarkError;
use super::folder::{FindingTest, JobResult, SweepFolder, TestResult};
use super::plan::{Data, Job, Plan, Work};
use super::source::{Mixture, SampleFold, SubsetFilms};
use super::spec::SweepSpec;
use crate::cohort::{Fold, Pack};
use crate::compute::random;
use crate::encoder::{Encoder, EncoderCard, EncoderTraining, Input, Source, file};
use crate::finding::Vocabulary;
use crate::generator::{Generator, Recipe};
use crate::progress::{Cancelled, Progress};
use crate::stats;
use crate::store;
use crate::training::classifier::{self, ClassifierSpec, LabelledImages, Preset};
use crate::training::run_folder::RunFolder;
use crate::training::{self, Outcome, RadiographSource, RunSpec};

/// Samples rendered between two looks at the cancel switch.
const BATCH: usize = 64;

/// Bins of the calibration error.
const BINS: usize = 10;

/// Test films that the published code judges at a time, leaving out the incomplete batch at the end.
const PUBLISHED_BATCH: usize = 50;

/// What all jobs of a sweep share.
pub struct Context<'a> {
    /// The spec.
    pub spec: &'a SweepSpec,
    /// The cohort.
    pub pack: &'a Pack,
    /// The jobs.
    pub plan: &'a Plan,
    /// Where everything lies.
    pub folder: &'a SweepFolder,
}

impl Context<'_> {
    /// Does a job whose needs are done and which this process has taken.
    ///
    /// # Errors
    /// [`BenchmarkError::Cancelled`] when stopped (a generator can be gone on with), otherwise what went wrong.
    pub fn perform(&self, job: &Job, progress: &Progress) -> Result<(), BenchmarkError> {
        let result = match &job.work {
            Work::Generator { run } => self.generator(job, run, progress)?,
            Work::Samples { generator, seed, rounds } => self.samples(job, *generator, *seed, *rounds, progress)?,
            Work::Classifier { data, spec } => self.classifier(job, *data, spec, progress)?,
            Work::Test { classifier, as_published } => self.test(job, *classifier, *as_published)?,
        };
        self.folder.finish(&job.key, &result)
    }

    fn side(&self, job: &Job) -> usize {
        self.spec.factor.side(job.point)
    }

    fn films(&self, job: &Job, fold: Fold) -> SubsetFilms<'_> {
        SubsetFilms::new(self.pack, &self.plan.points[job.point], fold, self.side(job))
    }

    fn generator(&self, job: &Job, run: &RunSpec, progress: &Progress) -> Result<JobResult, BenchmarkError> {
        let root = self.folder.run(&job.key);
        let source = self.films(job, Fold::Train);
        let outcome = if root.join("run.toml").is_file() {
            let (folder, spec) = RunFolder::open(&root)?;
            training::resume_on(&folder, &spec, &source, progress, &mut |_| ())?
        } else {
            let cohort = self.pack.folder();
            let run = RunSpec { cohort: cohort.canonicalize().unwrap_or_else(|_| cohort.to_path_buf()), ..run.clone() };
            training::train_on(&run, &source, &root, progress, &mut |_| ())?
        };
        let (Outcome::Done(result), true) = (outcome, self.folder.model(&job.key).is_file()) else {
            return Err(Cancelled.into());
        };
        // What is left to do needs the model alone, and checkpoints of both networks with their moments are large.
        let _ = std::fs::remove_dir_all(root.join("checkpoints"));
        let model = store::hash_file(&self.folder.model(&job.key))?;
        Ok(JobResult::Generator { model, kimg: result.kimg, steps: result.step })
    }

    /// One latent for each real film in consecutive blocks of one stream (train, validation, test, then further rounds of
    /// the train fold), the real label vectors one to one, through the average of the generator, to 8 bits (DuMont
    /// Schütte 2021).
    fn samples(
        &self,
        job: &Job,
        generator: usize,
        seed: u64,
        rounds: usize,
        progress: &Progress,
    ) -> Result<JobResult, BenchmarkError> {
        let generator = Generator::load(&self.folder.model(&self.plan.jobs[generator].key))?;
        let mut latents = random::stream(seed, "latents of the samples");
        let folds = Fold::ALL.map(|fold| self.films(job, fold));
        progress.set_total(folds.iter().map(|films| LabelledImages::len(films) as u64).sum());
        let draw = |films: &SubsetFilms, latents: &mut _| sample(&generator, films, latents, progress);
        let mut drawn = Vec::with_capacity(3);
        for films in &folds {
            drawn.push(draw(films, &mut latents)?);
        }
        for _ in 1..rounds {
            let more = draw(&folds[0], &mut latents)?;
            drawn[0].pixels.extend(more.pixels);
            drawn[0].labels.extend(more.labels);
        }
        let mut files = Vec::with_capacity(3);
        for (fold, samples) in Fold::ALL.iter().zip(&drawn) {
            files.push(samples.write(&self.sample_file(&job.key, *fold))?);
        }
        let files = files.try_into().unwrap_or_default();
        Ok(JobResult::Samples { files })
    }

    fn sample_file(&self, key: &str, fold: Fold) -> std::path::PathBuf {
        self.folder.job(key).join(format!("{fold}.samples"))
    }

    fn drawn(&self, samples: usize, fold: Fold) -> Result<SampleFold, BenchmarkError> {
        SampleFold::read(&self.sample_file(&self.plan.jobs[samples].key, fold))
    }

    fn classifier(
        &self,
        job: &Job,
        data: Data,
        spec: &ClassifierSpec,
        progress: &Progress,
    ) -> Result<JobResult, BenchmarkError> {
        let real = self.films(job, Fold::Train);
        let mut card = card(spec, &real);
        card.training.source = self.source(data)?;
        let device = Device::Cpu;
        let findings = card.vocabulary.len();
        let fit = |train: &dyn LabelledImages, validation: &dyn LabelledImages| {
            let weights = spec.class_weights.then(|| classifier::class_weights(train, findings));
            classifier::fit(&card, spec, train, validation, &device, progress).map(|fitted| (fitted, weights))
        };
        let (fitted, weights) = match data {
            Data::Real => fit(&real, &self.films(job, Fold::Validation))?,
            Data::Samples(samples) => fit(&self.drawn(samples, Fold::Train)?, &self.drawn(samples, Fold::Validation)?)?,
            Data::Mix { samples, ratio } => {
                let samples = self.drawn(samples, Fold::Train)?;
                let chosen = mixed(samples.samples(), LabelledImages::len(&real), ratio, spec.seed);
                let mixture = Mixture { real: &real, samples: &samples, chosen };
                fit(&mixture, &self.films(job, Fold::Validation))?
            }
        };
        let restore = match weights {
            None => vec![0.0; findings],
            // The weighted loss's best logit is off by the ratio of the weights.
            Some(weights) => weights.iter().map(|w| log_ratio(w[0], w[1])).collect(),
        };
        let path = self.folder.job(&job.key).join("classifier.safetensors");
        let model = file::write(&path, &card, &fitted.tensors, file::Precision::F32)?;
        let auroc_validation = fitted.epochs[fitted.best].auroc;
        Ok(JobResult::Classifier {
            model,
            epochs: fitted.epochs.len(),
            best: fitted.best + 1,
            auroc_validation,
            restore,
        })
    }

    /// What a classifier's card says it learnt from.
    fn source(&self, data: Data) -> Result<Source, BenchmarkError> {
        let of = |samples: usize| {
            let Work::Samples { generator, .. } = &self.plan.jobs[samples].work else { return Err(Cancelled.into()) };
            let model = Generator::load(&self.folder.model(&self.plan.jobs[*generator].key))?;
            Ok::<_, BenchmarkError>((model.card().name.clone(), model.id().to_owned()))
        };
        Ok(match data {
            Data::Real => Source::Films,
            Data::Samples(samples) => {
                let (generator, id) = of(samples)?;
                Source::Samples { generator, id }
            }
            Data::Mix { samples, ratio } => {
                let (generator, id) = of(samples)?;
                Source::Mixture { generator, id, ratio }
            }
        })
    }

    fn test(&self, job: &Job, classifier: usize, as_published: bool) -> Result<JobResult, BenchmarkError> {
        let trained = &self.plan.jobs[classifier];
        let Work::Classifier { data, .. } = &trained.work else { return Err(Cancelled.into()) };
        let encoder = Encoder::load(&self.folder.job(&trained.key).join("classifier.safetensors"))?;
        let restore = match self.folder.job_result(&trained.key)? {
            Some(JobResult::Classifier { restore, .. }) => restore,
            _ => vec![0.0; encoder.card().vocabulary.len()],
        };
        let films = self.test_films(job, as_published);
        let (scores, labels) = classifier::scores(&encoder, &films)?;
        let (chosen_scores, chosen_labels) = match data {
            Data::Samples(samples) => classifier::scores(&encoder, &self.drawn(*samples, Fold::Validation)?)?,
            Data::Real | Data::Mix { .. } => classifier::scores(&encoder, &self.films(job, Fold::Validation))?,
        };
        let bytes: Vec<u8> = scores.iter().flat_map(|v| v.to_le_bytes()).collect();
        store::write_atomic(&self.folder.job(&job.key).join("scores.f32"), &bytes)?;
        let vocabulary = &encoder.card().vocabulary;
        let findings: Vec<FindingTest> = (0..vocabulary.len())
            .map(|c| {
                let pick = |table: &[f32]| column(table, c, vocabulary.len());
                let positive = |table: &[f32]| positives(table, c, vocabulary.len());
                judge(
                    &vocabulary.findings[c],
                    (&pick(&scores), &positive(&labels)),
                    (&pick(&chosen_scores), &positive(&chosen_labels)),
                    restore[c],
                    as_published,
                )
            })
            .collect();
        let defined: Vec<f64> = findings.iter().filter_map(|f| f.auroc).collect();
        Ok(JobResult::Test(Box::new(TestResult {
            films: LabelledImages::len(&films),
            scores: store::hash_bytes(&bytes),
            auroc: stats::mean(&defined),
            findings,
        })))
    }

    /// The films that a test judges.
    pub fn test_films(&self, job: &Job, as_published: bool) -> SubsetFilms<'_> {
        let films = self.films(job, Fold::Test);
        let judged = judged(LabelledImages::len(&films), as_published);
        films.truncated(judged)
    }

    /// Scores `[films, findings]` that a test left behind.
    ///
    /// # Errors
    /// When they cannot be read or are not those of so many films.
    pub fn scores(&self, key: &str, numbers: usize) -> Result<Vec<f32>, BenchmarkError> {
        let path = self.folder.job(key).join("scores.f32");
        let wrong = |problem: String| BenchmarkError::Damaged { path: path.clone(), problem };
        let bytes = std::fs::read(&path).map_err(|e| wrong(e.to_string()))?;
        if bytes.len() != numbers * 4 {
            return Err(wrong(format!("it has {} bytes in place of {}", bytes.len(), numbers * 4)));
        }
        Ok(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }
}

/// How many of the test films are judged; all where they do not fill one published batch.
fn judged(films: usize, as_published: bool) -> usize {
    let whole = films - films % PUBLISHED_BATCH;
    if as_published && whole > 0 { whole } else { films }
}

/// Which samples join so many real films: `ratio` for each, by lot. A smaller ratio's are among a larger one's.
fn mixed(samples: usize, films: usize, ratio: f64, seed: u64) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..samples).collect();
    chosen.shuffle(&mut random::stream(seed, "samples of the mixture"));
    chosen.truncate((films as f64 * ratio).round() as usize);
    chosen
}

/// ln(a / b), or 0 where one of them is 0: a finding that all or none has, where there is nothing to restore.
fn log_ratio(a: f32, b: f32) -> f64 {
    if a > 0.0 && b > 0.0 { (f64::from(a) / f64::from(b)).ln() } else { 0.0 }
}

/// Column `c` of a row-major table.
pub fn column(table: &[f32], c: usize, columns: usize) -> Vec<f32> {
    table.iter().skip(c).step_by(columns).copied().collect()
}

/// Where column `c` of a row-major table of labels is above zero.
pub fn positives(table: &[f32], c: usize, columns: usize) -> Vec<bool> {
    table.iter().skip(c).step_by(columns).map(|&label| label > 0.0).collect()
}

/// AUROC, or its mirror image where the published code would mirror it.
pub fn auroc(scores: &[f32], positive: &[bool], as_published: bool) -> Option<f64> {
    stats::auroc(scores, positive).map(|v| if as_published { v.max(1.0 - v) } else { v })
}

/// Everything about one finding; `chosen` are scores and labels of the data that the epoch, and so the threshold, is
/// chosen on.
fn judge(
    finding: &str,
    (scores, positive): (&[f32], &[bool]),
    chosen: (&[f32], &[bool]),
    restore: f64,
    as_published: bool,
) -> FindingTest {
    let probability = |&score: &f32| {
        let p = f64::from(score);
        let logit = (p / (1.0 - p)).ln() + restore;
        (1.0 / (1.0 + (-logit).exp())) as f32
    };
    let probabilities: Vec<f32> = scores.iter().map(probability).collect();
    let interval = stats::DeLong::of(&[scores], positive).map(|delong| delong.interval(0, 0.95));
    let threshold = stats::youden_threshold(chosen.0, chosen.1);
    let counts = threshold.map(|threshold| stats::Confusion::at(threshold, scores, positive));
    let auroc = auroc(scores, positive, as_published);
    FindingTest {
        finding: finding.to_owned(),
        positives: positive.iter().filter(|&&p| p).count(),
        // A mirrored AUROC's interval is not that of the scores.
        interval: interval.filter(|_| auroc == stats::auroc(scores, positive)),
        auroc,
        brier: stats::brier(&probabilities, positive),
        calibration_error: stats::expected_calibration_error(&probabilities, positive, BINS),
        threshold: threshold.map(f64::from),
        sensitivity: counts.and_then(|c| c.sensitivity()),
        specificity: counts.and_then(|c| c.specificity()),
        f1: counts.and_then(|c| c.f1()),
    }
}

/// One sample for each film.
fn sample(
    generator: &Generator,
    films: &SubsetFilms<'_>,
    latents: &mut impl Rng,
    progress: &Progress,
) -> Result<SampleFold, BenchmarkError> {
    let card = generator.card();
    let [low, high] = card.range;
    let (side, findings) = (card.architecture.resolution, &films.facts().vocabulary.findings);
    let n = LabelledImages::len(films);
    let mut pixels = Vec::with_capacity(n * side * side);
    for start in (0..n).step_by(BATCH) {
        progress.check()?;
        let recipes: Vec<Recipe> = (start..n.min(start + BATCH))
            .map(|i| {
                let mut recipe = generator.recipe(latents.random());
                for (finding, &label) in findings.iter().zip(LabelledImages::labels(films, i)) {
                    recipe.set_strength(finding, label);
                }
                recipe
            })
            .collect();
        let images = generator.render_batch(&recipes);
        let images = images.map_err(|e| classifier::ClassifierError::Sampling(e.to_string()))?;
        let grey = |v: &f32| ((v - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as u8;
        pixels.extend(images.iter().flat_map(|image| image.pixels().iter().map(grey)));
        progress.advance(images.len() as u64);
    }
    let labels = films.all_labels().to_vec();
    Ok(SampleFold { side, findings: findings.len(), meaning: card.meaning, range: card.range, pixels, labels })
}

/// The card of a classifier of these films.
fn card(spec: &ClassifierSpec, films: &SubsetFilms<'_>) -> EncoderCard {
    let facts = films.facts();
    let vocabulary: Vocabulary = facts.vocabulary.clone();
    let input = match spec.preset {
        Preset::Small => Input::native(spec.side, facts.meaning, facts.window),
        Preset::DenseNet121 => Input::photographic(facts.meaning, facts.window),
    };
    EncoderCard {
        name: format!("classifier-{}", facts.cohort),
        preset: spec.preset.name().to_owned(),
        architecture: spec.architecture(vocabulary.len()),
        input,
        vocabulary,
        training: EncoderTraining {
            cohort: facts.cohort.clone(),
            cohort_hash: facts.identity.clone(),
            phantom: facts.phantom,
            images: LabelledImages::len(films),
            patients: facts.patients,
            schedule: String::new(),
            seed: spec.seed,
            source: Source::Films,
        },
        metrics: BTreeMap::new(),
        remarks: Vec::new(),
        licence: facts.licence.clone(),
        citation: facts.citation.clone(),
    }
}
