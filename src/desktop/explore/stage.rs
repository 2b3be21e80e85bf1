//! The light box: one film or two, and what is written on it.

use std::time::Duration;

use eframe::egui::{
    Align2, Color32, FontId, Mesh, PointerButton, Rect, Response, RichText, Shape, Stroke, Ui, UiBuilder, pos2, vec2,
};

use super::{Explore, Mode};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::lightbox::{ColorMap, Look, Pane, Reading, drag_window};
use crate::desktop::notice;
use crate::desktop::render_worker::Sample;
use crate::desktop::session::Session;
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::{badge, number, signed};
use crate::generator::Recipe;
use crate::radiograph::Meaning;

/// How long A or B stays while they blink.
const BLINK: Duration = Duration::from_millis(500);
/// Distance of captions from the edge.
const EDGE: f32 = 16.0;

/// Draws the light box into all of `ui`.
pub fn show(ui: &mut Ui, view: &mut Explore, session: &mut Session, actions: &mut Actions) {
    let rect = ui.max_rect();
    match (session.sample().cloned(), view.mode) {
        (None, _) => super::empty::show(ui, rect, session, actions),
        (Some(sample), Mode::Sample) => single(ui, rect, view, session, &sample, None, actions),
        (Some(sample), Mode::Pair) => pair(ui, rect, view, session, &sample, actions),
        (Some(sample), Mode::Blink) => blink(ui, rect, view, session, &sample, actions),
        (Some(sample), Mode::Difference) => difference(ui, rect, view, session, &sample, actions),
    }
    notice::show(ui, rect, &session.notices, actions);
}

fn single(
    ui: &mut Ui,
    rect: Rect,
    view: &mut Explore,
    session: &Session,
    sample: &Sample,
    letter: Option<&str>,
    actions: &mut Actions,
) {
    let name =
        format!("Synthetic sample{}: {}", letter.map(|l| format!(" {l}")).unwrap_or_default(), says(&sample.recipe));
    let pane = Pane {
        film: &sample.film,
        look: view.look(session),
        name: &name,
        frame: theme::tint(Colors::on_film().synthetic, Color32::BLACK, 0.55),
    };
    let magnification = pane.magnification(rect, &view.zoom, ui.pixels_per_point());
    let (response, reading) = pane.show(ui, rect, &mut view.zoom);
    if response.dragged_by(PointerButton::Primary) {
        view.window = drag_window(view.window, response.drag_delta());
    }
    film_menu(&response, actions);
    let painter = ui.painter_at(rect);
    let on = Colors::on_film();
    let inner = rect.shrink2(vec2(EDGE, 12.0));
    let mark = badge(&painter, inner.left_top(), Align2::LEFT_TOP, "SYNTHETIC", on.synthetic);
    let mut end = mark.right();
    if let Some(letter) = letter {
        end = badge(&painter, pos2(mark.right() + 8.0, mark.top()), Align2::LEFT_TOP, letter, on.text).right();
    }
    findings_text(ui, inner, pos2(end + 16.0, mark.bottom()), &sample.recipe);
    foot(ui, inner, reading, sample.film.image().meaning(), magnification, session.settings.linear);
}

fn pair(ui: &mut Ui, rect: Rect, view: &mut Explore, session: &Session, sample: &Sample, actions: &mut Actions) {
    let gap = 2.0;
    let half = (rect.width() - gap) * 0.5;
    let left = Rect::from_min_size(rect.min, vec2(half, rect.height()));
    let right = Rect::from_min_size(pos2(rect.right() - half, rect.top()), vec2(half, rect.height()));
    ui.painter().rect_filled(
        Rect::from_min_max(left.right_top(), right.left_bottom()),
        0.0,
        theme::colors(ui).hairline,
    );
    match session.kept().cloned() {
        Some(kept) => single(ui, left, view, session, &kept, Some("A · kept"), actions),
        None => invite(ui, left, actions),
    }
    single(ui, right, view, session, sample, Some("B · live"), actions);
}

fn blink(ui: &mut Ui, rect: Rect, view: &mut Explore, session: &Session, sample: &Sample, actions: &mut Actions) {
    let Some(kept) = session.kept().cloned() else { return invite(ui, rect, actions) };
    let turn = (ui.input(|input| input.time) / BLINK.as_secs_f64()) as u64;
    let (shown, letter) = if turn.is_multiple_of(2) { (&*kept, "A · kept") } else { (sample, "B · live") };
    single(ui, rect, view, session, shown, Some(letter), actions);
    ui.ctx().request_repaint_after(BLINK);
}

