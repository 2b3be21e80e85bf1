//! Training taken apart for teaching: the critic's step alone, the generator's step alone, every term of both losses.
//!
//! In: a tiny pack. Out: eight radiographs and eight samples with the critic's score of each, and the terms of the last
//! step. The networks, losses and optimiser are those of every run; only the order of steps is the pupil's.

use std::path::Path;

use candle_core::{Device, Tensor};
use rand::Rng as _;

use super::losses::{CriticStep, critic_loss, generator_loss};
use super::pack::PackSource;
use super::reals::{Draw, RadiographSource, gather};
use super::spec::{Level, Loss, RunSpec};
use super::state::State;
use super::{TrainingError, presets};
use crate::compute::{self, ops, random};
use crate::generator::Family;
use crate::generator::network::{Critic, Growth, generate};
use crate::radiograph::{Meaning, Radiograph};

/// Side of the images: small enough that a step takes a moment.
pub const SIDE: usize = 32;
/// Images in a minibatch, and on show.
pub const SHOWN: usize = 8;

/// One term of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Its name.
    pub name: &'static str,
    /// How it enters the loss, sign and weight included.
    pub value: f32,
    /// What it does, in a line.
    pub says: &'static str,
}

/// Whose step it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    /// The critic, which tells real from generated.
    Critic,
    /// The generator, which draws.
    Generator,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whose step it was.
    pub player: Player,
    /// Its loss.
    pub loss: f32,
    /// The terms that add up to it.
    pub terms: Vec<Term>,
}

/// Images and the critic's score of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Brightness 0 to 1.
    pub image: Radiograph,
    /// High where the critic takes it for real.
    pub score: f32,
}

/// Two networks and the images they are shown.
pub struct Lesson {
    spec: RunSpec,
    source: PackSource,
    state: State,
    growth: Growth,
    on_show: Vec<u32>,
    latents: Tensor,
    labels: Tensor,
}

impl Lesson {
    /// Two untrained networks over a pack that holds images of [`SIDE`] pixels.
    ///
    /// # Errors
    /// What the pack or the arithmetic says.
    pub fn begin(pack: &Path, seed: u64) -> Result<Self, TrainingError> {
        compute::init();
        let source = PackSource::open(pack)?;
        let unusable = |problem: String| TrainingError::Cohort { path: pack.to_path_buf(), problem };
        if source.len() < SHOWN {
            return Err(unusable(format!("has fewer than {SHOWN} films in its train fold")));
        }
        let mut spec = presets::preset("small-32", Family::CpdGan)
            .ok_or_else(|| unusable("cannot be used without the preset small-32".to_owned()))?;
        (spec.seed, spec.cohort, spec.anchor) = (seed, pack.to_path_buf(), None);
        spec.loss = Loss::WganGp { penalty: 10.0, drift: 0.001 };
        spec.network.resolution = SIDE;
        (spec.network.latent, spec.network.feature_base, spec.network.feature_max) = (32, 512, 32);
        spec.schedule.levels = vec![Level { side: SIDE, batch: SHOWN, fade_kimg: 0.0, stable_kimg: 0.0 }];
        let labels = source.facts().vocabulary.len();
        let state = State::new(&spec, labels, &Device::Cpu)?;
        let growth = Growth::full(&state.architecture);
        let on_show: Vec<u32> = (0..SHOWN as u32).collect();
        let (_, vectors) = gather(&source, &on_show, SIDE).map_err(unusable)?;
        let labels = Tensor::from_vec(vectors, (SHOWN, labels), &Device::Cpu)?;
        let latent = spec.network.latent;
        let values = random::normals(&mut random::stream(seed, "lesson latents"), SHOWN * latent);
        let latents = Tensor::from_vec(values, (SHOWN, latent), &Device::Cpu)?;
        Ok(Self { spec, source, state, growth, on_show, latents, labels })
    }

    /// Steps of the critic and of the generator so far.
    pub fn steps(&self) -> [u64; 2] {
        [self.state.critic_adam.steps(), self.state.generator_adam.steps()]
    }

    /// A minibatch that no step has seen in this order: reals, label vectors, and a stream for the rest.
    fn minibatch(&self, purpose: &str) -> Result<(Tensor, Tensor, Tensor, Tensor), TrainingError> {
        let count: u64 = self.steps().iter().sum();
        let mut draw = Draw::new(&self.source, self.spec.seed, true);
        let items = draw.batch(count, count * SHOWN as u64, SHOWN);
        let unusable = |problem| TrainingError::Cohort { path: self.spec.cohort.clone(), problem };
        let (pixels, vectors) = gather(&self.source, &items, SIDE).map_err(unusable)?;
        let mut stream = random::stream(self.spec.seed, &format!("{purpose}, step {count}"));
        let latent = self.spec.network.latent;
        let latents = random::normals(&mut stream, SHOWN * latent);
        let mix: Vec<f32> = (0..SHOWN).map(|_| stream.random()).collect();
        let device = &Device::Cpu;
        Ok((
            Tensor::from_vec(pixels, (SHOWN, 1, SIDE, SIDE), device)?,
            Tensor::from_vec(vectors, (SHOWN, self.state.architecture.labels), device)?,
            Tensor::from_vec(latents, (SHOWN, latent), device)?,
            Tensor::from_vec(mix, (SHOWN, 1, 1, 1), device)?,
        ))
    }

