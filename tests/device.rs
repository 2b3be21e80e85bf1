//! The window samples on its own graphics device where it is told to. Needs a driver, in hardware or software.

mod common;

use common::{options, settle, wait, world};
use eframe::egui::{Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use negatoscope::desktop::action::Action;
use negatoscope::desktop::command::Command;
use negatoscope::desktop::{App, Options};
use negatoscope::generator::{Generator, export};

fn window(options: Options) -> Harness<'static, App> {
    // Held to the end, so that no driver is unloaded before its exit handlers are called.
    negatoscope::compute::graphics::instance();
    let builder = Harness::builder().with_size(vec2(1440.0, 900.0)).with_max_steps(64).wgpu();
    builder.build_eframe(move |cc| App::new(cc, &options).expect("the system has threads"))
}

fn run(window: &mut Harness<'static, App>, command: Command) {
    let ctx = window.ctx.clone();
    window.state_mut().act(&ctx, Action::Run(command));
    settle(window);
}

#[test]
fn a_device_is_taken_when_asked_for_exports_stay_exact_and_a_failure_falls_back_with_one_sentence() {
    let world = world();
    let mut window = window(options(Some(&world.model), None));
    settle(&mut window);
    let session = window.state().session();
    let graphics = session.graphics().expect("the harness draws with a device that computes").clone();
    // Unasked, a device in software is not even measured.
    assert!(session.sampling_device().is_none() || !graphics.is_software());
    assert!(session.comparison().is_none() || !graphics.is_software());

    run(&mut window, Command::SampleOnGpu);
    let session = window.state().session();
    assert_eq!(session.sampling_device().map(|g| g.name().to_owned()), Some(graphics.name().to_owned()));
    assert!(session.comparison().unwrap().difference < 1e-3);
    window.get_by_role_and_label(Role::CheckBox, "Cardiomegaly").click();
    settle(&mut window);
    let sample = window.state().session().sample().unwrap().clone();
    let generator = Generator::load(&world.model).unwrap();
    let exact = generator.render(&sample.recipe).unwrap();
    let off = exact.pixels().iter().zip(sample.film.image().pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-4, "{off}");

    let path = world.folder.path().join("a.png");
    run(&mut window, Command::ExportPng);
    window.run_steps(3);
    let field = window.get_by_role_and_label(Role::TextInput, "Path");
    field.set_text_value_accesskit(&path.display().to_string());
    window.step();
    window.get_by_role_and_label(Role::Button, "Save").click();
    wait(&mut window, "the file to be written", |_| path.is_file());
    settle(&mut window);
    assert_eq!(std::fs::read(&path).unwrap(), export::png(&exact, &sample.recipe, &generator).unwrap());

    // As when its cable is pulled: the next sample comes from the processor.
    let _ = graphics.failed("this failure belongs to the test");
    run(&mut window, Command::NextSeed);
    let session = window.state().session();
    assert!(session.sampling_device().is_none());
    let told: Vec<&str> = session.notices.all().iter().filter(|n| n.failed).map(|n| n.text.as_str()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("Samples are computed on the CPU: the graphics device"), "{told:?}");
    let sample = session.sample().unwrap();
    assert_eq!(generator.render(&sample.recipe).unwrap(), *sample.film.image());
}
