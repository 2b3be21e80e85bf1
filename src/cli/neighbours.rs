//! `negatoscope neighbours`: the real radiographs nearest to each sample.

use std::path::PathBuf;

use clap::Args;

use super::encoder::of_cohort;
use super::sample::RecipeArgs;
use super::waiting::watched;
use crate::cohort::Pack;
use crate::neighbour::{Index, pixel_rms};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct NeighboursArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Pack that the model was trained on.
    #[arg(long)]
    cohort: PathBuf,
    /// How many patients to list for each sample.
    #[arg(short, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: u16,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Renders the samples and lists their neighbours.
pub fn run(args: &NeighboursArgs) -> anyhow::Result<()> {
    let (generator, recipes) = args.recipe.resolve()?;
    let pack = Pack::open(&args.cohort)?;
    let (card, header) = (generator.card(), pack.header());
    anyhow::ensure!(
        card.training.cohort_hash == header.identity,
        "{} was trained on {}; the pack {} holds other patients, and they are not its neighbours",
        card.name,
        card.training.cohort,
        args.cohort.display(),
    );
    let encoder = of_cohort(&header.identity, &header.name, &args.cohort)?;
    let index = watched("indexing", |progress| Index::open_or_build(&pack, &encoder, progress))?;
    let samples = generator.render_batch(&recipes)?;
    let found = index.nearest_batch(&encoder.features(&samples)?, usize::from(args.k));
    let mut rows = Vec::new();
    for ((recipe, sample), neighbours) in recipes.iter().zip(&samples).zip(&found) {
        if !args.json {
            println!("seed {}", recipe.seed);
        }
        for near in neighbours {
            let record = pack.record(near.item as usize);
            let findings: Vec<&str> = header.vocabulary.positives(&record.labels).collect();
            let rms = pixel_rms(&pack, near.item, sample);
            if args.json {
                rows.push(serde_json::json!({
                    "recipe": recipe.to_string(), "source": record.source, "patient": record.patient,
                    "distance": near.distance, "percentile": near.percentile, "other_films": near.others,
                    "pixel_rms": rms, "findings": findings,
                }));
            } else {
                println!(
                    "  {:.4} cosine  nearer than {:>5.1} % of unseen films  pixel RMS {rms:.3}  patient {}  {}  {}",
                    near.distance,
                    100.0 - near.percentile,
                    record.patient,
                    record.source,
                    findings.join(", "),
                );
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{} unseen films of {} give the percentages.", index.held_out().len(), header.name);
    }
    Ok(())
}
