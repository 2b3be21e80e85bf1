use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::*;
use crate::benchmark::folder::write_json;
use crate::benchmark::result::example;
use crate::desktop::{App, Options, state::Settings};

fn window(data: &std::path::Path) -> Harness<'static, App> {
    let options = Options {
        settings: Some(Settings::default()),
        system_dialogs: false,
        data: Some(data.to_path_buf()),
        ..Options::default()
    };
    let size = egui::vec2(1280.0, 800.0);
    let mut window = Harness::builder().with_size(size).build_eframe(move |cc| App::new(cc, &options).unwrap());
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num3);
    settle(&mut window);
    window
}

fn settle(window: &mut Harness<'static, App>) {
    let start = Instant::now();
    window.step();
    while !window.state().is_settled() {
        assert!(start.elapsed() < Duration::from_mins(1), "the workers never rest");
        std::thread::sleep(Duration::from_millis(2));
        window.step();
    }
    window.step();
}

#[test]
fn own_results_stand_first_and_every_switch_does_what_it_says() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("sweeps").join("one");
    std::fs::create_dir_all(&folder).unwrap();
    write_json(&folder.join("result.json"), &example::result()).unwrap();
    std::fs::create_dir_all(data.path().join("sweeps").join("broken")).unwrap();
    std::fs::write(data.path().join("sweeps").join("broken").join("result.json"), "{").unwrap();
    let mut window = window(data.path());
    assert_eq!(window.state().benchmarks().names()[0], "example");
    let failures = window.state().session().notices.all().iter().filter(|notice| notice.failed).count();
    assert_eq!(failures, 1, "the broken file is told of");
    assert!(window.query_by_label_contains("cpD-GAN (N = 3 seeds): 0.780 at 2, 0.800 at 8").is_some());

    window.get_by_label("Relative to real").click();
    window.get_by_label("Single seeds").click();
    window.get_by_label("Published curves").click();
    window.get_by_label("Samples of prog-GAN").click();
    settle(&mut window);
    let choice = window.state().benchmarks().choice().clone();
    let expected = Choice { view: View::Ratio, seeds: true, published: true, hidden: vec![2], finding: None };
    assert_eq!(choice, expected);
    assert!(window.query_by_label_contains("cpD-GAN (N = 3 seeds): 0.975 at 2").is_some());

    window.get_by_label("Findings").click();
    settle(&mut window);
    assert!(window.query_by_label_contains("AUROC synthetic / real, Mass").is_some());
    window.get_by_label("Table").click();
    settle(&mut window);
    assert_eq!(window.state().benchmarks().page(), Page::Table);
    assert!(window.query_by_label("0.740 (0.720–0.760)").is_some());
    assert!(window.query_by_label("0.200 / 0.200 / 0.200").is_none());
    window.get_by_label("Per finding").click();
    settle(&mut window);
    assert!(window.query_all_by_label("0.200 / 0.200 / 0.200").next().is_some());
    window.get_by_label("p by seed ?").click();
    window.run_steps(4);
    let meaning = report::definition("p of a finding");
    assert!(window.query_all_by_label(meaning).count() > 1, "once in the list below, once beside the word");
    window.check_accessibility();
}

#[test]
fn figure_table_and_report_are_written_where_asked() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("sweeps").join("one");
    std::fs::create_dir_all(&folder).unwrap();
    write_json(&folder.join("result.json"), &example::result()).unwrap();
    let mut window = window(data.path());
    let save = |window: &mut Harness<'static, App>, (key, modifiers), name: &str, part: &str| {
        window.key_press_modifiers(modifiers, key);
        settle(window);
        window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        window.step();
        let path = data.path().join(name);
        window.event(egui::Event::Text(path.display().to_string()));
        window.step();
        window.key_press(egui::Key::Enter);
        window.step();
        settle(window);
        let bytes = std::fs::read(&path).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(part), "{name}");
        bytes
    };
    for (key, modifiers, name, part) in [
        (egui::Key::E, egui::Modifiers::COMMAND, "a.svg", "<svg"),
        (egui::Key::E, egui::Modifiers::COMMAND, "a.png", "PNG"),
        (egui::Key::S, egui::Modifiers::COMMAND, "a.csv", "cpD-GAN"),
        (egui::Key::E, egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, "a.html", "<!doctype html>"),
    ] {
        let bytes = save(&mut window, (key, modifiers), name, part);
        if part == "PNG" {
            assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 2280);
        }
    }
    // What is exported is what is shown.
    let figure = (egui::Key::E, egui::Modifiers::COMMAND);
    window.get_by_label("Findings").click();
    settle(&mut window);
    save(&mut window, figure, "findings.svg", "AUROC, one finding");
    window.get_by_label("Relative to real").click();
    settle(&mut window);
    save(&mut window, figure, "ratios.svg", "AUROC synthetic / real, one finding");
    let bytes = save(&mut window, figure, "ratios.png", "PNG");
    assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 2280);
    window.get_by_label("Curves").click();
    settle(&mut window);
    save(&mut window, figure, "ratio.svg", "as good as phantom films");
    window.get_by_label(crate::desktop::command::Command::CopyTable.text()).click();
    let copied = (0..4).find_map(|_| {
        window.step();
        window.output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    });
    assert_eq!(copied, Some(std::fs::read_to_string(data.path().join("a.csv")).unwrap()));
}

