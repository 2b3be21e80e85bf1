//! Composing a run: the few choices that matter in front, everything else a spec can say folded behind them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use eframe::egui::{
    Align, Align2, Button, CentralPanel, ComboBox, Frame, Label, Layout, Margin, Panel, RichText, Role, ScrollArea,
    Sense, Stroke, TextEdit, Ui, WidgetInfo, pos2, vec2,
};

use super::draft::{Draft, Field};
use super::estimate::{about, bytes, estimate};
use super::keeper::{Deed, Refusal};
use super::{Places, Training};
use crate::cohort::Pack;
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::state::Settings;
use crate::desktop::task::{Outcome, Task};
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, grouped, mode_button, section, text_button};
use crate::generator::Family;
use crate::training::presets;

/// Width of the names of fields.
const NAME: f32 = 128.0;

/// Fields that stand in front, so that they are not repeated among the folded ones.
const FRONT: [&str; 4] = ["name", "cohort", "network.family", "schedule.total_kimg"];

/// Parts of a spec in the order in which one thinks of them; those of later versions follow.
const PARTS: [&str; 8] = ["network", "loss", "schedule", "optimiser", "average", "data", "record", "run"];

/// The form.
pub struct Form {
    draft: Draft,
    packs: Vec<Choice>,
    looking: Option<Task<Vec<Choice>>>,
    /// Parts of the spec that are unfolded.
    open: BTreeSet<String>,
    /// What was said of the cohort when the run was to be made.
    refused: Option<String>,
    /// What was said of everything else.
    failed: Option<String>,
    /// Whether the run is being made.
    making: bool,
}

/// A pack that can be trained on.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    folder: PathBuf,
    name: String,
    films: usize,
    labels: usize,
    largest: usize,
}

impl Form {
    /// An empty form; the packs that are known are looked for in the background.
    pub fn new(settings: &Settings, places: &Places) -> Self {
        let mut form = Self::with(Draft::new("small-32", Family::CpdGan, None));
        form.look_for_packs(settings, places);
        form
    }

    /// A form that begins with the spec of another run.
    pub fn like(spec: &crate::training::RunSpec, places: &Places) -> Self {
        let mut form = Self::with(Draft::like(spec));
        form.look_for_packs(&Settings::default(), places);
        form
    }

    fn with(draft: Draft) -> Self {
        Self {
            draft,
            packs: Vec::new(),
            looking: None,
            open: BTreeSet::new(),
            refused: None,
            failed: None,
            making: false,
        }
    }

    fn look_for_packs(&mut self, settings: &Settings, places: &Places) {
        let mut folders: Vec<PathBuf> = settings.cohorts.values().cloned().collect();
        folders.extend(settings.training_cohorts.iter().cloned());
        folders.extend(Some(PathBuf::from(self.text("cohort"))).filter(|path| path.is_absolute()));
        let packs = places.packs();
        // Without a thread the list stays empty; a pack can still be chosen by its folder.
        self.looking = Task::spawn("look for packs", &eframe::egui::Context::default(), move |_| {
            let kept = std::fs::read_dir(packs).into_iter().flatten().flatten().map(|entry| entry.path());
            folders.extend(kept);
            folders.sort();
            folders.dedup();
            folders.iter().filter_map(|folder| Choice::of(folder)).collect()
        })
        .ok();
    }

    fn text(&self, path: &str) -> String {
        self.draft.field(path).map(|field| field.text).unwrap_or_default()
    }

