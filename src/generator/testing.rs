//! Small generators with random weights, for the tests of this room and of those above it.

use super::model_file::Tensors;
use super::{Architecture, Family, ModelCard};
use crate::compute::random;
use crate::finding::Vocabulary;
use crate::radiograph::Meaning;

/// An architecture from its six numbers.
pub fn architecture(
    family: Family,
    resolution: usize,
    latent: usize,
    labels: usize,
    feature_base: usize,
    feature_max: usize,
) -> Architecture {
    let architecture = Architecture { family, resolution, latent, labels, feature_base, feature_max };
    architecture.validate().unwrap();
    architecture
}

/// A card for it, with findings named A, B, C, …
pub fn card(architecture: Architecture) -> ModelCard {
    let findings = (0..architecture.labels).map(|i| format!("Finding {i}"));
    ModelCard {
        name: "test".into(),
        architecture,
        vocabulary: Vocabulary::new("test", findings),
        meaning: Meaning::Density,
        range: [0.0, 1.0],
        training: super::card::Training {
            cohort: "none".into(),
            cohort_hash: String::new(),
            phantom: true,
            images: 0,
            patients: 0,
            steps: 0,
            kimg: 0.0,
            seed: 0,
            schedule: "random weights".into(),
        },
        metrics: std::collections::BTreeMap::new(),
        remarks: vec![],
        licence: "none".into(),
        citation: String::new(),
    }
}

/// Standard-normal weights and biases for every tensor of the generator.
pub fn tensors(architecture: &Architecture, seed: u64) -> Tensors {
    let draw = |parameter: super::architecture::Parameter| {
        let values = random::normals(&mut random::stream(seed, &parameter.name), parameter.count());
        (parameter.name, (parameter.shape, values))
    };
    architecture.generator().into_iter().map(draw).collect()
}
