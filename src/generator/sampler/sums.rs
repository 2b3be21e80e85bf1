//! The products of one layer: several left-hand sides with a stack of weights, and where each result lies.

use std::ops::Range;

use super::plan::{self, Plan};
use crate::compute::kernel::packed::{PANEL, STRIP};
use crate::compute::kernel::{Lane, Left, Stack};

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

/// Where the results of a stack lie: `[matrix, panel, row, lane of the panel]`, with room for `rows` rows of each.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    panels: usize,
    columns: usize,
    rows: usize,
}

impl Grid {
    /// A grid for results of `stack` with at most `rows` rows.
    pub fn new(stack: &Stack, rows: usize) -> Self {
        Self { panels: stack.panels(), columns: stack.columns(), rows }
    }

    /// Lanes of a whole grid of `count` matrices.
    pub fn lanes(&self, count: usize) -> usize {
        count * self.panels * self.rows * PANEL
    }

    /// Where column lane `column` of matrix 0, row 0 lies, and the lanes from there to the next row and matrix.
    #[inline(always)]
    pub fn column(&self, column: usize) -> Column {
        let panel = column / PANEL;
        Column {
            first: panel * self.rows * PANEL + column % PANEL,
            row: PANEL.min(self.columns - panel * PANEL),
            matrix: self.panels * self.rows * PANEL,
        }
    }

    /// Computes matrix by matrix and panel by panel; `left(which)` gives the left-hand side and its rows.
    pub fn multiply<'a>(
        &self,
        plan: Plan,
        stack: &Stack,
        work: usize,
        sums: &mut [Lane],
        left: impl Fn(usize) -> (Left<'a>, Range<usize>) + Sync,
    ) {
        plan::parts(sums, self.rows * PANEL, work, |index, sums| {
            let (which, panel) = (index / self.panels, index % self.panels);
            let (left, rows) = left(which);
            stack.multiply(plan.instructions, which, panel, &left, rows, sums);
        });
    }
}

/// One column lane of a [`Grid`].
#[derive(Debug, Clone, Copy)]
pub struct Column {
    first: usize,
    row: usize,
    matrix: usize,
}

impl Column {
    /// The place of a row of a matrix.
    #[inline(always)]
    pub fn at(&self, matrix: usize, row: usize) -> usize {
        self.first + matrix * self.matrix + row * self.row
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
