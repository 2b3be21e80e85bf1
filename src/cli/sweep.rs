//! `negatoscope sweep`: plan, run and report a benchmark.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::waiting::watched;
use crate::benchmark::{
    self, BenchmarkError, Plan, Standing, SweepFolder, SweepResult, SweepSpec, folder, presets, report,
};
use crate::progress::Progress;

/// What to do with sweeps.
#[derive(Debug, Subcommand)]
pub enum SweepVerb {
    /// Print a preset to start a specification from.
    Preset(PresetArgs),
    /// List the jobs that a sweep takes, and which are done.
    Plan(SweepArgs),
    /// Run a sweep, or go on with one; what is done is not done again.
    Run(RunArgs),
    /// Tell where a sweep stands.
    Status(SweepArgs),
    /// Write a page, a table and figures of a finished sweep.
    Report(SweepArgs),
}

/// Words of `sweep preset`.
#[derive(Debug, Args)]
pub struct PresetArgs {
    /// Which.
    #[arg(value_parser = presets::NAMES)]
    name: String,
    /// The pack that the specification names.
    #[arg(long, default_value = "my-cohort")]
    cohort: PathBuf,
}

/// Words that name a sweep.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A sweep specification (.toml), or the folder of a sweep that was begun.
    sweep: PathBuf,
    /// The sweep's folder; otherwise one beside the specification, with its name.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Words of `sweep run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A sweep specification (.toml), the folder of a sweep that was begun, or nothing with --preset.
    #[arg(required_unless_present = "preset")]
    sweep: Option<PathBuf>,
    /// Run a preset as it is; --out says where.
    #[arg(long, value_parser = presets::NAMES, requires = "out", conflicts_with = "sweep")]
    preset: Option<String>,
    /// The pack of that preset.
    #[arg(long, default_value = "my-cohort", requires = "preset")]
    cohort: PathBuf,
    /// The sweep's folder; otherwise one beside the specification, with its name.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Jobs at a time, each with its share of the processor's cores.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Only the job with this key, whose needs must be done.
    #[arg(long)]
    job: Option<String>,
    /// One JSON object a second in place of a progress line.
    #[arg(long)]
    json: bool,
}

/// Runs one of the sweep verbs.
pub fn run(verb: &SweepVerb) -> anyhow::Result<()> {
    match verb {
        SweepVerb::Preset(args) => {
            let spec = presets::preset(&args.name, &args.cohort);
            print!("{}", spec.with_context(|| format!("there is no preset \"{}\"", args.name))?.to_toml());
            Ok(())
        }
        SweepVerb::Plan(args) => plan(args),
        SweepVerb::Run(args) => go(args),
        SweepVerb::Status(args) => status(args),
        SweepVerb::Report(args) => write_report(args),
    }
}

/// The folder and the spec that a path means.
fn open(path: &Path, out: Option<&Path>) -> Result<(SweepFolder, SweepSpec), BenchmarkError> {
    if path.is_dir() {
        return SweepFolder::open(path);
    }
    let spec = SweepSpec::read(path)?;
    let beside = path.with_extension("");
    Ok((SweepFolder::create(out.unwrap_or(&beside), &spec)?, spec))
}

fn planned(args: &SweepArgs) -> anyhow::Result<(SweepFolder, SweepSpec, Plan)> {
    let (folder, spec) = open(&args.sweep, args.out.as_deref())?;
    let pack = folder.cohort(&spec, &Progress::new())?;
    let plan = Plan::new(&spec, &pack)?;
    Ok((folder, spec, plan))
}

