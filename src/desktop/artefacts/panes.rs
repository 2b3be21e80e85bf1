//! Panes of the workspace: a film with a map over it, an outline, and the place of the pointer in all of them.

use eframe::egui::{
    Align2, Color32, Mesh, Painter, PointerButton, Pos2, Rect, RichText, Sense, Shape, Stroke, StrokeKind, Ui,
    UiBuilder, pos2, vec2,
};

use super::outline::Outline;
use super::worker::Map;
use crate::desktop::lightbox::{ColorMap, Film, Look, Pane, Zoom, drag_window};
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::number;
use crate::encoder::attribution;
use crate::radiograph::{Meaning, Window};

/// Height of the words above and below a pane.
pub const HEAD: f32 = 24.0;
/// Room between panes.
pub const GAP: f32 = 8.0;

/// One pane.
pub struct MapPane<'a> {
    /// What lies below.
    pub film: &'a Film,
    /// How it is looked at.
    pub look: Look,
    /// What lies above it: the map, the value that is fully coloured, the opacity.
    pub map: Option<(&'a Map, f32, f32)>,
    /// True outline of the finding.
    pub outline: Option<&'a Outline>,
    /// Its heading.
    pub title: &'a str,
    /// Colour of heading and frame.
    pub color: Color32,
    /// Name in the accessibility tree.
    pub name: &'a str,
}

/// What the hand looks at in all panes at once.
pub struct Hand<'a> {
    /// Magnification and pan.
    pub zoom: &'a mut Zoom,
    /// Window of the films.
    pub window: &'a mut Window,
    /// Where the pointer was in the last frame, in shares of the film.
    pub pointer: Option<[f32; 2]>,
    /// Where it is now.
    pub pointed: &'a mut Option<[f32; 2]>,
}

impl MapPane<'_> {
    /// Draws heading and film into `rect`.
    pub fn show(&self, ui: &mut Ui, rect: Rect, hand: &mut Hand<'_>) {
        let on = Colors::on_film();
        heading(ui, rect, self.title, self.color);
        let body = Rect::from_min_max(rect.min + vec2(0.0, HEAD), rect.max);
        ui.painter().rect_filled(body, 0.0, Color32::BLACK);
        let pane =
            Pane { film: self.film, look: self.look, name: self.name, frame: theme::tint(on.dim, Color32::BLACK, 0.4) };
        let (response, reading) = pane.show(ui, body, hand.zoom);
        if response.dragged_by(PointerButton::Primary) && self.look.map == ColorMap::Grey {
            *hand.window = drag_window(*hand.window, response.drag_delta());
        }
        let place = pane.place(body, hand.zoom, ui.pixels_per_point());
        let painter = ui.painter_at(body);
        let size = self.film.size();
        if let Some((map, most, opacity)) = self.map {
            let over = Rect::from_min_size(place.min, place.size() * map.stretch);
            map.film.paint(&painter.with_clip_rect(body.intersect(place)), over, &heat(most, opacity));
        }
        if let Some(outline) = self.outline {
            draw_outline(&painter, place, outline, on.phantom);
        }
        if let Some(reading) = reading {
            let share = |at: usize, side: usize| (at as f32 + 0.5) / side as f32;
            *hand.pointed = Some([share(reading.x, size[0]), share(reading.y, size[1])]);
        }
        let Some([x, y]) = hand.pointed.or(hand.pointer) else { return };
        let here = place.lerp_inside(vec2(x, y));
        if reading.is_none() {
            painter.circle_stroke(here, 4.0, Stroke::new(1.0, on.text));
        }
        let [column, row] = [(x, size[0]), (y, size[1])].map(|(share, side)| (share * side as f32) as usize);
        let meaning = self.film.image().meaning();
        let decimals = if meaning == Meaning::Density { 3 } else { 0 };
        let mut text = match self.film.image().at(column, row) {
            Some(value) => number(value, decimals),
            None => return,
        };
        if let Some((map, ..)) = self.map {
            let cells = map.film.size()[0];
            let cell = |share: f32| ((share / map.stretch * cells as f32) as usize).min(cells - 1);
            if let Some(delta) = map.film.image().at(cell(x), cell(y)) {
                text = format!("δ {}", amount(delta));
            }
        } else if !meaning.unit().is_empty() {
            text = format!("{text} {}", meaning.unit());
        }
        let text = format!("x {column}  y {row}  ·  {text}");
        let galley = painter.layout_no_wrap(text, theme::caption(), on.text);
        let foot = Align2::LEFT_BOTTOM.anchor_size(body.left_bottom() + vec2(6.0, -4.0), galley.size());
        painter.rect_filled(foot.expand2(vec2(4.0, 2.0)), 2.0, Color32::from_black_alpha(170));
        painter.galley(foot.min, galley, on.text);
    }
}

