//! The window: takes in what workers did, draws, and then does what was asked for, in this order, once a frame.

mod files;

use std::path::PathBuf;

use eframe::egui::{self, CentralPanel, Frame, Theme};
use rand::Rng as _;

use super::action::{Action, Actions};
use super::artefacts::{Artefacts, Page};
use super::benchmarks::{Benchmarks, FigureForm};
use super::command::{self, Command};
use super::dialogs::{Dialogs, Form, Purpose};
use super::drop;
use super::explore::{Explore, Mode};
use super::leaving::Leaving;
use super::lightbox::Gpu;
use super::palette::{self, Palette};
use super::session::Session;
use super::state::{SampleOn, Settings, ThemeChoice};
use super::task::Task;
use super::training::{Places, Training};
use super::workspace::Workspace;
use super::{Options, keys, rail, status, theme};
use crate::compute::random;
use crate::generator::Recipe;
use crate::radiograph::{Meaning, Window};

/// The whole window.
pub struct App {
    workspace: Workspace,
    session: Session,
    explore: Explore,
    training: Training,
    benchmarks: Benchmarks,
    artefacts: Artefacts,
    palette: Option<Palette>,
    keys_open: bool,
    dialogs: Dialogs,
    leaving: Leaving,
    actions: Actions,
    reading: Option<Task<Result<Recipe, String>>>,
    writing: Option<Task<Result<PathBuf, String>>>,
}

impl App {
    /// Prepares the window and begins to open what the options or the settings name.
    ///
    /// # Errors
    /// When the system has no threads for the workers.
    pub fn new(cc: &eframe::CreationContext<'_>, options: &Options) -> std::io::Result<Self> {
        let ctx = &cc.egui_ctx;
        theme::install(ctx);
        let settings = match &options.settings {
            Some(settings) => settings.clone(),
            None => cc.storage.and_then(|storage| eframe::get_value(storage, Settings::KEY)).unwrap_or_default(),
        };
        set_theme(ctx, settings.theme);
        let gpu = cc.wgpu_render_state.as_ref().map(Gpu::new);
        let last = settings.last_model.clone().filter(|path| path.is_file());
        let places = Places::new(options.data.clone());
        let training = Training::new(ctx, gpu.clone(), places, options.trainer.clone(), options.bond)?;
        let artefacts = Artefacts::new(ctx, gpu.clone())?;
        let mut session = Session::new(ctx, gpu, settings)?;
        if let Some(folder) = &options.cohort {
            session.open_cohort_with_model(folder.clone());
        }
        if let Some(model) = options.model.clone().or(last) {
            session.open_model(model);
        }
        Ok(Self {
            workspace: Workspace::default(),
            session,
            explore: Explore::default(),
            training,
            benchmarks: Benchmarks::new(ctx, Places::new(options.data.clone()))?,
            artefacts,
            palette: None,
            keys_open: false,
            dialogs: Dialogs::new(options.system_dialogs),
            leaving: Leaving::default(),
            actions: Actions::new(),
            reading: None,
            writing: None,
        })
    }

    /// What is open now.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How the light box is looked at.
    pub fn explore(&self) -> &Explore {
        &self.explore
    }

    /// Which workspace is on screen.
    pub fn workspace(&self) -> Workspace {
        self.workspace
    }

    /// The runs and what is known of them.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// As [`App::training`], to be changed as the hand would change it.
    pub fn training_mut(&mut self) -> &mut Training {
        &mut self.training
    }

    /// The sweeps and what is looked at of them.
    pub fn benchmarks(&self) -> &Benchmarks {
        &self.benchmarks
    }

    /// What classifiers rest on.
    pub fn artefacts(&self) -> &Artefacts {
        &self.artefacts
    }

    /// As [`App::artefacts`], to be changed as the hand would change it.
    pub fn artefacts_mut(&mut self) -> &mut Artefacts {
        &mut self.artefacts
    }

    /// Does something as if it had been asked for by hand.
    pub fn act(&mut self, ctx: &egui::Context, action: Action) {
        self.apply(ctx, action);
    }

