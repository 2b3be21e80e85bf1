//! From optical depth to the film on the light box: beam, scatter, quantum noise, detector, and display.

use super::dice::Dice;
use super::plane::{Grid, Plane, ramp};

/// Attenuation per mm at the beam's effective energy, about 70 keV: muscle and blood.
pub(super) const MUSCLE: f32 = 0.0186;
/// Aerated lung at full inspiration.
pub(super) const LUNG: f32 = 0.0046;
/// Fat and breast.
pub(super) const FAT: f32 = 0.0168;
/// Compact bone beyond the soft tissue it replaces.
pub(super) const BONE: f32 = 0.036;
/// Metal of leads and generators.
pub(super) const METAL: f32 = 0.32;
/// Barium-filled plastic of tubes and lines.
pub(super) const PLASTIC: f32 = 0.085;

/// How this film was exposed and developed.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    /// Quanta per mm² that reach the bare detector.
    quanta: f32,
    /// Scatter behind the grid over the primary beam.
    scatter: f32,
    /// Detector's blur, mm.
    blur: f32,
    /// Gain of local detail in the development.
    detail: f32,
    /// Steepness and centre of the film's curve.
    steepness: f32,
    centre: f32,
    /// Depth shown dark (clear lung) and bright (spine and abdomen).
    range: [f32; 2],
}

impl Exposure {
    /// The exposure that automatic control would choose for this body in health, so that disease changes the film
    /// only where it is.
    pub fn of(patient: u64, film: u32, healthy: &Plane, lung: &Plane) -> Self {
        let mut dice = Dice::of_film(patient, film, "exposure");
        let sorted = |wanted: &dyn Fn(f32) -> bool| {
            let mut depths: Vec<f32> = healthy
                .values
                .iter()
                .zip(&lung.values)
                .filter(|&(_, &air)| wanted(air))
                .map(|(&depth, _)| depth)
                .collect();
            depths.sort_by(f32::total_cmp);
            depths
        };
        let quantile = |depths: &[f32], q: f32| depths.get((depths.len() as f32 * q) as usize).copied().unwrap_or(2.0);
        let dark = quantile(&sorted(&|air| air > 80.0), 0.4);
        let bright = quantile(&sorted(&|air| air < 80.0), 0.88);
        Self {
            quanta: 22000.0 * (dice.about(0.5, 0.45)).exp(),
            scatter: dice.within(0.012, 0.03),
            blur: dice.within(0.35, 0.6),
            detail: dice.within(0.3, 0.7),
            steepness: dice.within(2.9, 3.6),
            centre: dice.about(0.36, 0.05),
            range: [dark, bright.max(dark + 0.5)],
        }
    }

    /// Pixels in 0..1 of a film `side` wide from optical depth on a finer grid.
    pub fn develop(&self, depth: Plane, patient: u64, film: u32, side: usize) -> Vec<f32> {
        let factor = depth.grid.side / side;
        let mut beam = depth;
        for value in &mut beam.values {
            *value = (-value.max(0.0)).exp();
        }
        if self.blur > 0.3 * beam.grid.pitch() {
            beam.blur(self.blur);
        }
        let mut film_beam = beam.reduced(factor);
        let coarse = side.min(32);
        let mut scatter = film_beam.reduced(side / coarse);
        scatter.blur(0.09 * scatter.grid.extent);
        let scatter = scatter.enlarged(side);
        let area = film_beam.grid.pitch().powi(2);
        let mut noise = Dice::of_film(patient, film, "quanta");
        for (value, haze) in film_beam.values.iter_mut().zip(&scatter.values) {
            let mean = *value + self.scatter * haze + 0.0004;
            let spread = (mean / (self.quanta * area)).sqrt();
            *value = -(mean + spread * noise.normal().clamp(-4.0, 4.0)).max(0.15 * mean).ln();
        }
        self.display(&film_beam)
    }

    fn display(&self, depth: &Plane) -> Vec<f32> {
        let grid: Grid = depth.grid;
        let mut smooth = depth.reduced((grid.side / 64).max(1));
        smooth.blur(11.0);
        let smooth = smooth.enlarged(grid.side);
        let [dark, bright] = self.range;
        let scale = 1.0 / (bright - dark);
        let response = |t: f32| 1.0 / (1.0 + (-self.steepness * (t - self.centre)).exp());
        let base = response(-0.75 * dark * scale);
        let curve = |t: f32| ((response(t) - base) / (1.0 - base)).max(0.0);
        depth
            .values
            .iter()
            .zip(&smooth.values)
            .map(|(&depth, &around)| {
                // Bare film is left as it is, so that no halo runs along the skin.
                let gain = self.detail * ramp(0.5 * dark, dark, around);
                let shown = depth + gain * (depth - around).clamp(-0.9, 0.9);
                let t = (shown - dark) * scale;
                curve(if t < 0.0 { 0.75 * t } else { t })
            })
            .collect()
    }
}
