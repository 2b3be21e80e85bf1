//! The sweep as data: cohort, factor and grid, generators, classifier, seeds; TOML that a person can read and edit.

mod factor;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use factor::{ClassPoint, Factor, RankedOn};

use super::BenchmarkError;
use crate::cohort::phantom;
use crate::generator::Family;
use crate::training::classifier::{ClassifierSpec, Preset};
use crate::training::presets;
use crate::training::schedule::STEPS_PER_READING;
use crate::training::spec::{Anchor, RunSpec};

/// Largest spec file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that fixes a sweep: same spec, same cohort, same program, same result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// Short name: `nih-classes`.
    pub name: String,
    /// The pack; a relative path starts at the spec's folder. Left out where `phantom` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort: Option<PathBuf>,
    /// Repeats: one generator of each kind and one classifier of each kind for each of them, at each point of the grid.
    pub seeds: Vec<Seed>,
    /// Where the published code does something else than it seems to mean (DuMont Schütte 2021), do what it
    /// does: AUROCs below one half mirrored, class weights without effect, findings with one class counted as 0 in the
    /// choice of the epoch, the last incomplete batch of the test fold left out.
    #[serde(default)]
    pub as_published: bool,
    /// Phantoms to draw in place of a pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phantom: Option<Phantoms>,
    /// What changes from point to point.
    pub factor: Factor,
    /// Generators to compare.
    #[serde(default)]
    pub generators: Vec<GeneratorSetting>,
    /// Classifier that is trained on real films and on samples.
    pub classifier: ClassifierSetting,
}

/// The seeds of one repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seed {
    /// One number for all three.
    Same(u64),
    /// A number for each; changing one redoes what follows from it and nothing else.
    Each {
        /// Of the generator's training.
        generator: u64,
        /// Of the latents of the samples.
        samples: u64,
        /// Of the classifier's training.
        classifier: u64,
    },
}

impl Seed {
    /// Of the generator's training.
    pub fn generator(self) -> u64 {
        match self {
            Self::Same(seed) | Self::Each { generator: seed, .. } => seed,
        }
    }

    /// Of the latents of the samples.
    pub fn samples(self) -> u64 {
        match self {
            Self::Same(seed) | Self::Each { samples: seed, .. } => seed,
        }
    }

    /// Of the classifier's training.
    pub fn classifier(self) -> u64 {
        match self {
            Self::Same(seed) | Self::Each { classifier: seed, .. } => seed,
        }
    }
}

/// Phantoms to draw in place of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phantoms {
    /// `chest` or `brain`.
    pub body: String,
    /// How many films.
    pub count: usize,
    /// Largest side stored.
    pub resolution: usize,
    /// Seed of the patients.
    pub seed: u64,
}

impl Phantoms {
    /// Which body.
    ///
    /// # Errors
    /// A sentence that says which words are known.
    pub fn kind(&self) -> Result<phantom::Kind, String> {
        self.body.parse()
    }
}

/// One kind of generator to train at every point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorSetting {
    /// Name in legends.
    pub name: String,
    /// `prog_gan` or `cpd_gan`.
    pub family: Family,
    /// `paper` or `small`: the training preset of that name at the point's side.
    #[serde(default = "small")]
    pub preset: String,
    /// Real images shown, in thousands; the whole schedule is stretched or shortened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kimg: Option<f64>,
    /// Most feature maps at any level, for networks narrower than the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// A start from the train fold's principal components, which the paper does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// A whole run specification in place of preset, kimg, width and anchor. Its name, cohort and seed are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Box<RunSpec>>,
}

fn small() -> String {
    "small".to_owned()
}

impl GeneratorSetting {
    /// The run of this generator at a side, with seed, and with name and cohort left open.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn run(&self, side: usize, seed: u64) -> Result<RunSpec, String> {
        let mut run = match &self.spec {
            Some(spec) if spec.network.resolution != side => {
                return Err(format!(
                    "generator \"{}\": its specification is for {} px, the point for {side} px",
                    self.name, spec.network.resolution
                ));
            }
            Some(spec) => (**spec).clone(),
            None => {
                let name = format!("{}-{side}", self.preset);
                let known = || presets::NAMES.join(", ");
                presets::preset(&name, self.family).ok_or_else(|| {
                    format!("generator \"{}\": there is no preset {name}; there are {}", self.name, known())
                })?
            }
        };
        if self.spec.is_none() {
            if let Some(kimg) = self.kimg {
                let stretch = kimg / run.schedule.total_kimg;
                run.schedule.total_kimg = kimg;
                for level in &mut run.schedule.levels {
                    level.fade_kimg *= stretch;
                    level.stable_kimg *= stretch;
                }
            }
            if let Some(width) = self.width {
                let ratio = run.network.feature_base / run.network.feature_max.max(1);
                run.network.feature_max = width;
                run.network.feature_base = width * ratio;
            }
            run.anchor = self.anchor;
        }
        // Grids of samples are for a person who follows one run; a sweep keeps the last only, and a checkpoint every few
        // minutes.
        run.record.sample_kimg = run.schedule.total_kimg;
        run.record.checkpoint_kimg = (run.schedule.total_kimg / 8.0).max(1.0);
        run.record.keep = 1;
        run.seed = seed;
        run.validate().map_err(|problem| format!("generator \"{}\": {problem}", self.name))?;
        if !grows_up(&run) {
            return Err(format!(
                "generator \"{}\": {} kimg are too few to grow to {side} px; give it more",
                self.name, run.schedule.total_kimg
            ));
        }
        Ok(run)
    }
}

