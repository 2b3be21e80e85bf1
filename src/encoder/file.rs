//! The encoder file: safetensors with the card as JSON in its header. Nothing in it is executed, everything is checked.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{DenseNetConfig, EncoderCard, Role, torchvision};
use crate::radiograph::Meaning;
use crate::store::{self, StoreError};

/// Tensors by name: shape and row-major values.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Key of the card in the header; not that of a generator, so that neither is taken for the other.
const CARD: &str = "encoder_card";

/// Largest file that is read: eight times a `DenseNet`-121 in full precision.
const MAX_BYTES: u64 = 256 << 20;

/// How weights are stored. Norms and biases, few but wide-ranging, are always stored in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits for convolution and dense weights.
    F16,
}

/// Why an encoder file was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The file could not be opened or read.
    #[error("cannot read the encoder {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not an encoder, or a damaged one.
    #[error("{path} is not a usable encoder: {reason}; take a fresh copy or train it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The file holds a torchvision `DenseNet` without a card, where findings are wanted.
    #[error(
        "{path} is a DenseNet in torchvision's names without an encoder card: it names no findings, and can only measure how \
         near images are; name it in quality.encoder, in quality.second_encoder or with \"encoder fidelity --encoder\", or give an \
         encoder that \"encoder train\" has made"
    )]
    NoCard {
        /// The file.
        path: PathBuf,
    },
    /// The parts given to [`write()`] do not fit together.
    #[error("cannot save this encoder: {0}")]
    Parts(String),
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an encoder file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderFile {
    /// The card.
    pub card: EncoderCard,
    /// SHA-256 of the file, 64 hex digits.
    pub hash: String,
    /// All tensors of the card's architecture.
    pub tensors: Tensors,
}

/// Checks that card and tensors fit together: every tensor of the architecture is there with its shape and no other,
/// all values are finite, and no variance is below zero.
///
/// # Errors
/// A sentence that names the tensor and the fault.
pub fn check(card: &EncoderCard, tensors: &Tensors) -> Result<(), String> {
    card.validate()?;
    fit(&card.architecture, tensors)
}

/// As [`check`], of the tensors alone.
///
/// # Errors
/// A sentence that names the tensor and the fault.
pub(super) fn fit(architecture: &DenseNetConfig, tensors: &Tensors) -> Result<(), String> {
    let parameters = architecture.parameters();
    for parameter in &parameters {
        let name = &parameter.name;
        let (shape, values) = tensors.get(name).ok_or_else(|| format!("tensor {name} is missing"))?;
        if *shape != parameter.shape || values.len() != parameter.count() {
            return Err(format!("tensor {name} has shape {shape:?}, not {:?}", parameter.shape));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(format!("tensor {name} holds a value that is not a finite number"));
        }
        if parameter.role == Role::RunningVariance && values.iter().any(|&v| v < 0.0) {
            return Err(format!("tensor {name} holds a variance below zero"));
        }
    }
    if tensors.len() != parameters.len() {
        return Err(format!("it holds {} tensors, not {}", tensors.len(), parameters.len()));
    }
    Ok(())
}

