//! Batch norm of `[N, C, …]`, with ReLU if asked for: with the batch's own moments in training, with running ones after.

use super::activation::{Activation, RELU};
use super::channel::{ChannelAffine, ChannelDot, ChannelScale, ChannelSum, bias_for, channels, row_sum};
use super::element::{Element, map_rows};
use super::gradient;
use super::operation::{Operation, View, apply1, apply2, apply3};
use candle_core::{Result, Shape, Tensor, Var, bail};
use rayon::prelude::*;

/// Mean and variance of every channel over a batch, without gradient.
#[derive(Debug, Clone)]
pub struct BatchMoments {
    /// Means `[C]`.
    pub mean: Tensor,
    /// Variances `[C]`, divided by the count (biased), which is what the batch is normalised with.
    pub variance: Tensor,
    /// Numbers in each channel.
    pub count: usize,
}

impl BatchMoments {
    fn of(x: &Tensor) -> Result<Self> {
        let (c, pixels) = channels(x.dims())?;
        let both = apply1(MomentsOf, &x.detach())?;
        let (mean, variance) = (both.narrow(0, 0, c)?, both.narrow(0, c, c)?);
        Ok(Self { mean, variance, count: x.dims()[0] * pixels })
    }

    /// Moves running moments towards these by `momentum` (0.1 in PyTorch); the running variance is the unbiased one.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn follow(&self, mean: &Var, variance: &Var, momentum: f64) -> Result<()> {
        let unbiased = (&self.variance * (self.count as f64 / (self.count.max(2) - 1) as f64))?;
        for (running, present) in [(mean, &self.mean), (variance, &unbiased)] {
            let moved = ((running.as_detached_tensor() * (1.0 - momentum))? + (present * momentum)?)?;
            running.set(&moved)?;
        }
        Ok(())
    }
}

/// Means and biased variances of all channels: `[2 C]`. Used without gradient.
#[derive(Clone, Copy)]
struct MomentsOf;

/// `f(row)` for every image's row of channel `c`, summed in order.
fn over_images<T: Element>(n: usize, c: usize, channel: usize, len: usize, f: impl Fn(usize) -> T) -> T {
    let mut sum = T::zero();
    for image in 0..n {
        sum += f((image * c + channel) * len);
    }
    sum
}

impl Operation<1> for MomentsOf {
    const NAME: &'static str = "moments of a batch";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        let n = x.dims[0];
        if n * len == 0 {
            bail!("a batch without numbers has no moments");
        }
        let share = T::from_f64(1.0 / (n * len) as f64);
        let moments = |channel: usize| {
            let mean = over_images(n, c, channel, len, |at| row_sum(&x.numbers[at..at + len])) * share;
            let square = |at: usize| {
                let row = &x.numbers[at..at + len];
                let mut parts = [T::zero(); 8];
                for (i, &x) in row.iter().enumerate() {
                    parts[i % 8] += (x - mean) * (x - mean);
                }
                row_sum(&parts)
            };
            (mean, over_images(n, c, channel, len, square) * share)
        };
        let (mut out, variances): (Vec<T>, Vec<T>) = (0..c).into_par_iter().map(moments).unzip();
        out.extend(variances);
        Ok((out, (2 * c).into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let rows = x.transpose(0, 1)?.flatten_from(1)?;
        let mean = rows.mean_keepdim(1)?;
        Tensor::cat(&[mean.squeeze(1)?, rows.broadcast_sub(&mean)?.sqr()?.mean(1)?], 0)
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, _: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        bail!("moments of a batch are taken without gradient")
    }
}

/// (x − mean) / √(variance + ε) · scale + shift with the moments of `x` itself, then an activation.
#[derive(Clone)]
struct Normalise {
    moments: BatchMoments,
    epsilon: f64,
    activation: Activation,
}

/// The gradient of [`Normalise`] with respect to `x`, in one pass: scale · r · (g − Σg/M − x̂ Σ(g x̂)/M). Arguments are
/// x, g and three rows of numbers for each channel: Σg/M, r² Σ(g (x − mean))/M and scale · r. Used without gradient.
#[derive(Clone, Copy)]
struct NormaliseGradient;

impl Normalise {
    /// 1 / √(variance + ε) of each channel.
    fn reciprocal(&self) -> Result<Tensor> {
        (&self.moments.variance + self.epsilon)?.sqrt()?.recip()
    }

