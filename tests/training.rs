//! The Training workspace driven as a person would drive it, with real runs in processes of their own; no graphics
//! device is needed.

mod common;

use std::path::PathBuf;
use std::process::Command as Process;
use std::time::{Duration, Instant};

use common::{World, drop_file, settle, wait, window, world};
use eframe::egui::{Key, Role, ViewportEvent, ViewportId};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use negatoscope::cohort::phantom::{self, Kind, PhantomOptions};
use negatoscope::desktop::action::Action;
use negatoscope::desktop::command::Command;
use negatoscope::desktop::session::Cohort;
use negatoscope::desktop::training::keeper::Deed;
use negatoscope::desktop::training::watcher::Run;
use negatoscope::desktop::workspace::Workspace;
use negatoscope::desktop::{App, Options, state::Settings};
use negatoscope::generator::Family;
use negatoscope::progress::Progress;
use negatoscope::training::run_folder::{self, RunFolder};
use negatoscope::training::status::RunState;
use negatoscope::training::{RunSpec, presets};

type Window = Harness<'static, App>;

/// Options of a window whose runs lie in the world's folder, and which knows the world's pack.
fn options(world: &World) -> Options {
    let settings = Settings { training_cohorts: vec![world.pack.clone()], ..Settings::default() };
    Options {
        settings: Some(settings),
        data: Some(world.folder.path().join("data")),
        trainer: Some(PathBuf::from(env!("CARGO_BIN_EXE_negatoscope"))),
        ..common::options(None, None)
    }
}

fn act(window: &mut Window, command: Command) {
    let ctx = window.ctx.clone();
    window.state_mut().act(&ctx, Action::Run(command));
    window.run_steps(3);
}

fn click(window: &mut Window, name: &str) {
    window.get_by_role_and_label(Role::Button, name).click();
    window.run_steps(3);
}

/// Composes a run that is small enough for a test: 16 px, a few features.
fn compose(window: &mut Window, name: &str, kimg: &str) {
    act(window, Command::NewRun);
    settle(window);
    window.get_by_role_and_label(Role::TextInput, "Name").set_text_value_accesskit(name);
    window.get_by_role_and_label(Role::TextInput, "How long, in thousands of images").set_text_value_accesskit(kimg);
    window.run_steps(3);
    let form = window.state_mut().training_mut().form().unwrap();
    for (path, text) in [
        ("network.resolution", "16"),
        ("schedule.levels.0.side", "16"),
        ("schedule.levels.0.batch", "4"),
        ("network.latent", "8"),
        ("network.feature_base", "64"),
        ("network.feature_max", "8"),
        ("record.sample_kimg", "0.2"),
        ("record.checkpoint_kimg", "0.2"),
    ] {
        form.draft().set(path, text);
    }
    assert!(form.draft().spec().is_some(), "{:?}", form.draft().fields());
    window.run_steps(2);
}

fn state(app: &App) -> Option<RunState> {
    app.training().selected().map(|run| run.status.state)
}

fn kimg(app: &App) -> f64 {
    app.training().selected().map_or(0.0, |run| run.status.kimg)
}

/// Presses the button that the system draws on the window's frame.
fn close(window: &mut Window) {
    window.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
    window.run_steps(3);
}

/// Ends the run that is looked at, so that no test leaves a process behind.
fn stop(window: &mut Window) {
    click(window, "Stop");
    wait(window, "the run to stop", |app| state(app) == Some(RunState::Stopped));
}

#[test]
fn an_empty_workspace_says_what_a_run_is_and_how_to_begin_one() {
    let world = world();
    let mut window = window(options(&world));
    settle(&mut window);
    window.get_by_role_and_label(Role::Tab, "Training").click();
    settle(&mut window);
    assert_eq!(window.state().workspace(), Workspace::Training);
    window.get_by_label("Train a generator");
    assert!(window.query_all_by_label_contains("New run…").count() >= 1);
    window.check_accessibility();
    // Keys of Explore mean nothing here, and the arrows step through stages that are not there.
    for key in [Key::ArrowRight, Key::K, Key::R, Key::Home, Key::End, Key::P] {
        window.key_press(key);
    }
    settle(&mut window);
    assert_eq!(window.state().workspace(), Workspace::Training);
    window.run();
}

