//! The 3×3 convolution of a dense layer, by Winograd's minimal filtering F(2×2, 3×3).
//!
//! Each tile of 2×2 output pixels takes 4×4 input pixels. Transformed, these meet the transformed kernels in 16 independent
//! products: 16 multiply-adds of channels for 4 pixels in place of 36. F(4×4) would need 36 for 16 pixels, but its
//! rounding does not hold the error that this network is tested to.

use super::memory::{parts, rows_together, with_tile};
use crate::compute::kernel::product::Panels;
use crate::compute::kernel::winograd::{self, input_line, output_line};
use crate::compute::kernel::{Instructions, Lane};

/// Pixels of a tile along one axis, of the output and of the input.
const F: usize = 2;
const T: usize = F + 2;

/// Tiles that are worked on together, so that their products lie in the second-level cache.
const TILES: usize = 48;

/// Numbers between the matrices of neighbouring places beyond their length, so that the 16 of a tile do not fall into
/// one set of the cache.
const GAP: usize = Lane::WIDTH;

/// A 3×3 convolution with transformed weights.
pub struct Expand {
    /// A matrix `[input, out]` for each place of a tile.
    weights: Vec<Panels>,
    input: usize,
    /// Feature maps that it computes.
    pub out: usize,
}

/// Numbers of a row of a map of `side` with its border: one pixel before, one behind, one more where the side is odd.
pub fn line(side: usize, width: usize) -> usize {
    (side.next_multiple_of(F) + F) * width
}

impl Expand {
    /// From a convolution's `[out, in, 3, 3]`.
    pub fn new(shape: &[usize], values: &[f32]) -> Self {
        let (out, input) = (shape[0], shape[1]);
        let mut matrices = vec![vec![0.0; input * out]; T * T];
        let mut transformed = [0.0; T * T];
        for o in 0..out {
            for i in 0..input {
                let taps = &values[(o * input + i) * 9..][..9];
                let kernel = std::array::from_fn(|y| std::array::from_fn(|x| f64::from(taps[3 * y + x])));
                winograd::kernel::<T>(kernel, &mut transformed);
                for (matrix, &value) in matrices.iter_mut().zip(&transformed) {
                    matrix[i * out + o] = value;
                }
            }
        }
        let weights = matrices.into_iter().map(|matrix| Panels::new(input, out, matrix)).collect();
        Self { weights, input, out }
    }

    /// Writes the convolution of `narrow`, a map of `side` with its border ([`line`]), into the numbers from `first` on of
    /// each pixel of `maps`, which has `stride` numbers a pixel.
    pub fn compute(&self, side: usize, narrow: &[f32], maps: &mut [f32], first: usize, stride: usize, parallel: bool) {
        let (across, line) = (side.div_ceil(F), line(side, self.input));
        let rows = rows_together(across, across, TILES, parallel);
        parts(maps, F * rows * side * stride, parallel, |part, maps| {
            let count = maps.len().div_ceil(F * side * stride) * across;
            let (before, after) = (count * self.input + GAP, count * self.out + GAP);
            with_tile(T * T * (before + after), |tile| {
                let (numbers, products) = tile.split_at_mut(T * T * before);
                let narrow = &narrow[part * rows * F * line..];
                Instructions::best().vectorized(
                    #[inline(always)]
                    || self.transform(narrow, line, across, count, numbers, before),
                );
                let matrices = numbers.chunks(before).zip(products.chunks_mut(after));
                for (weights, (numbers, products)) in self.weights.iter().zip(matrices) {
                    weights.multiply(count, 0..self.input, numbers, self.input, products, self.out, false);
                }
                Instructions::best().vectorized(
                    #[inline(always)]
                    || self.add_up(products, after, across, side, maps, first, stride),
                );
            });
        });
    }

    /// Transforms `count` tiles, `across` to a row, into `[16, tiles, input]`, matrices `matrix` numbers apart.
    #[inline(always)]
    fn transform(&self, narrow: &[f32], line: usize, across: usize, count: usize, out: &mut [f32], matrix: usize) {
        let width = self.input;
        for tile in 0..count {
            let corner = &narrow[tile / across * F * line + tile % across * F * width..];
            lanes(
                width,
                #[inline(always)]
                |channel, n| {
                    let mut rows = [[Lane::ZERO; T]; T];
                    for (y, row) in rows.iter_mut().enumerate() {
                        for (x, value) in row.iter_mut().enumerate() {
                            value.0[..n].copy_from_slice(&corner[y * line + x * width + channel..][..n]);
                        }
                        *row = input_line(*row);
                    }
                    for x in 0..T {
                        let mut column = [Lane::ZERO; T];
                        for (value, row) in column.iter_mut().zip(&rows) {
                            *value = row[x];
                        }
                        for (y, value) in input_line(column).into_iter().enumerate() {
                            let place = (y * T + x) * matrix + tile * width + channel;
                            out[place..place + n].copy_from_slice(&value.0[..n]);
                        }
                    }
                },
            );
        }
    }

