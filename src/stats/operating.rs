//! Decisions at a threshold: the counts, what follows from them, and Youden's choice of threshold.

/// Items by decision and truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive, and said to be.
    pub true_positives: usize,
    /// Negative, said to be positive.
    pub false_positives: usize,
    /// Positive, said to be negative.
    pub false_negatives: usize,
    /// Negative, and said to be.
    pub true_negatives: usize,
}

impl Confusion {
    /// Counts decisions "score at or above `threshold`".
    pub fn at(threshold: f32, scores: &[f32], positive: &[bool]) -> Self {
        let mut counts = Self::default();
        for (&score, &truth) in scores.iter().zip(positive) {
            *match (score >= threshold, truth) {
                (true, true) => &mut counts.true_positives,
                (true, false) => &mut counts.false_positives,
                (false, true) => &mut counts.false_negatives,
                (false, false) => &mut counts.true_negatives,
            } += 1;
        }
        counts
    }

    /// Share of positives that were found; `None` where there is none.
    pub fn sensitivity(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Share of negatives that were left alone; `None` where there is none.
    pub fn specificity(&self) -> Option<f64> {
        share(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// F1: twice the true positives over that plus all errors. 0 where nothing was found; `None` where there are no
    /// positives and none was said.
    pub fn f1(&self) -> Option<f64> {
        let twice = 2 * self.true_positives;
        share(twice, twice + self.false_positives + self.false_negatives)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The threshold with the largest sum of sensitivity and specificity (Youden, Cancer 3 (1950) 32–35) among the scores; the
/// highest of equals. `None` where all items are of one class, a score is NaN, or the lengths differ.
pub fn youden_threshold(scores: &[f32], positive: &[bool]) -> Option<f32> {
    let positives = positive.iter().filter(|&&p| p).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 || scores.len() != positive.len() || scores.iter().any(|s| s.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut found, mut wrong) = (0usize, 0usize);
    let mut best = (f64::NEG_INFINITY, scores[order[0]]);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let hits = group.iter().filter(|&&i| positive[i]).count();
        found += hits;
        wrong += group.len() - hits;
        let index = found as f64 / positives as f64 - wrong as f64 / negatives as f64;
        if index > best.0 + 1e-12 {
            best = (index, scores[group[0]]);
        }
    }
    Some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f32; 12] = [0.03, 0.1, 0.12, 0.2, 0.33, 0.41, 0.47, 0.58, 0.66, 0.8, 0.93, 1.0];
    const Y: [bool; 12] = [false, false, true, false, false, true, false, true, true, false, true, true];

    #[test]
    fn youdens_threshold_and_its_counts_are_those_of_scikit_learn() {
        // fpr,tpr,t=roc_curve(y,p,drop_intermediate=False); t[np.argmax(tpr-fpr)] -> 0.58 (the first, so the highest, of equals)
        // confusion_matrix(y,p>=.58).ravel() -> tn fp fn tp = 5 1 2 4; recall_score, f1_score -> 0.6666666666666666, 0.7272727272727273
        let threshold = youden_threshold(&P, &Y).unwrap();
        assert_eq!(threshold, 0.58);
        let counts = Confusion::at(threshold, &P, &Y);
        let expected = Confusion { true_positives: 4, false_positives: 1, false_negatives: 2, true_negatives: 5 };
        assert_eq!(counts, expected);
        assert!((counts.sensitivity().unwrap() - 0.666_666_666_666_666_6).abs() < 1e-12);
        assert!((counts.specificity().unwrap() - 0.833_333_333_333_333_4).abs() < 1e-12);
        assert!((counts.f1().unwrap() - 0.727_272_727_272_727_3).abs() < 1e-12);
    }

    #[test]
    fn one_class_has_no_threshold_and_no_share() {
        assert_eq!(youden_threshold(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(youden_threshold(&[], &[]), None);
        assert_eq!(youden_threshold(&[f32::NAN, 0.2], &[true, false]), None);
        let none = Confusion::at(0.5, &[0.1, 0.2], &[false, false]);
        assert_eq!((none.sensitivity(), none.specificity(), none.f1()), (None, Some(1.0), None));
    }
}
