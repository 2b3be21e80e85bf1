//! Asks classifiers about films and samples, off the window's thread: newest wins, and what is already known of a film is
//! not asked again.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::films::Films;
use super::outline::{self, Outline};
use super::pair::Pair;
use crate::compute::random;
use crate::desktop::lightbox::{Film, Gpu};
use crate::desktop::render_worker::repaint;
use crate::desktop::worker::{Desk, Worker};
use crate::encoder::{Masked, Target};
use crate::finding::Vocabulary;
use crate::generator::{Generator, Recipe};
use crate::progress::Progress;
use crate::radiograph::{Meaning, Radiograph};
use crate::stats::{self, Agreement};

/// Draws of the baseline by shuffling.
const DRAWS: usize = 999;

/// One in so many squares counts as the highest.
pub const TOP: usize = 10;

/// What is to be looked at.
#[derive(Clone)]
pub enum Subject {
    /// A film, by its place.
    Film(Arc<Films>, usize),
    /// A finding switched off and on in a recipe.
    Switch(Box<Switch>),
}

/// One finding of a recipe, off and on.
#[derive(Clone)]
pub struct Switch {
    /// By whom it is rendered.
    pub generator: Generator,
    /// Everything else of the sample.
    pub recipe: Recipe,
    /// The finding.
    pub finding: String,
}

/// What is asked.
#[derive(Clone)]
pub struct Question {
    /// About what.
    pub subject: Subject,
    /// Whom.
    pub pair: Arc<Pair>,
    /// Finding whose loss is looked at; the mean over all where there is none.
    pub finding: Option<String>,
    /// Side of a masked square.
    pub block: usize,
}

impl Question {
    /// Whether both ask the same.
    pub fn is(&self, other: &Self) -> bool {
        self.is_about_the_same(other) && self.finding == other.finding
    }

    /// Whether only the finding may differ, so that all answers of the classifiers are known already.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let subject = match (&self.subject, &other.subject) {
            (Subject::Film(films, i), Subject::Film(others, j)) => Arc::ptr_eq(films, others) && i == j,
            (Subject::Switch(a), Subject::Switch(b)) => {
                a.generator.id() == b.generator.id() && a.recipe == b.recipe && a.finding == b.finding
            }
            _ => false,
        };
        subject && Arc::ptr_eq(&self.pair, &other.pair) && self.block == other.block
    }
}

/// A question with what is known of its subject, and how far each classifier is.
pub struct Job {
    /// What is asked.
    pub question: Question,
    /// The view of the same subject, where there is one.
    pub known: Option<Arc<View>>,
    /// Squares masked, for each classifier.
    pub progress: [Progress; 2],
}

/// A map over a film.
pub struct Map {
    /// δ of each square as a film of its own.
    pub film: Film,
    /// Largest δ.
    pub most: f32,
    /// How much of the film's side the squares cover: above 1 where the last is cut by the edge.
    pub stretch: f32,
    /// Probability of the finding, where one is chosen.
    pub probability: Option<f32>,
    /// Of the sample with the finding off, for the same.
    pub probability_off: Option<f32>,
    /// Share of the summed δ inside the true outline, and share of the film that is inside.
    pub inside: Option<(f32, f32)>,
}

/// What a finding changes in a sample.
pub struct Change {
    /// The sample without.
    pub off: Film,
    /// On less off.
    pub difference: Film,
    /// Largest absolute difference.
    pub most: f32,
    /// Mean absolute difference.
    pub mean: f32,
    /// For each classifier: mean absolute difference inside the squares its map ranks highest, and outside.
    pub inside_outside: [Option<[f32; 2]>; 2],
}

/// Everything known of one subject.
pub struct View {
    /// What was asked.
    pub question: Question,
    /// The film, or the sample with the finding on.
    pub film: Film,
    /// One value for each finding of `vocabulary`.
    pub labels: Vec<f32>,
    /// The findings that labels are of.
    pub vocabulary: Vocabulary,
    /// True outlines of findings, by name.
    pub outlines: Vec<(String, Outline)>,
    /// What the switch changes, on that page.
    pub change: Option<Change>,
    /// What the classifiers said.
    pub masked: [Option<Arc<Masked>>; 2],
    /// Their maps.
    pub maps: [Option<Map>; 2],
    /// How the maps agree, where there are two.
    pub agreement: Option<Agreement>,
    /// For each square its ranks in the two maps, 0 (least) to 1.
    pub ranks: Vec<[f32; 2]>,
    /// Seconds that the classifiers took; `None` while they are being asked.
    pub seconds: Option<f32>,
}

/// What comes of a question: a view, or why there is none. `None` for a question that was stopped.
pub type Answer = Option<Result<Arc<View>, String>>;

