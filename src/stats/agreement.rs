//! Agreement of two maps over the same squares: rank correlation, overlap of the highest squares, and what chance gives.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{midranks, quantile};

/// What a measure comes to by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Mean over the draws.
    pub mean: f64,
    /// 95 % of the draws lie below.
    pub high: f64,
    /// Share of draws, the observed one among them, that are as large or larger: (1 + count) / (1 + draws).
    pub p: f64,
    /// Draws.
    pub draws: usize,
}

/// How two maps agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Spearman's rank correlation, −1 to 1.
    pub correlation: f64,
    /// Of that, with the squares of one map shuffled.
    pub correlation_shuffled: Chance,
    /// Of that, with one map moved against the other by every whole step, around the edges: neighbouring squares stay
    /// neighbours, so that smoothness alone is no agreement. `None` where the map is a single square.
    pub correlation_moved: Option<Chance>,
    /// Squares that count as the highest.
    pub top: usize,
    /// Share of those that the maps have in common, 0 to 1.
    pub overlap: f64,
    /// Of that, with the squares of one map shuffled.
    pub overlap_shuffled: Chance,
    /// Of that, with one map moved against the other.
    pub overlap_moved: Option<Chance>,
}

/// Spearman's rank correlation, equal values sharing their mean rank.
///
/// `None` where it is not defined: fewer than two values, lengths that differ, a NaN, or a list that is all equal.
pub fn spearman(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() || a.iter().chain(b).any(|v| v.is_nan()) {
        return None;
    }
    Some(dot(&centred(&midranks(a))?, &centred(&midranks(b))?).clamp(-1.0, 1.0))
}

/// Share of the `top` highest values that two lists have in common, 0 to 1.
///
/// Values that tie at the border count in parts, so that no order of the list is preferred: the result is the expectation
/// over ways to break the ties, those of `a` apart from those of `b`. `None` where `top` is zero or more than there are.
pub fn top_overlap(a: &[f32], b: &[f32], top: usize) -> Option<f64> {
    let valid = a.len() == b.len() && (1..=a.len()).contains(&top) && !a.iter().chain(b).any(|v| v.is_nan());
    valid.then(|| dot(&highest(a, top), &highest(b, top)) / top as f64)
}

/// How two square maps agree, and what shuffling (`draws` times) and moving one of them gives.
///
/// `side` is the number of squares along a side, `top` how many count as the highest. `None` where a measure is not
/// defined (see [`spearman`] and [`top_overlap`]) or the maps are not square.
pub fn map_agreement<R: Rng>(
    a: &[f32],
    b: &[f32],
    side: usize,
    top: usize,
    draws: usize,
    rng: &mut R,
) -> Option<Agreement> {
    if a.len() != side * side || b.len() != a.len() {
        return None;
    }
    let correlation = spearman(a, b)?;
    let overlap = top_overlap(a, b, top)?;
    let ranks = [centred(&midranks(a))?, centred(&midranks(b))?];
    let high = [highest(a, top), highest(b, top)];
    let measure = |order: &mut dyn Iterator<Item = usize>| {
        let (mut by_rank, mut common) = (0.0, 0.0);
        for (here, there) in order.enumerate() {
            by_rank += ranks[0][here] * ranks[1][there];
            common += high[0][here] * high[1][there];
        }
        (by_rank, common / top as f64)
    };
    let mut order: Vec<usize> = (0..a.len()).collect();
    let shuffled: Vec<(f64, f64)> = (0..draws)
        .map(|_| {
            order.shuffle(rng);
            measure(&mut order.iter().copied())
        })
        .collect();
    let moved: Vec<(f64, f64)> = (1..a.len())
        .map(|step| {
            let (down, right) = (step / side, step % side);
            let place = |at: usize| (at / side + down) % side * side + (at % side + right) % side;
            measure(&mut (0..a.len()).map(place))
        })
        .collect();
    let of = |draws: &[(f64, f64)]| {
        let each = |pick: fn(&(f64, f64)) -> f64, observed| chance(draws.iter().map(pick).collect(), observed);
        Some((each(|d| d.0, correlation)?, each(|d| d.1, overlap)?))
    };
    let (correlation_shuffled, overlap_shuffled) = of(&shuffled)?;
    let (correlation_moved, overlap_moved) = of(&moved).unzip();
    Some(Agreement {
        correlation,
        correlation_shuffled,
        correlation_moved,
        top,
        overlap,
        overlap_shuffled,
        overlap_moved,
    })
}

fn chance(mut values: Vec<f64>, observed: f64) -> Option<Chance> {
    values.sort_by(f64::total_cmp);
    // What is equal but for the order of summing counts as equal.
    let reached = values.iter().filter(|&&v| v >= observed - 1e-12).count();
    Some(Chance {
        mean: super::mean(&values)?,
        high: quantile(&values, 0.95)?,
        p: (1 + reached) as f64 / (1 + values.len()) as f64,
        draws: values.len(),
    })
}

/// Values less their mean, scaled to length 1; `None` where all are equal.
fn centred(values: &[f64]) -> Option<Vec<f64>> {
    let mean = super::mean(values)?;
    let centred: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let length = dot(&centred, &centred).sqrt();
    (length > 0.0).then(|| centred.iter().map(|v| v / length).collect())
}

