//! The scanner: finite focus, beam hardening between dense bones, quantum noise with the grain of its kernel, a head holder.

use super::head::{FIELD_OF_VIEW, Head};
use crate::compute::random::stream;
use rand_distr::{Distribution, StandardNormal};

/// Blurs a square picture along both axes with a Gaussian of `sigma` pixels.
pub fn blur(picture: &mut [f32], side: usize, sigma: f32) {
    if sigma < 0.2 {
        return;
    }
    let reach = ((2.5 * sigma).ceil() as usize).clamp(1, side - 1);
    let mut taps: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = taps[0] + 2.0 * taps[1..].iter().sum::<f32>();
    for tap in &mut taps {
        *tap /= sum;
    }
    let mut line = vec![0.0_f32; side + 2 * reach];
    for row in picture.chunks_exact_mut(side) {
        line[..reach].fill(row[0]);
        line[reach..reach + side].copy_from_slice(row);
        line[reach + side..].fill(row[side - 1]);
        for (i, out) in row.iter_mut().enumerate() {
            *out = weighted(&taps, reach, |d| line[i + d]);
        }
    }
    let source = picture.to_vec();
    for (y, row) in picture.chunks_exact_mut(side).enumerate() {
        row.iter_mut().zip(&source[y * side..]).for_each(|(out, s)| *out = taps[0] * s);
        for (d, &tap) in taps.iter().enumerate().skip(1) {
            let above = &source[y.saturating_sub(d) * side..][..side];
            let below = &source[(y + d).min(side - 1) * side..][..side];
            for ((out, a), b) in row.iter_mut().zip(above).zip(below) {
                *out += tap * (a + b);
            }
        }
    }
}

/// Symmetric filter at the place whose middle is `at(reach)`.
fn weighted(taps: &[f32], reach: usize, at: impl Fn(usize) -> f32) -> f32 {
    let mut sum = taps[0] * at(reach);
    for (d, &tap) in taps.iter().enumerate().skip(1) {
        sum += tap * (at(reach - d) + at(reach + d));
    }
    sum
}

/// Side of the coarse grid on which beam hardening is worked out; it is smooth.
const COARSE: usize = 64;
/// Number of views of the coarse scan.
const VIEWS: usize = 48;
/// Number of detector bins, enough for the diagonal.
const BINS: usize = 92;

/// Adds the error of a scanner that takes its beam for monochromatic. Each ray through much bone reads a little too little, in
/// proportion to the square of the bone it met; filtered back-projection spreads that as dark bars between dense bones.
pub fn harden(head: &Head, picture: &mut [f32], side: usize) {
    let coarse = resample(picture, side, COARSE);
    let middle = (COARSE as f32 - 1.0) / 2.0;
    let place = |i: usize| ((i % COARSE) as f32 - middle, (i / COARSE) as f32 - middle);
    // Where there is bone and how much; and all places where the error matters.
    let bone: Vec<(f32, f32, f32)> = (0..COARSE * COARSE)
        .filter(|&i| coarse[i] > 150.0)
        .map(|i| (place(i).0, place(i).1, ((coarse[i] - 150.0) / 1000.0).min(1.6)))
        .collect();
    let tissue: Vec<(f32, f32, usize)> =
        (0..COARSE * COARSE).filter(|&i| coarse[i] > -500.0).map(|i| (place(i).0, place(i).1, i)).collect();
    let mut error = vec![0.0_f32; COARSE * COARSE];
    let mut ray = vec![0.0_f32; BINS + 1];
    let mut filtered = vec![0.0_f32; BINS + 1];
    let ramp: Vec<f32> = (1..=BINS).step_by(2).map(|d| (std::f32::consts::PI * d as f32).powi(-2)).collect();
    for view in 0..VIEWS {
        let (sine, cosine) = (std::f32::consts::PI * view as f32 / VIEWS as f32).sin_cos();
        let bin = |x: f32, y: f32| {
            let s = x * cosine + y * sine + BINS as f32 / 2.0;
            let whole = s as u32;
            ((whole as usize).min(BINS - 1), s - whole as f32)
        };
        ray.fill(0.0);
        for &(x, y, b) in &bone {
            let (k, f) = bin(x, y);
            ray[k] += b * (1.0 - f);
            ray[k + 1] += b * f;
        }
        for r in &mut ray {
            *r *= -*r;
        }
        // Ram-Lak kernel in the plane of the detector.
        for (k, out) in filtered.iter_mut().enumerate() {
            let mut sum = 0.25 * ray[k];
            for (tap, d) in ramp.iter().zip((1..=BINS).step_by(2)) {
                let pair = k.checked_sub(d).map_or(0.0, |i| ray[i]) + ray.get(k + d).copied().unwrap_or(0.0);
                sum -= pair * tap;
            }
            *out = sum;
        }
        for &(x, y, i) in &tissue {
            let (k, f) = bin(x, y);
            error[i] += filtered[k] * (1.0 - f) + filtered[k + 1] * f;
        }
    }
    // What is the same everywhere in the head the scanner's calibration takes away.
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for (e, _) in error.iter().zip(&coarse).filter(|(_, hu)| (-10.0..90.0).contains(*hu)) {
        sum += e;
        count += 1.0;
    }
    let mean = sum / count.max(1.0);
    let strength = 16.0 * head.hardening / VIEWS as f32;
    for e in &mut error {
        *e = ((*e - mean) * strength).clamp(-25.0, 14.0);
    }
    let scale = COARSE as f32 / side as f32;
    for y in 0..side {
        for x in 0..side {
            let hu = &mut picture[y * side + x];
            if *hu > -300.0 {
                *hu += bilinear(&error, (x as f32 + 0.5) * scale - 0.5, (y as f32 + 0.5) * scale - 0.5);
            }
        }
    }
}