/// The worker behind the workspace.
pub type AttributionWorker = Worker<Job, Answer>;

/// Starts the worker.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<AttributionWorker> {
    Worker::spawn("attribution", repaint(ctx), move |job: Job, desk| work(&job, gpu.as_ref(), desk))
}

/// The images of a subject, before anyone is asked.
struct Images {
    /// Shown, at the largest side that a classifier takes.
    image: Radiograph,
    /// The sample without the finding.
    off: Option<Radiograph>,
    labels: Vec<f32>,
    vocabulary: Vocabulary,
    masks: Vec<(String, Vec<bool>)>,
}

fn work(job: &Job, gpu: Option<&Gpu>, desk: &Desk<'_, Answer>) {
    let images = match images(&job.question) {
        Ok(images) => images,
        Err(reason) => return desk.answer(Some(Err(reason))),
    };
    let known = job.known.as_ref().filter(|known| known.question.is_about_the_same(&job.question));
    let mut masked = known.map_or([None, None], |known| known.masked.clone());
    let asked = masked.iter().zip(&job.question.pair.classifiers).any(|(m, c)| m.is_none() && c.is_some());
    if asked && known.is_none() {
        // The film itself at once; the maps follow.
        desk.answer(Some(Ok(Arc::new(view(&job.question, &images, [None, None], None, gpu)))));
    }
    let start = Instant::now();
    for ((masked, classifier), progress) in masked.iter_mut().zip(&job.question.pair.classifiers).zip(&job.progress) {
        let (None, Some(classifier)) = (&masked, classifier) else { continue };
        if desk.superseded() || progress.is_cancelled() {
            return desk.answer(None);
        }
        match classifier.masked(&images.image, job.question.block, progress) {
            Ok(answers) => *masked = Some(Arc::new(answers)),
            Err(crate::encoder::AttributionError::Cancelled(_)) => return desk.answer(None),
            Err(error) => return desk.answer(Some(Err(error.to_string()))),
        }
    }
    let before = known.and_then(|known| known.seconds);
    let seconds = if asked { Some(start.elapsed().as_secs_f32()) } else { before };
    desk.answer(Some(Ok(Arc::new(view(&job.question, &images, masked, seconds, gpu)))));
}

fn images(question: &Question) -> Result<Images, String> {
    let sides = question.pair.classifiers.iter().flatten().map(|c| c.card().input.side);
    let side = sides.max().unwrap_or(64).next_power_of_two().clamp(32, 256);
    match &question.subject {
        Subject::Film(films, i) => {
            let drawn = films.draw(*i, side).ok_or("there is no such film")?;
            let name = |at: usize| films.vocabulary.findings.get(at).cloned().unwrap_or_default();
            Ok(Images {
                image: drawn.image,
                off: None,
                labels: films.labels(*i).to_vec(),
                vocabulary: films.vocabulary.clone(),
                masks: drawn.masks.into_iter().map(|(at, mask)| (name(at), mask)).collect(),
            })
        }
        Subject::Switch(switch) => {
            let Switch { generator, recipe, finding } = &**switch;
            let render = |strength: f32| {
                let mut recipe = recipe.clone();
                recipe.set_strength(finding, strength);
                Ok::<_, String>((generator.render(&recipe).map_err(|error| error.to_string())?, recipe))
            };
            let strength = recipe.strength(finding);
            let (image, on) = render(if strength > 0.0 { strength } else { 1.0 })?;
            let vocabulary = generator.card().vocabulary.clone();
            let labels = vocabulary.findings.iter().map(|f| f32::from(u8::from(on.strength(f) >= 0.5))).collect();
            Ok(Images { image, off: Some(render(0.0)?.0), labels, vocabulary, masks: Vec::new() })
        }
    }
}

