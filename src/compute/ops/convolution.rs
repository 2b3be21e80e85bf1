//! Convolution, its data gradient and its weight gradient: three bilinear operations, each differentiated by the
//! other two, so that every order of derivative stays among them.
//!
//! On the CPU each is a product with a matrix of image patches. Work is cut by image, or by input channels where images
//! are summed over, so that results do not depend on the number of threads.

mod forms;
mod kernels;

use super::activation::{Activation, LEAKY};
use super::channel::{ChannelSum, bias_for};
use super::element::Element;
use super::operation::{Operation, View, apply1, apply2, apply3};
use super::patches::Sizes;
use super::resample::{avg2, up2};
use candle_core::{Result, Shape, Tensor, bail};
use forms::{Spread, Turn};
use kernels::{data_gradient, forward, weight_gradient};

/// How a convolution moves over the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Distance in pixels between neighbouring positions, at least 1.
    pub stride: usize,
    /// Rows and columns of zeros added on every side.
    pub padding: usize,
}

impl Conv {
    /// Stride 1, no padding: for 1×1 kernels.
    pub const PLAIN: Self = Self { stride: 1, padding: 0 };
    /// Stride 1, padding 1: a 3×3 kernel keeps the size.
    pub const SAME: Self = Self { stride: 1, padding: 1 };

    /// Sizes of the convolution of an input with a weight.
    fn sizes(self, x: [usize; 4], weight: [usize; 4]) -> Result<Sizes> {
        let ([n, c, h, w], [o, wc, kh, kw]) = (x, weight);
        if c != wc {
            bail!("a weight for {wc} channels meets an input of {c}");
        }
        let out = |size: usize, kernel: usize| match (size + 2 * self.padding).checked_sub(kernel) {
            Some(room) if self.stride > 0 && kernel > 0 => Ok(room / self.stride + 1),
            _ => bail!("a kernel of {kernel} does not fit {size} pixels with stride and padding {self:?}"),
        };
        let (ho, wo) = (out(h, kh)?, out(w, kw)?);
        Ok(Sizes { n, c, h, w, o, kh, kw, ho, wo, stride: self.stride, padding: (self.padding, self.padding) })
    }
}

#[derive(Clone, Copy)]
struct Forward(Conv);

#[derive(Clone, Copy)]
struct DataGradient {
    conv: Conv,
    height: usize,
    width: usize,
}

#[derive(Clone, Copy)]
struct WeightGradient {
    conv: Conv,
    height: usize,
    width: usize,
}

impl WeightGradient {
    fn of(conv: Conv, weight: &Tensor) -> Result<Self> {
        let (_, _, height, width) = weight.dims4()?;
        Ok(Self { conv, height, width })
    }
}

impl DataGradient {
    fn of(conv: Conv, x: &Tensor) -> Result<Self> {
        let (_, _, height, width) = x.dims4()?;
        Ok(Self { conv, height, width })
    }
}

/// `value()`, if wanted.
fn when(wanted: bool, value: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    if wanted { value().map(Some) } else { Ok(None) }
}

impl Operation<2> for Forward {
    const NAME: &'static str = "conv2d";
    const WEIGHTS: [bool; 2] = [false, true];

    fn kernel<T: Element>(&self, [x, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let s = self.0.sizes(x.dims4()?, weight.dims4()?)?;
        Ok((forward(x.numbers, weight.numbers, &s, |_, _| {}), (s.n, s.o, s.ho, s.wo).into()))
    }

    fn compose(&self, [x, weight]: [&Tensor; 2]) -> Result<Tensor> {
        x.conv2d(weight, self.0.padding, self.0.stride, 1, 1)
    }

    fn adjoint(
        &self,
        [x, weight]: [&Tensor; 2],
        _: &Tensor,
        g: &Tensor,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([
            when(wanted[0], || apply2(DataGradient::of(self.0, x)?, g, weight))?,
            when(wanted[1], || apply2(WeightGradient::of(self.0, weight)?, x, g))?,
        ])
    }
}

impl Operation<2> for DataGradient {
    const NAME: &'static str = "data gradient of conv2d";
    const WEIGHTS: [bool; 2] = [false, true];

