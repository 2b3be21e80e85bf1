//! `negatoscope sweep`: plan, run and report a benchmark.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::signals;
use super::submit::ClusterArgs;
use super::waiting::watched;
use crate::benchmark::{
    self, BenchmarkError, Plan, Standing, SweepFolder, SweepResult, SweepSpec, Work, folder, presets, report, time_left,
};
use crate::cluster::{self, JobState, SentGraph, Step};
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
    /// Send a sweep to a Slurm cluster, each of its jobs as one of Slurm's.
    Submit(SubmitArgs),
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

/// Words of `sweep submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Take the sweep's jobs back instead; what is done stays done.
    #[arg(long)]
    cancel: bool,
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
        SweepVerb::Submit(args) => submit(args),
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
        if args.job.is_some() {
            signals::pause_on(progress);
        }
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
        Err(BenchmarkError::Cancelled(_)) if signals::came() => out_of_time(&folder, &spec, args.job.as_deref()),
        Err(error) => Err(error.into()),
    }
}

/// The cluster's time was up under a job: a generator goes on where it was, anything else would begin anew.
fn out_of_time(folder: &SweepFolder, spec: &SweepSpec, key: Option<&str>) -> anyhow::Result<()> {
    let plan = Plan::new(spec, &folder.cohort(spec, &Progress::new())?)?;
    let job = plan.jobs.iter().find(|job| Some(job.key.as_str()) == key);
    if job.is_some_and(|job| matches!(job.work, Work::Generator { .. })) {
        eprintln!("the generator is paused and can be gone on with");
        std::process::exit(signals::PAUSED_BY_SIGNAL);
    }
    let title = job.map_or("the job", |job| job.title.as_str());
    anyhow::bail!("{title}: the time limit is too short for it, and it cannot go on where it was; give more --time")
}

/// The graph of all jobs that are not done, and of the report on them.
fn steps(folder: &SweepFolder, plan: &Plan) -> anyhow::Result<Vec<Step>> {
    let root = std::path::absolute(folder.root()).context("the sweep's folder has no absolute path")?;
    let root = root.to_string_lossy().into_owned();
    let open: Vec<usize> = (0..plan.jobs.len()).filter(|&i| !folder.is_done(&plan.jobs[i].key)).collect();
    let place = |job: usize| open.iter().position(|&other| other == job);
    let mut steps: Vec<Step> = Vec::with_capacity(open.len() + 1);
    for &i in &open {
        let job = &plan.jobs[i];
        let (kind, gpu) = match job.work {
            Work::Generator { .. } => ("generator", true),
            Work::Samples { .. } => ("samples", false),
            Work::Classifier { .. } => ("classifier", false),
            Work::Test { .. } => ("test", false),
        };
        let words = ["sweep", "run", &root, "--workers", "1", "--job", &job.key];
        steps.push(Step {
            name: job.key.clone(),
            kind: kind.to_owned(),
            words: words.map(str::to_owned).to_vec(),
            needs: job.needs.iter().filter_map(|&need| place(need)).collect(),
            gpu,
        });
    }
    let last = Step {
        name: REPORT.to_owned(),
        kind: REPORT.to_owned(),
        words: ["sweep", "report", &root].map(str::to_owned).to_vec(),
        needs: (0..steps.len()).filter(|&i| steps[i].kind == "test").collect(),
        gpu: false,
    };
    steps.push(last);
    Ok(steps)
}

/// Name of the job that comes last.
const REPORT: &str = "report";

