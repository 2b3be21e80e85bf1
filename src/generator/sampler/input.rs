//! The dense layers: from latent and labels to the first 4×4 activations, and to γ and β of every conditional norm.

use super::finish::{Affine, EPSILON, Finish};
use super::plan::{self, Plan};
use super::{Architecture, Weights, arena};
use crate::compute::kernel::packed::PANEL;
use crate::compute::kernel::{Lane, Left, Stack};

/// Writes latent and labels side by side as given (`raw`) and divided by their root mean square (`normal`).
///
/// Both papers normalise the whole vector, labels included; conditional norms see it as given.
pub fn prepare(architecture: &Architecture, z: &[f32], y: &[f32], raw: &mut Vec<Lane>, normal: &mut Vec<Lane>) {
    let (latent, labels, input) = (architecture.latent, architecture.labels, architecture.input());
    let (n, width) = (z.len() / latent, Lane::count(input));
    let (raw, normal) = (arena::room(raw, n * width), arena::room(normal, n * width));
    raw.fill(Lane::ZERO);
    let samples = z.chunks_exact(latent).zip(y.chunks_exact(labels));
    for ((z, y), (raw, normal)) in samples.zip(raw.chunks_exact_mut(width).zip(normal.chunks_exact_mut(width))) {
        for (place, &value) in z.iter().chain(y).enumerate() {
            raw[place / Lane::WIDTH].0[place % Lane::WIDTH] = value;
        }
        let square = z.iter().chain(y).map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() / input as f64;
        let norm = (square + f64::from(EPSILON)).sqrt().recip() as f32;
        for (value, &raw) in normal.iter_mut().zip(&*raw) {
            *value = raw * norm;
        }
    }
}

/// A dense layer whose columns are rows of several tensors, in any order and with zero columns between them.
fn dense(input: usize, columns: &[Option<(&[f32], f32)>]) -> Stack {
    Stack::pack(1, input, columns.len(), |row, column, value| {
        value[0] = columns[column].map_or(0.0, |(weights, scale)| weights[row] * scale);
    })
}

/// Multiplies `[N, input]` with a dense layer, into `sums` panel by panel.
fn multiply(plan: Plan, stack: &Stack, input: &[Lane], n: usize, sums: &mut Vec<Lane>) {
    let width = stack.rows();
    // Strips of a row-major matrix begin where the one before ends.
    let strip = width.min(crate::compute::kernel::packed::STRIP);
    let left = Left { data: &input[..n * width], row: width, strip, width: strip };
    let work = n * width * stack.columns() * Lane::WIDTH * Lane::WIDTH;
    let sums = arena::room(sums, stack.panels() * PANEL * n);
    plan::parts(sums, PANEL * n, work, |panel, sums| stack.multiply(plan.instructions, 0, panel, &left, 0..n, sums));
}

/// Where column lane `column` of row `row` lies in what [`multiply`] wrote.
fn place(stack: &Stack, n: usize, row: usize, column: usize) -> usize {
    let panel = column / PANEL;
    panel * PANEL * n + row * stack.width(panel) + column % PANEL
}

/// The first dense layer.
#[derive(Debug)]
pub struct First {
    stack: Stack,
    finish: Finish,
}

impl First {
    /// Orders the columns so that pixels follow each other and channels lie last.
    pub fn new(weights: &Weights, architecture: &Architecture, finish: Finish) -> Self {
        let (values, scale) = weights.get("g.4.dense.weight");
        let (input, channels) = (architecture.input(), architecture.features(4));
        let mut columns = vec![None; 16 * finish.width() * Lane::WIDTH];
        for (row, values) in values.chunks_exact(input).enumerate() {
            let (channel, pixel) = (row / 16, row % 16);
            columns[pixel * finish.width() * Lane::WIDTH + channel] = Some((values, scale));
        }
        debug_assert_eq!(values.len(), input * channels * 16);
        Self { stack: dense(input, &columns), finish }
    }

    /// Writes `[N, 4, 4, channels]`.
    pub fn compute(
        &self,
        plan: Plan,
        input: &[Lane],
        n: usize,
        sums: &mut Vec<Lane>,
        out: &mut [Lane],
        affine: Affine,
    ) {
        multiply(plan, &self.stack, input, n, sums);
        let lanes = self.stack.columns();
        plan.instructions.vectorized(
            #[inline(always)]
            || {
                for (image, out) in out.chunks_exact_mut(lanes).enumerate() {
                    for (column, value) in out.iter_mut().enumerate() {
                        *value = sums[place(&self.stack, n, image, column)];
                    }
                    self.finish.apply(out, image, affine, &mut []);
                }
            },
        );
    }
}

/// The dense layers of all conditional norms as one.
#[derive(Debug)]
pub struct Conditions {
    stack: Stack,
    bias: Vec<Lane>,
}

/// Conditional norms as they are met while the network is put together.
pub struct ConditionList<'a> {
    weights: &'a Weights<'a>,
    input: usize,
    columns: Vec<Option<(&'a [f32], f32)>>,
    bias: Vec<Lane>,
}

impl<'a> ConditionList<'a> {
    /// No norm yet.
    pub fn new(weights: &'a Weights<'a>, architecture: &Architecture) -> Self {
        Self { weights, input: architecture.input(), columns: Vec::new(), bias: Vec::new() }
    }

    /// Adds a norm of `channels` channels; returns where its γ begins (β follows), in lanes.
    pub fn add(&mut self, norm: &str, channels: usize) -> usize {
        let first = self.bias.len();
        for part in ["gamma", "beta"] {
            let (values, scale) = self.weights.get(&format!("{norm}.{part}.weight"));
            debug_assert_eq!(values.len(), channels * self.input);
            self.columns.extend(values.chunks_exact(self.input).map(|row| Some((row, scale))));
            self.bias.extend(self.weights.bias(&format!("{norm}.{part}")));
            self.columns.resize(self.bias.len() * Lane::WIDTH, None);
        }
        first
    }

    /// Packs what was added.
    pub fn pack(self) -> Conditions {
        Conditions { stack: dense(self.input, &self.columns), bias: self.bias }
    }
}

impl Conditions {
    /// Writes γ and β of all norms for each image, `[N, all]`.
    pub fn compute(&self, plan: Plan, input: &[Lane], n: usize, sums: &mut Vec<Lane>, affine: &mut Vec<Lane>) {
        multiply(plan, &self.stack, input, n, sums);
        let all = self.bias.len();
        affine.clear();
        affine.resize(n * all, Lane::ZERO);
        for (image, affine) in affine.chunks_exact_mut(all).enumerate() {
            for (column, (value, &bias)) in affine.iter_mut().zip(&self.bias).enumerate() {
                *value = sums[place(&self.stack, n, image, column)] + bias;
            }
        }
    }
}
