//! The figure of a sweep: what is drawn, apart from who draws it, and drawn as SVG with its text as text.

use std::fmt::Write as _;

use super::published;
use super::result::{SweepResult, Value};
use crate::generator::Family;

/// What stands on the upright axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// AUROC on the real test fold.
    Auroc,
    /// AUROC of the classifier trained on samples over that of the one trained on real films.
    Ratio,
}

/// What to draw of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What stands on the upright axis.
    pub view: View,
    /// One finding alone; otherwise the mean over findings.
    pub finding: Option<String>,
    /// Whether the single seeds are drawn.
    pub seeds: bool,
    /// Whether the published values are drawn behind.
    pub published: bool,
    /// Curves left out, by position.
    pub hidden: Vec<usize>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { view: View::Auroc, finding: None, seeds: false, published: false, hidden: Vec::new() }
    }
}

/// Whose curve it is, which says how it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Trained on real films.
    Real,
    /// Trained on samples of cpD-GAN.
    Cpd,
    /// Trained on samples of prog-GAN.
    Prog,
    /// Read off the published figure.
    Published,
}

/// One point of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Place along the axis, in the axis's number.
    pub x: f64,
    /// Height.
    pub y: f64,
    /// 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Height of each seed; empty where they are not asked for.
    pub seeds: Vec<f64>,
    /// Position of the point in the result; `None` for published values.
    pub point: Option<usize>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Position in the result's curves; `None` for published values.
    pub curve: Option<usize>,
    /// Name in the legend, with N.
    pub name: String,
    /// How it is drawn.
    pub ink: Ink,
    /// Points, ascending along the axis.
    pub marks: Vec<Mark>,
}

/// A figure, ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Above it.
    pub title: String,
    /// Below the axis.
    pub x_label: String,
    /// Beside the axis.
    pub y_label: String,
    /// Whether the axis is logarithmic.
    pub logarithmic: bool,
    /// Numbers along the axis.
    pub ticks: Vec<f64>,
    /// Lowest and highest height shown.
    pub range: (f64, f64),
    /// Curves, those at the back first.
    pub series: Vec<Series>,
}

impl Figure {
    /// The figure of a result.
    pub fn of(result: &SweepResult, choice: &Choice) -> Self {
        let mut series = Vec::new();
        let brain = result.cohort.name.contains("brain") || result.cohort.name.contains("ct-ich");
        if choice.published && choice.finding.is_none() {
            series.extend(published_series(&result.factor, brain, choice.view));
        }
        for (curve, entry) in result.curves.iter().enumerate() {
            if choice.hidden.contains(&curve) || (choice.view == View::Ratio && curve == 0) {
                continue;
            }
            let mut marks: Vec<Mark> = (0..result.points.len())
                .filter_map(|point| {
                    let at = &result.points[point];
                    let value = at.values.iter().find(|value| value.curve == curve)?;
                    let real = at.values.iter().find(|value| value.curve == 0);
                    mark(value, real, choice, at.value, point)
                })
                .collect();
            marks.sort_by(|a, b| a.x.total_cmp(&b.x));
            if !choice.seeds {
                marks.iter_mut().for_each(|mark| mark.seeds.clear());
            }
            let ink = match entry.family {
                None => Ink::Real,
                Some(Family::CpdGan) => Ink::Cpd,
                Some(Family::ProgGan) => Ink::Prog,
            };
            let seeds = if result.seeds == 1 { "1 seed".to_owned() } else { format!("{} seeds", result.seeds) };
            if !marks.is_empty() {
                // The film that a phantom stands in for is never called real.
                let name = if ink == Ink::Real && result.cohort.phantom { "phantom films" } else { &entry.name };
                series.push(Series { curve: Some(curve), name: format!("{name} (N = {seeds})"), ink, marks });
            }
        }
        let what = match (choice.view, &choice.finding) {
            (View::Auroc, None) => "mean AUROC".to_owned(),
            (View::Ratio, None) => "AUROC synthetic / real".to_owned(),
            (View::Auroc, Some(finding)) => format!("AUROC, {finding}"),
            (View::Ratio, Some(finding)) => format!("AUROC synthetic / real, {finding}"),
        };
        let range = range(&series, choice.view);
        let mut ticks: Vec<f64> = result.points.iter().map(|point| point.value).collect();
        ticks.sort_by(f64::total_cmp);
        Self {
            title: format!("{}, {}", result.cohort.name, result.name),
            x_label: published::axis(&result.factor).to_owned(),
            y_label: format!("{what}, tested on {} films", if result.cohort.phantom { "phantom" } else { "real" }),
            logarithmic: result.factor != "mix",
            ticks,
            range,
            series,
        }
    }

