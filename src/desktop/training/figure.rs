//! Curves for papers and tables: SVG and PNG on white, or all numbers as CSV.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Once};

use eframe::egui::Theme;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::charts::{to, value};
use super::curves::{Chart, CurveLook};
use super::watcher::Followed;
use crate::desktop::theme::Colors;
use crate::store;

/// Size of one chart in pixels.
const CHART: (u32, u32) = (720, 340);
/// Scale of the PNG, so that it is sharp in print.
const PRINT: u32 = 2;

/// One run of a figure.
pub struct Drawn {
    /// What it is called.
    pub name: String,
    /// Its curves and numbers.
    pub followed: Arc<Followed>,
}

/// Writes the curves of `runs` in the form that the ending of `path` names: `.svg`, `.png` or `.csv`.
///
/// # Errors
/// A sentence, when the ending is another one, nothing was measured or the disk refuses.
pub fn write(path: &Path, runs: &[Drawn], look: CurveLook) -> Result<(), String> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let bytes = match ending.as_str() {
        "svg" => svg(runs, look)?.into_bytes(),
        "png" => png(runs, look)?,
        "csv" => csv(runs).into_bytes(),
        _ => {
            return Err(format!(
                "{}: curves are saved as .svg, .png or .csv; give the name such an ending",
                path.display()
            ));
        }
    };
    store::write_atomic(path, &bytes).map_err(|error| error.to_string())
}

/// Every measured number, unsmoothed: run, measure, thousands of images, value, and what a measure of quality rests on.
pub fn csv(runs: &[Drawn]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::from("run,chart,measure,kimg,value,n,encoder\n");
    for run in runs {
        let name = quoted(&run.name);
        for chart in Chart::ALL {
            for measure in chart.measures() {
                for ([kimg, value], quality) in measure.told(&run.followed.history) {
                    let basis = quality.map_or(",".to_owned(), |q| format!("{},{}", q.count, quoted(&q.encoder)));
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{name},\"{}\",{},{kimg},{value},{basis}", chart.text(), measure.name());
                }
            }
        }
    }
    text
}

fn charts(runs: &[Drawn]) -> Vec<Chart> {
    let measured = |chart: &Chart| runs.iter().any(|run| !run.followed.curves.chart(*chart).is_empty());
    Chart::ALL.into_iter().filter(measured).collect()
}

fn svg(runs: &[Drawn], look: CurveLook) -> Result<String, String> {
    let charts = charts(runs);
    let size = (CHART.0, CHART.1 * charts.len().max(1) as u32);
    let mut text = String::new();
    draw(&SVGBackend::with_string(&mut text, size).into_drawing_area(), runs, &charts, look, 1)?;
    Ok(text)
}

fn png(runs: &[Drawn], look: CurveLook) -> Result<Vec<u8>, String> {
    let charts = charts(runs);
    let (width, height) = (CHART.0 * PRINT, CHART.1 * PRINT * charts.len().max(1) as u32);
    let mut pixels = vec![255; (width * height * 3) as usize];
    draw(&BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(), runs, &charts, look, PRINT)?;
    let image =
        image::RgbImage::from_raw(width, height, pixels).ok_or("the picture has another size than its pixels")?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(bytes.into_inner())
}

/// Draws all charts, one below the other.
fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    runs: &[Drawn],
    charts: &[Chart],
    look: CurveLook,
    scale: u32,
) -> Result<(), String> {
    fonts();
    if charts.is_empty() {
        return Err("nothing has been measured yet, so there is no curve to save".to_owned());
    }
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    for (panel, &chart) in area.split_evenly((charts.len(), 1)).iter().zip(charts) {
        one(panel, runs, chart, look, scale).map_err(|error| error.to_string())?;
    }
    area.present().map_err(|error| error.to_string())
}

fn one<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    runs: &[Drawn],
    chart: Chart,
    look: CurveLook,
    scale: u32,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let colors = Colors::of(Theme::Light);
    let px = |points: f64| (points * f64::from(scale)).round() as i32;
    let all = || runs.iter().flat_map(|run| run.followed.curves.chart(chart)).flat_map(|curve| &curve.smooth);
    let span = |of: fn(&egui_plot::PlotPoint) -> f64| {
        let (low, high) = all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let margin = ((high - low) * 0.06).max(1e-6);
        (low - margin, high + margin)
    };
    let (x, mut y) = (span(|point| point.x).1, span(|point| point.y));
    if let Some(landmark) = chart.landmark() {
        y = (y.0.min(0.0), y.1.max(to(landmark, look.log)));
    }
    // What all curves rest on is said once, in the heading.
    let curves = runs.iter().flat_map(|run| run.followed.curves.chart(chart));
    let bases: BTreeSet<&String> = curves.filter_map(|curve| curve.basis.as_ref()).collect();
    let heading = match bases.first() {
        Some(basis) if bases.len() == 1 => format!("{}, {basis}", chart.text()),
        _ => chart.text().to_owned(),
    };
    let text = ("sans-serif", px(13.0)).into_font();
    let mut axes = ChartBuilder::on(area)
        .margin(px(12.0))
        .caption(heading, ("sans-serif", px(14.0)))
        .x_label_area_size(px(38.0))
        .y_label_area_size(px(64.0))
        // No image is shown before the first; a single measure alone would have no scale at all.
        .build_cartesian_2d(0.0..x, y.0..y.1)?;
    let log = look.log;
    axes.configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 229, 233).stroke_width(scale))
        .axis_style(RGBColor(90, 100, 110).stroke_width(scale))
        .label_style(text.clone())
        .x_desc("thousand images")
        .y_label_formatter(&|y| value(*y, log))
        .draw()?;
    for (index, run) in runs.iter().enumerate() {
        for curve in run.followed.curves.chart(chart) {
            let [r, g, b, _] = curve.measure.color(&colors).to_array();
            // A second encoder's line is paler, and its marks are hollow.
            let second = curve.second.is_some();
            let style = RGBColor(r, g, b).mix(if second { 0.55 } else { 1.0 }).stroke_width(2 * scale);
            let points = || curve.smooth.iter().map(|point| (point.x, point.y));
            let name = if bases.len() > 1 { curve.label() } else { curve.measure.name().to_owned() };
            let name = if runs.len() > 1 { format!("{}, {name}", run.name) } else { name };
            if curve.smooth.len() < 12 {
                let marks = if second { style } else { style.filled() };
                axes.draw_series(points().map(|point| Circle::new(point, px(2.5), marks)))?;
            }
            let drawn = if index == 0 {
                axes.draw_series(LineSeries::new(points(), style))?
            } else {
                let length = [8.0, 3.0, 1.5][(index - 1).min(2)];
                axes.draw_series(DashedLineSeries::new(points(), px(length), px(length * 0.7), style))?
            };
            let length = px(18.0);
            drawn.label(name).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + length, y)], style));
        }
    }
    axes.configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .legend_area_size(px(22.0))
        .label_font(text)
        .background_style(WHITE.mix(0.8))
        .draw()
}

