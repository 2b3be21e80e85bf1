//! Nearness: which real films of the train fold lie nearest to a sample, and how near that is for someone never seen.
//!
//! In: a pack, an encoder, feature vectors. Out: exact cosine neighbours, one for each patient, each with the share of
//! held-out patients' films that lie as near to the train fold or nearer.

mod cache;
pub mod search;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::HashMap;
use std::path::PathBuf;

use crate::cohort::{Fold, Pack};
use crate::compute::kernel::coarse::Table;
use crate::encoder::{Encoder, MeaningError};
use crate::progress::{Cancelled, Progress};
use crate::radiograph::Radiograph;
use crate::{stats, store};

use cache::Rows;
use search::Gallery;

/// Neighbours listed where nobody asks for another number.
pub const DEFAULT_K: usize = 6;

/// Films that are encoded between two looks at the cancel switch.
const BATCH: usize = 64;

/// Why there are no neighbours.
#[derive(Debug, thiserror::Error)]
pub enum NeighbourError {
    /// Whoever started the work stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The encoder was made for other films than this cohort's.
    #[error("cohort {cohort}: {source}")]
    Meaning {
        /// Name of the cohort.
        cohort: String,
        /// Which values were expected and found.
        source: MeaningError,
    },
    /// There is nothing to compare with.
    #[error("cohort {cohort} has no film in its train fold; import it again with a split that has one")]
    Empty {
        /// Name of the cohort.
        cohort: String,
    },
}

/// One real film near a sample; the nearest of its patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The film's number in the pack.
    pub item: u32,
    /// Its patient's key in the pack.
    pub patient: u32,
    /// 1 − cosine similarity of the features: 0 the same direction, 1 unrelated, 2 opposite.
    pub distance: f32,
    /// Share of held-out films, 0 to 100, whose distance to their nearest train film is at most this distance: below 5
    /// it is nearer than almost any stranger comes. NaN when the pack has no held-out film.
    pub percentile: f32,
    /// Further films of this patient that are no farther than the last neighbour listed, and are not listed for that.
    pub others: u32,
}

/// The train fold of one pack as one encoder sees it, ready for search. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Index {
    rows: Rows,
    coarse: Option<Table>,
    dim: usize,
    films: Vec<u32>,
    keys: Vec<u32>,
    slots: Vec<u32>,
    cohort: String,
    encoder: String,
}

impl Index {
    /// Maps the features cached beside the pack, or computes and caches them when pack or encoder have changed.
    ///
    /// A pack on a read-only disk works too; its features are then computed at each start.
    ///
    /// # Errors
    /// [`NeighbourError`] when cancelled, when the encoder does not suit the films, or when the train fold is empty.
    pub fn open_or_build(pack: &Pack, encoder: &Encoder, progress: &Progress) -> Result<Self, NeighbourError> {
        let header = pack.header();
        let films = pack.fold_indices(Fold::Train);
        if films.is_empty() {
            return Err(NeighbourError::Empty { cohort: header.name.clone() });
        }
        let held_out = [pack.fold_indices(Fold::Validation), pack.fold_indices(Fold::Test)].concat();
        // An encoder that has no file yet has no name to cache under.
        let path = (!encoder.hash().is_empty()).then(|| cache_path(pack, encoder));
        let shape = cache::Shape {
            key: cache_key(pack, encoder),
            dim: encoder.dim(),
            train: films.len(),
            held_out: held_out.len(),
        };
        let rows = if let Some(rows) = path.as_deref().and_then(|path| cache::open(path, &shape)) {
            rows
        } else {
            let (train, distances) = build(pack, encoder, &films, &held_out, progress)?;
            match path {
                Some(path) => cache::save(&path, &shape, train, distances),
                None => Rows::Owned(train, distances),
            }
        };
        let patients: Vec<u32> = films.iter().map(|&film| pack.patient_key(film as usize)).collect();
        let (keys, slots) = dense(&patients);
        let (cohort, encoder_id) = (header.identity.clone(), encoder.id().to_owned());
        // Most searches will look at a few rows only: a large cohort's features need not stay in memory, nor all of them
        // be there at once.
        let coarse = search::first_look(rows.train(), encoder.dim(), || rows.forget());
        Ok(Self { rows, coarse, dim: encoder.dim(), films, keys, slots, cohort, encoder: encoder_id })
    }