    /// Where a number stands along the axis.
    pub fn place(&self, x: f64) -> f64 {
        if self.logarithmic { x.max(1e-9).log2() } else { x }
    }

    /// Least and largest place along the axis, over all curves, with a margin.
    pub fn extent(&self) -> (f64, f64) {
        let places = self.series.iter().flat_map(|s| &s.marks).map(|mark| self.place(mark.x));
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        if low > high {
            return (0.0, 1.0);
        }
        let margin = (0.06 * (high - low)).max(0.1);
        (low - margin, high + margin)
    }
}

/// A curve's height at one point, with its interval and seeds.
fn mark(value: &Value, real: Option<&Value>, choice: &Choice, x: f64, point: usize) -> Option<Mark> {
    let bounds = |b: crate::stats::Bounds| (b.low, b.high);
    let finding = |value: &Value, name: &str| -> Option<Vec<f64>> {
        let of = |seed: &super::result::SeedValue| seed.result.findings.iter().find(|f| f.finding == *name)?.auroc;
        value.seeds.iter().map(of).collect()
    };
    let (y, interval, seeds) = match (choice.view, &choice.finding) {
        (View::Auroc, None) => {
            let seeds = value.seeds.iter().filter_map(|seed| seed.auroc).collect();
            (value.auroc?, value.interval.map(bounds), seeds)
        }
        (View::Ratio, None) => {
            let relative = value.relative.as_ref()?;
            (relative.ratio, relative.interval.map(bounds), relative.seeds.clone())
        }
        (View::Auroc, Some(name)) => {
            let seeds = finding(value, name)?;
            let y = crate::stats::mean(&seeds)?;
            // DeLong's half-widths of the seeds, averaged, about the mean of the seeds.
            let halves: Option<Vec<f64>> = value
                .seeds
                .iter()
                .map(|seed| {
                    let interval = seed.result.findings.iter().find(|f| f.finding == *name)?.interval?;
                    Some(0.5 * (interval.high - interval.low))
                })
                .collect();
            let half = halves.as_deref().and_then(crate::stats::mean);
            (y, half.map(|half| ((y - half).max(0.0), (y + half).min(1.0))), seeds)
        }
        (View::Ratio, Some(name)) => {
            let (above, below) = (finding(value, name)?, finding(real?, name)?);
            let seeds: Vec<f64> = above.iter().zip(&below).map(|(a, b)| a / b).collect();
            (crate::stats::mean(&above)? / crate::stats::mean(&below)?, None, seeds)
        }
    };
    Some(Mark { x, y, interval, seeds, point: Some(point) })
}

fn published_series(factor: &str, brain: bool, view: View) -> Vec<Series> {
    let body = if brain { "brain" } else { "chest" };
    let curve = |name: &str, pick: fn(&published::PublishedPoint) -> f64| -> Series {
        let height = |p: &published::PublishedPoint| if view == View::Ratio { pick(p) / p.real } else { pick(p) };
        let mut marks: Vec<Mark> = published::points(factor, brain)
            .iter()
            .map(|p| Mark { x: p.value, y: height(p), interval: None, seeds: Vec::new(), point: None })
            .collect();
        marks.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { curve: None, name: format!("published {body}, {name} (digitised)"), ink: Ink::Published, marks }
    };
    let mut all = vec![curve("cpD-GAN", |p| p.cpd), curve("prog-GAN", |p| p.prog)];
    if view == View::Auroc {
        all.push(curve("real", |p| p.real));
    }
    all.retain(|series| !series.marks.is_empty());
    all
}

