//! Curves on screen: one pair of axes for each chart, all over the same thousands of images.

use std::sync::Arc;

use eframe::egui::{Color32, Id, Label, RichText, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{GridMark, HoverPosition, Line, LineStyle, Plot, PlotPoints, Points, VLine};

use super::curves::{Chart, CurveLook, from_log, to_log};
use super::history::Basis;
use super::watcher::Followed;
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::number;

/// Runs that are drawn into the same axes.
pub struct Overlaid<'a> {
    /// What the run is called.
    pub name: &'a str,
    /// Its curves.
    pub followed: &'a Arc<Followed>,
}

/// Marks on a second encoder's line at most, so that they do not run together.
const MOST_MARKS: usize = 60;

/// Most runs in one pair of axes; each has a line of its own kind.
pub const MOST: usize = 4;

/// The kind of line by which run `index` is told from the others.
fn style(index: usize) -> LineStyle {
    match index {
        0 => LineStyle::Solid,
        1 => LineStyle::Dashed { length: 8.0 },
        2 => LineStyle::Dotted { spacing: 4.0 },
        _ => LineStyle::Dashed { length: 3.0 },
    }
}

/// Which chart is drawn, and how.
pub struct ChartView<'a> {
    /// Which.
    pub chart: Chart,
    /// How curves are drawn.
    pub look: CurveLook,
    /// Height in points, heading included.
    pub height: f32,
    /// The runs, the selected one first.
    pub runs: &'a [Overlaid<'a>],
    /// Thousands of images at the stage that is looked at.
    pub marked: Option<f64>,
}