fn view(
    question: &Question,
    images: &Images,
    masked: [Option<Arc<Masked>>; 2],
    seconds: Option<f32>,
    gpu: Option<&Gpu>,
) -> View {
    let finding = question.finding.as_deref();
    let truth = finding.and_then(|finding| images.masks.iter().find(|(name, _)| name == finding));
    let maps = [0, 1].map(|slot| {
        let (masked, classifier) = (masked[slot].as_ref()?, question.pair.classifiers[slot].as_ref()?);
        let known = &classifier.card().vocabulary;
        let place = finding.and_then(|finding| known.position(finding));
        let target = match (finding, place) {
            (None, _) => Target::AllFindings,
            (Some(_), Some(place)) => Target::Finding(place),
            (Some(_), None) => return None,
        };
        let deltas = masked.map(&images.vocabulary.labels_for(&images.labels, known), target).ok()?;
        let off = images.off.as_ref().zip(place);
        let probability_off =
            off.and_then(|(off, place)| classifier.classify(std::slice::from_ref(off)).ok()?.get(place).copied());
        let inside = truth.map(|(_, mask)| {
            let parts = inside(mask, images.image.width(), masked);
            let sum: f32 = deltas.iter().sum();
            let share = deltas.iter().zip(&parts).map(|(delta, part)| delta * part).sum::<f32>() / sum;
            (share, mask.iter().filter(|&&m| m).count() as f32 / mask.len() as f32)
        });
        let cells = masked.cells();
        let most = deltas.iter().copied().fold(0.0, f32::max);
        Some(Map {
            film: Film::new(Radiograph::new(cells, cells, deltas, Meaning::Density).ok()?, gpu),
            most,
            stretch: (cells * masked.block()) as f32 / masked.side() as f32,
            probability: place.and_then(|place| masked.probabilities().get(place).copied()),
            probability_off,
            inside,
        })
    });
    let (agreement, ranks) = match &maps {
        [Some(a), Some(b)] => agreement(a, b).unzip(),
        _ => (None, None),
    };
    let change = images.off.as_ref().and_then(|off| change(&images.image, off, &maps, gpu));
    let size = [images.image.width(), images.image.height()];
    View {
        question: question.clone(),
        film: Film::new(images.image.clone(), gpu),
        labels: images.labels.clone(),
        vocabulary: images.vocabulary.clone(),
        outlines: images.masks.iter().map(|(name, mask)| (name.clone(), outline::of(mask, size))).collect(),
        change,
        masked,
        maps,
        agreement,
        ranks: ranks.unwrap_or_default(),
        seconds,
    }
}

/// Compares two maps on the coarser of their grids, and gives each square's ranks there.
fn agreement(a: &Map, b: &Map) -> Option<(Agreement, Vec<[f32; 2]>)> {
    let cells = a.film.size()[0].min(b.film.size()[0]);
    let [a, b] = [a, b].map(|map| map.film.image().resized(cells, cells));
    let (a, b) = (a.ok()?, b.ok()?);
    let rng = &mut random::stream(0, "shuffled squares");
    let found = stats::map_agreement(a.pixels(), b.pixels(), cells, (cells * cells).div_ceil(TOP), DRAWS, rng)?;
    let share = |rank: f64| ((rank - 0.5) / (cells * cells) as f64) as f32;
    let ranks = stats::midranks(a.pixels()).into_iter().zip(stats::midranks(b.pixels()));
    Some((found, ranks.map(|(a, b)| [share(a), share(b)]).collect()))
}

/// For each square the share of it that is inside a mask.
fn inside(mask: &[bool], side: usize, masked: &Masked) -> Vec<f32> {
    let cells = masked.cells();
    let mut counts = vec![[0_usize; 2]; cells * cells];
    for (at, &marked) in mask.iter().enumerate() {
        let cell = |place: usize| (place * masked.side() / side / masked.block()).min(cells - 1);
        let count = &mut counts[cell(at / side) * cells + cell(at % side)];
        count[0] += usize::from(marked);
        count[1] += 1;
    }
    counts.into_iter().map(|[marked, all]| marked as f32 / all.max(1) as f32).collect()
}

fn change(on: &Radiograph, off: &Radiograph, maps: &[Option<Map>; 2], gpu: Option<&Gpu>) -> Option<Change> {
    let (width, height) = (on.width(), on.height());
    let pixels: Vec<f32> = on.pixels().iter().zip(off.pixels()).map(|(on, off)| on - off).collect();
    let mean = pixels.iter().map(|v| v.abs()).sum::<f32>() / pixels.len() as f32;
    let most = pixels.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let inside_outside = [0, 1].map(|slot| {
        let map = maps[slot].as_ref()?;
        let (cells, deltas) = (map.film.size()[0], map.film.image().pixels());
        let mut sorted = deltas.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let border = sorted[deltas.len().div_ceil(TOP) - 1];
        let mut sums = [(0.0_f64, 0_usize); 2];
        for (at, value) in pixels.iter().enumerate() {
            let cell = |place: usize, length: usize| {
                ((place as f32 + 0.5) / length as f32 / map.stretch * cells as f32) as usize
            };
            let delta =
                deltas[cell(at / width, height).min(cells - 1) * cells + cell(at % width, width).min(cells - 1)];
            let sum = &mut sums[usize::from(delta < border)];
            *sum = (sum.0 + f64::from(value.abs()), sum.1 + 1);
        }
        Some(sums.map(|(sum, n)| (sum / n.max(1) as f64) as f32))
    });
    let difference = Radiograph::new(width, height, pixels, on.meaning()).ok()?;
    Some(Change {
        off: Film::new(off.clone(), gpu),
        difference: Film::new(difference, gpu),
        most,
        mean,
        inside_outside,
    })
}
