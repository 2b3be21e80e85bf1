//! A small film with a frame and a name, to look at or to click.

use eframe::egui::{Color32, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use crate::desktop::lightbox::{Film, Look};
use crate::desktop::theme;

/// A small film.
pub struct Thumbnail<'a> {
    /// The film; `None` while it is not there yet.
    pub film: Option<&'a Film>,
    /// How it is looked at.
    pub look: Look,
    /// Width and height in points.
    pub size: Vec2,
    /// Colour and width of its frame.
    pub frame: Stroke,
    /// Name in the accessibility tree.
    pub name: &'a str,
    /// Whether it can be clicked.
    pub clickable: bool,
}

impl Thumbnail<'_> {
    /// Draws it at the next place of `ui`.
    pub fn show(&self, ui: &mut Ui) -> Response {
        let sense = if self.clickable { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(self.size, sense);
        let role = if self.clickable { Role::Button } else { Role::Image };
        response.widget_info(|| WidgetInfo::labeled(role, true, self.name));
        if !ui.is_rect_visible(rect) {
            return response;
        }
        let painter = ui.painter();
        painter.rect_filled(rect, 0.0, Color32::BLACK);
        if let Some(film) = self.film {
            film.paint(&ui.painter_at(rect.intersect(ui.clip_rect())), fitted(film.size(), rect), &self.look);
        }
        let mut frame = self.frame;
        if self.clickable && (response.hovered() || response.has_focus()) {
            frame.color = theme::colors(ui).text;
        }
        painter.rect_stroke(rect, 0.0, frame, StrokeKind::Outside);
        response
    }
}

/// The largest rectangle of the film's proportions within `rect`.
fn fitted(film: [usize; 2], rect: Rect) -> Rect {
    let [width, height] = film.map(|side| side as f32);
    let scale = (rect.width() / width).min(rect.height() / height);
    Rect::from_center_size(rect.center(), Vec2::new(width, height) * scale)
}
