//! `negatoscope encoder`: train the classifier whose features measure nearness, and judge generators by the benchmark's figure.

use std::path::{Path, PathBuf};

use anyhow::Context;
use candle_core::Device;
use clap::{Args, Subcommand};

use super::waiting::watched;
use crate::cohort::Pack;
use crate::encoder::{Encoder, file, library as encoders};
use crate::generator::{Generator, library, model_file};
use crate::training::classifier::{self, ClassifierSpec};

/// What to do with encoders.
#[derive(Debug, Subcommand)]
pub enum EncoderVerb {
    /// Train a classifier on a pack's train fold, or on samples in its place, and measure it on its test fold.
    Train(TrainArgs),
    /// Train classifiers on samples and on real films, test both on real films, and give the ratio of their AUROCs.
    Measure(MeasureArgs),
    /// Compare samples with the films of a train fold by their features: FID, KID, precision and recall, and how near they come.
    Fidelity(super::fidelity::FidelityArgs),
    /// Show what in a film one or two classifiers rest on: how much worse each does with a square of it blanked.
    Attribute(super::attribute::AttributeArgs),
}

/// Words of `encoder train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The pack.
    #[arg(long)]
    cohort: PathBuf,
    /// File to write; models look for names that begin with "encoder-".
    #[arg(long)]
    out: PathBuf,
    /// small (at the pack's own size) or densenet121 (224 px, as published).
    #[arg(long, default_value = "small", value_parser = ["small", "densenet121"])]
    preset: String,
    /// Side in pixels that the small network sees; the pack's own otherwise
    #[arg(long, value_parser = clap::value_parser!(u16).range(32..=128))]
    side: Option<u16>,
    /// Most epochs.
    #[arg(long)]
    epochs: Option<usize>,
    /// Learn from samples of this model, a shipped name or a file, in place of the pack's films.
    #[arg(long)]
    samples_of: Option<String>,
    /// Seed of the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Words of `encoder measure`.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// Model to judge: a shipped name or a file.
    #[arg(long)]
    model: String,
    /// The pack it was trained on.
    #[arg(long)]
    cohort: PathBuf,
    /// Seeds; one pair of classifiers is trained for each.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Most epochs of each classifier.
    #[arg(long)]
    epochs: Option<usize>,
    /// Side in pixels at which the classifiers look; the model's own if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(32..=128))]
    side: Option<u16>,
    /// Write the figures into the model's card.
    #[arg(long)]
    write_card: bool,
    /// A sentence to add to the card's remarks.
    #[arg(long = "remark", requires = "write_card")]
    remarks: Vec<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// The encoder that was trained on a cohort, by its identity; `pack` may hold it.
///
/// # Errors
/// With what to do, when there is none on this machine.
pub fn of_cohort(identity: &str, name: &str, pack: &Path) -> anyhow::Result<Encoder> {
    encoders::for_cohort(identity, Some(pack))
        .with_context(|| format!("no encoder for {name} is on this machine; \"negatoscope encoder train\" makes one"))
}

/// Runs one of the encoder verbs.
pub fn run(verb: &EncoderVerb) -> anyhow::Result<()> {
    match verb {
        EncoderVerb::Train(args) => train(args),
        EncoderVerb::Measure(args) => measure(args),
        EncoderVerb::Fidelity(args) => super::fidelity::run(args),
        EncoderVerb::Attribute(args) => super::attribute::run(args),
    }
}

fn train(args: &TrainArgs) -> anyhow::Result<()> {
    let pack = Pack::open(&args.cohort)?;
    let mut spec = match args.preset.as_str() {
        "densenet121" => ClassifierSpec::published(args.seed),
        _ => ClassifierSpec::small(args.side.map_or(native_side(&pack), usize::from), args.seed),
    };
    spec.epochs = args.epochs.unwrap_or(spec.epochs);
    let generator = args.samples_of.as_deref().map(library::find).transpose()?;
    let generator = generator.map(|path| Generator::load(&path)).transpose()?;
    let (card, tensors) = watched("training", |progress| match &generator {
        None => classifier::train_on_pack(&pack, &spec, &Device::Cpu, progress),
        Some(generator) => classifier::train_on_samples(generator, &pack, &spec, &Device::Cpu, progress),
    })?;
    file::write(&args.out, &card, &tensors, file::Precision::F16)?;
    for (name, value) in &card.metrics {
        println!("{name:<40} {value:.3}");
    }
    println!("{} in {}", card.name, args.out.display());
    Ok(())
}

/// The side that the small network sees: the pack's own, between 32 and 128.
fn native_side(pack: &Pack) -> usize {
    pack.largest_side().clamp(32, 128)
}

fn measure(args: &MeasureArgs) -> anyhow::Result<()> {
    let path = library::find(&args.model)?;
    let generator = Generator::load(&path)?;
    let pack = Pack::open(&args.cohort)?;
    let own = generator.card().architecture.resolution.min(native_side(&pack));
    let side = args.side.map_or(own, usize::from);
    let mut spec = ClassifierSpec::small(side, 1);
    spec.epochs = args.epochs.unwrap_or(spec.epochs);
    let found = watched("measuring", |progress| {
        classifier::relative_performance(&generator, &pack, &spec, &args.seeds, &Device::Cpu, progress)
    })?;
    let metrics = found.metrics(&pack.header().vocabulary);
    if args.write_card {
        let mut model = model_file::read(&path)?;
        model.card.metrics.extend(metrics.iter().cloned());
        model.card.metrics.insert("relative_performance_side".to_owned(), side as f64);
        model.card.metrics.insert("relative_performance_epochs".to_owned(), spec.epochs as f64);
        model.card.remarks.extend(args.remarks.iter().cloned());
        model_file::write(&path, &model.card, &model.tensors, model_file::Precision::F16)?;
    }
    if args.json {
        let named: std::collections::BTreeMap<_, _> = metrics.into_iter().collect();
        println!("{}", serde_json::to_string_pretty(&named)?);
    } else {
        for (name, value) in metrics {
            println!("{name:<40} {value:.3}");
        }
    }
    Ok(())
}
