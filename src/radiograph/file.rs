//! PNG files of 8 and 16 bits, with text that travels in them.

use std::io::Cursor;

use super::{MAX_SIDE, Meaning, Radiograph, RadiographError, Window};

/// Keyword and text of one PNG text chunk (international text, so any UTF-8).
pub type PngText = (String, String);

/// The whole range `low..=high` as a 16-bit PNG.
///
/// # Errors
/// [`RadiographError::Png`] when a text keyword is not 1 to 79 Latin-1 characters.
pub fn encode_png16(image: &Radiograph, low: f32, high: f32, text: &[PngText]) -> Result<Vec<u8>, RadiographError> {
    let scale = f32::from(u16::MAX) / (high - low).max(f32::EPSILON);
    let samples: Vec<u8> = image
        .pixels()
        .iter()
        .flat_map(|v| (((v - low) * scale).round().clamp(0.0, f32::from(u16::MAX)) as u16).to_be_bytes())
        .collect();
    encode(image.width(), image.height(), png::BitDepth::Sixteen, &samples, text)
}

/// The image as seen through `window`, 8 bits.
///
/// # Errors
/// As [`encode_png16`].
pub fn encode_window8(image: &Radiograph, window: Window, text: &[PngText]) -> Result<Vec<u8>, RadiographError> {
    let grey: Vec<u8> = image.pixels().iter().map(|&v| (window.apply(v) * 255.0).round() as u8).collect();
    encode_png8(image.width(), image.height(), &grey, text)
}

/// Grey bytes, row by row, as an 8-bit PNG.
///
/// # Errors
/// As [`encode_png16`]; also when `grey` is not `width * height` bytes.
pub fn encode_png8(width: usize, height: usize, grey: &[u8], text: &[PngText]) -> Result<Vec<u8>, RadiographError> {
    encode(width, height, png::BitDepth::Eight, grey, text)
}

fn encode(
    width: usize,
    height: usize,
    depth: png::BitDepth,
    samples: &[u8],
    text: &[PngText],
) -> Result<Vec<u8>, RadiographError> {
    let failed = |error: png::EncodingError| RadiographError::Png(error.to_string());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    for (keyword, content) in text {
        encoder.add_itxt_chunk(keyword.clone(), content.clone()).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(samples).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// A PNG of any colour type as density 0 to 1 (luminance), with its text chunks.
///
/// # Errors
/// [`RadiographError`] when the bytes are not a PNG, or one larger than [`MAX_SIDE`] on a side.
pub fn decode_png(bytes: &[u8]) -> Result<(Radiograph, Vec<PngText>), RadiographError> {
    let failed = |error: png::DecodingError| RadiographError::Png(error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(RadiographError::Shape { width, height, pixels: 0 });
    }
    let size = reader.output_buffer_size().ok_or(RadiographError::Shape { width, height, pixels: 0 })?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(failed)?;
    reader.finish().map_err(failed)?;
    let info = reader.info();
    let mut text: Vec<PngText> = Vec::new();
    text.extend(info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.clone(), chunk.text.clone())));
    for chunk in &info.compressed_latin1_text {
        text.push((chunk.keyword.clone(), chunk.get_text().map_err(failed)?));
    }
    for chunk in &info.utf8_text {
        text.push((chunk.keyword.clone(), chunk.get_text().map_err(failed)?));
    }
    let channels = frame.color_type.samples();
    let values: Vec<f32> = match frame.bit_depth {
        png::BitDepth::Sixteen => buffer[..frame.buffer_size()]
            .chunks_exact(2)
            .map(|pair| f32::from(u16::from_be_bytes([pair[0], pair[1]])) / f32::from(u16::MAX))
            .collect(),
        _ => buffer[..frame.buffer_size()].iter().map(|&v| f32::from(v) / 255.0).collect(),
    };
    let pixels = values.chunks_exact(channels).map(luminance).collect();
    Ok((Radiograph::new(width, height, pixels, Meaning::Density)?, text))
}

/// Luminance of one pixel's samples (ITU-R BT.601 for colour); alpha is ignored.
fn luminance(samples: &[f32]) -> f32 {
    match *samples {
        [grey] | [grey, _] => grey,
        [r, g, b, ..] => 0.299 * r + 0.587 * g + 0.114 * b,
        [] => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_and_text_survive_the_round_trip() {
        let pixels: Vec<f32> = (0..35).map(|i| i as f32 / 34.0).collect();
        let image = Radiograph::new(7, 5, pixels, Meaning::Density).unwrap();
        let text = vec![("recipe".to_owned(), "finding=Épanchement 0.5".to_owned())];
        let bytes = encode_png16(&image, 0.0, 1.0, &text).unwrap();
        let (back, read) = decode_png(&bytes).unwrap();
        assert_eq!(read, text);
        let worst = image.pixels().iter().zip(back.pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 0.5 / 65535.0 + 1e-7, "{worst}");
    }

    #[test]
    fn damaged_files_are_errors_not_panics() {
        let image = Radiograph::new(4, 4, vec![0.5; 16], Meaning::Density).unwrap();
        let good = encode_png16(&image, 0.0, 1.0, &[]).unwrap();
        for cut in 0..good.len() - 12 {
            assert!(decode_png(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut giant = good;
        giant[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        assert!(decode_png(&giant).is_err());
    }
}
