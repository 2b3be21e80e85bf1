//! What is open now: model, recipe, sample, cohort, neighbours. No drawing happens here.
//!
//! In: what the person asks for. Out: the newest answers of the workers, taken in by [`Session::advance`] once a frame.

mod cohort;
mod compare;
mod device;
mod model;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eframe::egui;

pub use cohort::Cohort;
pub use compare::Difference;
pub use model::{Model, ShelfEntry, about};

use super::contact::ContactSheet;
use super::history::History;
use super::lightbox::Gpu;
use super::neighbour_worker::{self, NeighbourJob, NeighbourWorker, Verdict};
use super::notice::Notices;
use super::render_worker::{self, Drawn, RenderJob, RenderWorker, Sample};
use super::state::Settings;
use crate::generator::Recipe;

/// How often progress of a long job is drawn.
const PROGRESS: Duration = Duration::from_millis(250);

/// Everything that is open, and the workers behind it.
pub struct Session {
    ctx: egui::Context,
    gpu: Option<Gpu>,
    /// What is remembered between starts.
    pub settings: Settings,
    /// Messages over the light box.
    pub notices: Notices,
    /// Recipes, with undo and redo.
    history: History,
    /// Whether stepping and dice leave the seed alone.
    pub seed_locked: bool,
    models: model::Models,
    devices: device::Devices,
    cohort: Cohort,
    pending_cohort: Option<PathBuf>,
    sample: Option<Arc<Sample>>,
    kept: Option<Arc<Sample>>,
    difference: Option<Difference>,
    verdict: Option<Verdict>,
    /// Thumbnails below the light box.
    pub sheet: ContactSheet,
    render: RenderWorker,
    neighbours: NeighbourWorker,
    panics_told: u64,
}

/// A model that a run or a sweep has made.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The model file.
    pub model: PathBuf,
    /// Folder of the pack it was trained on, which may no longer be there.
    pub pack: PathBuf,
}

