//! What the forms of a convolution share: kernels as read, patches of the input, and where products lie.

use std::ops::Range;

use crate::compute::kernel::packed::{PANEL, STRIP};
use crate::compute::kernel::{Lane, Stack};

/// Lanes of a strip for a left-hand side of `width` lanes.
pub fn strip(width: usize) -> usize {
    width.min(STRIP)
}

/// The 3×3 kernel from input channel `i` to output channel `o`, scaled; `weights` is `[out, input, 3, 3]`.
pub fn kernel((weights, scale): (&[f32], f32), input: usize, i: usize, o: usize) -> [[f64; 3]; 3] {
    let taps = &weights[(o * input + i) * 9..][..9];
    let tap = |at: usize| f64::from(taps[at]) * f64::from(scale);
    std::array::from_fn(|y| std::array::from_fn(|x| tap(y * 3 + x)))
}

/// The products of one panel: `[matrix, row, lane of the panel]`.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// The numbers.
    pub data: &'a [Lane],
    /// Lanes from one matrix to the next, see [`Sums::matrix`].
    pub matrix: usize,
    /// Lanes from one row to the next.
    pub row: usize,
}

impl Sums<'_> {
    /// Lanes from one matrix to the next for products of `rows` rows. Odd, so that the same row of all matrices does not
    /// fall into one set of the cache.
    pub fn matrix(rows: usize) -> usize {
        rows * PANEL + 1
    }

    /// Lanes of the products of one panel.
    pub fn lanes(stack: &Stack, rows: usize) -> usize {
        stack.count() * Self::matrix(rows)
    }

    /// One lane of a row of a matrix.
    #[inline(always)]
    pub fn at(&self, matrix: usize, row: usize, lane: usize) -> Lane {
        self.data[matrix * self.matrix + row * self.row + lane]
    }
}

/// The rows of whole images that one step works on.
#[derive(Debug, Clone, Copy)]
pub struct Patch<'a> {
    /// Channels-last images, each `side * side * width` lanes.
    pub pixels: &'a [Lane],
    /// Images.
    pub images: usize,
    /// Rows and columns of an image.
    pub side: usize,
    /// Lanes of a pixel.
    pub width: usize,
    /// First row, counted in the unit of the layer (pixels, or tiles).
    pub top: usize,
    /// Rows of each image, in the same unit.
    pub rows: usize,
}

/// What stands for pixels outside the image.
static BORDER: [Lane; STRIP] = [Lane::ZERO; STRIP];

impl<'a> Patch<'a> {
    /// One strip of a pixel; zeros outside the image.
    #[inline(always)]
    pub fn pixel(&self, image: usize, y: isize, x: isize, strip: &Range<usize>) -> &'a [Lane] {
        let inside = 0..self.side as isize;
        if inside.contains(&y) && inside.contains(&x) {
            let pixel = (image * self.side + y as usize) * self.side + x as usize;
            &self.pixels[pixel * self.width..][strip.clone()]
        } else {
            &BORDER[..strip.len()]
        }
    }

    /// The lanes of strip number `index`.
    pub fn strip(&self, index: usize) -> Range<usize> {
        let width = strip(self.width);
        index * width..self.width.min((index + 1) * width)
    }
}