    /// Scale and shift of each channel that amount to the norm.
    fn affine(&self, scale: &Tensor, shift: &Tensor) -> Result<[Tensor; 2]> {
        let scale = (scale * self.reciprocal()?)?;
        let shift = (shift - (&self.moments.mean * &scale)?)?;
        Ok([scale, shift])
    }

    /// Gradients that can be differentiated again: the moments are computed anew, as functions of `x`.
    fn differentiable(&self, [x, scale]: [&Tensor; 2], g: &Tensor) -> Result<[Tensor; 3]> {
        let share = 1.0 / self.moments.count as f64;
        let mean = (apply1(ChannelSum, x)? * share)?;
        let centred = x.broadcast_sub(&bias_for(&mean, x.rank())?)?;
        let variance = (apply2(ChannelDot, &centred, &centred)? * share)?;
        let r = (variance + self.epsilon)?.sqrt()?.recip()?;
        let normal = apply2(ChannelScale, &centred, &r)?;
        let (of_scale, of_shift) = (apply2(ChannelDot, g, &normal)?, apply1(ChannelSum, g)?);
        let away = (apply2(ChannelScale, &normal, &(&of_scale * share)?)?
            .broadcast_add(&bias_for(&(&of_shift * share)?, x.rank())?))?;
        let of_x = apply2(ChannelScale, &(g - away)?, &(scale * r)?)?;
        Ok([of_x, of_scale, of_shift])
    }

    /// The same gradients in fewer passes, at the end of the chain.
    fn last(&self, [x, scale]: [&Tensor; 2], g: &Tensor, wanted: bool) -> Result<[Option<Tensor>; 3]> {
        let share = 1.0 / self.moments.count as f64;
        let r = self.reciprocal()?;
        let of_shift = apply1(ChannelSum, g)?;
        let of_scale = ((apply2(ChannelDot, g, x)? - (&self.moments.mean * &of_shift)?)? * &r)?;
        let of_x = if wanted {
            let slope = ((&of_scale * &r)? * share)?;
            let offset = ((&of_shift * share)? - (&slope * &self.moments.mean)?)?;
            let rows = Tensor::cat(&[offset, slope, (scale * r)?], 0)?;
            Some(apply3(NormaliseGradient, x, g, &rows)?)
        } else {
            None
        };
        Ok([of_x, Some(of_scale), Some(of_shift)])
    }
}

impl Operation<3> for Normalise {
    const NAME: &'static str = "batch norm";
    const WEIGHTS: [bool; 3] = [false, true, true];

    fn kernel<T: Element>(&self, [x, scale, shift]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        if scale.dims != [c] || shift.dims != [c] {
            bail!("a scale of shape {:?} and a shift of shape {:?} meet {c} channels", scale.dims, shift.dims);
        }
        let (mean, r) = (self.moments.mean.to_vec1::<T>()?, self.reciprocal()?.to_vec1::<T>()?);
        let parameters: Vec<[T; 3]> = (0..c).map(|i| [mean[i], scale.numbers[i] * r[i], shift.numbers[i]]).collect();
        let activate = self.activation.function();
        let y = map_rows(x.numbers, len.max(1), &parameters, |x, [mean, s, t]| activate((x - mean) * s + t));
        Ok((y, x.dims.into()))
    }

    fn compose(&self, [x, scale, shift]: [&Tensor; 3]) -> Result<Tensor> {
        let [scale, shift] = self.affine(scale, shift)?;
        ChannelAffine(self.activation).compose([x, &scale, &shift])
    }

    fn adjoint(
        &self,
        [x, scale, _]: [&Tensor; 3],
        y: &Tensor,
        g: &Tensor,
        wanted: [bool; 3],
    ) -> Result<[Option<Tensor>; 3]> {
        let g = self.activation.gradient(g, y)?;
        let mut grads = if gradient::keeps_graph() {
            self.differentiable([x, scale], &g)?.map(Some)
        } else {
            self.last([x, scale], &g, wanted[0])?
        };
        for (gradient, wanted) in grads.iter_mut().zip(wanted) {
            if !wanted {
                *gradient = None;
            }
        }
        Ok(grads)
    }
}

impl Operation<3> for NormaliseGradient {
    const NAME: &'static str = "gradient of batch norm";
    const WEIGHTS: [bool; 3] = [false, false, false];

