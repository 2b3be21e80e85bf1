//! The size that a JPEG or JPEG 2000 stream states, read without decoding it.

/// Columns and rows a compressed picture states; `None` when it is neither JPEG nor JPEG 2000, or states none.
pub fn stated_size(stream: &[u8]) -> Option<(usize, usize)> {
    match stream {
        [0xFF, 0xD8, ..] => jpeg(stream),
        [0xFF, 0x4F, 0xFF, 0x51, ..] => codestream(stream),
        // A JP2 file: the codestream begins somewhere behind its boxes.
        [0, 0, 0, 12, b'j', b'P', ..] => {
            let at = stream.windows(4).position(|bytes| bytes == [0xFF, 0x4F, 0xFF, 0x51])?;
            codestream(&stream[at..])
        }
        _ => None,
    }
}

/// Whether bytes begin as a JPEG or JPEG 2000 picture does.
pub fn begins(stream: &[u8]) -> bool {
    matches!(stream, [0xFF, 0xD8 | 0x4F, ..] | [0, 0, 0, 12, b'j', b'P', ..])
}

/// The frame header of a JPEG: markers are followed until one of the SOF kind.
fn jpeg(stream: &[u8]) -> Option<(usize, usize)> {
    let word = |at: usize| Some(usize::from(u16::from_be_bytes(stream.get(at..at + 2)?.try_into().ok()?)));
    let mut at = 2;
    loop {
        match (*stream.get(at)?, *stream.get(at + 1)?) {
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0xC4 | 0xC8 | 0xCC | 0xDA..=0xFE) => at += 2 + word(at + 2)?,
            (0xFF, 0xC0..=0xCF) => return Some((word(at + 7)?, word(at + 5)?)),
            (0xFF, _) => at += 2,
            _ => return None,
        }
    }
}

/// The SIZ marker of a JPEG 2000 codestream, which comes second.
fn codestream(stream: &[u8]) -> Option<(usize, usize)> {
    let long = |at: usize| Some(u32::from_be_bytes(stream.get(at..at + 4)?.try_into().ok()?) as usize);
    Some((long(8)?.checked_sub(long(16)?)?, long(12)?.checked_sub(long(20)?)?))
}
