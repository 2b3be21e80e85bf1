//! The panel at the left: generator, findings, latent plane, seed, truncation, directions.

use eframe::egui::{ScrollArea, Ui};

use super::{Explore, findings, latent, model_picker};
use crate::desktop::action::Actions;
use crate::desktop::session::Session;

/// Draws the panel.
pub fn show(ui: &mut Ui, view: &mut Explore, session: &Session, actions: &mut Actions) {
    model_picker::show(ui, session, actions);
    if session.model().is_none() {
        return;
    }
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        // Keeps the scroll bar off the reset arrows.
        ui.set_max_width(ui.available_width() - 2.0);
        ui.spacing_mut().item_spacing.y = 2.0;
        findings::show(ui, session, actions);
        ui.add_space(6.0);
        latent::show(ui, view, session, actions);
    });
}
