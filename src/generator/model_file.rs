//! The model file: one generator's tensors with its card, as safetensors.
//!
//! The card travels as JSON under the metadata key `card`; the tensors are exactly those that
//! [`Architecture::generator`](super::Architecture::generator) lists, of the averaged (EMA) generator, as stored
//! values before the run-time scale. Nothing in the file is executed, sizes are checked before memory is taken, and
//! every refusal is one sentence that names the file and what to do.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

use super::{Architecture, ModelCard};
use crate::radiograph::is_range;
use crate::store::{self, StoreError};

/// Largest model file that is read, in bytes.
pub const MAX_FILE: u64 = 512 << 20;

/// Largest header (tensor list and card) that is read, in bytes.
pub const MAX_HEADER: u64 = 16 << 20;

/// Metadata key of the card.
const CARD: &str = "card";

/// Tensors by name: shape and values, row-major.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// How the values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision: the values as trained.
    F32,
    /// Half precision: half the size, a relative error of at most 2⁻¹¹ per value.
    F16,
}

/// A model file, read and checked.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// What the generator is.
    pub card: ModelCard,
    /// SHA-256 of the whole file, 64 hex digits.
    pub hash: String,
    /// All tensors of the generator, widened to f32.
    pub tensors: Tensors,
}

/// Why a file is not a usable generator, or could not be written; the message names file, place and remedy.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file could not be opened or read.
    #[error("cannot read the model file {path}: {source}; check that it exists and that you may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a generator of this program at all.
    #[error("{path} is not a model file of this program: {problem}; choose a file listed by `negatoscope models`")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        problem: String,
    },
    /// The file is a generator, but damaged or of a kind that this version cannot run.
    #[error("the model file {path} cannot be used: {problem}; {remedy}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] StoreError),
    /// No shipped model has this name, and no file either.
    #[error("there is no model named \"{name}\" ({known}); give one of these names or the path of a .safetensors file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, in words.
        known: String,
    },
}

impl ModelError {
    /// Whether the file is simply something else, rather than a damaged model.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }
}

const DAMAGED: &str = "fetch or copy it again, and compare its SHA-256";
const RETRAIN: &str = "write it again from the checkpoint it came from";
const UPDATE: &str = "use a newer version of this program, or a model made for this one";

/// What is wrong, before the file's name is known.
struct Problem {
    text: String,
    remedy: Option<&'static str>,
}

fn foreign(text: impl Into<String>) -> Problem {
    Problem { text: text.into(), remedy: None }
}

fn refused(text: impl Into<String>, remedy: &'static str) -> Problem {
    Problem { text: text.into(), remedy: Some(remedy) }
}

impl Problem {
    fn of(self, path: &Path) -> ModelError {
        let (path, problem) = (path.to_path_buf(), self.text);
        match self.remedy {
            None => ModelError::Foreign { path, problem },
            Some(remedy) => ModelError::Refused { path, problem, remedy },
        }
    }
}

/// Writes a generator: its card and exactly the tensors that its architecture lists.
///
/// The bytes depend on card, tensors and precision alone, so that equal models have equal hashes.
///
/// # Errors
/// [`ModelError::Refused`] when card and tensors disagree or a value is not finite (in f16: beyond ±65504);
/// [`ModelError::Write`] when the disk refuses. Nothing half-written remains.
pub fn write(path: &Path, card: &ModelCard, tensors: &Tensors, precision: Precision) -> Result<(), ModelError> {
    check_card(card).and_then(|()| check_tensors(&card.architecture, tensors)).map_err(|p| p.of(path))?;
    let (dtype, width) = match precision {
        Precision::F32 => ("F32", 4),
        Precision::F16 => ("F16", 2),
    };
    if precision == Precision::F16 {
        let limit = f32::from(f16::MAX);
        for (name, (_, values)) in tensors {
            if let Some(value) = values.iter().find(|v| v.abs() > limit) {
                let text = format!("tensor \"{name}\" holds {value}, which half precision cannot");
                return Err(refused(text, "write it in single precision").of(path));
            }
        }
    }
    let text = serde_json::to_string(card).map_err(|error| refused(error.to_string(), RETRAIN).of(path))?;
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({ CARD: text }));
    let mut end = 0;
    for (name, (shape, values)) in tensors {
        let start = end;
        end += values.len() * width;
        let entry = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    // Readers that map the file want the data on an eight-byte boundary.
    header.resize(header.len().next_multiple_of(8), b' ');
    store::write_atomic_with(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors.values().try_for_each(|(_, values)| write_values(out, values, precision))
    })?;
    Ok(())
}

