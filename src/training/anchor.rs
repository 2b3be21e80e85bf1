//! Anchoring: a start from the train fold's own principal components, for cohorts and machines too small to begin from noise.
//!
//! Not the papers'. Each radiograph gets a code: what a linear fit on its findings leaves over is projected on the fold's
//! leading principal components, and each coordinate is ranked into a standard-normal sample. A generator that learns to
//! turn (code, findings) back into the radiograph draws blurred but anatomical images from fresh latents, because codes
//! and latents share one distribution; the critic then has only texture and detail left to teach.
//!
//! Findings move few pixels, so a generator learns them last. The linear fit says what each of them does on average:
//! with one finding switched at a fixed code, the image is asked to change by just that.

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

/// One latent vector for each radiograph of a train fold, and the average effect of each finding.
pub struct Codes {
    latent: usize,
    values: Vec<f32>,
    /// `[labels, side, side]`: change of the image with each finding, in the networks' range of −1 to 1.
    effects: Vec<f32>,
    side: usize,
}

impl Codes {
    /// Computes the codes of a train fold, `latent` numbers for each radiograph, and the findings' effects at `side`; a
    /// function of fold and seed alone.
    ///
    /// # Errors
    /// A sentence naming the radiograph that cannot be read, or saying that the decomposition failed.
    pub fn of(source: &dyn RadiographSource, latent: usize, side: usize, seed: u64) -> Result<Self, String> {
        let labels = source.facts().vocabulary.len();
        let mut order: Vec<usize> = (0..source.len()).collect();
        order.shuffle(&mut random::stream(seed, "radiographs of the anchor"));
        order.truncate(MOST);
        let basis = Basis::of(source, &order, labels, latent)?;
        let mut values = vec![0.0; source.len() * latent];
        for (i, code) in values.chunks_exact_mut(latent).enumerate() {
            basis.project(&pixels(source, i, SIDE)?, source.labels(i), code);
        }
        for coordinate in 0..latent {
            let purpose = format!("anchor, coordinate {coordinate}");
            gaussianise(&mut values, latent, coordinate, &mut random::stream(seed, &purpose));
        }
        let effects = effects(source, &order, side)?;
        Ok(Self { latent, values, effects, side })
    }

    /// Numbers in one code.
    pub fn latent(&self) -> usize {
        self.latent
    }

    /// The codes of a minibatch, row by row.
    pub fn batch(&self, items: &[u32]) -> Vec<f32> {
        items.iter().flat_map(|&i| &self.values[i as usize * self.latent..][..self.latent]).copied().collect()
    }

    /// What finding `label` does to an image of `side` × `side` pixels on average; `side` divides the full side.
    pub fn effect(&self, label: usize, side: usize) -> Vec<f32> {
        let (full, step) = (self.side, self.side / side);
        let effect = &self.effects[label * full * full..][..full * full];
        let mean = |x: usize, y: usize| {
            let rows = (0..step).map(|dy| &effect[(y * step + dy) * full + x * step..][..step]);
            rows.flatten().sum::<f32>() / (step * step) as f32
        };
        (0..side * side).map(|p| mean(p % side, p / side)).collect()
    }
}

/// The linear fit of images on findings, without the mean image.
fn effects(source: &dyn RadiographSource, items: &[usize], side: usize) -> Result<Vec<f32>, String> {
    let labels = source.facts().vocabulary.len();
    let mut normal = Mat::<f64>::zeros(1 + labels, 1 + labels);
    let mut moments = Mat::<f64>::zeros(1 + labels, side * side);
    for &i in items {
        let row: Vec<f64> = design(source.labels(i)).collect();
        let image = pixels(source, i, side)?;
        for (l, &weight) in row.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            row.iter().enumerate().for_each(|(m, value)| normal[(l, m)] += weight * value);
            image.iter().enumerate().for_each(|(p, value)| moments[(l, p)] += weight * value);
        }
    }
    let fit = solve(normal, moments, items.len())?;
    Ok((1..=labels).flat_map(|l| (0..side * side).map(move |p| (l, p))).map(|at| fit[at] as f32).collect())
}

/// A row of the linear fit: a constant, then the findings.
fn design(labels: &[f32]) -> impl Iterator<Item = f64> {
    std::iter::once(1.0).chain(labels.iter().map(|&label| f64::from(label)))
}

/// Ridge regression from its normal equations over `rows` radiographs.
fn solve(mut normal: Mat<f64>, moments: Mat<f64>, rows: usize) -> Result<Mat<f64>, String> {
    for l in 0..normal.nrows() {
        normal[(l, l)] += RIDGE * rows as f64;
    }
    let failed = |_| "the anchor's linear fit on findings failed; the cohort's pixels may be damaged".to_owned();
    Ok(normal.llt(Side::Lower).map_err(failed)?.solve(moments))
}

