//! A step of WGAN-GP training: critic with gradient penalty, average, generator, both Adams.

use std::path::Path;
use std::process::{Command, Stdio};

use candle_core::Device;
use rand::Rng;
use serde_json::json;

use super::meter::{self, Meter, Row};
use super::networks::LABELS;
use super::weights::Weights;
use crate::compute::memory;
use crate::compute::random::{normals, stream};
use crate::finding::Vocabulary;
use crate::generator::Family;
use crate::radiograph::{Meaning, Radiograph};
use crate::training::reals::{Draw, gather};
use crate::training::spec::Level;
use crate::training::state::State;
use crate::training::{RadiographSource, TrainFold, presets};

/// Images in a minibatch at the papers' width, of which the papers take 16 to 256.
const BATCH: usize = 4;

/// Minibatches of a narrow network, to tell how a step grows with them.
const BATCHES: [usize; 5] = [1, 2, 4, 8, 16];

/// Side and most features of that network.
const NARROW: (usize, usize) = (32, 128);

/// One training step that is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Case {
    family: Family,
    side: usize,
    /// Most feature maps at any level.
    features: usize,
    batch: usize,
}

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

/// Both GANs at the papers' width at those of `sides` that are 32 and 64 px, and minibatches of a narrow one.
fn cases(sides: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for family in [Family::ProgGan, Family::CpdGan] {
        let sides = sides.iter().copied().filter(|side| [32, 64].contains(side));
        cases.extend(sides.map(|side| Case { family, side, features: 512, batch: BATCH }));
    }
    let (side, features) = NARROW;
    if sides.contains(&side) {
        cases.extend(BATCHES.map(|batch| Case { family: Family::ProgGan, side, features, batch }));
    }
    cases
}

/// Every case in a process of its own, so that its peak of memory holds nothing of the cases before; or, with `only`, the
/// case of that number in this one.
pub fn training(
    meter: Meter,
    sides: &[usize],
    only: Option<usize>,
    weights: Option<&Path>,
    tell: &mut impl FnMut(Row),
) -> anyhow::Result<()> {
    let cases = cases(sides);
    if let Some(number) = only {
        let case = cases.get(number).ok_or_else(|| anyhow::anyhow!("there are {} cases", cases.len()))?;
        tell(measured(meter, *case, weights)?);
        return Ok(());
    }
    let sides = sides.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    for number in 0..cases.len() {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--json", "--only", "training", "--sides", &sides, "--case", &number.to_string()]);
        if meter.quick {
            command.arg("--quick");
        }
        if let Some(folder) = weights {
            command.arg("--weights").arg(folder);
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "training could not be measured ({})", output.status);
        tell(Row::parse("training", std::str::from_utf8(&output.stdout)?.trim())?);
    }
    Ok(())
}

fn measured(meter: Meter, case: Case, weights: Option<&Path>) -> anyhow::Result<Row> {
    let Case { family, side, features, batch } = case;
    let mut spec = presets::preset(&format!("paper-{side}"), family)
        .ok_or_else(|| anyhow::anyhow!("there is no published setting for {side} px"))?;
    spec.network.feature_max = features;
    spec.schedule.levels = vec![Level { side, batch, fade_kimg: 0.0, stable_kimg: 0.0 }];
    spec.validate().map_err(anyhow::Error::msg)?;
    let source = Noise::new(side);
    let mut state = State::new(&spec, LABELS, &Device::Cpu)?;
    let mut draw = Draw::new(&source, spec.seed, spec.data.balanced);
    let file = match weights {
        Some(_) => Some(described(&state, &spec, &source, &mut draw, (side, batch))?),
        None => None,
    };
    let first = state.step(&spec, &source, &mut draw)?;
    if let (Some(folder), Some(mut file)) = (weights, file) {
        file.push("bench.output", &[2], vec![first.critic_loss, first.generator_loss]);
        file.write(folder, &format!("training-{}-{side}-{features}-{batch}", family.name()))?;
    }
    // Writing and reading the file is not part of a step.
    memory::forget_peak();
    let row = Row::new("training").with("network", family.name()).with("resolution", side);
    let row = row.with("features", features).with("batch", batch);
    let row = meter.time(row, || state.step(&spec, &source, &mut draw).map(|_| ()))?;
    Ok(match meter::memory_mb("VmHWM:") {
        Some(memory) => row.with("peak_memory_mb", memory),
        None => row,
    })
}

/// Weights before the first step, their run-time scales, and everything that step draws at random.
fn described(
    state: &State,
    spec: &crate::training::RunSpec,
    source: &Noise,
    draw: &mut Draw,
    (side, batch): (usize, usize),
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
    let (pixels, labels) = gather(source, &draw.batch(0, 0, batch), side).map_err(anyhow::Error::msg)?;
    let latents = |purpose: &str| normals(&mut stream(spec.seed, &format!("{purpose}, step 0")), batch * shape.latent);
    let mut mix = stream(spec.seed, "mixtures, step 0");
    file.push("bench.input.0", &[batch, 1, side, side], pixels);
    file.push("bench.input.1", &[batch, LABELS], labels);
    file.push("bench.input.2", &[batch, shape.latent], latents("critic latents"));
    file.push("bench.input.3", &[batch, shape.latent], latents("generator latents"));
    file.push("bench.input.4", &[batch, LABELS], draw.labels(0, batch));
    file.push("bench.input.5", &[batch, 1, 1, 1], (0..batch).map(|_| mix.random()).collect());
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_those_of_the_sides_asked_for() {
        assert_eq!(cases(&[32, 64, 128]).len(), 4 + BATCHES.len());
        let only = cases(&[64]);
        assert_eq!(only.iter().map(|case| (case.side, case.batch)).collect::<Vec<_>>(), [(64, BATCH), (64, BATCH)]);
    }
}
