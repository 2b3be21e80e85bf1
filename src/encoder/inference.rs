//! The lean forward pass: no gradients, channels innermost, batch norms folded, nothing allocated after the first image.
//!
//! Three things make it fast. The layers of a block write side by side into one buffer, so that concatenation costs
//! nothing. The second norm of a dense layer folds into its first convolution, the stem's norm into the stem; the other
//! norms stand before a rectifier and are applied while the input of the next product is packed. And a transition
//! averages 2×2 pixels before its 1×1 convolution instead of after: both are linear, and it is a quarter of the work.
//! The 3×3 convolutions take 16 products for each 4 pixels in place of 36 ([`expand`]).

mod expand;
mod memory;

use super::{DenseNetConfig, Stem, Tensors};
use expand::Expand;
use memory::{Buffer, parts, rows_together, with_tile};

use crate::compute::kernel::Instructions;
use crate::compute::kernel::product::Panels;
use crate::compute::ops::NORM_EPSILON;

/// Pixels that are multiplied at a time, so that what belongs to them stays in the cache.
const TILE: usize = 192;

/// `x * scale + shift` per channel: a batch norm with its running moments.
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// A matrix `[in, out]` and a bias.
struct Linear {
    weight: Panels,
    bias: Vec<f32>,
    out: usize,
}

struct DenseLayer {
    norm: Affine,
    reduce: Linear,
    expand: Expand,
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
    /// None where only features are asked for.
    classifier: Option<Linear>,
}

