//! Does a device compute what the CPU computes? Forward pass, gradients, gradient penalty and one whole training step of
//! both networks, on numbers that every machine draws alike; and how fast it samples and trains.

use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor};

use super::losses::{CriticStep, critic_loss, generator_loss};
use super::spec::Loss;
use super::state::initial;
use crate::compute::adam::{Adam, AdamConfig};
use crate::compute::parameters::Parameters;
use crate::compute::{ops, random};
use crate::generator::network::{Growth, generate};
use crate::generator::{Architecture, Family};

/// Images in the minibatch that is compared.
const BATCH: usize = 8;

/// Largest difference allowed between two devices, relative to the largest number of the tensor.
///
/// GPUs add in another order and may use fused or shortened products; second-order gradients collect the most of it.
pub const TOLERANCE: f64 = 5e-3;

/// One quantity on the device against the CPU's.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// What was compared: `prog-GAN: critic's gradients`.
    pub what: String,
    /// Largest difference, relative to the largest number on the CPU.
    pub difference: f64,
}

/// How fast a device is.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Pace {
    /// Samples a second.
    pub sampling: f64,
    /// Real images a second in whole WGAN-GP training steps.
    pub training: f64,
}

/// Everything that one training step comes to, by name.
struct Outcome(Vec<(String, Vec<f32>)>);

/// The networks of one comparison: both families, with every kind of layer, small enough for any machine.
fn architecture(family: Family) -> Architecture {
    Architecture { family, resolution: 32, latent: 32, labels: 6, feature_base: 512, feature_max: 32 }
}

/// Compares one training step of each family on `device` with the CPU's.
///
/// # Errors
/// When the device refuses an operation: the message names it.
pub fn compare(device: &Device) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for family in [Family::ProgGan, Family::CpdGan] {
        let architecture = architecture(family);
        let (here, there) = (step(&architecture, &Device::Cpu)?, step(&architecture, device)?);
        for ((name, ours), (_, theirs)) in here.0.iter().zip(&there.0) {
            let scale = ours.iter().fold(1e-6, |largest: f64, v| largest.max(f64::from(v.abs())));
            let differences = ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs()));
            // A number that is not finite differs from everything.
            let worst = differences.fold(0.0, |worst: f64, d| if d.is_finite() { worst.max(d) } else { f64::INFINITY });
            comparisons.push(Comparison { what: format!("{}: {name}", family.name()), difference: worst / scale });
        }
    }
    Ok(comparisons)
}

fn numbers(purpose: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
    let values = random::normals(&mut random::stream(1, purpose), shape.iter().product());
    Tensor::from_vec(values, shape, device)
}

fn label_vectors(n: usize, labels: usize, device: &Device) -> Result<Tensor> {
    let values = (0..n * labels).map(|i| f32::from(u8::from(i % labels == (i / labels) % labels || i % 7 == 0)));
    Tensor::from_vec(values.collect::<Vec<f32>>(), (n, labels), device)
}

fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.to_vec1()
}

fn all(parameters: &Parameters) -> Result<Vec<f32>> {
    Ok(parameters.to_vecs()?.into_values().flat_map(|(_, values)| values).collect())
}

