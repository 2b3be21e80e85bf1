//! Normalisation over features: pixel norm and minibatch standard deviation of the published GANs, layer norm.

use super::channel::channels;
use super::element::Element;
use super::operation::{Operation, View, apply1, apply2};
use candle_core::{D, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// What is added under the roots.
const EPSILON: f64 = 1e-8;

/// Each pixel's feature vector divided by √(mean square + 1e-8).
#[derive(Clone, Copy)]
struct PixelNorm;

/// The product of a gradient with the derivative of pixel norm at `x`, a symmetric matrix for each pixel.
#[derive(Clone, Copy)]
struct PixelNormGradient;

/// 1 / √(mean over channels of x² + ε) for every pixel of one image.
fn reciprocal_norms<T: Element>(x: &[T], c: usize, pixels: usize) -> Vec<T> {
    let mut sums = vec![T::zero(); pixels];
    for row in x.chunks(pixels) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += x * x;
        }
    }
    let share = T::from_f64(1.0 / c as f64);
    sums.iter().map(|&sum| (sum * share + T::from_f64(EPSILON)).reciprocal_root()).collect()
}

impl Operation<1> for PixelNorm {
    const NAME: &'static str = "pixel norm";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (c, pixels) = channels(x.dims)?;
        let mut y = vec![T::zero(); x.numbers.len()];
        let image = (c * pixels).max(1);
        y.par_chunks_mut(image).zip(x.numbers.par_chunks(image)).for_each(|(y, x)| {
            let norms = reciprocal_norms(x, c, pixels);
            for (y, x) in y.chunks_mut(pixels).zip(x.chunks(pixels)) {
                for ((y, &x), &r) in y.iter_mut().zip(x).zip(&norms) {
                    *y = x * r;
                }
            }
        });
        Ok((y, x.dims.into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        x.broadcast_div(&(x.sqr()?.mean_keepdim(1)? + EPSILON)?.sqrt()?)
    }

    fn adjoint(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some(apply2(PixelNormGradient, x, g)?)])
    }
}

impl Operation<2> for PixelNormGradient {
    const NAME: &'static str = "gradient of pixel norm";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [x, g]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (c, pixels) = channels(x.dims)?;
        let mut out = vec![T::zero(); x.numbers.len()];
        let image = (c * pixels).max(1);
        let images = out.par_chunks_mut(image).zip(x.numbers.par_chunks(image)).zip(g.numbers.par_chunks(image));
        images.for_each(|((out, x), g)| {
            let norms = reciprocal_norms(x, c, pixels);
            let mut dots = vec![T::zero(); pixels];
            for (x, g) in x.chunks(pixels).zip(g.chunks(pixels)) {
                for ((dot, &x), &g) in dots.iter_mut().zip(x).zip(g) {
                    *dot += x * g;
                }
            }
            let share = T::from_f64(1.0 / c as f64);
            for (dot, &r) in dots.iter_mut().zip(&norms) {
                *dot *= share * r * r * r;
            }
            for ((out, x), g) in out.chunks_mut(pixels).zip(x.chunks(pixels)).zip(g.chunks(pixels)) {
                let terms = x.iter().zip(g).zip(norms.iter().zip(&dots));
                for (out, ((&x, &g), (&r, &dot))) in out.iter_mut().zip(terms) {
                    *out = g * r - x * dot;
                }
            }
        });
        Ok((out, x.dims.into()))
    }

    fn compose(&self, [x, g]: [&Tensor; 2]) -> Result<Tensor> {
        let r = (x.sqr()?.mean_keepdim(1)? + EPSILON)?.sqrt()?.recip()?;
        let dot = ((x * g)?.mean_keepdim(1)? * (r.sqr()? * &r)?)?;
        g.broadcast_mul(&r)? - x.broadcast_mul(&dot)?
    }

    /// With r = (x·x/C + ε)^(-1/2) and F(x, g) = r g − r³ x (x·g)/C, contracted with `h`: symmetric in g and h, so
    /// that the part of g is F(x, h); the part of x is
    /// −r³ [x (g·h) + g (x·h) + h (x·g)]/C + 3 r⁵ x (x·g)(x·h)/C².
    fn adjoint(&self, [x, g]: [&Tensor; 2], _: &Tensor, h: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        let of_x = if wanted[0] {
            let r = (x.sqr()?.mean_keepdim(1)? + EPSILON)?.sqrt()?.recip()?;
            let mean = |a: &Tensor, b: &Tensor| (a * b)?.mean_keepdim(1);
            let (xg, xh, gh) = (mean(x, g)?, mean(x, h)?, mean(g, h)?);
            let sum = ((x.broadcast_mul(&gh)? + g.broadcast_mul(&xh)?)? + h.broadcast_mul(&xg)?)?;
            let cubic = ((xg * xh)? * (r.sqr()? * 3.0)?)?;
            let inner = (x.broadcast_mul(&cubic)? - sum)?;
            Some(inner.broadcast_mul(&(r.sqr()? * &r)?)?)
        } else {
            None
        };
        let of_g = if wanted[1] { Some(apply2(PixelNormGradient, x, h)?) } else { None };
        Ok([of_x, of_g])
    }
}

