//! The Training workspace: the runs that are known at the left, the one that is looked at beside them.
//!
//! In: run folders, which other processes write. Out: what they say, on screen; what the hand asks of them, as request
//! files. Folders are read by one thread ([`watcher`]) and changed by another ([`keeper`]), never by the window's.

mod beside;
mod charts;
pub mod curves;
pub mod draft;
mod empty;
mod estimate;
mod figure;
mod form;
pub mod history;
pub mod jobs;
pub mod keeper;
mod list;
pub mod nearest;
mod opening;
mod places;
mod progress;
mod stages;
pub mod strip;
pub mod teaching;
mod view;
pub mod watcher;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use eframe::egui::{self, CentralPanel, Color32, Frame, Margin, Panel, Ui};

use super::action::Actions;
use super::dialogs::Purpose;
use super::lightbox::{Gpu, Zoom};
use super::notice;
use super::session::{Session, Trained};
use super::state::{ClusterChoice, Settings};
use super::task::{Outcome, Task};
use super::theme;
use crate::training::launch::Bond;
use crate::training::queue::Queue;
use crate::training::run_folder::Request;
use curves::CurveLook;
use form::Form;
use jobs::JobWatcher;
use keeper::{Deed, Done, Keeper};
use nearest::{Nearest, Yardstick};
use opening::Opening;
pub use places::Places;
use strip::FilmStrip;
use teaching::Teaching;
use watcher::{Report, Run, Watcher, Wish};

/// The workspace.
pub struct Training {
    ctx: egui::Context,
    gpu: Option<Gpu>,
    places: Places,
    watcher: Watcher,
    keeper: Keeper,
    jobs: JobWatcher,
    report: Report,
    /// Whether the folders have been read once, so that an empty list is known to be empty.
    read: bool,
    selected: Option<PathBuf>,
    /// Further runs in the same axes.
    overlaid: BTreeSet<PathBuf>,
    look: CurveLook,
    strip: FilmStrip,
    nearest: Nearest,
    teaching: Option<Teaching>,
    zoom: Zoom,
    form: Option<Form>,
    /// The cluster that runs were sent to last.
    cluster: ClusterChoice,
    opening: Option<Opening>,
    writing: Option<Task<Result<PathBuf, String>>>,
    /// What was deleted last, and where it lay.
    deleted: Option<(PathBuf, PathBuf)>,
    /// The run whose deletion was asked for and must be confirmed.
    doomed: Option<PathBuf>,
}

