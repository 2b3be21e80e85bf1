//! The real window drawn offscreen and timed: how long from the hand to the pixels, from start to the first sample, and
//! how much memory it takes.
//!
//! In: what to open. Out: times of single movements, each with the share that drawing alone took, which is the graphics
//! driver's and not this program's. Nothing is shown, so that waiting for a screen is not in them.

use std::path::Path;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Modifiers, PointerButton, Pos2, pos2, vec2};
use eframe::egui_wgpu::{WgpuSetup, WgpuSetupCreateNew};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::Options;
use super::action::Action;
use super::command::Command;
use super::tour::{Stage, can_draw};

/// Longest time that anything may take.
const PATIENCE: Duration = Duration::from_mins(5);
/// How often it is looked whether a worker wants the window drawn again.
const LOOK: Duration = Duration::from_micros(200);
/// From one frame to the next on a common screen.
const FRAME: Duration = Duration::from_micros(16_667);

/// Why the window could not be timed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nothing on this machine can draw.
    #[error("no graphics driver was found, not even one in software")]
    NoDriver,
    /// The window could not be made.
    #[error("the window could not be made: {0}")]
    Window(#[from] std::io::Error),
    /// It could not be drawn.
    #[error("the window could not be drawn: {0}")]
    Drawing(String),
    /// Something that was waited for did not come.
    #[error("waited in vain for {0}")]
    Late(&'static str),
}

/// One movement of the hand until its sample stood on screen.
#[derive(Debug, Clone, Copy)]
pub struct Movement {
    /// From the pointer's movement to the pixels of the sample it asked for.
    pub whole: Duration,
    /// Of this, turning two windows full of shapes into pixels and reading them back.
    pub drawing: Duration,
}

/// The window, offscreen.
pub struct Probe {
    harness: Harness<'static, Stage>,
}

impl Probe {
    /// Opens the window at 1440 × 900 on the device it would take on a screen.
    ///
    /// # Errors
    /// [`ProbeError::NoDriver`]; [`ProbeError::Window`] when the system has no threads for its workers.
    pub fn open(options: Options) -> Result<Self, ProbeError> {
        if !can_draw() {
            return Err(ProbeError::NoDriver);
        }
        let setup = WgpuSetup::CreateNew(WgpuSetupCreateNew::without_display_handle());
        let builder = Harness::builder().with_size(vec2(1440.0, 900.0)).with_render_cursor(false).wgpu_setup(setup);
        let mut harness = builder.build_eframe(move |cc| Stage::open(cc, &options));
        if let Some(error) = harness.state_mut().take_error() {
            return Err(error.into());
        }
        Ok(Self { harness })
    }

    /// What draws it.
    pub fn adapter(&self) -> String {
        let gpu = self.harness.state().app().and_then(|app| app.session().gpu());
        gpu.map_or_else(String::new, |gpu| gpu.adapter().to_owned())
    }

    /// Draws until the sample of the open model is in the window's pixels.
    ///
    /// # Errors
    /// [`ProbeError`] when no sample comes, or it cannot be drawn.
    pub fn first_sample(&mut self) -> Result<(), ProbeError> {
        self.until("the first sample", |stage| stage.app().is_some_and(|app| app.session().sample().is_some()))?;
        self.draw().map(|_| ())
    }

    /// Draws until all workers rest: the model and the cohort are open, and neighbours are found.
    ///
    /// # Errors
    /// [`ProbeError::Late`] when they do not.
    pub fn settle(&mut self) -> Result<(), ProbeError> {
        self.harness.step();
        self.until("the workers to rest", |stage| stage.app().is_some_and(super::App::is_settled))
    }

    /// Films of the cohort that samples are compared with; none without one.
    pub fn films(&self) -> usize {
        let app = self.harness.state().app();
        app.and_then(|app| app.session().cohort().reference()).map_or(0, |reference| reference.films())
    }

    /// Takes the first direction's slider and moves it `count` times, each time until the sample is in the pixels.
    ///
    /// # Errors
    /// [`ProbeError`] when there is no such slider, or a sample does not come.
    pub fn drag(&mut self, count: usize) -> Result<Vec<Movement>, ProbeError> {
        let slider = self.harness.query_by_role_and_label(Role::Slider, "Direction 1");
        let rail = slider.ok_or(ProbeError::Late("the slider of the first direction"))?.rect();
        let place = |share: f32| pos2(rail.left() + share * rail.width(), rail.center().y);
        self.point(place(0.5), Some(true));
        self.settle()?;
        let mut movements = Vec::with_capacity(count);
        for number in 1..=count {
            let share = 0.5 + 0.4 * (0.37 * number as f32).sin();
            let begun = Instant::now();
            self.point(place(share), None);
            let mut drawing = self.draw()?;
            self.until("a sample", |stage| {
                let Some(session) = stage.app().map(super::App::session) else { return false };
                session.sample().is_some_and(|sample| sample.recipe == *session.recipe())
            })?;
            drawing += self.draw()?;
            movements.push(Movement { whole: begun.elapsed(), drawing });
        }
        self.point(place(0.5), Some(false));
        Ok(movements)
    }

    /// Shows a run in the Training workspace until its curves are there, and then moves the pointer over them, sixty times a
    /// second for `count` frames. Tells what each took the window's thread, from the pointer's event to the triangles that the
    /// graphics driver is given.
    ///
    /// # Errors
    /// [`ProbeError`] when the run does not begin.
    pub fn watch(&mut self, run: &Path, count: usize) -> Result<Vec<Duration>, ProbeError> {
        let ctx = self.harness.ctx.clone();
        let app = self.harness.state_mut().app_mut().ok_or(ProbeError::Late("the window"))?;
        app.act(&ctx, Action::Run(Command::GoToTraining));
        self.settle()?;
        if let Some(app) = self.harness.state_mut().app_mut() {
            app.training_mut().select(run);
        }
        self.harness.step();
        self.until("the run's first checkpoint", |stage| {
            let training = stage.app().map(super::App::training);
            training.is_some_and(|training| training.selected().is_some_and(|run| run.has_model))
        })?;
        let curves = |number: usize| pos2(400.0 + (number * 7 % 400) as f32, 200.0 + (number % 600) as f32);
        let mut frames = Vec::with_capacity(count);
        for number in 0..count {
            std::thread::sleep(FRAME);
            let begun = Instant::now();
            self.point(curves(number), None);
            let laid_out = begun.elapsed();
            let output = self.harness.output();
            let (shapes, scale) = (output.shapes.clone(), output.pixels_per_point);
            let begun = Instant::now();
            let triangles = ctx.tessellate(shapes, scale);
            frames.push(laid_out + begun.elapsed());
            drop(triangles);
        }
        Ok(frames)
    }

    /// Moves the pointer, and presses or lets go of its button.
    fn point(&mut self, place: Pos2, pressed: Option<bool>) {
        let events = &mut self.harness.input_mut().events;
        events.push(Event::PointerMoved(place));
        if let Some(pressed) = pressed {
            let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
            events.push(Event::PointerButton { pos: place, button, pressed, modifiers });
        }
        self.harness.step();
    }

    /// Draws frames when a worker asks for one, until `done`.
    fn until(&mut self, what: &'static str, done: impl Fn(&Stage) -> bool) -> Result<(), ProbeError> {
        let begun = Instant::now();
        while !done(self.harness.state()) {
            if begun.elapsed() > PATIENCE {
                return Err(ProbeError::Late(what));
            }
            std::thread::sleep(LOOK);
            if self.harness.ctx.has_requested_repaint() {
                self.harness.step();
            }
        }
        Ok(())
    }

    /// Turns the last frame into pixels; tells how long that took.
    fn draw(&mut self) -> Result<Duration, ProbeError> {
        let begun = Instant::now();
        self.harness.render().map_err(ProbeError::Drawing)?;
        Ok(begun.elapsed())
    }
}
