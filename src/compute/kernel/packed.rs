//! Matrix products with a right-hand side that is packed once and used for ever: the weights of a trained network.
//!
//! A [`Stack`] holds several matrices of one shape. Columns are cut into panels of 32; within a panel the rows follow
//! each other, so that the inner loop reads weights strictly forward. Each element of a result is one chain of
//! multiply-adds in the order of the rows, whatever the number of rows or threads: results have the same bits for one
//! sample and for many, and on one thread and on many.

use std::ops::Range;

use rayon::prelude::*;

use super::instructions::Set;
use super::{Instructions, Lane};

/// Lanes in a panel of columns; the last panel of an odd count has one.
pub const PANEL: usize = 2;

/// Most lanes of a left-hand strip: 128 numbers of each row, which with a panel of weights fit the first-level cache.
pub const STRIP: usize = 8;

/// The left-hand matrix, cut into strips of columns: element (i, k) of strip s lies at `s * strip + i * row` lanes.
///
/// An ordinary row-major matrix has `strip = width` and `row` its row length; a strip-major one has `row = width`.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The numbers.
    pub data: &'a [Lane],
    /// Lanes from one row to the next within a strip.
    pub row: usize,
    /// Lanes from one strip to the next.
    pub strip: usize,
    /// Lanes of each strip, 1 to [`STRIP`]; the last strip may use fewer.
    pub width: usize,
}

/// Several matrices of one shape, packed for [`Stack::multiply`].
#[derive(Debug, Clone)]
pub struct Stack {
    count: usize,
    rows: usize,
    columns: usize,
    data: Vec<Lane>,
}

impl Stack {
    /// Packs `count` matrices of `rows * columns` numbers.
    ///
    /// `fill(row, column, values)` writes the `count` numbers at that place; rows and columns are then padded with
    /// zeros to whole lanes. Panels are packed in parallel.
    pub fn pack(count: usize, rows: usize, columns: usize, fill: impl Fn(usize, usize, &mut [f32]) + Sync) -> Self {
        let stack = Self { count, rows: Lane::count(rows), columns: Lane::count(columns), data: Vec::new() };
        let tall = stack.rows * Lane::WIDTH;
        let mut data = vec![Lane::ZERO; count * tall * stack.columns];
        data.par_chunks_mut(count * tall * PANEL).enumerate().for_each(|(panel, data)| {
            let width = stack.width(panel);
            let mut values = vec![0.0; count];
            for row in 0..rows {
                let first = panel * PANEL * Lane::WIDTH;
                for column in first..columns.min(first + width * Lane::WIDTH) {
                    fill(row, column, &mut values);
                    let inside = column - first;
                    for (which, &value) in values.iter().enumerate() {
                        let lane = (which * tall + row) * width + inside / Lane::WIDTH;
                        data[lane].0[inside % Lane::WIDTH] = value;
                    }
                }
            }
        });
        Self { data, ..stack }
    }

    /// Number of matrices.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Lanes of rows: the inner dimension of the product.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Lanes of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Panels of columns.
    pub fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }

    /// Lanes of one panel.
    pub fn width(&self, panel: usize) -> usize {
        PANEL.min(self.columns - panel * PANEL)
    }

    /// Numbers of all matrices, padding included: multiply-adds for each row of a left-hand side.
    pub fn numbers(&self) -> usize {
        self.data.len() * Lane::WIDTH
    }

    /// Bytes that one full pass over all matrices reads.
    pub fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }

    fn panel(&self, which: usize, panel: usize) -> &[Lane] {
        let tall = self.rows * Lane::WIDTH;
        let width = self.width(panel);
        &self.data[self.count * tall * PANEL * panel + which * tall * width..][..tall * width]
    }

    /// Writes rows `range` of `left` times one panel of matrix `which` into `out`, row by row, [`Stack::width`] lanes each.
    ///
    /// # Panics
    /// When `left` or `out` is too short: the callers compute all sizes.
    pub fn multiply(
        &self,
        instructions: Instructions,
        which: usize,
        panel: usize,
        left: &Left,
        range: Range<usize>,
        out: &mut [Lane],
    ) {
        if range.is_empty() {
            return;
        }
        let width = self.width(panel);
        let weights = self.panel(which, panel);
        let count = range.len();
        let out = &mut out[..count * width];
        let strips = self.rows.div_ceil(left.width);
        for strip in 0..strips {
            let inner = left.width.min(self.rows - strip * left.width);
            let first = strip * left.strip + range.start * left.row;
            let a = &left.data[first..first + (count - 1) * left.row + inner];
            let b = &weights[strip * left.width * Lane::WIDTH * width..][..inner * Lane::WIDTH * width];
            let tile = Tile { inner, row: left.row, width, add: strip > 0 };
            match instructions.set() {
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => x86::wide(instructions, tile, a, b, out),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => x86::narrow(instructions, tile, a, b, out),
                Set::Portable => portable::multiply(tile, a, b, out),
            }
        }
    }
}

