//! `negatoscope submit`: runs sent to a Slurm cluster.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cluster::{self, Resources, Slurm, Submission};

/// Words of the verb.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// Run specifications (.toml), or folders of runs to go on with; several make one array.
    #[arg(required = true)]
    specs: Vec<PathBuf>,
    /// Folder for the runs, on a file system that every node sees under this path.
    #[arg(long, required_unless_present = "cancel")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A job that must succeed first, or a dependency in Slurm's own words (afterany:123).
    #[arg(long)]
    after: Option<String>,
    /// Take the jobs of these run folders back instead; they write a checkpoint and can be resumed.
    #[arg(long)]
    cancel: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What each job asks of the cluster, and where the cluster is.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Partition of the cluster.
    #[arg(long)]
    partition: Option<String>,
    /// Time limit: minutes, 12:00:00 or 2-00:00:00. Longer runs are requeued and resumed.
    #[arg(long, default_value = "24:00:00")]
    time: String,
    /// GPUs of each job.
    #[arg(long, default_value_t = 0)]
    gpus: u32,
    /// Cores of each job.
    #[arg(long, default_value_t = 4)]
    cores: u32,
    /// Memory of each job.
    #[arg(long, default_value = "16G")]
    memory: String,
    /// Most jobs of an array at a time; 0 for as many as the cluster gives.
    #[arg(long, default_value_t = 0)]
    together: u32,
    /// Login node to send from, over ssh.
    #[arg(long)]
    host: Option<String>,
    /// Folder of Slurm's commands, where they are not found without it.
    #[arg(long)]
    commands: Option<PathBuf>,
    /// The program as the nodes see it; this one without it.
    #[arg(long)]
    program: Option<PathBuf>,
}

impl ClusterArgs {
    /// Where Slurm's commands are called.
    pub fn slurm(&self) -> Slurm {
        Slurm { host: self.host.clone(), commands: self.commands.clone() }
    }

    /// The program as the nodes see it.
    pub fn program(&self) -> anyhow::Result<PathBuf> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None => std::env::current_exe().context("this program's own path is unknown; name it with --program"),
        }
    }

    /// What each job asks for.
    pub fn resources(&self) -> Resources {
        Resources {
            partition: self.partition.clone(),
            time: self.time.clone(),
            gpus: self.gpus,
            cores: self.cores,
            memory: self.memory.clone(),
            together: self.together,
        }
    }
}

/// Sends runs, or takes their jobs back.
pub fn run(args: &SubmitArgs) -> anyhow::Result<()> {
    if args.cancel {
        for root in &args.specs {
            cluster::cancel(root)?;
            println!("{} is taken back", root.display());
        }
        return Ok(());
    }
    let out = args.out.clone().context("say where the runs go: --out FOLDER")?;
    let submission = Submission {
        specs: args.specs.clone(),
        out,
        program: args.cluster.program()?,
        resources: args.cluster.resources(),
        slurm: args.cluster.slurm(),
        after: args.after.clone(),
    };
    let sent = submission.send()?;
    if args.json {
        println!("{}", serde_json::json!({ "job": sent.job, "runs": sent.runs, "script": sent.script }));
    } else {
        println!("job {}", sent.job);
        sent.runs.iter().for_each(|run| println!("  {}", run.display()));
        println!("see how they stand: negatoscope runs {}", args.out.as_deref().unwrap_or(&sent.script).display());
    }
    Ok(())
}
