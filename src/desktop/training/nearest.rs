//! The picked sample beside the real films nearest to it, at every stage: when does memorisation begin?
//!
//! In: the cohort of a run, its encoder, and the picked image at each stage. Out: neighbours with their percentiles.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

use super::strip::{Cell, FilmStrip};
use super::watcher::Run;
use crate::desktop::lightbox::{Film, Gpu};
use crate::desktop::reference::{Near, Reference};
use crate::desktop::render_worker::repaint;
use crate::desktop::task::{Outcome, Task};
use crate::desktop::worker::Worker;
use crate::radiograph::Radiograph;

/// Patients shown for each sample.
const PATIENTS: usize = 3;

/// The real side of a run.
pub enum Side {
    /// Nobody has asked for it.
    Closed,
    /// It is being opened or indexed.
    Opening(Task<Result<Reference, String>>),
    /// It can be compared with.
    Ready(Arc<Reference>),
    /// It cannot be compared with, and why.
    Refused(String),
}

/// What a run's samples are measured by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Yardstick {
    cohort: PathBuf,
    /// The encoder that the run names; otherwise the cohort's own.
    encoder: Option<PathBuf>,
}

impl Yardstick {
    /// The cohort of a run and the encoder of its quality figures.
    pub fn of(run: &Run) -> Self {
        let encoder = run.spec.as_ref().and_then(|spec| spec.quality.encoder.clone());
        Self { cohort: run.status.cohort.clone(), encoder }
    }
}

/// Samples whose neighbours are wanted, the stage that is looked at first.
struct Job {
    reference: Arc<Reference>,
    cell: Cell,
    samples: Vec<(u64, Arc<Film>)>,
}

/// The neighbours of one sample.
struct Found {
    step: u64,
    cell: Cell,
    nears: Result<Vec<Near>, String>,
}

/// Neighbours by stage.
pub struct Nearest {
    side: Side,
    yardstick: Yardstick,
    run: PathBuf,
    cell: Cell,
    found: BTreeMap<u64, Result<Vec<Near>, String>>,
    asked: Vec<u64>,
    worker: Worker<Job, Found>,
}

impl Nearest {
    /// Nothing is compared yet.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<Self> {
        let worker = Worker::spawn("neighbours of stages", repaint(ctx), move |job: Job, desk| {
            for (step, film) in job.samples {
                if desk.superseded() {
                    return;
                }
                let nears = in_unit(film.image(), &job.reference)
                    .and_then(|sample| job.reference.nearest(&sample, PATIENTS, gpu.as_ref()));
                desk.answer(Found { step, cell: job.cell, nears });
            }
        })?;
        Ok(Self {
            side: Side::Closed,
            yardstick: Yardstick::default(),
            run: PathBuf::new(),
            cell: (0, 0),
            found: BTreeMap::new(),
            asked: Vec::new(),
            worker,
        })
    }

    /// What is compared with.
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// Whether the panel is on screen.
    pub fn is_open(&self) -> bool {
        !matches!(self.side, Side::Closed)
    }

    /// Opens the cohort of the run in `run`, with the encoder and the index.
    pub fn open(&mut self, ctx: &egui::Context, run: &Path, yardstick: Yardstick) {
        self.forget();
        run.clone_into(&mut self.run);
        self.yardstick = yardstick.clone();
        let task = Task::spawn("index cohort of run", ctx, move |progress| {
            let Yardstick { cohort, encoder } = yardstick;
            Reference::of_pack(&cohort, encoder.as_deref(), progress).map_err(|error| error.to_string())
        });
        self.side = match task {
            Ok(task) => Side::Opening(task),
            Err(error) => Side::Refused(format!("no thread could be started: {error}")),
        };
    }

    /// Closes the panel.
    pub fn close(&mut self) {
        self.forget();
        self.side = Side::Closed;
    }

    fn forget(&mut self) {
        self.worker.withdraw();
        self.found.clear();
        self.asked.clear();
    }

    /// The neighbours of the picked image at a stage.
    pub fn of(&self, step: u64) -> Option<&Result<Vec<Near>, String>> {
        self.found.get(&step)
    }

    /// The percentile of the nearest patient at a stage.
    pub fn percentile(&self, step: u64) -> Option<f32> {
        self.found.get(&step)?.as_ref().ok()?.first()?.percentile
    }

    /// The first of these stages at which the picked image is nearer to a training patient than 99 of 100 unseen ones.
    pub fn first_too_near(&self, steps: impl Iterator<Item = u64>) -> Option<u64> {
        steps.into_iter().find(|&step| self.percentile(step).is_some_and(|percentile| percentile < 1.0))
    }

    /// Whether something is being opened or searched.
    pub fn is_busy(&self) -> bool {
        matches!(self.side, Side::Opening(_)) || self.worker.is_busy()
    }

    /// Takes in what was found for the stages of `strip`, and asks for what is missing. Never waits.
    pub fn advance(&mut self, ctx: &egui::Context, run: Option<&Run>, strip: &FilmStrip) {
        if let Side::Opening(task) = &self.side {
            match task.poll() {
                Outcome::Running => ctx.request_repaint_after(std::time::Duration::from_millis(250)),
                Outcome::Done(Ok(reference)) => self.side = Side::Ready(Arc::new(reference)),
                Outcome::Done(Err(reason)) => self.side = Side::Refused(reason),
                Outcome::Failed => self.side = Side::Refused("reading it failed; the log names the place".to_owned()),
            }
        }
        for found in self.worker.drain() {
            if found.cell == self.cell {
                self.found.insert(found.step, found.nears);
            }
        }
        if !self.is_open() {
            return;
        }
        match run {
            None => return self.close(),
            Some(run) if run.root != self.run => {
                let yardstick = Yardstick::of(run);
                if yardstick != self.yardstick {
                    return self.open(ctx, &run.root, yardstick);
                }
                self.forget();
                run.root.clone_into(&mut self.run);
            }
            Some(_) => {}
        }
        if strip.cell() != self.cell {
            self.forget();
            self.cell = strip.cell();
        }
        let Side::Ready(reference) = &self.side else { return };
        let Some(index) = strip.index() else { return };
        let mut order: Vec<usize> = (0..strip.stages().len()).collect();
        order.sort_by_key(|&i| i.abs_diff(index));
        let missing = order.into_iter().filter_map(|i| {
            let step = strip.stages()[i].step;
            let film = strip.image(step)?;
            (!self.found.contains_key(&step)).then(|| (step, Arc::clone(film)))
        });
        let samples: Vec<(u64, Arc<Film>)> = missing.collect();
        let steps: Vec<u64> = samples.iter().map(|(step, _)| *step).collect();
        if !samples.is_empty() && (!self.worker.is_busy() || steps.first() != self.asked.first()) {
            self.asked = steps;
            self.worker.ask(Job { reference: Arc::clone(reference), cell: self.cell, samples });
        }
    }
}

/// An image of a grid, brightness 0 to 1, in the unit of the cohort.
fn in_unit(image: &Radiograph, reference: &Reference) -> Result<Radiograph, String> {
    let ([low, high], meaning) = reference.unit();
    let pixels = image.pixels().iter().map(|value| low + value * (high - low)).collect();
    Radiograph::new(image.width(), image.height(), pixels, meaning).map_err(|error| error.to_string())
}