impl Training {
    /// Begins to watch the runs that are known; `program` is what trains, and `bond` whether it outlives this process.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn new(
        ctx: &egui::Context,
        gpu: Option<Gpu>,
        places: Places,
        program: Option<PathBuf>,
        bond: Bond,
    ) -> io::Result<Self> {
        let program = match program {
            Some(program) => program,
            None => std::env::current_exe()?,
        };
        let mut keeper = Keeper::spawn(ctx, places.clone(), program, bond)?;
        keeper.ask(Deed::GoOnWithQueue);
        Ok(Self {
            watcher: Watcher::spawn(ctx, Queue::new(places.data()))?,
            keeper,
            jobs: JobWatcher::spawn(ctx)?,
            report: Report::default(),
            read: false,
            selected: None,
            overlaid: BTreeSet::new(),
            look: CurveLook::default(),
            strip: FilmStrip::new(ctx, gpu.clone())?,
            nearest: Nearest::new(ctx, gpu.clone())?,
            teaching: None,
            ctx: ctx.clone(),
            gpu,
            zoom: Zoom::default(),
            form: None,
            cluster: ClusterChoice::default(),
            opening: None,
            writing: None,
            deleted: None,
            doomed: None,
            places,
        })
    }

    /// Where runs are kept.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// All runs, the newest first.
    pub fn runs(&self) -> &[Run] {
        &self.report.runs
    }

    /// What is known of all runs.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The run that is looked at.
    pub fn selected(&self) -> Option<&Run> {
        let root = self.selected.as_ref()?;
        self.report.runs.iter().find(|run| run.root == *root)
    }

    /// The stages of the run that is looked at.
    pub fn strip(&self) -> &FilmStrip {
        &self.strip
    }

    /// Looks at a run.
    pub fn select(&mut self, root: &Path) {
        (self.form, self.teaching) = (None, None);
        self.doomed = None;
        self.overlaid.remove(root);
        self.selected = Some(root.to_path_buf());
        self.zoom.reset();
    }

    /// Opens the form for a new run.
    pub fn compose(&mut self, settings: &Settings) {
        self.form = Some(Form::new(settings, &self.places));
    }

    /// Begins a lesson.
    pub fn teach(&mut self) {
        self.form = None;
        match Teaching::begin(&self.ctx, self.gpu.clone(), &self.places) {
            Ok(teaching) => self.teaching = Some(teaching),
            Err(error) => tracing::warn!("no thread could be started for the lesson: {error}"),
        }
    }

    /// The lesson, while it goes on.
    pub fn teaching(&mut self) -> Option<&mut Teaching> {
        self.teaching.as_mut()
    }

    /// The picked sample beside real films.
    pub fn nearest(&self) -> &Nearest {
        &self.nearest
    }

    /// Opens or closes the comparison with real films.
    pub fn compare(&mut self) {
        if self.nearest.is_open() {
            self.nearest.close();
        } else if let Some(run) = self.selected() {
            let (root, yardstick) = (run.root.clone(), Yardstick::of(run));
            self.nearest.open(&self.ctx, &root, yardstick);
        }
    }

    /// The form for a new run, while it is open.
    pub fn form(&mut self) -> Option<&mut Form> {
        self.form.as_mut()
    }

    /// Has something done to a run.
    pub fn ask(&mut self, deed: Deed) {
        self.keeper.ask(deed);
    }

    /// Pauses the run that is looked at, or goes on with it.
    pub fn pause_or_resume(&mut self) {
        let Some(run) = self.selected() else { return };
        let (root, state) = (run.root.clone(), run.status.state);
        if state.is_running() {
            self.ask(Deed::Ask(root, Request::Pause));
        } else if run.is_with_cluster() {
            // It begins when its turn comes.
        } else if run.status.job.is_some() && state.can_resume() {
            self.ask(Deed::SendAgain(root));
        } else if state.can_resume() {
            self.ask(Deed::Start(root));
        }
    }

    /// Goes `by` stages forward or back.
    pub fn step_stage(&mut self, by: isize) {
        if self.form.is_none() && self.teaching.is_none() {
            self.strip.step(by);
        }
    }

    /// Takes in what was chosen in a dialog.
    pub fn chosen(&mut self, ctx: &egui::Context, purpose: &Purpose, path: PathBuf, settings: &mut Settings) {
        match purpose {
            Purpose::OpenRuns => self.open_folder(&path, settings),
            Purpose::TrainOn => {
                if let Some(form) = &mut self.form {
                    form.set_cohort(&path);
                }
            }
            Purpose::SaveCurves { .. } => self.export(ctx, path),
            _ => {}
        }
    }

    /// Adds a folder that is a run or holds runs.
    pub fn open_folder(&mut self, folder: &Path, settings: &mut Settings) {
        if folder.join("run.toml").is_file() {
            self.select(folder);
        }
        settings.note_runs(folder);
    }

    /// Begins to make a model of a checkpoint, to be opened in Explore.
    pub fn open_checkpoint(&mut self, ctx: &egui::Context, root: &Path, step: u64) {
        match Opening::begin(ctx, root, step, &self.places) {
            Ok(opening) => self.opening = Some(opening),
            Err(error) => tracing::warn!("no thread could be started to open a checkpoint: {error}"),
        }
    }

    fn export(&mut self, ctx: &egui::Context, path: PathBuf) {
        let runs: Vec<figure::Drawn> = self
            .drawn()
            .into_iter()
            .map(|(name, followed)| figure::Drawn { name: name.to_owned(), followed: followed.clone() })
            .collect();
        let look = self.look;
        match Task::spawn("export curves", ctx, move |_| figure::write(&path, &runs, look).map(|()| path)) {
            Ok(task) => self.writing = Some(task),
            Err(error) => tracing::warn!("no thread could be started to export: {error}"),
        }
    }

    /// The runs in the axes: the selected one, then those laid over it.
    fn drawn(&self) -> Vec<(&str, &std::sync::Arc<watcher::Followed>)> {
        let of = |root: &PathBuf| {
            let name = self.report.runs.iter().find(|run| run.root == *root).map(label)?;
            Some((name, self.report.followed.get(root)?))
        };
        self.selected.iter().chain(&self.overlaid).take(charts::MOST).filter_map(of).collect()
    }

    /// Whether nothing is being read, done or written.
    pub fn is_settled(&self) -> bool {
        !self.watcher.is_busy()
            && !self.keeper.is_busy()
            && !self.strip.is_busy()
            && !self.nearest.is_busy()
            && self.teaching.as_ref().is_none_or(|teaching| !teaching.is_busy())
            && self.opening.is_none()
            && self.writing.is_none()
            && self.form.as_ref().is_none_or(Form::is_settled)
    }

    /// Takes in what the threads have found and done. Called once a frame; never waits. Gives a model that is to be
    /// opened in Explore.
    pub fn advance(&mut self, session: &mut Session) -> Option<Trained> {
        let mut folders = vec![self.places.runs()];
        folders.extend(session.settings.run_folders.iter().cloned());
        let followed = self.selected.iter().chain(&self.overlaid).cloned().collect();
        self.watcher.wish(Wish { folders, followed, look: self.look });
        let answered = self.jobs.advance();
        let reported = self.watcher.newest();
        let news = answered || reported.is_some();
        if let Some(report) = reported {
            self.report = report;
            self.jobs.follow(&self.report.runs);
            if !self.read {
                self.read = true;
                // What goes on is what one comes back to see.
                let runs = self.report.runs.iter();
                let running = runs.filter(|run| run.status.state.is_running()).map(|run| run.root.clone()).next();
                self.selected = self.selected.take().or(running);
            }
            if let Some(root) = &self.selected
                && let Some(followed) = self.report.followed.get(root)
            {
                self.strip.follow(root, &followed.history.samples);
            }
        }
        if news {
            for run in &mut self.report.runs {
                run.job = self.jobs.job(&run.root).cloned();
            }
        }
        self.strip.advance();
        let run = self.report.runs.iter().find(|run| Some(&run.root) == self.selected.as_ref());
        self.nearest.advance(&self.ctx, run, &self.strip);
        if let Some(teaching) = &mut self.teaching {
            teaching.advance(&self.ctx);
        }
        for answer in self.keeper.answers() {
            self.done(answer, session);
        }
        if let Some(form) = &mut self.form {
            form.advance();
        }
        if let Some(task) = &self.writing {
            match task.poll() {
                Outcome::Running => {}
                Outcome::Done(Ok(path)) => {
                    session.settings.export_folder = path.parent().map(Path::to_path_buf).filter(|p| p.is_absolute());
                    session.notices.say(format!("Saved {}.", path.display()));
                    self.writing = None;
                }
                Outcome::Done(Err(reason)) => {
                    session.notices.fail(reason);
                    self.writing = None;
                }
                Outcome::Failed => {
                    session.notices.fail("The curves could not be drawn; the log names the place.");
                    self.writing = None;
                }
            }
        }
        match self.opening.as_ref().map(Opening::poll) {
            None | Some(Outcome::Running) => None,
            Some(Outcome::Done(Ok(trained))) => {
                self.opening = None;
                Some(trained)
            }
            Some(Outcome::Done(Err(reason))) => {
                self.opening = None;
                session.notices.fail(reason);
                None
            }
            Some(Outcome::Failed) => {
                self.opening = None;
                session.notices.fail("The checkpoint could not be opened; the log names the place.");
                None
            }
        }
    }

    fn done(&mut self, answer: Result<Done, keeper::Refusal>, session: &mut Session) {
        self.watcher.look_again();
        self.jobs.ask_again();
        match answer {
            Ok(Done::Made(root)) => {
                if let Some(form) = self.form.take() {
                    session.settings.note_training_cohort(&form.cohort());
                    session.settings.cluster = form.cluster().clone();
                }
                let folder = root.parent().unwrap_or(Path::new("/"));
                if folder != self.places.runs() {
                    session.settings.note_runs(folder);
                }
                self.select(&root);
            }
            Ok(Done::Deleted { from, to }) => {
                if self.selected.as_ref() == Some(&from) {
                    self.selected = None;
                }
                self.overlaid.remove(&from);
                session.notices.say(format!("Moved to the bin: {}", to.display()));
                self.deleted = Some((to, from));
            }
            Ok(Done::Restored(root)) => {
                self.deleted = None;
                self.select(&root);
            }
            Ok(Done::Started(_) | Done::Told | Done::Asked | Done::Queued | Done::Nothing) => {}
            Err(refusal) => match &mut self.form {
                Some(form) => form.refused(refusal),
                None => session.notices.fail(refusal.reason),
            },
        }
    }

    /// Draws the workspace into all of `ui`.
    pub fn show(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        self.cluster.clone_from(&session.settings.cluster);
        let colors = theme::colors(ui);
        let width = if ui.ctx().content_rect().width() < 1280.0 { 240.0 } else { 288.0 };
        let padded = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(16, 8));
        Panel::left("runs").exact_size(width).resizable(false).frame(padded).show(ui, |ui| {
            list::show(ui, self, actions);
        });
        let looks = self.selected().is_some() && self.form.is_none() && self.teaching.is_none();
        let ground = if looks { Color32::BLACK } else { colors.ground };
        CentralPanel::no_frame().frame(Frame::new().fill(ground)).show(ui, |ui| {
            let rect = ui.max_rect();
            if self.teaching.is_some() {
                teaching::show(ui, self);
            } else if self.form.is_some() {
                form::show(ui, self, &session.settings, actions);
            } else if self.selected().is_some() {
                view::show(ui, self, actions);
            } else {
                empty::show(ui, rect, self, actions);
            }
            notice::show(ui, rect, &session.notices, actions);
        });
    }

    /// What goes on in the background, for the status bar.
    pub fn queue(&self) -> Option<String> {
        let running: Vec<&Run> = self.report.runs.iter().filter(|run| run.status.state.is_running()).collect();
        let first = running.first()?;
        let more = if running.len() > 1 { format!(" and {} more", running.len() - 1) } else { String::new() };
        Some(format!("training {}{more} · {}", label(first), progress::percent(first)))
    }
}

/// What a run is called on screen: its folder, which is unique among its neighbours.
fn label(run: &Run) -> &str {
    run.root.file_name().and_then(|name| name.to_str()).unwrap_or(&run.status.name)
}
