//! A switch with its name beside it.

use eframe::egui::{Key, Rect, Response, Role, Sense, TextWrapMode, Ui, WidgetInfo, WidgetText, pos2, vec2};

use crate::desktop::theme;

/// A row that switches when clicked anywhere in `rect`. The caller changes the value when it was clicked.
pub fn toggle(ui: &mut Ui, rect: Rect, on: bool, name: &str) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(("toggle", name)), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, enabled, on, name));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let colors = theme::colors(ui);
    let painter = ui.painter();
    if response.has_focus() {
        painter.rect_filled(rect, 4.0, colors.hovered);
    }
    let pill = Rect::from_center_size(pos2(rect.left() + 13.0, rect.center().y), vec2(26.0, 14.0));
    let (track, knob, x) = if on {
        (theme::tint(colors.synthetic, colors.panel, 0.4), colors.synthetic, pill.right() - 7.0)
    } else {
        (colors.track, if response.hovered() { colors.text } else { colors.dim }, pill.left() + 7.0)
    };
    painter.rect_filled(pill, 7.0, track);
    painter.circle_filled(pos2(x, pill.center().y), 5.0, knob);
    let ink = if on || response.hovered() { colors.text } else { theme::tint(colors.text, colors.dim, 0.45) };
    let room = rect.width() - 34.0;
    let text = WidgetText::from(name).into_galley(ui, Some(TextWrapMode::Truncate), room, theme::text());
    painter.galley(pos2(rect.left() + 34.0, rect.center().y - text.size().y * 0.5), text, ink);
    response
}

/// Whether a focused control was told to act by the keyboard's delete key: back to the default.
pub fn reset_by_key(ui: &Ui, response: &Response) -> bool {
    response.has_focus() && ui.input(|input| input.key_pressed(Key::Delete))
}
