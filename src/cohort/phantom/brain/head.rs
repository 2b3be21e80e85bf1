//! One patient's head: its measures, its pose in the scanner, and the inner table of the skull that all else hangs on.

use super::lattice::Lattice;
use super::shape::{Point, bump, length, smoothstep};
use crate::compute::random::stream;
use rand::Rng;
use rand_distr::{Distribution, Normal};

/// Side of the square field of view in millimetres.
pub const FIELD_OF_VIEW: f32 = 230.0;

/// Height in millimetres of the lowest slice: petrous bones, orbits and the fourth ventricle.
const LOWEST: f32 = -33.0;

/// Height in millimetres from the lowest slice to the highest, below the vertex.
const SPAN: f32 = 98.0;

/// A draw from a normal distribution, held within two and a half standard deviations: anatomy varies, heads do not burst.
pub fn around(rng: &mut impl Rng, mean: f32, deviation: f32) -> f32 {
    Normal::new(0.0_f32, 1.0).map_or(mean, |n| mean + deviation * n.sample(rng).clamp(-2.5, 2.5))
}

/// Where the slices of a patient lie relative to the head: rotation in the plane, tilt of the plane, and place.
struct Pose {
    cosine: f32,
    sine: f32,
    centre: [f32; 2],
    pitch: f32,
    roll: f32,
    lift: f32,
}

/// Everything about a patient that is not a bleed. Lengths in millimetres.
pub struct Head {
    /// Irregularity of the tissue.
    pub lattice: Lattice,
    /// Atrophy: 0 is a tight young brain, 1 wide sulci and ventricles.
    pub age: f32,
    /// Thickness of the vault.
    pub skull: f32,
    /// Thickness of the scalp over the vault.
    pub scalp: f32,
    /// Width of the ventricles on the right and on the left of the picture, relative to the usual.
    pub ventricles: [f32; 2],
    /// Which of the frontal sinus's two halves is larger, and how large: half-widths right and left.
    pub frontal_sinus: [f32; 2],
    /// Height of the top of the frontal sinus.
    pub frontal_sinus_top: f32,
    /// Share of the mastoid that is air cells.
    pub mastoid_air: f32,
    /// Radius and Hounsfield units of calcified pineal and of right and left choroid plexus; radius 0 where there is none.
    pub calcified: [(f32, f32); 3],
    /// Hounsfield units of calcium in the globus pallidus, mostly 0.
    pub pallidus: f32,
    /// Bow of the falx in millimetres.
    pub falx_bow: f32,
    /// Place of the coronal and of the lambdoid suture on the vault.
    pub sutures: [f32; 2],
    /// Hounsfield units of white matter, grey matter.
    pub white: f32,
    /// Hounsfield units of grey matter.
    pub grey: f32,
    /// Whether a head holder is in the field, and its radius and drop.
    pub holder: Option<[f32; 2]>,
    /// Standard deviation of the noise in Hounsfield units.
    pub noise: f32,
    /// Strength of beam hardening left after the scanner's own correction.
    pub hardening: f32,
    /// Reciprocals of the half-width, half-length, height above and depth below of the cavity.
    inverse: [f32; 4],
    egg: f32,
    square: f32,
    boxy: f32,
    lopsided: [f32; 4],
    pose: Pose,
}

/// Fourth power of the distance from the middle, in units of the cavity's half-axes, beyond which there is no head: over the
/// vault, and lower down where the face and the ears are.
const OUTERMOST_VAULT: f32 = 3.3;
const OUTERMOST_FACE: f32 = 5.6;

/// A point's place relative to the inner table.
pub struct Wall {
    /// Millimetres inside the inner table of the vault; negative in bone and beyond.
    pub depth: f32,
    /// Direction from the middle of the cavity.
    pub direction: Point,
    /// Millimetres by which a midline crest of bone stands into the cavity here.
    pub crest: f32,
}

impl Wall {
    /// So far out that nothing of the head is there.
    const BEYOND: Self = Self { depth: -99.0, direction: [0.0, 0.0, 1.0], crest: 0.0 };
}

