//! Attribution by masking: how much worse a classifier does once a square of the image is blanked.
//!
//! In: a classifier, an image and its labels. Out: one number for each square. The rule is the published one (DuMont
//! Schütte 2021): squares of 4 × 4 pixels of the classifier's input are set to 0 after standardisation, which is mean
//! grey and not black; δ = max(loss(masked) − loss(whole), 10⁻⁷) with the binary cross-entropy against the image's own
//! labels, averaged over all of them. Two things differ: the last incomplete batch is not dropped, and one finding's loss
//! can be taken alone. Nothing is trained, nothing is drawn by chance.

use rayon::prelude::*;

use super::{Encoder, Lent, MeaningError, prepare};
use crate::progress::{Cancelled, Progress};
use crate::radiograph::Radiograph;

/// Side of a masked square in pixels of the classifier's input, as published.
pub const BLOCK: usize = 4;

/// Least δ, as published: where masking does not hurt, or helps.
pub const FLOOR: f32 = 1e-7;

/// Masked images that are classified at a time, as in the published code's second version.
const BATCH: usize = 40;

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// Whoever started it stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The image holds other values than the classifier knows.
    #[error(transparent)]
    Meaning(#[from] MeaningError),
    /// The labels are not those of the classifier.
    #[error("{given} labels were given to a classifier of {expected} findings; give one for each, in its order")]
    Labels {
        /// How many were given.
        given: usize,
        /// How many findings the classifier names.
        expected: usize,
    },
    /// There is no such finding.
    #[error("there is no finding number {0} in this classifier's vocabulary")]
    Finding(usize),
    /// The squares have no size, or are larger than the image.
    #[error("squares of {block} pixels cannot tile an image of {side}; choose 1 to {side}")]
    Block {
        /// Side of a square asked for.
        block: usize,
        /// Side of the image.
        side: usize,
    },
}

/// Whose loss is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The mean over all findings, as published.
    AllFindings,
    /// One finding alone, by its place in the classifier's vocabulary.
    Finding(usize),
}

/// An image as a classifier takes it: square, standardised, planes innermost.
#[derive(Debug, Clone, Copy)]
pub struct Standardised<'a> {
    /// `side * side * planes` values.
    pub pixels: &'a [f32],
    /// Side in pixels.
    pub side: usize,
    /// Planes.
    pub planes: usize,
}

/// What a classifier says of an image, whole and with each square blanked. Maps for any labels and any finding follow from
/// it at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Masked {
    side: usize,
    block: usize,
    whole: Vec<f32>,
    holed: Vec<f32>,
}

impl Masked {
    /// Asks a classifier, `logits`, about the image and all its masked copies: it is given some images one behind the
    /// other and answers with as many logits for each. Progress counts squares; a cancel is seen between batches.
    ///
    /// # Errors
    /// [`AttributionError::Block`] or [`AttributionError::Cancelled`].
    pub fn of(
        image: Standardised<'_>,
        block: usize,
        mut logits: impl FnMut(&[f32]) -> Vec<f32>,
        progress: &Progress,
    ) -> Result<Self, AttributionError> {
        let Standardised { pixels, side, planes } = image;
        if !(1..=side).contains(&block) {
            return Err(AttributionError::Block { block, side });
        }
        let cells = side.div_ceil(block);
        let squares: Vec<usize> = (0..cells * cells).collect();
        progress.set_total(squares.len() as u64);
        progress.check()?;
        let whole = logits(pixels);
        let mut holed = Vec::with_capacity(squares.len() * whole.len());
        let mut copies = Vec::with_capacity(BATCH * pixels.len());
        for batch in squares.chunks(BATCH) {
            progress.check()?;
            copies.clear();
            for square in batch {
                let start = copies.len();
                copies.extend_from_slice(pixels);
                let (top, left) = (square / cells * block, square % cells * block);
                let width = block.min(side - left);
                for row in top..side.min(top + block) {
                    copies[start + (row * side + left) * planes..][..width * planes].fill(0.0);
                }
            }
            holed.extend(logits(&copies));
            progress.advance(batch.len() as u64);
        }
        Ok(Self { side, block, whole, holed })
    }

    /// Squares along one side of the image.
    pub fn cells(&self) -> usize {
        self.side.div_ceil(self.block)
    }

    /// Side of a square in pixels of the classifier's input; the last of a row may be cut by the edge.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Side of the classifier's input in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Probability of each finding in the whole image.
    pub fn probabilities(&self) -> Vec<f32> {
        self.whole.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect()
    }

    /// δ of each square, `cells * cells` values row by row, in nats; at least [`FLOOR`]. `labels` are those of the image,
    /// in the classifier's order.
    ///
    /// # Errors
    /// [`AttributionError::Labels`] or [`AttributionError::Finding`].
    pub fn map(&self, labels: &[f32], target: Target) -> Result<Vec<f32>, AttributionError> {
        let findings = self.whole.len();
        if labels.len() != findings {
            return Err(AttributionError::Labels { given: labels.len(), expected: findings });
        }
        if let Target::Finding(finding) = target
            && finding >= findings
        {
            return Err(AttributionError::Finding(finding));
        }
        let whole = loss(&self.whole, labels, target);
        let rows = self.holed.chunks_exact(findings.max(1));
        Ok(rows.map(|row| ((loss(row, labels, target) - whole) as f32).max(FLOOR)).collect())
    }
}

