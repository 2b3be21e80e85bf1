//! How a layer goes through the machine: its input is rearranged, multiplied with a stack of weights panel by panel, and
//! each panel is added up to pixels while its products are still in the cache.

use std::ops::Range;

use super::arena::{self, Arena};
use super::finish::{Affine, Finish};
use super::plan::{self, Plan};
use super::sums::{Patch, Sums};
use crate::compute::kernel::packed::PANEL;
use crate::compute::kernel::{Lane, Left, Stack};

/// A convolution written as several matrix products. Its work is counted in units: the least number of output rows
/// that can be computed by themselves.
pub trait Form: Sync {
    /// The matrices.
    fn stack(&self) -> &Stack;

    /// What follows the sums.
    fn finish(&self) -> &Finish;

    /// Units of one image of the input's `side`.
    fn units(&self, side: usize) -> usize;

    /// Output pixels of one unit.
    fn pixels(&self, side: usize) -> usize;

    /// Rows of the largest product of a patch.
    fn rows(&self, patch: &Patch) -> usize;

    /// Lanes of the rearranged input of a patch.
    fn prepared(&self, patch: &Patch) -> usize;

    /// Rearranges the input of a patch; on several threads when `work` multiply-adds are worth it.
    fn prepare(&self, plan: Plan, patch: &Patch, work: usize, out: &mut [Lane]);

    /// The left-hand side of product `which`, and which of its rows are meant.
    fn left<'a>(&self, patch: &Patch<'a>, prepared: &'a [Lane], which: usize) -> (Left<'a>, Range<usize>);

    /// Adds up one lane of a panel's products to the patch's output pixels, which lie `stride` lanes apart.
    fn add_up(&self, patch: &Patch, sums: &Sums, lane: usize, out: &mut [Lane], stride: usize);
}

/// What a layer reads: `n` images `[side, side, width]`.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Their pixels, channels last.
    pub pixels: &'a [Lane],
    /// How many.
    pub n: usize,
    /// Rows and columns of each.
    pub side: usize,
}

impl<'a> Input<'a> {
    /// The part of it that begins at unit `first` and has `count` units, within one image or of whole images.
    fn patch(&self, units: usize, first: usize, count: usize) -> Patch<'a> {
        let Self { pixels, n, side } = *self;
        let image = pixels.len() / n;
        let (start, images, rows) = (first / units, count.div_ceil(units), count.min(units));
        let pixels = &pixels[start * image..][..images * image];
        Patch { pixels, images, side, width: image / (side * side), top: first % units, rows }
    }
}

/// Computes a layer into `to` `[n, side, side, width]`; `grey` takes the image where the layer shows one.
pub fn compute<F: Form>(
    form: &F,
    plan: Plan,
    arena: &Arena,
    big: &mut Vec<Lane>,
    input: Input,
    to: &mut [Lane],
    grey: &mut [f32],
    affine: Affine,
) {
    let (units, pixels, width) = (form.units(input.side), form.pixels(input.side), form.finish().width());
    let all = input.n * units;
    let whole = input.patch(units, 0, all);
    let rows = form.rows(&whole);
    let work = rows * form.stack().numbers();
    let line = pixels * width;
    // Layers without an image have no grey values; the slices are then cut into empty parts.
    let shown = if grey.is_empty() { 0 } else { pixels };
    let end = |first: usize, to: &mut [Lane], grey: &mut [f32]| {
        plan.instructions.vectorized(
            #[inline(always)]
            || {
                for (unit, to) in to.chunks_exact_mut(line).enumerate() {
                    let grey = &mut grey[unit * shown..][..shown];
                    form.finish().apply(to, (first + unit) / units, affine, grey);
                }
            },
        );
    };
    if let Some(block) = plan::block(all, units, rows, form.prepared(&whole), form.stack().bytes()) {
        plan::blocks(to, block * line, grey, block * shown, work, |part, to, grey| {
            let first = part * block;
            let patch = input.patch(units, first, to.len() / line);
            let prepared = form.prepared(&patch);
            arena.with_scratch(prepared + Sums::lanes(form.stack(), form.rows(&patch)), |scratch| {
                let (prepared, sums) = scratch.split_at_mut(prepared);
                form.prepare(plan, &patch, 0, prepared);
                for panel in 0..form.stack().panels() {
                    one_panel(form, plan, &patch, prepared, panel, sums, &mut to[panel * PANEL..], width);
                }
            });
            end(first, to, grey);
        });
        return;
    }
    // Few pixels and many weights: each thread takes panels of the whole layer, so that weights are read once.
    let prepared = form.prepared(&whole);
    let (prepared, panels) = arena::room(big, prepared + to.len()).split_at_mut(prepared);
    form.prepare(plan, &whole, work, prepared);
    let prepared = &*prepared;
    let count = all * pixels;
    plan::parts(panels, count * PANEL, work, |panel, out| {
        arena.with_scratch(Sums::lanes(form.stack(), rows), |sums| {
            one_panel(form, plan, &whole, prepared, panel, sums, out, form.stack().width(panel));
        });
    });
    let panels = &*panels;
    plan::blocks(to, line, grey, shown, work, |unit, to, grey| {
        for (panel, from) in panels.chunks(count * PANEL).enumerate() {
            let own = form.stack().width(panel);
            let from = &from[unit * pixels * own..][..pixels * own];
            for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(own)) {
                to[panel * PANEL..][..own].copy_from_slice(from);
            }
        }
        end(unit, to, grey);
    });
}

/// All products of one panel, added up to pixels `stride` lanes apart.
fn one_panel<F: Form>(
    form: &F,
    plan: Plan,
    patch: &Patch,
    prepared: &[Lane],
    panel: usize,
    scratch: &mut [Lane],
    out: &mut [Lane],
    stride: usize,
) {
    let stack = form.stack();
    let matrix = Sums::matrix(form.rows(patch));
    for (which, sums) in scratch.chunks_mut(matrix).take(stack.count()).enumerate() {
        let (left, rows) = form.left(patch, prepared, which);
        stack.multiply(plan.instructions, which, panel, &left, rows, sums);
    }
    let width = stack.width(panel);
    let sums = Sums { data: scratch, matrix, row: width };
    plan.instructions.vectorized(
        #[inline(always)]
        || {
            for lane in 0..width {
                form.add_up(patch, &sums, lane, &mut out[lane..], stride);
            }
        },
    );
}