#[test]
fn what_is_wrong_stands_beside_its_field_and_nothing_begins() {
    let world = world();
    let mut window = window(options(&world));
    act(&mut window, Command::NewRun);
    settle(&mut window);
    window.get_by_role_and_label(Role::TextInput, "How long, in thousands of images").set_text_value_accesskit("soon");
    window.run_steps(3);
    window.get_by_label_contains("is not a number");
    window.get_by_label("One field is to be mended first.");
    click(&mut window, "Start");
    settle(&mut window);
    assert!(window.state().training().runs().is_empty());
    window.get_by_role_and_label(Role::TextInput, "How long, in thousands of images").set_text_value_accesskit("2");
    // What was wrong gives its line back before anything below it is clicked.
    window.run_steps(3);
    click(&mut window, "Unfold Level 1");
    window.get_by_role_and_label(Role::TextInput, "batch").set_text_value_accesskit("6");
    window.run_steps(3);
    window.get_by_label_contains("multiple of 4");
    window.check_accessibility();

    // A pack that cannot serve the run is refused beside the cohort, before a folder is made.
    window.get_by_role_and_label(Role::TextInput, "batch").set_text_value_accesskit("4");
    window.run_steps(3);
    click(&mut window, "small 64 px");
    click(&mut window, "Start");
    settle(&mut window);
    window.get_by_label_contains("holds images of 32 px at most");
    assert!(window.state().training().runs().is_empty());
}

#[test]
fn a_run_is_started_watched_paused_killed_resumed_and_opened_in_explore() {
    let world = world();
    let mut window = window(options(&world));
    compose(&mut window, "test chest", "1000");
    click(&mut window, "Start");
    wait(&mut window, "the run to begin", |app| state(app).is_some_and(RunState::is_running));
    wait(&mut window, "a sample grid", |app| app.training().strip().grid().is_some());
    wait(&mut window, "the first figures", |app| kimg(app) > 0.0);
    window.get_by_label_contains("Sample grid");
    window.check_accessibility();

    // Frames while training goes on; told, not tested, because a time is the machine's affair.
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let begun = Instant::now();
            window.step();
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!("a frame of the window with training running: median {:?}, p99 {:?}", times[100], times[198]);

    click(&mut window, "Pause");
    wait(&mut window, "the run to pause", |app| state(app) == Some(RunState::Paused));
    let paused = kimg(window.state());
    window.key_press(Key::P);
    wait(&mut window, "the run to go on", |app| state(app).is_some_and(RunState::is_running) && kimg(app) > paused);

    let holder = window.state().training().selected().unwrap().status.holder.clone().unwrap();
    assert!(Process::new("sh").args(["-c", &format!("kill -9 {}", holder.pid)]).status().unwrap().success());
    wait(&mut window, "the death to be noticed", |app| state(app) == Some(RunState::Interrupted));
    window.get_by_label_contains("killed, or the power failed");
    click(&mut window, "Resume");
    wait(&mut window, "the run to go on", |app| state(app).is_some_and(RunState::is_running));

    // The window goes, training stays; another window finds it.
    drop(window);
    let mut window = common::window(options(&world));
    act(&mut window, Command::GoToTraining);
    settle(&mut window);
    let run = window.state().training().runs()[0].clone();
    assert!(run.status.state.is_running(), "{:?}", run.status.state);
    window.state_mut().training_mut().select(&run.root);
    settle(&mut window);

    click(&mut window, "Snapshot");
    wait(&mut window, "two stages", |app| app.training().strip().stages().len() >= 2);
    window.key_press(Key::Home);
    window.run_steps(2);
    assert_eq!(window.state().training().strip().index(), Some(0));
    window.key_press(Key::ArrowRight);
    window.run_steps(2);
    assert_eq!(window.state().training().strip().index(), Some(1));
    window.key_press(Key::End);
    window.run_steps(2);
    assert!(window.state().training().strip().is_following());

    let newest = |app: &App| app.training().report().followed.get(&run.root)?.checkpoints.first().copied();
    wait(&mut window, "a checkpoint", |app| newest(app).is_some());
    let step = newest(window.state()).unwrap();
    let ctx = window.ctx.clone();
    window.state_mut().training_mut().open_checkpoint(&ctx, &run.root, step);
    wait(&mut window, "the checkpoint to open", |app| app.session().sample().is_some());
    assert_eq!(window.state().workspace(), Workspace::Explore);
    let card = window.state().session().model().unwrap().generator.card().clone();
    assert_eq!((card.name.as_str(), card.training.steps), ("test chest", step));
    assert!(!matches!(window.state().session().cohort(), Cohort::None), "the films it trains on are opened beside it");

    act(&mut window, Command::GoToTraining);
    assert!(state(window.state()).is_some_and(RunState::is_running));

    // A window that is closed meanwhile asks what becomes of the run.
    close(&mut window);
    window.get_by_label("A run goes on");
    window.check_accessibility();
    click(&mut window, "Cancel");
    assert!(window.query_by_label("A run goes on").is_none());
    close(&mut window);
    click(&mut window, "Pause and close");
    wait(&mut window, "the run to pause", |app| state(app) == Some(RunState::Paused));
    close(&mut window);
    assert!(window.query_by_label("A run goes on").is_none(), "it was answered");

    click(&mut window, "Resume");
    wait(&mut window, "the run to go on", |app| state(app).is_some_and(RunState::is_running));
    stop(&mut window);
    click(&mut window, "Open in Explore");
    settle(&mut window);
    assert_eq!(window.state().workspace(), Workspace::Explore);

    // What it has learnt is taken on at twice its side.
    act(&mut window, Command::GoToTraining);
    settle(&mut window);
    click(&mut window, "More");
    click(&mut window, "Grow…");
    settle(&mut window);
    let form = window.state_mut().training_mut().form().unwrap();
    assert_eq!(form.cohort(), world.pack);
    let grown = form.draft().spec().unwrap();
    assert_eq!((grown.name.as_str(), grown.network.resolution), ("test chest-32", 32));
    assert!(grown.start_from.as_ref().is_some_and(|file| file.starts_with(&run.root) && file.is_file()));
}

