//! The five kinds of haemorrhage as solids of one patient's head, so that every slice of the patient cuts the same bleed.

use super::head::{Head, around};
use super::lattice::Lattice;
use super::shape::{Point, bump, cover, dot, ellipsoid, length, minus, mix, smoothstep, unit};
use crate::compute::random::stream;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::FRAC_PI_2;

/// Blood between skull and dura: a lens whose edges stop at sutures.
pub struct Epidural {
    /// Direction of its middle.
    pub middle: Point,
    along: Point,
    upward: Point,
    half: [f32; 2],
    /// Greatest thickness in millimetres.
    pub thick: f32,
    units: f32,
    swirl: f32,
}

/// Blood under the dura: a crescent that crosses sutures but not the midline, with a leaf along falx or tentorium at times.
pub struct Subdural {
    /// −1 for the right side of the patient (left of the picture), 1 for the left.
    pub side: f32,
    centre: [f32; 2],
    half: [f32; 2],
    /// Greatest thickness in millimetres.
    pub thick: f32,
    /// Thickness of the leaf along the falx and on the tentorium, often 0.
    leaf: [f32; 2],
    units: f32,
    /// Fall of attenuation from back to front over the clot: red cells settle.
    settled: f32,
}

/// Blood in fissures, cisterns and sulci.
pub struct Subarachnoid {
    /// Where it is thickest, and the reciprocal of how far it reaches along each axis.
    centres: Vec<(Point, Point)>,
    units: f32,
}

/// Blood in the tissue, with a rim of oedema.
pub struct Intraparenchymal {
    /// Its middle.
    pub centre: Point,
    radii: Point,
    /// Radius of a ball of about its volume.
    pub radius: f32,
    oedema: f32,
    units: f32,
}

/// Blood in the ventricles: a level at the back, a cast of one side, clots in the third and fourth.
pub struct Intraventricular {
    side: f32,
    cast: f32,
    level: f32,
    midline: [f32; 2],
    units: f32,
}

/// How much wider than usual blood in the ventricles makes them.
pub const SWELL: f32 = 1.45;

/// All bleeds of a patient.
pub struct Bleeds {
    /// Epidural haematoma.
    pub epidural: Option<Epidural>,
    /// Intraparenchymal haematoma.
    pub intraparenchymal: Option<Intraparenchymal>,
    /// Intraventricular blood.
    pub intraventricular: Option<Intraventricular>,
    /// Subarachnoid blood.
    pub subarachnoid: Option<Subarachnoid>,
    /// Subdural haematoma.
    pub subdural: Option<Subdural>,
    /// Which kinds are painted, in the RSNA order. One that barely reaches a level still pushes there, but shows no blood.
    pub painted: [bool; 5],
}

fn side(rng: &mut ChaCha8Rng) -> f32 {
    if rng.random_bool(0.5) { 1.0 } else { -1.0 }
}

impl Bleeds {
    /// The bleeds of a patient with the given findings in the RSNA order. Each has its own random stream: adding one finding
    /// moves no other.
    pub fn new(patient_seed: u64, findings: [bool; 6]) -> Self {
        let rng = |kind: &str| stream(patient_seed, &format!("brain phantom {kind}"));
        Self {
            epidural: findings[0].then(|| Epidural::new(&mut rng("epidural"))),
            intraparenchymal: findings[1].then(|| Intraparenchymal::new(&mut rng("intraparenchymal"))),
            intraventricular: findings[2].then(|| Intraventricular::new(&mut rng("intraventricular"))),
            subarachnoid: findings[3].then(|| Subarachnoid::new(&mut rng("subarachnoid"))),
            subdural: findings[4].then(|| Subdural::new(&mut rng("subdural"))),
            painted: [true; 5],
        }
    }
}

impl Epidural {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let side = side(rng);
        // Either before the coronal suture or behind it.
        let azimuth: f32 =
            if rng.random_bool(0.35) { rng.random_range(-0.95..-0.68) } else { rng.random_range(0.0..0.42) };
        let rise: f32 = rng.random_range(0.02..0.42);
        let middle = unit([side * azimuth.cos(), azimuth.sin(), rise]);
        let along = unit([-middle[1], middle[0], 0.0]);
        let upward = [
            middle[1] * along[2] - middle[2] * along[1],
            middle[2] * along[0] - middle[0] * along[2],
            middle[0] * along[1] - middle[1] * along[0],
        ];
        Self {
            middle,
            along,
            upward,
            half: [rng.random_range(0.36..0.48), rng.random_range(0.36..0.54)],
            thick: rng.random_range(18.0..28.0),
            units: rng.random_range(62.0..72.0),
            swirl: if rng.random_bool(0.3) { 16.0 } else { 4.0 },
        }
    }

    /// Thickness of the clot on the inner table at a place.
    pub fn thickness(&self, head: &Head, p: Point, direction: Point) -> f32 {
        if dot(direction, self.middle) < 0.6 {
            return 0.0;
        }
        let (s, t) = (dot(direction, self.along) / self.half[0], dot(direction, self.upward) / self.half[1]);
        let q = 1.0 - s * s - t * t;
        if q <= 0.0 {
            return 0.0;
        }
        // The dura is bound down at the coronal and the lambdoid suture: the lens ends there, blunt.
        let [x, y, z] = p;
        let coronal = y - head.sutures[0] + 0.12 * z - 0.1 * x.abs();
        let lambdoid = head.sutures[1] + 6.0 - y;
        let home = self.middle[1] * 78.0 - head.sutures[0];
        let bound = smoothstep(0.0, 13.0, if home > 0.0 { coronal + 3.0 } else { 3.0 - coronal })
            .min(smoothstep(0.0, 13.0, lambdoid));
        self.thick * q * (1.3 - 0.3 * q) * bound.sqrt()
    }

    /// Hounsfield units of the clot at a place; where it still bleeds, darker swirls.
    pub fn units(&self, lattice: &Lattice, p: Point) -> f32 {
        let v = lattice.at(p[0] * 0.1, p[1] * 0.1, p[2] * 0.1 + 33.0);
        self.units + 5.0 * v - self.swirl * smoothstep(0.1, 0.5, v)
    }
}

