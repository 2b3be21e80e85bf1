//! Everything that a training step reads and changes, and the step itself.
//!
//! The order is the published one (facts on the GAN benchmark, §3): critic, average of the generator, generator.

use candle_core::{Device, Tensor};
use rand::Rng;

use super::TrainingError;
use super::anchor::{Anchored, Codes};
use super::augment::Change;
use super::losses::{CriticStep, Scored, critic_loss, generator_loss};
use super::reals::{Draw, RadiographSource, gather};
use super::schedule::{self, STEPS_PER_READING};
use super::spec::{Loss, RunSpec};
use crate::compute::adam::{Adam, AdamConfig};
use crate::compute::ema::Ema;
use crate::compute::ops;
use crate::compute::parameters::Parameters;
use crate::compute::random;
use crate::generator::Architecture;
use crate::generator::architecture::Parameter;
use crate::generator::network::{Growth, generate};

/// Both networks, the average, both optimisers, and where the run stands.
pub struct State {
    /// Shape of the networks.
    pub architecture: Architecture,
    /// Where tensors live.
    pub device: Device,
    /// The generator.
    pub generator: Parameters,
    /// The critic.
    pub critic: Parameters,
    /// The average of the generator.
    pub average: Ema,
    /// The generator's optimiser.
    pub generator_adam: Adam,
    /// The critic's optimiser.
    pub critic_adam: Adam,
    /// Where the run stands.
    pub position: Position,
}

/// Where a run stands; with the spec it fixes every random draw to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Critic steps taken.
    pub step: u64,
    /// Real images shown.
    pub shown: u64,
    /// Real images shown when the schedule was last read.
    pub read_at: u64,
}

/// The figures of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepFigures {
    /// The critic's loss.
    pub critic_loss: f32,
    /// The generator's loss.
    pub generator_loss: f32,
    /// Mean score of real images.
    pub real_score: f32,
    /// Mean score of generated images.
    pub fake_score: f32,
    /// The gradient penalty, where one was due.
    pub penalty: Option<f32>,
}

/// Weights drawn from N(0, 1), biases 0, each tensor from a stream of its own name.
///
/// # Errors
/// When the device refuses.
pub fn initial(list: &[Parameter], seed: u64, device: &Device) -> candle_core::Result<Parameters> {
    let shapes = list.iter().map(|parameter| (parameter.name.clone(), parameter.shape.clone()));
    let biases: Vec<&str> = list.iter().filter(|p| p.is_bias()).map(|p| p.name.as_str()).collect();
    Parameters::new(shapes, device, |name, count| {
        if biases.contains(&name) {
            vec![0.0; count]
        } else {
            random::normals(&mut random::stream(seed, &format!("weights of {name}")), count)
        }
    })
}

