//! A figure as shapes on paper: lines, discs, texts, in their order from back to front.

use super::{Figure, Ink, Mark, Series, short};

/// Colours of a drawn figure.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Ground.
    pub ground: &'static str,
    /// Text and axes.
    pub text: &'static str,
    /// Dim text and grid.
    pub dim: &'static str,
    /// Grid lines.
    pub grid: &'static str,
    /// Real.
    pub real: &'static str,
    /// cpD-GAN.
    pub cpd: &'static str,
    /// prog-GAN.
    pub prog: &'static str,
    /// Published values.
    pub published: &'static str,
}

/// Colours on white paper.
pub const PAPER: Palette = Palette {
    ground: "#FFFFFF",
    text: "#1B232B",
    dim: "#5B6875",
    grid: "#E3E8ED",
    real: "#0F6E86",
    cpd: "#9A6A00",
    prog: "#B5851A",
    published: "#8A949E",
};

impl Palette {
    /// The colour of a curve.
    pub fn ink(&self, ink: Ink) -> &'static str {
        match ink {
            Ink::Real => self.real,
            Ink::Cpd => self.cpd,
            Ink::Prog => self.prog,
            Ink::Published => self.published,
        }
    }
}

/// Width of a drawn figure in its own unit.
pub const WIDTH: f64 = 760.0;
/// Height of a drawn figure without its legend.
pub const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
const LEGEND_LINE: f64 = 20.0;

/// A line's colour and breadth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// Colour, `#RRGGBB`.
    pub color: &'static str,
    /// Breadth.
    pub width: f64,
    /// Lengths of dash and gap; empty for a whole line.
    pub dash: &'static [f64],
}

/// Where a text stands about its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// One thing on the paper. Places count from the upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Straight lines from point to point.
    Path {
        /// The points.
        points: Vec<(f64, f64)>,
        /// Whether the last is joined to the first.
        closed: bool,
        /// Colour and opacity of what lies inside.
        fill: Option<(&'static str, f64)>,
        /// The line itself.
        pen: Option<Pen>,
    },
    /// A disc or a ring.
    Disc {
        /// Its middle.
        at: (f64, f64),
        /// Its radius.
        radius: f64,
        /// Colour of the disc.
        fill: Option<&'static str>,
        /// Line of the ring.
        pen: Option<Pen>,
    },
    /// Words.
    Text {
        /// Where they stand, at the height of their base line.
        at: (f64, f64),
        /// How they stand about it.
        anchor: Anchor,
        /// Height of the face.
        size: f64,
        /// Colour.
        color: &'static str,
        /// Whether they run upwards.
        upwards: bool,
        /// The words.
        words: String,
    },
}

/// A figure on paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// Width and height.
    pub size: (f64, f64),
    /// Colour of the paper.
    pub ground: &'static str,
    /// What it shows, in words.
    pub described: String,
    /// What is on it, from back to front.
    pub shapes: Vec<Shape>,
}

const fn plain(color: &'static str, width: f64) -> Pen {
    Pen { color, width, dash: &[] }
}

fn line(from: (f64, f64), to: (f64, f64), pen: Pen) -> Shape {
    Shape::Path { points: vec![from, to], closed: false, fill: None, pen: Some(pen) }
}

pub(super) fn text(at: (f64, f64), anchor: Anchor, size: f64, color: &'static str, words: &str) -> Shape {
    Shape::Text { at, anchor, size, color, upwards: false, words: words.to_owned() }
}

/// Where axes and curves stand on the paper, and how large the words and signs about them are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    /// Upper left corner.
    pub min: (f64, f64),
    /// Lower right corner.
    pub max: (f64, f64),
    /// Height of the words.
    pub words: f64,
    /// Breadth of a sign from its middle.
    pub sign: f64,
    /// Whether the line across is named.
    pub named: bool,
}

