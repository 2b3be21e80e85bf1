//! Spine, clavicles, shoulder blades, upper arms, and breastbone.

use super::anatomy::Anatomy;
use super::dice::sign;
use super::plane::{Ink, Node, Plane, SOLID, Wall, ramp};
use super::pose::Pose;

/// Bone of the spine in the beam, mm of compact bone.
pub(super) fn spine(bone: &mut Plane, anatomy: &Anatomy, pose: &Pose) {
    let grid = bone.grid;
    let add = |value: &mut f32, chord: f32| *value += chord;
    for (index, vertebra) in anatomy.vertebrae.iter().enumerate() {
        let middle = anatomy.midline(vertebra.z);
        let slope = (anatomy.midline(vertebra.z + 5.0) - middle) / 5.0 + vertebra.tilt;
        let at = |x: f32, y: f32, dz: f32| pose.project(anatomy, [middle + x, y, vertebra.z + dz]);
        let [x, z, scale] = at(0.0, -38.0, 0.0);
        let (half_width, half_height) = (vertebra.half_width * scale, vertebra.half_height * scale);
        for row in grid.span(z - 1.3 * half_height, z + 1.3 * half_height) {
            let dz = grid.mm(row) - z;
            let columns = grid.span(x - 1.25 * half_width, x + 1.25 * half_width);
            let values = &mut bone.row(row)[columns.clone()];
            for (value, column) in values.iter_mut().zip(columns) {
                let dx = grid.mm(column) - x;
                // The body is waisted between its endplates.
                let v = (dz + slope * dx) / half_height;
                let u = dx / (half_width * (0.9 + 0.12 * v * v));
                let rim = ramp(1.0, 0.86, v.abs()) * ramp(1.0, 0.9, u.abs());
                if rim > 0.0 {
                    let plate = ramp(0.55, 0.9, v.abs());
                    let cortex = ramp(0.7, 0.95, u.abs());
                    *value += rim * (3.6 + 2.4 * plate + 1.8 * cortex);
                }
            }
        }
        for side in [-1.0, 1.0] {
            let [x, z, scale] = at(side * vertebra.half_width * 0.62, -62.0, -0.25 * vertebra.half_height);
            bone.ellipsoid([x, z], [3.6 * scale, 5.0 * scale], 0.0, 3.4, add);
            if index > 1 {
                let [x, z, scale] = at(side * (vertebra.half_width + 6.0), -74.0, -2.0);
                bone.ellipsoid([x, z], [9.0 * scale, 4.2 * scale], -0.25 * side, 2.4, add);
            }
        }
        let [x, z, scale] = at(vertebra.spinous, -92.0, 0.95 * vertebra.half_height);
        bone.ellipsoid([x, z], [2.8 * scale, 6.5 * scale], 0.0, 4.2, add);
    }
}

/// Nodes of a clavicle from breastbone to shoulder.
fn clavicle_nodes(anatomy: &Anatomy, pose: &Pose, side: usize, from: f32, to: f32) -> Vec<Node> {
    let out = sign(side);
    let [outer, bow] = anatomy.clavicle;
    (0..=14)
        .map(|i| {
            let t = from + (to - from) * i as f32 / 14.0;
            let x = 15.0 + (anatomy.shoulder - 34.0) * t;
            let rise = outer + out * pose.shrug + 5.0 * (1.0 - pose.shoulders_rolled) + 92.0;
            let z = -92.0 + rise * t.powf(0.8) - bow * (std::f32::consts::TAU * t * 0.72 + 0.3).sin();
            // The inner end lies far forward, the outer in the middle.
            let y = 72.0 - 58.0 * t * t - 12.0 * (1.0 - t) * t;
            let [x, z, scale] = pose.project(anatomy, [out * x + 0.5 * anatomy.midline(z), y, z]);
            let thick = 5.6 + 2.0 * (1.0 - t).powi(5) + 1.6 * (t - 0.75).max(0.0) * 4.0;
            Node { x, z, radius: thick * scale, gain: 0.62 }
        })
        .collect()
}

/// Both clavicles; returns what a break with displacement changed.
pub(super) fn clavicles(
    bone: &mut Plane,
    ink: &mut Ink,
    anatomy: &Anatomy,
    pose: &Pose,
    broken: Option<(usize, f32)>,
) -> Option<Plane> {
    let wall = Wall { inner: 0.7, hollow: 0.6 };
    let mut changed = None;
    for side in 0..2 {
        let whole = clavicle_nodes(anatomy, pose, side, 0.0, 1.0);
        match broken {
            Some((hurt, step)) if hurt == side => {
                let mut change = Plane::new(bone.grid);
                // The neck muscles lift the inner part, the arm's weight drops the outer and shortens the whole.
                let mut inner = clavicle_nodes(anatomy, pose, side, 0.0, 0.56);
                let mut outer = clavicle_nodes(anatomy, pose, side, 0.5, 1.0);
                let scale = pose.scale();
                for (i, node) in inner.iter_mut().enumerate() {
                    node.z -= 0.75 * step * scale * (i as f32 / 14.0).powi(2);
                    node.gain *= 1.35;
                }
                for (i, node) in outer.iter_mut().enumerate() {
                    node.z += 0.75 * step * scale * (1.0 - i as f32 / 14.0).powi(2);
                    node.gain *= 1.35;
                    node.x -= sign(side) * 5.0 * scale;
                }
                let start = bone.values.clone();
                ink.tube(bone, &inner, wall, 1.0);
                ink.tube(bone, &outer, wall, 1.0);
                ink.tube(&mut change, &whole, wall, -1.0);
                for ((change, new), old) in change.values.iter_mut().zip(&bone.values).zip(&start) {
                    *change += new - old;
                }
                changed = Some(change);
            }
            _ => ink.tube(bone, &whole, wall, 1.0),
        }
    }
    changed
}

