//! The run spec: everything that fixes a run, as TOML that a person can read and edit.

mod check;
mod precision;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainingError;
use crate::compute::device::DeviceChoice;
use crate::generator::{Architecture, Family};

pub use precision::Precision;

/// Everything that fixes a run: same spec, same cohort, same machine, same weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Short name of the model that comes out: `nih-chest`.
    pub name: String,
    /// The pack to train on; a relative path starts at the spec's folder.
    pub cohort: PathBuf,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// Shape of the networks.
    pub network: Network,
    /// What the networks are trained towards.
    pub loss: Loss,
    /// What is shown when.
    pub schedule: Schedule,
    /// How weights move.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// The average of the generator that samples are drawn from.
    #[serde(default)]
    pub average: Average,
    /// How images are drawn from the train fold.
    #[serde(default)]
    pub data: Data,
    /// A start from the train fold's principal components, which the papers do not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Anchor>,
    /// What the run writes, and when.
    #[serde(default)]
    pub record: Record,
    /// How the samples' nearness to the reals is measured on the way; when, says `record.quality_kimg`.
    #[serde(default)]
    pub quality: QualityMeasure,
    /// What happens when the losses run away.
    #[serde(default)]
    pub guard: Guard,
    /// Images of a minibatch that are computed at a time, where all at once need too much memory; the gradient is that of
    /// the whole minibatch. Rounded down to whole groups of 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// What the networks compute in: `f32`.
    #[serde(default)]
    pub precision: Precision,
    /// What to compute on: `auto`, `cpu`, `cuda`, `cuda:1`, `metal`.
    #[serde(default)]
    pub device: DeviceChoice,
    /// A checkpoint of another run to start the weights from; tensors of the same name and shape are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<PathBuf>,
}

/// Shape of the networks; the number of labels comes from the cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// `prog_gan` or `cpd_gan`.
    pub family: Family,
    /// Side of the finished images in pixels.
    pub resolution: usize,
    /// Length of the latent vector.
    pub latent: usize,
    /// See [`Architecture::feature_base`].
    pub feature_base: usize,
    /// See [`Architecture::feature_max`].
    pub feature_max: usize,
}

/// What the networks are trained towards. Label terms (prog-GAN's softmax cross-entropy, weight 1) belong to both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// Wasserstein with gradient penalty and drift, as published.
    WganGp {
        /// Weight of (‖∇‖ − 1)² on mixtures; 10 as published.
        penalty: f64,
        /// Weight of the squared score of reals; 0.001 as published.
        drift: f64,
    },
    /// Not the paper's: non-saturating logistic loss, gradient penalty on reals now and then (R1).
    R1 {
        /// γ in γ/2 · ‖∇ score(real)‖².
        gamma: f64,
        /// Steps from one penalty to the next; the weight grows with it.
        every: u64,
        /// Weight of the auxiliary classifier's loss; prog-GAN only, 1 as published.
        label_weight: f64,
    },
}

/// What is shown when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Real images shown over the whole run, in thousands.
    pub total_kimg: f64,
    /// One entry per side, ascending by doubling, ending at the network's resolution. cpD-GAN has one entry.
    pub levels: Vec<Level>,
}

/// One side of a growing network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Side in pixels.
    pub side: usize,
    /// Images in a minibatch.
    pub batch: usize,
    /// Thousands of real images over which this side fades in; without effect on the first.
    #[serde(default)]
    pub fade_kimg: f64,
    /// Thousands of real images shown at this side after the fade; the last side goes on to the end of the run.
    #[serde(default)]
    pub stable_kimg: f64,
}

/// Adam for both networks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// Learning rate of both networks.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added under the division.
    pub epsilon: f64,
    /// Share of the run's end over which the rate falls to a tenth, linearly in its logarithm; 0 as published.
    #[serde(default)]
    pub settle: f64,
    /// Share of the rate by which the generator's levels below its last move, 0 (held) to 1; whole where it is left out, as
    /// published. For a run that starts from a smaller network, whose levels have learnt already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

impl Default for Optimiser {
    /// prog-GAN as published.
    fn default() -> Self {
        Self { rate: 0.001, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, settle: 0.0, below: None }
    }
}

/// How fast the average of the generator follows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Average {
    /// The same decay at every step, whatever the minibatch; 0.999 as published.
    PerStep {
        /// What stays of the average.
        decay: f64,
    },
    /// Half of the average is replaced every so many thousand images; near the beginning, where the generator still has far to
    /// go, every twentieth of the images shown, if that is fewer (the ramp-up of StyleGAN2-ADA).
    HalfLife {
        /// Thousands of images.
        kimg: f64,
    },
}

impl Default for Average {
    fn default() -> Self {
        Self::PerStep { decay: 0.999 }
    }
}

