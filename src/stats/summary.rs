//! Moments, quantiles and where a value falls among others.

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard deviation of a sample (divisor n − 1); `None` of fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The quantile `q` (0 to 1) of ascending values, linear between neighbours; `None` of nothing.
pub fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let last = ascending.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(ascending[below] + (ascending[above] - ascending[below]) * (place - below as f64))
}

/// Share of ascending values that are smaller than or equal to `value`, 0 to 100; 0 of nothing.
pub fn percentile_of(ascending: &[f32], value: f32) -> f32 {
    let below = ascending.partition_point(|&v| v <= value);
    100.0 * below as f32 / ascending.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 5] = [-1.25, 0.5, 2.5, 3.0, 8.0];

    #[test]
    fn moments_and_quantiles_are_those_of_numpy() {
        // x=[2.5,3.0,-1.25,8.0,0.5]; np.mean(x), np.std(x,ddof=1) -> 2.55 3.483891502328969
        // [np.quantile(x,q) for q in (0,.025,.5,.9,1)] -> [-1.25,-1.075,2.5,6.0,8.0]
        assert!((mean(&X).unwrap() - 2.55).abs() < 1e-12);
        assert!((standard_deviation(&X).unwrap() - 3.483_891_502_328_969).abs() < 1e-12);
        let quantiles = [0.0, 0.025, 0.5, 0.9, 1.0].map(|q| quantile(&X, q).unwrap());
        for (ours, numpy) in quantiles.iter().zip([-1.25, -1.075, 2.5, 6.0, 8.0]) {
            assert!((ours - numpy).abs() < 1e-12, "{ours} {numpy}");
        }
        assert_eq!((mean(&[]), standard_deviation(&[1.0]), quantile(&[], 0.5)), (None, None, None));
    }

    #[test]
    fn percentiles_are_those_of_scipy() {
        // [percentileofscore([.1,.2,.2,.3,.5], v, kind='weak') for v in (.05,.2,.25,.5,9)] -> [0,60,60,100,100]
        let sorted = [0.1, 0.2, 0.2, 0.3, 0.5];
        assert_eq!([0.05, 0.2, 0.25, 0.5, 9.0].map(|v| percentile_of(&sorted, v)), [0.0, 60.0, 60.0, 100.0, 100.0]);
        assert_eq!(percentile_of(&[], 1.0), 0.0);
    }
}
