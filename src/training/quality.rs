//! How near samples have come to the reals of the train fold: measured while a run goes on, and of a finished model.
//!
//! As published (DuMont Schütte 2021) but for three things: the encoder is the project's own or the user's,
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

/// Measures samples against a fixed set of reals, by one encoder or by two: both see the same reals and the same samples, and
/// either both have figures of a measure or, where it was cancelled, none has.
pub struct Meter {
    /// The first is the one that judges.
    gauges: Vec<Gauge>,
    /// The radiographs of the train fold that are compared.
    items: Vec<u32>,
    /// Of the reals' choice and of the samples' latents.
    seed: u64,
}

/// One encoder, and what it sees of the reals.
struct Gauge {
    encoder: Encoder,
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
    let mut meter = Meter::new(vec![encoder], source, count, seed).map_err(wrong)?;
    let found = meter.compare(&Source { side, latent, draw: &draw }, source, progress).map_err(wrong)?;
    let training = &model.card.training;
    let stamped = |quality| Quality { step: training.steps, kimg: training.kimg, ..quality };
    Ok(found.and_then(|qualities| qualities.into_iter().next()).map(stamped))
}

impl Meter {
    /// The meter that a run's spec asks for, or why there is none.
    ///
    /// # Errors
    /// [`TrainingError::Spec`], named after the setting, when an encoder cannot be used.
    pub fn open(spec: &RunSpec, source: &dyn RadiographSource) -> Result<Result<Self, String>, TrainingError> {
        let unusable = |setting: &str, problem| TrainingError::Spec { path: setting.into(), problem };
        let facts = source.facts();
        let load = |setting: &str, file: &Path| -> Result<Encoder, TrainingError> {
            let encoder = Encoder::for_images(file, facts.meaning, facts.window);
            let encoder = encoder.map_err(|error| unusable(setting, error.to_string()))?;
            check_meaning(&encoder, source).map_err(|problem| unusable(setting, problem))?;
            Ok(encoder)
        };
        let first = match &spec.quality.encoder {
            Some(file) => Some(load("quality.encoder", file)?),
            None => library::for_cohort(&facts.identity, Some(&spec.cohort)),
        };
        let second =
            spec.quality.second_encoder.as_deref().map(|file| load("quality.second_encoder", file)).transpose()?;
        let encoders = match (first, second) {
            (Some(first), Some(second)) => {
                let name = &second.card().name;
                if *name == first.card().name || second.hash() == first.hash() {
                    let problem = format!("{name} is the first encoder too, or is called like it; name another file");
                    return Err(unusable("quality.second_encoder", problem));
                }
                vec![first, second]
            }
            (Some(first), None) => vec![first],
            (None, Some(_)) => {
                let problem = "there is no first encoder, for none was trained on this cohort: name this file in \
                               quality.encoder instead";
                return Err(unusable("quality.second_encoder", problem.to_owned()));
            }
            (None, None) => {
                let text = "there is no encoder that was trained on this cohort: train one with \"negatoscope encoder train\" \
                            and name its file in quality.encoder";
                return Ok(Err(text.to_owned()));
            }
        };
        Ok(Self::new(encoders, source, spec.quality.count, spec.seed))
    }

    /// A meter of at most `count` reals, chosen by `seed`; or why there is none. The first encoder judges.
    fn new(encoders: Vec<Encoder>, source: &dyn RadiographSource, count: usize, seed: u64) -> Result<Self, String> {
        encoders.iter().try_for_each(|encoder| check_meaning(encoder, source))?;
        let mut items: Vec<u32> = (0..source.len() as u32).collect();
        items.shuffle(&mut random::stream(seed, "reals of the quality measure"));
        items.truncate(count);
        if items.len() < 2 * NEIGHBOURS {
            return Err(format!("{} radiographs are too few to measure against", items.len()));
        }
        let gauges = encoders.into_iter().map(|encoder| Gauge { encoder, reals: None }).collect();
        Ok(Self { gauges, items, seed })
    }

