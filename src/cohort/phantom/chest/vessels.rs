//! Pulmonary vessels: a tree from each hilum that thins towards the pleura.

use super::anatomy::{Anatomy, HILUM};
use super::dice::{Dice, sign};
use super::disease::Disease;
use super::lungs::section;
use super::plane::{Ink, Node, Plane, SOLID};
use super::pose::Pose;

/// One unbranched stretch: places and radii, mm.
#[derive(Debug, Clone)]
pub(super) struct Twig {
    pub points: Vec<[f32; 3]>,
    pub radii: Vec<f32>,
}

/// Where the vessels of a side leave the mediastinum.
pub(super) fn hilum(side: usize) -> [f32; 3] {
    if side == 0 { [-37.0, 0.0, HILUM + 3.0] } else { [40.0, 0.0, HILUM - 7.0] }
}

/// Grows the tree of one side.
pub(super) fn grow(patient: u64, side: usize, anatomy: &Anatomy) -> Vec<Twig> {
    let mut dice = Dice::of_patient(patient, if side == 0 { "vessels right" } else { "vessels left" });
    let mut twigs = Vec::new();
    let [x, y, z] = hilum(side);
    // Angles from outwards (0) to downwards (positive); the bases carry more blood than the apices.
    let roots = [
        (-1.35, 2.9),
        (-1.0, 3.0),
        (-0.62, 2.6),
        (-0.2, 2.7),
        (0.15, 2.9),
        (0.5, 3.2),
        (0.85, 3.6),
        (1.15, 4.2),
        (1.4, 4.0),
        (1.62, 3.2),
    ];
    for (angle, radius) in roots {
        let start = [x + dice.about(0.0, 4.0), y, z + 7.0 * angle];
        let (angle, radius) = (angle + dice.about(0.0, 0.12), radius * dice.about(1.0, 0.1));
        branch(&mut dice, anatomy, side, start, angle, radius, 4, &mut twigs);
    }
    twigs
}

fn branch(
    dice: &mut Dice,
    anatomy: &Anatomy,
    side: usize,
    start: [f32; 3],
    mut angle: f32,
    mut radius: f32,
    generations: u32,
    twigs: &mut Vec<Twig>,
) {
    let out = sign(side);
    let mut here = start;
    let mut twig = Twig { points: vec![here], radii: vec![radius] };
    let steps = 3 + dice.below(2);
    for _ in 0..steps {
        angle += dice.about(0.0, 0.13);
        let step = dice.within(7.0, 10.5) * if radius < 1.0 { 0.8 } else { 1.0 };
        here = [here[0] + out * angle.cos() * step, here[1] + dice.about(0.0, 5.0), here[2] + angle.sin() * step];
        let edge = section(anatomy, here[2] - 3.0).width - 5.0;
        let u = here[0] * out;
        let floor = anatomy.dome[side] + 26.0 + 0.18 * u;
        if u > edge || u < 8.0 || here[2] > floor {
            break;
        }
        radius *= 0.93;
        twig.points.push(here);
        twig.radii.push(radius);
    }
    let grew = twig.points.len() > 1;
    let ended = twig.points.len() <= steps;
    if grew {
        twigs.push(twig);
    }
    if generations == 0 || ended || radius < 0.55 {
        return;
    }
    let spread = dice.within(0.22, 0.45);
    let tilt = dice.about(0.0, 0.12);
    let main = dice.within(0.78, 0.9);
    branch(dice, anatomy, side, here, angle + tilt - 0.4 * spread, radius * main, generations - 1, twigs);
    branch(dice, anatomy, side, here, angle + tilt + spread, radius * 0.7, generations - 1, twigs);
    if dice.chance(0.35) {
        branch(dice, anatomy, side, here, angle - 1.6 * spread, radius * 0.55, generations.saturating_sub(2), twigs);
    }
}

/// Blood in the beam, mm: the tree and the hila.
pub(super) fn paint(plane: &mut Plane, ink: &mut Ink, anatomy: &Anatomy, pose: &Pose, disease: &Disease) {
    for side in 0..2 {
        let place = |[x, y, z]: [f32; 3], radius: f32| {
            let z = pose.breathed(side, anatomy.dome[side], z);
            let [x, z, scale] = pose.project(anatomy, [x + disease.shift * 0.6, y, z]);
            Node { x, z, radius: radius * scale, gain: 1.0 }
        };
        for twig in &anatomy.vessels[side] {
            let nodes: Vec<_> = twig
                .points
                .iter()
                .zip(&twig.radii)
                .map(|(&point, &radius)| {
                    let flow = if point[2] < HILUM - 8.0 {
                        disease.upper_flow
                    } else {
                        1.0 + 0.3 * (disease.upper_flow - 1.0)
                    };
                    place(point, radius * flow)
                })
                .collect();
            ink.plane.tube(&nodes, SOLID);
            ink.pour(plane, &nodes, 1.0);
        }
        let [x, y, z] = hilum(side);
        let out = sign(side);
        let swollen = 0.5 + 0.5 * disease.upper_flow;
        // The descending artery, and above it the upper vein (right) or the arch of the artery (left).
        let down: Vec<_> =
            [(2.0, -6.0, 7.5), (7.0, 10.0, 7.5), (11.0, 28.0, 6.4), (15.0, 48.0, 4.6), (19.0, 66.0, 3.2)]
                .map(|(dx, dz, r)| place([x + out * dx, y, z + dz], r * swollen))
                .to_vec();
        ink.tube(plane, &down, SOLID, 0.55);
        let up: Vec<_> = [(-4.0, 8.0, 6.5), (4.0, -6.0, 6.5), (9.0, -22.0, 4.4), (16.0, -40.0, 3.0)]
            .map(|(dx, dz, r)| place([x + out * dx, y, z + dz], r * swollen))
            .to_vec();
        ink.tube(plane, &up, SOLID, 0.45);
    }
}
