//! The window driven as a person would drive it, through its accessibility tree; no graphics device is needed.

mod common;

use common::{drop_file, options, settle, wait, window, world};
use eframe::egui::{Key, Modifiers, Role, pos2};
use egui_kittest::kittest::Queryable as _;
use negatoscope::desktop::action::Action;
use negatoscope::desktop::command::Command;
use negatoscope::desktop::explore::Mode;
use negatoscope::desktop::session::Cohort;
use negatoscope::generator::{Generator, Recipe};

#[test]
fn a_finding_is_switched_on_and_a_new_sample_comes_and_undo_brings_the_old_one_back() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let before = window.state().session().sample().unwrap().clone();
    assert!(before.recipe.findings.is_empty());

    window.get_by_role_and_label(Role::CheckBox, "Cardiomegaly").click();
    settle(&mut window);
    let after = window.state().session().sample().unwrap().clone();
    assert_eq!(after.recipe.findings, [("Cardiomegaly".to_owned(), 1.0)]);
    assert_ne!(before.film.image(), after.film.image());
    // The same recipe renders the same pixels outside of the window.
    let generator = Generator::load(&world.model).unwrap();
    assert_eq!(generator.render(&after.recipe).unwrap(), *after.film.image());

    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    settle(&mut window);
    assert_eq!(window.state().session().sample().unwrap().film.image(), before.film.image());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    settle(&mut window);
    assert_eq!(window.state().session().sample().unwrap().film.image(), after.film.image());
    window.check_accessibility();
}

#[test]
fn arrows_step_the_seed_and_a_lock_holds_it() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let seed = window.state().session().recipe().seed;
    for _ in 0..3 {
        window.key_press(Key::ArrowRight);
    }
    window.key_press(Key::ArrowLeft);
    settle(&mut window);
    assert_eq!(window.state().session().sample().unwrap().recipe.seed, seed + 2);

    window.get_by_role_and_label(Role::Button, "Lock seed").click();
    settle(&mut window);
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().seed, seed + 2);
    assert!(window.query_by_role_and_label(Role::Button, "Unlock seed").is_some());
}

#[test]
fn an_exported_image_dropped_back_restores_its_recipe() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    window.get_by_role_and_label(Role::CheckBox, "Support Devices").click();
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    let exported = window.state().session().recipe().clone();

    for (command, name) in [(Command::ExportPng, "a.png"), (Command::ExportDicom, "a.dcm")] {
        let path = world.folder.path().join(name);
        let ctx = window.ctx.clone();
        window.state_mut().act(&ctx, Action::Run(command));
        // A page over the window is measured in its first frame and drawn in its second.
        window.run_steps(3);
        let field = window.get_by_role_and_label(Role::TextInput, "Path");
        field.set_text_value_accesskit(&path.display().to_string());
        window.step();
        window.get_by_role_and_label(Role::Button, "Save").click();
        wait(&mut window, "the file to be written", |_| path.is_file());
        settle(&mut window);

        window.key_press(Key::ArrowRight);
        window.key_press_modifiers(Modifiers::COMMAND, Key::Backspace);
        settle(&mut window);
        assert_ne!(*window.state().session().recipe(), exported);
        drop_file(&mut window, &path);
        settle(&mut window);
        assert_eq!(window.state().session().sample().unwrap().recipe, exported, "{name}");
    }
}

#[test]
fn a_file_that_is_none_of_ours_gives_one_sentence_and_the_session_goes_on() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    for (name, bytes) in [("notes.txt", &b"hello"[..]), ("broken.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}")] {
        let path = world.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        drop_file(&mut window, &path);
        settle(&mut window);
        let told = window.state().session().notices.all().iter().any(|n| n.failed && n.text.contains(name));
        assert!(told, "{name}: {:?}", window.state().session().notices.all());
    }
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert!(window.state().session().sample().is_some());
}

#[test]
fn a_pasted_recipe_is_shown() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let mut recipe = Recipe::new(window.state().session().model().unwrap().generator.id(), 4711);
    recipe.set_strength("Edema", 0.5);
    window.event(eframe::egui::Event::Paste(format!("see this:\n{recipe}\n")));
    settle(&mut window);
    assert_eq!(window.state().session().sample().unwrap().recipe, recipe);
}

#[test]
fn the_palette_finds_findings_and_commands_by_a_few_letters() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.step();
    window.get_by_role_and_label(Role::TextInput, "Find").type_text("pneumoth");
    window.step();
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().strength("Pneumothorax"), 1.0);

    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.step();
    window.get_by_role_and_label(Role::TextInput, "Find").type_text("differ");
    window.step();
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(window.state().explore().mode, Mode::Difference);
    // Esc leaves it without a choice.
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.step();
    window.key_press(Key::Escape);
    window.step();
    window.step();
    assert!(window.query_by_role_and_label(Role::TextInput, "Find").is_none());
}

#[test]
fn the_neighbours_of_the_models_own_cohort_follow_the_sample() {
    let world = world();
    let mut window = window(options(Some(&world.model), Some(&world.pack)));
    settle(&mut window);
    let Cohort::Ready { reference, .. } = window.state().session().cohort() else { panic!("the cohort is not ready") };
    assert!(reference.is_phantom() && reference.films() == 40);
    let first: Vec<u32> = nears(&window);
    assert!(!first.is_empty());
    window.get_by_label_contains("Nearest phantoms");
    assert!(window.query_all_by_label_contains("of unseen phantoms").count() >= 1);
    for _ in 0..12 {
        window.key_press(Key::ArrowRight);
    }
    settle(&mut window);
    let verdict = window.state().session().verdict().unwrap();
    assert!(std::sync::Arc::ptr_eq(&verdict.sample, window.state().session().sample().unwrap()));
    let distances: Vec<f32> = verdict.nears.as_ref().unwrap().iter().map(|near| near.distance).collect();
    assert!(distances.is_sorted(), "{distances:?}");
    window.check_accessibility();
}

