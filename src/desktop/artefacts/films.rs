//! The films that classifiers are asked about: the test fold of a pack, or phantoms drawn one by one as they are looked at.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cohort::phantom::{Bodies, Drawn};
use crate::cohort::{Fold, Pack};
use crate::encoder::EncoderCard;
use crate::finding::Vocabulary;
use crate::progress::Progress;
use crate::radiograph::Meaning;

/// Most phantoms that are listed where there is no pack.
const MOST: usize = 240;

/// Side of the phantoms in the packs that the shipped networks learnt from.
const PACK_SIDE: usize = 128;

/// Where films come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A pack in this folder.
    Pack(PathBuf),
    /// The phantoms that a network of this card was trained beside: cohort, films in its train fold, identity.
    Phantoms(String, usize, String),
}

impl Place {
    /// The phantoms of a classifier's own cohort; `None` where it was trained on patients.
    pub fn of(card: &EncoderCard) -> Option<Self> {
        let training = &card.training;
        let phantoms = || Self::Phantoms(training.cohort.clone(), training.images, training.cohort_hash.clone());
        training.phantom.then(phantoms)
    }
}

/// The films of one place.
pub struct Films {
    /// Where they come from.
    pub place: Place,
    /// In a line, for people.
    pub about: String,
    /// Whether they are phantoms.
    pub phantom: bool,
    /// Findings in the order of labels.
    pub vocabulary: Vocabulary,
    /// What their pixels stand for.
    pub meaning: Meaning,
    /// Values that networks see as black and white.
    pub window: [f32; 2],
    pack: Option<Pack>,
    bodies: Option<Bodies>,
    items: Vec<Item>,
}

struct Item {
    /// In the pack; among the bodies where there is no pack.
    at: usize,
    name: String,
    labels: Vec<f32>,
}

impl Films {
    /// Opens a place. Labels of phantoms that are slices take a moment.
    ///
    /// # Errors
    /// A sentence that names the pack and the remedy.
    pub fn open(place: &Place, progress: &Progress) -> Result<Self, String> {
        match place {
            Place::Pack(folder) => Self::of_pack(place.clone(), folder),
            Place::Phantoms(cohort, train, identity) => {
                let bodies = Bodies::of_training(cohort, *train, identity).ok_or_else(|| {
                    format!(
                        "the phantoms of {cohort} cannot be drawn again: they come from another version of this program; \
                         open a pack instead"
                    )
                })?;
                Self::of_bodies(place.clone(), cohort, bodies, progress)
            }
        }
    }

    fn of_pack(place: Place, folder: &Path) -> Result<Self, String> {
        let pack = Pack::open(folder).map_err(|error| error.to_string())?;
        let mut films = pack.fold_indices(Fold::Test);
        let fold = if films.is_empty() { "films" } else { "films of the test fold" };
        if films.is_empty() {
            films = (0..pack.len() as u32).collect();
        }
        let item = |film: u32| {
            let record = pack.record(film as usize);
            Item { at: film as usize, name: record.source, labels: record.labels }
        };
        let items: Vec<Item> = films.into_iter().map(item).collect();
        let header = pack.header();
        Ok(Self {
            about: format!("{}: {} {fold}", header.name, items.len()),
            phantom: header.phantom,
            vocabulary: header.vocabulary.clone(),
            meaning: header.meaning,
            window: header.window,
            bodies: Bodies::of_pack(header),
            place,
            items,
            pack: Some(pack),
        })
    }

    fn of_bodies(place: Place, cohort: &str, bodies: Bodies, progress: &Progress) -> Result<Self, String> {
        let test: Vec<usize> = bodies.fold(Fold::Test).into_iter().take(MOST).collect();
        progress.set_total(test.len() as u64);
        let item = |&at: &usize| {
            progress.check().map_err(|_| "stopped".to_owned())?;
            let item = Item { at, name: bodies.source(at), labels: bodies.labels(at) };
            progress.advance(1);
            Ok(item)
        };
        let items = test.par_iter().map(item).collect::<Result<Vec<Item>, String>>()?;
        Ok(Self {
            about: format!("{cohort}: {} films of the test fold, drawn as they are looked at", items.len()),
            phantom: true,
            vocabulary: bodies.vocabulary(),
            meaning: bodies.meaning(),
            window: bodies.window(),
            bodies: Some(bodies),
            place,
            items,
            pack: None,
        })
    }

    /// Films.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Patient and film, as the source names them.
    pub fn name(&self, i: usize) -> &str {
        self.items.get(i).map_or("", |item| item.name.as_str())
    }

    /// One value for each finding.
    pub fn labels(&self, i: usize) -> &[f32] {
        self.items.get(i).map_or(&[], |item| item.labels.as_slice())
    }

    /// Findings on a film in words.
    pub fn findings(&self, i: usize) -> String {
        let all: Vec<&str> = self.vocabulary.positives(self.labels(i)).collect();
        if all.is_empty() { "nothing labelled".to_owned() } else { all.join(" · ") }
    }

    /// Places of the films that have a finding, or of all.
    pub fn with(&self, finding: Option<&str>) -> Vec<usize> {
        let column = finding.and_then(|finding| self.vocabulary.position(finding));
        let has = |i: &usize| column.is_none_or(|c| self.labels(*i).get(c).is_some_and(|&v| v > 0.0));
        (0..self.len()).filter(has).collect()
    }

    /// A film at a side as networks see it, with the true masks where it is a phantom. Takes a moment.
    pub fn draw(&self, i: usize, side: usize) -> Option<Drawn> {
        let item = self.items.get(i)?;
        let Some(pack) = &self.pack else {
            // In the order of [`Pack::seen`]: drawn as large as in the packs that networks learn from, clipped, then shrunk.
            let bodies = self.bodies.as_ref()?;
            let whole = bodies.draw(item.at, side.max(PACK_SIDE)).image.clipped(self.window);
            let image = whole.resized(side, side).ok()?;
            return Some(Drawn { image, masks: bodies.draw(item.at, side).masks });
        };
        let image = pack.seen(item.at, side);
        let masks = self.bodies.as_ref().and_then(|bodies| Some(bodies.draw(bodies.find(&item.name)?, side).masks));
        Some(Drawn { image, masks: masks.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::phantom::{self, Kind, PhantomOptions};

    #[test]
    fn slices_without_a_pack_are_those_that_a_pack_shows() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pack");
        let options = PhantomOptions { kind: Kind::Brain, count: 24, resolution: PACK_SIDE, seed: 3, out: out.clone() };
        phantom::write(&options, &Progress::new()).unwrap();
        let pack = Pack::open(&out).unwrap();
        let (train, identity) = (pack.fold_indices(Fold::Train).len(), pack.header().identity.clone());
        let open = |place| Films::open(&place, &Progress::new()).unwrap();
        let held = open(Place::Pack(out));
        let drawn = open(Place::Phantoms("phantom-brain".into(), train, identity));
        assert!(!held.is_empty() && held.len() == drawn.len());
        for i in 0..held.len() {
            assert_eq!(held.name(i), drawn.name(i));
            let (held, drawn) = (held.draw(i, 32).unwrap(), drawn.draw(i, 32).unwrap());
            let pairs = held.image.pixels().iter().zip(drawn.image.pixels());
            // Packs keep HU in steps of a twentieth or so.
            let farthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(farthest < 0.2, "film {i}: {farthest} HU");
            assert_eq!(held.masks, drawn.masks);
        }
    }
}