/// Whether the last reading of a run's schedule finds the network at its full size; otherwise no model comes of it.
fn grows_up(run: &RunSpec) -> bool {
    let (mut shown, mut grown) = (0, false);
    while shown < run.schedule.total() {
        let (level, growth) = run.schedule.at(shown);
        grown = growth.side == run.network.resolution && growth.fade == 0.0;
        shown += STEPS_PER_READING * level.batch as u64;
    }
    grown
}

/// The classifier that is trained on real films and on samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierSetting {
    /// `small` (at the point's own side) or `densenet121` (224 px, as published).
    pub preset: String,
    /// Most epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Most images in an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_images: Option<usize>,
    /// Weights to start from, as a safetensors file with torchvision's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
}

impl ClassifierSetting {
    /// How it is trained at a side.
    ///
    /// # Errors
    /// A sentence that says which preset there is.
    pub fn spec(&self, side: usize, seed: u64, as_published: bool) -> Result<ClassifierSpec, String> {
        let mut spec = match self.preset.as_str() {
            "small" => ClassifierSpec::small(side, seed),
            "densenet121" => ClassifierSpec::published(seed),
            other => return Err(format!("classifier.preset \"{other}\" is neither small nor densenet121")),
        };
        spec.epochs = self.epochs.unwrap_or(spec.epochs);
        spec.epoch_images = self.epoch_images.unwrap_or(spec.epoch_images);
        spec.start_from.clone_from(&self.weights);
        spec.class_weights = !as_published;
        spec.undefined_counts_as_zero = as_published;
        if spec.preset == Preset::Small && side < spec.architecture(1).smallest_side() {
            return Err(format!(
                "the small classifier needs {} px at least, not {side}",
                spec.architecture(1).smallest_side()
            ));
        }
        Ok(spec)
    }
}

