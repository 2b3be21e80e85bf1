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

/// Bytes of weights up to which each block of rows may read them all again.
const CACHED: usize = 1 << 20;

/// Lanes of one block's intermediate results, about what a second-level cache holds.
const BLOCK: usize = (1 << 20) / size_of::<Lane>();

/// How many rows of `lanes` intermediate lanes each to take per block, or `None` to go through the layer step by step:
/// then each step is spread over all threads, and weights are read once.
pub fn block(rows: usize, lanes: usize, weights: usize) -> Option<usize> {
    let spread = rayon::current_num_threads().max(2);
    (weights <= CACHED && rows >= 8).then(|| (BLOCK / lanes).clamp(1, rows.div_ceil(spread)))
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

/// As [`parts`], for two slices cut alike.
pub fn parts2<T: Send, U: Send>(
    (first, size): (&mut [T], usize),
    (second, other): (&mut [U], usize),
    work: usize,
    f: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    if work > SMALL {
        let parts = first.par_chunks_mut(size).zip(second.par_chunks_mut(other));
        parts.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    } else {
        let parts = first.chunks_mut(size).zip(second.chunks_mut(other));
        parts.enumerate().for_each(|(i, (a, b))| f(i, a, b));
    }
}