    fn kernel<T: Element>(&self, [x, g, rows]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        let len = len.max(1);
        if x.dims != g.dims || rows.dims != [3 * c] {
            bail!("tensors of shapes {:?}, {:?} and {:?} meet", x.dims, g.dims, rows.dims);
        }
        let mut out = vec![T::zero(); x.numbers.len()];
        let image = (c * len).max(1);
        let images = out.par_chunks_mut(image).zip(x.numbers.par_chunks(image).zip(g.numbers.par_chunks(image)));
        images.for_each(|(out, (x, g))| {
            let planes = out.chunks_mut(len).zip(x.chunks(len).zip(g.chunks(len)));
            for (channel, (out, (x, g))) in planes.enumerate() {
                let [offset, slope, factor] = [0, 1, 2].map(|row| rows.numbers[row * c + channel]);
                for (out, (&x, &g)) in out.iter_mut().zip(x.iter().zip(g)) {
                    *out = (g - offset - x * slope) * factor;
                }
            }
        });
        Ok((out, x.dims.into()))
    }

    fn compose(&self, [x, g, rows]: [&Tensor; 3]) -> Result<Tensor> {
        let c = x.dims()[1];
        let row = |i: usize| bias_for(&rows.narrow(0, i * c, c)?, x.rank());
        let inner = (g - x.broadcast_mul(&row(1)?)?)?.broadcast_sub(&row(0)?)?;
        inner.broadcast_mul(&row(2)?)
    }

    fn adjoint(&self, _: [&Tensor; 3], _: &Tensor, _: &Tensor, _: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        bail!("the last gradient of batch norm is not differentiated again")
    }
}

fn train(x: &Tensor, parameters: [&Tensor; 2], epsilon: f64, activation: Activation) -> Result<(Tensor, BatchMoments)> {
    let x = x.contiguous()?;
    let moments = BatchMoments::of(&x)?;
    let operation = Normalise { moments: moments.clone(), epsilon, activation };
    Ok((apply3(operation, &x, parameters[0], parameters[1])?, moments))
}

fn evaluate(x: &Tensor, [scale, shift, mean, variance]: [&Tensor; 4], epsilon: f64, a: Activation) -> Result<Tensor> {
    let scale = (scale * (variance + epsilon)?.sqrt()?.recip()?)?;
    let shift = (shift - (mean * &scale)?)?;
    apply3(ChannelAffine(a), x, &scale, &shift)
}

/// Batch norm with the moments of the batch itself, which are returned too, for [`BatchMoments::follow`].
///
/// `parameters` are scale `[C]` and shift `[C]`; `epsilon` is added under the root (1e-5 in PyTorch).
///
/// # Errors
/// If the shapes do not fit each other.
pub fn batch_norm_train(x: &Tensor, parameters: [&Tensor; 2], epsilon: f64) -> Result<(Tensor, BatchMoments)> {
    train(x, parameters, epsilon, Activation::Identity)
}

/// [`batch_norm_train`] and ReLU in one pass.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn batch_norm_train_relu(x: &Tensor, parameters: [&Tensor; 2], epsilon: f64) -> Result<(Tensor, BatchMoments)> {
    train(x, parameters, epsilon, RELU)
}

/// Batch norm with given moments; `parameters` are scale, shift, mean and variance, each `[C]`.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn batch_norm(x: &Tensor, parameters: [&Tensor; 4], epsilon: f64) -> Result<Tensor> {
    evaluate(x, parameters, epsilon, Activation::Identity)
}

