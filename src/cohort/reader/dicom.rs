//! DICOM: one frame as Hounsfield units or as displayed density.
//!
//! CT becomes HU by its rescale slope and intercept. Everything else becomes density: through the file's own VOI window
//! where it states one, else over all values its bits can hold; MONOCHROME1 (white is low) is inverted.

mod preflight;
mod tree;

use std::cell::RefCell;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions, Tag};
use dicom_pixeldata::PixelDecoder;
use sha2::{Digest, Sha256};

use super::picture::luminance;
use super::{MAX_FILE_BYTES, ReadError, jpeg, read_capped};
use crate::cohort::Sex;
use crate::radiograph::{Meaning, Radiograph};
use preflight::{Bones, Stop};

pub use tree::{adopt_meaning, plan, summaries};

/// CT numbers that are kept: what twelve bits hold.
pub const HOUNSFIELD_RANGE: [f32; 2] = [-1024.0, 3071.0];

/// The window that networks see head CT through: level 40, width 120, as most head CT collections are exported.
pub const BRAIN_WINDOW: [f32; 2] = [-20.0, 100.0];

/// First bytes of a file that are read to learn what it is.
const PREFIX: u64 = 64 << 10;

const REMEDY: &str = "export it again as an uncompressed, RLE, JPEG or JPEG 2000 image of at most 8192 pixels a side";

/// What a file's header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Patient ID; empty when not stated.
    pub patient: String,
    /// SOP instance UID; empty when not stated.
    pub instance: String,
    /// Whether its values are CT numbers.
    pub hounsfield: bool,
    /// Frames.
    pub frames: u32,
    /// Age in years.
    pub age: Option<f32>,
    /// Sex as stated.
    pub sex: Option<Sex>,
    /// View position or instance number.
    pub view: String,
}

fn bad(path: &Path, problem: impl std::fmt::Display) -> ReadError {
    ReadError::new(path, problem, REMEDY)
}

/// Runs a decoder of foreign bytes; a panic in it becomes an error about this file.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, String>) -> Result<T, ReadError> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|problem| bad(path, problem)),
        Err(_) => Err(bad(path, "is damaged in a way its decoder cannot handle")),
    }
}

/// Examines bytes that are all of a file, or its beginning.
fn examine(path: &Path, bytes: &[u8], total: u64) -> Result<Result<Bones, ()>, ReadError> {
    match preflight::examine(bytes, total) {
        Ok(bones) => {
            preflight::check(&bones).map_err(|problem| bad(path, problem))?;
            Ok(Ok(bones))
        }
        Err(Stop::NeedsMore) => Ok(Err(())),
        Err(Stop::Bad(problem)) => Err(bad(path, problem)),
    }
}

/// Whether a file begins as DICOM files do.
pub fn is_dicom(path: &Path) -> bool {
    let mut start = [0; 132];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start[128..] == b"DICM"
}

/// Reads a file's header, and no more of the file than that takes.
pub fn summary(path: &Path) -> Result<Summary, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::io(path, &error))?;
    let entry = file.metadata().map_err(|error| ReadError::io(path, &error))?;
    if !entry.is_file() || entry.len() > MAX_FILE_BYTES {
        return Err(bad(path, "is no file, or larger than 512 MB"));
    }
    let total = entry.len();
    let mut bytes = Vec::new();
    file.take(PREFIX.min(total)).read_to_end(&mut bytes).map_err(|error| ReadError::io(path, &error))?;
    let bones = if let Ok(bones) = examine(path, &bytes, total)? {
        bones
    } else {
        bytes = read_capped(path, MAX_FILE_BYTES)?;
        let problem = "grew or shrank while it was read";
        examine(path, &bytes, bytes.len() as u64)?.map_err(|()| bad(path, problem))?
    };
    guarded(path, || {
        let object = OpenFileOptions::new()
            .read_until(tags::PIXEL_DATA)
            .from_reader(Cursor::new(&bytes[128..]))
            .map_err(|error| format!("has a header that cannot be read ({error})"))?;
        let view = Some(text(&object, tags::VIEW_POSITION)).filter(|view| !view.is_empty());
        let number = text(&object, tags::INSTANCE_NUMBER);
        Ok(Summary {
            patient: text(&object, tags::PATIENT_ID),
            instance: text(&object, tags::SOP_INSTANCE_UID),
            hounsfield: text(&object, tags::MODALITY) == "CT",
            frames: bones.frames,
            age: years(&text(&object, tags::PATIENT_AGE)),
            sex: Sex::from_word(&text(&object, tags::PATIENT_SEX)),
            view: view.unwrap_or_else(|| if number.is_empty() { number } else { format!("slice {number}") }),
        })
    })
}

