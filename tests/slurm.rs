//! Runs on a real Slurm: its controller and one node of it, on this machine's loopback.
//!
//! Needs Debian's `slurm-wlm` and the right to start its daemons as root; where that is not given, the test says that it was
//! skipped. Recipe: no munge, no accounts, no cgroups; the node claims eight cores so that scheduling can be seen.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

const SPEC: &str = r#"
name = "NAME"
cohort = "pack"
seed = 7
device = "cpu"

[network]
family = "cpd_gan"
resolution = 16
latent = 8
feature_base = 64
feature_max = 8

[loss]
kind = "wgan_gp"
penalty = 10.0
drift = 0.001

[schedule]
total_kimg = KIMG

[[schedule.levels]]
side = 16
batch = 8

[record]
sample_kimg = 100.0
checkpoint_kimg = 0.08
tensorboard = false
"#;

/// The daemons; stopped with the test, however it ends.
struct Cluster {
    folder: tempfile::TempDir,
    host: String,
    daemons: Vec<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Jobs first: the processes of a job outlive the daemons.
        let _ = self.slurm("scancel", &["--state=RUNNING", "--state=PENDING", "-p", "main"]);
        std::thread::sleep(Duration::from_millis(500));
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Cluster {
    /// Starts the daemons, or says why that cannot be done here.
    fn start() -> Result<Self, String> {
        let said = |command: &str, words: &[&str]| {
            let output = Command::new(command).args(words).output().map_err(|e| format!("{command}: {e}"))?;
            Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if said("id", &["-u"])? != "0" {
            return Err("Slurm's daemons are only started as root".to_owned());
        }
        for daemon in ["slurmctld", "slurmd", "sbatch"] {
            said(daemon, &["-V"]).map_err(|e| format!("{e} (Debian's package is slurm-wlm)"))?;
        }
        let host = said("hostname", &["-s"])?;
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let root = folder.path().display();
        // One port further for each process, so that two of these tests do not meet.
        let port = 17_000 + 2 * (std::process::id() % 1000);
        let lines = [
            format!("ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root"),
            format!("SlurmctldPort={port}\nSlurmdPort={}\nAuthType=auth/none\nCredType=cred/none", port + 1),
            "AuthInfo=cred_expire=5\nCommunicationParameters=NoCtldInAddrAny,NoInAddrAny\nProctrackType=proctrack/linuxproc"
                .to_owned(),
            "TaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none".to_owned(),
            "AccountingStorageType=accounting_storage/none".to_owned(),
            "SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1".to_owned(),
            "SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\nMinJobAge=3600\nKillWait=5".to_owned(),
            format!("StateSaveLocation={root}/state\nSlurmdSpoolDir={root}/spool"),
            format!("SlurmctldPidFile={root}/slurmctld.pid\nSlurmdPidFile={root}/slurmd.pid"),
            format!("SlurmctldLogFile={root}/slurmctld.log\nSlurmdLogFile={root}/slurmd.log"),
            "SlurmdParameters=config_overrides".to_owned(),
            format!("NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=8000 State=UNKNOWN"),
            format!("PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"),
        ];
        for name in ["state", "spool"] {
            fs::create_dir(folder.path().join(name)).map_err(|e| e.to_string())?;
        }
        fs::write(folder.path().join("slurm.conf"), lines.join("\n")).map_err(|e| e.to_string())?;
        fs::write(folder.path().join("cgroup.conf"), "CgroupAutomount=no\n").map_err(|e| e.to_string())?;
        let mut cluster = Self { folder, host, daemons: Vec::new() };
        cluster.daemon("slurmctld", &["-D", "-c"]);
        cluster.start_node();
        let started = Instant::now();
        while cluster.slurm("sinfo", &["-h", "-o", "%T"]) != "idle" {
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!("Slurm's daemons do not come up here: {}", cluster.log("slurmctld.log")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(cluster)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }

    fn command(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(name);
        command.env("SLURM_CONF", self.path("slurm.conf"));
        command
    }

    fn daemon(&mut self, name: &str, words: &[&str]) {
        let conf = self.path("slurm.conf");
        let mut command = self.command(name);
        let child = command.arg("-f").arg(conf).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemons.push(child.expect("a daemon starts"));
    }

    fn start_node(&mut self) {
        let host = self.host.clone();
        self.daemon("slurmd", &["-D", "-N", &host]);
    }

    /// What a command of Slurm's prints.
    fn slurm(&self, command: &str, words: &[&str]) -> String {
        let output = self.command(command).args(words).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    }

    fn negatoscope(&self, words: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_negatoscope")).args(words).output().expect("the program starts")
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.negatoscope(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn spec(&self, name: &str, kimg: f64) -> String {
        let path = self.path(&format!("{name}.toml"));
        fs::write(&path, SPEC.replace("NAME", name).replace("KIMG", &format!("{kimg:?}"))).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Sends specs and gives the job's number.
    fn submit(&self, specs: &[&str], more: &[&str]) -> String {
        let out = self.path("runs").to_string_lossy().into_owned();
        let mut words = vec!["submit"];
        words.extend(specs);
        words.extend(["--out", &out, "--cores", "1", "--memory", "500M", "--json"]);
        words.extend(more);
        let sent: serde_json::Value = serde_json::from_str(&self.done(&words)).unwrap();
        sent["job"].to_string()
    }

    /// Everything that `runs` says about one run.
    fn status(&self, name: &str) -> serde_json::Value {
        let root = self.path("runs").join(name);
        let text = self.done(&["runs", &root.to_string_lossy(), "--json"]);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[0].clone()
    }

    /// Waits until a run's status is as wished.
    fn wait(&self, name: &str, what: &str, wished: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let started = Instant::now();
        loop {
            let status = self.status(name);
            if wished(&status) {
                return status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{name} is not {what}: {status}\n{}\n{}\n{}",
                self.slurm("squeue", &["-t", "all"]),
                self.log("slurmctld.log"),
                self.log("slurmd.log"),
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The last checkpoint of a run, which must be of this step.
    fn last(&self, root: &Path, step: u64) -> Vec<u8> {
        fs::read(root.join(format!("checkpoints/{step:08}.safetensors"))).unwrap_or_else(|error| {
            panic!("{} has no checkpoint of step {step}: {error}; {}", root.display(), self.log("slurmctld.log"))
        })
    }
}

fn is(status: &serde_json::Value, field: &str, word: &str) -> bool {
    status[field].as_str().is_some_and(|text| text.starts_with(word))
}

/// The process that started this one.
fn parent(process: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.and_then(|number| number.trim().parse().ok()).expect("it has a parent")
}

fn starts(root: &Path) -> Vec<u64> {
    let log = fs::read_to_string(root.join("events.jsonl")).unwrap_or_default();
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.filter(|event| event["event"] == "started").filter_map(|event| event["step"].as_u64()).collect()
}

#[test]
fn runs_on_a_real_slurm_are_queued_requeued_resumed_cancelled_and_survive_their_node() {
    let mut cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(reason) => {
            eprintln!("SKIPPED: the Slurm test could not run here: {reason}");
            return;
        }
    };
    let pack = cluster.path("pack").to_string_lossy().into_owned();
    cluster.done(&["cohort", "phantom", "brain", "--count", "60", "--resolution", "32", "--out", &pack]);
    let runs = cluster.path("runs");

    // Time is nearly up from the start: Slurm signals a minute before the limit of one minute.
    let long = cluster.spec("long", 9000.0);
    let long_job = cluster.submit(&[&long], &["--time", "1"]);

    // Two specs are one array; a third waits for it.
    let (a, b, c) = (cluster.spec("a", 0.8), cluster.spec("b", 0.8), cluster.spec("c", 0.08));
    let job = cluster.submit(&[&a, &b], &["--time", "10"]);
    cluster.submit(&[&c], &["--time", "10", "--after", &job]);
    let waiting = cluster.status("c");
    assert!(is(&waiting, "job_state", "queued (Dependency") && is(&waiting, "state", "not_begun"), "{waiting}");
    cluster.wait("c", "finished", |status| is(status, "state", "finished"));
    for (name, task) in [("a", 0), ("b", 1)] {
        let status = cluster.wait(name, "completed", |status| is(status, "job_state", "completed"));
        assert!(is(&status, "state", "finished"), "{status}");
        assert_eq!(status["job"]["task"], task);
    }
    // The cluster's run is that of this machine, byte for byte but for nothing: same spec, same cohort, same seed.
    let here = cluster.path("here").to_string_lossy().into_owned();
    cluster.done(&["train", &a, "--out", &here]);
    assert!(cluster.last(&runs.join("a"), 100) == cluster.last(Path::new(&here), 100));

    // The long run was paused by the signal and has put itself back in the queue; with more time it goes on where it was.
    cluster.wait("long", "requeued", |_| {
        cluster.slurm("squeue", &["-h", "-j", &long_job, "-o", "%T"]) == "PENDING"
            || starts(&runs.join("long")).len() > 1
    });
    cluster.slurm("scontrol", &["update", &format!("JobId={long_job}"), "TimeLimit=30"]);
    cluster
        .wait("long", "running again", |status| is(status, "state", "running") && starts(&runs.join("long")).len() > 1);
    assert!(starts(&runs.join("long"))[1] > 0);
    cluster.done(&["submit", "--cancel", &runs.join("long").to_string_lossy()]);
    cluster.wait("long", "paused", |status| is(status, "state", "paused"));

    // Taken back: the run has written a checkpoint and could be resumed.
    let endless = cluster.spec("endless", 9000.0);
    cluster.submit(&[&endless], &["--time", "10"]);
    cluster.wait("endless", "running", |status| is(status, "state", "running") && status["kimg"].as_f64() > Some(0.1));
    cluster.done(&["submit", "--cancel", &runs.join("endless").to_string_lossy()]);
    let ended = cluster.wait("endless", "cancelled", |status| is(status, "job_state", "cancelled"));
    assert!(ended["kimg"].as_f64() > Some(0.1), "{ended}");
    cluster.wait("endless", "paused", |status| is(status, "state", "paused"));

    // The node fails under a run; when it is back, the run goes on from its last checkpoint.
    let failing = cluster.spec("failing", 9000.0);
    cluster.submit(&[&failing], &["--time", "10"]);
    let running = cluster
        .wait("failing", "running", |status| is(status, "state", "running") && status["kimg"].as_f64() > Some(0.1));
    let mut node = cluster.daemons.pop().expect("the node's daemon");
    node.kill().unwrap();
    node.wait().unwrap();
    // A node that fails takes its processes with it: Slurm's guard of the job first, or it would report how the job ended.
    let trainer = running["holder"]["pid"].as_u64().expect("the trainer's process");
    let script = parent(trainer);
    for process in [parent(script), script, trainer] {
        assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    }
    let node = format!("NodeName={}", cluster.host);
    cluster.slurm("scontrol", &["update", &node, "State=DOWN", "Reason=test"]);
    cluster.wait("failing", "interrupted", |status| is(status, "state", "interrupted"));
    cluster.start_node();
    cluster.slurm("scontrol", &["update", &node, "State=RESUME"]);
    cluster.wait("failing", "running again", |status| {
        is(status, "state", "running") && starts(&runs.join("failing")).len() > 1
    });
    assert!(starts(&runs.join("failing"))[1] > 0);
    cluster.done(&["submit", "--cancel", &runs.join("failing").to_string_lossy()]);
    cluster.wait("failing", "paused", |status| is(status, "state", "paused"));
}