impl State {
    /// Networks before the first step.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn new(spec: &RunSpec, labels: usize, device: &Device) -> Result<Self, TrainingError> {
        let architecture = spec.architecture(labels);
        let generator = initial(&architecture.generator(), spec.seed, device)?;
        let critic = initial(&architecture.critic(), spec.seed, device)?;
        let adam = spec.optimiser;
        let config = AdamConfig { rate: adam.rate, beta1: adam.beta1, beta2: adam.beta2, epsilon: adam.epsilon };
        Ok(Self {
            average: Ema::new(&generator, 0.0)?,
            generator_adam: Adam::new(&generator, config)?,
            critic_adam: Adam::new(&critic, config)?,
            architecture,
            device: device.clone(),
            generator,
            critic,
            position: Position { step: 0, shown: 0, read_at: 0 },
        })
    }

    /// Steps skipped for numbers that were not finite, both networks together.
    pub fn skipped(&self) -> u64 {
        self.generator_adam.skipped() + self.critic_adam.skipped()
    }

    /// How far the networks have grown at this step.
    pub fn growth(&self, spec: &RunSpec) -> Growth {
        spec.schedule.at(self.position.read_at).1
    }

    /// One step of the critic, the average, and the generator.
    ///
    /// # Errors
    /// When a radiograph cannot be read or the arithmetic fails.
    pub fn step(
        &mut self,
        spec: &RunSpec,
        source: &dyn RadiographSource,
        draw: &mut Draw,
    ) -> Result<StepFigures, TrainingError> {
        let before = self.growth(spec);
        if self.position.step.is_multiple_of(STEPS_PER_READING) {
            self.position.read_at = self.position.shown;
        }
        let (level, growth) = spec.schedule.at(self.position.read_at);
        if schedule::resets_adam(before, growth) {
            self.generator_adam.reset()?;
            self.critic_adam.reset()?;
        }
        let rate = schedule::rate(spec, self.position.shown);
        self.generator_adam.set_rate(rate);
        self.critic_adam.set_rate(rate);
        let batch = Minibatch::draw(self, spec, source, draw, (level.batch, growth))?;

        if let Some(alone) = self.anchor_alone(spec, &batch, growth)? {
            self.average.set_decay(spec.average.decay(level.batch));
            self.average.update(&self.generator)?;
            self.position.step += 1;
            self.position.shown += level.batch as u64;
            return Ok(alone);
        }
        let critic = self.critic_step(spec, &batch, growth)?;
        self.average.set_decay(spec.average.decay(level.batch));
        self.average.update(&self.generator)?;
        let generator = self.generator_step(spec, &batch, growth)?;

        self.position.step += 1;
        self.position.shown += level.batch as u64;
        let scalar = |tensor: &Tensor| tensor.to_scalar::<f32>();
        Ok(StepFigures {
            critic_loss: scalar(&critic.total)?,
            generator_loss: scalar(&generator.total)?,
            real_score: critic.real.as_ref().map_or(Ok(f32::NAN), scalar)?,
            fake_score: scalar(&critic.fake)?,
            penalty: critic.penalty.as_ref().map(scalar).transpose()?,
        })
    }

    /// A step towards the anchor without a critic, while the run is in that part.
    fn anchor_alone(
        &mut self,
        spec: &RunSpec,
        batch: &Minibatch,
        growth: Growth,
    ) -> Result<Option<StepFigures>, TrainingError> {
        let (Some(anchor), Some(anchored)) = (spec.anchor, &batch.anchored) else { return Ok(None) };
        if self.position.shown as f64 >= anchor.alone_kimg * 1000.0 {
            return Ok(None);
        }
        let loss = anchored.loss(&self.generator, &self.architecture, &batch.labels, growth, anchor.findings)?;
        self.generator_adam.step(&ops::backward(&loss)?)?;
        let generator_loss = loss.to_scalar()?;
        Ok(Some(StepFigures { critic_loss: 0.0, generator_loss, real_score: 0.0, fake_score: 0.0, penalty: None }))
    }

    fn critic_step(&mut self, spec: &RunSpec, batch: &Minibatch, growth: Growth) -> Result<Scored, TrainingError> {
        let still = self.generator.detached();
        let fake = generate(&still, &self.architecture, &batch.critic_latent, &batch.labels, growth)?;
        let fake = batch.change_of_fakes.as_ref().map_or(Ok(fake.clone()), |change| change.apply(&fake))?;
        let penalised = match spec.loss {
            Loss::WganGp { .. } => true,
            Loss::R1 { every, .. } => self.position.step.is_multiple_of(every),
        };
        let step = CriticStep {
            architecture: &self.architecture,
            growth,
            real: &batch.real,
            fake: &fake,
            labels: &batch.labels,
            mix: &batch.mix,
        };
        let scored = critic_loss(&self.critic, spec.loss, &step, penalised)?;
        let gradients = ops::backward(&scored.total)?;
        self.critic_adam.step(&gradients)?;
        Ok(scored)
    }

    fn generator_step(&mut self, spec: &RunSpec, batch: &Minibatch, growth: Growth) -> Result<Scored, TrainingError> {
        let still = self.critic.detached();
        let scored = generator_loss(
            &self.generator,
            &still,
            &self.architecture,
            spec.loss,
            (&batch.generator_latent, &batch.generator_labels),
            growth,
            |images| batch.change_of_generated.as_ref().map_or(Ok(images.clone()), |change| change.apply(&images)),
        )?;
        let anchored = match (spec.anchor, &batch.anchored) {
            (Some(anchor), Some(anchored)) => {
                let tie = anchored.loss(&self.generator, &self.architecture, &batch.labels, growth, anchor.findings)?;
                (&scored.total + (tie * anchor.weight)?)?
            }
            _ => scored.total.clone(),
        };
        let gradients = ops::backward(&anchored)?;
        self.generator_adam.step(&gradients)?;
        Ok(scored)
    }
}

