//! What a result says, in sentences: trends, the sign of label overfitting, classifiers at chance, and what is too little.

use super::result::{Point, SweepResult, Value, seeds};
use crate::generator::Family;
use crate::stats::Bounds;

/// The sentences of a result, the most important first.
pub fn sentences(result: &SweepResult) -> Vec<String> {
    let mut sentences = Vec::new();
    for curve in 1..result.curves.len() {
        let name = &result.curves[curve].name;
        let series = series(result, curve);
        if let (Some(first), Some(last), true) = (series.first(), series.last(), series.len() > 1) {
            let (first_at, last_at) = (what(result, first.0), what(result, last.0));
            sentences.push(format!(
                "{name}: relative performance {} at {first_at} and {} at {last_at}{}.",
                with_interval(first.2, first.3),
                with_interval(last.2, last.3),
                if apart(first.3, last.3) { "" } else { "; the intervals overlap" },
            ));
        }
        if result.factor == "samples"
            && let Some(sign) = overfitting(&series)
        {
            sentences.push(format!(
                "{name} shows the sign of label overfitting: from {} to {} films per class its relative performance rises from \
                 {:.3} to {:.3} while its AUROC falls from {:.3} to {:.3}. The samples are not better for it; the real films \
                 have merely become fewer{}.",
                sign.from.0,
                sign.to.0,
                sign.from.2,
                sign.to.2,
                sign.from.1,
                sign.to.1,
                if apart(sign.from.3, sign.to.3) { "" } else { " (the intervals of the two ratios overlap, so it may be chance)" },
            ));
        }
    }
    sentences.extend(better(result));
    for point in &result.points {
        for value in &point.values {
            if let Some(text) = at_chance(result, point, value) {
                sentences.push(text);
            }
        }
    }
    if result.seeds < 5 && result.curves.len() > 1 {
        sentences.push(format!(
            "With {} the tests across seeds have {} degrees of freedom and are weak; 5 seeds or more are advised.",
            seeds(result.seeds),
            result.seeds.saturating_sub(1)
        ));
    }
    if result.cohort.phantom {
        sentences.push(
            "The films are phantoms, not patients: the numbers are about this method, not about medicine.".to_owned(),
        );
    }
    sentences
}

/// One curve's points: value, AUROC, ratio and the ratio's interval.
type Series = Vec<(f64, f64, f64, Option<Bounds>)>;

fn series(result: &SweepResult, curve: usize) -> Series {
    let of = |point: &Point| {
        let value = point.values.iter().find(|value| value.curve == curve)?;
        let relative = value.relative.as_ref()?;
        Some((point.value, value.auroc?, relative.ratio, relative.interval))
    };
    result.points.iter().filter_map(of).collect()
}

/// Where the sign of label overfitting begins and ends.
struct Sign {
    from: (f64, f64, f64, Option<Bounds>),
    to: (f64, f64, f64, Option<Bounds>),
}

/// From the point with the lowest ratio to the one with the fewest films: the ratio rises while the AUROC falls (DuMont
/// Schütte 2021). `None` where the fewest films have the lowest ratio, or the AUROC does not fall.
fn overfitting(series: &Series) -> Option<Sign> {
    let fewest = series.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let lowest = series.iter().filter(|p| p.0 > fewest.0).min_by(|a, b| a.2.total_cmp(&b.2))?;
    // A rise of less than a thousandth is within the reading of a curve.
    (fewest.2 > lowest.2 + 1e-3 && fewest.1 < lowest.1 - 1e-3).then_some(Sign { from: *lowest, to: *fewest })
}

/// How often cpD-GAN is at or above prog-GAN, where both are there.
fn better(result: &SweepResult) -> Option<String> {
    let place = |family| result.curves.iter().position(|curve| curve.family == Some(family));
    let (cpd, prog) = (place(Family::CpdGan)?, place(Family::ProgGan)?);
    let pairs: Vec<(f64, f64)> = result
        .points
        .iter()
        .filter_map(|point| {
            let of = |curve| point.values.iter().find(|value| value.curve == curve)?.auroc;
            Some((of(cpd)?, of(prog)?))
        })
        .collect();
    let above = pairs.iter().filter(|(cpd, prog)| cpd >= prog).count();
    (!pairs.is_empty()).then(|| {
        format!(
            "{} is at or above {} at {above} of {} points{}.",
            result.curves[cpd].name,
            result.curves[prog].name,
            pairs.len(),
            // The paper has no mixes, and gives no numbers for each resolution.
            if matches!(result.factor.as_str(), "classes" | "samples") { "; in the paper at every one" } else { "" }
        )
    })
}