impl ChartView<'_> {
    /// Draws heading, key and axes.
    pub fn show(&self, ui: &mut Ui) {
        let colors = theme::colors(ui);
        ui.horizontal(|ui| {
            ui.set_height(20.0);
            ui.spacing_mut().item_spacing.x = 6.0;
            let title = RichText::new(self.chart.text()).font(theme::medium(theme::CAPTION)).color(colors.text);
            ui.label(title).on_hover_text(self.chart.tooltip());
            ui.add_space(6.0);
            let measures = self.chart.measures();
            if measures.len() > 1 {
                for measure in measures {
                    key(ui, measure.color(&colors), LineStyle::Solid, measure.name());
                }
            }
            let last = self.runs.first().and_then(|run| {
                let curves = run.followed.curves.chart(self.chart);
                let curve = curves.iter().rfind(|curve| curve.second.is_none())?;
                Some(value(curve.smooth.last()?.y, self.look.log))
            });
            if let (Some(last), 1) = (last, measures.len()) {
                ui.label(RichText::new(last).font(theme::caption()).color(measures[0].color(&colors)));
            }
            if let Some((newest, all)) = self.basis() {
                let text = RichText::new(newest).font(theme::caption()).color(colors.dim);
                ui.add(Label::new(text).truncate().show_tooltip_when_elided(false)).on_hover_text(all);
            }
        });
        let log = self.look.log;
        let label = move |hover: &HoverPosition<'_>| match hover {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\n{} kimg: {}", number(position.x as f32, 1), value(position.y, log)))
            }
            HoverPosition::Elsewhere { .. } => None,
        };
        let mut plot = Plot::new(("chart", self.chart.text()))
            .height((self.height - 28.0).max(64.0))
            .width(ui.available_width())
            .link_axis(Id::unique("training charts"), [true, false])
            .show_background(false)
            .grid_color(colors.track)
            .cursor_color(colors.dim)
            .y_axis_min_width(40.0)
            .set_margin_fraction(vec2(0.0, 0.08))
            // No image is shown before the first; all charts of a run reach as far as it has come.
            .include_x(0.0)
            .include_x(self.runs.iter().map(|run| run.followed.history.reached).fold(0.0, f64::max))
            .allow_scroll(false)
            .allow_boxed_zoom(true)
            .x_grid_spacer(|input| even_marks(input.bounds, 6))
            .y_grid_spacer(|input| even_marks(input.bounds, 4))
            .x_axis_formatter(|mark, _| number(mark.value as f32, decimals(mark.step_size)))
            .y_axis_formatter(move |mark, _| axis(mark, log))
            .label_formatter(label);
        if log {
            plot = plot.y_grid_spacer(|input| log_marks(input.bounds));
        }
        // An amount is read from zero; a first measure alone would have no scale at all.
        if self.chart.is_amount() && !log {
            plot = plot.include_y(0.0);
        }
        if let Some(landmark) = self.chart.landmark() {
            plot = plot.include_y(0.0).include_y(to(landmark, log));
        }
        let name = format!("{}: {}", self.chart.text(), self.spoken());
        let shown = plot.show(ui, |plot| {
            for (index, run) in self.runs.iter().take(MOST).enumerate().rev() {
                for curve in run.followed.curves.chart(self.chart) {
                    // Runs differ in their kind of line, measures in their colour; a second encoder's line is paler, and
                    // its marks are hollow.
                    let (full, second) = (curve.measure.color(&colors), curve.second.is_some());
                    let color = match (index, second) {
                        (0, false) => full,
                        (0, true) => theme::tint(full, colors.panel, 0.6),
                        (_, false) => theme::tint(full, colors.panel, 0.7),
                        (_, true) => theme::tint(full, colors.panel, 0.45),
                    };
                    let name =
                        if self.runs.len() > 1 { format!("{}, {}", run.name, curve.label()) } else { curve.label() };
                    if index == 0 && !curve.raw.is_empty() {
                        let faint = theme::tint(full, colors.panel, 0.22);
                        let raw = Line::new("", PlotPoints::Borrowed(&curve.raw)).color(faint).width(1.0);
                        plot.line(raw.allow_hover(false));
                    }
                    let line = Line::new(name.clone(), PlotPoints::Borrowed(&curve.smooth));
                    plot.line(line.color(color).width(if index == 0 { 1.6 } else { 1.2 }).style(style(index)));
                    if curve.smooth.len() < if second { MOST_MARKS } else { 12 } {
                        let points = Points::new(name, PlotPoints::Borrowed(&curve.smooth)).filled(!second);
                        plot.points(points.color(color).radius(if second { 3.0 } else { 2.5 }));
                    }
                }
            }
            if let Some(kimg) = self.marked {
                let line = VLine::new("", kimg).color(colors.dim).width(1.0).allow_hover(false);
                plot.vline(line.style(LineStyle::Dotted { spacing: 4.0 }));
            }
        });
        shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    }

    /// What the selected run's newest quality figures rest on, by each of its encoders, and for the hover what those of every
    /// run do.
    fn basis(&self) -> Option<(String, String)> {
        let newest = |second| {
            let history = &self.runs.first()?.followed.history;
            Some(self.chart.bases(history, second).first()?.to_string())
        };
        let second = newest(true).map_or(String::new(), |second| format!("; hollow: {second}"));
        let newest = newest(false)? + &second;
        let runs = self.runs.iter().filter_map(|run| {
            let words = |second| Basis::in_words(&self.chart.bases(&run.followed.history, second));
            let second = words(true).map_or(String::new(), |words| format!("; hollow marks: {words}"));
            Some(format!("{}: {}{second}", run.name, words(false)?))
        });
        let note = "N samples are compared with as many reals, in the features of this encoder. Figures of another N or \
                    encoder are not comparable.";
        Some((newest, runs.chain([note.to_owned()]).collect::<Vec<_>>().join("\n")))
    }

    /// The newest values, for those who hear the chart.
    fn spoken(&self) -> String {
        let Some(run) = self.runs.first() else { return "nothing measured".to_owned() };
        let last = |curve: &super::curves::Curve| {
            let y = curve.smooth.last()?.y;
            Some(format!("{} {}", curve.name(), value(y, self.look.log)))
        };
        let values = run.followed.curves.chart(self.chart).iter().filter_map(last);
        values.chain(self.basis().map(|(newest, _)| newest)).collect::<Vec<_>>().join(", ")
    }
}

/// A short line with a name beside it.
pub fn key(ui: &mut Ui, color: Color32, style: LineStyle, name: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 12.0), Sense::hover());
    let y = rect.center().y;
    let ends = [pos2(rect.left(), y), pos2(rect.right(), y)];
    let stroke = Stroke::new(2.0, color);
    let painter = ui.painter();
    match style {
        LineStyle::Solid => {
            painter.line_segment(ends, stroke);
        }
        LineStyle::Dashed { length } => {
            painter.extend(Shape::dashed_line(&ends, stroke, length * 0.6, length * 0.5));
        }
        LineStyle::Dotted { spacing } => {
            painter.extend(Shape::dotted_line(&ends, color, spacing, 1.0));
        }
    }
    ui.label(RichText::new(name).font(theme::caption()).color(theme::colors(ui).dim));
}

/// The key that tells runs apart by their kind of line.
pub fn run_key(ui: &mut Ui, names: &[&str]) {
    let colors: Colors = theme::colors(ui);
    for (index, name) in names.iter().take(MOST).enumerate() {
        key(ui, colors.text, style(index), name);
        ui.add_space(4.0);
    }
}

/// The place of a value on the scale.
pub fn to(value: f64, log: bool) -> f64 {
    if log { to_log(value) } else { value }
}

/// A value as it is read: three figures that count.
pub fn value(y: f64, log: bool) -> String {
    let y = if log { from_log(y) } else { y };
    let size = y.abs();
    let places = match size {
        s if s >= 100.0 || s == 0.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.01 => 3,
        _ => 5,
    };
    number(y as f32, places)
}

