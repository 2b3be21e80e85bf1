//! Labelled images to learn from or to be judged on: films of a fold, or samples of a generator.

use crate::cohort::{Fold, Pack};
use crate::radiograph::Radiograph;

/// Images with a label vector and a patient each.
pub trait LabelledImages: Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Image `i`.
    fn image(&self, i: usize) -> Radiograph;

    /// Its label vector.
    fn labels(&self, i: usize) -> &[f32];

    /// Whose it is; images of one patient are resampled together.
    fn patient(&self, i: usize) -> u32;
}

/// The films of one fold of a pack, read when they are asked for.
pub struct FoldImages<'a> {
    pack: &'a Pack,
    films: Vec<u32>,
    side: usize,
}

impl<'a> FoldImages<'a> {
    /// All films of a fold at a side.
    pub fn new(pack: &'a Pack, fold: Fold, side: usize) -> Self {
        Self { pack, films: pack.fold_indices(fold), side }
    }
}

impl LabelledImages for FoldImages<'_> {
    fn len(&self) -> usize {
        self.films.len()
    }

    fn image(&self, i: usize) -> Radiograph {
        self.pack.seen(self.films[i] as usize, self.side)
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.pack.labels(self.films[i] as usize)
    }

    fn patient(&self, i: usize) -> u32 {
        self.pack.patient_key(self.films[i] as usize)
    }
}

/// Images in memory, each of a patient of its own.
pub struct Samples {
    images: Vec<Radiograph>,
    labels: Vec<f32>,
}

impl Samples {
    /// Images and their label vectors, one behind the other.
    ///
    /// # Panics
    /// When the labels are not a whole number of vectors, one for each image.
    pub fn new(images: Vec<Radiograph>, labels: Vec<f32>) -> Self {
        let n = images.len().max(1);
        assert!(labels.len().is_multiple_of(n), "{} labels for {n} images", labels.len());
        Self { images, labels }
    }
}

impl LabelledImages for Samples {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn image(&self, i: usize) -> Radiograph {
        self.images[i].clone()
    }

    fn labels(&self, i: usize) -> &[f32] {
        let findings = self.labels.len() / self.images.len();
        &self.labels[i * findings..][..findings]
    }

    fn patient(&self, i: usize) -> u32 {
        i as u32
    }
}
