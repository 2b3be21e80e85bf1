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
mod tests {
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
        for (name, cohort, classifier) in
            [("one", "chest", "small"), ("two", "head", "small"), ("three", "head", "large")]
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
}