    /// Whether nothing is being loaded, rendered, searched, read or written.
    pub fn is_settled(&self) -> bool {
        self.session.is_settled()
            && self.training.is_settled()
            && self.benchmarks.is_settled()
            && self.artefacts.is_settled()
            && self.reading.is_none()
            && self.writing.is_none()
    }

    fn apply(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::Run(command) => self.run(ctx, command),
            Action::Edit { recipe, gesture } => self.session.edit(recipe, gesture),
            Action::OpenModel(path) => self.session.open_model(path),
            Action::OpenTrained(trained) => {
                self.workspace = Workspace::Explore;
                self.session.open_trained(trained);
            }
            Action::ShowRun(root) => {
                self.workspace = Workspace::Training;
                self.training.select(&root);
            }
            Action::OpenCohort(folder) => self.session.open_cohort(folder),
            Action::MakePhantoms => self.session.make_phantoms(),
            Action::CancelCohort | Action::CloseCohort => self.session.close_cohort(),
            Action::NameDirection { component, name } => self.session.name_direction(component, &name),
            Action::StartDemo => self.benchmarks.start_demo(ctx, &mut self.session.notices),
            Action::StopDemo => self.benchmarks.stop_demo(),
            Action::Say(text) => self.session.notices.say(text),
            Action::Dismiss(index) => self.session.notices.dismiss(index),
        }
    }

    fn run(&mut self, ctx: &egui::Context, command: Command) {
        // From the palette a command can be given anywhere; what it does is seen where it belongs.
        if let Some(workspace) = command.leads_to().or(command.concerns()) {
            self.workspace = workspace;
        }
        match command {
            Command::GoToExplore | Command::GoToTraining | Command::GoToBenchmarks | Command::GoToArtefacts => {}
            Command::NextFilm if self.artefacts.page() == Page::Switch => self.step_seed(|seed| seed.wrapping_add(1)),
            Command::PreviousFilm if self.artefacts.page() == Page::Switch => {
                self.step_seed(|seed| seed.wrapping_sub(1));
            }
            Command::NextFilm => self.artefacts.step(1),
            Command::PreviousFilm => self.artefacts.step(-1),
            Command::NextFinding => self.artefacts.step_finding(1),
            Command::PreviousFinding => self.artefacts.step_finding(-1),
            Command::TrueOutline => self.artefacts.toggle_outline(),
            Command::OpenClassifier => self.ask(ctx, Purpose::OpenClassifier),
            Command::OpenSweepClassifiers => self.ask(ctx, Purpose::OpenSweepClassifiers),
            Command::OpenFilms => self.ask(ctx, Purpose::OpenFilms),
            Command::NewRun => self.training.compose(&self.session.settings),
            Command::OpenRuns => self.ask(ctx, Purpose::OpenRuns),
            Command::TrainOn => {
                if self.training.form().is_none() {
                    self.training.compose(&self.session.settings);
                }
                self.ask(ctx, Purpose::TrainOn);
            }
            Command::PauseOrResume => self.training.pause_or_resume(),
            Command::EarlierStage => self.training.step_stage(-1),
            Command::LaterStage => self.training.step_stage(1),
            Command::FirstStage => self.training.step_stage(isize::MIN),
            Command::NewestStage => self.training.step_stage(isize::MAX),
            Command::ExportCurves => self.ask_curves(ctx),
            Command::Compare => self.training.compare(),
            Command::Teach => self.training.teach(),
            Command::CopyTable => {
                if let Some(table) = self.benchmarks.copied() {
                    ctx.copy_text(table);
                    self.session.notices.say("Table copied.");
                }
            }
            Command::ExportFigure => self.ask_figure(ctx, FigureForm::Figure),
            Command::ExportTable => self.ask_figure(ctx, FigureForm::Csv),
            Command::ExportReport => self.ask_figure(ctx, FigureForm::Html),
            Command::NextSeed => self.step_seed(|seed| seed.wrapping_add(1)),
            Command::PreviousSeed => self.step_seed(|seed| seed.wrapping_sub(1)),
            Command::RandomSeed => self.step_seed(throw_dice),
            Command::LockSeed => self.session.seed_locked = !self.session.seed_locked,
            Command::Undo => self.session.undo(),
            Command::Redo => self.session.redo(),
            Command::ResetFindings => self.change(|recipe| recipe.findings.clear()),
            Command::ResetLatent => self.change(reset_latent),
            Command::ResetAll => self.change(|recipe| {
                recipe.findings.clear();
                reset_latent(recipe);
            }),
            Command::ViewSample => self.explore.mode = Mode::Sample,
            Command::ViewPair => self.explore.mode = Mode::Pair,
            Command::ViewBlink => self.explore.mode = Mode::Blink,
            Command::ViewDifference => self.explore.mode = Mode::Difference,
            Command::KeepAsA => {
                self.session.keep();
                if self.session.kept().is_some() {
                    self.session
                        .notices
                        .say("Kept as A. Change the recipe, then compare with A | B, Blink or Difference.");
                }
            }
            Command::SwapPair => self.session.swap(),
            Command::Preset1 => self.preset(0),
            Command::Preset2 => self.preset(1),
            Command::Preset3 => self.preset(2),
            Command::Preset4 => self.preset(3),
            Command::Invert => self.explore.invert = !self.explore.invert,
            Command::Interpolation => self.session.settings.linear = !self.session.settings.linear,
            Command::ResetView => self.explore.reset_view(&self.session),
            Command::SheetRows => self.session.settings.sheet_rows = !self.session.settings.sheet_rows,
            Command::OpenModel => self.ask(ctx, Purpose::OpenModel),
            Command::OpenCohort => self.ask(ctx, Purpose::OpenCohort),
            Command::CopyRecipe => {
                if self.session.model().is_some() {
                    ctx.copy_text(self.session.recipe().to_string());
                    self.session.notices.say("Recipe copied.");
                }
            }
            Command::CopyCommandLine => {
                if self.session.model().is_some() {
                    ctx.copy_text(command_line(self.session.recipe()));
                    self.session.notices.say("Command line copied.");
                }
            }
            Command::PasteRecipe => ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            Command::ExportPng => self.ask_export(ctx, Form::Png),
            Command::ExportWindowedPng => self.ask_export(ctx, Form::PngAsSeen),
            Command::ExportDicom => self.ask_export(ctx, Form::Dicom),
            Command::SampleFaster => self.session.sample_on(SampleOn::Faster),
            Command::SampleOnCpu => self.session.sample_on(SampleOn::Processor),
            Command::SampleOnGpu => self.session.sample_on(SampleOn::Graphics),
            Command::Palette => self.palette = if self.palette.is_some() { None } else { Some(Palette::default()) },
            Command::Keys => self.keys_open = !self.keys_open,
            Command::Theme => {
                let other = match self.session.settings.theme {
                    ThemeChoice::Dark => ThemeChoice::Light,
                    ThemeChoice::Light => ThemeChoice::Dark,
                };
                self.session.settings.theme = other;
                set_theme(ctx, other);
            }
            Command::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Recipe)) {
        if self.session.model().is_some() {
            let mut recipe = self.session.recipe().clone();
            change(&mut recipe);
            self.session.edit(recipe, None);
        }
    }

    fn step_seed(&mut self, step: impl FnOnce(u64) -> u64) {
        if self.session.seed_locked {
            self.session.notices.say("The seed is locked (L unlocks it).");
        } else {
            self.change(|recipe| recipe.seed = step(recipe.seed));
        }
    }

    fn preset(&mut self, index: usize) {
        let meaning = self.session.model().map_or(Meaning::Density, |model| model.generator.card().meaning);
        if let Some(preset) = Window::presets(meaning).get(index) {
            self.explore.window = preset.window;
        }
    }

    fn take_in_keys(&mut self, ctx: &egui::Context) {
        // A page over the window has the keys, except the one that closes it.
        let covered = self.palette.is_some() || self.keys_open || self.dialogs.is_open() || self.leaving.is_asked();
        let (commands, pasted) = command::pressed(ctx, self.workspace);
        for command in commands {
            let closes = match command {
                Command::Palette => self.palette.is_some(),
                Command::Keys => self.keys_open,
                _ => false,
            };
            if !covered || closes {
                self.run(ctx, command);
            }
        }
        if let Some(text) = pasted.filter(|_| !covered) {
            match drop::pasted(&text) {
                Ok(recipe) => self.session.restore(recipe),
                Err(reason) => self.session.notices.fail(reason),
            }
        }
        if !ctx.input(|input| input.pointer.any_down()) {
            self.session.end_gesture();
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.session.advance();
        if let Some(trained) = self.training.advance(&mut self.session) {
            self.workspace = Workspace::Explore;
            self.session.open_trained(trained);
        }
        self.benchmarks.advance(ctx, &mut self.session.notices);
        let here = self.workspace == Workspace::Artefacts;
        self.artefacts.advance(ctx, &mut self.session, here);
        self.take_in_files();
        if self.session.settings.ask_on_leaving {
            self.leaving.hold_back(ctx, self.training.runs());
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        self.take_in_keys(&ctx);
        for path in drop::dropped(&ctx) {
            self.drop(&ctx, &path);
        }
        let mut actions = std::mem::take(&mut self.actions);
        CentralPanel::no_frame().frame(Frame::new().fill(theme::colors(ui).ground)).show(ui, |ui| {
            status::show(ui, &self.session, self.training.queue(), &mut actions);
            rail::show(ui, self.workspace, &mut actions);
            match self.workspace {
                Workspace::Explore => self.explore.show(ui, &mut self.session, &mut actions),
                Workspace::Training => self.training.show(ui, &self.session, &mut actions),
                Workspace::Benchmarks => self.benchmarks.show(ui, &mut actions),
                Workspace::Artefacts => self.artefacts.show(ui, &self.session, &mut actions),
            }
        });
        if let Some(palette) = &mut self.palette {
            match palette.show(&ctx, &self.session) {
                palette::Outcome::Open => {}
                palette::Outcome::Closed => self.palette = None,
                palette::Outcome::Chosen(action) => {
                    self.palette = None;
                    actions.push(action);
                }
            }
        }
        if self.keys_open {
            self.keys_open = keys::show(&ctx);
        }
        if let Some((purpose, path)) = self.dialogs.show(&ctx) {
            self.chosen(&ctx, &purpose, path);
        }
        let ask = &mut self.session.settings.ask_on_leaving;
        if let Err(reason) = self.leaving.show(&ctx, self.training.runs(), ask) {
            self.session.notices.fail(reason);
        }
        drop::hover(&ctx);
        if !actions.is_empty() {
            for action in actions.drain(..) {
                self.apply(&ctx, action);
            }
            // What was asked for is seen in the next frame, not at the next movement of the mouse.
            ctx.request_repaint();
        }
        self.actions = actions;
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, Settings::KEY, &self.session.settings);
    }

    fn persist_egui_memory(&self) -> bool {
        false
    }
}

