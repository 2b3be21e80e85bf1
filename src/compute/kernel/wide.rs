//! Matrix product of plain slices with AVX-512, for matrices that are used once.
//!
//! The right-hand matrix is read row by row, and copied together strip by strip where many rows meet it; the left-hand one
//! is read number by number in any layout. Each number of the
//! result is one chain of multiply-adds in the order of the inner dimension, whatever the sizes.

use std::sync::OnceLock;

use super::Instructions;
#[cfg(target_arch = "x86_64")]
use super::instructions::Set;

/// Rows of the result kept in registers: 12 × 2 sums, 2 right-hand vectors and 1 factor fill 27 of 32.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 12;

/// Where the numbers of one product lie.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Rows of the left-hand matrix and of the result.
    pub m: usize,
    /// Columns of the right-hand matrix and of the result.
    pub n: usize,
    /// The inner dimension.
    pub k: usize,
    /// Numbers from one left-hand row to the next, and from one left-hand column to the next.
    pub left: (usize, usize),
    /// Numbers from one right-hand row to the next; its columns are neighbours.
    pub right: usize,
    /// Numbers from one row of the result to the next; its columns are neighbours.
    pub out: usize,
    /// Whether to add to what the result holds.
    pub add: bool,
}

/// Whether this processor has what [`multiply`] needs.
pub fn available() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| match Instructions::best().set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => true,
        _ => false,
    })
}

