//! Fréchet distance between two clouds, each taken for a normal distribution (Heusel et al., 2017).

use faer::{Mat, Side};

use super::matrix;

/// Mean and unbiased covariance of a cloud, and how many rows they are of.
#[derive(Debug, Clone)]
pub struct Moments {
    mean: Vec<f64>,
    covariance: Mat<f64>,
    /// Rows of the cloud.
    pub count: usize,
}

impl Moments {
    /// The moments of rows `[n, dim]`; `None` of fewer than two, or of numbers that are not finite.
    pub fn of(rows: &[f32], dim: usize) -> Option<Self> {
        let mut rows = matrix(rows, dim)?;
        let n = rows.nrows();
        if n < 2 {
            return None;
        }
        let mean: Vec<f64> = (0..dim).map(|j| rows.col(j).iter().sum::<f64>() / n as f64).collect();
        for (j, mean) in mean.iter().enumerate() {
            rows.col_mut(j).iter_mut().for_each(|value| *value -= mean);
        }
        let covariance = (rows.transpose() * &rows) * faer::Scale(1.0 / (n - 1) as f64);
        Some(Self { mean, covariance, count: n })
    }

    /// ‖μ − μ'‖² + tr(Σ + Σ' − 2 √(√Σ Σ' √Σ)), whose last trace is that of √(Σ Σ'); never below 0.
    ///
    /// `None` where the dimensions differ or a decomposition does not converge.
    pub fn distance(&self, other: &Self) -> Option<f64> {
        if self.mean.len() != other.mean.len() {
            return None;
        }
        let apart: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b) * (a - b)).sum();
        let root = square_root(&self.covariance)?;
        let eigen = (&root * &other.covariance * &root).self_adjoint_eigenvalues(Side::Lower).ok()?;
        // Rounding may push an eigenvalue that is 0 a hair below it.
        let shared: f64 = eigen.iter().map(|value| value.max(0.0).sqrt()).sum();
        let trace = |matrix: &Mat<f64>| (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum::<f64>();
        Some((apart + trace(&self.covariance) + trace(&other.covariance) - 2.0 * shared).max(0.0))
    }
}

/// The symmetric square root of a covariance.
fn square_root(matrix: &Mat<f64>) -> Option<Mat<f64>> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).ok()?;
    let (vectors, values) = (eigen.U(), eigen.S());
    let n = matrix.nrows();
    let scaled = Mat::from_fn(n, n, |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
    Some(scaled * vectors.transpose())
}

/// Fréchet distance between rows `[n, dim]` and `[m, dim]`; `None` as for [`Moments::of`] and [`Moments::distance`].
pub fn frechet_distance(a: &[f32], b: &[f32], dim: usize) -> Option<f64> {
    Moments::of(a, dim)?.distance(&Moments::of(b, dim)?)
}

#[cfg(test)]
mod tests {
    use super::super::example::{DIM, reals, samples};
    use super::*;

    #[test]
    fn the_distance_is_that_of_scipys_matrix_root() {
        let (a, b) = (reals(), samples());
        let close =
            |ours: Option<f64>, theirs: f64| assert!((ours.unwrap() - theirs).abs() < 1e-6, "{ours:?} {theirs}");
        close(frechet_distance(&a, &b, DIM), 0.33177871054903685);
        // Fewer rows than dimensions: the covariances are singular.
        close(frechet_distance(&a[..5 * DIM], &b[..5 * DIM], DIM), 1.9890649120525243);
        close(frechet_distance(&a, &a, DIM), 0.0);
        assert_eq!(
            frechet_distance(&a, &b, DIM),
            Moments::of(&a, DIM).unwrap().distance(&Moments::of(&b, DIM).unwrap())
        );
    }

    #[test]
    fn what_is_no_cloud_has_no_distance() {
        let a = reals();
        assert!(Moments::of(&a[..DIM], DIM).is_none() && Moments::of(&a[..=DIM], DIM).is_none());
        assert!(Moments::of(&[0.0, f32::NAN], 1).is_none() && Moments::of(&a, 0).is_none());
        assert!(Moments::of(&a, DIM).unwrap().distance(&Moments::of(&a, 3).unwrap()).is_none());
    }
}
