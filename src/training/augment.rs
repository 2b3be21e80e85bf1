//! What is done to every image before the critic sees it, so that a small cohort is not learnt by heart.
//!
//! The same changes are made to real and generated images; the generator's gradient passes through them, so it learns
//! unchanged images.

use candle_core::{Result, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::spec::Augment;

/// The changes for one minibatch of N images.
pub struct Change {
    /// Rows and columns by which each image moves.
    shifts: Vec<(i32, i32)>,
    /// Contrast factor and brightness offset of each image.
    tones: Option<Vec<(f32, f32)>>,
}

impl Change {
    /// Draws the changes for `n` images of `side` pixels; `None` where there is nothing to do.
    pub fn draw(augment: Augment, n: usize, side: usize, rng: &mut ChaCha8Rng) -> Option<Self> {
        if augment == Augment::None {
            return None;
        }
        let most = (side / 8) as i32;
        let shifts = (0..n).map(|_| (rng.random_range(-most..=most), rng.random_range(-most..=most))).collect();
        let tones = (augment == Augment::TranslateTone)
            .then(|| (0..n).map(|_| (rng.random_range(0.7..1.3), rng.random_range(-0.3..0.3))).collect());
        Some(Self { shifts, tones })
    }

    /// The changes of some of the images, in the order of `items`.
    pub fn part(&self, items: &[u32]) -> Self {
        let pick = |i: &u32| *i as usize;
        Self {
            shifts: items.iter().map(|i| self.shifts[pick(i)]).collect(),
            tones: self.tones.as_ref().map(|tones| items.iter().map(|i| tones[pick(i)]).collect()),
        }
    }

    /// Changes images `[N, 1, side, side]`; differentiable once.
    ///
    /// # Errors
    /// When N is not the number of images the changes were drawn for.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let (n, channels, height, width) = images.dims4()?;
        if n != self.shifts.len() || channels != 1 {
            candle_core::bail!("changes for {} grey images cannot be made to {:?}", self.shifts.len(), images.dims());
        }
        let inside = |at: usize, by: i32, end: usize| (at as i32 - by).clamp(0, end as i32 - 1) as usize;
        let mut sources = Vec::with_capacity(n * height * width);
        for (i, &(down, right)) in self.shifts.iter().enumerate() {
            for y in 0..height {
                let row = (i * height + inside(y, down, height)) * width;
                sources.extend((0..width).map(|x| (row + inside(x, right, width)) as u32));
            }
        }
        let sources = Tensor::from_vec(sources, n * height * width, images.device())?;
        let moved = images.flatten_all()?.index_select(&sources, 0)?.reshape(images.shape())?;
        let Some(tones) = &self.tones else { return Ok(moved) };
        let column = |value: fn(&(f32, f32)) -> f32| {
            Tensor::from_vec(tones.iter().map(value).collect::<Vec<_>>(), (n, 1, 1, 1), images.device())
        };
        moved.broadcast_mul(&column(|tone| tone.0)?)?.broadcast_add(&column(|tone| tone.1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random;
    use candle_core::{Device, Var};

    #[test]
    fn a_shift_moves_pixels_and_repeats_edges() {
        let image = Tensor::arange(0f32, 9.0, &Device::Cpu).unwrap().reshape((1, 1, 3, 3)).unwrap();
        let change = Change { shifts: vec![(1, -1)], tones: None };
        let moved = change.apply(&image).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(moved, [1.0, 2.0, 2.0, 1.0, 2.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn the_gradient_passes_through_in_proportion_to_use() {
        let image = Var::from_tensor(&Tensor::arange(0f32, 9.0, &Device::Cpu).unwrap().reshape((1, 1, 3, 3)).unwrap());
        let image = image.unwrap();
        let change = Change { shifts: vec![(1, -1)], tones: Some(vec![(0.5, 0.1)]) };
        let gradients = change.apply(&image).unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&image).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient, [0.0, 1.0, 2.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn nothing_is_drawn_where_nothing_is_asked_and_shifts_stay_within_an_eighth() {
        let mut rng = random::stream(1, "test");
        assert!(Change::draw(Augment::None, 4, 32, &mut rng).is_none());
        let change = Change::draw(Augment::TranslateTone, 500, 32, &mut rng).unwrap();
        assert!(change.shifts.iter().all(|&(a, b)| a.abs() <= 4 && b.abs() <= 4));
        assert!(change.shifts.iter().any(|&(a, _)| a == 4) && change.tones.is_some());
    }
}
