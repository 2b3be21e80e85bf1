//! A look at a DICOM file's bones before any decoder takes memory for it: every stated length lies inside the file, and
//! the image's sizes are within bounds.
//!
//! Decoders allocate what a length field says. This walk allocates nothing, so that a lying field costs a sentence.

use crate::radiograph::MAX_SIDE;

/// Deepest nesting of sequences that is followed.
const MAX_DEPTH: usize = 32;

/// Most frames of one file.
const MAX_FRAMES: u32 = 10_000;

const UNDEFINED: u32 = u32::MAX;

const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const RLE: &str = "1.2.840.10008.1.2.5";

/// PS3.5, 7.1.2: these representations have 16 bits of length, all others two reserved bytes and 32 bits.
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
];

const PIXEL_DATA: u32 = 0x7FE0_0010;
const ITEM: u32 = 0xFFFE_E000;
const ITEM_END: u32 = 0xFFFE_E00D;
const SEQUENCE_END: u32 = 0xFFFE_E0DD;

/// What the walk learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bones {
    /// Columns of a frame.
    pub columns: u16,
    /// Rows of a frame.
    pub rows: u16,
    /// Frames, 1 when not stated.
    pub frames: u32,
    /// Bits of memory for a sample.
    pub bits: u16,
    /// Samples of a pixel, 1 when not stated.
    pub samples: u16,
    /// Whether the walk came to the pixels.
    pub pixels: bool,
}

/// How far a walk could see.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The bytes at hand end before the pixels begin, though the file goes on: look again with all of it.
    NeedsMore,
    /// The file is not a DICOM file that can be read.
    Bad(String),
}

/// Walks the first bytes of a file of `total` bytes, up to and with its pixel data.
pub fn examine(bytes: &[u8], total: u64) -> Result<Bones, Stop> {
    let bad = |text: &str| Stop::Bad(text.to_owned());
    if bytes.get(128..132) != Some(b"DICM") {
        return Err(bad("is not a DICOM file (the letters DICM are missing)"));
    }
    let mut walk = Walk { bytes, total, at: 132, implicit: false, big: false, rle: false, bones: Bones::default() };
    let mut syntax = String::new();
    let mut meta_end = None;
    // The file meta group is explicit little-endian whatever follows.
    while walk.bytes.get(walk.at..walk.at + 2) == Some(&[2, 0]) {
        let (tag, _, length) = walk.header()?;
        let start = walk.at;
        walk.pass(length)?;
        if let (None, 0x0002_0000, Some(&[a, b, c, d])) = (meta_end, tag, bytes.get(start..start + 4)) {
            meta_end = Some(walk.at as u64 + u64::from(u32::from_le_bytes([a, b, c, d])));
        }
        if tag == 0x0002_0010 {
            let text = String::from_utf8_lossy(&bytes[start..walk.at]);
            text.trim_end_matches(['\0', ' ']).clone_into(&mut syntax);
        }
    }
    if meta_end != Some(walk.at as u64) {
        return Err(bad("has a file meta group whose stated length is wrong"));
    }
    match syntax.as_str() {
        "" => return Err(bad("states no transfer syntax")),
        DEFLATED => return Err(bad("is deflated as a whole, which is not read")),
        IMPLICIT => walk.implicit = true,
        BIG_ENDIAN => walk.big = true,
        RLE => walk.rle = true,
        _ => {}
    }
    walk.data_set(None, 0)?;
    let mut bones = walk.bones;
    bones.frames = bones.frames.max(1);
    bones.samples = bones.samples.max(1);
    Ok(bones)
}

