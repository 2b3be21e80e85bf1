//! Anchoring: a start from the train fold's own principal components, for cohorts and machines too small to begin from noise.
//!
//! Not the papers'. Each radiograph gets a code: what a linear fit on its findings leaves over is projected on the fold's
//! leading principal components, and each coordinate is ranked into a standard-normal sample. A generator that learns to
//! turn (code, findings) back into the radiograph draws blurred but anatomical images from fresh latents, because codes
//! and latents share one distribution; the critic then has only texture and detail left to teach.

use candle_core::Tensor;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rand::seq::SliceRandom;

use super::reals::RadiographSource;
use crate::compute::parameters::Parameters;
use crate::compute::random;
use crate::generator::Architecture;
use crate::generator::network::{Growth, generate};

/// Side at which components are computed: enough for anatomy, and 1024 numbers are quickly decomposed.
const SIDE: usize = 32;

/// Most radiographs that the components are computed from; the rest is only projected.
const MOST: usize = 4096;

/// Added to the diagonal of the fit on findings, per radiograph, so that a finding nobody has divides nothing by zero.
const RIDGE: f64 = 1e-3;

/// One latent vector for each radiograph of a train fold.
pub struct Codes {
    latent: usize,
    values: Vec<f32>,
}

impl Codes {
    /// Computes the codes of a train fold, `latent` numbers for each radiograph; a function of fold and seed alone.
    ///
    /// # Errors
    /// A sentence naming the radiograph that cannot be read, or saying that the decomposition failed.
    pub fn of(source: &dyn RadiographSource, latent: usize, seed: u64) -> Result<Self, String> {
        let labels = source.facts().vocabulary.len();
        let mut order: Vec<usize> = (0..source.len()).collect();
        order.shuffle(&mut random::stream(seed, "radiographs of the anchor"));
        order.truncate(MOST);
        let basis = Basis::of(source, &order, labels, latent)?;
        let mut values = vec![0.0; source.len() * latent];
        for (i, code) in values.chunks_exact_mut(latent).enumerate() {
            basis.project(&pixels(source, i)?, source.labels(i), code);
        }
        for coordinate in 0..latent {
            let purpose = format!("anchor, coordinate {coordinate}");
            gaussianise(&mut values, latent, coordinate, &mut random::stream(seed, &purpose));
        }
        Ok(Self { latent, values })
    }

    /// The codes of a minibatch, row by row.
    pub fn batch(&self, items: &[u32]) -> Vec<f32> {
        items.iter().flat_map(|&i| &self.values[i as usize * self.latent..][..self.latent]).copied().collect()
    }
}

/// A radiograph as the networks see it, at the components' side.
fn pixels(source: &dyn RadiographSource, i: usize) -> Result<Vec<f64>, String> {
    let [low, high] = source.facts().window;
    let image = source.radiograph(i, SIDE)?;
    Ok(image.pixels().iter().map(|&v| f64::from(2.0 * ((v - low) / (high - low)).clamp(0.0, 1.0) - 1.0)).collect())
}

/// What findings explain, and the components of what they do not.
struct Basis {
    /// `[1 + labels, pixels]`: mean image, and the change with each finding.
    fit: Mat<f64>,
    /// `[pixels, kept]`, the component that explains most first.
    components: Mat<f64>,
}

impl Basis {
    fn of(source: &dyn RadiographSource, items: &[usize], labels: usize, latent: usize) -> Result<Self, String> {
        let rows = items.iter().map(|&i| pixels(source, i)).collect::<Result<Vec<_>, String>>()?;
        let size = SIDE * SIDE;
        let images = Mat::from_fn(rows.len(), size, |i, p| rows[i][p]);
        let design = Mat::from_fn(rows.len(), 1 + labels, |i, l| match l {
            0 => 1.0,
            _ => f64::from(source.labels(items[i])[l - 1]),
        });
        let mut normal = design.transpose() * &design;
        for l in 0..=labels {
            normal[(l, l)] += RIDGE * rows.len() as f64;
        }
        let failed = |_| "the anchor's linear fit on findings failed; the cohort's pixels may be damaged".to_owned();
        let fit = normal.llt(Side::Lower).map_err(failed)?.solve(design.transpose() * &images);
        let residual = images - &design * &fit;
        let covariance = residual.transpose() * &residual;
        let eigen = covariance.self_adjoint_eigen(Side::Lower);
        let eigen = eigen.map_err(|_| "the anchor's principal components did not converge".to_owned())?;
        let kept = latent.min(size);
        let components = Mat::from_fn(size, kept, |p, k| eigen.U()[(p, size - 1 - k)]);
        Ok(Self { fit, components })
    }

