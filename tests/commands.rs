//! The program from its command line, as a person or a script would use it, on what ships with it.

use std::path::Path;
use std::process::{Command, Output};

use negatoscope::generator::export;

fn negatoscope(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_negatoscope")).args(words).output().expect("the program starts")
}

/// Standard output of words that must succeed.
fn done(words: &[&str]) -> String {
    let output = negatoscope(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Standard error of words that must fail with this exit code.
fn failed(words: &[&str], code: i32) -> String {
    let output = negatoscope(words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

#[test]
fn the_same_words_give_the_same_file_and_it_carries_its_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (path(folder.path(), "a.png"), path(folder.path(), "b.png"));
    let words = |out| {
        [
            "sample",
            "--model",
            "phantom-chest",
            "--finding",
            "Support Devices",
            "--seed",
            "7",
            "--count",
            "16",
            "--out",
            out,
        ]
    };
    done(&words(&first));
    done(&words(&second));
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    let recipe = export::recipe_in(Path::new(&first)).unwrap();
    assert_eq!((recipe.seed, recipe.strength("Support Devices")), (7, 1.0));

    let single = path(folder.path(), "one.dcm");
    done(&["sample", "--recipe", &recipe.to_string(), "--out", &single]);
    assert_eq!(export::recipe_in(Path::new(&single)).unwrap(), recipe);
}

#[test]
fn samples_of_a_graphics_device_name_it_and_without_one_the_processor_serves() {
    let folder = tempfile::tempdir().unwrap();
    let sample = |device: &str, name: &str| {
        let out = path(folder.path(), name);
        let words = ["sample", "--model", "phantom-brain", "--device", device, "--json", "--out", &out];
        let report: serde_json::Value = serde_json::from_str(&done(&words)).unwrap();
        (report["device"].as_str().unwrap().to_owned(), std::fs::read(&out).unwrap())
    };
    let (processor, exact) = sample("cpu", "a.png");
    assert_eq!(processor, "the CPU");
    // Number 99 is not there: one sentence, and the very pixels of the processor.
    assert_eq!(sample("gpu:99", "b.png"), (processor, exact));
    // A driver in software is enough here.
    assert_ne!(sample("gpu", "c.png").0, "the CPU");
    assert!(failed(&["sample", "--model", "phantom-brain", "--device", "tpu", "--out", "x.png"], 2).contains("gpu:N"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_heard_enough_ends_the_program_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_negatoscope"))
        .arg("models")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}

#[test]
fn wrong_words_and_wrong_names_are_told_apart() {
    assert!(failed(&["sample", "--count", "none", "--out", "x.png"], 2).contains("--count"));
    let error = failed(&["sample", "--model", "nobody", "--out", "x.png"], 1);
    assert!(error.contains("nobody") && error.contains("phantom-chest"), "{error}");
    let error = failed(&["sample", "--model", "phantom-chest", "--finding", "Gout", "--out", "x.png"], 1);
    assert!(error.contains("Gout") && error.contains("Cardiomegaly"), "{error}");
}

#[test]
fn a_phantom_pack_is_made_once_shown_and_never_given_as_neighbours_of_another_cohort() {
    let folder = tempfile::tempdir().unwrap();
    let pack = path(folder.path(), "pack");
    let words = ["cohort", "phantom", "brain", "--count", "40", "--resolution", "32", "--out", &pack, "--json"];
    let report: serde_json::Value = serde_json::from_str(&done(&words)).unwrap();
    assert_eq!((&report["up_to_date"], &report["header"]["films"]), (&false.into(), &40.into()));
    let again: serde_json::Value = serde_json::from_str(&done(&words)).unwrap();
    assert_eq!(again["up_to_date"], true);
    assert!(done(&["cohort", "show", &pack, "--verify"]).contains("Subdural"));
    let error = failed(&["neighbours", "--model", "phantom-chest", "--cohort", &pack], 1);
    assert!(error.contains("not its neighbours"), "{error}");
}

#[test]
fn models_are_listed_with_their_cards_and_this_machine_gives_the_known_answers() {
    let listed: serde_json::Value = serde_json::from_str(&done(&["models", "--json"])).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|row| row["card"]["name"].as_str()).collect();
    for name in ["phantom-chest", "phantom-brain", "nih-chest", "ct-ich"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
        assert!(done(&["models", name]).contains("licence"), "{name}");
    }
    let report = done(&["selftest"]);
    assert_eq!(report.matches("pass").count(), 4, "{report}");
}