    /// One step of the critic.
    ///
    /// # Errors
    /// When a radiograph cannot be read or the arithmetic fails.
    pub fn critic(&mut self) -> Result<Outcome, TrainingError> {
        let (real, labels, latents, mix) = self.minibatch("lesson critic")?;
        let still = self.state.generator.detached();
        let fake = generate(&still, &self.state.architecture, &latents, &labels, self.growth)?;
        let step = CriticStep {
            architecture: &self.state.architecture,
            growth: self.growth,
            real: &real,
            fake: &fake,
            labels: &labels,
            mix: &mix,
        };
        let scored = critic_loss(&self.state.critic, self.spec.loss, &step, true)?;
        self.state.critic_adam.step(&ops::backward(&scored.total)?)?;
        let number = |tensor: &Tensor| tensor.to_scalar::<f32>();
        let loss = number(&scored.total)?;
        let fake = number(&scored.fake)?;
        let real = scored.real.as_ref().map_or(Ok(0.0), number)?;
        let penalty = scored.penalty.as_ref().map_or(Ok(0.0), number)?;
        let terms = vec![
            Term { name: "score of samples", value: fake, says: "Falls when the critic learns to score samples low." },
            Term {
                name: "minus score of reals",
                value: -real,
                says: "Falls when it learns to score radiographs high.",
            },
            Term {
                name: "gradient penalty",
                value: penalty,
                says: "10 times (slope − 1)² between reals and samples: the score may not rise steeper than 1, so that \
                       its slope keeps telling the generator which way to go.",
            },
            Term {
                name: "drift",
                value: loss - fake + real - penalty,
                says: "0.001 times the squared score of reals: holds the scale near zero, where only differences count.",
            },
        ];
        Ok(Outcome { player: Player::Critic, loss, terms })
    }

    /// One step of the generator.
    ///
    /// # Errors
    /// As [`Lesson::critic`].
    pub fn generator(&mut self) -> Result<Outcome, TrainingError> {
        let (_, labels, latents, _) = self.minibatch("lesson generator")?;
        let still = self.state.critic.detached();
        let (generator, architecture, growth) = (&self.state.generator, &self.state.architecture, self.growth);
        let images = generate(generator, architecture, &latents, &labels, growth)?;
        let scored = generator_loss(&still, architecture, self.spec.loss, (&images, &labels), growth)?;
        self.state.generator_adam.step(&ops::backward(&scored.total)?)?;
        let loss = scored.total.to_scalar()?;
        let terms = vec![Term {
            name: "minus score of samples",
            value: loss,
            says: "Falls when samples climb the critic's slope. The generator never sees a radiograph: all it learns, it \
                   learns from the critic.",
        }];
        Ok(Outcome { player: Player::Generator, loss, terms })
    }

    /// The radiographs on show and their scores.
    ///
    /// # Errors
    /// As [`Lesson::critic`].
    pub fn reals(&self) -> Result<Vec<Scored>, TrainingError> {
        let unusable = |problem| TrainingError::Cohort { path: self.spec.cohort.clone(), problem };
        let (pixels, _) = gather(&self.source, &self.on_show, SIDE).map_err(unusable)?;
        self.scored(&Tensor::from_vec(pixels, (SHOWN, 1, SIDE, SIDE), &Device::Cpu)?)
    }

    /// The samples of the same latents and findings at every step, and their scores.
    ///
    /// # Errors
    /// As [`Lesson::critic`].
    pub fn samples(&self) -> Result<Vec<Scored>, TrainingError> {
        let still = self.state.generator.detached();
        self.scored(&generate(&still, &self.state.architecture, &self.latents, &self.labels, self.growth)?)
    }

    fn scored(&self, images: &Tensor) -> Result<Vec<Scored>, TrainingError> {
        let still = self.state.critic.detached();
        let scores = Critic::new(&still, &self.state.architecture).judge(images, &self.labels, self.growth)?.score;
        let (scores, images) = (scores.to_vec1::<f32>()?, images.flatten_from(1)?.to_vec2::<f32>()?);
        let scored = |(image, score): (Vec<f32>, f32)| {
            let pixels = image.into_iter().map(|value| (value * 0.5 + 0.5).clamp(0.0, 1.0)).collect();
            let image = Radiograph::new(SIDE, SIDE, pixels, Meaning::Density);
            image.map(|image| Scored { image, score }).map_err(|e| candle_core::Error::Msg(e.to_string()).into())
        };
        images.into_iter().zip(scores).map(scored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::phantom::{self, Kind, PhantomOptions};
    use crate::progress::Progress;

    #[test]
    fn the_critic_alone_parts_the_scores_and_the_generator_alone_closes_the_gap() {
        let folder = tempfile::tempdir().unwrap();
        let pack = folder.path().join("pack");
        let options = PhantomOptions { kind: Kind::Chest, count: 24, resolution: SIDE, seed: 3, out: pack.clone() };
        phantom::write(&options, &Progress::new()).unwrap();
        let mut lesson = Lesson::begin(&pack, 1).unwrap();
        let mean = |scored: Vec<Scored>| scored.iter().map(|s| s.score).sum::<f32>() / SHOWN as f32;
        let gap = |lesson: &Lesson| mean(lesson.reals().unwrap()) - mean(lesson.samples().unwrap());
        let before = gap(&lesson);
        for _ in 0..10 {
            let outcome = lesson.critic().unwrap();
            let sum: f32 = outcome.terms.iter().map(|term| term.value).sum();
            assert!((sum - outcome.loss).abs() < 1e-3 * outcome.loss.abs().max(1.0));
        }
        let apart = gap(&lesson);
        assert!(apart > before + 0.1, "from {before} to {apart}");
        let still = lesson.samples().unwrap();
        for _ in 0..5 {
            lesson.generator().unwrap();
        }
        assert!(gap(&lesson) < apart, "from {apart} to {}", gap(&lesson));
        assert_ne!(lesson.samples().unwrap()[0].image, still[0].image);
        assert_eq!(lesson.steps(), [10, 5]);
    }
}
