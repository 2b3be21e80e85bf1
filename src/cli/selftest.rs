//! `negatoscope selftest`: does this machine compute what the models' makers computed?
//!
//! For each shipped model a file of known answers holds the hash of its weights, one recipe, some pixels of its sample
//! and the distance between two samples in encoder space. A site compares its own machine with them.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::encoder::{self, Encoder};
use crate::generator::{Generator, Recipe, library};
use crate::{neighbour, shipped, store};

/// The known answers; the file lies with the models that they are about.
const KNOWN: &str = "selftest.json";

/// Largest difference allowed in a pixel, as a share of the model's range, and in a distance.
///
/// Different instruction sets round sums differently; the sampler's own tests hold it to a tenth of this.
const TOLERANCE: f32 = 1e-3;

/// Words of the verb.
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// Write this machine's answers to a file instead of checking them.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// One model's known answers.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    model: String,
    hash: String,
    recipe: String,
    /// Pixel values on a coarse grid, row by row, in the model's unit.
    pixels: Vec<f32>,
    /// Hash of the encoder's file and the cosine distance between the recipe's sample and its next seed's.
    encoder: Option<(String, f32)>,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    model: String,
    passed: bool,
    detail: String,
}

/// Checks every shipped model, or writes the known answers anew.
pub fn run(args: &SelftestArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.write {
        let models = library::shipped();
        let answers = models.iter().map(|entry| answer(&Generator::load(&entry.path)?));
        let answers = answers.collect::<anyhow::Result<Vec<_>>>()?;
        store::write_atomic(path, serde_json::to_string_pretty(&answers)?.as_bytes())?;
        println!("{} known answers in {}", answers.len(), path.display());
        return Ok(());
    }
    let path = shipped::folders().into_iter().map(|folder| folder.join(KNOWN)).find(|path| path.is_file());
    let path = path.with_context(|| format!("{KNOWN} with the known answers is in no folder of models"))?;
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let known: Vec<Answer> = serde_json::from_slice(&text)
        .with_context(|| format!("{} is damaged; take it anew from the program's source", path.display()))?;
    let checks: Vec<Check> = known.iter().map(check).collect();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for check in &checks {
            println!("{}  {:<16} {}", if check.passed { "pass" } else { "FAIL" }, check.model, check.detail);
        }
    }
    let failed = checks.iter().filter(|check| !check.passed).count();
    anyhow::ensure!(!checks.is_empty(), "{} holds no known answer", path.display());
    anyhow::ensure!(failed == 0, "{failed} of {} models do not give their known answers on this machine", checks.len());
    Ok(())
}

/// This machine's answers for a model.
fn answer(generator: &Generator) -> anyhow::Result<Answer> {
    let mut recipe = Recipe::new(generator.id(), 7);
    if let Some(finding) = generator.card().vocabulary.findings.first() {
        recipe.set_strength(finding, 1.0);
    }
    let next = Recipe { seed: recipe.seed + 1, ..recipe.clone() };
    let samples = generator.render_batch(&[recipe.clone(), next])?;
    let side = samples[0].width();
    let step = side / 8;
    let grid = (0..64).map(|i| ((i % 8) * step + step / 2, (i / 8) * step + step / 2));
    let pixels = grid.filter_map(|(x, y)| samples[0].at(x, y)).collect();
    let card = generator.card();
    let encoder = encoder::library::for_cohort(&card.training.cohort_hash, None);
    let distance = |encoder: Encoder| -> anyhow::Result<_> {
        let features = encoder.features(&samples)?;
        let (a, b) = features.split_at(encoder.dim());
        Ok((encoder.hash().to_owned(), neighbour::cosine_distance(a, b)))
    };
    Ok(Answer {
        model: card.name.clone(),
        hash: generator.hash().to_owned(),
        recipe: recipe.to_string(),
        pixels,
        encoder: encoder.map(distance).transpose()?,
    })
}

fn check(known: &Answer) -> Check {
    let verdict = || -> anyhow::Result<String> {
        let generator = Generator::load(&library::find(&known.model)?)?;
        let ours = answer(&generator)?;
        anyhow::ensure!(ours.hash == known.hash, "the weights are not the ones that shipped");
        let range = generator.card().range;
        let worst = ours.pixels.iter().zip(&known.pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let worst = worst / (range[1] - range[0]);
        anyhow::ensure!(
            ours.pixels.len() == known.pixels.len() && worst <= TOLERANCE,
            "pixels differ by {worst:.1e} of the range"
        );
        let Some((hash, distance)) = &known.encoder else {
            return Ok(format!("pixels within {worst:.1e} of the range"));
        };
        let (own_hash, own_distance) = ours.encoder.context("its encoder is missing")?;
        anyhow::ensure!(*hash == own_hash, "its encoder is not the one that shipped");
        let off = (distance - own_distance).abs();
        anyhow::ensure!(off <= TOLERANCE, "a distance differs by {off:.1e}");
        Ok(format!("pixels within {worst:.1e} of the range, distance within {off:.1e}"))
    };
    match verdict() {
        Ok(detail) => Check { model: known.model.clone(), passed: true, detail },
        Err(error) => Check { model: known.model.clone(), passed: false, detail: error.to_string() },
    }
}