fn write_values(out: &mut dyn Write, values: &[f32], precision: Precision) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(1 << 16);
    for part in values.chunks(1 << 14) {
        bytes.clear();
        match precision {
            Precision::F32 => part.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes())),
            Precision::F16 => part.iter().for_each(|v| bytes.extend_from_slice(&f16::from_f32(*v).to_le_bytes())),
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads and checks a whole model file.
///
/// # Errors
/// [`ModelError`] for a file that is missing, not a regular file, above [`MAX_FILE`], truncated, foreign, of an unknown
/// family, whose tensors are not exactly those of its card, or that holds a value which is not finite.
pub fn read(path: &Path) -> Result<ModelFile, ModelError> {
    let (file, length) = open(path)?;
    let mut bytes = Vec::with_capacity(length as usize);
    let copied = file.take(length).read_to_end(&mut bytes);
    copied.map_err(|source| ModelError::Read { path: path.to_path_buf(), source })?;
    parse(&bytes).map_err(|problem| problem.of(path))
}

/// Reads and checks the card alone, and that the file is as long as its header says.
///
/// # Errors
/// As [`read`], as far as the header shows it.
pub fn read_card(path: &Path) -> Result<ModelCard, ModelError> {
    let unreadable = |source| ModelError::Read { path: path.to_path_buf(), source };
    let (mut file, length) = open(path)?;
    let mut first = [0; 8];
    file.read_exact(&mut first).map_err(unreadable)?;
    let size = header_size(first, length).map_err(|problem| problem.of(path))?;
    let mut header = vec![0; size];
    file.read_exact(&mut header).map_err(unreadable)?;
    let (card, _) = parse_header(&header, length - 8 - size as u64).map_err(|problem| problem.of(path))?;
    Ok(card)
}

/// Opens a regular file of acceptable size.
fn open(path: &Path) -> Result<(File, u64), ModelError> {
    let unreadable = |source| ModelError::Read { path: path.to_path_buf(), source };
    // Asked before opening: opening a pipe would wait for ever.
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(foreign("it is a folder or a device, not a file").of(path));
    }
    if about.len() > MAX_FILE {
        let megabytes = about.len() >> 20;
        return Err(foreign(format!("it has {megabytes} MB, and models have at most {} MB", MAX_FILE >> 20)).of(path));
    }
    if about.len() < 8 {
        return Err(foreign(format!("it has only {} bytes", about.len())).of(path));
    }
    Ok((File::open(path).map_err(unreadable)?, about.len()))
}

/// Size of the header as the first eight bytes state it.
fn header_size(first: [u8; 8], length: u64) -> Result<usize, Problem> {
    let size = u64::from_le_bytes(first);
    if !(2..=MAX_HEADER).contains(&size) {
        return Err(foreign("it does not begin like a safetensors file"));
    }
    if size > length - 8 {
        return Err(refused(format!("it ends inside its header ({length} of {} bytes)", size + 8), DAMAGED));
    }
    Ok(size as usize)
}

/// The checked card, and where each tensor lies in the `data` bytes behind the header.
fn parse_header(header: &[u8], data: u64) -> Result<(ModelCard, Metadata), Problem> {
    if header.first() != Some(&b'{') {
        return Err(foreign("it does not begin like a safetensors file"));
    }
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|error| foreign(format!("its header is not valid ({error})")))?;
    let text = metadata.metadata().as_ref().and_then(|entries| entries.get(CARD));
    let text = text.ok_or_else(|| foreign("it carries no model card"))?;
    let card = parse_card(text)?;
    let stated = metadata.data_len() as u64;
    if stated != data {
        let text = format!("it holds {data} bytes of tensors where its header states {stated}");
        return Err(refused(text, DAMAGED));
    }
    Ok((card, metadata))
}

