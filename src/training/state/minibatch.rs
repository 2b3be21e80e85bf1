//! One step's images, labels and random numbers, each a function of seed and position alone.

use candle_core::Tensor;
use rand::Rng;

use super::State;
use crate::compute::{ops, random};
use crate::generator::Architecture;
use crate::generator::network::Growth;
use crate::training::TrainingError;
use crate::training::anchor::{Anchored, Codes};
use crate::training::augment::Change;
use crate::training::reals::{Draw, RadiographSource, gather};
use crate::training::spec::RunSpec;

/// Everything random about one step, drawn beforehand.
pub struct Minibatch {
    /// Radiographs `[N, 1, side, side]` as the critic sees them.
    pub real: Tensor,
    /// Their label vectors `[N, labels]`.
    pub labels: Tensor,
    /// Latents of the critic's step `[N, latent]`.
    pub critic_latent: Tensor,
    /// Position of each mixture between real and generated `[N, 1, 1, 1]`.
    pub mix: Tensor,
    /// Latents of the generator's step `[N, latent]`.
    pub generator_latent: Tensor,
    /// Label vectors that go with them `[N, labels]`.
    pub generator_labels: Tensor,
    /// What augmentation does to the critic's generated images.
    pub change_of_fakes: Option<Change>,
    /// What it does to those of the generator's step.
    pub change_of_generated: Option<Change>,
    /// What the anchor compares, where there is one.
    pub anchored: Option<Anchored>,
}

impl Minibatch {
    /// Some of the images, in the order of `items`.
    ///
    /// # Errors
    /// When an item is not there.
    pub fn part(&self, items: &[u32]) -> candle_core::Result<Self> {
        let index = Tensor::new(items, self.real.device())?;
        let pick = |tensor: &Tensor| tensor.index_select(&index, 0);
        Ok(Self {
            real: pick(&self.real)?,
            labels: pick(&self.labels)?,
            critic_latent: pick(&self.critic_latent)?,
            mix: pick(&self.mix)?,
            generator_latent: pick(&self.generator_latent)?,
            generator_labels: pick(&self.generator_labels)?,
            change_of_fakes: self.change_of_fakes.as_ref().map(|change| change.part(items)),
            change_of_generated: self.change_of_generated.as_ref().map(|change| change.part(items)),
            anchored: self.anchored.as_ref().map(|anchored| anchored.part(&index)).transpose()?,
        })
    }

    /// The minibatch of the state's next step: `n` images at `growth`.
    ///
    /// # Errors
    /// When a radiograph cannot be read.
    pub fn draw(
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
