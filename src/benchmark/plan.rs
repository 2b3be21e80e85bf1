//! From a spec to the jobs it takes, each named by what it depends on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::BenchmarkError;
use super::spec::{Factor, Seed, SweepSpec};
use super::subset::{Catalogue, Subset};
use crate::cohort::Pack;
use crate::generator::Family;
use crate::store;
use crate::training::RunSpec;
use crate::training::classifier::ClassifierSpec;

/// Raised whenever a job would give another result than before from the same inputs; part of every key.
const FORMAT: u32 = 1;

/// What one job does. Positions are those of the plan's points and of its jobs.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Trains a generator on a point's train fold.
    Generator {
        /// The run; its cohort is filled in where it runs.
        run: Box<RunSpec>,
    },
    /// Draws samples with the label vectors of a point's folds.
    Samples {
        /// The generator's job.
        generator: usize,
        /// Seed of the latents.
        seed: u64,
        /// How many times the train fold is drawn; above one only for mixes.
        rounds: usize,
    },
    /// Trains a classifier.
    Classifier {
        /// What on.
        data: Data,
        /// How.
        spec: Box<ClassifierSpec>,
    },
    /// Judges a classifier on the point's real test fold.
    Test {
        /// The classifier's job.
        classifier: usize,
        /// Whether the published code's faults are kept.
        as_published: bool,
    },
}

/// What a classifier learns from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Data {
    /// The real films.
    Real,
    /// The samples of this job alone; the epoch is chosen on samples too, so that no real film touches it.
    Samples(usize),
    /// The real films and `ratio` samples for each of them; the epoch is chosen on real films.
    Mix {
        /// The samples' job.
        samples: usize,
        /// Samples for each real film.
        ratio: f64,
    },
}

/// One job of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Hash of everything that its result depends on, 16 hex digits; the name of its folder.
    pub key: String,
    /// What it does.
    pub work: Work,
    /// The point it belongs to; the first where several share it.
    pub point: usize,
    /// Jobs that must be done before.
    pub needs: Vec<usize>,
    /// What it is in a line.
    pub title: String,
    /// Expected seconds on one processor core, for the time left.
    pub weight: f64,
}

/// One test of one curve at one point with one seed: the number that is plotted.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Point of the grid.
    pub point: usize,
    /// Which curve: 0 is real, then the generators in the spec's order.
    pub curve: usize,
    /// Which seed, as position in the spec.
    pub seed: usize,
    /// The test's job.
    pub test: usize,
    /// The generator's job, where there is one.
    pub generator: Option<usize>,
}

/// A sweep with all that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The films of each point.
    pub points: Vec<Subset>,
    /// All jobs; each needs only jobs before it.
    pub jobs: Vec<Job>,
    /// What the jobs are for.
    pub cells: Vec<Cell>,
}

/// Collects jobs, each once.
struct Draft {
    jobs: Vec<Job>,
    places: BTreeMap<String, usize>,
}

impl Draft {
    fn add(&mut self, inputs: &impl Serialize, job: impl FnOnce(String) -> Job) -> usize {
        // The inputs are plain structs of numbers and strings, which always become JSON.
        let text = serde_json::to_string(&(FORMAT, inputs)).unwrap_or_default();
        let key = store::hash_bytes(text.as_bytes())[..16].to_owned();
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        self.places.insert(key.clone(), self.jobs.len());
        self.jobs.push(job(key));
        self.jobs.len() - 1
    }
}

