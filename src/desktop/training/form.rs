//! Composing a run: the few choices that matter in front, everything else a spec can say folded behind them, and beside
//! them what it will cost and where it is trained.

mod cost;
mod folded;
mod front;
mod help;
mod place;
mod seeds;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use eframe::egui::{
    Align, CentralPanel, Context, Frame, Label, Layout, Margin, Panel, RichText, ScrollArea, TextEdit, Ui, vec2,
};

use super::draft::Draft;
use super::keeper::Refusal;
use super::watcher::Run;
use super::{Places, Training};
use crate::cohort::Pack;
use crate::desktop::action::Actions;
use crate::desktop::state::{ClusterChoice, Settings};
use crate::desktop::task::{Outcome, Task};
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, grouped, text_button};
use crate::generator::Family;

/// Width of the names of fields.
const NAME: f32 = 128.0;

/// The form.
pub struct Form {
    draft: Draft,
    packs: Vec<Choice>,
    /// Folders that may be packs and one that may hold some, until they are looked through with those that are known.
    unseen: Option<(Vec<PathBuf>, PathBuf)>,
    looking: Option<Task<Vec<Choice>>>,
    /// Parts of the spec that are unfolded.
    open: BTreeSet<String>,
    /// What was said of the cohort when the run was to be made.
    refused: Option<String>,
    /// What was said of everything else.
    failed: Option<String>,
    /// Whether the run is being made.
    making: bool,
    /// The cluster, and whether it is the place to train.
    cluster: ClusterChoice,
    /// The fields that say where the cluster is, unfolded.
    cluster_open: bool,
    /// The cluster's job to wait for, as it is typed.
    after: String,
    /// Seeds of the runs that go to the cluster, as they are typed; the spec's own where nothing is.
    seeds: String,
    /// Bytes that the run needs by its estimate, and that this computer could give when they were last counted.
    available: Option<(f64, u64)>,
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
    /// An empty form; the packs that are known are looked for in the background, once it is on screen.
    pub fn new(settings: &Settings, places: &Places) -> Self {
        Self::with(Draft::new("small-32", Family::CpdGan, None), Vec::new(), places, settings.cluster.clone())
    }

    /// A form that begins with the spec of another run.
    pub fn like(spec: &crate::training::RunSpec, places: &Places, cluster: &ClusterChoice) -> Self {
        Self::with(Draft::like(spec), vec![spec.cohort.clone()], places, cluster.clone())
    }

    fn with(draft: Draft, known: Vec<PathBuf>, places: &Places, cluster: ClusterChoice) -> Self {
        Self {
            draft,
            packs: Vec::new(),
            unseen: Some((known, places.packs())),
            looking: None,
            open: BTreeSet::new(),
            refused: None,
            failed: None,
            making: false,
            cluster,
            cluster_open: false,
            after: String::new(),
            seeds: String::new(),
            available: None,
        }
    }

    /// Begins to look for packs where that was not done yet: those of all runs are among them, and those that were opened or
    /// trained on.
    fn look_for_packs(&mut self, ctx: &Context, runs: &[Run], settings: &Settings) {
        let Some((mut folders, packs)) = self.unseen.take() else { return };
        folders.extend(settings.cohorts.values().chain(&settings.training_cohorts).cloned());
        folders.extend(runs.iter().map(|run| run.status.cohort.clone()));
        folders.retain(|folder| folder.is_absolute());
        // Without a thread the list stays empty; a pack can still be chosen by its folder.
        self.looking = Task::spawn("look for packs", ctx, move |_| {
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

    /// The cluster, and whether it is the place to train.
    pub fn cluster(&self) -> &ClusterChoice {
        &self.cluster
    }

    /// The seeds of the runs that go to the cluster, or what is wrong with them; `None` where there is no spec yet.
    fn seeds(&self) -> Option<Result<Vec<u64>, String>> {
        Some(seeds::of(self.draft.spec()?, &self.seeds))
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
        self.note_largest();
    }

    fn note_largest(&mut self) {
        self.draft.set_largest(self.choice().map(|choice| choice.largest));
    }

    /// Takes in the packs that were found. Never waits.
    pub fn advance(&mut self) {
        match self.looking.as_ref().map(Task::poll) {
            None | Some(Outcome::Running) => {}
            Some(Outcome::Done(packs)) => {
                self.looking = None;
                // One that was chosen meanwhile stays.
                self.packs.extend(packs);
                self.packs.sort_by(|a, b| a.folder.cmp(&b.folder));
                self.packs.dedup();
                match self.packs.first() {
                    Some(first) if self.text("cohort").is_empty() => self.set_cohort(&first.folder.clone()),
                    _ => self.note_largest(),
                }
            }
            Some(Outcome::Failed) => self.looking = None,
        }
    }

    /// Whether the packs have been looked for.
    pub fn is_settled(&self) -> bool {
        self.unseen.is_none() && self.looking.is_none()
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
            largest: pack.largest_side(),
        })
    }

    fn about(&self) -> String {
        format!("{} · {} films, up to {} px", self.name, grouped(self.films as u64), self.largest)
    }
}

/// Draws the form into all of `ui`.
pub fn show(ui: &mut Ui, training: &mut Training, settings: &Settings, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let Some(mut form) = training.form.take() else { return };
    form.look_for_packs(ui.ctx(), training.runs(), settings);
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
        cost::cost(ui, &mut form, training);
    });
    let padded = Frame::new().fill(colors.panel).inner_margin(Margin::symmetric(24, 12));
    CentralPanel::no_frame().frame(padded).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.set_max_width((ui.available_width() - 12.0).min(620.0));
            front::front(ui, &mut form, actions);
            ui.add_space(8.0);
            folded::folded(ui, &mut form);
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
    ui.horizontal_top(|ui| {
        ui.add_space(NAME + 8.0);
        warning(ui, problem);
    });
}

/// A sign and what is wrong, within a line.
fn warning(ui: &mut Ui, problem: &str) {
    let danger = theme::colors(ui).danger;
    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), eframe::egui::Sense::hover());
    Icon::Warning.paint(ui.painter(), rect.center(), 12.0, danger);
    ui.add(Label::new(RichText::new(problem).font(theme::caption()).color(danger)).wrap());
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
