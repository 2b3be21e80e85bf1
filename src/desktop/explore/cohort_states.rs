//! The neighbour strip while there are no neighbours: why, and what to do next.

use eframe::egui::{Popup, PopupCloseBehavior, ProgressBar, RichText, TextEdit, Ui, vec2};

use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::reference::{Reference, ReferenceError};
use crate::desktop::session::{Cohort, Session};
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, grouped, icon_button, section};

/// Draws every state but the ready one.
pub fn show(ui: &mut Ui, cohort: &Cohort, session: &Session, actions: &mut Actions) {
    section(ui, "Nearest real radiographs", |_| ());
    ui.spacing_mut().item_spacing.y = 8.0;
    match cohort {
        Cohort::None => invite(ui, session, actions),
        Cohort::Opening { .. } | Cohort::Making { .. } => {
            if let Some((name, progress)) = cohort.job() {
                working(ui, name, progress, actions);
            }
        }
        Cohort::Refused { folder, reason } => {
            let danger = theme::colors(ui).danger;
            ui.horizontal_top(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), eframe::egui::Sense::hover());
                Icon::Warning.paint(ui.painter(), rect.center(), 14.0, danger);
                let head = match reason {
                    ReferenceError::OtherCohort { .. } => "Another cohort",
                    ReferenceError::NoEncoder { .. } => "No encoder",
                    ReferenceError::Cancelled | ReferenceError::Unusable(_) => "This pack cannot be used",
                };
                ui.label(RichText::new(head).font(theme::medium(theme::TEXT)).color(danger));
            });
            ui.label(sentence(&reason.to_string()));
            caption(ui, folder.display().to_string());
            ui.add_space(8.0);
            offer(ui, session, actions);
        }
        Cohort::Ready { .. } => {}
    }
}

/// A message as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', ')']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

fn invite(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let Some(model) = session.model() else {
        caption(ui, "Once a model is open, the films nearest to its samples appear here.");
        return;
    };
    let training = &model.generator.card().training;
    ui.label(RichText::new("No cohort is open").font(theme::medium(theme::TEXT)));
    let (what, whom) = if training.phantom { ("phantoms", "phantom") } else { ("real films", "patient") };
    ui.label(format!(
        "To see the {what} nearest to this sample, and how near that is for a {whom} the generator never saw, open the \
         pack it was trained on: {}, {} images of {} {whom}s.",
        training.cohort,
        grouped(training.images as u64),
        grouped(training.patients as u64),
    ));
    offer(ui, session, actions);
}

/// The ways to a cohort.
fn offer(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let Some(model) = session.model() else { return };
    let training = &model.generator.card().training;
    let width = ui.available_width();
    if training.phantom {
        let make = eframe::egui::Button::new("Make the phantom cohort");
        let tooltip = "Draws the very phantoms this model was trained on, and keeps them for the next time.";
        if ui.add_sized(vec2(width, 28.0), make).on_hover_text(tooltip).clicked() {
            actions.push(Action::MakePhantoms);
        }
    }
    let open = Command::OpenCohort;
    let button = eframe::egui::Button::new(open.text()).shortcut_text(open.shortcut_text(ui.ctx()));
    if ui.add_sized(vec2(width, 28.0), button).on_hover_text(open.tooltip()).clicked() {
        actions.push(Action::Run(open));
    }
    if !training.phantom {
        ui.add_space(4.0);
        caption(ui, "No pack yet? Make one from the published files with");
        let mut line = "negatoscope cohort import --help".to_owned();
        ui.add(TextEdit::singleline(&mut line).desired_width(width - 8.0).font(eframe::egui::TextStyle::Monospace))
            .accessible_name("Command that makes a pack");
    }
    ui.add_space(4.0);
    caption(
        ui,
        "Only the cohort a model was trained on is compared with it. Other people are never shown as neighbours.",
    );
}

fn working(ui: &mut Ui, name: &str, progress: &crate::progress::Progress, actions: &mut Actions) {
    ui.label(RichText::new(sentence(name).trim_end_matches('.')).font(theme::medium(theme::TEXT)));
    let fraction = progress.fraction();
    let accent = theme::colors(ui).synthetic;
    ui.add(ProgressBar::new(fraction.unwrap_or(0.0)).desired_height(6.0).fill(accent));
    let (done, total) = progress.counts();
    let mut text = if total > 0 { format!("{} of {}", grouped(done), grouped(total)) } else { "Opening…".to_owned() };
    if let Some(left) = progress.time_left() {
        text = format!("{text} · {}", time_left(left));
    }
    caption(ui, text);
    caption(ui, "Done once for each cohort and encoder, and kept beside the pack.");
    if ui.button("Cancel").on_hover_text("Stops. What is done so far is not kept.").clicked() {
        actions.push(Action::CancelCohort);
    }
}

/// What is open, behind a small button beside the heading.
pub fn cohort_menu(ui: &mut Ui, reference: &Reference, actions: &mut Actions) {
    let dim = theme::colors(ui).dim;
    let button = icon_button(ui, Icon::Info, Some(dim), "Cohort", "What is compared with, and by which encoder");
    Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).width(300.0).show(|ui| {
        ui.set_max_width(300.0);
        ui.set_min_width(300.0);
        ui.label(RichText::new(reference.name()).font(theme::medium(16.0)));
        for line in reference.about() {
            caption(ui, line);
        }
        caption(ui, reference.folder().display().to_string());
        if ui.button("Close cohort").clicked() {
            actions.push(Action::CloseCohort);
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn messages_become_sentences() {
        assert_eq!(super::sentence("cannot read x"), "Cannot read x.");
        assert_eq!(super::sentence("Is it (here)"), "Is it (here)");
    }
}
