//! Per-channel arithmetic: sums, scalar products, scaling and shifting of `[N, C, …]` by `[C]`, closed under
//! differentiation. Biases and batch norm are made of these.

use super::element::{Element, map_rows};
use super::operation::{Operation, View, apply1, apply2};
use candle_core::{Result, Shape, Tensor, bail};

/// Channels and numbers in each channel of one image.
pub(super) fn channels(dims: &[usize]) -> Result<(usize, usize)> {
    match dims {
        [_, c, rest @ ..] => Ok((*c, rest.iter().product())),
        _ => bail!("expected a tensor [N, C, …], found the shape {dims:?}"),
    }
}

/// A tensor `[C]` shaped to meet a tensor `[N, C, …]` of `rank` dimensions.
pub(super) fn bias_for(bias: &Tensor, rank: usize) -> Result<Tensor> {
    let mut dims = vec![1; rank];
    dims[1] = bias.elem_count();
    bias.reshape(dims)
}

/// Sum of `[N, C, …]` over everything but the channel: `[C]`.
#[derive(Clone, Copy)]
pub(super) struct ChannelSum;

/// A `[C]` tensor repeated to the shape `[N, C, …]`: the adjoint of [`ChannelSum`].
#[derive(Clone)]
pub(super) struct ChannelFill(pub(super) Vec<usize>);

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

/// Σ x·g over everything but the channel: `[C]`.
#[derive(Clone, Copy)]
pub(super) struct ChannelDot;

/// `[N, C, …]` times `[C]`.
#[derive(Clone, Copy)]
pub(super) struct ChannelScale;

impl Operation<2> for ChannelDot {
    const NAME: &'static str = "scalar product over pixels";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [x, g]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        if x.dims != g.dims {
            bail!("a tensor of shape {:?} meets one of shape {:?}", x.dims, g.dims);
        }
        let mut sums = vec![T::zero(); c];
        let image = (c * len).max(1);
        for (x, g) in x.numbers.chunks(image).zip(g.numbers.chunks(image)) {
            let rows = x.chunks(len.max(1)).zip(g.chunks(len.max(1)));
            for (sum, (x, g)) in sums.iter_mut().zip(rows) {
                *sum += row_dot(x, g);
            }
        }
        Ok((sums, c.into()))
    }

    fn compose(&self, [x, g]: [&Tensor; 2]) -> Result<Tensor> {
        ChannelSum.compose([&(x * g)?])
    }

    fn adjoint(&self, [x, g0]: [&Tensor; 2], _: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        let scaled = |wanted: bool, t: &Tensor| if wanted { apply2(ChannelScale, t, g).map(Some) } else { Ok(None) };
        Ok([scaled(wanted[0], g0)?, scaled(wanted[1], x)?])
    }
}

impl Operation<2> for ChannelScale {
    const NAME: &'static str = "scaling of channels";
    const WEIGHTS: [bool; 2] = [false, true];

    fn kernel<T: Element>(&self, [x, scale]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (c, len) = channels(x.dims)?;
        if scale.dims != [c] {
            bail!("a scale of shape {:?} meets {c} channels", scale.dims);
        }
        Ok((map_rows(x.numbers, len.max(1), scale.numbers, |x, s| x * s), x.dims.into()))
    }

    fn compose(&self, [x, scale]: [&Tensor; 2]) -> Result<Tensor> {
        x.broadcast_mul(&bias_for(scale, x.rank())?)
    }

    fn adjoint(
        &self,
        [x, scale]: [&Tensor; 2],
        _: &Tensor,
        g: &Tensor,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([
            if wanted[0] { Some(apply2(ChannelScale, g, scale)?) } else { None },
            if wanted[1] { Some(apply2(ChannelDot, x, g)?) } else { None },
        ])
    }
}

/// Scalar product of two rows in eight interleaved parts.
pub(super) fn row_dot<T: Element>(x: &[T], g: &[T]) -> T {
    let mut parts = [T::zero(); 8];
    let ((xs, x), (gs, g)) = (x.as_chunks::<8>(), g.as_chunks::<8>());
    for (x, g) in xs.iter().zip(gs) {
        for ((part, x), g) in parts.iter_mut().zip(x).zip(g) {
            *part += *x * *g;
        }
    }
    let mut sum = T::zero();
    for part in parts {
        sum += part;
    }
    for (x, g) in x.iter().zip(g) {
        sum += *x * *g;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for shape in [vec![2, 3, 4, 5], vec![4, 3], vec![1, 1, 1, 7]] {
            let (x, g) = (tensor(&shape, 1), tensor(&shape, 2));
            let scale = tensor(&[shape[1]], 3);
            check("sums", std::slice::from_ref(&x), &|t| apply1(ChannelSum, &t[0]));
            check("repetition", std::slice::from_ref(&scale), &|t| apply1(ChannelFill(shape.clone()), &t[0]));
            check("scalar product", &[x.clone(), g], &|t| apply2(ChannelDot, &t[0], &t[1]));
            check("scale", &[x, scale], &|t| apply2(ChannelScale, &t[0], &t[1]));
        }
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [vec![2, 3, 4, 5], vec![4, 3], vec![3, 5, 80, 90]] {
            let (x, g) = (tensor(&shape, 1), tensor(&shape, 2));
            let scale = tensor(&[shape[1]], 3);
            agrees(&ChannelSum, [&x]);
            agrees(&ChannelFill(shape), [&scale]);
            agrees(&ChannelDot, [&x, &g]);
            agrees(&ChannelScale, [&x, &scale]);
        }
    }
}
