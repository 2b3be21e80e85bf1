//! Variance of an AUROC, and the test of two AUROCs on the same items, without assuming a distribution.
//!
//! `DeLong`, `DeLong` and Clarke-Pearson, Biometrics 44 (1988) 837–845, by the midranks of Sun and Xu, IEEE Signal
//! Processing Letters 21 (2014) 1389–1393, which takes n log n instead of n².

use statrs::distribution::{ContinuousCDF, Normal};

use super::{Bounds, midranks};

/// AUROCs of several classifiers on the same items, with their covariance.
#[derive(Debug, Clone, PartialEq)]
pub struct DeLong {
    /// One AUROC for each classifier.
    pub aurocs: Vec<f64>,
    /// Covariance of the AUROCs, row-major.
    covariance: Vec<f64>,
}

/// Two AUROCs on the same items, compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// First AUROC minus second.
    pub difference: f64,
    /// Standard error of the difference.
    pub standard_error: f64,
    /// Difference over its standard error.
    pub z: f64,
    /// Two-sided probability of a difference at least as large if there were none.
    pub p: f64,
}

impl DeLong {
    /// AUROCs and covariance of classifiers that scored the same items.
    ///
    /// `None` with fewer than two positive or two negative items, with a score that is NaN, or lengths that differ.
    pub fn of(classifiers: &[&[f32]], positive: &[bool]) -> Option<Self> {
        let positives = positive.iter().filter(|&&p| p).count();
        let negatives = positive.len() - positives;
        let usable = |scores: &&[f32]| scores.len() == positive.len() && !scores.iter().any(|s| s.is_nan());
        if positives < 2 || negatives < 2 || !classifiers.iter().all(usable) {
            return None;
        }
        let placements: Vec<_> = classifiers.iter().map(|scores| Placements::of(scores, positive)).collect();
        let (m, n) = (positives as f64, negatives as f64);
        let mut covariance = Vec::with_capacity(placements.len().pow(2));
        for a in &placements {
            for b in &placements {
                covariance.push(
                    covariance_of(&a.positives, &b.positives) / m + covariance_of(&a.negatives, &b.negatives) / n,
                );
            }
        }
        let aurocs = placements.iter().map(|p| p.positives.iter().sum::<f64>() / m).collect();
        Some(Self { aurocs, covariance })
    }

    fn covariance(&self, a: usize, b: usize) -> f64 {
        self.covariance[a * self.aurocs.len() + b]
    }

    /// Standard error of the AUROC of classifier `k`.
    ///
    /// # Panics
    /// When there is no such classifier, as for a slice.
    pub fn standard_error(&self, k: usize) -> f64 {
        self.covariance(k, k).max(0.0).sqrt()
    }

    /// Interval of the AUROC of classifier `k` by the normal approximation, held within 0 and 1. `level` is 0.95.
    ///
    /// # Panics
    /// When there is no such classifier, as for a slice.
    pub fn interval(&self, k: usize, level: f64) -> Bounds {
        let half = Normal::standard().inverse_cdf(0.5 + 0.5 * level.clamp(0.0, 1.0)) * self.standard_error(k);
        // A level of one has no finite half-width; NaN would come of zero times infinity.
        let half = if half.is_nan() { 0.0 } else { half };
        Bounds { low: (self.aurocs[k] - half).max(0.0), high: (self.aurocs[k] + half).min(1.0) }
    }

    /// Whether classifiers `a` and `b` differ. `None` where the difference varies not at all but is not zero: such scores
    /// separate the classes completely, and the test has nothing to go by.
    ///
    /// # Panics
    /// When there are no such classifiers, as for a slice.
    pub fn compare(&self, a: usize, b: usize) -> Option<Comparison> {
        let difference = self.aurocs[a] - self.aurocs[b];
        let variance = self.covariance(a, a) + self.covariance(b, b) - 2.0 * self.covariance(a, b);
        // Rounding may leave a variance of 1e-18 where the two score alike.
        let standard_error = if variance > 1e-15 { variance.sqrt() } else { 0.0 };
        if standard_error == 0.0 {
            let same = difference.abs() < 1e-12;
            return same.then_some(Comparison { difference: 0.0, standard_error, z: 0.0, p: 1.0 });
        }
        let z = difference / standard_error;
        let p = (2.0 * Normal::standard().sf(z.abs())).min(1.0);
        Some(Comparison { difference, standard_error, z, p })
    }
}

