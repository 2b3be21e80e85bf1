//! Whether probabilities mean what they say.

/// Brier score: mean squared difference between probability and outcome, 0 (perfect) to 1. `None` of nothing, or when the
/// lengths differ.
pub fn brier(probabilities: &[f32], positive: &[bool]) -> Option<f64> {
    if probabilities.is_empty() || probabilities.len() != positive.len() {
        return None;
    }
    let sum: f64 = pairs(probabilities, positive).map(|(p, y)| (p - y) * (p - y)).sum();
    Some(sum / probabilities.len() as f64)
}

/// Expected calibration error: over `bins` bins of equal width from 0 to 1, the mean distance between the mean probability
/// and the share of positives in a bin, weighted by the items in it. A bin owns its upper edge; 0 is in the first.
///
/// `None` of nothing, when the lengths differ, for no bins, or for a probability outside 0 to 1.
pub fn expected_calibration_error(probabilities: &[f32], positive: &[bool], bins: usize) -> Option<f64> {
    let usable = probabilities.iter().all(|p| (0.0..=1.0).contains(p));
    if probabilities.is_empty() || probabilities.len() != positive.len() || bins == 0 || !usable {
        return None;
    }
    let mut sums = vec![(0.0, 0.0); bins];
    for ((p, y), single) in pairs(probabilities, positive).zip(probabilities) {
        // In single precision, in which 0.1 · 10 is 1 and not a little more.
        let bin = ((single * bins as f32).ceil() as usize).clamp(1, bins) - 1;
        sums[bin].0 += p;
        sums[bin].1 += y;
    }
    // The count of a bin cancels: n/N · |Σp/n − Σy/n|.
    Some(sums.iter().map(|(p, y)| (p - y).abs()).sum::<f64>() / probabilities.len() as f64)
}

fn pairs<'a>(probabilities: &'a [f32], positive: &'a [bool]) -> impl Iterator<Item = (f64, f64)> + 'a {
    probabilities.iter().zip(positive).map(|(&p, &y)| (f64::from(p), f64::from(u8::from(y))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f32; 12] = [0.03, 0.1, 0.12, 0.2, 0.33, 0.41, 0.47, 0.58, 0.66, 0.8, 0.93, 1.0];
    const Y: [bool; 12] = [false, false, true, false, false, true, false, true, true, false, true, true];

    #[test]
    fn brier_and_calibration_error_are_those_of_scikit_learn_and_numpy() {
        // from sklearn.metrics import brier_score_loss; brier_score_loss(y, p) -> 0.20334166666666667
        // e=np.linspace(0,1,11); b=np.clip(np.digitize(p,e,right=True),1,10)
        // sum((b==k).mean()*abs(p[b==k].mean()-y[b==k].mean()) for k in range(1,11) if (b==k).any()) -> 0.24083333333333332
        assert!((brier(&P, &Y).unwrap() - 0.20334166666666667).abs() < 1e-7);
        assert!((expected_calibration_error(&P, &Y, 10).unwrap() - 0.24083333333333332).abs() < 1e-7);
    }

    #[test]
    fn certainty_that_is_right_costs_nothing_and_nonsense_is_refused() {
        assert_eq!(brier(&[1.0, 0.0], &[true, false]), Some(0.0));
        assert_eq!(expected_calibration_error(&[1.0, 0.0], &[true, false], 10), Some(0.0));
        assert_eq!(expected_calibration_error(&[1.0, 0.0], &[false, true], 10), Some(1.0));
        assert_eq!((brier(&[], &[]), brier(&[0.5], &[])), (None, None));
        assert_eq!(expected_calibration_error(&[1.5], &[true], 10), None);
        assert_eq!(expected_calibration_error(&[f32::NAN], &[true], 10), None);
        assert_eq!(expected_calibration_error(&[0.5], &[true], 0), None);
    }
}
