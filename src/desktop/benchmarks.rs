//! The Benchmarks workspace: what classifiers trained on samples are worth beside those trained on real films.
//!
//! In: results that ship, and those of sweeps in the program's folder. Out: curves, tables and files of them. Results are
//! read by a thread of their own; a demonstration sweep runs as a child process.

mod chart;
mod controls;
mod demo;
mod page;
mod shelf;

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use super::action::{Action, Actions};
use super::command::Command;
use super::notice::Notices;
use super::task::{Outcome, Task};
use super::theme;
use super::training::Places;
use crate::benchmark::figure::{Choice, Figure, View};
use crate::benchmark::{SweepFolder, report};
use crate::store;
use demo::Demo;
use shelf::Entry;

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
    /// The figure as it is shown, its text as text.
    Svg,
    /// All numbers.
    Csv,
    /// A page with figure, table, methods and hashes.
    Html,
}

impl FigureForm {
    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
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
    choice: Choice,
    page: Page,
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
            choice: Choice::default(),
            page: Page::default(),
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
        Some(format!("{}.{}", entry.result.name, form.extension()))
    }

    /// Writes the result on screen in the background.
    pub fn export(&mut self, ctx: &egui::Context, form: FigureForm, path: PathBuf, notices: &mut Notices) {
        let Some(entry) = self.entries.get(self.chosen) else { return };
        let (result, choice) = (entry.result.clone(), self.choice.clone());
        let task = Task::spawn("export benchmark", ctx, move |_| {
            let text = match form {
                FigureForm::Svg => report::svg(&Figure::of(&result, &choice)),
                FigureForm::Csv => report::csv(&result),
                FigureForm::Html => report::html(&result),
            };
            store::write_atomic(&path, text.as_bytes()).map_err(|error| error.to_string())?;
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

    /// The model behind a point: that of the first seed, where the sweep's folder still has it.
    fn model(&self, curve: usize, point: usize) -> Option<PathBuf> {
        let entry = self.entries.get(self.chosen)?;
        let value = entry.result.points.get(point)?.values.iter().find(|value| value.curve == curve)?;
        let key = value.seeds.first()?.generator.as_deref()?;
        let (folder, _) = SweepFolder::open(entry.folder.as_deref()?).ok()?;
        Some(folder.model(key)).filter(|model| model.is_file())
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
            if let Some((curve, point)) = self.middle(ui) {
                match self.model(curve, point) {
                    Some(model) => {
                        actions.push(Action::Run(Command::GoToExplore));
                        actions.push(Action::OpenModel(model));
                    }
                    None => actions.push(Action::Say(
                        "There is no model behind this point on this machine: classifiers trained on real films have none, and \
                         results that ship come without theirs."
                            .to_owned(),
                    )),
                }
            }
        });
    }
}

/// The other view.
fn other(view: View) -> View {
    if view == View::Auroc { View::Ratio } else { View::Auroc }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

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
        window.check_accessibility();
    }

    #[test]
    fn figure_table_and_report_are_written_where_asked() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("sweeps").join("one");
        std::fs::create_dir_all(&folder).unwrap();
        write_json(&folder.join("result.json"), &example::result()).unwrap();
        let mut window = window(data.path());
        for (key, modifiers, name, part) in [
            (egui::Key::E, egui::Modifiers::COMMAND, "a.svg", "<svg"),
            (egui::Key::S, egui::Modifiers::COMMAND, "a.csv", "cpD-GAN"),
            (egui::Key::E, egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, "a.html", "<!doctype html>"),
        ] {
            window.key_press_modifiers(modifiers, key);
            settle(&mut window);
            window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
            window.step();
            let path = data.path().join(name);
            window.event(egui::Event::Text(path.display().to_string()));
            window.step();
            window.key_press(egui::Key::Enter);
            window.step();
            settle(&mut window);
            assert!(std::fs::read_to_string(&path).unwrap().contains(part), "{name}");
        }
    }
}
