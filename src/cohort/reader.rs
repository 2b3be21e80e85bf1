//! Readers: someone's files on disk become a plan of films, without decoding a pixel.
//!
//! In: a folder or file in one of the formats people have. Out: a [`Plan`]: vocabulary, one [`Item`] for each film with
//! its patient and labels, and what had to be left out. Sizes are checked before memory is taken; every problem is a
//! sentence that names file, place and remedy.

mod archive;
mod chexpert;
mod ct_ich;
mod detect;
mod dicom;
mod folders;
mod jpeg;
mod medmnist;
mod nih;
mod picture;
mod rsna;
mod table;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Fold, Sex, Skipped};
use crate::finding::{NO_FINDING, Vocabulary};
use crate::progress::{Cancelled, Progress};
use crate::radiograph::{Meaning, Radiograph};

pub(super) use archive::{Feed, Raw};
pub use detect::detect;

/// Largest single file (picture, DICOM) that is read into memory.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// Most films one import may plan.
pub const MAX_ITEMS: usize = 20_000_000;

/// Why a file or folder could not be read; the message names it, the problem and the remedy.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// A file is missing, damaged, too large or not what it was taken for.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// The file, and within it where known (`labels.csv, line 7`).
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What can be done.
        remedy: String,
    },
    /// The import was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl ReadError {
    #[allow(clippy::needless_pass_by_value, reason = "callers hand over a message they have just made")]
    pub(super) fn new(path: &Path, problem: impl std::fmt::Display, remedy: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), problem: problem.to_string(), remedy: remedy.to_string() }
    }

    fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::new(path, format!("cannot be read ({error})"), "check that it exists, is a file and may be read")
    }
}

/// What to do with labels that the source marks as uncertain (−1 in `CheXpert`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uncertain {
    /// Uncertain counts as present, as in the GAN benchmark.
    #[default]
    Ones,
    /// Uncertain counts as absent.
    Zeros,
    /// Films with any uncertain label are left out.
    Ignore,
}

impl std::str::FromStr for Uncertain {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "ones" => Ok(Self::Ones),
            "zeros" => Ok(Self::Zeros),
            "ignore" => Ok(Self::Ignore),
            _ => Err(format!("\"{word}\" is not a policy for uncertain labels; use ones, zeros or ignore")),
        }
    }
}

/// Where a film's pixels are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// A PNG, JPEG or TIFF file.
    Picture(PathBuf),
    /// One frame of a DICOM file.
    Dicom {
        /// The file.
        path: PathBuf,
        /// Which frame, from 0.
        frame: u32,
        /// Whether to read CT numbers, or density as displayed.
        hounsfield: bool,
    },
    /// One image of an array inside an `.npz` file.
    Archive {
        /// The `.npz` file.
        path: PathBuf,
        /// The array: `train_images`.
        member: String,
        /// Position along its first axis.
        index: u64,
    },
}

impl Pixels {
    /// The file that holds them.
    pub fn path(&self) -> &Path {
        match self {
            Self::Picture(path) | Self::Dicom { path, .. } | Self::Archive { path, .. } => path,
        }
    }
}

/// One film as planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The film, as the source names it; unique within the plan.
    pub source: String,
    /// The patient, as the source names them.
    pub patient: String,
    /// One value for each finding.
    pub labels: Vec<f32>,
    /// The source's own fold, where it states one.
    pub fold: Option<Fold>,
    /// Age in years.
    pub age: Option<f32>,
    /// Sex as stated.
    pub sex: Option<Sex>,
    /// View or slice; empty: not stated.
    pub view: String,
    /// Where its pixels are.
    pub pixels: Pixels,
}

/// Everything an import needs to know before it decodes the first film.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Short name of the cohort.
    pub name: String,
    /// Findings, in the order of label vectors.
    pub vocabulary: Vocabulary,
    /// What the pixels will stand for.
    pub meaning: Meaning,
    /// Values kept; others are clipped.
    pub range: [f32; 2],
    /// Values that networks see as −1 to 1.
    pub window: [f32; 2],
    /// Where the films come from, in sentences.
    pub provenance: Vec<String>,
    /// Licence of the films, as far as the format tells.
    pub licence: String,
    /// Whom to cite, as far as the format tells.
    pub citation: String,
    /// Whether `patient` names people. If not, the source's own folds are kept, which were made by patient.
    pub patients_known: bool,
    /// The films.
    pub items: Vec<Item>,
    /// What was left out before decoding.
    pub skipped: Vec<Skipped>,
}

/// What a reader is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The folder or file.
    pub input: PathBuf,
    /// Largest side wanted; sources of smaller films are then not mixed in.
    pub resolution: usize,
    /// Policy for uncertain labels.
    pub uncertain: Uncertain,
    /// Whether the source's own folds are wanted.
    pub source_folds: bool,
    /// A label table elsewhere than in `input`.
    pub labels: Option<PathBuf>,
}

