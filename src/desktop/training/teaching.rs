//! Teacher's mode: the critic's step, the generator's step, in slow motion, with every term of both losses in words.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{
    self, Align, Align2, Color32, Frame, Layout, Margin, Panel, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

use super::{Places, Training, charts, stages};
use crate::cohort::phantom::{self, Kind, PhantomOptions};
use crate::desktop::lightbox::{Film, Gpu};
use crate::desktop::render_worker::repaint;
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::{Thumbnail, caption, mode_button, number, section, text_button};
use crate::desktop::worker::{Desk, Worker};
use crate::progress::Progress;
use crate::training::lesson::{self, Lesson, Outcome, Player};

/// Phantoms in the lesson's pack.
const PHANTOMS: usize = 64;
/// Time from one step to the next in slow motion.
const SLOW: Duration = Duration::from_millis(900);

/// What is asked of the lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Begin,
    Step(Player),
}

/// What is on show after a step.
pub struct Scene {
    reals: Vec<(Film, f32)>,
    samples: Vec<(Film, f32)>,
    steps: [u64; 2],
    outcome: Option<Outcome>,
}

impl Scene {
    /// Steps of the critic and of the generator so far.
    pub fn steps(&self) -> [u64; 2] {
        self.steps
    }

    /// What the last step came to.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }
}

/// How steps follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    ByHand,
    Slow,
    Fast,
}

/// A lesson on screen.
pub struct Teaching {
    worker: Worker<Ask, Result<Arc<Scene>, String>>,
    scene: Option<Arc<Scene>>,
    problem: Option<String>,
    pace: Pace,
    last: Instant,
    losses: Vec<(Player, f32)>,
}

impl Teaching {
    /// Draws the phantoms and sets up two untrained networks, in the background.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn begin(ctx: &egui::Context, gpu: Option<Gpu>, places: &Places) -> io::Result<Self> {
        let pack = places.packs().join("lesson-chest");
        let mut lesson: Option<Lesson> = None;
        let worker = Worker::spawn("lesson", repaint(ctx), move |ask, desk: &Desk<'_, Result<Arc<Scene>, String>>| {
            let mut act = || -> Result<Arc<Scene>, String> {
                let outcome = match (ask, &mut lesson) {
                    (Ask::Step(Player::Critic), Some(lesson)) => Some(lesson.critic().map_err(|e| e.to_string())?),
                    (Ask::Step(Player::Generator), Some(lesson)) => {
                        Some(lesson.generator().map_err(|e| e.to_string())?)
                    }
                    (Ask::Begin, _) | (Ask::Step(_), None) => {
                        if let Some(parent) = pack.parent() {
                            std::fs::create_dir_all(parent)
                                .map_err(|e| format!("cannot make {}: {e}", parent.display()))?;
                        }
                        let resolution = lesson::SIDE;
                        let options = PhantomOptions {
                            kind: Kind::Chest,
                            count: PHANTOMS,
                            resolution,
                            seed: 1,
                            out: pack.clone(),
                        };
                        phantom::write(&options, &Progress::new()).map_err(|e| e.to_string())?;
                        lesson = Some(Lesson::begin(&pack, 1).map_err(|e| e.to_string())?);
                        None
                    }
                };
                let Some(lesson) = &lesson else { return Err("the lesson has not begun".to_owned()) };
                let films = |scored: Vec<lesson::Scored>| {
                    scored.into_iter().map(|s| (Film::new(s.image, gpu.as_ref()), s.score)).collect()
                };
                Ok(Arc::new(Scene {
                    reals: films(lesson.reals().map_err(|e| e.to_string())?),
                    samples: films(lesson.samples().map_err(|e| e.to_string())?),
                    steps: lesson.steps(),
                    outcome,
                }))
            };
            desk.answer(act());
        })?;
        worker.ask(Ask::Begin);
        Ok(Self { worker, scene: None, problem: None, pace: Pace::ByHand, last: Instant::now(), losses: Vec::new() })
    }

    /// What is on show.
    pub fn scene(&self) -> Option<&Scene> {
        self.scene.as_deref()
    }

    /// Whether a step is being taken.
    pub fn is_busy(&self) -> bool {
        self.worker.is_busy()
    }

    /// Takes one step.
    pub fn step(&mut self, player: Player) {
        if !self.worker.is_busy() {
            self.worker.ask(Ask::Step(player));
            self.last = Instant::now();
        }
    }

    /// Takes in what was done, and in slow motion asks for the next step. Never waits.
    pub fn advance(&mut self, ctx: &egui::Context) {
        match self.worker.newest() {
            Some(Ok(scene)) => {
                match &scene.outcome {
                    Some(outcome) => self.losses.push((outcome.player, outcome.loss)),
                    None => self.losses.clear(),
                }
                (self.scene, self.problem) = (Some(scene), None);
            }
            Some(Err(problem)) => (self.problem, self.pace) = (Some(problem), Pace::ByHand),
            None => {}
        }
        let wait = match self.pace {
            Pace::ByHand => return,
            Pace::Slow => SLOW.saturating_sub(self.last.elapsed()),
            Pace::Fast => Duration::ZERO,
        };
        if self.worker.is_busy() {
            return;
        }
        if wait.is_zero() {
            self.step(self.next());
        } else {
            ctx.request_repaint_after(wait);
        }
    }

    /// Whose turn it is.
    fn next(&self) -> Player {
        match self.losses.last() {
            Some((Player::Critic, _)) => Player::Generator,
            _ => Player::Critic,
        }
    }
}