/// Buffers that one thread keeps between images.
#[derive(Default)]
pub struct Workspace {
    /// All feature maps of the current block, channels innermost.
    maps: Buffer,
    /// Feature maps of the next block.
    next: Buffer,
    /// Output of a bottleneck, with a border of zeros ([`expand::line`]).
    narrow: Buffer,
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
        Instructions::best().vectorized(
            #[inline(always)]
            || {
                for (from, to) in from.chunks(stride).zip(to.chunks_exact_mut(width)) {
                    for (((to, from), scale), shift) in to.iter_mut().zip(from).zip(&self.scale).zip(&self.shift) {
                        *to = (from * scale + shift).max(0.0);
                    }
                }
            },
        );
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
        Self { weight: Panels::new(taps * input, out, weight), bias, out }
    }

    /// Writes rows with the bias added and rectified.
    fn finish(&self, from: &[f32], to: &mut [f32]) {
        Instructions::best().vectorized(
            #[inline(always)]
            || {
                for (from, to) in from.chunks_exact(self.out).zip(to.chunks_exact_mut(self.out)) {
                    for ((to, from), bias) in to.iter_mut().zip(from).zip(&self.bias) {
                        *to = (from + bias).max(0.0);
                    }
                }
            },
        );
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
                            expand: {
                                let (shape, values) = &tensors[&format!("{name}.conv2.weight")];
                                Expand::new(shape, values)
                            },
                        }
                    })
                    .collect();
                let name = format!("features.transition{b}");
                let transition = (b < config.blocks.len())
                    .then(|| (norm(&format!("{name}.norm")), conv(&format!("{name}.conv"), None)));
                Block { layers, width, transition }
            })
            .collect();
        let classifier = (config.labels > 0).then(|| {
            let mut classifier = conv("classifier", None);
            classifier.bias.clone_from(&tensors["classifier.bias"].1);
            classifier
        });
        Self {
            config: config.clone(),
            stem: conv("features.conv0", Some(&norm("features.norm0"))),
            blocks,
            last: norm("features.norm5"),
            classifier,
        }
    }

    /// Pooled features of one image `[side, side, channels]` into `features`; on all threads if `parallel`, with the same
    /// bits.
    pub fn features(
        &self,
        image: &[f32],
        side: usize,
        workspace: &mut Workspace,
        features: &mut [f32],
        parallel: bool,
    ) {
        let first = self.config.init_features;
        let mut side = self.stem(image, side, workspace, parallel);
        for (b, block) in self.blocks.iter().enumerate() {
            let input = if b == 0 { first } else { self.blocks[b - 1].width / 2 };
            // Open the narrow maps of `next` into rows wide enough for the whole block.
            let Workspace { maps, next, .. } = workspace;
            let (maps, next) = (maps.room(side * side * block.width), &*next.room(side * side * input));
            let rows = rows_together(side, side, TILE, parallel) * side;
            parts(maps, rows * block.width, parallel, |part, maps| {
                let from = &next[part * rows * input..];
                for (row, from) in maps.chunks_exact_mut(block.width).zip(from.chunks_exact(input)) {
                    row[..input].copy_from_slice(from);
                }
            });
            for layer in &block.layers {
                layer.extend(side, block.width, workspace, parallel);
            }
            if let Some((norm, linear)) = &block.transition {
                side = halve(norm, linear, side, block.width, workspace, parallel);
            }
        }
        let width = self.last.scale.len();
        let pixels = side * side;
        features.fill(0.0);
        for row in workspace.maps.room(pixels * width).chunks_exact(width) {
            let sums = features.iter_mut().zip(row).zip(&self.last.scale).zip(&self.last.shift);
            for (((sum, value), scale), shift) in sums {
                *sum += (value * scale + shift).max(0.0);
            }
        }
        for sum in features {
            *sum /= pixels as f32;
        }
    }

    /// Logits `[n, labels]` of features `[n, dim]`; none of a network without an output.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let Some(classifier) = &self.classifier else { return Vec::new() };
        let (dim, labels) = (self.last.scale.len(), classifier.out);
        let n = features.len() / dim;
        let mut logits = vec![0.0; n * labels];
        classifier.weight.multiply(n, 0..dim, features, dim, &mut logits, labels, false);
        for row in logits.chunks_exact_mut(labels) {
            for (value, bias) in row.iter_mut().zip(&classifier.bias) {
                *value += bias;
            }
        }
        logits
    }

    /// First convolution, norm, rectifier and, in the wide stem, maximum; leaves maps in `next` and tells their side.
    fn stem(&self, image: &[f32], side: usize, workspace: &mut Workspace, parallel: bool) -> usize {
        let Workspace { next, narrow, .. } = workspace;
        let (width, half) = (self.stem.out, side.div_ceil(2));
        match self.config.stem {
            Stem::Light => {
                let to = next.room(half * half * width);
                convolve(image, side, self.config.channels, 3, &self.stem, to, parallel);
                half
            }
            Stem::Wide => {
                let maps = narrow.room(half * half * width);
                convolve(image, side, self.config.channels, 7, &self.stem, maps, parallel);
                let quarter = half.div_ceil(2);
                maximum(maps, half, width, next.room(quarter * quarter * width), parallel);
                quarter
            }
        }
    }
}

/// 3×3 maximum of stride 2 over rectified maps. Those are never below zero, so zero may stand for the border.
fn maximum(maps: &[f32], side: usize, width: usize, to: &mut [f32], parallel: bool) {
    let half = side.div_ceil(2);
    parts(to, half * width, parallel, |y, to| {
        Instructions::best().vectorized(
            #[inline(always)]
            || {
                to.fill(0.0);
                for (x, pixel) in to.chunks_exact_mut(width).enumerate() {
                    for j in (2 * y).saturating_sub(1)..side.min(2 * y + 2) {
                        for i in (2 * x).saturating_sub(1)..side.min(2 * x + 2) {
                            for (value, from) in pixel.iter_mut().zip(&maps[(j * side + i) * width..]) {
                                *value = value.max(*from);
                            }
                        }
                    }
                }
            },
        );
    });
}

