//! The encoder's card: what it looks at, what it names, what it was trained on and how well it was measured to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DenseNetConfig;
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, is_range};

/// What an encoder is. It travels inside the encoder file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderCard {
    /// Short name: `encoder-nih-cxr14`.
    pub name: String,
    /// Which preset the architecture is: `small`, `densenet121` (for weights without a card also `densenet161` and the
    /// like), or `own`.
    pub preset: String,
    /// Shape of the network.
    pub architecture: DenseNetConfig,
    /// What it expects to see.
    pub input: Input,
    /// Findings at its output, in order; none where its features are all that can be asked for.
    pub vocabulary: Vocabulary,
    /// What it was trained on and how.
    pub training: EncoderTraining,
    /// Measured figures by name: `auroc_test`, `auroc_test/Edema`, …
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// In sentences: what is measured and what is weak.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Whom to cite for the training images; empty for phantoms.
    #[serde(default)]
    pub citation: String,
}

/// How a radiograph becomes the network's input: resized, windowed to 0..1, standardised per plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Side in pixels.
    pub side: usize,
    /// What the pixels must stand for.
    pub meaning: Meaning,
    /// Values that become 0 and 1, in the unit of `meaning`; what is beyond is clipped.
    pub window: [f32; 2],
    /// Subtracted from each plane after windowing.
    pub mean: Vec<f32>,
    /// Then each plane is divided by this.
    pub sd: Vec<f32>,
}

/// What an encoder was trained on and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderTraining {
    /// Name of the cohort.
    pub cohort: String,
    /// Identity of the pack it was trained on.
    pub cohort_hash: String,
    /// Whether the cohort holds phantoms, not patients.
    pub phantom: bool,
    /// Images in the train fold.
    pub images: usize,
    /// Patients in the train fold.
    pub patients: usize,
    /// Epochs taken and the one that was kept, in a line with the rest of the schedule.
    pub schedule: String,
    /// Seed of the run.
    pub seed: u64,
    /// What stood for the cohort's films while it learnt.
    #[serde(default, skip_serializing_if = "Source::is_films")]
    pub source: Source,
}

/// What a classifier learnt from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The cohort's own films.
    #[default]
    Films,
    /// Samples of a generator alone, each with the labels of a film it stands for; no film was seen.
    Samples {
        /// The generator's name.
        generator: String,
        /// The first 16 hex digits of its SHA-256.
        id: String,
    },
    /// The films and samples of a generator.
    Mixture {
        /// The generator's name.
        generator: String,
        /// The first 16 hex digits of its SHA-256.
        id: String,
        /// Samples for each film.
        ratio: f64,
    },
}

impl Source {
    /// Whether it learnt from films alone.
    pub fn is_films(&self) -> bool {
        *self == Self::Films
    }
}

/// Means of the three planes that weights from photographs expect.
const PHOTOGRAPH_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviations of the three planes that weights from photographs expect.
const PHOTOGRAPH_SD: [f32; 3] = [0.229, 0.224, 0.225];

impl Input {
    /// One plane from −1 to 1 at the radiograph's own size.
    pub fn native(side: usize, meaning: Meaning, window: [f32; 2]) -> Self {
        Self { side, meaning, window, mean: vec![0.5], sd: vec![0.5] }
    }

    /// Grey in three planes at 224 px, standardised as photographs are.
    pub fn photographic(meaning: Meaning, window: [f32; 2]) -> Self {
        Self { side: 224, meaning, window, mean: PHOTOGRAPH_MEAN.to_vec(), sd: PHOTOGRAPH_SD.to_vec() }
    }
}

impl EncoderCard {
    /// Checks that the card's parts agree and no number is out of range. An encoder that names no finding does not pass:
    /// a file's card always names some.
    ///
    /// # Errors
    /// A sentence that says which rule is broken.
    pub fn validate(&self) -> Result<(), String> {
        let check = |ok: bool, text: &str| if ok { Ok(()) } else { Err(text.to_owned()) };
        self.architecture.validate()?;
        self.vocabulary.validate()?;
        let (shape, input) = (&self.architecture, &self.input);
        check(self.vocabulary.len() == shape.labels, "the vocabulary and the network's output differ in length")?;
        check((shape.smallest_side()..=1024).contains(&input.side), "the input side does not suit the network")?;
        let planes = [input.mean.len(), input.sd.len()];
        check(planes == [shape.channels; 2], "mean and sd have not one value per input plane")?;
        check(input.mean.iter().all(|v| v.is_finite()), "a mean is not a finite number")?;
        check(input.sd.iter().all(|&v| v.is_finite() && v > 0.0), "an sd is not a number above zero")?;
        check(is_range(input.window), "the window has no width")
    }
}
