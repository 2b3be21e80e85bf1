//! The two published GANs as trainable networks: the generator and its critic, layer by layer.
//!
//! In: parameters under the names of [`super::architecture`], latents and label vectors (or images). Out: images in
//! −1..1, or the critic's verdict on them, with gradients of any order. Source: DuMont Schütte 2021.
//! The sampler renders the same function faster; this is what it is held against.

mod critic;
mod generate;
#[cfg(test)]
pub(crate) mod reference;

pub use critic::{Critic, Verdict};
pub use generate::generate;

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::{Result, Tensor};

use super::Architecture;
use super::architecture::Parameter;
use crate::compute::ops;
use crate::compute::parameters::Parameters;

/// How far a growing network has grown. cpD-GAN does not grow: [`Growth::full`].
///
/// In the published terms the level of detail is `log2(resolution / side) + fade`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Side of the images in use: 4, 8, …, resolution.
    pub side: usize,
    /// Weight of the image of half the side that is being replaced: 1 where a fade begins, 0 where it is over.
    pub fade: f64,
}

impl Growth {
    /// The grown network.
    pub fn full(architecture: &Architecture) -> Self {
        Self { side: architecture.resolution, fade: 0.0 }
    }
}

/// Parameters with their run-time scale applied (equalised learning rate), each weight once however often it is used.
struct Layers<'a> {
    parameters: &'a Parameters,
    scales: HashMap<String, f32>,
    /// Scaled weights by name.
    weights: RefCell<HashMap<String, Tensor>>,
    /// Weights of halving convolutions by name, scaled and in the form that those take.
    halving: RefCell<HashMap<String, Tensor>>,
}

impl<'a> Layers<'a> {
    fn new(parameters: &'a Parameters, list: Vec<Parameter>) -> Self {
        let scales = list.into_iter().map(|p| (p.name, p.scale)).collect();
        Self { parameters, scales, weights: RefCell::default(), halving: RefCell::default() }
    }

    /// A weight times its scale.
    fn weight(&self, name: &str) -> Result<Tensor> {
        once(&self.weights, name, || {
            let name = format!("{name}.weight");
            let Some(&scale) = self.scales.get(&name) else { candle_core::bail!("this architecture has no {name}") };
            self.parameters.get(&name)?.affine(f64::from(scale), 0.0)
        })
    }

    fn bias(&self, name: &str) -> Result<&'a Tensor> {
        self.parameters.get(&format!("{name}.bias"))
    }

    /// Same-size convolution of `[N, in, H, W]`, bias and leaky ReLU.
    fn conv_activated(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight(name)?;
        let padding = weight.dims()[2] / 2;
        ops::conv2d_bias_leaky_relu(x, &weight, self.bias(name)?, ops::Conv { stride: 1, padding })
    }

    /// Doubling, convolution, bias and leaky ReLU.
    fn up_activated(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        ops::bias_leaky_relu(&ops::conv_up(x, &self.weight(name)?)?, self.bias(name)?)
    }

    /// Convolution, halving, bias and leaky ReLU.
    fn down_activated(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let kernel = once(&self.halving, name, || ops::prepare_down(&self.weight(name)?))?;
        ops::bias_leaky_relu(&ops::conv_down_prepared(x, &kernel)?, self.bias(name)?)
    }

    /// `[N, in]` to `[N, out]`; no bias.
    fn dense(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight(name)?.t()?)
    }

    /// `[N, in]` to `[N, out]` with bias.
    fn dense_biased(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        self.dense(name, x)?.broadcast_add(self.bias(name)?)
    }
}

/// The tensor that `made` has under this name; computed and kept where it has none.
fn once(
    made: &RefCell<HashMap<String, Tensor>>,
    name: &str,
    compute: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    if let Some(tensor) = made.borrow().get(name) {
        return Ok(tensor.clone());
    }
    let tensor = compute()?;
    made.borrow_mut().insert(name.to_owned(), tensor.clone());
    Ok(tensor)
}

/// `a + (b − a) · t`.
fn lerp(a: &Tensor, b: &Tensor, t: f64) -> Result<Tensor> {
    a.affine(1.0 - t, 0.0)? + b.affine(t, 0.0)?
}
