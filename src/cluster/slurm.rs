//! Slurm's own commands, here or on a login node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::ClusterError;
use super::job::{JobId, JobState, SQUEUE, parse_sacct, parse_squeue};
use super::script::quoted;
use crate::training::launch;

/// Where Slurm's commands are called.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slurm {
    /// A login node, reached over ssh; this machine without it.
    pub host: Option<String>,
    /// The folder of Slurm's commands there, where they are not found without it.
    #[serde(default)]
    pub commands: Option<PathBuf>,
}

/// How long a login node may take to answer, in seconds, before it counts as out of reach.
const PATIENCE: u32 = 10;

/// Exit code with which ssh says that it is ssh itself that failed.
const SSH_FAILED: i32 = 255;

impl Slurm {
    /// Sends a batch script and gives the number of the job.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with what Slurm says.
    pub fn submit(&self, script: &Path) -> Result<u64, ClusterError> {
        let answer = self.call("sbatch", &["--parsable", &script.to_string_lossy()])?;
        // "123" or "123;cluster".
        let number = answer.trim().split(';').next().unwrap_or_default();
        number.parse().map_err(|_| ClusterError::Refused {
            command: "sbatch".to_owned(),
            problem: format!("it answered \"{}\" in place of a job's number", answer.trim()),
        })
    }

    /// Takes a job back; what it has written stays.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with what Slurm says.
    pub fn cancel(&self, job: JobId) -> Result<(), ClusterError> {
        self.call("scancel", &[&job.to_string()]).map(drop)
    }

    /// The states of those of `jobs` that Slurm still knows: from the queue, and from the accounts where there are any.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    pub fn states(&self, jobs: &[JobId]) -> Result<BTreeMap<JobId, JobState>, ClusterError> {
        let queue = parse_squeue(&self.call("squeue", &["-h", "-r", "-t", "all", "-o", SQUEUE])?);
        let mut found: BTreeMap<JobId, JobState> =
            jobs.iter().filter_map(|job| Some((*job, queue.get(job)?.clone()))).collect();
        let forgotten: Vec<String> = jobs.iter().filter(|job| !found.contains_key(job)).map(JobId::to_string).collect();
        if !forgotten.is_empty() {
            let words = ["-n", "-P", "-X", "-D", "--format=JobID,State", "-j", &forgotten.join(",")];
            // A site without accounts says so by failing: the run's folder then tells how it ended.
            let accounts = self.call("sacct", &words).map(|text| parse_sacct(&text)).unwrap_or_default();
            found.extend(accounts.into_iter().filter(|(job, _)| jobs.contains(job)));
        }
        Ok(found)
    }

    /// Whether Slurm's commands can be found: where no login node is named, on this machine.
    pub fn is_there(&self) -> bool {
        let here = || match &self.commands {
            Some(folder) => folder.join("sbatch").is_file(),
            None => launch::on_path("sbatch").is_some(),
        };
        self.host.is_some() || here()
    }

    fn call(&self, command: &str, words: &[&str]) -> Result<String, ClusterError> {
        let program = self.commands.as_ref().map_or(PathBuf::from(command), |folder| folder.join(command));
        let output = match &self.host {
            None => Command::new(&program).args(words).output(),
            Some(host) => {
                // The other side's shell reads the line: every word is quoted for it.
                let program = program.to_string_lossy();
                let line: Vec<String> = std::iter::once(&*program).chain(words.iter().copied()).map(quoted).collect();
                let silence = format!("ServerAliveInterval={PATIENCE}");
                let connect = format!("ConnectTimeout={PATIENCE}");
                Command::new("ssh")
                    .args(["-o", "BatchMode=yes", "-o", &connect, "-o", &silence, "--", host])
                    .arg(line.join(" "))
                    .output()
            }
        };
        let named = self.host.as_ref().map_or(command.to_owned(), |host| format!("{command} on {host}"));
        let output = output.map_err(|source| match &self.host {
            Some(_) => ClusterError::Missing { command: "ssh".to_owned(), source },
            None => ClusterError::Missing { command: named.clone(), source },
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if let (Some(host), Some(SSH_FAILED)) = (&self.host, output.status.code()) {
            let problem = if said.is_empty() { "ssh gave no reason".to_owned() } else { said };
            return Err(ClusterError::OutOfReach { host: host.clone(), problem });
        }
        let problem = if said.is_empty() { format!("it ended with {}", output.status) } else { said };
        Err(ClusterError::Refused { command: named, problem })
    }
}
