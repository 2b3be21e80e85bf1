//! The light box of a run: the sample grid of one stage, and under it the picked image at every stage.

use eframe::egui::{
    Align, Align2, Button, Color32, CornerRadius, CursorIcon, EventFilter, Label, Layout, PointerButton, Rect,
    RichText, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, accesskit, pos2, vec2,
};

use super::charts::value;
use super::progress::thousands;
use super::watcher::{Best, Run};
use super::{Training, strip};
use crate::desktop::action::{Action, Actions};
use crate::desktop::lightbox::{ColorMap, Look, Pane};
use crate::desktop::session::Trained;
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::{badge, grouped, text_button};
use crate::radiograph::Window;

/// Height of the line between grid and strip.
const LINE: f32 = 40.0;
/// Side of the images in the strip.
const FRAME: f32 = 72.0;
/// Height of the strip: frames, their captions and the track.
const STRIP: f32 = FRAME + 44.0;

/// How grids are looked at: brightness 0 to 1, as the networks draw it.
pub fn look() -> Look {
    Look { window: Window::spanning(0.0, 1.0), invert: false, linear: true, map: ColorMap::Grey, overlay: None }
}

/// Draws grid, line and strip into all of `ui`.
pub fn show(ui: &mut Ui, training: &mut Training, run: &Run, actions: &mut Actions) {
    let rect = ui.max_rect();
    let best = training.report.followed.get(&run.root).and_then(|followed| followed.best);
    let foot = if training.strip.stages().is_empty() { 0.0 } else { LINE + STRIP };
    let box_rect = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - foot));
    grid(ui, box_rect, training);
    if foot > 0.0 {
        let line = Rect::from_min_size(pos2(rect.left(), box_rect.bottom()), vec2(rect.width(), LINE));
        ui.scope_builder(UiBuilder::new().max_rect(line.shrink2(vec2(16.0, 4.0))), |ui| {
            stage_line(ui, training, run, best, actions);
        });
        let area = Rect::from_min_max(pos2(rect.left() + 16.0, line.bottom()), rect.max - vec2(16.0, 8.0));
        frames(ui, area, training, best);
    }
}

fn grid(ui: &mut Ui, rect: Rect, training: &mut Training) {
    let on = Colors::on_film();
    let Some(film) = training.strip.grid().cloned() else {
        let text = match training.strip.problem() {
            Some(problem) => problem.to_owned(),
            None => "The first sample grid comes as soon as training begins.".to_owned(),
        };
        let galley = ui.painter().layout(text, theme::text(), on.dim, rect.width() - 64.0);
        ui.painter().galley(rect.center() - galley.size() * 0.5, galley, on.dim);
        return;
    };
    let pane = Pane {
        film: &film,
        look: look(),
        name: "Sample grid",
        frame: theme::tint(on.synthetic, eframe::egui::Color32::BLACK, 0.4),
    };
    let mut zoom = training.zoom;
    let (response, reading) = pane.show(ui, rect, &mut zoom);
    training.zoom = zoom;
    let place = pane.place(rect, &zoom, ui.pixels_per_point());
    let (side, rows) = strip::shape(film.size());
    if let Some(reading) = reading.filter(|_| response.clicked_by(PointerButton::Primary)) {
        training.strip.pick((reading.x / side, (reading.y / side).min(rows.saturating_sub(1))));
    }
    let (column, row) = training.strip.cell();
    let cell = vec2(place.width() / strip::COLUMNS as f32, place.height() / rows.max(1) as f32);
    let picked = Rect::from_min_size(place.min + vec2(column as f32 * cell.x, row as f32 * cell.y), cell);
    let painter = ui.painter_at(rect);
    painter.rect_stroke(picked, 0.0, Stroke::new(2.0, on.synthetic), StrokeKind::Inside);
    let mark = badge(&painter, rect.left_top() + vec2(16.0, 10.0), Align2::LEFT_TOP, "SYNTHETIC", on.synthetic);
    let says = "the same latents at every stage; a row for each of the commonest findings";
    let galley = painter.layout_no_wrap(says.to_owned(), theme::caption(), on.dim);
    if mark.right() + 12.0 + galley.size().x < rect.right() - 8.0 {
        painter.galley(pos2(mark.right() + 12.0, mark.center().y - galley.size().y * 0.5), galley, on.dim);
    }
}

