//! The workspace while no run is looked at: what a run is, and how to begin one.

use eframe::egui::{Align, Button, Layout, Rect, RichText, Ui, UiBuilder, vec2};

use super::Training;
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::theme;

/// What a run is made of, in its order.
const STEPS: [(&str, &str); 4] = [
    ("Compose", "a cohort, a network, a size and how long; presets fill in the rest"),
    ("Start", "in a process of its own, which goes on when this window is closed"),
    ("Watch", "losses, quality, and the same latents at every stage"),
    ("Open", "any checkpoint in Explore, while training goes on"),
];

/// Draws the page in the middle of `rect`.
pub fn show(ui: &mut Ui, rect: Rect, training: &Training, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let area = Rect::from_center_size(rect.center(), vec2((rect.width() - 64.0).min(480.0), 300.0));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        let title = if training.runs().is_empty() { "Train a generator" } else { "No run is open" };
        ui.label(RichText::new(title).font(theme::medium(16.0)));
        let text = "A run trains a generator on a cohort. It is a folder that can be paused, resumed after a power cut, \
                    copied to another machine, and looked at from any of them.";
        ui.label(RichText::new(text).color(colors.dim));
        ui.add_space(8.0);
        for (number, (step, what)) in STEPS.into_iter().enumerate() {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                ui.label(RichText::new((number + 1).to_string()).color(colors.dim));
                ui.allocate_ui_with_layout(vec2(64.0, 20.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_min_width(64.0);
                    ui.label(RichText::new(step).font(theme::medium(theme::TEXT)));
                });
                ui.label(RichText::new(what).color(colors.dim));
            });
        }
        ui.add_space(8.0);
        for command in [Command::NewRun, Command::OpenRuns, Command::Teach] {
            let button = Button::new(command.text()).shortcut_text(command.shortcut_text(ui.ctx()));
            if ui.add_sized(vec2(260.0, 28.0), button).on_hover_text(command.tooltip()).clicked() {
                actions.push(Action::Run(command));
            }
        }
        ui.add_space(4.0);
        let place = training.places().runs().display().to_string();
        ui.label(RichText::new(format!("Runs are kept in {place}")).font(theme::caption()).color(colors.dim));
    });
}
