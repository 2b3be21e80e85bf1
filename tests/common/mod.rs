//! A small world for the window's tests: a generator and an encoder with random weights, and forty phantoms.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Vec2, vec2};
use egui_kittest::Harness;
use negatoscope::cohort::Pack;
use negatoscope::cohort::phantom::{self, Kind, PhantomOptions};
use negatoscope::compute::random;
use negatoscope::desktop::{App, Options, state::Settings};
use negatoscope::encoder::{self, DenseNetConfig, EncoderCard, EncoderTraining, Input, Role};
use negatoscope::finding::Vocabulary;
use negatoscope::generator::card::Training;
use negatoscope::generator::{Architecture, Family, ModelCard, Precision, model_file};
use negatoscope::progress::Progress;
use negatoscope::radiograph::Meaning;
use tempfile::TempDir;

/// The folder of one test.
pub struct World {
    pub folder: TempDir,
    pub model: PathBuf,
    pub pack: PathBuf,
}

/// Writes generator, phantoms and encoder.
pub fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("phantoms");
    let options = PhantomOptions { kind: Kind::Chest, count: 40, resolution: 32, seed: 1, out: pack.clone() };
    phantom::write(&options, &Progress::new()).unwrap();
    let identity = Pack::open(&pack).unwrap().header().identity.clone();
    encoder_file(&pack.join("encoder.safetensors"), &identity);
    let model = folder.path().join("test-chest.safetensors");
    model_with(&model, "test-chest", &identity, 1);
    World { folder, model, pack }
}

/// A generator with random weights that states this cohort.
pub fn model_with(path: &Path, name: &str, cohort: &str, seed: u64) {
    let vocabulary = Vocabulary::chexpert();
    let architecture = Architecture {
        family: Family::CpdGan,
        resolution: 32,
        latent: 16,
        labels: vocabulary.len(),
        feature_base: 128,
        feature_max: 16,
    };
    let card = ModelCard {
        name: name.to_owned(),
        architecture,
        vocabulary,
        meaning: Meaning::Density,
        range: [0.0, 1.0],
        training: Training {
            cohort: "phantom-chest".into(),
            cohort_hash: cohort.to_owned(),
            phantom: true,
            images: 32,
            patients: 14,
            steps: 0,
            kimg: 0.0,
            seed,
            schedule: "random weights".into(),
        },
        metrics: BTreeMap::from([("auroc_real".to_owned(), 0.5)]),
        remarks: vec!["Random weights: it draws nothing.".into()],
        licence: "MIT OR Apache-2.0".into(),
        citation: String::new(),
    };
    let tensors = architecture
        .generator()
        .into_iter()
        .map(|p| {
            let values = random::normals(&mut random::stream(seed, &p.name), p.count());
            (p.name, (p.shape, values))
        })
        .collect();
    model_file::write(path, &card, &tensors, Precision::F16).unwrap();
}

/// A small encoder with random weights that states this cohort.
fn encoder_file(path: &Path, cohort: &str) {
    let vocabulary = Vocabulary::chexpert();
    let architecture = DenseNetConfig::small(vocabulary.len());
    let card = EncoderCard {
        name: "test-encoder".into(),
        preset: "small".into(),
        architecture: architecture.clone(),
        input: Input::native(32, Meaning::Density, [0.0, 1.0]),
        vocabulary,
        training: EncoderTraining {
            cohort: "phantom-chest".into(),
            cohort_hash: cohort.to_owned(),
            phantom: true,
            images: 32,
            patients: 14,
            schedule: "random weights".into(),
            seed: 1,
            source: encoder::Source::Films,
        },
        metrics: BTreeMap::new(),
        remarks: vec![],
        licence: "MIT OR Apache-2.0".into(),
        citation: String::new(),
    };
    let tensors = architecture
        .parameters()
        .into_iter()
        .map(|p| {
            let fan_in = (p.count() / p.shape[0]).max(1) as f32;
            let values = match p.role {
                Role::Scale | Role::RunningVariance => vec![1.0; p.count()],
                Role::Bias | Role::Shift | Role::RunningMean => vec![0.0; p.count()],
                Role::Convolution | Role::Dense => random::normals(&mut random::stream(7, &p.name), p.count())
                    .into_iter()
                    .map(|value| value * (2.0 / fan_in).sqrt())
                    .collect(),
            };
            (p.name, (p.shape, values))
        })
        .collect();
    encoder::file::write(path, &card, &tensors, encoder::Precision::F32).unwrap();
}

/// The window without a graphics device.
pub fn window(options: Options) -> Harness<'static, App> {
    window_of(options, vec2(1440.0, 900.0))
}

/// As [`window`], with another size.
pub fn window_of(options: Options, size: Vec2) -> Harness<'static, App> {
    let builder = Harness::builder().with_size(size).with_max_steps(64);
    builder.build_eframe(move |cc| App::new(cc, &options).expect("the system has threads"))
}

/// Options that open these and remember nothing.
pub fn options(model: Option<&Path>, cohort: Option<&Path>) -> Options {
    Options {
        model: model.map(Path::to_path_buf),
        cohort: cohort.map(Path::to_path_buf),
        settings: Some(Settings::default()),
        system_dialogs: false,
        ..Options::default()
    }
}

/// Draws frames until `done`, or fails after a while with `what`.
pub fn wait(harness: &mut Harness<'static, App>, what: &str, mut done: impl FnMut(&App) -> bool) {
    let start = Instant::now();
    loop {
        harness.step();
        if done(harness.state()) {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    harness.step();
}

/// Draws frames until all workers rest.
pub fn settle(harness: &mut Harness<'static, App>) {
    harness.step();
    wait(harness, "all workers to rest", App::is_settled);
    harness.step();
}

/// A file dropped on the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// Drops a file on the window.
pub fn drop_file(harness: &mut Harness<'static, App>, path: &Path) {
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_path_buf())));
    harness.step();
}
