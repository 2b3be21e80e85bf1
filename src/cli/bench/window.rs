//! The window itself: from a slider's move to pixels, from a process's start to the first sample, and its memory.
//!
//! Each figure is taken in a process of its own, which opens the real window offscreen, so that nothing of what was
//! measured before is in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::data::{Scratch, write_pack};
use super::meter::{Meter, Row, cpu_seconds, memory_mb};
use super::networks::{LABELS, drawn, random_encoder};
use crate::cohort::{Fold, Pack};
use crate::compute::random::{normals, stream};
use crate::desktop::Options;
use crate::desktop::probe::{Movement, Probe};
use crate::desktop::state::Settings;
use crate::encoder::{self, DenseNetConfig, Encoder, Input};
use crate::finding::Vocabulary;
use crate::generator::card::Training;
use crate::generator::{Architecture, Family, ModelCard, Precision, library, model_file};
use crate::neighbour;
use crate::radiograph::Meaning;

/// Side and films of the explorer whose memory is told.
const SIDE: usize = 128;
const FILMS: usize = 400_000;

/// What a process of its own measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The time to the first sample in the window's pixels.
    First,
    /// Movements of a slider, and the memory of the window at the end.
    Drag,
}

/// Every shipped model, and one of 128 px at the papers' width: alone, and with a pack of 400,000 films.
pub fn window(meter: Meter, tell: &mut impl FnMut(Row)) -> anyhow::Result<()> {
    let scratch = Scratch::new("window")?;
    let large = large(&scratch, meter.scaled(FILMS))?;
    let mut models: Vec<(String, usize, PathBuf)> = Vec::new();
    for entry in library::shipped() {
        models.push((entry.card.name, entry.card.architecture.resolution, entry.path));
    }
    models.push((format!("prog-GAN {SIDE} px, papers' width"), SIDE, large.model.clone()));
    let moves = meter.scaled(100).max(20);
    for (name, side, path) in &models {
        let row = Row::new("slider").with("network", name.as_str()).with("resolution", *side);
        tell(dragged(row, path, None, moves));
    }
    let name = format!("prog-GAN {SIDE} px, papers' width");
    let row = Row::new("slider").with("network", name).with("resolution", SIDE);
    tell(dragged(row, &large.model, Some(&large.pack), moves));
    for (name, side, path) in &models {
        let row = Row::new("first sample").with("network", name.as_str()).with("resolution", *side);
        let mut times = Vec::new();
        for _ in 0..5 {
            // Without a driver no window opens: the row says so, and the table goes on.
            match child(Part::First, path, None, 0) {
                Ok((_, time)) => times.push(time.as_secs_f64() * 1e3),
                Err(error) => {
                    tell(row.with("failed", error.to_string()));
                    return Ok(());
                }
            }
        }
        tell(row.measured(times, None));
    }
    Ok(())
}

/// A model of 128 px, the pack it states, and features of all its films.
struct Large {
    model: PathBuf,
    pack: PathBuf,
}

/// Random weights, grey films, and features drawn rather than computed: 400,000 films would take minutes to encode.
fn large(scratch: &Scratch, films: usize) -> anyhow::Result<Large> {
    let folder = scratch.0.join("pack");
    write_pack(&folder, films)?;
    let pack = Pack::open(&folder)?;
    let (encoder, tensors) =
        random_encoder("small", &DenseNetConfig::small(LABELS), Input::native(64, Meaning::Density, [0.0, 1.0]));
    let mut card = encoder.card().clone();
    card.training.cohort_hash.clone_from(&pack.header().identity);
    let path = folder.join("encoder.safetensors");
    encoder::file::write(&path, &card, &tensors, encoder::Precision::F32)?;
    let encoder = Encoder::load(&path)?;
    let (train, held_out) = (pack.fold_indices(Fold::Train).len(), films - pack.fold_indices(Fold::Train).len());
    let features = normals(&mut stream(5, "features"), train * encoder.dim());
    let distances = (0..held_out).map(|film| 0.1 + 0.8 * film as f32 / held_out as f32).collect();
    neighbour::keep_features(&pack, &encoder, &features, distances)?;

    let architecture = Architecture::paper(Family::ProgGan, SIDE, LABELS);
    let card = ModelCard {
        name: "bench".to_owned(),
        architecture,
        vocabulary: Vocabulary::new("bench", (0..LABELS).map(|i| format!("Finding {i}"))),
        meaning: Meaning::Density,
        range: [0.0, 1.0],
        training: Training {
            cohort: "bench".to_owned(),
            cohort_hash: pack.header().identity.clone(),
            phantom: true,
            images: films,
            patients: films / 3,
            steps: 0,
            kimg: 0.0,
            seed: 1,
            schedule: "random weights".to_owned(),
        },
        metrics: std::collections::BTreeMap::new(),
        remarks: Vec::new(),
        licence: "none".to_owned(),
        citation: String::new(),
    };
    let model = scratch.0.join("bench.safetensors");
    model_file::write(&model, &card, &drawn(&architecture), Precision::F16)?;
    Ok(Large { model, pack: folder })
}

