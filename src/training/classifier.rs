//! Classifiers of findings: the encoder's training, and the measure of how useful a generator's samples are.
//!
//! In: labelled images, of a pack's fold or of a generator, and a [`ClassifierSpec`]. Out: the weights of the epoch with
//! the best validation AUROC, and AUROCs with intervals on films of patients never seen.

mod evaluate;
mod examples;
mod fit;
mod relative;

pub use evaluate::{Evaluation, evaluate, scores};
pub use examples::{FoldImages, LabelledImages, Samples};
pub use fit::{Epoch, Fitted, class_weights, fit};
pub use relative::{RelativePerformance, relative_performance, sample_fold};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::Device;
use serde::Serialize;

use crate::cohort::{Fold, Pack};
use crate::encoder::{
    DenseNetConfig, EncoderCard, EncoderError, EncoderTraining, Input, MeaningError, Source, Tensors,
};
use crate::generator::Generator;
use crate::progress::{Cancelled, Progress};

/// Why a classifier was not trained or judged.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierError {
    /// Whoever started it stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The images cannot be learnt from.
    #[error("cannot train a classifier: {0}")]
    Images(String),
    /// Images of another kind than the classifier is for.
    #[error(transparent)]
    Meaning(#[from] MeaningError),
    /// The arithmetic failed.
    #[error("the training step of the classifier failed: {0}")]
    Compute(#[from] candle_core::Error),
    /// The encoder file could not be written.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The generator could not draw the samples.
    #[error("cannot draw samples to train on: {0}")]
    Sampling(String),
}

/// How a classifier is trained. The presets are the published recipe (DuMont Schütte 2021), scaled to the
/// network and to cohorts of a few thousand films.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassifierSpec {
    /// Network: `small` or `densenet121`.
    pub preset: Preset,
    /// Side that the `small` network sees; `densenet121` always sees 224.
    pub side: usize,
    /// Images in a batch.
    pub batch: usize,
    /// Adam's learning rate at the start.
    pub rate: f64,
    /// The rate is multiplied by this when validation does not improve.
    pub rate_factor: f64,
    /// Epochs without improvement after which the rate falls; the count then starts anew.
    pub rate_patience: usize,
    /// Epochs without improvement after which training stops.
    pub stop_patience: usize,
    /// Most images in an epoch; a larger fold is seen in several epochs.
    pub epoch_images: usize,
    /// Most epochs.
    pub epochs: usize,
    /// Whether half of the images are mirrored. Off where sides matter: a mirrored chest has its heart on the right.
    pub flip: bool,
    /// Images are moved by up to this many pixels each way.
    pub shift: usize,
    /// Whether a finding's positives and negatives weigh in the loss by the share of the other, as the published code
    /// means to but does not do.
    pub class_weights: bool,
    /// Whether a finding that is all present or all absent in the validation images counts as an AUROC of 0 in the choice
    /// of the epoch, as published; otherwise it is left out.
    pub undefined_counts_as_zero: bool,
    /// A safetensors file to start from; tensors of the same name and shape are taken.
    pub start_from: Option<PathBuf>,
    /// Seed of start, order and augmentation.
    pub seed: u64,
}

/// The two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// [`DenseNetConfig::small`].
    Small,
    /// [`DenseNetConfig::densenet121`].
    DenseNet121,
}

impl Preset {
    /// The name in cards and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::DenseNet121 => "densenet121",
        }
    }
}

impl ClassifierSpec {
    /// The small network from scratch at its own size.
    pub fn small(side: usize, seed: u64) -> Self {
        Self {
            preset: Preset::Small,
            side,
            batch: 48,
            rate: 2e-3,
            rate_factor: 0.3,
            rate_patience: 2,
            stop_patience: 6,
            epoch_images: 2400,
            epochs: 24,
            flip: false,
            shift: side / 16,
            class_weights: false,
            undefined_counts_as_zero: false,
            start_from: None,
            seed,
        }
    }