fn set_theme(ctx: &egui::Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::Dark => Theme::Dark,
        ThemeChoice::Light => Theme::Light,
    });
}

fn reset_latent(recipe: &mut Recipe) {
    recipe.truncation = None;
    recipe.plane = [0.0; 2];
    recipe.directions.clear();
}

/// Another seed of at most eight digits, which a person can read out; from the clock, so that every evening differs.
fn throw_dice(seed: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    random::stream(seed ^ now.as_nanos() as u64, "dice").random_range(0..100_000_000)
}

/// A command that renders this sample anywhere.
fn command_line(recipe: &Recipe) -> String {
    let quoted = recipe.to_string().replace('\'', r"'\''");
    format!("negatoscope sample --recipe '{quoted}' --out sample-{}.png", recipe.seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_give_seeds_that_can_be_read_out() {
        let seeds: Vec<u64> = (0..50).map(throw_dice).collect();
        assert!(seeds.iter().all(|&seed| seed < 100_000_000));
        assert!(seeds.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn the_command_line_survives_quotes_in_findings() {
        let mut recipe = Recipe::new("ab", 7);
        recipe.set_strength("Kerley's lines", 1.0);
        let line = command_line(&recipe);
        assert!(line.contains(r"Kerley'\''s lines:1"), "{line}");
    }
}
