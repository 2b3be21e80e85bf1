//! Posterior fossa and the cisterns at the base: brainstem, cerebellum, tentorium, and the fluid between them.

use super::head::Head;
use super::shape::{Point, bump, cover, ellipsoid, hypotenuse, mix, segment, smoothstep, soft_min};

/// What lies at a point near the base, before the hemispheres are considered. Shares from 0 to 1.
#[derive(Clone, Copy, Default)]
pub struct Base {
    /// Share of cerebellum or brainstem, which the hemispheres' folds leave alone.
    pub stem: f32,
    /// Share of grey matter there.
    pub grey: f32,
    /// Share of fluid in cisterns and between folia.
    pub fluid: f32,
    /// Share of tentorium.
    pub dura: f32,
    /// Signed distance in millimetres from the tentorium; negative below it.
    pub over: f32,
}

/// Height of the tentorium: a tent with its top behind the midbrain.
fn tentorium(head: &Head, x: f32, y: f32) -> f32 {
    let ridge = mix(-1.0, -15.0, smoothstep(26.0, 72.0, y));
    ridge - 0.5 * x.abs() - 0.05 * (26.0 - y).max(0.0) + 1.3 * head.lattice.at(x * 0.04, y * 0.04, 21.0)
}

/// Looks up the base of the brain at `p`, a point of the undeformed brain `depth` millimetres below its surface. `tight` above 0
/// squeezes the cisterns shut, below 0 holds them open.
pub fn base(head: &Head, p: Point, depth: f32, tight: f32) -> Base {
    let [x, y, z] = p;
    let off = x.abs();
    let mut found = Base { over: 50.0, ..Base::default() };
    if z > 14.0 {
        return found;
    }
    let roomy = ((1.0 + 0.8 * head.age) * (1.0 - 0.75 * tight.max(0.0))).max(-1.7 * tight);
    let petrous = 3.0 + 0.42 * off;
    let behind = smoothstep(16.0, 26.0, y + 0.25 * off) * smoothstep(-2.0, 3.0, y - petrous);
    let upper = z > 0.0;
    if behind == 0.0 && upper {
        return found;
    }
    // Brainstem: midbrain with its two peduncles above, round pons, then medulla.
    let pons = smoothstep(-20.0, -26.0, z);
    let medulla = smoothstep(-42.0, -50.0, z);
    let centre = mix(13.5, 17.5, pons) + 2.0 * medulla;
    let stem = {
        let front = ellipsoid(
            [x, y, 0.0],
            [0.0, centre - 3.0 * (1.0 - pons), 0.0],
            [mix(16.0, 15.5, pons) - 6.0 * medulla, mix(9.5, 13.0, pons) - 4.0 * medulla, 90.0],
        );
        // Tectum, narrower than the peduncles.
        let tectum = ellipsoid([x, y, 0.0], [0.0, 18.0, 0.0], [10.5, 9.5, 90.0]);
        let ellipse = soft_min(front, tectum + 9.0 * pons, 3.0);
        let notch = (1.0 - pons) * bump(off, 6.0) * smoothstep(6.0, 0.0, y) * 5.5;
        ellipse + notch
    };
    let below_top = cover(z + 4.0, 3.0);
    // Tentorium behind the incisura.
    if behind > 0.0 {
        found.over = (z - tentorium(head, x, y)) * 0.88;
        let opening = ellipsoid([x, y, 0.0], [0.0, 14.0, 0.0], [19.0, 19.0, 90.0]);
        let leaf = smoothstep(-1.0, 2.0, opening);
        let sinus = cover(found.over.abs() - (5.0 - depth).max(0.0), 1.0) * smoothstep(30.0, 50.0, y);
        found.dura = behind * sinus.max(0.6 * cover(found.over.abs() - 0.7, 0.6) * leaf);
    }

    let cerebellar = if found.over < 0.0 { behind * smoothstep(2.0, 4.0, stem) } else { 0.0 };
    let in_stem = if upper { 0.0 } else { cover(stem, 0.8) * below_top };
    found.stem = cerebellar.max(in_stem);
    if cerebellar > 0.0 {
        // Folia: thin leaves that follow the outline, parted by hairlines of fluid; white core in each hemisphere.
        let core = ellipsoid([off, y, z], [22.0, 42.0, -36.0], [14.0, 13.0, 9.0]);
        let noise = head.lattice.at(x * 0.07, y * 0.07, z * 0.07 + 60.0);
        let shell = depth.min(-found.over) + 2.6 * noise;
        let phase = shell * 0.245 + 0.5 * noise;
        let leafs = (phase - phase.round()).abs();
        let near = smoothstep(17.0, 4.0, shell);
        found.grey = cerebellar * mix(0.8, 0.05, cover(core + 3.0 * noise, 2.5));
        found.fluid = cerebellar * near * smoothstep(0.13, 0.03, leafs) * (0.22 + 0.4 * head.age);
        let vermis = bump(off, 7.0) * bump(y - 62.0, 16.0) * roomy;
        found.fluid = found.fluid.max(cerebellar * 0.6 * cover(off - 2.0 * vermis, 1.4) * smoothstep(0.1, 0.5, vermis));
        let magna = bump(off, 13.0) * smoothstep(7.0 * roomy, 2.0, depth) * smoothstep(-34.0, -44.0, z);
        found.fluid = found.fluid.max(cerebellar * magna);
    }
    if in_stem > 0.0 {
        found.grey = mix(found.grey, 0.3, in_stem);
    }
    found.fluid = found.fluid.max(cisterns(head, p, stem, pons, roomy));
    found.fluid *= 1.0 - found.dura;
    found
}

