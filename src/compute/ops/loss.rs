//! Softmax, sigmoid and the losses made with them.

use super::element::{Element, map};
use super::operation::{Operation, View, apply1};
use candle_core::{Result, Shape, Tensor};

/// Logarithm of the softmax over dimension `dim`.
///
/// # Errors
/// If there is no such dimension.
pub fn log_softmax(x: &Tensor, dim: usize) -> Result<Tensor> {
    // Shifting by the largest value changes neither the result nor its gradient, so the shift counts as constant.
    let shifted = x.broadcast_sub(&x.detach().max_keepdim(dim)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(dim)?.log()?)
}

/// Softmax over dimension `dim`.
///
/// # Errors
/// If there is no such dimension.
pub fn softmax(x: &Tensor, dim: usize) -> Result<Tensor> {
    let powers = x.broadcast_sub(&x.detach().max_keepdim(dim)?)?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(dim)?)
}

/// Cross-entropy −Σ target · log softmax(logits) of every row: `[N, L]` and `[N, L]` to `[N]`.
///
/// # Errors
/// If the shapes differ.
pub fn softmax_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    (log_softmax(logits, 1)? * targets)?.sum(1)?.neg()
}

/// ln(1 + exp(x)), whose derivative is the sigmoid.
#[derive(Clone, Copy)]
struct Softplus;

impl Operation<1> for Softplus {
    const NAME: &'static str = "softplus";
    const WEIGHTS: [bool; 1] = [false];

    fn kernel<T: Element>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((map(x.numbers, T::softplus), x.dims.into()))
    }

    fn compose(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
    }

    fn adjoint(&self, [x]: [&Tensor; 1], _: &Tensor, g: &Tensor, _: [bool; 1]) -> Result<[Option<Tensor>; 1]> {
        Ok([Some((g * sigmoid(x)?)?)])
    }
}

/// ln(1 + exp(x)), exact for large numbers of either sign.
///
/// # Errors
/// If the tensor is neither `f32` nor `f64`.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    apply1(Softplus, x)
}

/// 1 / (1 + exp(−x)), by way of tanh: neither value nor gradient overflows.
///
/// # Errors
/// Those of the framework.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? * 0.5)? + 0.5
}

/// Binary cross-entropy of `logits` with `targets` in 0 to 1, of the same shape: the mean over all numbers, a scalar.
///
/// # Errors
/// If the shapes differ.
pub fn bce_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    (softplus(logits)? - (logits * targets)?)?.mean_all()
}

/// [`bce_with_logits`] with a weight for every number, of the same shape: the mean of the weighted terms.
///
/// # Errors
/// If the shapes differ.
pub fn weighted_bce_with_logits(logits: &Tensor, targets: &Tensor, weights: &Tensor) -> Result<Tensor> {
    ((softplus(logits)? - (logits * targets)?)? * weights)?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::super::check::{agrees, check, tensor};
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        let args = [tensor(&[3, 5], 1), tensor(&[3, 5], 2)];
        check("softmax", &args[..1], &|t| softmax(&t[0], 1));
        check("softmax over rows", &args[..1], &|t| softmax(&t[0], 0));
        check("log_softmax", &args[..1], &|t| log_softmax(&t[0], 1));
        check("softmax_cross_entropy", &args, &|t| softmax_cross_entropy(&t[0], &t[1]));
        check("sigmoid", &args[..1], &|t| sigmoid(&t[0]));
        check("softplus", &args[..1], &|t| softplus(&t[0]));
        check("bce_with_logits", &args, &|t| bce_with_logits(&t[0], &t[1]));
        let weights = tensor(&[3, 5], 3);
        check("weighted_bce_with_logits", &args, &|t| weighted_bce_with_logits(&t[0], &t[1], &weights));
        agrees(&Softplus, [&(&args[0] * 10.0).unwrap()]);
    }

    // import torch
    // x = torch.tensor([0., -3., 80., -90., 1.5], requires_grad=True); t = torch.tensor([1., 0., 0., 1., .25])
    // y = torch.nn.functional.binary_cross_entropy_with_logits(x, t); y.backward()
    // print(y.item(), x.grad.tolist())
    #[test]
    fn binary_cross_entropy_is_that_of_pytorch() {
        crate::compute::init();
        let logits = candle_core::Var::new(&[0f32, -3.0, 80.0, -90.0, 1.5], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[1f32, 0.0, 0.0, 1.0, 0.25], &Device::Cpu).unwrap();
        let loss = bce_with_logits(&logits, &targets).unwrap();
        let grads = loss.backward().unwrap();
        let gradient = grads.get(&logits).unwrap().to_vec1::<f32>().unwrap();
        let pairs =
            std::iter::once((loss.to_scalar::<f32>().unwrap(), BCE)).chain(gradient.into_iter().zip(BCE_GRADIENT));
        for (found, expected) in pairs {
            assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} in place of {expected}");
        }
    }

    const BCE: f32 = 34.41363;
    const BCE_GRADIENT: [f32; 5] = [-0.1, 0.00948517, 0.2, -0.2, 0.11351489];

    #[test]
    fn weighted_cross_entropy_is_the_weighted_mean() {
        // F.binary_cross_entropy_with_logits(torch.tensor([0., -3., 1.5]), torch.tensor([1., 0., .25]),
        //     weight=torch.tensor([2., .5, 1.])): (2·ln 2 + .5·ln(1+e⁻³) + ln(1+e^1.5) − .375) / 3 = 0.912_333_8
        let new = |values: [f32; 3]| Tensor::new(&values, &Device::Cpu).unwrap();
        let loss = weighted_bce_with_logits(&new([0.0, -3.0, 1.5]), &new([1.0, 0.0, 0.25]), &new([2.0, 0.5, 1.0]));
        let loss = loss.unwrap().to_scalar::<f32>().unwrap();
        assert!((loss - 0.912_333_8).abs() < 1e-6, "{loss}");
    }

    // import torch
    // l = torch.tensor([[1., -2., 0.5], [100., 101., -100.]]); t = torch.tensor([[1., 0., 0.], [0., .5, .5]])
    // print(torch.nn.functional.cross_entropy(l, t, reduction='none').tolist())
    #[test]
    fn cross_entropy_is_that_of_pytorch() {
        let logits = Tensor::new(&[[1f32, -2.0, 0.5], [100.0, 101.0, -100.0]], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[[1f32, 0.0, 0.0], [0.0, 0.5, 0.5]], &Device::Cpu).unwrap();
        let found = softmax_cross_entropy(&logits, &targets).unwrap().to_vec1::<f32>().unwrap();
        for (found, expected) in found.iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 1e-5, "{found} in place of {expected}");
        }
    }

    const EXPECTED: [f32; 2] = [0.504_596_9, 100.813_26];
}
