//! The pack: a cohort as one folder that opens in milliseconds.
//!
//! | file | content |
//! |---|---|
//! | `pack.json` | the [`Header`]: what this is, and the size and hash of every other file |
//! | `images-64.u16` … `images-4.u16` | all films at that side, row by row, little-endian; 0..65535 spans `range` |
//! | `records.bin` | rows of 24 bytes, patient names, labels as f32, source hashes, texts, in this order |
//! | `skipped.json` | every film left out, with the reason |

mod writer;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::record::{Name, Row};
use super::{Fold, Record, Skipped};
use crate::finding::Vocabulary;
use crate::radiograph::{MAX_SIDE, Meaning, Radiograph, is_range};
use crate::store::{self, StoreError};

pub use writer::{Film, Levels, Manifest, Outcome, Writer};

/// The layout this program writes; packs of another layout are refused.
pub const FORMAT: u32 = 1;

/// Smallest side stored.
pub const SMALLEST_SIDE: usize = 4;

/// Most films a pack may state.
const MAX_FILMS: usize = 50_000_000;

/// Largest header file that is read.
const MAX_HEADER_BYTES: u64 = 16 << 20;

const HEADER: &str = "pack.json";
const RECORDS: &str = "records.bin";
const SKIPPED: &str = "skipped.json";

/// Everything about a pack except its films.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Short name of the cohort: `nih-cxr14`, `phantom-chest`.
    pub name: String,
    /// Findings, in the order of label vectors.
    pub vocabulary: Vocabulary,
    /// What a pixel's number stands for.
    pub meaning: Meaning,
    /// The values that stored 0 and 65535 stand for, in the unit of `meaning`.
    pub range: [f32; 2],
    /// The values that networks see as −1 and +1, and that a viewer shows as black and white.
    pub window: [f32; 2],
    /// Stored sides, largest first, each half of the one before.
    pub resolutions: Vec<usize>,
    /// Films.
    pub films: usize,
    /// Patients.
    pub patients: usize,
    /// Films in train, validation and test.
    pub folds: [usize; 3],
    /// Whether these are phantoms, not patients.
    pub phantom: bool,
    /// SHA-256 that names the cohort, whatever its resolution: over source name, source hash, patient, labels and fold
    /// of every film; for phantoms over the sentence that generated them.
    pub identity: String,
    /// Where the films come from and what was done to them, in sentences.
    pub provenance: Vec<String>,
    /// Licence of the films.
    pub licence: String,
    /// Whom to cite.
    pub citation: String,
    /// How folds were assigned, in a line.
    pub split: String,
    /// Films left out; `skipped.json` lists them with reasons.
    pub skipped: usize,
    /// Hash over the inputs and options of the import that wrote this pack.
    pub fingerprint: String,
    /// Bytes of the text block at the end of `records.bin`.
    pub text_bytes: usize,
    /// Size and SHA-256 of every other file.
    pub files: BTreeMap<String, FileEntry>,
}

/// Size and hash of one file of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

/// Why a folder is not a pack that can be used; the message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is no pack in this folder.
    #[error("{path} is not a pack: there is no pack.json in it (make one with `negatoscope cohort import`)")]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The system refused to read or write.
    #[error("cannot use {path}: {source} (check that it exists, its permissions and free space)")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the pack is not what the header says.
    #[error("{path} is damaged: {problem}; import the cohort again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// What was to be written cannot be a pack.
    #[error("cannot write the pack {path}: {problem}")]
    Refused {
        /// The pack's folder.
        path: PathBuf,
        /// Which rule is broken and what to do.
        problem: String,
    },
    /// A durable write failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PackError {
    fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), problem: problem.into() }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// Where the parts of `records.bin` lie; each part's size is a multiple of four, except the texts at the end.
struct Layout {
    names: usize,
    labels: usize,
    hashes: usize,
    texts: usize,
    end: usize,
}

impl Layout {
    fn of(header: &Header) -> Self {
        let names = header.films * size_of::<Row>();
        let labels = names + header.patients * size_of::<Name>();
        let hashes = labels + header.films * header.vocabulary.len() * 4;
        let texts = hashes + header.films * 32;
        Self { names, labels, hashes, texts, end: texts + header.text_bytes }
    }
}