/// Which stage this is, and opening what was trained up to it.
fn stage_line(ui: &mut Ui, training: &mut Training, run: &Run, best: Option<Best>, actions: &mut Actions) {
    let on = Colors::on_film();
    let Some((index, stage)) = training.strip.index().zip(training.strip.stage().cloned()) else { return };
    let count = training.strip.stages().len();
    ui.visuals_mut().override_text_color = Some(on.text);
    let visuals = &mut ui.visuals_mut().widgets;
    (visuals.inactive.weak_bg_fill, visuals.hovered.weak_bg_fill) = (on.raised, on.hovered);
    (visuals.noninteractive.bg_stroke.color, visuals.active.weak_bg_fill) = (on.track, on.track);
    let here = best.filter(|best| best.step == stage.step);
    // The buttons first: what the words have no room for is cut off.
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let followed = training.report.followed.get(&run.root);
        let newest = followed.and_then(|followed| followed.checkpoints.first().copied());
        let before = followed.and_then(|f| f.checkpoints.iter().copied().find(|&step| step <= stage.step));
        let at = here.map(|best| best.step).or(before);
        if training.opening.is_some() {
            ui.label(RichText::new("Opening…").color(on.dim));
        } else if let Some(step) = at.filter(|&step| Some(step) != newest || !run.has_model) {
            let which = if here.is_some() { "best checkpoint, at" } else { "checkpoint at" };
            let tooltip = format!("Makes a model of the {which} step {step} and opens it, while training goes on.");
            if text_button(ui, "Open checkpoint in Explore", &tooltip).clicked() {
                let ctx = ui.ctx().clone();
                training.open_checkpoint(&ctx, &run.root, step);
            }
        } else if run.has_model {
            if text_button(ui, "Open in Explore", "Opens the newest model of this run.").clicked() {
                let (model, pack) = (run.root.join("model.safetensors"), run.status.cohort.clone());
                actions.push(Action::OpenTrained(Trained { model, pack }));
            }
        } else {
            ui.label(RichText::new("no checkpoint of this stage is kept").font(theme::caption()).color(on.dim));
        }
        open_best(ui, training, run, best);
        let tooltip = "The real films nearest to the picked sample, at every stage: when does memorisation begin?";
        if !training.nearest.is_open() && text_button(ui, "Compare", tooltip).clicked() {
            training.compare();
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let mut words =
                |text: String, font, ink| ui.add(Label::new(RichText::new(text).font(font).color(ink)).truncate());
            words(format!("{} kimg", thousands(stage.kimg)), theme::medium(theme::TEXT), on.text);
            if let Some(best) = here {
                words(format!("best, FID {}", value(best.fid, false)), theme::caption(), on.text)
                    .on_hover_text(format!("The smallest of all checkpoints measured: {}.", fid(training, run, best)));
            }
            let is_newest = training.strip.is_following() && run.status.state.is_running();
            let follows = if is_newest { ", the newest" } else { "" };
            let more = format!("step {}, stage {} of {count}{follows}", grouped(stage.step), index + 1);
            words(more, theme::caption(), on.dim);
        });
    });
}

/// The Fréchet distance of the best checkpoint, with what it rests on.
fn fid(training: &Training, run: &Run, best: Best) -> String {
    let basis = training.report.followed.get(&run.root).and_then(|followed| followed.history.basis_at(best.step));
    let basis = basis.map_or(String::new(), |basis| format!(" ({basis})"));
    format!("FID {}{basis}", value(best.fid, false))
}

/// A quiet way to the best checkpoint, where no stage shows it.
fn open_best(ui: &mut Ui, training: &mut Training, run: &Run, best: Option<Best>) {
    let stages = training.strip.stages();
    let Some(best) = best.filter(|best| stages.iter().all(|stage| stage.step != best.step)) else { return };
    if training.opening.is_some() {
        return;
    }
    let words = if ui.available_width() < 320.0 { "Open best" } else { "Open best in Explore" };
    let text = RichText::new(words).font(theme::caption()).color(Colors::on_film().dim);
    let tooltip = format!(
        "Makes a model of the best checkpoint, at {} kimg, and opens it: {}. No samples were drawn at that step.",
        thousands(best.kimg),
        fid(training, run, best)
    );
    let button = ui.add(Button::new(text).frame_when_inactive(false).min_size(vec2(0.0, 24.0)));
    if button.on_hover_text(tooltip).clicked() {
        let ctx = ui.ctx().clone();
        training.open_checkpoint(&ctx, &run.root, best.step);
    }
}

