//! Everything that a training step reads and changes, and the step itself.
//!
//! The order is the published one (DuMont Schütte 2021): critic, average of the generator, generator.

mod minibatch;

use std::cell::Cell;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};

use super::TrainingError;
use super::losses::{CriticStep, Scored, critic_loss, generator_loss};
use super::micro_batch;
use super::reals::{Draw, RadiographSource};
use super::schedule::{self, STEPS_PER_READING};
use super::spec::{Loss, RunSpec};
use crate::compute::adam::{Adam, AdamConfig, Step};
use crate::compute::clip::clip_norm;
use crate::compute::ema::Ema;
use crate::compute::ops;
use crate::compute::parameters::Parameters;
use crate::compute::random;
use crate::generator::Architecture;
use crate::generator::architecture::Parameter;
use crate::generator::network::{Growth, generate};
use minibatch::Minibatch;

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
    /// What happened on the way that still matters.
    pub course: Course,
    /// Images of a minibatch that are computed at a time; `None` for all of them.
    pub micro_batch: Cell<Option<usize>>,
    /// Whether the length of gradients is to be measured at the next step.
    pub measure_gradients: bool,
}

/// What happened on the way of a run and still matters; part of a checkpoint, so that a resumed run decides alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Course {
    /// Steps in a row that were skipped or whose loss ran away.
    pub trouble: u64,
    /// Times the run went back to an earlier checkpoint; each lowers the rate.
    pub rolled_back: u32,
    /// The step it last went back to.
    pub rolled_to: Option<u64>,
    /// The smallest Fréchet distance that counts, as the bits of a double: text would lose the last of them.
    pub best: Option<u64>,
    /// Measures of quality since then.
    pub since_best: u32,
    /// A measure of quality is due and was put off.
    pub quality_due: bool,
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
    /// Lengths of the critic's and the generator's gradient, where they were to be measured.
    pub gradients: Option<[f32; 2]>,
    /// Whether a network did not move, because a gradient was not finite.
    pub skipped: bool,
    /// Whether the generator learnt from the anchor alone; the critic's figures are 0 then.
    pub alone: bool,
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

/// Starts cpD-GAN's conditional norms near the identity: factors 1 plus a tenth of what latent and label say. As published
/// they are N(0, 1), so that an untrained image is a product of a dozen random factors, from which nothing is soon learnt.
fn calm_norms(generator: &Parameters) -> candle_core::Result<()> {
    let mut values = generator.to_vecs()?;
    for (name, (_, values)) in &mut values {
        if name.ends_with("_norm.gamma.bias") {
            values.fill(1.0);
        } else if name.ends_with("_norm.gamma.weight") || name.ends_with("_norm.beta.weight") {
            values.iter_mut().for_each(|value| *value *= 0.1);
        }
    }
    generator.load(&values)
}

