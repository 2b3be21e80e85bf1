//! The ribs: each an arc of its own around the cage, seen twice, behind and in front.

use super::anatomy::{Anatomy, Rib};
use super::dice::{Dice, sign};
use super::lungs::section;
use super::plane::{Grid, Ink, Node, Plane, Wall, ramp};
use super::pose::Pose;

/// Compact shell around spongy bone.
const SHELL: Wall = Wall { inner: 0.78, hollow: 0.62 };
/// Half of a rib's thickness from skin to lung, mm.
const HALF_THICKNESS: f32 = 3.7;

/// A rib broken through, its outer part displaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Break {
    pub side: usize,
    pub rib: usize,
    /// Angle around the chest.
    pub at: f32,
    /// Step on the film across the rib, mm.
    pub step: f32,
    /// Overlap (positive) or gap (negative) of the ends, mm.
    pub overlap: f32,
    /// Radius of the healing bone around the break; zero when fresh.
    pub callus: f32,
}

/// What is broken on a film.
#[derive(Debug, Clone)]
pub(super) struct Fracture {
    pub breaks: Vec<Break>,
    /// Side of a clavicle broken in its middle third, and the step, mm.
    pub clavicle: Option<(usize, f32)>,
}

impl Fracture {
    /// Old breaks belong to the patient: the same ribs on every film.
    pub fn of(patient: u64) -> Self {
        let mut dice = Dice::of_patient(patient, "fracture");
        let side = dice.side();
        if dice.chance(0.25) {
            return Self { breaks: Vec::new(), clavicle: Some((side, dice.within(17.0, 23.0))) };
        }
        let count = 2 + dice.below(3);
        let first = 2 + dice.below(5);
        let at = dice.within(0.55, 0.95);
        let healing = dice.chance(0.35);
        let breaks = (0..count)
            .map(|i| Break {
                side,
                rib: (first + i).min(8),
                at: at + dice.about(0.0, 0.07),
                step: dice.within(13.0, 18.0) * if dice.chance(0.8) { 1.0 } else { -1.0 },
                overlap: dice.within(-4.0, 4.0),
                callus: if healing { dice.within(6.5, 8.0) } else { 0.0 },
            })
            .collect();
        Self { breaks, clavicle: None }
    }
}

/// The centre line of a rib in the body.
fn arc(anatomy: &Anatomy, side: usize, rib: &Rib, angle: f32) -> [f32; 3] {
    let (sin, cos) = angle.sin_cos();
    let z = rib.head
        + rib.fall * (0.5 - 0.5 * cos).powf(1.35)
        + rib.sag * sin
        + rib.wave[0] * (3.0 * angle + rib.wave[1]).sin();
    let cage = section(anatomy, z.clamp(anatomy.apex + 9.0, anatomy.base));
    let width = cage.width + HALF_THICKNESS - 1.0;
    let x = width * sin.abs().powf(0.82);
    let front = cage.depth.max(0.62 * anatomy.half_depth);
    [anatomy.midline(z) + sign(side) * x, -front * cos * 0.96, z]
}

/// Nodes of one rib between two angles.
fn nodes(anatomy: &Anatomy, pose: &Pose, side: usize, rib: &Rib, from: f32, to: f32) -> Vec<Node> {
    let count = ((to - from) / 0.075).ceil().max(2.0) as usize;
    let points: Vec<_> = (0..=count)
        .map(|i| {
            let angle = from + (to - from) * i as f32 / count as f32;
            let body = arc(anatomy, side, rib, angle);
            (angle, body, pose.project(anatomy, body))
        })
        .collect();
    let path = |i: usize| {
        let (low, high) = (i.saturating_sub(1), (i + 1).min(count));
        let ((_, p, fp), (_, q, fq)) = (points[low], points[high]);
        let length = ((q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2) + (q[2] - p[2]).powi(2)).sqrt();
        let shown = (fq[0] - fp[0]).hypot(fq[1] - fp[1]) / fp[2];
        (length / shown.max(0.1)).min(4.5)
    };
    (0..=count)
        .map(|i| {
            let (angle, _, [x, z, scale]) = points[i];
            let flat = angle.cos().abs();
            // The hind part is rounder and the front flares into its cartilage.
            let flare = 1.0 + 0.22 * ((angle - rib.end + 0.22) / 0.22).clamp(0.0, 1.0);
            let half = (HALF_THICKNESS + (rib.half_height - HALF_THICKNESS) * flat.sqrt()) * flare;
            let gain = (HALF_THICKNESS / half * path(i)).min(1.3)
                * (1.0 - 0.42 * ramp(1.5, 2.0, angle))
                * (1.0 - 0.6 * ramp(rib.end - 0.16, rib.end, angle))
                * rib.density;
            Node { x, z, radius: half * scale, gain }
        })
        .collect()
}

