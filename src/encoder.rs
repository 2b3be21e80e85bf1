//! Encoders: the network whose features measure nearness, which is also the classifier of findings.
//!
//! In: radiographs and an encoder file. Out: feature vectors (pooled activations of the last layer) and probabilities of
//! findings, and what in an image they rest on. Training is elsewhere; this room holds the network, its file and a lean
//! forward pass without gradients.

pub mod architecture;
pub mod attribution;
pub mod card;
#[cfg(test)]
pub(crate) mod example;
pub mod file;
mod inference;
pub mod library;
pub mod network;
mod prepare;
mod torchvision;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

pub use architecture::{DenseNetConfig, Parameter, Role, Stem};
pub use attribution::{AttributionError, Masked, Standardised, Target};
pub use card::{EncoderCard, EncoderTraining, Input, Source};
pub use file::{EncoderError, EncoderFile, Precision, Tensors};
pub use network::Trainable;
pub use prepare::{MeaningError, prepare};

use inference::{Network, Workspace};

use crate::radiograph::{Meaning, Radiograph};

/// A trained encoder, ready to use; clones share the weights.
#[derive(Clone)]
pub struct Encoder {
    inner: Arc<Inner>,
}

struct Inner {
    card: EncoderCard,
    hash: String,
    network: Network,
    /// Workspaces that are not in use, so that following a hand allocates nothing.
    spare: Mutex<Vec<Workspace>>,
}

/// Multiply-adds of an image below which it stays on one thread: handing each layer to another costs more.
const SMALL: usize = 1 << 26;

/// A workspace lent by an encoder; it goes back when dropped.
struct Lent<'a> {
    spare: &'a Mutex<Vec<Workspace>>,
    workspace: Workspace,
}

impl<'a> Lent<'a> {
    fn new(spare: &'a Mutex<Vec<Workspace>>) -> Self {
        let workspace = spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Self { spare, workspace }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let workspace = std::mem::take(&mut self.workspace);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }
}

impl Encoder {
    /// Reads and checks an encoder file, and folds its batch norms.
    ///
    /// # Errors
    /// [`EncoderError`] that names the file, the fault and the remedy; [`EncoderError::NoCard`] of weights that name no
    /// findings.
    pub fn load(path: &Path) -> Result<Self, EncoderError> {
        let EncoderFile { card, hash, tensors } = file::read(path)?;
        Ok(Self::from_parts(card, &tensors, hash))
    }

    /// As [`Encoder::load`], to compare images of `meaning` that are shown in `window` (the values, in their unit, that are
    /// black and white): only features are needed for it, so that a torchvision `DenseNet` without a card serves too, under
    /// the name of its file. It names no finding.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn for_images(path: &Path, meaning: Meaning, window: [f32; 2]) -> Result<Self, EncoderError> {
        let EncoderFile { card, hash, tensors } = file::read_for(path, meaning, window)?;
        Ok(Self::from_parts(card, &tensors, hash))
    }

    /// An encoder from a card and tensors that were checked against each other ([`file::check`]).
    ///
    /// `hash` is the SHA-256 of its file, 64 hex digits.
    pub fn from_parts(card: EncoderCard, tensors: &Tensors, hash: String) -> Self {
        let network = Network::new(&card.architecture, tensors);
        Self { inner: Arc::new(Inner { card, hash, network, spare: Mutex::default() }) }
    }

    /// What it is and what it was trained on.
    pub fn card(&self) -> &EncoderCard {
        &self.inner.card
    }

    /// SHA-256 of its file, 64 hex digits.
    pub fn hash(&self) -> &str {
        &self.inner.hash
    }

    /// The first 16 hex digits of [`Encoder::hash`].
    pub fn id(&self) -> &str {
        self.inner.hash.get(..16).unwrap_or(&self.inner.hash)
    }

    /// Length of a feature vector.
    pub fn dim(&self) -> usize {
        self.inner.card.architecture.features()
    }

    /// Feature vectors `[n, dim]`, row-major, as they leave the pooling (not normalised).
    ///
    /// An image's features have the same bits alone and in company. A few images share all threads, of many each has one.
    ///
    /// # Errors
    /// [`MeaningError`] when an image holds other values than the encoder was trained on.
    pub fn features(&self, images: &[Radiograph]) -> Result<Vec<f32>, MeaningError> {
        let dim = self.dim();
        let mut features = vec![0.0; images.len() * dim];
        let input = &self.inner.card.input;
        let work = self.inner.card.architecture.multiply_adds(input.side);
        let parallel = images.len() < rayon::current_num_threads() && work > SMALL;
        let lend = || Lent::new(&self.inner.spare);
        let mut compute = || {
            features.par_chunks_mut(dim).zip(images).try_for_each_init(lend, |lent, (out, image)| {
                let pixels = prepare(image, input)?;
                self.inner.network.features(&pixels, input.side, &mut lent.workspace, out, parallel);
                Ok(())
            })
        };
        if parallel {
            // Inside the pool from the start: entering it anew for every layer would cost more than a small layer.
            rayon::scope(|_| compute())?;
        } else {
            compute()?;
        }
        Ok(features)
    }

    /// Probabilities of findings `[n, labels]`, row-major, in the order of the card's vocabulary; nothing where that names
    /// none.
    ///
    /// # Errors
    /// [`MeaningError`] when an image holds other values than the encoder was trained on.
    pub fn classify(&self, images: &[Radiograph]) -> Result<Vec<f32>, MeaningError> {
        Ok(self.probabilities(&self.features(images)?))
    }

    /// Probabilities of findings `[n, labels]` from features `[n, dim]` that were computed before.
    pub fn probabilities(&self, features: &[f32]) -> Vec<f32> {
        let mut logits = self.inner.network.logits(features);
        for value in &mut logits {
            *value = 1.0 / (1.0 + (-*value).exp());
        }
        logits
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoder({}, {})", self.inner.card.name, self.id())
    }
}