impl Subdural {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let kind: f32 = rng.random_range(0.0..1.0);
        let (units, settled) = if kind < 0.7 {
            (rng.random_range(60.0..70.0), 3.0)
        } else if kind < 0.82 {
            (rng.random_range(50.0..56.0), 32.0)
        } else if kind < 0.86 {
            (rng.random_range(42.0..46.0), 5.0)
        } else {
            (rng.random_range(13.0..18.0), 5.0)
        };
        let acute = kind < 0.7;
        Self {
            side: side(rng),
            centre: [rng.random_range(-0.25..0.3), rng.random_range(0.25..0.45)],
            half: [rng.random_range(1.05..1.35), rng.random_range(0.62..0.8)],
            thick: rng.random_range(8.0..13.5) + if acute { 0.0 } else { 3.5 },
            leaf: [
                if acute && rng.random_bool(0.4) { rng.random_range(2.5..5.0) } else { 0.0 },
                if acute && rng.random_bool(0.4) { rng.random_range(2.5..5.0) } else { 0.0 },
            ],
            units,
            settled,
        }
    }

    /// Thickness of the clot under the inner table at a place.
    pub fn thickness(&self, head: &Head, p: Point, direction: Point) -> f32 {
        let [x, y, _] = p;
        let near = x * self.side;
        if near < 1.0 {
            return 0.0;
        }
        // The angle from the side, from the ratio of the legs: within four degrees of the arc tangent and much cheaper.
        let azimuth = FRAC_PI_2 * y / (y.abs() + near);
        let (s, t) = ((azimuth - self.centre[0]) / self.half[0], (direction[2] - self.centre[1]) / self.half[1]);
        let q = 1.0 - s * s * s * s - t * t;
        if q <= 0.0 {
            return 0.0;
        }
        let uneven = 1.0 + 0.35 * head.lattice.at(direction[0] * 2.5 + 3.0, direction[1] * 2.5, direction[2] * 2.5);
        self.thick * q.sqrt() * uneven * smoothstep(1.0, 9.0, near)
    }

    /// Share of the leaf along the falx or on the tentorium, at a point of the undeformed brain.
    pub fn leaf(&self, p: Point, depth: f32, over: f32) -> f32 {
        let [x, y, z] = p;
        let near = x * self.side;
        let mut share = 0.0;
        if self.leaf[0] > 0.0 && z > 6.0 && depth < 46.0 {
            let long = bump(y - 8.0, 78.0).sqrt() * smoothstep(6.0, 16.0, z) * smoothstep(46.0, 36.0, depth);
            let callosum = bump(y - 3.0, 40.0) * smoothstep(34.0, 24.0, z);
            let half = 0.5 * self.leaf[0] * long * (1.0 - callosum);
            if half > 0.6 {
                share = cover((near - 0.4 - half).abs() - half, 0.5);
            }
        }
        if self.leaf[1] > 0.0 && near > 4.0 && y > 18.0 {
            let thick = self.leaf[1] * smoothstep(4.0, 16.0, near) * smoothstep(18.0, 30.0, y);
            if thick > 1.0 {
                share = f32::max(share, cover((over - 0.5 * thick).abs() - 0.5 * thick, 0.5));
            }
        }
        share
    }

    /// Hounsfield units of the clot at a place.
    pub fn units(&self, lattice: &Lattice, p: Point) -> f32 {
        let level = p[1] + 4.0 * lattice.at(p[0] * 0.08, p[1] * 0.05, p[2] * 0.08 + 44.0);
        self.units - self.settled * smoothstep(12.0, -12.0, level)
            + 3.0 * lattice.at(p[0] * 0.14, p[1] * 0.14, p[2] * 0.14)
    }
}

