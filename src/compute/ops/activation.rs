//! Leaky ReLU, alone and with a bias, and the sums over pixels that a bias needs.

use super::element::{Element, map, map_rows, zip};
use super::operation::{Operation, View, apply1, apply2};
use candle_core::{Result, Shape, Tensor, bail};

/// Slope of the leaky ReLU below zero.
pub const SLOPE: f64 = 0.2;

/// Leaky ReLU of one number. The derivative at 0 is the slope below, as in PyTorch.
pub(super) fn leaky<T: Element>(x: T) -> T {
    if x > T::zero() { x } else { x * T::from_f64(SLOPE) }
}

/// Leaky ReLU.
#[derive(Clone, Copy)]
pub(super) struct Leaky;

/// `g` where `y` is positive, else 0.2 `g`: linear in `g`, its own adjoint. `y` counts as constant.
#[derive(Clone, Copy)]
struct Mask;

/// The gradient that leaky ReLU passes on, from its result (which has the sign of its argument) or its argument.
pub(super) fn mask(g: &Tensor, y: &Tensor) -> Result<Tensor> {
    apply2(Mask, g, &y.detach())
}

impl Operation<1> for Leaky {
    const NAME: &'static str = "leaky ReLU";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((map(x.numbers, leaky), x.dims.into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        x.maximum(&(x * SLOPE)?)
    }

    fn adjoint(&self, _: [&Tensor; 1], y: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(mask(g, y)?)])
    }
}

impl Operation<2> for Mask {
    const NAME: &'static str = "gradient of leaky ReLU";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [g, y]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let slope = T::from_f64(SLOPE);
        Ok((zip(g.numbers, y.numbers, |g, y| if y > T::zero() { g } else { g * slope }), g.dims.into()))
    }

    fn compose(&self, [g, y]: [&Tensor; 2]) -> Result<Tensor> {
        y.gt(0.0)?.where_cond(g, &(g * SLOPE)?)
    }

    fn adjoint(&self, [_, y]: [&Tensor; 2], _: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        Ok([if wanted[0] { Some(mask(g, y)?) } else { None }, None])
    }
}

/// Leaky ReLU of the sum of `[N, C, …]` and a bias `[C]`.
#[derive(Clone, Copy)]
struct BiasLeaky;

/// Channels and numbers in each channel of one image.
fn channels(dims: &[usize]) -> Result<(usize, usize)> {
    match dims {
        [_, c, rest @ ..] => Ok((*c, rest.iter().product())),
        _ => bail!("expected a tensor [N, C, …], found the shape {dims:?}"),
    }
}

/// A bias `[C]` shaped to be added to a tensor `[N, C, …]` of `rank` dimensions.
fn bias_for(bias: &Tensor, rank: usize) -> Result<Tensor> {
    let mut dims = vec![1; rank];
    dims[1] = bias.elem_count();
    bias.reshape(dims)
}

impl Operation<2> for BiasLeaky {
    const NAME: &'static str = "leaky ReLU with bias";
    const WEIGHTS: [bool; 2] = [false, true];

    fn kernel<T: Element>(&self, [x, bias]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        if bias.dims != [c] {
            bail!("a bias of shape {:?} meets {c} channels", bias.dims);
        }
        Ok((map_rows(x.numbers, len.max(1), bias.numbers, |x, b| leaky(x + b)), x.dims.into()))
    }

    fn compose(&self, [x, bias]: [&Tensor; 2]) -> Result<Tensor> {
        Leaky.compose([&x.broadcast_add(&bias_for(bias, x.rank())?)?])
    }

    fn adjoint(&self, _: [&Tensor; 2], y: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        let g = mask(g, y)?;
        let bias = if wanted[1] { Some(apply1(ChannelSum, &g)?) } else { None };
        Ok([wanted[0].then_some(g), bias])
    }
}

/// Sum of `[N, C, …]` over everything but the channel: `[C]`.
#[derive(Clone, Copy)]
pub(super) struct ChannelSum;