/// Means over blocks (or repeats, for a picture smaller than the grid wanted).
fn resample(picture: &[f32], side: usize, to: usize) -> Vec<f32> {
    let step = (side / to).max(1);
    let mut out = vec![0.0; to * to];
    for y in 0..to {
        for x in 0..to {
            let (x0, y0) = (x * side / to, y * side / to);
            let mut sum = 0.0;
            for row in y0..y0 + step {
                sum += picture[row * side + x0..row * side + x0 + step].iter().sum::<f32>();
            }
            out[y * to + x] = sum / (step * step) as f32;
        }
    }
    out
}

fn bilinear(grid: &[f32], x: f32, y: f32) -> f32 {
    let last = (COARSE - 1) as f32;
    let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
    let (i, j) = ((x as usize).min(COARSE - 2), (y as usize).min(COARSE - 2));
    let (f, g) = (x - i as f32, y - j as f32);
    let at = |di: usize, dj: usize| grid[(j + dj) * COARSE + i + di];
    let top = at(0, 0) * (1.0 - f) + at(1, 0) * f;
    let bottom = at(0, 1) * (1.0 - f) + at(1, 1) * f;
    top * (1.0 - g) + bottom * g
}

/// Adds quantum noise. A soft kernel's grain is a band: white noise, blurred, less the same blurred twice as wide.
pub fn add_noise(head: &Head, seed: u64, level: f32, picture: &mut [f32], side: usize) {
    let slice = seed.rotate_left(17) ^ u64::from(level.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let rng = &mut stream(slice, "brain phantom noise");
    let mut grain: Vec<f32> = (0..side * side).map(|_| StandardNormal.sample(rng)).collect();
    let pixel = FIELD_OF_VIEW / side as f32;
    let fine = (0.95 / pixel).max(0.35);
    blur(&mut grain, side, fine);
    let mut wide = grain.clone();
    blur(&mut wide, side, 2.2 * fine);
    grain.iter_mut().zip(&wide).for_each(|(g, w)| *g -= 0.55 * w);
    let power = grain.iter().map(|g| g * g).sum::<f32>() / grain.len() as f32;
    // Larger pixels gather more quanta.
    let sigma = head.noise * (1.8 / pixel.max(1.8)) / power.sqrt().max(1e-6);
    for (hu, g) in picture.iter_mut().zip(&grain) {
        let here = if *hu < -500.0 { 0.5 } else { 1.0 };
        *hu += g * sigma * here;
    }
}

/// Hounsfield units of the head holder at a point of the picture, where there is one: a thin shell under the head.
pub fn holder(head: &Head, x: f32, y: f32) -> Option<f32> {
    let [radius, drop] = head.holder?;
    if y < 38.0 {
        return None;
    }
    let d = (x.hypot(y - drop) - radius).abs();
    (d < 1.7).then_some(if d > 0.6 { 650.0 } else { 60.0 })
}