#[test]
fn queued_runs_follow_each_other_and_deleted_ones_can_be_put_back() {
    let world = world();
    let mut window = window(options(&world));
    let mut roots = Vec::new();
    for name in ["first", "second"] {
        compose(&mut window, name, "0.06");
        let form = window.state_mut().training_mut().form().unwrap();
        let spec = Box::new(form.draft().spec().unwrap().clone());
        window.state_mut().training_mut().ask(Deed::Make { spec, queued: true });
        settle(&mut window);
        roots.push(window.state().training().selected().unwrap().root.clone());
    }
    // The window's end does not end the queue.
    drop(window);
    let mut window = common::window(options(&world));
    act(&mut window, Command::GoToTraining);
    let ended = |run: &Run| run.status.state == RunState::Finished;
    // Two whole runs take longer than one patience on a busy machine.
    wait(&mut window, "the first run", |app| {
        app.training().runs().iter().any(|run| run.root == roots[0] && ended(run))
    });
    wait(&mut window, "the second run to move", |app| {
        app.training().runs().iter().any(|run| run.root == roots[1] && run.status.step > 8)
    });
    wait(&mut window, "both runs", |app| app.training().runs().iter().all(ended));
    let ends = |root: &PathBuf| std::fs::metadata(root.join("result.json")).unwrap().modified().unwrap();
    let begins = |root: &PathBuf| std::fs::metadata(root.join("train.log")).unwrap().created().unwrap();
    assert!(begins(&roots[1]) >= ends(&roots[0]), "the second began before the first had ended");

    window.state_mut().training_mut().select(&roots[0]);
    settle(&mut window);
    window.state_mut().training_mut().ask(Deed::Delete(roots[0].clone()));
    wait(&mut window, "the run to go", |app| app.training().runs().len() == 1);
    assert!(!roots[0].exists());
    click(&mut window, "Put first back");
    wait(&mut window, "the run to come back", |app| app.training().runs().len() == 2);
    assert!(roots[0].join("model.safetensors").is_file());

    // A folder from elsewhere opens by being dropped.
    let elsewhere = world.folder.path().join("elsewhere");
    std::fs::rename(&roots[1], &elsewhere).unwrap();
    wait(&mut window, "the run to go", |app| app.training().runs().len() == 1);
    drop_file(&mut window, &elsewhere);
    wait(&mut window, "the dropped run", |app| app.training().selected().is_some_and(|run| run.root == elsewhere));
    let table = world.folder.path().join("curves.csv");
    act(&mut window, Command::ExportCurves);
    window.get_by_role_and_label(Role::TextInput, "Path").set_text_value_accesskit(&table.display().to_string());
    window.step();
    click(&mut window, "Save");
    settle(&mut window);
    let told = window.state().session().notices.all().last().unwrap().text.clone();
    assert!(table.is_file() || told.contains("nothing has been measured"), "{told}");
}