/// 1 for each of the `top` highest values, 0 for the others, and equal parts for those that tie at the border.
fn highest(values: &[f32], top: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let border = sorted[top - 1];
    let above = values.iter().filter(|&&v| v > border).count();
    let tied = values.iter().filter(|&&v| v == border).count();
    let part = (top - above) as f64 / tied as f64;
    values
        .iter()
        .map(|&v| {
            if v > border {
                1.0
            } else if v == border {
                part
            } else {
                0.0
            }
        })
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    // import numpy as np; from scipy.stats import spearmanr, permutation_test, hypergeom
    // i=np.arange(64); a=np.maximum(np.sin(.9*i),0).astype('f4'); b=np.maximum(np.sin(.9*i+.8*np.cos(i*i)+.9),.1).astype('f4')
    // print(spearmanr(a,b).statistic)
    // k=24; A=set(np.argsort(-a)[:k]); B=set(np.argsort(-b)[:k]); print(len(A&B)/k)     # no ties at the border
    // r=permutation_test((a,),lambda a:spearmanr(a,b).statistic,permutation_type='pairings',n_resamples=9999,
    //                    alternative='greater',rng=1); n=r.null_distribution
    // print(r.pvalue,n.mean(),np.quantile(n,.95))
    // print(hypergeom(64,k,k).mean()/k, hypergeom(64,k,k).sf(len(A&B)-1), hypergeom(64,k,k).ppf(.95)/k)
    // m=[spearmanr(a,np.roll(b.reshape(8,8),(-d,-e),(0,1)).ravel()).statistic for d in range(8) for e in range(8) if d+e]
    // and with len(A&{j for j in range(64) if np.roll(i.reshape(8,8),(-d,-e),(0,1)).ravel()[j] in B})/k in its place
    // print(np.mean(m), np.quantile(m,.95), (1+sum(np.array(m)>=spearmanr(a,b).statistic))/64)
    fn maps() -> [Vec<f32>; 2] {
        let i = |i: i32| f64::from(i);
        [
            (0..64).map(|n| (0.9 * i(n)).sin().max(0.0) as f32).collect(),
            (0..64).map(|n| (0.9 * i(n) + 0.8 * i(n * n).cos() + 0.9).sin().max(0.1) as f32).collect(),
        ]
    }

    #[test]
    fn correlation_overlap_and_chance_are_those_of_scipy() {
        let [a, b] = maps();
        let found = map_agreement(&a, &b, 8, 24, 9999, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let near = |found: f64, expected: f64, tolerance: f64| {
            assert!((found - expected).abs() <= tolerance, "{found}, not {expected}");
        };
        near(found.correlation, 0.33898747754699904, 1e-12);
        near(found.overlap, 0.4583333333333333, 1e-12);
        let (correlation, overlap) = (found.correlation_shuffled, found.overlap_shuffled);
        near(correlation.mean, 0.0, 0.005);
        near(correlation.high, 0.2078, 0.01);
        near(correlation.p, 0.0030, 0.002);
        near(overlap.mean, 0.375, 0.005);
        near(overlap.high, 0.5, 1e-9);
        near(overlap.p, 0.21145, 0.01);
        let (correlation, overlap) = (found.correlation_moved.unwrap(), found.overlap_moved.unwrap());
        near(correlation.mean, -0.0053807536118571165, 1e-9);
        near(correlation.high, 0.6616008453716955, 1e-9);
        near(correlation.p, 0.28125, 1e-12);
        near(overlap.mean, 0.37367724867724866, 1e-9);
        near(overlap.high, 0.7916666666666666, 1e-9);
        near(overlap.p, 0.453125, 1e-12);
        assert_eq!((correlation.draws, found.correlation_shuffled.draws), (63, 9999));
    }

    #[test]
    fn ties_at_the_border_count_in_parts() {
        // One of the three ties of `a` belongs to its two highest; `b` has both of its own among them.
        let (a, b) = ([3.0, 1.0, 1.0, 1.0, 0.0], [0.0, 9.0, 8.0, 1.0, 1.0]);
        assert!((top_overlap(&a, &b, 2).unwrap() - (2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!(top_overlap(&a, &a, 1), Some(1.0));
        assert_eq!(top_overlap(&a, &b, 5), Some(1.0));
        assert_eq!(top_overlap(&a, &b, 0), None);
        assert_eq!(top_overlap(&a, &b[..4], 2), None);
    }

    #[test]
    fn what_is_not_defined_is_not_told() {
        assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]), None);
        assert_eq!(spearman(&[1.0, f32::NAN], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0, 2.0]), None);
        assert!((spearman(&[1.0, 2.0, 3.0], &[9.0, 4.0, 1.0]).unwrap() + 1.0).abs() < 1e-12);
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        assert_eq!(map_agreement(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0], 2, 1, 9, rng), None);
        assert_eq!(map_agreement(&[1.0, 2.0], &[1.0, 2.0], 2, 1, 9, rng), None);
        let same = map_agreement(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0], 2, 1, 99, rng).unwrap();
        assert!((same.correlation - 1.0).abs() < 1e-12 && same.overlap == 1.0);
        assert!(same.correlation_moved.unwrap().p == 0.25, "no move of three comes up to no move");
    }
}