impl Plan {
    /// Plans a sweep on a pack.
    ///
    /// # Errors
    /// [`BenchmarkError::Cohort`] when a point asks for films that the pack does not have.
    pub fn new(spec: &SweepSpec, pack: &Pack) -> Result<Self, BenchmarkError> {
        let wrong = |problem| BenchmarkError::Cohort { path: pack.folder().to_path_buf(), problem };
        let catalogue = Catalogue::of(pack);
        let points: Vec<Subset> = (0..spec.factor.points())
            .map(|point| Subset::build(&catalogue, &spec.factor, point))
            .collect::<Result<_, _>>()
            .map_err(&wrong)?;
        // Clipped before they are shrunk, such films look otherwise than they did to jobs of before, which no longer count.
        let clipped = if pack.is_clipped() { ", clipped, then shrunk" } else { "" };
        let identity = format!("{}{clipped}", pack.header().identity);
        let mut draft = Draft { jobs: Vec::new(), places: BTreeMap::new() };
        let mut cells = Vec::new();
        for (point, subset) in points.iter().enumerate() {
            let side = spec.factor.side(point);
            pack.check_side(side).map_err(&wrong)?;
            let films = subset.hash();
            let at = At { spec, point, side, subset, identity: &identity, films: &films };
            for (seed_place, &seed) in spec.seeds.iter().enumerate() {
                let mixes = matches!(&spec.factor, Factor::Mix { .. });
                if !mixes || spec.factor.value(point) == 0.0 {
                    let test = at.classifier(&mut draft, seed, Data::Real, "real films").map_err(&wrong)?;
                    cells.push(Cell { point, curve: 0, seed: seed_place, test, generator: None });
                }
                for (g, setting) in spec.generators.iter().enumerate() {
                    let ratio = match &spec.factor {
                        Factor::Mix { grid, .. } => Some(grid[point]),
                        _ => None,
                    };
                    if ratio == Some(0.0) {
                        continue;
                    }
                    let run = setting.run(side, seed.generator()).map_err(&wrong)?;
                    let generator = at.generator(&mut draft, run, &setting.name);
                    let rounds = match &spec.factor {
                        Factor::Mix { grid, .. } => grid.iter().copied().fold(1.0f64, f64::max).ceil() as usize,
                        _ => 1,
                    };
                    let samples = at.samples(&mut draft, generator, seed.samples(), rounds, &setting.name);
                    let data = match ratio {
                        None => Data::Samples(samples),
                        Some(ratio) => Data::Mix { samples, ratio },
                    };
                    let test = at.classifier(&mut draft, seed, data, &setting.name).map_err(&wrong)?;
                    cells.push(Cell { point, curve: g + 1, seed: seed_place, test, generator: Some(generator) });
                }
            }
        }
        Ok(Self { points, jobs: draft.jobs, cells })
    }

    /// Names of the curves: `real`, then the generators.
    pub fn curves(spec: &SweepSpec) -> Vec<String> {
        std::iter::once("real".to_owned()).chain(spec.generators.iter().map(|g| g.name.clone())).collect()
    }
}

/// One point while its jobs are planned.
struct At<'a> {
    spec: &'a SweepSpec,
    point: usize,
    side: usize,
    subset: &'a Subset,
    identity: &'a str,
    films: &'a str,
}

