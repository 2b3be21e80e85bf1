//! The Training workspace: the runs that are known at the left, the one that is looked at beside them.
//!
//! In: run folders, which other processes write. Out: what they say, on screen; what the hand asks of them, as request
//! files. Folders are read by a thread of their own, never by the window's.

mod empty;
mod places;

use std::path::{Path, PathBuf};

use eframe::egui::{self, Button, CentralPanel, Frame, Margin, Panel, RichText, ScrollArea, Ui, vec2};

use super::action::{Action, Actions};
use super::session::Session;
use super::task::{Outcome, Task};
use super::theme;
use super::widgets::{caption, section};
pub use places::Places;

/// The workspace.
pub struct Training {
    places: Places,
    reading: Option<Task<Vec<PathBuf>>>,
    runs: Vec<PathBuf>,
}

impl Training {
    /// Begins to read the runs that are known.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(ctx: &egui::Context, places: Places) -> std::io::Result<Self> {
        let folder = places.runs();
        let reading = Task::spawn("read runs", ctx, move |_| runs_in(&folder))?;
        Ok(Self { places, reading: Some(reading), runs: Vec::new() })
    }

    /// Where runs are kept.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether everything that was asked has been read.
    pub fn is_settled(&self) -> bool {
        self.reading.is_none()
    }

    /// Takes in what was read. Called once a frame; never waits.
    pub fn advance(&mut self) {
        if let Some(task) = &self.reading {
            match task.poll() {
                Outcome::Running => return,
                Outcome::Done(runs) => self.runs = runs,
                Outcome::Failed => {}
            }
            self.reading = None;
        }
    }

    /// Draws the workspace into all of `ui`.
    pub fn show(&mut self, ui: &mut Ui, _session: &Session, actions: &mut Actions) {
        let colors = theme::colors(ui);
        let width = if ui.ctx().content_rect().width() < 1280.0 { 256.0 } else { 320.0 };
        let frame = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(16, 8));
        Panel::left("runs").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
            section(ui, "Runs", |_| ());
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                for run in &self.runs {
                    row(ui, run, actions);
                }
                if self.runs.is_empty() {
                    caption(ui, "No run yet.");
                }
            });
        });
        CentralPanel::no_frame().frame(Frame::new().fill(colors.ground)).show(ui, |ui| {
            let rect = ui.max_rect();
            empty::show(ui, rect, &self.places);
        });
    }
}

/// One run; its model is opened by a click, once there is one.
fn row(ui: &mut Ui, run: &Path, actions: &mut Actions) {
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    let model = run.join("model.safetensors");
    ui.label(RichText::new(name.as_ref()).font(theme::medium(theme::TEXT)));
    let button = Button::new(format!("Open {name} in Explore")).min_size(vec2(0.0, 24.0));
    if ui.add(button).on_hover_text("Opens the newest model of this run.").clicked() {
        actions.push(Action::Run(super::command::Command::GoToExplore));
        actions.push(Action::OpenModel(model));
    }
}

/// Folders of runs in `folder` that have a model, by name.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<PathBuf> = entries.filter(|path| path.join("model.safetensors").is_file()).collect();
    runs.sort();
    runs
}