    /// The spec as it is typed.
    pub fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }

    /// The pack to train on.
    pub fn cohort(&self) -> PathBuf {
        PathBuf::from(self.text("cohort"))
    }

    /// Chooses the pack to train on.
    pub fn set_cohort(&mut self, folder: &Path) {
        self.refused = None;
        self.draft.set("cohort", &folder.display().to_string());
        if !self.packs.iter().any(|choice| choice.folder == folder)
            && let Some(choice) = Choice::of(folder)
        {
            self.packs.push(choice);
        }
        let chosen = self.packs.iter().find(|choice| choice.folder == folder);
        if let (Some(choice), "my-model") = (chosen, self.text("name").as_str()) {
            let name = format!("{}-{}", choice.name, self.text("network.resolution"));
            self.draft.set("name", &name);
        }
    }

    /// Takes in the packs that were found. Never waits.
    pub fn advance(&mut self) {
        match self.looking.as_ref().map(Task::poll) {
            None | Some(Outcome::Running) => {}
            Some(Outcome::Done(packs)) => {
                self.looking = None;
                self.packs = packs;
                if self.text("cohort").is_empty()
                    && let Some(first) = self.packs.first().cloned()
                {
                    self.set_cohort(&first.folder);
                }
            }
            Some(Outcome::Failed) => self.looking = None,
        }
    }

    /// Whether the packs have been looked for.
    pub fn is_settled(&self) -> bool {
        self.looking.is_none()
    }

    /// Takes in why the run was not made.
    pub fn refused(&mut self, refusal: Refusal) {
        self.making = false;
        if refusal.cohort {
            self.refused = Some(refusal.reason);
        } else {
            self.failed = Some(refusal.reason);
        }
    }

    fn choice(&self) -> Option<&Choice> {
        let cohort = self.cohort();
        self.packs.iter().find(|choice| choice.folder == cohort)
    }
}

impl Choice {
    fn of(folder: &Path) -> Option<Self> {
        let pack = Pack::open(folder).ok()?;
        let header = pack.header();
        Some(Self {
            folder: folder.to_path_buf(),
            name: header.name.clone(),
            films: header.films,
            labels: header.vocabulary.len(),
            largest: header.resolutions.iter().max().copied().unwrap_or(0),
        })
    }

    fn about(&self) -> String {
        format!("{} · {} films, up to {} px", self.name, grouped(self.films as u64), self.largest)
    }
}

/// Draws the form into all of `ui`.
pub fn show(ui: &mut Ui, training: &mut Training, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let Some(mut form) = training.form.take() else { return };
    let mut leave = false;
    let bar = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(24, 8));
    Panel::top("compose").exact_size(44.0).resizable(false).frame(bar).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.label(RichText::new("New run").font(theme::medium(16.0)));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                leave = text_button(ui, "Cancel", "Leaves without making a run.").clicked();
            });
        });
    });
    let width = (ui.available_width() * 0.42).clamp(280.0, 440.0);
    let side = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(16, 12));
    Panel::right("cost").exact_size(width).resizable(false).frame(side).show(ui, |ui| {
        cost(ui, &mut form, training);
    });
    let padded = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(24, 12));
    CentralPanel::no_frame().frame(padded).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.set_max_width((ui.available_width() - 12.0).min(620.0));
            front(ui, &mut form, actions);
            ui.add_space(8.0);
            folded(ui, &mut form);
        });
    });
    if !leave {
        training.form = Some(form);
    }
}

/// One field on a line: name, control, and below it what is wrong.
fn line(ui: &mut Ui, name: &str, tooltip: &str, problem: Option<&str>, control: impl FnOnce(&mut Ui)) {
    // An identity of its own, so that the focus stays where it is when a problem above comes or goes.
    ui.push_id(name, |ui| {
        ui.horizontal(|ui| {
            let label = ui.allocate_ui_with_layout(vec2(NAME, 24.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(NAME);
                ui.add(Label::new(RichText::new(name).color(theme::colors(ui).dim)).truncate())
            });
            let label = label.inner;
            if !tooltip.is_empty() {
                label.on_hover_text(tooltip);
            }
            control(ui);
        });
    });
    if let Some(problem) = problem {
        trouble(ui, problem);
    }
}

