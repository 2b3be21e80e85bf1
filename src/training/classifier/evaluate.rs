//! AUROC of a classifier on labelled images, with an interval over patients.

use crate::compute::random;
use crate::encoder::Encoder;
use crate::finding::Vocabulary;
use crate::radiograph::Radiograph;
use crate::stats::{self, Interval};

use super::{ClassifierError, LabelledImages};

/// Images classified at a time.
const BATCH: usize = 64;

/// Bootstrap draws of patients.
const RESAMPLES: usize = 1000;

/// How well a classifier names findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// AUROC of each finding, in the vocabulary's order; `None` where the images are all with or all without it.
    pub findings: Vec<Option<f64>>,
    /// Mean over the findings where it is defined.
    pub mean: Option<f64>,
    /// 95 % percentile interval of the mean, patients drawn with replacement.
    pub interval: Option<Interval>,
    /// Images judged.
    pub images: usize,
}

impl Evaluation {
    /// Named figures for a card: `auroc_test`, its interval, and `auroc_test/FINDING`.
    pub fn metrics(&self, vocabulary: &Vocabulary) -> Vec<(String, f64)> {
        let mut metrics = vec![("images_test".to_owned(), self.images as f64)];
        metrics.extend(self.mean.map(|mean| ("auroc_test".to_owned(), mean)));
        if let Some(interval) = self.interval {
            metrics.push(("auroc_test_low".to_owned(), interval.low));
            metrics.push(("auroc_test_high".to_owned(), interval.high));
        }
        let each = vocabulary.findings.iter().zip(&self.findings);
        metrics.extend(each.filter_map(|(name, auroc)| Some((format!("auroc_test/{name}"), (*auroc)?))));
        metrics
    }
}

/// Scores `[n, findings]` and labels `[n, findings]` of all images.
///
/// # Errors
/// [`ClassifierError::Meaning`] when the images are of another kind than the classifier is for.
pub fn scores(encoder: &Encoder, images: &dyn LabelledImages) -> Result<(Vec<f32>, Vec<f32>), ClassifierError> {
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    let all: Vec<usize> = (0..images.len()).collect();
    for batch in all.chunks(BATCH) {
        let films: Vec<Radiograph> = batch.iter().map(|&i| images.image(i)).collect();
        scores.extend(encoder.classify(&films)?);
        labels.extend(batch.iter().flat_map(|&i| images.labels(i)));
    }
    Ok((scores, labels))
}

/// Judges a classifier. The seed is that of the bootstrap.
///
/// # Errors
/// [`ClassifierError::Meaning`] when the images are of another kind than the classifier is for.
pub fn evaluate(encoder: &Encoder, images: &dyn LabelledImages, seed: u64) -> Result<Evaluation, ClassifierError> {
    let (scores, labels) = scores(encoder, images)?;
    let findings = encoder.card().vocabulary.len();
    let (each, mean) = stats::finding_aurocs(&scores, &labels, findings);
    let patients: Vec<u32> = (0..images.len()).map(|i| images.patient(i)).collect();
    let mut rng = random::stream(seed, "bootstrap of patients");
    let rows = |table: &[f32], items: &[usize]| -> Vec<f32> {
        items.iter().flat_map(|&i| &table[i * findings..(i + 1) * findings]).copied().collect()
    };
    let interval = stats::bootstrap_by_patient(&patients, RESAMPLES, 0.95, &mut rng, |items| {
        stats::finding_aurocs(&rows(&scores, items), &rows(&labels, items), findings).1
    });
    Ok(Evaluation { findings: each, mean, interval, images: images.len() })
}
