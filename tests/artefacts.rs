//! The Artefacts workspace driven as a person would drive it, with the classifiers that ship; no graphics device is needed.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{options, settle, wait, window, world};
use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use negatoscope::desktop::App;
use negatoscope::desktop::action::Action;
use negatoscope::desktop::artefacts::Page;
use negatoscope::desktop::artefacts::worker::View;
use negatoscope::desktop::command::Command;
use negatoscope::encoder::{Encoder, Target};
use negatoscope::progress::Progress;

fn artefacts(model: Option<&Path>) -> Harness<'static, App> {
    let mut window = window(options(model, None));
    settle(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num4);
    wait(&mut window, "two maps", |app| {
        app.artefacts().view().is_some_and(|view| view.maps.iter().all(Option::is_some))
    });
    settle(&mut window);
    window
}

fn view(window: &Harness<'static, App>) -> Arc<View> {
    window.state().artefacts().view().unwrap().clone()
}

fn shipped(name: &str) -> Encoder {
    Encoder::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)).unwrap()
}

#[test]
fn maps_of_both_classifiers_stand_beside_the_film_and_a_finding_needs_no_new_answers() {
    let mut window = artefacts(None);
    let all = view(&window);
    assert!(window.query_by_label_contains("Map of the classifier trained on phantoms").is_some());
    assert!(window.query_by_label_contains("Map of the classifier trained on samples of phantom-chest").is_some());
    assert!(window.query_by_label_contains("Rank correlation of the maps").is_some());

    // The filter takes us to a film with the finding, and to that finding's map, with the phantom's true outline.
    window.state_mut().artefacts_mut().look_for(Some("Cardiomegaly".to_owned()));
    window.state_mut().artefacts_mut().only_with(Some("Cardiomegaly".to_owned()));
    settle(&mut window);
    let found = view(&window);
    assert!(found.labels[found.vocabulary.position("Cardiomegaly").unwrap()] > 0.0);
    assert!(found.outlines.iter().any(|(name, lines)| name == "Cardiomegaly" && !lines.is_empty()));
    assert!(found.maps.iter().flatten().all(|map| map.inside.is_some_and(|(share, _)| (0.0..=1.0).contains(&share))));
    assert!(window.query_by_label("Lilac: where the phantom's finding truly lies.").is_some());

    // The maps are those of the library, bit for bit.
    for (slot, name) in
        ["encoder-phantom-chest.safetensors", "classifier-phantom-chest-samples.safetensors"].iter().enumerate()
    {
        let encoder = shipped(name);
        let finding = encoder.card().vocabulary.position("Cardiomegaly").unwrap();
        let target = Target::Finding(finding);
        let map = encoder.attribution(found.film.image(), &found.labels, target, &Progress::new()).unwrap();
        assert_eq!(map, found.maps[slot].as_ref().unwrap().film.image().pixels(), "{name}");
    }

    // Another finding on the same film: nobody is asked again. Another film: both are.
    window.key_press(Key::ArrowDown);
    settle(&mut window);
    let next = view(&window);
    assert_ne!(next.question.finding, found.question.finding);
    assert!(Arc::ptr_eq(next.masked[1].as_ref().unwrap(), found.masked[1].as_ref().unwrap()));
    let film = window.state().artefacts().film();
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert_ne!(window.state().artefacts().film(), film);
    let other = view(&window);
    assert!(!Arc::ptr_eq(other.masked[1].as_ref().unwrap(), found.masked[1].as_ref().unwrap()));
    assert_ne!(other.film.image(), all.film.image());
    window.key_press(Key::ArrowLeft);
    settle(&mut window);
    assert_eq!(window.state().artefacts().film(), film);
    window.check_accessibility();
}

#[test]
fn asking_can_be_stopped_and_begun_again() {
    let mut window = artefacts(None);
    window.get_by_label("2 px").click();
    window.run_steps(3);
    window.get_by_label("Stop").click();
    wait(&mut window, "the worker to stop", App::is_settled);
    assert!(window.query_by_label("Stopped.").is_some());
    assert_eq!(view(&window).maps.iter().flatten().count(), 0);
    window.get_by_label("8 px").click();
    settle(&mut window);
    assert_eq!(view(&window).maps[0].as_ref().unwrap().film.size(), [8, 8]);
    assert!(window.query_by_label("Stopped.").is_none());
}

