//! How a film is looked at: window, inversion, interpolation, colours. The CPU's half of the shader.

use crate::radiograph::{Radiograph, Window};

/// Which colours brightness becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColorMap {
    /// Black to white.
    Grey,
    /// For differences: blue below zero, black at zero, orange above.
    Diverging,
    /// For amounts: black over purple and orange to pale yellow, in even steps of lightness (Matplotlib's inferno).
    Heat,
}

/// Every fifteenth entry of Matplotlib's inferno (public domain), as sRGB bytes.
const HEAT: [[u8; 3]; 18] = [
    [0, 0, 4],
    [10, 7, 34],
    [30, 12, 69],
    [56, 9, 98],
    [81, 14, 108],
    [105, 22, 110],
    [128, 31, 108],
    [152, 39, 102],
    [176, 49, 91],
    [198, 61, 77],
    [217, 77, 61],
    [233, 97, 43],
    [244, 121, 24],
    [250, 148, 7],
    [252, 176, 20],
    [248, 205, 55],
    [242, 234, 105],
    [252, 255, 164],
];

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
            Self::Heat => {
                let (below, part) = (usize::from(entry) / 15, f32::from(entry % 15) / 15.0);
                let above = (below + 1).min(HEAT.len() - 1);
                let mix = |c: usize| f32::from(HEAT[below][c]) * (1.0 - part) + f32::from(HEAT[above][c]) * part;
                [0, 1, 2].map(|c| mix(c).round() as u8)
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
    /// `None` covers what lies below. Otherwise the film is laid over it with this opacity, 0 to 1, which falls to nothing
    /// with the brightness (as its square root), so that what is below is seen where there is little above.
    pub overlay: Option<f32>,
}

impl Look {
    /// The value that becomes black, and one over the span to white: what the shader is given.
    pub fn low_and_scale(&self) -> (f32, f32) {
        let (low, high) = self.window.limits();
        (low, 1.0 / (high - low).max(f32::EPSILON))
    }

    /// The colour of a value; the shader computes the same.
    pub fn color(&self, value: f32) -> [u8; 3] {
        self.map.color((self.brightness(value) * 255.0 + 0.5).floor() as u8)
    }

    /// How much of a value's colour covers what lies below, 0 to 1; the shader computes the same.
    pub fn opacity(&self, value: f32) -> f32 {
        self.overlay.map_or(1.0, |opacity| opacity * self.brightness(value).sqrt())
    }

    fn brightness(&self, value: f32) -> f32 {
        let (low, scale) = self.low_and_scale();
        let brightness = ((value - low) * scale).clamp(0.0, 1.0);
        if self.invert { 1.0 - brightness } else { brightness }
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
        let look = Look {
            window: Window::new(0.0, 2.0),
            invert: false,
            linear: false,
            map: ColorMap::Diverging,
            overlay: None,
        };
        let [below, zero, above] = [-1.0, 0.0, 1.0].map(|v| look.color(v));
        assert!(zero.iter().all(|&c| c <= 8), "{zero:?}");
        assert!(below[2] > 200 && below[0] < 120, "{below:?}");
        assert!(above[0] > 200 && above[2] < 120, "{above:?}");
    }

    #[test]
    fn heat_is_matplotlibs_inferno_and_its_lightness_rises_evenly() {
        // np.round(matplotlib.colormaps['inferno'](np.arange(256))[:, :3] * 255)[[0, 64, 128, 192, 255]]
        let expected =
            [(0, [0, 0, 4]), (64, [87, 16, 110]), (128, [188, 55, 84]), (192, [249, 142, 9]), (255, [252, 255, 164])];
        for (entry, color) in expected {
            let found = ColorMap::Heat.color(entry);
            assert!(found.iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 5), "{entry}: {found:?} {color:?}");
        }
        // CIE lightness of sRGB, 0 to 100.
        let lightness = |entry: u8| {
            let linear = ColorMap::Heat.color(entry).map(|byte| {
                let c = f32::from(byte) / 255.0;
                if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            });
            let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
            if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
        };
        let steps: Vec<f32> = (0..=14).map(|i| lightness(i * 17 + 17) - lightness(i * 17)).collect();
        assert!(steps.iter().all(|step| (3.0..9.0).contains(step)), "{steps:?}");
    }

    #[test]
    fn an_overlay_lets_through_where_there_is_little_of_it() {
        let look = Look {
            window: Window::spanning(0.0, 1.0),
            invert: false,
            linear: false,
            map: ColorMap::Heat,
            overlay: Some(0.8),
        };
        assert_eq!([look.opacity(0.0), look.opacity(0.25), look.opacity(1.0), look.opacity(9.0)], [0.0, 0.4, 0.8, 0.8]);
        assert_eq!(Look { overlay: None, ..look }.opacity(0.0), 1.0);
    }

    #[test]
    fn inversion_mirrors_the_window() {
        let plain =
            Look { window: Window::new(40.0, 80.0), invert: false, linear: true, map: ColorMap::Grey, overlay: None };
        let inverted = Look { invert: true, ..plain };
        assert_eq!([plain.color(0.0), plain.color(80.0)], [[0; 3], [255; 3]]);
        assert_eq!([inverted.color(0.0), inverted.color(80.0)], [[255; 3], [0; 3]]);
    }
}
