//! How near samples have come to the reals of the train fold: measured while a run goes on, and of a finished model.
//!
//! As published (facts on the GAN benchmark, §6) but for three things: the encoder is the project's own or the user's,
//! since Inception's weights cannot ship; the reals are the same at every measure, so that a change of the figure is a
//! change of the samples; and a fold of fewer reals than asked for is compared once, not shown several times. The number
//! compared is part of every figure.

use std::path::Path;

use rand::seq::SliceRandom;

use super::TrainingError;
use super::events::Quality;
use super::reals::RadiographSource;
use super::spec::RunSpec;
use super::state::State;
use crate::compute::kernel::Instructions;
use crate::compute::random;
use crate::encoder::{Encoder, library};
use crate::generator::model_file::ModelFile;
use crate::generator::network::generate;
use crate::generator::sampler::Sampler;
use crate::progress::Progress;
use crate::radiograph::Radiograph;
use crate::stats::fidelity::{self, Moments};
use crate::stats::{percentile_of, quantile};

/// Images encoded between two looks at the cancel switch.
const TOGETHER: usize = 64;
/// Neighbours that reach a ball of the manifold, as in the measure's paper.
const NEIGHBOURS: usize = 5;

/// Measures samples against a fixed set of reals.
pub struct Meter {
    encoder: Encoder,
    /// The radiographs of the train fold that are compared.
    items: Vec<u32>,
    /// Of the reals' choice and of the samples' latents.
    seed: u64,
    /// What is computed once, at the first measure.
    reals: Option<Reals>,
}

/// The features of the reals.
struct Reals {
    features: Vec<f32>,
    moments: Moments,
    /// Distances of held-out radiographs to the nearest of the reals, ascending; empty where none are held out.
    held_out: Vec<f32>,
}

/// What makes the samples that are measured.
struct Source<'a> {
    /// Side of a sample in pixels.
    side: usize,
    /// Numbers in a latent.
    latent: usize,
    /// Samples `[N, side, side]`, −1 to 1, of latents `[N, latent]` and label vectors `[N, labels]`.
    draw: &'a dyn Fn(Vec<f32>, Vec<f32>) -> Result<Vec<f32>, String>,
}

/// Measures a finished model against the train fold it was trained on, as a run would with `seed`: at most `count`
/// samples, each with the findings of the real beside it. `None` when cancelled.
///
/// # Errors
/// [`TrainingError::Cohort`] when the radiographs are of another kind than the encoder's or too few, cannot be read, or the
/// figures are not numbers. `cohort` is named there.
pub fn of_model(
    model: &ModelFile,
    encoder: Encoder,
    source: &dyn RadiographSource,
    (count, seed): (usize, u64),
    cohort: &Path,
    progress: &Progress,
) -> Result<Option<Quality>, TrainingError> {
    let wrong = |problem: String| TrainingError::Cohort { path: cohort.to_path_buf(), problem };
    let architecture = &model.card.architecture;
    let engine = Sampler::new(architecture, &model.tensors, Instructions::best());
    let (side, latent) = (architecture.resolution, architecture.latent);
    let draw = |latents: Vec<f32>, labels: Vec<f32>| {
        let mut shown = vec![0.0; latents.len() / latent * side * side];
        engine.sample(&latents, &labels, &mut shown);
        Ok(shown)
    };
    let mut meter = Meter::new(encoder, source, count, seed).map_err(wrong)?;
    let found = meter.compare(&Source { side, latent, draw: &draw }, source, progress).map_err(wrong)?;
    let training = &model.card.training;
    Ok(found.map(|quality| Quality { step: training.steps, kimg: training.kimg, ..quality }))
}

impl Meter {
    /// The meter that a run's spec asks for, or why there is none.
    ///
    /// # Errors
    /// When an encoder cannot be used.
    pub fn open(spec: &RunSpec, source: &dyn RadiographSource) -> Result<Result<Self, String>, TrainingError> {
        let unusable = |problem: String| TrainingError::Spec { path: "quality.encoder".into(), problem };
        let facts = source.facts();
        let encoder = match &spec.quality.encoder {
            Some(path) => Some(Encoder::load(path).map_err(|e| unusable(e.to_string()))?),
            None => library::for_cohort(&facts.identity, Some(&spec.cohort)),
        };
        let Some(encoder) = encoder else {
            let text = "there is no encoder that was trained on this cohort: train one with \"negatoscope encoder train\" and name \
                        its file in quality.encoder";
            return Ok(Err(text.to_owned()));
        };
        check_meaning(&encoder, source).map_err(unusable)?;
        Ok(Self::new(encoder, source, spec.quality.count, spec.seed))
    }

