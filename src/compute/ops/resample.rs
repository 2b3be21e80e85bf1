//! Doubling by repetition and sums over 2×2 pixels: each the other's adjoint.

use super::element::Element;
use super::operation::{Operation, View, apply1};
use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Numbers of the smaller image that one thread handles at a time.
const PIECE: usize = 1 << 13;

#[derive(Clone, Copy)]
struct Up;

#[derive(Clone, Copy)]
struct Sum;

impl Operation<1> for Up {
    const NAME: &'static str = "doubling";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [n, c, h, w] = x.dims4()?;
        let mut out = vec![T::zero(); x.numbers.len() * 4];
        let rows = (PIECE / w.max(1)).max(1);
        out.par_chunks_mut((4 * w * rows).max(1)).zip(x.numbers.par_chunks((w * rows).max(1))).for_each(|(out, x)| {
            for (out, x) in out.chunks_mut(4 * w).zip(x.chunks(w)) {
                let (upper, lower) = out.split_at_mut(2 * w);
                for (pair, &x) in upper.as_chunks_mut::<2>().0.iter_mut().zip(x) {
                    *pair = [x, x];
                }
                lower.copy_from_slice(upper);
            }
        });
        Ok((out, (n, c, 2 * h, 2 * w).into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let (n, c, h, w) = x.dims4()?;
        let wide = x.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, 2, w, 2))?;
        wide.reshape((n, c, 2 * h, 2 * w))
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(sum2(g)?)])
    }
}

impl Operation<1> for Sum {
    const NAME: &'static str = "sum over 2×2 pixels";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let [n, c, h, w] = x.dims4()?;
        if h % 2 + w % 2 > 0 {
            bail!("halving wants even sides, not {h}×{w}");
        }
        let half = w / 2;
        let mut out = vec![T::zero(); x.numbers.len() / 4];
        let rows = (PIECE / half.max(1)).max(1);
        let pieces = out.par_chunks_mut((half * rows).max(1)).zip(x.numbers.par_chunks((4 * half * rows).max(1)));
        pieces.for_each(|(out, x)| {
            for (out, x) in out.chunks_mut(half).zip(x.chunks(2 * w)) {
                let (upper, lower) = x.split_at(w);
                let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
                for (out, (&[a, b], &[c, d])) in out.iter_mut().zip(pairs) {
                    *out = (a + b) + (c + d);
                }
            }
        });
        Ok((out, (n, c, h / 2, half).into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        let (n, c, h, w) = x.dims4()?;
        x.reshape((n, c, h / 2, 2, w / 2, 2))?.sum((3, 5))
    }

    fn adjoint(&self, _: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(up2(g)?)])
    }
}

/// Every pixel of `[N, C, h, w]` repeated to 2×2: `[N, C, 2h, 2w]`.
///
/// # Errors
/// If the tensor does not have four dimensions.
pub fn up2(x: &Tensor) -> Result<Tensor> {
    apply1(Up, x)
}

/// Sums over 2×2 pixels of `[N, C, 2h, 2w]`: `[N, C, h, w]`.
///
/// # Errors
/// If a side is odd.
pub fn sum2(x: &Tensor) -> Result<Tensor> {
    apply1(Sum, x)
}

/// Means over 2×2 pixels of `[N, C, 2h, 2w]`: `[N, C, h, w]`.
///
/// # Errors
/// If a side is odd.
pub fn avg2(x: &Tensor) -> Result<Tensor> {
    sum2(x)? * 0.25
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        let x = [tensor(&[2, 3, 4, 6], 1)];
        check("up2", &x, &|t| up2(&t[0]));
        check("avg2", &x, &|t| avg2(&t[0]));
        // The framework's own doubling loses gradients where its input has a second use.
        check("up2 beside another use", &x, &|t| up2(&t[0])? + up2(&up2(&sum2(&t[0])?)?)?);
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [[2, 3, 4, 6], [1, 1, 2, 2], [3, 4, 64, 130]] {
            agrees(&Up, [&tensor(&shape, 1)]);
            agrees(&Sum, [&tensor(&shape, 1)]);
        }
        assert!(sum2(&tensor(&[1, 1, 3, 4], 1)).is_err());
    }
}