    /// The published classifier: 224 px, batch 48, rate 10⁻⁴, mirrored, epochs of 5000 images.
    pub fn published(seed: u64) -> Self {
        Self {
            preset: Preset::DenseNet121,
            side: 224,
            batch: 48,
            rate: 1e-4,
            rate_factor: 0.1,
            rate_patience: 2,
            stop_patience: 3,
            epoch_images: 5000,
            epochs: 100,
            flip: true,
            shift: 0,
            class_weights: false,
            undefined_counts_as_zero: false,
            start_from: None,
            seed,
        }
    }

    /// Shape of the network for so many findings.
    pub fn architecture(&self, labels: usize) -> DenseNetConfig {
        match self.preset {
            Preset::Small => DenseNetConfig::small(labels),
            Preset::DenseNet121 => DenseNetConfig::densenet121(labels),
        }
    }

    /// The card of a classifier of this cohort, with nothing measured yet.
    pub fn card(&self, pack: &Pack) -> EncoderCard {
        let header = pack.header();
        let input = match self.preset {
            Preset::Small => Input::native(self.side, header.meaning, header.window),
            Preset::DenseNet121 => Input::photographic(header.meaning, header.window),
        };
        let train = pack.fold_indices(Fold::Train);
        let patients: BTreeSet<u32> = train.iter().map(|&film| pack.patient_key(film as usize)).collect();
        EncoderCard {
            name: format!("encoder-{}", header.name),
            preset: self.preset.name().to_owned(),
            architecture: self.architecture(header.vocabulary.len()),
            input,
            vocabulary: header.vocabulary.clone(),
            training: EncoderTraining {
                cohort: header.name.clone(),
                cohort_hash: header.identity.clone(),
                phantom: header.phantom,
                images: train.len(),
                patients: patients.len(),
                schedule: String::new(),
                seed: self.seed,
                source: Source::Films,
            },
            metrics: BTreeMap::new(),
            remarks: Vec::new(),
            licence: header.licence.clone(),
            citation: header.citation.clone(),
        }
    }
}

/// Trains a classifier on a pack's train fold, chooses the epoch on its validation fold and measures it on its test fold.
/// The card that comes back holds what was measured.
///
/// # Errors
/// [`ClassifierError`] when cancelled, when a fold is empty, or when the arithmetic fails.
pub fn train_on_pack(
    pack: &Pack,
    spec: &ClassifierSpec,
    device: &Device,
    progress: &Progress,
) -> Result<(EncoderCard, Tensors), ClassifierError> {
    let card = spec.card(pack);
    let fold = |fold| FoldImages::new(pack, fold, card.input.side);
    trained(pack, card.clone(), spec, [&fold(Fold::Train), &fold(Fold::Validation)], device, progress)
}

/// As [`train_on_pack`], but learns from samples alone, one for each film of the train fold with that film's labels, and
/// chooses the epoch on samples too. It is measured on the films of the test fold.
///
/// # Errors
/// As [`train_on_pack`], and [`ClassifierError::Sampling`] when the generator is of another cohort than the pack.
pub fn train_on_samples(
    generator: &Generator,
    pack: &Pack,
    spec: &ClassifierSpec,
    device: &Device,
    progress: &Progress,
) -> Result<(EncoderCard, Tensors), ClassifierError> {
    relative::same_cohort(generator, pack)?;
    let mut card = spec.card(pack);
    card.name = format!("classifier-{}-samples", pack.header().name);
    card.training.source = Source::Samples { generator: generator.card().name.clone(), id: generator.id().to_owned() };
    let sampled = |fold| sample_fold(generator, pack, fold, spec.seed, progress);
    trained(pack, card, spec, [&sampled(Fold::Train)?, &sampled(Fold::Validation)?], device, progress)
}

