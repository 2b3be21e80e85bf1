//! Forms of a weight that let a convolution do two things at once: turned, and spread over 2×2 placements.

use super::super::element::Element;
use super::super::operation::{Operation, View, apply1};
use super::kernels::turn;
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

/// Channels exchanged and kernel turned; its own adjoint.
#[derive(Clone, Copy)]
pub struct Turn;

impl Operation<1> for Turn {
    const NAME: &'static str = "turned kernel";
    const WEIGHTS: [bool; 1] = [true];

    fn kernel<T: Element>(&self, [weight]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [o, c, kh, kw] = weight.dims4()?;
        Ok((turn(weight.numbers, [o, c, kh, kw]), (c, o, kh, kw).into()))
    }

    fn compose(&self, [weight]: [&Tensor; 1]) -> Result<Tensor> {
        weight.transpose(0, 1)?.contiguous()?.flip(&[2, 3])
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(Turn, g)?)])
    }
}

/// The kernel k × k spread to (k+1) × (k+1): the sum of its four placements; a convolution with it at stride 2 is the
/// convolution with the kernel followed by sums over 2×2 pixels.
#[derive(Clone, Copy)]
pub struct Spread;

/// The adjoint of [`Spread`].
#[derive(Clone, Copy)]
pub struct Gather;

/// Kernels that one thread works on at a time.
const KERNELS: usize = 1024;

/// `work` on every kernel of `to`, of so many numbers, and its fellow in `from`.
fn each<T: Element>(to: &mut [T], size: usize, from: &[T], from_size: usize, work: impl Fn(&mut [T], &[T]) + Sync) {
    to.par_chunks_mut(KERNELS * size).zip(from.par_chunks(KERNELS * from_size)).for_each(|(to, from)| {
        to.chunks_mut(size).zip(from.chunks(from_size)).for_each(|(to, from)| work(to, from));
    });
}

impl Operation<1> for Spread {
    const NAME: &'static str = "spread kernel";
    const WEIGHTS: [bool; 1] = [true];

    fn kernel<T: Element>(&self, [weight]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [o, c, kh, kw] = weight.dims4()?;
        let mut out = vec![T::zero(); o * c * (kh + 1) * (kw + 1)];
        each(&mut out, (kh + 1) * (kw + 1), weight.numbers, kh * kw, |out, weight| {
            for (i, &value) in weight.iter().enumerate() {
                let corner = i / kw * (kw + 1) + i % kw;
                for place in [corner, corner + 1, corner + kw + 1, corner + kw + 2] {
                    out[place] += value;
                }
            }
        });
        Ok((out, (o, c, kh + 1, kw + 1).into()))
    }

    fn compose(&self, [weight]: [&Tensor; 1]) -> Result<Tensor> {
        let rows = (weight.pad_with_zeros(2, 0, 1)? + weight.pad_with_zeros(2, 1, 0)?)?;
        rows.pad_with_zeros(3, 0, 1)? + rows.pad_with_zeros(3, 1, 0)?
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(Gather, g)?)])
    }
}

impl Operation<1> for Gather {
    const NAME: &'static str = "gathered kernel";
    const WEIGHTS: [bool; 1] = [true];

    fn kernel<T: Element>(&self, [weight]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [o, c, kh, kw] = weight.dims4()?;
        let (kh, kw) = (kh - 1, kw - 1);
        let mut out = vec![T::zero(); o * c * kh * kw];
        each(&mut out, kh * kw, weight.numbers, (kh + 1) * (kw + 1), |out, weight| {
            for (i, out) in out.iter_mut().enumerate() {
                let corner = i / kw * (kw + 1) + i % kw;
                *out = weight[corner] + weight[corner + 1] + weight[corner + kw + 1] + weight[corner + kw + 2];
            }
        });
        Ok((out, (o, c, kh, kw).into()))
    }

    fn compose(&self, [weight]: [&Tensor; 1]) -> Result<Tensor> {
        let (_, _, kh, kw) = weight.dims4()?;
        let rows = (weight.narrow(2, 0, kh - 1)? + weight.narrow(2, 1, kh - 1)?)?;
        rows.narrow(3, 0, kw - 1)? + rows.narrow(3, 1, kw - 1)?
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply1(Spread, g)?)])
    }
}
