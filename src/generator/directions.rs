//! Named directions of the latent space: the principal components of the first layer's response.
//!
//! The first dense layer answers a unit-normal latent with a normal response of covariance W Wᵀ. Its principal
//! components, seen from the latent side, are the right singular vectors of W: orthogonal unit vectors, so one step
//! along each is one standard deviation of the latent itself. Labels are left out. (The network divides its input by
//! its length first; that changes how far a step carries, not where to.) Idea: Härkönen et al., "`GANSpace`", 2020.

use faer::{Mat, Side};

/// Most directions that are kept.
pub const MOST: usize = 32;

/// One principal direction, as a slider shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Direction {
    /// Its number, as recipes name it: 0 explains most.
    pub component: u16,
    /// Its share of the first layer's variance, 0 to 1.
    pub share: f32,
}

/// All directions of one generator.
#[derive(Debug, Clone, Default)]
pub struct Directions {
    list: Vec<Direction>,
    latent: usize,
    vectors: Vec<f32>,
}

impl Directions {
    /// From the first dense layer's weight `[out, input]`, whose first `latent` columns belong to the latent.
    ///
    /// Each vector's coordinate of largest magnitude is positive (the first of equals), which fixes the sign.
    pub fn of(weight: &[f32], input: usize, latent: usize) -> Self {
        let rows = weight.len() / input;
        let matrix = Mat::<f64>::from_fn(rows, latent, |i, j| f64::from(weight[i * input + j]));
        let gram = matrix.transpose() * &matrix;
        // Fails only where the iteration does not converge, which finite symmetric matrices do not bring about; a
        // generator without named directions is still a generator.
        let Ok(eigen) = gram.self_adjoint_eigen(Side::Lower) else {
            tracing::warn!("the principal directions of this generator could not be computed");
            return Self::default();
        };
        let values: Vec<f64> = (0..latent).map(|i| eigen.S()[latent - 1 - i].max(0.0)).collect();
        let total: f64 = values.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut directions = Self { list: Vec::new(), latent, vectors: Vec::new() };
        for (component, value) in (0u16..).zip(values).take(MOST) {
            let column = eigen.U().col(latent - 1 - usize::from(component));
            let vector: Vec<f64> = (0..latent).map(|i| column[i]).collect();
            // Coordinates that differ by rounding alone count as equal, so that the sign is the same everywhere.
            let most = vector.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            let leading = vector.iter().find(|v| v.abs() > most * (1.0 - 1e-6)).copied().unwrap_or(1.0);
            directions.vectors.extend(vector.iter().map(|v| (v * leading.signum()) as f32));
            directions.list.push(Direction { component, share: (value / total) as f32 });
        }
        directions
    }

    /// The directions, the one that explains most first.
    pub fn list(&self) -> &[Direction] {
        &self.list
    }

    /// The unit vector of a component; `None` beyond the last.
    pub fn vector(&self, component: u16) -> Option<&[f32]> {
        let first = usize::from(component) * self.latent;
        self.vectors.get(first..first + self.latent).filter(|vector| !vector.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::approx_constant, reason = "the numbers stand as NumPy printed them")]
    fn directions_are_those_of_the_singular_value_decomposition() {
        // numpy, float64:
        //   W = np.array([[((3 * i * i + 5 * j * j + 7 * i * j) % 11) - 5 for j in range(4)] for i in range(6)], float)
        //   s, v = np.linalg.svd(W[:, :3])[1:];  (s**2 / (s**2).sum());  v
        let weight: Vec<f32> =
            (0..6).flat_map(|i| (0..4).map(move |j| ((3 * i * i + 5 * j * j + 7 * i * j) % 11) as f32 - 5.0)).collect();
        let directions = Directions::of(&weight, 4, 3);
        let shares = [0.620253165, 0.308954986, 0.070791850];
        let vectors = [
            [0.707106781, 0.0, -0.707106781],
            [-0.443678487, 0.778651912, -0.443678487],
            [0.550590047, 0.627456133, 0.550590047],
        ];
        for (direction, (share, vector)) in directions.list().iter().zip(shares.iter().zip(vectors)) {
            assert!((f64::from(direction.share) - share).abs() < 1e-6, "{direction:?} {share}");
            for (a, b) in directions.vector(direction.component).unwrap().iter().zip(vector) {
                assert!((f64::from(*a) - b).abs() < 1e-6, "{direction:?}");
            }
        }
        assert_eq!(directions.list().len(), 3);
        assert_eq!(directions.vector(3), None);
    }
}
