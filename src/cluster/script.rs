//! The batch script: the run command, and what becomes of it when the time is up.
//!
//! Slurm signals the script a minute before the time limit; the script hands the signal to the run, which writes a
//! checkpoint and ends with exit code 75; the script then puts itself back in the queue and resumes from that checkpoint.
//! A node that fails needs no script: Slurm requeues the job, and the run goes on from its last checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a job asks of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Partition; the cluster's own choice without it.
    pub partition: Option<String>,
    /// Time limit as Slurm writes it: minutes, `12:00:00`, `2-00:00:00`.
    pub time: String,
    /// GPUs of each run.
    pub gpus: u32,
    /// Cores of each run.
    pub cores: u32,
    /// Memory of each run as Slurm writes it: `16G`.
    pub memory: String,
    /// Most runs of an array at a time; all of them where it is 0.
    pub together: u32,
}

/// A text as one word of a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One job of the cluster, or an array of them, as it is to be written down.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// Its name in the cluster's queue.
    pub name: &'a str,
    /// The program as the nodes see it.
    pub program: &'a Path,
    /// The words behind the program's name, by the number of the task in the array.
    pub tasks: &'a BTreeMap<u32, Vec<String>>,
    /// Whether it is an array; otherwise there is one task.
    pub array: bool,
    /// Where its logs go.
    pub logs: &'a Path,
    /// What each task asks for.
    pub resources: &'a Resources,
    /// A dependency as Slurm writes it: `afterok:123`.
    pub after: Option<&'a str>,
}

/// The batch script.
pub fn script(batch: &Batch<'_>) -> String {
    let Resources { partition, time, gpus, cores, memory, together } = batch.resources;
    let log = batch.logs.join(if batch.array { "slurm-%A_%a.log" } else { "slurm-%j.log" });
    let mut lines = vec!["#!/bin/bash".to_owned()];
    let mut option = |text: String| lines.push(format!("#SBATCH {text}"));
    option(format!("--job-name={}", batch.name));
    // Slurm splits these lines at spaces unless they are quoted, and knows no other escape.
    option(format!("--output=\"{}\"", log.display()));
    option("--open-mode=append".to_owned());
    option("--requeue".to_owned());
    option("--signal=B:USR1@60".to_owned());
    option(format!("--time={time}"));
    option(format!("--cpus-per-task={cores}"));
    option(format!("--mem={memory}"));
    if *gpus > 0 {
        option(format!("--gres=gpu:{gpus}"));
    }
    if let Some(partition) = partition {
        option(format!("--partition={partition}"));
    }
    if batch.array {
        let limit = if *together > 0 { format!("%{together}") } else { String::new() };
        option(format!("--array={}{limit}", ranges(batch.tasks.keys().copied())));
    }
    if let Some(after) = batch.after {
        option(format!("--dependency={after}"));
        option("--kill-on-invalid-dep=yes".to_owned());
    }
    lines.push(format!("program={}", quoted(&batch.program.to_string_lossy())));
    lines.push("case ${SLURM_ARRAY_TASK_ID:-0} in".to_owned());
    for (task, words) in batch.tasks {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        lines.push(format!("{task}) words=({}) ;;", words.join(" ")));
    }
    lines.push(
        r#"esac
echo "job $SLURM_JOB_ID on $(hostname), restart ${SLURM_RESTART_COUNT:-0}: ${words[*]}"
# As many threads as cores were asked for, also where the node does not fence them off.
[ -z "$SLURM_CPUS_PER_TASK" ] || export RAYON_NUM_THREADS=$SLURM_CPUS_PER_TASK
time_is_up=
trap 'interrupted=1; time_is_up=1; kill -USR1 "$child" 2>/dev/null' USR1
trap 'interrupted=1; kill -TERM "$child" 2>/dev/null' TERM
"$program" "${words[@]}" &
child=$!
# A signal ends the wait but not the run; the shell remembers how the run ended.
while :; do
    interrupted=
    wait "$child"
    code=$?
    [ -n "$interrupted" ] || break
done
# 75: the run was paused by the signal. 138: the signal came before the run could listen, and nothing was lost.
if [ -n "$time_is_up" ] && { [ "$code" = 75 ] || [ "$code" = 138 ]; }; then
    scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
exit "$code"
"#
        .to_owned(),
    );
    lines.join("\n")
}

