//! The few choices that matter: name, cohort, network, size, length.

use eframe::egui::{ComboBox, Ui};

use super::help::help;
use super::{Choice, Form, line, text_field};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::training::draft::Draft;
use crate::desktop::widgets::{caption, mode_button, text_button};
use crate::generator::Family;
use crate::training::presets;

/// The few choices that matter.
pub fn front(ui: &mut Ui, form: &mut Form, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = 6.0;
    let problem = |form: &Form, path: &str| form.draft.field(path).and_then(|field| field.problem);
    let name_problem = problem(form, "name");
    line(ui, "Name", help("name"), name_problem.as_deref(), |ui| {
        text_field(ui, form, "name", "Name", 320.0);
    });
    let cohort_problem = form.refused.clone().or_else(|| problem(form, "cohort"));
    line(ui, "Cohort", help("cohort"), cohort_problem.as_deref(), |ui| {
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
    });
    let family = form.draft.family();
    line(ui, "Network", help("network.family"), None, |ui| {
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
    let size_problem = form.draft.too_large();
    line(
        ui,
        "Size",
        "Width of the networks, length of the schedule and everything else that goes with them.",
        size_problem.as_deref(),
        |ui| {
            let published = presets::NAMES.into_iter().filter(|name| presets::preset(name, family).is_some());
            let (small, paper): (Vec<&'static str>, Vec<&'static str>) =
                published.partition(|name| name.starts_with("small"));
            let mut chosen = None;
            ui.vertical(|ui| {
                for row in [small, paper] {
                    ui.horizontal_wrapped(|ui| {
                        for preset in row {
                            let (kind, side) = preset.split_once('-').unwrap_or((preset, ""));
                            let tooltip = if kind == "paper" {
                                "As published: wide networks and millions of images; for a GPU."
                            } else {
                                "Not the paper's: narrow networks for cohorts of a few thousand images and a laptop."
                            };
                            let own = form.draft.preset() == preset;
                            if mode_button(ui, own, &format!("{kind} {side} px"), tooltip).clicked() && !own {
                                chosen = Some(preset);
                            }
                        }
                    });
                }
            });
            if let Some(preset) = chosen {
                form.draft = Draft::new(preset, family, Some(&form.draft));
            }
        },
    );
    let long_problem = problem(form, "schedule.total_kimg");
    line(ui, "How long", help("schedule.total_kimg"), long_problem.as_deref(), |ui| {
        text_field(ui, form, "schedule.total_kimg", "How long, in thousands of images", 80.0);
        caption(ui, "thousand images");
        if let (Some(spec), Some(choice)) = (form.draft.spec(), form.choice()) {
            let passes = spec.schedule.total_kimg * 1000.0 / (choice.films as f64 * 0.8).max(1.0);
            caption(ui, format!("· about {passes:.0} times through the train fold"));
        }
    });
}