/// An age string: `058Y`, `006M`, `003W`, `010D`.
fn years(text: &str) -> Option<f32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let age = number.parse::<f32>().ok()?;
    let age = match unit {
        "Y" => age,
        "M" => age / 12.0,
        "W" => age / 52.0,
        "D" => age / 365.0,
        _ => return None,
    };
    (0.0..=120.0).contains(&age).then_some(age)
}

/// An element as text, without padding; empty when it is not there.
fn text(object: &DefaultDicomObject, tag: Tag) -> String {
    let value = object.element_opt(tag).ok().flatten().and_then(|element| element.to_str().ok());
    value.map(|text| text.trim_matches(['\0', ' ']).to_owned()).unwrap_or_default()
}

/// The first of an element's numbers, when it is finite.
fn number(object: &DefaultDicomObject, tag: Tag) -> Option<f64> {
    let first = text(object, tag).split('\\').next()?.trim().parse::<f64>().ok()?;
    first.is_finite().then_some(first)
}

/// An opened file: parsed, with its hash.
struct Opened {
    path: PathBuf,
    object: DefaultDicomObject,
    bones: Bones,
    hash: [u8; 32],
}

thread_local! {
    /// The last file with several frames that this thread read, so that its frames cost one parse.
    static LAST: RefCell<Option<Rc<Opened>>> = const { RefCell::new(None) };
}

fn open(path: &Path) -> Result<Rc<Opened>, ReadError> {
    let last = LAST.with(|last| last.borrow().clone()).filter(|opened| opened.path == path);
    if let Some(opened) = last {
        return Ok(opened);
    }
    let bytes = read_capped(path, MAX_FILE_BYTES)?;
    let opened = Rc::new(parse(path, &bytes)?);
    let keep = (opened.bones.frames > 1).then(|| opened.clone());
    LAST.with(|last| *last.borrow_mut() = keep);
    Ok(opened)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Opened, ReadError> {
    let bones = examine(path, bytes, bytes.len() as u64)?.map_err(|()| bad(path, "ends before its pixels"))?;
    let object = guarded(path, || {
        // The preamble was seen by the walk. What follows the pixels was not, and is not read.
        let object = OpenFileOptions::new().read_to(tags::PIXEL_DATA).from_reader(Cursor::new(&bytes[128..]));
        object.map_err(|error| format!("cannot be read ({error})"))
    })?;
    Ok(Opened { path: path.to_path_buf(), object, bones, hash: Sha256::digest(bytes).into() })
}

/// Frame `frame` of a file, as HU when `hounsfield`, else as density; and the hash of the file and frame.
pub fn load(path: &Path, frame: u32, hounsfield: bool) -> Result<(Radiograph, [u8; 32]), ReadError> {
    let opened = open(path)?;
    let hash = match frame {
        0 => opened.hash,
        _ => Sha256::new().chain_update(opened.hash).chain_update(frame.to_le_bytes()).finalize().into(),
    };
    let image = guarded(path, || frame_image(&opened, frame, Some(hounsfield)))?;
    Ok((image, hash))
}

/// The first frame of a file's bytes: CT as HU, all else as density.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Radiograph, ReadError> {
    let opened = parse(path, bytes)?;
    guarded(path, || frame_image(&opened, 0, None))
}

