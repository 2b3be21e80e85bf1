//! `negatoscope encoder fidelity`: how near a finished model's samples have come to the films it was trained on.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::encoder::of_cohort;
use super::waiting::watched;
use crate::encoder::Encoder;
use crate::generator::{library, model_file};
use crate::training::events::Quality;
use crate::training::pack::PackSource;
use crate::training::quality;
use crate::training::reals::RadiographSource;

/// Words of the verb.
#[derive(Debug, Args)]
pub struct FidelityArgs {
    /// Model to judge: a shipped name or a file.
    #[arg(long)]
    model: String,
    /// The pack it was trained on.
    #[arg(long)]
    cohort: PathBuf,
    /// File of the encoder whose features are compared, one of this program's or torchvision's DenseNet-121 or its like in
    /// safetensors; otherwise the one that was trained on the cohort.
    #[arg(long)]
    encoder: Option<PathBuf>,
    /// Samples, and as many films, to compare; figures are comparable only at one count.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=50_000))]
    count: u32,
    /// Seed of the samples and of the choice of films.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures into the model's card.
    #[arg(long)]
    write_card: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Compares, and prints or writes what was found.
pub fn run(args: &FidelityArgs) -> anyhow::Result<()> {
    let path = library::find(&args.model)?;
    let mut model = model_file::read(&path)?;
    let source = PackSource::open(&args.cohort)?;
    let (card, facts) = (&model.card, source.facts());
    anyhow::ensure!(
        card.training.cohort_hash == facts.identity,
        "{} was trained on {}; the pack {} holds other films, and nearness to them says nothing of it",
        card.name,
        card.training.cohort,
        args.cohort.display(),
    );
    let own = of_cohort(&facts.identity, &facts.cohort, &args.cohort);
    let name_of_own = own.as_ref().ok().map(|encoder| encoder.card().name.clone());
    let encoder = match &args.encoder {
        Some(path) => Encoder::for_images(path, facts.meaning, facts.window)?,
        None => own?,
    };
    let sizes = (args.count as usize, args.seed);
    let found = watched("comparing", |progress| {
        let found = quality::of_model(&model, encoder, &source, sizes, &args.cohort, progress)?;
        found.context("cancelled")
    })?;
    let metrics = metrics(&found);
    if args.write_card {
        let foreign = name_of_own.is_none_or(|own| own != found.encoder);
        let suffix = if foreign { format!("_{}", found.encoder) } else { String::new() };
        model.card.metrics.extend(metrics.iter().map(|(name, value)| (format!("{name}{suffix}"), *value)));
        model_file::write(&path, &model.card, &model.tensors, model_file::Precision::F16)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        println!("{} samples beside as many films, by {}", found.count, found.encoder);
        for (name, value) in metrics {
            println!("{name:<40} {value:.4}");
        }
    }
    Ok(())
}

/// The figures by the names they have in a model card.
fn metrics(found: &Quality) -> Vec<(&'static str, f64)> {
    let certain = [
        ("fid", found.fid),
        ("kid", found.kid),
        ("kid_deviation", found.kid_deviation),
        ("fidelity_count", found.count as f64),
    ];
    let possible = [
        ("precision", found.precision),
        ("recall", found.recall),
        ("density", found.density),
        ("coverage", found.coverage),
        ("nearest_percentile", found.nearest_percentile),
        ("nearest_hundredth", found.nearest_hundredth),
    ];
    certain.into_iter().chain(possible.into_iter().filter_map(|(name, value)| Some((name, value?)))).collect()
}