/// Moves the pointer, and gives all words that are then on screen.
fn hover(window: &mut Harness<'static, App>, at: egui::Pos2) -> Vec<String> {
    window.event(egui::Event::PointerMoved(at));
    // A tooltip takes a moment to come.
    for _ in 0..8 {
        window.step();
    }
    let labels = window.query_all_by_role(egui::accesskit::Role::Label);
    labels.filter_map(|node| node.accesskit_node().value()).collect()
}

#[test]
fn a_point_tells_its_numbers_and_opens_run_and_samples() {
    let data = tempfile::tempdir().unwrap();
    let root = data.path().join("sweeps").join("one");
    let mut spec = crate::benchmark::presets::preset("demo", std::path::Path::new("none")).unwrap();
    spec.name = "one".to_owned();
    let folder = crate::benchmark::SweepFolder::create(&root, &spec).unwrap();
    let result = example::result();
    write_json(&folder.result(), &result).unwrap();
    // What the sweep left of one generator: its run and its model.
    let curve = result.points[0].values.iter().find(|value| value.curve == 1).unwrap();
    let key = curve.seeds[0].generator.clone().expect("a generator behind the first seed");
    let run = folder.model(&key).parent().unwrap().to_path_buf();
    std::fs::create_dir_all(&run).unwrap();
    let preset = crate::training::presets::preset("small-32", crate::generator::Family::CpdGan).unwrap();
    std::fs::write(run.join("run.toml"), preset.to_toml()).unwrap();
    std::fs::write(folder.model(&key), "no model").unwrap();

    let mut window = window(data.path());
    let chart = window.get_by_label_contains("cpD-GAN (N = 3 seeds): 0.780 at 2").rect();
    let figure = Figure::of(&result, &Choice::default());
    let series = figure.series.iter().find(|series| series.curve == Some(1)).unwrap();
    let (mark, (low, high)) = (&series.marks[0], figure.extent());
    let plot = egui::Rect::from_min_max(chart.min + egui::vec2(64.0, 12.0), chart.max - egui::vec2(12.0, 52.0));
    let across = (figure.place(mark.x) - low) / (high - low);
    let up = (mark.y - figure.range.0) / (figure.range.1 - figure.range.0);
    let at = plot.left_bottom() + egui::vec2(across as f32 * plot.width(), -(up as f32) * plot.height());
    let told = hover(&mut window, at);
    assert!(
        told.iter().any(|text| text.starts_with("cpD-GAN (N = 3 seeds)\n2: 0.780\n95 % 0.760 to 0.800")
            && text.ends_with("N = 60 test patients, 3 seeds")),
        "{told:?}"
    );
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        window.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers: egui::Modifiers::NONE });
        window.step();
    }
    settle(&mut window);
    window.get_by_label_contains("cpD-GAN at 2 classes");
    let picked = window.state().benchmarks().picked().unwrap().clone();
    assert!(picked.mean.starts_with("AUROC 0.780 (") && picked.seeds.len() == 3, "{picked:?}");
    assert_eq!((picked.seeds[0].run.as_ref(), picked.nothing), (Some(&run), None));
    assert!(picked.seeds[1].run.is_none());
    window.check_accessibility();

    window.get_by_label_contains("Run, seed 1").click();
    window.run_steps(3);
    assert_eq!(window.state().workspace(), crate::desktop::workspace::Workspace::Training);
    settle(&mut window);
    assert_eq!(window.state().training().selected().map(|run| run.root.clone()), Some(run));
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num3);
    settle(&mut window);
    window.get_by_label_contains("Samples and neighbours, seed 1").click();
    settle(&mut window);
    assert_eq!(window.state().workspace(), crate::desktop::workspace::Workspace::Explore);
    let told = window.state().session().notices.all().last().unwrap().text.clone();
    assert!(told.contains("model.safetensors"), "the file that is no model is told of: {told}");
}

#[test]
fn results_are_listed_by_cohort_and_classifier() {
    let data = tempfile::tempdir().unwrap();
    for (name, cohort, classifier) in [("one", "chest", "small"), ("two", "head", "small"), ("three", "head", "large")]
    {
        let folder = data.path().join("sweeps").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut result = example::result();
        result.name = name.to_owned();
        (result.cohort.name, result.classifier) = (cohort.to_owned(), classifier.to_owned());
        write_json(&folder.join("result.json"), &result).unwrap();
    }
    let mut window = window(data.path());
    let choose = |window: &mut Harness<'static, App>, list: &str, value: &str| {
        window.get_by_role_and_label(egui::accesskit::Role::ComboBox, list).click();
        window.run_steps(3);
        // The list lies over everything else.
        window.get_all_by_label(value).last().expect("the value is in the list").click();
        window.run_steps(3);
    };
    let heading = |window: &Harness<'static, App>, text: &str| window.query_by_label(text).is_some();
    choose(&mut window, "Cohort", "chest");
    assert!(heading(&window, "chest, one"));
    assert!(window.query_all_by_label_contains("head ·").next().is_none());
    choose(&mut window, "Cohort", "head");
    assert!(window.query_all_by_label_contains("chest ·").next().is_none());
    choose(&mut window, "Classifier", "large");
    assert!(heading(&window, "head, three"));
    choose(&mut window, "Cohort", "All cohorts");
    choose(&mut window, "Classifier", "All classifiers");
    assert!(window.query_all_by_label_contains("chest ·").next().is_some());
    window.check_accessibility();
}
