//! One grey image and what its numbers mean.
//!
//! In: pixels from a reader, a phantom or a generator. Out: the same pixels with their meaning, a window to look at
//! them through, and PNG files of 8 or 16 bits.

mod file;
mod window;

pub use file::{PngText, decode_png, encode_png8, encode_png16, encode_window8};
pub use window::{Preset, Window};

use serde::{Deserialize, Serialize};

/// Longest side that any reader accepts; larger images are refused before memory is taken for them.
pub const MAX_SIDE: usize = 8192;

/// What a pixel's number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Radiographic density as displayed: 0 black (air), 1 white (bone, metal).
    Density,
    /// CT numbers in Hounsfield units: air −1000, water 0.
    Hounsfield,
}

impl Meaning {
    /// The unit to write behind a value; empty for density, which has none.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Density => "",
            Self::Hounsfield => "HU",
        }
    }
}

/// Why pixels do not make a radiograph.
#[derive(Debug, thiserror::Error)]
pub enum RadiographError {
    /// The number of pixels is not width × height, or a side is zero or above [`MAX_SIDE`].
    #[error("an image of {width} x {height} cannot hold {pixels} pixels (sides must be 1 to {MAX_SIDE})")]
    Shape {
        /// Columns stated.
        width: usize,
        /// Rows stated.
        height: usize,
        /// Pixels given.
        pixels: usize,
    },
    /// A pixel is NaN or infinite.
    #[error("pixel {index} is not a finite number; the source is damaged or was computed wrongly")]
    NotFinite {
        /// Row-major index of the first such pixel.
        index: usize,
    },
    /// A PNG could not be read or written.
    #[error("not a readable PNG: {0}")]
    Png(String),
}

/// One grey image, row-major, finite, with the meaning of its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Radiograph {
    width: usize,
    height: usize,
    pixels: Vec<f32>,
    meaning: Meaning,
}

/// Whether pixel values can span from the first to the second number: ascending, finite, and so far from overflow that a
/// value computed from 8 or 16 bits as a share of the span, in whatever order, is finite too.
pub fn is_range([low, high]: [f32; 2]) -> bool {
    low.is_finite() && low < high && ((high - low) * f32::from(u16::MAX)).is_finite()
}

impl Radiograph {
    /// Takes `width * height` finite pixels, row by row from the top.
    ///
    /// # Errors
    /// [`RadiographError::Shape`] or [`RadiographError::NotFinite`].
    pub fn new(width: usize, height: usize, pixels: Vec<f32>, meaning: Meaning) -> Result<Self, RadiographError> {
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) || pixels.len() != width * height {
            return Err(RadiographError::Shape { width, height, pixels: pixels.len() });
        }
        if let Some(index) = pixels.iter().position(|value| !value.is_finite()) {
            return Err(RadiographError::NotFinite { index });
        }
        Ok(Self { width, height, pixels, meaning })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row from the top.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// What the numbers stand for.
    pub fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// The value at column `x`, row `y`; `None` outside.
    pub fn at(&self, x: usize, y: usize) -> Option<f32> {
        (x < self.width && y < self.height).then(|| self.pixels[y * self.width + x])
    }

