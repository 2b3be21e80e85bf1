//! The bodies behind a phantom cohort, and with them the truth: on which pixels each finding lies.
//!
//! In: the identity of a cohort. Out: any of its films drawn again, with a mask for each finding. A pack keeps pictures
//! and labels; what fixed them is one sentence, from which everything follows once more.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::{Kind, Planned, Scene, brain, chest, identity, plan, split};
use crate::cohort::Fold;
use crate::cohort::pack::Header;
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, Radiograph};

/// Seeds that are tried where a cohort does not state its own; training uses small ones.
const SEEDS: std::ops::Range<u64> = 0..64;

/// All films of one phantom cohort, as they were planned.
pub struct Bodies {
    kind: Kind,
    films: Vec<Planned>,
    folds: Vec<Fold>,
    places: HashMap<String, usize>,
}

/// One film with what is known of it.
pub struct Drawn {
    /// The film.
    pub image: Radiograph,
    /// For each finding that shows, its place in the vocabulary and the pixels it lies on, row by row. "No Finding" has
    /// none.
    pub masks: Vec<(usize, Vec<bool>)>,
}

/// Kind, number of films and seed of the cohort that has this identity; `None` where no small seed gives it.
pub fn sentence_of(name: &str, counts: RangeInclusive<usize>, wanted: &str) -> Option<(Kind, usize, u64)> {
    let kind = [Kind::Chest, Kind::Brain].into_iter().find(|kind| name.starts_with(kind.name()))?;
    let mut all = SEEDS.flat_map(|seed| counts.clone().map(move |count| (kind, count, seed)));
    all.find(|&(kind, count, seed)| identity(kind, count, seed) == wanted)
}

/// Numbers of films that a cohort with so many in its train fold may have: about eight in ten are there.
pub fn counts_of(train: usize) -> RangeInclusive<usize> {
    train..=train.saturating_add(train / 2 + 64)
}

impl Bodies {
    /// The cohort of this sentence.
    pub fn new(kind: Kind, count: usize, seed: u64) -> Self {
        let films = plan(kind, count, seed);
        let names: Vec<String> = films.iter().map(Planned::patient_name).collect();
        let by_name = split::by_patient(names.iter().map(String::as_str), seed);
        let folds = names.iter().map(|name| by_name.get(name).copied().unwrap_or(Fold::Train)).collect();
        let places = films.iter().enumerate().map(|(i, film)| (film.source(), i)).collect();
        Self { kind, films, folds, places }
    }

    /// The bodies behind a pack; `None` where it holds no phantoms, or those of another version.
    pub fn of_pack(header: &Header) -> Option<Self> {
        if !header.phantom {
            return None;
        }
        let (kind, count, seed) = sentence_of(&header.name, header.films..=header.films, &header.identity)?;
        Some(Self::new(kind, count, seed))
    }

    /// The bodies that a network was trained on, from what its card states.
    pub fn of_training(cohort: &str, train: usize, identity: &str) -> Option<Self> {
        let (kind, count, seed) = sentence_of(cohort, counts_of(train), identity)?;
        Some(Self::new(kind, count, seed))
    }

    /// Films.
    pub fn len(&self) -> usize {
        self.films.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.films.is_empty()
    }

    /// Findings in the order of label vectors.
    pub fn vocabulary(&self) -> Vocabulary {
        self.kind.vocabulary()
    }

    /// What the pixels stand for.
    pub fn meaning(&self) -> Meaning {
        self.kind.meaning()
    }

    /// Values that networks see as black and white.
    pub fn window(&self) -> [f32; 2] {
        self.kind.range_and_window()[1]
    }

    /// The films of a fold, ascending.
    pub fn fold(&self, fold: Fold) -> Vec<usize> {
        (0..self.len()).filter(|&film| self.folds[film] == fold).collect()
    }

    /// The film that a pack names so.
    pub fn find(&self, source: &str) -> Option<usize> {
        self.places.get(source).copied()
    }

    /// Patient and film in words, as packs name it.
    ///
    /// # Panics
    /// When `film` is not below [`Bodies::len`], as for a slice.
    pub fn source(&self, film: usize) -> String {
        self.films[film].source()
    }

    /// One value for each finding. Heads take a moment: what a slice cuts is measured.
    ///
    /// # Panics
    /// When `film` is not below [`Bodies::len`], as for a slice.
    pub fn labels(&self, film: usize) -> Vec<f32> {
        self.films[film].labels()
    }

    /// Draws a film on `side` × `side` pixels, 32 to 512 and a power of two.
    ///
    /// # Panics
    /// When `film` is not below [`Bodies::len`], as for a slice.
    pub fn draw(&self, film: usize, side: usize) -> Drawn {
        let Planned { patient_seed, number, scene, .. } = &self.films[film];
        let side = side.clamp(32, 512);
        match scene {
            Scene::Chest { findings } => {
                let film = chest::film(*patient_seed, *number, findings, side);
                Drawn { image: film.image, masks: film.masks }
            }
            Scene::Brain { level, findings } => {
                let slice = brain::slice(*patient_seed, *level, findings, side);
                Drawn { image: slice.image, masks: slice.masks }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::Pack;
    use crate::cohort::phantom::{PhantomOptions, write};
    use crate::progress::Progress;

    #[test]
    fn the_bodies_behind_a_pack_are_found_by_its_identity_and_draw_its_very_films() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pack");
        write(
            &PhantomOptions { kind: Kind::Chest, count: 12, resolution: 32, seed: 3, out: out.clone() },
            &Progress::new(),
        )
        .unwrap();
        let pack = Pack::open(&out).unwrap();
        let bodies = Bodies::of_pack(pack.header()).unwrap();
        assert_eq!(bodies.len(), 12);
        for fold in Fold::ALL {
            let expected: Vec<usize> = pack.fold_indices(fold).into_iter().map(|film| film as usize).collect();
            let mut found: Vec<usize> = bodies
                .fold(fold)
                .into_iter()
                .map(|body| (0..pack.len()).find(|&film| pack.record(film).source == bodies.source(body)).unwrap())
                .collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{fold}");
        }
        let mut with_mask = 0;
        for film in 0..pack.len() {
            let body = bodies.find(&pack.record(film).source).unwrap();
            assert_eq!(bodies.labels(body), pack.labels(film));
            let drawn = bodies.draw(body, 32);
            // A pack keeps 16 bits over the range.
            let stored = pack.image(film, 32);
            let worst =
                stored.pixels().iter().zip(drawn.image.pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-5, "film {film}: off by {worst}");
            for (finding, mask) in &drawn.masks {
                assert_eq!(pack.labels(film)[*finding], 1.0);
                assert_eq!(mask.len(), 32 * 32);
                with_mask += 1;
            }
        }
        assert!(with_mask > 3, "{with_mask}");
        assert!(Bodies::of_training("phantom-chest", 10, &pack.header().identity).is_some());
        assert!(Bodies::of_training("phantom-brain", 10, &pack.header().identity).is_none());
        assert!(Bodies::of_training("nih-cxr14", 10, &pack.header().identity).is_none());
    }
}