/// Binary cross-entropy of logits, in nats: of one finding, or the mean over all.
fn loss(logits: &[f32], labels: &[f32], target: Target) -> f64 {
    let one = |(&logit, &label): (&f32, &f32)| {
        let (z, y) = (f64::from(logit), f64::from(label));
        z.max(0.0) - y * z + (-z.abs()).exp().ln_1p()
    };
    match target {
        Target::Finding(i) => one((&logits[i], &labels[i])),
        Target::AllFindings => logits.iter().zip(labels).map(one).sum::<f64>() / logits.len().max(1) as f64,
    }
}

impl Encoder {
    /// What this classifier says of a radiograph, whole and with each square of `block` pixels of its input blanked.
    ///
    /// The same image gives the same bits on any number of threads.
    ///
    /// # Errors
    /// [`AttributionError`] when cancelled, when the image is of another kind, or when the squares do not fit.
    pub fn masked(&self, image: &Radiograph, block: usize, progress: &Progress) -> Result<Masked, AttributionError> {
        let input = &self.card().input;
        let pixels = prepare(image, input)?;
        let image = Standardised { pixels: &pixels, side: input.side, planes: input.mean.len() };
        Masked::of(image, block, |images| self.logits_of(images), progress)
    }

    /// Attribution of a radiograph by masking as published, for one target: see [`Masked::map`].
    ///
    /// # Errors
    /// As [`Encoder::masked`] and [`Masked::map`].
    pub fn attribution(
        &self,
        image: &Radiograph,
        labels: &[f32],
        target: Target,
        progress: &Progress,
    ) -> Result<Vec<f32>, AttributionError> {
        self.masked(image, BLOCK, progress)?.map(labels, target)
    }