fn submit(args: &SubmitArgs) -> anyhow::Result<()> {
    let (folder, spec, plan) = planned(&args.sweep)?;
    let before = SentGraph::read(folder.root());
    if args.cancel {
        before.context("this sweep was not sent to a cluster")?.cancel()?;
        println!("the jobs of {} are taken back", spec.name);
        return Ok(());
    }
    if let Some(before) = before
        && before.states()?.values().any(JobState::is_alive)
    {
        anyhow::bail!("jobs of this sweep are still on the cluster; wait for them, or take them back with --cancel");
    }
    let steps = steps(&folder, &plan)?;
    let cluster = &args.cluster;
    let sent = cluster::send_graph(folder.root(), &steps, &cluster.program()?, &cluster.resources(), &cluster.slurm())?;
    if args.sweep.json {
        println!("{}", serde_json::json!({ "sweep": folder.root(), "jobs": sent.jobs }));
    } else {
        println!(
            "{} jobs sent, {} of {} were done before",
            steps.len(),
            plan.jobs.len() + 1 - steps.len(),
            plan.jobs.len()
        );
        println!("see how they stand: negatoscope sweep status {}", folder.root().display());
    }
    Ok(())
}

/// What the cluster says about jobs that are not done, with their titles.
fn on_the_cluster(folder: &SweepFolder, plan: &Plan) -> Vec<(String, JobState)> {
    let Some(sent) = SentGraph::read(folder.root()) else { return Vec::new() };
    let states = match sent.states() {
        Ok(states) => states,
        Err(error) => {
            eprintln!("{error}");
            return Vec::new();
        }
    };
    let titles = plan.jobs.iter().filter(|job| !folder.is_done(&job.key));
    let titles = titles.map(|job| (job.key.as_str(), job.title.as_str()));
    let report = (!folder.result().is_file()).then_some((REPORT, REPORT));
    let told = titles.chain(report).filter_map(|(key, title)| {
        let job = sent.jobs.get(key)?;
        Some((format!("job {job}  {title}"), states.get(key)?.clone()))
    });
    told.collect()
}

fn status(args: &SweepArgs) -> anyhow::Result<()> {
    let (folder, spec, plan) = planned(args)?;
    let mut standing = folder.standing().unwrap_or_default();
    let done = |job: &&benchmark::Job| folder.is_done(&job.key);
    (standing.done, standing.jobs) = (plan.jobs.iter().filter(done).count(), plan.jobs.len());
    let sent = on_the_cluster(&folder, &plan);
    let on_cluster = SentGraph::read(folder.root()).is_some();
    if on_cluster {
        // Jobs of a cluster do not note how far the whole is: each knows only itself.
        let weight = |jobs: &mut dyn Iterator<Item = &benchmark::Job>| jobs.map(|job| job.weight).sum::<f64>();
        let all = weight(&mut plan.jobs.iter());
        standing.fraction = weight(&mut plan.jobs.iter().filter(done)) / all.max(1e-9);
        let running = sent.iter().filter(|(_, state)| *state == JobState::Running);
        standing.running = running.map(|(title, _)| title.clone()).collect();
        // Where jobs wait for a place, no more of them run at a time than now.
        let no_place =
            |state: &JobState| matches!(state, JobState::Pending(reason) if !reason.starts_with("Dependency"));
        let full = sent.iter().any(|(_, state)| no_place(state)) && !standing.running.is_empty();
        let places = full.then_some(standing.running.len());
        let goes_on = standing.done < standing.jobs && sent.iter().any(|(_, state)| state.is_alive());
        standing.seconds_left = if goes_on { time_left::on_cluster(&folder, &plan, places) } else { None };
        standing.failed = sent.iter().filter(|(_, state)| !state.is_alive() && *state != JobState::Completed).count();
    }
    if args.json {
        let mut text = serde_json::to_value(&standing)?;
        let jobs = sent.iter().map(|(job, state)| serde_json::json!({ "job": job, "state": state.words() }));
        text["cluster"] = jobs.collect();
        println!("{}", serde_json::to_string_pretty(&text)?);
        return Ok(());
    }
    let when = if on_cluster { ", waiting in the queue not counted" } else { " when last noted" };
    let left = standing.seconds_left.map_or_else(String::new, |s| format!(", about {} left{when}", clock(s)));
    println!(
        "{}: {} of {} jobs done, {:.0} %{left}",
        spec.name,
        standing.done,
        standing.jobs,
        100.0 * standing.fraction
    );
    if !sent.is_empty() {
        sent.iter().for_each(|(job, state)| println!("  {:<24} {job}", state.words()));
    } else if standing.done < standing.jobs {
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
