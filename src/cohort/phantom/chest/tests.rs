use super::*;
use rayon::prelude::*;

const NONE: [bool; 14] =
    [true, false, false, false, false, false, false, false, false, false, false, false, false, false];

fn only(index: usize) -> [bool; 14] {
    std::array::from_fn(|i| i == index)
}

/// Pearson's correlation of two films.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let n = a.len() as f64;
    let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x) - ma, f64::from(y) - mb);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt()
}

#[test]
fn the_same_arguments_give_the_same_bits_on_any_number_of_threads() {
    let mut findings = [false; 14];
    for index in [2, 5, 10, 12, 13] {
        findings[index] = true;
    }
    let alone = film(11, 3, &findings, 64);
    let crowd: Vec<_> = (0..8).into_par_iter().map(|_| film(11, 3, &findings, 64)).collect();
    for other in crowd {
        assert_eq!(alone.image.pixels(), other.image.pixels());
        assert_eq!(alone.masks, other.masks);
    }
    assert_ne!(alone.image.pixels(), film(11, 4, &findings, 64).image.pixels());
    assert_ne!(alone.image.pixels(), film(12, 3, &findings, 64).image.pixels());
}

#[test]
fn films_have_the_size_asked_for_and_densities_between_dark_and_bright() {
    for side in [32, 64, 128, 256, 512, 100] {
        let film = film(5, 0, &only(finding::EDEMA), side);
        assert_eq!((film.image.width(), film.image.height()), (side, side));
        assert_eq!(film.image.meaning(), Meaning::Density);
        assert!(film.image.pixels().iter().all(|v| (0.0..=1.0).contains(v)), "{side}");
        assert!(film.masks.iter().all(|(_, mask)| mask.len() == side * side));
    }
}

/// The body is one and the same at every resolution: averaging a fine film down comes close to the coarse film.
#[test]
fn resolutions_show_the_same_body() {
    let fine = film(21, 0, &NONE, 256);
    let coarse = film(21, 0, &NONE, 64);
    let averaged: Vec<f32> = (0..64 * 64)
        .map(|i| {
            let (x, y) = (4 * (i % 64), 4 * (i / 64));
            (0..16).map(|k| fine.image.pixels()[(y + k / 4) * 256 + x + k % 4]).sum::<f32>() / 16.0
        })
        .collect();
    let error = averaged.iter().zip(coarse.image.pixels()).map(|(a, b)| (a - b).abs()).sum::<f32>() / 4096.0;
    assert!(error < 0.012, "{error}");
}

#[test]
fn two_films_of_a_patient_are_more_alike_than_films_of_two_patients() {
    let films: Vec<[Vec<f32>; 2]> = (0..12_u64)
        .into_par_iter()
        .map(|patient| [0, 1].map(|index| film(patient, index, &NONE, 64).image.pixels().to_vec()))
        .collect();
    let same = films.iter().map(|[a, b]| correlation(a, b)).sum::<f64>() / 12.0;
    let mut others = 0.0;
    for (i, [a, _]) in films.iter().enumerate() {
        let [_, b] = &films[(i + 5) % 12];
        others += correlation(a, b) / 12.0;
    }
    assert!(same > others + 0.01, "same patient {same}, other patient {others}");
}

/// Anatomy belongs to the patient alone, pose to the film.
#[test]
fn anatomy_stays_and_pose_changes() {
    let (a, b) = (Anatomy::of(9), Anatomy::of(9));
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    assert_ne!(format!("{a:?}"), format!("{:?}", Anatomy::of(10)));
    assert_ne!(format!("{:?}", Pose::of(9, 0, &a)), format!("{:?}", Pose::of(9, 1, &a)));
}

#[test]
fn no_finding_brings_no_mask_and_changes_nothing() {
    assert!(film(3, 0, &NONE, 64).masks.is_empty());
    assert_eq!(film(3, 0, &NONE, 64).image, film(3, 0, &[false; 14], 64).image);
}

/// Each finding against the same patient, pose and exposure without it.
#[test]
fn every_finding_acts_inside_its_mask_and_hardly_outside() {
    (1..14_usize).into_par_iter().for_each(|index| {
        let (mut inside, mut outside) = ((0.0, 0.0), (0.0, 0.0));
        for patient in 0..8 {
            let sick = film(100 + patient, 0, &only(index), 128);
            let well = film(100 + patient, 0, &NONE, 128);
            assert_eq!(sick.masks.len(), 1, "finding {index}");
            let (marked, mask) = &sick.masks[0];
            assert_eq!(*marked, index);
            let area = mask.iter().filter(|&&m| m).count();
            assert!(area >= 12, "finding {index} of patient {patient} marks {area} pixels");
            assert!(area < 128 * 128 / 2, "finding {index} of patient {patient} marks {area} pixels");
            for ((a, b), &marked) in sick.image.pixels().iter().zip(well.image.pixels()).zip(mask) {
                let sum = if marked { &mut inside } else { &mut outside };
                sum.0 += (a - b).abs();
                sum.1 += 1.0;
            }
        }
        let (inside, outside) = (inside.0 / inside.1, outside.0 / outside.1);
        assert!(inside > 0.02, "finding {index}: {inside} inside");
        assert!(inside > 8.0 * outside, "finding {index}: {inside} inside, {outside} outside");
    });
}