/// `out = a · b`, or `out += a · b` if `shape.add`.
///
/// # Panics
/// When a slice is too short for its shape, rows of the result overlap, or the processor lacks the instructions: the
/// callers check all of it.
pub fn multiply(shape: Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    let Shape { m, n, k, left, right, out: row, add } = shape;
    if m == 0 || n == 0 {
        return;
    }
    assert!(available(), "this processor has no AVX-512");
    assert!(row >= n || m == 1, "rows of the product overlap");
    assert!((m - 1) * row + n <= out.len(), "the product is smaller than its stated size");
    if k == 0 {
        if !add {
            out.chunks_mut(row).take(m).for_each(|out| out[..n].fill(0.0));
        }
        return;
    }
    assert!((m - 1) * left.0 + (k - 1) * left.1 < a.len(), "the left factor is smaller than its stated size");
    assert!((k - 1) * right + n <= b.len(), "the right factor is smaller than its stated size");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: AVX-512 was found; the assertions above bound the last number of each matrix, and with it all others.
    unsafe {
        x86::multiply(shape, a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ROWS, Shape};
    use std::arch::x86_64::{
        __m512, __mmask16, _mm_load_ss, _mm512_broadcastss_ps, _mm512_fmadd_ps, _mm512_mask_storeu_ps,
        _mm512_maskz_loadu_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    /// Numbers in one vector.
    const LANES: usize = 16;

    /// # Safety
    /// AVX-512F is there, `m`, `n` and `k` are not 0, and every number that `shape` places lies inside its matrix.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn multiply(shape: Shape, a: *const f32, b: *const f32, out: *mut f32) {
        let Shape { m, n, k, .. } = shape;
        // Rows far apart fall into few sets of the cache: worth a copy if they are read more than twice.
        if m <= 2 * ROWS || shape.right <= 2 * LANES || k < STRIP / 16 {
            for column in (0..n).step_by(2 * LANES) {
                // SAFETY: passed on to the caller; the column is below n.
                unsafe { column_of_rows(shape, (n - column).min(2 * LANES), a, b.add(column), out.add(column)) };
            }
            return;
        }
        #[expect(
            clippy::large_stack_arrays,
            reason = "32 KB: what the first-level cache is to hold, on any thread's stack"
        )]
        let mut strip = Strip([0.0; STRIP * 2 * LANES]);
        for start in (0..k).step_by(STRIP) {
            let count = STRIP.min(k - start);
            let own = Shape { k: count, right: 2 * LANES, add: shape.add || start > 0, ..shape };
            for column in (0..n).step_by(2 * LANES) {
                let width = (n - column).min(2 * LANES);
                let masks = [mask(width), mask(width.saturating_sub(LANES))];
                for (row, to) in strip.0.chunks_exact_mut(2 * LANES).take(count).enumerate() {
                    // Two vectors in place of a call that copies so many bytes.
                    for (half, (to, mask)) in to.chunks_exact_mut(LANES).zip(masks).enumerate() {
                        // SAFETY: row start + row < k of `b`, of which the mask's columns from `column` on are inside; `to`
                        // holds a vector.
                        unsafe {
                            let from = b.add((start + row) * shape.right + column).wrapping_add(half * LANES);
                            _mm512_storeu_ps(to.as_mut_ptr(), _mm512_maskz_loadu_ps(mask, from));
                        }
                    }
                }
                // SAFETY: column start < k of `a` and column < n of `out`; the strip holds `count` rows.
                unsafe { column_of_rows(own, width, a.add(start * shape.left.1), strip.0.as_ptr(), out.add(column)) };
            }
        }
    }

    /// Rows of the right-hand matrix that are copied together: with their columns, two thirds of the first-level cache.
    const STRIP: usize = 256;

    #[repr(align(64))]
    struct Strip([f32; STRIP * 2 * LANES]);

    /// The first `lanes` lanes of a vector: those beyond the last column are neither read nor written.
    fn mask(lanes: usize) -> __mmask16 {
        if lanes >= LANES { !0 } else { (1 << lanes) - 1 }
    }

    /// All rows of up to 32 columns.
    ///
    /// # Safety
    /// As [`multiply`], with pointers that stand at the first column, of which there are `width`.
    #[target_feature(enable = "avx512f")]
    unsafe fn column_of_rows(shape: Shape, width: usize, a: *const f32, b: *const f32, out: *mut f32) {
        let m = shape.m;
        let blocks = m.div_ceil(ROWS);
        for block in 0..blocks {
            let (row, end) = (block * m / blocks, (block + 1) * m / blocks);
            // SAFETY: row < m, so each pointer stays inside its matrix; the tile reads `end - row` rows from there and
            // `width` columns, which are inside too.
            unsafe {
                let (a, out) = (a.add(row * shape.left.0), out.add(row * shape.out));
                if width > LANES {
                    rows::<2>(end - row, [!0, mask(width - LANES)], shape, a, b, out);
                } else {
                    rows::<1>(end - row, [mask(width)], shape, a, b, out);
                }
            }
        }
    }

    /// # Safety
    /// As [`tile`] with `R = count`, which is 1 to [`ROWS`].
    #[target_feature(enable = "avx512f")]
    unsafe fn rows<const W: usize>(
        count: usize,
        masks: [__mmask16; W],
        shape: Shape,
        a: *const f32,
        b: *const f32,
        out: *mut f32,
    ) {
        macro_rules! one_of {
            ($($n:literal)*) => {
                match count {
                    // SAFETY: passed on to the caller.
                    $($n => unsafe { tile::<$n, W>(masks, shape, a, b, out) },)*
                    _ => unreachable!("blocks hold 1 to 12 rows"),
                }
            };
        }
        one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    /// # Safety
    /// AVX-512F is there. `a` has R rows and k columns at the distances of `shape.left`, `b` has k rows at the distance
    /// `shape.right`, `out` has R rows at the distance `shape.out`, the last two with a number for every set bit of `masks`.
    #[allow(clippy::needless_range_loop)] // see the first comment inside
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const R: usize, const W: usize>(
        masks: [__mmask16; W],
        shape: Shape,
        a: *const f32,
        b: *const f32,
        out: *mut f32,
    ) {
        // Places are computed without overflow checks and loops count without iterators: either would keep the loops from
        // being unrolled, and so the sums out of registers, in builds with checks. None can overflow: all lie in slices.
        let place = |r: usize, step: usize, w: usize| r.wrapping_mul(step).wrapping_add(w.wrapping_mul(LANES));
        let (step, next) = shape.left;
        let mut sums: [[__m512; W]; R] = [[_mm512_setzero_ps(); W]; R];
        if shape.add {
            for r in 0..R {
                for w in 0..W {
                    let from = out.wrapping_add(place(r, shape.out, w));
                    // SAFETY: row r < R of `out`; the mask keeps to its columns.
                    sums[r][w] = unsafe { _mm512_maskz_loadu_ps(masks[w], from) };
                }
            }
        }
        for i in 0..shape.k {
            let mut right = [_mm512_setzero_ps(); W];
            for w in 0..W {
                // SAFETY: row i < k of `b`; the mask keeps to its columns.
                right[w] = unsafe { _mm512_maskz_loadu_ps(masks[w], b.wrapping_add(place(i, shape.right, w))) };
            }
            let left = a.wrapping_add(i.wrapping_mul(next));
            for r in 0..R {
                // SAFETY: row r < R and column i < k of `a`.
                let factor = _mm512_broadcastss_ps(unsafe { _mm_load_ss(left.wrapping_add(place(r, step, 0))) });
                for w in 0..W {
                    sums[r][w] = _mm512_fmadd_ps(factor, right[w], sums[r][w]);
                }
            }
        }
        for r in 0..R {
            for w in 0..W {
                // SAFETY: as for the loads above.
                unsafe { _mm512_mask_storeu_ps(out.wrapping_add(place(r, shape.out, w)), masks[w], sums[r][w]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    #[test]
    fn products_agree_with_the_definition_and_touch_nothing_else() {
        if !available() {
            println!("no AVX-512 on this processor: nothing to test");
            return;
        }
        let mut rng = stream(1, "wide");
        for (m, n, k) in
            [(1, 1, 1), (3, 16, 5), (12, 32, 40), (13, 33, 7), (25, 47, 100), (64, 256, 30), (40, 3, 9), (30, 70, 600)]
        {
            for add in [false, true] {
                for turned in [false, true] {
                    let (a, b, old) = (normals(&mut rng, m * k), normals(&mut rng, k * (n + 2)), 0.25);
                    let left = if turned { (1, m) } else { (k, 1) };
                    let mut out = vec![old; m * (n + 3)];
                    let shape = Shape { m, n, k, left, right: n + 2, out: n + 3, add };
                    multiply(shape, &a, &b[..(k - 1) * (n + 2) + n], &mut out[..(m - 1) * (n + 3) + n]);
                    for i in 0..m {
                        for j in 0..n + 3 {
                            let term = |l: usize| f64::from(a[i * left.0 + l * left.1]) * f64::from(b[l * (n + 2) + j]);
                            let before = if add || j >= n { f64::from(old) } else { 0.0 };
                            let exact = before + if j < n { (0..k).map(term).sum() } else { 0.0 };
                            let got = f64::from(out[i * (n + 3) + j]);
                            assert!((got - exact).abs() < 1e-4, "{m} {n} {k} at {i} {j}: {got} for {exact}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "factor is smaller")]
    fn a_factor_that_is_too_short_is_refused() {
        assert!(available(), "factor is smaller: not testable without AVX-512");
        let shape = Shape { m: 2, n: 2, k: 2, left: (2, 1), right: 2, out: 2, add: false };
        multiply(shape, &[0.0; 3], &[0.0; 4], &mut [0.0; 4]);
    }
}
