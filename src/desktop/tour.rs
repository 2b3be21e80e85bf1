//! The tour: drives the real window offscreen through every workspace and writes what it looks like.
//!
//! In: a folder to write to. Out: pictures, in the order one would be shown around. Only phantoms are shown.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui::{self, Key, Modifiers, Vec2, pos2, vec2};
use eframe::wgpu;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::action::Action;
use super::artefacts::{Artefacts, Page};
use super::command::Command;
use super::session::Cohort;
use super::state::Settings;
use super::training::Training;
use super::training::keeper::Deed;
use super::{App, Options};
use crate::cohort::phantom::{self, Kind, PhantomOptions};
use crate::compute::graphics::{self, at_once};
use crate::generator::library;
use crate::progress::Progress;
use crate::store::{self, StoreError};
use crate::training::launch::Bond;
use crate::training::lesson::Player;

/// Longest time anything but the making of a cohort may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Longest time drawing and indexing phantoms may take.
const COHORT_PATIENCE: Duration = Duration::from_hours(1);

/// Why the pictures could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TourError {
    /// Nothing on this machine can draw.
    #[error(
        "no graphics driver was found, not even one in software; on Debian install libvulkan1 and mesa-vulkan-drivers"
    )]
    NoDriver,
    /// A picture could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else, in a sentence.
    #[error("the tour stopped at \"{scene}\": {reason}")]
    Stopped {
        /// Which picture was to be made.
        scene: String,
        /// Why it was not.
        reason: String,
    },
}

/// What the tour shows and where it writes.
#[derive(Debug, Clone)]
pub struct Tour {
    /// Folder for the pictures; made where needed.
    pub out: PathBuf,
    /// Model to show; otherwise the shipped one that knows the most findings of phantoms.
    pub model: Option<PathBuf>,
    /// Its cohort; otherwise the phantoms are drawn again, or found where they were kept.
    pub cohort: Option<PathBuf>,
    /// Size of the window in points.
    pub size: Vec2,
    /// Physical pixels for each point.
    pub scale: f32,
}

/// Writes the tour at 1440 × 900 into `out`; gives the pictures' paths.
///
/// # Errors
/// [`TourError`] when nothing can draw, or a picture cannot be made or written.
pub fn tour(out: &Path) -> Result<Vec<PathBuf>, TourError> {
    let tour = Tour { out: out.to_path_buf(), model: None, cohort: None, size: vec2(1440.0, 900.0), scale: 1.0 };
    tour.run()
}

/// The window in the harness; it may have failed to start.
pub(super) struct Stage(Result<App, std::io::Error>);

impl Stage {
    /// The window, or why the system would not have it.
    pub(super) fn open(cc: &eframe::CreationContext<'_>, options: &Options) -> Self {
        Self(App::new(cc, options))
    }

    /// The window, where it started.
    pub(super) fn app(&self) -> Option<&App> {
        self.0.as_ref().ok()
    }

    /// The same, to act on.
    pub(super) fn app_mut(&mut self) -> Option<&mut App> {
        self.0.as_mut().ok()
    }

    /// Why it did not start; what is told once is not told again.
    pub(super) fn take_error(&mut self) -> Option<std::io::Error> {
        self.0.as_mut().err().map(|error| std::mem::replace(error, std::io::ErrorKind::Other.into()))
    }
}

impl eframe::App for Stage {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        if let Ok(app) = &mut self.0 {
            app.logic(ctx, frame);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        if let Ok(app) = &mut self.0 {
            app.ui(ui, frame);
        }
    }
}

/// One window being shown around in.
struct Guide<'a> {
    tour: &'a Tour,
    harness: Harness<'static, Stage>,
    scene: String,
    written: Vec<PathBuf>,
}

impl Tour {
    /// Makes all pictures.
    ///
    /// # Errors
    /// As [`tour`].
    pub fn run(&self) -> Result<Vec<PathBuf>, TourError> {
        if !can_draw() {
            return Err(TourError::NoDriver);
        }
        std::fs::create_dir_all(&self.out).map_err(|source| StoreError::Write { path: self.out.clone(), source })?;
        let phantoms = library::shipped().into_iter().filter(|entry| entry.card.training.phantom);
        // The one with the most findings has the most to show.
        let phantom = phantoms.max_by_key(|entry| entry.card.architecture.labels);
        let model = self.model.clone().or(phantom.map(|entry| entry.path));
        let mut written = self.empty()?;
        if let Some(model) = model {
            written.extend(self.explore(&model)?);
        }
        written.extend(self.training()?);
        written.extend(self.benchmarks()?);
        written.extend(self.artefacts()?);
        Ok(written)
    }

