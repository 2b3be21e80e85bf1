//! From specs to jobs, and from run folders to what became of their jobs.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClusterError;
use super::job::{JobId, JobState};
use super::script::{Batch, Resources, script};
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
        check_words(&self.resources, self.after.as_deref(), &self.out)?;
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
        let words = |run: &PathBuf| vec!["train".to_owned(), run.to_string_lossy().into_owned()];
        let text = script(&Batch {
            name: "negatoscope",
            program: &self.program,
            tasks: &(0..).zip(runs.iter().map(words)).collect(),
            array: runs.len() > 1,
            logs: &out,
            resources: &self.resources,
            after: after.as_deref(),
        });
        let path = out.join(format!("submit-{}.sbatch", &store::hash_bytes(text.as_bytes())[..8]));
        store::write_atomic(&path, text.as_bytes())?;
        let job = self.slurm.submit(&path)?;
        if let Err(error) = self.note(job, &runs) {
            // A job that its run does not know of could be neither followed nor taken back.
            drop(self.slurm.cancel(JobId { job, task: None }));
            return Err(error);
        }
        Ok(Submitted { job, runs, script: path })
    }

    /// Writes down in each run's folder which job it has, and on which terms.
    fn note(&self, job: u64, runs: &[PathBuf]) -> Result<(), ClusterError> {
        let terms = Terms { program: self.program.clone(), resources: self.resources.clone() };
        let text = serde_json::to_vec_pretty(&terms).unwrap_or_default();
        for (task, root) in runs.iter().enumerate() {
            let task = (runs.len() > 1).then_some(task as u32);
            let Slurm { host, commands } = self.slurm.clone();
            run_folder::write_job(root, &JobRecord { job, task, host, commands })?;
            store::write_atomic(&root.join(TERMS), &text)?;
        }
        Ok(())
    }
}

/// Words that go into a script's options must not bring options of their own.
///
/// # Errors
/// [`ClusterError`] that names the word.
pub fn check_words(resources: &Resources, after: Option<&str>, logs: &Path) -> Result<(), ClusterError> {
    let Resources { partition, time, memory, .. } = resources;
    let plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:,?+".contains(c));
    let words = [("partition", partition.as_deref()), ("time", Some(time)), ("memory", Some(memory)), ("after", after)];
    for (name, word) in words {
        if word.is_some_and(|word| !plain(word)) {
            let problem = format!("\"{}\" is no {name} that Slurm knows", word.unwrap_or_default());
            return Err(ClusterError::Refused { command: "submit".to_owned(), problem });
        }
    }
    if logs.to_string_lossy().contains(['"', '\n', '%']) {
        let problem = "Slurm's log files cannot lie in a folder with quotes or percent signs in its name".to_owned();
        return Err(ClusterError::Folder { path: logs.to_path_buf(), problem });
    }
    Ok(())
}

/// On which terms a run was sent, so that it can be sent again; `job-terms.json` in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    program: PathBuf,
    resources: Resources,
}

/// Name of the file with [`Terms`].
const TERMS: &str = "job-terms.json";

fn id(record: &JobRecord) -> JobId {
    JobId { job: record.job, task: record.task }
}

fn slurm(record: &JobRecord) -> Slurm {
    Slurm { host: record.host.clone(), commands: record.commands.clone() }
}

/// What the schedulers say about these jobs, each login node asked once: the state of each job, `None` where Slurm no
/// longer knows it, or why its scheduler could not be asked.
pub fn ask(records: &[JobRecord]) -> Vec<Result<Option<JobState>, String>> {
    let mut by_slurm: BTreeMap<Slurm, Vec<usize>> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        by_slurm.entry(slurm(record)).or_default().push(place);
    }
    let mut answers = vec![Ok(None); records.len()];
    for (slurm, places) in by_slurm {
        let ids: Vec<JobId> = places.iter().map(|&place| id(&records[place])).collect();
        let states = slurm.states(&ids).map_err(|error| error.to_string());
        for (place, id) in places.into_iter().zip(ids) {
            answers[place] = states.as_ref().map(|states| states.get(&id).cloned()).map_err(Clone::clone);
        }
    }
    answers
}

/// Asks about the jobs of all runs that have one, and fills in what is said.
///
/// # Errors
/// What the first scheduler that could not be asked said; the others have been asked all the same.
pub fn refresh(statuses: &mut [RunStatus]) -> Result<(), String> {
    let records: Vec<JobRecord> = statuses.iter().filter_map(|status| status.job.clone()).collect();
    let mut failed = Ok(());
    let sent = statuses.iter_mut().filter(|status| status.job.is_some());
    for (status, answer) in sent.zip(ask(&records)) {
        match answer {
            Ok(state) => status.job_state = state.as_ref().map(JobState::words),
            Err(problem) => {
                status.job_state = Some("of unknown state".to_owned());
                failed = failed.and(Err(problem));
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
    let record = sent(root, "pause or stop it in its folder")?;
    slurm(&record).cancel(id(&record))
}

/// Sends the run in `root` once more, on the terms of the last time; it goes on from its last checkpoint.
///
/// # Errors
/// When it was not sent before, its job has not ended, or Slurm refuses.
pub fn send_again(root: &Path) -> Result<Submitted, ClusterError> {
    let record = sent(root, "send it with `negatoscope submit`")?;
    let wrong = |problem: String| ClusterError::Folder { path: root.to_path_buf(), problem };
    let terms = std::fs::read(root.join(TERMS)).map_err(|e| e.to_string());
    let terms = terms.and_then(|bytes| serde_json::from_slice::<Terms>(&bytes).map_err(|e| e.to_string()));
    let Terms { program, resources } = terms.map_err(|e| wrong(format!("its {TERMS} cannot be read: {e}")))?;
    if slurm(&record).states(&[id(&record)])?.values().any(JobState::is_alive) {
        return Err(wrong(format!("job {} has not ended yet; cancel it first", id(&record))));
    }
    let out = root.parent().unwrap_or(Path::new(".")).to_path_buf();
    let again =
        Submission { specs: vec![root.to_path_buf()], out, program, resources, slurm: slurm(&record), after: None };
    again.send()
}

fn sent(root: &Path, remedy: &str) -> Result<JobRecord, ClusterError> {
    run_folder::job(root).ok_or_else(|| {
        let problem = format!("was not sent to a cluster; {remedy}");
        ClusterError::Folder { path: root.to_path_buf(), problem }
    })
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
