//! How fast samples and neighbours follow a hand that drags the latent pad.
//!
//! The window's own division of work is repeated without the window: one thread renders as fast as the hand could move,
//! another takes the newest sample, encodes it and searches the cohort.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::BenchArgs;
use crate::cohort::Pack;
use crate::encoder::{self, Encoder};
use crate::generator::{Generator, Recipe, library};
use crate::neighbour::Index;
use crate::progress::Progress;
use crate::radiograph::Radiograph;
use crate::store;

/// What one drag came to.
#[derive(Debug, Serialize)]
struct Figures {
    model: String,
    resolution: usize,
    samples_per_second: f64,
    /// Milliseconds from recipe to pixels.
    render_median_ms: f64,
    render_p95_ms: f64,
    neighbours_per_second: Option<f64>,
    films_searched: Option<usize>,
}

/// Drags each model's latent pad for a while and prints what was reached.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let paths = if args.models.is_empty() {
        library::shipped().into_iter().map(|entry| entry.path).collect()
    } else {
        args.models.iter().map(|name| Ok(library::find(name)?)).collect::<anyhow::Result<Vec<_>>>()?
    };
    anyhow::ensure!(!paths.is_empty(), "there is no model to measure (\"negatoscope models\" lists them)");
    let pack = args.cohort.as_deref().map(Pack::open).transpose()?;
    let search = match &pack {
        Some(pack) => {
            let encoder = encoder::library::for_cohort(&pack.header().identity, Some(pack.folder()));
            let encoder = encoder.context("no encoder trained on this cohort is at hand")?;
            let index = Index::open_or_build(pack, &encoder, &Progress::new())?;
            Some((encoder, index))
        }
        None => None,
    };
    let mut rows = Vec::new();
    for path in paths {
        let generator = Generator::load(&path)?;
        rows.push(drag(&generator, search.as_ref(), Duration::from_secs(args.seconds))?);
    }
    if let Some(out) = &args.out {
        store::write_atomic(out, serde_json::to_string_pretty(&rows)?.as_bytes())?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for row in rows {
            let neighbours = row.neighbours_per_second.map_or_else(String::new, |rate| {
                format!(", neighbours {rate:.1}/s over {} films", row.films_searched.unwrap_or_default())
            });
            println!(
                "{:<16} {:>4} px: {:.1} samples/s, median {:.1} ms, 95 % under {:.1} ms{neighbours}",
                row.model, row.resolution, row.samples_per_second, row.render_median_ms, row.render_p95_ms,
            );
        }
    }
    Ok(())
}

/// A place for the newest sample only.
#[derive(Default)]
struct Newest {
    sample: Mutex<Option<Radiograph>>,
    arrived: Condvar,
}

fn drag(generator: &Generator, search: Option<&(Encoder, Index)>, length: Duration) -> anyhow::Result<Figures> {
    let card = generator.card();
    let recipe = Recipe::new(generator.id(), 1);
    generator.render(&recipe)?;
    let (newest, stop) = (Newest::default(), AtomicBool::new(false));
    let (mut times, mut searches) = (Vec::new(), 0u64);
    let begun = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let follower = search.map(|(encoder, index)| {
            scope.spawn(|| -> anyhow::Result<u64> {
                let mut found = 0;
                while let Some(sample) = next(&newest, &stop) {
                    let features = encoder.features(std::slice::from_ref(&sample))?;
                    index.nearest(&features, 6);
                    found += 1;
                }
                Ok(found)
            })
        });
        while begun.elapsed() < length {
            let angle = begun.elapsed().as_secs_f32();
            let here = Recipe { plane: [angle.sin(), (0.7 * angle).cos()], ..recipe.clone() };
            let start = Instant::now();
            let sample = generator.render(&here)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            if let Ok(mut place) = newest.sample.lock() {
                *place = Some(sample);
                newest.arrived.notify_one();
            }
        }
        stop.store(true, Ordering::Relaxed);
        newest.arrived.notify_one();
        if let Some(follower) = follower {
            searches = follower.join().map_err(|_| anyhow::anyhow!("the search thread broke"))??;
        }
        Ok(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let samples_per_second = times.len() as f64 / seconds;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Figures {
        model: card.name.clone(),
        resolution: card.architecture.resolution,
        samples_per_second,
        render_median_ms: at(0.5),
        render_p95_ms: at(0.95),
        neighbours_per_second: search.map(|_| searches as f64 / seconds),
        films_searched: search.map(|(_, index)| index.len()),
    })
}

/// Waits for the newest sample; `None` once the drag is over.
fn next(newest: &Newest, stop: &AtomicBool) -> Option<Radiograph> {
    let mut place = newest.sample.lock().ok()?;
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(sample) = place.take() {
            return Some(sample);
        }
        place = newest.arrived.wait_timeout(place, Duration::from_millis(100)).ok()?.0;
    }
}