/// An opened pack. Cheap to open; share it behind an `Arc`.
#[derive(Debug)]
pub struct Pack {
    folder: PathBuf,
    header: Header,
    records: Option<Mmap>,
    images: Vec<Option<Mmap>>,
}

impl Pack {
    /// Opens the pack in `folder`. Sizes and the record table are checked, hashes are not (see [`Pack::verify`]).
    ///
    /// # Errors
    /// [`PackError`], when the folder is no pack or a file of it is not what the header says.
    pub fn open(folder: &Path) -> Result<Self, PackError> {
        let header = read_header(folder)?;
        let layout = Layout::of(&header);
        let records = map(folder, RECORDS, &header, layout.end)?;
        let images = header
            .resolutions
            .iter()
            .map(|&side| map(folder, &image_file(side), &header, header.films * side * side * 2))
            .collect::<Result<_, _>>()?;
        let pack = Self { folder: folder.to_path_buf(), header, records, images };
        pack.check_records()?;
        Ok(pack)
    }

    /// What this pack is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The folder it was opened from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Number of films.
    pub fn len(&self) -> usize {
        self.header.films
    }

    /// Whether there are no films.
    pub fn is_empty(&self) -> bool {
        self.header.films == 0
    }

    /// Side of the largest images held.
    pub fn largest_side(&self) -> usize {
        self.header.resolutions.first().copied().unwrap_or(SMALLEST_SIDE)
    }

    /// Whether networks can be shown images of a side without enlarging them.
    ///
    /// # Errors
    /// A sentence with what is held, and the remedy.
    pub fn check_side(&self, side: usize) -> Result<(), String> {
        let largest = self.largest_side();
        if side <= largest {
            return Ok(());
        }
        Err(format!("it holds images of {largest} px at most, and {side} px are asked for; import it larger"))
    }

