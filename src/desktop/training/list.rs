//! The list at the left: every run that is known, how it stands, how far it is.

use std::time::Duration;

use eframe::egui::{
    Align2, CursorIcon, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextWrapMode, Ui,
    WidgetInfo, WidgetText, pos2, vec2,
};

use super::watcher::Run;
use super::{Training, charts, label, progress};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, icon_button, section, text_button};

/// Height of one run.
const ROW: f32 = 68.0;

/// Draws the list.
pub fn show(ui: &mut Ui, training: &mut Training, actions: &mut Actions) {
    section(ui, "Runs", |ui| {
        let teach = Command::Teach;
        let dim = theme::colors(ui).dim;
        if icon_button(ui, Icon::Teach, Some(dim), teach.text(), teach.tooltip()).clicked() {
            actions.push(Action::Run(teach));
        }
        let open = Command::OpenRuns;
        if icon_button(ui, Icon::Folder, Some(dim), open.text(), open.tooltip()).clicked() {
            actions.push(Action::Run(open));
        }
    });
    let new = Command::NewRun;
    let button = eframe::egui::Button::new(new.text()).shortcut_text(new.shortcut_text(ui.ctx()));
    if ui.add_sized(vec2(ui.available_width(), 28.0), button).on_hover_text(new.tooltip()).clicked() {
        actions.push(Action::Run(new));
    }
    ui.add_space(4.0);
    let foot = if training.deleted.is_some() { 36.0 } else { 0.0 };
    let height = ui.available_height() - foot;
    let mut asked = None;
    ScrollArea::vertical().auto_shrink([false, false]).max_height(height).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.set_max_width(ui.available_width() - 2.0);
        if training.runs().is_empty() && training.read {
            caption(
                ui,
                "No run yet. Runs made elsewhere, on a cluster for example, open with the folder button above.",
            );
        }
        for run in training.runs() {
            let chosen = training.selected.as_ref() == Some(&run.root) && training.form.is_none();
            let laid = training.overlaid.contains(&run.root);
            let (clicked, over) = row(ui, run, chosen, laid, training.selected.is_some());
            if clicked {
                asked = Some((run.root.clone(), false));
            } else if over {
                asked = Some((run.root.clone(), true));
            }
        }
    });
    match asked {
        Some((root, false)) => training.select(&root),
        Some((root, true)) if training.overlaid.contains(&root) => {
            training.overlaid.remove(&root);
        }
        Some((root, true)) if training.overlaid.len() + 1 < charts::MOST => {
            training.overlaid.insert(root);
        }
        Some(_) | None => {}
    }
    if let Some((from, to)) = training.deleted.clone() {
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if text_button(ui, &format!("Put {name} back"), "Takes the run that was deleted last out of the bin.").clicked()
        {
            training.ask(super::keeper::Deed::PutBack { from, to });
        }
    }
}

/// One run; tells whether it was clicked, and whether its curves are to be laid over the others or taken away.
fn row(ui: &mut Ui, run: &Run, chosen: bool, laid: bool, others: bool) -> (bool, bool) {
    let colors = theme::colors(ui);
    let name = label(run);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let state = progress::state(run);
    let spoken = format!("Run {name}: {state}, {}", progress::percent(run));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &spoken));
    if !ui.is_rect_visible(rect) {
        return (response.clicked(), false);
    }
    let lit = response.hovered() || response.has_focus();
    let ground = match (chosen, lit) {
        (true, _) => theme::tint(colors.synthetic, colors.panel, 0.12),
        (false, true) => colors.hovered,
        (false, false) => colors.raised,
    };
    ui.painter().rect_filled(rect, 6.0, ground);
    if chosen {
        let pen = Stroke::new(1.0, theme::tint(colors.synthetic, colors.panel, 0.5));
        ui.painter().rect_stroke(rect, 6.0, pen, StrokeKind::Inside);
    }
    let inner = rect.shrink2(vec2(10.0, 8.0));
    let painter = ui.painter();
    let percent = painter.layout_no_wrap(progress::percent(run), theme::caption(), colors.dim);
    let room = inner.width() - percent.size().x - 10.0;
    let title = WidgetText::from(RichText::new(name).font(theme::medium(theme::TEXT)));
    let title = title.into_galley(ui, Some(TextWrapMode::Truncate), room, theme::text());
    let painter = ui.painter();
    painter.galley(inner.min, title, colors.text);
    painter.galley(pos2(inner.right() - percent.size().x, inner.top() + 2.0), percent, colors.dim);
    let second = inner.top() + 20.0;
    let word = painter.layout_no_wrap(state, theme::caption(), progress::color(run, &colors));
    let after = word.size().x + 8.0;
    painter.galley(pos2(inner.left(), second), word, progress::color(run, &colors));
    let more = detail(run);
    let width = inner.width() - after - if others && !chosen { 26.0 } else { 0.0 };
    let more = WidgetText::from(RichText::new(more).font(theme::caption()));
    let more = more.into_galley(ui, Some(TextWrapMode::Truncate), width, theme::caption());
    ui.painter().galley(pos2(inner.left() + after, second), more, colors.dim);
    let bar = Rect::from_min_max(pos2(inner.left(), rect.bottom() - 13.0), pos2(inner.right(), rect.bottom() - 10.0));
    let mut child = ui.new_child(eframe::egui::UiBuilder::new().max_rect(bar).id_salt(&run.root));
    progress::bar(&mut child, run);
    let over = others && !chosen && overlay(ui, rect, run, laid);
    let clicked = response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(run.root.display().to_string());
    (clicked.clicked() && !over, over)
}

/// Speed and time left of a run that goes on, else what it shows so far.
fn detail(run: &Run) -> String {
    if let Some(problem) = &run.problem {
        return problem.clone();
    }
    if run.status.state.is_running()
        && let Some(figures) = &run.status.figures
    {
        let left = time_left(Duration::from_secs_f64(figures.seconds_left.clamp(0.0, 1e9)));
        return progress::speed(run).map_or(left.clone(), |speed| format!("{speed} · {left}"));
    }
    progress::kimg(run)
}

/// The small switch that lays a run's curves over those of the run that is looked at.
fn overlay(ui: &Ui, row: Rect, run: &Run, laid: bool) -> bool {
    let colors = theme::colors(ui);
    let rect = Rect::from_center_size(pos2(row.right() - 20.0, row.top() + 36.0), vec2(22.0, 18.0));
    let response: Response = ui.interact(rect, ui.scope_id().with(("overlay", &run.root)), Sense::click());
    let name = format!("Compare with {}", label(run));
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, laid, &name));
    let ink = match (laid, response.hovered() || response.has_focus()) {
        (true, _) => colors.synthetic,
        (false, true) => colors.text,
        (false, false) => colors.dim,
    };
    Icon::Curve.paint(ui.painter(), rect.center(), 12.0, ink);
    if laid {
        ui.painter().text(rect.left_top(), Align2::CENTER_CENTER, "\u{2022}", theme::caption(), ink);
    }
    let text = if laid { "Takes these curves away again" } else { "Draws this run's curves into the same axes" };
    response.on_hover_text(format!("{name}\n{text}")).clicked()
}