/// Checks the sizes of an image: sides, frames, bits and channels that this program can hold.
pub fn check(bones: &Bones) -> Result<(), String> {
    let (columns, rows) = (usize::from(bones.columns), usize::from(bones.rows));
    let sides = 1..=MAX_SIDE;
    if !bones.pixels {
        return Err("holds no pixels".into());
    }
    if !sides.contains(&columns) || !sides.contains(&rows) {
        return Err(format!("states an image of {columns} x {rows}; sides must be 1 to {MAX_SIDE}"));
    }
    if bones.frames > MAX_FRAMES {
        return Err(format!("states {} frames, more than the {MAX_FRAMES} allowed", bones.frames));
    }
    if !matches!(bones.bits, 8 | 16 | 32) || !matches!(bones.samples, 1 | 3) {
        return Err(format!("has {} bits and {} samples a pixel, which is not read", bones.bits, bones.samples));
    }
    Ok(())
}

struct Walk<'a> {
    bytes: &'a [u8],
    total: u64,
    at: usize,
    implicit: bool,
    big: bool,
    rle: bool,
    bones: Bones,
}

impl Walk<'_> {
    /// `N` bytes from here.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let end = self.at + N;
        match self.bytes.get(self.at..end) {
            Some(found) => {
                self.at = end;
                Ok(found.try_into().unwrap_or([0; N]))
            }
            None if end as u64 > self.total => {
                Err(Stop::Bad(format!("ends at byte {}, within an element", self.total)))
            }
            None => Err(Stop::NeedsMore),
        }
    }

    fn word(&mut self) -> Result<u16, Stop> {
        let bytes = self.take()?;
        Ok(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&mut self) -> Result<u32, Stop> {
        let bytes = self.take()?;
        Ok(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Tag, value representation and length of the element here.
    fn header(&mut self) -> Result<(u32, [u8; 2], u32), Stop> {
        let tag = u32::from(self.word()?) << 16 | u32::from(self.word()?);
        if self.implicit || tag >> 16 == 0xFFFE {
            return Ok((tag, *b"--", self.long()?));
        }
        let representation = self.take::<2>()?;
        let length = if SHORT.contains(&&representation) {
            u32::from(self.word()?)
        } else {
            self.take::<2>()?;
            self.long()?
        };
        Ok((tag, representation, length))
    }

    /// Steps over a value of a stated length.
    fn pass(&mut self, length: u32) -> Result<(), Stop> {
        let end = self.at as u64 + u64::from(length);
        if end > self.total {
            let problem = format!("states {length} bytes at byte {}, beyond its end at {}", self.at, self.total);
            return Err(Stop::Bad(problem));
        }
        if end > self.bytes.len() as u64 {
            return Err(Stop::NeedsMore);
        }
        self.at = end as usize;
        Ok(())
    }

    /// Elements until `end`, or until the item's end mark, or the end of the file. True when the pixels were reached.
    fn data_set(&mut self, end: Option<usize>, depth: usize) -> Result<bool, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Bad(format!("nests its sequences more than {MAX_DEPTH} deep")));
        }
        while end.map_or((self.at as u64) < self.total, |end| self.at < end) {
            let (tag, representation, length) = self.header()?;
            if tag == ITEM_END {
                return self.stopped_at(end).map(|()| false);
            }
            if tag == PIXEL_DATA && depth == 0 {
                self.bones.pixels = true;
                if length == UNDEFINED {
                    self.fragments(true)?;
                } else {
                    self.pixels_inside(length)?;
                }
                return Ok(true);
            }
            if tag == PIXEL_DATA && length == UNDEFINED {
                // An icon, compressed.
                self.fragments(false)?;
            } else if &representation == b"SQ" || (self.implicit && self.begins_item(length)) {
                self.sequence(length, depth)?;
            } else if &representation == b"UN" && length == UNDEFINED {
                // PS3.5, 6.2.2: a sequence of unknown representation is written implicitly.
                let explicit = !std::mem::replace(&mut self.implicit, true);
                self.sequence(length, depth)?;
                self.implicit = !explicit;
            } else if length == UNDEFINED {
                return Err(Stop::Bad(format!("element {tag:08X} has no length and is no sequence")));
            } else {
                let start = self.at;
                self.pass(length)?;
                if depth == 0 {
                    self.note(tag, start);
                }
            }
        }
        self.stopped_at(end).map(|()| false)
    }

    /// Nothing may reach beyond the item or sequence it lies in: a decoder that goes by the outer length would then read on
    /// in the middle of something.
    fn stopped_at(&self, end: Option<usize>) -> Result<(), Stop> {
        match end {
            Some(end) if self.at != end => {
                Err(Stop::Bad(format!("has an element that reaches beyond its item at byte {end}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a value of unstated representation is a sequence: it has no length, or begins with an item.
    fn begins_item(&self, length: u32) -> bool {
        length == UNDEFINED || (length >= 8 && self.bytes.get(self.at..self.at + 4) == Some(&[0xFE, 0xFF, 0x00, 0xE0]))
    }

    fn sequence(&mut self, length: u32, depth: usize) -> Result<(), Stop> {
        let end = if length == UNDEFINED {
            None
        } else {
            let start = self.at;
            self.pass(length)?;
            Some(std::mem::replace(&mut self.at, start))
        };
        while end.is_none_or(|end| self.at < end) {
            let (tag, _, length) = self.header()?;
            match tag {
                SEQUENCE_END => return self.stopped_at(end),
                ITEM if length == UNDEFINED => {
                    self.data_set(None, depth + 1)?;
                }
                ITEM => {
                    let start = self.at;
                    self.pass(length)?;
                    let stop = std::mem::replace(&mut self.at, start);
                    self.data_set(Some(stop), depth + 1)?;
                }
                _ => return Err(Stop::Bad(format!("has element {tag:08X} where a sequence's item should be"))),
            }
        }
        self.stopped_at(end)
    }

    /// Native pixels need only lie inside the file; they are not stepped over.
    fn pixels_inside(&mut self, length: u32) -> Result<(), Stop> {
        if self.at as u64 + u64::from(length) > self.total {
            return Err(Stop::Bad(format!("states {length} bytes of pixels and ends before them")));
        }
        Ok(())
    }

    /// Encapsulated pixels: every fragment lies inside the file, and an RLE fragment has a plausible header.
    ///
    /// With `part`, it is enough when the fragments in the bytes at hand are sound: the pixels have begun, and are looked
    /// at again when the whole file is.
    fn fragments(&mut self, part: bool) -> Result<(), Stop> {
        let mut first = true;
        loop {
            let (tag, _, length) = match self.header() {
                Err(Stop::NeedsMore) if part => return Ok(()),
                other => other?,
            };
            if tag == SEQUENCE_END {
                return Ok(());
            }
            if tag != ITEM || length == UNDEFINED {
                return Err(Stop::Bad("has damaged pixel fragments".into()));
            }
            let start = self.at;
            match self.pass(length) {
                Err(Stop::NeedsMore) if part => return Ok(()),
                other => other?,
            }
            // The first item is the table of offsets. An RLE header is 64 bytes: a count of segments, at most 15, and
            // their offsets.
            if self.rle && !first {
                let count: Option<[u8; 4]> = self.bytes.get(start..start + 4).and_then(|b| b.try_into().ok());
                if length < 64 || count.map_or(u32::MAX, u32::from_le_bytes) > 15 {
                    return Err(Stop::Bad("has an RLE frame without a valid header".into()));
                }
            }
            first = false;
        }
    }

    /// Keeps the sizes of the image.
    fn note(&mut self, tag: u32, start: usize) {
        let value = &self.bytes[start..self.at];
        let word = || {
            let bytes = value.get(..2).and_then(|b| b.try_into().ok()).unwrap_or([0; 2]);
            if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        match tag {
            0x0028_0002 => self.bones.samples = word(),
            0x0028_0010 => self.bones.rows = word(),
            0x0028_0011 => self.bones.columns = word(),
            0x0028_0100 => self.bones.bits = word(),
            0x0028_0008 => {
                let text = String::from_utf8_lossy(value);
                self.bones.frames = text.trim_matches(['\0', ' ']).parse().unwrap_or(u32::MAX);
            }
            _ => {}
        }
    }
}
