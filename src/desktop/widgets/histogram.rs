//! Distances of unseen patients as bars, with a line where the sample falls.

use eframe::egui::{Align2, Color32, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::desktop::theme;

/// Counts of one set of distances, made once when a cohort opens.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    counts: Vec<usize>,
    high: f32,
}

impl Histogram {
    /// Counts ascending `values` into bars of equal width from 0 to a little above the largest.
    pub fn of(values: &[f32]) -> Self {
        // About as many bars as Sturges' rule doubled gives, so that a few hundred patients still show a shape.
        let bars = ((values.len().max(1) as f32).log2() * 2.0).clamp(8.0, 32.0) as usize;
        let high = values.last().copied().unwrap_or(1.0).max(1e-6) * 1.02;
        let mut counts = vec![0; bars];
        for &value in values {
            let at = (value / high * bars as f32) as usize;
            counts[at.min(bars - 1)] += 1;
        }
        Self { counts, high }
    }

    /// Draws the bars in `bars`' colour, and the sample's distance as a line in `line`'s.
    pub fn show(&self, ui: &mut Ui, height: f32, sample: Option<f32>, bars: Color32, line: Color32) {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        response.widget_info(|| {
            let place = sample.map_or_else(|| "no sample".to_owned(), |d| format!("the sample is at {d:.3}"));
            WidgetInfo::labeled(Role::Image, true, format!("Histogram of unseen patients' distances; {place}"))
        });
        let colors = theme::colors(ui);
        let painter = ui.painter_at(rect);
        let plot = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - 16.0));
        let most = self.counts.iter().copied().max().unwrap_or(0).max(1) as f32;
        let step = plot.width() / self.counts.len() as f32;
        let fill = theme::tint(bars, colors.panel, 0.5);
        for (i, &count) in self.counts.iter().enumerate() {
            let left = plot.left() + i as f32 * step;
            let top = plot.bottom() - (plot.height() - 4.0) * count as f32 / most;
            let bar = Rect::from_min_max(pos2(left, top), pos2(left + (step - 2.0).max(1.0), plot.bottom()));
            painter.rect_filled(bar, 0.0, fill);
        }
        painter.hline(plot.x_range(), plot.bottom(), Stroke::new(1.0, colors.track));
        let caption = theme::caption();
        let foot = rect.bottom();
        painter.text(pos2(rect.left(), foot), Align2::LEFT_BOTTOM, "0".to_owned(), caption.clone(), colors.dim);
        painter.text(
            pos2(rect.right(), foot),
            Align2::RIGHT_BOTTOM,
            {
                let decimals = if self.high < 0.05 { 4 } else { 2 };
                format!("{:.decimals$}", self.high)
            },
            caption.clone(),
            colors.dim,
        );
        painter.text(pos2(rect.center().x, foot), Align2::CENTER_BOTTOM, "cosine distance", caption, colors.dim);
        if let Some(distance) = sample {
            let share = (distance / self.high).clamp(0.0, 1.0);
            let x = plot.left() + 1.0 + share * (plot.width() - 2.0);
            painter.vline(x, plot.y_range(), Stroke::new(2.0, line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values: Vec<f32> = (0..240).map(|i| 0.001 * i as f32).collect();
        let histogram = Histogram::of(&values);
        assert_eq!(histogram.counts.iter().sum::<usize>(), 240);
        assert!(histogram.high > 0.239);
        assert_eq!(Histogram::of(&[]).counts.iter().sum::<usize>(), 0);
    }
}