/// For each positive the share of negatives below it, and for each negative the share of positives above it.
struct Placements {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

impl Placements {
    fn of(scores: &[f32], positive: &[bool]) -> Self {
        let all = midranks(scores);
        let side = |wanted: bool| -> Vec<usize> { (0..scores.len()).filter(|&i| positive[i] == wanted).collect() };
        let (ups, downs) = (side(true), side(false));
        let own = |items: &[usize]| midranks(&items.iter().map(|&i| scores[i]).collect::<Vec<_>>());
        let surplus = |items: &[usize], others: usize| -> Vec<f64> {
            items.iter().zip(own(items)).map(|(&i, rank)| (all[i] - rank) / others as f64).collect()
        };
        let negatives = surplus(&downs, ups.len()).into_iter().map(|share| 1.0 - share).collect();
        Self { positives: surplus(&ups, downs.len()), negatives }
    }
}

/// Covariance of a sample (divisor n − 1).
fn covariance_of(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ovarian cancer data of the 1988 paper, as SAS/STAT prints them (The LOGISTIC Procedure, "Comparing Receiver
    /// Operating Characteristic Curves"): albumin, total protein, K-G score (subtracted from 10), and outcome.
    #[rustfmt::skip]
    const OVARIAN: [(f32, f32, f32, u8); 43] = [
        (3.0, 5.8, 10.0, 0), (3.2, 6.3, 5.0, 1), (3.9, 6.8, 3.0, 1), (2.8, 4.8, 6.0, 0), (3.2, 5.8, 3.0, 1),
        (0.9, 4.0, 5.0, 0), (2.5, 5.7, 8.0, 0), (1.6, 5.6, 5.0, 1), (3.8, 5.7, 5.0, 1), (3.7, 6.7, 6.0, 1),
        (3.2, 5.4, 4.0, 1), (3.8, 6.6, 6.0, 1), (4.1, 6.6, 5.0, 1), (3.6, 5.7, 5.0, 1), (4.3, 7.0, 4.0, 1),
        (3.6, 6.7, 4.0, 0), (2.3, 4.4, 6.0, 1), (4.2, 7.6, 4.0, 0), (4.0, 6.6, 6.0, 0), (3.5, 5.8, 6.0, 1),
        (3.8, 6.8, 7.0, 1), (3.0, 4.7, 8.0, 0), (4.5, 7.4, 5.0, 1), (3.7, 7.4, 5.0, 1), (3.1, 6.6, 6.0, 1),
        (4.1, 8.2, 6.0, 1), (4.3, 7.0, 5.0, 1), (4.3, 6.5, 4.0, 1), (3.2, 5.1, 5.0, 1), (2.6, 4.7, 6.0, 1),
        (3.3, 6.8, 6.0, 0), (1.7, 4.0, 7.0, 0), (3.7, 6.1, 5.0, 1), (3.3, 6.3, 7.0, 1), (4.2, 7.7, 6.0, 1),
        (3.5, 6.2, 5.0, 1), (2.9, 5.7, 9.0, 0), (2.1, 4.8, 7.0, 1), (2.8, 6.2, 8.0, 0), (4.0, 7.0, 7.0, 1),
        (3.3, 5.7, 6.0, 1), (3.7, 6.9, 5.0, 1), (3.6, 6.6, 5.0, 1),
    ];

    fn ovarian() -> DeLong {
        let column = |pick: fn(&(f32, f32, f32, u8)) -> f32| OVARIAN.iter().map(pick).collect::<Vec<f32>>();
        let (albumin, protein, score) = (column(|r| r.0), column(|r| r.1), column(|r| 10.0 - r.2));
        let positive: Vec<bool> = OVARIAN.iter().map(|r| r.3 == 1).collect();
        DeLong::of(&[&albumin, &score, &protein], &positive).unwrap()
    }

    #[test]
    fn the_paper_s_ovarian_example_comes_out_as_printed() {
        // SAS/STAT, LOGISTIC, "ROC Association Statistics": area, standard error, 95 % Wald limits:
        // Albumin 0.7366 0.0927 0.5549 0.9182; K-G score 0.7258 0.1028 0.5243 0.9273; Total protein 0.6478 0.1000 0.4518 0.8439
        // "ROC Contrast Estimation": Albumin − K-G 0.0108 0.0953, p 0.9102; protein − K-G −0.0780 0.1046, p 0.4561
        let found = ovarian();
        let printed =
            [(0.7366, 0.0927, 0.5549, 0.9182), (0.7258, 0.1028, 0.5243, 0.9273), (0.6478, 0.1000, 0.4518, 0.8439)];
        for (k, (area, error, low, high)) in printed.into_iter().enumerate() {
            let bounds = found.interval(k, 0.95);
            let ours = [found.aurocs[k], found.standard_error(k), bounds.low, bounds.high];
            for (ours, printed) in ours.into_iter().zip([area, error, low, high]) {
                assert!((ours - printed).abs() < 6e-5, "classifier {k}: {ours} {printed}");
            }
        }
        for (a, difference, error, p) in [(0, 0.0108, 0.0953, 0.9102), (2, -0.0780, 0.1046, 0.4561)] {
            let ours = found.compare(a, 1).unwrap();
            assert!((ours.difference - difference).abs() < 6e-5, "{ours:?}");
            assert!((ours.standard_error - error).abs() < 6e-5 && (ours.p - p).abs() < 6e-5, "{ours:?}");
            assert!((ours.z - ours.difference / ours.standard_error).abs() < 1e-12);
        }
    }

    #[test]
    fn variance_with_ties_is_that_of_the_definition() {
        // The n² definition with ψ = 1, ½, 0, in NumPy, on stats::roc's ten items with ties:
        // y=[0,1,0,1,1,0,0,1,0,1]; s=[.1,.4,.35,.8,.35,.35,.2,.9,.8,.1]; psi=(X>Y)+.5*(X==Y)
        // psi.mean(1).var(ddof=1)/5 + psi.mean(0).var(ddof=1)/5 -> 0.0358
        let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.35, 0.2, 0.9, 0.8, 0.1];
        let positive = [false, true, false, true, true, false, false, true, false, true];
        let found = DeLong::of(&[&scores], &positive).unwrap();
        assert!((found.aurocs[0] - 0.68).abs() < 1e-12);
        assert!((found.standard_error(0).powi(2) - 0.0358).abs() < 1e-9, "{}", found.standard_error(0).powi(2));
    }

    #[test]
    fn classifiers_that_agree_do_not_differ_and_perfect_ones_have_no_error() {
        let positive = [false, false, true, true];
        let (good, same, bad) = ([0.1, 0.2, 0.8, 0.9], [1.0, 2.0, 8.0, 9.0], [0.9, 0.8, 0.2, 0.1]);
        let found = DeLong::of(&[&good, &same, &bad], &positive).unwrap();
        assert_eq!(found.compare(0, 1).unwrap().p, 1.0);
        assert_eq!(found.compare(0, 2), None);
        assert_eq!(found.interval(0, 0.95), Bounds { low: 1.0, high: 1.0 });
        assert_eq!(DeLong::of(&[&good], &[true, false, false, false]), None);
        assert_eq!(DeLong::of(&[&good[..3]], &positive), None);
        assert_eq!(DeLong::of(&[&[f32::NAN, 0.0, 1.0, 2.0]], &positive), None);
    }
}
