//! A 3×3 convolution by Winograd's minimal filtering, F(F×F, 3×3) with T = F + 2.
//!
//! Each tile of F × F output pixels takes T × T input pixels; transformed, they meet the transformed kernels in T²
//! independent products. The transforms are [`crate::compute::kernel::winograd`]'s.

use std::ops::Range;

use super::finish::Finish;
use super::layer::Form;
use super::plan::{self, Plan};
use super::sums::{self, Patch, Sums};
use crate::compute::kernel::winograd::{self, input_line, output_line};
use crate::compute::kernel::{Lane, Left, Stack};

/// The convolution with its transformed, packed weights.
#[derive(Debug)]
pub struct Winograd<const F: usize, const T: usize> {
    stack: Stack,
    finish: Finish,
}

impl<const F: usize, const T: usize> Winograd<F, T> {
    /// Transforms and packs `weights` `[channels, channels, 3, 3]` and their run-time scale.
    pub fn new(weights: (&[f32], f32), channels: usize, finish: Finish) -> Self {
        let stack = Stack::pack(T * T, channels, channels, |row, column, values| {
            winograd::kernel::<T>(sums::kernel(weights, channels, row, column), values);
        });
        Self { stack, finish }
    }
}

/// Lanes from one matrix to the next within a strip of `count` tiles. Odd, so that the numbers of one tile do not all
/// fall into one set of the cache.
fn matrix(count: usize, strip: usize) -> usize {
    (count * strip) | 1
}

impl<const F: usize, const T: usize> Form for Winograd<F, T> {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn finish(&self) -> &Finish {
        &self.finish
    }

    fn units(&self, side: usize) -> usize {
        side / F
    }

    fn pixels(&self, side: usize) -> usize {
        F * side
    }

    fn rows(&self, patch: &Patch) -> usize {
        patch.images * patch.rows * (patch.side / F)
    }

    fn prepared(&self, patch: &Patch) -> usize {
        let strip = sums::strip(patch.width);
        patch.width.div_ceil(strip) * T * T * matrix(self.rows(patch), strip)
    }

    fn prepare(&self, plan: Plan, patch: &Patch, work: usize, out: &mut [Lane]) {
        let strip = sums::strip(patch.width);
        plan::parts(out, T * T * matrix(self.rows(patch), strip), work, |index, out| {
            plan.instructions.vectorized(
                #[inline(always)]
                || transform_input::<F, T>(patch, index, strip, out),
            );
        });
    }

    fn left<'a>(&self, patch: &Patch<'a>, prepared: &'a [Lane], which: usize) -> (Left<'a>, Range<usize>) {
        let (strip, rows) = (sums::strip(patch.width), self.rows(patch));
        let matrix = matrix(rows, strip);
        (Left { data: &prepared[which * matrix..], row: strip, strip: T * T * matrix, width: strip }, 0..rows)
    }

    #[inline(always)]
    fn add_up(&self, patch: &Patch, sums: &Sums, lane: usize, out: &mut [Lane], stride: usize) {
        let (side, tiles) = (patch.side, patch.side / F);
        for unit in 0..patch.images * patch.rows {
            for tile in 0..tiles {
                let mut rows = [[Lane::ZERO; F]; T];
                for (y, row) in rows.iter_mut().enumerate() {
                    let mut line = [Lane::ZERO; T];
                    for (x, value) in line.iter_mut().enumerate() {
                        *value = sums.at(y * T + x, unit * tiles + tile, lane);
                    }
                    *row = output_line(line);
                }
                for x in 0..F {
                    let mut line = [Lane::ZERO; T];
                    for (value, row) in line.iter_mut().zip(&rows) {
                        *value = row[x];
                    }
                    let pixels: [Lane; F] = output_line(line);
                    for (y, &pixel) in pixels.iter().enumerate() {
                        out[((unit * F + y) * side + tile * F + x) * stride] = pixel;
                    }
                }
            }
        }
    }
}

/// Writes one strip of the transformed input, `[T², tiles, strip]`.
#[inline(always)]
fn transform_input<const F: usize, const T: usize>(patch: &Patch, index: usize, strip: usize, out: &mut [Lane]) {
    let (tiles, lanes) = (patch.side / F, patch.strip(index));
    let count = patch.images * patch.rows * tiles;
    let matrix = matrix(count, strip);
    for tile in 0..count {
        let (row, x) = (tile / tiles, tile % tiles);
        let (image, y) = (row / patch.rows, patch.top + row % patch.rows);
        let (top, left) = ((y * F) as isize - 1, (x * F) as isize - 1);
        let mut pixels = [[&[] as &[Lane]; T]; T];
        for (y, row) in pixels.iter_mut().enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = patch.pixel(image, top + y as isize, left + x as isize, &lanes);
            }
        }
        for c in 0..lanes.len() {
            let mut rows = [[Lane::ZERO; T]; T];
            for (row, pixels) in rows.iter_mut().zip(&pixels) {
                let mut line = [Lane::ZERO; T];
                for (value, pixel) in line.iter_mut().zip(pixels) {
                    *value = pixel[c];
                }
                *row = input_line(line);
            }
            for x in 0..T {
                let mut line = [Lane::ZERO; T];
                for (value, row) in line.iter_mut().zip(&rows) {
                    *value = row[x];
                }
                for (y, value) in input_line(line).into_iter().enumerate() {
                    out[(y * T + x) * matrix + tile * strip + c] = value;
                }
            }
        }
    }
}
