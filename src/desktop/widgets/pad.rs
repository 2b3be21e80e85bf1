//! A square to drag through the latent plane: the seed in the middle, the way so far as dots.

use eframe::egui::{EventFilter, Key, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::Change;
use super::toggle::reset_by_key;
use crate::desktop::theme;

/// How far the pad reaches in each direction.
pub const REACH: f32 = 3.0;

/// The latent plane to be dragged through.
pub struct Pad<'a> {
    /// Where the sample is now.
    pub value: [f32; 2],
    /// Where it was before, oldest first.
    pub trail: &'a [[f32; 2]],
    /// Height in points; it is as wide as its panel.
    pub height: f32,
}

impl Pad<'_> {
    /// Draws the pad; tells of a new place.
    pub fn show(&self, ui: &mut Ui) -> Option<Change<[f32; 2]>> {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), self.height), Sense::click_and_drag());
        let [u, v] = self.value;
        let name = "Latent plane";
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Canvas, true, name);
            info.current_text_value = Some(format!("{u:.2}, {v:.2}"));
            info
        });
        let mut change = None;
        if let Some(pointer) = response.interact_pointer_pos()
            && (response.dragged() || response.clicked())
        {
            change = Some(Change { value: plane_of(pointer, rect), dragging: response.dragged() });
        }
        if response.clicked() {
            response.request_focus();
        }
        if response.has_focus() {
            let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
            let [right, left, down, up] = [Key::ArrowRight, Key::ArrowLeft, Key::ArrowDown, Key::ArrowUp]
                .map(|key| ui.input(|i| i.num_presses(key)) as f32);
            if [right, left, down, up] != [0.0; 4] {
                let step = |at: f32, by: f32| ((at + 0.1 * by).clamp(-REACH, REACH) * 100.0).round() / 100.0;
                change = Some(Change { value: [step(u, right - left), step(v, up - down)], dragging: false });
            }
        }
        if response.double_clicked() || reset_by_key(ui, &response) {
            change = Some(Change { value: [0.0; 2], dragging: false });
        }
        self.paint(ui, rect, response.has_focus());
        response.on_hover_text(
            "Drag through the plane of latents around this seed; every place keeps the distribution the generator was \
             trained on.\nArrow keys move when it has the focus, double-click returns to the seed.",
        );
        change
    }

    fn paint(&self, ui: &Ui, rect: Rect, focused: bool) {
        if !ui.is_rect_visible(rect) {
            return;
        }
        let colors = theme::colors(ui);
        let painter = ui.painter_at(rect.expand(1.0));
        let edge = if focused { colors.synthetic } else { colors.hairline };
        painter.rect(rect, 4.0, colors.ground, Stroke::new(1.0, edge), StrokeKind::Inside);
        // One standard deviation of the directions that span the plane, and the seed in the middle.
        let unit = rect.height().min(rect.width()) * 0.5 / REACH;
        for ring in 1..=2 {
            painter.circle_stroke(rect.center(), unit * ring as f32, Stroke::new(1.0, colors.hairline));
        }
        let faint = Stroke::new(1.0, colors.track);
        let seed = rect.center();
        painter.line_segment([seed - vec2(4.0, 0.0), seed + vec2(4.0, 0.0)], faint);
        painter.line_segment([seed - vec2(0.0, 4.0), seed + vec2(0.0, 4.0)], faint);
        let count = self.trail.len();
        for (i, &place) in self.trail.iter().enumerate() {
            let age = (i + 1) as f32 / count.max(1) as f32;
            let ink = theme::tint(colors.dim, colors.ground, 0.3 + 0.6 * age);
            painter.circle_filled(place_of(place, rect), 2.0, ink);
        }
        let now = place_of(self.value, rect);
        let cross = Stroke::new(1.0, theme::tint(colors.synthetic, colors.ground, 0.35));
        painter.hline(rect.x_range().shrink(1.0), now.y, cross);
        painter.vline(now.x, rect.y_range().shrink(1.0), cross);
        painter.circle_filled(now, 9.0, theme::tint(colors.synthetic, colors.ground, 0.25));
        painter.circle_filled(now, 5.5, colors.synthetic);
    }
}

/// The place of the plane under a point; up is positive.
fn plane_of(point: Pos2, rect: Rect) -> [f32; 2] {
    let unit = rect.height().min(rect.width()) * 0.5 / REACH;
    let offset = (point.clamp(rect.min, rect.max) - rect.center()) / unit;
    [offset.x, -offset.y].map(|v| (v * 100.0).round() / 100.0)
}

/// Where a place of the plane lies on the pad.
fn place_of([u, v]: [f32; 2], rect: Rect) -> Pos2 {
    let unit = rect.height().min(rect.width()) * 0.5 / REACH;
    let inner = rect.shrink(6.0);
    pos2(rect.center().x + u * unit, rect.center().y - v * unit).clamp(inner.min, inner.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_places_agree() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(240.0, 160.0));
        assert_eq!(plane_of(rect.center(), rect), [0.0, 0.0]);
        for place in [[0.0, 0.0], [1.5, -0.5], [-2.25, 2.0]] {
            let back = plane_of(place_of(place, rect), rect);
            assert!((back[0] - place[0]).abs() < 0.011 && (back[1] - place[1]).abs() < 0.011, "{place:?} {back:?}");
        }
        assert_eq!(plane_of(pos2(130.0, -1e5), rect)[1], REACH);
    }
}
