//! Batch norm with the rectifier behind it, as `DenseNet` strings them together: one pass forward, two back.
//!
//! The two passes back are for the last backward pass, [`super::backward`]; a pass that keeps its graph computes the
//! same gradient in operations that can be differentiated again.

use super::activation::RELU;
use super::channel::{ChannelDot, ChannelScale, ChannelSum};
use super::element::Element;
use super::gradient;
use super::operation::{Operation, View, apply1, apply2, apply3};
use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Added to a variance before its root is taken; the value of `PyTorch`.
pub const NORM_EPSILON: f64 = 1e-5;

/// Images, channels and pixels of `[N, C, …]`.
fn sizes(dims: &[usize]) -> Result<(usize, usize, usize)> {
    match dims {
        [n, c, rest @ ..] if !rest.is_empty() => Ok((*n, *c, rest.iter().product())),
        _ => bail!("expected a tensor [N, C, …], found the shape {dims:?}"),
    }
}

/// `[N, C, H, W]` to `[1, C, 1, 1]`: mean over everything but the channel.
fn channel_mean(x: &Tensor) -> Result<Tensor> {
    let rest: Vec<usize> = (0..x.rank()).filter(|&d| d != 1).collect();
    x.mean_keepdim(rest)
}

/// A `[C]` tensor shaped to meet one of `rank` dimensions.
fn spread(values: &Tensor, rank: usize) -> Result<Tensor> {
    let mut dims = vec![1; rank];
    dims[1] = values.elem_count();
    values.reshape(dims)
}

/// For each channel: the sum of `value(place)` over all images and pixels, rows added in order.
fn channel_sums<T: Element, const K: usize>(
    (n, c, pixels): (usize, usize, usize),
    values: impl Fn(usize, usize) -> [T; K] + Sync,
) -> Vec<[T; K]> {
    const LANES: usize = 8;
    let sum = |channel: usize| {
        let mut total = [T::zero(); K];
        for image in 0..n {
            let start = (image * c + channel) * pixels;
            let mut lanes = [[T::zero(); LANES]; K];
            for at in 0..pixels {
                let terms = values(start + at, channel);
                for (lanes, term) in lanes.iter_mut().zip(terms) {
                    lanes[at % LANES] += term;
                }
            }
            for (total, lanes) in total.iter_mut().zip(lanes) {
                for lane in lanes {
                    *total += lane;
                }
            }
        }
        total
    };
    (0..c).into_par_iter().map(sum).collect()
}

/// Mean and biased variance of each channel, `[2, C]`.
#[derive(Clone, Copy)]
struct Moments;

impl Operation<1> for Moments {
    const NAME: &'static str = "channel moments";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (n, c, pixels) = sizes(x.dims)?;
        let share = T::from_f64(1.0 / (n * pixels).max(1) as f64);
        let sums = channel_sums((n, c, pixels), |at, _| [x.numbers[at]]);
        let means: Vec<T> = sums.iter().map(|[sum]| *sum * share).collect();
        let squares = channel_sums((n, c, pixels), |at, channel| {
            let difference = x.numbers[at] - means[channel];
            [difference * difference]
        });
        let variances = squares.iter().map(|[sum]| *sum * share);
        Ok((means.iter().copied().chain(variances).collect(), (2, c).into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let mean = channel_mean(x)?;
        let variance = channel_mean(&x.broadcast_sub(&mean)?.sqr()?)?;
        Tensor::stack(&[mean.flatten_all()?, variance.flatten_all()?], 0)
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, _: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        bail!("moments are taken of detached tensors")
    }
}

/// Batch norm by given moments `[2, C]`, then rectified. Arguments: input, scale `[C]`, shift `[C]`.
#[derive(Clone)]
struct NormRelu {
    moments: Tensor,
    /// Whether the moments are those of the input itself, so that the gradient flows through them too.
    own: bool,
}

impl NormRelu {
    /// Means and inverse standard deviations, in the kernel's type.
    fn inverse<T: Element>(&self, c: usize) -> Result<(Vec<T>, Vec<T>)> {
        let numbers = self.moments.flatten_all()?.to_vec1::<T>()?;
        if numbers.len() != 2 * c {
            bail!("moments of {} channels meet {c} channels", numbers.len() / 2);
        }
        let inverse = numbers[c..].iter().map(|&v| (v + T::from_f64(NORM_EPSILON)).reciprocal_root()).collect();
        Ok((numbers[..c].to_vec(), inverse))
    }

    /// The same on any device, shaped to meet a tensor of `rank` dimensions.
    fn inverse_tensors(&self, rank: usize) -> Result<(Tensor, Tensor)> {
        let mean = spread(&self.moments.get(0)?, rank)?;
        let inverse = spread(&(self.moments.get(1)? + NORM_EPSILON)?.sqrt()?.recip()?, rank)?;
        Ok((mean, inverse))
    }

