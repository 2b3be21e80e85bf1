//! The figure of a sweep: what is drawn, apart from who draws it. On screen the window draws it; [`drawing`] turns it into
//! shapes, which `svg` writes with their text as text and `png` paints.

pub mod drawing;
mod png;
mod sheet;
mod svg;

pub use sheet::sheet;
pub use svg::escape;

use super::published;
use super::result::{Point, SweepResult, Value, seeds};
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
    /// How many films, patients and seeds are behind it, in words; empty for published values.
    pub behind: String,
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

/// A height that holds all along the axis, drawn as a line across in the colour of the real films: what curves are held
/// against.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Height.
    pub y: f64,
    /// 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// What it is.
    pub name: String,
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
    /// A line across: in a ratio, as good as real; in a mix, the real films alone.
    pub level: Option<Level>,
    /// Curves, those at the back first.
    pub series: Vec<Series>,
}

impl Figure {
    /// The figure of a result.
    pub fn of(result: &SweepResult, choice: &Choice) -> Self {
        let mut series = Vec::new();
        if choice.published && choice.finding.is_none() {
            series.extend(published_series(&result.factor, published::of_the_head(result), choice.view));
        }
        for (curve, entry) in result.curves.iter().enumerate() {
            if choice.hidden.contains(&curve) || (choice.view == View::Ratio && curve == 0) {
                continue;
            }
            let mut marks: Vec<Mark> = (0..result.points.len())
                .filter_map(|point| {
                    let at = &result.points[point];
                    let value = at.values.iter().find(|value| value.curve == curve)?;
                    let mark = mark(value, result.real(at), choice)?;
                    Some(Mark { x: at.value, point: Some(point), behind: behind(result, at, value), ..mark })
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
            if !marks.is_empty() {
                // The film that a phantom stands in for is never called real.
                let name = if ink == Ink::Real && result.cohort.phantom { "phantom films" } else { &entry.name };
                series.push(Series {
                    curve: Some(curve),
                    name: format!("{name} (N = {})", seeds(result.seeds)),
                    ink,
                    marks,
                });
            }
        }
        let level = level(&series, result, choice.view);
        let range = range(&series, level.as_ref());
        let mut ticks: Vec<f64> = result.points.iter().map(|point| point.value).collect();
        ticks.sort_by(f64::total_cmp);
        Self {
            title: result.title(),
            x_label: published::axis(&result.factor).to_owned(),
            y_label: height(result, choice.view, choice.finding.as_deref()),
            logarithmic: !result.is_mix(),
            ticks,
            range,
            level,
            series,
        }
    }

    /// One small figure for each finding, with its name; published values are means over findings and stay away.
    pub fn of_findings(result: &SweepResult, choice: &Choice) -> Vec<(String, Self)> {
        let figure = |name: &str| {
            let choice = Choice { finding: Some(name.to_owned()), published: false, ..choice.clone() };
            (name.to_owned(), Self::of(result, &choice))
        };
        result.findings().into_iter().map(figure).collect()
    }

    /// Where a number stands along the axis.
    pub fn place(&self, x: f64) -> f64 {
        if self.logarithmic { x.max(1e-9).log2() } else { x }
    }

    /// Least and largest place along the axis, over all curves and numbers, with a margin.
    pub fn extent(&self) -> (f64, f64) {
        let marks = self.series.iter().flat_map(|s| &s.marks).map(|mark| mark.x);
        let places = marks.chain(self.ticks.iter().copied()).map(|x| self.place(x));
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        if low > high {
            return (0.0, 1.0);
        }
        let margin = (0.06 * (high - low)).max(0.1);
        (low - margin, high + margin)
    }
}

/// What stands on the upright axis, in words.
fn height(result: &SweepResult, view: View, finding: Option<&str>) -> String {
    let what = match view {
        View::Auroc => "AUROC",
        View::Ratio if result.is_mix() => "AUROC with samples / real alone",
        View::Ratio => "AUROC synthetic / real",
    };
    let what = match (finding, view) {
        (Some(finding), _) => format!("{what}, {finding}"),
        (None, View::Auroc) => format!("mean {what}"),
        (None, View::Ratio) => what.to_owned(),
    };
    format!("{what}, tested on {}", films(result))
}

/// What plays the real part. The film that a phantom stands in for is never called real.
fn films(result: &SweepResult) -> &'static str {
    if result.cohort.phantom { "phantom films" } else { "real films" }
}

/// How many films, patients and seeds are behind a point of a curve.
fn behind(result: &SweepResult, point: &Point, value: &Value) -> String {
    let [train, validation, test] = point.films;
    let added = (train as f64 * point.value).round();
    let samples = if result.is_mix() && value.curve > 0 { format!(" and {added} samples") } else { String::new() };
    format!(
        "films: {train}{samples} / {validation} / {test} (train / validation / test)\nN = {} test patients, {}",
        point.test_patients,
        seeds(value.seeds.len())
    )
}

/// What the curves are held against, where that is one height: in a ratio 1, in a mix the real films alone.
fn level(series: &[Series], result: &SweepResult, view: View) -> Option<Level> {
    let films = films(result);
    match view {
        View::Ratio if series.is_empty() => None,
        View::Ratio => Some(Level { y: 1.0, interval: None, name: format!("as good as {films}") }),
        View::Auroc if result.is_mix() => {
            let alone = series.iter().find(|series| series.curve == Some(0))?.marks.first()?;
            Some(Level { y: alone.y, interval: alone.interval, name: format!("{films} alone") })
        }
        View::Auroc => None,
    }
}

/// A curve's height at one point, with its interval and seeds; its place is left open.
fn mark(value: &Value, real: Option<&Value>, choice: &Choice) -> Option<Mark> {
    let (y, interval, seeds) = match (choice.view, &choice.finding) {
        (View::Auroc, None) => {
            let seeds = value.seeds.iter().filter_map(|seed| seed.auroc).collect();
            (value.auroc?, value.interval, seeds)
        }
        (View::Ratio, None) => {
            let relative = value.relative.as_ref()?;
            (relative.ratio, relative.interval, relative.seeds.clone())
        }
        (View::Auroc, Some(name)) => {
            let finding = value.finding(name)?;
            (finding.auroc?, finding.interval, finding.seeds)
        }
        (View::Ratio, Some(name)) => {
            let (above, below) = (value.finding(name)?, real?.finding(name)?);
            let seeds = above.seeds.iter().zip(&below.seeds).map(|(a, b)| a / b).collect();
            (above.auroc? / below.auroc?, above.ratio_interval, seeds)
        }
    };
    let interval = interval.map(|bounds| (bounds.low, bounds.high));
    Some(Mark { x: 0.0, y, interval, seeds, point: None, behind: String::new() })
}

fn published_series(factor: &str, brain: bool, view: View) -> Vec<Series> {
    let body = if brain { "brain" } else { "chest" };
    let curve = |name: &str, pick: fn(&published::PublishedPoint) -> f64| -> Series {
        let height = |p: &published::PublishedPoint| if view == View::Ratio { pick(p) / p.real } else { pick(p) };
        let mut marks: Vec<Mark> = published::points(factor, brain)
            .iter()
            .map(|p| Mark {
                x: p.value,
                y: height(p),
                interval: None,
                seeds: Vec::new(),
                point: None,
                behind: String::new(),
            })
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

/// Heights shown: all marks, intervals and the line across, rounded outwards to twentieths.
fn range(series: &[Series], level: Option<&Level>) -> (f64, f64) {
    let ends = |y: f64, interval: Option<(f64, f64)>| [y, interval.map_or(y, |i| i.0), interval.map_or(y, |i| i.1)];
    let marks = series.iter().flat_map(|s| &s.marks);
    let all = marks.clone().flat_map(|mark| ends(mark.y, mark.interval));
    let all = all.chain(marks.flat_map(|mark| mark.seeds.iter().copied()));
    let all = all.chain(level.into_iter().flat_map(|level| ends(level.y, level.interval)));
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
    if low > high {
        return (0.5, 1.0);
    }
    ((low * 20.0 - 0.2).floor() / 20.0, (high * 20.0 + 0.2).ceil() / 20.0)
}

impl Figure {
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
}

/// A number as an axis shows it.
pub fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::figure::drawing::PAPER;
    use crate::benchmark::result::example;

    #[test]
    fn every_curve_and_point_is_drawn_and_the_ratio_leaves_the_real_films_out() {
        let result = example::result();
        let figure = Figure::of(&result, &Choice::default());
        assert_eq!(figure.series.iter().map(|s| s.ink).collect::<Vec<_>>(), [Ink::Real, Ink::Cpd, Ink::Prog]);
        assert_eq!(figure.series[1].marks.iter().map(|m| m.x).collect::<Vec<_>>(), [2.0, 8.0]);
        assert_eq!(figure.ticks, [2.0, 8.0]);
        let svg = figure.drawing(&PAPER).svg(None);
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (4 + 2, 3 + 2 + 1));
        assert!(svg.contains("cpD-GAN (N = 3 seeds)") && svg.contains("phantom films"), "{svg}");
        let ratio = Figure::of(&result, &Choice { view: View::Ratio, ..Choice::default() });
        assert_eq!(ratio.series.len(), 2);
        assert!((ratio.series[0].marks[0].y - 0.78 / 0.80).abs() < 1e-12);
        let finding = Some("Mass".to_owned());
        let one = Figure::of(&result, &Choice { finding, seeds: true, ..Choice::default() });
        assert!((one.series[0].marks[1].interval.unwrap().0 - 0.85).abs() < 1e-9);
        let none = Figure::of(&result, &Choice { finding: Some("Hernia".to_owned()), ..Choice::default() });
        assert!(none.series.is_empty() && none.drawing(&PAPER).svg(None).ends_with("</svg>"));
    }

    #[test]
    fn a_ratio_has_a_line_at_one_and_each_finding_its_band() {
        let result = example::result();
        let ratio = |finding: Option<&str>| {
            let finding = finding.map(str::to_owned);
            Figure::of(&result, &Choice { view: View::Ratio, finding, ..Choice::default() })
        };
        let level = ratio(None).level.unwrap();
        assert_eq!((level.y, level.name.as_str()), (1.0, "as good as phantom films"));
        assert!(ratio(None).range.1 >= 1.0 && ratio(Some("Hernia")).level.is_none());
        let svg = ratio(None).drawing(&PAPER).svg(None);
        assert!(svg.contains("as good as phantom films"));
        let (low, high) = ratio(Some("Edema")).series[0].marks[0].interval.unwrap();
        assert!((low - (0.975 - 0.04)).abs() < 1e-9 && (high - (0.975 + 0.04)).abs() < 1e-9);
        // Results of before the intervals were kept.
        assert_eq!(ratio(Some("Mass")).series[0].marks[0].interval, None);
        assert!(Figure::of(&result, &Choice::default()).level.is_none());
        let behind = &ratio(None).series[0].marks[0].behind;
        assert_eq!(behind, "films: 400 / 80 / 100 (train / validation / test)\nN = 60 test patients, 3 seeds");
    }

    #[test]
    fn a_mix_has_the_real_films_alone_as_a_line_across_and_compares_each_finding_with_them() {
        let result = example::mix();
        let figure = Figure::of(&result, &Choice::default());
        let level = figure.level.unwrap();
        assert_eq!((level.y, level.name.as_str()), (0.90, "phantom films alone"));
        let (low, high) = level.interval.unwrap();
        assert!(figure.range.0 <= low && figure.range.1 >= high);
        assert!(figure.series[1].marks[0].behind.starts_with("films: 400 and 400 samples / 80 / 100"));
        assert!(figure.series[0].marks[0].behind.starts_with("films: 400 / 80 / 100"));
        let without = Figure::of(&result, &Choice { hidden: vec![0], ..Choice::default() });
        assert!(without.level.is_none());
        let finding = Some("Mass".to_owned());
        let ratio = Figure::of(&result, &Choice { view: View::Ratio, finding, ..Choice::default() });
        assert!((ratio.series[0].marks[0].y - 0.78 / 0.90).abs() < 1e-12);
        // The point without samples stays on the axis, though nothing is compared there.
        assert_eq!((ratio.ticks[0], ratio.extent().0 < 0.0), (0.0, true));
        assert!(ratio.y_label.starts_with("AUROC with samples / real alone, Mass"));
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
        let svg = Figure::of(&result, &Choice::default()).drawing(&PAPER).svg(None);
        assert!(svg.contains("a&lt;b &amp; &quot;c&quot;") && !svg.contains("a<b"));
    }
}
