//! The status bar: device, model, times, cohort, queue.

use eframe::egui::{Align, Button, Frame, Layout, Margin, Panel, Popup, RichText, Role, Ui, WidgetInfo, vec2};

use super::action::{Action, Actions};
use super::command::Command;
use super::session::Session;
use super::state::SampleOn;
use super::task::time_left;
use super::theme;
use super::widgets::{caption, grouped};

/// Draws the bar; `training` says which run goes on, if one does.
pub fn show(ui: &mut Ui, session: &Session, training: Option<String>, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let frame = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(16, 0));
    Panel::bottom("status").exact_size(24.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let narrow = ui.available_width() < 900.0;
            device(ui, session, actions);
            let mut item = |name: &str, value: String, tooltip: String| {
                let label = |ui: &mut Ui| {
                    ui.label(RichText::new(name).font(theme::caption()).color(colors.dim));
                    ui.label(RichText::new(value).font(theme::caption()).color(colors.text)).on_hover_text(tooltip);
                    ui.add_space(12.0);
                };
                label(ui);
            };
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

/// What computes the live samples, and the menu that changes it.
fn device(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let (name, detail) = match session.sampling_device() {
        Some(graphics) => ("GPU", graphics.name().to_owned()),
        None => ("CPU", format!("{} threads", rayon::current_num_threads())),
    };
    let dim = RichText::new(name).font(theme::caption()).color(colors.dim);
    let text = RichText::new(&detail).font(theme::caption()).color(colors.text);
    let button = ui.add(Button::new((dim, text)).frame_when_inactive(false).small());
    let drawn = session.gpu().map_or_else(
        || "The window is drawn without a graphics device.".to_owned(),
        |gpu| format!("The window is drawn by {}.", gpu.adapter()),
    );
    let button = button.on_hover_text(format!("Live samples are computed on the {name}. {drawn} Click to change."));
    button.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Device: {name}, {detail}")));
    Popup::menu(&button).width(330.0).show(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let measured = session.comparison();
        let time = |time: std::time::Duration| format!("{} ms", millis(time.as_secs_f32() * 1e3));
        let choices = [
            (Command::SampleFaster, SampleOn::Faster, String::new()),
            (Command::SampleOnCpu, SampleOn::Processor, measured.map_or_else(String::new, |m| time(m.processor))),
            (Command::SampleOnGpu, SampleOn::Graphics, measured.map_or_else(String::new, |m| time(m.graphics))),
        ];
        for (command, wish, detail) in choices {
            let chosen = session.settings.sampling == wish;
            let button = Button::selectable(chosen, command.text()).shortcut_text(detail);
            if ui.add_sized(vec2(ui.available_width(), 26.0), button).on_hover_text(command.tooltip()).clicked() {
                actions.push(Action::Run(command));
            }
        }
        ui.add_space(4.0);
        caption(
            ui,
            match session.graphics() {
                Ok(graphics) if graphics.has_failed() => format!("{} has failed in this session.", graphics.name()),
                Ok(graphics) if graphics.is_software() => {
                    format!("{} is a program on the CPU: it is never taken unasked.", graphics.name())
                }
                Ok(graphics) => format!("The GPU is {}.", graphics.name()),
                Err(reason) => format!("No GPU: {reason}."),
            },
        );
    });
    ui.add_space(12.0);
}

/// Milliseconds with as many places as tell something.
fn millis(value: f32) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}