/// A row with the figures of a drag, or with why there are none.
fn dragged(row: Row, model: &Path, pack: Option<&Path>, moves: usize) -> Row {
    match child(Part::Drag, model, pack, moves) {
        Ok((figures, _)) => figures.into_iter().fold(row, |row, (name, value)| row.with(&name, value)),
        Err(error) => row.with("failed", error.to_string()),
    }
}

/// Runs a part in a process of its own and reads its line; tells how long after its start the line came.
fn child(
    part: Part,
    model: &Path,
    pack: Option<&Path>,
    moves: usize,
) -> anyhow::Result<(Map<String, Value>, Duration)> {
    let begun = Instant::now();
    let mut command = Command::new(std::env::current_exe()?);
    let part = if part == Part::First { "first" } else { "drag" };
    command.args(["bench", "--part", part, "--moves", &moves.to_string(), "--model"]).arg(model);
    if let Some(pack) = pack {
        command.arg("--cohort").arg(pack);
    }
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let time = begun.elapsed();
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "the window of {} could not be measured ({status})", model.display());
    Ok((serde_json::from_str(&line)?, time))
}

/// What the process of its own does: opens the window, measures, prints one line.
pub fn part(part: Part, model: &Path, pack: Option<&Path>, moves: usize) -> anyhow::Result<()> {
    let options = Options {
        model: Some(model.to_path_buf()),
        cohort: pack.map(Path::to_path_buf),
        settings: Some(Settings::default()),
        system_dialogs: false,
        ..Options::default()
    };
    let mut probe = Probe::open(options)?;
    probe.first_sample()?;
    if part == Part::First {
        println!("{}", json!({}));
        // A process that ends while its workers draw takes the driver from under them.
        return Ok(probe.settle()?);
    }
    probe.settle()?;
    // Before the drag: reading every frame back, which a screen does not ask for, leaves memory behind.
    let memory = ["VmRSS:", "RssAnon:", "RssFile:", "VmHWM:"].map(memory_mb);
    anyhow::ensure!(pack.is_none() || probe.films() > 0, "the pack did not open beside the model");
    let cpu = cpu_seconds();
    let mut movements = probe.drag(moves)?;
    let spent = cpu_seconds().zip(cpu).map(|(now, then)| (now - then) / moves as f64 * 1e3);
    let [whole, drawing, own] =
        [|m: &Movement| m.whole, |m: &Movement| m.drawing, |m: &Movement| m.whole.saturating_sub(m.drawing)]
            .map(|share| quantiles(&mut movements, share));
    println!(
        "{}",
        json!({
            "films": probe.films(), "adapter": probe.adapter(), "moves": moves,
            "median_ms": whole.0, "p95_ms": whole.1,
            "drawing_median_ms": drawing.0, "drawing_p95_ms": drawing.1,
            "own_median_ms": own.0, "own_p95_ms": own.1,
            "cpu_ms": spent,
            "resident_mb": memory[0], "anonymous_mb": memory[1], "mapped_mb": memory[2],
            "peak_mb": memory[3],
        })
    );
    probe.settle()?;
    Ok(())
}

/// Median and the time that nineteen in twenty stay under, in milliseconds.
fn quantiles(movements: &mut [Movement], share: impl Fn(&Movement) -> Duration) -> (f64, f64) {
    movements.sort_by_key(&share);
    let at = |index: usize| movements.get(index).map_or(f64::NAN, |m| share(m).as_secs_f64() * 1e3);
    (at(movements.len() / 2), at((movements.len() * 19 / 20).min(movements.len().saturating_sub(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_share_that_is_asked_for() {
        let movement =
            |whole, drawing| Movement { whole: Duration::from_millis(whole), drawing: Duration::from_millis(drawing) };
        let mut movements: Vec<Movement> = (1..=20).map(|i| movement(100 + i, 21 - i)).collect();
        assert_eq!(quantiles(&mut movements, |m| m.whole), (111.0, 120.0));
        assert_eq!(quantiles(&mut movements, |m| m.drawing), (11.0, 20.0));
    }

    #[test]
    fn the_large_pack_has_features_that_the_index_takes_as_its_own() {
        let scratch = Scratch::new("window-test").unwrap();
        let folder = scratch.0.join("pack");
        write_pack(&folder, 60).unwrap();
        let pack = Pack::open(&folder).unwrap();
        let (encoder, tensors) =
            random_encoder("small", &DenseNetConfig::small(2), Input::native(16, Meaning::Density, [0.0, 1.0]));
        let path = folder.join("encoder.safetensors");
        encoder::file::write(&path, encoder.card(), &tensors, encoder::Precision::F32).unwrap();
        let encoder = Encoder::load(&path).unwrap();
        let train = pack.fold_indices(Fold::Train).len();
        let features = normals(&mut stream(5, "features"), train * encoder.dim());
        neighbour::keep_features(&pack, &encoder, &features, vec![0.5; 60 - train]).unwrap();
        let index = neighbour::Index::open_or_build(&pack, &encoder, &crate::progress::Progress::new()).unwrap();
        assert_eq!(index.held_out(), vec![0.5; 60 - train]);
        let found = index.nearest(&features[encoder.dim()..2 * encoder.dim()], 1);
        assert_eq!(found[0].item, pack.fold_indices(Fold::Train)[1]);
        assert!(found[0].distance < 1e-5);
    }
}
