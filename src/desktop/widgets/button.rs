//! Buttons: with words, with a drawn icon, and the small arrow that resets.

use eframe::egui::{Button, Color32, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::Icon;
use crate::desktop::theme;

/// A button with words.
pub fn text_button(ui: &mut Ui, text: &str, tooltip: &str) -> Response {
    ui.add(Button::new(text).min_size(vec2(0.0, 24.0))).on_hover_text(tooltip)
}

/// One of several modes; the chosen one wears the accent of samples.
pub fn mode_button(ui: &mut Ui, chosen: bool, text: &str, tooltip: &str) -> Response {
    let colors = theme::colors(ui);
    let mut button = Button::selectable(chosen, text).min_size(vec2(0.0, 24.0)).frame_when_inactive(true);
    if chosen {
        button = button
            .fill(theme::tint(colors.synthetic, colors.panel, 0.22))
            .stroke(Stroke::new(1.0, theme::tint(colors.synthetic, colors.panel, 0.5)));
    }
    ui.add(button).on_hover_text(tooltip)
}

/// Figures that can be typed look like text until the hand is on them.
pub fn flat(ui: &mut Ui, ink: Option<Color32>) {
    let visuals = ui.visuals_mut();
    visuals.override_text_color = ink;
    visuals.widgets.inactive.weak_bg_fill = Color32::TRANSPARENT;
    ui.spacing_mut().button_padding = vec2(2.0, 0.0);
    ui.spacing_mut().interact_size.y = 20.0;
}

/// A square button with a drawn icon and no frame; `name` is read aloud and shown with the tooltip.
pub fn icon_button(ui: &mut Ui, icon: Icon, color: Option<Color32>, name: &str, tooltip: &str) -> Response {
    sized_icon(ui, icon, color, vec2(24.0, 24.0), name, tooltip)
}

/// The small arrow that sets a control back; invisible but in its place while there is nothing to reset.
pub fn reset_button(ui: &mut Ui, changed: bool, name: &str) -> bool {
    let size = vec2(16.0, 20.0);
    if !changed {
        ui.allocate_space(size);
        return false;
    }
    let name = format!("Reset {name}");
    sized_icon(ui, Icon::Reset, Some(theme::colors(ui).dim), size, &name, "Back to the default").clicked()
}

fn sized_icon(ui: &mut Ui, icon: Icon, color: Option<Color32>, size: Vec2, name: &str, tooltip: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let colors = theme::colors(ui);
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 4.0, colors.hovered);
    }
    let ink = if response.hovered() { colors.text } else { color.unwrap_or(colors.text) };
    icon.paint(ui.painter(), rect.center(), 14.0_f32.min(size.x - 2.0), ink);
    response.on_hover_text(format!("{name}\n{tooltip}"))
}
