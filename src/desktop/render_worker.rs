//! Renders recipes off the window's thread: one live sample, newest wins, and contact sheets in batches.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::lightbox::{Film, Gpu};
use super::worker::Worker;
use crate::generator::sampler::graphics::GraphicsSampler;
use crate::generator::{Generator, Recipe, RenderError};
use crate::radiograph::Radiograph;

/// How many contact-sheet images are rendered before the worker looks whether they are still wanted. One: a batch of
/// eight would gain a twentieth of the time, hold up the live sample for as long as it takes, and need eight times the
/// memory.
const BATCH: usize = 1;

/// A recipe to be rendered.
pub struct RenderJob {
    /// By whom.
    pub generator: Generator,
    /// On which graphics device; on the processor without one.
    pub graphics: Option<Arc<GraphicsSampler>>,
    /// What.
    pub recipe: Recipe,
}

/// What a sample was computed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// The processor: the same recipe gives the same bits.
    Processor,
    /// A graphics device: the same to within rounding.
    Graphics,
    /// The processor, because the graphics device failed; why, in words.
    Fallen(String),
}

/// A rendered recipe.
pub struct Sample {
    /// What fixed it.
    pub recipe: Recipe,
    /// Its pixels.
    pub film: Film,
    /// How long rendering took.
    pub millis: f32,
    /// What computed it.
    pub drawn: Drawn,
}

/// A recipe that could not be rendered, and why, in a sentence.
pub struct Refusal {
    /// The recipe.
    pub recipe: Recipe,
    /// Why.
    pub reason: String,
}

/// The worker behind the light box.
pub type RenderWorker = Worker<RenderJob, Result<Sample, Refusal>>;

/// Starts the worker behind the light box.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<RenderWorker> {
    Worker::spawn("render", repaint(ctx), move |RenderJob { generator, graphics, recipe }: RenderJob, desk| {
        let start = Instant::now();
        let result = render(&generator, graphics.as_deref(), &recipe);
        let millis = start.elapsed().as_secs_f32() * 1e3;
        desk.answer(match result {
            Ok((image, drawn)) => Ok(Sample { recipe, film: Film::new(image, gpu.as_ref()), millis, drawn }),
            Err(error) => Err(Refusal { recipe, reason: error.to_string() }),
        });
    })
}

/// One sample, on the graphics device where there is one that works.
fn render(
    generator: &Generator,
    graphics: Option<&GraphicsSampler>,
    recipe: &Recipe,
) -> Result<(Radiograph, Drawn), RenderError> {
    let on_graphics = graphics.map(|sampler| generator.render_on(sampler, std::slice::from_ref(recipe)));
    match on_graphics {
        Some(Ok(mut images)) => Ok((images.remove(0), Drawn::Graphics)),
        Some(Err(RenderError::Graphics(error))) => Ok((generator.render(recipe)?, Drawn::Fallen(error.to_string()))),
        Some(Err(error)) => Err(error),
        None => Ok((generator.render(recipe)?, Drawn::Processor)),
    }
}

/// Many recipes to be rendered in the background.
pub struct SheetJob {
    /// By whom.
    pub generator: Generator,
    /// What, in the order of the contact sheet.
    pub recipes: Vec<Recipe>,
}

/// The worker behind the contact sheet; it answers batch by batch.
pub type SheetWorker = Worker<SheetJob, Vec<(Recipe, Film)>>;

/// Starts the worker behind the contact sheet.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn_sheet(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<SheetWorker> {
    Worker::spawn("contact sheet", repaint(ctx), move |SheetJob { generator, recipes }: SheetJob, desk| {
        for batch in recipes.chunks(BATCH) {
            if desk.superseded() {
                return;
            }
            // What cannot be rendered alone is told by the light box when it is chosen; here it stays dark.
            let Ok(images) = generator.render_batch(batch) else { continue };
            let films = images.into_iter().map(|image| Film::new(image, gpu.as_ref()));
            desk.answer(batch.iter().cloned().zip(films).collect());
        }
    })
}

/// Has the window drawn again from any thread.
pub fn repaint(ctx: &egui::Context) -> impl Fn() + Send + 'static {
    let ctx = ctx.clone();
    move || ctx.request_repaint()
}