fn frame_image(opened: &Opened, frame: u32, hounsfield: Option<bool>) -> Result<Radiograph, String> {
    let Opened { object, bones, .. } = opened;
    if frame >= bones.frames {
        return Err(format!("has {} frames and no frame {frame}", bones.frames));
    }
    let hounsfield = hounsfield.unwrap_or_else(|| text(object, tags::MODALITY) == "CT");
    let (width, height) = (usize::from(bones.columns), usize::from(bones.rows));
    let samples = usize::from(bones.samples);
    check_streams(object, width, height)?;
    let decoded = object.decode_pixel_data_frame(frame).map_err(|error| format!("cannot be decoded ({error})"))?;

    let depth = Depth {
        bytes: usize::from(bones.bits / 8),
        stored: u32::from(decoded.bits_stored()),
        high: u32::from(decoded.high_bit()),
        signed: number(object, tags::PIXEL_REPRESENTATION) == Some(1.0),
    };
    let values = depth.values(decoded.data(), width * height * samples)?;
    let slope = number(object, tags::RESCALE_SLOPE).unwrap_or(1.0);
    let intercept = number(object, tags::RESCALE_INTERCEPT).unwrap_or(0.0);
    let rescaled = |value: f64| value * slope + intercept;

    if samples == 3 {
        let top = f64::from((depth.stored as f32).exp2()) - 1.0;
        let pixels = values.chunks_exact(3).map(|rgb| luminance([rgb[0], rgb[1], rgb[2]].map(|v| (v / top) as f32)));
        return Radiograph::new(width, height, pixels.collect(), Meaning::Density).map_err(|error| error.to_string());
    }
    if hounsfield {
        let pixels = values.iter().map(|&value| rescaled(value) as f32).collect();
        return Radiograph::new(width, height, pixels, Meaning::Hounsfield).map_err(|error| error.to_string());
    }
    let voi = Voi::of(object).unwrap_or_else(|| {
        let (low, high) = depth.limits();
        let (low, high) = (rescaled(low), rescaled(high));
        Voi::Spanning { low: low.min(high), high: low.max(high) }
    });
    let inverted = text(object, tags::PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1";
    let shown = |value: f64| {
        let bright = voi.apply(rescaled(value));
        (if inverted { 1.0 - bright } else { bright }) as f32
    };
    let pixels = values.iter().map(|&value| shown(value)).collect();
    Radiograph::new(width, height, pixels, Meaning::Density).map_err(|error| error.to_string())
}

/// Compares the sizes inside compressed frames with those of the header, before their decoder takes memory for them.
fn check_streams(object: &DefaultDicomObject, width: usize, height: usize) -> Result<(), String> {
    let Some(element) = object.element_opt(tags::PIXEL_DATA).ok().flatten() else { return Ok(()) };
    for fragment in element.value().fragments().into_iter().flatten() {
        match jpeg::stated_size(fragment) {
            Some((w, h)) if (w, h) != (width, height) => {
                return Err(format!("states {width} x {height} and holds a picture of {w} x {h}"));
            }
            None if jpeg::begins(fragment) => return Err("holds a compressed picture that states no size".into()),
            _ => {}
        }
    }
    Ok(())
}

/// How samples lie in memory.
struct Depth {
    bytes: usize,
    stored: u32,
    high: u32,
    signed: bool,
}

impl Depth {
    /// Samples as numbers: the stored bits alone, with their sign.
    fn values(&self, data: &[u8], expected: usize) -> Result<Vec<f64>, String> {
        let bits = 8 * self.bytes as u32;
        if self.stored == 0 || self.stored > bits || self.high >= bits || self.high + 1 < self.stored {
            return Err(format!("states {} bits stored of {bits}, the highest at {}", self.stored, self.high));
        }
        if data.len() < expected * self.bytes {
            return Err(format!("holds {} bytes of pixels and should hold {}", data.len(), expected * self.bytes));
        }
        let shift = self.high + 1 - self.stored;
        let value = |raw: u32| {
            // Upwards, so that the highest stored bit is the sign; down again with or without it.
            let up = 32 - self.stored;
            let kept = (raw >> shift) << up;
            if self.signed { f64::from(kept as i32 >> up) } else { f64::from(kept >> up) }
        };
        let wide = |b: &[u8]| b.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        Ok(data.chunks_exact(self.bytes).take(expected).map(|b| value(wide(b))).collect())
    }

    /// Lowest and highest value the stored bits can hold.
    fn limits(&self) -> (f64, f64) {
        let span = f64::from(self.stored).exp2();
        if self.signed { (-span / 2.0, span / 2.0 - 1.0) } else { (0.0, span - 1.0) }
    }
}

/// How values become brightness.
enum Voi {
    /// Linearly between two values, these included.
    Spanning { low: f64, high: f64 },
    /// The standard's LINEAR, with its half steps (PS3.3 C.11.2.1.2.1).
    Linear { center: f64, width: f64 },
    /// `LINEAR_EXACT` (C.11.2.1.3.2).
    Exact { center: f64, width: f64 },
    /// SIGMOID (C.11.2.1.3.1).
    Sigmoid { center: f64, width: f64 },
}

impl Voi {
    /// The file's first window, when it states a possible one.
    fn of(object: &DefaultDicomObject) -> Option<Self> {
        let (center, width) = (number(object, tags::WINDOW_CENTER)?, number(object, tags::WINDOW_WIDTH)?);
        match text(object, tags::VOILUT_FUNCTION).as_str() {
            "LINEAR_EXACT" if width > 0.0 => Some(Self::Exact { center, width }),
            "SIGMOID" if width > 0.0 => Some(Self::Sigmoid { center, width }),
            _ if width >= 1.0 => Some(Self::Linear { center, width }),
            _ => None,
        }
    }

    /// Brightness, 0 to 1.
    fn apply(&self, value: f64) -> f64 {
        let bright = match *self {
            Self::Spanning { low, high } => (value - low) / (high - low).max(f64::EPSILON),
            Self::Linear { center, width } => {
                let (center, width) = (center - 0.5, width - 1.0);
                // A width of one is a step.
                if width == 0.0 { f64::from(u8::from(value > center)) } else { (value - center) / width + 0.5 }
            }
            Self::Exact { center, width } => (value - center) / width + 0.5,
            Self::Sigmoid { center, width } => 1.0 / (1.0 + (-4.0 * (value - center) / width).exp()),
        };
        bright.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests;