    /// Smallest and largest value.
    pub fn range(&self) -> (f32, f32) {
        self.pixels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)))
    }

    /// The same with every value brought into an interval.
    #[must_use]
    pub fn clipped(mut self, [low, high]: [f32; 2]) -> Self {
        self.pixels.iter_mut().for_each(|value| *value = value.clamp(low, high));
        self
    }

    /// Half the size by 2×2 means, in float; an odd last row or column is dropped.
    ///
    /// This is the step of the resolution pyramid (DuMont Schütte 2021): the unrounded means are carried down.
    pub fn halved(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let (dx, dy) = (usize::from(self.width > 1), usize::from(self.height > 1));
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = |i: usize, j: usize| self.pixels[j * self.width + i];
                let (x0, y0) = (2 * x, 2 * y);
                pixels.push(0.25 * (at(x0, y0) + at(x0 + dx, y0) + at(x0, y0 + dy) + at(x0 + dx, y0 + dy)));
            }
        }
        Self { width, height, pixels, meaning: self.meaning }
    }

    /// Another size by exact area averaging: each new pixel is the mean of what it covers. Aspect ratio is not kept.
    ///
    /// # Errors
    /// [`RadiographError::Shape`] when a side is zero or too large.
    pub fn resized(&self, width: usize, height: usize) -> Result<Self, RadiographError> {
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(RadiographError::Shape { width, height, pixels: width.saturating_mul(height) });
        }
        let columns = coverage(self.width, width);
        let rows = coverage(self.height, height);
        let mut narrow = vec![0.0; width * self.height];
        for (source, target) in self.pixels.chunks_exact(self.width).zip(narrow.chunks_exact_mut(width)) {
            for (value, cover) in target.iter_mut().zip(&columns) {
                *value = cover.iter().map(|&(i, w)| source[i] * w).sum();
            }
        }
        let mut pixels = vec![0.0; width * height];
        for (target, cover) in pixels.chunks_exact_mut(width).zip(&rows) {
            for &(j, w) in cover {
                for (value, source) in target.iter_mut().zip(&narrow[j * width..][..width]) {
                    *value += source * w;
                }
            }
        }
        Ok(Self { width, height, pixels, meaning: self.meaning })
    }
}

/// For each of `to` cells over `from` cells: the source cells it overlaps and their weights, which sum to 1.
fn coverage(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            let (start, end) = (i as f64 * scale, (i + 1) as f64 * scale);
            (start as usize..from.min(end.ceil() as usize))
                .map(|j| (j, ((end.min((j + 1) as f64) - start.max(j as f64)) / scale) as f32))
                .filter(|&(_, weight)| weight > 0.0)
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Radiograph {
        let pixels = (0..width * height).map(|i| i as f32).collect();
        Radiograph::new(width, height, pixels, Meaning::Density).unwrap()
    }

    #[test]
    fn what_bits_stand_for_within_a_range_is_finite() {
        for range @ [low, high] in [[0.0, 1.0], [-1024.0, 3071.0], [-1e33, 1e33], [f32::MAX - 1e32, f32::MAX]] {
            assert!(is_range(range), "{range:?}");
            // As packs and folds of samples compute them.
            let wide = low + (high - low) / f32::from(u16::MAX) * f32::from(u16::MAX);
            let narrow = low + (high - low) * f32::from(u8::MAX) / 255.0;
            assert!(wide.is_finite() && narrow.is_finite(), "{range:?}");
        }
        let infinite = [f32::NEG_INFINITY, f32::INFINITY];
        for range in [infinite, [f32::NAN, 1.0], [0.0, f32::NAN], [1.0, 1.0], [0.0, f32::MAX], [0.0, 1e38]] {
            assert!(!is_range(range), "{range:?}");
        }
    }

    #[test]
    fn halving_averages_squares() {
        assert_eq!(ramp(4, 2).halved().pixels(), [2.5, 4.5]);
        assert_eq!(ramp(1, 1).halved().pixels(), [0.0]);
    }

    #[test]
    fn resizing_by_two_is_halving_and_keeps_the_mean() {
        let image = ramp(8, 8);
        assert_eq!(image.resized(4, 4).unwrap(), image.halved());
        let odd = ramp(7, 5).resized(3, 4).unwrap();
        let mean = |r: &Radiograph| r.pixels().iter().sum::<f32>() / r.pixels().len() as f32;
        assert!((mean(&odd) - mean(&ramp(7, 5))).abs() < 1e-4);
    }

    #[test]
    fn wrong_shapes_and_nan_are_refused() {
        assert!(Radiograph::new(2, 2, vec![0.0; 3], Meaning::Density).is_err());
        assert!(Radiograph::new(0, 0, vec![], Meaning::Density).is_err());
        assert!(Radiograph::new(1, 2, vec![0.0, f32::NAN], Meaning::Density).is_err());
        assert!(Radiograph::new(MAX_SIDE + 1, 1, vec![0.0; MAX_SIDE + 1], Meaning::Density).is_err());
    }
}
