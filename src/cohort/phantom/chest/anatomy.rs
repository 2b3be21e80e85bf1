//! The patient: everything that stays from film to film.
//!
//! Lengths are millimetres in a standing frame: x to the patient's left, y forwards, z downwards, with the origin in
//! the mid-plane at the lower edge of the sixth thoracic vertebra. `size` scales the whole frame.

use super::dice::Dice;
use super::vessels::{self, Twig};

/// Height of the carina.
pub(super) const CARINA: f32 = -46.0;
/// Height of the hila.
pub(super) const HILUM: f32 = -16.0;

/// A rib of one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rib {
    /// Height of the head of the rib at the spine.
    pub head: f32,
    /// How far the front end lies below the head.
    pub fall: f32,
    /// How far the side of the arc sags below the plane of the rib.
    pub sag: f32,
    /// Where bone gives way to cartilage, as an angle around the chest from the spine, radians.
    pub end: f32,
    /// Half of the rib's height.
    pub half_height: f32,
    /// Bone against the other ribs: the first hides in the thickness of the neck.
    pub density: f32,
    /// Slow undulation of the arc: amplitude in mm and phase.
    pub wave: [f32; 2],
}

/// One vertebra from C6 (0) to L2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vertebra {
    pub z: f32,
    pub half_width: f32,
    pub half_height: f32,
    /// Turn of the endplates, radians.
    pub tilt: f32,
    /// How far the spinous process leans from the midline.
    pub spinous: f32,
}

/// Proportions of heart and great vessels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heart {
    /// Transverse size against the average.
    pub width: f32,
    /// Lie of the left ventricle: radians below the horizontal.
    pub axis: f32,
    /// Radius of the aortic arch.
    pub knob: f32,
    /// Elongation of the ascending aorta with age, 0 to 1.
    pub unfolding: f32,
    /// Fullness of the pulmonary trunk against the average.
    pub trunk: f32,
    /// Fullness of the left atrial appendage against the average.
    pub atrium: f32,
    /// Half-width of the mediastinum above the arch.
    pub upper: f32,
    /// Calcium in the wall of the arch.
    pub calcified: bool,
    /// Size of the fat pad at the apex.
    pub fat_pad: f32,
}

/// The patient.
#[derive(Debug, Clone)]
pub(super) struct Anatomy {
    /// Scale of the frame.
    pub size: f32,
    /// Fat under the skin, mm.
    pub fat: f32,
    /// Mineral in the bones against the average.
    pub mineral: f32,
    /// Inner half-width and half-depth of the thorax.
    pub half_width: f32,
    pub half_depth: f32,
    /// Shape of the cage: barrel (wide above) against bell (wide below).
    pub flare: f32,
    pub shoulder_curve: f32,
    /// Height of the lung apex and of the costophrenic angle.
    pub apex: f32,
    pub base: f32,
    /// Height of the dome right and left, at full inspiration.
    pub dome: [f32; 2],
    /// Where the dome peaks and how much a second hump rises beside it, right and left.
    pub peak: [f32; 2],
    pub hump: [f32; 2],
    /// Side bend of the spine: amplitude and phase of two waves.
    pub bend: [[f32; 2]; 2],
    pub vertebrae: Vec<Vertebra>,
    pub ribs: [Vec<Rib>; 2],
    pub heart: Heart,
    /// Clavicle: height of the outer end, bow.
    pub clavicle: [f32; 2],
    /// Slope of the shoulders and their half-width.
    pub trapezius: f32,
    pub shoulder: f32,
    pub neck: f32,
    /// Width, height and thickness of the breast shadow; zero for none.
    pub breast: [f32; 3],
    pub breast_height: f32,
    /// Branches of the pulmonary vessels, right and left.
    pub vessels: [Vec<Twig>; 2],
}