/// Half-life of the average at most, as a share of the images shown.
const RAMP_UP: f64 = 0.05;

impl Average {
    /// What stays of the average at a step of `batch` images, after `shown` images.
    pub fn decay(self, batch: usize, shown: u64) -> f64 {
        match self {
            Self::PerStep { decay } => decay,
            Self::HalfLife { kimg } => {
                let images = (kimg * 1000.0).min(shown as f64 * RAMP_UP);
                0.5f64.powf(batch as f64 / images.max(1e-8))
            }
        }
    }
}

/// How images are drawn from the train fold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// What is done to every image, real or generated, before the critic sees it.
    pub augment: Augment,
    /// First a finding at random, then an image that has it, instead of every image equally often.
    pub balanced: bool,
}

/// What is done to every image, real or generated, before the critic sees it. Off as published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Nothing.
    #[default]
    None,
    /// A shift by up to an eighth of the side in each direction, edges repeated.
    Translate,
    /// The shift, and a change of brightness and contrast.
    TranslateTone,
}

/// How strongly the generator is tied to the train fold's principal components; see [`super::anchor`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// Thousands of real images over which the generator learns from the anchor alone, without a critic.
    pub alone_kimg: f64,
    /// Weight of the mean squared difference beside the generator's loss after that.
    pub weight: f64,
    /// Within it, weight of the error in what changes when one finding is switched; 0 leaves findings to the rest.
    #[serde(default)]
    pub findings: f64,
    /// The same once there is a critic; without it, `findings` throughout. At 0 the critic alone says what a finding looks
    /// like, and samples need not all show its average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings_later: Option<f64>,
    /// Learning rate of the generator alone, falling to the optimiser's over the second half of that time; without it, the
    /// optimiser's throughout. Nothing has to be kept in balance yet, so that it can be ten times as high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

impl Anchor {
    /// Weight of the error in what changes with a finding, once there is a critic.
    pub fn later(&self) -> f64 {
        self.findings_later.unwrap_or(self.findings)
    }
}

/// How the samples' nearness to the reals of the train fold is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityMeasure {
    /// Samples, and as many reals; fewer where the fold has fewer. 10,000 as published.
    pub count: usize,
    /// An encoder file, or a torchvision `DenseNet` in safetensors; without one, the program's own for the cohort. A relative
    /// path starts at the spec's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<PathBuf>,
    /// A file of the same kinds: the same samples are measured by it too. The best checkpoint and the stop rule are judged
    /// by the first alone. A relative path starts at the spec's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_encoder: Option<PathBuf>,
    /// Ends the run where the Fréchet distance falls no more; without it, the run goes on to `schedule.total_kimg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopRule>,
}

impl Default for QualityMeasure {
    fn default() -> Self {
        Self { count: 2000, encoder: None, second_encoder: None, stop: None }
    }
}

/// Ends the run after `patience` measures in a row without a new smallest Fréchet distance; the model is then the best one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRule {
    /// Measures before this many thousand real images do not count.
    pub from_kimg: f64,
    /// Measures without a new smallest distance.
    pub patience: u32,
}

/// What happens when the losses run away or steps are skipped again and again.
///
/// A single step whose gradient is not finite is skipped, as published, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guard {
    /// Steps in a row that are skipped or exceed `loss` before something is done.
    pub steps: u64,
    /// A critic's loss beyond this, or a loss that is not a number, counts as run away.
    pub loss: f64,
    /// What is done.
    pub then: Then,
    /// Factor of the learning rate after each return to a checkpoint.
    pub rate: f64,
    /// Returns before the run stops after all.
    pub most: u32,
}

/// What is done about losses that run away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The run ends with a sentence; its last good checkpoint stays.
    Stop,
    /// It goes back to the last good checkpoint and on from there with a lower rate.
    RollBack,
}

impl Default for Guard {
    fn default() -> Self {
        Self { steps: 100, loss: 1e6, then: Then::RollBack, rate: 0.5, most: 3 }
    }
}

impl Guard {
    /// Factor of the learning rate after so many returns.
    pub fn lowered(&self, rolled_back: u32) -> f64 {
        self.rate.powi(rolled_back.min(1000) as i32)
    }
}

/// What the run writes, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Thousands of real images from one sample grid to the next.
    pub sample_kimg: f64,
    /// Thousands of real images from one checkpoint to the next.
    pub checkpoint_kimg: f64,
    /// Thousands of real images from one measure of quality to the next, once the network has its full size; 0 for none.
    pub quality_kimg: f64,
    /// Checkpoints kept, beside the best one.
    pub keep: usize,
    /// Whether figures and sample grids are also written for TensorBoard, in the folder `tensorboard`.
    pub tensorboard: bool,
    /// Whether the model file holds half-precision numbers.
    pub half_precision: bool,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            sample_kimg: 10.0,
            checkpoint_kimg: 10.0,
            quality_kimg: 0.0,
            keep: 2,
            tensorboard: true,
            half_precision: true,
        }
    }
}

