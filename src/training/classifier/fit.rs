//! The training loop of a classifier: binary cross-entropy, Adam, and a schedule that follows the validation AUROC.

use std::path::Path;

use candle_core::{Device, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{ClassifierError, ClassifierSpec, LabelledImages, evaluate};
use crate::compute::adam::{Adam, AdamConfig};
use crate::compute::{ops, random};
use crate::encoder::{Encoder, EncoderCard, Input, Tensors, Trainable, file, prepare};
use crate::progress::Progress;
use crate::stats;

/// What one epoch came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Mean training loss.
    pub loss: f64,
    /// Mean validation AUROC over the findings where it is defined; `None` where it is defined for none.
    pub auroc: Option<f64>,
    /// Learning rate it was trained with.
    pub rate: f64,
}

/// A trained classifier.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Weights and running moments of the best epoch.
    pub tensors: Tensors,
    /// All epochs, in order.
    pub epochs: Vec<Epoch>,
    /// Which epoch was kept, from 0.
    pub best: usize,
}

impl Fitted {
    /// Ready to use under this card; it has no file yet and so no hash.
    pub fn encoder(&self, card: &EncoderCard) -> Encoder {
        Encoder::from_parts(card.clone(), &self.tensors, String::new())
    }
}

/// Draws images in shuffled order, each once before any comes again.
struct Order {
    rng: ChaCha8Rng,
    images: Vec<usize>,
    next: usize,
}

impl Order {
    fn take(&mut self, n: usize) -> Vec<usize> {
        (0..n)
            .map(|_| {
                if self.next == 0 {
                    self.images.shuffle(&mut self.rng);
                }
                let i = self.images[self.next];
                self.next = (self.next + 1) % self.images.len();
                i
            })
            .collect()
    }
}

/// Trains on `train` and keeps the weights of the epoch that was best on `validation`.
///
/// The order of images goes on where the last epoch ended, as published. Progress counts epochs; a cancel is seen at the
/// next batch.
///
/// # Errors
/// [`ClassifierError`] when cancelled, when there is nothing to learn from, or when the arithmetic fails.
pub fn fit(
    card: &EncoderCard,
    spec: &ClassifierSpec,
    train: &dyn LabelledImages,
    validation: &dyn LabelledImages,
    device: &Device,
    progress: &Progress,
) -> Result<Fitted, ClassifierError> {
    if train.is_empty() || validation.is_empty() {
        let which = if train.is_empty() { "train" } else { "validation" };
        return Err(ClassifierError::Images(format!("the {which} fold is empty; import the cohort with a split")));
    }
    crate::compute::init();
    let mut network = Trainable::new(&card.architecture, spec.seed, device)?;
    if let Some(path) = &spec.start_from {
        network = begun(&network, card, path, device)?;
    }
    let weights = spec.class_weights.then(|| class_weights(train, card.vocabulary.len()));
    let config = AdamConfig { rate: spec.rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
    let mut adam = Adam::new(network.parameters(), config)?;
    let rng = random::stream(spec.seed, "order of images");
    let mut order = Order { rng, images: (0..train.len()).collect(), next: 0 };
    let mut moves = random::stream(spec.seed, "augmentation of images");
    let batch = spec.batch.clamp(1, train.len());
    let steps = (spec.epoch_images.min(train.len()) / batch).max(1);
    progress.set_total(spec.epochs.max(1) as u64);

    let mut fitted = Fitted { tensors: network.to_tensors()?, epochs: Vec::new(), best: 0 };
    let mut best = f64::NEG_INFINITY;
    let (mut since_best, mut since_fall) = (0, 0);
    for number in 0..spec.epochs.max(1) {
        let mut sum = 0.0;
        for _ in 0..steps {
            progress.check()?;
            let items = order.take(batch);
            let changes: Vec<Change> = items.iter().map(|_| Change::draw(spec, &mut moves)).collect();
            let (images, labels) = tensors(card, train, &items, &changes, device)?;
            let logits = network.forward(&images)?;
            let loss = match &weights {
                None => ops::bce_with_logits(&logits, &labels)?,
                Some(weights) => ops::weighted_bce_with_logits(&logits, &labels, &of_labels(weights, &labels)?)?,
            };
            adam.step(&ops::backward(&loss)?)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
        }
        let tensors = network.to_tensors()?;
        let encoder = Encoder::from_parts(card.clone(), &tensors, String::new());
        let (scores, labels) = evaluate::scores(&encoder, validation)?;
        let (each, mut auroc) = stats::finding_aurocs(&scores, &labels, card.vocabulary.len());
        if spec.undefined_counts_as_zero {
            auroc = Some(each.iter().map(|auroc| auroc.unwrap_or(0.0)).sum::<f64>() / each.len().max(1) as f64);
        }
        let epoch = Epoch { loss: sum / steps as f64, auroc, rate: adam.config().rate };
        tracing::info!(
            "epoch {}: loss {:.4}, validation AUROC {:.4}",
            number + 1,
            epoch.loss,
            auroc.unwrap_or(f64::NAN)
        );
        fitted.epochs.push(epoch);
        progress.advance(1);
        // Where no finding is both present and absent in the validation fold, the training loss decides.
        let score = auroc.unwrap_or(-epoch.loss);
        if score > best {
            (best, fitted.best, fitted.tensors) = (score, number, tensors);
            (since_best, since_fall) = (0, 0);
            continue;
        }
        since_best += 1;
        since_fall += 1;
        if since_best >= spec.stop_patience {
            break;
        }
        if since_fall >= spec.rate_patience {
            since_fall = 0;
            adam.set_rate((adam.config().rate * spec.rate_factor).max(1e-8));
        }
    }
    Ok(fitted)
}

/// A network that starts from a file where names and shapes are those of the file, and anew elsewhere.
fn begun(network: &Trainable, card: &EncoderCard, path: &Path, device: &Device) -> Result<Trainable, ClassifierError> {
    let mut tensors = network.to_tensors()?;
    let mut taken = 0;
    for (name, given) in file::read_tensors(path)? {
        if let Some(own) = tensors.get_mut(&name).filter(|own| own.0 == given.0) {
            *own = given;
            taken += 1;
        }
    }
    if taken == 0 {
        return Err(ClassifierError::Images(format!(
            "no tensor of {} has the name and shape of one of the network's; save the weights with torchvision's names",
            path.display()
        )));
    }
    Ok(Trainable::from_tensors(&card.architecture, &tensors, device)?)
}

/// For each finding what its negatives and its positives weigh: the share of positives, and the share of negatives.
pub fn class_weights(images: &dyn LabelledImages, findings: usize) -> Vec<[f32; 2]> {
    let mut positives = vec![0usize; findings];
    for i in 0..images.len() {
        positives.iter_mut().zip(images.labels(i)).for_each(|(count, &label)| *count += usize::from(label > 0.0));
    }
    let share = |count: usize| count as f32 / images.len().max(1) as f32;
    positives.into_iter().map(|count| [share(count), share(images.len() - count)]).collect()
}

/// The weight of every label of a batch `[N, findings]`.
fn of_labels(weights: &[[f32; 2]], labels: &Tensor) -> Result<Tensor, ClassifierError> {
    let (n, findings) = labels.dims2()?;
    let values: Vec<f32> = labels
        .flatten_all()?
        .to_vec1::<f32>()?
        .iter()
        .enumerate()
        .map(|(i, &label)| weights[i % findings][usize::from(label > 0.0)])
        .collect();
    Ok(Tensor::from_vec(values, (n, findings), labels.device())?)
}

/// What is done to one image before it is learnt from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    mirror: bool,
    down: i32,
    right: i32,
}