    /// A meter of at most `count` reals, chosen by `seed`; or why there is none.
    fn new(encoder: Encoder, source: &dyn RadiographSource, count: usize, seed: u64) -> Result<Self, String> {
        check_meaning(&encoder, source)?;
        let mut items: Vec<u32> = (0..source.len() as u32).collect();
        items.shuffle(&mut random::stream(seed, "reals of the quality measure"));
        items.truncate(count);
        if items.len() < 2 * NEIGHBOURS {
            return Err(format!("{} radiographs are too few to measure against", items.len()));
        }
        Ok(Self { encoder, items, seed, reals: None })
    }

    /// Measures the average of the generator; `None` when cancelled on the way.
    ///
    /// # Errors
    /// When a radiograph cannot be read, or the figures are not numbers.
    pub fn measure(
        &mut self,
        state: &State,
        spec: &RunSpec,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Quality>, TrainingError> {
        let wrong = |problem: String| TrainingError::Cohort { path: spec.cohort.clone(), problem };
        let failed = |e: candle_core::Error| e.to_string();
        let architecture = &state.architecture;
        let (side, latent) = (architecture.resolution, architecture.latent);
        let engine = if state.device.is_cpu() {
            let tensors = state.average.to_vecs().map_err(|e| wrong(failed(e)))?;
            Some(Sampler::new(architecture, &tensors, Instructions::best()))
        } else {
            None
        };
        let draw = |latents: Vec<f32>, labels: Vec<f32>| {
            let count = latents.len() / latent;
            if let Some(engine) = &engine {
                let mut shown = vec![0.0; count * side * side];
                engine.sample(&latents, &labels, &mut shown);
                return Ok(shown);
            }
            let place =
                |values: Vec<f32>, width: usize| candle_core::Tensor::from_vec(values, (count, width), &state.device);
            let (z, y) = (place(latents, latent), place(labels, architecture.labels));
            let (z, y) = (z.map_err(failed)?, y.map_err(failed)?);
            let images = generate(&state.average.parameters(), architecture, &z, &y, state.growth(spec));
            images.and_then(|images| images.flatten_all()?.to_vec1::<f32>()).map_err(failed)
        };
        let found = self.compare(&Source { side, latent, draw: &draw }, source, progress).map_err(wrong)?;
        let (step, kimg) = (state.position.step, state.position.shown as f64 / 1000.0);
        Ok(found.map(|quality| Quality { step, kimg, ..quality }))
    }

    /// Draws one sample for each real, with that real's findings, and compares; `None` when cancelled. Step and count of
    /// images are left at 0.
    fn compare(
        &mut self,
        samples: &Source,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Quality>, String> {
        if self.reals.is_none() {
            self.reals = self.encode_reals(source, samples.side, progress)?;
        }
        let Some(reals) = &self.reals else { return Ok(None) };
        let Some(features) = self.sample(samples, source, progress)? else { return Ok(None) };
        let dim = self.encoder.dim();
        let not_numbers = || "the samples' features are not numbers".to_owned();
        let moments = Moments::of(&features, dim).ok_or_else(not_numbers)?;
        let fid = reals.moments.distance(&moments).ok_or_else(not_numbers)?;
        let block = (self.items.len() / 10).clamp(100, 1000);
        let kid = fidelity::kernel_distance(&reals.features, &features, dim, block).ok_or_else(not_numbers)?;
        let manifold = fidelity::manifold(&reals.features, &features, dim, NEIGHBOURS);
        let nearest = (!reals.held_out.is_empty()).then(|| fidelity::nearest_cosine(&features, &reals.features, dim));
        let mut percentiles: Vec<f64> = nearest.flatten().map_or(Vec::new(), |nearest| {
            nearest.iter().map(|&distance| f64::from(percentile_of(&reals.held_out, distance))).collect()
        });
        percentiles.sort_by(f64::total_cmp);
        let close = percentiles.iter().filter(|&&percentile| percentile < 1.0).count();
        Ok(Some(Quality {
            step: 0,
            kimg: 0.0,
            fid,
            kid: kid.mean,
            kid_deviation: kid.deviation,
            count: self.items.len(),
            encoder: self.encoder.card().name.clone(),
            precision: manifold.map(|m| m.precision),
            recall: manifold.map(|m| m.recall),
            density: manifold.map(|m| m.density),
            coverage: manifold.map(|m| m.coverage),
            nearest_percentile: quantile(&percentiles, 0.5),
            nearest_hundredth: (!percentiles.is_empty()).then(|| close as f64 / percentiles.len() as f64),
        }))
    }

    /// Features of the reals; `None` when cancelled.
    fn encode_reals(
        &self,
        source: &dyn RadiographSource,
        side: usize,
        progress: &Progress,
    ) -> Result<Option<Reals>, String> {
        let dim = self.encoder.dim();
        let Some(features) = self.encode(source, &self.items, side, progress)? else { return Ok(None) };
        let Some(moments) = Moments::of(&features, dim) else {
            return Err("its features are not numbers; the encoder does not suit it".to_owned());
        };
        let mut held_out = Vec::new();
        if let Some(other) = source.held_out() {
            let all: Vec<u32> = (0..other.len().min(self.items.len()) as u32).collect();
            let Some(others) = self.encode(other, &all, side, progress)? else { return Ok(None) };
            held_out = fidelity::nearest_cosine(&others, &features, dim).unwrap_or_default();
            held_out.sort_by(f32::total_cmp);
        }
        Ok(Some(Reals { features, moments, held_out }))
    }

    /// Features of radiographs at the networks' side and in their window; `None` when cancelled.
    fn encode(
        &self,
        source: &dyn RadiographSource,
        items: &[u32],
        side: usize,
        progress: &Progress,
    ) -> Result<Option<Vec<f32>>, String> {
        let facts = source.facts();
        let [low, high] = facts.window;
        let mut features = Vec::with_capacity(items.len() * self.encoder.dim());
        for some in items.chunks(TOGETHER) {
            if progress.is_cancelled() {
                return Ok(None);
            }
            let mut images = Vec::with_capacity(some.len());
            for &i in some {
                let radiograph = source.radiograph(i as usize, side)?;
                let pixels = radiograph.pixels().iter().map(|v| v.clamp(low, high)).collect();
                images.push(Radiograph::new(side, side, pixels, facts.meaning).map_err(|e| e.to_string())?);
            }
            features.extend(self.encoder.features(&images).map_err(|e| e.to_string())?);
        }
        Ok(Some(features))
    }

    /// Features of one sample for each real, with that real's labels; `None` when cancelled.
    fn sample(
        &self,
        samples: &Source,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Vec<f32>>, String> {
        let (side, facts) = (samples.side, source.facts());
        let [low, high] = facts.window;
        let mut rng = random::stream(self.seed, "latents of the quality measure");
        let mut features = Vec::with_capacity(self.items.len() * self.encoder.dim());
        for some in self.items.chunks(TOGETHER) {
            if progress.is_cancelled() {
                return Ok(None);
            }
            let latents = random::normals(&mut rng, some.len() * samples.latent);
            let labels: Vec<f32> = some.iter().flat_map(|&i| source.labels(i as usize)).copied().collect();
            let shown = (samples.draw)(latents, labels)?;
            let images = shown.chunks_exact(side * side).map(|image| {
                let pixels = image.iter().map(|v| (low + (v + 1.0) / 2.0 * (high - low)).clamp(low, high)).collect();
                Radiograph::new(side, side, pixels, facts.meaning).map_err(|e| e.to_string())
            });
            let images = images.collect::<Result<Vec<_>, String>>()?;
            features.extend(self.encoder.features(&images).map_err(|e| e.to_string())?);
        }
        Ok(Some(features))
    }
}

/// An encoder compares only images of the kind that it was trained on.
fn check_meaning(encoder: &Encoder, source: &dyn RadiographSource) -> Result<(), String> {
    if encoder.card().input.meaning == source.facts().meaning {
        return Ok(());
    }
    Err(format!("{} was trained on images of another kind than the cohort's", encoder.card().name))
}
