//! Where a distance falls among the distances of unseen patients: a bar from "too near" to "far".

use eframe::egui::{Color32, Mesh, Rect, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2};

use super::icon::marker;
use crate::desktop::theme;

/// A bar with a marker at `percentile` (0 to 100) and the reference's accent at its far end.
pub fn percentile_bar(ui: &mut Ui, percentile: f32, phantom: bool) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 12.0), Sense::hover());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Meter, true, format!("percentile {percentile:.1} of unseen patients"))
    });
    let colors = theme::colors(ui);
    let bar = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 4.0), rect.max);
    let far = theme::tint(colors.reference(phantom), colors.panel, 0.55);
    let stops = [(0.0, colors.danger), (0.08, theme::tint(colors.danger, far, 0.5)), (0.3, far), (1.0, far)];
    ui.painter().add(gradient(bar, &stops));
    let x = bar.left() + bar.width() * (percentile / 100.0).clamp(0.0, 1.0);
    marker(ui.painter(), pos2(x.clamp(bar.left() + 4.0, bar.right() - 4.0), bar.top() + 1.0), 6.0, colors.text);
}

/// A rectangle whose colour changes from left to right; stops are (share of width, colour).
fn gradient(rect: Rect, stops: &[(f32, Color32)]) -> Shape {
    let mut mesh = Mesh::default();
    for &(share, color) in stops {
        let x = rect.left() + share * rect.width();
        mesh.colored_vertex(pos2(x, rect.top()), color);
        mesh.colored_vertex(pos2(x, rect.bottom()), color);
    }
    for i in 0..stops.len().saturating_sub(1) as u32 {
        mesh.add_triangle(2 * i, 2 * i + 1, 2 * i + 2);
        mesh.add_triangle(2 * i + 1, 2 * i + 2, 2 * i + 3);
    }
    Shape::mesh(mesh)
}
