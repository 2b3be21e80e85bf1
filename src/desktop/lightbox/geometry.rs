//! Where a film lies in its pane: fit, zoom at the pointer, pan.

use eframe::egui::{Pos2, Rect, Vec2, vec2};

/// Largest magnification: screen points per film pixel.
const MOST: f32 = 64.0;
/// Smallest magnification.
const LEAST: f32 = 0.05;

/// Magnification and pan of one pane.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Zoom {
    /// Points per film pixel; `None` fits the film into the pane.
    magnification: Option<f32>,
    /// How far the film's centre lies from the pane's, in points.
    pan: Vec2,
}

impl Zoom {
    /// Points per film pixel in this pane.
    pub fn magnification(&self, pane: Rect, film: [usize; 2]) -> f32 {
        self.magnification.unwrap_or_else(|| {
            let [width, height] = film.map(|side| side.max(1) as f32);
            (pane.width() / width).min(pane.height() / height).clamp(LEAST, MOST)
        })
    }

    /// Where a film of this many columns and rows lies, in points.
    pub fn place(&self, pane: Rect, film: [usize; 2]) -> Rect {
        let size = vec2(film[0] as f32, film[1] as f32) * self.magnification(pane, film);
        Rect::from_center_size(pane.center() + self.pan, size)
    }

    /// Magnifies by `factor` so that what is under `pointer` stays there.
    pub fn zoom_at(&mut self, pointer: Pos2, factor: f32, pane: Rect, film: [usize; 2]) {
        let before = self.magnification(pane, film);
        let after = (before * factor).clamp(LEAST, MOST);
        let from_center = pointer - (pane.center() + self.pan);
        self.pan += from_center * (1.0 - after / before);
        self.magnification = Some(after);
        self.keep_in_reach(pane, film);
    }

    /// Moves the film, but never out of the pane altogether.
    pub fn pan_by(&mut self, delta: Vec2, pane: Rect, film: [usize; 2]) {
        self.magnification = Some(self.magnification(pane, film));
        self.pan += delta;
        self.keep_in_reach(pane, film);
    }

    /// Fits the film into the pane again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether the film fits by itself.
    pub fn is_fit(&self) -> bool {
        self.magnification.is_none()
    }

    fn keep_in_reach(&mut self, pane: Rect, film: [usize; 2]) {
        let reach = (self.place(pane, film).size() + pane.size()) * 0.5 - Vec2::splat(32.0);
        self.pan = self.pan.clamp(-reach.max(Vec2::ZERO), reach.max(Vec2::ZERO));
    }
}

/// The film pixel under a point of the screen; `None` outside the film.
pub fn pixel_at(point: Pos2, place: Rect, film: [usize; 2]) -> Option<[usize; 2]> {
    let part = (point - place.min) / place.size();
    let inside = (0.0..1.0).contains(&part.x) && (0.0..1.0).contains(&part.y);
    let index = |part: f32, side: usize| ((part * side as f32) as usize).min(side - 1);
    inside.then(|| [index(part.x, film[0]), index(part.y, film[1])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    const PANE: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(900.0, 650.0) };
    const FILM: [usize; 2] = [128, 64];

    #[test]
    fn a_fresh_film_fits_and_is_centred() {
        let place = Zoom::default().place(PANE, FILM);
        assert_eq!(place.center(), PANE.center());
        assert_eq!(place.width(), 800.0);
        assert_eq!(place.height(), 400.0);
    }

    #[test]
    fn what_is_under_the_pointer_stays_there() {
        let mut zoom = Zoom::default();
        let pointer = pos2(321.0, 300.0);
        let before = pixel_at(pointer, zoom.place(PANE, FILM), FILM);
        for factor in [1.5, 2.0, 0.8] {
            zoom.zoom_at(pointer, factor, PANE, FILM);
            assert_eq!(pixel_at(pointer, zoom.place(PANE, FILM), FILM), before);
        }
        zoom.reset();
        assert!(zoom.is_fit());
    }

    #[test]
    fn a_film_cannot_be_lost() {
        let mut zoom = Zoom::default();
        zoom.pan_by(vec2(1e6, -1e6), PANE, FILM);
        assert!(zoom.place(PANE, FILM).intersects(PANE));
        for _ in 0..200 {
            zoom.zoom_at(PANE.center(), 3.0, PANE, FILM);
        }
        assert_eq!(zoom.magnification(PANE, FILM), MOST);
    }

    #[test]
    fn corners_belong_to_the_first_and_last_pixel_and_outside_to_none() {
        let place = Zoom::default().place(PANE, FILM);
        assert_eq!(pixel_at(place.min, place, FILM), Some([0, 0]));
        assert_eq!(pixel_at(place.max - vec2(0.01, 0.01), place, FILM), Some([127, 63]));
        assert_eq!(pixel_at(place.max + vec2(0.5, 0.0), place, FILM), None);
    }
}
