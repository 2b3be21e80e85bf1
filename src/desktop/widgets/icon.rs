//! Icons drawn with lines, so that they look the same everywhere and stay sharp at any scale.

use eframe::egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};

/// A drawn sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A film on a light box.
    LightBox,
    /// Another draw.
    Dice,
    /// Closed lock.
    Locked,
    /// Open lock.
    Unlocked,
    /// Back to the default.
    Reset,
    /// Dark and light.
    Theme,
    /// Keys and help.
    Help,
    /// More about this.
    Info,
    /// Something is wrong or too near.
    Warning,
    /// Opens downwards.
    Down,
    /// Closes or dismisses.
    Close,
    /// Finds commands.
    Search,
    /// Opens a folder.
    Folder,
    /// A board to teach at.
    Teach,
    /// What is done more seldom.
    More,
    /// A curve that falls towards its floor: training.
    Curve,
    /// Two curves with their points: benchmarks.
    Points,
    /// A film in squares, some of them lit: what a classifier rests on.
    Squares,
}

impl Icon {
    /// Draws the icon within a square of side `size` around `center`.
    pub fn paint(self, painter: &Painter, center: Pos2, size: f32, color: Color32) {
        let half = size * 0.5;
        let at = |x: f32, y: f32| center + vec2(x, y) * half;
        let pen = Stroke::new((size / 11.0).max(1.0), color);
        let line = |points: &[(f32, f32)]| {
            painter.add(Shape::line(points.iter().map(|&(x, y)| at(x, y)).collect(), pen));
        };
        let dot = |x: f32, y: f32, radius: f32| {
            painter.circle_filled(at(x, y), radius * half, color);
        };
        let arc = |x: f32, y: f32, radius: f32, from: f32, to: f32| {
            let steps = 24;
            let point = |i: usize| {
                let angle = (from + (to - from) * i as f32 / steps as f32).to_radians();
                at(x + radius * angle.cos(), y + radius * angle.sin())
            };
            painter.add(Shape::line((0..=steps).map(point).collect(), pen));
        };
        let frame = |x: f32, y: f32, width: f32, height: f32, round: f32| {
            let rect = Rect::from_center_size(at(x, y), Vec2::new(width, height) * half);
            painter.rect_stroke(rect, round * half, pen, StrokeKind::Middle);
        };
        match self {
            Self::LightBox => {
                frame(0.0, 0.0, 1.9, 1.9, 0.25);
                frame(0.0, 0.0, 0.95, 1.15, 0.1);
            }
            Self::Dice => {
                frame(0.0, 0.0, 1.8, 1.8, 0.35);
                for (x, y) in [(-0.42, -0.42), (0.42, -0.42), (0.0, 0.0), (-0.42, 0.42), (0.42, 0.42)] {
                    dot(x, y, 0.17);
                }
            }
            Self::Locked => {
                frame(0.0, 0.4, 1.5, 1.1, 0.15);
                line(&[(-0.45, -0.15), (-0.45, -0.4)]);
                line(&[(0.45, -0.15), (0.45, -0.4)]);
                arc(0.0, -0.4, 0.45, 180.0, 360.0);
            }
            Self::Unlocked => {
                frame(0.0, 0.4, 1.5, 1.1, 0.15);
                line(&[(-0.45, -0.15), (-0.45, -0.45)]);
                arc(0.0, -0.45, 0.45, 180.0, 330.0);
            }
            Self::Reset => {
                arc(0.0, 0.05, 0.72, -60.0, 210.0);
                line(&[(-0.98, -0.72), (-0.62, -0.3), (-0.12, -0.62)]);
            }
            Self::Theme => {
                painter.circle_stroke(center, 0.85 * half, pen);
                let steps = 24;
                let half_disc = (0..=steps).map(|i| {
                    let angle = (90.0 + 180.0 * i as f32 / steps as f32).to_radians();
                    at(0.85 * angle.cos(), 0.85 * angle.sin())
                });
                painter.add(Shape::convex_polygon(half_disc.collect(), color, Stroke::NONE));
            }
            Self::Help => {
                painter.circle_stroke(center, 0.9 * half, pen);
                arc(0.0, -0.22, 0.32, 170.0, 400.0);
                line(&[(0.24, 0.0), (0.02, 0.15), (0.0, 0.3)]);
                dot(0.0, 0.56, 0.1);
            }
            Self::Info => {
                painter.circle_stroke(center, 0.9 * half, pen);
                line(&[(0.0, -0.08), (0.0, 0.5)]);
                dot(0.0, -0.42, 0.11);
            }
            Self::Warning => {
                line(&[(0.0, -0.85), (0.95, 0.8), (-0.95, 0.8), (0.0, -0.85)]);
                line(&[(0.0, -0.25), (0.0, 0.25)]);
                dot(0.0, 0.52, 0.1);
            }
            Self::Down => line(&[(-0.5, -0.25), (0.0, 0.3), (0.5, -0.25)]),
            Self::Close => {
                line(&[(-0.6, -0.6), (0.6, 0.6)]);
                line(&[(-0.6, 0.6), (0.6, -0.6)]);
            }
            Self::Folder => {
                line(&[
                    (-0.9, -0.6),
                    (-0.9, 0.75),
                    (0.9, 0.75),
                    (0.9, -0.35),
                    (0.0, -0.35),
                    (-0.25, -0.7),
                    (-0.9, -0.7),
                ]);
            }
            Self::Teach => {
                frame(0.0, -0.25, 1.9, 1.2, 0.1);
                line(&[(-0.5, 0.9), (0.0, 0.35), (0.5, 0.9)]);
                line(&[(-0.55, -0.05), (-0.15, -0.45), (0.15, -0.15), (0.55, -0.5)]);
            }
            Self::More => {
                for x in [-0.6, 0.0, 0.6] {
                    dot(x, 0.0, 0.15);
                }
            }
            Self::Curve => {
                line(&[(-0.9, -0.9), (-0.9, 0.9), (0.9, 0.9)]);
                let falling = (0..=16).map(|i| {
                    let x = i as f32 / 16.0;
                    (-0.6 + 1.5 * x, 0.5 - 1.2 * (-3.5 * x).exp())
                });
                line(&falling.collect::<Vec<_>>());
            }
            Self::Points => {
                line(&[(-0.9, -0.9), (-0.9, 0.9), (0.9, 0.9)]);
                for points in [[(-0.5, 0.0), (0.15, -0.4), (0.8, -0.7)], [(-0.5, 0.55), (0.15, 0.3), (0.8, -0.1)]] {
                    line(&points);
                    points.iter().for_each(|&(x, y)| dot(x, y, 0.15));
                }
            }
            Self::Squares => {
                line(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9), (-0.9, -0.9)]);
                for (x, y) in [(-0.3, -0.3), (0.3, -0.3), (0.3, 0.3)] {
                    let square = Rect::from_center_size(at(x, y), Vec2::splat(0.5 * half));
                    painter.rect_filled(square, 0.0, color);
                }
            }
            Self::Search => {
                painter.circle_stroke(at(-0.2, -0.2), 0.6 * half, pen);
                line(&[(0.25, 0.25), (0.85, 0.85)]);
            }
        }
    }
}

/// The small triangle that marks a place on a bar, pointing down onto `tip`.
pub fn marker(painter: &Painter, tip: Pos2, size: f32, color: Color32) {
    let top = tip.y - size;
    let corners = vec![tip, pos2(tip.x - size * 0.6, top), pos2(tip.x + size * 0.6, top)];
    painter.add(Shape::convex_polygon(corners, color, Stroke::NONE));
}