fn difference(
    ui: &mut Ui,
    rect: Rect,
    view: &mut Explore,
    session: &mut Session,
    sample: &Sample,
    actions: &mut Actions,
) {
    if session.kept().is_none() {
        return invite(ui, rect, actions);
    }
    let most = session.difference().map_or(0.0, |difference| difference.most);
    let look = view.difference_look(session, most);
    let span = look.window.width * 0.5;
    let linear = session.settings.linear;
    let Some(difference) = session.difference() else {
        message(ui, rect, "A and B differ in size or unit, so that they cannot be subtracted.");
        return;
    };
    let pane = Pane {
        film: &difference.film,
        look,
        name: "Difference B minus A",
        frame: theme::tint(Colors::on_film().synthetic, Color32::BLACK, 0.55),
    };
    let magnification = pane.magnification(rect, &view.zoom, ui.pixels_per_point());
    let (response, reading) = pane.show(ui, rect, &mut view.zoom);
    if response.dragged_by(PointerButton::Primary) {
        let least = difference.most.max(1e-3) * 0.02;
        view.difference_span = Some((span * (response.drag_delta().y / 150.0).exp()).max(least));
    }
    film_menu(&response, actions);
    let painter = ui.painter_at(rect);
    let on = Colors::on_film();
    let inner = rect.shrink2(vec2(EDGE, 12.0));
    let mark = badge(&painter, inner.left_top(), Align2::LEFT_TOP, "SYNTHETIC", on.synthetic);
    badge(&painter, pos2(mark.right() + 8.0, mark.top()), Align2::LEFT_TOP, "B − A", on.text);
    let meaning = sample.film.image().meaning();
    let decimals = decimals(meaning);
    let figures = format!(
        "mean {}   largest {}{}",
        number(difference.mean, decimals + 1),
        number(difference.most, decimals),
        unit(meaning)
    );
    painter.text(inner.right_top() + vec2(0.0, 3.0), Align2::RIGHT_TOP, figures, theme::caption(), on.text);
    foot(ui, inner, reading, meaning, magnification, linear);
    legend(ui, inner, look, span, meaning);
}

/// The colour bar of a difference, at the foot of the light box.
fn legend(ui: &Ui, inner: Rect, look: Look, span: f32, meaning: Meaning) {
    let on = Colors::on_film();
    let bar = Rect::from_center_size(pos2(inner.center().x, inner.bottom() - 8.0), vec2(128.0, 8.0));
    let mut mesh = Mesh::default();
    for i in 0..=32_u32 {
        let share = i as f32 / 32.0;
        let [r, g, b] = look.color(span * (2.0 * share - 1.0));
        let x = bar.left() + share * bar.width();
        mesh.colored_vertex(pos2(x, bar.top()), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(x, bar.bottom()), Color32::from_rgb(r, g, b));
        if i > 0 {
            mesh.add_triangle(2 * i - 2, 2 * i - 1, 2 * i);
            mesh.add_triangle(2 * i - 1, 2 * i, 2 * i + 1);
        }
    }
    debug_assert_eq!(look.map, ColorMap::Diverging);
    let painter = ui.painter();
    painter.add(Shape::mesh(mesh));
    painter.rect_stroke(bar, 0.0, Stroke::new(1.0, on.track), eframe::egui::StrokeKind::Outside);
    let ends = [(bar.left() - 8.0, Align2::RIGHT_CENTER, -span), (bar.right() + 8.0, Align2::LEFT_CENTER, span)];
    for (x, anchor, value) in ends {
        let text = format!("{}{}", signed(value, decimals(meaning)), unit(meaning));
        painter.text(pos2(x, bar.center().y), anchor, text, theme::caption(), on.text);
    }
}

/// What a recipe's findings are, in a line.
pub fn says(recipe: &Recipe) -> String {
    if recipe.findings.is_empty() {
        return "no finding switched on".to_owned();
    }
    let each = recipe.findings.iter().map(|(name, strength)| format!("{name} {}", strength_text(*strength)));
    each.collect::<Vec<_>>().join(" · ")
}

/// A strength with one decimal, or two where they tell something.
pub fn strength_text(strength: f32) -> String {
    let text = format!("{strength:.2}");
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}

