//! The paper's measure of a generator: a classifier trained on its samples alone, tested on real films, as a share of the
//! classifier trained on the real films (DuMont Schütte 2021).

use candle_core::Device;
use rand::Rng;

use super::{ClassifierError, ClassifierSpec, Evaluation, FoldImages, LabelledImages, Samples, evaluate, fit};
use crate::cohort::{Fold, Pack};
use crate::compute::random;
use crate::finding::Vocabulary;
use crate::generator::{Generator, Recipe};
use crate::progress::Progress;
use crate::stats;

/// Samples rendered between two looks at the cancel switch.
const BATCH: usize = 64;

/// AUROCs on the same real test fold of classifiers trained on real films and on samples, one of each for each seed.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativePerformance {
    /// Trained on the real train fold.
    pub real: Vec<Evaluation>,
    /// Trained on samples with the label vectors of the real train fold.
    pub synthetic: Vec<Evaluation>,
}

impl RelativePerformance {
    /// Mean AUROC of one group of classifiers; `None` where one of them is not defined.
    fn mean(group: &[Evaluation]) -> Option<f64> {
        stats::mean(&group.iter().map(|e| e.mean).collect::<Option<Vec<f64>>>()?)
    }

    /// Mean AUROC of the classifiers trained on samples over that of those trained on real films.
    pub fn ratio(&self) -> Option<f64> {
        Some(Self::mean(&self.synthetic)? / Self::mean(&self.real)?)
    }

    /// Standard deviation over seeds of the ratio of each pair; `None` for fewer than two seeds.
    pub fn deviation(&self) -> Option<f64> {
        let pairs = self.synthetic.iter().zip(&self.real);
        stats::standard_deviation(&pairs.map(|(s, r)| Some(s.mean? / r.mean?)).collect::<Option<Vec<f64>>>()?)
    }

    /// Mean AUROC of one finding over a group of classifiers; `None` where one of them has none.
    fn of_finding(group: &[Evaluation], finding: usize) -> Option<f64> {
        stats::mean(&group.iter().map(|e| *e.findings.get(finding)?).collect::<Option<Vec<f64>>>()?)
    }

    /// Named figures for a model card: `auroc_real`, `auroc_synthetic`, `relative_performance`, `…_sd`, `…_seeds`, and
    /// `auroc_real/FINDING`, `auroc_synthetic/FINDING`.
    pub fn metrics(&self, vocabulary: &Vocabulary) -> Vec<(String, f64)> {
        let named = [
            ("auroc_real", Self::mean(&self.real)),
            ("auroc_synthetic", Self::mean(&self.synthetic)),
            ("relative_performance", self.ratio()),
            ("relative_performance_sd", self.deviation()),
            ("relative_performance_seeds", Some(self.real.len() as f64)),
        ];
        let whole = named.into_iter().map(|(name, value)| (name.to_owned(), value));
        let each = vocabulary.findings.iter().enumerate().flat_map(|(i, finding)| {
            [("auroc_real", &self.real), ("auroc_synthetic", &self.synthetic)]
                .map(|(name, group)| (format!("{name}/{finding}"), Self::of_finding(group, i)))
        });
        whole.chain(each).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// One sample for each film of a fold, with that film's label vector and a latent of its own.
///
/// # Errors
/// [`ClassifierError::Sampling`] when the generator does not know the cohort's findings, or cannot render.
pub fn sample_fold(
    generator: &Generator,
    pack: &Pack,
    fold: Fold,
    seed: u64,
    progress: &Progress,
) -> Result<Samples, ClassifierError> {
    let findings = &pack.header().vocabulary.findings;
    let films = pack.fold_indices(fold);
    let mut latents = random::stream(seed, &format!("latents of the {fold} fold"));
    let mut images = Vec::with_capacity(films.len());
    for batch in films.chunks(BATCH) {
        progress.check()?;
        let recipes: Vec<Recipe> = batch
            .iter()
            .map(|&film| {
                let mut recipe = generator.recipe(latents.random());
                for (finding, &label) in findings.iter().zip(pack.labels(film as usize)) {
                    recipe.set_strength(finding, label);
                }
                recipe
            })
            .collect();
        let samples = generator.render_batch(&recipes).map_err(|e| ClassifierError::Sampling(e.to_string()))?;
        images.extend(samples);
    }
    let labels = films.iter().flat_map(|&film| pack.labels(film as usize)).copied().collect();
    Ok(Samples::new(images, labels))
}

/// Makes sure that a generator was trained on this very cohort.
pub(super) fn same_cohort(generator: &Generator, pack: &Pack) -> Result<(), ClassifierError> {
    let (trained, header) = (&generator.card().training, pack.header());
    if trained.cohort_hash != header.identity {
        return Err(ClassifierError::Sampling(format!(
            "\"{}\" was trained on another cohort ({}) than this pack ({}); open the pack it was trained on",
            generator.card().name,
            trained.cohort,
            header.name
        )));
    }
    Ok(())
}

/// Trains two classifiers for each seed, one on the real train fold and one on samples that stand in for it film by film,
/// and tests both on the real test fold. The one trained on samples chooses its epoch on samples too, so that no real
/// film touches it. Progress counts epochs of the classifier at work.
///
/// # Errors
/// [`ClassifierError`] when cancelled, when the generator is of another cohort than the pack, or when training fails.
pub fn relative_performance(
    generator: &Generator,
    pack: &Pack,
    spec: &ClassifierSpec,
    seeds: &[u64],
    device: &Device,
    progress: &Progress,
) -> Result<RelativePerformance, ClassifierError> {
    same_cohort(generator, pack)?;
    let mut found = RelativePerformance { real: Vec::new(), synthetic: Vec::new() };
    for &seed in seeds {
        let spec = ClassifierSpec { seed, ..spec.clone() };
        let card = spec.card(pack);
        let real = |fold| FoldImages::new(pack, fold, card.input.side);
        let judge = |train: &dyn LabelledImages, validation: &dyn LabelledImages| {
            let fitted = fit(&card, &spec, train, validation, device, progress)?;
            evaluate(&fitted.encoder(&card), &real(Fold::Test), seed)
        };
        let sampled = |fold| sample_fold(generator, pack, fold, seed, progress);
        found.synthetic.push(judge(&sampled(Fold::Train)?, &sampled(Fold::Validation)?)?);
        found.real.push(judge(&real(Fold::Train), &real(Fold::Validation))?);
    }
    Ok(found)
}
