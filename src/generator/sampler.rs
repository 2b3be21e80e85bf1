//! The sampler: both GANs as one inference engine on the processor, built for the latency of a single image.
//!
//! In: the tensors of a model file, latents and label vectors. Out: network output, row by row. Channels lie last and
//! in lanes of 16 (counts that are no multiple are padded with zeros, which every layer keeps at zero). Weights are
//! scaled, transformed and packed once. Each number of the output is one fixed chain of operations: it does not depend
//! on how many images are computed together, nor on the number of threads.

mod arena;
mod direct;
mod finish;
pub mod graphics;
mod input;
mod layer;
mod plan;
mod sums;
mod upsample;
mod winograd;

#[cfg(test)]
mod reference;

use std::collections::BTreeMap;

use arena::{Arena, Workspace};
use finish::{Finish, ToImage};
use input::{Conditions, First};
use layer::{Form, Input};
use plan::Plan;
use upsample::Upsample;

use super::model_file::Tensors;
use super::{Architecture, Family};
use crate::compute::kernel::{Instructions, Lane};

/// Most images that are computed together; larger requests are cut.
pub const TOGETHER: usize = 8;

/// A generator with packed weights, ready to sample. Shared between threads; each call takes its own workspace.
#[derive(Debug)]
pub struct Sampler {
    architecture: Architecture,
    plan: Plan,
    first: First,
    conditions: Option<Conditions>,
    levels: Vec<Level>,
    arena: Arena,
}

/// All that happens at one side length.
#[derive(Debug)]
struct Level {
    side: usize,
    /// The convolution that doubles the side; the lowest level starts from the dense layer instead.
    up: Option<Upsample>,
    conv: Convolution,
}

/// A 3×3 convolution at constant side, in the form that is fastest for its side and width.
#[derive(Debug)]
enum Convolution {
    Direct(direct::Direct),
    Two(winograd::Winograd<2, 4>),
    Four(winograd::Winograd<4, 6>),
}

/// The tensors of a network with their run-time scale applied on reading.
struct Weights<'a> {
    tensors: &'a Tensors,
    scales: BTreeMap<String, f32>,
}

impl<'a> Weights<'a> {
    fn new(architecture: &Architecture, tensors: &'a Tensors) -> Self {
        let list = architecture.generator();
        Self { tensors, scales: list.into_iter().map(|parameter| (parameter.name, parameter.scale)).collect() }
    }

    /// Values and run-time scale of a tensor that the architecture lists.
    fn get(&self, name: &str) -> (&'a [f32], f32) {
        let (_, values) = &self.tensors[name];
        (values, self.scales[name])
    }

    fn bias(&self, name: &str) -> Vec<Lane> {
        Lane::from_slice(self.get(&format!("{name}.bias")).0)
    }

    fn to_image(&self, side: usize) -> ToImage {
        let (weight, scale) = self.get(&format!("g.{side}.image.weight"));
        let weight: Vec<f32> = weight.iter().map(|w| w * scale).collect();
        let bias = self.get(&format!("g.{side}.image.bias")).0[0];
        ToImage { weight: Lane::from_slice(&weight), bias }
    }
}

impl Sampler {
    /// Packs the weights for these instructions. Takes some tenths of a second at paper width: call it off the window's
    /// thread.
    ///
    /// `tensors` must be those of [`Architecture::generator`], as [`super::model_file::read`] has checked.
    pub fn new(architecture: &Architecture, tensors: &Tensors, instructions: Instructions) -> Self {
        let weights = Weights::new(architecture, tensors);
        let plan = Plan { instructions };
        let conditional = architecture.family == Family::CpdGan;
        let mut conditions = conditional.then(|| input::ConditionList::new(&weights, architecture));
        let mut finish = |name: &str, norm: &str, side: usize, image: Option<ToImage>| Finish {
            bias: weights.bias(name),
            channels: architecture.features(side),
            affine: conditions.as_mut().map(|list| list.add(norm, architecture.features(side))),
            image,
        };
        let first = First::new(&weights, architecture, finish("g.4.dense", "g.4.dense_norm", 4, None));
        let mut levels = Vec::new();
        for side in architecture.sides() {
            let (input, out) = (architecture.features(side.max(8) / 2), architecture.features(side));
            let up = (side > 4).then(|| {
                let name = format!("g.{side}.up");
                let finish = finish(&name, &format!("g.{side}.up_norm"), side, None);
                Upsample::new(weights.get(&format!("{name}.weight")), input, out, finish)
            });
            // prog-GAN shows its last level only; cpD-GAN sums the images of all.
            let image = (conditional || side == architecture.resolution).then(|| weights.to_image(side));
            let name = format!("g.{side}.conv");
            let finish = finish(&name, &format!("g.{side}.conv_norm"), side, image);
            let conv = Convolution::new(side, weights.get(&format!("{name}.weight")), out, finish);
            levels.push(Level { side, up, conv });
        }
        let conditions = conditions.map(input::ConditionList::pack);
        Self { architecture: *architecture, plan, first, conditions, levels, arena: Arena::default() }
    }

