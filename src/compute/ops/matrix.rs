//! Matrix product on plain slices: our own kernel where the processor has AVX-512, the `gemm` crate elsewhere.

use super::element::Element;
use crate::compute::kernel::wide;

/// A matrix inside a slice: its numbers and the distances between rows and between columns.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub(super) numbers: &'a [T],
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Rows lie one after the other, `row` numbers apart.
    pub(super) fn rows(numbers: &'a [T], row: usize) -> Self {
        Self { numbers, row, column: 1 }
    }

    /// The transpose of a matrix whose rows lie `row` numbers apart.
    pub(super) fn transposed(numbers: &'a [T], row: usize) -> Self {
        Self { numbers, row: 1, column: row }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.numbers.len()
    }
}

/// `out = a · b`, or `out += a · b` if `add`; a is m × k, b is k × n, rows of `out` lie `out_row` numbers apart.
///
/// Runs on the calling thread, so that the order of summation does not depend on the number of threads.
pub(super) fn multiply<T: Element>(
    (m, n, k): (usize, usize, usize),
    a: Matrix<T>,
    b: Matrix<T>,
    out: &mut [T],
    out_row: usize,
    add: bool,
) {
    assert!(a.holds(m, k) && b.holds(k, n), "a factor is smaller than its stated size");
    assert!(n <= out_row || m <= 1, "rows of the product overlap");
    assert!(m == 0 || n == 0 || (m - 1) * out_row + n <= out.len(), "the product is smaller than its stated size");
    if b.column == 1
        && wide::available()
        && let (Some(left), Some(right)) = (T::single(a.numbers), T::single(b.numbers))
        && let Some(out) = T::single_mut(out)
    {
        let shape = wide::Shape { m, n, k, left: (a.row, a.column), right: b.row, out: out_row, add };
        return wide::multiply(shape, left, right, out);
    }
    // SAFETY: the assertions above keep every element that is read or written inside its slice; rows of `out` do not
    // overlap, and `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_row as isize,
            add,
            a.numbers.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.numbers.as_ptr(),
            b.column as isize,
            b.row as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
