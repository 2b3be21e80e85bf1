//! The critic (the discriminator): image in, score out.

use candle_core::{Result, Tensor};

use super::{Growth, Layers, lerp};
use crate::compute::ops;
use crate::compute::parameters::Parameters;
use crate::generator::{Architecture, Family};

/// Images that share one minibatch standard deviation.
const STDDEV_GROUP: usize = 4;

/// What a critic says about a minibatch.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// `[N]`: high for images it takes for real.
    pub score: Tensor,
    /// `[N, labels]`: logits of the auxiliary classifier; prog-GAN only.
    pub logits: Option<Tensor>,
}

/// A critic at work: its weights are scaled once for all minibatches that it judges.
pub struct Critic<'a> {
    layers: Layers<'a>,
    architecture: &'a Architecture,
}

impl<'a> Critic<'a> {
    /// The critic with these parameters.
    pub fn new(parameters: &'a Parameters, architecture: &'a Architecture) -> Self {
        Self { layers: Layers::new(parameters, architecture.critic()), architecture }
    }

    /// The verdict on images `[N, 1, side, side]`; `labels` (`[N, labels]`) enters cpD-GAN's score alone.
    ///
    /// N must be a multiple of 4, or below 4: minibatch standard deviation works in groups.
    ///
    /// # Errors
    /// When a tensor is missing or a shape does not fit.
    pub fn judge(&self, images: &Tensor, labels: &Tensor, growth: Growth) -> Result<Verdict> {
        let Self { layers, architecture } = self;
        let from_image = |side: usize, image: &Tensor| -> Result<Tensor> {
            layers.conv_activated(&format!("d.{side}.image"), image)
        };
        let mut x = from_image(growth.side, images)?;
        for side in architecture.sides().rev().filter(|&side| side > 4 && side <= growth.side) {
            let main = layers.conv_activated(&format!("d.{side}.conv"), &x)?;
            let main = layers.down_activated(&format!("d.{side}.down"), &main)?;
            x = match architecture.family {
                // Halving first is the same function as the published order, a 1 × 1 convolution being linear, and cheaper.
                Family::CpdGan => {
                    let weight = layers.weight(&format!("d.{side}.skip"))?;
                    let skip = ops::conv2d(&ops::avg2(&x)?, &weight, ops::Conv::PLAIN)?;
                    ((main + skip)? * std::f64::consts::FRAC_1_SQRT_2)?
                }
                Family::ProgGan if side == growth.side && growth.fade > 0.0 => {
                    lerp(&main, &from_image(side / 2, &ops::avg2(images)?)?, growth.fade)?
                }
                Family::ProgGan => main,
            };
        }
        let x = ops::minibatch_stddev(&x, STDDEV_GROUP)?;
        let x = layers.conv_activated("d.4.conv", &x)?;
        let x = ops::bias_leaky_relu(&layers.dense("d.4.dense", &x.flatten_from(1)?)?, layers.bias("d.4.dense")?)?;
        let units = layers.dense_biased("d.score", &x)?;
        match architecture.family {
            Family::CpdGan => Ok(Verdict { score: (units * labels)?.sum(1)?, logits: None }),
            Family::ProgGan => {
                let logits = units.narrow(1, 1, architecture.labels)?.contiguous()?;
                Ok(Verdict { score: units.narrow(1, 0, 1)?.squeeze(1)?, logits: Some(logits) })
            }
        }
    }
}