    /// Logits of prepared images, one behind the other.
    fn logits_of(&self, images: &[f32]) -> Vec<f32> {
        let (dim, input) = (self.dim(), &self.card().input);
        let size = input.side * input.side * input.mean.len();
        let n = images.len() / size;
        let mut features = vec![0.0; n * dim];
        let parallel = n < rayon::current_num_threads();
        let lend = || Lent::new(&self.inner.spare);
        let each = features.par_chunks_mut(dim).zip(images.par_chunks(size));
        each.for_each_init(lend, |lent, (out, image)| {
            self.inner.network.features(image, input.side, &mut lent.workspace, out, parallel);
        });
        self.inner.network.logits(&features)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::encoder::{EncoderCard, EncoderTraining, Input, Source, Stem, example};
    use crate::finding::Vocabulary;
    use crate::radiograph::Meaning;

    const SIDE: usize = 10;
    const PLANES: usize = 2;
    const FINDINGS: usize = 3;

    /// The snippet's image and linear classifier.
    fn linear() -> (Vec<f32>, impl Fn(&[f32]) -> Vec<f32>) {
        let n = SIDE * SIDE * PLANES;
        let image: Vec<f32> = (0..n).map(|i| (0.37 * i as f32).sin()).collect();
        let weight = |k: usize, i: usize| 0.2 * ((0.1 + 0.07 * k as f64) * i as f64 + 0.5).cos();
        let weights: Vec<f64> = (0..FINDINGS * n).map(|at| weight(at / n, at % n)).collect();
        let logits = move |images: &[f32]| {
            let rows = images.chunks_exact(n).flat_map(|image| {
                weights.chunks_exact(n).zip([0.1, -0.2, 0.3]).map(move |(row, bias)| {
                    (row.iter().zip(image).map(|(w, x)| w * f64::from(*x)).sum::<f64>() + bias) as f32
                })
            });
            rows.collect()
        };
        (image, logits)
    }

    #[test]
    fn map_of_a_linear_classifier_is_numpys() {
        // import numpy as np
        // s,p,f,b=10,2,3,4; n=s*s*p
        // x=np.sin(.37*np.arange(n)).reshape(s,s,p); k,i=np.mgrid[:f,:n]; W=.2*np.cos((.1+.07*k)*i+.5)
        // c=np.array([.1,-.2,.3])
        // y=np.array([1.,0.,1.])
        // def bce(x): q=1/(1+np.exp(-(W@x.ravel()+c))); return -(y*np.log(q)+(1-y)*np.log(1-q))
        // def hole(i,j): m=x.copy(); m[i*b:i*b+b,j*b:j*b+b]=0; return m
        // d=np.array([[bce(hole(i,j))-bce(x) for j in range(3)] for i in range(3)])
        // print(np.maximum(d.mean(-1),1e-7).ravel(), np.maximum(d[...,1],1e-7).ravel())
        let (image, logits) = linear();
        let image = Standardised { pixels: &image, side: SIDE, planes: PLANES };
        let progress = Progress::new();
        let masked = Masked::of(image, BLOCK, logits, &progress).unwrap();
        assert_eq!((masked.cells(), progress.counts()), (3, (9, 9)));
        let labels = [1.0, 0.0, 1.0];
        let all = masked.map(&labels, Target::AllFindings).unwrap();
        let second = masked.map(&labels, Target::Finding(1)).unwrap();
        for (found, expected) in all.iter().zip(ALL).chain(second.iter().zip(SECOND)) {
            assert!((found - expected).abs() < 2e-6, "{found} {expected}");
        }
    }

    const ALL: [f32; 9] = [0.1170837, 0.2937822, 1e-7, 0.2113423, 0.0095027, 0.0330644, 1e-7, 0.0644884, 1e-7];
    const SECOND: [f32; 9] = [0.0155352, 1e-7, 1e-7, 0.017891, 0.508637, 0.0581363, 0.1470646, 1e-7, 1e-7];

    fn encoder() -> Encoder {
        let config = example::config(Stem::Light);
        let card = EncoderCard {
            name: "test".into(),
            preset: "own".into(),
            architecture: config.clone(),
            input: Input::native(18, Meaning::Density, [0.0, 1.0]),
            vocabulary: Vocabulary::new("letters", ["a", "b", "c"]),
            training: EncoderTraining {
                cohort: "none".into(),
                cohort_hash: String::new(),
                phantom: true,
                images: 0,
                patients: 0,
                schedule: String::new(),
                seed: 0,
                source: Source::Films,
            },
            metrics: BTreeMap::new(),
            remarks: Vec::new(),
            licence: String::new(),
            citation: String::new(),
        };
        Encoder::from_parts(card, &example::tensors(&config), String::new())
    }

    /// A film of the encoder's own side, all of it within the window.
    fn film() -> Radiograph {
        let pixels = (0..18 * 18).map(|i| 0.5 + 0.4 * (0.21 * i as f32).sin()).collect();
        Radiograph::new(18, 18, pixels, Meaning::Density).unwrap()
    }

    #[test]
    fn masking_is_mean_grey_in_the_film_and_the_same_bits_every_time() {
        let (encoder, film) = (encoder(), film());
        let masked = encoder.masked(&film, BLOCK, &Progress::new()).unwrap();
        assert_eq!(masked, encoder.masked(&film, BLOCK, &Progress::new()).unwrap());
        assert_eq!(masked.probabilities(), encoder.classify(std::slice::from_ref(&film)).unwrap());
        // Square (1, 4) is cut by the right edge: 4 rows from 4, 2 columns from 16. Half of the window standardises to 0.
        let mut pixels = film.pixels().to_vec();
        for row in 4..8 {
            pixels[row * 18 + 16..row * 18 + 18].fill(0.5);
        }
        let blanked = Radiograph::new(18, 18, pixels, Meaning::Density).unwrap();
        let bce = |image: &Radiograph, label: f32| {
            let p = encoder.classify(std::slice::from_ref(image)).unwrap()[2];
            if label > 0.5 { -p.ln() } else { -(1.0 - p).ln() }
        };
        // Masking cannot hurt both sides of the argument: one of the two labels shows the change above the floor.
        let by_hand = [0.0, 1.0].map(|label| (bce(&blanked, label) - bce(&film, label)).max(FLOOR));
        let found = [0.0, 1.0].map(|label| masked.map(&[0.0, 0.0, label], Target::Finding(2)).unwrap()[5 + 4]);
        assert!(by_hand.iter().any(|&d| d > 1e-4), "{by_hand:?}");
        for (found, expected) in found.iter().zip(by_hand) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn it_stops_when_told_and_refuses_what_does_not_fit() {
        let (encoder, film) = (encoder(), film());
        let (image, logits) = linear();
        let image = Standardised { pixels: &image, side: SIDE, planes: PLANES };
        let progress = Progress::new();
        // Cancelled while the first batch is at work: the second is never begun.
        let mut batches = 0;
        let stopped = Masked::of(
            image,
            1,
            |images| {
                batches += 1;
                progress.cancel();
                logits(images)
            },
            &progress,
        );
        assert!(matches!(stopped, Err(AttributionError::Cancelled(_))));
        assert_eq!(batches, 1);
        let fresh = Progress::new();
        assert!(matches!(encoder.masked(&film, 0, &fresh), Err(AttributionError::Block { .. })));
        assert!(matches!(encoder.masked(&film, 19, &fresh), Err(AttributionError::Block { .. })));
        let head = Radiograph::new(18, 18, film.pixels().to_vec(), Meaning::Hounsfield).unwrap();
        assert!(matches!(encoder.masked(&head, BLOCK, &fresh), Err(AttributionError::Meaning(_))));
        let masked = encoder.masked(&film, BLOCK, &fresh).unwrap();
        assert!(matches!(masked.map(&[0.0], Target::AllFindings), Err(AttributionError::Labels { .. })));
        assert!(matches!(masked.map(&[0.0; 3], Target::Finding(3)), Err(AttributionError::Finding(3))));
    }
}
