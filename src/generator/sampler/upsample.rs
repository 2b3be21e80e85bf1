//! Doubling the side by repetition and a 3×3 convolution, as one layer in nine products per low-resolution pixel.
//!
//! Along one axis, with kernel w₀ w₁ w₂, sum S = w₀ + w₁ + w₂ and differences D\[i\] = x\[i\] − x\[i−1\], the doubled and
//! filtered line is  even\[i\] = S x\[i\] − w₀ D\[i\],  odd\[i\] = S x\[i\] + w₂ D\[i+1\].  On the plane both axes do so: the
//! image, its horizontal, vertical and mixed differences meet 1 + 2 + 2 + 4 weight matrices. Zeros outside the image
//! come out right by themselves.

use std::ops::Range;

use super::finish::Finish;
use super::layer::Form;
use super::plan::{self, Plan};
use super::sums::{self, Patch, Sums};
use crate::compute::kernel::{Lane, Left, Stack};

/// The layer with its combined, packed weights.
#[derive(Debug)]
pub struct Upsample {
    stack: Stack,
    finish: Finish,
}

/// Sizes of the differences of a patch, and where its pixels stand in them.
#[derive(Debug, Clone, Copy)]
struct Shape {
    images: usize,
    rows: usize,
    side: usize,
}

impl Shape {
    fn of(patch: &Patch) -> Self {
        Self { images: patch.images, rows: patch.rows, side: patch.side }
    }

    /// Horizontal differences, column by column: `[images, side + 1, rows]`.
    fn across(&self) -> usize {
        self.images * (self.side + 1) * self.rows
    }

    /// Vertical differences, row by row: `[images, rows + 1, side]`.
    fn down(&self) -> usize {
        self.images * (self.rows + 1) * self.side
    }

    /// Mixed differences, row by row: `[images, rows + 1, side + 1]`. These are the most.
    fn mixed(&self) -> usize {
        self.images * (self.rows + 1) * (self.side + 1)
    }
}

/// The nine weights of a 3×3 kernel: for the pixel itself, its differences across (before, behind), down, and both.
pub fn combine(kernel: [[f64; 3]; 3]) -> [f32; 9] {
    // S, −w₀ and w₂ along one axis.
    let basis = |[a, b, c]: [f64; 3]| [a + b + c, -a, c];
    let rows = kernel.map(basis);
    // all[x][y]: which factor acts across, which down.
    let all: [[f64; 3]; 3] = std::array::from_fn(|x| basis(rows.map(|row| row[x])));
    let order = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)];
    order.map(|(x, y)| all[x][y] as f32)
}

impl Upsample {
    /// Combines and packs `weights` `[out, input, 3, 3]` and their run-time scale.
    pub fn new(weights: (&[f32], f32), input: usize, out: usize, finish: Finish) -> Self {
        let stack = Stack::pack(9, input, out, |row, column, values| {
            values.copy_from_slice(&combine(sums::kernel(weights, input, row, column)));
        });
        Self { stack, finish }
    }

    /// Lanes of input strips, counted with the padding of the last.
    fn strips(&self) -> usize {
        self.stack.rows().next_multiple_of(sums::strip(self.stack.rows()))
    }
}

impl Form for Upsample {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn finish(&self) -> &Finish {
        &self.finish
    }

    fn units(&self, side: usize) -> usize {
        side
    }

    fn pixels(&self, side: usize) -> usize {
        4 * side
    }

    fn rows(&self, patch: &Patch) -> usize {
        Shape::of(patch).mixed()
    }

    fn prepared(&self, patch: &Patch) -> usize {
        let shape = Shape::of(patch);
        self.strips() * (shape.across() + shape.down() + shape.mixed())
    }

    fn prepare(&self, plan: Plan, patch: &Patch, work: usize, out: &mut [Lane]) {
        let (shape, strips, strip) = (Shape::of(patch), self.strips(), sums::strip(self.stack.rows()));
        let (across, out) = out.split_at_mut(strips * shape.across());
        let (down, mixed) = out.split_at_mut(strips * shape.down());
        let differences = |out: &mut [Lane], count: usize, which: Difference| {
            plan::parts(out, count * strip, work, |index, out| {
                plan.instructions.vectorized(
                    #[inline(always)]
                    || which.take(patch, index, strip, out),
                );
            });
        };
        differences(across, shape.across(), Difference::Across);
        differences(down, shape.down(), Difference::Down);
        differences(mixed, shape.mixed(), Difference::Mixed);
    }

