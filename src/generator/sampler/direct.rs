//! A 3×3 convolution as one product over the nine neighbours of each pixel, for the lowest level: there are too few
//! pixels for a transform to pay, and the plain form has the fewest weights to read.

use std::ops::Range;

use super::finish::Finish;
use super::layer::Form;
use super::plan::Plan;
use super::sums::{self, Patch, Sums};
use crate::compute::kernel::{Lane, Left, Stack};

/// The convolution with its packed weights.
#[derive(Debug)]
pub struct Direct {
    stack: Stack,
    finish: Finish,
}

impl Direct {
    /// Packs `weights` `[channels, channels, 3, 3]` and their run-time scale.
    pub fn new(weights: (&[f32], f32), channels: usize, finish: Finish) -> Self {
        let padded = finish.width() * Lane::WIDTH;
        let stack = Stack::pack(1, 9 * padded, channels, |row, column, value| {
            let (tap, channel) = (row / padded, row % padded);
            if channel < channels {
                value[0] = sums::kernel(weights, channels, channel, column)[tap / 3][tap % 3] as f32;
            } else {
                value[0] = 0.0;
            }
        });
        Self { stack, finish }
    }
}

impl Form for Direct {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn finish(&self) -> &Finish {
        &self.finish
    }

    fn units(&self, _: usize) -> usize {
        1
    }

    fn pixels(&self, side: usize) -> usize {
        side * side
    }

    fn rows(&self, patch: &Patch) -> usize {
        patch.images * patch.side * patch.side
    }

    fn prepared(&self, patch: &Patch) -> usize {
        let lanes = 9 * patch.width;
        lanes.next_multiple_of(sums::strip(lanes)) * self.rows(patch)
    }

    fn prepare(&self, _: Plan, patch: &Patch, _: usize, out: &mut [Lane]) {
        gather(patch, sums::strip(9 * patch.width), out);
    }

    fn left<'a>(&self, patch: &Patch<'a>, prepared: &'a [Lane], _: usize) -> (Left<'a>, Range<usize>) {
        let (strip, rows) = (sums::strip(9 * patch.width), self.rows(patch));
        (Left { data: prepared, row: strip, strip: rows * strip, width: strip }, 0..rows)
    }

    #[inline(always)]
    fn add_up(&self, patch: &Patch, sums: &Sums, lane: usize, out: &mut [Lane], stride: usize) {
        for row in 0..self.rows(patch) {
            out[row * stride] = sums.at(0, row, lane);
        }
    }
}

/// Puts the nine neighbours of each pixel side by side, strip by strip.
fn gather(patch: &Patch, strip: usize, out: &mut [Lane]) {
    let (side, width) = (patch.side, patch.width);
    let rows = patch.images * side * side;
    for row in 0..rows {
        let (image, y, x) = (row / (side * side), row / side % side, row % side);
        for tap in 0..9 {
            let (y, x) = (y as isize + tap as isize / 3 - 1, x as isize + tap as isize % 3 - 1);
            for part in 0..width.div_ceil(sums::strip(width)) {
                let lanes = patch.strip(part);
                let from = patch.pixel(image, y, x, &lanes);
                for (c, &value) in lanes.zip(from) {
                    let column = tap * width + c;
                    out[(column / strip * rows + row) * strip + column % strip] = value;
                }
            }
        }
    }
}
