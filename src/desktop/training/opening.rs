//! Opening a checkpoint in Explore: a model file is made of it, beside everything else and without touching the run.

use std::path::{Path, PathBuf};

use candle_core::Device;
use eframe::egui;

use super::Places;
use super::watcher::Best;
use crate::desktop::session::Trained;
use crate::desktop::task::{Outcome, Task};
use crate::training::pack::PackSource;
use crate::training::run_folder::RunFolder;
use crate::training::spec::RunSpec;
use crate::training::{RadiographSource as _, checkpoint, export};

/// A checkpoint that is being opened.
pub struct Opening {
    task: Task<Result<Trained, String>>,
}

impl Opening {
    /// Begins to make a model file of the checkpoint of `step` of the run in `root`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn begin(ctx: &egui::Context, root: &Path, step: u64, places: &Places) -> std::io::Result<Self> {
        let (root, models) = (root.to_path_buf(), places.models());
        let task = Task::spawn("open checkpoint", ctx, move |_| model_of(&root, step, &models))?;
        Ok(Self { task })
    }

    /// Looks whether the model file is there.
    pub fn poll(&self) -> Outcome<Result<Trained, String>> {
        self.task.poll()
    }
}

/// The file of the checkpoint of `step`: its own, or where that has gone the best one's, if it is of that step.
fn file_of(root: &Path, step: u64) -> PathBuf {
    let own = root.join(RunFolder::checkpoint(step));
    match Best::read(root) {
        Some(best) if best.step == step && !own.is_file() => RunFolder::best_of(root),
        _ => own,
    }
}

/// The model file of a checkpoint, made where it is not there already.
fn model_of(root: &Path, step: u64, models: &Path) -> Result<Trained, String> {
    let spec = RunSpec::read(&root.join("run.toml")).map_err(|error| error.to_string())?;
    let source = PackSource::open(&spec.cohort).map_err(|error| error.to_string())?;
    let labels = source.facts().vocabulary.len();
    let state =
        checkpoint::read(&file_of(root, step), &spec, labels, &Device::Cpu).map_err(|error| error.to_string())?;
    if !export::is_grown(&state, &spec) {
        let side = state.growth(&spec).side;
        return Err(format!(
            "At step {step} the network draws {side} px and has not grown to its {} px; a model can be opened once it has.",
            spec.network.resolution
        ));
    }
    std::fs::create_dir_all(models).map_err(|error| format!("cannot make {}: {error}", models.display()))?;
    let run = root.file_name().unwrap_or_default().to_string_lossy();
    let path = models.join(format!("{run}-{step}.safetensors"));
    export::write_model(&path, &state, &spec, &source).map_err(|error| error.to_string())?;
    Ok(Trained { model: path, pack: spec.cohort })
}
