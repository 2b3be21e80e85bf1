use super::cortex::folded;
use super::haemorrhage::Bleeds;
use super::head::{FIELD_OF_VIEW, Head};
use super::posterior::base;
use super::ventricles::{deep_grey, ventricles};
use super::*;
use rayon::prelude::*;

const NONE: [bool; 6] = [false; 6];

fn only(kind: usize) -> [bool; 6] {
    let mut findings = NONE;
    findings[kind] = true;
    findings
}

/// The level at which the patient shows most of the middle of a bleed: the middle one of those where it is visible.
fn level_of(seed: u64, kind: usize) -> Option<f32> {
    let levels: Vec<f32> =
        (0..21).map(|i| i as f32 / 20.0).filter(|&l| visible_findings(seed, l, &only(kind))[kind]).collect();
    levels.get(levels.len() / 2).copied()
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0_f64, 0_usize), |(s, n), v| (s + f64::from(v), n + 1));
    (sum / count.max(1) as f64) as f32
}

/// Brain window 40/80 as 0 to 1.
fn windowed(slice: &BrainSlice) -> Vec<f32> {
    slice.image.pixels().iter().map(|hu| (hu / 80.0).clamp(0.0, 1.0)).collect()
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    mean(a.iter().zip(b).map(|(a, b)| (a - b).abs()))
}

#[test]
fn a_slice_is_the_same_bits_whoever_renders_it() {
    let findings = [true, true, true, true, true, false];
    let jobs: Vec<(u64, f32)> = (0..6).map(|i| (40 + i % 2, 0.2 * i as f32)).collect();
    let alone: Vec<BrainSlice> = jobs.iter().map(|&(s, l)| slice(s, l, &findings, 64)).collect();
    let together: Vec<BrainSlice> = jobs.par_iter().map(|&(s, l)| slice(s, l, &findings, 64)).collect();
    for (a, b) in alone.iter().zip(&together) {
        let bits = |s: &BrainSlice| s.image.pixels().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(a), bits(b));
        assert_eq!(a.masks, b.masks);
    }
}

#[test]
fn neighbouring_levels_are_one_head_and_other_patients_are_not() {
    for seed in 0..6 {
        let here = windowed(&slice(seed, 0.5, &NONE, 64));
        let above = windowed(&slice(seed, 0.53, &NONE, 64));
        let other = windowed(&slice(seed + 100, 0.5, &NONE, 64));
        let (near, far) = (difference(&here, &above), difference(&here, &other));
        assert!(near < 0.6 * far, "patient {seed}: {near} to the next level, {far} to another patient");
    }
}

#[test]
fn masks_are_what_visible_findings_says_and_hold_pixels() {
    for seed in 0..4 {
        let findings = [seed % 2 == 0, true, true, seed % 2 == 1, true, false];
        for step in 0..8 {
            let level = step as f32 / 7.0;
            for side in [32, 128] {
                let seen = visible_findings(seed, level, &findings);
                let rendered = slice(seed, level, &findings, side);
                let kinds: Vec<usize> = rendered.masks.iter().map(|(k, _)| *k).collect();
                assert_eq!(kinds, (0..5).filter(|&k| seen[k]).collect::<Vec<_>>());
                assert_eq!(seen[NO_FINDING], kinds.is_empty());
                for (kind, mask) in &rendered.masks {
                    assert_eq!(mask.len(), side * side);
                    let covered = mask.iter().filter(|m| **m).count();
                    assert!(covered > 0, "finding {kind} of patient {seed} at {level}, {side} px: empty mask");
                    assert!(covered < side * side / 5, "finding {kind}: mask of {covered} pixels");
                }
            }
        }
    }
}

#[test]
fn nothing_is_seen_that_the_patient_does_not_have() {
    for step in 0..8 {
        let level = step as f32 / 7.0;
        assert_eq!(visible_findings(9, level, &NONE), [false, false, false, false, false, true]);
        assert!(slice(9, level, &NONE, 32).masks.is_empty());
    }
    // Blood in the ventricles cannot be seen where there are none.
    for seed in 0..12 {
        assert!(!visible_findings(seed, 1.0, &only(2))[2]);
    }
}

#[test]
fn every_finding_shows_at_some_level_of_every_patient() {
    for kind in 0..5 {
        for seed in 0..16 {
            assert!(level_of(seed, kind).is_some(), "finding {kind} of patient {seed} shows nowhere");
        }
    }
}

