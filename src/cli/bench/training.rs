//! A step of WGAN-GP training at the papers' width: critic with gradient penalty, average, generator, both Adams.

use std::path::Path;

use candle_core::Device;
use rand::Rng;
use serde_json::json;

use super::meter::{self, Meter, Row};
use super::networks::LABELS;
use super::weights::Weights;
use crate::compute::random::{normals, stream};
use crate::finding::Vocabulary;
use crate::generator::Family;
use crate::radiograph::{Meaning, Radiograph};
use crate::training::reals::{Draw, gather};
use crate::training::spec::Level;
use crate::training::state::State;
use crate::training::{RadiographSource, TrainFold, presets};

/// Images in a minibatch. The papers take 16 to 256; on a processor the time of a step grows with it in proportion.
const BATCH: usize = 4;

/// Noise in place of films: a step takes the same time for any.
struct Noise {
    facts: TrainFold,
    labels: Vec<f32>,
    films: Vec<Vec<f32>>,
    side: usize,
}

impl Noise {
    fn new(side: usize) -> Self {
        let mut rng = stream(5, "films");
        let facts = TrainFold {
            cohort: "noise".to_owned(),
            identity: "0".repeat(64),
            phantom: true,
            vocabulary: Vocabulary::new("noise", (0..LABELS).map(|i| format!("Finding {i}"))),
            meaning: Meaning::Density,
            window: [0.0, 1.0],
            patients: LABELS,
            licence: "none".to_owned(),
            citation: String::new(),
        };
        let film = |_| normals(&mut rng, side * side).into_iter().map(|v| 0.5 + 0.2 * v).collect();
        let films = (0..LABELS).map(film).collect();
        let labels = (0..LABELS * LABELS).map(|i| f32::from(i / LABELS == i % LABELS)).collect();
        Self { facts, labels, films, side }
    }
}

impl RadiographSource for Noise {
    fn facts(&self) -> &TrainFold {
        &self.facts
    }

    fn len(&self) -> usize {
        LABELS
    }

    fn labels(&self, i: usize) -> &[f32] {
        &self.labels[i * LABELS..][..LABELS]
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<Radiograph, String> {
        let film = Radiograph::new(self.side, self.side, self.films[i].clone(), Meaning::Density);
        film.and_then(|film| film.resized(side, side)).map_err(|error| error.to_string())
    }
}

/// Both GANs at those of `sides` that are 32 and 64 px.
pub fn training(
    meter: Meter,
    sides: &[usize],
    weights: Option<&Path>,
    tell: &mut impl FnMut(Row),
) -> anyhow::Result<()> {
    for family in [Family::ProgGan, Family::CpdGan] {
        for &side in sides.iter().filter(|&&side| [32, 64].contains(&side)) {
            let mut spec = presets::preset(&format!("paper-{side}"), family)
                .ok_or_else(|| anyhow::anyhow!("there is no published setting for {side} px"))?;
            spec.schedule.levels = vec![Level { side, batch: BATCH, fade_kimg: 0.0, stable_kimg: 0.0 }];
            spec.validate().map_err(anyhow::Error::msg)?;
            meter::forget_peak_memory();
            let source = Noise::new(side);
            let mut state = State::new(&spec, LABELS, &Device::Cpu)?;
            let mut draw = Draw::new(&source, spec.seed, spec.data.balanced);
            let file = match weights {
                Some(_) => Some(described(&state, &spec, &source, &mut draw, side)?),
                None => None,
            };
            let first = state.step(&spec, &source, &mut draw)?;
            if let (Some(folder), Some(mut file)) = (weights, file) {
                file.push("bench.output", &[2], vec![first.critic_loss, first.generator_loss]);
                file.write(folder, &format!("training-{}-{side}", family.name()))?;
            }
            let row = Row::new("training").with("network", family.name()).with("resolution", side);
            let row = row.with("batch", BATCH);
            let row = meter.time(row, || state.step(&spec, &source, &mut draw).map(|_| ()))?;
            tell(match meter::peak_memory() {
                Some(memory) => row.with("peak_memory_mb", memory),
                None => row,
            });
        }
    }
    Ok(())
}

/// Weights before the first step, their run-time scales, and everything that step draws at random.
fn described(
    state: &State,
    spec: &crate::training::RunSpec,
    source: &Noise,
    draw: &mut Draw,
    side: usize,
) -> anyhow::Result<Weights> {
    let shape = &state.architecture;
    let lists = [(&state.generator, shape.generator()), (&state.critic, shape.critic())];
    let scales: serde_json::Map<_, _> =
        lists.iter().flat_map(|(_, list)| list).map(|p| (p.name.clone(), f64::from(p.scale).into())).collect();
    let adam = spec.optimiser;
    let mut file = Weights::new(json!({
        "work": "training", "network": shape.family.name(), "resolution": side, "scales": scales,
        "rate": adam.rate, "beta1": adam.beta1, "beta2": adam.beta2, "epsilon": adam.epsilon,
    }));
    for (parameters, list) in lists {
        for parameter in list {
            let values = parameters.get(&parameter.name)?.flatten_all()?.to_vec1()?;
            file.push(parameter.name, &parameter.shape, values);
        }
    }
    let (pixels, labels) = gather(source, &draw.batch(0, 0, BATCH), side).map_err(anyhow::Error::msg)?;
    let latents = |purpose: &str| normals(&mut stream(spec.seed, &format!("{purpose}, step 0")), BATCH * shape.latent);
    let mut mix = stream(spec.seed, "mixtures, step 0");
    file.push("bench.input.0", &[BATCH, 1, side, side], pixels);
    file.push("bench.input.1", &[BATCH, LABELS], labels);
    file.push("bench.input.2", &[BATCH, shape.latent], latents("critic latents"));
    file.push("bench.input.3", &[BATCH, shape.latent], latents("generator latents"));
    file.push("bench.input.4", &[BATCH, LABELS], draw.labels(0, BATCH));
    file.push("bench.input.5", &[BATCH, 1, 1, 1], (0..BATCH).map(|_| mix.random()).collect());
    Ok(file)
}
