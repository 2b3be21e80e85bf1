//! Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020): whether samples lie in the
//! neighbourhoods of reals, and reals in those of samples.

use faer::{Mat, MatRef};
use rayon::prelude::*;

use super::matrix;

/// Rows compared at a time with all others.
const BLOCK: usize = 256;

/// The four figures, from balls around each row that reach to its `k`-th nearest neighbour in its own cloud.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manifold {
    /// Share of samples inside any real's ball.
    pub precision: f64,
    /// Share of reals inside any sample's ball.
    pub recall: f64,
    /// Mean number of reals' balls that a sample lies in, over `k`; may exceed 1.
    pub density: f64,
    /// Share of reals whose ball holds a sample.
    pub coverage: f64,
}

/// A cloud with the squared length of every row.
struct Cloud {
    rows: Mat<f64>,
    squares: Vec<f64>,
}

impl Cloud {
    fn of(rows: &[f32], dim: usize) -> Option<Self> {
        let rows = matrix(rows, dim)?;
        let squares = (0..rows.nrows()).map(|i| rows.row(i).iter().map(|v| v * v).sum()).collect();
        Some(Self { rows, squares })
    }

    fn len(&self) -> usize {
        self.squares.len()
    }

    /// Calls `take` with each row's squared distances to all rows of `other`, blocks of rows on different threads.
    fn compare<T: Send>(&self, other: &Self, take: impl Fn(usize, &[f64]) -> T + Sync) -> Vec<T> {
        let starts: Vec<usize> = (0..self.len()).step_by(BLOCK).collect();
        let block = |&start: &usize| {
            let rows: MatRef<f64> = self.rows.subrows(start, BLOCK.min(self.len() - start));
            // Transposed, so that one row's distances lie together.
            let products = &other.rows * rows.transpose();
            let mut distances = vec![0.0; other.len()];
            let row = |(i, column): (usize, faer::ColRef<f64>)| {
                for ((distance, product), square) in distances.iter_mut().zip(column.iter()).zip(&other.squares) {
                    *distance = (self.squares[start + i] + square - 2.0 * product).max(0.0);
                }
                take(start + i, &distances)
            };
            products.col_iter().enumerate().map(row).collect::<Vec<T>>()
        };
        starts.par_iter().flat_map_iter(block).collect()
    }

    /// Squared distance of each row to its `k`-th nearest other row.
    fn radii(&self, k: usize) -> Vec<f64> {
        self.compare(self, |row, distances| {
            let mut others = distances.to_vec();
            // The row itself is nearest to itself, whatever rounding made of its distance.
            others[row] = 0.0;
            *others.select_nth_unstable_by(k, f64::total_cmp).1
        })
    }
}

/// The four figures of samples among reals, rows `[n, dim]` and `[m, dim]`, by Euclidean distance.
///
/// `None` where a cloud has no more than `k` rows, `k` is 0, or numbers are not finite.
pub fn manifold(reals: &[f32], samples: &[f32], dim: usize, k: usize) -> Option<Manifold> {
    let (reals, samples) = (Cloud::of(reals, dim)?, Cloud::of(samples, dim)?);
    if k == 0 || reals.len() <= k || samples.len() <= k {
        return None;
    }
    let (real_radii, sample_radii) = (reals.radii(k), samples.radii(k));
    let holding = samples.compare(&reals, |_, distances| {
        distances.iter().zip(&real_radii).filter(|(distance, radius)| distance < radius).count()
    });
    let found = reals.compare(&samples, |real, distances| {
        let inside = distances.iter().zip(&sample_radii).any(|(distance, radius)| distance < radius);
        (inside, distances.iter().any(|&distance| distance < real_radii[real]))
    });
    let share = |count: usize, of: usize| count as f64 / of as f64;
    Some(Manifold {
        precision: share(holding.iter().filter(|&&count| count > 0).count(), samples.len()),
        recall: share(found.iter().filter(|(inside, _)| *inside).count(), reals.len()),
        density: share(holding.iter().sum(), samples.len() * k),
        coverage: share(found.iter().filter(|(_, covered)| *covered).count(), reals.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::example::{DIM, reals, samples};
    use super::*;

    #[test]
    fn the_four_figures_are_those_of_prdc() {
        let close = |found: Manifold, theirs: [f64; 4]| {
            let ours = [found.precision, found.recall, found.density, found.coverage];
            assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-12), "{ours:?} {theirs:?}");
        };
        let (a, b) = (reals(), samples());
        close(manifold(&a, &b, DIM, 5).unwrap(), [0.9, 1.0, 0.56, 0.9333333333333333]);
        close(
            manifold(&a[..30 * DIM], &b, DIM, 3).unwrap(),
            [0.7166666666666667, 1.0, 0.49444444444444446, 0.9333333333333333],
        );
        assert!(manifold(&a[..5 * DIM], &b, DIM, 5).is_none() && manifold(&a, &b, DIM, 0).is_none());
    }

    #[test]
    fn more_rows_than_a_block_give_the_same_figures_as_pair_by_pair() {
        let rows = |phase: f32| (0..2 * (BLOCK + 37)).map(|i| (i as f32 * 0.37 + phase).sin()).collect::<Vec<f32>>();
        let (a, b) = (rows(0.0), rows(0.3));
        let points = |rows: &[f32]| rows.chunks(2).map(|p| [f64::from(p[0]), f64::from(p[1])]).collect::<Vec<_>>();
        let (reals, fakes) = (points(&a), points(&b));
        let squared = |p: &[f64; 2], q: &[f64; 2]| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
        let radius = |cloud: &[[f64; 2]], p: &[f64; 2]| {
            let mut all: Vec<f64> = cloud.iter().map(|q| squared(p, q)).collect();
            all.sort_by(f64::total_cmp);
            all[4]
        };
        let radii: Vec<f64> = reals.iter().map(|p| radius(&reals, p)).collect();
        let covered = reals.iter().zip(&radii).filter(|(p, r)| fakes.iter().any(|q| squared(p, q) < **r)).count();
        let found = manifold(&a, &b, 2, 4).unwrap();
        assert!((found.coverage - covered as f64 / reals.len() as f64).abs() < 1e-12, "{found:?} {covered}");
    }
}