#[test]
fn a_finding_changes_the_picture_inside_its_mask_more_than_outside() {
    for kind in 0..5 {
        for seed in 0..8 {
            let level = level_of(seed, kind).unwrap();
            let (with, without) = (slice(seed, level, &only(kind), 128), slice(seed, level, &NONE, 128));
            let mask = &with.masks[0].1;
            let change: Vec<f32> = windowed(&with).iter().zip(windowed(&without)).map(|(a, b)| (a - b).abs()).collect();
            let inside = mean(change.iter().zip(mask).filter(|(_, m)| **m).map(|(c, _)| *c));
            let outside = mean(change.iter().zip(mask).filter(|(_, m)| !**m).map(|(c, _)| *c));
            assert!(
                inside > 4.0 * outside && inside > 0.1,
                "finding {kind}, patient {seed}: {inside} in, {outside} out"
            );
        }
    }
}

#[test]
fn fresh_blood_reads_like_fresh_blood() {
    for kind in 0..3 {
        for seed in 0..8 {
            let level = level_of(seed, kind).unwrap();
            let shown = slice(seed, level, &only(kind), 256);
            let mask = &shown.masks[0].1;
            let mut blood: Vec<f32> =
                shown.image.pixels().iter().zip(mask).filter(|(_, m)| **m).map(|(hu, _)| *hu).collect();
            blood.sort_by(f32::total_cmp);
            let units = blood[blood.len() / 2];
            // Blood in a ventricle is thinned by its fluid.
            let least = if kind == 2 { 45.0 } else { 50.0 };
            assert!((least..78.0).contains(&units), "finding {kind}, patient {seed}: {units} HU");
        }
    }
}

/// Attenuation of the ordinary tissues (Hounsfield): fluid 0–15, white 20–32, grey 30–43, skull 600–1500, air −1000.
#[test]
fn tissues_have_the_attenuation_of_tissues() {
    const SIDE: usize = 256;
    let pitch = FIELD_OF_VIEW / SIDE as f32;
    for seed in 0..6 {
        let head = Head::new(seed);
        let mut kinds: [Vec<f32>; 4] = [const { Vec::new() }; 4];
        for level in [0.36, 0.44, 0.52, 0.66] {
            let shown = slice(seed, level, &NONE, SIDE);
            for (index, &hu) in shown.image.pixels().iter().enumerate() {
                let (x, y) = (centre_of(index % SIDE, pitch), centre_of(index / SIDE, pitch));
                // Only where the whole slice and the neighbourhood are of one kind.
                let all = |test: &dyn Fn([f32; 3]) -> bool| {
                    [
                        (0.0, 0.0, -2.0),
                        (1.2, 0.0, 0.0),
                        (-1.2, 0.0, 0.0),
                        (0.0, 1.2, 0.0),
                        (0.0, -1.2, 0.0),
                        (0.0, 0.0, 2.0),
                    ]
                    .iter()
                    .all(|&(dx, dy, dz)| test(head.place(level, x + dx, y + dy, dz)))
                };
                let wall = head.wall(head.place(level, x, y, 0.0));
                if wall.depth < 0.0 {
                    let thick = head.skull_thickness(&wall);
                    if wall.depth < -0.25 * thick && wall.depth > -0.75 * thick && y > 0.0 {
                        kinds[3].push(hu);
                    }
                } else if all(&|p| ventricles(&head, p, 1.0, 0.0).lateral > 0.99) {
                    kinds[0].push(hu);
                } else if all(&|p| deep_grey(p, 0.0) > 0.99 && ventricles(&head, p, 1.0, 0.0).all() < 0.01) {
                    kinds[2].push(hu);
                } else if all(&|p| {
                    let depth = head.wall(p).depth;
                    let fold = folded(&head, p, depth, depth, 1.0, 0.0, 0.0);
                    depth > 8.0
                        && fold.grey + fold.fluid + fold.dura < 0.02
                        && deep_grey(p, 1.0) < 0.01
                        && ventricles(&head, p, 1.2, 0.0).all() < 0.01
                        && base(&head, p, depth, 0.0).stem < 0.01
                }) {
                    kinds[1].push(hu);
                }
            }
        }
        for (kind, range) in kinds.iter().zip([0.0..15.0, 20.0..32.0, 30.0..43.0, 600.0..1500.0]) {
            assert!(kind.len() > 20, "patient {seed}: only {} pixels for {range:?}", kind.len());
            let units = mean(kind.iter().copied());
            assert!(range.contains(&units), "patient {seed}: {units} HU, not in {range:?}");
        }
        let corner = slice(seed, 0.5, &NONE, 64).image.pixels()[0];
        assert!((-1024.0..-950.0).contains(&corner), "air reads {corner}");
    }
}