    /// Measures the average of the generator: the figures of the encoder that judges, then those of the second where there is
    /// one. `None` when cancelled on the way.
    ///
    /// # Errors
    /// When a radiograph cannot be read, or the figures are not numbers.
    pub fn measure(
        &mut self,
        state: &State,
        spec: &RunSpec,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Vec<Quality>>, TrainingError> {
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
        let stamped = |quality| Quality { step, kimg, ..quality };
        Ok(found.map(|qualities| qualities.into_iter().map(stamped).collect()))
    }

    /// Draws one sample for each real, with that real's findings, and compares by each encoder in turn; `None` when cancelled.
    /// Step and count of images are left at 0.
    fn compare(
        &mut self,
        samples: &Source,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Vec<Quality>>, String> {
        for gauge in &mut self.gauges {
            if gauge.reals.is_none() {
                gauge.reals = gauge.encode_reals(source, &self.items, samples.side, progress)?;
            }
        }
        let Some(features) = self.sample(samples, source, progress)? else { return Ok(None) };
        let mut qualities = Vec::with_capacity(self.gauges.len());
        for (place, (gauge, features)) in self.gauges.iter().zip(&features).enumerate() {
            let Some(reals) = &gauge.reals else { return Ok(None) };
            qualities.push(Quality { second: place > 0, ..reals.compare(&gauge.encoder, features)? });
        }
        Ok(Some(qualities))
    }

    /// Features of one sample for each real, with that real's labels, as each encoder sees them; `None` when cancelled.
    fn sample(
        &self,
        samples: &Source,
        source: &dyn RadiographSource,
        progress: &Progress,
    ) -> Result<Option<Vec<Vec<f32>>>, String> {
        let (side, facts) = (samples.side, source.facts());
        let [low, high] = facts.window;
        let mut rng = random::stream(self.seed, "latents of the quality measure");
        let room = |gauge: &Gauge| Vec::with_capacity(self.items.len() * gauge.encoder.dim());
        let mut features: Vec<Vec<f32>> = self.gauges.iter().map(room).collect();
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
            for (gauge, features) in self.gauges.iter().zip(&mut features) {
                features.extend(gauge.encoder.features(&images).map_err(|e| e.to_string())?);
            }
        }
        Ok(Some(features))
    }
}

impl Gauge {
    /// Features of the reals; `None` when cancelled.
    fn encode_reals(
        &self,
        source: &dyn RadiographSource,
        items: &[u32],
        side: usize,
        progress: &Progress,
    ) -> Result<Option<Reals>, String> {
        let dim = self.encoder.dim();
        let Some(features) = self.encode(source, items, side, progress)? else { return Ok(None) };
        let Some(moments) = Moments::of(&features, dim) else {
            return Err(format!(
                "its features by {} are not numbers; this encoder does not suit it",
                self.encoder.card().name
            ));
        };
        let mut held_out = Vec::new();
        if let Some(other) = source.held_out() {
            let all: Vec<u32> = (0..other.len().min(items.len()) as u32).collect();
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
}

impl Reals {
    /// Figures of as many samples by their features `[N, dim]`. Step and count of images are left at 0.
    fn compare(&self, encoder: &Encoder, features: &[f32]) -> Result<Quality, String> {
        let (dim, name) = (encoder.dim(), &encoder.card().name);
        let not_numbers = || format!("the samples' features by {name} are not numbers");
        let count = features.len() / dim;
        let moments = Moments::of(features, dim).ok_or_else(not_numbers)?;
        let fid = self.moments.distance(&moments).ok_or_else(not_numbers)?;
        let block = (count / 10).clamp(100, 1000);
        let kid = fidelity::kernel_distance(&self.features, features, dim, block).ok_or_else(not_numbers)?;
        let manifold = fidelity::manifold(&self.features, features, dim, NEIGHBOURS);
        let nearest = (!self.held_out.is_empty()).then(|| fidelity::nearest_cosine(features, &self.features, dim));
        let mut percentiles: Vec<f64> = nearest.flatten().map_or(Vec::new(), |nearest| {
            nearest.iter().map(|&distance| f64::from(percentile_of(&self.held_out, distance))).collect()
        });
        percentiles.sort_by(f64::total_cmp);
        let close = percentiles.iter().filter(|&&percentile| percentile < 1.0).count();
        Ok(Quality {
            step: 0,
            kimg: 0.0,
            fid,
            kid: kid.mean,
            kid_deviation: kid.deviation,
            count,
            encoder: name.clone(),
            precision: manifold.map(|m| m.precision),
            recall: manifold.map(|m| m.recall),
            density: manifold.map(|m| m.density),
            coverage: manifold.map(|m| m.coverage),
            nearest_percentile: quantile(&percentiles, 0.5),
            nearest_hundredth: (!percentiles.is_empty()).then(|| close as f64 / percentiles.len() as f64),
            second: false,
        })
    }
}

/// An encoder compares only images of the kind that it was trained on.
fn check_meaning(encoder: &Encoder, source: &dyn RadiographSource) -> Result<(), String> {
    if encoder.card().input.meaning == source.facts().meaning {
        return Ok(());
    }
    Err(format!("{} was trained on images of another kind than the cohort's", encoder.card().name))
}
