//! The figure of a sweep: what is drawn, apart from who draws it. On screen the window draws it; [`drawing`] turns it into
//! shapes, which `svg` writes with their text as text and `png` paints.

pub mod drawing;
mod png;
mod svg;

pub use svg::escape;

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
            title: result.title(),
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
        let svg = figure.svg(&PAPER, None);
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (4 + 2, 3 + 2 + 1));
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
