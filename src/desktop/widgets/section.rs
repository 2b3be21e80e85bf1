//! Headings within a panel, and captions.

use eframe::egui::{Align, Layout, Response, RichText, Ui};

use crate::desktop::theme;

/// A heading line, with whatever `right` adds at the right end of it.
pub fn section(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_height(24.0);
        ui.label(RichText::new(title).font(theme::medium(theme::CAPTION)).color(theme::colors(ui).dim));
        ui.with_layout(Layout::right_to_left(Align::Center), right);
    });
}

/// A caption: small and dim, wrapped.
pub fn caption(ui: &mut Ui, text: impl Into<String>) -> Response {
    let dim = theme::colors(ui).dim;
    ui.label(RichText::new(text).font(theme::caption()).color(dim))
}
