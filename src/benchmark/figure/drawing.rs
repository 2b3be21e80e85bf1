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
    prog: "#C99A2E",
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

impl Figure {
    /// The figure as shapes.
    pub fn drawing(&self, palette: &Palette) -> Drawing {
        let height = HEIGHT + LEGEND_LINE * self.series.len().max(1) as f64;
        let (low, high) = self.extent();
        let x = |place: f64| LEFT + (place - low) / (high - low) * (WIDTH - LEFT - RIGHT);
        let span = (self.range.1 - self.range.0).max(1e-9);
        let y = |value: f64| HEIGHT - BOTTOM - (value - self.range.0) / span * (HEIGHT - TOP - BOTTOM);
        let text = |at, anchor, size, color, words: &str| Shape::Text {
            at,
            anchor,
            size,
            color,
            upwards: false,
            words: words.to_owned(),
        };
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
        for &tick in &self.ticks {
            let at = (x(self.place(tick)), HEIGHT - BOTTOM + 18.0);
            shapes.push(text(at, Anchor::Middle, 12.0, text_ink, &short(tick)));
        }
        for height in self.heights() {
            let at = y(height);
            shapes.push(text((LEFT - 8.0, at + 4.0), Anchor::End, 12.0, text_ink, &format!("{height:.2}")));
            shapes.push(line((LEFT, at), (WIDTH - RIGHT, at), plain(palette.grid, 1.0)));
        }
        let at = |mark: &Mark, value: f64| (x(self.place(mark.x)), y(value));
        // No curve's band lies over another's line, and no line over a sign.
        for part in [band, lines, signs] {
            for series in &self.series {
                part(&mut shapes, series, palette.ink(series.ink), &at);
            }
        }
        for (row, series) in self.series.iter().enumerate() {
            let at = HEIGHT + LEGEND_LINE * row as f64 + 4.0;
            let color = palette.ink(series.ink);
            let pen = Pen { color, width: 2.0, dash: dash(series.ink) };
            shapes.push(line((LEFT, at), (LEFT + 28.0, at), pen));
            sign(&mut shapes, series.ink, (LEFT + 14.0, at), color);
            shapes.push(text((LEFT + 36.0, at + 4.0), Anchor::Start, 12.0, text_ink, &series.name));
        }
        let described = format!("{}: {} against {}", self.title, self.y_label, self.x_label);
        Drawing { size: (WIDTH, height), ground: palette.ground, described, shapes }
    }
}

/// Where a height of a mark stands on the paper.
type At<'a> = &'a dyn Fn(&Mark, f64) -> (f64, f64);

/// The interval of one curve as a band.
fn band(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, at: At<'_>) {
    let ends: Vec<(&Mark, (f64, f64))> = series.marks.iter().filter_map(|mark| Some((mark, mark.interval?))).collect();
    if ends.len() > 1 {
        let upper = ends.iter().map(|(mark, (_, high))| at(mark, *high));
        let lower = ends.iter().rev().map(|(mark, (low, _))| at(mark, *low));
        let points = upper.chain(lower).collect();
        shapes.push(Shape::Path { points, closed: true, fill: Some((color, 0.14)), pen: None });
    }
}

/// The line of one curve, its intervals and its seeds.
fn lines(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, at: At<'_>) {
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
            shapes.push(Shape::Disc { at: (x + 7.0, y), radius: 2.0, fill: None, pen });
        }
    }
}

/// The signs of one curve's points.
fn signs(shapes: &mut Vec<Shape>, series: &Series, color: &'static str, at: At<'_>) {
    for mark in &series.marks {
        sign(shapes, series.ink, at(mark, mark.y), color);
    }
}

/// The sign of a curve's points: square for real, disc for samples, open diamond for published values.
fn sign(shapes: &mut Vec<Shape>, ink: Ink, (x, y): (f64, f64), color: &'static str) {
    let (diamond, square) = (3.0, 4.0);
    shapes.push(match ink {
        Ink::Published => {
            let points = vec![(x, y - diamond), (x + diamond, y), (x, y + diamond), (x - diamond, y)];
            Shape::Path { points, closed: true, fill: None, pen: Some(plain(color, 1.0)) }
        }
        Ink::Real => {
            let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
            let points = corners.map(|(i, j)| (x + i * square, y + j * square)).to_vec();
            Shape::Path { points, closed: true, fill: Some((color, 1.0)), pen: None }
        }
        Ink::Cpd | Ink::Prog => Shape::Disc { at: (x, y), radius: 4.0, fill: Some(color), pen: None },
    });
}

fn dash(ink: Ink) -> &'static [f64] {
    match ink {
        Ink::Prog => &[6.0, 4.0],
        Ink::Published => &[2.0, 3.0],
        Ink::Real | Ink::Cpd => &[],
    }
}