    fn guide(&self, options: Options) -> Guide<'_> {
        let harness = Harness::builder()
            .with_size(self.size)
            .with_pixels_per_point(self.scale)
            .with_render_cursor(false)
            .wgpu()
            .build_eframe(move |cc| Stage::open(cc, &options));
        Guide { tour: self, harness, scene: "opening".to_owned(), written: Vec::new() }
    }

    /// Before anything is open.
    fn empty(&self) -> Result<Vec<PathBuf>, TourError> {
        let settings = Some(Settings::default());
        let mut guide = self.guide(Options { settings, system_dialogs: false, ..Options::default() });
        guide.settle(PATIENCE)?;
        guide.picture("00-empty")?;
        Ok(guide.written)
    }

    fn explore(&self, model: &Path) -> Result<Vec<PathBuf>, TourError> {
        let settings = Some(Settings::default());
        let model = Some(model.to_path_buf());
        let mut guide = self.guide(Options { model, settings, system_dialogs: false, ..Options::default() });
        guide.settle(PATIENCE)?;
        guide.picture("01-sample-without-cohort")?;

        "02-neighbours".clone_into(&mut guide.scene);
        guide.act(match &self.cohort {
            Some(folder) => Action::OpenCohort(folder.clone()),
            None => Action::MakePhantoms,
        })?;
        guide.settle(COHORT_PATIENCE)?;
        // Without an encoder for these phantoms the strip says so, and the picture shows that.
        let refused = matches!(guide.app()?.session().cohort(), Cohort::Refused { .. });
        guide.picture(if refused { "02-no-neighbours" } else { "02-neighbours" })?;

        let findings = guide.findings()?;
        for finding in findings.iter().rev().take(1).chain(findings.get(2)) {
            guide.click(finding)?;
        }
        guide.harness.hover_at(pos2(self.size.x * 0.5, self.size.y * 0.45));
        guide.settle(PATIENCE)?;
        guide.picture("03-findings")?;

        guide.act(Action::Run(Command::SheetRows))?;
        guide.settle(PATIENCE)?;
        guide.picture("04-contact-sheet")?;
        guide.act(Action::Run(Command::SheetRows))?;

        guide.act(Action::Run(Command::KeepAsA))?;
        guide.act(Action::Run(Command::ResetFindings))?;
        guide.act(Action::Run(Command::ViewPair))?;
        guide.settle(PATIENCE)?;
        guide.act(Action::Dismiss(0))?;
        guide.picture("05-pair")?;
        guide.act(Action::Run(Command::ViewDifference))?;
        guide.picture("06-difference")?;
        guide.act(Action::Run(Command::ViewSample))?;
        guide.act(Action::Run(Command::Undo))?;
        guide.settle(PATIENCE)?;

        guide.harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
        guide.picture("07-palette")?;
        guide.harness.key_press(Key::Escape);
        guide.frames(2);
        guide.harness.key_press(Key::F1);
        guide.picture("08-keys")?;
        guide.harness.key_press(Key::F1);
        guide.frames(2);

        guide.act(Action::Run(Command::Theme))?;
        guide.settle(PATIENCE)?;
        guide.picture("09-light")?;
        guide.act(Action::Run(Command::Theme))?;
        Ok(guide.written)
    }
}

/// Phantoms that the run of the tour trains on.
const PHANTOMS: usize = 200;
/// Stages after which the run of the tour is shown.
const STAGES: usize = 12;

impl Tour {
    /// A run on a few phantoms, in a folder of its own that is removed afterwards, from the form to a light theme.
    fn training(&self) -> Result<Vec<PathBuf>, TourError> {
        let data = std::env::temp_dir().join(format!("negatoscope-tour-{}", std::process::id()));
        let written = self.training_in(&data);
        // What cannot be removed lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&data);
        written
    }

