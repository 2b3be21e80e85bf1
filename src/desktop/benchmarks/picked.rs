//! A point that is looked at more closely: its numbers, and the generators behind it, as far as the sweep's folder still has
//! them.

use std::path::PathBuf;

use eframe::egui::{RichText, Ui};

use super::shelf::Entry;
use crate::benchmark::SweepFolder;
use crate::benchmark::figure::short;
use crate::desktop::action::{Action, Actions};
use crate::desktop::session::Trained;
use crate::desktop::theme;
use crate::desktop::widgets::{caption, section, text_button};

/// What is behind a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// Curve and place, in words.
    pub title: String,
    /// The mean with its interval.
    pub mean: String,
    /// Each repeat.
    pub seeds: Vec<Seed>,
    /// Folder of the cohort's pack.
    pack: PathBuf,
    /// Why there is nothing to open, where there is nothing.
    pub nothing: Option<&'static str>,
}

/// One repeat of a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// Its number and AUROC.
    pub words: String,
    /// The generator's run.
    pub run: Option<PathBuf>,
    /// The generator's model file.
    pub model: Option<PathBuf>,
}

impl Picked {
    /// Looks behind a point of a result: reads a small file and asks for the presence of a few others.
    pub fn of(entry: &Entry, curve: usize, point: usize) -> Option<Self> {
        let result = &entry.result;
        let at = result.points.get(point)?;
        let value = at.values.iter().find(|value| value.curve == curve)?;
        let folder = entry.folder.as_deref().and_then(|folder| SweepFolder::open(folder).ok());
        let number = |value: Option<f64>| value.map_or("not defined".to_owned(), |v| format!("{v:.3}"));
        let interval = value.interval.map_or(String::new(), |b| format!(" ({:.3} to {:.3})", b.low, b.high));
        let relative =
            value.relative.as_ref().map(|r| format!(", {:.3} of the classifier trained on real films", r.ratio));
        let seeds: Vec<Seed> = value
            .seeds
            .iter()
            .map(|seed| {
                let key = seed.generator.as_deref();
                let behind = key.and_then(|key| Some(folder.as_ref()?.0.model(key)));
                let run = behind.as_ref().and_then(|model| model.parent()).map(std::path::Path::to_path_buf);
                Seed {
                    words: format!("seed {}: {}", seed.seed + 1, number(seed.auroc)),
                    run: run.filter(|run| run.join("run.toml").is_file()),
                    model: behind.filter(|model| model.is_file()),
                }
            })
            .collect();
        let pack = folder.as_ref().and_then(|(folder, spec)| {
            let drawn = spec.phantom.is_some().then(|| folder.root().join("cohort"));
            drawn.or_else(|| spec.cohort.clone())
        });
        let nothing = if curve == 0 {
            Some("Its classifiers were trained on the cohort's own films; there is no generator behind it.")
        } else if entry.folder.is_none() {
            Some("Results that ship come without their models.")
        } else if seeds.iter().all(|seed| seed.run.is_none() && seed.model.is_none()) {
            Some("The sweep's folder no longer has the generators behind it.")
        } else {
            None
        };
        let name = &result.curves.get(curve)?.name;
        let unit = match result.factor.as_str() {
            "classes" => "classes",
            "samples" => "films a class",
            "resolution" => "px",
            _ => "samples to a film",
        };
        Some(Self {
            title: format!("{name} at {} {unit}", short(at.value)),
            mean: format!("AUROC {}{interval}{}", number(value.auroc), relative.unwrap_or_default()),
            seeds,
            pack: pack.unwrap_or_default(),
            nothing,
        })
    }

    /// Draws what is behind the point; `true` when it was closed.
    pub fn show(&self, ui: &mut Ui, actions: &mut Actions) -> bool {
        let mut closed = false;
        section(ui, &self.title, |ui| {
            closed = text_button(ui, "Close", "Back to what the curves say.").clicked();
        });
        ui.label(RichText::new(&self.mean).font(theme::text()));
        for seed in &self.seeds {
            ui.horizontal(|ui| {
                ui.label(RichText::new(&seed.words).font(theme::text()));
                if let Some(model) = &seed.model {
                    let tooltip = "Opens the generator in Explore, beside the nearest films of its cohort.";
                    let open = text_button(ui, "Samples and neighbours", tooltip);
                    if open.accessible_name(format!("Samples and neighbours, {}", seed.words)).clicked() {
                        actions.push(Action::OpenTrained(Trained { model: model.clone(), pack: self.pack.clone() }));
                    }
                }
                if let Some(run) = &seed.run {
                    let open =
                        text_button(ui, "Run", "Shows the generator's training: losses, and samples on the way.");
                    if open.accessible_name(format!("Run, {}", seed.words)).clicked() {
                        actions.push(Action::ShowRun(run.clone()));
                    }
                }
            });
        }
        if let Some(nothing) = self.nothing {
            caption(ui, nothing);
        }
        closed
    }
}
