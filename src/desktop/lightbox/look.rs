//! How a film is looked at: window, inversion, interpolation, colours. The CPU's half of the shader.

use crate::radiograph::{Radiograph, Window};

/// Which colours brightness becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColorMap {
    /// Black to white.
    Grey,
    /// For differences: blue below zero, black at zero, orange above.
    Diverging,
}

impl ColorMap {
    /// The colour of table entry 0 to 255, as sRGB bytes.
    pub fn color(self, entry: u8) -> [u8; 3] {
        match self {
            Self::Grey => [entry; 3],
            Self::Diverging => {
                let signed = (f32::from(entry) - 127.5) / 127.5;
                let end = if signed < 0.0 { [92.0, 152.0, 255.0] } else { [255.0, 140.0, 66.0] };
                // A square root lets small differences be seen; the legend shows the same table.
                let strength = ((signed.abs() - 1.0 / 255.0).max(0.0)).sqrt();
                end.map(|c: f32| (c * strength).round() as u8)
            }
        }
    }
}

/// How a film is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Which values become black and white.
    pub window: Window,
    /// Black and white change places.
    pub invert: bool,
    /// Linear interpolation between pixels, or the nearest pixel.
    pub linear: bool,
    /// Colours.
    pub map: ColorMap,
}

impl Look {
    /// The value that becomes black, and one over the span to white: what the shader is given.
    pub fn low_and_scale(&self) -> (f32, f32) {
        let (low, high) = self.window.limits();
        (low, 1.0 / (high - low).max(f32::EPSILON))
    }

    /// The colour of a value; the shader computes the same.
    pub fn color(&self, value: f32) -> [u8; 3] {
        let (low, scale) = self.low_and_scale();
        let mut brightness = ((value - low) * scale).clamp(0.0, 1.0);
        if self.invert {
            brightness = 1.0 - brightness;
        }
        self.map.color((brightness * 255.0 + 0.5).floor() as u8)
    }

    /// All pixels of a film as sRGB bytes, row by row.
    pub fn colors(&self, film: &Radiograph) -> Vec<u8> {
        film.pixels().iter().flat_map(|&value| self.color(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_difference_is_black_and_signs_have_their_own_colour() {
        let look = Look { window: Window::new(0.0, 2.0), invert: false, linear: false, map: ColorMap::Diverging };
        let [below, zero, above] = [-1.0, 0.0, 1.0].map(|v| look.color(v));
        assert!(zero.iter().all(|&c| c <= 8), "{zero:?}");
        assert!(below[2] > 200 && below[0] < 120, "{below:?}");
        assert!(above[0] > 200 && above[2] < 120, "{above:?}");
    }

    #[test]
    fn inversion_mirrors_the_window() {
        let plain = Look { window: Window::new(40.0, 80.0), invert: false, linear: true, map: ColorMap::Grey };
        let inverted = Look { invert: true, ..plain };
        assert_eq!([plain.color(0.0), plain.color(80.0)], [[0; 3], [255; 3]]);
        assert_eq!([inverted.color(0.0), inverted.color(80.0)], [[255; 3], [0; 3]]);
    }
}
