//! A figure on screen: axes, bands, curves, points; the point under the pointer is told, a click on it is handed over.

use eframe::egui::{
    Align2, Color32, FontId, Mesh, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use crate::benchmark::figure::{Figure, Ink, Mark, Series, short};
use crate::desktop::theme::{self, Colors};

/// How near the pointer must be to a point, in points of the screen.
const REACH: f32 = 14.0;

/// The colour of a curve.
pub fn ink(colors: &Colors, ink: Ink, phantom: bool) -> Color32 {
    match ink {
        Ink::Real if phantom => colors.phantom,
        Ink::Real => colors.real,
        Ink::Cpd => colors.synthetic,
        Ink::Prog => theme::tint(colors.synthetic, colors.text, 0.55),
        Ink::Published => colors.dim,
    }
}

/// Where a figure lies on screen.
struct Place<'a> {
    figure: &'a Figure,
    plot: Rect,
    extent: (f64, f64),
}

impl Place<'_> {
    fn x(&self, x: f64) -> f32 {
        let (low, high) = self.extent;
        let share = (self.figure.place(x) - low) / (high - low).max(1e-9);
        self.plot.left() + share as f32 * self.plot.width()
    }

    fn y(&self, y: f64) -> f32 {
        let (low, high) = self.figure.range;
        self.plot.bottom() - ((y - low) / (high - low).max(1e-9)) as f32 * self.plot.height()
    }

    fn at(&self, mark: &Mark) -> Pos2 {
        pos2(self.x(mark.x), self.y(mark.y))
    }
}

/// What the hand did on a chart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// Curve and point under the pointer, as positions in the result.
    pub hovered: Option<(usize, usize)>,
    /// The one that was clicked.
    pub clicked: Option<(usize, usize)>,
}

/// Draws a figure into `rect`; `small` leaves axis titles away. `phantom`: the real part is played by phantoms.
pub fn show(ui: &mut Ui, rect: Rect, figure: &Figure, small: bool, phantom: bool) -> Touched {
    let colors = theme::colors(ui);
    let response = ui.interact(rect, ui.scope_id().with(("chart", &figure.y_label)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, described(figure)));
    let (left, bottom, top) = if small { (34.0, 20.0, 22.0) } else { (64.0, 52.0, 12.0) };
    let plot = Rect::from_min_max(rect.min + vec2(left, top), rect.max - vec2(12.0, bottom));
    let place = Place { figure, plot, extent: figure.extent() };
    let painter = ui.painter_at(rect);
    let font = if small { theme::caption() } else { theme::text() };
    axes(&painter, &place, &colors, &font, small);
    level(&painter, &place, ink(&colors, Ink::Real, phantom), small);
    for series in &figure.series {
        curve(&painter, &place, series, ink(&colors, series.ink, phantom), if small { 2.5 } else { 4.0 });
    }
    if figure.series.is_empty() {
        let text = "Not defined here";
        painter.text(plot.center(), Align2::CENTER_CENTER, text, theme::caption(), colors.dim);
    }
    let Some(pointer) = response.hover_pos() else { return Touched::default() };
    let near = figure
        .series
        .iter()
        .flat_map(|series| series.marks.iter().map(move |mark| (series, mark)))
        .map(|(series, mark)| (place.at(mark).distance(pointer), series, mark))
        .filter(|(distance, ..)| *distance <= REACH)
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((_, series, mark)) = near else { return Touched::default() };
    painter.circle_stroke(place.at(mark), 8.0, Stroke::new(1.5, colors.text));
    let hovered = series.curve.zip(mark.point);
    let mut lines = format!("{}\n{}: {:.3}", series.name, short(mark.x), mark.y);
    if let Some((low, high)) = mark.interval {
        lines.push_str(&format!("\n95 % {low:.3} to {high:.3}"));
    }
    if !mark.seeds.is_empty() {
        let seeds: Vec<String> = mark.seeds.iter().map(|v| format!("{v:.3}")).collect();
        lines.push_str(&format!("\nseeds {}", seeds.join(", ")));
    }
    if !mark.behind.is_empty() {
        lines.push_str(&format!("\n{}", mark.behind));
    }
    response.clone().on_hover_text_at_pointer(lines);
    Touched { hovered, clicked: hovered.filter(|_| response.clicked()) }
}

/// The figure in words, for those who hear it.
fn described(figure: &Figure) -> String {
    let mut text = format!("{}, {} against {}", figure.title, figure.y_label, figure.x_label);
    for series in &figure.series {
        let marks: Vec<String> =
            series.marks.iter().map(|mark| format!("{} at {}", short3(mark.y), short(mark.x))).collect();
        text.push_str(&format!("; {}: {}", series.name, marks.join(", ")));
    }
    if let Some(level) = &figure.level {
        text.push_str(&format!("; a line across at {}: {}", short3(level.y), level.name));
    }
    text
}

fn short3(value: f64) -> String {
    format!("{value:.3}")
}

