//! Arrays inside `.npz` files: headers, small members whole, images one after another in bounded memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::picture::luminance;
use super::{MAX_ITEMS, ReadError};
use crate::radiograph::{MAX_SIDE, Meaning, Radiograph};

/// Most members an archive may have; `MedMNIST` has 6, with names 9.
const MAX_MEMBERS: usize = 1000;

/// Longest array header that is read.
const MAX_HEADER_BYTES: usize = 1 << 16;

/// Largest label or name array that is taken whole.
const MAX_SMALL_BYTES: u64 = 256 << 20;

/// Images that wait, decompressed, for the decoders.
const IMAGES_AHEAD: usize = 64;

const REMEDY: &str = "fetch the file again, or write it with numpy.savez";

/// What the header of an array states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// Element type as `NumPy` writes it: `|u1`, `<i8`.
    pub kind: String,
    /// Lengths of the axes.
    pub shape: Vec<u64>,
}

impl Array {
    /// Bytes of one element; zero for types that are not read.
    fn item_bytes(&self) -> u64 {
        let size: u64 = self.kind.get(2..).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        match self.kind.as_bytes().get(1) {
            Some(b'u' | b'i' | b'f' | b'b' | b'S') => size,
            Some(b'U') => size.saturating_mul(4),
            _ => 0,
        }
    }

    /// Bytes of all elements; `None` when that is not a possible number.
    fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.item_bytes(), |product, &length| product.checked_mul(length))
    }

    /// Height, width and channels of an array of images; a sentence when it is none.
    pub fn image_shape(&self) -> Result<(u64, [usize; 3]), String> {
        let (count, [height, width, channels]) = match *self.shape.as_slice() {
            [n, h, w] => (n, [h, w, 1]),
            [n, h, w, c @ (1 | 3)] => (n, [h, w, c]),
            [_, _, _, _] => return Err("holds volumes, and radiographs are flat".into()),
            _ => return Err(format!("has shape {:?} and should be images x rows x columns", self.shape)),
        };
        let sides = 1..=MAX_SIDE as u64;
        if !sides.contains(&height) || !sides.contains(&width) {
            return Err(format!("has images of {width} x {height}; sides must be 1 to {MAX_SIDE}"));
        }
        if !matches!(self.kind.as_str(), "|u1" | "<u2" | ">u2") {
            return Err(format!("has elements of type {}; images must be uint8 or uint16", self.kind));
        }
        if count > MAX_ITEMS as u64 {
            return Err(format!("states {count} images, more than the {MAX_ITEMS} allowed"));
        }
        Ok((count, [height as usize, width as usize, channels as usize]))
    }
}

/// Reads the header of an array and leaves `from` at its first element.
///
/// Format: magic, version, header length, then a Python dictionary as text (`NumPy` enhancement proposal 1).
pub fn read_header(from: &mut impl Read) -> Result<Array, String> {
    let cut = |_| "ends within its header".to_owned();
    let mut start = [0; 8];
    from.read_exact(&mut start).map_err(cut)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err("is not a NumPy array".into());
    }
    let mut length = [0; 4];
    let bytes = if start[6] == 1 { 2 } else { 4 };
    from.read_exact(&mut length[..bytes]).map_err(cut)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER_BYTES {
        return Err(format!("states a header of {length} bytes"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text).map_err(cut)?;
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        let at = text.find(&format!("'{key}':"))? + key.len() + 3;
        Some(text[at..].trim_start())
    };
    let unreadable = || "has a header that cannot be understood".to_owned();
    let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split('\'').next());
    let kind = kind.ok_or_else(|| "holds Python objects or records, which are never read".to_owned())?;
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split(')').next());
    let shape: Vec<u64> = shape
        .ok_or_else(unreadable)?
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| unreadable()))
        .collect::<Result<_, _>>()?;
    if shape.len() > 1 && value("fortran_order").ok_or_else(unreadable)?.starts_with("True") {
        return Err("is stored column by column; save it with numpy.ascontiguousarray".into());
    }
    Ok(Array { kind: kind.to_owned(), shape })
}

fn open(path: &Path) -> Result<ZipArchive<BufReader<File>>, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::io(path, &error))?;
    if !file.metadata().map_err(|error| ReadError::io(path, &error))?.is_file() {
        return Err(ReadError::new(path, "is not a file", "point to the .npz file"));
    }
    let archive = guarded(path, || {
        ZipArchive::new(BufReader::new(file)).map_err(|error| format!("is not an archive ({error})"))
    })?;
    if archive.len() > MAX_MEMBERS {
        return Err(ReadError::new(path, format!("has {} members, far too many", archive.len()), REMEDY));
    }
    Ok(archive)
}

