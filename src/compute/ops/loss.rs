//! Softmax and the losses made with it, in operations whose gradients are known to be right.

use candle_core::{Result, Tensor};

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

#[cfg(test)]
mod tests {
    use super::super::check::{check, tensor};
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_of_both_orders_match_differences() {
        let args = [tensor(&[3, 5], 1), tensor(&[3, 5], 2)];
        check("softmax", &args[..1], &|t| softmax(&t[0], 1));
        check("softmax over rows", &args[..1], &|t| softmax(&t[0], 0));
        check("log_softmax", &args[..1], &|t| log_softmax(&t[0], 1));
        check("softmax_cross_entropy", &args, &|t| softmax_cross_entropy(&t[0], &t[1]));
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