/// Draws the lesson into all of `ui`.
pub fn show(ui: &mut Ui, training: &mut Training) {
    let colors = theme::colors(ui);
    let Some(mut teaching) = training.teaching.take() else { return };
    let mut leave = false;
    let bar = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(24, 8));
    Panel::top("teacher").exact_size(44.0).resizable(false).frame(bar).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.label(RichText::new("Teacher's mode").font(theme::medium(16.0)));
            caption(ui, "two small networks, 64 phantoms, one step at a time");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                leave = text_button(ui, "Leave", "Ends the lesson; nothing of it is kept.").clicked();
                if text_button(ui, "Start over", "Two untrained networks again.").clicked() {
                    teaching.pace = Pace::ByHand;
                    teaching.worker.ask(Ask::Begin);
                }
            });
        });
    });
    let frame = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(24, 12));
    egui::CentralPanel::no_frame().frame(frame).show(ui, |ui| {
        if let Some(problem) = &teaching.problem {
            ui.label(RichText::new(problem).color(colors.danger));
        }
        match teaching.scene.clone() {
            None if teaching.problem.is_none() => {
                ui.label(RichText::new("Drawing 64 phantoms…").color(colors.dim));
            }
            None => {}
            Some(scene) => {
                ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                    ui.set_max_width((ui.available_width() - 8.0).min(1040.0));
                    lesson(ui, &mut teaching, &scene);
                });
            }
        }
    });
    if !leave {
        training.teaching = Some(teaching);
    }
}

fn lesson(ui: &mut Ui, teaching: &mut Teaching, scene: &Scene) {
    let colors = theme::colors(ui);
    row(ui, "Phantoms, which play the real part", &scene.reals, colors.phantom);
    row(ui, "Samples of the generator, the same latents at every step", &scene.samples, colors.synthetic);
    scale(ui, scene);
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let next = teaching.next();
        for (player, word, tooltip) in [
            (
                Player::Critic,
                "Step critic",
                "The critic learns to tell these samples from phantoms; the generator stands still.",
            ),
            (
                Player::Generator,
                "Step generator",
                "The generator learns to please this critic; the critic stands still.",
            ),
        ] {
            let button = text_button(ui, word, tooltip);
            if player == next {
                let pen = Stroke::new(1.0, theme::tint(colors.synthetic, colors.panel, 0.5));
                ui.painter().rect_stroke(button.rect, 4.0, pen, egui::StrokeKind::Outside);
            }
            if button.clicked() {
                teaching.pace = Pace::ByHand;
                teaching.step(player);
            }
        }
        ui.add_space(12.0);
        for (pace, word, tooltip) in [
            (Pace::ByHand, "By hand", "Nothing moves until you step."),
            (Pace::Slow, "Slow motion", "Critic and generator in turn, about one step a second."),
            (Pace::Fast, "As fast as it goes", "Critic and generator in turn."),
        ] {
            if mode_button(ui, teaching.pace == pace, word, tooltip).clicked() {
                teaching.pace = pace;
            }
        }
        let [critic, generator] = scene.steps;
        let steps = |count: u64| if count == 1 { "1 step".to_owned() } else { format!("{count} steps") };
        caption(ui, format!("{} of the critic, {} of the generator", steps(critic), steps(generator)));
    });
    ui.add_space(4.0);
    match &scene.outcome {
        None => {
            ui.label("Both networks know nothing yet. Let the critic take a few steps, and watch the scores part.");
            ui.label("Then let the generator step: its samples climb towards what the critic takes for real.");
        }
        Some(outcome) => terms(ui, outcome),
    }
}

