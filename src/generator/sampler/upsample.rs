//! Doubling the side by repetition and a 3×3 convolution, as one layer in nine products per low-resolution pixel.
//!
//! Along one axis, with kernel w₀ w₁ w₂, sum S = w₀ + w₁ + w₂ and differences D\[i\] = x\[i\] − x\[i−1\], the doubled and
//! filtered line is  even\[i\] = S x\[i\] − w₀ D\[i\],  odd\[i\] = S x\[i\] + w₂ D\[i+1\].  On the plane both axes do so: the
//! image, its horizontal, vertical and mixed differences meet 1 + 2 + 2 + 4 weight matrices. Zeros outside the image
//! come out right by themselves.

use super::arena::{self, Arena};
use super::finish::{Affine, Finish};
use super::plan::{self, Plan};
use super::sums::{self, Grid, Patch};
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

impl Upsample {
    /// Combines and packs `weights` `[out, input, 3, 3]` and their run-time scale.
    pub fn new(weights: (&[f32], f32), input: usize, out: usize, finish: Finish) -> Self {
        // S, −w₀ and w₂ along one axis.
        let basis = |[a, b, c]: [f64; 3]| [a + b + c, -a, c];
        let stack = Stack::pack(9, input, out, |row, column, values| {
            let rows = sums::kernel(weights, input, row, column).map(basis);
            let all: [[f64; 3]; 3] = std::array::from_fn(|x| basis(rows.map(|row| row[x])));
            // all[x][y]: which factor acts across, which down.
            let order = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)];
            for (value, (x, y)) in values.iter_mut().zip(order) {
                *value = all[x][y] as f32;
            }
        });
        Self { stack, finish }
    }

    /// From `[N, side, side, input]` to `[N, 2 side, 2 side, out]`.
    pub fn compute(
        &self,
        plan: Plan,
        arena: &Arena,
        big: &mut Vec<Lane>,
        from: &[Lane],
        to: &mut [Lane],
        n: usize,
        side: usize,
        affine: Affine,
    ) {
        let (input, width) = (self.stack.rows(), self.finish.width());
        let work = n * side * side * 9 * input * width * Lane::WIDTH * Lane::WIDTH;
        let line = 4 * side * width;
        let Some(block) = plan::block(side, side * (3 * input + 9 * width), self.stack.bytes()) else {
            let shape = Shape { images: n, rows: side, side };
            let whole =
                Patch { pixels: &from[..n * side * side * input], images: n, side, width: input, top: 0, rows: side };
            let sums = self.products(plan, &whole, shape, work, arena::room(big, self.lanes(shape)));
            plan::parts(to, line, work, |row, to| {
                self.row(plan, sums, shape, row / side, row % side, row / side, affine, to);
            });
            return;
        };
        plan::parts(to, side * line, work, |image, to| {
            plan::parts(to, block * line, work, |part, to| {
                let rows = block.min(side - part * block);
                let shape = Shape { images: 1, rows, side };
                let pixels = &from[image * side * side * input..][..side * side * input];
                let patch = Patch { pixels, images: 1, side, width: input, top: part * block, rows };
                arena.with_scratch(self.lanes(shape), |scratch| {
                    let sums = self.products(plan, &patch, shape, 0, scratch);
                    for (row, to) in to.chunks_exact_mut(line).enumerate() {
                        self.row(plan, sums, shape, 0, row, image, affine, to);
                    }
                });
            });
        });
    }

    /// Lanes of input strips, counted with the padding of the last.
    fn strips(&self) -> usize {
        self.stack.rows().next_multiple_of(sums::strip(self.stack.rows()))
    }

    /// Lanes of all intermediate results.
    fn lanes(&self, shape: Shape) -> usize {
        let differences = shape.across() + shape.down() + shape.mixed();
        self.strips() * differences + Grid::new(&self.stack, shape.mixed()).lanes(9)
    }

    /// Takes the differences and multiplies them with all nine matrices.
    fn products<'a>(
        &self,
        plan: Plan,
        patch: &Patch,
        shape: Shape,
        work: usize,
        scratch: &'a mut [Lane],
    ) -> &'a [Lane] {
        let (strips, strip) = (self.strips(), sums::strip(self.stack.rows()));
        let (across, scratch) = scratch.split_at_mut(strips * shape.across());
        let (down, scratch) = scratch.split_at_mut(strips * shape.down());
        let (mixed, sums) = scratch.split_at_mut(strips * shape.mixed());
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
        let (across, down, mixed) = (&*across, &*down, &*mixed);
        let image =
            Left { data: &patch.pixels[patch.top * shape.side * patch.width..], row: patch.width, strip, width: strip };
        let left = |data, count| Left { data, row: strip, strip: count * strip, width: strip };
        let grid = Grid::new(&self.stack, shape.mixed());
        grid.multiply(plan, &self.stack, work, sums, |which| {
            // Where a product takes the difference before a pixel it starts at the first, where it takes the one behind
            // at the second; so the same row of each result belongs to the same pixel.
            let shifted =
                |data, count: usize, most: usize, shift: usize| (left(data, count), shift..count - most + shift);
            match which {
                0 => (image, 0..shape.images * shape.rows * shape.side),
                1 | 2 => shifted(across, shape.across(), shape.rows, (which - 1) * shape.rows),
                3 | 4 => shifted(down, shape.down(), shape.side, (which - 3) * shape.side),
                _ => {
                    let (x, y) = ((which - 5) % 2, (which - 5) / 2);
                    shifted(mixed, shape.mixed(), shape.side + 2, y * (shape.side + 1) + x)
                }
            }
        });
        sums
    }

    /// Adds up the two rows of pixels that come from row `row` of image `inner` of the patch, and finishes them.
    fn row(
        &self,
        plan: Plan,
        sums: &[Lane],
        shape: Shape,
        inner: usize,
        row: usize,
        image: usize,
        affine: Affine,
        to: &mut [Lane],
    ) {
        let width = self.finish.width();
        let Shape { rows, side, .. } = shape;
        let grid = Grid::new(&self.stack, shape.mixed());
        plan.instructions.vectorized(
            #[inline(always)]
            || {
                let (upper, lower) = to.split_at_mut(2 * side * width);
                for x in 0..side {
                    let plain = (inner * rows + row) * side + x;
                    let across = (inner * (side + 1) + x) * rows + row;
                    let down = (inner * (rows + 1) + row) * side + x;
                    let mixed = (inner * (rows + 1) + row) * (side + 1) + x;
                    for c in 0..width {
                        let column = grid.column(c);
                        let sum = |which: usize, row: usize| sums[column.at(which, row)];
                        let all = sum(0, plain);
                        let (left, right) = (sum(1, across), sum(2, across));
                        let (top, bottom) = (all + sum(3, down), all + sum(4, down));
                        let pixel = 2 * x * width + c;
                        upper[pixel] = top + left + sum(5, mixed);
                        upper[pixel + width] = top + right + sum(6, mixed);
                        lower[pixel] = bottom + left + sum(7, mixed);
                        lower[pixel + width] = bottom + right + sum(8, mixed);
                    }
                }
                self.finish.apply(to, image, affine, &mut []);
            },
        );
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
