//! A run's event files read by TensorBoard itself, which `./test` installs.

mod common {
    pub mod tiny_run;
}

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::tiny_run;
use serde_json::Value;

/// What TensorBoard finds in a folder: for each scalar its steps and values, for each image its step and size.
const READER: &str = r"
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={'images': 0, 'scalars': 0})
a.Reload()
print(json.dumps({
    'scalars': {tag: [[e.step, e.value] for e in a.Scalars(tag)] for tag in a.Tags()['scalars']},
    'images': {tag: [[i.step, i.width, i.height] for i in a.Images(tag)] for tag in a.Tags()['images']},
}))
";

#[test]
fn tensorboard_itself_reads_what_a_run_wrote() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tensorboard/bin/python");
    if !python.is_file() {
        eprintln!("skipped: TensorBoard is not installed in target/tensorboard; ./test does that");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let negatoscope = |words: &[&str], last: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_negatoscope"));
        let status = command.args(words).arg(last).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{words:?}");
    };
    negatoscope(&tiny_run::PACK, &path("pack"));
    fs::write(path("spec.toml"), tiny_run::spec("boarded", 12.0, 4.0, true)).unwrap();
    negatoscope(&["train", path("spec.toml").to_str().unwrap(), "--out"], &path("run"));

    let output = Command::new(&python).args(["-c", READER]).arg(path("run/tensorboard")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();

    let log = fs::read_to_string(path("run/events.jsonl")).unwrap();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &'static str| events.iter().filter(move |event| event["event"] == kind);
    assert!(of("step").count() > 0 && of("sample").count() > 2, "{log}");
    for (tag, field) in
        [("loss/critic", "critic_loss"), ("loss/generator", "generator_loss"), ("progress/kimg", "kimg")]
    {
        let found = read["scalars"][tag].as_array().unwrap();
        assert_eq!(found.len(), of("step").count(), "{tag}");
        for (found, event) in found.iter().zip(of("step")) {
            assert_eq!(found[0], event["step"], "{tag}");
            let (found, logged) = (found[1].as_f64().unwrap(), event[field].as_f64().unwrap());
            assert!((found - logged).abs() <= 1e-6 * logged.abs().max(1.0), "{tag}: {found} and {logged}");
        }
    }
    let grids = read["images"]["samples"].as_array().unwrap();
    assert_eq!(grids.len(), of("sample").count());
    for (grid, event) in grids.iter().zip(of("sample")) {
        let file = image::open(path("run").join(event["file"].as_str().unwrap())).unwrap();
        assert_eq!((&grid[0], grid[1].as_u64(), grid[2].as_u64()), {
            (&event["step"], Some(file.width().into()), Some(file.height().into()))
        });
    }
}
