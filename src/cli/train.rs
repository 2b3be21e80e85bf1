//! `negatoscope train`: a run from a spec, or on from its folder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::waiting::watched;
use crate::compute::device::DeviceChoice;
use crate::generator::Family;
use crate::training::events::Event;
use crate::training::run_folder::RunFolder;
use crate::training::{self, Outcome, RunSpec, launch, presets};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A run specification (.toml), or the folder of a run to go on with.
    #[arg(required_unless_present_any = ["preset", "grow"])]
    run: Option<PathBuf>,
    /// Folder of the new run.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print a preset to start a specification from, and do nothing else.
    #[arg(long, value_parser = presets::NAMES)]
    preset: Option<String>,
    /// Network of the printed preset.
    #[arg(long, default_value = "cpd-gan", value_parser = ["prog-gan", "cpd-gan"])]
    family: String,
    /// Print a specification that takes this run's cpD-GAN on at twice its side, and do nothing else.
    #[arg(long, value_name = "RUN", conflicts_with = "preset")]
    grow: Option<PathBuf>,
    /// Take a few steps, say what memory and time the run will need, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// What to compute on instead of what the specification says: auto, cpu, cuda, cuda:1, metal.
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Write a checkpoint and end when standard input ends, which is when whoever started this ends.
    #[arg(long, hide = true)]
    tied: bool,
    /// One JSON object per event instead of a line for reading.
    #[arg(long)]
    json: bool,
}

/// Prints a specification, begins a run, or goes on with one.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.preset {
        let family = if args.family == "prog-gan" { Family::ProgGan } else { Family::CpdGan };
        let spec = presets::preset(name, family).with_context(|| {
            format!("there is no preset \"{name}\" for {}: prog-GAN was published up to 128 px", args.family)
        })?;
        print!("{}", spec.to_toml());
        return Ok(());
    }
    if let Some(run) = &args.grow {
        print!("{}", grown(run)?.to_toml());
        return Ok(());
    }
    let path = args.run.as_deref().context("say which specification or run folder")?;
    if args.dry_run {
        return dry_run(path, args);
    }
    let mut tell = |event: &Event| if args.json { tell_json(event) } else { tell_line(event) };
    let outcome = watched("training", |progress| {
        super::signals::pause_on(progress);
        if args.tied {
            let progress = progress.clone();
            launch::when_starter_ends(move || progress.cancel())?;
        }
        if path.is_dir() {
            return training::resume(path, args.device, progress, &mut tell).map_err(anyhow::Error::from);
        }
        let out = args.out.as_deref().context("say where the run's folder goes: --out FOLDER")?;
        let mut spec = RunSpec::read(path)?;
        spec.device = args.device.unwrap_or(spec.device);
        Ok(training::train(&spec, out, progress, &mut tell)?)
    })?;
    match outcome {
        Outcome::Done(result) => println!("done after {} steps, {:.1} kimg", result.step, result.kimg),
        Outcome::Paused(result) => {
            println!("paused at step {}, {:.1} kimg; name the run's folder to go on", result.step, result.kimg);
            if super::signals::came() {
                std::process::exit(super::signals::PAUSED_BY_SIGNAL);
            }
        }
    }
    Ok(())
}

/// The spec that takes the run in this folder on at twice its side, from its newest checkpoint.
fn grown(run: &Path) -> anyhow::Result<RunSpec> {
    let run = std::path::absolute(run).with_context(|| format!("cannot find {}", run.display()))?;
    let spec = RunSpec::read(&run.join("run.toml"))?;
    let newest = RunFolder::checkpoints_of(&run).into_iter().next();
    let newest = newest.with_context(|| format!("{} keeps no checkpoint to start from", run.display()))?;
    presets::grown(&spec, &newest).with_context(|| {
        format!("{} cannot be taken on: prog-GAN grows by itself, and cpD-GAN up to 512 px", run.display())
    })
}

fn dry_run(path: &Path, args: &TrainArgs) -> anyhow::Result<()> {
    let spec = if path.is_dir() { path.join("run.toml") } else { path.to_path_buf() };
    let mut spec = RunSpec::read(&spec)?;
    spec.device = args.device.unwrap_or(spec.device);
    let source = training::pack::PackSource::open(&spec.cohort)?;
    training::run::check(&spec, &source)?;
    let found = training::estimate::estimate(&spec, &source)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let [generator, critic] = found.parameters;
    println!("device       {}", found.device);
    println!("parameters   generator {generator}, critic {critic}");
    println!("minibatch    {} at {} px, {} at a time", found.batch[0], spec.network.resolution, found.batch[1]);
    if let Some(bytes) = found.bytes {
        println!("memory       {:.2} GiB of {:.2} GiB available", gib(bytes), gib(found.available));
    } else {
        println!("memory       {:.2} GiB, and what the images take, which was not measured", gib(found.fixed_bytes));
    }
    println!("speed        {:.1} images/s at {} px", found.images_per_second, spec.network.resolution);
    println!("time         about {}, measures of quality not counted", clock(found.seconds));
    if let Some(most) = found.proposed_micro_batch {
        let remedy = match most {
            0 => "not even four images at a time fit; choose a narrower network or a smaller side".to_owned(),
            most => format!("add to the specification: micro_batch = {most}"),
        };
        println!("It does not fit: {remedy}");
    }
    Ok(())
}

fn tell_json(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        println!("{line}");
    }
}

fn tell_line(event: &Event) {
    match event {
        Event::Started { step, device, .. } => println!("step {step} on {device}"),
        Event::Step(now) => {
            let losses = if now.alone {
                format!("anchor {:.4}", now.generator_loss)
            } else {
                format!("critic {:+.3}  generator {:+.3}", now.critic_loss, now.generator_loss)
            };
            let (rate, left) = (now.images_per_second, clock(now.seconds_left));
            println!("{:>8.1} kimg  {:>3} px  {losses}  {rate:.0} images/s  {left} left", now.kimg, now.side);
        }
        Event::Sample { file, .. } => println!("samples in {}", file.display()),
        Event::Checkpoint { file, .. } => println!("checkpoint {}", file.display()),
        Event::Quality(now) => println!(
            "{:>8.1} kimg  FID {:.2}  KID {:.4} ± {:.4}  (N = {}, {})",
            now.kimg, now.fid, now.kid, now.kid_deviation, now.count, now.encoder,
        ),
        Event::Notice { text } => println!("{text}"),
        Event::Ended { step, how } => println!("{how} at step {step}"),
    }
}

/// Seconds for reading: whole minutes, or hours and minutes.
pub fn clock(seconds: f64) -> String {
    let minutes = (seconds / 60.0).ceil().clamp(0.0, 1e6) as u64;
    if minutes >= 60 { format!("{} h {:02} min", minutes / 60, minutes % 60) } else { format!("{minutes} min") }
}
