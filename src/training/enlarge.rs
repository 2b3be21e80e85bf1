//! What a larger cpD-GAN begins with where it starts from a smaller one: that one's image, and that one's verdict.
//!
//! cpD-GAN does not grow by itself. A level that the smaller network lacks begins as one that adds nothing: nothing to the
//! image, and nothing to what the critic makes of the halved image. With a critic whose new level began anywhere, phantom
//! films at 64 and 128 px stayed the blocks of 32 px: it never told them from real ones. (A larger network that begins as
//! the same function: Chen, Goodfellow and Shlens, "Net2Net: accelerating learning via knowledge transfer", 2016.)

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use crate::compute::ops;
use crate::compute::parameters::Named;
use crate::generator::{Architecture, Family};

/// Brightnesses at which features are compared: a little more than −1 to 1.
const SAMPLES: usize = 97;

/// Share of the mean square that keeps the fit from large weights of opposite signs.
const RIDGE: f64 = 1e-5;

/// Makes levels that are in `own` and not in `from` add nothing to the image. Both are generators of one family.
pub fn generator(own: &mut Named, from: &Named, architecture: &Architecture) {
    if architecture.family == Family::CpdGan {
        let added = |name: &str| name.ends_with(".image.weight") && !from.contains_key(name);
        own.iter_mut().filter(|(name, _)| added(name)).for_each(|(_, (_, values))| values.fill(0.0));
    }
}

/// Makes levels that are in `own` and not in `from` halve the image and pass on the features that the level below is used
/// to. Leaves `own` as it is where `from` is no smaller critic of the same widths.
pub fn critic(own: &mut Named, from: &Named, architecture: &Architecture) {
    let side = architecture.sides().rev().find(|side| from.contains_key(&format!("d.{side}.image.weight")));
    let Some(begun) = side.filter(|&side| architecture.family == Family::CpdGan && side < architecture.resolution)
    else {
        return;
    };
    let part = |kind: &str| from.get(&format!("d.{begun}.image.{kind}")).map_or(&[][..], |(_, values)| values);
    let mut features: Vec<Feature> = part("weight").iter().zip(part("bias")).map(|(&w, &b)| Feature(w, b)).collect();
    if features.len() != architecture.features(begun) {
        return;
    }
    let scales = architecture.critic();
    let scale = |name: &str| scales.iter().find(|p| p.name == name).map_or(1.0, |p| f64::from(p.scale));
    for side in architecture.sides().filter(|&side| side > begun) {
        let kept = most_different(&features, architecture.features(side));
        let fit = passed_on(&kept, &features);
        let skip = format!("d.{side}.skip.weight");
        // The block is (main + skip) / √2, and main begins as zero.
        let factor = std::f64::consts::SQRT_2 / scale(&skip);
        if let Some((_, values)) = own.get_mut(&skip) {
            let rows = (0..fit.ncols()).flat_map(|out| (0..fit.nrows()).map(move |input| (input, out)));
            *values = rows.map(|at| (fit[at] * factor) as f32).collect();
        }
        if let Some((_, values)) = own.get_mut(&format!("d.{side}.down.weight")) {
            values.fill(0.0);
        }
        features = kept;
    }
    let mut put = |kind: &str, value: fn(&Feature) -> f32| {
        if let Some((_, values)) = own.get_mut(&format!("d.{}.image.{kind}", architecture.resolution)) {
            *values = features.iter().map(value).collect();
        }
    };
    put("weight", |feature| feature.0);
    put("bias", |feature| feature.1);
}

/// What a critic's first layer makes of a pixel, but for the slope of the leaky ReLU: weight and bias. The weight's scale is 1,
/// for it has one input.
#[derive(Clone, Copy)]
struct Feature(f32, f32);

/// Each feature (column) at every brightness (row).
fn sampled(features: &[Feature]) -> Mat<f64> {
    Mat::from_fn(SAMPLES, features.len(), |i, j| {
        let brightness = 2.4 * i as f64 / (SAMPLES - 1) as f64 - 1.2;
        let value = f64::from(features[j].0) * brightness + f64::from(features[j].1);
        if value < 0.0 { ops::SLOPE * value } else { value }
    })
}

