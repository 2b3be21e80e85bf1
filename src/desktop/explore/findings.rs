//! Findings as switches with their strength.

use eframe::egui::{DragValue, RichText, Ui, vec2};

use super::edit;
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{section, toggle};

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
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let strength = recipe.strength(finding);
            let on = strength != 0.0;
            let value_width = 40.0;
            let switch = toggle(ui, on, finding, ui.available_width() - value_width - 4.0);
            if switch.clicked() {
                let asked = if on { 0.0 } else { TRAINED };
                actions.push(edit(session, None, |recipe| recipe.set_strength(finding, asked)));
            }
            let hint = if on { "Click to switch off." } else { "Click to switch on." };
            let id = switch.id;
            switch.on_hover_text(format!("{finding}\n{hint}"));
            if on {
                strength_value(ui, session, finding, strength, value_width, id, actions);
            }
        });
    }
}

fn strength_value(
    ui: &mut Ui,
    session: &Session,
    finding: &str,
    strength: f32,
    width: f32,
    label: eframe::egui::Id,
    actions: &mut Actions,
) {
    let colors = theme::colors(ui);
    let mut value = strength;
    // Beyond what the generator was trained on only by purpose: typed, or dragged with Shift.
    let on_purpose = ui.input(|i| i.modifiers.shift) || ui.ctx().text_edit_focused();
    let most = if on_purpose { BEYOND } else { TRAINED };
    ui.visuals_mut().override_text_color = Some(colors.synthetic);
    ui.visuals_mut().widgets.inactive.weak_bg_fill = colors.panel;
    let field = DragValue::new(&mut value)
        .range(0.05..=most)
        .clamp_existing_to_range(false)
        .speed(0.01)
        .fixed_decimals(if strength > TRAINED { 2 } else { 1 })
        .max_decimals(2);
    let response = ui.add_sized(vec2(width, 20.0), field).labelled_by(label).on_hover_text(
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