impl Figure {
    /// The figure as shapes.
    pub fn drawing(&self, palette: &Palette) -> Drawing {
        let (text_ink, dim) = (palette.text, palette.dim);
        let mut shapes = vec![
            text((LEFT, 22.0), Anchor::Start, 15.0, text_ink, &self.title),
            Shape::Text {
                at: (16.0, (TOP + HEIGHT - BOTTOM) / 2.0),
                anchor: Anchor::Middle,
                size: 12.0,
                color: dim,
                upwards: true,
                words: self.y_label.clone(),
            },
            text(((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0), Anchor::Middle, 12.0, dim, &self.x_label),
        ];
        let max = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        self.plot(&mut shapes, &Plot { min: (LEFT, TOP), max, words: 12.0, sign: 4.0, named: true }, palette);
        let height = HEIGHT + legend(&mut shapes, &self.series, (LEFT, HEIGHT), palette);
        let described = format!("{}: {} against {}", self.title, self.y_label, self.x_label);
        Drawing { size: (WIDTH, height), ground: palette.ground, described, shapes }
    }

    /// Axes and curves.
    pub(super) fn plot(&self, shapes: &mut Vec<Shape>, plot: &Plot, palette: &Palette) {
        let Plot { min: (left, top), max: (right, bottom), words, .. } = *plot;
        let (low, high) = self.extent();
        let x = |place: f64| left + (place - low) / (high - low) * (right - left);
        let span = (self.range.1 - self.range.0).max(1e-9);
        let y = |value: f64| bottom - (value - self.range.0) / span * (bottom - top);
        let mut free = f64::NEG_INFINITY;
        for &tick in &self.ticks {
            let (at, number) = (x(self.place(tick)), short(tick));
            // A digit is a little more than half as broad as high.
            let half = 0.3 * words * number.len() as f64;
            if at - half > free {
                free = at + half + 0.4 * words;
                shapes.push(text((at, bottom + 1.5 * words), Anchor::Middle, words, palette.text, &number));
            }
        }
        for height in self.heights() {
            let at = y(height);
            let number = format!("{height:.2}");
            shapes.push(text((left - 0.66 * words, at + words / 3.0), Anchor::End, words, palette.text, &number));
            shapes.push(line((left, at), (right, at), plain(palette.grid, 1.0)));
        }
        if let Some(level) = &self.level {
            let across = |height: f64| [(left, y(height)), (right, y(height))];
            if let Some((low, high)) = level.interval {
                let [from, to] = across(low);
                let points = across(high).into_iter().chain([to, from]).collect();
                shapes.push(Shape::Path { points, closed: true, fill: Some((palette.real, 0.14)), pen: None });
            }
            let [from, to] = across(level.y);
            shapes.push(line(from, to, plain(palette.real, 1.5)));
            if plot.named {
                let at = (right - 4.0, to.1 - 5.0);
                shapes.push(text(at, Anchor::End, words, palette.real, &level.name));
            }
        }
        let at = |mark: &Mark, value: f64| (x(self.place(mark.x)), y(value));
        // No curve's band lies over another's line, and no line over a sign.
        for part in [band, lines, signs] {
            for series in &self.series {
                part(shapes, series, palette.ink(series.ink), plot.sign, &at);
            }
        }
    }
}

/// The curves' names with their signs, line by line from `at` on; their height.
pub(super) fn legend(shapes: &mut Vec<Shape>, series: &[Series], at: (f64, f64), palette: &Palette) -> f64 {
    for (row, series) in series.iter().enumerate() {
        let (left, y) = (at.0, at.1 + LEGEND_LINE * row as f64 + 4.0);
        let color = palette.ink(series.ink);
        let pen = Pen { color, width: 2.0, dash: dash(series.ink) };
        shapes.push(line((left, y), (left + 28.0, y), pen));
        sign(shapes, series.ink, (left + 14.0, y), 4.0, color);
        shapes.push(text((left + 36.0, y + 4.0), Anchor::Start, 12.0, palette.text, &series.name));
    }
    LEGEND_LINE * series.len().max(1) as f64
}

/// Where a height of a mark stands on the paper.
type At<'a> = &'a dyn Fn(&Mark, f64) -> (f64, f64);

/// The interval of one curve as a band.
fn band(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, _: f64, at: At<'_>) {
    let ends: Vec<(&Mark, (f64, f64))> = series.marks.iter().filter_map(|mark| Some((mark, mark.interval?))).collect();
    if ends.len() > 1 {
        let upper = ends.iter().map(|(mark, (_, high))| at(mark, *high));
        let lower = ends.iter().rev().map(|(mark, (low, _))| at(mark, *low));
        let points = upper.chain(lower).collect();
        shapes.push(Shape::Path { points, closed: true, fill: Some((color, 0.14)), pen: None });
    }
}

/// The line of one curve, its intervals and its seeds.
fn lines(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, size: f64, at: At<'_>) {
    let width = if series.ink == Ink::Published { 1.0 } else { 2.0 };
    shapes.push(Shape::Path {
        points: series.marks.iter().map(|mark| at(mark, mark.y)).collect(),
        closed: false,
        fill: None,
        pen: Some(Pen { color, width, dash: dash(series.ink) }),
    });
    for mark in &series.marks {
        if let Some((low, high)) = mark.interval {
            shapes.push(line(at(mark, low), at(mark, high), plain(color, 1.0)));
        }
        for seed in &mark.seeds {
            let (x, y) = at(mark, *seed);
            let pen = Some(plain(color, 1.0));
            shapes.push(Shape::Disc { at: (x + 1.75 * size, y), radius: 0.5 * size, fill: None, pen });
        }
    }
}

/// The signs of one curve's points.
fn signs(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, size: f64, at: At<'_>) {
    for mark in &series.marks {
        sign(shapes, series.ink, at(mark, mark.y), size, color);
    }
}

/// The sign of a curve's points: square for real, disc for samples, open diamond for published values.
fn sign(shapes: &mut Vec<Shape>, ink: Ink, (x, y): (f64, f64), size: f64, color: &'static str) {
    let diamond = 0.75 * size;
    shapes.push(match ink {
        Ink::Published => {
            let points = vec![(x, y - diamond), (x + diamond, y), (x, y + diamond), (x - diamond, y)];
            Shape::Path { points, closed: true, fill: None, pen: Some(plain(color, 1.0)) }
        }
        Ink::Real => {
            let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
            let points = corners.map(|(i, j)| (x + i * size, y + j * size)).to_vec();
            Shape::Path { points, closed: true, fill: Some((color, 1.0)), pen: None }
        }
        Ink::Cpd | Ink::Prog => Shape::Disc { at: (x, y), radius: size, fill: Some(color), pen: None },
    });
}

fn dash(ink: Ink) -> &'static [f64] {
    match ink {
        Ink::Prog => &[6.0, 4.0],
        Ink::Published => &[2.0, 3.0],
        Ink::Real | Ink::Cpd => &[],
    }
}

/// Contrast of two colours, 1 to 21, as WCAG 2.1 defines it.
#[cfg(test)]
pub(crate) fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let luminance = |color: [u8; 3]| {
        let [r, g, b] = color.map(|byte| {
            let c = f64::from(byte) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(color: &str) -> [u8; 3] {
        let [_, r, g, b] = u32::from_str_radix(&color[1..], 16).unwrap().to_be_bytes();
        [r, g, b]
    }

    #[test]
    fn every_curve_and_word_is_readable_on_paper() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        let on_paper = |color: &str| contrast(bytes(color), bytes(PAPER.ground));
        for ink in [Ink::Real, Ink::Cpd, Ink::Prog, Ink::Published] {
            assert!(on_paper(PAPER.ink(ink)) >= 3.0, "{ink:?}: {}", on_paper(PAPER.ink(ink)));
        }
        for words in [PAPER.text, PAPER.dim, PAPER.real] {
            assert!(on_paper(words) >= 4.5, "{words}: {}", on_paper(words));
        }
    }
}
