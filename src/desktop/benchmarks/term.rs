//! A word with its meaning: told under the pointer, and kept open by a click.

use eframe::egui::{Button, Popup, PopupCloseBehavior, RichText, Ui};

use crate::benchmark::report;
use crate::desktop::theme;

/// A word that wears a question mark where `defined`, a word of [`report::DEFINITIONS`], says what it means; a plain one
/// where that is empty.
pub fn term(ui: &mut Ui, words: &str, defined: &str) {
    let dim = theme::colors(ui).dim;
    let written = |words: String| RichText::new(words).font(theme::medium(theme::CAPTION)).color(dim);
    let meaning = report::definition(defined);
    if meaning.is_empty() {
        ui.label(written(words.to_owned()));
        return;
    }
    let button = ui.add(Button::new(written(format!("{words} ?"))).frame(false)).on_hover_text(meaning);
    Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).width(320.0).show(|ui| {
        ui.label(meaning);
    });
}