/// One strip of the left matrix times one panel: what the inner loops are asked to do.
#[derive(Debug, Clone, Copy)]
struct Tile {
    /// Lanes of the inner dimension.
    inner: usize,
    /// Lanes from one left row to the next.
    row: usize,
    /// Lanes of the panel: 1 or 2.
    width: usize,
    /// Whether to add to what `out` holds.
    add: bool,
}

impl Tile {
    /// Checks what the inner loops rely on, and gives the number of rows.
    fn rows(&self, a: &[Lane], b: &[Lane], out: &[Lane]) -> usize {
        let rows = out.len() / self.width;
        assert!((1..=PANEL).contains(&self.width) && rows > 0 && out.len() == rows * self.width);
        assert!(a.len() >= (rows - 1) * self.row + self.inner, "the left matrix is too short");
        assert_eq!(b.len(), self.inner * Lane::WIDTH * self.width, "the panel does not match");
        rows
    }
}

/// Cuts `rows` into the fewest blocks of at most `most`, as equal as can be, and calls `f(first, count)` for each.
fn blocks(rows: usize, most: usize, mut f: impl FnMut(usize, usize)) {
    let count = rows.div_ceil(most);
    let mut first = 0;
    for block in 1..=count {
        let end = block * rows / count;
        f(first, end - first);
        first = end;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;

mod portable;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::random::{normals, stream};

    /// Row-major `m * k` numbers as a strip-major left-hand side of the given strip width.
    fn strips(values: &[f32], m: usize, k: usize, width: usize) -> Vec<Lane> {
        let lanes = Lane::count(k);
        let mut data = vec![Lane::ZERO; lanes.div_ceil(width) * m * width];
        for i in 0..m {
            for (c, lane) in Lane::from_slice(&values[i * k..(i + 1) * k]).into_iter().enumerate() {
                data[(c / width * m + i) * width + c % width] = lane;
            }
        }
        data
    }

    #[test]
    fn products_agree_with_the_definition_in_every_instruction_set() {
        let mut rng = stream(1, "packed");
        for (m, k, n) in
            [(1, 1, 1), (3, 16, 16), (14, 130, 32), (15, 257, 48), (29, 64, 80), (57, 300, 33), (7, 40, 100)]
        {
            let (a, b) = (normals(&mut rng, 2 * m * k), normals(&mut rng, 2 * k * n));
            let stack = Stack::pack(2, k, n, |row, column, values| {
                values.copy_from_slice(&[b[row * n + column], b[k * n + row * n + column]]);
            });
            for instructions in Instructions::available() {
                for width in [1, 5, STRIP.min(stack.rows())] {
                    let data = strips(&a[m * k..], m, k, width);
                    let left = Left { data: &data, row: width, strip: m * width, width };
                    for panel in 0..stack.panels() {
                        let width = stack.width(panel);
                        let mut out = vec![Lane([f32::NAN; 16]); m * width];
                        stack.multiply(instructions, 1, panel, &left, 0..m, &mut out);
                        for i in 0..m {
                            for j in 0..width * 16 {
                                let column = panel * 32 + j;
                                let term =
                                    |l: usize| f64::from(a[m * k + i * k + l]) * f64::from(b[k * n + l * n + column]);
                                let exact: f64 = if column < n { (0..k).map(term).sum() } else { 0.0 };
                                let got = f64::from(out[i * width + j / 16].0[j % 16]);
                                assert!(
                                    (got - exact).abs() < 2e-5 * (k as f64).sqrt() * 3.0,
                                    "{m} {k} {n} {i} {column}: {got} {exact}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_how_many_rows_are_taken_together() {
        let mut rng = stream(2, "packed");
        let (m, k, n) = (31, 200, 32);
        let (a, b) = (normals(&mut rng, m * k), normals(&mut rng, k * n));
        let stack = Stack::pack(1, k, n, |row, column, values| values[0] = b[row * n + column]);
        let data = strips(&a, m, k, STRIP);
        let left = Left { data: &data, row: STRIP, strip: m * STRIP, width: STRIP };
        for instructions in Instructions::available() {
            let mut whole = vec![Lane::ZERO; m * 2];
            stack.multiply(instructions, 0, 0, &left, 0..m, &mut whole);
            for i in 0..m {
                let mut one = [Lane::ZERO; 2];
                stack.multiply(instructions, 0, 0, &left, i..i + 1, &mut one);
                assert_eq!(one, whole[2 * i..2 * i + 2], "{} row {i}", instructions.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "range end index")]
    fn a_left_matrix_that_is_too_short_is_refused() {
        let stack = Stack::pack(1, 32, 32, |_, _, values| values[0] = 1.0);
        let data = [Lane::ZERO; 3];
        let left = Left { data: &data, row: 2, strip: 2, width: 2 };
        stack.multiply(Instructions::best(), 0, 0, &left, 0..2, &mut [Lane::ZERO; 4]);
    }
}
