//! Event files that TensorBoard reads: figures as scalars, sample grids as images.
//!
//! The format is TensorFlow's record file (length, checksum of the length, payload, checksum of the payload) of protocol
//! buffer messages `tensorflow.Event`, of which five fields are needed. Written by hand: the framing and the fields take
//! fewer lines than a crate's dependencies.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::events::Event;
use crate::store::{self, StoreError};

/// One event file, open for appending.
pub struct Board {
    path: PathBuf,
    file: File,
}

impl Board {
    /// Begins a new file in `folder`; TensorBoard joins the files of a folder to one run.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create(folder: &Path) -> Result<Self, StoreError> {
        store::make_folder(folder)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!(
            "events.out.tfevents.{:010}.negatoscope.{}.{:09}",
            now.as_secs(),
            std::process::id(),
            now.subsec_nanos()
        );
        let path = folder.join(name);
        let opened = store::permit().and_then(|()| OpenOptions::new().append(true).create_new(true).open(&path));
        let file = opened.map_err(|source| StoreError::Write { path: path.clone(), source })?;
        let mut board = Self { path, file };
        let mut version = Message::default();
        version.double(1, seconds());
        version.bytes(3, b"brain.Event:2");
        board.append(&version.0)?;
        Ok(board)
    }

    /// Writes what TensorBoard can show of an event; files of samples are read from `root`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn hear(&mut self, event: &Event, root: &Path) -> Result<(), StoreError> {
        match event {
            Event::Step(now) => self.scalars(
                now.step,
                &[
                    ("loss/critic", f64::from(now.critic_loss)),
                    ("loss/generator", f64::from(now.generator_loss)),
                    ("loss/penalty", f64::from(now.penalty)),
                    ("score/real", f64::from(now.real_score)),
                    ("score/fake", f64::from(now.fake_score)),
                    ("gradient/critic", f64::from(now.critic_gradient)),
                    ("gradient/generator", f64::from(now.generator_gradient)),
                    ("progress/kimg", now.kimg),
                    ("progress/side", now.side as f64),
                    ("progress/images_per_second", now.images_per_second),
                    ("progress/skipped", now.skipped as f64),
                ],
            ),
            Event::Quality(now) => {
                let mut scalars =
                    vec![("quality/fid", now.fid), ("quality/kid", now.kid), ("quality/count", now.count as f64)];
                let more = [
                    ("quality/precision", now.precision),
                    ("quality/recall", now.recall),
                    ("quality/density", now.density),
                    ("quality/coverage", now.coverage),
                    ("quality/nearest_percentile", now.nearest_percentile),
                    ("quality/nearest_hundredth", now.nearest_hundredth),
                ];
                scalars.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
                if !now.second {
                    return self.scalars(now.step, &scalars);
                }
                // As in a model's card: the other encoder's name behind the figure's.
                let named = |(name, value)| (format!("{name}_{}", now.encoder), value);
                self.scalars(now.step, &scalars.into_iter().map(named).collect::<Vec<_>>())
            }
            Event::Sample { step, file, .. } => {
                let path = root.join(file);
                let png = std::fs::read(&path).map_err(|source| StoreError::Read { path, source })?;
                self.image(*step, "samples", &png)
            }
            _ => Ok(()),
        }
    }

    fn scalars(&mut self, step: u64, values: &[(impl AsRef<str>, f64)]) -> Result<(), StoreError> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut entry = Message::default();
            entry.bytes(1, tag.as_ref().as_bytes());
            entry.float(2, *value as f32);
            summary.bytes(1, &entry.0);
        }
        self.event(step, &summary)
    }

    fn image(&mut self, step: u64, tag: &str, png: &[u8]) -> Result<(), StoreError> {
        // Width and height stand in the first chunk of every PNG.
        let number = |at: usize| png.get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let mut image = Message::default();
        image.number(1, number(20).into());
        image.number(2, number(16).into());
        image.number(3, 1);
        image.bytes(4, png);
        let mut entry = Message::default();
        entry.bytes(1, tag.as_bytes());
        entry.bytes(4, &image.0);
        let mut summary = Message::default();
        summary.bytes(1, &entry.0);
        self.event(step, &summary)
    }

    fn event(&mut self, step: u64, summary: &Message) -> Result<(), StoreError> {
        let mut event = Message::default();
        event.double(1, seconds());
        event.number(2, step);
        event.bytes(5, &summary.0);
        self.append(&event.0)
    }

    /// One record in a single write.
    fn append(&mut self, payload: &[u8]) -> Result<(), StoreError> {
        let length = (payload.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(payload.len() + 16);
        record.extend(length);
        record.extend(masked(&length).to_le_bytes());
        record.extend(payload);
        record.extend(masked(payload).to_le_bytes());
        let written = store::permit().and_then(|()| self.file.write_all(&record));
        written.map_err(|source| StoreError::Write { path: self.path.clone(), source })
    }
}