impl At<'_> {
    fn title(&self, what: &str, seed: u64) -> String {
        let kind = self.spec.factor.kind();
        format!("{what}, {kind} {}, seed {seed}", self.spec.factor.value(self.point))
    }

    fn generator(&self, draft: &mut Draft, mut run: RunSpec, name: &str) -> usize {
        // Neither the name nor where the pack lies changes a weight.
        "sweep".clone_into(&mut run.name);
        run.cohort = Path::new("cohort").to_path_buf();
        // A spec says its precision since there is a word for it; that the only one there is be said changes no weight, and
        // must not change the key of a generator that is trained already.
        let told = run.to_toml().replace("precision = \"f32\"\n", "");
        let inputs = ("generator", self.identity, self.films, told);
        let seconds = generator_seconds(&run);
        draft.add(&inputs, |key| {
            run.name = format!("{} {}", run.network.family.name().to_lowercase(), &key[..8]);
            Job {
                title: self.title(&format!("train {name}"), run.seed),
                key,
                work: Work::Generator { run: Box::new(run) },
                point: self.point,
                needs: Vec::new(),
                weight: seconds,
            }
        })
    }

    fn samples(&self, draft: &mut Draft, generator: usize, seed: u64, rounds: usize, name: &str) -> usize {
        let inputs = ("samples", draft.jobs[generator].key.clone(), self.films, seed, rounds);
        let images = self.subset.train.len() * rounds + self.subset.validation.len() + self.subset.test.len();
        draft.add(&inputs, |key| Job {
            key,
            work: Work::Samples { generator, seed, rounds },
            point: self.point,
            needs: vec![generator],
            title: self.title(&format!("draw samples of {name}"), seed),
            weight: images as f64 * self.side.pow(2) as f64 * 1e-6,
        })
    }

    /// The jobs that train and test a classifier; the test's position.
    fn classifier(&self, draft: &mut Draft, seed: Seed, data: Data, name: &str) -> Result<usize, String> {
        let spec = self.spec.classifier.spec(self.side, seed.classifier(), self.spec.as_published)?;
        let (learnt_from, needs) = match data {
            Data::Real => ("real".to_owned(), Vec::new()),
            Data::Samples(job) => (draft.jobs[job].key.clone(), vec![job]),
            Data::Mix { samples, ratio } => (format!("{} x {ratio}", draft.jobs[samples].key), vec![samples]),
        };
        // Weights to start from count by what is in them, not by where they lie.
        let start = match &spec.start_from {
            Some(path) => store::hash_file(path).map_err(|e| e.to_string())?,
            None => String::new(),
        };
        let named = ClassifierSpec { start_from: None, ..spec.clone() };
        let inputs = ("classifier", self.identity, self.films, &learnt_from, &named, start);
        let train = match data {
            Data::Mix { ratio, .. } => self.subset.train.len() as f64 * (1.0 + ratio),
            _ => self.subset.train.len() as f64,
        };
        let images = train.min(spec.epoch_images as f64) + self.subset.validation.len() as f64;
        let seconds = images * spec.epochs as f64 * 0.7 * classifier_seconds(&spec);
        let title = self.title(&format!("train a classifier on {name}"), seed.classifier());
        let classifier = draft.add(&inputs, |key| Job {
            key,
            work: Work::Classifier { data, spec: Box::new(spec) },
            point: self.point,
            needs,
            title,
            weight: seconds,
        });
        let as_published = self.spec.as_published;
        let inputs = ("test", draft.jobs[classifier].key.clone(), as_published);
        Ok(draft.add(&inputs, |key| Job {
            key,
            work: Work::Test { classifier, as_published },
            point: self.point,
            needs: vec![classifier],
            title: self.title(&format!("test the classifier of {name}"), seed.classifier()),
            weight: 1.0,
        }))
    }
}

/// About how long a run takes on one core: the products of every side an image passes, and the reading and writing of its
/// maps, which is most of it where they are few. Without a critic an image takes half of that.
fn generator_seconds(run: &RunSpec) -> f64 {
    let network = run.architecture(0);
    let image = |shown: usize| -> f64 {
        let sides = network.sides().filter(|&side| side <= shown);
        sides.map(|side| (side.pow(2) * network.features(side) * (network.features(side) + 100)) as f64).sum()
    };
    // The factors of cpD-GAN's layers by label and latent are computed anew for every film.
    let second = if run.network.family == Family::CpdGan { 1.5e-9 } else { 0.9e-9 };
    let alone = run.anchor.map_or(0.0, |anchor| anchor.alone_kimg);
    let mut begun = 0.0;
    let mut work = 0.0;
    for (i, level) in run.schedule.levels.iter().enumerate() {
        let last = i + 1 == run.schedule.levels.len();
        let fade = if i > 0 { level.fade_kimg } else { 0.0 };
        let end = if last { run.schedule.total_kimg } else { begun + fade + level.stable_kimg };
        let end = end.min(run.schedule.total_kimg);
        let without = (end.min(alone) - begun).max(0.0);
        work += (end - begun - 0.5 * without) * 1000.0 * image(level.side);
        begun = end;
    }
    work * second
}

/// About how long one image of one epoch takes on one core.
fn classifier_seconds(spec: &ClassifierSpec) -> f64 {
    match spec.preset {
        crate::training::classifier::Preset::Small => spec.side.pow(2) as f64 * 2.5e-6,
        crate::training::classifier::Preset::DenseNet121 => 3.0,
    }
}
