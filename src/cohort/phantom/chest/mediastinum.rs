//! Heart, great vessels, and the airway: named parts, each an ellipsoid with its place in the chest.

use super::anatomy::{Anatomy, CARINA, HILUM};
use super::disease::Disease;
use super::plane::{Grid, Ink, Node, Plane, Wall};
use super::pose::Pose;

/// One chamber or vessel.
#[derive(Debug, Clone, Copy)]
struct Part {
    centre: [f32; 3],
    /// Semi-axes across and along before the tilt.
    axes: [f32; 2],
    tilt: f32,
    /// Path through its middle.
    depth: f32,
}

/// How much of a shift of the mediastinum reaches a height: least at the neck.
fn shifted(disease: &Disease, z: f32) -> f32 {
    disease.shift * ((z + 165.0) / 110.0).clamp(0.0, 1.0)
}

/// Heights on the heart move with the diaphragm it rests on.
fn rested(anatomy: &Anatomy, pose: &Pose, z: f32) -> f32 {
    let dome = 0.5 * (anatomy.dome[0] + anatomy.dome[1]);
    // The parts are placed for a dome at 102; a longer chest has a longer heart.
    let z = if z > HILUM { HILUM + (z - HILUM) * (dome - HILUM) / (102.0 - HILUM) } else { z };
    0.5 * (pose.breathed(0, dome, z) + pose.breathed(1, dome, z))
}

fn parts(anatomy: &Anatomy, pose: &Pose, disease: &Disease) -> Vec<Part> {
    let heart = &anatomy.heart;
    // A shallow breath lets the heart lie across the chest.
    let squash = 0.5 * (pose.raised[0] + pose.raised[1]);
    let wide = heart.width * (1.0 + 0.0022 * squash.max(0.0));
    let big = disease.heart;
    let tall = 1.0 + 0.45 * (big - 1.0);
    let broad = disease.upper;
    let left = 1.0 + 1.1 * (big - 1.0);
    let right = 1.0 + 0.8 * (big - 1.0);
    let axis = heart.axis - 0.006 * squash;
    let part = |x: f32, y: f32, z: f32, a: f32, c: f32, tilt: f32, depth: f32| Part {
        centre: [x, y, z],
        axes: [a, c],
        tilt,
        depth,
    };
    let old = heart.unfolding;
    let up = 1.0 + 0.55 * (broad - 1.0);
    let mut parts = vec![
        // Left ventricle, its apex to the left and down.
        part(27.0 * wide * left, 30.0, 50.0, 60.0 * wide * (0.35 + 0.65 * left), 48.0 * tall, axis, 98.0),
        // Right ventricle, against the diaphragm.
        part(11.0 * wide, 42.0, 74.0, 58.0 * wide * (0.5 + 0.5 * left), 42.0 * tall, 0.12, 96.0),
        // Right atrium: the right border of the heart.
        part(-13.0 * wide * right, 15.0, 46.0, 32.0 * wide * right, 50.0 * tall, -0.08, 88.0),
        // Left atrium and its appendage: the waist on the left.
        part(0.0, -12.0, 12.0, 40.0 * wide * right.sqrt(), 27.0, 0.0, 78.0),
        part(30.0 * wide * left.sqrt(), 8.0, 8.0, 24.0 * heart.atrium, 38.0, -0.3, 66.0),
        // Pulmonary trunk.
        part(20.0 * wide, 22.0, -20.0, 23.0 * heart.trunk, 30.0, 0.4, 72.0),
        // Ascending aorta, the arch seen end on as the knob, and the descending aorta.
        part(-11.0 - 5.0 * old, 26.0, -20.0, (22.0 + 7.0 * old) * up, 58.0 * up.sqrt(), 0.05, 78.0),
        part(
            10.0 + 5.0 * old + 8.0 * (broad - 1.0),
            -4.0,
            -58.0,
            (heart.knob + 8.0) * up,
            heart.knob * up + 6.0,
            0.1,
            70.0,
        ),
        part(17.0 + 6.0 * old, -48.0, 30.0, 13.0 * up, 105.0, 0.02, 42.0),
        // Superior vena cava.
        part(-17.0 * up, 12.0, -62.0, 16.0 * up, 58.0, 0.03, 62.0),
        // Oesophagus, thymus, lymph nodes and fat fill the middle.
        part(0.0, 0.0, -92.0, heart.upper * broad, 92.0, 0.0, 116.0),
        part(0.0, -20.0, 70.0, 27.0, 130.0, 0.0, 120.0),
        // Inferior vena cava at the right cardiophrenic angle.
        part(-24.0, 0.0, 88.0, 15.0, 26.0, 0.1, 52.0),
    ];
    // The heart lies on the diaphragm along its whole underside.
    parts.push(part(15.0 * wide, 40.0, 90.0, 60.0 * wide * (0.5 * left + 0.5 * right), 40.0, 0.1, 92.0));
    if heart.fat_pad > 0.35 {
        parts.push(part(60.0 * wide * left, 55.0, 88.0, 26.0 * heart.fat_pad, 14.0, 0.5, 40.0));
    }
    for part in &mut parts {
        let z = part.centre[2];
        part.centre[0] += anatomy.midline(z) * 0.8 + shifted(disease, z);
        part.centre[2] = rested(anatomy, pose, z);
    }
    parts
}