/// Seconds since 1970, UTC.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// A protocol buffer message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }
}

/// The record file's checksum: CRC-32C, turned and shifted so that a checksum of checksums is no fixed point.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 of the Castagnoli polynomial, bits reversed.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut value, mut bit) = (i as u32, 0);
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0x82f6_3b78 } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 0xff) as usize] ^ crc >> 8)
}

#[cfg(test)]
mod tests {
    //! TensorBoard itself reads a whole run's files in `tests/tensorboard.rs`.

    use super::*;
    use crate::training::events::{Figures, Quality};

    #[test]
    fn the_checksum_is_the_standards() {
        // RFC 3720, B.4: 32 bytes of zeros, of ones, and ascending; and the usual check string.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// Payloads of a record file; both checksums must be right.
    fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let checksum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(checksum(8), masked(&bytes[..8]));
            let payload = bytes[12..12 + length].to_vec();
            assert_eq!(checksum(12 + length), masked(&payload));
            found.push(payload);
            bytes = &bytes[16 + length..];
        }
        found
    }

    /// Fields of a message: number, and bytes as they stand (of a number: its varint as little-endian bytes).
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..64).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let length = match key & 7 {
                0 => {
                    let value = varint(&mut bytes);
                    found.push((key >> 3, value.to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                5 => 4,
                _ => varint(&mut bytes) as usize,
            };
            found.push((key >> 3, bytes[..length].to_vec()));
            bytes = &bytes[length..];
        }
        found
    }

    fn field(message: &[u8], number: u64) -> Vec<u8> {
        fields(message).into_iter().find(|(field, _)| *field == number).map(|(_, bytes)| bytes).unwrap()
    }

    #[test]
    fn figures_quality_and_grids_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let png = crate::radiograph::encode_png8(3, 2, &[0, 50, 100, 150, 200, 250], &[]).unwrap();
        std::fs::write(root.join("grid.png"), &png).unwrap();
        let mut board = Board::create(&root.join("tensorboard")).unwrap();
        let step = Figures { step: 300, critic_loss: -1.25, images_per_second: 40.0, ..Figures::default() };
        board.hear(&Event::Step(step), root).unwrap();
        board.hear(&Event::Quality(Quality { step: 301, fid: 12.5, ..Quality::default() }), root).unwrap();
        let second = Quality { step: 301, fid: 80.0, encoder: "b".to_owned(), second: true, ..Quality::default() };
        board.hear(&Event::Quality(second), root).unwrap();
        board.hear(&Event::Sample { step: 302, kimg: 1.0, file: "grid.png".into() }, root).unwrap();
        board.hear(&Event::Notice { text: "nothing to show".to_owned() }, root).unwrap();

        let records = records(&std::fs::read(&board.path).unwrap());
        assert_eq!(records.len(), 5);
        assert_eq!(field(&records[0], 3), b"brain.Event:2");
        let now = f64::from_le_bytes(field(&records[1], 1).try_into().unwrap());
        assert!((seconds() - now).abs() < 600.0);
        let steps: Vec<u64> =
            records[1..].iter().map(|r| u64::from_le_bytes(field(r, 2).try_into().unwrap())).collect();
        assert_eq!(steps, [300, 301, 301, 302]);
        let scalar = |record: &[u8], tag: &str| {
            let values = fields(&field(record, 5));
            let value = values.iter().find(|(_, value)| field(value, 1) == tag.as_bytes());
            f32::from_le_bytes(field(&value.unwrap().1, 2).try_into().unwrap())
        };
        assert_eq!(scalar(&records[1], "loss/critic"), -1.25);
        assert_eq!(scalar(&records[1], "progress/images_per_second"), 40.0);
        assert_eq!(scalar(&records[2], "quality/fid"), 12.5);
        assert_eq!((scalar(&records[3], "quality/fid_b"), scalar(&records[3], "quality/count_b")), (80.0, 0.0));
        let image = field(&field(&field(&records[4], 5), 1), 4);
        let number = |field_number| u64::from_le_bytes(field(&image, field_number).try_into().unwrap());
        assert_eq!((number(1), number(2), number(3), field(&image, 4)), (2, 3, 1, png));
    }
}
