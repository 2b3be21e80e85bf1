//! A drawing as pixels.

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};
use tiny_skia::{
    Color, FillRule, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, StrokeDash, Transform,
};

use super::drawing::{Anchor, Drawing, Pen, Shape};

/// Pixels for each unit of the drawing: 300 to the inch where the figure is 7.6 inches wide.
const SCALE: f32 = 3.0;

impl Drawing {
    /// The drawing as a PNG, its text set in the face `font` (the bytes of a TrueType file).
    ///
    /// # Errors
    /// A sentence, when the face cannot be read or the picture cannot be encoded.
    pub fn png(&self, font: &[u8]) -> Result<Vec<u8>, String> {
        let font = FontRef::try_from_slice(font).map_err(|e| format!("the face of figures cannot be read: {e}"))?;
        let picture = paint(self, &font).ok_or("the figure has no size")?;
        let (width, height) = (picture.width(), picture.height());
        // The paper covers everything, so that no pixel is transparent.
        let pixels = picture.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        let image =
            image::RgbImage::from_raw(width, height, pixels).ok_or("the picture has another size than its pixels")?;
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|error| error.to_string())?;
        Ok(bytes.into_inner())
    }
}

fn paint(drawing: &Drawing, font: &FontRef<'_>) -> Option<Pixmap> {
    let side = |length: f64| (length as f32 * SCALE).ceil() as u32;
    let mut picture = Pixmap::new(side(drawing.size.0), side(drawing.size.1))?;
    picture.fill(color(drawing.ground));
    for shape in &drawing.shapes {
        match shape {
            Shape::Path { points, closed, fill, pen } => {
                if let Some(path) = path(points, *closed) {
                    shade(&mut picture, &path, *fill, *pen);
                }
            }
            Shape::Disc { at: (x, y), radius, fill, pen } => {
                if let Some(path) = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32) {
                    shade(&mut picture, &path, fill.map(|color| (color, 1.0)), *pen);
                }
            }
            Shape::Text { at, anchor, size, color: ink, upwards, words } => {
                write(&mut picture, font, (*at, *anchor, *upwards), *size as f32, color(ink), words);
            }
        }
    }
    Some(picture)
}

/// A colour written as `#RRGGBB`; black where it is not.
fn color(text: &str) -> Color {
    let number = u32::from_str_radix(text.trim_start_matches('#'), 16).unwrap_or(0);
    let [_, r, g, b] = number.to_be_bytes();
    Color::from_rgba8(r, g, b, 255)
}

fn path(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0 as f32, first.1 as f32);
    rest.iter().for_each(|(x, y)| builder.line_to(*x as f32, *y as f32));
    if closed {
        builder.close();
    }
    builder.finish()
}

fn shade(picture: &mut Pixmap, path: &Path, fill: Option<(&str, f64)>, pen: Option<Pen>) {
    let all = Transform::from_scale(SCALE, SCALE);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    if let Some((ink, opacity)) = fill {
        let mut ink = color(ink);
        ink.set_alpha(opacity as f32);
        paint.set_color(ink);
        picture.fill_path(path, &paint, FillRule::Winding, all, None);
    }
    if let Some(Pen { color: ink, width, dash }) = pen {
        paint.set_color(color(ink));
        let lengths = dash.iter().map(|&length| length as f32).collect::<Vec<_>>();
        let dash = if lengths.is_empty() { None } else { StrokeDash::new(lengths, 0.0) };
        picture.stroke_path(path, &paint, &Stroke { width: width as f32, dash, ..Stroke::default() }, all, None);
    }
}

