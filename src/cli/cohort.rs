//! `negatoscope cohort`: make packs from files or from phantoms, and look into them.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::waiting::watched;
use crate::cohort::{Format, ImportOptions, ImportReport, Pack, Splits, Summary, Uncertain, import, phantom, reader};

/// What to do with packs.
#[derive(Debug, Subcommand)]
pub enum CohortVerb {
    /// Import radiographs from a format that people have into a pack.
    Import(ImportArgs),
    /// Write a pack of phantoms, for which no data are needed.
    Phantom(PhantomArgs),
    /// Count what a pack holds.
    Show(ShowArgs),
}

/// Words of `cohort import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Folder, table or archive to import.
    input: PathBuf,
    /// Its format; guessed from the content where it is not said.
    #[arg(long)]
    format: Option<Format>,
    /// The pack to write: a folder that does not exist yet, or one that an earlier import wrote.
    #[arg(long)]
    out: PathBuf,
    /// Largest side stored, a power of two; the pyramid below it is stored too.
    #[arg(long, default_value_t = 64)]
    resolution: usize,
    /// Seed of the split by patient.
    #[arg(long, default_value_t = 100)]
    seed: u64,
    /// Who decides on folds: "patient" (80/10/10 of the patients, seeded) or "source".
    #[arg(long, default_value = "patient")]
    splits: Splits,
    /// What an uncertain label counts as: ones, zeros, or ignore (the film is left out).
    #[arg(long, default_value = "ones")]
    uncertain: Uncertain,
    /// Label table, where it does not lie with the films.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Another name for the cohort.
    #[arg(long)]
    name: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Words of `cohort phantom`.
#[derive(Debug, Args)]
pub struct PhantomArgs {
    /// Which body.
    #[arg(value_parser = ["chest", "brain"])]
    body: String,
    /// How many films.
    #[arg(long, default_value_t = 4000)]
    count: usize,
    /// Side in pixels, a power of two.
    #[arg(long, default_value_t = 64)]
    resolution: usize,
    /// Seed of the patients.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The pack to write.
    #[arg(long)]
    out: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Words of `cohort show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The pack.
    pack: PathBuf,
    /// Check every byte against the hashes in the header.
    #[arg(long)]
    verify: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Runs one of the cohort verbs.
pub fn run(verb: &CohortVerb) -> anyhow::Result<()> {
    match verb {
        CohortVerb::Import(args) => {
            let format = match args.format {
                Some(format) => format,
                None => reader::detect(&args.input).with_context(|| {
                    format!("{} is in no format known here; say which with --format", args.input.display())
                })?,
            };
            let options = ImportOptions {
                resolution: args.resolution,
                seed: args.seed,
                splits: args.splits,
                uncertain: args.uncertain,
                labels: args.labels.clone(),
                name: args.name.clone(),
                ..ImportOptions::new(format, &args.input, &args.out)
            };
            let report = watched("importing", |progress| import(&options, progress))?;
            tell(&report, args.json)
        }
        CohortVerb::Phantom(args) => {
            let options = phantom::PhantomOptions {
                kind: if args.body == "brain" { phantom::Kind::Brain } else { phantom::Kind::Chest },
                count: args.count,
                resolution: args.resolution,
                seed: args.seed,
                out: args.out.clone(),
            };
            let report = watched("drawing phantoms", |progress| phantom::write(&options, progress))?;
            tell(&report, args.json)
        }
        CohortVerb::Show(args) => {
            let pack = Pack::open(&args.pack)?;
            if args.verify {
                pack.verify()?;
            }
            let summary = Summary::of(&pack);
            if args.json {
                println!("{}", serde_json::to_string_pretty(&summary)?);
            } else {
                print!("{summary}");
            }
            Ok(())
        }
    }
}

fn tell(report: &ImportReport, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for skipped in report.skipped.iter().take(10) {
        eprintln!("left out {}: {}", skipped.source, skipped.reason);
    }
    if report.skipped.len() > 10 {
        eprintln!(
            "… and {} more; {} lists them all",
            report.skipped.len() - 10,
            report.path.join("skipped.json").display()
        );
    }
    let header = &report.header;
    let how = if report.up_to_date { "was up to date" } else { "written" };
    println!(
        "{}: {} films of {} patients at {} px, {how} in {:.1} s ({})",
        header.name,
        header.films,
        header.patients,
        header.resolutions.first().copied().unwrap_or_default(),
        report.seconds,
        report.path.display(),
    );
    Ok(())
}
