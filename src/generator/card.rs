//! The model card: what a trained generator is, where it comes from and how good it was measured to be.
//!
//! It travels inside the model file, so that weights are never without it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::finding::Vocabulary;
use crate::radiograph::Meaning;

/// What a trained generator is. Everything a reader of its samples should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Short name, as the model picker shows it: `nih-chest`.
    pub name: String,
    /// Shape of the network.
    pub architecture: Architecture,
    /// Findings it is conditioned on, in the order of its label input.
    pub vocabulary: Vocabulary,
    /// What the pixels of a sample stand for.
    pub meaning: Meaning,
    /// The values that outputs −1 and +1 stand for, in the unit of `meaning`.
    pub range: [f32; 2],
    /// What it was trained on and how.
    pub training: Training,
    /// Measured figures by name: `auroc_synthetic`, `auroc_real`, `relative_performance`, …
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// In sentences: what is measured and what is visibly wrong.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Whom to cite for the training images; empty for phantoms.
    #[serde(default)]
    pub citation: String,
}

/// What a generator was trained on and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Name of the cohort: `phantom-chest`, `nih-cxr14`.
    pub cohort: String,
    /// Hash of the pack it was trained on; neighbours are shown only from a pack with this hash.
    pub cohort_hash: String,
    /// Whether the cohort holds phantoms, not patients.
    pub phantom: bool,
    /// Images in the train fold.
    pub images: usize,
    /// Patients in the train fold.
    pub patients: usize,
    /// Critic steps taken.
    pub steps: u64,
    /// Real images shown, in thousands.
    pub kimg: f64,
    /// Seed of the run.
    pub seed: u64,
    /// What differs from the published schedule, in a line.
    pub schedule: String,
}