/// Runs a decoder of foreign bytes; a panic in it becomes an error about this file.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, String>) -> Result<T, ReadError> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|problem| ReadError::new(path, problem, REMEDY)),
        Err(_) => Err(ReadError::new(path, "is damaged in a way its decoder cannot handle", REMEDY)),
    }
}

/// The arrays of an archive, by name without `.npy`, in stored order. Members that are no arrays are passed over.
pub fn arrays(path: &Path) -> Result<Vec<(String, Array)>, ReadError> {
    let mut archive = open(path)?;
    let mut found = Vec::new();
    for i in 0..archive.len() {
        let entry = guarded(path, || {
            let mut member = archive.by_index(i).map_err(|error| format!("has a damaged member ({error})"))?;
            let name = member.name().map_err(|error| error.to_string())?.into_owned();
            let Some(name) = name.strip_suffix(".npy") else { return Ok(None) };
            let array = read_header(&mut member).map_err(|problem| format!("{name} {problem}"))?;
            Ok(Some((name.to_owned(), array)))
        })?;
        found.extend(entry);
    }
    Ok(found)
}

/// All bytes of one array, when they are few.
fn whole(path: &Path, name: &str) -> Result<(Array, Vec<u8>), ReadError> {
    let mut archive = open(path)?;
    guarded(path, || {
        let mut member = archive.by_name(&format!("{name}.npy")).map_err(|error| format!("has no {name} ({error})"))?;
        let array = read_header(&mut member).map_err(|problem| format!("{name} {problem}"))?;
        let size = array.bytes().filter(|&size| size <= MAX_SMALL_BYTES);
        let size = size.ok_or_else(|| format!("states {name} with shape {:?}, which is too large", array.shape))?;
        let mut bytes = Vec::new();
        member.take(size).read_to_end(&mut bytes).map_err(|error| format!("{name} cannot be read ({error})"))?;
        if bytes.len() as u64 != size {
            return Err(format!("{name} ends after {} of {size} bytes", bytes.len()));
        }
        Ok((array, bytes))
    })
}

/// A small array of numbers: its shape and its values in row-major order.
pub fn numbers(path: &Path, name: &str) -> Result<(Vec<u64>, Vec<f32>), ReadError> {
    let (array, bytes) = whole(path, name)?;
    macro_rules! read {
        ($type:ty, $from:ident) => {
            bytes
                .chunks_exact(size_of::<$type>())
                .map(|b| <$type>::$from(b.try_into().unwrap_or_default()) as f32)
                .collect()
        };
    }
    let values: Vec<f32> = match array.kind.as_str() {
        "|u1" | "|b1" => bytes.iter().map(|&v| f32::from(v)).collect(),
        "|i1" => read!(i8, from_le_bytes),
        "<u2" => read!(u16, from_le_bytes),
        "<i2" => read!(i16, from_le_bytes),
        "<u4" => read!(u32, from_le_bytes),
        "<i4" => read!(i32, from_le_bytes),
        "<u8" => read!(u64, from_le_bytes),
        "<i8" => read!(i64, from_le_bytes),
        "<f4" => read!(f32, from_le_bytes),
        "<f8" => read!(f64, from_le_bytes),
        ">i8" => read!(i64, from_be_bytes),
        ">i4" => read!(i32, from_be_bytes),
        kind => return Err(ReadError::new(path, format!("{name} has elements of type {kind}, not numbers"), REMEDY)),
    };
    Ok((array.shape, values))
}

/// A small array of texts: fixed-width bytes or Unicode, or a byte matrix with one text a row. Padding is trimmed.
pub fn texts(path: &Path, name: &str) -> Result<Vec<String>, ReadError> {
    let (array, bytes) = whole(path, name)?;
    let width = match (array.kind.as_bytes().get(1), array.shape.as_slice()) {
        (Some(b'u'), [_, width]) if array.kind == "|u1" => *width,
        (Some(b'S' | b'U'), [_] | [_, 1]) => array.item_bytes(),
        _ => return Err(ReadError::new(path, format!("{name} is not an array of texts"), REMEDY)),
    };
    if width == 0 {
        return Err(ReadError::new(path, format!("{name} holds empty texts"), REMEDY));
    }
    let wide = array.kind.as_bytes().get(1) == Some(&b'U');
    let text = |cell: &[u8]| -> String {
        let text: String = if wide {
            let little = !array.kind.starts_with('>');
            let read = |b: &[u8]| b.try_into().map_or(0, if little { u32::from_le_bytes } else { u32::from_be_bytes });
            cell.chunks_exact(4).map(|b| char::from_u32(read(b)).unwrap_or('\u{fffd}')).collect()
        } else {
            String::from_utf8_lossy(cell).into_owned()
        };
        text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
    };
    Ok(bytes.chunks_exact(width as usize).map(text).collect())
}