fn plan(args: &SweepArgs) -> anyhow::Result<()> {
    let (folder, spec, plan) = planned(args)?;
    if args.json {
        let jobs: Vec<_> = plan
            .jobs
            .iter()
            .map(|job| {
                let needs: Vec<&str> = job.needs.iter().map(|&need| plan.jobs[need].key.as_str()).collect();
                serde_json::json!({
                    "key": job.key, "title": job.title, "needs": needs, "done": folder.is_done(&job.key),
                    "folder": folder.job(&job.key), "core_seconds": job.weight.round(),
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "name": spec.name, "jobs": jobs }))?);
        return Ok(());
    }
    for (point, subset) in plan.points.iter().enumerate() {
        println!(
            "{} {}: {} classes, {} findings, films {} / {} / {}",
            spec.factor.kind(),
            spec.factor.value(point),
            subset.classes.len(),
            subset.columns.len(),
            subset.train.len(),
            subset.validation.len(),
            subset.test.len()
        );
    }
    for job in &plan.jobs {
        println!("{} {}  {}", if folder.is_done(&job.key) { "done" } else { "  – " }, job.key, job.title);
    }
    let left = plan.jobs.iter().filter(|job| !folder.is_done(&job.key)).map(|job| job.weight).sum::<f64>();
    println!("{} jobs, about {} of one core left", plan.jobs.len(), clock(left));
    Ok(())
}

fn go(args: &RunArgs) -> anyhow::Result<()> {
    let (folder, spec) = match (&args.preset, &args.sweep, &args.out) {
        (Some(name), _, Some(out)) => {
            let spec = presets::preset(name, &args.cohort).context("there is no such preset")?;
            (SweepFolder::create(out, &spec)?, spec)
        }
        (_, Some(path), out) => open(path, out.as_deref())?,
        _ => anyhow::bail!("say which sweep, or --preset NAME --out FOLDER"),
    };
    let options = benchmark::Options { workers: args.workers, only: args.job.clone() };
    let tell = |standing: &Standing| {
        if args.json
            && let Ok(line) = serde_json::to_string(standing)
        {
            println!("{line}");
        }
    };
    let outcome = watched(&format!("sweep {}", spec.name), |progress| {
        let pack = folder.cohort(&spec, progress)?;
        // Counting films and counting jobs are two things.
        progress.restart();
        benchmark::run(&folder, &spec, &pack, &options, progress, &tell)
    });
    match outcome {
        Ok(result) => {
            if !args.json {
                tell_result(&result);
            }
            eprintln!("result in {}", folder.result().display());
            Ok(())
        }
        Err(BenchmarkError::Unfinished { done, jobs }) if args.job.is_some() => {
            eprintln!("the job is done; {done} of {jobs} jobs of the sweep are");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn status(args: &SweepArgs) -> anyhow::Result<()> {
    let (folder, spec, plan) = planned(args)?;
    let mut standing = folder.standing().unwrap_or_default();
    (standing.done, standing.jobs) = (plan.jobs.iter().filter(|j| folder.is_done(&j.key)).count(), plan.jobs.len());
    if args.json {
        println!("{}", serde_json::to_string_pretty(&standing)?);
        return Ok(());
    }
    let left = standing.seconds_left.map_or_else(String::new, |s| format!(", about {} left when last noted", clock(s)));
    println!(
        "{}: {} of {} jobs done, {:.0} %{left}",
        spec.name,
        standing.done,
        standing.jobs,
        100.0 * standing.fraction
    );
    if standing.done < standing.jobs {
        standing.running.iter().for_each(|title| println!("  {title}"));
    }
    Ok(())
}

fn write_report(args: &SweepArgs) -> anyhow::Result<()> {
    let (sweep, spec) = open(&args.sweep, args.out.as_deref())?;
    let pack = sweep.cohort(&spec, &Progress::new())?;
    let result = benchmark::aggregate(&sweep, &spec, &pack, &Plan::new(&spec, &pack)?)?;
    folder::write_json(&sweep.result(), &result)?;
    let files = report::write(&result, sweep.root())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&files)?);
    } else {
        tell_result(&result);
        files.iter().for_each(|file| println!("{}", file.display()));
    }
    Ok(())
}

fn tell_result(result: &SweepResult) {
    for point in &result.points {
        for value in &point.values {
            println!("{}", report::row(result, point, value).join("  "));
        }
    }
    result.sentences.iter().for_each(|sentence| println!("{sentence}"));
}

fn clock(seconds: f64) -> String {
    let minutes = (seconds / 60.0).ceil().clamp(0.0, 1e7) as u64;
    if minutes >= 60 { format!("{} h {:02} min", minutes / 60, minutes % 60) } else { format!("{minutes} min") }
}
