//! The status bar: device, model, times, cohort, queue.

use eframe::egui::{Align, Frame, Layout, Margin, Panel, RichText, Ui};

use super::session::Session;
use super::task::time_left;
use super::theme;
use super::widgets::grouped;

/// Draws the bar; `training` says which run goes on, if one does.
pub fn show(ui: &mut Ui, session: &Session, training: Option<String>) {
    let colors = theme::colors(ui);
    let frame = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(16, 0));
    Panel::bottom("status").exact_size(24.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let narrow = ui.available_width() < 900.0;
            let mut item = |name: &str, value: String, tooltip: String| {
                let label = |ui: &mut Ui| {
                    ui.label(RichText::new(name).font(theme::caption()).color(colors.dim));
                    ui.label(RichText::new(value).font(theme::caption()).color(colors.text)).on_hover_text(tooltip);
                    ui.add_space(12.0);
                };
                label(ui);
            };
            let drawn = session.gpu().map_or_else(
                || "The window is drawn without a graphics device.".to_owned(),
                |gpu| format!("The window is drawn by {}.", gpu.adapter()),
            );
            item(
                "CPU",
                format!("{} threads", rayon::current_num_threads()),
                format!("Samples are rendered and compared on the CPU. {drawn}"),
            );
            if let Some(model) = session.model()
                && !narrow
            {
                let card = model.generator.card();
                item("model", card.name.clone(), model.path.display().to_string());
            }
            if let Some(sample) = session.sample() {
                let tooltip = "Time to render the sample on the light box".to_owned();
                item("render", format!("{} ms", millis(sample.millis)), tooltip);
            }
            if let Some(verdict) = session.verdict() {
                let tooltip = "Time to encode the sample and search all training films".to_owned();
                item("neighbours", format!("{} ms", millis(verdict.millis)), tooltip);
            }
            if let Some(reference) = session.cohort().reference() {
                let films = grouped(reference.films() as u64);
                item(
                    "cohort",
                    format!("{}, {films} films", reference.name()),
                    reference.folder().display().to_string(),
                );
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(training) = training {
                    ui.label(RichText::new(training).font(theme::caption()).color(colors.dim));
                    ui.add_space(12.0);
                }
                let Some((what, fraction, left)) = session.queue() else { return };
                let mut text = what;
                if let Some(fraction) = fraction {
                    text = format!("{text} · {:.0} %", fraction * 100.0);
                }
                if let Some(left) = left {
                    text = format!("{text} · {}", time_left(left));
                }
                ui.label(RichText::new(text).font(theme::caption()).color(colors.dim));
            });
        });
    });
}

/// Milliseconds with as many places as tell something.
fn millis(value: f32) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