impl Session {
    /// Starts the workers. Nothing is open yet.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn new(ctx: &egui::Context, gpu: Option<Gpu>, settings: Settings) -> io::Result<Self> {
        Ok(Self {
            render: render_worker::spawn(ctx, gpu.clone())?,
            neighbours: neighbour_worker::spawn(ctx, gpu.clone())?,
            sheet: ContactSheet::new(render_worker::spawn_sheet(ctx, gpu.clone())?),
            models: model::Models::new(ctx)?,
            devices: device::Devices::new(gpu.as_ref()),
            ctx: ctx.clone(),
            gpu,
            settings,
            notices: Notices::default(),
            history: History::new(Recipe::new("", 1)),
            seed_locked: false,
            cohort: Cohort::None,
            pending_cohort: None,
            sample: None,
            kept: None,
            difference: None,
            verdict: None,
            panics_told: 0,
        })
    }

    /// The device that draws, where there is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// The model that is open.
    pub fn model(&self) -> Option<&Model> {
        self.models.open()
    }

    /// The recipe that is being edited.
    pub fn recipe(&self) -> &Recipe {
        self.history.current()
    }

    /// Recipes, with undo and redo.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The sample on the light box; it lags behind the recipe by one rendering.
    pub fn sample(&self) -> Option<&Arc<Sample>> {
        self.sample.as_ref()
    }

    /// The sample kept as A.
    pub fn kept(&self) -> Option<&Arc<Sample>> {
        self.kept.as_ref()
    }

    /// The cohort that samples are compared with, or why there is none.
    pub fn cohort(&self) -> &Cohort {
        &self.cohort
    }

    /// The neighbours of the newest sample that has them.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// States which pack to open once the model that is being opened is there.
    pub fn open_cohort_with_model(&mut self, folder: PathBuf) {
        self.pending_cohort = Some(folder);
    }

    /// Opens a model beside the pack it was trained on, where that is still there.
    pub fn open_trained(&mut self, trained: Trained) {
        self.pending_cohort = Some(trained.pack).filter(|pack| pack.join("pack.json").is_file());
        self.open_model(trained.model);
    }

    /// Whether every answer to what was asked has been taken in: nothing renders, searches or loads.
    pub fn is_settled(&self) -> bool {
        let rendered = self.model().is_none() || self.sample.as_ref().is_some_and(|s| s.recipe == *self.recipe());
        let compared = match (self.cohort.reference(), &self.sample) {
            (Some(_), Some(sample)) => self.verdict.as_ref().is_some_and(|v| Arc::ptr_eq(&v.sample, sample)),
            _ => true,
        };
        let busy = self.devices.is_busy() || self.render.is_busy() || self.neighbours.is_busy() || self.sheet.is_busy();
        rendered && compared && !busy && !self.models.is_busy() && !self.cohort.is_busy()
    }

    /// Changes the recipe and has it rendered. All changes under one `gesture` are one step of undo.
    pub fn edit(&mut self, recipe: Recipe, gesture: Option<&str>) {
        self.history.edit(recipe, gesture);
        self.render_current();
    }

    /// Ends the gesture of the hand.
    pub fn end_gesture(&mut self) {
        self.history.end_gesture();
    }

    /// One step back.
    pub fn undo(&mut self) {
        if self.history.undo() {
            self.follow_history();
        }
    }

    /// One step forward again.
    pub fn redo(&mut self) {
        if self.history.redo() {
            self.follow_history();
        }
    }

    /// Shows the sample of a recipe that came from outside, opening its model where that is needed.
    pub fn restore(&mut self, recipe: Recipe) {
        self.notices.clear_failures();
        if self.model().is_some_and(|model| model.generator.id() == recipe.generator) {
            self.edit(recipe, None);
            self.notices.say("Recipe restored.");
        } else if let Some(path) = self.models.path_of(&recipe.generator, &self.settings) {
            self.open_model_for(path, Some(recipe));
        } else {
            self.notices.fail(format!(
                "This recipe belongs to generator {}, which is not among the shipped or recent models. Open its model \
                 file, then try again.",
                recipe.generator
            ));
        }
    }

    /// Gives a principal direction of the open model a name.
    pub fn name_direction(&mut self, component: u16, name: &str) {
        if let Some(model) = self.models.open() {
            self.settings.name_direction(model.generator.id(), component, name);
        }
    }

    fn follow_history(&mut self) {
        let wanted = self.history.current().generator.clone();
        if self.model().is_some_and(|model| model.generator.id() == wanted) {
            self.render_current();
        } else if let Some(path) = self.models.path_of(&wanted, &self.settings) {
            self.open_model(path);
        }
    }

    fn render_current(&mut self) {
        if let Some(model) = self.models.open() {
            let recipe = self.history.current().clone();
            let graphics = self.devices.sampler(self.settings.sampling);
            self.render.ask(RenderJob { generator: model.generator.clone(), graphics, recipe });
        }
    }

    fn ask_neighbours(&mut self) {
        if let (Some(reference), Some(sample)) = (self.cohort.reference(), &self.sample) {
            self.neighbours.ask(NeighbourJob { reference: Arc::clone(reference), sample: Arc::clone(sample) });
        }
    }

    /// Takes in what the workers have done. Called once a frame; never waits.
    pub fn advance(&mut self) {
        self.advance_models();
        self.advance_cohort();
        self.advance_render();
        self.advance_devices();
        if let Some(verdict) = self.neighbours.newest() {
            let of_this_cohort = self.cohort.reference().is_some_and(|r| Arc::ptr_eq(r, &verdict.reference));
            if of_this_cohort {
                self.verdict = Some(verdict);
            }
        }
        if let Some(model) = self.models.open()
            && let Some(wait) = self.sheet.advance(&model.generator)
        {
            self.ctx.request_repaint_after(wait);
        }
        if let Some(wait) = self.notices.expire() {
            self.ctx.request_repaint_after(wait);
        }
        if self.cohort.is_busy() {
            self.ctx.request_repaint_after(PROGRESS);
        }
        let panics = self.render.panics() + self.neighbours.panics() + self.sheet.panics();
        if panics > self.panics_told {
            self.panics_told = panics;
            self.notices.fail(
                "A background job failed in a way that was not foreseen. The log names the place; please report it.",
            );
        }
    }

    fn advance_render(&mut self) {
        match self.render.newest() {
            // A sample of the model that was open before is no longer of interest.
            Some(Ok(sample)) if self.model().is_some_and(|m| m.generator.id() == sample.recipe.generator) => {
                if let Drawn::Fallen(reason) = &sample.drawn {
                    self.device_failed(reason);
                }
                self.sample = Some(Arc::new(sample));
                self.difference = None;
                self.ask_neighbours();
            }
            Some(Err(refusal)) if refusal.recipe == *self.recipe() => self.notices.fail(refusal.reason),
            _ => {}
        }
    }

    /// What is being waited for, for the status bar: a word and a share done, where known.
    pub fn queue(&self) -> Option<(String, Option<f32>, Option<Duration>)> {
        if let Some((name, progress)) = self.cohort.job() {
            return Some((name.to_owned(), progress.fraction(), progress.time_left()));
        }
        if let Some(name) = self.models.job() {
            return Some((name, None, None));
        }
        if self.sheet.is_busy() {
            let (done, total) = self.sheet.counts();
            return Some((format!("contact sheet {done}/{total}"), None, None));
        }
        None
    }
}
