//! The same network on tensors with gradients, for training.

use candle_core::{Device, Result, Tensor};

use super::{DenseNetConfig, Role, Stem, Tensors};
use crate::compute::ops::{self, Conv};
use crate::compute::parameters::Parameters;
use crate::compute::random;

/// Weight of a batch's moments in the running ones; that of `PyTorch`.
const MOMENTUM: f32 = 0.1;

/// A `DenseNet` being trained: variables, and the running moments beside them.
pub struct Trainable {
    config: DenseNetConfig,
    parameters: Parameters,
    running: Tensors,
    device: Device,
}

/// What a batch norm saw: its name and moments `[2, C]`, and how many numbers each is of.
struct Seen {
    name: String,
    moments: Tensor,
    count: usize,
}

/// Collects the moments of one forward pass.
struct Pass<'a> {
    network: &'a Trainable,
    seen: Vec<Seen>,
}

impl Trainable {
    /// A network at its start, drawn from a seed: see [`Role`] for how each tensor starts.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn new(config: &DenseNetConfig, seed: u64, device: &Device) -> Result<Self> {
        let start = config
            .parameters()
            .into_iter()
            .map(|p| {
                let mut rng = random::stream(seed, &p.name);
                let fan_in = p.shape[1..].iter().product::<usize>() as f32;
                let n = p.count();
                let values = match p.role {
                    Role::Convolution => {
                        let scale = (2.0 / fan_in).sqrt();
                        random::normals(&mut rng, n).iter().map(|v| v * scale).collect()
                    }
                    Role::Dense => {
                        let scale = fan_in.sqrt().recip();
                        (0..n).map(|_| rand::Rng::random_range(&mut rng, -scale..scale)).collect()
                    }
                    Role::Scale | Role::RunningVariance => vec![1.0; n],
                    Role::Bias | Role::Shift | Role::RunningMean => vec![0.0; n],
                };
                (p.name, (p.shape, values))
            })
            .collect();
        Self::from_tensors(config, &start, device)
    }

    /// A network that goes on from these tensors.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn from_tensors(config: &DenseNetConfig, tensors: &Tensors, device: &Device) -> Result<Self> {
        let (trained, running): (Vec<_>, Vec<_>) = config.parameters().into_iter().partition(|p| p.role.is_trained());
        let list = trained.into_iter().map(|p| (p.name, p.shape));
        let parameters = Parameters::from_vecs(list, tensors, device)?;
        let running = running.into_iter().filter_map(|p| Some((p.name.clone(), tensors.get(&p.name)?.clone())));
        Ok(Self { config: config.clone(), parameters, running: running.collect(), device: device.clone() })
    }

    /// The variables, for an optimiser.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// All tensors with the running moments, as an encoder file holds them.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn to_tensors(&self) -> Result<Tensors> {
        let mut tensors = self.parameters.to_vecs()?;
        tensors.extend(self.running.clone());
        Ok(tensors)
    }

    /// Logits `[N, labels]` of prepared images `[N, channels, side, side]`, with each norm by the batch's own moments,
    /// which then enter the running ones.
    ///
    /// # Errors
    /// If the images do not suit the network.
    pub fn forward(&mut self, images: &Tensor) -> Result<Tensor> {
        let mut pass = Pass { network: self, seen: Vec::new() };
        let logits = pass.logits(images)?;
        let seen = pass.seen;
        for Seen { name, moments, count } in seen {
            let moments = moments.to_vec2::<f32>()?;
            // The running variance is that of the population, as in PyTorch.
            let unbiased = count as f32 / (count as f32 - 1.0).max(1.0);
            for (part, values, factor) in [("running_mean", &moments[0], 1.0), ("running_var", &moments[1], unbiased)] {
                if let Some((_, running)) = self.running.get_mut(&format!("{name}.{part}")) {
                    for (running, value) in running.iter_mut().zip(values) {
                        *running += MOMENTUM * (value * factor - *running);
                    }
                }
            }
        }
        Ok(logits)
    }

    /// The device it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl Pass<'_> {
    fn get(&self, name: &str) -> Result<&Tensor> {
        self.network.parameters.get(name)
    }

    fn conv(&self, x: &Tensor, name: &str, conv: Conv) -> Result<Tensor> {
        ops::conv2d(x, self.get(&format!("{name}.weight"))?, conv)
    }

    /// Batch norm and rectifier.
    fn norm(&mut self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (scale, shift) = (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        let (y, moments) = ops::batch_norm_relu(x, scale, shift)?;
        let count = x.elem_count() / scale.elem_count().max(1);
        self.seen.push(Seen { name: name.to_owned(), moments, count });
        Ok(y)
    }

    fn logits(&mut self, images: &Tensor) -> Result<Tensor> {
        let config = &self.network.config;
        let mut x = match config.stem {
            Stem::Light => {
                let x = self.conv(images, "features.conv0", Conv { stride: 2, padding: 1 })?;
                self.norm(&x, "features.norm0")?
            }
            Stem::Wide => {
                let x = self.conv(images, "features.conv0", Conv { stride: 2, padding: 3 })?;
                ops::max_pool(&self.norm(&x, "features.norm0")?, 3, 2, 1)?
            }
        };
        for (b, &layers) in (1..).zip(&config.blocks) {
            for l in 1..=layers {
                let name = format!("features.denseblock{b}.denselayer{l}");
                let narrow = self.norm(&x, &format!("{name}.norm1"))?;
                let narrow = self.conv(&narrow, &format!("{name}.conv1"), Conv::PLAIN)?;
                let narrow = self.norm(&narrow, &format!("{name}.norm2"))?;
                let more = self.conv(&narrow, &format!("{name}.conv2"), Conv::SAME)?;
                x = Tensor::cat(&[&x, &more], 1)?;
            }
            if b < config.blocks.len() {
                let name = format!("features.transition{b}");
                // Mean before convolution: both are linear, and it is a quarter of the work.
                let halved = ops::avg2(&even(&self.norm(&x, &format!("{name}.norm"))?)?)?;
                x = self.conv(&halved, &format!("{name}.conv"), Conv::PLAIN)?;
            }
        }
        let features = self.norm(&x, "features.norm5")?.mean((2, 3))?;
        let (weight, bias) = (self.get("classifier.weight")?, self.get("classifier.bias")?);
        features.matmul(&weight.t()?)?.broadcast_add(bias)
    }
}