    /// The curves that ship.
    fn benchmarks(&self) -> Result<Vec<PathBuf>, TourError> {
        let mut guide = self.guide(Options { settings: Some(Settings::default()), ..Options::default() });
        guide.act(Action::Run(Command::GoToBenchmarks))?;
        guide.settle(PATIENCE)?;
        guide.picture("16-benchmarks")?;
        guide.act(Action::Run(Command::Theme))?;
        guide.settle(PATIENCE)?;
        guide.picture("17-benchmarks-light")?;
        Ok(guide.written)
    }

    /// What the classifiers that ship rest on: in a phantom with its true outline, and in a sample.
    fn artefacts(&self) -> Result<Vec<PathBuf>, TourError> {
        let settings = Some(Settings::default());
        let mut guide = self.guide(Options { settings, system_dialogs: false, ..Options::default() });
        guide.act(Action::Run(Command::GoToArtefacts))?;
        guide.settle(PATIENCE)?;
        if guide.app()?.artefacts().films().is_none() {
            guide.picture("18-no-classifiers")?;
            return Ok(guide.written);
        }
        for finding in ["Pleural Effusion", "Cardiomegaly"] {
            let artefacts = guide.artefacts()?;
            artefacts.look_for(Some(finding.to_owned()));
            artefacts.only_with(Some(finding.to_owned()));
            guide.settle(PATIENCE)?;
        }
        guide.picture("18-artefacts")?;
        guide.artefacts()?.turn_to(Page::Switch);
        let phantom = library::shipped().into_iter().find(|entry| entry.card.name == "phantom-chest");
        if let Some(model) = phantom {
            guide.act(Action::OpenModel(model.path))?;
        }
        guide.settle(PATIENCE)?;
        guide.picture("19-switched-finding")?;
        guide.artefacts()?.turn_to(Page::Film);
        guide.act(Action::Run(Command::Theme))?;
        guide.settle(PATIENCE)?;
        guide.picture("20-artefacts-light")?;
        Ok(guide.written)
    }

    fn training_in(&self, data: &Path) -> Result<Vec<PathBuf>, TourError> {
        let settings = Some(Settings::default());
        let data = Some(data.to_path_buf());
        let mut guide = self.guide(Options {
            settings,
            data,
            system_dialogs: false,
            // Nobody shall find the tour's run still going on.
            bond: Bond::Tied,
            ..Options::default()
        });
        guide.act(Action::Run(Command::GoToTraining))?;
        guide.settle(PATIENCE)?;
        guide.picture("10-training")?;

        "11-new-run".clone_into(&mut guide.scene);
        let packs = guide.app()?.training().places().packs();
        std::fs::create_dir_all(&packs).map_err(|source| StoreError::Write { path: packs.clone(), source })?;
        let out = packs.join("phantom-chest");
        let options = PhantomOptions { kind: Kind::Chest, count: PHANTOMS, resolution: 32, seed: 1, out };
        phantom::write(&options, &Progress::new()).map_err(|error| guide.stopped(error.to_string()))?;
        guide.act(Action::Run(Command::NewRun))?;
        guide.settle(PATIENCE)?;
        let stopped = guide.stopped("the form is not open");
        let form = guide.training()?.form().ok_or(stopped)?;
        for (path, text) in [("name", "phantom-chest"), ("schedule.total_kimg", "40"), ("record.sample_kimg", "0.25")] {
            form.draft().set(path, text);
        }
        guide.picture("11-new-run")?;

        "12-run".clone_into(&mut guide.scene);
        let stopped = guide.stopped("the spec of the run is not valid");
        let form = guide
            .training()?
            .form()
            .ok_or_else(|| TourError::Stopped { scene: "12-run".into(), reason: "the form is gone".into() })?;
        let spec = Box::new(form.draft().spec().cloned().ok_or(stopped)?);
        guide.training()?.ask(Deed::Make { spec, queued: false });
        guide.until(COHORT_PATIENCE, |app| app.training().strip().stages().len() >= STAGES)?;
        guide.settle(PATIENCE)?;
        guide.picture("12-run")?;
        guide.act(Action::Run(Command::PauseOrResume))?;
        guide.until(PATIENCE, |app| app.training().runs().iter().all(|run| !run.status.state.is_running()))?;
        for _ in 0..STAGES / 2 {
            guide.act(Action::Run(Command::EarlierStage))?;
        }
        guide.settle(PATIENCE)?;
        guide.picture("13-stage")?;

        guide.act(Action::Run(Command::Teach))?;
        guide.settle(PATIENCE)?;
        for player in [Player::Critic, Player::Critic, Player::Critic, Player::Generator, Player::Critic] {
            if let Some(teaching) = guide.training()?.teaching() {
                teaching.step(player);
            }
            guide.settle(PATIENCE)?;
        }
        guide.picture("14-teachers-mode")?;
        let run = guide.app()?.training().runs().first().map(|run| run.root.clone());
        if let Some(run) = run {
            guide.training()?.select(&run);
        }
        guide.act(Action::Run(Command::Theme))?;
        guide.settle(PATIENCE)?;
        guide.picture("15-training-light")?;
        Ok(guide.written)
    }
}

