//! The light box while there is nothing on it: what to do next.

use eframe::egui::{Rect, RichText, Ui, UiBuilder, vec2};

use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme::{self, Colors};

/// Draws the invitation in the middle of `rect`.
pub fn show(ui: &mut Ui, rect: Rect, session: &Session, actions: &mut Actions) {
    let on = Colors::on_film();
    let height = 140.0 + 34.0 * session.shelf().len().min(8) as f32;
    let area = Rect::from_center_size(rect.center(), vec2(rect.width().min(420.0) - 32.0, height));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ui.vertical_centered(|ui| {
            if let Some(path) = session.opening_model() {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                ui.label(RichText::new(format!("Opening {name}…")).color(on.dim));
                return;
            }
            if session.model().is_some() {
                ui.label(RichText::new("Rendering the first sample…").color(on.dim));
                return;
            }
            ui.label(RichText::new("The light box is empty").font(theme::medium(16.0)).color(on.text));
            let hint = if session.shelf().is_empty() && session.shelf_is_read() {
                "No shipped model was found beside the program. Open a model file, or drop one here."
            } else {
                "Choose a generator, or drop a model file here."
            };
            ui.label(RichText::new(hint).color(on.dim));
            ui.add_space(8.0);
            for entry in session.shelf() {
                let button = eframe::egui::Button::new(entry.name.as_str()).shortcut_text(entry.about.as_str());
                if ui.add_sized(vec2(260.0, 28.0), button).clicked() {
                    actions.push(Action::OpenModel(entry.path.clone()));
                }
            }
            let open = Command::OpenModel;
            let button = eframe::egui::Button::new(open.text()).shortcut_text(open.shortcut_text(ui.ctx()));
            if ui.add_sized(vec2(260.0, 28.0), button).on_hover_text(open.tooltip()).clicked() {
                actions.push(Action::Run(open));
            }
        });
    });
}
