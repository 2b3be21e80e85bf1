//! Area under the receiver operating characteristic, exactly, by ranks.

/// Ranks from 1 in ascending order; equal values share the mean of the ranks they cover.
pub fn midranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let ties = order[start..].iter().take_while(|&&i| values[i] == value).count().max(1);
        let rank = start as f64 + 0.5 * (ties as f64 + 1.0);
        for &i in &order[start..start + ties] {
            ranks[i] = rank;
        }
        start += ties;
    }
    ranks
}

/// Probability that a positive item scores above a negative one, ties counting half.
///
/// `None` where it is not defined: all items of one class, a score that is NaN, or lengths that differ.
pub fn auroc(scores: &[f32], positive: &[bool]) -> Option<f64> {
    let positives = positive.iter().filter(|&&p| p).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 || scores.len() != positive.len() || scores.iter().any(|s| s.is_nan()) {
        return None;
    }
    let rank_sum: f64 = midranks(scores).iter().zip(positive).filter(|&(_, &p)| p).map(|(rank, _)| rank).sum();
    let (p, n) = (positives as f64, negatives as f64);
    Some((rank_sum - p * (p + 1.0) / 2.0) / (p * n))
}

/// AUROC of each of `findings` columns of two row-major tables, and their mean over the columns where it is defined.
///
/// A label above zero is positive. The mean is `None` when no column has both classes.
pub fn finding_aurocs(scores: &[f32], labels: &[f32], findings: usize) -> (Vec<Option<f64>>, Option<f64>) {
    let column = |table: &[f32], c: usize| table.iter().skip(c).step_by(findings.max(1)).copied().collect::<Vec<_>>();
    let each: Vec<Option<f64>> = (0..findings)
        .map(|c| {
            let positive: Vec<bool> = column(labels, c).iter().map(|&label| label > 0.0).collect();
            auroc(&column(scores, c), &positive)
        })
        .collect();
    let defined: Vec<f64> = each.iter().flatten().copied().collect();
    let mean = super::mean(&defined);
    (each, mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; from sklearn.metrics import roc_auc_score; from scipy.stats import rankdata
    // y=[0,1,0,1,1,0,0,1,0,1]; s=[.1,.4,.35,.8,.35,.35,.2,.9,.8,.1]
    // roc_auc_score(y,s)  -> 0.6799999999999999
    // rankdata(s)         -> [1.5,7,5,8.5,5,5,3,10,8.5,1.5]
    const SCORES: [f32; 10] = [0.1, 0.4, 0.35, 0.8, 0.35, 0.35, 0.2, 0.9, 0.8, 0.1];
    const POSITIVE: [bool; 10] = [false, true, false, true, true, false, false, true, false, true];

    #[test]
    fn auroc_and_ranks_with_ties_are_those_of_scikit_learn_and_scipy() {
        assert_eq!(midranks(&SCORES), [1.5, 7.0, 5.0, 8.5, 5.0, 5.0, 3.0, 10.0, 8.5, 1.5]);
        assert!((auroc(&SCORES, &POSITIVE).unwrap() - 0.68).abs() < 1e-12);
    }

    #[test]
    fn auroc_is_not_defined_for_one_class_or_nan() {
        assert_eq!(auroc(&SCORES, &[true; 10]), None);
        assert_eq!(auroc(&SCORES, &[false; 10]), None);
        assert_eq!(auroc(&[f32::NAN, 1.0], &[true, false]), None);
        assert_eq!(auroc(&[], &[]), None);
        assert_eq!(auroc(&[0.5; 6], &[true, false, true, false, false, true]), Some(0.5));
    }

    #[test]
    fn columns_with_one_class_are_left_out_of_the_mean() {
        let scores: Vec<f32> = SCORES.iter().flat_map(|&s| [s, s, -s]).collect();
        let labels: Vec<f32> = POSITIVE.iter().flat_map(|&p| [f32::from(p), 0.0, f32::from(p)]).collect();
        let (each, mean) = finding_aurocs(&scores, &labels, 3);
        assert!((each[0].unwrap() - 0.68).abs() < 1e-12 && (each[2].unwrap() - 0.32).abs() < 1e-12);
        assert_eq!(each[1], None);
        assert!((mean.unwrap() - 0.5).abs() < 1e-12);
    }
}
