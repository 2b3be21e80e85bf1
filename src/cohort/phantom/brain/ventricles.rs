//! Ventricles and the deep grey matter about them.

use super::head::Head;
use super::shape::{Point, bump, cover, ellipsoid, length, minus, rod, smoothstep, soft_min};

/// Which ventricles a point lies in, as shares from 0 to 1.
#[derive(Clone, Copy, Default)]
pub struct Ventricles {
    /// Either lateral ventricle.
    pub lateral: f32,
    /// The third.
    pub third: f32,
    /// Aqueduct and fourth.
    pub fourth: f32,
}

impl Ventricles {
    /// Share of ventricle of whatever kind.
    pub fn all(&self) -> f32 {
        self.lateral.max(self.third).max(self.fourth)
    }
}

/// Ventricles at a point of the undeformed brain; `swell` above 1 dilates them (hydrocephalus), `texture` is the
/// local irregularity.
pub fn ventricles(head: &Head, p: Point, swell: f32, texture: f32) -> Ventricles {
    let [x, y, z] = p;
    let off = x.abs();
    let width = head.ventricles[usize::from(x > 0.0)] * swell;
    let mut found = Ventricles::default();
    if off < 42.0 && y > -48.0 && y < 66.0 && z > -30.0 && z < 36.0 {
        found.lateral = cover(lateral([off, y, z], width) + 0.6 * texture, 0.55);
        // Septum pellucidum keeps the two apart.
        found.lateral *= smoothstep(0.3, 0.9, off);
    }
    if off < 12.0 && z > -22.0 && z < 12.0 {
        let narrow = [2.0 * width + 0.3, 13.0, 10.0];
        let third = ellipsoid([off, y, z], [0.0, 6.0, -4.0], narrow);
        let foramen = rod([off, y, z], [1.0, -7.0, 1.5], [6.0, -8.0, 6.0], [1.2 * width, 1.5 * width], 1.0);
        found.third = cover(third.min(foramen), 0.5);
    }
    if off < 16.0 && y > 14.0 && z < -6.0 {
        let scale = 0.55 + 0.45 * width;
        let aqueduct = rod([off, y, z], [0.0, 21.0, -8.0], [0.0, 27.0, -24.0], [0.9, 1.3], 1.0);
        let body = ellipsoid([off, y, z], [0.0, 33.0, -33.0], [8.0 * scale, 5.2 * scale, 11.0]);
        let kite = off * 0.75 + (y - 31.0) * 0.55 - 5.6 * scale;
        found.fourth = cover(aqueduct.min(body.max(kite)), 0.6);
    }
    found
}

/// Signed distance from the lateral ventricle of a point mirrored to the left, for ventricles `width` times the usual.
fn lateral(p: Point, width: f32) -> f32 {
    const STATIONS: [(Point, f32); 7] = [
        ([13.5, -33.0, 5.0], 2.2),
        ([8.0, -22.0, 9.0], 3.6),
        ([4.8, -9.0, 11.0], 3.2),
        ([7.5, 6.0, 19.0], 3.6),
        ([12.0, 20.0, 20.0], 4.0),
        ([22.0, 34.0, 9.0], 5.6),
        ([21.0, 53.0, 3.0], 1.8),
    ];
    const TEMPORAL: [(Point, f32); 4] =
        [([22.0, 34.0, 8.0], 4.4), ([31.0, 20.0, -8.0], 2.1), ([31.0, 2.0, -18.0], 1.9), ([27.0, -9.0, -20.0], 1.7)];
    let mut d = 99.0_f32;
    let (horns, temporal): (&[_], &[_]) = (
        if p[2] > -14.0 && p[0] < 34.0 { &STATIONS } else { &[] },
        if p[2] < 17.0 && p[0] > 14.0 { &TEMPORAL } else { &[] },
    );
    for pair in horns.windows(2) {
        let reach = rod(p, pair[0].0, pair[1].0, [pair[0].1 * width, pair[1].1 * width], 0.6);
        d = soft_min(d, reach, 2.0);
    }
    for pair in temporal.windows(2) {
        let reach = rod(p, pair[0].0, pair[1].0, [pair[0].1 * width - 0.5, pair[1].1 * width - 0.5], 0.7);
        d = soft_min(d, reach, 1.5);
    }
    // The head of the caudate and the thalamus dent the wall from the side.
    let caudate = ellipsoid(p, [14.0, -20.0, 6.0], [5.6, 9.0, 12.0]) - 0.4 * (1.3 - width);
    d.max(-caudate * 0.7)
}

/// Share of deep grey matter: caudate, lentiform nucleus, thalamus, and the claustrum's thin sheet.
pub fn deep_grey(p: Point, texture: f32) -> f32 {
    let [x, y, z] = p;
    let off = x.abs();
    if off > 40.0 || y.abs() > 34.0 || !(-18.0..=28.0).contains(&z) {
        return 0.0;
    }
    let q = [off, y, z];
    let caudate = ellipsoid(q, [13.0, -19.5, 6.0], [5.4, 9.5, 12.0]);
    let tail = rod(q, [13.0, -12.0, 14.0], [17.0, 16.0, 20.0], [3.2, 2.0], 0.8);
    // Lentiform nucleus, turned so that its front lies nearer the midline.
    let (along, across) = ((y + 4.0) * 0.94 + (off - 25.0) * 0.34, (off - 25.0) * 0.94 - (y + 4.0) * 0.34);
    let lentiform = ellipsoid([across, along, z], [0.0, 0.0, 1.0], [6.2, 15.5, 11.0]);
    let thalamus = ellipsoid(q, [10.5, 10.0, 4.0], [8.2, 13.0, 10.0]);
    let claustrum = ellipsoid(q, [35.0, -4.0, 2.0], [0.9, 13.0, 9.0]);
    let d = caudate.min(tail).min(lentiform).min(thalamus);
    cover(d + texture, 1.1).max(0.7 * cover(claustrum, 0.7))
}

/// How far the point belongs to the great white tracts (callosum, internal capsule), a little darker than other white.
pub fn tracts(p: Point) -> f32 {
    let [x, y, z] = p;
    if x.abs() > 20.0 || y.abs() > 42.0 || !(-8.0..=24.0).contains(&z) {
        return 0.0;
    }
    let genu = ellipsoid([x, y, z], [0.0, -30.0, 8.0], [16.0, 5.0, 11.0]);
    let splenium = ellipsoid([x, y, z], [0.0, 33.0, 10.0], [18.0, 5.5, 10.0]);
    cover(genu.min(splenium), 1.5)
}

/// Calcium of old age: pineal, choroid plexus of either side, pallidus; Hounsfield units above the tissue.
pub fn calcium(head: &Head, p: Point) -> f32 {
    let [x, y, z] = p;
    if z.abs() > 26.0 || !(-25.0..=50.0).contains(&y) {
        return 0.0;
    }
    let places = [[0.0, 26.5, 1.0], [-20.5, 33.0, 9.0], [20.5, 34.0, 9.0]];
    let mut sum = 0.0;
    for (&(radius, units), place) in head.calcified.iter().zip(places) {
        if radius > 0.0 {
            let d = length(minus(p, place)) - radius;
            sum += units * cover(d, 0.9);
        }
    }
    if head.pallidus > 0.0 {
        let grain = (0.6 + head.lattice.at(x * 0.3, y * 0.3, z * 0.3)).max(0.0);
        sum += head.pallidus * bump(x.abs() - 20.0, 5.0) * bump(y + 2.0, 9.0) * bump(z - 1.0, 8.0) * grain;
    }
    sum
}