fn trouble(ui: &mut Ui, problem: &str) {
    let danger = theme::colors(ui).danger;
    ui.horizontal_top(|ui| {
        ui.add_space(NAME + 8.0);
        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), eframe::egui::Sense::hover());
        Icon::Warning.paint(ui.painter(), rect.center(), 12.0, danger);
        ui.add(Label::new(RichText::new(problem).font(theme::caption()).color(danger)).wrap());
    });
}

/// The few choices that matter.
fn front(ui: &mut Ui, form: &mut Form, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = 6.0;
    let problem = |form: &Form, path: &str| form.draft.field(path).and_then(|field| field.problem);
    let name_problem = problem(form, "name");
    line(
        ui,
        "Name",
        "Of the model that comes out; the run's folder is named after it.",
        name_problem.as_deref(),
        |ui| {
            text_field(ui, form, "name", "Name", 320.0);
        },
    );
    let cohort_problem = form.refused.clone().or_else(|| problem(form, "cohort"));
    line(
        ui,
        "Cohort",
        "The pack to train on; only its train fold is shown to the networks.",
        cohort_problem.as_deref(),
        |ui| {
            let chosen = form.choice().map(Choice::about);
            let text = chosen.unwrap_or_else(|| match form.text("cohort") {
                path if path.is_empty() => "choose a pack".to_owned(),
                path => path,
            });
            let mut picked = None;
            ComboBox::from_id_salt("cohort")
                .width(280.0)
                .truncate()
                .selected_text(text)
                .show_ui(ui, |ui| {
                    for choice in &form.packs {
                        let here = choice.folder == form.cohort();
                        let line = ui.selectable_label(here, choice.about());
                        if line.on_hover_text(choice.folder.display().to_string()).clicked() {
                            picked = Some(choice.folder.clone());
                        }
                    }
                    if form.packs.is_empty() {
                        caption(ui, "No pack is known yet.");
                    }
                })
                .response
                .accessible_name("Cohort");
            if let Some(folder) = picked {
                form.set_cohort(&folder);
            }
            let open = Command::TrainOn;
            if text_button(ui, "Other…", open.tooltip()).clicked() {
                actions.push(Action::Run(open));
            }
        },
    );
    let family = form.draft.family();
    line(ui, "Network", "Both as published; see docs/models.md for how they differ.", None, |ui| {
        let kinds = [
            (Family::CpdGan, "The findings enter every layer; one size from the start."),
            (Family::ProgGan, "Grows from 8 px to its full size; a classifier inside the critic reads the findings."),
        ];
        for (kind, tooltip) in kinds {
            if mode_button(ui, kind == family, kind.name(), tooltip).clicked() && kind != family {
                let preset = if form.draft.preset().is_empty() { "small-32" } else { form.draft.preset() };
                form.draft = Draft::new(preset, kind, Some(&form.draft));
            }
        }
    });
    line(
        ui,
        "Size",
        "Width of the networks, length of the schedule and everything else that goes with them.",
        None,
        |ui| {
            let published = presets::NAMES.into_iter().filter(|name| presets::preset(name, family).is_some());
            let (small, paper): (Vec<&'static str>, Vec<&'static str>) =
                published.partition(|name| name.starts_with("small"));
            for preset in small.into_iter().chain(paper) {
                let (kind, side) = preset.split_once('-').unwrap_or((preset, ""));
                let tooltip = if kind == "paper" {
                    "As published: wide networks and millions of images; for a GPU."
                } else {
                    "Not the paper's: narrow networks for cohorts of a few thousand images and a laptop."
                };
                let chosen = form.draft.preset() == preset;
                if mode_button(ui, chosen, &format!("{kind} {side} px"), tooltip).clicked() && !chosen {
                    form.draft = Draft::new(preset, family, Some(&form.draft));
                }
            }
        },
    );
    let long_problem = problem(form, "schedule.total_kimg");
    line(ui, "How long", "Real images shown over the whole run, in thousands.", long_problem.as_deref(), |ui| {
        text_field(ui, form, "schedule.total_kimg", "How long, in thousands of images", 80.0);
        caption(ui, "thousand images");
        if let (Some(spec), Some(choice)) = (form.draft.spec(), form.choice()) {
            let passes = spec.schedule.total_kimg * 1000.0 / (choice.films as f64 * 0.8).max(1.0);
            caption(ui, format!("· about {passes:.0} times through the train fold"));
        }
    });
}