/// Findings at the top right; `badges` is the corner at which the badges end.
fn findings_text(ui: &Ui, inner: Rect, badges: eframe::egui::Pos2, recipe: &Recipe) {
    let on = Colors::on_film();
    let ink = if recipe.findings.is_empty() { on.dim } else { on.text };
    let beside = inner.right() - badges.x;
    let line = ui.painter().layout_no_wrap(says(recipe), theme::caption(), ink).size().x;
    // Beside the badges where there is room, else below them.
    let (room, top) =
        if line <= beside || beside > 240.0 { (beside, inner.top()) } else { (inner.width(), badges.y + 4.0) };
    let corner = pos2(inner.right(), top);
    let mut job = eframe::egui::text::LayoutJob::simple(says(recipe), theme::caption(), ink, room);
    job.halign = eframe::egui::Align::RIGHT;
    let galley = ui.painter().layout_job(job);
    let behind = galley.rect.translate((corner + vec2(0.0, 3.0)).to_vec2()).expand2(vec2(4.0, 2.0));
    ui.painter().rect_filled(behind, 2.0, Color32::from_black_alpha(150));
    ui.painter().galley(corner + vec2(0.0, 3.0), galley, ink);
}

/// Value under the pointer at the left, zoom at the right.
fn foot(ui: &Ui, inner: Rect, reading: Option<Reading>, meaning: Meaning, magnification: f32, linear: bool) {
    let on = Colors::on_film();
    let write = |place, anchor: Align2, text: String, ink| {
        let galley = ui.painter().layout_no_wrap(text, FontId::proportional(12.0), ink);
        let rect = anchor.anchor_size(place, galley.size());
        ui.painter().rect_filled(rect.expand2(vec2(4.0, 2.0)), 2.0, Color32::from_black_alpha(150));
        ui.painter().galley(rect.min, galley, ink);
    };
    let narrow = inner.width() < 260.0;
    if let Some(Reading { x, y, value }) = reading {
        let text = format!("x {x}  y {y}  ·  {}{}", number(value, decimals_of_reading(meaning)), unit(meaning));
        write(inner.left_bottom(), Align2::LEFT_BOTTOM, text, on.text);
    }
    if narrow && reading.is_some() {
        return;
    }
    let pixels = if linear { "linear" } else { "nearest" };
    let text = format!("zoom {magnification:.1}×  ·  {pixels}");
    write(inner.right_bottom(), Align2::RIGHT_BOTTOM, text, on.dim);
}

fn decimals(meaning: Meaning) -> usize {
    if meaning == Meaning::Density { 2 } else { 0 }
}

fn decimals_of_reading(meaning: Meaning) -> usize {
    if meaning == Meaning::Density { 3 } else { 0 }
}

fn unit(meaning: Meaning) -> String {
    match meaning.unit() {
        "" => String::new(),
        unit => format!(" {unit}"),
    }
}

fn film_menu(response: &Response, actions: &mut Actions) {
    response.context_menu(|ui| {
        for command in [
            Command::KeepAsA,
            Command::SwapPair,
            Command::Invert,
            Command::Interpolation,
            Command::ResetView,
            Command::CopyRecipe,
            Command::ExportPng,
        ] {
            let button = eframe::egui::Button::new(command.text()).shortcut_text(command.shortcut_text(ui.ctx()));
            if ui.add(button.frame_when_inactive(false)).clicked() {
                actions.push(Action::Run(command));
            }
        }
    });
}

/// In place of A while there is none.
fn invite(ui: &mut Ui, rect: Rect, actions: &mut Actions) {
    let area = Rect::from_center_size(rect.center(), vec2(rect.width().min(320.0), 120.0));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ui.vertical_centered(|ui| {
            let on = Colors::on_film();
            ui.label(RichText::new("No sample is kept as A yet").color(on.text));
            ui.label(RichText::new("Keep the live sample, then change something and compare.").color(on.dim));
            if ui.button(Command::KeepAsA.text()).on_hover_text(Command::KeepAsA.tooltip()).clicked() {
                actions.push(Action::Run(Command::KeepAsA));
            }
        });
    });
}

fn message(ui: &Ui, rect: Rect, text: &str) {
    let on = Colors::on_film();
    let galley = ui.painter().layout(text.to_owned(), theme::text(), on.text, rect.width() - 64.0);
    ui.painter().galley(rect.center() - galley.size() * 0.5, galley, on.text);
}