impl Guide<'_> {
    fn training(&mut self) -> Result<&mut Training, TourError> {
        let scene = self.scene.clone();
        match &mut self.harness.state_mut().0 {
            Ok(app) => Ok(app.training_mut()),
            Err(error) => Err(TourError::Stopped { scene, reason: error.to_string() }),
        }
    }

    fn artefacts(&mut self) -> Result<&mut Artefacts, TourError> {
        let scene = self.scene.clone();
        match &mut self.harness.state_mut().0 {
            Ok(app) => Ok(app.artefacts_mut()),
            Err(error) => Err(TourError::Stopped { scene, reason: error.to_string() }),
        }
    }

    /// Draws frames until `done`.
    fn until(&mut self, patience: Duration, done: impl Fn(&App) -> bool) -> Result<(), TourError> {
        let start = Instant::now();
        loop {
            self.frames(1);
            if done(self.app()?) {
                return Ok(());
            }
            if start.elapsed() > patience {
                return Err(self.stopped(format!("nothing came of it in {} s", patience.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stopped(&self, reason: impl Into<String>) -> TourError {
        TourError::Stopped { scene: self.scene.clone(), reason: reason.into() }
    }

    fn app(&self) -> Result<&App, TourError> {
        self.harness.state().0.as_ref().map_err(|error| self.stopped(error.to_string()))
    }

    fn findings(&self) -> Result<Vec<String>, TourError> {
        let model = self.app()?.session().model().ok_or_else(|| self.stopped("no model is open"))?;
        Ok(model.generator.card().vocabulary.findings.clone())
    }

    fn act(&mut self, action: Action) -> Result<(), TourError> {
        let ctx = self.harness.ctx.clone();
        match &mut self.harness.state_mut().0 {
            Ok(app) => app.act(&ctx, action),
            Err(error) => {
                let reason = error.to_string();
                return Err(self.stopped(reason));
            }
        }
        self.frames(2);
        Ok(())
    }

    fn click(&mut self, name: &str) -> Result<(), TourError> {
        let node = self.harness.query_by_role_and_label(egui::accesskit::Role::CheckBox, name);
        match node {
            Some(node) => node.click(),
            None => return Err(self.stopped(format!("the switch of {name} is not on screen"))),
        }
        self.frames(2);
        Ok(())
    }

    fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.harness.step();
        }
    }

    /// Draws frames until all workers rest.
    fn settle(&mut self, patience: Duration) -> Result<(), TourError> {
        let start = Instant::now();
        loop {
            self.frames(2);
            if self.app()?.is_settled() {
                break;
            }
            if start.elapsed() > patience {
                return Err(self.stopped(format!("nothing came of it in {} s", patience.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.frames(3);
        Ok(())
    }

    fn picture(&mut self, name: &str) -> Result<(), TourError> {
        name.clone_into(&mut self.scene);
        self.frames(3);
        let image = self.harness.render().map_err(|reason| self.stopped(reason))?;
        let mut file = String::from(name);
        if self.tour.scale != 1.0 {
            // Writing to a String cannot fail.
            let _ = write!(file, "@{}x", self.tour.scale);
        }
        let path = self.tour.out.join(file + ".png");
        let mut bytes = std::io::Cursor::new(Vec::new());
        image
            .write_to(&mut bytes, image::ImageFormat::Png)
            .map_err(|error| self.stopped(format!("the picture could not be encoded: {error}")))?;
        store::write_atomic(&path, bytes.get_ref())?;
        self.written.push(path);
        Ok(())
    }
}

/// Whether any driver, in hardware or software, can draw here.
pub(super) fn can_draw() -> bool {
    at_once(graphics::instance().enumerate_adapters(wgpu::Backends::all())).is_none_or(|adapters| !adapters.is_empty())
}
