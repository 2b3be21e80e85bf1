//! Slurm's own commands, here or on a login node.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::ClusterError;
use super::job::{JobId, JobState, SQUEUE, parse_sacct, parse_squeue};
use super::script::quoted;

/// Where Slurm's commands are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slurm {
    /// A login node, reached over ssh; this machine without it.
    pub host: Option<String>,
}

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

    fn call(&self, command: &str, words: &[&str]) -> Result<String, ClusterError> {
        let output = match &self.host {
            None => Command::new(command).args(words).output(),
            Some(host) => {
                let line: Vec<String> = std::iter::once(&command).chain(words).map(|word| quoted(word)).collect();
                Command::new("ssh").args(["-o", "BatchMode=yes", "--", host]).arg(line.join(" ")).output()
            }
        };
        let named = self.host.as_ref().map_or(command.to_owned(), |host| format!("{command} on {host}"));
        let output = output.map_err(|source| ClusterError::Missing { command: named.clone(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let problem = if said.is_empty() { format!("it ended with {}", output.status) } else { said };
        Err(ClusterError::Refused { command: named, problem })
    }
}