/// Ascending numbers as Slurm writes them: `0-3,7`.
fn ranges(numbers: impl Iterator<Item = u32>) -> String {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => found.push((number, number)),
        }
    }
    let words = found.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn resources() -> Resources {
        Resources { partition: None, time: "60".to_owned(), gpus: 0, cores: 2, memory: "4G".to_owned(), together: 0 }
    }

    fn tasks(runs: &[(u32, &str)]) -> BTreeMap<u32, Vec<String>> {
        runs.iter().map(|(task, run)| (*task, vec!["train".to_owned(), (*run).to_owned()])).collect()
    }

    #[test]
    fn an_array_asks_for_what_each_run_needs() {
        let runs = tasks(&[(0, "/data/a run"), (1, "/data/it's"), (5, "/data/c")]);
        let asked = Resources { partition: Some("gpu".to_owned()), gpus: 1, together: 4, ..resources() };
        let batch = Batch {
            name: "negatoscope",
            program: Path::new("/bin/negatoscope"),
            tasks: &runs,
            array: true,
            logs: Path::new("/data/logs"),
            resources: &asked,
            after: Some("afterok:7"),
        };
        let text = script(&batch);
        for line in [
            "#SBATCH --array=0-1,5%4",
            "#SBATCH --gres=gpu:1",
            "#SBATCH --partition=gpu",
            "#SBATCH --dependency=afterok:7",
            "#SBATCH --signal=B:USR1@60",
            "#SBATCH --output=\"/data/logs/slurm-%A_%a.log\"",
            "0) words=('train' '/data/a run') ;;",
            r"1) words=('train' '/data/it'\''s') ;;",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let single = script(&Batch { array: false, after: None, resources: &resources(), ..batch });
        assert!(!single.contains("--array") && !single.contains("--gres") && !single.contains("--dependency"));
    }

    /// Runs the script without Slurm: `train` and `scontrol` are small scripts of the test.
    #[cfg(unix)]
    fn outcome(program: &str, signal: Option<&str>) -> (Option<i32>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let program = write("program", &format!("#!/bin/bash\n{program}"));
        write("scontrol", &format!("#!/bin/bash\necho \"$*\" > '{}/requeued'\n", folder.path().display()));
        let run = folder.path().join("run");
        let batch = Batch {
            name: "negatoscope",
            program: &program,
            tasks: &tasks(&[(0, &run.to_string_lossy())]),
            array: false,
            logs: folder.path(),
            resources: &resources(),
            after: None,
        };
        let text = script(&batch);
        let batch = write("batch", &text);
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let mut child = Command::new(batch)
            .env("PATH", path)
            .env("SLURM_JOB_ID", "77")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        if let Some(signal) = signal {
            // The program says that it listens.
            while !folder.path().join("run.ready").exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            // The kill of the shell: the program of that name is not on every machine.
            Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap();
        }
        let code = child.wait().unwrap().code();
        let requeued = std::fs::read_to_string(folder.path().join("requeued")).unwrap_or_default();
        (code, requeued.trim() == "requeue 77")
    }

    #[cfg(unix)]
    #[test]
    fn the_script_requeues_only_when_its_time_is_up_and_the_run_was_paused() {
        let listening = |code: u32| {
            format!("trap 'kill $s; exit {code}' USR1 TERM; sleep 30 & s=$!; touch \"$2.ready\"; wait; exit 9")
        };
        assert_eq!(outcome("exit 0", None), (Some(0), false));
        assert_eq!(outcome("exit 3", None), (Some(3), false));
        assert_eq!(outcome(&listening(75), Some("-USR1")), (Some(0), true));
        assert_eq!(outcome(&listening(1), Some("-USR1")), (Some(1), false));
        assert_eq!(outcome(&listening(75), Some("-TERM")), (Some(75), false));
    }
}
