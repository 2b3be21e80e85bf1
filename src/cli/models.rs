//! `negatoscope models`: what can be opened, and one model's card.

use clap::Args;

use crate::generator::{Generator, library};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Show the whole card of this model: a shipped name or a file.
    model: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Lists the shipped models or prints one card.
pub fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.model {
        let generator = Generator::load(&library::find(name)?)?;
        let card = generator.card();
        if args.json {
            println!("{}", serde_json::to_string_pretty(card)?);
        } else {
            println!("{}  sha256 {}", card.name, generator.hash());
            print!("{}", toml::to_string(card)?);
        }
        return Ok(());
    }
    let entries = library::shipped();
    if args.json {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| serde_json::json!({ "path": entry.path, "id": entry.id, "card": entry.card }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if entries.is_empty() {
        println!("No models found. Put .safetensors files into a folder and name it in NEGATOSCOPE_MODELS.");
    }
    for entry in entries {
        let (card, shape) = (&entry.card, &entry.card.architecture);
        println!(
            "{:<16} {:<9} {:>4} px  {:>2} findings  {:>7.0} kimg of {} ({} images)  {}",
            card.name,
            shape.family.name(),
            shape.resolution,
            shape.labels,
            card.training.kimg,
            card.training.cohort,
            card.training.images,
            entry.id,
        );
    }
    Ok(())
}
