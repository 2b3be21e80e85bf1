//! The floor of the cranial cavity as a height field (anterior, middle and posterior fossa, sphenoid wings, petrous
//! ridges, sella and clivus), and what lies below it: orbits, ethmoid and sphenoid sinuses, petrous bone, mastoid.

use super::head::{Head, Wall};
use super::shape::{Point, bump, ellipsoid, hypotenuse, length, minus, mix, segment, smoothstep};
use super::skull::{AIR, FAT, MUSCLE};

/// Above this height the floor is never met.
pub const ABOVE_FLOOR: f32 = 4.0;

/// Course of the sphenoid ridge: y of its crest at a distance from the midline.
fn sphenoid_crest(off: f32) -> f32 {
    // Rounded in the midline, where the planum joins the two wings.
    -14.0 - 0.85 * hypotenuse(off, 9.0)
}

/// Course of the petrous ridge.
fn petrous_crest(off: f32) -> f32 {
    3.0 + 0.42 * off
}

/// Height of the floor at a place in the plane.
pub fn floor(head: &Head, x: f32, y: f32) -> f32 {
    let off = x.abs();
    let sway = 2.0 * head.lattice.at(x * 0.05, y * 0.05, 50.0);
    let (sphenoid, petrous) = (sphenoid_crest(off), petrous_crest(off));
    let roof = bump(off - 29.0, 22.0) * bump(y + 50.0, 34.0);
    let anterior = -17.0 + 10.0 * roof - 8.0 * smoothstep(15.0, 8.0, off + 1.6 * sway + 0.08 * (y + 55.0))
        + 2.5 * bump(off, 2.0)
        + sway
        + 1.6 * head.lattice.at(x * 0.16, y * 0.16, 3.0);
    let middle = -45.0 + sway;
    let posterior = -66.0;
    // Sella: floor, dorsum behind it, clinoids beside it; then the clivus falls away.
    let dorsum = 8.0 * bump(y - 1.0, 3.0) * smoothstep(12.0, 9.0, off);
    let clinoids = 7.0 * bump(off - 10.5, 3.0) * bump(y + 13.0, 4.0);
    let clivus = smoothstep(2.0, 26.0, y);
    let centre = -22.0 + dorsum + clinoids - 46.0 * clivus;
    let lateral = mix(middle, posterior, smoothstep(petrous - 1.0, petrous + 3.0, y));
    let central = smoothstep(18.0, 12.5, off) * smoothstep(24.0, 16.0, y);
    let behind = mix(lateral, centre, central);
    let crest = -13.5 - 3.2 * ((y - sphenoid) * 0.9).max(0.0) + 4.0 * bump(off - 13.0, 6.0);
    let rough = 3.5 * head.lattice.at(x * 0.09, y * 0.09, 9.0);
    let ridge = -21.5 - 0.03 * off - 1.35 * ((y - petrous + rough) * 0.92).abs() + 1.5 * sway;
    let ridge = if off > 8.0 { ridge } else { ridge - 6.0 * (8.0 - off) };
    let behind = behind.max(ridge).max(crest);
    mix(anterior, behind, smoothstep(sphenoid - 1.5, sphenoid + 1.0, y))
}

/// Tissue under the floor, `below` millimetres down from it, or `None` where the vault's own bone or scalp continues.
pub fn under(head: &Head, p: Point, below: f32, wall: &Wall, thickness: f32) -> Option<f32> {
    let [x, y, z] = p;
    let off = x.abs();
    let sphenoid = sphenoid_crest(off);
    if y < sphenoid - 1.0 {
        return anterior(head, p, below, wall, thickness, sphenoid);
    }
    if wall.depth < 0.0 {
        return mastoid(head, p, wall, thickness);
    }
    if below < 3.0 {
        return Some(1150.0);
    }
    // Sphenoid sinus under the sella, clivus behind it.
    if off < 17.0 && y < 2.0 {
        let cells = 2.0 * head.lattice.at(x * 0.15, y * 0.15, z * 0.12 + 20.0);
        let sinus = (15.0 - off + cells).min(-3.0 - y + cells).min(y + 29.0).min(-25.5 - z);
        let septum = (x + 2.0 * cells - 1.0).abs();
        return Some(if sinus > 0.0 && septum > 0.6 { AIR } else { 850.0 });
    }
    let from_crest = (y - petrous_crest(off)) * 0.92;
    if from_crest.abs() < 17.0 && z < -18.0 {
        return Some(petrous(head, p, from_crest));
    }
    if off < 14.0 && y < 40.0 {
        return Some(560.0 + 200.0 * head.lattice.at(x * 0.3, y * 0.3, z * 0.3));
    }
    Some(if below < 5.5 {
        800.0
    } else {
        MUSCLE - 60.0 * smoothstep(0.2, 0.4, head.lattice.at(x * 0.1, y * 0.1, z * 0.1))
    })
}