/// The `count` features from which the others differ least (a factorisation with pivots, by Gram and Schmidt).
fn most_different(features: &[Feature], count: usize) -> Vec<Feature> {
    let mut rest = sampled(features);
    let mut kept: Vec<usize> = Vec::new();
    while kept.len() < count.min(features.len()) {
        let free = (0..features.len()).filter(|j| !kept.contains(j));
        let Some(next) = free.max_by(|&a, &b| rest.col(a).norm_l2().total_cmp(&rest.col(b).norm_l2())) else { break };
        kept.push(next);
        let norm = rest.col(next).norm_l2();
        if norm > 1e-9 {
            let direction = rest.col(next) * faer::Scale(1.0 / norm);
            let along = direction.transpose() * &rest;
            rest -= direction * along;
        }
    }
    kept.into_iter().map(|j| features[j]).collect()
}

/// `[kept, all]`: how each of `all` is put together from `kept`, by least squares over brightness.
fn passed_on(kept: &[Feature], all: &[Feature]) -> Mat<f64> {
    let (a, b) = (sampled(kept), sampled(all));
    let mut normal = a.transpose() * &a;
    let mean = (0..kept.len()).map(|j| normal[(j, j)]).sum::<f64>() / kept.len().max(1) as f64;
    for j in 0..kept.len() {
        normal[(j, j)] += RIDGE * mean.max(1e-9);
    }
    let moments = a.transpose() * &b;
    // With the ridge the matrix is positive definite; were it not, zeros would be a level that passes nothing on.
    normal.llt(Side::Lower).map_or_else(|_| Mat::zeros(kept.len(), all.len()), |solver| solver.solve(moments))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::compute::random;
    use crate::generator::network::{Critic, Growth};
    use crate::training::presets::preset;
    use crate::training::state::State;

    fn state(side: usize) -> State {
        let mut spec = preset("small-32", Family::CpdGan).unwrap();
        (spec.network.resolution, spec.network.latent) = (side, 4);
        (spec.network.feature_base, spec.network.feature_max) = (128, 16);
        State::new(&spec, 2, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_larger_critic_begins_with_the_verdict_of_the_smaller_on_the_halved_image() {
        use rand::Rng;

        crate::compute::init();
        let small = state(16);
        let mut rng = random::stream(3, "biases");
        let mut tensors = small.critic.to_vecs().unwrap();
        for (_, (_, biases)) in tensors.iter_mut().filter(|(_, (shape, _))| shape.len() == 1) {
            biases.iter_mut().for_each(|bias| *bias = rng.random_range(-0.5..0.5));
        }
        small.critic.load(&tensors).unwrap();
        // Smooth images: within two by two pixels hardly any feature has its knee.
        let image = |i: usize| {
            let (n, y, x) = (i / 4096, (i / 64 % 64) as f32, (i % 64) as f32);
            0.9 * (0.05 * (x + 3.0 * n as f32)).sin() * (0.06 * y + n as f32).cos()
        };
        let large = Tensor::from_vec((0..4 * 4096).map(image).collect(), (4, 1, 64, 64), &Device::Cpu).unwrap();
        let labels = Tensor::new(&[[1f32, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let verdict = |state: &State, images: &Tensor| {
            let growth = Growth::full(&state.architecture);
            let critic = Critic::new(&state.critic, &state.architecture);
            critic.judge(images, &labels, growth).unwrap().score.to_vec1::<f32>().unwrap()
        };
        let mut images = large.clone();
        for _ in 0..2 {
            images = ops::avg2(&images).unwrap();
        }
        let expected = verdict(&small, &images);
        let spread = expected.iter().map(|s| (s - expected[0]).abs()).fold(0.0, f32::max);
        assert!(spread > 0.05, "{expected:?}");
        for side in [32, 64] {
            let grown = state(side);
            let mut own = grown.critic.to_vecs().unwrap();
            for (name, tensor) in &mut own {
                if let Some(other) = tensors.get(name) {
                    *tensor = other.clone();
                }
            }
            critic(&mut own, &tensors, &grown.architecture);
            grown.critic.load(&own).unwrap();
            let mut images = large.clone();
            if side == 32 {
                images = ops::avg2(&images).unwrap();
            }
            let found = verdict(&grown, &images);
            let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 0.05 * spread, "{side} px: {found:?} for {expected:?}");
        }
    }
}
