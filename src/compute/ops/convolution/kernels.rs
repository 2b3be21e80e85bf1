//! The three products with a matrix of image patches, on slices.

use super::super::element::{Element, with_scratch};
use super::super::matrix::{Matrix, multiply};
use super::super::patches::Sizes;
use rayon::prelude::*;

/// Columns of the patch matrix worked on at a time: few enough for the second-level cache, enough for the product.
const COLUMNS: usize = 256;

/// Images worked on together: more than one where a single image has too few pixels, but some for every thread.
fn block(s: &Sizes) -> usize {
    (COLUMNS / s.pixels().max(1)).clamp(1, s.n.div_ceil(4).max(1))
}

/// Rows of the output worked on at a time.
fn tile(s: &Sizes) -> usize {
    (COLUMNS / s.wo.max(1)).clamp(1, s.ho.max(1))
}

/// Convolution of `x` with `weight`; `finish` is given each channel of each image (number of the channel, pixels).
pub fn forward<T: Element>(x: &[T], weight: &[T], s: &Sizes, finish: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let (k, pixels) = (s.patch(), s.pixels());
    let mut y = vec![T::zero(); s.n * s.o * pixels];
    if y.is_empty() {
        return y;
    }
    let images = block(s);
    let weight = Matrix::rows(weight, k);
    y.par_chunks_mut(images * s.o * pixels).zip(x.par_chunks(images * s.input())).for_each(|(y, x)| {
        let count = y.len() / (s.o * pixels);
        if count == 1 && s.is_pointwise() {
            multiply((s.o, pixels, k), weight, Matrix::rows(x, pixels), y, pixels, false);
        } else if count == 1 {
            let rows = tile(s);
            with_scratch(k * rows * s.wo, |patches| {
                for top in (0..s.ho).step_by(rows) {
                    let range = top..(top + rows).min(s.ho);
                    let columns = range.len() * s.wo;
                    s.gather(x, range, patches, columns, 0);
                    let patches = Matrix::rows(patches, columns);
                    multiply((s.o, columns, k), weight, patches, &mut y[top * s.wo..], pixels, false);
                }
            });
        } else {
            let columns = count * pixels;
            with_scratch((k + s.o) * columns, |scratch| {
                let (patches, out) = scratch.split_at_mut(k * columns);
                for (i, x) in x.chunks(s.input()).enumerate() {
                    s.gather(x, 0..s.ho, patches, columns, i * pixels);
                }
                multiply((s.o, columns, k), weight, Matrix::rows(patches, columns), out, columns, false);
                for (i, y) in y.chunks_mut(s.o * pixels).enumerate() {
                    for (y, out) in y.chunks_mut(pixels).zip(out.chunks(columns)) {
                        y.copy_from_slice(&out[i * pixels..][..pixels]);
                    }
                }
            });
        }
        for (channel, y) in y.chunks_mut(pixels).enumerate() {
            finish(channel % s.o, y);
        }
    });
    y
}

/// Gradient of the input from the gradient `g` of the output.
pub fn data_gradient<T: Element>(g: &[T], weight: &[T], s: &Sizes) -> Vec<T> {
    if s.stride == 1 && s.padding.0 < s.kh && s.padding.1 < s.kw {
        let padding = (s.kh - 1 - s.padding.0, s.kw - 1 - s.padding.1);
        let turned = Sizes { c: s.o, h: s.ho, w: s.wo, o: s.c, ho: s.h, wo: s.w, padding, ..*s };
        let weight = turn(weight, [s.o, s.c, s.kh, s.kw]);
        return forward(g, &weight, &turned, |_, _| {});
    }
    let (k, pixels) = (s.patch(), s.pixels());
    let mut x = vec![T::zero(); s.n * s.input()];
    if x.is_empty() || pixels == 0 || s.o == 0 {
        return x;
    }
    let rows = tile(s);
    x.par_chunks_mut(s.input()).zip(g.par_chunks(s.o * pixels)).for_each(|(x, g)| {
        with_scratch(k * rows * s.wo, |patches| {
            for top in (0..s.ho).step_by(rows) {
                let range = top..(top + rows).min(s.ho);
                let columns = range.len() * s.wo;
                let g = Matrix::rows(&g[top * s.wo..], pixels);
                multiply((k, columns, s.o), Matrix::transposed(weight, k), g, patches, columns, false);
                s.scatter(patches, range, columns, x);
            }
        });
    });
    x
}

