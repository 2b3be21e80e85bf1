//! The workspace while no run is looked at: what a run is, and how to begin one.

use eframe::egui::{Rect, RichText, Ui, UiBuilder, vec2};

use super::Places;
use crate::desktop::theme;

/// Draws the page in the middle of `rect`.
pub fn show(ui: &mut Ui, rect: Rect, places: &Places) {
    let colors = theme::colors(ui);
    let area = Rect::from_center_size(rect.center(), vec2((rect.width() - 64.0).min(520.0), 220.0));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ui.vertical_centered(|ui| {
            ui.label(RichText::new("No run is open").font(theme::medium(16.0)));
            let text = "A run trains a generator on a cohort. It lives in a folder and in a process of its own: it goes on \
                        when this window is closed, and can be paused and resumed at any time.";
            ui.label(RichText::new(text).color(colors.dim));
            ui.add_space(8.0);
            ui.label(RichText::new(format!("Runs are kept in {}", places.runs().display())).color(colors.dim));
        });
    });
}