    /// Film `film` at a side. A side that is not stored is made from the next larger one (or the largest) by area means.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn image(&self, film: usize, side: usize) -> Radiograph {
        let stored = self.header.resolutions.iter().rev().find(|&&s| s >= side);
        let stored = stored.copied().unwrap_or_else(|| self.largest_side());
        let [low, high] = self.header.range;
        let step = (high - low) / f32::from(u16::MAX);
        let samples = self.samples(film, stored).unwrap_or_default();
        let pixels = samples.iter().map(|&sample| low + step * f32::from(u16::from_le(sample))).collect();
        let whole = Radiograph::new(stored, stored, pixels, self.header.meaning)
            .expect("sizes and the range were checked when the pack was opened");
        if side == stored {
            return whole;
        }
        let side = side.clamp(1, MAX_SIDE);
        whole.resized(side, side).expect("the side lies within the limits")
    }

    /// Whether networks see less than the films hold, because the window is narrower than the range.
    pub fn is_clipped(&self) -> bool {
        let ([low, high], [black, white]) = (self.header.range, self.header.window);
        black > low || white < high
    }

    /// Film `film` at a side as networks see it: clipped to `header.window` at the largest stored side, and shrunk after that.
    ///
    /// In this order the sides agree with each other: a sample holds values of the window only, and shrunk it is what a
    /// generator of the smaller side learns from. Bone that is shrunk before it is clipped looks thicker. Published data sets
    /// of head CT are pictures of a window, shrunk as these are (DuMont Schütte 2021).
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn seen(&self, film: usize, side: usize) -> Radiograph {
        if !self.is_clipped() {
            return self.image(film, side);
        }
        let side = side.clamp(1, MAX_SIDE);
        let whole = self.image(film, self.largest_side()).clipped(self.header.window);
        whole.resized(side, side).expect("the side lies within the limits")
    }

    /// The stored samples of a film at a stored side, row by row, little-endian; `None` when that side is not stored.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn samples(&self, film: usize, side: usize) -> Option<&[u16]> {
        let level = self.header.resolutions.iter().position(|&s| s == side)?;
        let all: &[u16] = self.images[level].as_deref().map_or(&[], bytemuck::cast_slice);
        Some(&all[film * side * side..][..side * side])
    }

    /// Everything known about film `film` but its pixels.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn record(&self, film: usize) -> Record {
        let row = &self.rows()[film];
        let name = self.names()[row.patient as usize];
        let view = self.text(row.view_at, u32::from(row.view_len));
        Record {
            patient: self.text(name.at, name.len),
            source: self.text(row.source_at, u32::from(row.source_len)),
            labels: self.labels(film).to_vec(),
            fold: Fold::from_code(row.fold).unwrap_or(Fold::Train),
            age: (!row.age.is_nan()).then_some(row.age),
            sex: row.sex(),
            view: (!view.is_empty()).then_some(view),
        }
    }

    /// One value for each finding of the vocabulary.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn labels(&self, film: usize) -> &[f32] {
        let findings = self.header.vocabulary.len();
        &self.all_labels()[film * findings..][..findings]
    }

    /// Whose film it is: the same number for all films of one patient.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn patient_key(&self, film: usize) -> u32 {
        self.rows()[film].patient
    }

    /// Which fold a film is in.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn fold(&self, film: usize) -> Fold {
        Fold::from_code(self.rows()[film].fold).unwrap_or(Fold::Train)
    }

    /// The films of a fold, ascending.
    pub fn fold_indices(&self, fold: Fold) -> Vec<u32> {
        (0..).zip(self.rows()).filter(|(_, row)| row.fold == fold.code()).map(|(i, _)| i).collect()
    }

    /// SHA-256 of the source's bytes, as the import read them.
    ///
    /// # Panics
    /// When `film` is not below [`Pack::len`], as for a slice.
    pub fn source_hash(&self, film: usize) -> &[u8; 32] {
        let layout = Layout::of(&self.header);
        let hashes: &[[u8; 32]] = bytemuck::cast_slice(self.part(layout.hashes, layout.texts));
        &hashes[film]
    }

    /// The films that the import left out, with reasons.
    ///
    /// # Errors
    /// [`PackError`] when the list cannot be read.
    pub fn skipped(&self) -> Result<Vec<Skipped>, PackError> {
        let path = self.folder.join(SKIPPED);
        let bytes = std::fs::read(&path).map_err(PackError::io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| PackError::damaged(&path, error.to_string()))
    }

    /// Reads every byte and compares it with the hashes in the header. Takes as long as reading the pack.
    ///
    /// # Errors
    /// [`PackError::Damaged`] for the first file that differs.
    pub fn verify(&self) -> Result<(), PackError> {
        for (name, entry) in &self.header.files {
            let path = self.folder.join(name);
            if store::hash_file(&path)? != entry.sha256 {
                return Err(PackError::damaged(&path, "its content is not what was written"));
            }
        }
        Ok(())
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.records.as_deref().map_or(&[], |bytes| &bytes[from..to])
    }

    fn rows(&self) -> &[Row] {
        bytemuck::cast_slice(self.part(0, Layout::of(&self.header).names))
    }

    fn names(&self) -> &[Name] {
        let layout = Layout::of(&self.header);
        bytemuck::cast_slice(self.part(layout.names, layout.labels))
    }

    fn all_labels(&self) -> &[f32] {
        let layout = Layout::of(&self.header);
        bytemuck::cast_slice(self.part(layout.labels, layout.hashes))
    }

    fn text(&self, at: u32, len: u32) -> String {
        let layout = Layout::of(&self.header);
        let texts = self.part(layout.texts, layout.end);
        texts
            .get(at as usize..(at as usize).saturating_add(len as usize))
            .map(String::from_utf8_lossy)
            .unwrap_or_default()
            .into()
    }

    /// One pass over rows, names and labels, so that no later access can go wrong.
    fn check_records(&self) -> Result<(), PackError> {
        let path = self.folder.join(RECORDS);
        let (patients, texts) = (self.header.patients as u32, self.header.text_bytes as u64);
        let inside = |at: u32, len: u32| u64::from(at) + u64::from(len) <= texts;
        let mut folds = [0; 3];
        for (film, row) in self.rows().iter().enumerate() {
            let sound = row.patient < patients
                && inside(row.source_at, u32::from(row.source_len))
                && inside(row.view_at, u32::from(row.view_len));
            match folds.get_mut(usize::from(row.fold)) {
                Some(count) if sound => *count += 1,
                _ => return Err(PackError::damaged(&path, format!("the row of film {film} points nowhere"))),
            }
        }
        if folds != self.header.folds {
            return Err(PackError::damaged(&path, "its folds are not those of pack.json"));
        }
        if let Some(patient) = self.names().iter().position(|name| !inside(name.at, name.len)) {
            return Err(PackError::damaged(&path, format!("the name of patient {patient} points nowhere")));
        }
        match self.all_labels().iter().position(|value| !value.is_finite()) {
            Some(i) => {
                let film = i / self.header.vocabulary.len();
                Err(PackError::damaged(&path, format!("a label of film {film} is not a finite number")))
            }
            None => Ok(()),
        }
    }
}

