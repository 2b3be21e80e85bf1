//! Above the light box: what it shows, the window, and what can be taken away from it.

use eframe::egui::{Align, Button, Layout, Popup, Ui, vec2};

use super::{Explore, Mode};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::widgets::{mode_button, number, text_button};
use crate::radiograph::{Meaning, Window};

/// Below this width words give way.
const NARROW: f32 = 640.0;

/// Draws the toolbar.
pub fn show(ui: &mut Ui, view: &mut Explore, session: &Session, actions: &mut Actions) {
    let narrow = ui.available_width() < NARROW;
    ui.spacing_mut().item_spacing.x = if narrow { 2.0 } else { 6.0 };
    if narrow {
        ui.spacing_mut().button_padding.x = 6.0;
    }
    ui.horizontal_centered(|ui| {
        for (mode, command) in [
            (Mode::Sample, Command::ViewSample),
            (Mode::Pair, Command::ViewPair),
            (Mode::Blink, Command::ViewBlink),
            (Mode::Difference, Command::ViewDifference),
        ] {
            let text = if narrow && mode == Mode::Difference { "Diff" } else { command.text() };
            let tooltip = tooltip(ui, command);
            let response = mode_button(ui, view.mode == mode, text, &tooltip);
            if response.accessible_name(command.text()).clicked() {
                actions.push(Action::Run(command));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            export_menu(ui, actions);
            copy_menu(ui, narrow, actions);
            let invert = mode_button(ui, view.invert, Command::Invert.text(), &tooltip(ui, Command::Invert));
            if invert.clicked() {
                actions.push(Action::Run(Command::Invert));
            }
            window_menu(ui, narrow, view, session, actions);
        });
    });
}

fn tooltip(ui: &Ui, command: Command) -> String {
    format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx()))
}

/// Width and centre as reading rooms write them.
pub fn window_text(window: Window, meaning: Meaning) -> String {
    let decimals = if meaning == Meaning::Density { 2 } else { 0 };
    format!("{} / {}", number(window.width, decimals), number(window.center, decimals))
}

fn window_menu(ui: &mut Ui, narrow: bool, view: &Explore, session: &Session, actions: &mut Actions) {
    let meaning = session.model().map_or(Meaning::Density, |model| model.generator.card().meaning);
    let text = window_text(view.window, meaning);
    let text = if narrow { text } else { format!("Window {text}") };
    let button = text_button(ui, &text, "Window width / centre. Drag on the film with the left button to change it.")
        .accessible_name("Window");
    Popup::menu(&button).width(280.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let commands = [Command::Preset1, Command::Preset2, Command::Preset3, Command::Preset4];
        for (preset, command) in Window::presets(meaning).iter().zip(commands) {
            let name = format!("{}   {}", preset.name, window_text(preset.window, meaning));
            item(ui, view.window == preset.window, &name, command, actions);
        }
        ui.separator();
        item(ui, false, Command::ResetView.text(), Command::ResetView, actions);
        item(ui, false, Command::Interpolation.text(), Command::Interpolation, actions);
    });
}

fn copy_menu(ui: &mut Ui, narrow: bool, actions: &mut Actions) {
    let text = if narrow { "Copy" } else { "Copy recipe" };
    let button =
        text_button(ui, text, "Takes the recipe of this sample away as text").accessible_name("Copy recipe menu");
    Popup::menu(&button).width(240.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for command in [Command::CopyRecipe, Command::CopyCommandLine, Command::PasteRecipe] {
            item(ui, false, command.text(), command, actions);
        }
    });
}

fn export_menu(ui: &mut Ui, actions: &mut Actions) {
    let button = text_button(ui, "Export…", "Saves this sample with its recipe inside");
    Popup::menu(&button).width(260.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for command in [Command::ExportPng, Command::ExportWindowedPng, Command::ExportDicom] {
            item(ui, false, command.text(), command, actions);
        }
    });
}

/// One line of a menu, with its shortcut at the right.
fn item(ui: &mut Ui, chosen: bool, text: &str, command: Command, actions: &mut Actions) {
    let button = Button::selectable(chosen, text).shortcut_text(command.shortcut_text(ui.ctx()));
    if ui.add_sized(vec2(ui.available_width(), 26.0), button).on_hover_text(command.tooltip()).clicked() {
        actions.push(Action::Run(command));
    }
}