/// Pixel norm of `[N, C, …]`: each feature vector divided by √(mean square over C + 1e-8) (DuMont Schütte 2021).
///
/// # Errors
/// If the tensor has fewer than two dimensions.
pub fn pixel_norm(x: &Tensor) -> Result<Tensor> {
    apply1(PixelNorm, x)
}

/// Layer norm over the last dimension: zero mean, unit variance (`epsilon` under the root), times `scale` plus `shift`.
///
/// # Errors
/// If scale and shift do not have the length of the last dimension.
pub fn layer_norm(x: &Tensor, scale: &Tensor, shift: &Tensor, epsilon: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
    centred.broadcast_div(&deviation)?.broadcast_mul(scale)?.broadcast_add(shift)
}

/// `x` `[N, C, H, W]` with one more channel that tells how much the images of a group differ: `[N, C + 1, H, W]`.
///
/// Groups have at most `group` members (4 in the papers): the largest number that divides N. Members are strided (i,
/// i + N/group, …). The channel holds the group's standard deviation (1e-8 under the root), averaged over features
/// and pixels (DuMont Schütte 2021).
///
/// # Errors
/// If the tensor does not have four dimensions or `group` is 0.
pub fn minibatch_stddev(x: &Tensor, group: usize) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let Some(group) = (1..=group.min(n)).rev().find(|g| n.is_multiple_of(*g)) else {
        bail!("groups of {group} cannot be formed from {n} images")
    };
    let members = x.contiguous()?.reshape((group, n / group, c * h * w))?;
    let centred = members.broadcast_sub(&members.mean_keepdim(0)?)?;
    let deviation = (centred.sqr()?.mean(0)? + EPSILON)?.sqrt()?.mean(1)?;
    let channel = deviation.reshape((1, n / group))?.broadcast_as((group, n / group))?.reshape((n, 1, 1, 1))?;
    Tensor::cat(&[x, &channel.broadcast_as((n, 1, h, w))?.contiguous()?], 1)
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for shape in [vec![2, 3, 2, 3], vec![3, 5], vec![8, 2, 3, 3]] {
            let x = [tensor(&shape, 1)];
            check("pixel_norm", &x, &|t| pixel_norm(&t[0]));
            if shape.len() == 4 {
                check("minibatch_stddev", &x, &|t| minibatch_stddev(&t[0], 4));
            }
        }
    }

    #[test]
    fn layer_norm_has_right_gradients() {
        let args = [tensor(&[2, 3, 5], 1), tensor(&[5], 2), tensor(&[5], 3)];
        check("layer_norm", &args, &|t| layer_norm(&t[0], &t[1], &t[2], 1e-5));
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for shape in [vec![2, 3, 2, 3], vec![3, 5], vec![5, 16, 17, 9]] {
            let (x, g) = (tensor(&shape, 1), tensor(&shape, 2));
            agrees(&PixelNorm, [&x]);
            agrees(&PixelNormGradient, [&x, &g]);
        }
    }

    /// sin(0), sin(1), … in the given shape.
    fn sines(shape: &[usize]) -> Tensor {
        let n = shape.iter().product::<usize>();
        Tensor::from_vec((0..n).map(|i| (i as f32).sin()).collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    // import torch
    // x = torch.sin(torch.arange(8 * 3 * 2 * 2, dtype=torch.float32)).view(8, 3, 2, 2)
    // y = x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-8)
    // print(y.flatten()[:6].tolist())
    // g = x.reshape(4, -1, 3, 2, 2); s = torch.sqrt((g - g.mean(0)).square().mean(0) + 1e-8).mean((1, 2, 3))
    // print(s.tolist())
    #[test]
    fn numbers_are_those_of_pytorch() {
        let x = sines(&[8, 3, 2, 2]);
        let y = pixel_norm(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (found, expected) in y.iter().zip(PIXEL_NORM) {
            assert!((found - expected).abs() < 2e-6, "{found} in place of {expected}");
        }
        let y = minibatch_stddev(&x, 4).unwrap();
        assert_eq!(y.dims(), [8, 4, 2, 2]);
        let channel = y.narrow(1, 3, 1).unwrap().flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
        for (image, pixels) in channel.iter().enumerate() {
            for pixel in pixels {
                assert!((pixel - STDDEV[image % 2]).abs() < 1e-6, "{pixel} in image {image}");
            }
        }
    }

    const PIXEL_NORM: [f32; 6] = [0.0, 1.087_104_4, 1.437_214_3, 0.202_878_8, -1.052_340_1, -1.238_843_4];
    const STDDEV: [f32; 2] = [0.648_832_7, 0.643_191_9];

    #[test]
    fn groups_are_as_large_as_the_number_of_images_allows() {
        let x = sines(&[6, 1, 1, 1]);
        assert_eq!(minibatch_stddev(&x, 4).unwrap().numbers(), minibatch_stddev(&x, 3).unwrap().numbers());
        let alone = minibatch_stddev(&sines(&[1, 2, 1, 1]), 4).unwrap().numbers();
        assert!((alone[2] - 1e-4).abs() < 1e-7, "one image does not differ from itself");
        assert!(minibatch_stddev(&x, 0).is_err());
    }

    trait Pixels {
        fn numbers(&self) -> Vec<f32>;
    }

    impl Pixels for Tensor {
        fn numbers(&self) -> Vec<f32> {
            self.flatten_all().unwrap().to_vec1().unwrap()
        }
    }
}