/// A `[C]` tensor repeated to the shape `[N, C, …]`: the adjoint of [`ChannelSum`].
#[derive(Clone)]
struct ChannelFill(Vec<usize>);

impl Operation<1> for ChannelSum {
    const NAME: &'static str = "sum over pixels";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        let mut sums = vec![T::zero(); c];
        for image in x.numbers.chunks((c * len).max(1)) {
            for (sum, row) in sums.iter_mut().zip(image.chunks(len.max(1))) {
                *sum += row_sum(row);
            }
        }
        Ok((sums, c.into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        x.transpose(0, 1)?.flatten_from(1)?.sum(1)
    }

    fn adjoint(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(ChannelFill(x.dims().to_vec()), g)?)])
    }
}

impl Operation<1> for ChannelFill {
    const NAME: &'static str = "repetition over pixels";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(&self.0)?;
        if x.dims != [c] {
            bail!("a tensor of shape {:?} meets {c} channels", x.dims);
        }
        let image: Vec<T> = x.numbers.iter().flat_map(|x| std::iter::repeat_n(*x, len)).collect();
        Ok((image.repeat(self.0[0]), self.0.as_slice().into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        bias_for(x, self.0.len())?.broadcast_as(self.0.as_slice())?.contiguous()
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(ChannelSum, g)?)])
    }
}

/// Sum of a row in eight interleaved parts, which the compiler can keep in one register.
pub(super) fn row_sum<T: Element>(row: &[T]) -> T {
    let mut parts = [T::zero(); 8];
    let mut chunks = row.chunks_exact(8);
    for chunk in &mut chunks {
        for (part, x) in parts.iter_mut().zip(chunk) {
            *part += *x;
        }
    }
    let mut sum = T::zero();
    for x in parts.iter().chain(chunks.remainder()) {
        sum += *x;
    }
    sum
}

/// Leaky ReLU of slope 0.2. The derivative at 0 is 0.2.
///
/// # Errors
/// If the tensor is neither `f32` nor `f64`.
pub fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    apply1(Leaky, x)
}

/// Leaky ReLU of `x` `[N, C, …]` plus a bias `[C]`, in one pass on the CPU.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn bias_leaky_relu(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply2(BiasLeaky, x, bias)
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for (seed, shape) in [vec![2, 3, 4, 5], vec![4, 3], vec![1, 1, 1, 7]].into_iter().enumerate() {
            let (x, bias) = (tensor(&shape, seed as u64), tensor(&[shape[1]], 7));
            check("leaky_relu", std::slice::from_ref(&x), &|t| leaky_relu(&t[0]));
            check("bias_leaky_relu", &[x.clone(), bias.clone()], &|t| bias_leaky_relu(&t[0], &t[1]));
            check("sums over pixels", std::slice::from_ref(&x), &|t| apply1(ChannelSum, &t[0]));
            check("repetition", &[bias], &|t| apply1(ChannelFill(shape.clone()), &t[0]));
        }
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [vec![2, 3, 4, 5], vec![4, 3], vec![3, 5, 80, 90]] {
            let (x, bias, g) = (tensor(&shape, 1), tensor(&[shape[1]], 2), tensor(&shape, 3));
            agrees(&Leaky, [&x]);
            agrees(&Mask, [&g, &x]);
            agrees(&BiasLeaky, [&x, &bias]);
            agrees(&ChannelSum, [&x]);
            agrees(&ChannelFill(shape), [&bias]);
        }
    }

    #[test]
    fn the_slope_at_zero_is_the_one_below() {
        crate::compute::init();
        let x = candle_core::Var::new(&[-2f32, 0.0, 3.0], &candle_core::Device::Cpu).unwrap();
        let y = leaky_relu(&x).unwrap();
        assert_eq!(y.to_vec1::<f32>().unwrap(), [-0.4, 0.0, 3.0]);
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [0.2, 0.2, 1.0]);
    }
}
