//! The published curves at 32 px, as digitised from the authors' own figure (DuMont Schütte 2021): reading error
//! about 0.001, drawn before the first preprint, so that the journal's values may differ. Always shown as such.

use super::result::SweepResult;
use super::spec::Factor;
use crate::finding::{NO_FINDING, Vocabulary};

/// How these numbers came to be, to stand wherever they are shown.
pub const NOTE: &str = "Published values: DuMont Schütte et al. 2021, digitised from the authors' figure of October 2020 (±0.001); \
                        another cohort, larger networks and longer training than here.";

/// One published point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedPoint {
    /// Classes, or films per class.
    pub value: f64,
    /// AUROC of the classifier trained on real films.
    pub real: f64,
    /// AUROC with samples of cpD-GAN.
    pub cpd: f64,
    /// AUROC with samples of prog-GAN.
    pub prog: f64,
}

const fn row(value: f64, real: f64, cpd: f64, prog: f64) -> PublishedPoint {
    PublishedPoint { value, real, cpd, prog }
}

const CHEST_CLASSES: [PublishedPoint; 6] = [
    row(20.0, 0.790, 0.754, 0.704),
    row(15.0, 0.783, 0.740, 0.698),
    row(10.0, 0.822, 0.785, 0.742),
    row(6.0, 0.879, 0.854, 0.834),
    row(4.0, 0.925, 0.913, 0.891),
    row(2.0, 0.967, 0.956, 0.955),
];

const BRAIN_CLASSES: [PublishedPoint; 5] = [
    row(10.0, 0.872, 0.801, 0.707),
    row(8.0, 0.896, 0.833, 0.754),
    row(6.0, 0.907, 0.838, 0.753),
    row(4.0, 0.886, 0.809, 0.665),
    row(2.0, 0.928, 0.904, 0.807),
];

const CHEST_SAMPLES: [PublishedPoint; 8] = [
    row(5950.0, 0.925, 0.908, 0.899),
    row(4500.0, 0.919, 0.904, 0.896),
    row(3000.0, 0.916, 0.900, 0.887),
    row(1500.0, 0.902, 0.888, 0.872),
    row(1000.0, 0.897, 0.882, 0.862),
    row(500.0, 0.887, 0.873, 0.838),
    row(400.0, 0.875, 0.862, 0.842),
    row(200.0, 0.856, 0.848, 0.834),
];

const BRAIN_SAMPLES: [PublishedPoint; 8] = [
    row(5400.0, 0.912, 0.844, 0.761),
    row(4500.0, 0.907, 0.835, 0.765),
    row(3000.0, 0.903, 0.831, 0.750),
    row(1500.0, 0.883, 0.792, 0.742),
    row(1000.0, 0.869, 0.775, 0.730),
    row(500.0, 0.837, 0.756, 0.713),
    row(300.0, 0.804, 0.748, 0.684),
    row(100.0, 0.720, 0.702, 0.641),
];

/// The published points of a factor (`classes` or `samples`) on the chest or the head; none of the other factors.
pub fn points(factor: &str, brain: bool) -> &'static [PublishedPoint] {
    match (factor, brain) {
        ("classes", false) => &CHEST_CLASSES,
        ("classes", true) => &BRAIN_CLASSES,
        ("samples", false) => &CHEST_SAMPLES,
        ("samples", true) => &BRAIN_SAMPLES,
        _ => &[],
    }
}

/// Whether a result is about the head, which says whose published curves belong beside it. Its findings tell: kinds of
/// haemorrhage, or those of a chest. Only where they are neither does the cohort's name.
pub fn of_the_head(result: &SweepResult) -> bool {
    let findings = result.findings();
    let some_of = |known: &Vocabulary| findings.iter().any(|&f| f != NO_FINDING && known.position(f).is_some());
    if some_of(&Vocabulary::rsna()) {
        return true;
    }
    let chest = some_of(&Vocabulary::chexpert()) || some_of(&Vocabulary::nih());
    !chest && ["brain", "ct-ich"].iter().any(|name| result.cohort.name.contains(name))
}

/// What the axis of a factor says.
pub fn axis(factor: &str) -> &'static str {
    Factor::axis(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::result::example;

    #[test]
    fn findings_say_which_body_it_is_and_the_name_only_where_they_do_not() {
        let about = |name: &str, findings: &[&str]| {
            let mut result = example::result();
            name.clone_into(&mut result.cohort.name);
            for point in &mut result.points {
                point.findings = findings.iter().map(|&finding| finding.to_owned()).collect();
            }
            of_the_head(&result)
        };
        assert!(about("own slices", &["Subdural", NO_FINDING]) && about("chest", &["epidural"]));
        assert!(!about("not a brain", &["Edema", NO_FINDING]) && !about("own", &["Hernia"]));
        assert!(about("phantom-brain", &[NO_FINDING, "Bleeding"]) && about("ct-ich", &[]) && !about("own", &["X"]));
    }

    #[test]
    fn ratios_are_those_of_the_table() {
        // Facts, §10: the derived columns cpD/real and prog/real, to three places, from heights before they were rounded.
        let check = |points: &[PublishedPoint], printed: &[(f64, f64)]| {
            assert_eq!(points.len(), printed.len());
            for (point, (cpd, prog)) in points.iter().zip(printed) {
                assert!((point.cpd / point.real - cpd).abs() < 0.0017, "{point:?}");
                assert!((point.prog / point.real - prog).abs() < 0.0017, "{point:?}");
            }
        };
        let chest = [(0.954, 0.891), (0.945, 0.892), (0.955, 0.902), (0.972, 0.949), (0.987, 0.963), (0.989, 0.988)];
        check(points("classes", false), &chest);
        check(
            points("classes", true),
            &[(0.918, 0.810), (0.930, 0.841), (0.924, 0.830), (0.913, 0.750), (0.975, 0.869)],
        );
        let chest = [
            (0.981, 0.971),
            (0.983, 0.975),
            (0.982, 0.968),
            (0.984, 0.967),
            (0.982, 0.961),
            (0.984, 0.945),
            (0.985, 0.963),
            (0.991, 0.975),
        ];
        check(points("samples", false), &chest);
        let brain = [
            (0.925, 0.834),
            (0.921, 0.844),
            (0.920, 0.831),
            (0.897, 0.840),
            (0.892, 0.840),
            (0.904, 0.852),
            (0.929, 0.850),
            (0.975, 0.890),
        ];
        check(points("samples", true), &brain);
        assert!(points("resolution", false).is_empty());
    }
}
