//! Matrix products on plain slices, on the calling thread only: a safe face for the `gemm` crate, and matrices that are
//! laid out once for our own kernel where the processor has AVX-512.

use std::ops::Range;

use super::wide;

/// Writes `a · b` into `c`: `a` is `m x k` with rows `a_stride` apart, `b` is `k x n` without gaps, `c` is `m x n` with
/// rows `c_stride` apart; all row-major. What lies between the rows of `c` is left as it is.
///
/// The result does not depend on how many threads the program has.
pub fn product(
    (m, n, k): (usize, usize, usize),
    a: &[f32],
    a_stride: usize,
    b: &[f32],
    c: &mut [f32],
    c_stride: usize,
) {
    accumulate((m, n, k), a, a_stride, b, c, c_stride, false);
}

/// [`product`], or `c += a · b` if `add`.
fn accumulate(
    (m, n, k): (usize, usize, usize),
    a: &[f32],
    a_stride: usize,
    b: &[f32],
    c: &mut [f32],
    c_stride: usize,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a_stride >= k && c_stride >= n, "rows of {k} and {n} overlap at strides {a_stride} and {c_stride}");
    assert!(k == 0 || a.len() >= (m - 1) * a_stride + k, "the left matrix is too short");
    assert!(b.len() >= k * n, "the right matrix is too short");
    assert!(c.len() >= (m - 1) * c_stride + n, "the result is too short");
    // SAFETY: element (i, j) of a matrix is read or written at i * row stride + j; the assertions above bound the
    // largest such place of each below its slice's length. `c` is borrowed mutably, so it overlaps neither input, and
    // strides of at least a row's length keep its elements apart. Strides fit isize as they index existing slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_stride as isize,
            add,
            a.as_ptr(),
            1,
            a_stride as isize,
            b.as_ptr(),
            1,
            n as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Columns of a panel: two vectors of the kernel.
const PANEL: usize = 32;

/// Rows of a panel that are multiplied at a time, so that they stay in the first-level cache.
const STRIP: usize = 256;

/// A right-hand matrix `[k, n]` that is used many times.
#[derive(Debug, Clone)]
pub struct Panels {
    k: usize,
    n: usize,
    /// Panel by panel, each row-major; all of it row-major where the `gemm` crate multiplies.
    data: Vec<f32>,
}

impl Panels {
    /// Lays out a row-major matrix `[k, n]`.
    ///
    /// # Panics
    /// When the length is not `k * n`.
    pub fn new(k: usize, n: usize, matrix: Vec<f32>) -> Self {
        assert_eq!(matrix.len(), k * n, "a matrix of {k} by {n}");
        if !wide::available() {
            return Self { k, n, data: matrix };
        }
        let mut data = Vec::with_capacity(matrix.len());
        for first in (0..n).step_by(PANEL) {
            for row in matrix.chunks_exact(n) {
                data.extend_from_slice(&row[first..n.min(first + PANEL)]);
            }
        }
        Self { k, n, data }
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.n
    }

    /// Writes `a` times rows `inner` of the matrix into `c`, or adds it to what `c` holds: `a` has `m` rows `a_stride`
    /// apart, `c` as many `c_stride` apart. Each number is one chain of multiply-adds, however `inner` is cut.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn multiply(
        &self,
        m: usize,
        inner: Range<usize>,
        a: &[f32],
        a_stride: usize,
        c: &mut [f32],
        c_stride: usize,
        add: bool,
    ) {
        assert!(inner.end <= self.k, "rows {inner:?} of {}", self.k);
        if !wide::available() {
            let b = &self.data[inner.start * self.n..inner.end * self.n];
            accumulate((m, self.n, inner.len()), a, a_stride, b, c, c_stride, add);
            return;
        }
        for start in inner.clone().step_by(STRIP) {
            let k = STRIP.min(inner.end - start);
            let add = add || start > inner.start;
            for first in (0..self.n).step_by(PANEL) {
                let n = PANEL.min(self.n - first);
                let shape = wide::Shape { m, n, k, left: (a_stride, 1), right: n, out: c_stride, add };
                let b = &self.data[first * self.k + start * n..][..k * n];
                wide::multiply(shape, &a[start - inner.start..], b, &mut c[first..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    #[test]
    fn products_agree_with_the_definition_and_leave_the_gaps_alone() {
        let mut rng = stream(5, "product");
        for (m, n, k, more) in [(1, 1, 1, 0), (7, 5, 3, 2), (64, 16, 288, 40), (33, 225, 49, 0)] {
            let (sa, sc) = (k + more, n + more);
            let (a, b) = (normals(&mut rng, m * sa), normals(&mut rng, k * n));
            let mut c = vec![7.5; m * sc];
            product((m, n, k), &a, sa, &b, &mut c, sc);
            for i in 0..m {
                for j in 0..n {
                    let exact: f64 = (0..k).map(|l| f64::from(a[i * sa + l]) * f64::from(b[l * n + j])).sum();
                    assert!((exact - f64::from(c[i * sc + j])).abs() < 1e-4, "{m} {n} {k}: {exact}");
                }
                assert!(c[i * sc + n..(i + 1) * sc].iter().all(|&gap| gap == 7.5));
            }
        }
    }

    #[test]
    fn laid_out_matrices_give_the_same_products() {
        let mut rng = stream(6, "product");
        for (m, n, k) in [(1, 1, 1), (13, 40, 300), (30, 128, 520), (7, 16, 9)] {
            let (a, b) = (normals(&mut rng, m * k), normals(&mut rng, k * n));
            let panels = Panels::new(k, n, b.clone());
            let mut expected = vec![0.0; m * n];
            product((m, n, k), &a, k, &b, &mut expected, n);
            let mut whole = vec![7.5; m * (n + 3)];
            panels.multiply(m, 0..k, &a, k, &mut whole, n + 3, false);
            let mut parts = vec![7.5; m * (n + 3)];
            panels.multiply(m, 0..k / 3, &a, k, &mut parts, n + 3, false);
            if k / 3 == 0 {
                parts.chunks_mut(n + 3).for_each(|row| row[..n].fill(0.0));
            }
            panels.multiply(m, k / 3..k, &a[k / 3..], k, &mut parts, n + 3, true);
            for (row, expected) in whole.chunks(n + 3).zip(expected.chunks(n)) {
                assert!(row[..n].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{m} {n} {k}");
                assert!(row[n..].iter().all(|&gap| gap == 7.5));
            }
            for (whole, part) in whole.iter().zip(&parts) {
                assert!((whole - part).abs() < 1e-4 && (!wide::available() || whole == part), "{m} {n} {k}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "result is too short")]
    fn a_result_that_is_too_short_is_refused() {
        product((2, 2, 1), &[0.0; 2], 1, &[0.0; 2], &mut [0.0; 3], 2);
    }
}
