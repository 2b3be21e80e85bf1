//! Which form of a convolution to take, and how its work is cut: all such choices stand here.

use rayon::prelude::*;

use crate::compute::kernel::{Instructions, Lane};

/// What every layer needs to know about the machine.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Vector instructions to use.
    pub instructions: Instructions,
}

/// Forms of a 3×3 convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One product with nine times the inner dimension.
    Direct,
    /// Winograd F(2×2): 16 products for 4 pixels.
    Two,
    /// Winograd F(4×4): 36 products for 16 pixels.
    Four,
}

/// The form for a convolution with `channels` in and out at `side`.
///
/// F(4×4) has the fewest multiplications but four times the weights of the plain form: wide layers at low sides, which
/// wait for their weights rather than for arithmetic, take a form with less of them.
pub fn form(side: usize, channels: usize) -> Form {
    match side {
        4 => Form::Direct,
        8 | 16 if channels > 128 => Form::Two,
        _ => Form::Four,
    }
}

/// Product rows below which a layer is not cut into blocks, each of which reads all weights again.
const ROWS: usize = 96;

/// Bytes of rearranged input of one block, about what a second-level cache holds.
const BLOCK: usize = 1 << 20;

/// Into blocks of how many units to cut a layer of `all` units, `units` to an image, that has `rows` product rows,
/// `lanes` of rearranged input and `weights` bytes; `None` to give each thread panels of the whole layer instead.
pub fn block(all: usize, units: usize, rows: usize, lanes: usize, weights: usize) -> Option<usize> {
    let threads = rayon::current_num_threads().max(2);
    if rows < ROWS || all < threads {
        return None;
    }
    // The more weights a block reads, the more rows it should have for them.
    let unit = lanes * size_of::<Lane>() / all;
    let most = ((BLOCK + weights / 10) / unit).clamp(1, all.div_ceil(threads));
    // Within an image, or whole images.
    let within = || (1..=most).rev().find(|block| units.is_multiple_of(*block));
    Some(if most >= units { most / units * units } else { within().unwrap_or(1) })
}

/// Multiply-adds below which a step stays on its thread: waking another costs more.
const SMALL: usize = 1 << 19;

/// Cuts `data` into parts of `size`, and calls `f(number, part)` for each, in parallel when `work` multiply-adds in all
/// are worth it. The last part may be shorter.
pub fn parts<T: Send>(data: &mut [T], size: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if work > SMALL {
        data.par_chunks_mut(size).enumerate().for_each(|(i, part)| f(i, part));
    } else {
        data.chunks_mut(size).enumerate().for_each(|(i, part)| f(i, part));
    }
}

/// As [`parts`] for pixels, with the grey values of each part, `other` of them; 0 where the layer shows no image.
pub fn blocks(
    pixels: &mut [Lane],
    size: usize,
    grey: &mut [f32],
    other: usize,
    work: usize,
    f: impl Fn(usize, &mut [Lane], &mut [f32]) + Sync,
) {
    if other == 0 {
        parts(pixels, size, work, |i, part| f(i, part, &mut []));
    } else if work > SMALL {
        let parts = pixels.par_chunks_mut(size).zip(grey.par_chunks_mut(other));
        parts.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    } else {
        let parts = pixels.chunks_mut(size).zip(grey.chunks_mut(other));
        parts.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    }
}