/// The terms of the last step's loss, each with what it does.
fn terms(ui: &mut Ui, outcome: &Outcome) {
    let colors = theme::colors(ui);
    let who = match outcome.player {
        Player::Critic => "The critic's loss at its last step",
        Player::Generator => "The generator's loss at its last step",
    };
    section(ui, who, |_| ());
    for term in &outcome.terms {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 12.0;
            let cell = |ui: &mut Ui, width: f32, text: RichText, align: Align| {
                let layout = Layout::left_to_right(Align::Min).with_main_align(align);
                ui.allocate_ui_with_layout(vec2(width, 18.0), layout, |ui| {
                    ui.set_min_width(width);
                    ui.label(text);
                });
            };
            cell(
                ui,
                72.0,
                RichText::new(charts::value(f64::from(term.value), false)).font(theme::medium(13.0)),
                Align::Max,
            );
            cell(ui, 160.0, RichText::new(term.name), Align::Min);
            ui.add(egui::Label::new(RichText::new(term.says).color(colors.dim)).wrap());
        });
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        let sum = charts::value(f64::from(outcome.loss), false);
        ui.allocate_ui_with_layout(vec2(72.0, 18.0), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(72.0);
            ui.label(RichText::new(sum).font(theme::medium(13.0)).color(colors.synthetic));
        });
        ui.label(RichText::new("the loss, which the step makes smaller").color(colors.synthetic));
    });
}

/// Eight films with the critic's score below each.
fn row(ui: &mut Ui, title: &str, films: &[(Film, f32)], accent: Color32) {
    section(ui, title, |_| ());
    let colors = theme::colors(ui);
    let gap = 8.0;
    let side = ((ui.available_width() - gap * (films.len().max(1) - 1) as f32) / films.len().max(1) as f32).min(112.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        for (index, (film, score)) in films.iter().enumerate() {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                let name = format!("{title}, number {}: score {}", index + 1, number(*score, 2));
                let thumbnail = Thumbnail {
                    film: Some(film),
                    look: stages::look(),
                    size: vec2(side, side),
                    frame: Stroke::new(1.0, theme::tint(accent, colors.ground, 0.7)),
                    name: &name,
                    clickable: false,
                };
                thumbnail
                    .show(ui)
                    .on_hover_text("The number below is the critic's score: high where it takes the image for real.");
                let text = RichText::new(number(*score, 2)).font(theme::caption()).color(accent);
                ui.allocate_ui_with_layout(vec2(side, 16.0), Layout::top_down(Align::Center), |ui| ui.label(text));
            });
        }
    });
}

/// All scores on one axis: phantoms above it, samples below.
fn scale(ui: &mut Ui, scene: &Scene) {
    let colors: Colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 52.0), Sense::hover());
    let mean = |films: &[(Film, f32)]| films.iter().map(|(_, score)| score).sum::<f32>() / films.len().max(1) as f32;
    let (real, fake) = (mean(&scene.reals), mean(&scene.samples));
    response.widget_info(|| {
        let text = format!("Scores: phantoms {} on average, samples {}", number(real, 2), number(fake, 2));
        WidgetInfo::labeled(Role::Image, true, text)
    });
    let all = || scene.reals.iter().chain(&scene.samples).map(|(_, score)| *score);
    let (low, high) = all().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let margin = ((high - low) * 0.05).max(0.05);
    let (low, high) = (low - margin, high + margin);
    let x = |score: f32| rect.left() + rect.width() * (score - low) / (high - low);
    let painter = ui.painter_at(rect.expand(4.0));
    let y = rect.center().y;
    painter.hline(rect.x_range(), y, Stroke::new(1.0, colors.track));
    for (films, dy, color) in [(&scene.reals, -8.0, colors.phantom), (&scene.samples, 8.0, colors.synthetic)] {
        for (_, score) in films {
            painter.circle_filled(pos2(x(*score), y + dy), 3.5, color);
        }
    }
    for (score, above, color) in [(real, true, colors.phantom), (fake, false, colors.synthetic)] {
        let (from, to) = if above { (y - 16.0, y) } else { (y, y + 16.0) };
        painter.line_segment([pos2(x(score), from), pos2(x(score), to)], Stroke::new(2.0, color));
        let word = if above { "phantoms, mean" } else { "samples, mean" };
        let (place, anchor) = if above {
            (pos2(x(score), rect.top()), Align2::CENTER_TOP)
        } else {
            (pos2(x(score), rect.bottom()), Align2::CENTER_BOTTOM)
        };
        let room = Rect::from_min_max(rect.min, rect.max);
        let galley = painter.layout_no_wrap(format!("{word} {}", number(score, 2)), theme::caption(), color);
        let wanted = anchor.anchor_size(place, galley.size());
        let left = wanted.left().clamp(room.left(), (room.right() - galley.size().x).max(room.left()));
        painter.galley(pos2(left, wanted.top()), galley, color);
    }
    response.on_hover_text("The critic's score of each image: low at the left, high at the right.");
}
