//! The Artefacts workspace: what in a film a classifier rests on, for one trained on films and one trained on samples.
//!
//! In: two classifiers, films of their cohort or a generator's samples, a finding. Out: two maps by masking side by side,
//! how they agree, and what switching the finding changes. Nothing is read or asked before the workspace is first seen.

mod asking;
mod controls;
pub mod films;
mod outline;
mod page;
pub mod pair;
mod panes;
mod scatter;
mod switch;
pub mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use super::action::Actions;
use super::lightbox::{ColorMap, Gpu, Look, Zoom};
use super::notice::{self, Notices};
use super::session::Session;
use super::task::{Outcome, Task};
use super::theme;
use crate::encoder::{attribution, file};
use crate::progress::Progress;
use crate::radiograph::{Meaning, Window};
use films::{Films, Place};
use pair::{Candidate, Pair};
use worker::{AttributionWorker, Question, View};

/// How often progress is drawn.
const PROGRESS: Duration = Duration::from_millis(100);

/// Sides of a masked square that can be chosen.
const BLOCKS: [usize; 3] = [2, attribution::BLOCK, 8];

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// One film, and a map of each classifier over it.
    #[default]
    Film,
    /// One finding switched off and on in the sample of Explore.
    Switch,
}

/// How maps are shown.
struct Shown {
    /// Of the maps over their films.
    opacity: f32,
    /// Whether both maps have one scale.
    shared: bool,
    /// Whether the true outline is drawn.
    outlined: bool,
}

/// The workspace.
pub struct Artefacts {
    known: Option<Vec<Candidate>>,
    reading: Option<Task<Vec<Candidate>>>,
    sweep: Option<Task<Result<Vec<Candidate>, String>>>,
    chosen: Option<Candidate>,
    by_hand: bool,
    opening: Option<Task<Result<Pair, String>>>,
    pair: Option<Arc<Pair>>,
    own_films: Option<PathBuf>,
    filming: Option<(Place, Task<Result<Films, String>>)>,
    films: Option<Arc<Films>>,
    /// A place that could not be opened, and why.
    refused: Option<(Place, String)>,
    filter: Option<String>,
    film: usize,
    finding: Option<String>,
    page: Page,
    block: usize,
    shown: Shown,
    window: Window,
    zoom: Zoom,
    /// Where the pointer is on any of the panes, in shares of the film.
    pointer: Option<[f32; 2]>,
    worker: AttributionWorker,
    asked: Option<Question>,
    progress: [Progress; 2],
    since: Instant,
    stopped: bool,
    trouble: Option<String>,
    /// The newest view of each page.
    views: [Option<Arc<View>>; 2],
}

