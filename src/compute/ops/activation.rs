//! ReLU and leaky ReLU, alone and with a bias.

use super::channel::{ChannelSum, bias_for, channels};
use super::element::{Element, map, map_rows, zip};
use super::operation::{Operation, View, apply1, apply2};
use candle_core::{Result, Shape, Tensor, bail};

/// Slope of the leaky ReLU below zero.
pub const SLOPE: f64 = 0.2;

/// The GANs' leaky ReLU.
pub(super) const LEAKY: Activation = Activation::Slope(SLOPE);

/// The encoder's ReLU.
pub(super) const RELU: Activation = Activation::Slope(0.0);

/// What follows a linear map: nothing, or multiplication of negative numbers with a slope from 0 up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    Identity,
    Slope(f64),
}

impl Activation {
    /// The function on numbers. Its derivative at 0 is the slope below, as in PyTorch.
    pub(super) fn function<T: Element>(self) -> impl Fn(T) -> T + Sync {
        let slope = match self {
            Self::Identity => T::one(),
            Self::Slope(slope) => T::from_f64(slope),
        };
        move |x| if x > T::zero() { x } else { x * slope }
    }

    /// The function by framework operations.
    pub(super) fn compose(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Slope(slope) => x.maximum(&(x * slope)?),
        }
    }

    /// The gradient it passes on, from its result `y`, which has the sign of its argument (or is 0 below).
    pub(super) fn gradient(self, g: &Tensor, y: &Tensor) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(g.clone()),
            Self::Slope(slope) => apply2(Mask(slope), g, &y.detach()),
        }
    }
}

/// An activation by itself.
#[derive(Clone, Copy)]
struct Activate(Activation);

/// `g` where `y` is positive, else `g` times the slope: linear in `g`, its own adjoint. `y` counts as constant.
#[derive(Clone, Copy)]
struct Mask(f64);

impl Operation<1> for Activate {
    const NAME: &'static str = "activation";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((map(x.numbers, self.0.function()), x.dims.into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        self.0.compose(x)
    }

    fn adjoint(&self, _: [&Tensor; 1], y: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(self.0.gradient(g, y)?)])
    }
}

impl Operation<2> for Mask {
    const NAME: &'static str = "gradient of an activation";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [g, y]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let slope = T::from_f64(self.0);
        Ok((zip(g.numbers, y.numbers, |g, y| if y > T::zero() { g } else { g * slope }), g.dims.into()))
    }

    fn compose(&self, [g, y]: [&Tensor; 2]) -> Result<Tensor> {
        y.gt(0.0)?.where_cond(g, &(g * self.0)?)
    }

    fn adjoint(&self, [_, y]: [&Tensor; 2], _: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        Ok([if wanted[0] { Some(apply2(*self, g, y)?) } else { None }, None])
    }
}

/// Leaky ReLU of the sum of `[N, C, …]` and a bias `[C]`.
#[derive(Clone, Copy)]
struct BiasLeaky;

impl Operation<2> for BiasLeaky {
    const NAME: &'static str = "leaky ReLU with bias";
    const WEIGHTS: [bool; 2] = [false, true];

    fn kernel<T: Element>(&self, [x, bias]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        if bias.dims != [c] {
            bail!("a bias of shape {:?} meets {c} channels", bias.dims);
        }
        let activate = LEAKY.function();
        Ok((map_rows(x.numbers, len.max(1), bias.numbers, |x, b| activate(x + b)), x.dims.into()))
    }

    fn compose(&self, [x, bias]: [&Tensor; 2]) -> Result<Tensor> {
        LEAKY.compose(&x.broadcast_add(&bias_for(bias, x.rank())?)?)
    }

    fn adjoint(&self, _: [&Tensor; 2], y: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        let g = LEAKY.gradient(g, y)?;
        let bias = if wanted[1] { Some(apply1(ChannelSum, &g)?) } else { None };
        Ok([wanted[0].then_some(g), bias])
    }
}

/// Leaky ReLU of slope 0.2. The derivative at 0 is 0.2.
///
/// # Errors
/// If the tensor is neither `f32` nor `f64`.
pub fn leaky_relu(x: &Tensor) -> Result<Tensor> {
    apply1(Activate(LEAKY), x)
}

/// ReLU. The derivative at 0 is 0.
///
/// # Errors
/// If the tensor is neither `f32` nor `f64`.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply1(Activate(RELU), x)
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
            check("relu", std::slice::from_ref(&x), &|t| relu(&t[0]));
            check("bias_leaky_relu", &[x, bias], &|t| bias_leaky_relu(&t[0], &t[1]));
        }
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [vec![2, 3, 4, 5], vec![4, 3], vec![3, 5, 80, 90]] {
            let (x, bias, g) = (tensor(&shape, 1), tensor(&[shape[1]], 2), tensor(&shape, 3));
            for slope in [0.0, SLOPE] {
                agrees(&Activate(Activation::Slope(slope)), [&x]);
                agrees(&Mask(slope), [&g, &x]);
            }
            agrees(&BiasLeaky, [&x, &bias]);
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