/// Sets words, glyph by glyph with their kerning.
fn write(
    picture: &mut Pixmap,
    font: &FontRef<'_>,
    (at, anchor, upwards): ((f64, f64), Anchor, bool),
    size: f32,
    ink: Color,
    words: &str,
) {
    // The size of a face is that of its em; the drawing library counts from the lowest descent to the highest ascent.
    let em = font.units_per_em().unwrap_or(2048.0);
    let scale = PxScale::from(size * SCALE * font.height_unscaled() / em);
    let scaled = font.as_scaled(scale);
    let (mut glyphs, mut end): (Vec<Glyph>, f32) = (Vec::new(), 0.0);
    for letter in words.chars() {
        let id = scaled.glyph_id(letter);
        end += glyphs.last().map_or(0.0, |before| scaled.kern(before.id, id));
        glyphs.push(id.with_scale_and_position(scale, point(end, 0.0)));
        end += scaled.h_advance(id);
    }
    let begin = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * end,
        Anchor::End => -end,
    };
    let (x, y) = (at.0 as f32 * SCALE, at.1 as f32 * SCALE);
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    for glyph in glyphs {
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let corner = outline.px_bounds().min;
        outline.draw(|column, row, cover| {
            let along = begin + corner.x + column as f32;
            let across = corner.y + row as f32;
            let (px, py) = if upwards { (x + across, y - along) } else { (x + along, y + across) };
            let (px, py) = (px.round() as i32, py.round() as i32);
            if (0..width).contains(&px) && (0..height).contains(&py) {
                let place = (py * width + px) as usize;
                let pixel = &mut picture.pixels_mut()[place];
                *pixel = blend(*pixel, ink, cover.clamp(0.0, 1.0));
            }
        });
    }
}

/// `ink` laid over an opaque pixel.
fn blend(below: PremultipliedColorU8, ink: Color, cover: f32) -> PremultipliedColorU8 {
    let mix = |old: u8, new: f32| (f32::from(old) * (1.0 - cover) + new * 255.0 * cover).round() as u8;
    let (r, g, b) = (mix(below.red(), ink.red()), mix(below.green(), ink.green()), mix(below.blue(), ink.blue()));
    PremultipliedColorU8::from_rgba(r, g, b, 255).unwrap_or(below)
}

#[cfg(test)]
mod tests {
    use super::super::drawing::PAPER;
    use super::super::{Choice, Figure};
    use super::*;
    use crate::benchmark::result::example;

    const FONT: &[u8] = include_bytes!("../../../assets/fonts/Roboto-Regular.ttf");

    #[test]
    fn signs_lines_and_words_stand_where_the_drawing_says() {
        let figure = Figure::of(&example::result(), &Choice::default());
        let drawing = figure.drawing(&PAPER);
        let bytes = drawing.png(FONT).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(
            (f64::from(picture.width()), f64::from(picture.height())),
            (drawing.size.0 * 3.0, drawing.size.1 * 3.0)
        );
        let ink = |x: f64, y: f64| picture.get_pixel((x * 3.0) as u32, (y * 3.0) as u32).0;
        // The middle of every disc and square has its colour.
        for shape in &drawing.shapes {
            match shape {
                Shape::Disc { at: (x, y), fill: Some(color), .. } => {
                    let [r, g, b] = ink(*x, *y);
                    assert_eq!(format!("#{r:02X}{g:02X}{b:02X}"), *color);
                }
                Shape::Path { points, fill: Some((color, 1.0)), .. } => {
                    let middle = |of: fn(&(f64, f64)) -> f64| f64::midpoint(of(&points[0]), of(&points[2]));
                    let (x, y) = (middle(|p| p.0), middle(|p| p.1));
                    let [r, g, b] = ink(x, y);
                    assert_eq!(format!("#{r:02X}{g:02X}{b:02X}"), *color);
                }
                _ => {}
            }
        }
        // Words: dark pixels in the title's line, from its place on, and in the upright label's column alone.
        let dark = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            let all = y.flat_map(|y| x.clone().map(move |x| (x, y)));
            all.filter(|&(x, y)| picture.get_pixel(x, y).0[0] < 140).count()
        };
        assert!(dark(64 * 3..200 * 3, 10 * 3..26 * 3) > 300);
        assert_eq!(dark(0..60 * 3, 0..30 * 3), 0);
        assert!(dark(4 * 3..20 * 3, 100 * 3..350 * 3) > 300);
        assert!(drawing.png(b"no face").unwrap_err().contains("cannot be read"));
    }
}
