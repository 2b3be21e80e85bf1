//! Runs and sweeps on a real Slurm, here and over a real ssh.
//!
//! Needs Debian's `slurm-wlm` and `openssh-server`, and the right to start daemons as root; where that is not given, a test
//! says that it was skipped.

#![cfg(target_os = "linux")]

mod common {
    pub mod cluster;
    pub mod login_node;
    pub mod tiny_run;
}

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::cluster::{Cluster, PATIENCE, is};
use common::login_node::LoginNode;
use common::tiny_run;

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

/// A cluster, or a word that there can be none here.
fn cluster() -> Option<Cluster> {
    Cluster::start().map_err(|reason| eprintln!("SKIPPED: the Slurm test could not run here: {reason}")).ok()
}

#[test]
fn runs_on_a_real_slurm_are_queued_requeued_resumed_cancelled_and_survive_their_node() {
    let Some(mut cluster) = cluster() else { return };
    let pack = cluster.path("pack").to_string_lossy().into_owned();
    cluster.done(&[&tiny_run::PACK[..], &[&pack]].concat());
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
        assert!(Command::new("sh").args(["-c", &format!("kill -9 {process}")]).status().unwrap().success());
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

/// Two classes, two seeds, one generator of a few steps, classifiers of one epoch.
const SWEEP: &str = r#"
name = "tiny"
cohort = "pack"
seeds = [1, 2]

[factor]
kind = "classes"
resolution = 32
least_count = 4
ranked_on = "all"
shuffled = true
validation = 2
test = 2
grid = [{ classes = 2, train = 6 }]

[[generators]]
name = "cpD-GAN"
family = "cpd_gan"
preset = "small"
kimg = 0.08
width = 4

[classifier]
preset = "small"
epochs = 1
epoch_images = 16
"#;

#[test]
fn a_sweep_through_slurm_gives_the_result_of_this_machine_byte_for_byte() {
    let Some(cluster) = cluster() else { return };
    let pack = cluster.path("pack").to_string_lossy().into_owned();
    cluster.done(&["cohort", "phantom", "brain", "--count", "240", "--resolution", "32", "--out", &pack]);
    let spec = cluster.path("tiny.toml").to_string_lossy().into_owned();
    fs::write(&spec, SWEEP).unwrap();
    let (here, there) = (cluster.path("here"), cluster.path("on the cluster"));
    let words = |root: &Path| root.to_string_lossy().into_owned();
    let sent = ["sweep", "submit", &spec, "--out", &words(&there), "--cores", "1", "--memory", "500M", "--time", "10"];
    let said = cluster.done(&sent);
    assert!(said.contains("13 jobs sent"), "{said}");
    // Seven arrays in the queue: generators, samples, classifiers on samples and on films, their tests, the report.
    let queue = cluster.slurm("squeue", &["-h", "-t", "all", "-o", "%F %j"]);
    let arrays: std::collections::BTreeSet<&str> = queue.lines().collect();
    assert_eq!(arrays.len(), 7, "{queue}");
    let again = cluster.negatoscope(&["sweep", "submit", &words(&there)]);
    let refusal = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && refusal.contains("still on the cluster"), "{refusal}");
    let status = cluster.done(&["sweep", "status", &words(&there)]);
    assert!(status.contains("of 12 jobs done") && status.contains("job "), "{status}");

    cluster.done(&["sweep", "run", &spec, "--out", &words(&here)]);
    let started = Instant::now();
    let read = |root: &Path| fs::read(root.join("result.json")).ok();
    while read(&there).is_none() {
        assert!(
            started.elapsed() < PATIENCE,
            "the sweep does not end: {}\n{}\n{}",
            cluster.done(&["sweep", "status", &words(&there)]),
            cluster.slurm("squeue", &["-t", "all"]),
            cluster.log("slurmctld.log"),
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(read(&there) == read(&here), "the cluster's result differs");
    let status: serde_json::Value =
        serde_json::from_str(&cluster.done(&["sweep", "status", &words(&there), "--json"])).unwrap();
    assert_eq!((&status["done"], &status["failed"], &status["fraction"]), (&12.into(), &0.into(), &1.0.into()));
    assert!(status["seconds_left"].is_null(), "{status}");

    // A generator that a sweep trained is gone on with by the sweep alone.
    let jobs = fs::read_dir(there.join("jobs")).unwrap().flatten().map(|entry| entry.path().join("run"));
    let run = jobs.into_iter().find(|run| run.is_dir()).expect("a generator's run");
    let alone = cluster.negatoscope(&["train", &words(&run)]);
    let refusal = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(!alone.status.success() && refusal.contains("negatoscope sweep run"), "{refusal}");
}

#[test]
fn a_generator_of_a_sweep_whose_time_is_up_goes_on_where_it_was() {
    let Some(cluster) = cluster() else { return };
    let pack = cluster.path("pack").to_string_lossy().into_owned();
    cluster.done(&["cohort", "phantom", "brain", "--count", "240", "--resolution", "32", "--out", &pack]);
    let spec = cluster.path("long.toml").to_string_lossy().into_owned();
    fs::write(&spec, SWEEP.replace("seeds = [1, 2]", "seeds = [1]").replace("kimg = 0.08", "kimg = 9000.0")).unwrap();
    let root = cluster.path("sweep");
    let sweep = root.to_string_lossy().into_owned();
    // Time is nearly up from the start: Slurm signals a minute before the limit of one minute.
    cluster.done(&["sweep", "submit", &spec, "--out", &sweep, "--cores", "1", "--memory", "500M", "--time", "1"]);
    let run = || {
        let jobs = fs::read_dir(root.join("jobs")).into_iter().flatten().flatten();
        jobs.map(|job| job.path().join("run")).find(|run| run.is_dir())
    };
    let begun = Instant::now();
    while run().is_none_or(|run| starts(&run).len() < 2) {
        let queue = cluster.slurm("squeue", &["-t", "all"]);
        assert!(begun.elapsed() < PATIENCE, "{queue}\n{}", cluster.log("slurmctld.log"));
        std::thread::sleep(Duration::from_millis(200));
    }
    cluster.done(&["sweep", "submit", &sweep, "--cancel"]);
    let log = fs::read_to_string(run().unwrap().join("events.jsonl")).unwrap();
    assert!(log.contains("\"how\":\"paused\""), "{log}");
}

/// A login node that is this machine by another road: a real ssh client, a real ssh server, and the real Slurm behind it.
#[test]
fn a_run_is_sent_followed_and_cancelled_over_a_real_ssh() {
    let begun = Cluster::start().and_then(|cluster| {
        let login = LoginNode::start(&format!("SLURM_CONF={}", cluster.path("slurm.conf").display()))?;
        Ok((cluster, login))
    });
    let (cluster, login) = match begun {
        Ok(begun) => begun,
        Err(reason) => {
            eprintln!("SKIPPED: the test over ssh could not run here: {reason}");
            return;
        }
    };
    let pack = cluster.path("pack").to_string_lossy().into_owned();
    cluster.done(&[&tiny_run::PACK[..], &[&pack]].concat());
    // Nothing of Slurm's is known on this side: it must all come over ssh.
    let run = |words: &[&str]| {
        let program = env!("CARGO_BIN_EXE_negatoscope");
        let output =
            Command::new(program).args(words).env("PATH", login.path()).env_remove("SLURM_CONF").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let out = cluster.path("runs of $USER & 'others'").to_string_lossy().into_owned();
    let (short, endless) = (cluster.spec("short", 0.08), cluster.spec("endless", 9000.0));
    let resources = ["--cores", "1", "--memory", "500M", "--time", "10", "--host", LoginNode::NAME];
    run(&[&["submit", &short, &endless, "--out", &out], &resources[..]].concat());
    let status = |name: &str| {
        let told = run(&["runs", &format!("{out}/{name}"), "--json"]);
        serde_json::from_str::<serde_json::Value>(&told).unwrap()[0].clone()
    };
    let wait = |name: &str, wished: &dyn Fn(&serde_json::Value) -> bool| {
        let started = Instant::now();
        while !wished(&status(name)) {
            assert!(started.elapsed() < PATIENCE, "{}; {}", status(name), cluster.log("slurmctld.log"));
        }
    };
    wait("short", &|status| is(status, "state", "finished") && is(status, "job_state", "completed"));
    wait("endless", &|status| is(status, "state", "running") && is(status, "job_state", "running"));
    run(&["submit", "--cancel", &format!("{out}/endless")]);
    wait("endless", &|status| is(status, "state", "paused") && is(status, "job_state", "cancelled"));
}

/// A login node without a network: an `ssh` that checks how it was called and has this machine's shell read the line, as a
/// login node's would; and commands of Slurm's that write down what reached them.
#[test]
fn a_login_node_is_called_over_ssh_with_every_word_in_one_piece() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("bin")).unwrap();
    fs::create_dir_all(path("slurm's own")).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(path(name), format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let log = path("called").to_string_lossy().into_owned();
    write(
        "bin/ssh",
        &format!(
            "echo \"ssh $*\" >> '{log}'; while [ \"$1\" != -- ]; do shift; done\n[ \"$2\" != down ] || {{ echo 'ssh: connect to \
             host down port 22: No route to host' >&2; exit 255; }}\nunset NEGATOSCOPE_HERE; exec sh -c \"$3\""
        ),
    );
    write("slurm's own/sbatch", &format!("echo \"sbatch $# $*\" >> '{log}'; [ -f \"$2\" ] || exit 3; echo 41"));
    write("slurm's own/squeue", "echo '41|41|N/A|PENDING|Priority'");
    write("slurm's own/scancel", &format!("echo \"scancel $# $*\" >> '{log}'; echo 'Access denied' >&2; exit 1"));
    let paths = format!("{}:{}", path("bin").display(), std::env::var("PATH").unwrap());
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_negatoscope")).args(words).env("PATH", &paths).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    fs::write(path("a spec.toml"), tiny_run::spec("a", 1.0, 1.0, false)).unwrap();
    let word = |name: &str| path(name).to_string_lossy().into_owned();
    let (spec, out, commands) = (word("a spec.toml"), word("out of $HOME & 'quotes'"), word("slurm's own"));
    let (done, said) = run(&["submit", &spec, "--out", &out, "--host", "login", "--commands", &commands]);
    assert!(done && said.contains("job 41"), "{said}");
    let called = fs::read_to_string(&log).unwrap();
    assert!(called.contains("BatchMode=yes") && called.contains("-- login"), "{called}");
    assert!(called.contains(&format!("sbatch 2 --parsable {out}/submit-")), "{called}");
    let (_, status) = run(&["runs", &out]);
    assert!(status.contains("job 41 queued (Priority)"), "{status}");
    let (done, said) = run(&["submit", "--cancel", &format!("{out}/a spec")]);
    assert!(!done && said.contains("scancel on login refused: Access denied"), "{said}");
    assert!(fs::read_to_string(&log).unwrap().contains("scancel 1 41"));

    // Slurm is not where it was said to be, and a login node that cannot be reached.
    let (done, said) = run(&["submit", &spec, "--out", &word("b"), "--host", "login", "--commands", "/nowhere"]);
    assert!(!done && said.contains("sbatch on login refused") && said.contains("/nowhere/sbatch"), "{said}");
    let (done, said) = run(&["submit", &spec, "--out", &word("c"), "--host", "down"]);
    assert!(!done && said.contains("down cannot be reached over ssh") && said.contains("No route to host"), "{said}");
    let record = fs::read_to_string(path("out of $HOME & 'quotes'").join("a spec/job.json")).unwrap();
    fs::write(path("out of $HOME & 'quotes'").join("a spec/job.json"), record.replace("login", "down")).unwrap();
    let (done, said) = run(&["runs", &out]);
    assert!(done && said.contains("cannot be reached") && said.contains("job 41 of unknown state"), "{said}");
}
