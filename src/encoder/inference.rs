//! The lean forward pass: no gradients, channels innermost, batch norms folded, nothing allocated after the first image.
//!
//! Three things make it fast. The layers of a block write side by side into one buffer, so that concatenation costs
//! nothing. The second norm of a dense layer folds into its first convolution, the stem's norm into the stem; the other
//! norms stand before a rectifier and are applied while the input of the next product is packed. And a transition
//! averages 2×2 pixels before its 1×1 convolution instead of after: both are linear, and it is a quarter of the work.

use super::{DenseNetConfig, Stem, Tensors};
use crate::compute::kernel::product::product;
use crate::compute::ops::NORM_EPSILON;

/// Pixels whose 3×3 surroundings are laid out at a time, so that they stay in the cache.
const TILE: usize = 256;

/// `x * scale + shift` per channel: a batch norm with its running moments.
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// A matrix `[in, out]` and a bias, ready for [`product`].
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
    out: usize,
}

struct DenseLayer {
    norm: Affine,
    reduce: Linear,
    expand: Linear,
}

struct Block {
    layers: Vec<DenseLayer>,
    width: usize,
    /// Norm and 1×1 convolution to the next block; none after the last.
    transition: Option<(Affine, Linear)>,
}

/// A `DenseNet` prepared for inference.
pub struct Network {
    config: DenseNetConfig,
    stem: Linear,
    blocks: Vec<Block>,
    last: Affine,
    classifier: Linear,
}

/// Buffers that one thread keeps between images.
#[derive(Default)]
pub struct Workspace {
    /// All feature maps of the current block, channels innermost.
    maps: Vec<f32>,
    /// Feature maps of the next block.
    next: Vec<f32>,
    /// Input of a product after norm and rectifier.
    packed: Vec<f32>,
    /// Output of a bottleneck.
    narrow: Vec<f32>,
    /// Surroundings of one tile of pixels.
    columns: Vec<f32>,
}

/// The first `n` values of a buffer that grows when it must.
fn room(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n {
        buffer.resize(n, 0.0);
    }
    &mut buffer[..n]
}

impl Affine {
    fn of(tensors: &Tensors, name: &str) -> Self {
        let get = |part: &str| &tensors[&format!("{name}.{part}")].1;
        let inverse = get("running_var").iter().map(|v| (v + NORM_EPSILON as f32).sqrt().recip());
        let scale: Vec<f32> = get("weight").iter().zip(inverse).map(|(w, i)| w * i).collect();
        let centre = get("running_mean").iter().zip(&scale).map(|(mean, scale)| mean * scale);
        let shift = get("bias").iter().zip(centre).map(|(bias, centre)| bias - centre).collect();
        Self { scale, shift }
    }

    /// Writes the rectified norm of the first channels of each source row into the rows of `to`.
    fn rectify(&self, from: &[f32], stride: usize, to: &mut [f32]) {
        let width = self.scale.len();
        for (from, to) in from.chunks(stride).zip(to.chunks_exact_mut(width)) {
            for (((to, from), scale), shift) in to.iter_mut().zip(from).zip(&self.scale).zip(&self.shift) {
                *to = (from * scale + shift).max(0.0);
            }
        }
    }
}

impl Linear {
    /// A convolution's `[out, in, k, k]` as `[k * k * in, out]`, followed by an affine map if there is one.
    fn convolution(tensors: &Tensors, name: &str, norm: Option<&Affine>) -> Self {
        let (shape, values) = &tensors[name];
        let (out, input) = (shape[0], shape[1]);
        let taps = shape.get(2..).map_or(1, |k| k.iter().product());
        let mut weight = vec![0.0; values.len()];
        for o in 0..out {
            let scale = norm.map_or(1.0, |norm| norm.scale[o]);
            for i in 0..input {
                for tap in 0..taps {
                    weight[(tap * input + i) * out + o] = values[(o * input + i) * taps + tap] * scale;
                }
            }
        }
        let bias = norm.map_or_else(|| vec![0.0; out], |norm| norm.shift.clone());
        Self { weight, bias, out }
    }

    /// Adds the bias to each row and rectifies.
    fn finish(&self, rows: &mut [f32], stride: usize) {
        for row in rows.chunks_mut(stride) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value = (*value + bias).max(0.0);
            }
        }
    }
}