/// A radiograph as the networks see it.
fn pixels(source: &dyn RadiographSource, i: usize, side: usize) -> Result<Vec<f64>, String> {
    let [low, high] = source.facts().window;
    let image = source.radiograph(i, side)?;
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
        let rows = items.iter().map(|&i| pixels(source, i, SIDE)).collect::<Result<Vec<_>, String>>()?;
        let size = SIDE * SIDE;
        let images = Mat::from_fn(rows.len(), size, |i, p| rows[i][p]);
        let designs: Vec<Vec<f64>> = items.iter().map(|&i| design(source.labels(i)).collect()).collect();
        let design = Mat::from_fn(rows.len(), 1 + labels, |i, l| designs[i][l]);
        let fit = solve(design.transpose() * &design, design.transpose() * &images, rows.len())?;
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

/// What one anchored step compares.
pub struct Anchored {
    /// Codes of the minibatch's radiographs `[N, latent]`.
    pub codes: Tensor,
    /// The radiographs before augmentation `[N, 1, side, side]`.
    pub plain: Tensor,
    /// Their label vectors `[N, labels]`, with one finding of each switched.
    pub switched: Tensor,
    /// What that switch does on average `[N, 1, side, side]`.
    pub change: Tensor,
}

impl Anchored {
    /// Some of the radiographs, in the order of `items`.
    ///
    /// # Errors
    /// When an item is not there.
    pub fn part(&self, items: &Tensor) -> candle_core::Result<Self> {
        let pick = |tensor: &Tensor| tensor.index_select(items, 0);
        Ok(Self {
            codes: pick(&self.codes)?,
            plain: pick(&self.plain)?,
            switched: pick(&self.switched)?,
            change: pick(&self.change)?,
        })
    }

    /// Mean squared difference between the radiographs and what the generator makes of their codes, plus `findings` times
    /// the mean squared error of the change when a finding is switched.
    ///
    /// # Errors
    /// When a shape does not fit.
    pub fn loss(
        &self,
        generator: &Parameters,
        architecture: &Architecture,
        labels: &Tensor,
        growth: Growth,
        findings: f64,
    ) -> candle_core::Result<Tensor> {
        if findings == 0.0 {
            let images = generate(generator, architecture, &self.codes, labels, growth)?;
            return (images - &self.plain)?.sqr()?.mean_all();
        }
        let n = self.codes.dim(0)?;
        let codes = Tensor::cat(&[&self.codes, &self.codes], 0)?;
        let images = generate(generator, architecture, &codes, &Tensor::cat(&[labels, &self.switched], 0)?, growth)?;
        let (before, after) = (images.narrow(0, 0, n)?, images.narrow(0, n, n)?);
        let likeness = (&before - &self.plain)?.sqr()?.mean_all()?;
        let effect = ((after - &before)? - &self.change)?.sqr()?.mean_all()?;
        likeness + (effect * findings)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::reals::tests::Shapes;

    #[test]
    fn codes_repeat_and_are_standard_normal_in_every_coordinate() {
        let source = Shapes::new();
        let codes = Codes::of(&source, 4, 16, 1).unwrap();
        assert_eq!(codes.values, Codes::of(&source, 4, 16, 1).unwrap().values);
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
            basis.project(&pixels(&source, i, SIDE).unwrap(), source.labels(i), &mut code);
            norms.iter_mut().zip(code).for_each(|(norm, v)| *norm += f64::from(v * v));
        }
        assert!(norms[0] >= norms[1], "{norms:?}");
        let product: f64 = (0..SIDE * SIDE).map(|p| basis.components[(p, 0)] * basis.components[(p, 1)]).sum();
        assert!(product.abs() < 1e-9);
    }

    #[test]
    fn the_effect_of_a_finding_is_the_difference_of_the_means_where_findings_exclude_each_other() {
        // Shape 0 is the only square: the fit must give back square and mean disc, but for the ridge's pull.
        let source = Shapes::new();
        let codes = Codes::of(&source, 4, 16, 1).unwrap();
        let difference: Vec<f32> = codes.effect(1, 16).iter().zip(codes.effect(0, 16)).map(|(a, b)| a - b).collect();
        let discs: Vec<Vec<f64>> = (1..8).map(|i| pixels(&source, i, 16).unwrap()).collect();
        let square = pixels(&source, 0, 16).unwrap();
        for (p, &found) in difference.iter().enumerate() {
            let expected = square[p] - discs.iter().map(|disc| disc[p]).sum::<f64>() / 7.0;
            assert!((f64::from(found) - expected).abs() < 0.03, "pixel {p}: {found} for {expected}");
        }
        let coarse = codes.effect(1, 8);
        let fine = codes.effect(1, 16);
        assert!((coarse[9] - (fine[34] + fine[35] + fine[50] + fine[51]) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_generator_that_ignores_findings_pays_for_the_change_it_does_not_make() {
        let architecture = Architecture {
            labels: 2,
            ..crate::generator::testing::architecture(crate::generator::Family::ProgGan, 16, 4, 2, 64, 8)
        };
        let zeros = Parameters::new(
            architecture.generator().into_iter().map(|p| (p.name, p.shape)),
            &candle_core::Device::Cpu,
            |_, count| vec![0.0; count],
        )
        .unwrap();
        let tensor =
            |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &candle_core::Device::Cpu).unwrap();
        let anchored = Anchored {
            codes: tensor(vec![0.5; 8], &[2, 4]),
            plain: tensor(vec![0.5; 512], &[2, 1, 16, 16]),
            switched: tensor(vec![1.0, 0.0, 0.0, 1.0], &[2, 2]),
            change: tensor(vec![2.0; 512], &[2, 1, 16, 16]),
        };
        let labels = tensor(vec![0.0; 4], &[2, 2]);
        let growth = Growth { side: 16, fade: 0.0 };
        let loss = |findings| {
            let loss = anchored.loss(&zeros, &architecture, &labels, growth, findings).unwrap();
            loss.to_scalar::<f32>().unwrap()
        };
        // All images are 0: 0.5² for likeness, and 2² for each unit of weight on the findings.
        assert_eq!((loss(0.0), loss(1.0), loss(3.0)), (0.25, 4.25, 12.25));
    }
}
