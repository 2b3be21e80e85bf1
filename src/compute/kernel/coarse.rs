//! Scalar products of bytes: a first look at many rows that reads a quarter of the memory, with a bound on its error.
//!
//! A row x is kept as s·q with whole numbers q from −127 to 127, and the length e of what that leaves out; a query y as
//! t·p with r left out. Then |x·y − s·t·(q·p)| ≤ e·|y| + |s·q|·r by Cauchy and Schwarz. Products of whole numbers are
//! exact, so that all twins give the same bounds. Who skips a row for its bound skips nothing that could matter.

use rayon::prelude::*;

/// Rows that lie interleaved, four numbers of each in turn.
pub const ROWS: usize = 16;

/// Panels after which the memory of their rows may be given back: some 16,000 rows, so that a mapped file of features is
/// never in memory as a whole.
const PART: usize = 1024;

/// Numbers of a row that are multiplied by one instruction.
const FOUR: usize = 4;

/// Queries compared with a panel of rows at a time.
const QUERIES: usize = 12;

/// What rounding in single precision may add to a product of vectors of length 1, generously.
const ROUNDING: f32 = 2e-5;

/// The length of what is left out of a damaged row.
const DAMAGED: f32 = 1e30;

/// Rows in bytes.
#[derive(Debug, Clone)]
pub struct Table {
    rows: usize,
    groups: usize,
    /// `[panel, group of four numbers, row of the panel, number]`, each 128 more than q.
    bytes: Vec<u8>,
    /// s of each row, padded to whole panels with zeros.
    scales: Vec<f32>,
    /// e of each row, padded with −∞, so that padding is never near.
    errors: Vec<f32>,
}

/// A query in bytes.
#[derive(Debug, Clone)]
pub struct Query {
    bytes: Vec<i8>,
    sum: i32,
    scale: f32,
    error: f32,
}

/// Whole numbers from −127 to 127, their scale, and the length of what they leave out, rounded up.
fn rounded(values: &[f32], mut put: impl FnMut(usize, i8)) -> (f32, f32) {
    let largest = values.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
    if values.iter().any(|v| !v.is_finite()) {
        // A damaged row is always looked at. Not infinity, which times an error of zero would be no number.
        return (0.0, DAMAGED);
    }
    let scale = largest / 127.0;
    let inverse = if scale > f32::MIN_POSITIVE { scale.recip() } else { 0.0 };
    let mut left = 0.0f64;
    for (i, &value) in values.iter().enumerate() {
        let whole = (value * inverse).round().clamp(-127.0, 127.0);
        put(i, whole as i8);
        let rest = f64::from(value) - f64::from(scale) * f64::from(whole);
        left += rest * rest;
    }
    (scale, (left.sqrt() * (1.0 + 1e-6)) as f32)
}