fn at_chance(result: &SweepResult, point: &Point, value: &Value) -> Option<String> {
    let (auroc, interval) = (value.auroc?, value.interval?);
    let subject = match value.curve {
        0 => "trained on real films".to_owned(),
        curve => format!("trained with samples of {}", result.curves[curve].name),
    };
    if interval.high < 0.5 {
        return Some(format!(
            "At {} the classifier {subject} is worse than chance (AUROC {auroc:.3}, 95 % {:.3} to {:.3}): it says the \
             opposite of what is there; its ratio says nothing.",
            what(result, point.value),
            interval.low,
            interval.high
        ));
    }
    (interval.low <= 0.5).then(|| {
        format!(
            "At {} the classifier {subject} is not distinguishable from chance (AUROC {auroc:.3}, 95 % {:.3} to {:.3}); \
             its ratio says nothing.",
            what(result, point.value),
            interval.low,
            interval.high
        )
    })
}

/// A value of the factor in words.
pub(super) fn what(result: &SweepResult, value: f64) -> String {
    match result.factor.as_str() {
        "classes" => format!("{value} classes"),
        "samples" => format!("{value} films per class"),
        "resolution" => format!("{value} px"),
        _ => format!("{value} samples per real film"),
    }
}

fn with_interval(value: f64, interval: Option<Bounds>) -> String {
    match interval {
        Some(Bounds { low, high }) => format!("{value:.3} ({low:.3} to {high:.3})"),
        None => format!("{value:.3}"),
    }
}

/// Whether two intervals are known and do not overlap.
fn apart(a: Option<Bounds>, b: Option<Bounds>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.high < b.low || b.high < a.low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::published;
    use crate::benchmark::result::example;

    #[test]
    fn the_published_curves_show_the_sign_of_label_overfitting_and_a_steady_one_does_not() {
        let of = |brain: bool, pick: fn(&published::PublishedPoint) -> f64| -> Series {
            published::points("samples", brain).iter().map(|p| (p.value, pick(p), pick(p) / p.real, None)).collect()
        };
        // Facts, §10: "ratio minimum near 1000 (brain cpD) then up".
        let sign = overfitting(&of(true, |p| p.cpd)).unwrap();
        assert_eq!((sign.from.0, sign.to.0), (1000.0, 100.0));
        assert!(overfitting(&of(false, |p| p.prog)).is_some_and(|sign| sign.from.0 == 500.0));
        let steady: Series =
            [(400.0, 0.9, 0.98), (200.0, 0.85, 0.96), (100.0, 0.8, 0.94)].map(|p| (p.0, p.1, p.2, None)).into();
        assert!(overfitting(&steady).is_none());
        // Both rise: better samples, no overfitting.
        let better: Series = [(400.0, 0.8, 0.9), (100.0, 0.85, 0.97)].map(|p| (p.0, p.1, p.2, None)).into();
        assert!(overfitting(&better).is_none());
    }

    #[test]
    fn overfitting_chance_and_few_seeds_are_said_in_words() {
        let mut result = example::result();
        result.factor = "samples".to_owned();
        let text = sentences(&result).join("\n");
        assert!(text.contains("label overfitting"), "{text}");
        assert!(text.contains("at or above prog-GAN at 2 of 2 points"), "{text}");
        assert!(!text.contains("chance ("), "{text}");
        assert!(text.contains("2 degrees of freedom"), "{text}");
        assert!(sentences(&example::mix()).iter().all(|sentence| !sentence.contains("in the paper")));
        result.points[1].values[2].interval = Some(Bounds { low: 0.47, high: 0.61 });
        let text = sentences(&result).join("\n");
        assert!(text.contains("with samples of prog-GAN is not distinguishable from chance"), "{text}");
        result.points[1].values[2].interval = Some(Bounds { low: 0.31, high: 0.44 });
        let text = sentences(&result).join("\n");
        assert!(text.contains("with samples of prog-GAN is worse than chance"), "{text}");
    }
}