    /// The `k` patients nearest to a feature vector, each by its nearest film, nearest first; ties by film number.
    ///
    /// # Panics
    /// When the vector's length is not the encoder's [`Encoder::dim`].
    pub fn nearest(&self, features: &[f32], k: usize) -> Vec<Neighbour> {
        let query = search::normalised(features, self.dim);
        self.finish(&self.gallery().nearest(&query, k))
    }

    /// [`Index::nearest`] of each row of `features` `[n, dim]`, on all threads; the same neighbours as one by one.
    ///
    /// # Panics
    /// When the length is not a multiple of the encoder's [`Encoder::dim`].
    pub fn nearest_batch(&self, features: &[f32], k: usize) -> Vec<Vec<Neighbour>> {
        let queries = search::normalised(features, self.dim);
        self.gallery().nearest_batch(&queries, k).iter().map(|hits| self.finish(hits)).collect()
    }

    /// Distance of every held-out film (validation and test) to its nearest train film, ascending.
    ///
    /// Folds are split by patient, so that no held-out film has a film of its own patient to be near to.
    pub fn held_out(&self) -> &[f32] {
        self.rows.held_out()
    }

    /// Films in the train fold.
    pub fn len(&self) -> usize {
        self.films.len()
    }

    /// Whether there is none; never so for an index that was built.
    pub fn is_empty(&self) -> bool {
        self.films.is_empty()
    }

    /// Patients in the train fold.
    pub fn patients(&self) -> usize {
        self.keys.len()
    }

    /// Identity of the pack it was made of.
    pub fn cohort(&self) -> &str {
        &self.cohort
    }

    /// Identity of the encoder that it is searched with.
    pub fn encoder(&self) -> &str {
        &self.encoder
    }

    fn gallery(&self) -> Gallery<'_> {
        let (rows, coarse) = (self.rows.train(), self.coarse.as_ref());
        Gallery { rows, dim: self.dim, slots: &self.slots, patients: self.keys.len(), coarse }
    }

    fn finish(&self, hits: &[search::Hit]) -> Vec<Neighbour> {
        let held_out = self.held_out();
        let percentile = |distance| match held_out {
            [] => f32::NAN,
            _ => stats::percentile_of(held_out, distance),
        };
        hits.iter()
            .map(|hit| Neighbour {
                item: self.films[hit.row],
                patient: self.keys[self.slots[hit.row] as usize],
                distance: hit.distance,
                percentile: percentile(hit.distance),
                others: hit.others,
            })
            .collect()
    }
}

/// 1 − cosine of the angle between two feature vectors; 1 where one of them is zero.
///
/// # Panics
/// When their lengths differ.
pub fn cosine_distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "features of one encoder have one length");
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (1.0 - dot(a, b) / lengths).max(0.0) as f32 } else { 1.0 }
}

/// Root mean square difference of brightness between film `item` and `image`, both through the pack's window (0 black,
/// 1 white), at the image's size: a second opinion that no network has a say in.
///
/// # Panics
/// When `item` is not a film of the pack.
pub fn pixel_rms(pack: &Pack, item: u32, image: &Radiograph) -> f32 {
    let side = image.width();
    let film = pack.seen(item as usize, side);
    // A sample is square like every film of a pack; anything else is compared at the film's shape.
    let image = image.resized(film.width(), film.height()).unwrap_or_else(|_| image.clone());
    let [low, high] = pack.header().window;
    let shown = |value: &f32| f64::from(((value - low) / (high - low)).clamp(0.0, 1.0));
    let squares: f64 = film.pixels().iter().zip(image.pixels()).map(|(a, b)| (shown(a) - shown(b)).powi(2)).sum();
    (squares / film.pixels().len().max(1) as f64).sqrt() as f32
}

/// Keeps features that were computed elsewhere beside a pack, as [`Index::open_or_build`] would have: of the train fold
/// `[n, dim]` in the order of the films, and of every held-out film the distance to the nearest of these.
///
/// # Errors
/// A sentence, when the numbers do not fit pack and encoder, or the file cannot be written.
pub fn keep_features(
    pack: &Pack,
    encoder: &Encoder,
    train: &[f32],
    mut held_out: Vec<f32>,
) -> Result<(), std::io::Error> {
    let films = pack.fold_indices(Fold::Train).len();
    if train.len() != films * encoder.dim() || held_out.len() != pack.len() - films {
        let text = format!("features of another count than the films of {}", pack.header().name);
        return Err(std::io::Error::other(text));
    }
    held_out.sort_by(f32::total_cmp);
    let shape =
        cache::Shape { key: cache_key(pack, encoder), dim: encoder.dim(), train: films, held_out: held_out.len() };
    let path = cache_path(pack, encoder);
    match cache::save(&path, &shape, search::normalised(train, encoder.dim()), held_out) {
        Rows::Mapped(..) => Ok(()),
        Rows::Owned(..) => Err(std::io::Error::other(format!("{} could not be written", path.display()))),
    }
}