impl SweepSpec {
    /// Reads a spec; the cohort's path is made to start where the file lies.
    ///
    /// # Errors
    /// [`BenchmarkError::Spec`] that says what is wrong and what would be right.
    pub fn read(path: &Path) -> Result<Self, BenchmarkError> {
        let wrong = |problem: String| BenchmarkError::Spec { path: path.to_path_buf(), problem };
        let bytes = std::fs::metadata(path).map_err(|e| wrong(format!("cannot be read: {e}")))?.len();
        if bytes > MAX_BYTES {
            return Err(wrong("is longer than a megabyte and so not a sweep specification".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let mut spec = Self::parse(&text).map_err(wrong)?;
        let beside = |file: &mut PathBuf| {
            if file.is_relative()
                && let Some(folder) = path.parent()
            {
                *file = folder.join(&*file);
            }
        };
        spec.cohort.as_mut().map(beside);
        spec.classifier.weights.as_mut().map(beside);
        Ok(spec)
    }

    /// Reads a spec from its text.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spec: Self = toml::from_str(text).map_err(|e| format!("is not a sweep specification: {e}"))?;
        spec.validate()?;
        Ok(spec)
    }

    /// The spec as TOML.
    pub fn to_toml(&self) -> String {
        // Nothing in a spec can fail to become TOML: all keys are strings and no number is beyond i64 in use.
        toml::to_string(self).unwrap_or_default()
    }

    /// Checks every number before anything is done with it.
    ///
    /// # Errors
    /// A sentence that says which number is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let check = |ok: bool, text: &str| if ok { Ok(()) } else { Err(text.to_owned()) };
        let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
        let named = |name: &str| !name.trim().is_empty() && name.len() <= 64 && name.chars().all(plain);
        check(named(&self.name), "name must be 1 to 64 letters, digits, spaces, dots, hyphens or underscores")?;
        check(self.cohort.is_some() != self.phantom.is_some(), "give either cohort (a pack) or [phantom], not both")?;
        check((1..=64).contains(&self.seeds.len()), "give 1 to 64 seeds")?;
        let doubled = self.seeds.iter().enumerate().any(|(i, seed)| self.seeds[..i].contains(seed));
        check(!doubled, "a seed stands twice; a repeat with the same seed is no repeat")?;
        // TOML's whole numbers end there; a larger one could not be written back.
        let whole = |seed: &Seed| {
            [seed.generator(), seed.samples(), seed.classifier()].iter().all(|&s| i64::try_from(s).is_ok())
        };
        check(self.seeds.iter().all(whole), "seeds must be below 2^63")?;
        if let Some(phantom) = &self.phantom {
            phantom.kind()?;
            check((1..=1_000_000).contains(&phantom.count), "phantom.count must be 1 to 1000000")?;
        }
        let names: Vec<&str> = self.generators.iter().map(|g| g.name.as_str()).collect();
        check(names.len() <= 16, "at most 16 generators")?;
        check(
            names.iter().all(|name| named(name) && *name != "real"),
            "a generator's name must be plain, and not \"real\"",
        )?;
        check((1..names.len()).all(|i| !names[..i].contains(&names[i])), "two generators have one name")?;
        check((1..=64).contains(&self.factor.points()), "factor.grid must have 1 to 64 points")?;
        let count = |n: usize| (1..=100_000_000).contains(&n);
        // Fewer would make the films of no finding a rare combination, and leave all of them out.
        check(
            self.factor.no_finding().is_none_or(|most| most > self.factor.least_count()),
            "factor.no_finding must be above least_count",
        )?;
        match &self.factor {
            Factor::Classes { grid, validation, test, .. } => {
                check(count(*validation) && count(*test), "validation and test must be at least 1 film per class")?;
                check(
                    grid.iter().all(|p| p.classes >= 2 && count(p.train)),
                    "a point needs at least 2 classes and 1 film",
                )?;
                check(
                    grid.is_sorted_by(|a, b| a.classes > b.classes),
                    "grid must have the most classes first, each once",
                )?;
            }
            Factor::Samples { grid, validation, test, classes, .. } => {
                check(count(*validation) && count(*test), "validation and test must be at least 1 film per class")?;
                check(classes.is_none_or(|k| k >= 2), "classes must be at least 2")?;
                check(grid.iter().all(|&n| count(n)), "a point needs at least 1 film per class")?;
                check(grid.is_sorted_by(|a, b| a > b), "grid must descend, each value once")?;
            }
            Factor::Resolution { grid, validation, test, .. } => {
                check(count(*validation) && count(*test), "validation and test must be at least 1 film")?;
                let side = |&s: &usize| s.is_power_of_two() && (8..=1024).contains(&s);
                check(grid.iter().all(side), "grid must hold powers of two from 8 to 1024")?;
                check(grid.is_sorted_by(|a, b| a < b), "grid must ascend, each value once")?;
            }
            Factor::Mix { grid, classes, train, validation, test, .. } => {
                check(
                    count(*train) && count(*validation) && count(*test),
                    "every fold needs at least 1 film per class",
                )?;
                check(*classes >= 2, "classes must be at least 2")?;
                check(grid.iter().all(|r| (0.0..=100.0).contains(r)), "grid must hold ratios from 0 to 100")?;
                check(grid.is_sorted_by(|a, b| a < b), "grid must ascend, each value once")?;
                check(!self.generators.is_empty(), "a mix needs a generator")?;
            }
        }
        for point in 0..self.factor.points() {
            let side = self.factor.side(point);
            check(
                side.is_power_of_two() && (8..=1024).contains(&side),
                "resolution must be a power of two from 8 to 1024",
            )?;
            self.classifier.spec(side, 1, self.as_published)?;
            for generator in &self.generators {
                generator.run(side, 1)?;
            }
        }
        let epochs = self.classifier.epochs.is_none_or(|n| (1..=10_000).contains(&n));
        check(epochs, "classifier.epochs must be 1 to 10000")?;
        check(self.classifier.epoch_images.is_none_or(count), "classifier.epoch_images must be at least 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::presets::preset;

    #[test]
    fn as_published_class_weights_are_off_and_findings_of_one_class_count() {
        let classifier = preset("paper-classes", Path::new("cohort")).unwrap().classifier;
        for as_published in [false, true] {
            let spec = classifier.spec(32, 1, as_published).unwrap();
            assert_eq!((spec.class_weights, spec.undefined_counts_as_zero), (!as_published, as_published));
        }
    }

    #[test]
    fn what_is_left_out_of_a_spec_is_left_out_of_its_text() {
        let mut spec = preset("small-classes", Path::new("cohort")).unwrap();
        assert!(!spec.to_toml().contains("no_finding"));
        let Factor::Classes { no_finding, least_count, .. } = &mut spec.factor else { panic!("another factor") };
        *no_finding = Some(*least_count);
        assert!(SweepSpec::parse(&spec.to_toml()).unwrap_err().contains("above least_count"));
    }
}
