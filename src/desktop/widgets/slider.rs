//! A slider on one line: name, rail, value that can be typed, and the arrow that resets.

use std::ops::RangeInclusive;

use eframe::egui::{
    self, Align, DragValue, EventFilter, Key, Layout, Rect, Response, Role, Sense, Ui, UiBuilder, WidgetInfo,
    accesskit, pos2, vec2,
};

use super::toggle::reset_by_key;
use super::{Change, flat, reset_button};
use crate::desktop::theme;

/// One slider.
pub struct Slider<'a> {
    /// Name at the left; also the accessible name.
    pub name: &'a str,
    /// What it does, in a sentence.
    pub tooltip: &'a str,
    /// The present value.
    pub value: f32,
    /// Least and most.
    pub range: RangeInclusive<f32>,
    /// Where the reset arrow goes.
    pub default: f32,
    /// The value as text.
    pub show: &'a dyn Fn(f32) -> String,
    /// Whether the rail is filled from the default rather than from the left end.
    pub from_default: bool,
}

/// Width kept for names.
const NAME: f32 = 76.0;
/// Width kept for values.
const VALUE: f32 = 48.0;
/// Width kept for the arrow that resets.
const RESET: f32 = 16.0;
/// Height of a line.
const ROW: f32 = 24.0;

