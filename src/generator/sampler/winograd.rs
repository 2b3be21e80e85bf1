//! A 3×3 convolution by Winograd's minimal filtering, F(F×F, 3×3) with T = F + 2.
//!
//! Each tile of F × F output pixels takes T × T input pixels; transformed, they meet the transformed kernels in T²
//! independent products. F = 2 uses the points 0, ±1, ∞, F = 4 also ±2. Source: Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", 2015, §4.

use super::arena::{self, Arena};
use super::finish::{Affine, Finish};
use super::plan::{self, Plan};
use super::sums::{self, Grid, Patch};
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
            let kernel = sums::kernel(weights, channels, row, column);
            let rows: [[f64; T]; 3] = kernel.map(transform_kernel);
            for x in 0..T {
                let column: [f64; T] = transform_kernel(rows.map(|row| row[x]));
                for (y, value) in column.into_iter().enumerate() {
                    values[y * T + x] = value as f32;
                }
            }
        });
        Self { stack, finish }
    }

    /// From `[N, side, side, channels]` to the same; `grey` takes the image where the layer shows one.
    pub fn compute(
        &self,
        plan: Plan,
        arena: &Arena,
        big: &mut Vec<Lane>,
        from: &[Lane],
        to: &mut [Lane],
        grey: &mut [f32],
        n: usize,
        side: usize,
        affine: Affine,
    ) {
        let (width, tiles) = (self.finish.width(), side / F);
        let work = n * tiles * tiles * T * T * width * width * Lane::WIDTH * Lane::WIDTH;
        let whole = Patch { pixels: from, images: n, side, width, top: 0, rows: tiles };
        let (line, lanes) = (F * side * width, F * side);
        let Some(block) = plan::block(tiles, tiles * T * T * width * 2, self.stack.bytes()) else {
            let (strips, sums) = self.room(arena::room(big, self.lanes(n * tiles * tiles)), n * tiles * tiles);
            self.products(plan, &whole, work, strips, sums);
            let sums = &*sums;
            plan::parts2((to, line), (grey, lanes), work, |row, to, grey| {
                self.row(plan, sums, n * tiles * tiles, row * tiles, row / tiles, affine, to, grey);
            });
            return;
        };
        // Blocks of rows of tiles, none of which reaches from one image into the next.
        plan::parts2((to, tiles * line), (grey, tiles * lanes), work, |image, to, grey| {
            plan::parts2((to, block * line), (grey, block * lanes), work, |part, to, grey| {
                let rows = block.min(tiles - part * block);
                let pixels = &from[image * side * side * width..][..side * side * width];
                let patch = Patch { pixels, images: 1, side, width, top: part * block, rows };
                arena.with_scratch(self.lanes(rows * tiles), |scratch| {
                    let (strips, sums) = self.room(scratch, rows * tiles);
                    self.products(plan, &patch, 0, strips, sums);
                    let parts = to.chunks_exact_mut(line).zip(grey.chunks_exact_mut(lanes));
                    for (row, (to, grey)) in parts.enumerate() {
                        self.row(plan, sums, rows * tiles, row * tiles, image, affine, to, grey);
                    }
                });
            });
        });
    }

    /// Lanes of the transformed input of `count` tiles.
    fn transformed(&self, count: usize) -> usize {
        let width = self.finish.width();
        width.next_multiple_of(sums::strip(width)) * T * T * count
    }

    /// Lanes of all intermediate results of `count` tiles.
    fn lanes(&self, count: usize) -> usize {
        self.transformed(count) + Grid::new(&self.stack, count).lanes(T * T)
    }

    fn room<'a>(&self, scratch: &'a mut [Lane], count: usize) -> (&'a mut [Lane], &'a mut [Lane]) {
        scratch.split_at_mut(self.transformed(count))
    }

    /// Transforms the patch and multiplies it with all T² matrices.
    fn products(&self, plan: Plan, patch: &Patch, work: usize, strips: &mut [Lane], sums: &mut [Lane]) {
        let strip = sums::strip(patch.width);
        let count = patch.images * patch.rows * (patch.side / F);
        plan::parts(strips, T * T * count * strip, work, |index, out| {
            plan.instructions.vectorized(
                #[inline(always)]
                || transform_input::<F, T>(patch, index, strip, out),
            );
        });
        let strips = &*strips;
        Grid::new(&self.stack, count).multiply(plan, &self.stack, work, sums, |which| {
            let data = &strips[which * count * strip..];
            (Left { data, row: strip, strip: T * T * count * strip, width: strip }, 0..count)
        });
    }

    /// Transforms one row of tiles back into F rows of pixels, and finishes them.
    fn row(
        &self,
        plan: Plan,
        sums: &[Lane],
        count: usize,
        first: usize,
        image: usize,
        affine: Affine,
        to: &mut [Lane],
        grey: &mut [f32],
    ) {
        let width = self.finish.width();
        let side = to.len() / (F * width);
        let grid = Grid::new(&self.stack, count);
        plan.instructions.vectorized(
            #[inline(always)]
            || {
                for tile in 0..side / F {
                    for c in 0..width {
                        let column = grid.column(c);
                        let mut rows = [[Lane::ZERO; F]; T];
                        for (y, row) in rows.iter_mut().enumerate() {
                            let mut line = [Lane::ZERO; T];
                            for (x, value) in line.iter_mut().enumerate() {
                                *value = sums[column.at(y * T + x, first + tile)];
                            }
                            *row = transform_output(line);
                        }
                        for x in 0..F {
                            let mut line = [Lane::ZERO; T];
                            for (value, row) in line.iter_mut().zip(&rows) {
                                *value = row[x];
                            }
                            let pixels: [Lane; F] = transform_output(line);
                            for (y, &pixel) in pixels.iter().enumerate() {
                                to[(y * side + tile * F + x) * width + c] = pixel;
                            }
                        }
                    }
                }
                self.finish.apply(to, image, affine, grey);
            },
        );
    }
}