impl Network {
    /// From tensors that were checked against the config ([`super::file::check`]).
    pub fn new(config: &DenseNetConfig, tensors: &Tensors) -> Self {
        let conv = |name: &str, norm: Option<&Affine>| Linear::convolution(tensors, &format!("{name}.weight"), norm);
        let norm = |name: &str| Affine::of(tensors, name);
        let blocks = config
            .widths()
            .into_iter()
            .zip(&config.blocks)
            .zip(1..)
            .map(|(((_, width), &layers), b)| {
                let layers = (1..=layers)
                    .map(|l| {
                        let name = format!("features.denseblock{b}.denselayer{l}");
                        DenseLayer {
                            norm: norm(&format!("{name}.norm1")),
                            reduce: conv(&format!("{name}.conv1"), Some(&norm(&format!("{name}.norm2")))),
                            expand: conv(&format!("{name}.conv2"), None),
                        }
                    })
                    .collect();
                let name = format!("features.transition{b}");
                let transition = (b < config.blocks.len())
                    .then(|| (norm(&format!("{name}.norm")), conv(&format!("{name}.conv"), None)));
                Block { layers, width, transition }
            })
            .collect();
        let mut classifier = conv("classifier", None);
        classifier.bias.clone_from(&tensors["classifier.bias"].1);
        Self {
            config: config.clone(),
            stem: conv("features.conv0", Some(&norm("features.norm0"))),
            blocks,
            last: norm("features.norm5"),
            classifier,
        }
    }

    /// Pooled features of one image `[side, side, channels]` into `features`.
    pub fn features(&self, image: &[f32], side: usize, workspace: &mut Workspace, features: &mut [f32]) {
        let first = self.config.init_features;
        let mut side = self.stem(image, side, workspace);
        for (b, block) in self.blocks.iter().enumerate() {
            let input = if b == 0 { first } else { self.blocks[b - 1].width / 2 };
            // Open the narrow maps of `next` into rows wide enough for the whole block.
            let Workspace { maps, next, .. } = workspace;
            let maps = room(maps, side * side * block.width);
            for (row, from) in maps.chunks_exact_mut(block.width).zip(next.chunks_exact(input)) {
                row[..input].copy_from_slice(from);
            }
            for layer in &block.layers {
                layer.extend(side, block.width, workspace);
            }
            if let Some((norm, linear)) = &block.transition {
                side = halve(norm, linear, side, block.width, workspace);
            }
        }
        let width = self.last.scale.len();
        let pixels = side * side;
        features.fill(0.0);
        for row in workspace.maps[..pixels * width].chunks_exact(width) {
            for (((sum, value), scale), shift) in
                features.iter_mut().zip(row).zip(&self.last.scale).zip(&self.last.shift)
            {
                *sum += (value * scale + shift).max(0.0);
            }
        }
        for sum in features {
            *sum /= pixels as f32;
        }
    }

    /// Logits `[n, labels]` of features `[n, dim]`.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let (dim, labels) = (self.last.scale.len(), self.classifier.out);
        let n = features.len() / dim;
        let mut logits = vec![0.0; n * labels];
        product((n, labels, dim), features, dim, &self.classifier.weight, &mut logits, labels);
        for row in logits.chunks_exact_mut(labels) {
            for (value, bias) in row.iter_mut().zip(&self.classifier.bias) {
                *value += bias;
            }
        }
        logits
    }

    /// First convolution, norm, rectifier and, in the wide stem, maximum; leaves maps in `next` and tells their side.
    fn stem(&self, image: &[f32], side: usize, workspace: &mut Workspace) -> usize {
        let Workspace { next, packed, columns, .. } = workspace;
        let (width, half) = (self.stem.out, side.div_ceil(2));
        let mut first = |kernel: usize, to: &mut [f32]| {
            convolve(image, side, self.config.channels, (kernel, 2), &self.stem, columns, to, width);
            self.stem.finish(to, width);
        };
        match self.config.stem {
            Stem::Light => {
                first(3, room(next, half * half * width));
                half
            }
            Stem::Wide => {
                let maps = room(packed, half * half * width);
                first(7, maps);
                let quarter = half.div_ceil(2);
                maximum(maps, half, width, room(next, quarter * quarter * width));
                quarter
            }
        }
    }
}

/// 3×3 maximum of stride 2 over rectified maps. Those are never below zero, so zero may stand for the border.
fn maximum(maps: &[f32], side: usize, width: usize, to: &mut [f32]) {
    let half = side.div_ceil(2);
    to.fill(0.0);
    for (at, pixel) in to.chunks_exact_mut(width).enumerate() {
        let (y, x) = (at / half, at % half);
        for j in (2 * y).saturating_sub(1)..side.min(2 * y + 2) {
            for i in (2 * x).saturating_sub(1)..side.min(2 * x + 2) {
                for (value, from) in pixel.iter_mut().zip(&maps[(j * side + i) * width..]) {
                    *value = value.max(*from);
                }
            }
        }
    }
}