/// Saves an encoder atomically and tells the hash of its file.
///
/// # Errors
/// [`EncoderError::Parts`] when card and tensors do not fit together, [`EncoderError::Store`] when the disk refuses.
pub fn write(path: &Path, card: &EncoderCard, tensors: &Tensors, precision: Precision) -> Result<String, EncoderError> {
    check(card, tensors).map_err(EncoderError::Parts)?;
    let bytes: Vec<(&String, &Vec<usize>, Dtype, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            if precision == Precision::F16 && shape.len() > 1 {
                let half = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
                (name, shape, Dtype::F16, half)
            } else {
                (name, shape, Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, dtype, data)| Ok((*name, TensorView::new(*dtype, (*shape).clone(), data)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| EncoderError::Parts(e.to_string()))?;
    let text = serde_json::to_string(card).map_err(|e| EncoderError::Parts(e.to_string()))?;
    let metadata = HashMap::from([(CARD.to_owned(), text)]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| EncoderError::Parts(e.to_string()))?;
    store::write_atomic(path, &file)?;
    Ok(store::hash_bytes(&file))
}

/// Reads and checks an encoder file.
///
/// # Errors
/// [`EncoderError::Read`], [`EncoderError::Damaged`] or [`EncoderError::NoCard`]; no memory is taken beyond 256 MiB for the
/// file and as much again.
pub fn read(path: &Path) -> Result<EncoderFile, EncoderError> {
    with_card(path, &bytes(path)?)?.ok_or_else(|| EncoderError::NoCard { path: path.to_path_buf() })
}

/// As [`read`], to compare images of `meaning` that are shown in `window`: a torchvision `DenseNet` without a card is given
/// one that says how such images are shown to it, and is named after its file.
///
/// # Errors
/// As [`read`], but never [`EncoderError::NoCard`].
pub fn read_for(path: &Path, meaning: Meaning, window: [f32; 2]) -> Result<EncoderFile, EncoderError> {
    let bytes = bytes(path)?;
    if let Some(file) = with_card(path, &bytes)? {
        return Ok(file);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let made = torchvision::encoder(name, tensors_of(path, &bytes)?, meaning, window);
    let (card, tensors) = made.map_err(|reason| EncoderError::Damaged { path: path.to_path_buf(), reason })?;
    Ok(EncoderFile { card, hash: store::hash_bytes(&bytes), tensors })
}

/// The encoder in the bytes of a file; `None` where they are a torchvision `DenseNet` without a card.
fn with_card(path: &Path, bytes: &[u8]) -> Result<Option<EncoderFile>, EncoderError> {
    let damaged = |reason: String| EncoderError::Damaged { path: path.to_path_buf(), reason };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    let Some(text) = header.metadata().as_ref().and_then(|metadata| metadata.get(CARD)) else {
        if header.info(torchvision::STEM).is_some() {
            return Ok(None);
        }
        return Err(damaged("it carries no encoder card and is no DenseNet in torchvision's names".into()));
    };
    let card: EncoderCard = serde_json::from_str(text).map_err(|e| damaged(format!("its card: {e}")))?;
    card.validate().map_err(|reason| damaged(format!("its card: {reason}")))?;
    let stored = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, view) in stored.iter() {
        let values = numbers(&view)
            .ok_or_else(|| damaged(format!("tensor {name} is of type {:?}, not F32 or F16", view.dtype())))?;
        tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    check(&card, &tensors).map_err(damaged)?;
    Ok(Some(EncoderFile { card, hash: store::hash_bytes(bytes), tensors }))
}

/// The tensors of any safetensors file with 32-bit or 16-bit numbers, as torchvision's weights are when they are saved so;
/// tensors of other types (counters) are passed over.
///
/// # Errors
/// As [`read`], and [`EncoderError::Damaged`] when a number is not finite.
pub fn read_tensors(path: &Path) -> Result<Tensors, EncoderError> {
    tensors_of(path, &bytes(path)?)
}

/// [`read_tensors`] of a file's bytes.
fn tensors_of(path: &Path, bytes: &[u8]) -> Result<Tensors, EncoderError> {
    let damaged = |reason: String| EncoderError::Damaged { path: path.to_path_buf(), reason };
    let stored = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, view) in stored.iter() {
        let Some(values) = numbers(&view) else { continue };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(damaged(format!("tensor {name} holds a number that is not finite")));
        }
        tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// A file's content, if it is a regular file of a size that an encoder may have.
fn bytes(path: &Path) -> Result<Vec<u8>, EncoderError> {
    let failed = |source| EncoderError::Read { path: path.to_path_buf(), source };
    let damaged = |reason: String| EncoderError::Damaged { path: path.to_path_buf(), reason };
    let file = File::open(path).map_err(failed)?;
    let status = file.metadata().map_err(failed)?;
    if !status.is_file() {
        return Err(damaged("it is not a regular file".into()));
    }
    if status.len() > MAX_BYTES {
        return Err(damaged(format!("it has {} bytes, more than the {MAX_BYTES} allowed", status.len())));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A tensor's numbers; `None` where they are neither F32 nor F16.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f32>> {
    match view.dtype() {
        Dtype::F32 => Some(view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
        Dtype::F16 => Some(view.data().as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, EncoderTraining, Input, Stem, example};
    use crate::finding::Vocabulary;
    use crate::radiograph::{Meaning, Radiograph};

    fn card() -> EncoderCard {
        EncoderCard {
            name: "encoder-example".into(),
            preset: "own".into(),
            architecture: example::config(Stem::Light),
            input: Input::native(18, Meaning::Density, [0.0, 1.0]),
            vocabulary: Vocabulary::new("own", ["Edema", "Mass", "Nodule"]),
            training: EncoderTraining {
                cohort: "phantom-chest".into(),
                cohort_hash: "0".repeat(64),
                phantom: true,
                images: 10,
                patients: 5,
                schedule: "none".into(),
                seed: 1,
                source: crate::encoder::Source::Films,
            },
            metrics: BTreeMap::from([("auroc_test".into(), 0.75)]),
            remarks: vec![],
            licence: "MIT OR Apache-2.0".into(),
            citation: String::new(),
        }
    }

    #[test]
    fn an_encoder_survives_its_file_and_half_precision_errs_little() {
        let folder = tempfile::tempdir().unwrap();
        let tensors = example::tensors(&card().architecture);
        let save = |name: &str, precision| {
            let path = folder.path().join(name);
            let hash = write(&path, &card(), &tensors, precision).unwrap();
            assert_eq!(hash, store::hash_file(&path).unwrap());
            (path, hash)
        };
        let (full, hash) = save("full", Precision::F32);
        let read_back = read(&full).unwrap();
        assert_eq!(read_back, EncoderFile { card: card(), hash: hash.clone(), tensors: tensors.clone() });

        let (half, _) = save("half", Precision::F16);
        assert!(std::fs::metadata(&half).unwrap().len() < std::fs::metadata(&full).unwrap().len());
        let image = Radiograph::new(18, 18, vec![0.4; 324], Meaning::Density).unwrap();
        let encoders = [&full, &half].map(|path| Encoder::load(path).unwrap());
        let [exact, near] = encoders.each_ref().map(|e| e.features(std::slice::from_ref(&image)).unwrap());
        example::assert_close(&near, &exact, 2e-3);
        assert_ne!(near, exact);
        assert_eq!(encoders[0].id(), &hash[..16]);
        assert_eq!((encoders[0].dim(), exact.len()), (20, 20));

        // One image alone and in company: the same bits. Probabilities: the logistic function of the logits.
        let pair = encoders[0].features(&[image.halved(), image.clone()]).unwrap();
        assert_eq!(pair[20..], exact[..]);
        let probabilities = encoders[0].classify(&[image]).unwrap();
        assert!(probabilities.len() == 3 && probabilities.iter().all(|p| (0.0..1.0).contains(p)));
        let ct = Radiograph::new(2, 2, vec![0.0; 4], Meaning::Hounsfield).unwrap();
        assert!(encoders[0].features(&[ct]).is_err());
    }

    #[test]
    fn parts_that_do_not_fit_are_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let good = example::tensors(&card().architecture);
        let refused = |card: &EncoderCard, tensors: &Tensors| {
            assert!(matches!(write(&path, card, tensors, Precision::F32), Err(EncoderError::Parts(_))));
        };
        let mut missing = good.clone();
        missing.remove("classifier.bias");
        refused(&card(), &missing);
        let mut more = good.clone();
        more.insert("extra".into(), (vec![1], vec![0.0]));
        refused(&card(), &more);
        let mut nan = good.clone();
        nan.get_mut("classifier.bias").unwrap().1[1] = f32::NAN;
        refused(&card(), &nan);
        let mut negative = good.clone();
        negative.get_mut("features.norm0.running_var").unwrap().1[0] = -1.0;
        refused(&card(), &negative);
        refused(&EncoderCard { vocabulary: Vocabulary::rsna(), ..card() }, &good);
        refused(&EncoderCard { input: Input::native(2, Meaning::Density, [0.0, 1.0]), ..card() }, &good);
        refused(&EncoderCard { input: Input::native(18, Meaning::Density, [1.0, 1.0]), ..card() }, &good);
        assert!(!path.exists());
    }

    #[test]
    fn malformed_files_give_a_sentence_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encoder.safetensors");
        write(&path, &card(), &example::tensors(&card().architecture), Precision::F32).unwrap();
        let good = std::fs::read(&path).unwrap();
        let header_end = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
        let replaced = |from: &str, to: &str| {
            assert_eq!(from.len(), to.len());
            let text = String::from_utf8(good[8..header_end].to_vec()).unwrap();
            assert!(text.contains(from), "{from}");
            [&good[..8], text.replace(from, to).as_bytes(), &good[header_end..]].concat()
        };
        let nan = [&good[..good.len() - 4], &f32::NAN.to_le_bytes()].concat();
        let mut twins: Vec<Vec<u8>> = vec![
            vec![],
            b"\x80\x04pickle".to_vec(),
            [&u64::MAX.to_le_bytes(), &good[8..]].concat(),
            [&good[..], b"tail"].concat(),
            nan,
            replaced("\\\"growth\\\":4", "\\\"growth\\\":5"),
            replaced("\"F32\"", "\"I32\""),
            replaced("classifier.bias", "classifier.bios"),
            replaced("\"encoder_card\"", "\"encoder_cart\""),
            replaced("[3,20]", "[20,3]"),
        ];
        twins.extend((0..good.len()).step_by(good.len() / 40).map(|n| good[..n].to_vec()));
        for (i, twin) in twins.iter().enumerate() {
            std::fs::write(&path, twin).unwrap();
            let error = read(&path).expect_err(&format!("twin {i}"));
            assert!(error.to_string().contains("encoder.safetensors"), "{error}");
        }
        assert!(matches!(read(folder.path()), Err(EncoderError::Read { .. } | EncoderError::Damaged { .. })));
        assert!(matches!(read(&folder.path().join("none")), Err(EncoderError::Read { .. })));
        let sparse = File::create(&path).unwrap();
        sparse.set_len(MAX_BYTES + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("more than"));
    }
}
