//! `negatoscope selftest`: does this machine compute what the models' makers computed?
//!
//! For each shipped model a file of known answers holds the hash of its weights, one recipe, some pixels of its sample
//! and the distance between two samples in encoder space. A site compares its own machine with them.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::compute::device::DeviceChoice;
use crate::encoder::{self, Encoder};
use crate::generator::{Architecture, Family, Generator, Recipe, library};
use crate::training::device_check::{self, Comparison};
use crate::{compute, neighbour, shipped, store};

/// The known answers; the file lies with the models that they are about.
const KNOWN: &str = "selftest.json";

/// Largest difference allowed in a pixel, as a share of the model's range, and in a distance.
///
/// Different instruction sets round sums differently; the sampler's own tests hold it to a tenth of this.
const TOLERANCE: f32 = 1e-3;

/// Seconds for which sampling and training of one network are timed.
const PACE_SECONDS: f64 = 4.0;

/// Words of the verb.
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// Check a device instead: one training step against the CPU's numbers, and images a second. cpu, cuda, cuda:N, metal.
    #[arg(long, conflicts_with = "write")]
    device: Option<DeviceChoice>,
    /// With --device: width of the networks that are timed; otherwise paper on a GPU and small on the CPU, where one step at
    /// paper width takes half a minute.
    #[arg(long, value_parser = ["paper", "small"], requires = "device")]
    width: Option<String>,
    /// With --device: side in pixels that is timed.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(8..=256), requires = "device")]
    side: u16,
    /// With --device: images in a minibatch that is timed.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(4..=512), requires = "device")]
    batch: u16,
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
    if let Some(choice) = args.device {
        return check_device(choice, args);
    }
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

/// Compares a device with the CPU and measures it; where it cannot be opened, says so and measures the CPU.
fn check_device(choice: DeviceChoice, args: &SelftestArgs) -> anyhow::Result<()> {
    compute::init();
    let open = choice.open();
    if !args.json {
        println!("{}", open.sentence);
    }
    let width = args.width.as_deref().unwrap_or(if open.device.is_cpu() { "small" } else { "paper" });
    let compared = device_check::compare(&open.device)?;
    let mut paces = Vec::new();
    for family in [Family::ProgGan, Family::CpdGan] {
        let side = usize::from(args.side);
        let mut architecture = Architecture::paper(family, side, 14);
        if width == "small" {
            architecture = Architecture { latent: 64, feature_base: 1024, feature_max: 64, ..architecture };
        }
        architecture.validate().map_err(anyhow::Error::msg)?;
        let pace = device_check::pace(&open.device, &architecture, usize::from(args.batch), PACE_SECONDS)?;
        paces.push((family, pace));
    }
    if args.json {
        let report = serde_json::json!({
            "device": open.sentence, "tolerance": device_check::TOLERANCE, "compared": compared,
            "width": width, "side": args.side, "batch": args.batch, "images_per_second": paces,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for Comparison { what, difference } in &compared {
            let passed = if *difference <= device_check::TOLERANCE { "pass" } else { "FAIL" };
            println!("{passed}  {what:<36} differs by {difference:.1e}");
        }
        for (family, pace) in &paces {
            println!(
                "{} {} px, {} width, batch {}: {:.0} samples/s, {:.1} images/s in WGAN-GP steps",
                family.name(),
                args.side,
                width,
                args.batch,
                pace.sampling,
                pace.training
            );
        }
    }
    let failed = compared.iter().filter(|found| found.difference > device_check::TOLERANCE).count();
    anyhow::ensure!(failed == 0, "{failed} of {} quantities differ from the CPU's; do not train on it", compared.len());
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
