//! Both networks held against an independent PyTorch implementation: `tests/reference/gan.py` and what it printed.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor};

use super::{Critic, Growth, generate};
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
        noises(&self.architecture().generator(), 100)
    }

    pub(crate) fn critic(&self) -> Parameters {
        noises(&self.architecture().critic(), 200)
    }

    pub(crate) fn images(&self) -> Tensor {
        noise(5, &[BATCH, 1, self.side, self.side], 1.0)
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

fn noise_values(number: usize, count: usize, size: f64) -> Vec<f32> {
    let value = |i: usize| 10_000.0 * (12.9898 * (1.0 + i as f64) + 78.233 * number as f64).sin();
    (0..count).map(|i| (size * (3.0 * (value(i) - value(i).floor()) - 1.5)) as f32).collect()
}

/// Tensor number `number` of the noise that `gan.py` computes by the same formula, times `size`.
pub(crate) fn noise(number: usize, shape: &[usize], size: f64) -> Tensor {
    Tensor::from_vec(noise_values(number, shape.iter().product(), size), shape, &Device::Cpu).unwrap()
}

fn noises(list: &[Parameter], first: usize) -> Parameters {
    let shapes = list.iter().map(|p| (p.name.clone(), p.shape.clone()));
    let mut number = first;
    let values = |name: &str, count| {
        number += 1;
        noise_values(number - 1, count, if name.rsplit('.').next() == Some("bias") { 0.1 } else { 1.0 })
    };
    Parameters::new(shapes, &Device::Cpu, values).unwrap()
}

/// Holds a number against PyTorch's; `size` is what it would be if nothing in its sum cancelled.
fn close_within(name: &str, ours: f64, theirs: f64, size: f64) {
    assert!((ours - theirs).abs() <= 2e-5 * size.max(1e-2), "{name}: {ours} here, {theirs} in PyTorch, of {size}");
}

/// Holds a number against PyTorch's, to single precision.
pub(crate) fn close(name: &str, ours: f64, theirs: f64) {
    close_within(name, ours, theirs, theirs.abs().max(1.0));
}

/// Holds a tensor's product with noise 77 against PyTorch's, to single precision of the tensor.
pub(crate) fn close_tensor(name: &str, tensor: &Tensor, theirs: f64) {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let noises = noise_values(77, values.len(), 1.0);
    let terms = values.iter().zip(noises).map(|(&v, w)| f64::from(v) * f64::from(w));
    let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
    close_within(name, sum, theirs, size);
}

pub(crate) fn close_gradients(parameters: &Parameters, gradients: &GradStore, theirs: &BTreeMap<String, f64>) {
    for (name, &theirs) in theirs {
        match gradients.get(parameters.get(name).unwrap()) {
            Some(gradient) => close_tensor(name, gradient, theirs),
            None => assert_eq!(theirs, 0.0, "{name} has no gradient"),
        }
    }
}

#[test]
fn both_networks_and_their_gradients_agree_with_pytorch() {
    ops::init();
    for case in Case::all() {
        let architecture = case.architecture();
        let generator = case.generator();
        let image = generate(&generator, &architecture, &noise(3, &[BATCH, 6], 1.0), &labels(), case.growth()).unwrap();
        close_tensor("image", &image, case.image);
        let first = image.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (ours, &theirs) in first.iter().zip(&case.first_pixels) {
            close("pixel", f64::from(*ours), theirs);
        }
        let judged = (&image * noise(77, image.dims(), 1.0)).unwrap().sum_all().unwrap();
        close_gradients(&generator, &judged.backward().unwrap(), &case.generator_gradients);

        let critic = case.critic();
        let verdict = Critic::new(&critic, &architecture).judge(&case.images(), &labels(), case.growth()).unwrap();
        for (ours, &theirs) in verdict.score.to_vec1::<f32>().unwrap().iter().zip(&case.score) {
            close("score", f64::from(*ours), theirs);
        }
        assert_eq!(verdict.logits.is_some(), case.logits.is_some());
        let mut judged = (&verdict.score * noise(77, &[BATCH], 1.0)).unwrap().sum_all().unwrap();
        if let (Some(ours), Some(theirs)) = (&verdict.logits, case.logits) {
            close_tensor("logits", ours, theirs);
            judged = (judged + (ours * noise(77, ours.dims(), 1.0)).unwrap().sum_all().unwrap()).unwrap();
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
        let image = generate(&generator, &architecture, &noise(3, &[BATCH, 6], 1.0), &labels(), growth).unwrap();
        let verdict = Critic::new(&critic, &architecture).judge(&image, &labels(), growth).unwrap();
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
