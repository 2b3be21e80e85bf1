//! From specs to jobs, and from run folders to what became of their jobs.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::ClusterError;
use super::job::{JobId, JobState};
use super::script::{Resources, script};
use super::slurm::Slurm;
use crate::store;
use crate::training::run_folder::{self, JobRecord, RunFolder};
use crate::training::{RunSpec, RunStatus};

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Specs, or folders of runs to go on with.
    pub specs: Vec<PathBuf>,
    /// The folder in which the runs of specs get their own; every node must see it under this path.
    pub out: PathBuf,
    /// The program as the nodes see it.
    pub program: PathBuf,
    /// What each run asks for.
    pub resources: Resources,
    /// Where Slurm's commands are called.
    pub slurm: Slurm,
    /// A dependency: `123` for a job that must succeed first, or as Slurm writes it (`afterany:123`).
    pub after: Option<String>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Number of the job or of the array.
    pub job: u64,
    /// The run folders, in the order of the array's tasks.
    pub runs: Vec<PathBuf>,
    /// The batch script.
    pub script: PathBuf,
}

/// Most runs of one submission: Slurm's own limit on arrays is 1001 unless the site changed it.
const MOST: usize = 1000;

impl Submission {
    /// Makes a run folder for each spec, writes the batch script beside them, and sends it.
    ///
    /// # Errors
    /// When a spec is wrong, a folder cannot be made, or Slurm refuses.
    pub fn send(&self) -> Result<Submitted, ClusterError> {
        let wrong =
            |path: &Path, problem: &str| ClusterError::Folder { path: path.to_path_buf(), problem: problem.to_owned() };
        if self.specs.is_empty() || self.specs.len() > MOST {
            return Err(wrong(&self.out, "give 1 to 1000 specifications"));
        }
        self.check_words()?;
        store::make_folder(&self.out)?;
        let out =
            std::path::absolute(&self.out).map_err(|e| wrong(&self.out, &format!("has no absolute path: {e}")))?;
        let mut runs = Vec::with_capacity(self.specs.len());
        let mut seen = HashSet::new();
        for path in &self.specs {
            let root = if path.is_dir() {
                RunSpec::read(&path.join("run.toml"))?;
                std::path::absolute(path).map_err(|e| wrong(path, &format!("has no absolute path: {e}")))?
            } else {
                out.join(path.file_stem().unwrap_or_default())
            };
            if !seen.insert(root.clone()) {
                return Err(wrong(path, "names the same run as another one; give its file another name"));
            }
            runs.push((path, root));
        }
        for (path, root) in &runs {
            if !path.is_dir() {
                // Only made, not held: the node holds it.
                drop(RunFolder::create(root, &RunSpec::read(path)?)?);
            }
        }
        let runs: Vec<PathBuf> = runs.into_iter().map(|(_, root)| root).collect();
        let after = self.after.as_ref();
        let after = after.map(|after| if after.contains(':') { after.clone() } else { format!("afterok:{after}") });
        let text = script(&self.program, &runs, &out, &self.resources, after.as_deref());
        let path = out.join(format!("submit-{}.sbatch", &store::hash_bytes(text.as_bytes())[..8]));
        store::write_atomic(&path, text.as_bytes())?;
        let job = self.slurm.submit(&path)?;
        for (task, root) in runs.iter().enumerate() {
            let task = (runs.len() > 1).then_some(task as u32);
            let record = JobRecord { job, task, host: self.slurm.host.clone() };
            run_folder::write_job(root, &record)?;
        }
        Ok(Submitted { job, runs, script: path })
    }

    /// Words that go into the script's options must not bring options of their own.
    fn check_words(&self) -> Result<(), ClusterError> {
        let Resources { partition, time, memory, .. } = &self.resources;
        let plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:,?+".contains(c));
        let words = [("partition", partition.as_deref()), ("time", Some(time)), ("memory", Some(memory))];
        for (name, word) in words.into_iter().chain([("after", self.after.as_deref())]) {
            if word.is_some_and(|word| !plain(word)) {
                let problem = format!("\"{}\" is no {name} that Slurm knows", word.unwrap_or_default());
                return Err(ClusterError::Refused { command: "submit".to_owned(), problem });
            }
        }
        if self.out.to_string_lossy().contains(['"', '\n', '%']) {
            let problem =
                "Slurm's log files cannot lie in a folder with quotes or percent signs in its name".to_owned();
            return Err(ClusterError::Folder { path: self.out.clone(), problem });
        }
        Ok(())
    }
}

/// Asks the scheduler about the jobs of all runs that have one, each login node once, and fills in what it says.
///
/// # Errors
/// What the first scheduler that could not be asked said; the others have been asked all the same.
pub fn refresh(statuses: &mut [RunStatus]) -> Result<(), ClusterError> {
    let mut by_host: BTreeMap<Option<String>, Vec<JobId>> = BTreeMap::new();
    let id = |record: &JobRecord| JobId { job: record.job, task: record.task };
    for record in statuses.iter().filter_map(|status| status.job.as_ref()) {
        by_host.entry(record.host.clone()).or_default().push(id(record));
    }
    let mut failed = Ok(());
    for (host, jobs) in by_host {
        let states = match (Slurm { host: host.clone() }).states(&jobs) {
            Ok(states) => states,
            Err(error) => {
                failed = failed.and(Err(error));
                continue;
            }
        };
        for status in statuses.iter_mut() {
            if let Some(record) = status.job.as_ref().filter(|record| record.host == host) {
                status.job_state = states.get(&id(record)).map(JobState::words);
            }
        }
    }
    failed
}

/// Takes the job of the run in `root` back. The run writes a checkpoint and can be resumed.
///
/// # Errors
/// When the run has no job, or Slurm refuses.
pub fn cancel(root: &Path) -> Result<(), ClusterError> {
    let Some(record) = run_folder::job(root) else {
        let problem = "was not sent to a cluster; pause or stop it in its folder".to_owned();
        return Err(ClusterError::Folder { path: root.to_path_buf(), problem });
    };
    Slurm { host: record.host.clone() }.cancel(JobId { job: record.job, task: record.task })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_would_be_options_are_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let good = Submission {
            specs: vec![folder.path().join("a.toml")],
            out: out.clone(),
            program: "negatoscope".into(),
            resources: Resources {
                partition: None,
                time: "60".to_owned(),
                gpus: 0,
                cores: 1,
                memory: "1G".to_owned(),
                together: 0,
            },
            slurm: Slurm::default(),
            after: None,
        };
        let refused = |change: fn(&mut Submission)| {
            let mut submission = good.clone();
            change(&mut submission);
            submission.send().unwrap_err().to_string()
        };
        assert!(refused(|s| s.resources.time = "60\n#SBATCH --uid=0".to_owned()).contains("is no time"));
        assert!(refused(|s| s.after = Some("1; rm".to_owned())).contains("is no after"));
        assert!(refused(|s| s.resources.partition = Some(String::new())).contains("is no partition"));
        assert!(refused(|s| s.specs.clear()).contains("1 to 1000"));
        assert!(!out.exists());
        assert!(refused(|_| ()).contains("a.toml"));
        assert!(refused(|s| s.specs = vec!["x/a.toml".into(), "y/a.toml".into()]).contains("the same run"));
        assert!(cancel(folder.path()).unwrap_err().to_string().contains("not sent to a cluster"));
    }
}