impl State {
    /// Networks before the first step.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn new(spec: &RunSpec, labels: usize, device: &Device) -> Result<Self, TrainingError> {
        let architecture = spec.architecture(labels);
        let generator = initial(&architecture.generator(), spec.seed, device)?;
        if spec.anchor.is_some_and(|anchor| anchor.alone_kimg > 0.0) {
            calm_norms(&generator)?;
        }
        let critic = initial(&architecture.critic(), spec.seed, device)?;
        let adam = spec.optimiser;
        let config = AdamConfig { rate: adam.rate, beta1: adam.beta1, beta2: adam.beta2, epsilon: adam.epsilon };
        let mut generator_adam = Adam::new(&generator, config)?;
        if let Some(share) = adam.below {
            let last = format!("g.{}.", architecture.resolution);
            generator_adam.slow(share, |name| !name.starts_with(&last));
        }
        Ok(Self {
            average: Ema::new(&generator, 0.0)?,
            generator_adam,
            critic_adam: Adam::new(&critic, config)?,
            architecture,
            device: device.clone(),
            generator,
            critic,
            position: Position { step: 0, shown: 0, read_at: 0 },
            course: Course::default(),
            micro_batch: Cell::new(spec.micro_batch),
            measure_gradients: false,
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
        let rate = schedule::rate(spec, self.position.shown) * spec.guard.lowered(self.course.rolled_back);
        self.generator_adam.set_rate(rate);
        self.critic_adam.set_rate(rate);
        let batch = Minibatch::draw(self, spec, source, draw, (level.batch, growth))?;
        self.average.set_decay(spec.average.decay(level.batch, self.position.shown));

        if let Some(alone) = self.anchor_alone(spec, &batch, growth)? {
            self.average.update(&self.generator)?;
            self.position.step += 1;
            self.position.shown += level.batch as u64;
            return Ok(alone);
        }
        let critic = self.critic_step(spec, &batch, growth)?;
        self.average.update(&self.generator)?;
        let generator = self.generator_step(spec, &batch, growth)?;

        self.position.step += 1;
        self.position.shown += level.batch as u64;
        let both = |a: Option<f64>, b: Option<f64>| Some([a? as f32, b? as f32]);
        Ok(StepFigures {
            critic_loss: critic.loss,
            generator_loss: generator.loss,
            real_score: critic.real,
            fake_score: critic.fake,
            penalty: critic.penalty,
            gradients: both(critic.length, generator.length),
            skipped: [critic.step, generator.step].contains(&Step::Skipped),
            alone: false,
        })
    }

    /// A step towards the anchor without a critic, while the run is in that part.
    fn anchor_alone(
        &mut self,
        spec: &RunSpec,
        batch: &Minibatch,
        growth: Growth,
    ) -> Result<Option<StepFigures>, TrainingError> {
        let (Some(anchor), Some(_)) = (spec.anchor, &batch.anchored) else { return Ok(None) };
        if self.position.shown as f64 >= anchor.alone_kimg * 1000.0 {
            return Ok(None);
        }
        let (gradients, sums) = self.accumulate(batch, &self.generator, |part| {
            let tie = part
                .anchored
                .as_ref()
                .map(|a| a.loss(&self.generator, &self.architecture, &part.labels, growth, anchor.findings));
            let total =
                tie.transpose()?.map_or_else(|| Tensor::zeros((), candle_core::DType::F32, &self.device), Ok)?;
            Ok(Scored { fake: total.zeros_like()?, real: None, penalty: None, total })
        })?;
        let step = self.generator_adam.step(&gradients)?;
        Ok(Some(StepFigures {
            critic_loss: 0.0,
            generator_loss: sums.loss,
            real_score: 0.0,
            fake_score: 0.0,
            penalty: None,
            gradients: None,
            skipped: step == Step::Skipped,
            alone: true,
        }))
    }

    fn critic_step(&mut self, spec: &RunSpec, batch: &Minibatch, growth: Growth) -> Result<Sums, TrainingError> {
        let still = self.generator.detached();
        let penalised = match spec.loss {
            Loss::WganGp { .. } => true,
            Loss::R1 { every, .. } => self.position.step.is_multiple_of(every),
        };
        let (mut gradients, mut sums) = self.accumulate(batch, &self.critic, |part| {
            let fake = generate(&still, &self.architecture, &part.critic_latent, &part.labels, growth)?;
            let fake = part.change_of_fakes.as_ref().map_or(Ok(fake.clone()), |change| change.apply(&fake))?;
            let step = CriticStep {
                architecture: &self.architecture,
                growth,
                real: &part.real,
                fake: &fake,
                labels: &part.labels,
                mix: &part.mix,
            };
            critic_loss(&self.critic, spec.loss, &step, penalised)
        })?;
        if self.measure_gradients {
            sums.length = Some(clip_norm(&mut gradients, &self.critic, f64::INFINITY)?);
        }
        sums.step = self.critic_adam.step(&gradients)?;
        Ok(sums)
    }

    fn generator_step(&mut self, spec: &RunSpec, batch: &Minibatch, growth: Growth) -> Result<Sums, TrainingError> {
        let still = self.critic.detached();
        let (mut gradients, mut sums) = self.accumulate(batch, &self.generator, |part| {
            let (latent, labels) = (&part.generator_latent, &part.generator_labels);
            let images = generate(&self.generator, &self.architecture, latent, labels, growth)?;
            let images =
                part.change_of_generated.as_ref().map_or(Ok(images.clone()), |change| change.apply(&images))?;
            let mut scored = generator_loss(&still, &self.architecture, spec.loss, (&images, labels), growth)?;
            if let (Some(anchor), Some(anchored)) = (spec.anchor, &part.anchored) {
                let tie = anchored.loss(&self.generator, &self.architecture, &part.labels, growth, anchor.later())?;
                scored.total = (&scored.total + (tie * anchor.weight)?)?;
            }
            Ok(scored)
        })?;
        if self.measure_gradients {
            sums.length = Some(clip_norm(&mut gradients, &self.generator, f64::INFINITY)?);
        }
        sums.step = self.generator_adam.step(&gradients)?;
        Ok(sums)
    }

    /// Gradients of a loss over the whole minibatch. Where the device's memory does not hold it, it is computed in ever
    /// smaller parts, from this step on.
    fn accumulate(
        &self,
        batch: &Minibatch,
        parameters: &Parameters,
        loss: impl Fn(&Minibatch) -> candle_core::Result<Scored>,
    ) -> candle_core::Result<(GradStore, Sums)> {
        loop {
            let most = self.micro_batch.get();
            match Self::attempt(batch, parameters, most, &loss) {
                Err(error) if micro_batch::is_out_of_memory(&error) => {
                    let smaller = micro_batch::smaller(batch.real.dim(0)?, most);
                    self.micro_batch.set(Some(smaller.ok_or(error)?));
                }
                done => return done,
            }
        }
    }

    /// Gradients of a loss over the whole minibatch, in parts of at most `most` images.
    fn attempt(
        batch: &Minibatch,
        parameters: &Parameters,
        most: Option<usize>,
        loss: &impl Fn(&Minibatch) -> candle_core::Result<Scored>,
    ) -> candle_core::Result<(GradStore, Sums)> {
        let n = batch.real.dim(0)?;
        let scalar = |tensor: &Tensor| tensor.to_scalar::<f32>();
        let Some(parts) = most.and_then(|most| micro_batch::parts(n, most)) else {
            let scored = loss(batch)?;
            let gradients = ops::backward(&scored.total)?;
            let sums = Sums {
                loss: scalar(&scored.total)?,
                real: scored.real.as_ref().map_or(Ok(f32::NAN), scalar)?,
                fake: scalar(&scored.fake)?,
                penalty: scored.penalty.as_ref().map(scalar).transpose()?,
                ..Sums::default()
            };
            return Ok((gradients, sums));
        };
        let mut sums = Sums::default();
        let mut gradients: Option<GradStore> = None;
        for items in parts {
            let part = batch.part(&items)?;
            let weight = items.len() as f64 / n as f64;
            let scored = loss(&part)?;
            let own = ops::backward(&(&scored.total * weight)?)?;
            gradients = Some(match gradients {
                None => own,
                Some(mut all) => {
                    micro_batch::add(&mut all, &own, parameters)?;
                    all
                }
            });
            let share = |tensor: &Tensor| scalar(tensor).map(|value| value * weight as f32);
            sums.loss += share(&scored.total)?;
            sums.real += scored.real.as_ref().map_or(Ok(f32::NAN), share)?;
            sums.fake += share(&scored.fake)?;
            if let Some(penalty) = &scored.penalty {
                sums.penalty = Some(sums.penalty.unwrap_or(0.0) + share(penalty)?);
            }
        }
        match gradients {
            Some(gradients) => Ok((gradients, sums)),
            None => candle_core::bail!("a minibatch of no images"),
        }
    }
}

/// The figures of one network's step.
struct Sums {
    loss: f32,
    real: f32,
    fake: f32,
    penalty: Option<f32>,
    length: Option<f64>,
    step: Step,
}

impl Default for Sums {
    fn default() -> Self {
        Self { loss: 0.0, real: 0.0, fake: 0.0, penalty: None, length: None, step: Step::Taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::presets::preset;
    use crate::training::reals::tests::Shapes;
    use crate::training::spec::{Anchor, Level};

    #[test]
    fn only_an_anchored_start_calms_the_conditional_norms() {
        let mut spec = preset("small-32", Family::CpdGan).unwrap();
        (spec.network.feature_base, spec.network.feature_max, spec.anchor) = (64, 8, None);
        let published = State::new(&spec, 3, &Device::Cpu).unwrap().generator.to_vecs().unwrap();
        spec.anchor = Some(Anchor { alone_kimg: 1.0, weight: 1.0, findings: 0.0, findings_later: None, rate: None });
        let calm = State::new(&spec, 3, &Device::Cpu).unwrap().generator.to_vecs().unwrap();
        for (name, (_, values)) in &published {
            let expected: Vec<f32> = match name.rsplit_once("_norm.") {
                Some((_, "gamma.bias")) => vec![1.0; values.len()],
                Some((_, "gamma.weight" | "beta.weight")) => values.iter().map(|v| v * 0.1).collect(),
                _ => values.clone(),
            };
            assert_eq!(calm[name].1, expected, "{name}");
        }
    }

    #[test]
    fn levels_below_the_last_can_be_held() {
        crate::compute::init();
        let mut spec = preset("small-32", Family::CpdGan).unwrap();
        (spec.network.resolution, spec.network.latent, spec.anchor) = (16, 4, None);
        (spec.network.feature_base, spec.network.feature_max) = (64, 4);
        spec.schedule.levels = vec![Level { side: 16, batch: 4, fade_kimg: 0.0, stable_kimg: 0.0 }];
        spec.optimiser.below = Some(0.0);
        let source = Shapes::new();
        let mut state = State::new(&spec, source.facts().vocabulary.len(), &Device::Cpu).unwrap();
        let tensors = |state: &State| (state.generator.to_vecs().unwrap(), state.critic.to_vecs().unwrap());
        let before = tensors(&state);
        state.step(&spec, &source, &mut Draw::new(&source, 1, false)).unwrap();
        let after = tensors(&state);
        for (name, tensor) in &before.0 {
            assert_eq!(tensor != &after.0[name], name.starts_with("g.16."), "{name}");
        }
        assert!(before.1.iter().all(|(name, tensor)| tensor != &after.1[name]));
    }

    #[test]
    fn a_minibatch_that_memory_does_not_hold_is_computed_in_parts() {
        crate::compute::init();
        let mut spec = preset("small-32", Family::CpdGan).unwrap();
        (spec.network.resolution, spec.network.latent, spec.anchor) = (8, 4, None);
        (spec.network.feature_base, spec.network.feature_max) = (16, 4);
        spec.schedule.levels = vec![Level { side: 8, batch: 16, fade_kimg: 0.0, stable_kimg: 0.0 }];
        let source = Shapes::new();
        let state = State::new(&spec, source.facts().vocabulary.len(), &Device::Cpu).unwrap();
        let mut draw = Draw::new(&source, 1, false);
        let batch = Minibatch::draw(&state, &spec, &source, &mut draw, (16, state.growth(&spec))).unwrap();
        let (architecture, growth) = (spec.architecture(2), state.growth(&spec));
        let loss_on_a_device_of = |images: usize| {
            let (generator, architecture) = (&state.generator, &architecture);
            move |part: &Minibatch| -> candle_core::Result<Scored> {
                if part.real.dim(0)? > images {
                    candle_core::bail!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
                }
                let made = generate(generator, architecture, &part.critic_latent, &part.labels, growth)?;
                let total = (made - &part.real)?.sqr()?.mean_all()?;
                Ok(Scored { fake: total.detach(), real: None, penalty: None, total })
            }
        };
        let (_, whole) = state.accumulate(&batch, &state.generator, loss_on_a_device_of(16)).unwrap();
        assert_eq!(state.micro_batch.get(), None);
        let (_, parts) = state.accumulate(&batch, &state.generator, loss_on_a_device_of(5)).unwrap();
        assert_eq!(state.micro_batch.get(), Some(4));
        assert!((whole.loss - parts.loss).abs() < 1e-5, "{} {}", whole.loss, parts.loss);
        let refused = state.accumulate(&batch, &state.generator, loss_on_a_device_of(3)).err().unwrap();
        assert!(refused.to_string().contains("out of memory"));
    }
}