impl Head {
    /// The head of a patient.
    pub fn new(patient_seed: u64) -> Self {
        let rng = &mut stream(patient_seed, "brain phantom anatomy");
        let size = around(rng, 1.0, 0.025);
        let age: f32 = rng.random_range(0.0..1.0);
        let ventricles = around(rng, 0.82 + 0.42 * age, 0.07);
        let lean = around(rng, 0.0, 0.07);
        let calcium = |rng: &mut rand_chacha::ChaCha8Rng, chance: f64, radius: f32| {
            if rng.random_bool(chance) {
                (radius * rng.random_range(0.4..1.25), rng.random_range(70.0..280.0))
            } else {
                (0.0, 0.0)
            }
        };
        let calcified = [calcium(rng, 0.65, 2.6), calcium(rng, 0.6, 2.8), calcium(rng, 0.6, 2.8)];
        let half = [
            around(rng, 67.0, 2.2) * size,
            around(rng, 84.5, 2.6) * size,
            around(rng, 78.0, 1.5) * size,
            around(rng, 88.0, 2.0),
        ];
        let white = around(rng, 26.5, 0.6);
        Self {
            lattice: Lattice::new(rng),
            age,
            skull: around(rng, 6.6, 0.8),
            scalp: around(rng, 5.4, 0.9),
            ventricles: [ventricles * (1.0 + lean), ventricles * (1.0 - lean)],
            frontal_sinus: [around(rng, 15.0, 5.0).max(0.0), around(rng, 15.0, 5.0).max(0.0)],
            frontal_sinus_top: around(rng, 3.0, 5.0),
            mastoid_air: rng.random_range(0.2..1.0),
            calcified,
            pallidus: if rng.random_bool(0.08 + 0.15 * f64::from(age)) { rng.random_range(30.0..90.0) } else { 0.0 },
            falx_bow: around(rng, 0.0, 0.9),
            sutures: [around(rng, -17.0, 4.0), around(rng, 50.0, 4.0)],
            white,
            grey: white + around(rng, 10.5, 0.5),
            holder: rng.random_bool(0.6).then(|| [rng.random_range(104.0..116.0), rng.random_range(10.0..20.0)]),
            noise: rng.random_range(4.0..5.6),
            hardening: rng.random_range(0.6..1.4),
            inverse: half.map(f32::recip),
            egg: around(rng, 0.06, 0.018),
            square: around(rng, 0.86, 0.04),
            boxy: around(rng, 0.62, 0.06),
            lopsided: [0.016, 0.012, 0.006, 0.012].map(|d| around(rng, 0.0, d)),
            pose: {
                let turn = around(rng, 0.0, 0.06);
                Pose {
                    cosine: turn.cos(),
                    sine: turn.sin(),
                    centre: [around(rng, 0.0, 2.5), around(rng, 1.0, 2.5)],
                    pitch: around(rng, 0.0, 0.055),
                    roll: around(rng, 0.0, 0.025),
                    lift: around(rng, 0.0, 2.0),
                }
            },
        }
    }

    /// Places a point of the slice at `level` (0 to 1), `x` and `y` in millimetres from the middle of the picture and
    /// `off` millimetres above the middle of the slice, in the head.
    pub fn place(&self, level: f32, x: f32, y: f32, off: f32) -> Point {
        let pose = &self.pose;
        let (u, v) = (x - pose.centre[0], y - pose.centre[1]);
        let (u, v) = (u * pose.cosine + v * pose.sine, v * pose.cosine - u * pose.sine);
        let height = LOWEST + SPAN * level + pose.lift + off;
        [u, v, height + pose.pitch * v + pose.roll * u]
    }