/// Soft tissue of heart and mediastinum in the beam, mm.
pub(super) fn paint(grid: Grid, anatomy: &Anatomy, pose: &Pose, disease: &Disease) -> Plane {
    let mut plane = Plane::new(grid);
    for part in parts(anatomy, pose, disease) {
        let [x, z, scale] = pose.project(anatomy, part.centre);
        let axes = part.axes.map(|axis| axis * scale);
        plane
            .ellipsoid([x, z], axes, part.tilt, part.depth, |value, chord| *value += (chord * chord) * (chord * chord));
    }
    // The parts lie beside and before each other: more than the thickest, less than their sum.
    for value in &mut plane.values {
        if *value > 0.0 {
            *value = value.sqrt().sqrt();
        }
    }
    // Fat and pericardium round the creases between the parts.
    plane.blur(2.4);
    plane
}

/// Points along the airway from the larynx to the carina.
pub(super) fn trachea(anatomy: &Anatomy, disease: &Disease) -> Vec<[f32; 3]> {
    (0..8)
        .map(|i| {
            let z = -205.0 + (CARINA + 205.0) * i as f32 / 7.0;
            let bow = -3.5 * (-((z + 62.0) / 26.0).powi(2)).exp() * disease.upper;
            [1.0 + bow + 0.8 * anatomy.midline(z) + shifted(disease, z), 34.0 - 0.22 * (z + 205.0), z]
        })
        .collect()
}

/// Air in trachea and main bronchi, mm.
pub(super) fn airway(plane: &mut Plane, ink: &mut Ink, anatomy: &Anatomy, pose: &Pose, disease: &Disease) {
    let project = |point: [f32; 3], radius: f32| {
        let [x, z, scale] = pose.project(anatomy, point);
        Node { x, z, radius: radius * scale, gain: 1.0 }
    };
    let wall = Wall { inner: 0.0, hollow: 0.0 };
    let trachea = trachea(anatomy, disease);
    let nodes: Vec<_> = trachea.iter().map(|&p| project(p, 8.6)).collect();
    ink.tube(plane, &nodes, wall, 1.0);
    let Some(&[x, y, z]) = trachea.last() else { return };
    let right: Vec<_> = [(0.0, 0.0, 7.2), (-15.0, 15.0, 6.8), (-31.0, 34.0, 5.6), (-36.0, 58.0, 3.8)]
        .map(|(dx, dz, r)| project([x + dx, y, z + dz], r))
        .to_vec();
    let left: Vec<_> = [(0.0, 0.0, 6.8), (20.0, 15.0, 6.0), (41.0, 28.0, 5.2), (48.0, 48.0, 3.4)]
        .map(|(dx, dz, r)| project([x + dx, y, z + dz], r))
        .to_vec();
    ink.tube(plane, &right, wall, 0.8);
    ink.tube(plane, &left, wall, 0.8);
}

/// Calcium in the wall of the aortic arch, as bone-equivalent path.
pub(super) fn calcified_arch(plane: &mut Plane, ink: &mut Ink, anatomy: &Anatomy, pose: &Pose, disease: &Disease) {
    let knob = parts(anatomy, pose, disease)[7];
    let nodes: Vec<_> = (0..7)
        .map(|i| {
            let angle = -1.2 + 0.35 * i as f32;
            let [x, y, z] = knob.centre;
            let point = [x + 0.86 * knob.axes[0] * angle.cos(), y, z + 0.86 * knob.axes[1] * angle.sin()];
            let [x, z, scale] = pose.project(anatomy, point);
            Node { x, z, radius: 0.9 * scale, gain: 3.0 }
        })
        .collect();
    ink.tube(plane, &nodes, Wall { inner: 0.0, hollow: 0.0 }, 1.0);
}
