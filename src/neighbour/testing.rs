//! A small pack of drawn films, for the tests of this room and of those above it.

use std::path::Path;

use rand::Rng;

use crate::cohort::pack::{Film, Manifest, Writer};
use crate::cohort::{Fold, Pack};
use crate::compute::random;
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, Radiograph};
use crate::store;

/// Writes a pack of 32-px films, two for each of `patients` patients: six in eight patients train, one each is held out
/// for validation and test. "Edema" brightens the upper left, "Mass" darkens the lower right, "Nodule" never occurs.
pub fn pack(folder: &Path, patients: u32, seed: u64) -> Pack {
    let out = folder.join("pack");
    let manifest = Manifest {
        name: "drawn".into(),
        vocabulary: Vocabulary::new("own", ["Edema", "Mass", "Nodule"]),
        meaning: Meaning::Density,
        range: [0.0, 1.0],
        window: [0.0, 1.0],
        resolution: 32,
        phantom: true,
        identity: Some(store::hash_bytes(&seed.to_le_bytes())),
        provenance: vec![],
        licence: "none".into(),
        citation: String::new(),
        split: "by patient".into(),
        fingerprint: format!("{patients} patients, seed {seed}"),
    };
    let mut rng = random::stream(seed, "drawn pack");
    let mut writer = Writer::begin(&out, manifest).unwrap();
    for patient in 0..patients {
        let fold = match patient % 8 {
            0 => Fold::Validation,
            1 => Fold::Test,
            _ => Fold::Train,
        };
        let base: f32 = rng.random_range(0.3..0.6);
        for film in 0..2 {
            let labels = [f32::from(rng.random::<bool>()), f32::from(rng.random::<bool>()), 0.0];
            let pixels = (0..32 * 32)
                .map(|i| {
                    let (x, y) = (i % 32, i / 32);
                    let upper = if x < 14 && y < 14 { 0.25 * labels[0] } else { 0.0 };
                    let lower = if x >= 18 && y >= 18 { 0.25 * labels[1] } else { 0.0 };
                    (base + upper - lower + rng.random_range(-0.1..0.1)).clamp(0.0, 1.0)
                })
                .collect();
            let image = Radiograph::new(32, 32, pixels, Meaning::Density).unwrap();
            let film = Film {
                patient: format!("P{patient}"),
                source: format!("P{patient}-{film}.png"),
                labels: labels.to_vec(),
                fold,
                age: None,
                sex: None,
                view: String::new(),
                hash: [0; 32],
            };
            writer.push(film, &crate::cohort::pack::Levels::of(&image, 32, [0.0, 1.0]).unwrap()).unwrap();
        }
    }
    writer.finish().unwrap();
    Pack::open(&out).unwrap()
}
