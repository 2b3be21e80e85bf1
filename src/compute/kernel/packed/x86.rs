//! The inner loop with AVX-512 and with AVX2: a block of rows by one panel stays in registers for a whole strip.

use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T0, _mm_prefetch, _mm256_fmadd_ps, _mm256_load_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_store_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_store_ps,
};

use super::super::Instructions;
use super::super::instructions::Set;
use super::{Lane, Tile, blocks};

/// Rows together with AVX-512: 14 × 2 sums, 2 weights and 1 factor fill 31 of 32 registers.
const WIDE_ROWS: usize = 14;

/// Rows together with AVX2: 6 × 2 sums, 2 weights and 1 factor fill 15 of 16 registers.
const NARROW_ROWS: usize = 6;

/// `out (+)= a · b` with AVX-512.
pub fn wide(instructions: Instructions, tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    if tile.width == 2 {
        wide_panel::<2>(instructions, tile, a, b, out);
    } else {
        wide_panel::<1>(instructions, tile, a, b, out);
    }
}

fn wide_panel<const W: usize>(instructions: Instructions, tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    assert!(instructions.set() == Set::Avx512 && tile.width == W);
    let rows = tile.rows(a, b, out);
    blocks(rows, WIDE_ROWS, |first, count| {
        let a = &a[first * tile.row..];
        let out = &mut out[first * W..][..count * W];
        macro_rules! one_of {
            ($($n:literal)*) => {
                match count {
                    // SAFETY: AVX-512 was found, as `instructions` proves. `Tile::rows` checked that `a` holds row r
                    // up to lane r * row + inner for every r < rows, and that `b` holds inner * 16 rows of W lanes;
                    // the slices above keep that for rows first..first + count, and `out` holds count * W lanes.
                    $($n => unsafe { avx512::<$n, W>(tile, a, b, out) },)*
                    _ => unreachable!("blocks are never larger than asked for"),
                }
            };
        }
        one_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    });
}

/// `out (+)= a · b` with AVX2 and FMA.
pub fn narrow(instructions: Instructions, tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    assert_eq!(instructions.set(), Set::Avx2);
    let rows = tile.rows(a, b, out);
    blocks(rows, NARROW_ROWS, |first, count| {
        let a = &a[first * tile.row..];
        let out = &mut out[first * tile.width..][..count * tile.width];
        macro_rules! one_of {
            ($column:ident, $($n:literal)*) => {
                match count {
                    // SAFETY: AVX2 and FMA were found, as `instructions` proves. Lengths as in `wide_panel`; the
                    // column is below the width.
                    $($n => unsafe { avx2::<$n>(tile, $column, a, b, out) },)*
                    _ => unreachable!("blocks are never larger than asked for"),
                }
            };
        }
        for column in 0..tile.width {
            one_of!(column, 1 2 3 4 5 6);
        }
    });
}

/// # Safety
/// AVX-512F is there. `a.len() >= (R - 1) * tile.row + tile.inner`, `b.len() == tile.inner * 16 * W`,
/// `out.len() == R * W`, and `tile.width == W`.
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const R: usize, const W: usize>(tile: Tile, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    let mut sums: [[__m512; W]; R] = [[_mm512_setzero_ps(); W]; R];
    let (a, out) = (a.as_ptr().cast::<f32>(), out.as_mut_ptr().cast::<f32>());
    let mut b = b.as_ptr().cast::<f32>();
    let row = tile.row * Lane::WIDTH;
    let ahead = tile.inner * Lane::WIDTH * W * Lane::WIDTH;
    if tile.add {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (w, sum) in sums.iter_mut().enumerate() {
                // SAFETY: lane r * W + w < R * W = out.len(); lanes are aligned to 64 bytes.
                *sum = unsafe { _mm512_load_ps(out.add((r * W + w) * Lane::WIDTH)) };
            }
        }
    }
    for k in 0..tile.inner * Lane::WIDTH {
        let mut weights = [_mm512_setzero_ps(); W];
        for (w, weight) in weights.iter_mut().enumerate() {
            // SAFETY: `b` stands at row k of inner * 16 rows of W lanes, which are aligned to 64 bytes.
            *weight = unsafe { _mm512_load_ps(b.add(w * Lane::WIDTH)) };
        }
        // The weights that follow are wanted next; the address is only a hint and may lie outside.
        for w in 0..W {
            _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(ahead + w * Lane::WIDTH).cast());
        }
        // SAFETY: k + 1 rows at most are passed, so `b` ends at most one past its slice.
        b = unsafe { b.add(W * Lane::WIDTH) };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: r < R and k < inner * 16, so the float lies before ((R - 1) * row + inner) * 16 <= a.len() * 16.
            let factor = _mm512_set1_ps(unsafe { *a.add(r * row + k) });
            for (sum, &weight) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_fmadd_ps(factor, weight, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (w, &sum) in sums.iter().enumerate() {
            // SAFETY: as for the loads above.
            unsafe { _mm512_store_ps(out.add((r * W + w) * Lane::WIDTH), sum) };
        }
    }
}

/// # Safety
/// AVX2 and FMA are there. Lengths as for [`avx512`] with `W = tile.width`; `column < tile.width`.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const R: usize>(tile: Tile, column: usize, a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    const HALF: usize = Lane::WIDTH / 2;
    let mut sums: [[__m256; 2]; R] = [[_mm256_setzero_ps(); 2]; R];
    let (a, out) = (a.as_ptr().cast::<f32>(), out.as_mut_ptr().cast::<f32>());
    let b = b.as_ptr().cast::<f32>();
    let (row, width) = (tile.row * Lane::WIDTH, tile.width * Lane::WIDTH);
    let column = column * Lane::WIDTH;
    if tile.add {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (w, sum) in sums.iter_mut().enumerate() {
                // SAFETY: row r < R of `out`, one lane of it in two halves; lanes are aligned to 64 bytes.
                *sum = unsafe { _mm256_load_ps(out.add(r * width + column + w * HALF)) };
            }
        }
    }
    for k in 0..tile.inner * Lane::WIDTH {
        // SAFETY: row k of inner * 16 rows of `width` floats, one lane of it in two halves.
        let weights =
            unsafe { [_mm256_load_ps(b.add(k * width + column)), _mm256_load_ps(b.add(k * width + column + HALF))] };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: r < R and k < inner * 16, so the float lies before ((R - 1) * row + inner) * 16 <= a.len() * 16.
            let factor = _mm256_set1_ps(unsafe { *a.add(r * row + k) });
            sums[0] = _mm256_fmadd_ps(factor, weights[0], sums[0]);
            sums[1] = _mm256_fmadd_ps(factor, weights[1], sums[1]);
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (w, &sum) in sums.iter().enumerate() {
            // SAFETY: as for the loads above.
            unsafe { _mm256_store_ps(out.add(r * width + column + w * HALF), sum) };
        }
    }
}