/// A text field of the draft.
fn text_field(ui: &mut Ui, form: &mut Form, path: &str, name: &str, width: f32) {
    let Some(field) = form.draft.field(path) else { return };
    let mut text = field.text;
    let edit = TextEdit::singleline(&mut text).desired_width(width).margin(vec2(6.0, 4.0));
    if ui.add(edit).accessible_name(name).changed() {
        form.draft.set(path, &text);
    }
}

/// Everything else that a spec can say, part by part.
fn folded(ui: &mut Ui, form: &mut Form) {
    let fields: Vec<Field> =
        form.draft.fields().into_iter().filter(|field| !FRONT.contains(&field.path.as_str())).collect();
    let mut parts: Vec<String> = Vec::new();
    for field in &fields {
        let part = part_of(&field.path).to_owned();
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.sort_by_key(|part| PARTS.iter().position(|own| part.starts_with(own)).unwrap_or(PARTS.len()));
    section(ui, "Everything else", |_| ());
    for part in parts {
        let own: Vec<&Field> = fields.iter().filter(|field| part_of(&field.path) == part).collect();
        let wrong = own.iter().filter(|field| field.problem.is_some()).count();
        let open = form.open.contains(&part) || wrong > 0;
        if header(ui, &title(&part), open, wrong, &summary(&own)) {
            if open {
                form.open.remove(&part)
            } else {
                form.open.insert(part.clone())
            };
        }
        if !open {
            continue;
        }
        for field in own {
            let name = words(field.path.strip_prefix(&format!("{part}.")).unwrap_or(&field.path));
            line(ui, &name, help(&field.path), field.problem.as_deref(), |ui| control(ui, form, field, &name));
        }
    }
    let optional: Vec<(&str, bool)> = form.draft.optional().collect();
    for (part, on) in optional {
        line(ui, &title(part), help(part), None, |ui| {
            let word = if on { "Leave out" } else { "Add" };
            if text_button(ui, word, help(part)).accessible_name(format!("{word} {}", title(part))).clicked() {
                form.draft.switch(part, !on);
                form.open.insert(part.to_owned());
            }
        });
    }
    if let Some(problem) = form.draft.problem_elsewhere().map(str::to_owned) {
        trouble(ui, &problem);
    }
}

fn control(ui: &mut Ui, form: &mut Form, field: &Field, name: &str) {
    if field.choices.is_empty() {
        let width = if field.path == "start_from" { 320.0 } else { 112.0 };
        text_field(ui, form, &field.path, name, width);
        return;
    }
    for &choice in field.choices {
        if mode_button(ui, field.text == choice, &choice.replace('_', " "), help(&field.path)).clicked() {
            form.draft.set(&field.path, choice);
        }
    }
}

/// The line that folds a part; `true` when it was clicked.
fn header(ui: &mut Ui, title: &str, open: bool, wrong: usize, summary: &str) -> bool {
    let colors = theme::colors(ui);
    let row = ui.push_id(title, |ui| {
        ui.horizontal(|ui| {
            let sign = if open { "\u{2212}" } else { "+" };
            let name = format!("{} {title}", if open { "Fold" } else { "Unfold" });
            let button = fold(ui, sign, title, &name);
            if wrong > 0 {
                ui.label(RichText::new(format!("{wrong} to mend")).font(theme::caption()).color(colors.danger));
            } else if !open {
                ui.add(Label::new(RichText::new(summary).font(theme::caption()).color(colors.dim)).truncate());
            }
            button
        })
    });
    row.inner.inner
}

/// A flat button as wide as the names of fields, its words at the left.
fn fold(ui: &mut Ui, sign: &str, title: &str, name: &str) -> bool {
    let colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(NAME, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 4.0, colors.hovered);
    }
    let text = |x: f32, text: &str, ink| {
        let place = pos2(rect.left() + x, rect.center().y);
        ui.painter().text(place, Align2::LEFT_CENTER, text, theme::medium(theme::TEXT), ink);
    };
    text(2.0, sign, colors.dim);
    text(18.0, title, colors.text);
    response.clicked()
}