/// The bytes of one image of an array.
#[derive(Debug, Clone)]
pub struct Raw {
    bytes: Vec<u8>,
    shape: [usize; 3],
    kind: String,
}

impl Raw {
    /// The image as density, and the SHA-256 of its bytes.
    pub fn decode(self, path: &Path) -> Result<(Radiograph, [u8; 32]), ReadError> {
        let [height, width, channels] = self.shape;
        let values: Vec<f32> = match self.kind.as_str() {
            "|u1" => self.bytes.iter().map(|&v| f32::from(v) / 255.0).collect(),
            kind => {
                let read = if kind == "<u2" { u16::from_le_bytes } else { u16::from_be_bytes };
                self.bytes.chunks_exact(2).map(|b| f32::from(read([b[0], b[1]])) / 65535.0).collect()
            }
        };
        let pixels = match channels {
            3 => values.chunks_exact(3).map(|rgb| luminance([rgb[0], rgb[1], rgb[2]])).collect(),
            _ => values,
        };
        let image = Radiograph::new(width, height, pixels, Meaning::Density)
            .map_err(|error| ReadError::new(path, error, REMEDY))?;
        Ok((image, Sha256::digest(&self.bytes).into()))
    }
}

/// Images of archives in ascending order, decompressed once by a thread that stays a bounded number ahead.
#[derive(Default)]
pub struct Feed {
    current: Option<Stream>,
}

struct Stream {
    path: PathBuf,
    member: String,
    next: u64,
    images: Receiver<Result<Raw, ReadError>>,
}

impl Feed {
    /// The bytes of image `index`. Cheap when indices ascend; going back starts the member again.
    pub fn take(&mut self, path: &Path, member: &str, index: u64) -> Result<Raw, ReadError> {
        let fits = |s: &Stream| s.path == path && s.member == member && s.next <= index;
        if !self.current.as_ref().is_some_and(fits) {
            self.current = Some(Stream::start(path, member));
        }
        let lost = || ReadError::new(path, format!("{member} has no image {index} that can be read"), REMEDY);
        let stream = self.current.as_mut().ok_or_else(lost)?;
        loop {
            let raw = stream.images.recv().map_err(|_| lost())??;
            stream.next += 1;
            if stream.next > index {
                return Ok(raw);
            }
        }
    }
}

impl Stream {
    fn start(path: &Path, member: &str) -> Self {
        let (send, images) = sync_channel(IMAGES_AHEAD);
        let (owned_path, owned_member) = (path.to_path_buf(), member.to_owned());
        std::thread::spawn(move || {
            let result = open(&owned_path).and_then(|mut archive| {
                guarded(&owned_path, || {
                    let name = format!("{owned_member}.npy");
                    let mut member = archive.by_name(&name).map_err(|error| format!("has no {name} ({error})"))?;
                    let array = read_header(&mut member)?;
                    let (count, shape) = array.image_shape()?;
                    let size = shape.iter().product::<usize>() * array.item_bytes() as usize;
                    for i in 0..count {
                        let mut bytes = vec![0; size];
                        member.read_exact(&mut bytes).map_err(|error| format!("{name}, image {i}: {error}"))?;
                        if i + 1 == count {
                            // Reading on to the end makes the archive compare its checksum.
                            member.read(&mut [0]).map_err(|error| format!("{name} is damaged: {error}"))?;
                        }
                        if send.send(Ok(Raw { bytes, shape, kind: array.kind.clone() })).is_err() {
                            // Nobody waits for more.
                            break;
                        }
                    }
                    Ok(())
                })
            });
            if let Err(error) = result {
                // If nobody waits any more, nobody needs the reason either.
                let _ = send.send(Err(error));
            }
        });
        Self { path: path.to_path_buf(), member: member.to_owned(), next: 0, images }
    }
}
