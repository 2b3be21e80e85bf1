//! The film: how the patient stood or lay, how deep the breath was, and the way of the beam.

use super::anatomy::{Anatomy, HILUM};
use super::dice::Dice;
use super::plane::Grid;

/// Side of the patient that faces the tube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Standing, chest against the detector, tube far away.
    PosteroAnterior,
    /// In bed, back on the detector, tube near.
    AnteroPosterior,
}

/// Everything that changes between two films of one patient.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    pub view: View,
    /// Sine and cosine of the turn about the long axis.
    rotation: [f32; 2],
    /// Sine of the tilt that sends the front of the chest upwards on the film.
    lordosis: f32,
    /// Slope of the body's axis on the film.
    lean: f32,
    shift: [f32; 2],
    /// Distance from tube to detector and from mid-plane to detector, mm.
    focus: f32,
    gap: f32,
    /// Scale of the mid-plane on the film.
    scale: f32,
    /// How far the domes stand above full inspiration, mm, right and left.
    pub raised: [f32; 2],
    /// How far the shoulder blades were rolled out of the lungs, 0 to 1.
    pub shoulders_rolled: f32,
    /// Upper arm against the body's axis: slope.
    pub arm: [f32; 2],
    /// Height by which one shoulder is above the other.
    pub shrug: f32,
    /// Side of the detector, mm.
    pub extent: f32,
}

impl Pose {
    pub fn of(patient: u64, film: u32, anatomy: &Anatomy) -> Self {
        let mut dice = Dice::of_film(patient, film, "pose");
        let view = if dice.chance(0.3) { View::AnteroPosterior } else { View::PosteroAnterior };
        let lying = view == View::AnteroPosterior;
        let angle = dice.about(0.0, if lying { 0.055 } else { 0.03 });
        let focus = if lying { dice.within(1000.0, 1200.0) } else { dice.within(1750.0, 1850.0) };
        let gap = anatomy.size * (anatomy.half_depth + 30.0 + anatomy.fat);
        let scale = anatomy.size * focus / (focus - gap);
        let breath = if lying { dice.about(20.0, 9.0) } else { dice.about(5.0, 6.0) }.clamp(-4.0, 42.0);
        let even = dice.about(0.0, 3.0);
        let wide = 2.0 * (anatomy.half_width + 24.0);
        let tall = anatomy.base - anatomy.apex + 84.0;
        let extent = scale * wide.max(tall) * dice.within(1.0, 1.11);
        Self {
            view,
            rotation: [angle.sin(), angle.cos()],
            lordosis: if lying { dice.about(0.10, 0.05) } else { dice.about(0.0, 0.02) },
            lean: dice.about(0.0, if lying { 0.03 } else { 0.014 }),
            shift: [dice.about(0.0, 5.0), scale * -0.5 * (anatomy.base + anatomy.apex) + dice.about(9.0, 6.0)],
            focus,
            gap,
            scale,
            raised: [breath + even, breath - even],
            shoulders_rolled: if lying { dice.within(0.0, 0.4) } else { dice.within(0.55, 1.0) },
            arm: [0, 1].map(|_| dice.about(if lying { 0.12 } else { 0.34 }, 0.1)),
            shrug: dice.about(0.0, 4.0),
            extent,
        }
    }

    /// Where a point of the body falls on the film, and the scale there.
    pub fn project(&self, anatomy: &Anatomy, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let [sin, cos] = self.rotation;
        let (across, depth) = (x * cos + y * sin, y * cos - x * sin);
        let toward = if self.view == View::PosteroAnterior { -depth } else { depth };
        let scale = anatomy.size * self.focus / (self.focus - self.gap - anatomy.size * toward);
        let height = z - y * self.lordosis;
        [scale * (across + self.lean * height) + self.shift[0], scale * height + self.shift[1], scale]
    }

    /// Height in the body's mid-plane of a row of the film.
    pub fn height(&self, film_z: f32) -> f32 {
        (film_z - self.shift[1]) / self.scale
    }

    /// Sideways place in the body's mid-plane.
    pub fn across(&self, film_x: f32, height: f32) -> f32 {
        (film_x - self.shift[0]) / self.scale - self.lean * height
    }

    /// Millimetres on the film for one in the mid-plane.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// Each column's place in the body's mid-plane for a row.
    pub fn columns(&self, grid: Grid, height: f32) -> impl Iterator<Item = f32> + use<> {
        let first = self.across(grid.mm(0), height);
        let step = grid.pitch() / self.scale;
        (0..grid.side).map(move |column| first + step * column as f32)
    }

    /// Where a height lies once the diaphragm of that side has moved up by `raised`.
    pub fn breathed(&self, side: usize, dome: f32, z: f32) -> f32 {
        if z < HILUM { z } else { HILUM + (z - HILUM) * (dome - self.raised[side] - HILUM) / (dome - HILUM) }
    }
}
