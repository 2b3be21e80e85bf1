//! What follows every convolution: bias, leaky `ReLU`, (conditional) pixel norm, and where an image is wanted its pixel.

use crate::compute::kernel::Lane;

/// Guards the norm against division by zero (DuMont Schütte 2021).
pub const EPSILON: f32 = 1e-8;

/// The end of a layer.
#[derive(Debug)]
pub struct Finish {
    /// One bias per channel.
    pub bias: Vec<Lane>,
    /// Channels without padding: the norm's mean is over these.
    pub channels: usize,
    /// Where γ and β of the conditional norm begin in [`Affine`], in lanes; `None` for the plain norm.
    pub affine: Option<usize>,
    /// The 1×1 convolution to one grey channel.
    pub image: Option<ToImage>,
}

/// A 1×1 convolution to one grey channel.
#[derive(Debug)]
pub struct ToImage {
    /// One weight per channel, scaled.
    pub weight: Vec<Lane>,
    /// Its bias.
    pub bias: f32,
}

/// γ and β of all conditional norms, for each image one after the other; empty without conditional norms.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// `[N, all]` in lanes.
    pub all: &'a [Lane],
    /// N.
    pub images: usize,
}

impl<'a> Affine<'a> {
    /// γ and β of `width` lanes each that begin at `first` for one image.
    fn of(&self, image: usize, first: usize, width: usize) -> (&'a [Lane], &'a [Lane]) {
        let all = self.all.len() / self.images;
        self.all[image * all + first..][..2 * width].split_at(width)
    }
}

impl Finish {
    /// Lanes of a pixel.
    pub fn width(&self) -> usize {
        self.bias.len()
    }

    /// Finishes whole pixels of one image in place, and writes their grey values where there is a `ToImage`.
    #[inline(always)]
    pub fn apply(&self, pixels: &mut [Lane], image: usize, affine: Affine, grey: &mut [f32]) {
        let width = self.width();
        let share = (self.channels as f32).recip();
        let affine = self.affine.map(|first| affine.of(image, first, width));
        for (block, pixels) in pixels.chunks_mut(Lane::WIDTH * width).enumerate() {
            let mut squares = [Lane::ZERO; Lane::WIDTH];
            for (pixel, squares) in pixels.chunks_exact_mut(width).zip(&mut squares) {
                let mut sum = Lane::ZERO;
                for (value, &bias) in pixel.iter_mut().zip(&self.bias) {
                    let active = (*value + bias).leaky_relu();
                    sum += active * active;
                    *value = active;
                }
                *squares = sum;
            }
            // Of sixteen pixels at once.
            let norms = sums(&squares).map(|sum| (sum * share + EPSILON).sqrt().recip());
            for (pixel, norm) in pixels.chunks_exact_mut(width).zip(norms.0) {
                match affine {
                    None => pixel.iter_mut().for_each(|value| *value = *value * norm),
                    Some((gamma, beta)) => {
                        for ((value, &gamma), &beta) in pixel.iter_mut().zip(gamma).zip(beta) {
                            *value = *value * norm * gamma + beta;
                        }
                    }
                }
            }
            if let Some(to_image) = &self.image {
                let mut products = [Lane::ZERO; Lane::WIDTH];
                for (pixel, products) in pixels.chunks_exact(width).zip(&mut products) {
                    let mut sum = Lane::ZERO;
                    for (&value, &weight) in pixel.iter().zip(&to_image.weight) {
                        sum += value * weight;
                    }
                    *products = sum;
                }
                let shown = grey[block * Lane::WIDTH..].iter_mut().take(pixels.len() / width);
                for (grey, sum) in shown.zip(sums(&products).0) {
                    *grey = sum + to_image.bias;
                }
            }
        }
    }
}

/// The sum of each lane. Not inlined on purpose: beside it the compiler would keep lanes in pieces, as this adds them, and
/// store them so; a later load of the whole then waits for all of them.
#[inline(never)]
fn sums(lanes: &[Lane; Lane::WIDTH]) -> Lane {
    Lane(lanes.map(Lane::sum))
}
