//! Kernel distance between two clouds: squared maximum mean discrepancy of the kernel (x·y / dim + 1)³, in its unbiased
//! form (Bińkowski et al., 2018).

use super::matrix;
use crate::stats::{mean, standard_deviation};

/// The distance over blocks of both clouds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelDistance {
    /// Mean over blocks; unbiased, so that two clouds of one distribution give values on either side of 0.
    pub mean: f64,
    /// Standard deviation between blocks (divisor: blocks − 1); 0 where there is one block.
    pub deviation: f64,
    /// Number of blocks.
    pub blocks: usize,
}

/// Cuts both clouds into consecutive blocks of `block` rows, the same number of each, and compares block by block.
///
/// The rows should lie in random order. Where either cloud is smaller than a block, it is one block of the smaller one's
/// length. `None` for fewer than two rows or numbers that are not finite.
pub fn kernel_distance(a: &[f32], b: &[f32], dim: usize, block: usize) -> Option<KernelDistance> {
    let (a, b) = (matrix(a, dim)?, matrix(b, dim)?);
    let shared = a.nrows().min(b.nrows());
    let block = block.min(shared);
    if block < 2 {
        return None;
    }
    let kernel = |value: f64| (value / dim as f64 + 1.0).powi(3);
    let distances: Vec<f64> = (0..shared / block)
        .map(|i| {
            let (x, y) = (a.subrows(i * block, block), b.subrows(i * block, block));
            let within = |x: faer::MatRef<f64>| {
                let products = x * x.transpose();
                let pairs = (0..block).flat_map(|j| (0..block).filter(move |&i| i != j).map(move |i| (i, j)));
                pairs.map(|at| kernel(products[at])).sum::<f64>() / (block * (block - 1)) as f64
            };
            let products = x * y.transpose();
            let between: f64 =
                (0..block).flat_map(|j| (0..block).map(move |i| (i, j))).map(|at| kernel(products[at])).sum();
            within(x) + within(y) - 2.0 * between / (block * block) as f64
        })
        .collect();
    Some(KernelDistance {
        mean: mean(&distances)?,
        deviation: standard_deviation(&distances).unwrap_or(0.0),
        blocks: distances.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::example::{DIM, reals, samples};
    use super::*;

    #[test]
    fn blocks_mean_and_deviation_are_numpys() {
        let (a, b) = (reals(), samples());
        let found = kernel_distance(&a, &b, DIM, 20).unwrap();
        assert_eq!(found.blocks, 3);
        assert!((found.mean - 0.010202301418288595).abs() < 1e-6, "{found:?}");
        assert!((found.deviation - 0.0313848432869679).abs() < 1e-6, "{found:?}");
        let first = kernel_distance(&a[..20 * DIM], &b[..20 * DIM], DIM, 1000).unwrap();
        assert!((first.mean - -0.018070234396030838).abs() < 1e-6, "{first:?}");
        assert_eq!((first.blocks, first.deviation), (1, 0.0));
        assert!(kernel_distance(&a[..DIM], &b, DIM, 20).is_none());
    }
}