#[test]
fn a_duplicate_is_offered_the_packs_that_were_only_opened_in_explore() {
    let world = world();
    let opened = world.folder.path().join("opened");
    let brain = PhantomOptions { kind: Kind::Brain, count: 40, resolution: 32, seed: 1, out: opened.clone() };
    phantom::write(&brain, &Progress::new()).unwrap();
    let root = world.folder.path().join("data/runs/first");
    let mut spec = presets::preset("small-32", Family::CpdGan).unwrap();
    spec.cohort.clone_from(&world.pack);
    drop(RunFolder::create(&root, &spec).unwrap());
    // Explore notes the pack of a cohort once it is open.
    let settings = Settings { cohorts: [("brain".to_owned(), opened.clone())].into(), ..Settings::default() };
    let mut window = common::window(Options { settings: Some(settings), ..options(&world) });
    act(&mut window, Command::GoToTraining);
    settle(&mut window);
    window.state_mut().training_mut().select(&root);
    settle(&mut window);
    click(&mut window, "More");
    click(&mut window, "Duplicate…");
    settle(&mut window);
    assert_eq!(window.state_mut().training_mut().form().unwrap().cohort(), world.pack);
    window.get_by_role_and_label(Role::ComboBox, "Cohort").click();
    window.run_steps(3);
    window.get_by_label("phantom-brain · 40 films, up to 32 px").click();
    window.run_steps(3);
    assert_eq!(window.state_mut().training_mut().form().unwrap().cohort(), opened);
}

