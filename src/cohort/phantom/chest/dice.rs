//! Draws for anatomy, pose and disease, each from its own seeded stream.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::compute::random;

/// The random numbers of one purpose.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// What belongs to the patient, the same on every film.
    pub fn of_patient(patient: u64, purpose: &str) -> Self {
        Self(random::stream(patient, &format!("chest phantom: {purpose}")))
    }

    /// What belongs to one film of the patient.
    pub fn of_film(patient: u64, film: u32, purpose: &str) -> Self {
        Self(random::stream(patient, &format!("chest phantom, film {film}: {purpose}")))
    }

    /// Uniform in `low..high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    /// Normal, held within 2.2 standard deviations so that no body is impossible.
    pub fn about(&mut self, mean: f32, deviation: f32) -> f32 {
        mean + deviation * self.normal().clamp(-2.2, 2.2)
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.0.random::<f32>() < probability
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// A seed for [`super::plane::mottle`].
    pub fn seed(&mut self) -> u32 {
        self.0.random()
    }

    /// Right (0) or left (1) of the patient.
    pub fn side(&mut self) -> usize {
        usize::from(self.chance(0.5))
    }
}

/// +1 for the patient's left, which is on the right of the film; −1 for the right.
pub(super) fn sign(side: usize) -> f32 {
    if side == 0 { -1.0 } else { 1.0 }
}
