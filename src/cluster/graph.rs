//! A graph of commands as jobs that wait for each other, gathered into arrays where one command follows one other.
//!
//! A command that needs exactly one other becomes the task of the same number in an array that follows the other's array
//! task by task (`aftercorr`), so that a sweep of a thousand jobs is a handful of arrays and none waits for a neighbour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ClusterError;
use super::job::{JobId, JobState};
use super::script::{Batch, Resources, script};
use super::slurm::Slurm;
use super::submit::check_words;
use crate::store;

/// Most tasks of an array: Slurm's own limit is 1001 unless the site changed it.
const MOST: u32 = 1000;

/// Name of the file that remembers which jobs were sent.
const RECORD: &str = "cluster.json";

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name among the others.
    pub name: String,
    /// Its kind; commands of one kind share arrays, and the array is called after it.
    pub kind: String,
    /// The words behind the program's name.
    pub words: Vec<String>,
    /// Commands that must succeed before, as positions in front of this one.
    pub needs: Vec<usize>,
    /// Whether it can use a GPU.
    pub gpu: bool,
}

/// Jobs that were sent, by the names of their commands; `cluster.json` in the folder they work on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentGraph {
    /// Where Slurm's commands were called.
    pub slurm: Slurm,
    /// The jobs.
    pub jobs: BTreeMap<String, JobId>,
}

/// Tasks that go to Slurm as one array.
#[derive(Debug, PartialEq, Eq)]
struct Array {
    kind: String,
    /// The array whose tasks it follows one by one.
    follows: Option<usize>,
    /// Arrays that must be done as a whole.
    after: Vec<usize>,
    /// Step of each task.
    tasks: BTreeMap<u32, usize>,
}

/// Gathers steps into arrays; gives the arrays, each behind those it waits for.
fn gather(steps: &[Step]) -> Vec<Array> {
    let mut arrays: Vec<Array> = Vec::new();
    let mut places: Vec<(usize, u32)> = Vec::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        let (follows, after, wanted) = match step.needs[..] {
            [] => (None, Vec::new(), None),
            [need] => (Some(places[need].0), Vec::new(), Some(places[need].1)),
            _ => {
                let mut after: Vec<usize> = step.needs.iter().map(|&need| places[need].0).collect();
                after.sort_unstable();
                after.dedup();
                (None, after, None)
            }
        };
        let free = |array: &Array| match wanted {
            Some(task) => (!array.tasks.contains_key(&task)).then_some(task),
            None => Some(array.tasks.len() as u32).filter(|&task| task < MOST),
        };
        let fits = |array: &Array| array.kind == step.kind && array.follows == follows && array.after == after;
        let found = (0..arrays.len()).find_map(|i| fits(&arrays[i]).then(|| free(&arrays[i]))?.map(|task| (i, task)));
        let (array, task) = found.unwrap_or_else(|| {
            arrays.push(Array { kind: step.kind.clone(), follows, after, tasks: BTreeMap::new() });
            (arrays.len() - 1, wanted.unwrap_or(0))
        });
        arrays[array].tasks.insert(task, place);
        places.push((array, task));
    }
    arrays
}