/// Where fluid in the middle of the brain lies, in millimetres from the middle of the picture.
fn middle_of_ventricles(shown: &BrainSlice, side: usize) -> f32 {
    let pitch = FIELD_OF_VIEW / side as f32;
    let mut pixels = shown.image.pixels().to_vec();
    scanner::blur(&mut pixels, side, 1.0);
    mean((0..side * side).filter_map(|i| {
        let (x, y) = (centre_of(i % side, pitch), centre_of(i / side, pitch));
        (pixels[i] < 17.0 && x.abs() < 26.0 && y.abs() < 30.0).then_some(x)
    }))
}

#[test]
fn blood_outside_the_brain_pushes_the_midline_away() {
    for kind in [0, 4] {
        let mut moved = 0.0;
        for seed in 0..8 {
            let (with, without) = (slice(seed, 0.48, &only(kind), 128), slice(seed, 0.48, &NONE, 128));
            let bleeds = Bleeds::new(seed, only(kind));
            let side = bleeds.subdural.map_or_else(|| bleeds.epidural.unwrap().middle[0].signum(), |b| b.side);
            let away = -side * (middle_of_ventricles(&with, 128) - middle_of_ventricles(&without, 128));
            assert!(away > 0.8, "finding {kind}, patient {seed}: moved {away} mm");
            moved += away / 8.0;
        }
        assert!((2.5..14.0).contains(&moved), "finding {kind}: the midline moves {moved} mm on average");
    }
}

#[test]
fn sizes_agree_on_what_they_show() {
    let findings = [false, true, false, false, false, false];
    let large = slice(5, 0.4, &findings, 256);
    for side in [32, 64, 128, 512] {
        let shown = slice(5, 0.4, &findings, side);
        assert_eq!(shown.image.pixels().len(), side * side);
        let coarse = |s: &BrainSlice, side| -> Vec<f32> {
            block_means(s.image.pixels(), side, 32).iter().map(|hu| (hu / 80.0).clamp(0.0, 1.0)).collect()
        };
        let gap = 80.0 * difference(&coarse(&shown, side), &coarse(&large, 256));
        assert!(gap < 1.5, "{side} px differs from 256 px by {gap} HU");
    }
}

#[test]
fn dense_bones_darken_what_lies_between_them() {
    const SIDE: usize = 128;
    let mut picture = vec![-1000.0_f32; SIDE * SIDE];
    for (i, hu) in picture.iter_mut().enumerate() {
        let (x, y) = (centre_of(i % SIDE, 1.8), centre_of(i / SIDE, 1.8));
        let bone = ((x.abs() - 45.0).powi(2) + y * y).sqrt() < 14.0;
        if x.hypot(y) < 90.0 {
            *hu = if bone { 1500.0 } else { 30.0 };
        }
    }
    scanner::harden(&Head::new(1), &mut picture, SIDE);
    let at = |x: f32, y: f32| {
        let index = |v: f32| ((v + FIELD_OF_VIEW / 2.0) / 1.8) as usize;
        picture[index(y) * SIDE + index(x)]
    };
    assert!(at(0.0, 0.0) < at(0.0, 45.0) - 3.0, "{} between, {} aside", at(0.0, 0.0), at(0.0, 45.0));
}

#[test]
fn blur_keeps_the_mean_and_spreads_a_point_as_a_gaussian() {
    const SIDE: usize = 33;
    let mut point = vec![0.0_f32; SIDE * SIDE];
    point[16 * SIDE + 16] = 1.0;
    scanner::blur(&mut point, SIDE, 2.0);
    let variance: f32 = point.iter().enumerate().map(|(i, v)| v * ((i % SIDE) as f32 - 16.0).powi(2)).sum();
    assert!((point.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    // A Gaussian of deviation 2 cut at 2.5 deviations: NumPy gives 3.8084.
    // t = np.exp(-.5*(np.arange(-5, 6)/2)**2); (t*np.arange(-5, 6)**2).sum()/t.sum()
    assert!((variance - 3.8084).abs() < 1e-2, "{variance}");
}

#[test]
fn noise_is_of_the_strength_the_scanner_has_and_grained() {
    const SIDE: usize = 128;
    let head = Head::new(2);
    let mut flat = vec![30.0_f32; SIDE * SIDE];
    scanner::add_noise(&head, 2, 0.5, &mut flat, SIDE);
    let power = mean(flat.iter().map(|v| (v - 30.0).powi(2)));
    let beside = mean(flat.windows(2).map(|p| (p[0] - 30.0) * (p[1] - 30.0)));
    assert!((4.0..8.0).contains(&power.sqrt()), "{} HU", power.sqrt());
    assert!(beside > 0.1 * power, "neighbouring pixels correlate by {}", beside / power);
}