/// Heights shown: all marks and intervals, rounded outwards to twentieths.
fn range(series: &[Series], view: View) -> (f64, f64) {
    let marks = series.iter().flat_map(|s| &s.marks);
    let ends = marks.flat_map(|m| [m.y, m.interval.map_or(m.y, |i| i.0), m.interval.map_or(m.y, |i| i.1)]);
    let all = ends.chain(series.iter().flat_map(|s| s.marks.iter().flat_map(|m| m.seeds.iter().copied())));
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
    if low > high {
        return (0.5, 1.0);
    }
    let high = if view == View::Ratio { high.max(1.0) } else { high };
    ((low * 20.0 - 0.2).floor() / 20.0, (high * 20.0 + 0.2).ceil() / 20.0)
}

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

/// A number as an axis shows it.
pub fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// Text with the characters that XML keeps for itself written as entities.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Figure {
    /// The figure as SVG. `font` is a CSS `src` for the face "Figure" (a data URI), or `None` where the page has one.
    pub fn svg(&self, palette: &Palette, font: Option<&str>) -> String {
        let height = HEIGHT + LEGEND_LINE * self.series.len().max(1) as f64;
        let (low, high) = self.extent();
        let x = |place: f64| LEFT + (place - low) / (high - low) * (WIDTH - LEFT - RIGHT);
        let span = (self.range.1 - self.range.0).max(1e-9);
        let y = |value: f64| HEIGHT - BOTTOM - (value - self.range.0) / span * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        // Writing to a String cannot fail; the results are let go.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"Figure, Roboto, sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"{}\">",
            escape(&format!("{}: {} against {}", self.title, self.y_label, self.x_label))
        );
        if let Some(font) = font {
            let _ = write!(svg, "<style>@font-face{{font-family:Figure;src:{font}}}</style>");
        }
        let _ = write!(svg, "<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"{}\"/>", palette.ground);
        let mut text = |at: (f64, f64), anchor: &str, size: u32, color: &str, more: &str, words: &str| {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{color}\"{more}>{}</text>",
                at.0,
                at.1,
                escape(words)
            );
        };
        text((LEFT, 22.0), "start", 15, palette.text, "", &self.title);
        let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
        let turned = format!(" transform=\"rotate(-90 16 {middle:.1})\"");
        text((16.0, middle), "middle", 12, palette.dim, &turned, &self.y_label);
        text(((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0), "middle", 12, palette.dim, "", &self.x_label);
        for tick in &self.ticks {
            text((x(self.place(*tick)), HEIGHT - BOTTOM + 18.0), "middle", 12, palette.text, "", &short(*tick));
        }
        let heights = self.heights();
        for height in &heights {
            text((LEFT - 8.0, y(*height) + 4.0), "end", 12, palette.text, "", &format!("{height:.2}"));
        }
        for height in &heights {
            let at = y(*height);
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"{}\"/>",
                WIDTH - RIGHT,
                palette.grid
            );
        }
        for series in &self.series {
            let color = palette.ink(series.ink);
            self.draw(&mut svg, series, color, &x, &y);
        }
        for (line, series) in self.series.iter().enumerate() {
            let at = HEIGHT + LEGEND_LINE * line as f64 + 4.0;
            let color = palette.ink(series.ink);
            let dash = dash(series.ink);
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"{color}\" stroke-width=\"2\"{dash}/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
                LEFT + 28.0,
                LEFT + 36.0,
                at + 4.0,
                palette.text,
                escape(&series.name)
            );
        }
        svg.push_str("</svg>");
        svg
    }

    /// Heights of the grid lines, at most about eight.
    pub fn heights(&self) -> Vec<f64> {
        let span = self.range.1 - self.range.0;
        let step = if span > 0.6 {
            0.2
        } else if span > 0.3 {
            0.1
        } else {
            0.05
        };
        let first = (self.range.0 / step).ceil() as i64;
        let last = (self.range.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    fn draw(&self, svg: &mut String, series: &Series, color: &str, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
        let place = |mark: &Mark| x(self.place(mark.x));
        let band: Vec<&Mark> = series.marks.iter().filter(|mark| mark.interval.is_some()).collect();
        let ends = |mark: &Mark| mark.interval.unwrap_or((mark.y, mark.y));
        if band.len() > 1 {
            let upper = band.iter().map(|mark| format!("{:.1},{:.1}", place(mark), y(ends(mark).1)));
            let lower = band.iter().rev().map(|mark| format!("{:.1},{:.1}", place(mark), y(ends(mark).0)));
            let points = upper.chain(lower).collect::<Vec<_>>().join(" ");
            let _ = write!(svg, "<polygon points=\"{points}\" fill=\"{color}\" fill-opacity=\"0.14\"/>");
        }
        let line = series.marks.iter().map(|mark| format!("{:.1},{:.1}", place(mark), y(mark.y)));
        let width = if series.ink == Ink::Published { "1" } else { "2" };
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"{}/>",
            line.collect::<Vec<_>>().join(" "),
            dash(series.ink)
        );
        for mark in &series.marks {
            let at = place(mark);
            if let Some((low, high)) = mark.interval {
                let (low, high) = (y(low), y(high));
                let _ = write!(
                    svg,
                    "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{low:.1}\" y2=\"{high:.1}\" stroke=\"{color}\"/>"
                );
            }
            for seed in &mark.seeds {
                let height = y(*seed);
                let _ = write!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{height:.1}\" r=\"2\" fill=\"none\" stroke=\"{color}\"/>",
                    at + 7.0
                );
            }
            let height = y(mark.y);
            let _ = match series.ink {
                Ink::Published => write!(
                    svg,
                    "<path d=\"M{at:.1} {:.1}l3 3l-3 3l-3 -3z\" fill=\"none\" stroke=\"{color}\"/>",
                    height - 3.0
                ),
                Ink::Real => write!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" fill=\"{color}\"/>",
                    at - 4.0,
                    height - 4.0
                ),
                Ink::Cpd | Ink::Prog => {
                    write!(svg, "<circle cx=\"{at:.1}\" cy=\"{height:.1}\" r=\"4\" fill=\"{color}\"/>")
                }
            };
        }
    }
}