/// The name of the image array of a side.
fn image_file(side: usize) -> String {
    format!("images-{side}.u16")
}

/// The stored sides below and including `side`, largest first.
pub(super) fn pyramid(side: usize) -> Vec<usize> {
    std::iter::successors(Some(side), |s| Some(s / 2)).take_while(|&s| s >= SMALLEST_SIDE).collect()
}

/// Reads and checks `pack.json` alone.
///
/// # Errors
/// [`PackError`] when it is missing, too large or not a header.
pub fn read_header(folder: &Path) -> Result<Header, PackError> {
    let path = folder.join(HEADER);
    let bytes = match std::fs::metadata(&path) {
        Ok(entry) if entry.len() > MAX_HEADER_BYTES => return Err(PackError::damaged(&path, "it is far too large")),
        Ok(_) => std::fs::read(&path).map_err(PackError::io(&path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => {
            return Err(PackError::Missing { path: folder.to_path_buf() });
        }
        Err(error) => return Err(PackError::io(&path)(error)),
    };
    let header: Header =
        serde_json::from_slice(&bytes).map_err(|error| PackError::damaged(&path, format!("not a header ({error})")))?;
    check_header(&header).map_err(|problem| PackError::damaged(&path, problem))?;
    Ok(header)
}

fn check_header(header: &Header) -> Result<(), String> {
    if header.format != FORMAT {
        return Err(format!("it has layout {}, this program reads layout {FORMAT}", header.format));
    }
    header.vocabulary.validate()?;
    if !is_range(header.range) || !is_range(header.window) {
        return Err("its range or window is not an interval of finite numbers".into());
    }
    if header.films > MAX_FILMS || header.patients > header.films || header.text_bytes > u32::MAX as usize {
        return Err("it states impossible counts".into());
    }
    let side = header.resolutions.first().copied().unwrap_or(0);
    if !side.is_power_of_two() || !(SMALLEST_SIDE..=MAX_SIDE).contains(&side) || header.resolutions != pyramid(side) {
        return Err(format!("its resolutions are not the powers of two from the largest down to {SMALLEST_SIDE}"));
    }
    Ok(())
}

/// Maps one file of a pack after its size was compared with what the header implies; an empty file maps to `None`.
fn map(folder: &Path, name: &str, header: &Header, expected: usize) -> Result<Option<Mmap>, PackError> {
    let path = folder.join(name);
    if cfg!(target_endian = "big") {
        return Err(PackError::damaged(&path, "packs are little-endian and this machine is not"));
    }
    let Some(entry) = header.files.get(name) else {
        return Err(PackError::damaged(&path, "pack.json does not list it"));
    };
    let file = File::open(&path).map_err(PackError::io(&path))?;
    let bytes = file.metadata().map_err(PackError::io(&path))?.len();
    if bytes != expected as u64 || bytes != entry.bytes {
        return Err(PackError::damaged(&path, format!("it has {bytes} bytes and should have {expected}")));
    }
    if bytes == 0 {
        return Ok(None);
    }
    // SAFETY: the map is read-only and private to this process; packs are written to a temporary folder and renamed, and
    // never changed in place, so the bytes behind the map do not change while it lives. All types read through it (u8,
    // u16, f32, `Row`, `Name`) accept any bit pattern.
    let map = unsafe { Mmap::map(&file) }.map_err(PackError::io(&path))?;
    Ok(Some(map))
}

#[cfg(test)]
mod tests;
