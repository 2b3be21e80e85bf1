//! PNG, JPEG and TIFF of 8 or 16 bits as radiographic density.

use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;

use image::{DynamicImage, ImageReader, Limits};

use super::ReadError;
use crate::radiograph::{MAX_SIDE, Meaning, Radiograph};

/// Memory a decoder may take: the largest accepted side squared, 16 bits, four channels.
const MAX_DECODE_BYTES: u64 = (MAX_SIDE * MAX_SIDE * 8) as u64;

const REMEDY: &str = "save it as a grey PNG, JPEG or TIFF of 8 or 16 bits, at most 8192 pixels a side";

/// Decodes a picture by its content, whatever its name. Black is 0, white 1; colour becomes luminance (BT.601, as
/// label-set authors convert it), transparency is ignored.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Radiograph, ReadError> {
    // A decoder of foreign files that panics must cost one film, not the import.
    match catch_unwind(|| read(bytes)) {
        Ok(result) => result.map_err(|problem| ReadError::new(path, problem, REMEDY)),
        Err(_) => Err(ReadError::new(path, "is damaged in a way its decoder cannot handle", REMEDY)),
    }
}

fn read(bytes: &[u8]) -> Result<Radiograph, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("is not a readable picture ({error})");
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| unreadable(&error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| unreadable(&error))?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let byte = |v: u8| f32::from(v) / 255.0;
    let word = |v: u16| f32::from(v) / 65535.0;
    let pixels: Vec<f32> = match &picture {
        DynamicImage::ImageLuma8(p) => p.pixels().map(|p| byte(p.0[0])).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().map(|p| byte(p.0[0])).collect(),
        DynamicImage::ImageRgb8(p) => p.pixels().map(|p| luminance(p.0.map(byte))).collect(),
        DynamicImage::ImageRgba8(p) => p.pixels().map(|p| luminance([p.0[0], p.0[1], p.0[2]].map(byte))).collect(),
        DynamicImage::ImageLuma16(p) => p.pixels().map(|p| word(p.0[0])).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().map(|p| word(p.0[0])).collect(),
        DynamicImage::ImageRgb16(p) => p.pixels().map(|p| luminance(p.0.map(word))).collect(),
        DynamicImage::ImageRgba16(p) => p.pixels().map(|p| luminance([p.0[0], p.0[1], p.0[2]].map(word))).collect(),
        _ => return Err("holds floating-point pixels, whose black and white are not known".into()),
    };
    Radiograph::new(width, height, pixels, Meaning::Density).map_err(|error| error.to_string())
}

/// Luminance of red, green and blue (ITU-R BT.601).
pub fn luminance([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}