    fn left<'a>(&self, patch: &Patch<'a>, prepared: &'a [Lane], which: usize) -> (Left<'a>, Range<usize>) {
        let (shape, strips, strip) = (Shape::of(patch), self.strips(), sums::strip(self.stack.rows()));
        let (across, rest) = prepared.split_at(strips * shape.across());
        let (down, mixed) = rest.split_at(strips * shape.down());
        // Where a product takes the difference before a pixel it starts at the first, where it takes the one behind at
        // the second; so the same row of each result belongs to the same pixel.
        let shifted = |data, count: usize, most: usize, shift: usize| {
            (Left { data, row: strip, strip: count * strip, width: strip }, shift..count - most + shift)
        };
        match which {
            0 => {
                let data = &patch.pixels[patch.top * shape.side * patch.width..];
                (Left { data, row: patch.width, strip, width: strip }, 0..shape.images * shape.rows * shape.side)
            }
            1 | 2 => shifted(across, shape.across(), shape.rows, (which - 1) * shape.rows),
            3 | 4 => shifted(down, shape.down(), shape.side, (which - 3) * shape.side),
            _ => {
                let (x, y) = ((which - 5) % 2, (which - 5) / 2);
                shifted(mixed, shape.mixed(), shape.side + 2, y * (shape.side + 1) + x)
            }
        }
    }

    #[inline(always)]
    fn add_up(&self, patch: &Patch, sums: &Sums, lane: usize, out: &mut [Lane], stride: usize) {
        let Shape { images, rows, side } = Shape::of(patch);
        let line = 2 * side * stride;
        for unit in 0..images * rows {
            let (image, row) = (unit / rows, unit % rows);
            let (upper, lower) = out[2 * unit * line..].split_at_mut(line);
            for x in 0..side {
                let sum = |which: usize, row: usize| sums.at(which, row, lane);
                let across = (image * (side + 1) + x) * rows + row;
                let down = (image * (rows + 1) + row) * side + x;
                let mixed = (image * (rows + 1) + row) * (side + 1) + x;
                let all = sum(0, unit * side + x);
                let (left, right) = (sum(1, across), sum(2, across));
                let (top, bottom) = (all + sum(3, down), all + sum(4, down));
                let pixel = 2 * x * stride;
                upper[pixel] = top + left + sum(5, mixed);
                upper[pixel + stride] = top + right + sum(6, mixed);
                lower[pixel] = bottom + left + sum(7, mixed);
                lower[pixel + stride] = bottom + right + sum(8, mixed);
            }
        }
    }
}

/// Along which axes differences are taken.
#[derive(Debug, Clone, Copy)]
enum Difference {
    Across,
    Down,
    Mixed,
}

impl Difference {
    /// Writes one strip of the differences, in the order that [`Shape`] tells.
    #[inline(always)]
    fn take(self, patch: &Patch, index: usize, strip: usize, out: &mut [Lane]) {
        let lanes = patch.strip(index);
        let (side, rows) = (patch.side, patch.rows);
        let (wide, tall) = match self {
            Self::Across => (side + 1, rows),
            Self::Down => (side, rows + 1),
            Self::Mixed => (side + 1, rows + 1),
        };
        for image in 0..patch.images {
            for i in 0..tall {
                for j in 0..wide {
                    let (y, x) = ((patch.top + i) as isize, j as isize);
                    let pixel = |y, x| patch.pixel(image, y, x, &lanes);
                    let place = match self {
                        Self::Across => (image * wide + j) * tall + i,
                        Self::Down | Self::Mixed => (image * tall + i) * wide + j,
                    };
                    let out = &mut out[place * strip..][..lanes.len()];
                    match self {
                        Self::Across => subtract(pixel(y, x), pixel(y, x - 1), out),
                        Self::Down => subtract(pixel(y, x), pixel(y - 1, x), out),
                        Self::Mixed => {
                            let (left, corner) = (pixel(y, x - 1), pixel(y - 1, x - 1));
                            let (here, above) = (pixel(y, x), pixel(y - 1, x));
                            for (c, out) in out.iter_mut().enumerate() {
                                *out = (here[c] - left[c]) - (above[c] - corner[c]);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn subtract(a: &[Lane], b: &[Lane], out: &mut [Lane]) {
    for (c, out) in out.iter_mut().enumerate() {
        *out = a[c] - b[c];
    }
}
