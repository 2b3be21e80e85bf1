//! Tubes, lines, leads and drains.

use super::anatomy::CARINA;
use super::dice::{Dice, sign};
use super::disease::finding;
use super::exposure::{METAL, PLASTIC};
use super::mediastinum;
use super::plane::{Node, SOLID, Wall, ramp};
use super::scene::Scene;

/// Puts at least one device in and on the chest.
pub(super) fn paint(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_film(scene.patient, scene.film, "devices");
    // A pacemaker stays with the patient; the rest comes and goes.
    let pacemaker = Dice::of_patient(scene.patient, "pacemaker").chance(0.4);
    let mut wanted = [dice.chance(0.45), dice.chance(0.5), pacemaker, dice.chance(0.3)];
    if !wanted.contains(&true) {
        wanted[[0, 1, 3][dice.below(3)]] = true;
    }
    if wanted[0] {
        tracheal_tube(scene, &mut dice);
    }
    if wanted[1] {
        central_line(scene, &mut dice);
    }
    if wanted[2] {
        generator_and_leads(scene);
    }
    if wanted[3] {
        drain(scene, &mut dice);
    }
}

/// A smooth curve through body points, as nodes of one radius.
fn curve(scene: &Scene<'_>, points: &[[f32; 3]], radius: f32) -> Vec<Node> {
    let last = points.len() - 1;
    let steps = 7;
    let mut nodes = Vec::with_capacity(last * steps + 1);
    for i in 0..last {
        let (p0, p1, p2, p3) = (points[i.saturating_sub(1)], points[i], points[i + 1], points[(i + 2).min(last)]);
        for k in 0..steps {
            let t = k as f32 / steps as f32;
            let point = [0, 1, 2].map(|axis| {
                let (a, b, c, d) = (p0[axis], p1[axis], p2[axis], p3[axis]);
                0.5 * (2.0 * b
                    + (c - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                    + (3.0 * b - a - 3.0 * c + d) * t * t * t)
            });
            nodes.push(scene.node(point, radius));
        }
    }
    nodes.push(scene.node(points[last], radius));
    nodes
}

/// Endotracheal tube: two faint walls and an opaque stripe, its tip above the carina.
fn tracheal_tube(scene: &mut Scene<'_>, dice: &mut Dice) {
    let tip = CARINA - dice.within(26.0, 58.0);
    let airway = mediastinum::trachea(scene.anatomy, scene.disease);
    let mut points: Vec<_> = airway.iter().copied().filter(|p| p[2] < tip - 6.0).collect();
    let mut end = *airway.iter().rev().find(|p| p[2] < tip).unwrap_or(&airway[0]);
    end[2] = tip;
    points.push(end);
    points.insert(0, [dice.about(8.0, 8.0), 40.0, -250.0]);
    let tube = curve(scene, &points, 5.2);
    scene.tube(finding::SUPPORT_DEVICES, &tube, Wall { inner: 0.72, hollow: 0.9 }, PLASTIC);
    for point in &mut points {
        point[0] += 3.4;
    }
    let stripe = curve(scene, &points, 0.9);
    scene.tube(finding::SUPPORT_DEVICES, &stripe, SOLID, 0.7 * METAL);
    if dice.chance(0.6) {
        // A feeding tube through the gullet into the stomach goes with it.
        let dome = scene.anatomy.dome[1] - scene.pose.raised[1];
        let shift = 0.6 * scene.disease.shift;
        let points = [
            [-6.0, 20.0, -250.0],
            [3.0, -10.0, -150.0],
            [6.0 + shift, -25.0, -60.0],
            [4.0 + shift, -28.0, 20.0],
            [14.0 + shift, -20.0, dome - 8.0],
            [40.0, 10.0, dome + 22.0],
            [66.0, 20.0, dome + 44.0],
        ];
        let tube = curve(scene, &points, 1.5);
        scene.tube(finding::SUPPORT_DEVICES, &tube, SOLID, 0.28 * METAL);
    }
}

/// Central venous line from neck or collarbone to where the upper caval vein ends.
fn central_line(scene: &mut Scene<'_>, dice: &mut Dice) {
    let side = usize::from(dice.chance(0.3));
    let tip = dice.within(-24.0, 14.0);
    let shift = scene.disease.shift;
    let cava = -21.0 + shift;
    let points = if dice.chance(0.55) {
        let out = sign(side);
        let crossing = if side == 1 { [14.0, 24.0, -98.0] } else { [-27.0, 20.0, -108.0] };
        vec![
            [out * 62.0, 50.0, -196.0],
            [out * 44.0, 34.0, -168.0],
            [out * 33.0, 26.0, -132.0],
            crossing,
            [cava - 2.0, 16.0, -76.0],
            [cava, 12.0, 0.5 * (tip - 76.0)],
            [cava + 2.0, 12.0, tip],
        ]
    } else if side == 0 {
        vec![
            [-130.0, 80.0, -62.0],
            [-106.0, 62.0, -94.0],
            [-66.0, 44.0, -112.0],
            [-34.0, 26.0, -104.0],
            [cava - 1.0, 14.0, -72.0],
            [cava, 12.0, 0.5 * (tip - 72.0)],
            [cava + 2.0, 12.0, tip],
        ]
    } else {
        vec![
            [130.0, 80.0, -62.0],
            [104.0, 62.0, -94.0],
            [66.0, 44.0, -110.0],
            [26.0, 30.0, -102.0],
            [-8.0, 18.0, -84.0],
            [cava, 12.0, 0.5 * (tip - 84.0)],
            [cava + 2.0, 12.0, tip],
        ]
    };
    let line = curve(scene, &points, 1.35);
    scene.tube(finding::SUPPORT_DEVICES, &line, SOLID, 0.55 * METAL);
}

/// Pacemaker: can under the collarbone, and one to three leads to the heart.
fn generator_and_leads(scene: &mut Scene<'_>) {
    let mut dice = Dice::of_patient(scene.patient, "generator");
    let side = usize::from(dice.chance(0.8));
    let out = sign(side);
    let (x, z) = (out * dice.within(88.0, 100.0), dice.within(-86.0, -70.0));
    let (a, c) = (dice.within(20.0, 25.0), dice.within(17.0, 21.0));
    let tilt = out * dice.about(0.25, 0.15);
    let y = 100.0;
    let [fx, fz, scale] = scene.pose.project(scene.anatomy, [x, y, z]);
    let height = scene.pose.height(fz);
    let across = scene.pose.across(fx, height);
    let grow = scale / scene.pose.scale();
    let reach = 1.3 * a.max(c) * grow;
    scene.act(
        finding::SUPPORT_DEVICES,
        [across - reach, across + reach, height - reach, height + reach],
        |spot, beam| {
            let (dx, dz) = ((spot.x - across) / grow, (spot.z - height) / grow);
            let (p, q) = ((dx * tilt.cos() + dz * tilt.sin()) / a, (dz * tilt.cos() - dx * tilt.sin()) / c);
            let r = (p * p * p * p + q * q * q * q).sqrt().sqrt();
            let can = ramp(1.02, 0.96, r);
            // Battery below, header above, circuit between.
            let inside = if q > -0.1 {
                1.5
            } else if q > -0.62 {
                0.95
            } else {
                0.55
            };
            beam.extra += can * (inside + 0.9 * ramp(0.86, 0.95, r));
        },
    );
    let count = 1 + dice.below(3);
    let big = scene.disease.heart.sqrt();
    let shift = scene.disease.shift;
    let dome = scene.anatomy.dome[1] - 0.5 * (scene.pose.raised[0] + scene.pose.raised[1]);
    for lead in 0..count {
        let apart = 2.6 * lead as f32;
        let mut points = vec![[x - out * 4.0, y, z - 0.9 * c], [x - out * (26.0 + apart), 84.0, z - c - 12.0 + apart]];
        points.push([out * 56.0, 52.0, -112.0 + apart]);
        points.push([out * 26.0, 32.0, -103.0 + apart]);
        if side == 1 {
            points.push([-6.0 + apart, 20.0, -86.0]);
        }
        let cava = -21.0 + shift + apart;
        points.push([cava, 14.0, -50.0]);
        points.push([cava - 1.0, 12.0, 2.0]);
        match lead {
            0 => points.extend([
                [-22.0 * big + shift, 18.0, 44.0],
                [2.0 + shift, 36.0, dome - 22.0],
                [34.0 * big + shift, 50.0, dome - 18.0],
                [52.0 * big + shift, 56.0, dome - 24.0],
            ]),
            1 => points.extend([
                [-20.0 * big + shift, 20.0, 36.0],
                [-30.0 * big + shift, 34.0, 40.0],
                [-34.0 * big + shift, 42.0, 24.0],
            ]),
            _ => points.extend([
                [-12.0 + shift, 6.0, 34.0],
                [14.0 + shift, -14.0, 34.0],
                [44.0 * big + shift, -16.0, 24.0],
                [66.0 * big + shift, -2.0, 34.0],
            ]),
        }
        let nodes = curve(scene, &points, 1.0);
        scene.tube(finding::SUPPORT_DEVICES, &nodes, SOLID, 0.75 * METAL);
        if let Some(tip) = nodes.last().copied() {
            let before = nodes[nodes.len() - 3];
            let thick = |n: Node| Node { radius: 1.7 * n.radius, ..n };
            scene.tube(finding::SUPPORT_DEVICES, &[thick(before), thick(tip)], SOLID, METAL);
        }
    }
}

/// Chest drain: a wide tube through the side wall, its opaque stripe broken at the last hole.
fn drain(scene: &mut Scene<'_>, dice: &mut Dice) {
    let side = match (&scene.disease.pneumothorax, scene.disease.effusions.first()) {
        (Some(pneumothorax), _) => pneumothorax.side,
        (None, Some(effusion)) => effusion.side,
        (None, None) => dice.side(),
    };
    let out = sign(side);
    let up = dice.chance(0.65);
    let entry = dice.within(38.0, 66.0);
    let wide = scene.anatomy.half_width;
    let points = if up {
        vec![
            [out * (wide + 46.0), 10.0, entry + 38.0],
            [out * (wide + 6.0), 0.0, entry],
            [out * (wide - 18.0), 0.0, entry - 34.0],
            [out * (wide - 38.0), 0.0, entry - 84.0],
            [out * dice.within(46.0, 62.0), 0.0, dice.within(-92.0, -76.0)],
        ]
    } else {
        vec![
            [out * (wide + 46.0), 10.0, entry + 18.0],
            [out * (wide + 4.0), -10.0, entry + 4.0],
            [out * (wide - 30.0), -40.0, entry + 8.0],
            [out * (wide - 62.0), -60.0, entry + 22.0],
            [out * 48.0, -60.0, entry + 20.0],
        ]
    };
    let tube = curve(scene, &points, 4.6);
    scene.tube(finding::SUPPORT_DEVICES, &tube, Wall { inner: 0.7, hollow: 0.85 }, 0.8 * PLASTIC);
    let stripe: Vec<_> =
        tube.iter().map(|n| Node { x: n.x + out * 0.6 * n.radius, radius: 0.24 * n.radius, ..*n }).collect();
    let hole = stripe.len() - 8;
    scene.tube(finding::SUPPORT_DEVICES, &stripe[..hole], SOLID, 0.6 * METAL);
    scene.tube(finding::SUPPORT_DEVICES, &stripe[hole + 1..], SOLID, 0.6 * METAL);
}