fn nears(window: &egui_kittest::Harness<'static, negatoscope::desktop::App>) -> Vec<u32> {
    let verdict = window.state().session().verdict().unwrap();
    verdict.nears.as_ref().unwrap().iter().map(|near| near.item).collect()
}

#[test]
fn another_cohort_is_refused_and_its_people_are_not_shown() {
    let world = world();
    let other = world.folder.path().join("other.safetensors");
    common::model_with(&other, "other-chest", &"0".repeat(64), 2);
    let mut window = window(options(Some(&other), Some(&world.pack)));
    settle(&mut window);
    assert!(matches!(window.state().session().cohort(), Cohort::Refused { .. }));
    assert!(window.state().session().verdict().is_none());
    window.get_by_label("Another cohort");
    assert_eq!(window.query_all_by_label_contains("unseen phantoms").count(), 0);
}

#[test]
fn with_nothing_open_the_window_says_what_to_do() {
    let mut window = window(options(None, None));
    settle(&mut window);
    window.get_by_label("The light box is empty");
    assert!(window.query_all_by_label_contains("Open model…").count() >= 1);
    for key in [Key::ArrowRight, Key::K, Key::X, Key::R, Key::I, Key::Space, Key::G] {
        window.key_press(key);
    }
    settle(&mut window);
    window.check_accessibility();
}

#[test]
fn dragging_the_pad_is_one_step_of_undo() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let pad = window.get_by_role_and_label(Role::Canvas, "Latent plane").rect();
    window.drag_at(pad.center());
    window.step();
    for i in 1..=10 {
        window.hover_at(pos2(pad.center().x + 4.0 * i as f32, pad.center().y - 3.0 * i as f32));
        window.step();
    }
    window.drop_at(pos2(pad.center().x + 44.0, pad.center().y - 33.0));
    settle(&mut window);
    let plane = window.state().session().recipe().plane;
    assert!(plane[0] > 0.3 && plane[1] > 0.2, "{plane:?}");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().plane, [0.0; 2]);
}

#[test]
fn sliders_answer_to_the_accessibility_tree_and_can_be_reset() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    window.get_by_role_and_label(Role::Slider, "Truncation").set_value_accesskit(0.7);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().truncation, Some(0.7));
    window.get_by_role_and_label(Role::Slider, "Direction 1").set_value_accesskit(-0.6);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().direction(0), -0.6);
    window.get_by_role_and_label(Role::Button, "Reset Truncation").click();
    window.get_by_role_and_label(Role::Button, "Reset Direction 1").click();
    settle(&mut window);
    let recipe = window.state().session().recipe();
    assert_eq!((recipe.truncation, recipe.direction(0)), (None, 0.0));
}

#[test]
fn a_thumbnail_is_taken_to_the_light_box() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let seed = window.state().session().recipe().seed + 3;
    window.get_by_role_and_label(Role::Button, &format!("seed {seed}")).click();
    settle(&mut window);
    assert_eq!(window.state().session().sample().unwrap().recipe.seed, seed);
}

#[test]
fn an_idle_window_asks_for_no_frame() {
    let world = world();
    let mut window = window(options(Some(&world.model), Some(&world.pack)));
    settle(&mut window);
    // `run` panics when the window goes on asking for frames.
    window.run();
}

#[test]
fn every_size_of_window_keeps_its_controls_on_screen() {
    let world = world();
    for size in [[1024.0, 640.0], [1440.0, 900.0], [2560.0, 1440.0]] {
        let mut window = common::window_of(options(Some(&world.model), Some(&world.pack)), size.into());
        settle(&mut window);
        for name in ["Sample", "A | B", "Blink", "Difference", "Invert", "Export…", "Window"] {
            let rect = window.get_by_role_and_label(Role::Button, name).rect();
            assert!(rect.min.x >= 0.0 && rect.max.x <= size[0], "{name} at {size:?}: {rect:?}");
        }
        let export = window.get_by_role_and_label(Role::Button, "Export…").rect();
        let difference = window.get_by_role_and_label(Role::Button, "Difference").rect();
        assert!(difference.max.x < export.min.x, "the toolbar overlaps at {size:?}");
    }
}

#[test]
fn the_hand_on_the_film_changes_window_zoom_and_pan_and_space_sets_them_back() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let before = window.state().explore().window;
    let film = window.get_by_label_contains("Synthetic sample").rect();
    let center = film.center();
    window.hover_at(center);
    window.step();
    window.drag_at(center);
    window.step();
    for i in 1..=5 {
        window.hover_at(pos2(center.x + 12.0 * i as f32, center.y - 8.0 * i as f32));
        window.step();
    }
    window.drop_at(pos2(center.x + 60.0, center.y - 40.0));
    window.step();
    let after = window.state().explore().window;
    assert!(after.width > before.width && after.center < before.center, "{before:?} {after:?}");

    window.hover_at(center);
    window.step();
    window.event(eframe::egui::Event::MouseWheel {
        unit: eframe::egui::MouseWheelUnit::Line,
        delta: eframe::egui::vec2(0.0, 3.0),
        phase: eframe::egui::TouchPhase::Move,
        source: eframe::egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    settle(&mut window);
    window.run_steps(20);
    assert!(!window.state().explore().zoom.is_fit());

    window.key_press(Key::Space);
    window.step();
    assert_eq!(window.state().explore().window, before);
    assert!(window.state().explore().zoom.is_fit());
    window.key_press(Key::Num2);
    window.key_press(Key::I);
    window.step();
    assert_ne!(window.state().explore().window, before);
    assert!(window.state().explore().invert);
}