impl Table {
    /// Rows `[n, stride]` of length 1 at most, in bytes. `after_part` is called whenever some 16,000 rows have been
    /// read, which are not read again.
    ///
    /// # Panics
    /// When the stride is no multiple of 4 or does not divide the length.
    pub fn new(rows: &[f32], stride: usize, after_part: impl Fn()) -> Self {
        assert!(stride > 0 && stride.is_multiple_of(FOUR) && rows.len().is_multiple_of(stride), "rows of {stride}");
        let (n, groups) = (rows.len() / stride, stride / FOUR);
        let (panels, size) = (n.div_ceil(ROWS), groups * ROWS * FOUR);
        let mut bytes = vec![128u8; panels * size];
        let (mut scales, mut errors) = (vec![0.0; panels * ROWS], vec![f32::NEG_INFINITY; panels * ROWS]);
        let parts = bytes.chunks_mut(PART * size).zip(rows.chunks(PART * ROWS * stride));
        let figures = scales.chunks_mut(PART * ROWS).zip(errors.chunks_mut(PART * ROWS));
        for ((bytes, rows), (scales, errors)) in parts.zip(figures) {
            let panels = bytes.par_chunks_mut(size).zip(rows.par_chunks(ROWS * stride));
            let figures = scales.par_chunks_mut(ROWS).zip(errors.par_chunks_mut(ROWS));
            panels.zip(figures).for_each(|((bytes, rows), (scales, errors))| {
                for (r, row) in rows.chunks_exact(stride).enumerate() {
                    let put = |i: usize, whole: i8| {
                        bytes[(i / FOUR * ROWS + r) * FOUR + i % FOUR] = (i16::from(whole) + 128) as u8;
                    };
                    (scales[r], errors[r]) = rounded(row, put);
                }
            });
            after_part();
        }
        Self { rows: n, groups, bytes, scales, errors }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A query as long as the rows, of length 1 at most.
    pub fn query(&self, values: &[f32]) -> Query {
        assert_eq!(values.len(), self.groups * FOUR, "a query as long as the rows");
        let mut bytes = vec![0i8; values.len()];
        let (scale, error) = rounded(values, |i, whole| bytes[i] = whole);
        let sum = bytes.iter().map(|&b| i32::from(b)).sum();
        Query { bytes, sum, scale, error }
    }

    /// Calls `take(number of the query, first row, middles, margins)` for each query and 16 rows: the product of row i
    /// with the query lies within `margins[i]` of `middles[i]`. `panels` counts in 16 rows.
    pub fn scan(
        &self,
        queries: &[Query],
        panels: std::ops::Range<usize>,
        mut take: impl FnMut(usize, usize, &[f32; ROWS], &[f32; ROWS]),
    ) {
        let size = self.groups * ROWS * FOUR;
        let twin = Twin::best();
        for panel in panels {
            let bytes = &self.bytes[panel * size..][..size];
            let (scales, errors) = (&self.scales[panel * ROWS..][..ROWS], &self.errors[panel * ROWS..][..ROWS]);
            for (group, queries) in queries.chunks(QUERIES).enumerate() {
                let mut sums = [[0i32; ROWS]; QUERIES];
                products(twin, bytes, queries, &mut sums);
                for (q, (query, sums)) in queries.iter().zip(&sums).enumerate() {
                    let (mut middles, mut margins) = ([0.0; ROWS], [0.0; ROWS]);
                    for r in 0..ROWS {
                        let whole = (sums[r] - 128 * query.sum) as f32;
                        middles[r] = scales[r] * query.scale * whole;
                        margins[r] = errors[r] + (1.0 + errors[r]) * query.error + ROUNDING;
                    }
                    take(group * QUERIES + q, panel * ROWS, &middles, &margins);
                }
            }
        }
    }
}

/// Which twin computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    #[cfg(target_arch = "x86_64")]
    Vnni,
    Portable,
}

impl Twin {
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            return Self::Vnni;
        }
        Self::Portable
    }
}

/// Whether this processor multiplies bytes fast enough for a first look to pay.
pub fn pays() -> bool {
    Twin::best() != Twin::Portable
}

