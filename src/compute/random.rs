//! Seeded random streams: one for each purpose, the same bits on every device.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

/// The stream of random numbers for one purpose under one seed.
///
/// Streams of different purposes are independent, so that adding a draw for one purpose leaves the others as they were.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// `n` draws from the standard normal distribution.
pub fn normals(rng: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

/// `n` draws from the standard normal distribution, each drawn anew until it lies within ±`limit`.
///
/// This is truncation as resampling. Below 0.01 the limit is held there, where resampling would take for ever.
pub fn truncated_normals(rng: &mut ChaCha8Rng, n: usize, limit: f32) -> Vec<f32> {
    let limit = limit.max(0.01);
    let mut draw = || {
        loop {
            let value: f32 = StandardNormal.sample(rng);
            if value.abs() <= limit {
                return value;
            }
        }
    };
    (0..n).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_purpose_and_seed() {
        let draw = |seed, purpose| normals(&mut stream(seed, purpose), 4);
        assert_eq!(draw(7, "latent"), draw(7, "latent"));
        assert_ne!(draw(7, "latent"), draw(7, "noise"));
        assert_ne!(draw(7, "latent"), draw(8, "latent"));
    }

    #[test]
    fn truncated_draws_stay_inside_and_have_the_truncated_variance() {
        let draws = truncated_normals(&mut stream(1, "test"), 40_000, 1.0);
        assert!(draws.iter().all(|v| v.abs() <= 1.0));
        let variance = draws.iter().map(|v| v * v).sum::<f32>() / 40_000.0;
        // scipy.stats.truncnorm(-1, 1).var() = 0.29112509
        assert!((variance - 0.291_125).abs() < 0.005, "{variance}");
    }
}