/// A path as written in a file of `folder`, made absolute.
fn absolute(folder: &Path, file: &Path) -> PathBuf {
    let file = folder.join(file);
    std::path::absolute(&file).unwrap_or(file)
}

impl RunSpec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// [`TrainingError::Spec`] with the line and the reason.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let wrong = |problem| TrainingError::Spec { path: path.to_path_buf(), problem };
        let size = std::fs::metadata(path).map_err(|e| wrong(format!("cannot be read: {e}")))?.len();
        if size > 1 << 20 {
            return Err(wrong("is larger than 1 MiB; a run spec is a short TOML file".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let mut spec = Self::parse(&text).map_err(wrong)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        spec.cohort = absolute(folder, &spec.cohort);
        spec.start_from = spec.start_from.as_deref().map(|file| absolute(folder, file));
        for file in [&mut spec.quality.encoder, &mut spec.quality.second_encoder] {
            *file = file.as_deref().map(|file| absolute(folder, file));
        }
        Ok(spec)
    }

    /// Reads and checks the text of a spec.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spec: Self = toml::from_str(text).map_err(|e| format!("is not a run spec: {e}"))?;
        spec.validate()?;
        Ok(spec)
    }

    /// The spec as TOML.
    pub fn to_toml(&self) -> String {
        // Serialising numbers, strings and tables into memory has no way to fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// The networks for a cohort with this many labels.
    pub fn architecture(&self, labels: usize) -> Architecture {
        let Network { family, resolution, latent, feature_base, feature_max } = self.network;
        Architecture { family, resolution, latent, labels, feature_base, feature_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::presets;

    #[test]
    fn the_average_forgets_its_beginning_even_in_a_short_run() {
        // ema_nimg = min(ema_kimg * 1000, cur_nimg * 0.05); 0.5 ** (batch_size / max(ema_nimg, 1e-8)), in Python.
        let average = Average::HalfLife { kimg: 4.0 };
        for (shown, decay) in [(0, 0.0), (160, 0.25), (6000, 0.9637071183915519), (100_000, 0.9972312513520695)] {
            assert!((average.decay(16, shown) - decay).abs() < 1e-12, "after {shown}: {}", average.decay(16, shown));
        }
        assert_eq!(Average::PerStep { decay: 0.999 }.decay(16, 0), 0.999);
    }

    #[test]
    fn a_spec_reads_back_from_its_text() {
        for name in presets::NAMES {
            let mut spec = presets::preset(name, Family::CpdGan).unwrap();
            assert_eq!(RunSpec::parse(&spec.to_toml()).unwrap(), spec, "{name}");
            (spec.micro_batch, spec.device) = (Some(8), DeviceChoice::Cuda(1));
            spec.quality.encoder = Some(PathBuf::from("encoder.safetensors"));
            spec.quality.second_encoder = Some(PathBuf::from("densenet121.safetensors"));
            assert_eq!(RunSpec::parse(&spec.to_toml()).unwrap(), spec, "{name}");
        }
        // What came later may be missing.
        let text = presets::preset("small-32", Family::CpdGan).unwrap().to_toml();
        let mut table: toml::Table = toml::from_str(&text).unwrap();
        for name in ["quality", "guard", "precision", "device", "record"] {
            assert!(table.remove(name).is_some(), "{name}");
        }
        let spec = RunSpec::parse(&table.to_string()).unwrap();
        assert_eq!((spec.quality, spec.guard), (QualityMeasure::default(), Guard::default()));
    }

    #[test]
    fn files_that_a_spec_names_begin_at_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = presets::preset("small-32", Family::CpdGan).unwrap();
        let elsewhere = folder.path().join("elsewhere.safetensors");
        (spec.quality.encoder, spec.quality.second_encoder) = (Some("a.safetensors".into()), Some(elsewhere.clone()));
        let read = |spec: &RunSpec| {
            let path = folder.path().join("run.toml");
            std::fs::write(&path, spec.to_toml()).unwrap();
            RunSpec::read(&path).unwrap()
        };
        let found = read(&spec);
        assert_eq!(found.quality.encoder, Some(folder.path().join("a.safetensors")));
        assert_eq!(found.quality.second_encoder, Some(elsewhere));
        spec.quality.second_encoder = Some("b.safetensors".into());
        assert_eq!(read(&spec).quality.second_encoder, Some(folder.path().join("b.safetensors")));
    }
}