/// Numbers of a row that are turned together: those of a cache line.
const LINE: usize = 16;

/// Writes rows of `columns` numbers, `ld` apart, as columns of a matrix with rows `to_ld` apart.
fn transpose<T: Element>(from: &[T], ld: usize, rows: usize, columns: usize, to: &mut [T], to_ld: usize) {
    for first in (0..columns).step_by(LINE) {
        let end = columns.min(first + LINE);
        for row in 0..rows {
            for (column, &value) in (first..end).zip(&from[row * ld + first..row * ld + end]) {
                to[column * to_ld + row] = value;
            }
        }
    }
}

/// Gradient of the weight from the gradient `g` of the output.
///
/// The product sums over pixels, along which both its factors are stored. Its inner loop wants one of them stored the
/// other way, so `g` is turned, once. The result is cut by input channels, each part of which one thread sums over all
/// pixels of all images in order: nothing is left to add up, and the number of threads changes nothing.
pub fn weight_gradient<T: Element>(x: &[T], g: &[T], s: &Sizes) -> Vec<T> {
    let (k, pixels, taps) = (s.patch(), s.pixels(), s.kh * s.kw);
    let mut weight = vec![T::zero(); s.o * k];
    if weight.is_empty() || pixels == 0 || s.n == 0 {
        return weight;
    }
    let mut turned = vec![T::zero(); g.len()];
    turned.par_chunks_mut(s.o * pixels).zip(g.par_chunks(s.o * pixels)).for_each(|(turned, g)| {
        transpose(g, pixels, s.o, pixels, turned, s.o);
    });
    // The threads share out channels, so that images can all be taken together.
    let images = (COLUMNS / pixels).clamp(1, s.n);
    let rows = if images == 1 { tile(s) } else { s.ho };
    let most = (COLUMNS / taps).clamp(1, s.c);
    let part = |first: usize| {
        let own = Sizes { c: most.min(s.c - first), ..*s };
        let length = own.c * taps;
        let mut sum = vec![T::zero(); length * s.o];
        for start in (0..s.n).step_by(images) {
            let count = images.min(s.n - start);
            let channels = |image: usize| &x[(start + image) * s.input() + first * s.h * s.w..][..own.input()];
            let turned = &turned[start * pixels * s.o..];
            if count == 1 && s.is_pointwise() {
                let (x, g) = (Matrix::rows(channels(0), pixels), Matrix::rows(turned, s.o));
                multiply((length, s.o, pixels), x, g, &mut sum, s.o, true);
                continue;
            }
            with_scratch(length * count * rows * s.wo, |patches| {
                for top in (0..s.ho).step_by(rows) {
                    let range = top..(top + rows).min(s.ho);
                    let tile = range.len() * s.wo;
                    let columns = count * tile;
                    for image in 0..count {
                        own.gather(channels(image), range.clone(), patches, columns, image * tile);
                    }
                    let g = Matrix::rows(&turned[top * s.wo * s.o..], s.o);
                    multiply((length, s.o, columns), Matrix::rows(patches, columns), g, &mut sum, s.o, true);
                }
            });
        }
        sum
    };
    let parts: Vec<Vec<T>> = (0..s.c.div_ceil(most)).into_par_iter().map(|i| part(i * most)).collect();
    weight.par_chunks_mut(LINE * k).enumerate().for_each(|(i, weight)| {
        for (part, sum) in parts.iter().enumerate() {
            transpose(&sum[i * LINE..], s.o, sum.len() / s.o, weight.len() / k, &mut weight[part * most * taps..], k);
        }
    });
    weight
}

/// Output and input channels exchanged, the kernel turned by half a turn.
pub fn turn<T: Element>(weight: &[T], [o, c, kh, kw]: [usize; 4]) -> Vec<T> {
    let area = kh * kw;
    let mut out = vec![T::zero(); weight.len()];
    out.par_chunks_mut((LINE * o * area).max(1)).enumerate().for_each(|(part, out)| {
        for i in 0..o {
            for (j, out) in out.chunks_mut(o * area).enumerate() {
                let from = &weight[(i * c + part * LINE + j) * area..][..area];
                out[i * area..][..area].iter_mut().zip(from.iter().rev()).for_each(|(out, &value)| *out = value);
            }
        }
    });
    out
}