impl DenseLayer {
    /// Computes this layer's feature maps from all before it and writes them behind those.
    fn extend(&self, side: usize, stride: usize, workspace: &mut Workspace) {
        let Workspace { maps, packed, narrow, columns, .. } = workspace;
        let (pixels, input, width) = (side * side, self.norm.scale.len(), self.reduce.out);
        let maps = &mut maps[..pixels * stride];
        let packed = room(packed, TILE.min(pixels) * input);
        let narrow = room(narrow, pixels * width);
        for (from, to) in maps.chunks(TILE * stride).zip(narrow.chunks_mut(TILE * width)) {
            let rows = from.len() / stride;
            self.norm.rectify(from, stride, &mut packed[..rows * input]);
            product((rows, width, input), packed, input, &self.reduce.weight, to, width);
        }
        self.reduce.finish(narrow, width);
        convolve(narrow, side, width, (3, 1), &self.expand, columns, &mut maps[input..], stride);
    }
}

/// Transition: norm, rectifier, 2×2 mean, 1×1 convolution from `maps` into `next`; tells the new side.
fn halve(norm: &Affine, linear: &Linear, side: usize, width: usize, workspace: &mut Workspace) -> usize {
    let Workspace { maps, next, packed, .. } = workspace;
    let half = side / 2;
    let packed = room(packed, half * half * width);
    for (at, pixel) in packed.chunks_exact_mut(width).enumerate() {
        let corner = 2 * (at / half * side + at % half);
        let row = |offset: usize| &maps[(corner + offset) * width..][..width];
        let (a, b, c, d) = (row(0), row(1), row(side), row(side + 1));
        for (i, value) in pixel.iter_mut().enumerate() {
            let (scale, shift) = (norm.scale[i], norm.shift[i]);
            let rectified = |from: &[f32]| (from[i] * scale + shift).max(0.0);
            *value = 0.25 * (rectified(a) + rectified(b) + rectified(c) + rectified(d));
        }
    }
    let next = room(next, half * half * linear.out);
    product((half * half, linear.out, width), packed, width, &linear.weight, next, linear.out);
    half
}

/// Zero-padded square convolution of `from` `[side, side, width]` into rows of `to` that are `stride` apart.
fn convolve(
    from: &[f32],
    side: usize,
    width: usize,
    (kernel, step): (usize, usize),
    linear: &Linear,
    columns: &mut Vec<f32>,
    to: &mut [f32],
    stride: usize,
) {
    let out_side = side.div_ceil(step);
    let (pixels, length, border) = (out_side * out_side, kernel * kernel * width, kernel / 2);
    let columns = room(columns, TILE.min(pixels) * length);
    for start in (0..pixels).step_by(TILE) {
        let rows = TILE.min(pixels - start);
        for (at, column) in (start..).zip(columns[..rows * length].chunks_exact_mut(length)) {
            let (y, x) = (at / out_side * step, at % out_side * step);
            for (dy, line) in column.chunks_exact_mut(kernel * width).enumerate() {
                let Some(row) = (y + dy).checked_sub(border).filter(|&row| row < side) else {
                    line.fill(0.0);
                    continue;
                };
                if x >= border && x - border + kernel <= side {
                    line.copy_from_slice(&from[(row * side + x - border) * width..][..kernel * width]);
                    continue;
                }
                for (dx, tap) in line.chunks_exact_mut(width).enumerate() {
                    match (x + dx).checked_sub(border).filter(|&column| column < side) {
                        Some(column) => tap.copy_from_slice(&from[(row * side + column) * width..][..width]),
                        None => tap.fill(0.0),
                    }
                }
            }
        }
        product((rows, linear.out, length), columns, length, &linear.weight, &mut to[start * stride..], stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::example;

    #[test]
    fn forward_pass_is_torchvisions() {
        for (config, side, expected_features, expected_logits) in example::references() {
            let network = Network::new(&config, &example::tensors(&config));
            let image = example::image(side, config.channels);
            let mut features = vec![0.0; config.features()];
            network.features(&image, side, &mut Workspace::default(), &mut features);
            example::assert_close(&features, expected_features, 2e-6);
            example::assert_close(&network.logits(&features), expected_logits, 2e-6);
        }
    }

    #[test]
    fn a_used_workspace_changes_nothing() {
        let [(wide, large, ..), (light, small, ..)] = example::references();
        let mut workspace = Workspace::default();
        let mut run = |config: &DenseNetConfig, side: usize| {
            let network = Network::new(config, &example::tensors(config));
            let mut features = vec![f32::NAN; config.features()];
            network.features(&example::image(side, config.channels), side, &mut workspace, &mut features);
            features
        };
        let first = run(&light, small);
        run(&wide, large);
        assert_eq!(run(&light, small), first);
    }
}