impl Artefacts {
    /// Starts the worker; nothing is read yet.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(ctx: &egui::Context, gpu: Option<Gpu>) -> std::io::Result<Self> {
        Ok(Self {
            known: None,
            reading: None,
            sweep: None,
            chosen: None,
            by_hand: false,
            opening: None,
            pair: None,
            own_films: None,
            filming: None,
            films: None,
            refused: None,
            filter: None,
            film: 0,
            finding: None,
            page: Page::default(),
            block: attribution::BLOCK,
            shown: Shown { opacity: 0.8, shared: true, outlined: true },
            window: Window::initial(Meaning::Density),
            zoom: Zoom::default(),
            pointer: None,
            worker: worker::spawn(ctx, gpu)?,
            asked: None,
            progress: [Progress::new(), Progress::new()],
            since: Instant::now(),
            stopped: false,
            trouble: None,
            views: [None, None],
        })
    }

    /// Whether everything that was asked has been answered.
    pub fn is_settled(&self) -> bool {
        let tasks = [self.reading.is_some(), self.sweep.is_some(), self.opening.is_some(), self.filming.is_some()];
        !tasks.contains(&true) && !self.worker.is_busy()
    }

    /// What is looked at.
    pub fn page(&self) -> Page {
        self.page
    }

    /// The newest view of the page on screen.
    pub fn view(&self) -> Option<&Arc<View>> {
        self.views[self.page as usize].as_ref()
    }

    /// The films that can be chosen from.
    pub fn films(&self) -> Option<&Films> {
        self.films.as_deref()
    }

    /// Which of them is looked at.
    pub fn film(&self) -> usize {
        self.film
    }

    /// The finding that is looked at; `None` for the mean over all.
    pub fn finding(&self) -> Option<&str> {
        self.finding.as_deref()
    }

    /// The pairs at hand, once they are read.
    pub fn known(&self) -> &[Candidate] {
        self.known.as_deref().unwrap_or_default()
    }

    /// Looks at another page.
    pub fn turn_to(&mut self, page: Page) {
        self.page = page;
    }

    /// Looks at a finding, or at the mean over all.
    pub fn look_for(&mut self, finding: Option<String>) {
        self.finding = finding;
    }

    /// Only films with this finding are stepped through; the first is shown unless the present one has it.
    pub fn only_with(&mut self, finding: Option<String>) {
        self.filter = finding;
        self.step(0);
    }

    /// Steps through the films that are listed.
    pub fn step(&mut self, by: isize) {
        let Some(films) = &self.films else { return };
        let listed = films.with(self.filter.as_deref());
        if listed.is_empty() {
            return;
        }
        let here = listed.partition_point(|&film| film < self.film);
        let exact = listed.get(here) == Some(&self.film);
        // Between two listed films, one step forward is the next of them.
        let at = if by > 0 && !exact { here as isize + by - 1 } else { here as isize + by };
        self.film = listed[at.rem_euclid(listed.len() as isize) as usize];
    }

    /// Steps through the findings, the mean over all first.
    pub fn step_finding(&mut self, by: isize) {
        let Some(pair) = &self.pair else { return };
        let findings = pair.findings();
        let here = self.finding.as_ref().and_then(|f| findings.iter().position(|g| g == f)).map_or(0, |i| i + 1);
        let next = (here as isize + by).rem_euclid(findings.len() as isize + 1) as usize;
        self.finding = next.checked_sub(1).map(|i| findings[i].clone());
    }

    /// Shows or hides the true outline.
    pub fn toggle_outline(&mut self) {
        self.shown.outlined = !self.shown.outlined;
    }

    /// Opens a pair of those at hand.
    pub fn choose(&mut self, ctx: &egui::Context, candidate: Candidate) {
        self.by_hand = true;
        self.open_pair(ctx, candidate);
    }

    /// Opens an encoder file into the place where it belongs, beside the other that is open.
    ///
    /// # Errors
    /// A sentence that names the file and the remedy.
    pub fn open_file(&mut self, ctx: &egui::Context, path: &Path) -> Result<(), String> {
        // Half a megabyte; the pair itself is read by a thread.
        let card = file::read(path).map_err(|error| error.to_string())?.card;
        let mut files = self.chosen.as_ref().map_or([None, None], |chosen| chosen.files.clone());
        let slot = pair::slot_of(&card);
        let cohort = card.training.cohort_hash.clone();
        if self.chosen.as_ref().is_some_and(|chosen| chosen.cohort != cohort) {
            // The other belongs to other films.
            files = [None, None];
        }
        files[slot] = Some(path.to_path_buf());
        let candidate = Candidate { title: card.name, from: "opened".to_owned(), files, cohort };
        self.known.get_or_insert_default().insert(0, candidate.clone());
        self.choose(ctx, candidate);
        Ok(())
    }

    /// Reads the pairs of a sweep, and opens the first.
    pub fn open_sweep(&mut self, ctx: &egui::Context, folder: PathBuf, notices: &mut Notices) {
        match Task::spawn("read the sweep", ctx, move |progress| pair::of_sweep(&folder, progress)) {
            Ok(task) => self.sweep = Some(task),
            Err(error) => notices.fail(format!("No thread could be started to read the sweep: {error}")),
        }
    }

    /// Looks at the films of a pack.
    pub fn open_films(&mut self, folder: PathBuf) {
        self.refused = None;
        self.own_films = Some(folder);
    }

    /// Stops asking.
    pub fn stop(&mut self) {
        self.progress.iter().for_each(Progress::cancel);
        self.stopped = true;
    }

    /// Asks again after it was stopped.
    pub fn ask_again(&mut self) {
        self.stopped = false;
        self.asked = None;
    }

    fn open_pair(&mut self, ctx: &egui::Context, candidate: Candidate) {
        let files = candidate.files.clone();
        self.trouble = None;
        match Task::spawn("open classifiers", ctx, move |_| Pair::open(&files)) {
            Ok(task) => (self.opening, self.chosen) = (Some(task), Some(candidate)),
            Err(error) => self.trouble = Some(format!("no thread could be started to open the classifiers: {error}")),
        }
    }

    /// Takes in what was read and answered, and asks what is to be seen next, where the workspace is on screen. Never waits.
    pub fn advance(&mut self, ctx: &egui::Context, session: &mut Session, here: bool) {
        self.take_in_tasks(ctx, &mut session.notices);
        for answer in self.worker.drain() {
            match answer {
                Some(Ok(view)) => {
                    self.trouble = None;
                    let page = if view.change.is_some() { Page::Switch } else { Page::Film };
                    self.views[page as usize] = Some(view);
                }
                Some(Err(reason)) => self.trouble = Some(reason),
                None => {}
            }
        }
        if !here {
            return;
        }
        if self.known.is_none() && self.reading.is_none() {
            match Task::spawn("read classifiers", ctx, |_| pair::shipped()) {
                Ok(task) => self.reading = Some(task),
                Err(error) => self.trouble = Some(format!("no thread could be started to read classifiers: {error}")),
            }
        }
        self.follow_model(ctx, session);
        self.follow_films(ctx, session);
        if let Some(question) = self.question(session)
            && !self.asked.as_ref().is_some_and(|asked| asked.is(&question))
        {
            self.ask(question);
        }
        if !self.is_settled() {
            ctx.request_repaint_after(PROGRESS);
        }
    }

    fn take_in_tasks(&mut self, ctx: &egui::Context, notices: &mut Notices) {
        match self.reading.as_ref().map(Task::poll) {
            None | Some(Outcome::Running) => {}
            Some(Outcome::Done(pairs)) => (self.reading, self.known) = (None, Some(pairs)),
            Some(Outcome::Failed) => (self.reading, self.known) = (None, Some(Vec::new())),
        }
        match self.sweep.as_ref().map(Task::poll) {
            None | Some(Outcome::Running) => {}
            Some(outcome) => {
                self.sweep = None;
                match outcome {
                    Outcome::Done(Ok(pairs)) => {
                        if let Some(first) = pairs.first().cloned() {
                            self.choose(ctx, first);
                        }
                        self.known.get_or_insert_default().splice(0..0, pairs);
                    }
                    Outcome::Done(Err(reason)) => notices.fail(reason),
                    Outcome::Running | Outcome::Failed => notices.fail("Reading the sweep failed unexpectedly."),
                }
            }
        }
        match self.opening.as_ref().map(Task::poll) {
            None | Some(Outcome::Running) => {}
            Some(outcome) => {
                self.opening = None;
                match outcome {
                    Outcome::Done(Ok(pair)) => {
                        self.pair = Some(Arc::new(pair));
                        self.refused = None;
                    }
                    Outcome::Done(Err(reason)) => notices.fail(reason),
                    Outcome::Running | Outcome::Failed => notices.fail("Opening the classifiers failed unexpectedly."),
                }
            }
        }
        let filmed = self.filming.as_ref().map(|(_, task)| task.poll());
        match filmed {
            None | Some(Outcome::Running) => {}
            Some(outcome) => {
                let Some((place, _)) = self.filming.take() else { return };
                match outcome {
                    Outcome::Done(Ok(films)) => self.films_are_there(films),
                    Outcome::Done(Err(reason)) => self.refused = Some((place, reason)),
                    Outcome::Running | Outcome::Failed => {
                        self.refused = Some((place, "reading the films failed unexpectedly".to_owned()));
                    }
                }
            }
        }
    }

    fn films_are_there(&mut self, films: Films) {
        let [low, high] = films.window;
        self.window = Window::spanning(low, high);
        self.zoom.reset();
        // What is drawn first should show something.
        let known = self.finding.clone().filter(|finding| films.vocabulary.position(finding).is_some());
        self.film = films.with(known.as_deref()).first().copied().unwrap_or(0);
        self.filter = None;
        self.films = Some(Arc::new(films));
    }

    /// Opens the pair that belongs to the model in Explore, until another was chosen by hand.
    fn follow_model(&mut self, ctx: &egui::Context, session: &Session) {
        let Some(known) = &self.known else { return };
        if self.by_hand || self.opening.is_some() {
            return;
        }
        let cohort = session.model().map(|model| model.generator.card().training.cohort_hash.as_str());
        let of_model = known.iter().find(|pair| Some(pair.cohort.as_str()) == cohort);
        let wanted = of_model.or(if self.chosen.is_none() { known.first() } else { None });
        if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != self.chosen.as_ref()) {
            self.open_pair(ctx, wanted.clone());
        }
    }

    /// Opens the films that suit the classifiers: a pack opened here, else the cohort of Explore, else phantoms.
    fn follow_films(&mut self, ctx: &egui::Context, session: &Session) {
        if self.filming.is_some() {
            return;
        }
        let Some(place) = self.place(session) else { return };
        let there = self.films.as_ref().is_some_and(|films| films.place == place);
        let refused = self.refused.as_ref().is_some_and(|(other, _)| *other == place);
        if there || refused {
            return;
        }
        let of_thread = place.clone();
        match Task::spawn("open films", ctx, move |progress| Films::open(&of_thread, progress)) {
            Ok(task) => self.filming = Some((place, task)),
            Err(error) => {
                self.refused = Some((place, format!("no thread could be started to open the films: {error}")));
            }
        }
    }

    fn look(&self, session: &Session) -> Look {
        Look { window: self.window, invert: false, linear: session.settings.linear, map: ColorMap::Grey, overlay: None }
    }

    /// Draws the workspace into all of `ui`.
    pub fn show(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        let colors = theme::colors(ui);
        let width = if ui.ctx().content_rect().width() < 1280.0 { 256.0 } else { 320.0 };
        let frame = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(16, 8));
        Panel::left("artefacts").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| self.controls(ui, session, actions));
        });
        let ground = Frame::new().fill(colors.ground).inner_margin(Margin::same(16));
        CentralPanel::no_frame().frame(ground).show(ui, |ui| {
            let rect = ui.max_rect();
            match self.page {
                Page::Film => self.film_page(ui, session, actions),
                Page::Switch => self.switch_page(ui, session, actions),
            }
            notice::show(ui, rect, &session.notices, actions);
        });
    }
}