fn axis(mark: GridMark, log: bool) -> String {
    if log {
        let value = from_log(mark.value);
        if value.abs() < 1e-9 {
            return "0".to_owned();
        }
        // As many figures as tell the mark's own number.
        // The scale's own rounding must not take a power of ten for a little less.
        let least = decimals(value.abs() * (1.0 + 1e-9));
        let told = |places: &usize| {
            let factor = 10f64.powi(*places as i32);
            ((value * factor).round() / factor - value).abs() < 1e-6 * value.abs()
        };
        return number(value as f32, (least..least + 3).find(told).unwrap_or(least + 3));
    }
    number(mark.value as f32, decimals(mark.step_size))
}

/// Decimals that tell marks of this distance apart.
fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 6.0) as usize
}

/// About `count` marks at round numbers: steps of 1, 2 or 5 and their tenths.
fn even_marks((low, high): (f64, f64), count: usize) -> Vec<GridMark> {
    let rough = (high - low) / count.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * decade).find(|&s| s >= rough * 0.999).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let values = (0..=2 * count as i64 + 2).map(|i| (first + i) as f64 * step).take_while(|&value| value <= high);
    values.map(|value| GridMark { value, step_size: step }).collect()
}

/// Marks at zero and at the powers of ten of both signs; between them, where one axis has hardly any. None so near another
/// that their numbers would touch.
fn log_marks((low, high): (f64, f64)) -> Vec<GridMark> {
    let within = |steps: &[f64]| {
        let values = (-2..=9).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        let places = values.map(to_log).flat_map(|place| [-place, place]).chain([0.0]);
        let mut places: Vec<f64> = places.filter(|place| (low..=high).contains(place)).collect();
        // Those near zero lie closest together, and zero itself stays.
        places.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let mut kept: Vec<f64> = Vec::new();
        for place in places {
            if kept.iter().all(|other| (other - place).abs() >= (high - low) / 9.0) {
                kept.push(place);
            }
        }
        kept
    };
    let mut places = within(&[1.0]);
    if places.len() < 2 {
        places = within(&[1.0, 2.0, 5.0]);
    }
    if places.len() < 2 {
        places = even_marks((from_log(low), from_log(high)), 4).iter().map(|mark| to_log(mark.value)).collect();
    }
    // Marks are drawn the fainter, the smaller they say their distance is.
    places.into_iter().map(|value| GridMark { value, step_size: high - low }).collect()
}

/// Room for `count` charts in a column of `height` points: as high as they can be, within reason.
pub fn chart_height(size: Vec2, count: usize) -> f32 {
    (size.y / count.max(1) as f32 - 4.0).clamp(128.0, 280.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_three_figures() {
        let found = [1235.5, 12.345, 1.2345, 0.123456, 0.0, -0.5].map(|v| value(v, false));
        assert_eq!(found, ["1236", "12.3", "1.23", "0.123", "0", "\u{2212}0.500"]);
        assert_eq!(value(to_log(42.0), true), "42.0");
        assert_eq!([0.5, 1.0, 20.0, 0.01].map(decimals), [1, 0, 0, 2]);
    }

    #[test]
    fn marks_stand_at_round_numbers() {
        let values = |low, high| even_marks((low, high), 4).iter().map(|mark| mark.value).collect::<Vec<_>>();
        assert_eq!(values(-3.0, 11.0), [0.0, 5.0, 10.0]);
        assert_eq!(values(0.0, 0.8), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8]);
        assert!(values(1.0, 1.0).is_empty() && values(f64::NAN, 1.0).is_empty());
    }

    #[test]
    fn a_logarithmic_axis_has_marks_at_powers_of_ten() {
        let marks = log_marks((to_log(-20.0), to_log(200.0)));
        let mut values: Vec<f64> = marks.iter().map(|mark| from_log(mark.value)).collect();
        values.sort_by(f64::total_cmp);
        let wanted = [-10.0, -1.0, -0.1, 0.0, 0.1, 1.0, 10.0, 100.0];
        assert_eq!(values.len(), wanted.len(), "{values:?}");
        assert!(values.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9 * b.abs().max(1.0)), "{values:?}");
        // Less than a decade, and hardly anything: still numbers to read the curve by.
        let read = |low: f64, high: f64| {
            let mut marks = log_marks((to_log(low), to_log(high)));
            marks.sort_by(|a, b| a.value.total_cmp(&b.value));
            marks.into_iter().map(|mark| axis(mark, true)).collect::<Vec<_>>()
        };
        assert_eq!(read(0.4, 3.0), ["0.5", "1", "2"]);
        assert_eq!(read(0.0665, 0.073), ["0.068", "0.07", "0.072"]);
    }
}