    /// Depth of a point inside the inner table, and its direction. The vault is a box-like ellipsoid, narrower in front,
    /// waisted at the temples, and no two sides alike.
    pub fn wall(&self, p: Point) -> Wall {
        let [x, y, z] = p;
        // Most of the picture is air, and need not be measured.
        if x * x * 1e-4 + y * y * 6.9e-5 > 1.0 {
            return Wall::BEYOND;
        }
        let up = z - 2.0;
        let along = y * self.inverse[1];
        let waist =
            if z < 0.0 && y < 0.0 { 0.15 * smoothstep(0.0, 30.0, -z) * smoothstep(0.0, 0.9, -along) } else { 0.0 };
        let wide = 1.0 + self.egg * along.clamp(-1.2, 1.2) - 0.05 * (along * along).min(1.4);
        let a = self.inverse[0] / (wide * (1.0 - waist));
        let c = if up > 0.0 { self.inverse[2] } else { self.inverse[3] };
        let (u, v) = (x * a, up * c);
        let (across, length_wise) = (u * u, along * along);
        // Between an ellipse and a box in the plane, and again in height.
        let round = across + length_wise;
        let reach = if z > -4.0 { OUTERMOST_VAULT } else { OUTERMOST_FACE };
        if 0.9 * round * round + v * v * v * v > reach {
            return Wall::BEYOND;
        }
        let plane = (round * round - 2.0 * (1.0 - self.square) * across * length_wise).sqrt();
        let (q, w) = (plane, v * v);
        let fourth = q * q + w * w + 2.0 * self.boxy * q * w;
        let rad = fourth.sqrt().sqrt().max(0.05);
        let cube = 1.0 / (rad * rad * rad);
        let (fq, fw) = ((q + self.boxy * w) * cube, (w + self.boxy * q) * cube);
        let slope = length([fq * u * a, fq * along * self.inverse[1], fw * v * c]).max(1e-3);
        let n = 1.0 / length(p).max(1.0);
        let direction = [x * n, y * n, z * n];
        let [dx, dy, dz] = direction;
        let [l0, l1, l2, l3] = self.lopsided;
        let bulge = l0 * dx * dy + l1 * (dx * dx - dy * dy) + l2 * dx + l3 * dy * (dy * dy - dz * dz);
        // Crests of bone in the midline, at the brow and at the occiput.
        let occipital = 4.5 * bump(x, 8.0) * smoothstep(52.0, 76.0, y) * smoothstep(8.0, -6.0, z);
        let frontal = 4.0 * bump(x, 3.5) * smoothstep(-60.0, -76.0, y) * bump(z, 26.0);
        Wall { depth: (1.0 - rad * (1.0 + bulge)) / slope - occipital - frontal, direction, crest: occipital + frontal }
    }

    /// Whether a point can lie inside the skull.
    pub fn inside(&self, p: Point) -> bool {
        self.wall(p).depth > 0.0
    }

    /// Thickness of the skull at a place on it: stout at brow and occiput, thin at the temples.
    pub fn skull_thickness(&self, wall: &Wall) -> f32 {
        let [dx, dy, dz] = wall.direction;
        let brow = smoothstep(0.75, 1.0, -dy);
        let back = smoothstep(0.8, 1.0, dy);
        let temple = smoothstep(0.7, 1.0, dx.abs()) * smoothstep(0.35, -0.1, dz);
        let sinus = smoothstep(0.86, 0.97, -dy) * bump(dz + 0.1, 0.36);
        self.skull * (1.0 + 0.35 * brow + 0.6 * sinus + 0.3 * back - 0.38 * temple) + wall.crest
    }

    /// Thickness of the soft tissue over the skull: scalp, temporalis, nape, nose.
    pub fn scalp_thickness(&self, p: Point) -> f32 {
        let [x, y, z] = p;
        let low = smoothstep(22.0, -22.0, z);
        let temporalis = bump(y + 30.0, 48.0) * low * smoothstep(30.0, 52.0, x.abs());
        let nape = smoothstep(-18.0, -50.0, z) * smoothstep(30.0, 70.0, y) * smoothstep(62.0, 40.0, x.abs());
        let nose = smoothstep(-16.0, -36.0, z) * bump(x, 16.0) * smoothstep(-40.0, -70.0, y);
        self.scalp + 8.5 * temporalis + 10.0 * nape + 11.0 * nose
    }
}
