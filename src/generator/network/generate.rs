//! The generator: latent and label in, image out.

use candle_core::{Result, Tensor};

use super::{Growth, Layers, lerp};
use crate::compute::ops;
use crate::compute::parameters::Parameters;
use crate::generator::{Architecture, Family};

/// Images of `growth.side` in −1..1 (`[N, 1, side, side]`, linear, so that they may overshoot) from latents
/// `[N, latent]` and label vectors `[N, labels]`.
///
/// Only the tensors up to `growth.side` are touched.
///
/// # Errors
/// When a tensor is missing or a shape does not fit.
pub fn generate(
    parameters: &Parameters,
    architecture: &Architecture,
    latent: &Tensor,
    labels: &Tensor,
    growth: Growth,
) -> Result<Tensor> {
    let layers = Layers::new(parameters, architecture.generator());
    let input = Tensor::cat(&[latent, labels], 1)?;
    let context = Context { layers, family: architecture.family, raw: &input };
    let first = architecture.features(4);
    let normalised = ops::pixel_norm(&input)?;
    let x = context.layers.dense("g.4.dense", &normalised)?.reshape((input.dim(0)?, first, 4, 4))?;
    let x = ops::bias_leaky_relu(&x, context.layers.bias("g.4.dense")?)?;
    let x = context.normed("g.4.dense", &x)?;
    let mut x = context.normed("g.4.conv", &context.layers.conv_activated("g.4.conv", &x)?)?;
    let mut image = match architecture.family {
        Family::CpdGan => Some(context.image(4, &x)?),
        Family::ProgGan => None,
    };
    for side in architecture.sides().skip(1).take_while(|&side| side <= growth.side) {
        if architecture.family == Family::ProgGan && side == growth.side && growth.fade > 0.0 {
            image = Some(context.image(side / 2, &x)?);
        }
        let (up, conv) = (format!("g.{side}.up"), format!("g.{side}.conv"));
        x = context.normed(&up, &context.layers.up_activated(&up, &x)?)?;
        x = context.normed(&conv, &context.layers.conv_activated(&conv, &x)?)?;
        if architecture.family == Family::CpdGan {
            let below = image.as_ref().map(ops::up2).transpose()?;
            let own = context.image(side, &x)?;
            image = Some(below.map_or(Ok(own.clone()), |below| below + own)?);
        }
    }
    match (architecture.family, image) {
        (Family::CpdGan, Some(image)) => Ok(image),
        (_, old) => {
            let new = context.image(growth.side, &x)?;
            // At 4 × 4 there is nothing below to fade from.
            old.map_or(Ok(new.clone()), |old| lerp(&new, &ops::up2(&old)?, growth.fade))
        }
    }
}

struct Context<'a> {
    layers: Layers<'a>,
    family: Family,
    /// Latent and label side by side, not normalised: what conditional pixel norm sees.
    raw: &'a Tensor,
}

impl Context<'_> {
    /// The family's norm after the layer `name`.
    fn normed(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let x = ops::pixel_norm(x)?;
        match self.family {
            Family::ProgGan => Ok(x),
            Family::CpdGan => {
                let per_channel = |kind: &str| -> Result<Tensor> {
                    let name = format!("{name}_norm.{kind}");
                    self.layers.dense_biased(&name, self.raw)?.unsqueeze(2)?.unsqueeze(3)
                };
                x.broadcast_mul(&per_channel("gamma")?)?.broadcast_add(&per_channel("beta")?)
            }
        }
    }

    /// The features of one level as an image.
    fn image(&self, side: usize, x: &Tensor) -> Result<Tensor> {
        let name = format!("g.{side}.image");
        ops::conv2d_bias(x, &self.layers.weight(&name)?, self.layers.bias(&name)?, ops::Conv::PLAIN)
    }
}