    fn kernel<T: Element>(&self, [g, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let [n, o, ho, wo] = g.dims4()?;
        let [wo_channels, c, kh, kw] = weight.dims4()?;
        let s = self.conv.sizes([n, c, self.height, self.width], [wo_channels, c, kh, kw])?;
        if [s.o, s.ho, s.wo] != [o, ho, wo] {
            bail!("a gradient of shape {:?} does not belong to the output {:?}", g.dims, [n, s.o, s.ho, s.wo]);
        }
        Ok((data_gradient(g.numbers, weight.numbers, &s), (n, c, self.height, self.width).into()))
    }

    fn compose(&self, [g, weight]: [&Tensor; 2]) -> Result<Tensor> {
        let Conv { stride, padding } = self.conv;
        let (_, _, kh, kw) = weight.dims4()?;
        let (_, _, ho, wo) = g.dims4()?;
        if stride == 1 && kh == kw && padding < kh {
            // The framework's transposed convolution is a plain loop; an ordinary convolution is a matrix product.
            let turned = Turn.compose([weight])?.contiguous()?;
            return g.conv2d(&turned, kh - 1 - padding, 1, 1, 1);
        }
        let short = |size: usize, out: usize, kernel: usize| size + 2 * padding - ((out - 1) * stride + kernel);
        let more = short(self.height, ho, kh).max(short(self.width, wo, kw));
        let x = g.conv_transpose2d(weight, padding, more, stride, 1)?;
        x.narrow(2, 0, self.height)?.narrow(3, 0, self.width)
    }

    fn adjoint(
        &self,
        [g0, weight]: [&Tensor; 2],
        _: &Tensor,
        g: &Tensor,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor>; 2]> {
        Ok([
            when(wanted[0], || apply2(Forward(self.conv), g, weight))?,
            when(wanted[1], || apply2(WeightGradient::of(self.conv, weight)?, g, g0))?,
        ])
    }
}

impl Operation<2> for WeightGradient {
    const NAME: &'static str = "weight gradient of conv2d";
    const WEIGHTS: [bool; 2] = [false, false];

    fn kernel<T: Element>(&self, [x, g]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let ([n, c, h, w], [gn, o, ho, wo]) = (x.dims4()?, g.dims4()?);
        let s = self.conv.sizes([n, c, h, w], [o, c, self.height, self.width])?;
        if [s.n, s.ho, s.wo] != [gn, ho, wo] {
            bail!("a gradient of shape {:?} does not belong to an input of shape {:?}", g.dims, x.dims);
        }
        Ok((weight_gradient(x.numbers, g.numbers, &s), (o, c, self.height, self.width).into()))
    }

    fn compose(&self, [x, g]: [&Tensor; 2]) -> Result<Tensor> {
        let Conv { stride, padding } = self.conv;
        let (x, g) = (x.transpose(0, 1)?.contiguous()?, g.transpose(0, 1)?.contiguous()?);
        let weight = x.conv2d(&g, padding, 1, stride, 1)?.transpose(0, 1)?;
        weight.narrow(2, 0, self.height)?.narrow(3, 0, self.width)
    }

    fn adjoint(&self, [x, g0]: [&Tensor; 2], _: &Tensor, g: &Tensor, wanted: [bool; 2]) -> Result<[Option<Tensor>; 2]> {
        Ok([
            when(wanted[0], || apply2(DataGradient::of(self.conv, x)?, g0, g))?,
            when(wanted[1], || apply2(Forward(self.conv), x, g))?,
        ])
    }
}

/// Convolution, bias and, if asked for, leaky ReLU in one pass over the output.
#[derive(Clone, Copy)]
struct Biased {
    conv: Conv,
    activation: Activation,
}

impl Operation<3> for Biased {
    const NAME: &'static str = "conv2d with bias";
    const WEIGHTS: [bool; 3] = [false, true, true];

    fn kernel<T: Element>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let s = self.conv.sizes(x.dims4()?, weight.dims4()?)?;
        if bias.dims != [s.o] {
            bail!("a bias of shape {:?} meets {} output channels", bias.dims, s.o);
        }
        let activate = self.activation.function();
        let finish = |channel: usize, y: &mut [T]| {
            let b = bias.numbers[channel];
            for y in y {
                *y = activate(*y + b);
            }
        };
        Ok((forward(x.numbers, weight.numbers, &s, finish), (s.n, s.o, s.ho, s.wo).into()))
    }

    fn compose(&self, [x, weight, bias]: [&Tensor; 3]) -> Result<Tensor> {
        self.activation.compose(&Forward(self.conv).compose([x, weight])?.broadcast_add(&bias_for(bias, 4)?)?)
    }