impl Slider<'_> {
    /// Draws the line; tells of a new value.
    pub fn show(&self, ui: &mut Ui) -> Option<Change<f32>> {
        self.show_with_name(ui, |ui| {
            ui.add(egui::Label::new(self.name).truncate()).on_hover_text(self.tooltip);
        })
    }

    /// As [`Slider::show`], with something else in the place of the name.
    pub fn show_with_name(&self, ui: &mut Ui, name: impl FnOnce(&mut Ui)) -> Option<Change<f32>> {
        let mut change = None;
        let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
        let cell = |from: f32, to: f32| Rect::from_x_y_ranges(row.left() + from..=row.left() + to, row.y_range());
        let width = row.width();
        let part = |ui: &mut Ui, rect: Rect, add: &mut dyn FnMut(&mut Ui)| {
            let layout = Layout::left_to_right(Align::Center);
            let mut child =
                ui.new_child(UiBuilder::new().max_rect(rect).layout(layout).id_salt((self.name, rect.left() as i32)));
            add(&mut child);
        };
        let mut name = Some(name);
        part(ui, cell(0.0, NAME), &mut |ui| {
            if let Some(name) = name.take() {
                name(ui);
            }
        });
        let response = self.rail(ui, cell(NAME + 4.0, width - VALUE - RESET), &mut change);
        let mut value = self.value;
        let show = self.show;
        part(ui, cell(width - VALUE - RESET, width - RESET), &mut |ui| {
            flat(ui, None);
            let typed = ui
                .add_sized(
                    vec2(VALUE, 20.0),
                    DragValue::new(&mut value)
                        .range(self.range.clone())
                        .speed((self.range.end() - self.range.start()) / 300.0)
                        .custom_formatter(|v, _| show(v as f32))
                        .custom_parser(parse),
                )
                .labelled_by(response.id)
                .on_hover_text("Drag, or click and type");
            if typed.changed() {
                change = Some(Change { value, dragging: typed.dragged() });
            }
        });
        let resets = response.double_clicked() || reset_by_key(ui, &response);
        part(ui, cell(width - RESET, width), &mut |ui| {
            if reset_button(ui, self.value != self.default, self.name) || resets {
                change = Some(Change { value: self.default, dragging: false });
            }
        });
        change
    }

    fn rail(&self, ui: &Ui, rect: Rect, change: &mut Option<Change<f32>>) -> Response {
        let response = ui.interact(rect, ui.scope_id().with(("slider", self.name)), Sense::click_and_drag());
        let (least, most) = (*self.range.start(), *self.range.end());
        let span = most - least;
        let left = rect.left() + 6.0;
        let length = rect.width() - 12.0;
        let mut value = self.value.clamp(least, most);
        if let Some(pointer) = response.interact_pointer_pos()
            && (response.dragged() || response.clicked())
        {
            value = least + span * ((pointer.x - left) / length).clamp(0.0, 1.0);
            *change = Some(Change { value, dragging: response.dragged() });
        }
        let steps = Self::steps(ui, &response);
        if steps != 0.0 {
            value = (value + steps * span / 100.0).clamp(least, most);
            *change = Some(Change { value, dragging: false });
        }
        if let Some(asked) = asked_value(ui, &response) {
            value = (asked as f32).clamp(least, most);
            *change = Some(Change { value, dragging: false });
        }
        let enabled = ui.is_enabled();
        response.widget_info(|| WidgetInfo::slider(enabled, f64::from(value), self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_role(Role::Slider);
            node.set_min_numeric_value(f64::from(least));
            node.set_max_numeric_value(f64::from(most));
            node.add_action(accesskit::Action::SetValue);
            node.add_action(accesskit::Action::Increment);
            node.add_action(accesskit::Action::Decrement);
        });
        if ui.is_rect_visible(rect) {
            let colors = theme::colors(ui);
            let y = rect.center().y;
            let x_of = |v: f32| left + length * ((v - least) / span).clamp(0.0, 1.0);
            let bar = |from: f32, to: f32| Rect::from_x_y_ranges(from.min(to)..=from.max(to), y - 1.5..=y + 1.5);
            let painter = ui.painter();
            painter.rect_filled(bar(left, left + length), 1.5, colors.track);
            let from = if self.from_default { x_of(self.default) } else { left };
            painter.rect_filled(bar(from, x_of(value)), 1.5, colors.synthetic);
            if response.has_focus() {
                painter.circle_filled(pos2(x_of(value), y), 9.0, theme::tint(colors.synthetic, colors.panel, 0.35));
            }
            let radius = if response.hovered() || response.dragged() { 6.0 } else { 5.0 };
            painter.circle_filled(pos2(x_of(value), y), radius, colors.synthetic);
        }
        response.on_hover_text(format!("{}\nDouble-click to reset.", self.tooltip))
    }

    /// How many hundredths of the range the keyboard or a screen reader asks for.
    fn steps(ui: &Ui, response: &Response) -> f32 {
        let mut steps = 0.0;
        if response.has_focus() {
            ui.memory_mut(|memory| {
                let filter = EventFilter { horizontal_arrows: true, ..Default::default() };
                memory.set_focus_lock_filter(response.id, filter);
            });
            steps += ui.input(|i| i.num_presses(Key::ArrowRight) as f32 - i.num_presses(Key::ArrowLeft) as f32);
        }
        steps
            + ui.input(|i| {
                let count = |action| i.num_accesskit_action_requests(response.id, action) as f32;
                count(accesskit::Action::Increment) - count(accesskit::Action::Decrement)
            })
    }
}

/// The value a screen reader asks for.
fn asked_value(ui: &Ui, response: &Response) -> Option<f64> {
    ui.input(|input| {
        let requests = input.accesskit_action_requests(response.id, accesskit::Action::SetValue);
        requests
            .filter_map(|request| match request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(value),
                _ => None,
            })
            .last()
    })
}

/// A typed number: a true minus sign and a unit behind it are understood.
fn parse(text: &str) -> Option<f64> {
    let plain = text.replace('\u{2212}', "-");
    let end = plain.rfind(|c: char| c.is_ascii_digit())? + 1;
    plain[..end].trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn typed_values_may_carry_their_unit_and_a_true_minus() {
        assert_eq!(parse("\u{2212}0.6 σ"), Some(-0.6));
        assert_eq!(parse(" 1.25"), Some(1.25));
        assert_eq!(parse("off"), None);
    }
}
