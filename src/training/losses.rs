//! What each network is trained towards: the published Wasserstein losses, and the logistic ones beside them.
//!
//! Source: DuMont Schütte 2021. Every function gives a scalar to differentiate and the figures to log.

use candle_core::{Result, Tensor, Var};

use super::spec::Loss;
use crate::compute::ops;
use crate::compute::parameters::Parameters;
use crate::generator::network::{Critic, Growth, Verdict};
use crate::generator::{Architecture, Family};

/// One loss and the parts of it worth watching.
pub struct Scored {
    /// The scalar to differentiate.
    pub total: Tensor,
    /// Mean score of real images; absent on the generator's step.
    pub real: Option<Tensor>,
    /// Mean score of generated images.
    pub fake: Tensor,
    /// The gradient penalty as it enters the loss; absent where none was due.
    pub penalty: Option<Tensor>,
}

/// Everything the critic's loss is made of.
pub struct CriticStep<'a> {
    /// Shape of the networks.
    pub architecture: &'a Architecture,
    /// How far they have grown.
    pub growth: Growth,
    /// Real images `[N, 1, side, side]`.
    pub real: &'a Tensor,
    /// Generated images of the same labels and shape, cut from the generator's graph.
    pub fake: &'a Tensor,
    /// Label vectors `[N, labels]` of both.
    pub labels: &'a Tensor,
    /// Position of each mixture between real (0) and generated (1): `[N, 1, 1, 1]`.
    pub mix: &'a Tensor,
}

/// Softmax cross-entropy between label logits and label vectors divided by their sum, for each image.
///
/// A label vector of zeros has no direction to be pulled to and costs nothing.
fn label_loss(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let sum = labels.sum_keepdim(1)?.clamp(1e-6, f64::INFINITY)?;
    ops::softmax_cross_entropy(logits, &labels.broadcast_div(&sum)?)
}

/// ln(1 + eˣ), which is the logistic loss of score −x.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?
}

/// Squared length of the score's gradient at each image, itself differentiable: `[N]`.
fn squared_gradient(critic: &Critic, step: &CriticStep, images: &Tensor) -> Result<(Tensor, Verdict)> {
    let images = Var::from_tensor(images)?;
    let verdict = critic.judge(images.as_tensor(), step.labels, step.growth)?;
    let gradient = ops::input_gradient(&verdict.score.sum_all()?, &images)?;
    Ok((gradient.flatten_from(1)?.sqr()?.sum(1)?, verdict))
}

/// The critic's loss. `penalised` says whether R1's penalty is due at this step; WGAN-GP's always is.
///
/// # Errors
/// When a shape does not fit.
pub fn critic_loss(parameters: &Parameters, loss: Loss, step: &CriticStep, penalised: bool) -> Result<Scored> {
    let critic = Critic::new(parameters, step.architecture);
    let verdict = |images| critic.judge(images, step.labels, step.growth);
    let fake = verdict(step.fake)?;
    let (real, mut total, penalty, label_weight) = match loss {
        Loss::WganGp { penalty, drift } => {
            let real = verdict(step.real)?;
            let mixtures = (step.real + (step.fake - step.real)?.broadcast_mul(step.mix)?)?;
            let (squared, _) = squared_gradient(&critic, step, &mixtures)?;
            let penalty = (squared.sqrt()?.affine(1.0, -1.0)?.sqr()? * penalty)?;
            let total = (((&fake.score - &real.score)? + &penalty)? + (real.score.sqr()? * drift)?)?;
            (real, total, Some(penalty), 1.0)
        }
        Loss::R1 { gamma, every, label_weight } => {
            let (real, penalty) = if penalised {
                let (squared, real) = squared_gradient(&critic, step, step.real)?;
                (real, Some((squared * (0.5 * gamma * every as f64))?))
            } else {
                (verdict(step.real)?, None)
            };
            let logistic = (softplus(&fake.score)? + softplus(&real.score.neg()?)?)?;
            let total = penalty.as_ref().map_or(Ok(logistic.clone()), |penalty| logistic + penalty)?;
            (real, total, penalty, label_weight)
        }
    };
    for logits in [&real.logits, &fake.logits].into_iter().flatten() {
        total = (total + (label_loss(logits, step.labels)? * label_weight)?)?;
    }
    Ok(Scored {
        total: total.mean_all()?,
        real: Some(real.score.mean_all()?.detach()),
        fake: fake.score.mean_all()?.detach(),
        penalty: penalty.map(|penalty| penalty.mean_all()).transpose()?.map(|penalty| penalty.detach()),
    })
}