/// The picked image at every stage, and a track to drag along.
fn frames(ui: &mut Ui, area: Rect, training: &mut Training, best: Option<Best>) {
    let on = Colors::on_film();
    let Some(current) = training.strip.index() else { return };
    let stages = training.strip.stages().to_vec();
    let count = stages.len();
    let best = best.and_then(|best| stages.iter().position(|stage| stage.step == best.step));
    let step = FRAME + 6.0;
    let fit = ((area.width() + 6.0) / step).floor().max(1.0) as usize;
    let first = current.saturating_sub(fit / 2).min(count.saturating_sub(fit));
    let response = ui.interact(area, ui.scope_id().with("stages"), Sense::click_and_drag());
    let track = Rect::from_min_max(pos2(area.left(), area.top() + FRAME + 22.0), pos2(area.right(), area.bottom()));
    if let Some(pointer) = response.interact_pointer_pos()
        && (response.clicked() || response.dragged())
    {
        let on_track = response.ctx.input(|i| i.pointer.press_origin()).is_some_and(|from| from.y >= track.top());
        let index = if on_track {
            let share = ((pointer.x - track.left()) / track.width()).clamp(0.0, 1.0);
            (share * count.saturating_sub(1) as f32).round() as usize
        } else if response.dragged() && !response.drag_started() {
            current
        } else {
            first + ((pointer.x - area.left()) / step).max(0.0) as usize
        };
        training.strip.look_at(index.min(count - 1));
    }
    if response.has_focus() {
        ui.memory_mut(|memory| {
            let filter = EventFilter { horizontal_arrows: true, ..Default::default() };
            memory.set_focus_lock_filter(response.id, filter);
        });
    }
    let steps = ui.input(|input| {
        let asked = |action| input.num_accesskit_action_requests(response.id, action) as isize;
        asked(accesskit::Action::Increment) - asked(accesskit::Action::Decrement)
    });
    training.strip.step(steps);
    response.widget_info(|| WidgetInfo::slider(true, current as f64 + 1.0, "Stage"));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(Role::Slider);
        node.set_min_numeric_value(1.0);
        node.set_max_numeric_value(count as f64);
        node.add_action(accesskit::Action::Increment);
        node.add_action(accesskit::Action::Decrement);
    });
    let painter = ui.painter_at(area.expand(2.0));
    let look = look();
    for (place, index) in (first..count.min(first + fit)).enumerate() {
        let frame = Rect::from_min_size(area.min + vec2(place as f32 * step, 0.0), vec2(FRAME, FRAME));
        painter.rect_filled(frame, 0.0, on.panel);
        if let Some(film) = training.strip.image(stages[index].step) {
            film.paint(&painter, frame, &look);
        }
        let here = index == current;
        let pen = if here { Stroke::new(2.0, on.synthetic) } else { Stroke::new(1.0, on.track) };
        painter.rect_stroke(frame, 0.0, pen, StrokeKind::Outside);
        let ink = if here { on.synthetic } else { on.dim };
        let text = thousands(stages[index].kimg);
        painter.text(pos2(frame.center().x, frame.bottom() + 3.0), Align2::CENTER_TOP, text, theme::caption(), ink);
        if best == Some(index) {
            let galley = painter.layout_no_wrap("best".to_owned(), theme::caption(), on.text);
            let ground = Rect::from_min_size(frame.min, galley.size() + vec2(8.0, 2.0));
            painter.rect_filled(ground, 0.0, Color32::from_black_alpha(190));
            painter.galley(ground.min + vec2(4.0, 1.0), galley, on.text);
        }
        if let Some(percentile) = training.nearest.percentile(stages[index].step) {
            let near = percentile < 1.0;
            let text = if near { format!("{percentile:.1} % too near") } else { format!("{percentile:.0} %") };
            let ink = if near { on.danger } else { on.text };
            let galley = painter.layout_no_wrap(text, theme::caption(), ink);
            let ground = Rect::from_min_size(frame.left_bottom() - vec2(0.0, 15.0), vec2(FRAME, 15.0));
            painter.rect_filled(ground, 0.0, Color32::from_black_alpha(190));
            painter.galley(pos2(frame.center().x - galley.size().x * 0.5, ground.top() + 1.0), galley, ink);
        }
    }
    if count > 1 {
        let y = track.center().y;
        let x = |index: usize| track.left() + track.width() * index as f32 / (count - 1) as f32;
        painter.line_segment([pos2(track.left(), y), pos2(track.right(), y)], Stroke::new(2.0, on.track));
        if count > fit {
            let seen = Rect::from_x_y_ranges(x(first)..=x((first + fit).min(count) - 1), y - 1.0..=y + 1.0);
            painter.rect_filled(seen, CornerRadius::same(1), on.dim);
        }
        if let Some(best) = best {
            painter.vline(x(best), y - 5.0..=y + 5.0, Stroke::new(2.0, on.text));
        }
        painter.circle_filled(pos2(x(current), y), if response.hovered() { 6.0 } else { 5.0 }, on.synthetic);
    }
    let mark = if best.is_some() { " The line across the track is the best stage." } else { "" };
    response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text_at_pointer(format!(
        "The picked image at every stage. Click or drag, or use the arrow keys; the last stage is followed as it comes.{mark}"
    ));
}