/// How a map is looked at.
pub fn heat(most: f32, opacity: f32) -> Look {
    Look {
        window: Window::spanning(0.0, most.max(attribution::FLOOR)),
        invert: false,
        // Squares are shown as the squares they are.
        linear: false,
        map: ColorMap::Heat,
        overlay: Some(opacity),
    }
}

/// A loss in nats with as many places as tell something.
pub fn amount(delta: f32) -> String {
    match delta {
        d if d <= 2.0 * attribution::FLOOR => "0".to_owned(),
        d if d < 0.000_95 => format!("{d:.1e}"),
        d if d < 0.1 => format!("{d:.4}"),
        d => format!("{d:.3}"),
    }
}

/// The heading of a pane.
pub fn heading(ui: &Ui, rect: Rect, title: &str, color: Color32) {
    let painter = ui.painter_at(rect);
    painter.text(rect.left_top() + vec2(0.0, 3.0), Align2::LEFT_TOP, title, theme::medium(theme::TEXT), color);
}

/// In place of a map that is not there: what would be, and how to come by it.
pub fn missing(ui: &mut Ui, rect: Rect, title: &str, color: Color32, add: impl FnOnce(&mut Ui)) {
    heading(ui, rect, title, color);
    let body = Rect::from_min_max(rect.min + vec2(0.0, HEAD), rect.max);
    ui.painter().rect_filled(body, 0.0, Color32::BLACK);
    let inner = body.shrink(16.0);
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ui.set_clip_rect(body);
        ui.vertical(add);
    });
}

/// A line of words on a film's ground.
pub fn on_film(ui: &mut Ui, text: &str, dim: bool) {
    let on = Colors::on_film();
    ui.label(RichText::new(text).color(if dim { on.dim } else { on.text }));
}

fn draw_outline(painter: &Painter, place: Rect, outline: &Outline, color: Color32) {
    let at = |[x, y]: [f32; 2]| -> Pos2 { place.lerp_inside(vec2(x, y)) };
    for (width, color) in [(3.0, Color32::from_black_alpha(170)), (1.5, color)] {
        for line in outline {
            painter.line_segment(line.map(at), Stroke::new(width, color));
        }
    }
}

/// The colour bar of the maps.
pub fn legend(ui: &mut Ui, width: f32, most: f32) {
    let colors = theme::colors(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(width, 28.0), Sense::hover());
    let bar = Rect::from_min_size(rect.min + vec2(0.0, 2.0), vec2(width, 8.0));
    let look = heat(most, 1.0);
    let mut mesh = Mesh::default();
    for i in 0..=32_u32 {
        let share = i as f32 / 32.0;
        let [r, g, b] = look.color(most * share);
        let x = bar.left() + share * bar.width();
        mesh.colored_vertex(pos2(x, bar.top()), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(x, bar.bottom()), Color32::from_rgb(r, g, b));
        if i > 0 {
            mesh.add_triangle(2 * i - 2, 2 * i - 1, 2 * i);
            mesh.add_triangle(2 * i - 1, 2 * i, 2 * i + 1);
        }
    }
    let painter = ui.painter();
    painter.add(Shape::mesh(mesh));
    painter.rect_stroke(bar, 0.0, Stroke::new(1.0, colors.track), StrokeKind::Outside);
    let text = |x: f32, anchor: Align2, text: String| {
        painter.text(pos2(x, bar.bottom() + 3.0), anchor, text, theme::caption(), colors.dim);
    };
    text(bar.left(), Align2::LEFT_TOP, "0".to_owned());
    text(bar.right(), Align2::RIGHT_TOP, format!("δ {}", amount(most)));
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn losses_have_as_many_places_as_tell_something() {
        let said = [1e-7, 0.000_12, 0.001_234, 0.0567, 0.4321, 2.0].map(amount);
        assert_eq!(said, ["0", "1.2e-4", "0.0012", "0.0567", "0.432", "2.000"]);
    }
}