/// Products of one panel with up to [`QUERIES`] queries: Σ (q + 128)·p.
fn products(twin: Twin, bytes: &[u8], queries: &[Query], sums: &mut [[i32; ROWS]; QUERIES]) {
    let groups = bytes.len() / (ROWS * FOUR);
    assert!(queries.len() <= QUERIES && queries.iter().all(|query| query.bytes.len() == groups * FOUR));
    match twin {
        #[cfg(target_arch = "x86_64")]
        Twin::Vnni => {
            macro_rules! one_of {
                ($($n:literal)*) => {
                    match queries.len() {
                        // SAFETY: `Twin::best` and the tests give this twin only where the processor has it; the
                        // panel holds `groups` times 64 bytes and each query `groups` times 4, as asserted above.
                        $($n => unsafe { x86::products::<$n>(groups, bytes, queries, sums) },)*
                        _ => {}
                    }
                };
            }
            one_of!(1 2 3 4 5 6 7 8 9 10 11 12);
        }
        Twin::Portable => {
            for (query, sums) in queries.iter().zip(sums) {
                for (bytes, four) in bytes.chunks_exact(ROWS * FOUR).zip(query.bytes.chunks_exact(FOUR)) {
                    for (sum, row) in sums.iter_mut().zip(bytes.chunks_exact(FOUR)) {
                        for (&a, &b) in row.iter().zip(four) {
                            *sum += i32::from(a) * i32::from(b);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_storeu_si512,
    };

    use super::{FOUR, QUERIES, Query, ROWS};

    /// Bytes ahead of the products that are asked for.
    const AHEAD: usize = 2048;

    /// # Safety
    /// The processor has AVX-512F and VNNI; `bytes` holds `groups * 64`, each of `Q` queries `groups * 4`.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub unsafe fn products<const Q: usize>(
        groups: usize,
        bytes: &[u8],
        queries: &[Query],
        sums: &mut [[i32; ROWS]; QUERIES],
    ) {
        // Two sums for each of a few queries, so that one need not wait for the other.
        let halves = if Q <= 4 { 2 } else { 1 };
        let mut all = [[_mm512_setzero_si512(); Q]; 2];
        let from: [*const i8; Q] = std::array::from_fn(|q| queries[q].bytes.as_ptr());
        for group in 0..groups {
            // SAFETY: group < groups.
            let rows = unsafe { _mm512_loadu_si512(bytes.as_ptr().add(group * ROWS * FOUR).cast()) };
            _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(group * ROWS * FOUR + AHEAD).cast());
            let half = &mut all[group % halves];
            for q in 0..Q {
                // SAFETY: group < groups, and each query holds four bytes for each group.
                let four = unsafe { from[q].add(group * FOUR).cast::<i32>().read_unaligned() };
                half[q] = _mm512_dpbusd_epi32(half[q], rows, _mm512_set1_epi32(four));
            }
        }
        for q in 0..Q {
            let mut halves = [[0i32; ROWS]; 2];
            for (half, all) in halves.iter_mut().zip(&all) {
                // SAFETY: `half` holds the sixteen numbers that are stored.
                unsafe { _mm512_storeu_si512(half.as_mut_ptr().cast(), all[q]) };
            }
            for r in 0..ROWS {
                sums[q][r] = halves[0][r] + halves[1][r];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    fn unit(values: &mut [f32]) {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.iter_mut().for_each(|v| *v /= length);
    }

    #[test]
    fn every_product_lies_within_its_margin_and_margins_are_narrow() {
        let mut rng = stream(6, "coarse");
        for (n, stride, queries) in [(1, 16, 1), (40, 64, 3), (33, 1024, 13), (16, 240, 30)] {
            let mut rows = normals(&mut rng, n * stride);
            rows.chunks_exact_mut(stride).for_each(unit);
            rows[..stride].fill(0.0);
            let mut asked = normals(&mut rng, queries * stride);
            asked.chunks_exact_mut(stride).for_each(unit);
            let table = Table::new(&rows, stride, || ());
            let given: Vec<Query> = asked.chunks_exact(stride).map(|query| table.query(query)).collect();
            let mut seen = 0;
            table.scan(&given, 0..n.div_ceil(ROWS), |query, first, middles, margins| {
                for (r, row) in rows.chunks_exact(stride).skip(first).take(ROWS).enumerate() {
                    let query = &asked[query * stride..][..stride];
                    let exact: f64 = row.iter().zip(query).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                    let off = (exact - f64::from(middles[r])).abs();
                    assert!(off <= f64::from(margins[r]) && margins[r] < 0.04, "{off} {} {stride}", margins[r]);
                    seen += 1;
                }
                let padding = &margins[n.saturating_sub(first).min(ROWS)..];
                assert!(padding.iter().all(|&margin| margin == f32::NEG_INFINITY), "padding is near nobody");
            });
            assert_eq!(seen, n * queries);
        }
    }

    #[test]
    fn all_twins_give_the_same_sums() {
        let mut rng = stream(7, "coarse");
        let (rows, asked) = (normals(&mut rng, 16 * 80), normals(&mut rng, QUERIES * 80));
        let table = Table::new(&rows, 80, || ());
        let queries: Vec<Query> = asked.chunks_exact(80).map(|query| table.query(query)).collect();
        for count in 1..=QUERIES {
            let [mut best, mut portable] = [[[0; ROWS]; QUERIES]; 2];
            products(Twin::best(), &table.bytes, &queries[..count], &mut best);
            products(Twin::Portable, &table.bytes, &queries[..count], &mut portable);
            assert_eq!(best, portable);
        }
    }

    #[test]
    fn rows_are_read_part_by_part_and_all_of_them() {
        let (n, stride) = (PART * ROWS + 5, 16);
        let parts = std::cell::Cell::new(0);
        let table = Table::new(&vec![0.25; n * stride], stride, || parts.set(parts.get() + 1));
        assert_eq!((table.len(), parts.get()), (n, 2));
        let mut near = 0;
        table.scan(&[table.query(&[0.25; 16])], 0..n.div_ceil(ROWS), |_, _, middles, margins| {
            near += middles.iter().zip(margins).filter(|(middle, margin)| **middle + **margin > 0.99).count();
        });
        assert_eq!(near, n);
    }

    #[test]
    fn a_damaged_row_has_no_bound() {
        let mut rows = vec![0.25; 32];
        rows[3] = f32::NAN;
        let table = Table::new(&rows, 16, || ());
        table.scan(&[table.query(&[0.25; 16])], 0..1, |_, _, _, margins| {
            assert!(margins[0] > 1e29);
            assert!(margins[1] < 0.1);
        });
    }
}