/// Commands of Slurm's that keep one job, or an array of three: the state is the text of a file, which the test writes as
/// Slurm would.
#[cfg(unix)]
fn slurm(world: &World) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = world.folder.path().join("slurm's own");
    std::fs::create_dir_all(&folder).unwrap();
    let state = folder.join("state");
    let quoted = state.to_string_lossy().replace('\'', r"'\''");
    for (name, text) in [
        (
            "sbatch",
            format!(
                "echo 'PENDING|Priority' > '{quoted}.new'; mv '{quoted}.new' '{quoted}'; cp \"$2\" '{quoted}.script'; echo 41"
            ),
        ),
        ("squeue", format!("for task in N/A 0 1 2; do echo \"41|41|$task|$(cat '{quoted}')\"; done")),
        (
            "scancel",
            format!(
                "echo 'CANCELLED|None' > '{quoted}.new'; mv '{quoted}.new' '{quoted}'; kill -TERM $(cat '{quoted}.process') || true"
            ),
        ),
        ("sacct", "exit 1".to_owned()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[cfg(unix)]
#[test]
fn a_run_is_sent_to_a_cluster_followed_there_cancelled_and_sent_again() {
    let world = world();
    let folder = slurm(&world);
    // Moved into place, so that nobody reads half a state.
    let says = |text: &str| {
        std::fs::write(folder.join("state.new"), text).unwrap();
        std::fs::rename(folder.join("state.new"), folder.join("state")).unwrap();
    };
    let mut options = options(&world);
    options.settings.as_mut().unwrap().cluster.commands = folder.to_string_lossy().into_owned();
    let mut window = common::window(options);
    compose(&mut window, "far away", "1000");
    click(&mut window, "Slurm cluster");
    window.get_by_role_and_label(Role::TextInput, "Time limit").set_text_value_accesskit("1:00:00; rm");
    window.run_steps(3);
    click(&mut window, "Send to the cluster");
    settle(&mut window);
    window.get_by_label_contains("is no time that Slurm knows");
    assert!(window.state().training().runs().is_empty());
    window.get_by_role_and_label(Role::TextInput, "Time limit").set_text_value_accesskit("30");
    window.get_by_role_and_label(Role::TextInput, "Partition").set_text_value_accesskit("night");
    window.run_steps(3);
    click(&mut window, "Send to the cluster");
    settle(&mut window);
    let words = |app: &App| app.training().selected().map(Run::words).unwrap_or_default();
    wait(&mut window, "the queue to be read", |app| words(app) == "queued (Priority) on the cluster");
    window.get_by_label_contains("job 41");
    window.check_accessibility();
    let script = std::fs::read_to_string(folder.join("state.script")).unwrap();
    assert!(script.contains("--partition=night") && script.contains("--time=30"), "{script}");
    assert_eq!(window.state().session().settings.cluster.partition, "night");
    // Its turn has not come: neither key nor queue starts it here.
    window.key_press(Key::P);
    settle(&mut window);
    assert_eq!(state(window.state()), Some(RunState::NotBegun));

    // The node begins.
    let mut node = Process::new("bash").arg(folder.join("state.script")).env("SLURM_JOB_ID", "41").spawn().unwrap();
    std::fs::write(folder.join("state.process"), node.id().to_string()).unwrap();
    says("RUNNING|None");
    wait(&mut window, "the run to begin", |app| state(app).is_some_and(RunState::is_running) && kimg(app) > 0.2);
    wait(&mut window, "the job to run", |app| app.training().selected().is_some_and(Run::is_with_cluster));
    click(&mut window, "Cancel job");
    assert_eq!(node.wait().unwrap().code(), Some(75));
    wait(&mut window, "the run to pause", |app| state(app) == Some(RunState::Paused));
    wait(&mut window, "the job to end", |app| app.training().selected().is_some_and(|run| !run.is_with_cluster()));
    window.get_by_label_contains("was cancelled. Sent again, the run goes on where it was.");
    click(&mut window, "Send again");
    wait(&mut window, "the job to wait", |app| words(app) == "queued (Priority) again on the cluster");

    // What went wrong there is said, and so is that nobody answers.
    says("OUT_OF_MEMORY|None");
    wait(&mut window, "the job's end", |app| app.training().selected().is_some_and(|run| !run.is_with_cluster()));
    window.get_by_label_contains("needed more memory than it had asked for");
    click(&mut window, "Send again");
    wait(&mut window, "the job to wait", |app| words(app).starts_with("queued"));
    std::fs::remove_file(folder.join("squeue")).unwrap();
    wait(&mut window, "the silence to be noticed", |app| {
        app.training().selected().is_some_and(|run| run.job.as_ref().is_some_and(|job| job.state.is_err()))
    });
    window.get_by_label_contains("What became of job 41 is not known");
}

#[cfg(unix)]
#[test]
fn several_seeds_go_to_a_cluster_as_one_array_of_single_runs() {
    let world = world();
    let folder = slurm(&world);
    let mut options = options(&world);
    options.settings.as_mut().unwrap().cluster.commands = folder.to_string_lossy().into_owned();
    let mut window = common::window(options);
    compose(&mut window, "far away", "1");
    assert!(window.query_by_role_and_label(Role::TextInput, "Seeds").is_none(), "seeds are for a cluster");
    click(&mut window, "Slurm cluster");
    let type_seeds = |window: &mut Window, text: &str| {
        window.get_by_role_and_label(Role::TextInput, "Seeds").set_text_value_accesskit(text);
        window.run_steps(3);
    };
    // What is wrong is said as it is typed, and nothing is sent.
    type_seeds(&mut window, "1-3, 2");
    window.get_by_label("seed 2 is named twice");
    click(&mut window, "Send to the cluster");
    settle(&mut window);
    assert!(window.state().training().runs().is_empty());

    // One of the folders is taken, so that its run gets another.
    let runs = window.state().training().places().runs();
    std::fs::create_dir_all(runs.join("far-away-seed2")).unwrap();
    type_seeds(&mut window, "1-3");
    window.get_by_label("3 runs in one array, far away-seed1 to far away-seed3.");
    window.check_accessibility();
    click(&mut window, "Send to the cluster");
    settle(&mut window);
    wait(&mut window, "the runs", |app| app.training().runs().len() == 3);
    let names = ["far-away-seed1", "far-away-seed2-2", "far-away-seed3"];
    for (task, name) in (0..).zip(names) {
        let spec = RunSpec::read(&runs.join(name).join("run.toml")).unwrap();
        assert_eq!((spec.seed, spec.name), (u64::from(task) + 1, format!("far away-seed{}", task + 1)));
        let job = run_folder::job(&runs.join(name)).unwrap();
        assert_eq!((job.job, job.task), (41, Some(task)));
    }
    let script = std::fs::read_to_string(folder.join("state.script")).unwrap();
    assert!(script.contains("#SBATCH --array=0-2\n"), "{script}");
    for (task, name) in names.iter().enumerate() {
        let line = format!("{task}) words=('train' '{}') ;;", runs.join(name).display());
        assert!(script.lines().any(|found| found == line), "{line} is not in\n{script}");
    }

    // Each is a run of its own in the list, followed by its own task.
    wait(&mut window, "the queue to be read", |app| {
        app.training().runs().iter().all(|run| run.words() == "queued (Priority) on the cluster")
    });
    assert_eq!(window.state().training().selected().map(|run| run.root.clone()), Some(runs.join(names[0])));
    window.get_by_label_contains("job 41_0");

    // Where Slurm refuses, none of the folders stays.
    std::fs::write(folder.join("sbatch"), "#!/bin/bash\necho 'Invalid partition' >&2; exit 1\n").unwrap();
    compose(&mut window, "nowhere", "1");
    type_seeds(&mut window, "4, 5");
    click(&mut window, "Send to the cluster");
    settle(&mut window);
    window.get_by_label_contains("Invalid partition");
    let mut left = std::fs::read_dir(&runs).unwrap().flatten().map(|entry| entry.file_name());
    assert!(left.all(|name| !name.to_string_lossy().starts_with("nowhere")));
}