impl DenseLayer {
    /// Computes this layer's feature maps from all before it and writes them behind those.
    fn extend(&self, side: usize, stride: usize, workspace: &mut Workspace, parallel: bool) {
        let Workspace { maps, narrow, .. } = workspace;
        let (input, width, growth) = (self.norm.scale.len(), self.reduce.out, self.expand.out);
        let line = expand::line(side, width);
        let maps = maps.room(side * side * stride);
        let narrow = narrow.room((side.next_multiple_of(2) + 2) * line);
        narrow[..line].fill(0.0);
        narrow[(side + 1) * line..].fill(0.0);
        let (from, rows) = (&*maps, rows_together(side, side, TILE, parallel));
        parts(&mut narrow[line..(side + 1) * line], rows * line, parallel, |part, narrow| {
            let count = narrow.len() / line * side;
            with_tile(count * (input + width), |tile| {
                let (packed, sums) = tile.split_at_mut(count * input);
                self.norm.rectify(&from[part * rows * side * stride..][..count * stride], stride, packed);
                self.reduce.weight.multiply(count, 0..input, packed, input, sums, width, false);
                for (narrow, sums) in narrow.chunks_exact_mut(line).zip(sums.chunks_exact(side * width)) {
                    narrow[..width].fill(0.0);
                    narrow[(side + 1) * width..].fill(0.0);
                    self.reduce.finish(sums, &mut narrow[width..(side + 1) * width]);
                }
            });
        });
        debug_assert!(input + growth <= stride);
        self.expand.compute(side, narrow, maps, input, stride, parallel);
    }
}

/// Transition: norm, rectifier, 2×2 mean, 1×1 convolution from `maps` into `next`; tells the new side.
fn halve(
    norm: &Affine,
    linear: &Linear,
    side: usize,
    width: usize,
    workspace: &mut Workspace,
    parallel: bool,
) -> usize {
    let Workspace { maps, next, .. } = workspace;
    let half = side / 2;
    let maps = &*maps.room(side * side * width);
    let next = next.room(half * half * linear.out);
    parts(next, TILE * linear.out, parallel, |part, next| {
        let count = next.len() / linear.out;
        with_tile(count * width, |packed| {
            Instructions::best().vectorized(
                #[inline(always)]
                || {
                    for (at, pixel) in (part * TILE..).zip(packed.chunks_exact_mut(width)) {
                        let corner = 2 * (at / half * side + at % half);
                        let row = |offset: usize| &maps[(corner + offset) * width..][..width];
                        let (a, b, c, d) = (row(0), row(1), row(side), row(side + 1));
                        for (i, value) in pixel.iter_mut().enumerate() {
                            let (scale, shift) = (norm.scale[i], norm.shift[i]);
                            let rectified = |from: &[f32]| (from[i] * scale + shift).max(0.0);
                            *value = 0.25 * (rectified(a) + rectified(b) + rectified(c) + rectified(d));
                        }
                    }
                },
            );
            linear.weight.multiply(count, 0..width, packed, width, next, linear.out, false);
        });
    });
    half
}

/// Zero-padded square convolution of stride 2 of an image `[side, side, width]`, its bias and a rectifier.
fn convolve(from: &[f32], side: usize, width: usize, kernel: usize, linear: &Linear, to: &mut [f32], parallel: bool) {
    let out_side = side.div_ceil(2);
    let (length, border) = (kernel * kernel * width, kernel / 2);
    parts(to, TILE * linear.out, parallel, |part, to| {
        let rows = to.len() / linear.out;
        with_tile(rows * (length + linear.out), |tile| {
            let (columns, sums) = tile.split_at_mut(rows * length);
            for (at, column) in (part * TILE..).zip(columns.chunks_exact_mut(length)) {
                let (y, x) = (at / out_side * 2, at % out_side * 2);
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
            linear.weight.multiply(rows, 0..length, columns, length, sums, linear.out, false);
            linear.finish(sums, to);
        });
    });
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
            network.features(&image, side, &mut Workspace::default(), &mut features, false);
            let mut again = vec![0.0; config.features()];
            network.features(&image, side, &mut Workspace::default(), &mut again, true);
            assert_eq!(features, again, "one thread and many");
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
            network.features(&example::image(side, config.channels), side, &mut workspace, &mut features, false);
            features
        };
        let first = run(&light, small);
        run(&wide, large);
        assert_eq!(run(&light, small), first);
    }
}