/// Sends a graph that works on `folder`, which every node must see under this path, and remembers its jobs there. Scripts
/// and logs go to its folder `slurm`.
///
/// # Errors
/// When Slurm refuses; what had been sent by then is taken back.
pub fn send(
    folder: &Path,
    steps: &[Step],
    program: &Path,
    resources: &Resources,
    slurm: &Slurm,
) -> Result<SentGraph, ClusterError> {
    let wrong = |problem: String| ClusterError::Folder { path: folder.to_path_buf(), problem };
    let logs = std::path::absolute(folder.join("slurm")).map_err(|e| wrong(format!("has no absolute path: {e}")))?;
    check_words(resources, None, &logs)?;
    store::make_folder(&logs)?;
    let arrays = gather(steps);
    let mut sent: Vec<u64> = Vec::with_capacity(arrays.len());
    for (number, array) in arrays.iter().enumerate() {
        let waits = match array.follows {
            Some(other) => Some(format!("aftercorr:{}", sent[other])),
            None if array.after.is_empty() => None,
            None => Some(array.after.iter().fold("afterok".to_owned(), |text, &i| format!("{text}:{}", sent[i]))),
        };
        let gpu = array.tasks.values().any(|&step| steps[step].gpu);
        let asked = Resources { gpus: if gpu { resources.gpus } else { 0 }, ..resources.clone() };
        let batch = Batch {
            name: &array.kind,
            program,
            tasks: &array.tasks.iter().map(|(&task, &step)| (task, steps[step].words.clone())).collect(),
            array: true,
            logs: &logs,
            resources: &asked,
            after: waits.as_deref(),
        };
        let path: PathBuf = logs.join(format!("{number:02}-{}.sbatch", array.kind));
        let job = store::write_atomic(&path, script(&batch).as_bytes())
            .map_err(ClusterError::from)
            .and_then(|()| slurm.submit(&path));
        match job {
            Ok(job) => sent.push(job),
            Err(error) => {
                // Half a graph would run and end without a result; what cannot be taken back says so in the queue.
                sent.iter().for_each(|&job| drop(slurm.cancel(JobId { job, task: None })));
                return Err(error);
            }
        }
    }
    let tasks = arrays.iter().zip(&sent).flat_map(|(array, &job)| array.tasks.iter().map(move |task| (job, task)));
    let jobs = tasks.map(|(job, (&task, &step))| (steps[step].name.clone(), JobId { job, task: Some(task) })).collect();
    let record = SentGraph { slurm: slurm.clone(), jobs };
    let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
    store::write_atomic(&folder.join(RECORD), &text)?;
    Ok(record)
}

impl SentGraph {
    /// What was last sent to work on `folder`; `None` where nothing was, or it cannot be read.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()
    }

    /// What Slurm says about each job that it still knows, by name.
    ///
    /// # Errors
    /// When Slurm cannot be asked.
    pub fn states(&self) -> Result<BTreeMap<&str, JobState>, ClusterError> {
        let ids: Vec<JobId> = self.jobs.values().copied().collect();
        let mut states = self.slurm.states(&ids)?;
        Ok(self.jobs.iter().filter_map(|(name, id)| Some((name.as_str(), states.remove(id)?))).collect())
    }

    /// Takes all jobs back that have not ended.
    ///
    /// # Errors
    /// When Slurm refuses.
    pub fn cancel(&self) -> Result<(), ClusterError> {
        let mut arrays: Vec<u64> = self.jobs.values().map(|id| id.job).collect();
        arrays.sort_unstable();
        arrays.dedup();
        // Those that wait go first, or they would be told that what they wait for has failed.
        arrays.into_iter().rev().try_for_each(|job| self.slurm.cancel(JobId { job, task: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, kind: &str, needs: &[usize]) -> Step {
        Step { name: name.into(), kind: kind.into(), words: vec![name.into()], needs: needs.to_vec(), gpu: false }
    }

    #[test]
    fn what_follows_one_other_gets_its_number_and_nothing_waits_for_a_neighbour() {
        // Two generators with their samples, a classifier on each, one of them on two shares; a report after all tests.
        let steps = [
            step("g0", "generator", &[]),
            step("s0", "samples", &[0]),
            step("c0", "classifier", &[1]),
            step("real", "classifier", &[]),
            step("g1", "generator", &[]),
            step("s1", "samples", &[4]),
            step("c1", "classifier", &[5]),
            step("c1b", "classifier", &[5]),
            step("report", "report", &[2, 3, 6, 7]),
        ];
        let arrays = gather(&steps);
        let told: Vec<_> = arrays
            .iter()
            .map(|array| {
                let tasks: Vec<(u32, &str)> =
                    array.tasks.iter().map(|(task, &step)| (*task, steps[step].name.as_str())).collect();
                (array.kind.as_str(), array.follows, array.after.clone(), tasks)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("generator", None, vec![], vec![(0, "g0"), (1, "g1")]),
                ("samples", Some(0), vec![], vec![(0, "s0"), (1, "s1")]),
                ("classifier", Some(1), vec![], vec![(0, "c0"), (1, "c1")]),
                ("classifier", None, vec![], vec![(0, "real")]),
                ("classifier", Some(1), vec![], vec![(1, "c1b")]),
                ("report", None, vec![2, 3, 4], vec![(0, "report")]),
            ]
        );
        // Slurm numbers tasks to 1000.
        let many: Vec<Step> = (0..2500).map(|i| step(&i.to_string(), "generator", &[])).collect();
        assert_eq!(gather(&many).iter().map(|array| array.tasks.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    }
}
