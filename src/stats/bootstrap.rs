//! Confidence intervals by drawing patients, not images: films of one patient are not independent.

use rand::Rng;

use super::quantile;

/// A percentile interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage aimed at: 0.95.
    pub level: f64,
    /// Resamples on which the statistic was defined.
    pub resamples: usize,
}

/// Percentile interval of `statistic` over `resamples` draws of whole patients with replacement.
///
/// `patients[i]` is the patient of item `i`; `statistic` is given the drawn items (an item appears as often as its patient
/// was drawn) and may say `None`, which leaves that draw out. `None` when fewer than half of the draws were defined.
pub fn bootstrap_by_patient<R: Rng>(
    patients: &[u32],
    resamples: usize,
    level: f64,
    rng: &mut R,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    let mut order: Vec<usize> = (0..patients.len()).collect();
    order.sort_by_key(|&i| patients[i]);
    let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| patients[a] == patients[b]).collect();
    if groups.is_empty() {
        return None;
    }
    let mut items = Vec::with_capacity(patients.len());
    let mut values = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        items.clear();
        for _ in 0..groups.len() {
            items.extend_from_slice(groups[rng.random_range(0..groups.len())]);
        }
        values.extend(statistic(&items).filter(|v| v.is_finite()));
    }
    if values.is_empty() || values.len() * 2 < resamples {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval {
        low: quantile(&values, tail)?,
        high: quantile(&values, 1.0 - tail)?,
        level,
        resamples: values.len(),
    })
}

/// Percentile interval of a ratio of two statistics of the same draw of patients, so that what is common to both cancels.
///
/// As [`bootstrap_by_patient`]; a draw in which either is `None` or the denominator is not above zero is left out.
pub fn bootstrap_ratio_by_patient<R: Rng>(
    patients: &[u32],
    resamples: usize,
    level: f64,
    rng: &mut R,
    numerator: impl Fn(&[usize]) -> Option<f64>,
    denominator: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    bootstrap_by_patient(patients, resamples, level, rng, |items| {
        let below = denominator(items).filter(|&v| v > 0.0)?;
        Some(numerator(items)? / below)
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::stats::auroc;

    #[test]
    fn interval_of_an_auroc_is_that_of_a_cluster_bootstrap_in_numpy() {
        // pat=np.repeat(np.arange(60),3); i=np.arange(180); lab=((pat*7)%5<2)
        // sc=np.sin(i*1.7)+0.9*lab+0.8*np.sin(pat*2.3); roc_auc_score(lab,sc) -> 0.7424125514403292
        // 20000 draws of 60 patients with replacement, np.quantile(.., [.025,.975]) -> [0.6578, 0.8194]
        // (drawing the 180 items instead of the patients would give [0.6687, 0.8112])
        let patients: Vec<u32> = (0..180).map(|i| i / 3).collect();
        let positive: Vec<bool> = patients.iter().map(|p| p * 7 % 5 < 2).collect();
        let scores: Vec<f32> = (0..180usize)
            .map(|i| {
                let p = f64::from(patients[i]);
                ((i as f64 * 1.7).sin() + 0.9 * f64::from(u8::from(positive[i])) + 0.8 * (p * 2.3).sin()) as f32
            })
            .collect();
        assert!((auroc(&scores, &positive).unwrap() - 0.742_412_551_440_329_2).abs() < 1e-9);
        let interval = |seed| {
            bootstrap_by_patient(&patients, 4000, 0.95, &mut ChaCha8Rng::seed_from_u64(seed), |items| {
                let s: Vec<f32> = items.iter().map(|&i| scores[i]).collect();
                let p: Vec<bool> = items.iter().map(|&i| positive[i]).collect();
                auroc(&s, &p)
            })
            .unwrap()
        };
        let found = interval(1);
        assert!((found.low - 0.6578).abs() < 0.005 && (found.high - 0.8194).abs() < 0.005, "{found:?}");
        assert_eq!(found, interval(1));
        assert_ne!(found, interval(2));
    }

    #[test]
    fn interval_of_a_ratio_is_that_of_a_paired_cluster_bootstrap_in_numpy() {
        // As above, and sc2=np.sin(i*2.9)+0.6*lab+0.8*np.sin(pat*2.3); ratio of AUROCs 0.8747618222761129; 20000 draws of
        // the same 60 patients for both, np.quantile(.., [.025,.975]) -> [0.8029, 0.9418]
        let patients: Vec<u32> = (0..180).map(|i| i / 3).collect();
        let positive: Vec<bool> = patients.iter().map(|p| p * 7 % 5 < 2).collect();
        let scores = |wave: f64, gain: f64| -> Vec<f32> {
            (0..180usize)
                .map(|i| {
                    let p = f64::from(patients[i]);
                    let label = f64::from(u8::from(positive[i]));
                    ((i as f64 * wave).sin() + gain * label + 0.8 * (p * 2.3).sin()) as f32
                })
                .collect()
        };
        let (below, above) = (scores(1.7, 0.9), scores(2.9, 0.6));
        let of = |scores: &[f32], items: &[usize]| {
            let s: Vec<f32> = items.iter().map(|&i| scores[i]).collect();
            auroc(&s, &items.iter().map(|&i| positive[i]).collect::<Vec<_>>())
        };
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let found =
            bootstrap_ratio_by_patient(&patients, 4000, 0.95, rng, |i| of(&above, i), |i| of(&below, i)).unwrap();
        assert!((found.low - 0.8029).abs() < 0.005 && (found.high - 0.9418).abs() < 0.005, "{found:?}");
        assert_eq!(bootstrap_ratio_by_patient(&patients, 50, 0.95, rng, |_| Some(1.0), |_| Some(0.0)), None);
    }

    #[test]
    fn statistics_that_are_rarely_defined_give_no_interval() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(bootstrap_by_patient(&[1, 2, 3], 50, 0.95, &mut rng, |_| None), None);
        assert_eq!(bootstrap_by_patient(&[], 50, 0.95, &mut rng, |_| Some(1.0)), None);
    }
}