impl Subarachnoid {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let s = side(rng);
        let kind: f32 = rng.random_range(0.0..1.0);
        let mut centres: Vec<(Point, Point)> = Vec::new();
        if kind < 0.6 {
            // Burst aneurysm: cisterns, both Sylvian fissures with one fuller, the front of the midline.
            centres.push(([0.0, -8.0, -16.0], [34.0, 38.0, 18.0]));
            centres.push(([s * 48.0, -12.0, 0.0], [26.0, 34.0, 30.0]));
            centres.push(([s * -46.0, -14.0, -4.0], [20.0, 28.0, 20.0]));
            centres.push(([0.0, -52.0, 6.0], [9.0, 38.0, 36.0]));
        } else {
            // Injury: sulci of one convexity, and a little of the fissure below.
            let a: f32 = rng.random_range(-0.7..0.8);
            centres.push(([s * 56.0 * a.cos(), 68.0 * a.sin(), rng.random_range(12.0..38.0)], [36.0, 40.0, 40.0]));
            if rng.random_bool(0.6) {
                centres.push(([s * 48.0, -10.0, 2.0], [24.0, 32.0, 24.0]));
            }
        }
        for (_, reach) in &mut centres {
            *reach = reach.map(f32::recip);
        }
        Self { centres, units: rng.random_range(60.0..70.0) }
    }

    /// Share of the fluid that is blood at a point of the undeformed brain.
    pub fn share(&self, p: Point) -> f32 {
        let mut share = 0.0_f32;
        for (centre, reach) in &self.centres {
            let v = minus(p, *centre);
            let d = length([v[0] * reach[0], v[1] * reach[1], v[2] * reach[2]]);
            share = share.max(smoothstep(1.1, 0.7, d));
        }
        share
    }

    /// Hounsfield units of fluid full of blood.
    pub fn units(&self) -> f32 {
        self.units
    }
}

impl Intraparenchymal {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        const SITES: [(Point, f32); 7] = [
            ([27.0, -3.0, 4.0], 15.0),
            ([26.0, -4.0, 6.0], 16.0),
            ([14.0, 11.0, 5.0], 11.0),
            ([30.0, -42.0, 18.0], 16.0),
            ([36.0, 30.0, 30.0], 17.0),
            ([42.0, 4.0, -14.0], 13.0),
            ([24.0, 46.0, -34.0], 12.0),
        ];
        let (place, size) = SITES[rng.random_range(0..SITES.len())];
        let s = side(rng);
        let radius = size * rng.random_range(0.95..1.4);
        let centre = [s * around(rng, place[0], 2.0), around(rng, place[1], 3.0), around(rng, place[2], 3.0)];
        let stretch = rng.random_range(0.82..1.0);
        Self {
            centre,
            radii: [radius * stretch, radius / stretch, radius * 1.15],
            radius,
            oedema: rng.random_range(5.0..11.0),
            units: rng.random_range(60.0..71.0),
        }
    }

    /// Signed distance in millimetres from the clot's ragged edge.
    pub fn distance(&self, lattice: &Lattice, p: Point) -> f32 {
        let d = ellipsoid(p, self.centre, self.radii);
        if d > 16.0 {
            return d;
        }
        let [x, y, z] = p;
        d + 6.5 * lattice.at(x * 0.06 + 8.0, y * 0.06, z * 0.06) + 2.0 * lattice.at(x * 0.19, y * 0.19 + 8.0, z * 0.19)
    }

    /// Share of oedema at a distance outside the clot.
    pub fn oedema(&self, distance: f32) -> f32 {
        smoothstep(self.oedema + 2.5, self.oedema - 1.5, distance)
    }

    /// Hounsfield units of the clot at a place.
    pub fn units(&self, lattice: &Lattice, p: Point) -> f32 {
        self.units + 5.0 * lattice.at(p[0] * 0.13, p[1] * 0.13, p[2] * 0.13 + 55.0)
    }
}

impl Intraventricular {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self {
            side: side(rng),
            cast: rng.random_range(0.0..1.0),
            level: rng.random_range(18.0..36.0),
            midline: [if rng.random_bool(0.55) { 1.0 } else { 0.0 }, if rng.random_bool(0.5) { 1.0 } else { 0.0 }],
            units: rng.random_range(56.0..66.0),
        }
    }

    /// Share of the ventricle's content that is blood, at a point of the undeformed brain.
    pub fn share(&self, lattice: &Lattice, p: Point, lateral: f32) -> f32 {
        let [x, y, z] = p;
        if lateral < 0.05 {
            let fourth = y > 18.0 && z < -8.0;
            return self.midline[usize::from(fourth)];
        }
        let sunk = smoothstep(self.level - 0.6, self.level + 0.6, y);
        let ragged = 7.0 * lattice.at(x * 0.09, y * 0.09, z * 0.09 + 66.0);
        let front = mix(24.0, -46.0, self.cast);
        let cast = if x * self.side > 0.0 { smoothstep(-1.5, 1.5, y - front + ragged) } else { 0.0 };
        sunk.max(cast)
    }

    /// Hounsfield units of the clot.
    pub fn units(&self) -> f32 {
        self.units
    }
}