/// The first numbers of a folded part, so that one need not unfold it to see them.
fn summary(fields: &[&Field]) -> String {
    let few = fields.iter().take(4).map(|field| {
        let name = field.path.rsplit('.').next().unwrap_or_default();
        format!("{} {}", words(name), field.text.replace('_', " "))
    });
    let rest = if fields.len() > 4 { " …" } else { "" };
    few.collect::<Vec<_>>().join(", ") + rest
}

/// The part of the spec that a field belongs to: its table, or for one level of the schedule, that level.
fn part_of(path: &str) -> &str {
    if path.starts_with("schedule.levels.") {
        let end = path.rfind('.').unwrap_or(path.len());
        return &path[..end];
    }
    path.split_once('.').map_or("run", |(part, _)| part)
}

fn title(part: &str) -> String {
    let text = match part.strip_prefix("schedule.levels.") {
        Some(number) => format!("level {}", number.parse::<usize>().map_or(0, |n| n + 1)),
        None => words(part),
    };
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    first + letters.as_str()
}

fn words(name: &str) -> String {
    name.replace(['_', '.'], " ")
}

/// What a field means, in a sentence.
fn help(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    match (path, last) {
        ("seed", _) => "Of every random draw: the same spec and seed give the same weights.",
        ("network.resolution", _) => "Side of the finished images in pixels, a power of two.",
        ("network.latent", _) => "Length of the latent vector.",
        (_, "feature_base") => "Features at a side are this number divided by the side …",
        (_, "feature_max") => "… but at most this many.",
        ("loss.kind", _) => "WGAN-GP as published, or the logistic loss with R1.",
        (_, "penalty") => "Weight of the gradient penalty; 10 as published.",
        (_, "drift") => "Weight of the squared score of reals; 0.001 as published.",
        (_, "gamma") => "Weight of R1's penalty.",
        (_, "every") => "Steps from one penalty to the next.",
        (_, "label_weight") => "Weight of the classifier inside the critic; prog-GAN only.",
        (_, "side") => "Pixels of this level; each level doubles the one before.",
        (_, "batch") => "Images in a minibatch, a multiple of 4.",
        (_, "fade_kimg") => "Thousands of images over which this level fades in.",
        (_, "stable_kimg") => "Thousands of images shown at this level after the fade.",
        (_, "rate") => "Learning rate of both networks.",
        (_, "beta1" | "beta2") => "Decay of Adam's moments.",
        (_, "epsilon") => "Added under Adam's division.",
        (_, "settle") => "Share of the run's end over which the rate falls to a tenth.",
        ("average.kind" | "average.decay" | "average.kimg", _) => {
            "How fast the average of the generator, from which samples are drawn, follows it."
        }
        ("data.augment", _) => "What is done to every image before the critic sees it; helps small cohorts.",
        ("data.balanced", _) => "Draws a finding first, then an image that has it.",
        ("anchor" | "anchor.alone_kimg" | "anchor.weight", _) => {
            "Ties the generator to the principal components of the train fold, which the papers do not."
        }
        ("start_from", _) => "A checkpoint of another run to take weights from.",
        (_, "sample_kimg") => "Thousands of images from one sample grid to the next.",
        (_, "checkpoint_kimg") => "Thousands of images from one checkpoint to the next.",
        (_, "keep") => "Checkpoints kept; older ones are removed.",
        (_, "half_precision") => "Whether the model file holds 16-bit numbers.",
        _ => "See the comments in the file that `negatoscope train --preset` prints.",
    }
}