/// Writes one strip of the transformed input, `[T², tiles, strip]`.
#[inline(always)]
fn transform_input<const F: usize, const T: usize>(patch: &Patch, index: usize, strip: usize, out: &mut [Lane]) {
    let (tiles, lanes) = (patch.side / F, patch.strip(index));
    let count = patch.images * patch.rows * tiles;
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
                *row = transform_line(line);
            }
            for x in 0..T {
                let mut line = [Lane::ZERO; T];
                for (value, row) in line.iter_mut().zip(&rows) {
                    *value = row[x];
                }
                for (y, value) in transform_line(line).into_iter().enumerate() {
                    out[((y * T + x) * count + tile) * strip + c] = value;
                }
            }
        }
    }
}

/// Bᵀ d: one line of the input.
#[inline(always)]
fn transform_line<const T: usize>(d: [Lane; T]) -> [Lane; T] {
    let mut v = d;
    if T == 4 {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[1] - d[3];
    } else {
        let (even, odd) = (d[4] - d[2] * 4.0, d[3] - d[1] * 4.0);
        let (far, twice) = (d[4] - d[2], (d[3] - d[1]) * 2.0);
        v[0] = d[0] * 4.0 - d[2] * 5.0 + d[4];
        v[1] = even + odd;
        v[2] = even - odd;
        v[3] = far + twice;
        v[4] = far - twice;
        v[5] = d[1] * 4.0 - d[3] * 5.0 + d[5];
    }
    v
}

/// Aᵀ m: one line of the output.
#[inline(always)]
fn transform_output<const F: usize, const T: usize>(m: [Lane; T]) -> [Lane; F] {
    let mut y = [Lane::ZERO; F];
    if T == 4 {
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] - m[3];
    } else {
        let (near, apart) = (m[1] + m[2], m[1] - m[2]);
        let (far, wide) = (m[3] + m[4], m[3] - m[4]);
        y[0] = m[0] + near + far;
        y[1] = apart + wide * 2.0;
        y[2] = near + far * 4.0;
        y[3] = apart + wide * 8.0 + m[5];
    }
    y
}

/// G g: one line of the kernel.
fn transform_kernel<const T: usize>([a, b, c]: [f64; 3]) -> [f64; T] {
    let mut u = [0.0; T];
    let line: &[f64] = if T == 4 {
        &[a, (a + b + c) / 2.0, f64::midpoint(a - b, c), c]
    } else {
        let (even, odd) = (a / 24.0 + c / 6.0, b / 12.0);
        &[a / 4.0, -(a + b + c) / 6.0, -(a - b + c) / 6.0, even + odd, even - odd, c]
    };
    u.copy_from_slice(line);
    u
}