#[test]
fn masks_are_never_empty_at_any_size_and_come_in_order() {
    (0..60_u64).into_par_iter().for_each(|patient| {
        let findings: [bool; 14] = std::array::from_fn(|i| i > 0 && !(patient as usize + i * i).is_multiple_of(3));
        let film = film(patient, (patient % 3) as u32, &findings, 32);
        let found: Vec<usize> = film.masks.iter().map(|(index, _)| *index).collect();
        let wanted: Vec<usize> = (1..14).filter(|&i| findings[i]).collect();
        assert_eq!(found, wanted, "patient {patient}");
        for (index, mask) in &film.masks {
            assert!(mask.contains(&true), "finding {index} of patient {patient}");
        }
        assert!(film.image.pixels().iter().all(|v| v.is_finite()));
    });
}

/// The cardiothoracic ratio is what names a large heart: below one half in health, above in disease.
#[test]
fn a_large_heart_is_wide_against_the_chest() {
    let ratio = |patient: u64, findings: &[bool; 14]| {
        let anatomy = Anatomy::of(patient);
        let pose = Pose::of(patient, 0, &anatomy);
        let disease = Disease::of(patient, 0, findings);
        let grid = Grid { side: 256, extent: pose.extent };
        let air = scene::aerated(grid, &anatomy, &pose, &disease);
        // Widest dark-to-dark and rim-to-rim above the domes.
        let mut widths = (0.0_f32, 0.0_f32);
        for row in 0..256 {
            let z = pose.height(grid.mm(row));
            if z < 0.0 || z > anatomy.dome[0].min(anatomy.dome[1]) - 34.0 {
                continue;
            }
            let line = &air.values[row * 256..(row + 1) * 256];
            let Some(first) = line.iter().position(|&v| v > 20.0) else { continue };
            let last = line.iter().rposition(|&v| v > 20.0).unwrap_or(first);
            let heart = line[first..=last].iter().filter(|&&v| v < 60.0).count();
            widths = (widths.0.max(heart as f32), widths.1.max((last - first) as f32));
        }
        widths.0 / widths.1
    };
    let mean = |findings: &[bool; 14]| (0..20).map(|patient| ratio(patient, findings)).sum::<f32>() / 20.0;
    let (well, sick) = (mean(&NONE), mean(&only(finding::CARDIOMEGALY)));
    assert!(well < 0.53, "{well}");
    assert!(sick > well + 0.1 && sick > 0.55, "{sick} against {well}");
}

/// Fluid, filled lung, thick pleura and metal stop more of the beam than the lung they replace.
#[test]
fn findings_brighten_the_film() {
    for index in [
        finding::PLEURAL_EFFUSION,
        finding::CONSOLIDATION,
        finding::EDEMA,
        finding::LUNG_OPACITY,
        finding::LUNG_LESION,
        finding::PLEURAL_OTHER,
        finding::SUPPORT_DEVICES,
    ] {
        let mut change = 0.0;
        for patient in 0..10 {
            let sick = film(200 + patient, 0, &only(index), 64);
            let well = film(200 + patient, 0, &NONE, 64);
            let mask = &sick.masks[0].1;
            let pairs = sick.image.pixels().iter().zip(well.image.pixels()).zip(mask);
            change += pairs.filter(|(_, marked)| **marked).map(|((a, b), _)| a - b).sum::<f32>();
        }
        assert!(change > 0.0, "finding {index}: {change}");
    }
}

/// Free air is darker than the lung it replaces, and the lung that is left is denser.
#[test]
fn free_air_is_darker_and_collapsed_lung_brighter() {
    for patient in 0..10 {
        let sick = film(300 + patient, 0, &only(finding::PNEUMOTHORAX), 128);
        let well = film(300 + patient, 0, &NONE, 128);
        let change = || sick.image.pixels().iter().zip(well.image.pixels()).map(|(a, b)| a - b);
        let marked = sick.masks[0].1.iter().filter(|&&m| m).count();
        let darker = change().filter(|&d| d < -0.03).count();
        assert!(10 * darker > marked, "patient {patient}: {darker} of {marked} darker");
        assert!(change().any(|d| d > 0.03), "patient {patient}: nothing brighter");
    }
}