/// [`batch_norm`] and ReLU in one pass.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn batch_norm_relu(x: &Tensor, parameters: [&Tensor; 4], epsilon: f64) -> Result<Tensor> {
    evaluate(x, parameters, epsilon, RELU)
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for shape in [vec![3, 2, 2, 3], vec![6, 3], vec![2, 4, 5]] {
            let c = shape[1];
            let args = [tensor(&shape, 1), tensor(&[c], 2), tensor(&[c], 3)];
            check("batch_norm_train", &args, &|t| Ok(batch_norm_train(&t[0], [&t[1], &t[2]], 1e-5)?.0));
            check("batch_norm_train_relu", &args, &|t| Ok(batch_norm_train_relu(&t[0], [&t[1], &t[2]], 1e-5)?.0));
            let (mean, variance) = (tensor(&[c], 4), tensor(&[c], 5).sqr().unwrap());
            check("batch_norm", &args, &|t| batch_norm(&t[0], [&t[1], &t[2], &mean, &variance], 1e-5));
            check("batch_norm_relu", &args, &|t| batch_norm_relu(&t[0], [&t[1], &t[2], &mean, &variance], 1e-5));
        }
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [vec![3, 2, 2, 3], vec![5, 4, 60, 70]] {
            let c = shape[1];
            let (x, g, rows) = (tensor(&shape, 1), tensor(&shape, 2), tensor(&[3 * c], 3));
            agrees(&MomentsOf, [&x]);
            agrees(&NormaliseGradient, [&x, &g, &rows]);
        }
    }

    // import torch
    // x = torch.sin(torch.arange(2 * 2 * 3 * 1.)).view(2, 2, 3, 1).requires_grad_()
    // bn = torch.nn.BatchNorm2d(2)
    // with torch.no_grad(): bn.weight.copy_(torch.tensor([1.5, -0.5])); bn.bias.copy_(torch.tensor([0.1, 0.2]))
    // y = bn(x); (y * torch.cos(torch.arange(12.)).view_as(y)).sum().backward()
    // f = lambda t: [round(v, 7) for v in t.flatten().tolist()]
    // print(f(y), f(x.grad), f(bn.weight.grad), f(bn.bias.grad), f(bn.running_mean), f(bn.running_var))
    // bn.eval(); print(f(bn(x)))
    #[test]
    fn numbers_are_those_of_pytorch() {
        crate::compute::init();
        let wave = |f: fn(f32) -> f32| (0..12).map(|i| f(i as f32)).collect::<Vec<_>>();
        let x = Var::from_vec(wave(f32::sin), (2, 2, 3, 1), &Device::Cpu).unwrap();
        let scale = Var::new(&[1.5f32, -0.5], &Device::Cpu).unwrap();
        let shift = Var::new(&[0.1f32, 0.2], &Device::Cpu).unwrap();
        let mean = Var::zeros(2, DType::F32, &Device::Cpu).unwrap();
        let variance = Var::ones(2, DType::F32, &Device::Cpu).unwrap();
        let close = |tensor: &Tensor, expected: &[f32]| {
            let found = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 3e-6, "{found} in place of {expected}");
            }
        };
        let weight = Tensor::from_vec(wave(f32::cos), (2, 2, 3, 1), &Device::Cpu).unwrap();
        for last in [false, true] {
            let (y, moments) = batch_norm_train(&x, [&scale, &shift], 1e-5).unwrap();
            close(&y, &Y);
            let loss = (y * &weight).unwrap().sum_all().unwrap();
            let grads = if last { super::super::backward(&loss) } else { loss.backward() }.unwrap();
            close(grads.get(&x).unwrap(), &X_GRADIENT);
            close(grads.get(&scale).unwrap(), &SCALE_GRADIENT);
            close(grads.get(&shift).unwrap(), &SHIFT_GRADIENT);
            if last {
                moments.follow(&mean, &variance, 0.1).unwrap();
            }
        }
        close(&mean, &MEAN);
        close(&variance, &VARIANCE);
        close(&batch_norm(&x, [&scale, &shift, &mean, &variance], 1e-5).unwrap(), &EVALUATED);
    }

    const Y: [f32; 12] = [
        -1.51155865,
        1.09821284,
        1.30857241,
        -0.34715161,
        0.48246175,
        0.66920722,
        -2.37814903,
        0.52604568,
        1.5568763,
        -0.597534,
        0.28586763,
        0.70714903,
    ];
    const X_GRADIENT: [f32; 12] = [
        0.28585935,
        1.16567278,
        -1.6148597,
        0.0498739,
        0.32522812,
        -0.40883824,
        -0.60323799,
        1.3226732,
        -0.55610698,
        -0.19988215,
        0.35765743,
        -0.12403894,
    ];
    const SCALE_GRADIENT: [f32; 2] = [-2.56359267, -2.29399133];
    const SHIFT_GRADIENT: [f32; 2] = [2.6927278, -3.10575008];
    const MEAN: [f32; 2] = [0.05196163, -0.04510833];
    const VARIANCE: [f32; 2] = [0.92806846, 0.93514246];
    const EVALUATED: [f32; 12] = [
        0.01909382,
        1.32929528,
        1.4349035,
        0.10371147,
        0.56797832,
        0.67248452,
        -0.41596642,
        1.04204631,
        1.55956125,
        -0.03640709,
        0.45796067,
        0.69371742,
    ];
}
