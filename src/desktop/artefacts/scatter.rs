//! The squares of two maps as points, by their ranks: what the rank correlation is of.

use eframe::egui::{Align2, Color32, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::worker::TOP;
use crate::desktop::theme;

/// Draws the points in a square of this side; both ranks are shares from 0 (least) to 1.
pub fn show(ui: &mut Ui, side: f32, ranks: &[[f32; 2]], names: [&str; 2], inks: [Color32; 2]) {
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
    let name = format!("Squares by rank: {} across, {} up", names[0], names[1]);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name.clone()));
    let colors = theme::colors(ui);
    let painter = ui.painter_at(rect);
    let plot = Rect::from_min_max(rect.min + vec2(16.0, 1.0), rect.max - vec2(1.0, 16.0));
    let at = |[x, y]: [f32; 2]| pos2(plot.left() + x * plot.width(), plot.bottom() - y * plot.height());
    // The corner in which a square is among the highest of both.
    let border = 1.0 - 1.0 / TOP as f32;
    let corner = Rect::from_two_pos(at([border, border]), at([1.0, 1.0]));
    painter.rect_filled(corner, 0.0, theme::tint(colors.text, colors.ground, 0.12));
    painter.rect_stroke(plot, 0.0, Stroke::new(1.0, colors.track), StrokeKind::Inside);
    let radius = (side / 110.0 * (256.0 / ranks.len().max(1) as f32).sqrt()).clamp(0.7, 2.5);
    for &point in ranks {
        painter.circle_filled(at(point), radius, theme::tint(colors.text, colors.ground, 0.7));
    }
    painter.text(rect.right_bottom(), Align2::RIGHT_BOTTOM, names[0].to_owned(), theme::caption(), inks[0]);
    let text = painter.layout_no_wrap(names[1].to_owned(), theme::caption(), inks[1]);
    let shape = eframe::egui::epaint::TextShape::new(pos2(rect.left(), rect.top() + text.size().x), text, inks[1]);
    painter.add(shape.with_angle(-std::f32::consts::FRAC_PI_2));
    response.on_hover_text(
        "Each point is a square of the film: its rank in one map against its rank in the other. The shaded corner holds those \
         among the highest of both.",
    );
}
