//! Findings as switches with their strength.

use eframe::egui::{DragValue, Rect, RichText, Sense, Ui, UiBuilder, pos2, vec2};

use super::edit;
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{flat, section, toggle};

use super::stage::strength_text;

/// Height of a row.
const ROW: f32 = 22.0;
/// Room for a strength.
const VALUE: f32 = 36.0;
/// Strength up to which a generator was trained.
const TRAINED: f32 = 1.0;
/// Strength that can be reached on purpose.
const BEYOND: f32 = 2.0;

/// Draws the list.
pub fn show(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let Some(model) = session.model() else { return };
    let recipe = session.recipe();
    section(ui, "Findings", |ui| {
        let command = Command::ResetFindings;
        let any = !recipe.findings.is_empty();
        let text = RichText::new("Reset").font(theme::caption());
        let button = eframe::egui::Button::new(text).frame_when_inactive(false);
        if any && ui.add(button).on_hover_text(command.tooltip()).clicked() {
            actions.push(Action::Run(command));
        }
    });
    for finding in &model.generator.card().vocabulary.findings {
        let strength = recipe.strength(finding);
        let on = strength != 0.0;
        let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
        let value = Rect::from_min_max(pos2(row.right() - VALUE, row.top()), row.max);
        let name = if on { Rect::from_min_max(row.min, pos2(value.left() - 4.0, row.bottom())) } else { row };
        let switch = toggle(ui, name, on, finding);
        if switch.clicked() {
            let asked = if on { 0.0 } else { TRAINED };
            actions.push(edit(session, None, |recipe| recipe.set_strength(finding, asked)));
        }
        let hint = if on { "Click to switch off." } else { "Click to switch on." };
        let id = switch.id;
        switch.on_hover_text(format!("{finding}\n{hint}"));
        if on {
            let mut child = ui.new_child(UiBuilder::new().max_rect(value).id_salt(finding));
            strength_value(&mut child, session, finding, strength, id, actions);
        }
    }
}

fn strength_value(
    ui: &mut Ui,
    session: &Session,
    finding: &str,
    strength: f32,
    label: eframe::egui::Id,
    actions: &mut Actions,
) {
    let colors = theme::colors(ui);
    let mut value = strength;
    // Beyond what the generator was trained on only by purpose: typed, or dragged with Shift.
    let on_purpose = ui.input(|i| i.modifiers.shift) || ui.ctx().text_edit_focused();
    let most = if on_purpose { BEYOND } else { TRAINED };
    flat(ui, Some(colors.synthetic));
    let field = DragValue::new(&mut value)
        .range(0.05..=most)
        .clamp_existing_to_range(false)
        .speed(0.01)
        .custom_formatter(|v, _| strength_text(v as f32));
    let response = ui.add_sized(ui.max_rect().size(), field).labelled_by(label).on_hover_text(
        "Strength: the value of this finding in the label. Drag, or click and type; double-click for 1.0.\nAbove 1, \
         which the generator never saw, only typed or with Shift held.",
    );
    if response.double_clicked() {
        actions.push(edit(session, None, |recipe| recipe.set_strength(finding, TRAINED)));
    } else if response.changed() && value != strength {
        let gesture = response.dragged().then_some("strength");
        actions.push(edit(session, gesture, |recipe| recipe.set_strength(finding, value)));
    }
}
