//! A real Slurm: its controller and one node of it, on this machine's loopback.
//!
//! Recipe: no munge, no accounts, no cgroups; the node claims eight cores so that scheduling can be seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::tiny_run;

/// Longest that anything here is waited for; much for a busy machine, and nothing waits when all goes well.
pub const PATIENCE: Duration = Duration::from_mins(4);

/// How many clusters this process has begun.
static CLUSTERS: AtomicU32 = AtomicU32::new(0);

/// The daemons; stopped with the test, however it ends.
pub struct Cluster {
    folder: tempfile::TempDir,
    pub host: String,
    pub daemons: Vec<Child>,
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
    pub fn start() -> Result<Self, String> {
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
        // Two ports further for each process and each test of it, so that no two of them meet.
        let port = 17_000 + 8 * (std::process::id() % 1000) + 2 * (CLUSTERS.fetch_add(1, Ordering::Relaxed) % 4);
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }

    pub fn command(&self, name: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(name);
        command.env("SLURM_CONF", self.path("slurm.conf"));
        command
    }

    pub fn daemon(&mut self, name: &str, words: &[&str]) {
        let conf = self.path("slurm.conf");
        let mut command = self.command(name);
        let child = command.arg("-f").arg(conf).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.daemons.push(child.expect("a daemon starts"));
    }

    pub fn start_node(&mut self) {
        let host = self.host.clone();
        self.daemon("slurmd", &["-D", "-N", &host]);
    }

    /// What a command of Slurm's prints.
    pub fn slurm(&self, command: &str, words: &[&str]) -> String {
        let output = self.command(command).args(words).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    }

    pub fn negatoscope(&self, words: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_negatoscope")).args(words).output().expect("the program starts")
    }

    pub fn done(&self, words: &[&str]) -> String {
        let output = self.negatoscope(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn spec(&self, name: &str, kimg: f64) -> String {
        let path = self.path(&format!("{name}.toml"));
        fs::write(&path, tiny_run::spec(name, kimg, 100.0, false)).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Sends specs and gives the job's number.
    pub fn submit(&self, specs: &[&str], more: &[&str]) -> String {
        let out = self.path("runs").to_string_lossy().into_owned();
        let mut words = vec!["submit"];
        words.extend(specs);
        words.extend(["--out", &out, "--cores", "1", "--memory", "500M", "--json"]);
        words.extend(more);
        let sent: serde_json::Value = serde_json::from_str(&self.done(&words)).unwrap();
        sent["job"].to_string()
    }

    /// Everything that `runs` says about one run.
    pub fn status(&self, name: &str) -> serde_json::Value {
        let root = self.path("runs").join(name);
        let text = self.done(&["runs", &root.to_string_lossy(), "--json"]);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[0].clone()
    }

    /// Waits until a run's status is as wished.
    pub fn wait(&self, name: &str, what: &str, wished: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
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
    pub fn last(&self, root: &Path, step: u64) -> Vec<u8> {
        fs::read(root.join(format!("checkpoints/{step:08}.safetensors"))).unwrap_or_else(|error| {
            panic!("{} has no checkpoint of step {step}: {error}; {}", root.display(), self.log("slurmctld.log"))
        })
    }
}

/// Whether a field of a status begins with this word.
pub fn is(status: &serde_json::Value, field: &str, word: &str) -> bool {
    status[field].as_str().is_some_and(|text| text.starts_with(word))
}
