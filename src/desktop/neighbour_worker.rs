//! Finds the real films nearest to the sample on the light box, off the window's thread, newest wins.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::lightbox::Gpu;
use super::reference::{Near, Reference};
use super::render_worker::{Sample, repaint};
use super::worker::Worker;

/// How many patients the strip shows.
pub const NEIGHBOURS: usize = 6;

/// A sample whose neighbours are wanted.
pub struct NeighbourJob {
    /// Among whom.
    pub reference: Arc<Reference>,
    /// Of which sample.
    pub sample: Arc<Sample>,
}

/// The neighbours of one sample.
pub struct Verdict {
    /// The sample they belong to.
    pub sample: Arc<Sample>,
    /// The cohort they come from.
    pub reference: Arc<Reference>,
    /// Nearest first, one entry for each patient; or why there are none, in a sentence.
    pub nears: Result<Vec<Near>, String>,
    /// How long the search took, features included.
    pub millis: f32,
}

/// The worker behind the neighbour strip.
pub type NeighbourWorker = Worker<NeighbourJob, Verdict>;

/// Starts the worker behind the neighbour strip.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<NeighbourWorker> {
    Worker::spawn("neighbours", repaint(ctx), move |NeighbourJob { reference, sample }: NeighbourJob, desk| {
        let start = Instant::now();
        let nears = reference.nearest(sample.film.image(), NEIGHBOURS, gpu.as_ref());
        let millis = start.elapsed().as_secs_f32() * 1e3;
        desk.answer(Verdict { sample, reference, nears, millis });
    })
}