fn dash(ink: Ink) -> &'static str {
    match ink {
        Ink::Prog => " stroke-dasharray=\"6 4\"",
        Ink::Published => " stroke-dasharray=\"2 3\"",
        Ink::Real | Ink::Cpd => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::result::example;

    #[test]
    fn every_curve_and_point_is_drawn_and_the_ratio_leaves_the_real_films_out() {
        let result = example::result();
        let figure = Figure::of(&result, &Choice::default());
        assert_eq!(figure.series.iter().map(|s| s.ink).collect::<Vec<_>>(), [Ink::Real, Ink::Cpd, Ink::Prog]);
        assert_eq!(figure.series[1].marks.iter().map(|m| m.x).collect::<Vec<_>>(), [2.0, 8.0]);
        assert_eq!(figure.ticks, [2.0, 8.0]);
        let svg = figure.svg(&PAPER, None);
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (4, 3));
        assert!(svg.contains("cpD-GAN (N = 3 seeds)") && svg.contains("phantom films"), "{svg}");
        let ratio = Figure::of(&result, &Choice { view: View::Ratio, ..Choice::default() });
        assert_eq!(ratio.series.len(), 2);
        assert!((ratio.series[0].marks[0].y - 0.78 / 0.80).abs() < 1e-12);
        let finding = Some("Mass".to_owned());
        let one = Figure::of(&result, &Choice { finding, seeds: true, ..Choice::default() });
        assert!((one.series[0].marks[1].interval.unwrap().0 - 0.85).abs() < 1e-9);
        let none = Figure::of(&result, &Choice { finding: Some("Hernia".to_owned()), ..Choice::default() });
        assert!(none.series.is_empty() && none.svg(&PAPER, None).ends_with("</svg>"));
    }

    #[test]
    fn published_values_are_marked_and_stand_behind_ours() {
        let figure = Figure::of(&example::result(), &Choice { published: true, ..Choice::default() });
        assert!(figure.series[..3].iter().all(|s| s.ink == Ink::Published && s.name.contains("digitised")));
        assert_eq!(figure.series[0].marks.len(), 6);
        assert_eq!(figure.series[3].ink, Ink::Real);
        let hidden = Choice { hidden: vec![1], ..Choice::default() };
        assert!(Figure::of(&example::result(), &hidden).series.iter().all(|s| s.curve != Some(1)));
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let mut result = example::result();
        result.name = "a<b & \"c\"".to_owned();
        let svg = Figure::of(&result, &Choice::default()).svg(&PAPER, None);
        assert!(svg.contains("a&lt;b &amp; &quot;c&quot;") && !svg.contains("a<b"));
    }
}
