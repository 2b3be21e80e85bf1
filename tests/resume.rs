//! A run that is killed at random moments ends byte for byte as one that was left alone.

mod common {
    pub mod tiny_run;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::tiny_run;

/// The spec of `kimg` thousand images.
fn spec(kimg: f64) -> String {
    tiny_run::spec("killed", kimg, 0.4, true)
}

fn negatoscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_negatoscope"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn trainer(words: &[&Path]) -> Child {
    negatoscope().arg("train").args(words).spawn().expect("the program starts")
}

/// The finished run's last checkpoint and its model.
fn result(root: &Path) -> [Vec<u8>; 2] {
    let read = |path: PathBuf| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    [read(root.join("checkpoints/00000300.safetensors")), read(root.join("model.safetensors"))]
}

fn newest(root: &Path) -> Option<u64> {
    let files = fs::read_dir(root.join("checkpoints")).ok()?.flatten();
    files.filter_map(|file| file.path().file_stem()?.to_str()?.parse().ok()).max()
}

/// A few slices to train on.
fn phantoms(pack: &Path) {
    assert!(negatoscope().args(tiny_run::PACK).arg(pack).status().unwrap().success());
}

#[test]
fn a_run_killed_three_times_ends_byte_for_byte_as_the_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    phantoms(&path("pack"));
    fs::write(path("spec.toml"), spec(2.4)).unwrap();
    let (spec, whole, broken) = (path("spec.toml"), path("whole"), path("broken"));
    let start = Instant::now();
    assert!(trainer(&[&spec, Path::new("--out"), &whole]).wait().unwrap().success());
    let unbroken = start.elapsed();

    let mut dice = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let mut child = trainer(&[&spec, Path::new("--out"), &broken]);
    let mut told = Vec::new();
    for kill in 1..=3 {
        // Not before a first checkpoint, and then at any moment of a fifth of the run.
        let from = newest(&broken);
        while newest(&broken) == from && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(unbroken.mul_f64(f64::from(dice >> 8) / f64::from(1 << 24) / 5.0));
        child.kill().unwrap();
        child.wait().unwrap();
        told.push(newest(&broken));
        if kill == 2 {
            // What a power cut may leave of the newest checkpoint and of the log.
            let torn = broken.join(format!("checkpoints/{:08}.safetensors", newest(&broken).unwrap()));
            let bytes = fs::read(&torn).unwrap();
            fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
            let mut log = fs::read(broken.join("events.jsonl")).unwrap();
            log.extend(b"{\"event\":\"st");
            fs::write(broken.join("events.jsonl"), log).unwrap();
        }
        let status = negatoscope().stdout(Stdio::piped()).args(["runs", "--json"]).arg(&broken).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert!(["interrupted", "finished"].contains(&status[0]["state"].as_str().unwrap()), "{status}");
        child = trainer(&[&broken]);
    }
    assert!(child.wait().unwrap().success());
    assert!(result(&whole) == result(&broken), "killed after the checkpoints of steps {told:?}");
    let log = fs::read_to_string(broken.join("events.jsonl")).unwrap();
    assert!(log.contains("is damaged") && log.contains("trying the one before it"), "{log}");
}

#[cfg(unix)]
#[test]
fn a_signal_pauses_a_run_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    phantoms(&path("pack"));
    fs::write(path("spec.toml"), spec(9000.0)).unwrap();
    let root = path("run");
    for signal in ["-USR1", "-TERM"] {
        let mut child =
            if root.exists() { trainer(&[&root]) } else { trainer(&[&path("spec.toml"), Path::new("--out"), &root]) };
        let from = newest(&root);
        while newest(&root) == from {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(5));
        }
        let second = Command::new(env!("CARGO_BIN_EXE_negatoscope")).arg("train").arg(&root).output().unwrap();
        let refusal = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(1));
        assert!(refusal.contains("another process") && refusal.contains(&child.id().to_string()), "{refusal}");
        assert!(Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(75), "{signal}");
        let status = negatoscope().stdout(Stdio::piped()).args(["runs", "--json"]).arg(&root).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!(status[0]["state"], "paused", "{status}");
    }
}

#[test]
fn a_run_that_is_tied_to_its_starter_writes_a_checkpoint_and_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    phantoms(&path("pack"));
    fs::write(path("spec.toml"), spec(9000.0)).unwrap();
    let root = path("run");
    let mut command = negatoscope();
    command.args(["train", "--tied", "--out"]).arg(&root).arg(path("spec.toml")).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What a starter that was killed leaves of the pipe.
    let line = child.stdin.take().unwrap();
    while newest(&root).is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(line);
    assert!(child.wait().unwrap().success());
    let status = negatoscope().stdout(Stdio::piped()).args(["runs", "--json"]).arg(&root).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status[0]["state"], "paused", "{status}");
}
