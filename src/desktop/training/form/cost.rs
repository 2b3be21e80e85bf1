//! What it will cost, where it is trained, how to begin, and the file that is written.

use eframe::egui::{Button, Label, RichText, ScrollArea, Stroke, Ui, vec2};

use super::{Form, place, seeds, warning};
use crate::compute::memory;
use crate::desktop::theme;
use crate::desktop::training::Training;
use crate::desktop::training::estimate::{Estimate, about, bytes, estimate, is_on_processor};
use crate::desktop::training::keeper::Deed;
use crate::desktop::training::watcher::Run;
use crate::desktop::widgets::{caption, grouped, section, text_button};

/// What it will cost, how to begin, and the file that is written.
pub fn cost(ui: &mut Ui, form: &mut Form, training: &mut Training) {
    let colors = theme::colors(ui);
    section(ui, "What it will cost", |_| ());
    if let Some(spec) = form.draft.spec() {
        let labels = form.choice().map_or(14, |choice| choice.labels);
        let cost = estimate(spec, labels, training.runs());
        ui.horizontal(|ui| {
            ui.label(RichText::new(about(cost.seconds)).font(theme::medium(22.0)).color(colors.text));
            let several = matches!(form.seeds(), Some(Ok(seeds)) if seeds.len() > 1);
            let place = match (form.cluster.chosen, several) {
                (false, _) => "on this machine",
                (true, false) => "if it were on this machine",
                (true, true) => "each, if they were on this machine",
            };
            ui.label(RichText::new(place).color(colors.dim));
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
        let here = !form.cluster.chosen && is_on_processor(spec.device);
        let parameters = grouped(cost.parameters as u64);
        caption(ui, format!("About {} of memory; {parameters} parameters in both networks.", bytes(cost.memory)));
        if let Some(shortage) = shortage(form, &cost).filter(|_| here) {
            ui.horizontal_top(|ui| warning(ui, &shortage));
        }
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
    // What begins the run stays on screen, however many fields the cluster has.
    let room = (ui.available_height() - 112.0).max(96.0);
    ScrollArea::vertical().id_salt("place").auto_shrink([false, true]).max_height(room).show(ui, |ui| {
        place::place(ui, form);
    });
    ui.add_space(8.0);
    let ready = form.draft.spec().cloned().filter(|_| !form.making);
    let busy = training.runs().iter().any(Run::runs_here) && !form.cluster.chosen;
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
            training.ask(if form.cluster.chosen {
                let after = place::dependency(&form.after).unwrap_or_default();
                let seeds = form.seeds().and_then(Result::ok).unwrap_or_else(|| vec![spec.seed]);
                Deed::Send { specs: seeds::specs(&spec, &seeds), cluster: Box::new(form.cluster.clone()), after }
            } else {
                Deed::Make { spec: Box::new(spec), queued }
            });
        }
    };
    if form.cluster.chosen {
        let tooltip = "Writes the run's folder and a batch script, and gives them to Slurm.";
        let wrong_seeds = form.seeds().is_some_and(|seeds| seeds.is_err());
        ui.add_enabled_ui(!wrong_seeds && place::problem(&form.cluster, &form.after).is_none(), |ui| {
            make(ui, "Send to the cluster", tooltip, false, form);
        });
    } else if busy {
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
    if form.making {
        caption(ui, "It is being made …");
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

/// Why this computer's memory does not suffice; it is asked again only when the run's need has changed.
fn shortage(form: &mut Form, cost: &Estimate) -> Option<String> {
    let available = match form.available {
        Some((need, available)) if need == cost.memory => available,
        _ => memory::available(),
    };
    form.available = Some((cost.memory, available));
    cost.shortage(available)
}
