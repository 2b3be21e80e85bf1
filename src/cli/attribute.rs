//! `negatoscope encoder attribute`: what in a film one or two classifiers rest on, by masking.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::waiting::watched;
use crate::cohort::Pack;
use crate::compute::random;
use crate::desktop::lightbox::{ColorMap, Look};
use crate::encoder::{Encoder, Masked, Source, Target, attribution};
use crate::radiograph::{Radiograph, Window};
use crate::{stats, store};

/// Draws of the baseline by shuffling.
const DRAWS: usize = 999;

/// Least side of one picture in the file that is written.
const SHOWN: usize = 256;

/// How much of a map covers the film below it.
const OPACITY: f32 = 0.85;

/// Words of `encoder attribute`.
#[derive(Debug, Args)]
pub struct AttributeArgs {
    /// Encoder file of a classifier; give two to compare their maps.
    #[arg(long = "encoder", required = true, num_args = 1)]
    encoders: Vec<PathBuf>,
    /// The pack that the film is in.
    #[arg(long)]
    cohort: PathBuf,
    /// Place of the film in the pack, from 0.
    #[arg(long)]
    film: usize,
    /// The finding whose loss is looked at; the mean over all findings, as published, if not given.
    #[arg(long)]
    finding: Option<String>,
    /// Side of a masked square in pixels of the classifier's input; 4 as published.
    #[arg(long, default_value_t = attribution::BLOCK)]
    block: usize,
    /// PNG to write: the film, and each map over it on one scale.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Answer in JSON, with the maps.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &AttributeArgs) -> anyhow::Result<()> {
    let pack = Pack::open(&args.cohort)?;
    let header = pack.header();
    anyhow::ensure!(args.film < pack.len(), "{} holds films 0 to {}", args.cohort.display(), pack.len() - 1);
    anyhow::ensure!(args.encoders.len() <= 2, "give one or two encoder files, not {}", args.encoders.len());
    let record = pack.record(args.film);
    let (mut rows, mut maps): (Vec<_>, Vec<(Masked, Vec<f32>)>) = (Vec::new(), Vec::new());
    for path in &args.encoders {
        let encoder = Encoder::load(path)?;
        let card = encoder.card();
        let labels = header.vocabulary.labels_for(&record.labels, &card.vocabulary);
        let target = match &args.finding {
            None => Target::AllFindings,
            Some(name) => {
                let known = || format!("{} knows: {}", card.name, card.vocabulary.findings.join(", "));
                let place = card.vocabulary.position(name);
                Target::Finding(place.ok_or_else(|| anyhow::anyhow!("no finding \"{name}\"; {}", known()))?)
            }
        };
        let image = pack.seen(args.film, card.input.side);
        let start = Instant::now();
        let masked = watched("masking", |progress| encoder.masked(&image, args.block, progress))?;
        let seconds = start.elapsed().as_secs_f64();
        let map = masked.map(&labels, target)?;
        let named = card.vocabulary.findings.iter().cloned().zip(masked.probabilities());
        let probabilities: serde_json::Map<String, serde_json::Value> = named.map(|(f, p)| (f, json!(p))).collect();
        rows.push(json!({
            "name": card.name, "id": encoder.id(), "learnt_from": said(&card.training.source),
            "side": card.input.side, "squares": masked.cells(), "seconds": seconds,
            "probabilities": probabilities, "map": map,
        }));
        maps.push((masked, map));
    }
    let agreement = match &maps[..] {
        [(a, first), (b, second)] if a.cells() == b.cells() => {
            let top = first.len().div_ceil(10);
            let rng = &mut random::stream(0, "shuffled squares");
            stats::map_agreement(first, second, a.cells(), top, DRAWS, rng)
        }
        _ => None,
    };
    if let Some(out) = &args.out {
        store::write_atomic(out, &picture(&pack, args.film, &maps)?)?;
    }
    let says = |c: &stats::Chance| json!({"mean": c.mean, "high": c.high, "p": c.p, "draws": c.draws});
    if args.json {
        let agreement = agreement.map(|a| {
            json!({
                "rank_correlation": a.correlation, "top": a.top, "top_overlap": a.overlap,
                "shuffled": {"rank_correlation": says(&a.correlation_shuffled), "top_overlap": says(&a.overlap_shuffled)},
                "moved": {
                    "rank_correlation": a.correlation_moved.as_ref().map(says),
                    "top_overlap": a.overlap_moved.as_ref().map(says),
                },
            })
        });
        let answer = json!({
            "film": record.source, "patient": record.patient, "block": args.block,
            "findings": header.vocabulary.positives(&record.labels).collect::<Vec<_>>(),
            "finding": args.finding, "classifiers": rows, "agreement": agreement,
        });
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    println!("{}", record.source);
    for (row, (masked, map)) in rows.iter().zip(&maps) {
        let most = map.iter().copied().fold(0.0, f32::max);
        println!(
            "{:<40} {:<32} {} x {} squares, largest loss {most:.4}, {:.2} s",
            row["name"].as_str().unwrap_or_default(),
            row["learnt_from"].as_str().unwrap_or_default(),
            masked.cells(),
            masked.cells(),
            row["seconds"].as_f64().unwrap_or_default(),
        );
    }
    if let Some(a) = agreement {
        println!(
            "rank correlation {:.3}; shuffled, 95 % lie below {:.3}; moved, 95 % lie below {:.3}",
            a.correlation,
            a.correlation_shuffled.high,
            a.correlation_moved.map_or(f64::NAN, |c| c.high),
        );
        println!("overlap of the {} highest squares {:.2}; by chance {:.2}", a.top, a.overlap, a.overlap_shuffled.mean);
    }
    Ok(())
}

/// What a classifier learnt from, in words.
fn said(source: &Source) -> String {
    match source {
        Source::Films => "films".to_owned(),
        Source::Samples { generator, id } => format!("samples of {generator} ({id})"),
        Source::Mixture { generator, id, ratio } => format!("films and {ratio} samples each of {generator} ({id})"),
    }
}

/// The film and each map over it, side by side, as PNG.
fn picture(pack: &Pack, film: usize, maps: &[(Masked, Vec<f32>)]) -> anyhow::Result<Vec<u8>> {
    let header = pack.header();
    let side = maps.iter().map(|(masked, _)| masked.side()).max().unwrap_or(64);
    let zoom = SHOWN.div_ceil(side);
    let size = side * zoom;
    let image = pack.seen(film, side);
    let [low, high] = header.window;
    let below =
        Look { window: Window::spanning(low, high), invert: false, linear: false, map: ColorMap::Grey, overlay: None };
    let most = maps.iter().flat_map(|(_, map)| map).copied().fold(attribution::FLOOR, f32::max);
    let above = Look { window: Window::spanning(0.0, most), map: ColorMap::Heat, overlay: Some(OPACITY), ..below };
    let mut picture = image::RgbImage::new(((maps.len() + 1) * size) as u32, size as u32);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (part, x, y) = (x as usize / size, x as usize % size / zoom, y as usize / zoom);
        let mut color = below.color(value(&image, x, y)).map(f32::from);
        if let Some((masked, map)) = part.checked_sub(1).and_then(|i| maps.get(i)) {
            let cell = |at: usize| at * masked.side() / side / masked.block();
            let delta = map[cell(y) * masked.cells() + cell(x)];
            let opacity = above.opacity(delta);
            for (c, heat) in color.iter_mut().zip(above.color(delta)) {
                *c = *c * (1.0 - opacity) + f32::from(heat) * opacity;
            }
        }
        *pixel = image::Rgb(color.map(|c| c.round() as u8));
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn value(image: &Radiograph, x: usize, y: usize) -> f32 {
    image.at(x, y).unwrap_or_default()
}
