//! Scalar products of one query with many rows: the inner loop of the exact neighbour search.
//!
//! All twins add in the same order (16 lanes of fused multiply-adds, then one fixed tree), so that a distance has the
//! same bits on every machine and a list of neighbours never depends on the processor.

/// Lanes of the running sums; rows are padded with zeros to a multiple of it.
pub const LANES: usize = 16;

/// Rows taken together, to hide the latency of the multiply-adds.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 4;

/// Which twin computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Twin {
    /// The widest that this processor has. The check is cached by the standard library.
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }
}

/// Writes `query · row` for each row of `rows` into `out`.
///
/// `query.len()` must be a multiple of [`LANES`], and `rows` must hold `out.len()` rows of that length.
pub fn dot_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    run(Twin::best(), query, rows, out);
}

fn run(twin: Twin, query: &[f32], rows: &[f32], out: &mut [f32]) {
    assert!(query.len().is_multiple_of(LANES), "query of {} is not padded to {LANES}", query.len());
    assert_eq!(rows.len(), query.len() * out.len(), "rows do not match the query and the results");
    match twin {
        // SAFETY: `Twin::best` and the tests give this twin only after the processor reported AVX-512F. Lengths were
        // checked above: the query is a multiple of 16 and there are as many rows as results.
        #[cfg(target_arch = "x86_64")]
        Twin::Avx512 => unsafe { x86::avx512(query, rows, out) },
        // SAFETY: as above with AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Twin::Avx2 => unsafe { x86::avx2(query, rows, out) },
        Twin::Portable => portable(query, rows, out),
    }
}

/// Adds the 16 lanes pairwise in one fixed order: halves, quarters, eighths, the last two.
fn tree(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

fn portable(query: &[f32], rows: &[f32], out: &mut [f32]) {
    if query.is_empty() {
        out.fill(0.0);
        return;
    }
    for (row, result) in rows.chunks_exact(query.len()).zip(out) {
        let mut lanes = [0.0f32; LANES];
        for (q, r) in query.chunks_exact(LANES).zip(row.chunks_exact(LANES)) {
            for ((lane, &q), &r) in lanes.iter_mut().zip(q).zip(r) {
                *lane = q.mul_add(r, *lane);
            }
        }
        *result = tree(lanes);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{LANES, ROWS, tree};

    /// # Safety
    /// The processor has AVX-512F; `query.len()` is a multiple of 16 and `rows.len() == query.len() * out.len()`.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512(query: &[f32], rows: &[f32], out: &mut [f32]) {
        let n = query.len();
        let mut first = 0;
        while first < out.len() {
            let together = ROWS.min(out.len() - first);
            let mut sums = [_mm512_setzero_ps(); ROWS];
            let mut at = 0;
            while at < n {
                // SAFETY: at + 16 <= n, both multiples of 16.
                let q = unsafe { _mm512_loadu_ps(query.as_ptr().add(at)) };
                for (r, sum) in sums.iter_mut().enumerate() {
                    // Beyond the last row the last row is read once more; its sum is not kept.
                    let row = first + r.min(together - 1);
                    // SAFETY: row < out.len() and at + 16 <= n, so the load ends within out.len() * n = rows.len().
                    let value = unsafe { _mm512_loadu_ps(rows.as_ptr().add(row * n + at)) };
                    *sum = _mm512_fmadd_ps(q, value, *sum);
                }
                at += LANES;
            }
            for (sum, result) in sums.iter().zip(&mut out[first..first + together]) {
                let mut lanes = [0.0; LANES];
                // SAFETY: `lanes` holds the 16 floats that are stored.
                unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), *sum) };
                *result = tree(lanes);
            }
            first += together;
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA; `query.len()` is a multiple of 16 and `rows.len() == query.len() * out.len()`.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(query: &[f32], rows: &[f32], out: &mut [f32]) {
        let n = query.len();
        let mut first = 0;
        while first < out.len() {
            let together = ROWS.min(out.len() - first);
            let mut low = [_mm256_setzero_ps(); ROWS];
            let mut high = [_mm256_setzero_ps(); ROWS];
            let mut at = 0;
            while at < n {
                // SAFETY: at + 16 <= n, both multiples of 16.
                let (q0, q1) =
                    unsafe { (_mm256_loadu_ps(query.as_ptr().add(at)), _mm256_loadu_ps(query.as_ptr().add(at + 8))) };
                for r in 0..ROWS {
                    // Beyond the last row the last row is read once more; its sum is not kept.
                    let start = (first + r.min(together - 1)) * n + at;
                    // SAFETY: the row is below out.len() and at + 16 <= n, so both loads end within rows.len().
                    let (v0, v1) = unsafe {
                        (_mm256_loadu_ps(rows.as_ptr().add(start)), _mm256_loadu_ps(rows.as_ptr().add(start + 8)))
                    };
                    low[r] = _mm256_fmadd_ps(q0, v0, low[r]);
                    high[r] = _mm256_fmadd_ps(q1, v1, high[r]);
                }
                at += LANES;
            }
            for (r, result) in out[first..first + together].iter_mut().enumerate() {
                let mut lanes = [0.0; LANES];
                // SAFETY: `lanes` holds the twice 8 floats that are stored.
                unsafe {
                    _mm256_storeu_ps(lanes.as_mut_ptr(), low[r]);
                    _mm256_storeu_ps(lanes.as_mut_ptr().add(8), high[r]);
                }
                *result = tree(lanes);
            }
            first += together;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    fn twins() -> Vec<Twin> {
        let mut twins = vec![Twin::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                twins.push(Twin::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                twins.push(Twin::Avx512);
            }
        }
        twins
    }

    #[test]
    fn all_twins_give_the_same_bits_and_agree_with_f64() {
        let mut rng = stream(3, "dot");
        for (length, count) in [(16, 1), (32, 3), (240, 9), (1024, 5), (48, 0)] {
            let query = normals(&mut rng, length);
            let rows = normals(&mut rng, length * count);
            let results: Vec<Vec<f32>> = twins()
                .into_iter()
                .map(|twin| {
                    let mut out = vec![f32::NAN; count];
                    run(twin, &query, &rows, &mut out);
                    out
                })
                .collect();
            for twin in &results[1..] {
                assert_eq!(twin, &results[0], "length {length}, {count} rows");
            }
            for (row, &result) in rows.chunks_exact(length).zip(&results[0]) {
                let exact: f64 = query.iter().zip(row).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                assert!((exact - f64::from(result)).abs() < 1e-5 * (length as f64), "{exact} {result}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "not padded")]
    fn lengths_that_are_not_padded_are_refused() {
        dot_rows(&[0.0; 15], &[0.0; 15], &mut [0.0]);
    }
}