/// Everything random about one step, drawn beforehand.
struct Minibatch {
    real: Tensor,
    labels: Tensor,
    critic_latent: Tensor,
    mix: Tensor,
    generator_latent: Tensor,
    generator_labels: Tensor,
    change_of_fakes: Option<Change>,
    change_of_generated: Option<Change>,
    anchored: Option<Anchored>,
}

impl Minibatch {
    fn draw(
        state: &State,
        spec: &RunSpec,
        source: &dyn RadiographSource,
        draw: &mut Draw,
        (n, growth): (usize, Growth),
    ) -> Result<Self, TrainingError> {
        let (step, device, side) = (state.position.step, &state.device, growth.side);
        let Architecture { latent, labels, .. } = state.architecture;
        let items = draw.batch(step, state.position.shown, n);
        let unreadable = |problem| TrainingError::Cohort { path: spec.cohort.clone(), problem };
        let (pixels, real_labels) = gather(source, &items, side).map_err(unreadable)?;
        let real = faded(&Tensor::from_vec(pixels, (n, 1, side, side), device)?, growth.fade)?;

        let stream = |purpose: &str| random::stream(spec.seed, &format!("{purpose}, step {step}"));
        let change = |purpose| Change::draw(spec.data.augment, n, side, &mut stream(purpose));
        let switch = |codes| anchored(codes, &items, (&real_labels, &real), &mut stream("switched findings"));
        let anchored = draw.codes.as_ref().map(switch).transpose()?;
        let change_of_reals = change("change of reals");
        let real = change_of_reals.map_or(Ok(real.clone()), |change| change.apply(&real))?;
        let latents = |purpose| {
            let values = random::normals(&mut stream(purpose), n * latent);
            Tensor::from_vec(values, (n, latent), device)
        };
        let mut mix = stream("mixtures");
        let mix: Vec<f32> = (0..n).map(|_| mix.random()).collect();
        Ok(Self {
            real,
            labels: Tensor::from_vec(real_labels, (n, labels), device)?,
            critic_latent: latents("critic latents")?,
            mix: Tensor::from_vec(mix, (n, 1, 1, 1), device)?,
            generator_latent: latents("generator latents")?,
            generator_labels: Tensor::from_vec(draw.labels(step, n), (n, labels), device)?,
            change_of_fakes: change("change of fakes"),
            change_of_generated: change("change of generated"),
            anchored,
        })
    }
}

/// What an anchored step compares for the radiographs `items`, with one finding of each drawn to be switched.
fn anchored(
    codes: &Codes,
    items: &[u32],
    (labels, real): (&[f32], &Tensor),
    rng: &mut impl Rng,
) -> candle_core::Result<Anchored> {
    let (n, _, side, _) = real.dims4()?;
    let findings = labels.len() / n;
    let (mut switched, mut change) = (labels.to_vec(), Vec::with_capacity(n * side * side));
    for row in switched.chunks_exact_mut(findings) {
        let finding = rng.random_range(0..findings);
        let difference = 1.0 - 2.0 * row[finding];
        row[finding] += difference;
        change.extend(codes.effect(finding, side).iter().map(|v| v * difference));
    }
    let device = real.device();
    Ok(Anchored {
        codes: Tensor::from_vec(codes.batch(items), (n, codes.latent()), device)?,
        plain: real.clone(),
        switched: Tensor::from_vec(switched, (n, findings), device)?,
        change: Tensor::from_vec(change, real.shape(), device)?,
    })
}

/// Reals as a fading network sees them: blended with their own 2 × 2 means.
fn faded(images: &Tensor, fade: f64) -> candle_core::Result<Tensor> {
    if fade == 0.0 {
        return Ok(images.clone());
    }
    let coarse = ops::up2(&ops::avg2(images)?)?;
    images.affine(1.0 - fade, 0.0)? + coarse.affine(fade, 0.0)?
}
