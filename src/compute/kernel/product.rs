//! One matrix product on plain slices: a safe face for the `gemm` crate, on the calling thread only.

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
            false,
            a.as_ptr(),
            1,
            a_stride as isize,
            b.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
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
    #[should_panic(expected = "result is too short")]
    fn a_result_that_is_too_short_is_refused() {
        product((2, 2, 1), &[0.0; 2], 1, &[0.0; 2], &mut [0.0; 3], 2);
    }
}