/// Cisterns about the brainstem and above the sella.
fn cisterns(head: &Head, p: Point, stem: f32, pons: f32, roomy: f32) -> f32 {
    let [x, y, z] = p;
    let off = x.abs();
    let mut fluid = 0.0_f32;
    if z > -52.0 && z < 1.0 && stem > 0.0 {
        // Prepontine in front, ambient at the sides, quadrigeminal behind.
        let front = smoothstep(10.0, 2.0, y) * 2.6 * pons;
        let side = smoothstep(0.0, 8.0, y) * (1.0 - 0.6 * pons) * 1.7;
        let back = smoothstep(23.0, 28.0, y) * (1.0 - pons) * 2.6 * bump(off, 18.0);
        let widest = (front + side + back) * roomy * smoothstep(1.0, -6.0, z);
        let patchy = if stem < 1.5 * widest + 0.7 {
            0.75 + 0.9 * head.lattice.at(x * 0.09, y * 0.09, z * 0.07 + 12.0)
        } else {
            0.0
        };
        let width = widest * patchy.max(0.1);
        fluid = cover(stem - width, 0.7) * smoothstep(0.3, 0.8, width);
    }
    let fade = bump(z + 15.5, 12.0).sqrt();
    if fade > 0.05 && y < 9.0 {
        // Suprasellar star: five or six rays from the middle.
        let (u, v) = (off, y + 10.0);
        let star = hypotenuse(u, v) - 7.5 * roomy.sqrt() * fade;
        let ray_front = segment(u, v, [0.0, -4.0], [0.0, -20.0]) - 1.3 * fade * roomy;
        let ray_side = segment(u, v, [4.0, -4.0], [31.0, -9.0]) - 1.2 * fade * roomy;
        let ray_back = segment(u, v, [4.0, 4.0], [15.0, 15.0]) - 1.2 * fade * roomy;
        let peduncular = segment(u, v, [0.0, 4.0], [0.0, 14.0]) - 2.8 * fade;
        let d = star.min(ray_front).min(ray_side).min(ray_back).min(peduncular);
        let stalk = hypotenuse(u, v - 1.0) - 1.5;
        fluid = fluid.max(cover(d, 0.8) * fade.min(1.0) * cover(-stalk, 0.6));
    }
    fluid
}
