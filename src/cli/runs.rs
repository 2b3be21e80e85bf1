//! `negatoscope runs`: how the runs in some folders stand.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::train::clock;
use crate::cluster;
use crate::training::RunStatus;
use crate::training::run_folder::{self, Request};
use crate::training::status;

/// Words of the verb.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Folders that are runs or hold runs.
    #[arg(default_value = ".")]
    folders: Vec<PathBuf>,
    /// Ask those that are running for something, wherever they run; they do it at their next step.
    #[arg(long, value_enum)]
    ask: Option<Ask>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What a run can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ask {
    /// Write a checkpoint and end; `train RUN` goes on.
    Pause,
    /// The same, and the run counts as done.
    Stop,
    /// Write a checkpoint and a sample grid now, and go on.
    Snapshot,
}

impl From<Ask> for Request {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Pause => Self::Pause,
            Ask::Stop => Self::Stop,
            Ask::Snapshot => Self::Snapshot,
        }
    }
}

/// Lists runs; one that cannot be read is named on standard error and the others still listed.
pub fn run(args: &RunsArgs) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for folder in &args.folders {
        if !folder.is_dir() {
            bail!("{} is not a folder", folder.display());
        }
        for root in status::runs_in(folder) {
            match status::status(&root) {
                Ok(status) => found.push(status),
                Err(error) => eprintln!("{error}"),
            }
        }
    }
    if found.iter().any(|status| status.job.is_some())
        && let Err(error) = cluster::refresh(&mut found)
    {
        eprintln!("{error}");
    }
    if let Some(ask) = args.ask {
        found.retain(|status| status.state.is_running());
        if found.is_empty() {
            bail!("none of these runs is running; there is nothing to ask");
        }
        for status in &found {
            run_folder::request(&status.folder, ask.into())?;
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else if found.is_empty() {
        println!("no runs here; begin one with: negatoscope train SPEC --out FOLDER");
    } else {
        found.iter().for_each(|status| println!("{}", line(status)));
    }
    Ok(())
}

fn line(status: &RunStatus) -> String {
    let mut parts = vec![
        format!("{:<17} {}", status.state.words(), status.folder.display()),
        format!("{} {:.1} of {} kimg", status.name, status.kimg, status.total_kimg),
    ];
    if let Some(job) = &status.job {
        let task = job.task.map(|task| format!("_{task}")).unwrap_or_default();
        let state = status.job_state.as_deref().unwrap_or("no longer known to the cluster");
        parts.push(format!("job {}{task} {state}", job.job));
    }
    if let Some(figures) = status.figures.as_ref().filter(|_| status.state.is_running()) {
        parts.push(format!("{:.0} images/s, {} left", figures.images_per_second, clock(figures.seconds_left)));
    }
    if let Some(quality) = &status.quality {
        parts.push(format!("FID {:.2} (N = {}, {})", quality.fid, quality.count, quality.encoder));
    }
    parts.extend(status.device.clone());
    if let Some(holder) = status.holder.as_ref().filter(|holder| !holder.is_here()) {
        parts.push(format!("on {}", holder.host));
    }
    if let Some(last) = status.last_event {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        parts.push(format!("last heard of {} ago", clock(now.saturating_sub(last) as f64)));
    }
    if status.state == crate::training::RunState::Failed {
        parts.extend(status.notice.clone());
    }
    parts.join("; ")
}