/// Where the features of a pack for an encoder are kept.
fn cache_path(pack: &Pack, encoder: &Encoder) -> PathBuf {
    pack.folder().join(format!("features-{}.f32", encoder.id()))
}

/// Names everything that the cached numbers depend on.
fn cache_key(pack: &Pack, encoder: &Encoder) -> String {
    let header = pack.header();
    let (identity, fingerprint, hash) = (&header.identity, &header.fingerprint, encoder.hash());
    store::hash_bytes(format!("features of {identity}, imported as {fingerprint}, by {hash}").as_bytes())
}

/// Rows of the train fold, and the held-out distances in ascending order.
fn build(
    pack: &Pack,
    encoder: &Encoder,
    films: &[u32],
    held_out: &[u32],
    progress: &Progress,
) -> Result<(Vec<f32>, Vec<f32>), NeighbourError> {
    progress.set_total((films.len() + 2 * held_out.len()) as u64);
    let train = encode(pack, encoder, films, progress)?;
    let others = encode(pack, encoder, held_out, progress)?;
    let gallery = Gallery { rows: &train, dim: encoder.dim(), slots: &[], patients: 0, coarse: None };
    let mut distances = Vec::with_capacity(held_out.len());
    let stride = search::stride(encoder.dim());
    for queries in others.chunks(BATCH * stride) {
        progress.check()?;
        distances.extend(gallery.nearest_distances(queries));
        progress.advance((queries.len() / stride) as u64);
    }
    distances.sort_by(f32::total_cmp);
    Ok((train, distances))
}

/// Normalised, padded rows of features of some films.
fn encode(pack: &Pack, encoder: &Encoder, films: &[u32], progress: &Progress) -> Result<Vec<f32>, NeighbourError> {
    let side = encoder.card().input.side;
    let mut rows = Vec::with_capacity(films.len() * search::stride(encoder.dim()));
    for batch in films.chunks(BATCH) {
        progress.check()?;
        let images: Vec<Radiograph> = batch.iter().map(|&film| pack.seen(film as usize, side)).collect();
        let features = encoder
            .features(&images)
            .map_err(|source| NeighbourError::Meaning { cohort: pack.header().name.clone(), source })?;
        rows.extend(search::normalised(&features, encoder.dim()));
        progress.advance(batch.len() as u64);
    }
    Ok(rows)
}