    /// Gradients of input, scale and shift that can be differentiated again: moments of the input itself are computed
    /// anew, as functions of it.
    fn differentiable(&self, [x, scale]: [&Tensor; 2], y: &Tensor, g: &Tensor) -> Result<[Tensor; 3]> {
        let g = RELU.gradient(g, y)?;
        let share = scale.elem_count() as f64 / x.elem_count() as f64;
        let (mean, variance) = if self.own {
            let mean = (apply1(ChannelSum, x)? * share)?;
            let centred = x.broadcast_sub(&spread(&mean, x.rank())?)?;
            (mean, (apply2(ChannelDot, &centred, &centred)? * share)?)
        } else {
            (self.moments.get(0)?, self.moments.get(1)?)
        };
        let inverse = (variance + NORM_EPSILON)?.sqrt()?.recip()?;
        let normal = apply2(ChannelScale, &x.broadcast_sub(&spread(&mean, x.rank())?)?, &inverse)?;
        let (of_scale, of_shift) = (apply2(ChannelDot, &g, &normal)?, apply1(ChannelSum, &g)?);
        let centred = if self.own {
            let tilted = (g - apply2(ChannelScale, &normal, &(&of_scale * share)?)?)?;
            tilted.broadcast_sub(&spread(&(&of_shift * share)?, x.rank())?)?
        } else {
            g
        };
        Ok([apply2(ChannelScale, &centred, &(scale * inverse)?)?, of_scale, of_shift])
    }
}

impl Operation<3> for NormRelu {
    const NAME: &'static str = "batch norm with rectifier";
    const WEIGHTS: [bool; 3] = [false, true, true];

    fn kernel<T: Element>(&self, [x, scale, shift]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (_, c, pixels) = sizes(x.dims)?;
        if scale.dims != [c] || shift.dims != [c] {
            bail!("scale {:?} and shift {:?} meet {c} channels", scale.dims, shift.dims);
        }
        let (means, inverse) = self.inverse::<T>(c)?;
        let mut y = vec![T::zero(); x.numbers.len()];
        let image = (c * pixels).max(1);
        y.par_chunks_mut(image).zip(x.numbers.par_chunks(image)).for_each(|(y, x)| {
            for (channel, (y, x)) in y.chunks_mut(pixels).zip(x.chunks(pixels)).enumerate() {
                let slope = scale.numbers[channel] * inverse[channel];
                let start = shift.numbers[channel] - means[channel] * slope;
                for (y, &x) in y.iter_mut().zip(x) {
                    let value = x * slope + start;
                    *y = if value > T::zero() { value } else { T::zero() };
                }
            }
        });
        Ok((y, x.dims.into()))
    }

    fn compose(&self, [x, scale, shift]: [&Tensor; 3]) -> Result<Tensor> {
        let (mean, inverse) = self.inverse_tensors(x.rank())?;
        let slope = (spread(scale, x.rank())? * inverse)?;
        x.broadcast_sub(&mean)?.broadcast_mul(&slope)?.broadcast_add(&spread(shift, x.rank())?)?.relu()
    }

    fn adjoint(&self, args: [&Tensor; 3], y: &Tensor, g: &Tensor, _: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        let [x, scale, _] = args;
        if gradient::keeps_graph() {
            return Ok(self.differentiable([x, scale], y, g)?.map(Some));
        }
        let operation = NormReluGradient { norm: self.clone(), scale: scale.detach() };
        let packed = apply3(operation, x, y, g)?;
        let (count, c) = (x.elem_count(), scale.elem_count());
        let of_x = packed.narrow(0, 0, count)?.reshape(x.shape())?;
        Ok([Some(of_x), Some(packed.narrow(0, count, c)?), Some(packed.narrow(0, count + c, c)?)])
    }
}

/// Gradients of input, scale and shift, one behind the other. Arguments: input, result, gradient of the result.
#[derive(Clone)]
struct NormReluGradient {
    norm: NormRelu,
    scale: Tensor,
}

impl Operation<3> for NormReluGradient {
    const NAME: &'static str = "gradient of batch norm with rectifier";
    const WEIGHTS: [bool; 3] = [false; 3];

    fn kernel<T: Element>(&self, [x, y, g]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (n, c, pixels) = sizes(x.dims)?;
        let (means, inverse) = self.norm.inverse::<T>(c)?;
        let scale = self.scale.to_vec1::<T>()?;
        let passed = |at: usize| if y.numbers[at] > T::zero() { g.numbers[at] } else { T::zero() };
        // Sums of the gradient behind the rectifier: alone, and times the normalised input.
        let sums = channel_sums((n, c, pixels), |at, channel| {
            let g = passed(at);
            [g, g * (x.numbers[at] - means[channel]) * inverse[channel]]
        });
        let mut out = vec![T::zero(); x.numbers.len() + 2 * c];
        let (of_x, of_affine) = out.split_at_mut(x.numbers.len());
        let (of_scale, of_shift) = of_affine.split_at_mut(c);
        for ((to_scale, to_shift), [sum, product]) in of_scale.iter_mut().zip(of_shift).zip(&sums) {
            (*to_scale, *to_shift) = (*product, *sum);
        }
        let share = T::from_f64(if self.norm.own { 1.0 / (n * pixels).max(1) as f64 } else { 0.0 });
        let image = (c * pixels).max(1);
        of_x.par_chunks_mut(image).enumerate().for_each(|(i, of_x)| {
            for (channel, out) in of_x.chunks_mut(pixels).enumerate() {
                let start = i * image + channel * pixels;
                let slope = scale[channel] * inverse[channel];
                let [sum, product] = sums[channel];
                let (level, tilt) = (sum * share, product * share * inverse[channel]);
                for (at, out) in (start..).zip(out) {
                    *out = slope * (passed(at) - level - (x.numbers[at] - means[channel]) * tilt);
                }
            }
        });
        let count = out.len();
        Ok((out, count.into()))
    }