fn parse_card(text: &str) -> Result<ModelCard, Problem> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| foreign(format!("its model card is not valid ({error})")))?;
    let family = value.pointer("/architecture/family");
    let family = family.ok_or_else(|| foreign("its card does not describe a generator"))?;
    if serde_json::from_value::<super::Family>(family.clone()).is_err() {
        return Err(refused(format!("its network family {family} is not known to this version"), UPDATE));
    }
    let card: ModelCard = serde_json::from_value(value)
        .map_err(|error| refused(format!("its card is not complete ({error})"), UPDATE))?;
    check_card(&card)?;
    Ok(card)
}

/// Checks everything that a card states and that someone later relies on.
fn check_card(card: &ModelCard) -> Result<(), Problem> {
    let wrong = |text: String| refused(format!("its card is wrong: {text}"), RETRAIN);
    card.architecture.validate().map_err(wrong)?;
    card.vocabulary.validate().map_err(wrong)?;
    let (labels, findings) = (card.architecture.labels, card.vocabulary.len());
    if labels != findings {
        return Err(wrong(format!("the network takes {labels} labels, the vocabulary has {findings} findings")));
    }
    let [low, high] = card.range;
    if !is_range(card.range) {
        return Err(wrong(format!("its value range {low} to {high} is not a range")));
    }
    Ok(())
}

/// Checks that tensors are those of the architecture, no more and no fewer, and finite.
fn check_tensors(architecture: &Architecture, tensors: &Tensors) -> Result<(), Problem> {
    let expected = architecture.generator();
    for parameter in &expected {
        let name = &parameter.name;
        let Some((shape, values)) = tensors.get(name) else {
            return Err(refused(format!("tensor \"{name}\" is missing"), RETRAIN));
        };
        check_shape(name, shape, &parameter.shape)?;
        if values.len() != parameter.count() {
            return Err(refused(format!("tensor \"{name}\" has {} values", values.len()), RETRAIN));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let text = format!("value {index} of tensor \"{name}\" is not a finite number");
            return Err(refused(text, "use an earlier checkpoint of that run"));
        }
    }
    check_names(&expected, tensors.keys().map(String::as_str))
}

fn check_shape(name: &str, shape: &[usize], wanted: &[usize]) -> Result<(), Problem> {
    if shape == wanted {
        return Ok(());
    }
    let text = format!("tensor \"{name}\" has shape {shape:?} where the card's network has {wanted:?}");
    Err(refused(text, RETRAIN))
}

fn check_names<'a>(
    expected: &[super::architecture::Parameter],
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    let known: HashSet<&str> = expected.iter().map(|parameter| parameter.name.as_str()).collect();
    match names.into_iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(refused(format!("tensor \"{name}\" is not part of the card's network"), RETRAIN)),
    }
}

fn parse(bytes: &[u8]) -> Result<ModelFile, Problem> {
    let length = bytes.len() as u64;
    let first = bytes.first_chunk::<8>().ok_or_else(|| foreign(format!("it has only {length} bytes")))?;
    let size = header_size(*first, length)?;
    let (card, _) = parse_header(&bytes[8..8 + size], length - 8 - size as u64)?;
    let archive = SafeTensors::deserialize(bytes)
        .map_err(|error| refused(format!("its tensor list is not consistent ({error})"), DAMAGED))?;
    let expected = card.architecture.generator();
    check_names(&expected, archive.iter().map(|(name, _)| name))?;
    let mut tensors = Tensors::new();
    for parameter in &expected {
        let name = &parameter.name;
        let view = archive.tensor(name).map_err(|_| refused(format!("tensor \"{name}\" is missing"), RETRAIN))?;
        check_shape(name, view.shape(), &parameter.shape)?;
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F16 => data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            other => {
                let text = format!("tensor \"{name}\" is stored as {other:?}, not as F32 or F16");
                return Err(refused(text, RETRAIN));
            }
        };
        tensors.insert(name.clone(), (parameter.shape.clone(), values));
    }
    check_tensors(&card.architecture, &tensors)?;
    Ok(ModelFile { card, hash: store::hash_bytes(bytes), tensors })
}

#[cfg(test)]
mod tests;