/// What it will cost, how to begin, and the file that is written.
fn cost(ui: &mut Ui, form: &mut Form, training: &mut Training) {
    let colors = theme::colors(ui);
    section(ui, "What it will cost", |_| ());
    if let Some(spec) = form.draft.spec() {
        let labels = form.choice().map_or(14, |choice| choice.labels);
        let cost = estimate(spec, labels, training.runs());
        ui.horizontal(|ui| {
            ui.label(RichText::new(about(cost.seconds)).font(theme::medium(22.0)).color(colors.text));
            ui.label(RichText::new("on this machine").color(colors.dim));
        });
        caption(
            ui,
            match &cost.measured_on {
                Some(run) => format!("From the pace of {run}, which has the same networks and loss."),
                None => {
                    "A guess from a narrow network's 27 images per second at 64 px on two processor cores. Once a run \
                         of this kind has begun, its own pace is used."
                        .to_owned()
                }
            },
        );
        let parameters = grouped(cost.parameters as u64);
        caption(ui, format!("About {} of memory; {parameters} parameters in both networks.", bytes(cost.memory)));
    } else {
        let count = form.draft.problems();
        let text = if count == 1 {
            "One field is to be mended first.".to_owned()
        } else {
            format!("{count} fields are to be mended first.")
        };
        caption(ui, text);
    }
    ui.add_space(8.0);
    let ready = form.draft.spec().cloned().filter(|_| !form.making);
    let busy = training.runs().iter().any(|run| run.status.state.is_running());
    let width = ui.available_width();
    let mut make = |ui: &mut Ui, word: &str, tooltip: &str, queued: bool, form: &mut Form| {
        let mut button = Button::new(RichText::new(word).font(theme::medium(theme::TEXT))).min_size(vec2(width, 32.0));
        if ready.is_some() && (queued || !busy) {
            let pen = Stroke::new(1.0, theme::tint(colors.synthetic, colors.panel, 0.5));
            button = button.fill(theme::tint(colors.synthetic, colors.panel, 0.22)).stroke(pen);
        }
        let response = ui.add_enabled(ready.is_some(), button).on_hover_text(tooltip);
        if let (true, Some(spec)) = (response.clicked(), ready.clone()) {
            (form.refused, form.failed, form.making) = (None, None, true);
            training.ask(Deed::Make { spec: Box::new(spec), queued });
        }
    };
    if busy {
        make(
            ui,
            "Add to queue",
            "Begins when the runs before it have ended, even if this window is closed.",
            true,
            form,
        );
        make(ui, "Start beside the run that goes on", "Both will be slower.", false, form);
    } else {
        make(ui, "Start", "In a process of its own, which goes on when this window is closed.", false, form);
    }
    if let Some(failed) = &form.failed {
        ui.label(RichText::new(failed).color(colors.danger));
    }
    ui.add_space(8.0);
    section(ui, "run.toml", |ui| {
        if text_button(ui, "Copy", "Copies the file, for `negatoscope train` or a cluster.").clicked() {
            ui.ctx().copy_text(form.draft.to_toml());
        }
    });
    ScrollArea::both().auto_shrink([false, false]).id_salt("toml").show(ui, |ui| {
        let text = form.draft.spec().map_or_else(|| form.draft.to_toml(), crate::training::RunSpec::to_toml);
        ui.add(Label::new(RichText::new(text).monospace().color(colors.dim)).extend());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_into_parts_that_have_names() {
        assert_eq!(part_of("schedule.levels.1.batch"), "schedule.levels.1");
        assert_eq!((part_of("seed"), part_of("optimiser.rate")), ("run", "optimiser"));
        assert_eq!(title("schedule.levels.1"), "Level 2");
        assert_eq!(title("start_from"), "Start from");
    }
}