    fn compose(&self, [x, y, g]: [&Tensor; 3]) -> Result<Tensor> {
        let rank = x.rank();
        let (mean, inverse) = self.norm.inverse_tensors(rank)?;
        let normal = x.broadcast_sub(&mean)?.broadcast_mul(&inverse)?;
        let passed = (g * y.gt(0.0)?.to_dtype(g.dtype())?)?;
        let count = (x.elem_count() / self.scale.elem_count()) as f64;
        let (level, tilt) = (channel_mean(&passed)?, channel_mean(&(&passed * &normal)?)?);
        let centred = if self.norm.own {
            passed.broadcast_sub(&level)?.broadcast_sub(&normal.broadcast_mul(&tilt)?)?
        } else {
            passed
        };
        let of_x = centred.broadcast_mul(&(spread(&self.scale, rank)? * inverse)?)?;
        Tensor::cat(&[of_x.flatten_all()?, (tilt * count)?.flatten_all()?, (level * count)?.flatten_all()?], 0)
    }

    fn adjoint(&self, _: [&Tensor; 3], _: &Tensor, _: &Tensor, _: [bool; 3]) -> Result<[Option<Tensor>; 3]> {
        bail!("the gradient of batch norm cannot be differentiated again")
    }
}

/// Batch norm of `x` `[N, C, H, W]` by its own moments over batch and pixels, scaled and shifted by `[C]` tensors, then
/// rectified. With it come the moments `[2, C]`: means, then biased variances, for the running ones.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn batch_norm_relu(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<(Tensor, Tensor)> {
    let moments = apply1(Moments, &x.detach())?;
    let y = apply3(NormRelu { moments: moments.clone(), own: true }, x, scale, shift)?;
    Ok((y, moments))
}

/// The same by given moments `[2, C]`, which count as constant: batch norm of a network in use.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn fixed_norm_relu(x: &Tensor, moments: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    apply3(NormRelu { moments: moments.detach(), own: false }, x, scale, shift)
}

#[cfg(test)]
mod tests {
    use super::super::check::{check, tensor as random};
    use super::*;
    use candle_core::{DType, Device, Var};

    fn tensor(shape: &[usize], step: f64) -> Var {
        let count = shape.iter().product::<usize>();
        let values: Vec<f64> = (0..count).map(|i| (i as f64 * step + 0.3).sin() * 1.5 + 0.2).collect();
        Var::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for shape in [vec![3, 2, 2, 3], vec![2, 4, 5]] {
            let c = shape[1];
            let args = [random(&shape, 1), random(&[c], 2), random(&[c], 3)];
            check("batch_norm_relu", &args, &|t| Ok(batch_norm_relu(&t[0], &t[1], &t[2])?.0));
            let variances = (random(&[c], 5).sqr().unwrap() + 0.3).unwrap();
            let moments = Tensor::stack(&[random(&[c], 4), variances], 0).unwrap();
            check("fixed_norm_relu", &args, &|t| fixed_norm_relu(&t[0], &moments, &t[1], &t[2]));
        }
    }

    #[test]
    fn kernels_and_compositions_agree() {
        let args = [tensor(&[3, 5, 4, 2], 0.77), tensor(&[5], 2.1), tensor(&[5], 0.9)];
        let [x, scale, shift] = [&args[0], &args[1], &args[2]].map(candle_core::Var::as_detached_tensor);
        let close = |a: &Tensor, b: &Tensor| {
            let difference = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_dtype(DType::F64).unwrap();
            assert!(difference.to_scalar::<f64>().unwrap() < 1e-12);
        };
        let moments = apply1(Moments, &x).unwrap();
        close(&moments, &Moments.compose([&x]).unwrap());
        let g = tensor(&[3, 5, 4, 2], 1.1).as_detached_tensor();
        for own in [true, false] {
            let norm = NormRelu { moments: moments.clone(), own };
            let y = apply3(norm.clone(), &x, &scale, &shift).unwrap();
            close(&y, &norm.compose([&x, &scale, &shift]).unwrap());
            let gradient = NormReluGradient { norm, scale: scale.clone() };
            close(&apply3(gradient.clone(), &x, &y, &g).unwrap(), &gradient.compose([&x, &y, &g]).unwrap());
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let (x, scale) = (tensor(&[2, 3, 2, 2], 0.5), tensor(&[3], 0.4));
        assert!(batch_norm_relu(&x, &tensor(&[2], 1.0), &scale).is_err());
        assert!(batch_norm_relu(&x, &scale, &scale).is_ok());
    }
}