impl Change {
    fn draw(spec: &ClassifierSpec, rng: &mut ChaCha8Rng) -> Self {
        let most = spec.shift as i32;
        let (mirror, down, right) = (rng.random(), rng.random_range(-most..=most), rng.random_range(-most..=most));
        Self { mirror: mirror && spec.flip, down, right }
    }

    /// Mirrors left and right, then moves; edges are held. `image` is `[side, side, planes]`.
    fn apply(self, image: &[f32], side: usize) -> Vec<f32> {
        let planes = image.len() / (side * side);
        let inside = |at: usize, by: i32| (at as i32 - by).clamp(0, side as i32 - 1) as usize;
        let mut out = Vec::with_capacity(image.len());
        for y in 0..side {
            let row = inside(y, self.down) * side;
            for x in 0..side {
                let x = inside(x, self.right);
                let x = if self.mirror { side - 1 - x } else { x };
                out.extend_from_slice(&image[(row + x) * planes..][..planes]);
            }
        }
        out
    }
}

/// Images `[N, planes, side, side]` and labels `[N, findings]` of a batch.
fn tensors(
    card: &EncoderCard,
    images: &dyn LabelledImages,
    items: &[usize],
    changes: &[Change],
    device: &Device,
) -> Result<(Tensor, Tensor), ClassifierError> {
    let Input { side, .. } = card.input;
    let planes = card.architecture.channels;
    let prepared: Vec<Vec<f32>> = items
        .par_iter()
        .zip(changes)
        .map(|(&i, change)| Ok(change.apply(&prepare(&images.image(i), &card.input)?, side)))
        .collect::<Result<_, ClassifierError>>()?;
    let pixels = Tensor::from_vec(prepared.concat(), (items.len(), side, side, planes), device)?;
    let labels: Vec<f32> = items.iter().flat_map(|&i| images.labels(i)).map(|label| label.clamp(0.0, 1.0)).collect();
    let findings = card.vocabulary.len();
    if labels.len() != items.len() * findings {
        return Err(ClassifierError::Images(format!(
            "label vectors have not the {findings} findings of the vocabulary"
        )));
    }
    Ok((pixels.permute((0, 3, 1, 2))?.contiguous()?, Tensor::from_vec(labels, (items.len(), findings), device)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_mirrored_then_moved_with_their_edges_held() {
        let image: Vec<f32> = (0..9).flat_map(|i| [i as f32, 10.0 + i as f32]).collect();
        let first = |change: Change| change.apply(&image, 3).into_iter().step_by(2).collect::<Vec<_>>();
        let still = Change { mirror: false, down: 0, right: 0 };
        assert_eq!(still.apply(&image, 3), image);
        assert_eq!(first(Change { mirror: true, ..still }), [2., 1., 0., 5., 4., 3., 8., 7., 6.]);
        assert_eq!(first(Change { down: 1, right: -1, ..still }), [1., 2., 2., 1., 2., 2., 4., 5., 5.]);
    }

    #[test]
    fn every_image_comes_once_before_any_comes_again() {
        let mut order = Order { rng: random::stream(1, "test"), images: (0..7).collect(), next: 0 };
        let taken: Vec<usize> = [5, 5, 4].into_iter().flat_map(|n| order.take(n)).collect();
        for round in taken.chunks(7) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, (0..7).collect::<Vec<_>>());
        }
    }
}