fn trained(
    pack: &Pack,
    mut card: EncoderCard,
    spec: &ClassifierSpec,
    [train, validation]: [&dyn LabelledImages; 2],
    device: &Device,
    progress: &Progress,
) -> Result<(EncoderCard, Tensors), ClassifierError> {
    let fitted = fit(&card, spec, train, validation, device, progress)?;
    let test = FoldImages::new(pack, Fold::Test, card.input.side);
    let evaluation = evaluate(&fitted.encoder(&card), &test, spec.seed)?;
    let best = &fitted.epochs[fitted.best];
    card.training.schedule = format!(
        "{} epochs of {} images, weights of epoch {} kept; batch {}, Adam from {}, x{} after {} epochs without a better \
         validation AUROC; mirrored: {}; moved by up to {} px",
        fitted.epochs.len(),
        spec.epoch_images.min(card.training.images),
        fitted.best + 1,
        spec.batch,
        spec.rate,
        spec.rate_factor,
        spec.rate_patience,
        if spec.flip { "half" } else { "no" },
        spec.shift,
    );
    card.metrics.extend(best.auroc.map(|auroc| ("auroc_validation".to_owned(), auroc)));
    card.metrics.extend(evaluation.metrics(&card.vocabulary));
    Ok((card, fitted.tensors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbour::testing;

    fn spec() -> ClassifierSpec {
        ClassifierSpec { batch: 24, epochs: 4, shift: 1, ..ClassifierSpec::small(32, 5) }
    }

    #[test]
    fn findings_that_can_be_seen_are_learnt_and_the_same_seed_gives_the_same_weights() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 96, 3);
        let train = |spec: &ClassifierSpec| train_on_pack(&pack, spec, &Device::Cpu, &Progress::new()).unwrap();
        let (card, tensors) = train(&spec());
        crate::encoder::file::check(&card, &tensors).unwrap();
        assert!(card.metrics["auroc_test"] > 0.9, "{:?}", card.metrics);
        assert!(card.metrics["auroc_test_low"] <= card.metrics["auroc_test"]);
        assert!(card.metrics.contains_key("auroc_test/Mass") && !card.metrics.contains_key("auroc_test/Nodule"));
        let short = ClassifierSpec { epochs: 1, ..spec() };
        assert_eq!(train(&short).1, train(&short).1);
        assert_ne!(train(&short).1, train(&ClassifierSpec { seed: 6, ..short }).1);
    }

    #[test]
    fn a_classifier_learns_from_images_in_memory_and_stops_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 16, 3);
        let fold = FoldImages::new(&pack, Fold::Train, 32);
        let images = (0..fold.len()).map(|i| fold.image(i)).collect();
        let samples = Samples::new(images, (0..fold.len()).flat_map(|i| fold.labels(i).to_vec()).collect());
        let spec = ClassifierSpec { epochs: 1, ..spec() };
        let card = spec.card(&pack);
        let device = Device::Cpu;
        let of_pack = fit(&card, &spec, &fold, &fold, &device, &Progress::new()).unwrap();
        let of_samples = fit(&card, &spec, &samples, &samples, &device, &Progress::new()).unwrap();
        assert_eq!(of_pack.tensors, of_samples.tensors);
        let progress = Progress::new();
        progress.cancel();
        assert!(matches!(fit(&card, &spec, &fold, &fold, &device, &progress), Err(ClassifierError::Cancelled(_))));
        let none = Samples::new(vec![], vec![]);
        assert!(matches!(fit(&card, &spec, &fold, &none, &device, &progress), Err(ClassifierError::Images(_))));
    }

    #[test]
    fn a_rate_that_does_not_help_falls_and_training_stops_early() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 16, 3);
        let fold = FoldImages::new(&pack, Fold::Train, 32);
        // Nothing is learnt at a rate of zero: the first epoch stays the best one.
        let spec = ClassifierSpec { epochs: 9, rate: 0.0, rate_patience: 2, stop_patience: 3, shift: 0, ..spec() };
        let only_edema = |i: usize| vec![fold.labels(i)[0], 0.0, 0.0];
        let images: Vec<_> = (0..fold.len()).map(|i| fold.image(i)).collect();
        let same = Samples::new(vec![images[0].clone(); fold.len()], (0..fold.len()).flat_map(only_edema).collect());
        let fitted = fit(&spec.card(&pack), &spec, &fold, &same, &Device::Cpu, &Progress::new()).unwrap();
        assert_eq!((fitted.epochs.len(), fitted.best), (4, 0));
        assert_eq!(fitted.epochs[0].auroc, Some(0.5));
        let spec = ClassifierSpec { rate: 1e-12, ..spec };
        let fitted = fit(&spec.card(&pack), &spec, &fold, &same, &Device::Cpu, &Progress::new()).unwrap();
        let rates: Vec<f64> = fitted.epochs.iter().map(|e| e.rate).collect();
        assert_eq!(rates, [1e-12, 1e-12, 1e-12, 1e-8]);
    }

    #[test]
    fn samples_stand_in_for_films_one_by_one_and_strangers_are_refused() {
        use crate::generator::{Generator, testing as generators};
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 16, 3);
        let shape = generators::architecture(crate::generator::Family::CpdGan, 16, 8, 3, 128, 16);
        let mut card = generators::card(shape);
        card.vocabulary = pack.header().vocabulary.clone();
        let tensors = generators::tensors(&shape, 1);
        let generator =
            |card: &crate::generator::ModelCard| Generator::from_parts(card.clone(), tensors.clone(), "f".repeat(64));
        let stranger = generator(&card);
        let run = |generator: &Generator, seeds: &[u64]| {
            let spec = ClassifierSpec { epochs: 1, ..spec() };
            relative_performance(generator, &pack, &spec, seeds, &Device::Cpu, &Progress::new())
        };
        assert!(run(&stranger, &[1]).unwrap_err().to_string().contains("another cohort"));
        let draw = |seed| sample_fold(&stranger, &pack, Fold::Train, seed, &Progress::new()).unwrap();
        let (samples, fold) = (draw(1), FoldImages::new(&pack, Fold::Train, 32));
        assert_eq!(samples.len(), fold.len());
        assert!((0..fold.len()).all(|i| samples.labels(i) == fold.labels(i)));
        assert_eq!(samples.image(3), draw(1).image(3));
        assert_ne!(samples.image(3), draw(2).image(3));

        card.training.cohort_hash.clone_from(&pack.header().identity);
        let found = run(&generator(&card), &[1, 2]).unwrap();
        let metrics: BTreeMap<String, f64> = found.metrics(&pack.header().vocabulary).into_iter().collect();
        let ratio = metrics["auroc_synthetic"] / metrics["auroc_real"];
        assert!((metrics["relative_performance"] - ratio).abs() < 1e-12);
        assert_eq!(metrics["relative_performance_seeds"], 2.0);
        assert!(metrics["relative_performance_sd"] > 0.0);
        for (whole, group) in [("auroc_real", &found.real), ("auroc_synthetic", &found.synthetic)] {
            for (i, name) in pack.header().vocabulary.findings.iter().enumerate() {
                let of_seeds = group.iter().map(|e| e.findings[i]).sum::<Option<f64>>();
                assert_eq!(metrics.get(&format!("{whole}/{name}")).copied(), of_seeds.map(|sum| sum / 2.0));
            }
        }

        // A classifier that is kept is the one that was judged, and says what it learnt from.
        let one = ClassifierSpec { epochs: 1, seed: 1, ..spec() };
        let kept = |generator| train_on_samples(generator, &pack, &one, &Device::Cpu, &Progress::new());
        assert!(kept(&stranger).is_err());
        let (card, _) = kept(&generator(&card)).unwrap();
        assert_eq!(Some(card.metrics["auroc_test"]), found.synthetic[0].mean);
        assert_eq!(card.training.source, Source::Samples { generator: "test".into(), id: "f".repeat(16) });
        let read: EncoderCard = serde_json::from_str(&serde_json::to_string(&card).unwrap()).unwrap();
        assert_eq!(read, card);
        assert!(spec().card(&pack).training.source.is_films());
    }
}
