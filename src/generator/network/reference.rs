//! Both networks held against an independent PyTorch implementation: `tests/reference/gan.py` and what it printed.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};

use super::{Growth, criticise, generate};
use crate::compute::{ops, parameters::Parameters};
use crate::generator::architecture::Parameter;
use crate::generator::{Architecture, Family};

/// What `gan.py` printed for one network at one stage of growth.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Case {
    family: Family,
    side: usize,
    fade: f64,
    image: f64,
    first_pixels: Vec<f64>,
    generator_gradients: BTreeMap<String, f64>,
    score: Vec<f64>,
    logits: Option<f64>,
    critic_gradients: BTreeMap<String, f64>,
    pub(crate) critic_loss: f64,
    pub(crate) penalty: f64,
    pub(crate) critic_after: BTreeMap<String, f64>,
    pub(crate) generator_loss: f64,
    pub(crate) generator_after: BTreeMap<String, f64>,
    pub(crate) r1_loss: f64,
    pub(crate) r1_gradients: BTreeMap<String, f64>,
}

pub(crate) const BATCH: usize = 8;

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../../../tests/reference/gan.json")).unwrap()
    }

    pub(crate) fn architecture(&self) -> Architecture {
        let (resolution, latent, labels) = (16, 6, 3);
        Architecture { family: self.family, resolution, latent, labels, feature_base: 32, feature_max: 6 }
    }

    pub(crate) fn growth(&self) -> Growth {
        Growth { side: self.side, fade: self.fade }
    }

    pub(crate) fn generator(&self) -> Parameters {
        waves(&self.architecture().generator(), 100)
    }

    pub(crate) fn critic(&self) -> Parameters {
        waves(&self.architecture().critic(), 200)
    }

    pub(crate) fn images(&self) -> Tensor {
        wave(5, &[BATCH, 1, self.side, self.side], 1.0)
    }
}

pub(crate) fn labels() -> Tensor {
    let table: [[f32; 3]; BATCH] = [
        [1., 0., 0.],
        [0., 1., 0.],
        [0., 0., 1.],
        [1., 1., 0.],
        [0., 1., 1.],
        [1., 0., 0.],
        [1., 1., 1.],
        [0., 0.5, 1.],
    ];
    Tensor::new(&table, &Device::Cpu).unwrap()
}

fn wave_values(number: usize, count: usize, size: f64) -> Vec<f32> {
    (0..count).map(|i| (size * (0.7 * i as f64 + 1.3 * number as f64).sin()) as f32).collect()
}

/// Entry i of tensor number k: sin(0.7 i + 1.3 k), as in `gan.py`.
pub(crate) fn wave(number: usize, shape: &[usize], size: f64) -> Tensor {
    Tensor::from_vec(wave_values(number, shape.iter().product(), size), shape, &Device::Cpu).unwrap()
}

fn waves(list: &[Parameter], first: usize) -> Parameters {
    let values = list.iter().enumerate().map(|(i, p)| {
        let size = if p.is_bias() { 0.1 } else { 1.0 };
        (p.name.clone(), (p.shape.clone(), wave_values(first + i, p.count(), size)))
    });
    Parameters::from_vecs(&values.collect(), &Device::Cpu).unwrap()
}

/// A tensor's product with wave 77.
pub(crate) fn probe(tensor: &Tensor) -> f64 {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let waves = wave_values(77, values.len(), 1.0);
    values.iter().zip(waves).map(|(&v, w)| f64::from(v) * f64::from(w)).sum()
}

/// Differs by no more than single precision explains.
pub(crate) fn close(name: &str, ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 2e-4 * theirs.abs().max(1.0), "{name}: {ours} here, {theirs} in PyTorch");
}

pub(crate) fn close_gradients(parameters: &Parameters, gradients: &GradStore, theirs: &BTreeMap<String, f64>) {
    for (name, &theirs) in theirs {
        let ours = gradients.get(parameters.get(name).unwrap()).map_or(0.0, probe);
        close(name, ours, theirs);
    }
}

#[test]
fn both_networks_and_their_gradients_agree_with_pytorch() {
    ops::init();
    for case in Case::all() {
        let architecture = case.architecture();
        let generator = case.generator();
        let image =
            generate(&generator, &architecture, &wave(3, &[BATCH, 6], 1.0), &labels(), case.growth()).unwrap();
        close("image", probe(&image), case.image);
        let first = image.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (ours, &theirs) in first.iter().zip(&case.first_pixels) {
            close("pixel", f64::from(*ours), theirs);
        }
        let judged = (&image * wave(77, image.dims(), 1.0)).unwrap().sum_all().unwrap();
        close_gradients(&generator, &judged.backward().unwrap(), &case.generator_gradients);

        let critic = case.critic();
        let verdict = criticise(&critic, &architecture, &case.images(), &labels(), case.growth()).unwrap();
        for (ours, &theirs) in verdict.score.to_vec1::<f32>().unwrap().iter().zip(&case.score) {
            close("score", f64::from(*ours), theirs);
        }
        assert_eq!(verdict.logits.is_some(), case.logits.is_some());
        let mut judged = (&verdict.score * wave(77, &[BATCH], 1.0)).unwrap().sum_all().unwrap();
        if let (Some(ours), Some(theirs)) = (&verdict.logits, case.logits) {
            close("logits", probe(ours), theirs);
            judged = (judged + (ours * wave(77, ours.dims(), 1.0)).unwrap().sum_all().unwrap()).unwrap();
        }
        close_gradients(&critic, &judged.backward().unwrap(), &case.critic_gradients);
    }
}

#[test]
fn every_trainable_tensor_receives_a_gradient() {
    ops::init();
    for case in Case::all() {
        let architecture = case.architecture();
        // Half way through the last fade, prog-GAN uses the image layers of two sides; those of lower ones rest.
        let growth = Growth { side: 16, fade: if case.family == Family::ProgGan { 0.5 } else { 0.0 } };
        let resting = |name: &str| case.family == Family::ProgGan && name.contains(".4.image");
        let (generator, critic) = (case.generator(), case.critic());
        let image = generate(&generator, &architecture, &wave(3, &[BATCH, 6], 1.0), &labels(), growth).unwrap();
        let verdict = criticise(&critic, &architecture, &image, &labels(), growth).unwrap();
        let mut total = verdict.score.sum_all().unwrap();
        if let Some(logits) = verdict.logits {
            total = (total + logits.sqr().unwrap().sum_all().unwrap()).unwrap();
        }
        let gradients = total.backward().unwrap();
        for (parameters, list) in [(&generator, architecture.generator()), (&critic, architecture.critic())] {
            for Parameter { name, shape, .. } in list {
                let gradient = gradients.get(parameters.get(&name).unwrap());
                if resting(&name) {
                    assert!(gradient.is_none(), "{name} should rest");
                    continue;
                }
                let gradient = gradient.unwrap_or_else(|| panic!("{name} received no gradient"));
                assert_eq!(gradient.dims(), shape, "{name}");
                let size = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(size.is_finite() && size > 0.0, "{name}: gradient of size {size}");
            }
        }
    }
}
