//! The model file of a run: the average of the generator, with its card.

use std::collections::BTreeMap;
use std::path::Path;

use super::TrainingError;
use super::reals::RadiographSource;
use super::spec::{Augment, Loss, RunSpec};
use super::state::State;
use crate::generator::card::Training;
use crate::generator::model_file::{self, Precision};
use crate::generator::{Family, ModelCard};

/// Whether the network has its full size, so that a model file makes sense.
pub fn is_grown(state: &State, spec: &RunSpec) -> bool {
    let growth = state.growth(spec);
    growth.side == state.architecture.resolution && growth.fade == 0.0
}

/// Writes the average of the generator with its card.
///
/// # Errors
/// When the disk refuses.
pub fn write_model(
    path: &Path,
    state: &State,
    spec: &RunSpec,
    source: &dyn RadiographSource,
) -> Result<(), TrainingError> {
    let precision = if spec.record.half_precision { Precision::F16 } else { Precision::F32 };
    let tensors = state.average.to_vecs()?;
    model_file::write(path, &card(state, spec, source), &tensors, precision)
        .map_err(|e| TrainingError::Folder { path: path.to_path_buf(), problem: e.to_string() })
}

fn card(state: &State, spec: &RunSpec, source: &dyn RadiographSource) -> ModelCard {
    let facts = source.facts();
    ModelCard {
        name: spec.name.clone(),
        architecture: state.architecture,
        vocabulary: facts.vocabulary.clone(),
        meaning: facts.meaning,
        range: facts.window,
        training: Training {
            cohort: facts.cohort.clone(),
            cohort_hash: facts.identity.clone(),
            phantom: facts.phantom,
            images: source.len(),
            patients: facts.patients,
            steps: state.position.step,
            kimg: state.position.shown as f64 / 1000.0,
            seed: spec.seed,
            schedule: schedule_line(spec),
        },
        metrics: BTreeMap::new(),
        remarks: Vec::new(),
        licence: facts.licence.clone(),
        citation: facts.citation.clone(),
    }
}

/// The run in a line: loss, growth, minibatches, and what else differs from the papers.
fn schedule_line(spec: &RunSpec) -> String {
    let mut parts = vec![match spec.loss {
        Loss::WganGp { penalty, drift } => format!("WGAN-GP (penalty {penalty}, drift {drift})"),
        Loss::R1 { gamma, every, label_weight } => {
            let labels = match spec.network.family {
                Family::ProgGan => format!(", label weight {label_weight}"),
                Family::CpdGan => String::new(),
            };
            format!("not the paper's loss: logistic with R1 (gamma {gamma} every {every} steps{labels})")
        }
    }];
    let levels = spec.schedule.levels.iter().map(|level| format!("{} px in {}s", level.side, level.batch));
    parts.push(format!("{} kimg in all, {}", spec.schedule.total_kimg, levels.collect::<Vec<_>>().join(", ")));
    parts.push(format!("Adam {} ({}, {})", spec.optimiser.rate, spec.optimiser.beta1, spec.optimiser.beta2));
    if let Some(share) = spec.optimiser.below {
        parts.push(format!("{share} of the rate for the generator's levels below {} px", spec.network.resolution));
    }
    match spec.data.augment {
        Augment::None => {}
        Augment::Translate => parts.push("shifts of reals and samples".to_owned()),
        Augment::TranslateTone => parts.push("shifts, brightness and contrast of reals and samples".to_owned()),
    }
    if let Some(anchor) = spec.anchor {
        let text = "not the paper's: generator tied to the train fold's principal components";
        parts.push(format!("{text}, alone for {} kimg, then with weight {}", anchor.alone_kimg, anchor.weight));
        if anchor.findings > 0.0 {
            let later =
                if anchor.later() == anchor.findings { String::new() } else { format!(", then {}", anchor.later()) };
            parts.push(format!("average change with each finding, weight {}{later}", anchor.findings));
        }
        if let Some(rate) = anchor.rate {
            parts.push(format!("rate {rate} while alone"));
        }
    }
    if spec.data.balanced {
        parts.push("findings drawn equally often".to_owned());
    }
    if let Some(from) = spec.start_from.as_deref().and_then(Path::file_name) {
        parts.push(format!("weights started from another run ({})", from.to_string_lossy()));
    }
    parts.join("; ")
}