    /// The instructions it was packed for.
    pub fn instructions(&self) -> Instructions {
        self.plan.instructions
    }

    /// Network output for latents `z` `[N, latent]` and label vectors `y` `[N, labels]`: `[N, R, R]`, where −1 and 1
    /// stand for the ends of the card's range. Values beyond are possible.
    ///
    /// # Panics
    /// When the lengths of `z`, `y` and `out` do not fit one N.
    pub fn sample(&self, z: &[f32], y: &[f32], out: &mut [f32]) {
        let Architecture { latent, labels, resolution, .. } = self.architecture;
        let pixels = resolution * resolution;
        let n = out.len() / pixels;
        assert_eq!((z.len(), y.len(), out.len()), (n * latent, n * labels, n * pixels), "sizes of one batch");
        let mut workspace = self.arena.workspace();
        // Inside the pool from the start: entering it anew for every loop would cost more than a small layer.
        rayon::scope(|_| {
            let parts = z.chunks(TOGETHER * latent).zip(y.chunks(TOGETHER * labels));
            for ((z, y), out) in parts.zip(out.chunks_mut(TOGETHER * pixels)) {
                self.forward(&mut workspace, z, y, out);
            }
        });
        self.arena.give_back(workspace);
    }

    fn forward(&self, workspace: &mut Workspace, z: &[f32], y: &[f32], out: &mut [f32]) {
        let n = z.len() / self.architecture.latent;
        let Workspace { raw, normal, affine, current, next, big, images, sums } = workspace;
        input::prepare(&self.architecture, z, y, raw, normal);
        if let Some(conditions) = &self.conditions {
            conditions.compute(self.plan, raw, n, sums, affine);
        }
        let affine = finish::Affine { all: affine, images: n };
        let width = |side| Lane::count(self.architecture.features(side));
        let skip = self.architecture.family == Family::CpdGan;
        self.first.compute(self.plan, normal, n, sums, arena::room(current, n * 16 * width(4)), affine);
        let [image, below] = images;
        let mut lanes_below = 0;
        let (plan, arena) = (self.plan, &self.arena);
        for level in &self.levels {
            let side = level.side;
            let lanes = n * side * side * width(side);
            if let Some(up) = &level.up {
                let from = Input { pixels: &current[..lanes_below], n, side: side / 2 };
                layer::compute(up, plan, arena, big, from, arena::room(next, lanes), &mut [], affine);
                std::mem::swap(current, next);
            }
            lanes_below = lanes;
            let shown = if level.conv.shows() { n * side * side } else { 0 };
            let image = arena::numbers(image, shown);
            let (from, to) = (Input { pixels: &current[..lanes], n, side }, arena::room(next, lanes));
            match &level.conv {
                Convolution::Direct(conv) => layer::compute(conv, plan, arena, big, from, to, image, affine),
                Convolution::Two(conv) => layer::compute(conv, plan, arena, big, from, to, image, affine),
                Convolution::Four(conv) => layer::compute(conv, plan, arena, big, from, to, image, affine),
            }
            std::mem::swap(current, next);
            if skip {
                if side > 4 {
                    add_doubled(image, below, side);
                }
                let below = arena::numbers(below, n * side * side);
                below.copy_from_slice(image);
            }
        }
        out.copy_from_slice(&image[..out.len()]);
    }
}

/// Adds to each image its predecessor of half the side, every pixel of which covers 2 × 2.
fn add_doubled(images: &mut [f32], below: &[f32], side: usize) {
    let half = side / 2;
    for (row, line) in images.chunks_exact_mut(side).enumerate() {
        let (image, y) = (row / side, row % side);
        let source = &below[(image * half + y / 2) * half..][..half];
        for (pair, value) in line.chunks_exact_mut(2).zip(source) {
            pair[0] += value;
            pair[1] += value;
        }
    }
}

impl Convolution {
    /// Whether its output is also shown as an image.
    fn shows(&self) -> bool {
        let finish = match self {
            Self::Direct(conv) => conv.finish(),
            Self::Two(conv) => conv.finish(),
            Self::Four(conv) => conv.finish(),
        };
        finish.image.is_some()
    }

    fn new(side: usize, weights: (&[f32], f32), channels: usize, finish: Finish) -> Self {
        match plan::form(side, channels) {
            plan::Form::Direct => Self::Direct(direct::Direct::new(weights, channels, finish)),
            plan::Form::Two => Self::Two(winograd::Winograd::new(weights, channels, finish)),
            plan::Form::Four => Self::Four(winograd::Winograd::new(weights, channels, finish)),
        }
    }
}