/// Makes the window's own font known to the drawing library, which has none.
fn fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let regular = include_bytes!("../../../assets/fonts/Roboto-Regular.ttf");
        if register_font("sans-serif", FontStyle::Normal, regular).is_err() {
            tracing::warn!("the font of figures could not be read");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::training::curves::Curves;
    use crate::desktop::training::history::History;
    use crate::training::events::{Figures, Quality};

    fn run(name: &str, count: usize) -> Drawn {
        let mut history = History::default();
        for i in 0..50u16 {
            let figures = Figures {
                step: u64::from(i),
                kimg: f64::from(i) * 0.1,
                critic_loss: -2.0 + f32::from(i) * 0.01,
                generator_loss: 5.0,
                images_per_second: 30.0,
                ..Figures::default()
            };
            history.figures.push(figures);
        }
        let quality = Quality { kimg: 2.0, count, encoder: "small".to_owned(), ..Quality::default() };
        history.qualities.push(Quality { precision: Some(0.9), ..quality });
        drawn(name, history)
    }

    fn drawn(name: &str, history: History) -> Drawn {
        let curves = Curves::of(&history, CurveLook { smoothing: 0.0, log: true });
        let followed = Followed { history, curves, checkpoints: Vec::new(), best: None };
        Drawn { name: name.to_owned(), followed: Arc::new(followed) }
    }

    #[test]
    fn a_figure_is_written_in_each_form_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let look = CurveLook { smoothing: 0.0, log: true };
        let runs = [run("a", 500), run("b \"quoted\"", 1000)];
        let read = |name: &str| {
            let path = folder.path().join(name);
            write(&path, &runs, look).unwrap();
            std::fs::read(path).unwrap()
        };
        let svg = String::from_utf8(read("curves.svg")).unwrap();
        assert!(svg.contains("Losses") && svg.contains("generator") && svg.contains("thousand images"));
        let picture = image::load_from_memory(&read("curves.png")).unwrap().to_rgb8();
        assert_eq!(picture.width(), 1440);
        assert!(picture.pixels().any(|pixel| pixel.0 == [0x9A, 0x6A, 0x00]), "no amber line");
        let table = String::from_utf8(read("curves.csv")).unwrap();
        assert_eq!(table.lines().next(), Some("run,chart,measure,kimg,value,n,encoder"));
        let rows = csv::Reader::from_reader(table.as_bytes()).into_records().map(Result::unwrap).collect::<Vec<_>>();
        // Two losses, the real score and the speed, and once FID, KID and precision, of two runs.
        assert_eq!(rows.len(), 2 * (4 * 50 + 3));
        assert!(rows.iter().any(|row| &row[0] == "b \"quoted\"" && &row[2] == "critic" && row[4].starts_with("-2")));
        let quality = |n: &str| rows.iter().filter(|row| &row[5] == n && &row[6] == "small").count();
        assert_eq!((quality("500"), quality("1000"), quality("")), (3, 3, 0));
        // Runs that rest on different numbers say so each; one alone, or runs alike, in the heading.
        assert!(svg.contains("precision, N = 500, small") && !svg.contains("recall, N = 500, small"));
        write(&folder.path().join("one.svg"), &runs[..1], look).unwrap();
        let one = std::fs::read_to_string(folder.path().join("one.svg")).unwrap();
        assert!(one.contains("Precision and recall, N = 500, small"));
        // A second encoder's figures have lines and rows of their own, which name it.
        let first = Quality { kimg: 2.0, fid: 3.0, count: 500, encoder: "small".to_owned(), ..Quality::default() };
        let second = Quality { fid: 80.0, encoder: "photographs".to_owned(), second: true, ..first.clone() };
        let two = [drawn("two", History { qualities: vec![first, second], ..History::default() })];
        let svg = super::svg(&two, look).unwrap();
        assert!(svg.contains("FID, N = 500, small") && svg.contains("FID, N = 500, photographs"));
        assert!(!svg.contains("(FID), N = 500"));
        let table = csv(&two);
        assert!(
            table.contains(",FID,2,3,500,\"small\"\n") && table.contains(",FID,2,80,500,\"photographs\"\n"),
            "{table}"
        );
        let refused = write(&folder.path().join("curves.jpg"), &runs, look).unwrap_err();
        assert!(refused.contains(".svg, .png or .csv"), "{refused}");
    }
}
