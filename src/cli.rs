//! The command line: each verb calls one function of a room below.
//!
//! In: words. Out: exit code 0 (done), 1 (failed, with a sentence on standard error) or 2 (the words were wrong).

mod attribute;
mod bench;
mod cohort;
mod encoder;
mod fidelity;
mod models;
mod neighbours;
mod queue;
mod runs;
mod sample;
mod selftest;
mod signals;
mod submit;
mod sweep;
mod train;
mod waiting;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A light box for synthetic medical images. Research and teaching, not for diagnosis.
#[derive(Debug, Parser)]
#[command(name = "negatoscope", version = crate::VERSION, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    explore: ExploreArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open the window (also what happens with no verb).
    Explore(ExploreArgs),
    /// List the models at hand, or show one card.
    Models(models::ModelsArgs),
    /// Render samples to a file or a folder.
    Sample(sample::SampleArgs),
    /// Render samples and list the nearest real radiographs of each.
    Neighbours(neighbours::NeighboursArgs),
    /// Make and inspect packs of radiographs.
    #[command(subcommand)]
    Cohort(cohort::CohortVerb),
    /// Train a generator from a run specification, or go on with a run folder.
    Train(train::TrainArgs),
    /// List runs: how they stand, how far they have come, how good their samples are.
    Runs(runs::RunsArgs),
    /// Work through the runs that wait for their turn, or list them.
    Queue(queue::QueueArgs),
    /// Send runs to a Slurm cluster, which requeues and resumes them when their time is up.
    Submit(submit::SubmitArgs),
    /// Train the encoder that measures nearness, or measure a generator by the benchmark's figure.
    #[command(subcommand)]
    Encoder(encoder::EncoderVerb),
    /// Plan, run and report a benchmark: classifiers trained on real films and on samples, over one factor.
    #[command(subcommand)]
    Sweep(sweep::SweepVerb),
    /// Drive the real window offscreen through every workspace and write pictures of it.
    Tour(TourArgs),
    /// Check this machine's arithmetic against known pixels and distances of the shipped models.
    Selftest(selftest::SelftestArgs),
    /// Measure how fast this machine samples and searches.
    Bench(bench::BenchArgs),
}

#[derive(Debug, Args)]
struct ExploreArgs {
    /// Model to open: a shipped name or a file.
    #[arg(long)]
    model: Option<String>,
    /// Pack of real radiographs to show neighbours from.
    #[arg(long)]
    cohort: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct TourArgs {
    /// Folder for the pictures.
    #[arg(long, default_value = "tour")]
    out: PathBuf,
}

/// Runs the program on the words it was started with.
pub fn main() -> ExitCode {
    crate::compute::init();
    end_with_the_reader();
    let filter = tracing_subscriber::EnvFilter::try_from_env("NEGATOSCOPE_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error,negatoscope=warn,wgpu_hal=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let code = match run(Cli::parse()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("negatoscope: {}", sentence(&error));
            1
        }
    };
    leave(code)
}

/// Ends the process without the exit handlers of C libraries. A worker that outlives the window may be the last to let go of
/// a graphics driver; the driver is unloaded then, and a handler it had left behind would be called where it was.
fn leave(code: u8) -> ExitCode {
    // What cannot be printed any more is not worth a word.
    let _ = std::io::Write::flush(&mut std::io::stdout());
    #[cfg(unix)]
    signal_hook::low_level::exit(code.into());
    #[cfg(not(unix))]
    ExitCode::from(code)
}

/// Ends the process without a word once nobody reads its output any more, as after `| head`, as other programs end by the
/// signal for it. The signal itself stays ignored, for it would also end the window when a program it had started dies.
fn end_with_the_reader() {
    /// What a shell reports of a program that this signal has ended.
    const ENDED_BY_PIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.starts_with("failed printing to stdout: Broken pipe")) {
            std::process::exit(ENDED_BY_PIPE);
        }
        usual(panic);
    }));
}

/// The error with its causes, each named once.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl Verb {
    /// Whether this process is a window, or measures one.
    fn is_window(&self) -> bool {
        matches!(self, Self::Explore(_) | Self::Tour(_)) || matches!(self, Self::Bench(args) if args.is_window())
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let verb = cli.verb.unwrap_or(Verb::Explore(cli.explore));
    if !verb.is_window() {
        crate::compute::memory::keep_freed();
    }
    match verb {
        Verb::Explore(args) => {
            let model = args.model.as_deref().map(crate::generator::library::find).transpose()?;
            let options = crate::desktop::Options { model, cohort: args.cohort, ..Default::default() };
            Ok(crate::desktop::run(&options)?)
        }
        Verb::Models(args) => models::run(&args),
        Verb::Sample(args) => sample::run(&args),
        Verb::Neighbours(args) => neighbours::run(&args),
        Verb::Cohort(verb) => cohort::run(&verb),
        Verb::Train(args) => train::run(&args),
        Verb::Queue(args) => queue::run(&args),
        Verb::Runs(args) => runs::run(&args),
        Verb::Submit(args) => submit::run(&args),
        Verb::Encoder(verb) => encoder::run(&verb),
        Verb::Sweep(verb) => sweep::run(&verb),
        Verb::Tour(args) => {
            let pictures = crate::desktop::tour(&args.out)?;
            println!("{} pictures in {}:", pictures.len(), args.out.display());
            for picture in pictures {
                println!("  {}", picture.display());
            }
            Ok(())
        }
        Verb::Selftest(args) => selftest::run(&args),
        Verb::Bench(args) => bench::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