/// Shoulder blades, heads and shafts of the upper arms, and the upper breastbone.
pub(super) fn shoulders(bone: &mut Plane, ink: &mut Ink, anatomy: &Anatomy, pose: &Pose) {
    for side in 0..2 {
        let out = sign(side);
        let lift = out * pose.shrug;
        let roll = pose.shoulders_rolled;
        // Rolled forwards the blades leave the lungs; otherwise their inner borders cross the upper lobes.
        let dx = anatomy.shoulder - 180.0 + 26.0 * (roll - 0.5);
        let at = |x: f32, y: f32, z: f32| pose.project(anatomy, [out * (x + dx), y, z + lift]);
        let corners = [
            at(101.0, -70.0, -96.0),
            at(151.0, -60.0, -104.0),
            at(152.0, -60.0, -82.0),
            at(127.0 + 7.0 * roll, -76.0, 22.0),
            at(113.0 + 6.0 * roll, -80.0, 12.0),
        ];
        blade(bone, &corners.map(|[x, z, _]| [x, z]), out);
        let tube = |points: &[([f32; 3], f32, f32)]| -> Vec<Node> {
            points
                .iter()
                .map(|&([x, y, z], radius, gain)| {
                    let [x, z, scale] = at(x, y, z);
                    Node { x, z, radius: radius * scale, gain }
                })
                .collect()
        };
        // Lateral border, spine of the blade with acromion, coracoid.
        let border = [
            ([152.0, -60.0, -80.0], 4.6, 0.9),
            ([140.0, -70.0, -30.0], 3.6, 0.8),
            ([129.0 + 7.0 * roll, -76.0, 20.0], 3.0, 0.6),
        ];
        ink.tube(bone, &tube(&border), SOLID, 0.5);
        let ridge = [
            ([103.0, -86.0, -80.0], 2.6, 0.6),
            ([135.0, -78.0, -106.0], 4.2, 0.8),
            ([163.0, -40.0, -124.0], 6.6, 0.6),
            ([174.0, -20.0, -120.0], 7.6, 0.5),
        ];
        ink.tube(bone, &tube(&ridge), SOLID, 0.5);
        let beak = [([147.0, -40.0, -108.0], 5.0, 0.6), ([140.0, -5.0, -107.0], 5.4, 0.7)];
        ink.tube(bone, &tube(&beak), SOLID, 0.6);
        let arm = pose.arm[side];
        let shell = Wall { inner: 0.72, hollow: 0.8 };
        let head = [([171.0, -30.0, -100.0], 21.0, 0.5), ([172.0, -30.0, -97.0], 21.0, 0.5)];
        ink.tube(bone, &tube(&head), Wall { inner: 0.93, hollow: 0.75 }, 0.55);
        let shaft: Vec<_> = (0..6)
            .map(|i| {
                let down = 14.0 + 36.0 * i as f32;
                let radius = if i == 0 { 16.0 } else { 10.5 };
                ([177.0 + arm * down, -30.0, -100.0 + down], radius, 0.62)
            })
            .collect();
        ink.tube(bone, &tube(&shaft), shell, 0.55);
    }
    let handle = [([0.0, 76.0, -102.0], 23.0, 0.035), ([0.0, 84.0, -70.0], 17.0, 0.035)];
    let nodes: Vec<_> = handle
        .iter()
        .map(|&(point, radius, gain)| {
            let [x, z, scale] = pose.project(anatomy, point);
            Node { x, z, radius: radius * scale, gain }
        })
        .collect();
    ink.tube(bone, &nodes, Wall { inner: 0.9, hollow: 0.5 }, 1.0);
}

/// A thin plate within a convex outline, its rim a little thicker.
fn blade(bone: &mut Plane, corners: &[[f32; 2]], out: f32) {
    let grid = bone.grid;
    let bound =
        |axis: usize| corners.iter().fold((f32::MAX, f32::MIN), |(low, high), c| (low.min(c[axis]), high.max(c[axis])));
    let ((left, right), (top, bottom)) = (bound(0), bound(1));
    let edges: Vec<_> = (0..corners.len())
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % corners.len()]);
            let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dz).max(1e-3);
            (a, [-dz / length * out, dx / length * out])
        })
        .collect();
    for row in grid.span(top, bottom) {
        let z = grid.mm(row);
        let columns = grid.span(left, right);
        let values = &mut bone.row(row)[columns.clone()];
        for (value, column) in values.iter_mut().zip(columns) {
            let x = grid.mm(column);
            let inside = edges
                .iter()
                .map(|(a, normal)| (x - a[0]) * normal[0] + (z - a[1]) * normal[1])
                .fold(f32::MAX, f32::min);
            if inside > 0.0 {
                let rim = ramp(0.0, 2.0, inside);
                *value += rim * (1.3 + 1.5 * ramp(7.0, 2.0, inside));
            }
        }
    }
}
