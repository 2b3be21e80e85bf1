//! The Benchmarks workspace: what classifiers trained on samples are worth beside those trained on real films.
//!
//! In: results that ship, and those of sweeps in the program's folder. Out: curves, tables and files of them. Results are
//! read by a thread of their own; a demonstration sweep runs as a child process.

mod chart;
mod controls;
mod demo;
mod page;
mod picked;
mod shelf;
mod term;

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use super::action::Actions;
use super::notice::Notices;
use super::task::{Outcome, Task};
use super::theme;
use super::training::Places;
use crate::benchmark::figure::drawing::PAPER;
use crate::benchmark::figure::{self, Choice, Figure, View};
use crate::benchmark::report;
use crate::store;
use demo::Demo;
pub use picked::Picked;
use shelf::{Entry, Filter};

/// What the middle of the workspace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// The mean over findings.
    #[default]
    Curves,
    /// One small chart for each finding.
    Findings,
    /// All numbers.
    Table,
}

/// The files a result can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureForm {
    /// The figure as it is shown, that of the mean or one for each finding: SVG with its text as text, or PNG where the
    /// file's name ends so.
    Figure,
    /// All numbers.
    Csv,
    /// A page with figure, table, methods and hashes.
    Html,
}

impl FigureForm {
    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Figure => "svg",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }
}

/// The workspace.
pub struct Benchmarks {
    places: Places,
    reading: Option<Task<(Vec<Entry>, Vec<String>)>>,
    entries: Vec<Entry>,
    chosen: usize,
    filter: Filter,
    choice: Choice,
    picked: Option<Picked>,
    page: Page,
    /// Whether the table is that of single findings.
    per_finding: bool,
    demo: Option<Demo>,
    writing: Option<Task<Result<PathBuf, String>>>,
}

