//! Trains the encoder that ships for a cohort: `cargo run --release --example train_encoder -- PACK OUT.safetensors`.
//!
//! Prints each epoch, the AUROCs on the test fold, what half precision changes, and the time of one image.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use negatoscope::cohort::{Fold, Pack};
use negatoscope::compute;
use negatoscope::encoder::{Encoder, EncoderCard, Precision, file};
use negatoscope::neighbour::Index;
use negatoscope::progress::Progress;
use negatoscope::radiograph::Radiograph;
use negatoscope::training::classifier::{ClassifierSpec, train_on_pack};

/// Trains the small encoder of a cohort.
#[derive(Parser)]
struct Arguments {
    /// The pack to train on.
    pack: PathBuf,
    /// The file to write.
    out: PathBuf,
    /// Side that the network sees.
    #[arg(long, default_value_t = 64)]
    side: usize,
    /// Mirror half of the images.
    #[arg(long)]
    flip: bool,
    /// Most epochs.
    #[arg(long, default_value_t = 24)]
    epochs: usize,
    /// Adam's rate at the start.
    #[arg(long, default_value_t = 2e-3)]
    rate: f64,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A sentence for the card; may be given several times.
    #[arg(long)]
    remark: Vec<String>,
}

fn main() -> Result<()> {
    compute::init();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let pack = Pack::open(&arguments.pack)?;
    let spec = ClassifierSpec {
        flip: arguments.flip,
        epochs: arguments.epochs,
        rate: arguments.rate,
        ..ClassifierSpec::small(arguments.side, arguments.seed)
    };
    let started = Instant::now();
    let (mut card, tensors) = train_on_pack(&pack, &spec, &candle_core::Device::Cpu, &Progress::new())?;
    println!("trained in {:.0} s: {}", started.elapsed().as_secs_f64(), card.training.schedule);

    let films: Vec<Radiograph> =
        pack.fold_indices(Fold::Test).iter().map(|&film| pack.image(film as usize, arguments.side)).collect();
    ensure!(!films.is_empty(), "the test fold is empty");
    let full = Encoder::from_parts(card.clone(), &tensors, String::new());
    let exact = full.features(&films)?;
    card.remarks.extend(arguments.remark);
    let write = |card: &EncoderCard| {
        file::write(&arguments.out, card, &tensors, Precision::F16)
            .with_context(|| format!("saving {}", arguments.out.display()))
    };
    write(&card)?;
    let half = Encoder::load(&arguments.out)?.features(&films)?;
    let rows = exact.chunks_exact(full.dim()).zip(half.chunks_exact(full.dim()));
    let worst = rows.map(|(a, b)| 1.0 - cosine(a, b)).fold(0.0, f64::max);
    card.metrics.insert("half_precision_cosine_distance".into(), worst);
    write(&card)?;
    for (name, value) in &card.metrics {
        println!("{name} {value:.6}");
    }

    let encoder = Encoder::load(&arguments.out)?;
    let index = Index::open_or_build(&pack, &encoder, &Progress::new())?;
    let held_out = index.held_out();
    println!("held-out distances: {:?} to {:?}", held_out.first(), held_out.last());
    let rounds = 50;
    let started = Instant::now();
    let mut features = Vec::new();
    for film in films.iter().cycle().take(rounds) {
        features.push(encoder.features(std::slice::from_ref(film))?);
    }
    println!("one image: {:.2} ms", started.elapsed().as_secs_f64() * 1e3 / rounds as f64);
    let started = Instant::now();
    for features in &features {
        index.nearest(features, 6);
    }
    println!("one search of {}: {:.3} ms", index.len(), started.elapsed().as_secs_f64() * 1e3 / rounds as f64);
    Ok(())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}