/// Petrous bone, densest of all, with the internal canal, the labyrinth and the air of the middle ear.
fn petrous(head: &Head, p: Point, from_crest: f32) -> f32 {
    let [x, y, z] = p;
    let off = x.abs();
    let canal = segment(off, from_crest, [8.0, 9.0], [26.0, 2.0]);
    let canal = hypotenuse(canal, z + 33.0);
    let labyrinth = length(minus([off, from_crest, z], [32.0, 0.0, -33.0]));
    if canal < 2.3 {
        return 8.0;
    }
    if (labyrinth - 2.8).abs() < 0.8 {
        return 40.0;
    }
    let ear = ellipsoid([off, y, z], [47.0, 14.0, -35.0], [7.0, 4.5, 8.0]);
    if ear < 0.0 {
        let ossicle = length(minus([off, y, z], [46.0, 13.0, -33.0]));
        return if ossicle < 1.5 { 900.0 } else { AIR };
    }
    if off > 40.0 {
        return cells(head, p);
    }
    1500.0 + 260.0 * head.lattice.at(x * 0.25, y * 0.25, z * 0.25)
}

/// Temporal bone beyond the inner table: mastoid cells behind the ear canal.
fn mastoid(head: &Head, p: Point, wall: &Wall, thickness: f32) -> Option<f32> {
    let [x, y, z] = p;
    let out = -wall.depth;
    let swell = 9.0 * bump(y - 27.0, 24.0) * smoothstep(-16.0, -27.0, z);
    if out > thickness + swell {
        return None;
    }
    let canal = hypotenuse(y - 12.0, z + 38.0);
    if canal < 3.8 && x.abs() > 50.0 {
        return Some(if canal < 3.0 { AIR } else { 30.0 });
    }
    if swell < 2.0 || out < 1.2 || out > thickness + swell - 1.5 {
        return (swell >= 2.0).then_some(1200.0);
    }
    Some(cells(head, p))
}

/// Bone honeycombed with air.
fn cells(head: &Head, p: Point) -> f32 {
    let [x, y, z] = p;
    let comb = head.lattice.at(x * 0.24, y * 0.24, z * 0.2 + 40.0);
    let share = 0.28 - 0.42 * head.mastoid_air;
    let edge = smoothstep(share, share + 0.12, comb);
    mix(950.0 + 500.0 * comb, -850.0, edge)
}

/// Front of the face, as y at a distance from the midline: lids at the orbit, back to the temples, forward to the nose.
fn face(off: f32, z: f32) -> f32 {
    -89.0 + 0.0085 * off * off - 13.0 * bump(off, 15.0) * smoothstep(-18.0, -32.0, z)
}

