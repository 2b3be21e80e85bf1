//! A tiny `DenseNet` with stated weights, and what torchvision makes of it.
//!
//! ```python
//! import torch
//! from torchvision.models.densenet import DenseNet
//! def net(light):
//!     m = DenseNet(growth_rate=4, block_config=(2, 3), num_init_features=8, bn_size=2, num_classes=3)
//!     if light:
//!         m.features.conv0 = torch.nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
//!         del m.features.pool0
//!     names = [k for k in m.state_dict() if 'num_batches' not in k]
//!     for i, k in enumerate(names):
//!         t = m.state_dict()[k]; fan = t[0].numel() if t.dim() > 1 else 1
//!         v = torch.sin(0.7 * torch.arange(t.numel(), dtype=torch.float64) + 1.3 * i)
//!         v = (v * (2 / fan) ** .5 if t.dim() == 4 else v / fan ** .5 if t.dim() == 2 else
//!              1 + .3 * v if 'norm' in k and k.endswith('weight') else .2 * v if 'norm' in k and k.endswith('bias') else
//!              .1 * v if k.endswith('running_mean') else 1 + .5 * v if k.endswith('running_var') else .1 * v)
//!         t.copy_(v.float().reshape(t.shape))
//!     return m
//! def image(n, c, side):
//!     i = torch.arange(n * side * side * c, dtype=torch.float64)
//!     return torch.cos(0.05 * i + 0.0003 * i * i % 7).float().reshape(n, side, side, c).permute(0, 3, 1, 2)
//! for light, c, side in ((False, 3, 37), (True, 1, 18)):
//!     m = net(light).eval(); x = image(1, c, side)
//!     print(torch.relu(m.features(x)).mean((2, 3)), m(x))
//! ```

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::{DenseNetConfig, Role, Stem, Tensors};

/// The snippet's network.
pub fn config(stem: Stem) -> DenseNetConfig {
    let channels = if stem == Stem::Light { 1 } else { 3 };
    DenseNetConfig { channels, stem, init_features: 8, growth: 4, bn_size: 2, blocks: vec![2, 3], labels: 3 }
}

/// The snippet's weights.
pub fn tensors(config: &DenseNetConfig) -> Tensors {
    config
        .parameters()
        .into_iter()
        .enumerate()
        .map(|(i, parameter)| {
            let fan = parameter.shape[1..].iter().product::<usize>() as f64;
            let values = (0..parameter.count())
                .map(|j| (0.7 * j as f64 + 1.3 * i as f64).sin())
                .map(|v| match parameter.role {
                    Role::Convolution => v * (2.0 / fan).sqrt(),
                    Role::Dense => v / fan.sqrt(),
                    Role::Scale => 1.0 + 0.3 * v,
                    Role::Shift => 0.2 * v,
                    Role::RunningMean | Role::Bias => 0.1 * v,
                    Role::RunningVariance => 1.0 + 0.5 * v,
                })
                .map(|v| v as f32)
                .collect();
            (parameter.name, (parameter.shape, values))
        })
        .collect()
}

/// Writes the snippet's network with the wide stem as torchvision's is saved: no card, and a counter among the tensors.
pub fn write_as_torchvision(path: &Path) {
    let mut parts: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = tensors(&config(Stem::Wide))
        .into_iter()
        .map(|(name, (shape, values))| (name, Dtype::F32, shape, bytemuck::cast_slice(&values).to_vec()))
        .collect();
    let counter = "features.norm0.num_batches_tracked".to_owned();
    parts.push((counter, Dtype::I64, Vec::new(), 7i64.to_le_bytes().to_vec()));
    let views = parts
        .iter()
        .map(|(name, dtype, shape, data)| (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The first `count` values of the snippet's images, channels innermost.
pub fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f64).map(|i| (0.05 * i + 0.0003 * i * i % 7.0).cos() as f32).collect()
}

/// The snippet's image `[side, side, channels]`.
pub fn image(side: usize, channels: usize) -> Vec<f32> {
    values(side * side * channels)
}

/// Network, side of the image, and torchvision's features and logits.
pub fn references() -> [(DenseNetConfig, usize, &'static [f32], &'static [f32]); 2] {
    [
        (
            config(Stem::Wide),
            37,
            &[
                0.302_125_2,
                0.0,
                0.0,
                0.383_198_9,
                0.824_766_4,
                0.008_611_3,
                0.0,
                0.224_748_2,
                0.186_382_2,
                0.067_644_6,
                0.011_511_4,
                0.003_171_1,
                0.038_113,
                0.075_771_5,
                0.138_097_1,
                0.230_694_7,
                0.262_453_7,
                0.181_561_6,
                0.077_944_4,
                0.021_012_7,
            ],
            &[-0.072_704_8, 0.003_810_8, 0.027_501_9],
        ),
        (
            config(Stem::Light),
            18,
            &[
                0.334_535_4,
                0.013_465_1,
                0.0,
                0.376_136_7,
                0.813_406_9,
                0.053_471,
                0.093_823_3,
                0.108_882_7,
                0.239_211_3,
                0.123_362,
                0.047_737_5,
                0.020_200_7,
                0.0,
                0.000_705_8,
                0.024_672_5,
                0.081_376_2,
                0.118_930_4,
                0.074_669_6,
                0.027_130_9,
                0.005_269_1,
            ],
            &[-0.031_783_6, -0.062_574_7, -0.031_574],
        ),
    ]
}

/// Fails where two lists differ by more than `tolerance` anywhere.
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance, "value {i}: {f}, not {e}");
    }
}
