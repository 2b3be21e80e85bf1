//! A 3×3 convolution as one product over the nine neighbours of each pixel, for the lowest level: there are too few
//! pixels for a transform to pay, and the plain form has the fewest weights to read.

use super::arena;
use super::finish::{Affine, Finish};
use super::plan::{self, Plan};
use super::sums::{self, Grid, Patch};
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

    /// From `[N, side, side, channels]` to the same; `grey` takes the image where the layer shows one.
    pub fn compute(
        &self,
        plan: Plan,
        big: &mut Vec<Lane>,
        from: &[Lane],
        to: &mut [Lane],
        grey: &mut [f32],
        n: usize,
        side: usize,
        affine: Affine,
    ) {
        let width = self.finish.width();
        let (strip, rows) = (sums::strip(9 * width), n * side * side);
        let grid = Grid::new(&self.stack, rows);
        let gathered = (9 * width).div_ceil(strip) * rows * strip;
        let (neighbours, sums) = arena::room(big, gathered + grid.lanes(1)).split_at_mut(gathered);
        let patch = Patch { pixels: from, images: n, side, width, top: 0, rows: side };
        gather(&patch, strip, neighbours);
        let work = rows * 9 * width * width * Lane::WIDTH * Lane::WIDTH;
        let neighbours = &*neighbours;
        grid.multiply(plan, &self.stack, work, sums, |_| {
            (Left { data: neighbours, row: strip, strip: rows * strip, width: strip }, 0..rows)
        });
        let sums = &*sums;
        plan::parts2((to, side * side * width), (grey, side * side), 0, |image, to, grey| {
            plan.instructions.vectorized(
                #[inline(always)]
                || {
                    for c in 0..width {
                        let column = grid.column(c);
                        for pixel in 0..side * side {
                            to[pixel * width + c] = sums[column.at(0, image * side * side + pixel)];
                        }
                    }
                    self.finish.apply(to, image, affine, grey);
                },
            );
        });
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