#[test]
fn a_finding_is_switched_in_the_sample_of_explore_and_nothing_else() {
    let world = world();
    let mut window = artefacts(Some(&world.model));
    window.get_by_label("A switched finding").click();
    window.state_mut().artefacts_mut().look_for(Some("Edema".to_owned()));
    wait(&mut window, "the switch", |app| {
        app.artefacts().view().is_some_and(|view| view.change.is_some() && view.maps.iter().all(Option::is_some))
    });
    assert_eq!(window.state().artefacts().page(), Page::Switch);
    let found = view(&window);
    let change = found.change.as_ref().unwrap();
    let session = window.state().session();
    let (generator, mut recipe) = (session.model().unwrap().generator.clone(), session.recipe().clone());
    let off = generator.render(&recipe).unwrap();
    recipe.set_strength("Edema", 1.0);
    let on = generator.render(&recipe).unwrap();
    assert_eq!((change.off.image(), found.film.image()), (&off, &on));
    let difference: Vec<f32> = on.pixels().iter().zip(off.pixels()).map(|(on, off)| on - off).collect();
    assert_eq!(change.difference.image().pixels(), difference);
    let mean = difference.iter().map(|v| v.abs()).sum::<f32>() / difference.len() as f32;
    assert!((change.mean - mean).abs() < 1e-6);
    // Inside and outside of the highest squares are weighted means of the whole.
    for parts in change.inside_outside {
        let [inside, outside] = parts.unwrap();
        assert!(inside.min(outside) <= mean && mean <= inside.max(outside), "{inside} {mean} {outside}");
    }
    // The classifier's answer with the finding off is that for the sample without.
    let encoder = shipped("encoder-phantom-chest.safetensors");
    let place = encoder.card().vocabulary.position("Edema").unwrap();
    let said = encoder.classify(std::slice::from_ref(&off)).unwrap()[place];
    assert_eq!(found.maps[0].as_ref().unwrap().probability_off, Some(said));

    // The arrow steps the seed, as in Explore.
    let seed = window.state().session().recipe().seed;
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert_eq!(window.state().session().recipe().seed, seed + 1);
    assert_ne!(view(&window).film.image(), &on);
    window.check_accessibility();
}

#[test]
fn one_classifier_alone_is_looked_at_and_the_other_place_says_how_to_fill_it() {
    let world = world();
    let mut window = artefacts(None);
    let open = |window: &mut Harness<'static, App>, path: &Path| {
        let ctx = window.ctx.clone();
        window.state_mut().act(&ctx, Action::Run(Command::OpenClassifier));
        window.run_steps(3);
        window.get_by_role_and_label(Role::TextInput, "Path").set_text_value_accesskit(&path.display().to_string());
        window.step();
        window.get_by_role_and_label(Role::Button, "Open").click();
        window.run_steps(2);
        settle(window);
    };
    open(&mut window, &world.pack.join("encoder.safetensors"));
    wait(&mut window, "the map of one", |app| {
        app.artefacts().view().is_some_and(|view| view.maps[0].is_some() && view.maps[1].is_none())
    });
    // Its cohort is forty phantoms, which are drawn again one by one.
    let films = window.state().artefacts().films().unwrap();
    assert!(films.about.contains("phantom-chest") && films.len() > 2, "{}", films.about);
    assert!(window.query_by_label_contains("No classifier trained on samples of phantom-chest is open.").is_some());
    assert!(window.query_by_label_contains("Rank correlation of the maps").is_none());

    // A generator is no classifier, and the pair stays.
    open(&mut window, &world.model);
    let told = window.state().session().notices.all().iter().any(|n| n.failed && n.text.contains("no encoder card"));
    assert!(told, "{:?}", window.state().session().notices.all());
    assert!(window.state().artefacts().view().unwrap().maps[0].is_some());
}