/// Anterior to the sphenoid ridge: roof, orbit, ethmoid and the bones about them.
fn anterior(head: &Head, p: Point, below: f32, wall: &Wall, thickness: f32, sphenoid: f32) -> Option<f32> {
    let [x, y, z] = p;
    let off = x.abs();
    // How far behind the skin of the face.
    let behind = y - face(off, z);
    let skull = wall.depth > -thickness;
    if below < 2.6 && skull {
        return Some(1250.0);
    }
    if below < 7.0 && behind < 6.0 {
        return None;
    }
    if behind < 0.0 {
        return Some(AIR);
    }
    // The cone of the orbit, from its apex to a rim that lies further back at the side.
    let t = ((y + 29.0) / -48.0).clamp(0.0, 1.2);
    let axis = mix(13.0, 30.5, t);
    let radius = mix(3.0, 18.5, (t * (2.0 - t)).clamp(0.0, 1.0)) - 3.0 * smoothstep(-72.0, -86.0, y);
    let cone = hypotenuse(off - axis, (z + 33.0) * 0.92) - radius + 0.9 * head.lattice.at(x * 0.12, y * 0.12, z * 0.1);
    if behind < 2.4 {
        return Some(if off > 16.0 && below < 3.0 { MUSCLE } else { 48.0 });
    }
    if cone < 0.0 && y < -29.0 {
        return Some(orbit(head, [off, y, z], cone, axis));
    }
    // Nose and ethmoid between the orbits.
    if off < axis - radius + 2.0 && off < 15.0 && y < -26.0 {
        if y < -80.0 {
            let bridge = (off - 0.35 * (behind - 2.0).max(0.0) - 0.8).abs();
            return Some(if bridge < 1.3 || (behind < 7.0 && off < 2.0) {
                1000.0
            } else if off < 0.35 * behind {
                AIR
            } else {
                MUSCLE
            });
        }
        return Some(ethmoid(head, p, (axis - radius + 1.0).clamp(7.0, 13.0)));
    }
    // Lateral wall of the orbit and its rim, thick where the brow comes down to the cheek.
    let rim = mix(1.6, 4.6, smoothstep(-46.0, -60.0, y));
    if cone < rim && off > axis && y > -66.0 {
        return Some(1200.0);
    }
    if y > sphenoid - 6.0 && off > axis && wall.depth > -2.0 {
        return Some(1100.0);
    }
    if cone < 2.0 && off < axis && y < -66.0 {
        return Some(900.0);
    }
    // Temporal fossa outside the orbit: muscle, fat before it, skin.
    if wall.depth < -thickness - head.scalp_thickness(p) {
        return Some(AIR);
    }
    if wall.depth < -thickness - head.scalp_thickness(p) + 1.9 {
        return Some(58.0);
    }
    let strands = head.lattice.at(x * 0.12, y * 0.12, z * 0.08 + 5.0);
    Some(if strands > 0.16 - 0.3 * smoothstep(-52.0, -62.0, y) { FAT } else { MUSCLE + 6.0 * strands })
}

/// Ethmoid cells: air between thin crooked septa, mucosa here and there, the paper plate at `lamina` from the midline.
fn ethmoid(head: &Head, p: Point, lamina: f32) -> f32 {
    let [x, y, z] = p;
    let comb = head.lattice.at(x * 0.17, y * 0.12, z * 0.13 + 60.0);
    let cells = head.lattice.at(x * 0.1, y * 0.19, z * 0.15 + 80.0).abs();
    if (x + 2.0 * comb).abs() < 0.8 || (x.abs() - lamina).abs() < 0.8 {
        420.0
    } else if cells < 0.05 || comb.abs() < 0.035 {
        280.0
    } else if comb > 0.3 {
        30.0
    } else {
        AIR
    }
}

/// Globe, lens, optic nerve and muscles in their fat. The point is mirrored to the left side.
fn orbit(head: &Head, p: Point, cone: f32, axis: f32) -> f32 {
    let [off, y, z] = p;
    let globe = length(minus(p, [30.5, -73.0, -33.0])) - 12.2;
    if globe < 0.0 {
        let lens = ellipsoid(p, [30.5, -82.0, -33.0], [4.6, 2.0, 4.6]);
        return if lens < 0.0 {
            78.0
        } else if globe > -1.3 {
            46.0
        } else {
            9.0
        };
    }
    let nerve = hypotenuse(off - axis - 1.2 * head.lattice.at(1.0, y * 0.06, 2.0), z + 33.0);
    let sheath = bump(y + 50.0, 26.0);
    if nerve < 1.6 + 0.6 * sheath || (y > -74.0 && cone > -3.6 - 1.4 * sheath && cone < -1.0 && (z + 33.0).abs() < 5.5)
    {
        return 40.0;
    }
    FAT
}

/// The outer ear: a curved flap of cartilage standing off the scalp.
pub fn ear(head: &Head, p: Point, beyond: f32) -> Option<f32> {
    let [_, y, z] = p;
    let (v, w) = ((y - 22.0) / 15.0, (z + 34.0) / 24.0);
    let rim = v * v + w * w;
    if rim > 1.0 {
        return None;
    }
    let stand = 3.0 + 9.0 * smoothstep(-0.9, 0.9, v);
    let fold = 2.0 * head.lattice.at(p[0] * 0.02, y * 0.2, z * 0.2);
    ((beyond - stand - fold).abs() < 1.5).then_some(5.0)
}