    /// Adds the products of each tile up to its pixels, those that lie inside the map.
    #[inline(always)]
    fn add_up(
        &self,
        products: &[f32],
        matrix: usize,
        across: usize,
        side: usize,
        maps: &mut [f32],
        first: usize,
        stride: usize,
    ) {
        let height = maps.len() / (side * stride);
        for tile in 0..height.div_ceil(F) * across {
            let (top, left) = (tile / across * F, tile % across * F);
            lanes(
                self.out,
                #[inline(always)]
                |channel, n| {
                    let mut rows = [[Lane::ZERO; F]; T];
                    for (y, row) in rows.iter_mut().enumerate() {
                        let mut products_of_row = [Lane::ZERO; T];
                        for (x, value) in products_of_row.iter_mut().enumerate() {
                            let place = (y * T + x) * matrix + tile * self.out + channel;
                            value.0[..n].copy_from_slice(&products[place..place + n]);
                        }
                        *row = output_line(products_of_row);
                    }
                    for x in 0..F.min(side - left) {
                        let mut column = [Lane::ZERO; T];
                        for (value, row) in column.iter_mut().zip(&rows) {
                            *value = row[x];
                        }
                        let pixels: [Lane; F] = output_line(column);
                        for (y, pixel) in pixels.iter().enumerate().take(height - top) {
                            let place = ((top + y) * side + left + x) * stride + first + channel;
                            maps[place..place + n].copy_from_slice(&pixel.0[..n]);
                        }
                    }
                },
            );
        }
    }
}

/// Calls `f(first, count)` for every 16 of `width` channels, and for those left over.
#[inline(always)]
fn lanes(width: usize, mut f: impl FnMut(usize, usize)) {
    let whole = width / Lane::WIDTH * Lane::WIDTH;
    for channel in (0..whole).step_by(Lane::WIDTH) {
        // A constant count keeps whole lanes in registers.
        f(channel, Lane::WIDTH);
    }
    if whole < width {
        f(whole, width - whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    #[test]
    fn agrees_with_the_definition_and_leaves_other_maps_alone() {
        let mut rng = stream(8, "expand");
        for (side, input, out, first, more) in
            [(1, 3, 2, 0, 0), (4, 16, 16, 5, 3), (7, 24, 4, 1, 0), (10, 40, 33, 2, 9)]
        {
            let (image, weight) = (normals(&mut rng, side * side * input), normals(&mut rng, out * input * 9));
            let (line, stride) = (line(side, input), first + out + more);
            let mut narrow = vec![0.0; (side.next_multiple_of(F) + F) * line];
            for y in 0..side {
                narrow[(y + 1) * line + input..][..side * input]
                    .copy_from_slice(&image[y * side * input..][..side * input]);
            }
            let expand = Expand::new(&[out, input, 3, 3], &weight);
            for parallel in [false, true] {
                let mut maps = vec![7.5; side * side * stride];
                expand.compute(side, &narrow, &mut maps, first, stride, parallel);
                for (at, pixel) in maps.chunks(stride).enumerate() {
                    for (channel, &value) in pixel.iter().enumerate() {
                        let Some(o) = channel.checked_sub(first).filter(|&o| o < out) else {
                            assert_eq!(value, 7.5);
                            continue;
                        };
                        let term = |tap: usize, i: usize| {
                            let (y, x) = ((at / side + tap / 3).wrapping_sub(1), (at % side + tap % 3).wrapping_sub(1));
                            let inside = y < side && x < side;
                            let number = if inside { image[(y * side + x) * input + i] } else { 0.0 };
                            f64::from(number) * f64::from(weight[(o * input + i) * 9 + tap])
                        };
                        let exact: f64 = (0..9).flat_map(|tap| (0..input).map(move |i| term(tap, i))).sum();
                        assert!((f64::from(value) - exact).abs() < 1e-4, "{side} {input} {out}: {value} for {exact}");
                    }
                }
            }
        }
    }
}