impl Benchmarks {
    /// Begins to read the results that are known.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(ctx: &egui::Context, places: Places) -> std::io::Result<Self> {
        let mut new = Self {
            places,
            reading: None,
            entries: Vec::new(),
            chosen: 0,
            filter: Filter::default(),
            choice: Choice::default(),
            picked: None,
            page: Page::default(),
            per_finding: false,
            demo: None,
            writing: None,
        };
        new.read(ctx)?;
        Ok(new)
    }

    fn read(&mut self, ctx: &egui::Context) -> std::io::Result<()> {
        let sweeps = self.places.sweeps();
        self.reading = Some(Task::spawn("read results", ctx, move |_| shelf::read(&sweeps))?);
        Ok(())
    }

    /// Whether everything that was asked has been read or written; a sweep may still run.
    pub fn is_settled(&self) -> bool {
        self.reading.is_none() && self.writing.is_none()
    }

    /// What the middle shows.
    pub fn page(&self) -> Page {
        self.page
    }

    /// What is drawn.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Names of the results that are known.
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.result.name.clone()).collect()
    }

    /// Takes in what was read and done. Called once a frame; never waits.
    pub fn advance(&mut self, ctx: &egui::Context, notices: &mut Notices) {
        if let Some(task) = &self.reading {
            match task.poll() {
                Outcome::Running => {}
                Outcome::Done((entries, problems)) => {
                    self.reading = None;
                    self.entries = entries;
                    self.picked = None;
                    self.chosen = self.chosen.min(self.entries.len().saturating_sub(1));
                    problems.into_iter().for_each(|problem| notices.fail(problem));
                }
                Outcome::Failed => {
                    self.reading = None;
                    notices.fail("Reading the benchmark results failed unexpectedly.");
                }
            }
        }
        if let Some(outcome) = self.demo.as_ref().and_then(Demo::poll) {
            self.demo = None;
            match outcome {
                Ok(()) => {
                    notices.say("The demonstration sweep is done.");
                    self.chosen = 0;
                    if let Err(error) = self.read(ctx) {
                        notices.fail(format!("No thread could be started to read the result: {error}"));
                    }
                }
                Err(reason) => notices.fail(reason),
            }
        }
        if let Some(task) = &self.writing {
            let outcome = task.poll();
            if !matches!(outcome, Outcome::Running) {
                self.writing = None;
            }
            match outcome {
                Outcome::Running => {}
                Outcome::Done(Ok(path)) => notices.say(format!("Saved {}.", path.display())),
                Outcome::Done(Err(reason)) => notices.fail(reason),
                Outcome::Failed => notices.fail("Writing the benchmark failed unexpectedly."),
            }
        }
    }

    /// Starts the demonstration sweep, or goes on with it.
    pub fn start_demo(&mut self, ctx: &egui::Context, notices: &mut Notices) {
        if self.demo.is_some() {
            return;
        }
        match Demo::start(ctx, self.places.sweeps().join("demo")) {
            Ok(demo) => self.demo = Some(demo),
            Err(error) => notices.fail(format!("No thread could be started for the sweep: {error}")),
        }
    }

    /// Stops the demonstration sweep; what is done stays done.
    pub fn stop_demo(&mut self) {
        self.demo = None;
    }

    /// A name to begin with for a file of the result on screen; `None` where there is none.
    pub fn file_name(&self, form: FigureForm) -> Option<String> {
        let entry = self.entries.get(self.chosen)?;
        let findings = if self.page == Page::Findings { "-findings" } else { "" };
        let relative = if self.choice.view == View::Ratio { "-relative" } else { "" };
        let shown = if form == FigureForm::Figure { format!("{findings}{relative}") } else { String::new() };
        Some(format!("{}{shown}.{}", entry.result.name, form.extension()))
    }

    /// Writes the result on screen in the background.
    pub fn export(&mut self, ctx: &egui::Context, form: FigureForm, path: PathBuf, notices: &mut Notices) {
        let Some(entry) = self.entries.get(self.chosen) else { return };
        let (result, choice, page) = (entry.result.clone(), self.choice.clone(), self.page);
        let task = Task::spawn("export benchmark", ctx, move |_| {
            let pixels = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
            let drawing = || match page {
                Page::Findings => figure::sheet(&result, &choice, &PAPER),
                Page::Curves | Page::Table => Figure::of(&result, &choice).drawing(&PAPER),
            };
            let bytes = match form {
                FigureForm::Figure if pixels => report::png(&drawing())?,
                FigureForm::Figure => report::svg(&drawing()).into_bytes(),
                FigureForm::Csv => report::csv(&result).into_bytes(),
                FigureForm::Html => report::html(&result).into_bytes(),
            };
            store::write_atomic(&path, &bytes).map_err(|error| error.to_string())?;
            Ok(path)
        });
        match task {
            Ok(task) => self.writing = Some(task),
            Err(error) => notices.fail(format!("No thread could be started to export: {error}")),
        }
    }

    /// The table of the result on screen, for the clipboard.
    pub fn copied(&self) -> Option<String> {
        self.entries.get(self.chosen).map(|entry| report::csv(&entry.result))
    }

    /// The point that is looked at more closely.
    pub fn picked(&self) -> Option<&Picked> {
        self.picked.as_ref()
    }

    /// Looks at a point more closely: its numbers, and what the sweep's folder still has behind it.
    pub fn pick(&mut self, curve: usize, point: usize) {
        self.picked = self.entries.get(self.chosen).and_then(|entry| Picked::of(entry, curve, point));
    }

    /// Looks at another result.
    pub(super) fn choose(&mut self, place: usize) {
        if place != self.chosen {
            self.chosen = place;
            self.choice.hidden.clear();
            self.picked = None;
        }
    }

    /// Draws the workspace into all of `ui`.
    pub fn show(&mut self, ui: &mut Ui, actions: &mut Actions) {
        let colors = theme::colors(ui);
        let width = if ui.ctx().content_rect().width() < 1280.0 { 256.0 } else { 320.0 };
        let frame = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(16, 8));
        Panel::left("benchmarks").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| self.controls(ui, actions));
        });
        let ground = Frame::new().fill(colors.ground).inner_margin(Margin::same(16));
        CentralPanel::no_frame().frame(ground).show(ui, |ui| {
            if self.entries.is_empty() {
                if self.reading.is_none() {
                    self.empty(ui, actions);
                }
                return;
            }
            if let Some((curve, point)) = self.middle(ui, actions) {
                self.pick(curve, point);
            }
        });
    }
}

/// The other view.
fn other(view: View) -> View {
    if view == View::Auroc { View::Ratio } else { View::Auroc }
}

#[cfg(test)]
mod tests;