impl Anatomy {
    pub fn of(patient: u64) -> Self {
        let mut dice = Dice::of_patient(patient, "body");
        let female = dice.chance(0.47);
        let age = dice.within(20.0, 88.0);
        let old = ((age - 45.0) / 40.0).clamp(0.0, 1.0);
        let size = dice.about(if female { 0.945 } else { 1.02 }, 0.035);
        let fat = (dice.about(17.0, 9.0) + if dice.chance(0.18) { dice.within(8.0, 24.0) } else { 0.0 }).max(6.0);
        let apex = dice.about(-128.0, 4.0);
        let right_dome = dice.about(97.0, 6.0);
        let left_dome = right_dome + dice.about(11.0, 5.0);
        let mut skeleton = Dice::of_patient(patient, "skeleton");
        let curve = if skeleton.chance(0.15) { 9.0 } else { 2.5 };
        let bend = [
            [skeleton.about(0.0, curve), skeleton.within(0.0, 6.3)],
            [skeleton.about(0.0, 0.4 * curve), skeleton.within(0.0, 6.3)],
        ];
        let mut anatomy = Self {
            size,
            fat,
            mineral: dice.about(1.0 - 0.2 * old, 0.1),
            half_width: dice.about(if female { 131.0 } else { 137.0 }, 6.0),
            half_depth: dice.about(86.0 + 8.0 * old, 6.0),
            flare: dice.about(0.02, 0.05),
            shoulder_curve: dice.about(3.7, 0.35),
            apex,
            base: right_dome.max(left_dome) + dice.about(46.0, 4.0),
            dome: [right_dome, left_dome],
            peak: [dice.about(66.0, 7.0), dice.about(70.0, 7.0)],
            hump: [dice.within(-3.0, 6.0), dice.within(-3.0, 4.0)],
            bend,
            vertebrae: vertebrae(&mut skeleton, old),
            ribs: ribs(&mut skeleton, female),
            heart: heart(patient, old),
            clavicle: [skeleton.about(-120.0, 7.0), skeleton.about(8.0, 3.0)],
            trapezius: dice.about(72.0, 8.0),
            shoulder: dice.about(if female { 168.0 } else { 180.0 }, 7.0),
            neck: dice.about(if female { 50.0 } else { 57.0 }, 4.0) + 0.25 * fat,
            breast: [0.0; 3],
            breast_height: dice.about(72.0, 12.0),
            vessels: [Vec::new(), Vec::new()],
        };
        if female {
            let fullness = dice.about(0.55, 0.3).clamp(0.1, 1.2);
            anatomy.breast = [58.0 + 12.0 * fullness, 46.0 + 20.0 * fullness, 8.0 + 15.0 * fullness + 0.2 * fat];
        } else if fat > 26.0 {
            anatomy.breast = [60.0, 44.0, 7.0];
        }
        anatomy.vessels = [0, 1].map(|side| vessels::grow(patient, side, &anatomy));
        anatomy
    }

    /// Sideways place of the spine at a height.
    pub fn midline(&self, z: f32) -> f32 {
        let [long, short] = self.bend;
        long[0] * (z / 95.0 + long[1]).sin() + short[0] * (z / 45.0 + short[1]).sin()
    }
}

fn vertebrae(dice: &mut Dice, old: f32) -> Vec<Vertebra> {
    let mut z = -183.0;
    (0..16)
        .map(|i| {
            let i = i as f32;
            let pitch = 17.0 + 0.78 * i;
            z += pitch * dice.about(1.0, 0.02);
            let wedge = if dice.chance(0.12 * old) { dice.within(0.6, 0.85) } else { 1.0 };
            Vertebra {
                z,
                half_width: (13.5 + 0.55 * i) * dice.about(1.0, 0.04),
                half_height: 0.39 * pitch * wedge * dice.about(1.0, 0.04),
                tilt: dice.about(0.0, 0.025 + 0.03 * old),
                spinous: dice.about(0.0, 1.5),
            }
        })
        .collect()
}

/// Two sides of one cage: a common template for the person, and each rib's own departure from it.
fn ribs(dice: &mut Dice, female: bool) -> [Vec<Rib>; 2] {
    let slope = dice.about(1.0, 0.13);
    let crowding = dice.about(1.0, 0.025);
    let thick = dice.about(if female { 5.6 } else { 6.3 }, 0.4);
    let sag = dice.about(11.0, 4.0);
    let phase = dice.within(0.0, 6.3);
    let extra_twelfth = dice.chance(0.8);
    let mut z = -140.0;
    let heads: Vec<f32> = (0..12)
        .map(|i| {
            let here = z;
            z += (19.0 + 0.75 * i as f32) * crowding;
            here
        })
        .collect();
    [0, 1].map(|_| {
        let lift = dice.about(0.0, 1.5);
        (0..if extra_twelfth { 12 } else { 11 })
            .map(|i| {
                let n = i as f32;
                let fall = match i {
                    0 => 32.0,
                    1 => 50.0,
                    _ => (58.0 + 6.5 * n).min(98.0),
                };
                let end = match i {
                    0 => 2.55,
                    1..=5 => 2.42 - 0.03 * n,
                    6..=8 => 2.3 - 0.09 * (n - 5.0),
                    9 => 1.85,
                    10 => 1.5,
                    _ => 0.85,
                };
                Rib {
                    head: heads[i] + if i == 0 { 7.0 } else { 0.0 } + lift + dice.about(0.0, 1.1),
                    fall: fall * slope + dice.about(0.0, 3.5),
                    sag: sag * (0.6 + 0.05 * n) + dice.about(0.0, 1.8),
                    end: end + dice.about(0.0, 0.06),
                    half_height: thick * if i == 0 { 1.25 } else { 1.0 } * dice.about(1.0, 0.07),
                    density: if i == 0 { 0.5 } else { dice.about(1.0, 0.06) },
                    wave: [dice.about(0.0, 1.3), phase + dice.about(0.0, 0.7)],
                }
            })
            .collect()
    })
}

fn heart(patient: u64, old: f32) -> Heart {
    let mut dice = Dice::of_patient(patient, "heart");
    Heart {
        width: dice.about(0.97, 0.06),
        axis: dice.about(0.62, 0.12),
        knob: dice.about(15.0 + 5.0 * old, 1.6),
        unfolding: (old + dice.about(0.0, 0.2)).clamp(0.0, 1.0),
        trunk: dice.about(1.0, 0.12),
        atrium: dice.about(1.0, 0.1),
        upper: dice.about(25.0, 2.5),
        calcified: dice.chance(0.5 * old),
        fat_pad: dice.within(0.0, 1.0),
    }
}
