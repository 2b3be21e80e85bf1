//! `negatoscope bench`: what this machine does in what time.
//!
//! Without a model it goes through the works of `docs/performance.md`, a row of figures for each, so that other engines
//! can be measured beside it on the same weights. With a model it drags that model's latent pad ([`drag`]).

mod data;
mod drag;
mod graphics;
mod meter;
mod networks;
mod search;
mod training;
mod watching;
mod weights;
mod window;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::store;
use meter::{Meter, Row};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Drag the latent pad of this model instead.
    #[arg(long = "model")]
    models: Vec<String>,
    /// Pack to search while dragging; without one only sampling is measured.
    #[arg(long)]
    cohort: Option<PathBuf>,
    /// How long to drag.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Works to measure; all if none is named.
    #[arg(long, value_enum)]
    only: Vec<Work>,
    /// Sides in pixels to measure the GANs at.
    #[arg(long, value_delimiter = ',', default_value = "32,64,128,256")]
    sides: Vec<usize>,
    /// A tenth of the time and of the data: for a look, not for a table.
    #[arg(long)]
    quick: bool,
    /// Write weights, inputs and outputs of what is measured into this folder, for other engines to repeat.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Also write the figures to this file, a line of JSON for each row.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    /// What the window's measurement has a process of its own do.
    #[arg(long, value_enum, hide = true)]
    part: Option<window::Part>,
    /// The training step that a process of its own measures.
    #[arg(long, hide = true)]
    case: Option<usize>,
    /// Movements of that process.
    #[arg(long, hide = true, default_value_t = 100)]
    moves: usize,
}

impl BenchArgs {
    /// Whether this process opens a window to measure it.
    pub fn is_window(&self) -> bool {
        self.part.is_some()
    }
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Multiply-adds of one thread out of registers: the rate that nothing exceeds.
    Peak,
    /// Both GANs forward at the papers' width.
    Sampler,
    /// The shipped models forward, one sample.
    Models,
    /// Both GANs and the shipped models on the first graphics device, where there is one.
    Graphics,
    /// `DenseNet` features.
    Encoder,
    /// Exact cosine neighbours.
    Search,
    /// A step of WGAN-GP training at the papers' width.
    Training,
    /// Phantoms drawn, and trees of PNG and DICOM files imported.
    Import,
    /// A large pack opened, and a first sample from a fresh process.
    Start,
    /// The real window offscreen: from a slider to pixels, first sample, memory.
    Window,
    /// A frame of the Training workspace while a run trains on the same cores.
    Watching,
}

/// Measures what was asked for and prints it.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    if let (Some(part), [model]) = (args.part, args.models.as_slice()) {
        return window::part(part, std::path::Path::new(model), args.cohort.as_deref(), args.moves);
    }
    if !args.models.is_empty() || args.cohort.is_some() {
        return drag::run(args);
    }
    if let Some(folder) = &args.weights {
        std::fs::create_dir_all(folder)?;
    }
    let works = if args.only.is_empty() { Work::value_variants() } else { &args.only };
    let mut rows: Vec<Row> = Vec::new();
    for work in works {
        let mut tell = |row: Row| {
            if args.json {
                println!("{}", row.json());
            } else {
                println!("{row}");
            }
            rows.push(row);
        };
        let (meter, weights) = (Meter::new(args.quick), args.weights.as_deref());
        match work {
            Work::Peak => tell(meter::peak()),
            Work::Sampler => networks::sampler(meter, &args.sides, weights, &mut tell)?,
            Work::Models => networks::models(meter, weights, &mut tell)?,
            Work::Graphics => graphics::graphics(meter, &args.sides, &mut tell)?,
            Work::Encoder => networks::encoder(meter, weights, &mut tell)?,
            Work::Search => search::search(meter, &mut tell),
            Work::Training => training::training(meter, &args.sides, args.case, weights, &mut tell)?,
            Work::Import => data::import(meter, weights, &mut tell)?,
            Work::Start => data::start(meter, &mut tell)?,
            Work::Window => window::window(meter, &mut tell)?,
            Work::Watching => watching::watching(meter, &mut tell),
        }
    }
    if let Some(out) = &args.out {
        let lines: String = rows.iter().map(|row| row.json() + "\n").collect();
        store::write_atomic(out, lines.as_bytes())?;
    }
    Ok(())
}