    fn adjoint(
        &self,
        [x, weight, _]: [&Tensor; 3],
        y: &Tensor,
        g: &Tensor,
        wanted: [bool; 3],
    ) -> Result<[Option<Tensor>; 3]> {
        let g = self.activation.gradient(g, y)?;
        let [x, weight] = Forward(self.conv).adjoint([x, weight], y, &g, [wanted[0], wanted[1]])?;
        Ok([x, weight, when(wanted[2], || apply1(ChannelSum, &g))?])
    }
}

/// Convolution (cross-correlation, as everywhere in the field) of `x` `[N, C, H, W]` with `weight` `[O, C, kh, kw]`.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn conv2d(x: &Tensor, weight: &Tensor, conv: Conv) -> Result<Tensor> {
    apply2(Forward(conv), x, weight)
}

/// Convolution and bias `[O]`, in one pass on the CPU.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn conv2d_bias(x: &Tensor, weight: &Tensor, bias: &Tensor, conv: Conv) -> Result<Tensor> {
    apply3(Biased { conv, activation: Activation::Identity }, x, weight, bias)
}

/// Convolution, bias `[O]` and leaky ReLU of slope 0.2, in one pass on the CPU.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn conv2d_bias_leaky_relu(x: &Tensor, weight: &Tensor, bias: &Tensor, conv: Conv) -> Result<Tensor> {
    apply3(Biased { conv, activation: LEAKY }, x, weight, bias)
}

/// The form of a 3×3 kernel that [`conv_down_prepared`] takes; one for all inputs that meet this weight.
///
/// On the CPU a 4×4 kernel, elsewhere the weight itself.
///
/// # Errors
/// If it is not a 3×3 kernel.
pub fn prepare_down(weight: &Tensor) -> Result<Tensor> {
    let (_, _, kh, kw) = weight.dims4()?;
    if (kh, kw) != (3, 3) {
        bail!("halving wants a 3×3 kernel, not {kh}×{kw}");
    }
    if !weight.device().is_cpu() {
        return Ok(weight.clone());
    }
    apply1(Spread, weight)? * 0.25
}

/// Same-size 3×3 convolution followed by means over 2×2 pixels: `[N, C, 2h, 2w]` to `[N, O, h, w]`; the kernel is one of
/// [`prepare_down`].
///
/// On the CPU as one convolution with a 4×4 kernel at stride 2, which takes 16 products for each output in place of 36.
///
/// # Errors
/// If the shapes do not fit each other, or a side is odd.
pub fn conv_down_prepared(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if h % 2 + w % 2 > 0 {
        bail!("halving wants even sides, not {h}×{w}");
    }
    if !x.device().is_cpu() {
        return avg2(&conv2d(x, kernel, Conv::SAME)?);
    }
    apply2(Forward(Conv { stride: 2, padding: 1 }), x, kernel)
}

/// [`conv_down_prepared`] with a 3×3 weight that is used once.
///
/// # Errors
/// If the shapes do not fit each other, or a side is odd.
pub fn conv_down(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    conv_down_prepared(x, &prepare_down(weight)?)
}