    fn project(&self, image: &[f64], labels: &[f32], code: &mut [f32]) {
        let explained = |p: usize| {
            let findings: f64 = labels.iter().enumerate().map(|(l, &v)| f64::from(v) * self.fit[(1 + l, p)]).sum();
            self.fit[(0, p)] + findings
        };
        let left: Vec<f64> = image.iter().enumerate().map(|(p, v)| v - explained(p)).collect();
        for (k, value) in code.iter_mut().enumerate().take(self.components.ncols()) {
            let column = self.components.col(k);
            *value = left.iter().enumerate().map(|(p, v)| v * column[p]).sum::<f64>() as f32;
        }
    }
}

/// Replaces one coordinate of all codes by a standard-normal sample in the same order.
fn gaussianise(values: &mut [f32], latent: usize, coordinate: usize, rng: &mut rand_chacha::ChaCha8Rng) {
    let count = values.len() / latent;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| values[a * latent + coordinate].total_cmp(&values[b * latent + coordinate]));
    let mut normals = random::normals(rng, count);
    normals.sort_by(f32::total_cmp);
    for (i, normal) in order.into_iter().zip(normals) {
        values[i * latent + coordinate] = normal;
    }
}

/// Mean squared difference between radiographs `[N, 1, side, side]` and what the generator makes of their codes.
///
/// # Errors
/// When a shape does not fit.
pub fn loss(
    generator: &Parameters,
    architecture: &Architecture,
    (codes, labels): (&Tensor, &Tensor),
    real: &Tensor,
    growth: Growth,
) -> candle_core::Result<Tensor> {
    (generate(generator, architecture, codes, labels, growth)? - real)?.sqr()?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::reals::tests::Shapes;

    #[test]
    fn codes_repeat_and_are_standard_normal_in_every_coordinate() {
        let source = Shapes::new();
        let codes = Codes::of(&source, 4, 1).unwrap();
        assert_eq!(codes.values, Codes::of(&source, 4, 1).unwrap().values);
        assert_eq!(codes.values.len(), 4 * source.len());
        // Ranks of a coordinate come from the components, values from the normal sample of its own stream.
        for coordinate in 0..4 {
            let mut column: Vec<f32> = codes.values.iter().skip(coordinate).step_by(4).copied().collect();
            column.sort_by(f32::total_cmp);
            let mut sample =
                random::normals(&mut random::stream(1, &format!("anchor, coordinate {coordinate}")), source.len());
            sample.sort_by(f32::total_cmp);
            assert_eq!(column, sample);
        }
    }

    #[test]
    fn the_first_component_orders_what_findings_leave_over() {
        let source = Shapes::new();
        let labels = source.facts().vocabulary.len();
        let all: Vec<usize> = (0..source.len()).collect();
        let basis = Basis::of(&source, &all, labels, 2).unwrap();
        let mut norms = [0.0f64; 2];
        for i in 0..source.len() {
            let mut code = [0.0; 2];
            basis.project(&pixels(&source, i).unwrap(), source.labels(i), &mut code);
            norms.iter_mut().zip(code).for_each(|(norm, v)| *norm += f64::from(v * v));
        }
        assert!(norms[0] >= norms[1], "{norms:?}");
        let product: f64 = (0..SIDE * SIDE).map(|p| basis.components[(p, 0)] * basis.components[(p, 1)]).sum();
        assert!(product.abs() < 1e-9);
    }
}
