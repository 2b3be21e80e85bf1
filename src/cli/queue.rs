//! `negatoscope queue`: works through the runs that wait, one after another.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::desktop::training::Places;
use crate::training::launch::{self, Bond};
use crate::training::queue::{self, Queue};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// Folder of the queue; the window's own otherwise.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Print the runs that wait, and do nothing else.
    #[arg(long)]
    list: bool,
}

/// Lists the queue, or works through it.
pub fn run(args: &QueueArgs) -> anyhow::Result<()> {
    let places = Places::new(args.folder.clone());
    let queue = Queue::new(places.data());
    if args.list {
        let waiting = queue.read();
        for run in waiting.current.iter().chain(&waiting.next) {
            println!("{}", run.display());
        }
        return Ok(());
    }
    let program = std::env::current_exe().context("this program cannot be found on disk")?;
    queue::work(&queue, &places.runs(), |run| {
        println!("training {}", run.display());
        match launch::launch(&program, run, Bond::Free).and_then(|mut child| child.wait()) {
            Ok(status) => println!("{}: {status}", run.display()),
            Err(error) => println!("{}: could not be started: {error}", run.display()),
        }
    })?;
    Ok(())
}
