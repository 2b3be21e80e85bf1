//! How near the samples have come to the reals of the train fold, measured while a run goes on.
//!
//! As published (facts on the GAN benchmark, §6) but for three things: the encoder is the project's own or the user's,
//! since Inception's weights cannot ship; the reals are the same at every measure, so that a change of the figure is a
//! change of the samples; and a fold of fewer reals than asked for is compared once, not shown several times. The number
//! compared is part of every figure.

use rand::seq::SliceRandom;

use super::TrainingError;
use super::events::Quality;
use super::reals::RadiographSource;
use super::spec::RunSpec;
use super::state::State;
use crate::compute::kernel::Instructions;
use crate::compute::random;
use crate::encoder::{Encoder, library};
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
        if encoder.card().input.meaning != facts.meaning {
            let name = &encoder.card().name;
            return Err(unusable(format!("{name} was trained on images of another kind than the cohort's")));
        }
        let mut items: Vec<u32> = (0..source.len() as u32).collect();
        items.shuffle(&mut random::stream(spec.seed, "reals of the quality measure"));
        items.truncate(spec.quality.count);
        if items.len() < 2 * NEIGHBOURS {
            return Ok(Err(format!("{} radiographs are too few to measure against", items.len())));
        }
        Ok(Ok(Self { encoder, items, reals: None }))
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
        let side = state.architecture.resolution;
        if self.reals.is_none() {
            let Some(features) = self.encode(source, &self.items, side, progress).map_err(wrong)? else {
                return Ok(None);
            };
            let Some(moments) = Moments::of(&features, self.encoder.dim()) else {
                return Err(wrong("its features are not numbers; the encoder does not suit it".to_owned()));
            };
            let mut held_out = Vec::new();
            if let Some(other) = source.held_out() {
                let all: Vec<u32> = (0..other.len().min(spec.quality.count) as u32).collect();
                let Some(others) = self.encode(other, &all, side, progress).map_err(wrong)? else { return Ok(None) };
                held_out = fidelity::nearest_cosine(&others, &features, self.encoder.dim()).unwrap_or_default();
                held_out.sort_by(f32::total_cmp);
            }
            self.reals = Some(Reals { features, moments, held_out });
        }
        let Some(features) = self.sample(state, spec, source, progress).map_err(wrong)? else { return Ok(None) };
        let Some(reals) = &self.reals else { return Ok(None) };
        let dim = self.encoder.dim();
        let not_numbers = || wrong("the samples' features are not numbers".to_owned());
        let moments = Moments::of(&features, dim).ok_or_else(not_numbers)?;
        let fid = reals.moments.distance(&moments).ok_or_else(not_numbers)?;
        let block = (self.items.len() / 10).clamp(100, 1000);
        let kid = fidelity::kernel_distance(&reals.features, &features, dim, block).ok_or_else(not_numbers)?;
        let manifold = fidelity::manifold(&reals.features, &features, dim, NEIGHBOURS);
        let nearest_percentile = (!reals.held_out.is_empty())
            .then(|| {
                let nearest = fidelity::nearest_cosine(&features, &reals.features, dim)?;
                let mut shares: Vec<f64> =
                    nearest.iter().map(|&distance| f64::from(percentile_of(&reals.held_out, distance))).collect();
                shares.sort_by(f64::total_cmp);
                quantile(&shares, 0.5)
            })
            .flatten();
        Ok(Some(Quality {
            step: state.position.step,
            kimg: state.position.shown as f64 / 1000.0,
            fid,
            kid: kid.mean,
            kid_deviation: kid.deviation,
            count: self.items.len(),
            encoder: self.encoder.card().name.clone(),
            precision: manifold.map(|m| m.precision),
            recall: manifold.map(|m| m.recall),
            density: manifold.map(|m| m.density),
            coverage: manifold.map(|m| m.coverage),
            nearest_percentile,
        }))
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
        state: &State,
        spec: &RunSpec,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Vec<f32>>, String> {
        let failed = |e: candle_core::Error| e.to_string();
        let architecture = &state.architecture;
        let (side, facts) = (architecture.resolution, source.facts());
        let [low, high] = facts.window;
        let engine = if state.device.is_cpu() {
            let tensors = state.average.to_vecs().map_err(failed)?;
            Some(Sampler::new(architecture, &tensors, Instructions::best()))
        } else {
            None
        };
        let mut rng = random::stream(spec.seed, "latents of the quality measure");
        let mut features = Vec::with_capacity(self.items.len() * self.encoder.dim());
        for some in self.items.chunks(TOGETHER) {
            if progress.is_cancelled() {
                return Ok(None);
            }
            let latents = random::normals(&mut rng, some.len() * architecture.latent);
            let labels: Vec<f32> = some.iter().flat_map(|&i| source.labels(i as usize)).copied().collect();
            let mut shown = vec![0.0; some.len() * side * side];
            if let Some(engine) = &engine {
                engine.sample(&latents, &labels, &mut shown);
            } else {
                let place = |values: Vec<f32>, width: usize| {
                    candle_core::Tensor::from_vec(values, (some.len(), width), &state.device)
                };
                let (z, y) = (place(latents, architecture.latent), place(labels, architecture.labels));
                let images = generate(
                    &state.average.parameters(),
                    architecture,
                    &z.map_err(failed)?,
                    &y.map_err(failed)?,
                    state.growth(spec),
                );
                let values = images.and_then(|images| images.flatten_all()?.to_vec1::<f32>());
                shown = values.map_err(failed)?;
            }
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