impl Plan {
    fn density(name: &str, vocabulary: Vocabulary) -> Self {
        Self {
            name: name.to_owned(),
            vocabulary,
            meaning: Meaning::Density,
            range: [0.0, 1.0],
            window: [0.0, 1.0],
            provenance: Vec::new(),
            licence: String::new(),
            citation: String::new(),
            patients_known: true,
            items: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn skip(&mut self, source: &str, reason: &ReadError) {
        self.skipped.push(Skipped { source: source.to_owned(), reason: reason.to_string() });
    }
}

/// Reads one film: the image and the SHA-256 of the bytes it came from. `raw` holds the bytes of an archive's image.
pub(super) fn load(pixels: &Pixels, raw: Option<archive::Raw>) -> Result<(Radiograph, [u8; 32]), ReadError> {
    match (pixels, raw) {
        (Pixels::Picture(path), _) => {
            let bytes = read_capped(path, MAX_FILE_BYTES)?;
            Ok((picture::decode(path, &bytes)?, Sha256::digest(&bytes).into()))
        }
        (Pixels::Dicom { path, frame, hounsfield }, _) => dicom::load(path, *frame, *hounsfield),
        (Pixels::Archive { path, .. }, Some(raw)) => raw.decode(path),
        (Pixels::Archive { path, member, index }, None) => {
            Err(ReadError::new(path, format!("{member} has no image {index}"), "fetch the file again"))
        }
    }
}

/// One radiograph from a PNG, JPEG, TIFF or DICOM file, by its content: CT as Hounsfield units, all else as density.
///
/// # Errors
/// [`ReadError`] when the file is none of these, is damaged, or larger than the limits.
pub fn open_radiograph(path: &Path) -> Result<Radiograph, ReadError> {
    let bytes = read_capped(path, MAX_FILE_BYTES)?;
    if bytes.get(128..132) == Some(b"DICM") { dicom::decode(path, &bytes) } else { picture::decode(path, &bytes) }
}

/// A whole file, when it is a plain file of at most `cap` bytes.
fn read_capped(path: &Path, cap: u64) -> Result<Vec<u8>, ReadError> {
    let entry = std::fs::metadata(path).map_err(|error| ReadError::io(path, &error))?;
    if !entry.is_file() {
        return Err(ReadError::new(path, "is not a file", "point to a file"));
    }
    if entry.len() > cap {
        let problem = format!("has {} bytes, more than the {cap} allowed", entry.len());
        return Err(ReadError::new(path, problem, "use a smaller file"));
    }
    std::fs::read(path).map_err(|error| ReadError::io(path, &error))
}

/// `relative` below `root`; `None` when it would lead out of it.
fn inside(root: &Path, relative: &str) -> Option<PathBuf> {
    let relative = Path::new(relative);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (plain && relative.file_name().is_some()).then(|| root.join(relative))
}

/// Every file below `root`, by file name; the first in path order where a name occurs twice.
fn files_by_name(root: &Path, progress: &Progress) -> Result<HashMap<String, PathBuf>, ReadError> {
    let mut found = HashMap::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name().max_depth(8) {
        progress.check()?;
        // A folder that may not be read hides its files; they are then reported as missing, one by one.
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_dir() {
            continue;
        }
        found.entry(entry.file_name().to_string_lossy().into_owned()).or_insert_with(|| entry.into_path());
        if found.len() > MAX_ITEMS {
            return Err(ReadError::new(
                root,
                format!("holds more than {MAX_ITEMS} files"),
                "point to a smaller folder",
            ));
        }
    }
    Ok(found)
}

/// Sets "No Finding", where the vocabulary has it, to 1 exactly when nothing else is.
fn complete_no_finding(vocabulary: &Vocabulary, labels: &mut [f32]) {
    if let Some(none) = vocabulary.position(NO_FINDING) {
        let any = labels.iter().enumerate().any(|(i, &value)| i != none && value > 0.0);
        labels[none] = if any { 0.0 } else { 1.0 };
    }
}

/// The plan for a request in a stated format.
///
/// # Errors
/// [`ReadError`] when the input is not of that format, or was cancelled.
pub fn plan(format: super::Format, request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    use super::Format;
    let plan = match format {
        Format::Nih => nih::plan(request, progress),
        Format::CtIch => ct_ich::plan(request, progress),
        Format::Chexpert => chexpert::plan(request, progress),
        Format::Rsna => rsna::plan(request, progress),
        Format::Medmnist => medmnist::plan(request),
        Format::Folders => folders::plan(request, progress),
        Format::Dicom => dicom::plan(request, progress),
    }?;
    if plan.items.is_empty() {
        let why = plan
            .skipped
            .first()
            .map_or(String::new(), |first| format!(" (first of {}: {})", plan.skipped.len(), first.reason));
        return Err(ReadError::new(
            &request.input,
            format!("no film was found{why}"),
            "check the folder and the format",
        ));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests;