/// First angle at which a rib is clear of the spine.
const HEAD: f32 = 0.085;

/// Bone of all ribs in the beam, mm of compact bone; a second plane takes only what a fracture changed.
pub(super) fn paint(
    bone: &mut Plane,
    ink: &mut Ink,
    anatomy: &Anatomy,
    pose: &Pose,
    breaks: &[Break],
) -> Option<Plane> {
    let grid: Grid = bone.grid;
    let mut changed = (!breaks.is_empty()).then(|| Plane::new(grid));
    for side in 0..2 {
        for (index, rib) in anatomy.ribs[side].iter().enumerate() {
            let whole = nodes(anatomy, pose, side, rib, HEAD, rib.end);
            let broken = breaks.iter().find(|b| b.side == side && b.rib == index);
            ink.tube(bone, &whole, SHELL, 1.0);
            if let (Some(broken), Some(changed)) = (broken, changed.as_mut()) {
                let mut moved = Plane::new(grid);
                fragments(&mut moved, ink, anatomy, pose, rib, broken);
                ink.tube(&mut moved, &whole, SHELL, -1.0);
                // Far from the break the rib is where it was.
                let [x, z, scale] = pose.project(anatomy, arc(anatomy, side, rib, broken.at));
                for row in grid.span(z - 40.0 * scale, z + 40.0 * scale) {
                    let dz = grid.mm(row) - z;
                    for column in grid.span(x - 40.0 * scale, x + 40.0 * scale) {
                        let near = ramp(40.0 * scale, 28.0 * scale, dz.hypot(grid.mm(column) - x));
                        let pixel = row * grid.side + column;
                        bone.values[pixel] += near * moved.values[pixel];
                        changed.values[pixel] += near * moved.values[pixel];
                    }
                }
            }
        }
    }
    changed
}

/// The two ends of a broken rib, and the callus around them.
fn fragments(plane: &mut Plane, ink: &mut Ink, anatomy: &Anatomy, pose: &Pose, rib: &Rib, broken: &Break) {
    let reach = 0.5 * broken.overlap / anatomy.half_width;
    let inner = nodes(anatomy, pose, broken.side, rib, HEAD, broken.at + reach);
    let mut outer = nodes(anatomy, pose, broken.side, rib, broken.at - reach, rib.end);
    let mut inner = inner;
    let scale = pose.scale();
    let bend = |nodes: &mut [Node], from_start: bool, step: f32| {
        let count = nodes.len();
        for (i, node) in nodes.iter_mut().enumerate() {
            let away = if from_start { i } else { count - 1 - i } as f32;
            node.z += step * scale * (-away / 3.2).exp();
            // The beam now meets the shell askew, and the ends override.
            node.gain *= 1.0 + 0.85 * (-away / 3.5).exp();
        }
    };
    bend(&mut outer, true, 0.72 * broken.step);
    bend(&mut inner, false, -0.28 * broken.step);
    ink.tube(plane, &inner, SHELL, 1.0);
    ink.tube(plane, &outer, SHELL, 1.0);
    // Blood strips the pleura off the wall around a break.
    if let (Some(a), Some(b)) = (inner.last(), outer.first()) {
        let centre = [0.5 * (a.x + b.x), 0.5 * (a.z + b.z)];
        plane.ellipsoid(centre, [17.0 * scale, 12.0 * scale], 0.5 * sign(broken.side), 4.0, |v, chord| *v += chord);
    }
    if let (Some(a), Some(b)) = (inner.last(), outer.first()) {
        // Bare ends are dense where the shell is cut across.
        let cap = |n: &Node| [Node { radius: 0.8 * n.radius, gain: 0.15, ..*n }; 2];
        for end in [a, b] {
            ink.tube(plane, &cap(end), super::plane::SOLID, 1.0);
        }
        if broken.callus > 0.0 {
            let centre = [0.5 * (a.x + b.x), 0.5 * (a.z + b.z)];
            let r = broken.callus * scale;
            plane.ellipsoid(centre, [1.9 * r, r], 0.5 * sign(broken.side), 6.0, |value, chord| *value += chord);
        }
    }
}
