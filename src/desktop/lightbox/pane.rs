//! One pane of the light box: the film, the hand on it, the value under the pointer.

use eframe::egui::{
    Color32, CursorIcon, PointerButton, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2,
};

use super::geometry::{Zoom, pixel_at};
use super::{Film, Look};
use crate::radiograph::Window;

/// Room between the film and the pane's edge while it fits, so that captions stay beside it.
const MARGIN: f32 = 36.0;

/// One pane to be drawn.
pub struct Pane<'a> {
    /// What to draw.
    pub film: &'a Film,
    /// How to look at it.
    pub look: Look,
    /// Name in the accessibility tree.
    pub name: &'a str,
    /// Colour of the film's frame.
    pub frame: Color32,
}

/// The value under the pointer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Column, from 0 at the left.
    pub x: usize,
    /// Row, from 0 at the top.
    pub y: usize,
    /// Value in the film's unit.
    pub value: f32,
}

impl Pane<'_> {
    /// Draws into `rect`, pans and zooms. Dragging with the left button is left to the caller, by the response.
    pub fn show(&self, ui: &mut Ui, rect: Rect, zoom: &mut Zoom) -> (Response, Option<Reading>) {
        let response = ui.interact(rect, ui.scope_id().with(("pane", self.name)), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.name));
        let size = self.film.size();
        let inner = inner(rect);
        if let Some(pointer) = response.hover_pos() {
            let factor = ui.input(|i| i.zoom_delta() * (i.smooth_scroll_delta().y / 320.0).exp());
            if factor != 1.0 {
                zoom.zoom_at(pointer, factor, inner, size);
            }
        }
        if response.dragged_by(PointerButton::Middle) {
            zoom.pan_by(response.drag_delta(), inner, size);
        }
        let place = self.place(rect, zoom, ui.pixels_per_point());
        let painter = ui.painter_at(rect);
        self.film.paint(&painter, place, &self.look);
        painter.rect_stroke(place.expand(0.5), 0.0, Stroke::new(1.0, self.frame), StrokeKind::Outside);
        let reading = response.hover_pos().and_then(|point| {
            let [x, y] = pixel_at(point, place, size)?;
            Some(Reading { x, y, value: self.film.image().at(x, y)? })
        });
        let response = if response.dragged_by(PointerButton::Middle) {
            response.on_hover_and_drag_cursor(CursorIcon::Grabbing)
        } else {
            response.on_hover_cursor(CursorIcon::Crosshair)
        };
        (response, reading)
    }

    /// Where the film lies when it is drawn into `rect`.
    pub fn place(&self, rect: Rect, zoom: &Zoom, pixels_per_point: f32) -> Rect {
        whole_pixels(zoom.place(inner(rect), self.film.size()), pixels_per_point)
    }

    /// Physical pixels per film pixel in `rect`.
    pub fn magnification(&self, rect: Rect, zoom: &Zoom, pixels_per_point: f32) -> f32 {
        let inner = inner(rect);
        zoom.magnification(inner, self.film.size()) * pixels_per_point
    }
}

/// Where a film that fits may lie: captions are above and below it.
fn inner(rect: Rect) -> Rect {
    rect.shrink2(vec2(8.0, MARGIN.min(rect.height() * 0.1)))
}

/// Window and level by dragging: right widens, up brightens; a drag of 200 points is one e-fold or half a window.
pub fn drag_window(window: Window, delta: Vec2) -> Window {
    let width = (window.width * (delta.x / 200.0).exp()).clamp(1e-3, 1e5);
    Window { center: window.center + window.width * delta.y / 400.0, width }
}

/// The film begins on a whole physical pixel, so that nothing shimmers while panels move.
fn whole_pixels(rect: Rect, pixels_per_point: f32) -> Rect {
    let round = |v: f32| (v * pixels_per_point).round() / pixels_per_point;
    let min = rect.min;
    Rect::from_min_size([round(min.x), round(min.y)].into(), rect.size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dragging_right_widens_and_up_brightens() {
        let window = Window::new(40.0, 80.0);
        assert!(drag_window(window, vec2(50.0, 0.0)).width > 80.0);
        let up = drag_window(window, vec2(0.0, -50.0));
        assert!(up.apply(40.0) > window.apply(40.0));
        assert_eq!(up.width, 80.0);
        assert!(drag_window(window, vec2(-1e9, 0.0)).width > 0.0);
    }
}
