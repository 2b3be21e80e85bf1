//! The inner loop in plain Rust. The compiler turns it into the vector instructions that every processor of the
//! architecture has: SSE2 on x86-64, NEON with fused multiply-add on ARM.

use super::{Lane, Tile, blocks};

/// Rows and columns held in registers: 24 of 32 vector registers on ARM, 8 of 16 elsewhere.
const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 4 };
const COLUMNS: usize = if cfg!(target_arch = "aarch64") { 16 } else { 8 };

/// `a * b + c`; fused only where that is one instruction, as it is a library call elsewhere.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
}

/// `out (+)= a · b`, as [`Tile`] says.
pub fn multiply(tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    let rows = tile.rows(a, b, out);
    blocks(rows, ROWS, |first, count| {
        let a = &a[first * tile.row..];
        let out = &mut out[first * tile.width..][..count * tile.width];
        match count {
            1 => block::<1>(tile, a, b, out),
            2 => block::<2>(tile, a, b, out),
            3 => block::<3>(tile, a, b, out),
            4 => block::<4>(tile, a, b, out),
            5 => block::<5>(tile, a, b, out),
            _ => block::<ROWS>(tile, a, b, out),
        }
    });
}

fn block<const R: usize>(tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    for column in 0..tile.width {
        for part in 0..Lane::WIDTH / COLUMNS {
            let at = part * COLUMNS;
            let mut sums = [[0.0f32; COLUMNS]; R];
            if tile.add {
                for (r, sum) in sums.iter_mut().enumerate() {
                    sum.copy_from_slice(&out[r * tile.width + column].0[at..at + COLUMNS]);
                }
            }
            for k in 0..tile.inner {
                let left: [&Lane; R] = std::array::from_fn(|r| &a[r * tile.row + k]);
                for i in 0..Lane::WIDTH {
                    let weights = &b[(k * Lane::WIDTH + i) * tile.width + column].0[at..at + COLUMNS];
                    for (sum, left) in sums.iter_mut().zip(left) {
                        for (sum, &weight) in sum.iter_mut().zip(weights) {
                            *sum = multiply_add(left.0[i], weight, *sum);
                        }
                    }
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                out[r * tile.width + column].0[at..at + COLUMNS].copy_from_slice(sum);
            }
        }
    }
}