/// Nearest-neighbour doubling followed by a same-size 3×3 convolution: `[N, C, h, w]` to `[N, O, 2h, 2w]`.
///
/// On the CPU as one transposed convolution with a 4×4 kernel at stride 2: 4 products for each output in place of 9.
///
/// # Errors
/// If the shapes do not fit each other.
pub fn conv_up(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (_, _, kh, kw) = weight.dims4()?;
    if (kh, kw) != (3, 3) {
        bail!("doubling wants a 3×3 kernel, not {kh}×{kw}");
    }
    if !x.device().is_cpu() {
        return conv2d(&up2(x)?, weight, Conv::SAME);
    }
    let operation = DataGradient { conv: Conv { stride: 2, padding: 1 }, height: 2 * h, width: 2 * w };
    apply2(operation, x, &apply1(Spread, &apply1(Turn, weight)?)?)
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, draws, tensor};
    use super::forms::Gather;
    use super::*;

    /// Kernel, stride, padding of the networks here: GAN, 1×1, DenseNet's stem, halving, and odd ones.
    const KINDS: [(usize, usize, usize); 8] =
        [(3, 1, 1), (1, 1, 0), (7, 2, 3), (3, 2, 1), (4, 2, 1), (1, 2, 0), (5, 1, 0), (2, 3, 2)];

    #[test]
    fn gradients_of_both_orders_match_differences() {
        for (seed, (k, stride, padding)) in KINDS.into_iter().enumerate() {
            let mut draw = draws(seed as u64);
            let (n, c, o, h, w) = (draw(1, 4), draw(1, 4), draw(1, 4), draw(k.max(4), 9), draw(k.max(4), 9));
            let args = [tensor(&[n, c, h, w], 1), tensor(&[o, c, k, k], 2)];
            let conv = Conv { stride, padding };
            check(&format!("conv2d {k} {conv:?}"), &args, &|t| conv2d(&t[0], &t[1], conv));
        }
    }

    #[test]
    fn kernels_agree_with_the_framework() {
        for (seed, (k, stride, padding)) in KINDS.into_iter().enumerate() {
            let mut draw = draws(100 + seed as u64);
            let (n, c, o) = (draw(1, 18), draw(1, 7), draw(1, 7));
            for (h, w) in [(draw(k.max(4), 9), draw(k.max(4), 9)), (40, 23), (12, 26)] {
                let conv = Conv { stride, padding };
                let (x, weight) = (tensor(&[n, c, h, w], 1), tensor(&[o, c, k, k], 2));
                agrees(&Forward(conv), [&x, &weight]);
                let g = tensor(conv2d(&x, &weight, conv).unwrap().dims(), 3);
                agrees(&DataGradient::of(conv, &x).unwrap(), [&g, &weight]);
                agrees(&WeightGradient::of(conv, &weight).unwrap(), [&x, &g]);
                for activation in [Activation::Identity, LEAKY] {
                    agrees(&Biased { conv, activation }, [&x, &weight, &tensor(&[o], 4)]);
                }
            }
        }
        let weight = tensor(&[3, 2, 3, 3], 5);
        agrees(&Turn, [&weight]);
        agrees(&Spread, [&weight]);
        agrees(&Gather, [&weight]);
    }

    #[test]
    fn fused_forms_have_right_gradients() {
        let args = [tensor(&[2, 3, 4, 6], 1), tensor(&[2, 3, 3, 3], 2), tensor(&[2], 3)];
        check("conv2d_bias", &args, &|t| conv2d_bias(&t[0], &t[1], &t[2], Conv::SAME));
        check("conv2d_bias_leaky_relu", &args, &|t| conv2d_bias_leaky_relu(&t[0], &t[1], &t[2], Conv::SAME));
        check("conv_down", &args[..2], &|t| conv_down(&t[0], &t[1]));
        check("conv_up", &args[..2], &|t| conv_up(&t[0], &t[1]));
    }

    #[test]
    fn halving_and_doubling_are_what_they_stand_for() {
        let close = |a: Tensor, b: Tensor| {
            assert_eq!(a.dims(), b.dims());
            let error = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(error < 1e-12, "{error}");
        };
        let (x, weight) = (tensor(&[3, 4, 6, 10], 1), tensor(&[5, 4, 3, 3], 2));
        close(conv_down(&x, &weight).unwrap(), avg2(&conv2d(&x, &weight, Conv::SAME).unwrap()).unwrap());
        close(conv_up(&x, &weight).unwrap(), conv2d(&up2(&x).unwrap(), &weight, Conv::SAME).unwrap());
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let conv = Conv::SAME;
        let (x, weight, g) = (tensor(&[9, 5, 20, 20], 1), tensor(&[6, 5, 3, 3], 2), tensor(&[9, 6, 20, 20], 3));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = conv2d(&x, &weight, conv).unwrap();
                let w = apply2(WeightGradient::of(conv, &weight).unwrap(), &x, &g).unwrap();
                let d = apply2(DataGradient::of(conv, &x).unwrap(), &g, &weight).unwrap();
                [y, w, d].map(|t| t.flatten_all().unwrap().to_vec1::<f64>().unwrap())
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let x = tensor(&[1, 2, 5, 5], 1);
        assert!(conv2d(&x, &tensor(&[1, 3, 3, 3], 2), Conv::SAME).is_err());
        assert!(conv2d(&x, &tensor(&[1, 2, 9, 9], 2), Conv::SAME).is_err());
        assert!(conv2d(&x, &tensor(&[1, 2, 3, 3], 2), Conv { stride: 0, padding: 1 }).is_err());
        assert!(conv2d_bias(&x, &tensor(&[1, 2, 3, 3], 2), &tensor(&[2], 3), Conv::SAME).is_err());
        assert!(conv_down(&x, &tensor(&[1, 2, 3, 3], 2)).is_err());
    }
}
