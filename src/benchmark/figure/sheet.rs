//! Small figures side by side on one paper: one for each finding, as the window shows them.

use super::drawing::{Anchor, Drawing, Palette, Plot, WIDTH, legend, text};
use super::{Choice, Figure, height};
use crate::benchmark::published;
use crate::benchmark::result::SweepResult;

/// Most figures side by side.
const COLUMNS: usize = 3;
/// Height of one figure.
const CELL: f64 = 180.0;
/// Room at both sides, and between what stands below each other.
const MARGIN: f64 = 16.0;
/// Room above the figures, for title and axes in words.
const HEAD: f64 = 56.0;

/// The sheet of a result; what is drawn of each finding is what is drawn of the mean.
pub fn sheet(result: &SweepResult, choice: &Choice, palette: &Palette) -> Drawing {
    let figures = Figure::of_findings(result, choice);
    let axes =
        format!("{} against {}", height(result, choice.view, Some("one finding")), published::axis(&result.factor));
    let mut shapes = vec![
        text((MARGIN, 22.0), Anchor::Start, 15.0, palette.text, &result.title()),
        text((MARGIN, 42.0), Anchor::Start, 12.0, palette.dim, &axes),
    ];
    let columns = figures.len().clamp(1, COLUMNS);
    let width = (WIDTH - 2.0 * MARGIN) / columns as f64;
    for (place, (name, figure)) in figures.iter().enumerate() {
        let (left, top) = (MARGIN + width * (place % columns) as f64, HEAD + CELL * (place / columns) as f64);
        shapes.push(text((left + 34.0, top + 14.0), Anchor::Start, 11.0, palette.text, name));
        let (min, max) = ((left + 34.0, top + 22.0), (left + width - 10.0, top + CELL - 28.0));
        figure.plot(&mut shapes, &Plot { min, max, words: 10.0, sign: 2.5, named: false }, palette);
    }
    let below = HEAD + CELL * figures.len().div_ceil(columns) as f64;
    // A finding that is nowhere defined for a curve lacks it; the fullest figure has them all.
    let fullest = figures.iter().map(|(_, figure)| figure).max_by_key(|figure| figure.series.len());
    let names = legend(&mut shapes, fullest.map_or(&[], |figure| &figure.series), (MARGIN, below + 4.0), palette);
    let described = format!("{}: {axes}", result.title());
    Drawing { size: (WIDTH, below + names + MARGIN), ground: palette.ground, described, shapes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::figure::View;
    use crate::benchmark::figure::drawing::{PAPER, Shape};
    use crate::benchmark::result::example;

    #[test]
    fn every_finding_has_its_figure_within_the_paper() {
        let mut result = example::result();
        let drawing = sheet(&result, &Choice { view: View::Ratio, ..Choice::default() }, &PAPER);
        let svg = drawing.svg(None);
        for words in ["Edema", "Mass", "AUROC synthetic / real, one finding", "cpD-GAN (N = 3 seeds)"] {
            assert!(svg.contains(words), "{words}");
        }
        // 2 findings of 2 curves at 2 points, and 2 signs in the legend.
        assert_eq!(svg.matches("<circle").count(), 2 * 2 * 2 + 2);
        for shape in &drawing.shapes {
            let places = match shape {
                Shape::Path { points, .. } => points.clone(),
                Shape::Disc { at, .. } | Shape::Text { at, .. } => vec![*at],
            };
            let (width, height) = drawing.size;
            assert!(
                places.iter().all(|&(x, y)| (0.0..=width).contains(&x) && (0.0..=height).contains(&y)),
                "{shape:?}"
            );
        }
        result.points.clear();
        assert!(sheet(&result, &Choice::default(), &PAPER).svg(None).ends_with("</svg>"));
    }
}
