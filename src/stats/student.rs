//! Student's t: means of a few repeats with intervals, paired and unpaired comparisons, and the price of many of them.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Bounds, mean, standard_deviation};

/// A mean or a difference of means, judged by Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    /// Mean, or difference of means.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Mean over standard error.
    pub t: f64,
    /// Degrees of freedom; not a whole number in Welch's test.
    pub freedom: f64,
    /// Probability of a mean at least as far from zero, in either direction, if it were zero.
    pub p: f64,
    /// Probability of a mean at least as large if it were zero: the one-tailed test for a gain.
    pub p_greater: f64,
}

impl TTest {
    fn new(mean: f64, standard_error: f64, freedom: f64) -> Option<Self> {
        let t = mean / standard_error;
        // No spread at all, or not a number.
        if !t.is_finite() || freedom <= 0.0 {
            return None;
        }
        let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let p = (2.0 * student.sf(t.abs())).min(1.0);
        Some(Self { mean, standard_error, t, freedom, p, p_greater: student.sf(t) })
    }

    /// Two-sided interval of the mean; `level` is 0.95.
    pub fn interval(&self, level: f64) -> Bounds {
        let half = student_quantile(0.5 + 0.5 * level, self.freedom).unwrap_or(0.0) * self.standard_error;
        Bounds { low: self.mean - half, high: self.mean + half }
    }
}

/// The quantile `q` (between 0 and 1) of Student's t; `None` where it is not finite.
pub fn student_quantile(q: f64, freedom: f64) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    (q > 0.0 && q < 1.0).then(|| student.inverse_cdf(q)).filter(|t| t.is_finite())
}

/// Whether the mean of `values` differs from zero. For pairs: of their differences.
///
/// `None` of fewer than two values, or where they do not differ from each other.
pub fn t_test(values: &[f64]) -> Option<TTest> {
    let n = values.len() as f64;
    TTest::new(mean(values)?, standard_deviation(values)? / n.sqrt(), n - 1.0)
}

/// Whether `a` and `b`, measured in pairs, differ in their means. `None` as [`t_test`], or when the lengths differ.
pub fn paired_t_test(a: &[f64], b: &[f64]) -> Option<TTest> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    (a.len() == b.len()).then(|| t_test(&differences)).flatten()
}

/// Whether two groups differ in their means, each with a variance of its own (Welch, Biometrika 34 (1947) 28–35).
///
/// `None` of fewer than two values in a group, or where neither group has any spread.
pub fn welch_t_test(a: &[f64], b: &[f64]) -> Option<TTest> {
    let part = |values: &[f64]| Some(standard_deviation(values)?.powi(2) / values.len() as f64);
    let (va, vb) = (part(a)?, part(b)?);
    let freedom = (va + vb).powi(2) / (va * va / (a.len() as f64 - 1.0) + vb * vb / (b.len() as f64 - 1.0));
    TTest::new(mean(a)? - mean(b)?, (va + vb).sqrt(), freedom)
}

/// Bonferroni: each probability times the number of tests, at most 1.
pub fn bonferroni(p: f64, tests: usize) -> f64 {
    (p * tests.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 6] = [0.81, 0.79, 0.84, 0.80, 0.78, 0.83];
    const B: [f64; 6] = [0.77, 0.78, 0.79, 0.77, 0.79, 0.78];

    fn close(ours: f64, scipy: f64) {
        assert!((ours - scipy).abs() < 1e-9 * scipy.abs().max(1.0), "{ours} {scipy}");
    }

    #[test]
    fn paired_test_and_its_interval_are_scipys() {
        // a=[.81,.79,.84,.80,.78,.83]; b=[.77,.78,.79,.77,.79,.78]; r=ttest_rel(a,b); r.statistic, r.pvalue, r.df
        // ttest_rel(a,b,alternative='greater').pvalue; r.confidence_interval(.95)
        let found = paired_t_test(&A, &B).unwrap();
        close(found.t, 2.890086703901696);
        close(found.p, 0.03418335151605334);
        close(found.p_greater, 0.01709167575802667);
        assert_eq!(found.freedom, 5.0);
        let bounds = found.interval(0.95);
        close(bounds.low, 0.003132306695838742);
        close(bounds.high, 0.0535343599708279);
    }

    #[test]
    fn welchs_test_is_scipys() {
        // r=ttest_ind(a,b,equal_var=False); r.statistic, r.pvalue, r.df; ttest_ind(b,a,equal_var=False,alternative='greater').pvalue
        let found = welch_t_test(&A, &B).unwrap();
        close(found.t, 2.7947827841910975);
        close(found.p, 0.029039482924178753);
        close(found.freedom, 6.458278295656119);
        close(welch_t_test(&B, &A).unwrap().p_greater, 0.9854802585379107);
    }

    #[test]
    fn the_two_printed_rows_of_the_augmentation_paper_come_out() {
        // Prakash et al., arXiv 2411.18602: F1 mean .150453, half-width of the 95 % interval .051345, three runs: t 12.61, one-tailed
        // p .0031. Dice mean .14575, half-width .037483, two runs: t 49.4, p .0064. The runs themselves are not printed;
        // any with this mean and this half-width give the same t, so they are made from the half-width.
        let row = |mean: f64, half: f64, n: usize, t: f64, p: f64| {
            let error = half / student_quantile(0.975, n as f64 - 1.0).unwrap();
            let step = error * (n as f64).sqrt();
            // Deviations of −1, (0,) 1 have a standard deviation of 1 (of √2 for two values).
            let runs = if n == 3 {
                vec![mean - step, mean, mean + step]
            } else {
                vec![mean - step / 2f64.sqrt(), mean + step / 2f64.sqrt()]
            };
            let found = t_test(&runs).unwrap();
            let bounds = found.interval(0.95);
            assert!((bounds.high - mean - half).abs() < 1e-9 && (mean - bounds.low - half).abs() < 1e-9);
            assert!((found.t - t).abs() < 0.05 && (found.p_greater - p).abs() < 5e-5, "{found:?}");
        };
        row(0.150453, 0.051345, 3, 12.61, 0.0031);
        row(0.14575, 0.037483, 2, 49.4, 0.0064);
    }

    #[test]
    fn what_cannot_be_judged_is_not() {
        assert_eq!(t_test(&[1.0]), None);
        assert_eq!(t_test(&[0.5, 0.5, 0.5]), None);
        assert_eq!(paired_t_test(&A, &B[..5]), None);
        assert_eq!(welch_t_test(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(student_quantile(1.0, 3.0), None);
    }

    #[test]
    fn many_tests_cost_their_number() {
        assert!((bonferroni(0.01, 5) - 0.05).abs() < 1e-15);
        assert_eq!((bonferroni(0.4, 5), bonferroni(0.4, 0)), (1.0, 0.4));
    }
}
