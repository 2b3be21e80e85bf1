//! Window and level: which values become black and which white.

use serde::{Deserialize, Serialize};

use super::Meaning;

/// A linear window in the radiograph's own unit (density or HU).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The value that becomes mid-grey.
    pub center: f32,
    /// The span from black to white; above zero.
    pub width: f32,
}

/// A named window under one of the number keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// What a reader calls it.
    pub name: &'static str,
    /// The window it sets.
    pub window: Window,
}

impl Window {
    /// A window with this centre and width.
    pub const fn new(center: f32, width: f32) -> Self {
        Self { center, width }
    }

    /// The window that spans `low` to `high`.
    pub fn spanning(low: f32, high: f32) -> Self {
        Self { center: 0.5 * (low + high), width: (high - low).max(f32::EPSILON) }
    }

    /// The values that become black and white.
    pub fn limits(self) -> (f32, f32) {
        (self.center - 0.5 * self.width, self.center + 0.5 * self.width)
    }

    /// Brightness 0 to 1 of a value.
    pub fn apply(self, value: f32) -> f32 {
        let (low, _) = self.limits();
        ((value - low) / self.width.max(f32::EPSILON)).clamp(0.0, 1.0)
    }

    /// The presets offered for this meaning, in the order of the number keys.
    ///
    /// Head CT: brain 80/40, stroke 40/40, subdural 200/75, bone 2500/480 (width/centre), as reading rooms use them.
    pub fn presets(meaning: Meaning) -> &'static [Preset] {
        const DENSITY: [Preset; 4] = [
            Preset { name: "Full", window: Window::new(0.5, 1.0) },
            Preset { name: "Lung", window: Window::new(0.35, 0.7) },
            Preset { name: "Mediastinum", window: Window::new(0.7, 0.6) },
            Preset { name: "Devices", window: Window::new(0.78, 0.44) },
        ];
        const HOUNSFIELD: [Preset; 4] = [
            Preset { name: "Brain", window: Window::new(40.0, 80.0) },
            Preset { name: "Stroke", window: Window::new(40.0, 40.0) },
            Preset { name: "Subdural", window: Window::new(75.0, 200.0) },
            Preset { name: "Bone", window: Window::new(480.0, 2500.0) },
        ];
        match meaning {
            Meaning::Density => &DENSITY,
            Meaning::Hounsfield => &HOUNSFIELD,
        }
    }

    /// The window a radiograph of this meaning opens with: the first preset.
    pub fn initial(meaning: Meaning) -> Self {
        Self::presets(meaning)[0].window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brain_window_maps_its_limits_to_black_and_white() {
        let brain = Window::initial(Meaning::Hounsfield);
        assert_eq!(brain.limits(), (0.0, 80.0));
        assert_eq!([-5.0, 0.0, 40.0, 80.0, 900.0].map(|v| brain.apply(v)), [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(Window::spanning(0.0, 80.0), brain);
    }
}