/// Drops an odd last row and column, as a 2×2 mean of stride 2 does.
fn even(x: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h % 2 == 0 && w % 2 == 0 {
        return Ok(x.clone());
    }
    x.narrow(2, 0, h / 2 * 2)?.narrow(3, 0, w / 2 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::example;

    // With the snippet of `example`:
    // m = net(True).train(); x = image(4, 1, 18); y = torch.tensor([[0.,1,0],[1,1,0],[0,0,1],[0,0,0]])
    // out = m(x); loss = torch.nn.functional.binary_cross_entropy_with_logits(out, y); loss.backward()
    // for k, p in m.named_parameters():
    //     g = p.grad.flatten(); j = torch.arange(g.numel())
    //     print(k, g.norm().item(), (g * torch.cos(j.float())).sum().item())
    const LOGITS: [f32; 12] = [
        0.065_575, 0.405_325, -0.000_974, 0.482_98, 0.366_52, -0.428_991, -0.127_448, 0.135_403, 0.118_233, 0.144_03,
        0.314_658, -0.104_225,
    ];
    const LOSS: f32 = 0.645_161_1;
    #[rustfmt::skip]
    const GRADIENTS: [(&str, f32, f32); 40] = [
        ("features.conv0.weight", 0.203_064_4, 0.035_952_7),
        ("features.norm0.weight", 0.003_601_8, 0.002_746_5),
        ("features.norm0.bias", 0.026_862_5, 0.009_767_5),
        ("features.denseblock1.denselayer1.norm1.weight", 0.036_801_6, 0.066_875_8),
        ("features.denseblock1.denselayer1.norm1.bias", 0.062_162_3, 0.107_520_1),
        ("features.denseblock1.denselayer1.conv1.weight", 0.187_785_6, -0.007_817_7),
        ("features.denseblock1.denselayer1.norm2.weight", 0.020_420_5, -0.030_592_6),
        ("features.denseblock1.denselayer1.norm2.bias", 0.032_910_5, -0.061_898_1),
        ("features.denseblock1.denselayer1.conv2.weight", 0.417_455_1, -0.196_611_4),
        ("features.denseblock1.denselayer2.norm1.weight", 0.025_350_5, 0.000_800_5),
        ("features.denseblock1.denselayer2.norm1.bias", 0.015_342_9, -0.013_020_7),
        ("features.denseblock1.denselayer2.conv1.weight", 0.069_068_2, -0.012_406_0),
        ("features.denseblock1.denselayer2.norm2.weight", 0.005_955_1, 0.001_782_3),
        ("features.denseblock1.denselayer2.norm2.bias", 0.010_185_8, 0.004_458_5),
        ("features.denseblock1.denselayer2.conv2.weight", 0.149_718_6, -0.015_031_4),
        ("features.transition1.norm.weight", 0.090_459_6, 0.029_908_4),
        ("features.transition1.norm.bias", 0.038_250_4, 0.065_688_6),
        ("features.transition1.conv.weight", 0.423_341_3, -0.096_193_6),
        ("features.denseblock2.denselayer1.norm1.weight", 0.057_890_2, -0.032_007_4),
        ("features.denseblock2.denselayer1.norm1.bias", 0.048_699_5, -0.042_359_0),
        ("features.denseblock2.denselayer1.conv1.weight", 0.176_224_9, -0.080_371_0),
        ("features.denseblock2.denselayer1.norm2.weight", 0.010_935_8, 0.000_197_1),
        ("features.denseblock2.denselayer1.norm2.bias", 0.013_736_5, 0.002_576_4),
        ("features.denseblock2.denselayer1.conv2.weight", 0.107_479_3, 0.000_794_0),
        ("features.denseblock2.denselayer2.norm1.weight", 0.012_475_2, 0.003_141_8),
        ("features.denseblock2.denselayer2.norm1.bias", 0.017_661_4, 0.006_747_5),
        ("features.denseblock2.denselayer2.conv1.weight", 0.040_419_9, -0.003_439_5),
        ("features.denseblock2.denselayer2.norm2.weight", 0.002_583_3, -0.000_237_9),
        ("features.denseblock2.denselayer2.norm2.bias", 0.006_215_6, 0.004_512_0),
        ("features.denseblock2.denselayer2.conv2.weight", 0.056_032_7, 0.000_621_3),
        ("features.denseblock2.denselayer3.norm1.weight", 0.012_904_9, 0.010_136_3),
        ("features.denseblock2.denselayer3.norm1.bias", 0.016_774_8, 0.009_784_9),
        ("features.denseblock2.denselayer3.conv1.weight", 0.049_624_7, 0.025_929_0),
        ("features.denseblock2.denselayer3.norm2.weight", 0.008_260_0, -0.010_613_0),
        ("features.denseblock2.denselayer3.norm2.bias", 0.009_909_0, -0.014_926_0),
        ("features.denseblock2.denselayer3.conv2.weight", 0.062_205_3, -0.003_166_8),
        ("features.norm5.weight", 0.025_074_4, -0.006_370_1),
        ("features.norm5.bias", 0.024_784_0, 0.000_336_4),
        ("classifier.weight", 0.222_915_7, 0.003_592_8),
        ("classifier.bias", 0.123_446, 0.077_401_4),
    ];
    const RUNNING_MEAN: [f32; 8] =
        [-0.057_902, -0.085_62, -0.071_277, -0.021_708, 0.039_688, 0.083_947, 0.090_163, 0.055_325];
    const RUNNING_VAR: [f32; 16] = [
        0.816_486, 1.116_428, 1.335_765, 1.330_297, 1.158_198, 0.839_412, 0.580_206, 0.460_099, 0.619_552, 0.879_721,
        1.181_718, 1.382_29, 1.378_088, 1.181_464, 0.879_13, 0.613_57,
    ];

    #[test]
    fn a_training_pass_and_its_gradients_are_torchvisions() {
        crate::compute::init();
        let config = example::config(Stem::Light);
        let mut network = Trainable::from_tensors(&config, &example::tensors(&config), &Device::Cpu).unwrap();
        let images = Tensor::from_vec(example::values(4 * 18 * 18), (4, 1, 18, 18), &Device::Cpu).unwrap();
        let labels = [0f32, 1., 0., 1., 1., 0., 0., 0., 1., 0., 0., 0.];
        let labels = Tensor::from_slice(&labels, (4, 3), &Device::Cpu).unwrap();
        let logits = network.forward(&images).unwrap();
        example::assert_close(&logits.flatten_all().unwrap().to_vec1::<f32>().unwrap(), &LOGITS, 2e-6);
        let loss = ops::bce_with_logits(&logits, &labels).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - LOSS).abs() < 1e-6);
        let grads = ops::backward(&loss).unwrap();
        let variables: Vec<_> = network.parameters().variables().collect();
        assert_eq!(variables.len(), GRADIENTS.len());
        for ((name, variable), (expected_name, norm, projection)) in variables.into_iter().zip(GRADIENTS) {
            assert_eq!(name, expected_name);
            let gradient = grads.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found_norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            let found: f32 = gradient.iter().enumerate().map(|(i, g)| g * (i as f32).cos()).sum();
            assert!(
                (found_norm - norm).abs() < 3e-6 && (found - projection).abs() < 3e-6,
                "{name}: {found_norm} {found}"
            );
        }
        let tensors = network.to_tensors().unwrap();
        example::assert_close(&tensors["features.norm0.running_mean"].1, &RUNNING_MEAN, 1e-6);
        let name = "features.denseblock2.denselayer3.norm1.running_var";
        example::assert_close(&tensors[name].1, &RUNNING_VAR, 1e-6);
    }

    #[test]
    fn the_start_is_fixed_by_the_seed() {
        let config = example::config(Stem::Wide);
        let start = |seed| Trainable::new(&config, seed, &Device::Cpu).unwrap().to_tensors().unwrap();
        let tensors = start(3);
        assert_eq!(tensors, start(3));
        assert_ne!(tensors, start(4));
        let (_, first) = &tensors["features.conv0.weight"];
        let variance = first.iter().map(|v| v * v).sum::<f32>() / first.len() as f32;
        assert!((variance / (2.0 / 147.0) - 1.0).abs() < 0.15, "{variance}");
    }
}
