//! A short word in a thin frame: SYNTHETIC, PHANTOM, REAL.

use eframe::egui::{Align2, Color32, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};

use crate::desktop::theme;

/// Paints `word` with its frame's corner `anchor` at `place`; returns the frame.
pub fn badge(painter: &Painter, place: Pos2, anchor: Align2, word: &str, color: Color32) -> Rect {
    let galley = painter.layout_no_wrap(word.to_owned(), theme::medium(theme::CAPTION), color);
    let rect = anchor.anchor_size(place, galley.size() + vec2(12.0, 5.0));
    painter.rect(rect, 3.0, Color32::from_black_alpha(170), Stroke::new(1.0, color), StrokeKind::Inside);
    painter.galley(rect.center() - galley.size() * 0.5, galley, color);
    rect
}