fn axes(painter: &Painter, place: &Place<'_>, colors: &Colors, font: &FontId, small: bool) {
    let (figure, plot) = (place.figure, place.plot);
    for height in figure.heights() {
        let y = place.y(height);
        painter.hline(plot.x_range(), y, Stroke::new(1.0, colors.hairline));
        let text = format!("{height:.2}");
        painter.text(pos2(plot.left() - 6.0, y), Align2::RIGHT_CENTER, text, font.clone(), colors.dim);
    }
    painter.hline(plot.x_range(), plot.bottom(), Stroke::new(1.0, colors.track));
    let mut free = f32::NEG_INFINITY;
    for &tick in &figure.ticks {
        let x = place.x(tick);
        painter.vline(x, plot.bottom()..=plot.bottom() + 4.0, Stroke::new(1.0, colors.track));
        let galley = painter.layout_no_wrap(short(tick), font.clone(), colors.text);
        let left = x - galley.size().x * 0.5;
        if left > free {
            free = left + galley.size().x + 6.0;
            painter.galley(pos2(left, plot.bottom() + 5.0), galley, colors.text);
        }
    }
    if small {
        return;
    }
    let below = pos2(plot.center().x, plot.bottom() + 44.0);
    painter.text(below, Align2::CENTER_BOTTOM, &figure.x_label, theme::text(), colors.dim);
    let galley = painter.layout_no_wrap(figure.y_label.clone(), theme::text(), colors.dim);
    let start = pos2(plot.left() - 60.0, plot.center().y + galley.size().x * 0.5);
    let mut turned = eframe::egui::epaint::TextShape::new(start, galley, colors.dim);
    turned.angle = -std::f32::consts::FRAC_PI_2;
    painter.add(turned);
}

/// The line across that curves are held against, with its band, and its name where there is room.
fn level(painter: &Painter, place: &Place<'_>, color: Color32, small: bool) {
    let Some(level) = &place.figure.level else { return };
    if let Some((low, high)) = level.interval {
        let y = place.y(high)..=place.y(low);
        painter.rect_filled(Rect::from_x_y_ranges(place.plot.x_range(), y), 0.0, color.gamma_multiply(0.16));
    }
    let y = place.y(level.y);
    painter.hline(place.plot.x_range(), y, Stroke::new(1.5, color));
    if !small {
        let at = pos2(place.plot.right() - 4.0, y - 2.0);
        painter.text(at, Align2::RIGHT_BOTTOM, &level.name, theme::caption(), color);
    }
}

fn curve(painter: &Painter, place: &Place<'_>, series: &Series, color: Color32, radius: f32) {
    let ends: Vec<(f32, f32, f32)> = series
        .marks
        .iter()
        .filter_map(|mark| mark.interval.map(|(low, high)| (place.x(mark.x), place.y(low), place.y(high))))
        .collect();
    if ends.len() > 1 {
        let mut band = Mesh::default();
        let faint = color.gamma_multiply(0.16);
        for (x, low, high) in &ends {
            band.colored_vertex(pos2(*x, *low), faint);
            band.colored_vertex(pos2(*x, *high), faint);
        }
        for i in 0..ends.len() as u32 - 1 {
            band.add_triangle(2 * i, 2 * i + 1, 2 * i + 2);
            band.add_triangle(2 * i + 1, 2 * i + 2, 2 * i + 3);
        }
        painter.add(Shape::mesh(band));
    }
    for (x, low, high) in ends {
        painter.vline(x, high..=low, Stroke::new(1.0, color));
    }
    let points: Vec<Pos2> = series.marks.iter().map(|mark| place.at(mark)).collect();
    let width = if series.ink == Ink::Published { 1.0 } else { 2.0 };
    match series.ink {
        Ink::Prog => painter.extend(Shape::dashed_line(&points, Stroke::new(width, color), 7.0, 4.0)),
        Ink::Published => painter.extend(Shape::dashed_line(&points, Stroke::new(width, color), 2.0, 3.0)),
        Ink::Real | Ink::Cpd => {
            painter.add(Shape::line(points.clone(), Stroke::new(width, color)));
        }
    }
    for (mark, at) in series.marks.iter().zip(points) {
        for seed in &mark.seeds {
            painter.circle_stroke(pos2(at.x + 7.0, place.y(*seed)), 2.0, Stroke::new(1.0, color));
        }
        symbol(painter, series.ink, at, radius, color);
    }
}

/// The sign of a curve's points: square for real, disc for samples, open diamond for published values.
pub fn symbol(painter: &Painter, ink: Ink, at: Pos2, radius: f32, color: Color32) {
    match ink {
        Ink::Real => {
            painter.rect_filled(Rect::from_center_size(at, vec2(2.0, 2.0) * radius), 0.0, color);
        }
        Ink::Cpd | Ink::Prog => {
            painter.circle_filled(at, radius, color);
        }
        Ink::Published => {
            let corner = |x: f32, y: f32| at + vec2(x, y) * radius;
            let corners = vec![corner(0.0, -1.0), corner(1.0, 0.0), corner(0.0, 1.0), corner(-1.0, 0.0)];
            painter.add(Shape::closed_line(corners, Stroke::new(1.0, color)));
        }
    }
}

#[cfg(test)]
mod tests {
    use eframe::egui::Theme;

    use super::*;
    use crate::benchmark::figure::drawing::contrast;

    #[test]
    fn every_curve_is_readable_on_every_ground() {
        for theme in [Theme::Dark, Theme::Light] {
            let colors = Colors::of(theme);
            for of in [Ink::Real, Ink::Cpd, Ink::Prog, Ink::Published] {
                for (phantom, ground) in [false, true].into_iter().flat_map(|p| [(p, colors.ground), (p, colors.panel)])
                {
                    let color = ink(&colors, of, phantom);
                    let bytes = |color: Color32| [color.r(), color.g(), color.b()];
                    let found = contrast(bytes(color), bytes(ground));
                    assert!(found >= 3.0, "{theme:?}: {of:?} on {ground:?} has only {found}");
                }
            }
        }
    }
}