/// Samples, losses, penalty, gradients and weights of one WGAN-GP step.
fn step(architecture: &Architecture, device: &Device) -> Result<Outcome> {
    let growth = Growth::full(architecture);
    let generator = initial(&architecture.generator(), 1, device)?;
    let critic = initial(&architecture.critic(), 1, device)?;
    let config = AdamConfig { rate: 0.001, beta1: 0.0, beta2: 0.99, epsilon: 1e-8 };
    let loss = Loss::WganGp { penalty: 10.0, drift: 0.001 };
    let labels = label_vectors(BATCH, architecture.labels, device)?;
    let latent = numbers("latents of the device check", &[BATCH, architecture.latent], device)?;
    let side = architecture.resolution;
    let fake = generate(&generator.detached(), architecture, &latent, &labels, growth)?;
    let scored = critic_loss(
        &critic,
        loss,
        &CriticStep {
            architecture,
            growth,
            real: &numbers("reals of the device check", &[BATCH, 1, side, side], device)?,
            fake: &fake,
            labels: &labels,
            mix: &Tensor::full(0.4f32, (BATCH, 1, 1, 1), device)?,
        },
        true,
    )?;
    let gradients = ops::backward(&scored.total)?;
    let mut critic_gradients = Vec::new();
    for (_, variable) in critic.variables() {
        if let Some(gradient) = gradients.get(variable.as_tensor()) {
            critic_gradients.extend(flat(gradient)?);
        }
    }
    Adam::new(&critic, config)?.step(&gradients)?;
    let still = critic.detached();
    let images = generate(&generator, architecture, &latent, &labels, growth)?;
    let generators = generator_loss(&still, architecture, loss, (&images, &labels), growth)?;
    Adam::new(&generator, config)?.step(&ops::backward(&generators.total)?)?;
    let penalty = scored.penalty.as_ref().map_or(Ok(Vec::new()), flat)?;
    Ok(Outcome(vec![
        ("samples".to_owned(), flat(&fake)?),
        ("critic's loss".to_owned(), flat(&scored.total)?),
        ("gradient penalty".to_owned(), penalty),
        ("critic's gradients".to_owned(), critic_gradients),
        ("critic after the step".to_owned(), all(&critic)?),
        ("generator's loss".to_owned(), flat(&generators.total)?),
        ("generator after the step".to_owned(), all(&generator)?),
    ]))
}

/// Measures a network of the published kind at `resolution` px and `batch` images: sampling and whole training steps,
/// each for `seconds`.
///
/// # Errors
/// When the device refuses, memory included.
pub fn pace(device: &Device, architecture: &Architecture, batch: usize, seconds: f64) -> Result<Pace> {
    let growth = Growth::full(architecture);
    let generator = initial(&architecture.generator(), 1, device)?;
    let critic = initial(&architecture.critic(), 1, device)?;
    let config = AdamConfig { rate: 0.001, beta1: 0.0, beta2: 0.99, epsilon: 1e-8 };
    let (mut generators, mut critics) = (Adam::new(&generator, config)?, Adam::new(&critic, config)?);
    let labels = label_vectors(batch, architecture.labels, device)?;
    let latent = numbers("latents of the device check", &[batch, architecture.latent], device)?;
    let side = architecture.resolution;
    let real = numbers("reals of the device check", &[batch, 1, side, side], device)?;
    let mix = Tensor::full(0.4f32, (batch, 1, 1, 1), device)?;
    let loss = Loss::WganGp { penalty: 10.0, drift: 0.001 };
    let sample = || generate(&generator.detached(), architecture, &latent, &labels, growth);
    let sampling = rate(batch, seconds, || flat(&sample()?).map(drop))?;
    let training = rate(batch, seconds, || {
        let fake = sample()?;
        let (real, fake, labels, mix) = (&real, &fake, &labels, &mix);
        let scored = critic_loss(&critic, loss, &CriticStep { architecture, growth, real, fake, labels, mix }, true)?;
        critics.step(&ops::backward(&scored.total)?)?;
        let still = critic.detached();
        let images = generate(&generator, architecture, &latent, labels, growth)?;
        let scored = generator_loss(&still, architecture, loss, (&images, labels), growth)?;
        generators.step(&ops::backward(&scored.total)?)?;
        // Reading the loss waits for the device, as logging does in a run.
        scored.total.to_scalar::<f32>().map(drop)
    })?;
    Ok(Pace { sampling, training })
}

/// Images a second of work on `batch` images, after one round that is not counted.
fn rate(batch: usize, seconds: f64, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let started = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || started.elapsed().as_secs_f64() < seconds {
        work()?;
        rounds += 1;
    }
    Ok((rounds * batch) as f64 / started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself_and_every_part_of_the_step_is_compared() {
        crate::compute::init();
        let found = compare(&Device::Cpu).unwrap();
        assert_eq!(found.len(), 14);
        assert!(found.iter().all(|comparison| comparison.difference == 0.0), "{found:?}");
        let architecture = architecture(Family::ProgGan);
        let outcome = step(&architecture, &Device::Cpu).unwrap();
        assert!(outcome.0.iter().all(|(_, values)| !values.is_empty() && values.iter().any(|v| *v != 0.0)));
        let pace = pace(&Device::Cpu, &architecture, 4, 0.0).unwrap();
        assert!(pace.sampling > 0.0 && pace.training > 0.0);
    }
}