/// The distinct patients in order of first appearance, and each film's place among them.
fn dense(patients: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut keys = Vec::new();
    let mut known = HashMap::new();
    let slots = patients
        .iter()
        .map(|&key| {
            *known.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            })
        })
        .collect();
    (keys, slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{EncoderCard, EncoderTraining, Input, Stem, example};
    use crate::radiograph::Meaning;

    fn encoder(hash: &str, meaning: Meaning) -> Encoder {
        let architecture = example::config(Stem::Light);
        let tensors = example::tensors(&architecture);
        let card = EncoderCard {
            name: "encoder-example".into(),
            preset: "own".into(),
            architecture,
            input: Input::native(16, meaning, [0.0, 1.0]),
            vocabulary: crate::finding::Vocabulary::new("own", ["Edema", "Mass", "Nodule"]),
            training: EncoderTraining {
                cohort: "drawn".into(),
                cohort_hash: String::new(),
                phantom: true,
                images: 0,
                patients: 0,
                schedule: String::new(),
                seed: 0,
                source: crate::encoder::Source::Films,
            },
            metrics: std::collections::BTreeMap::new(),
            remarks: vec![],
            licence: "none".into(),
            citation: String::new(),
        };
        Encoder::from_parts(card, &tensors, hash.repeat(64))
    }

    #[test]
    fn the_train_fold_is_found_again_and_percentiles_are_those_of_held_out_films() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 40, 1);
        let encoder = encoder("a", Meaning::Density);
        let progress = Progress::new();
        let index = Index::open_or_build(&pack, &encoder, &progress).unwrap();
        assert_eq!((index.len(), index.patients(), index.held_out().len()), (60, 30, 20));
        assert_eq!(progress.counts(), (100, 100));
        assert!(index.held_out().windows(2).all(|pair| pair[0] <= pair[1]));

        // A film of the train fold is its own neighbour at distance zero, nearer than any held-out film.
        let film = pack.fold_indices(Fold::Train)[17];
        let features = encoder.features(&[pack.image(film as usize, 16)]).unwrap();
        let found = index.nearest(&features, 5);
        assert_eq!((found[0].item, found[0].patient), (film, pack.patient_key(film as usize)));
        assert!(found[0].distance < 1e-6 && found[0].percentile == 0.0, "{:?}", found[0]);
        let mut patients: Vec<u32> = found.iter().map(|n| n.patient).collect();
        patients.sort_unstable();
        patients.dedup();
        assert_eq!(patients.len(), 5);
        assert!(found.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
        assert_eq!(index.nearest_batch(&[&features[..], &features[..]].concat(), 5), [found.clone(), found]);

        // Each held-out film has the percentile of its own rank: the farthest 100, and never below its share.
        let mut ranks: Vec<f32> = [Fold::Validation, Fold::Test]
            .into_iter()
            .flat_map(|fold| pack.fold_indices(fold))
            .map(|film| {
                let features = encoder.features(&[pack.image(film as usize, 16)]).unwrap();
                let nearest = index.nearest(&features, 1)[0];
                assert_eq!(pack.fold(nearest.item as usize), Fold::Train);
                nearest.percentile
            })
            .collect();
        ranks.sort_by(f32::total_cmp);
        assert_eq!(ranks, (1..=20).map(|i| i as f32 * 5.0).collect::<Vec<_>>());
    }

    #[test]
    fn features_are_cached_and_made_anew_for_another_encoder_or_cohort() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 16, 1);
        let steps = |pack: &Pack, encoder: &Encoder| {
            let progress = Progress::new();
            let index = Index::open_or_build(pack, encoder, &progress).unwrap();
            (progress.counts().0, index.held_out().to_vec())
        };
        let first = encoder("a", Meaning::Density);
        let (built, distances) = steps(&pack, &first);
        assert_eq!(built, 24 + 2 * 8);
        assert_eq!(steps(&pack, &first), (0, distances.clone()));
        assert_eq!(steps(&pack, &encoder("b", Meaning::Density)).0, 40);
        // The same folder, another cohort: the old cache is there and refused.
        let cache = cache_path(&pack, &first);
        let other_folder = tempfile::tempdir().unwrap();
        let other = testing::pack(other_folder.path(), 16, 2);
        std::fs::copy(&cache, cache_path(&other, &first)).unwrap();
        let (built, others) = steps(&other, &first);
        assert!(built == 40 && others != distances);
        // Truncated: built anew with the same result.
        std::fs::write(&cache, &std::fs::read(&cache).unwrap()[..500]).unwrap();
        assert_eq!(steps(&pack, &first), (40, distances));
    }

    #[test]
    fn cancelling_and_foreign_encoders_leave_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 16, 1);
        let progress = Progress::new();
        progress.cancel();
        let good = encoder("a", Meaning::Density);
        assert!(matches!(Index::open_or_build(&pack, &good, &progress), Err(NeighbourError::Cancelled(_))));
        let foreign = encoder("c", Meaning::Hounsfield);
        let error = Index::open_or_build(&pack, &foreign, &Progress::new()).unwrap_err();
        assert!(error.to_string().contains("drawn"), "{error}");
        assert!(!cache_path(&pack, &good).exists() && !cache_path(&pack, &foreign).exists());
    }

    #[test]
    fn pixel_rms_is_that_of_brightness() {
        let folder = tempfile::tempdir().unwrap();
        let pack = testing::pack(folder.path(), 8, 1);
        let film = pack.image(3, 32);
        assert_eq!(pixel_rms(&pack, 3, &film), 0.0);
        let shifted = film.pixels().iter().map(|v| v * 0.5).collect();
        let shifted = Radiograph::new(32, 32, shifted, Meaning::Density).unwrap();
        let power = film.pixels().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1024.0;
        assert!((f64::from(pixel_rms(&pack, 3, &shifted)) - 0.5 * power.sqrt()).abs() < 1e-6);
    }
}
