//! The panel beside the light box of a run: the picked sample, the real films nearest to it, and when they came near.

use eframe::egui::{Label, ProgressBar, RichText, ScrollArea, Stroke, Ui, vec2};

use super::nearest::Side;
use super::{Training, stages};
use crate::desktop::explore::neighbour;
use crate::desktop::lightbox::Look;
use crate::desktop::reference::Reference;
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, Thumbnail, caption, grouped, icon_button, number, section};
use crate::radiograph::Window;

/// Width of the panel.
pub const WIDTH: f32 = 256.0;

/// Draws the panel into all of `ui`.
pub fn show(ui: &mut Ui, training: &mut Training) {
    let colors = theme::colors(ui);
    let mut close = false;
    let title = match training.nearest.side() {
        Side::Ready(reference) if reference.is_phantom() => "Nearest phantoms",
        Side::Ready(_) => "Nearest real radiographs",
        // Not known yet whether they are phantoms, which are never called real.
        _ => "Nearest films",
    };
    section(ui, title, |ui| {
        let dim = Some(colors.dim);
        close =
            icon_button(ui, Icon::Close, dim, "Close comparison", "Closes this panel; the index is kept.").clicked();
    });
    match training.nearest.side() {
        Side::Closed => {}
        Side::Opening(task) => {
            let progress = task.progress();
            ui.label("Indexing the cohort of this run");
            ui.add(ProgressBar::new(progress.fraction().unwrap_or(0.0)).desired_height(6.0).fill(colors.synthetic));
            let (done, total) = progress.counts();
            let mut text =
                if total > 0 { format!("{} of {}", grouped(done), grouped(total)) } else { "Opening…".to_owned() };
            if let Some(left) = progress.time_left() {
                text = format!("{text} · {}", time_left(left));
            }
            caption(ui, text);
            caption(ui, "Done once for each cohort and encoder, and kept beside the pack.");
        }
        Side::Refused(reason) => {
            ui.horizontal_top(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), eframe::egui::Sense::hover());
                Icon::Warning.paint(ui.painter(), rect.center(), 14.0, colors.danger);
                // A label in a row does not wrap of itself, and would push the panel off the window.
                ui.add(Label::new(reason).wrap());
            });
        }
        Side::Ready(reference) => compared(ui, training, reference),
    }
    if close {
        training.nearest.close();
    }
}

fn compared(ui: &mut Ui, training: &Training, reference: &Reference) {
    let colors = theme::colors(ui);
    let Some(stage) = training.strip.stage() else { return };
    let phantom = reference.is_phantom();
    let film = training.strip.image(stage.step);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing = vec2(12.0, 2.0);
        let sample = Thumbnail {
            film: film.map(|film| &**film),
            look: stages::look(),
            size: vec2(80.0, 80.0),
            frame: Stroke::new(1.0, colors.synthetic),
            name: "Picked sample",
            clickable: false,
        };
        sample.show(ui);
        ui.vertical(|ui| {
            let kimg = number(stage.kimg as f32, usize::from(stage.kimg < 100.0));
            ui.label(RichText::new(format!("{kimg} kimg")).font(theme::medium(theme::TEXT)).color(colors.synthetic));
            let (column, row) = training.strip.cell();
            caption(ui, format!("picked sample: column {}, row {}", column + 1, row + 1));
            caption(ui, "Click another in the grid.");
        });
    });
    ui.add_space(8.0);
    let foot = 84.0;
    let height = (ui.available_height() - foot).max(80.0);
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, false]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 12.0;
        match training.nearest.of(stage.step) {
            None => {
                caption(ui, "Comparing…");
            }
            Some(Err(reason)) => {
                ui.label(RichText::new(reason).color(colors.danger));
            }
            Some(Ok(nears)) => {
                let ([low, high], _) = reference.unit();
                let look = Look { window: Window::spanning(low, high), ..stages::look() };
                for near in nears {
                    neighbour(ui, look, near, phantom);
                }
            }
        }
    });
    ui.add_space(4.0);
    caption(ui, verdict(training, phantom));
}

/// When the picked sample came too near, over all stages compared so far.
fn verdict(training: &Training, phantom: bool) -> String {
    let whom = if phantom { "phantoms" } else { "patients" };
    let steps = || training.strip.stages().iter().map(|stage| stage.step);
    let compared = steps().filter(|&step| training.nearest.of(step).is_some()).count();
    let all = training.strip.stages().len();
    let first = training.nearest.first_too_near(steps());
    let kimg = first.and_then(|step| training.strip.stages().iter().find(|stage| stage.step == step)).map(|s| s.kimg);
    match kimg {
        Some(kimg) => format!(
            "Too near first at {} kimg: nearer to a training film than 99 of 100 unseen {whom} are. {compared} of {all} \
             stages compared.",
            number(kimg as f32, 1)
        ),
        None => format!(
            "Never under the 1st percentile of unseen {whom} in {compared} of {all} stages compared. This is one sample; \
             the quality curves judge many."
        ),
    }
}