/// The generator's loss on its images `[N, 1, side, side]` for labels `[N, labels]`, judged by a critic that stands still.
///
/// # Errors
/// When a shape does not fit.
pub fn generator_loss(
    critic: &Parameters,
    architecture: &Architecture,
    loss: Loss,
    (images, labels): (&Tensor, &Tensor),
    growth: Growth,
) -> Result<Scored> {
    let verdict = Critic::new(critic, architecture).judge(images, labels, growth)?;
    let (mut total, label_weight) = match loss {
        Loss::WganGp { .. } => (verdict.score.neg()?, 1.0),
        Loss::R1 { label_weight, .. } => (softplus(&verdict.score.neg()?)?, label_weight),
    };
    if let (Family::ProgGan, Some(logits)) = (architecture.family, &verdict.logits) {
        total = (total + (label_loss(logits, labels)? * label_weight)?)?;
    }
    let fake = verdict.score.mean_all()?.detach();
    Ok(Scored { total: total.mean_all()?, real: None, fake, penalty: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::adam::{Adam, AdamConfig, Step};
    use crate::generator::network::generate;
    use crate::generator::network::reference::{self, BATCH, Case, close, close_gradients, close_tensor, noise};
    use std::collections::BTreeMap;

    fn number(tensor: &Tensor) -> f64 {
        f64::from(tensor.to_scalar::<f32>().unwrap())
    }

    fn close_tensors(parameters: &Parameters, theirs: &BTreeMap<String, f64>) {
        for (name, &theirs) in theirs {
            close_tensor(name, parameters.get(name).unwrap(), theirs);
        }
    }

    #[test]
    fn one_whole_wgan_gp_step_agrees_with_pytorch() {
        ops::init();
        let config = AdamConfig { rate: 0.01, beta1: 0.0, beta2: 0.99, epsilon: 1e-4 };
        let loss = Loss::WganGp { penalty: 10.0, drift: 0.001 };
        for case in Case::all() {
            let (architecture, growth, labels) = (case.architecture(), case.growth(), reference::labels());
            let (generator, critic) = (case.generator(), case.critic());
            let latent = |number| noise(number, &[BATCH, 6], 1.0);
            let step = CriticStep {
                architecture: &architecture,
                growth,
                real: &case.images(),
                fake: &generate(&generator.detached(), &architecture, &latent(3), &labels, growth).unwrap(),
                labels: &labels,
                mix: &noise(9, &[BATCH, 1, 1, 1], 1.0 / 3.0).affine(1.0, 0.5).unwrap(),
            };
            let scored = critic_loss(&critic, loss, &step, true).unwrap();
            close("critic's loss", number(&scored.total), case.critic_loss);
            close("penalty", number(&scored.penalty.unwrap()), case.penalty);
            let mut adam = Adam::new(&critic, config).unwrap();
            assert_eq!(adam.step(&ops::backward(&scored.total).unwrap()).unwrap(), Step::Taken);
            close_tensors(&critic, &case.critic_after);

            let images = generate(&generator, &architecture, &latent(4), &labels, growth).unwrap();
            let still = critic.detached();
            let scored = generator_loss(&still, &architecture, loss, (&images, &labels), growth).unwrap();
            close("generator's loss", number(&scored.total), case.generator_loss);
            let mut adam = Adam::new(&generator, config).unwrap();
            assert_eq!(adam.step(&ops::backward(&scored.total).unwrap()).unwrap(), Step::Taken);
            close_tensors(&generator, &case.generator_after);
        }
    }

    #[test]
    fn logistic_loss_with_r1_agrees_with_pytorch() {
        ops::init();
        let loss = Loss::R1 { gamma: 2.0, every: 4, label_weight: 0.5 };
        for case in Case::all() {
            let (architecture, growth, labels) = (case.architecture(), case.growth(), reference::labels());
            let (generator, critic) = (case.generator().detached(), case.critic());
            let latent = noise(3, &[BATCH, 6], 1.0);
            let step = CriticStep {
                architecture: &architecture,
                growth,
                real: &case.images(),
                fake: &generate(&generator, &architecture, &latent, &labels, growth).unwrap(),
                labels: &labels,
                mix: &noise(9, &[BATCH, 1, 1, 1], 0.5),
            };
            let scored = critic_loss(&critic, loss, &step, true).unwrap();
            close("loss", number(&scored.total), case.r1_loss);
            close_gradients(&critic, &ops::backward(&scored.total).unwrap(), &case.r1_gradients);
            let without = critic_loss(&critic, loss, &step, false).unwrap();
            assert!(without.penalty.is_none() && number(&without.total) < number(&scored.total));
        }
    }

    #[test]
    fn a_label_vector_of_zeros_costs_nothing() {
        let logits = noise(1, &[2, 3], 1.0);
        let labels = Tensor::new(&[[0f32, 0., 0.], [0., 1., 0.]], logits.device()).unwrap();
        let loss = label_loss(&logits, &labels).unwrap().to_vec1::<f32>().unwrap();
        assert!(loss[0] == 0.0 && loss[1] > 0.0, "{loss:?}");
    }
}
