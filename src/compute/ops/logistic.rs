//! The loss of independent findings.

use candle_core::{Result, Tensor};

/// Binary cross-entropy of logits against labels 0 to 1, both `[N, L]`: the mean over batch and findings, a scalar.
///
/// Written so that neither a very large nor a very small logit overflows: max(x, 0) − x y + ln(1 + e^−|x|).
///
/// # Errors
/// If the shapes differ.
pub fn bce_with_logits(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    ((logits.relu()? - (logits * labels)?)? + tail)?.mean_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn loss_and_gradient_are_those_of_pytorch() {
        // x=torch.tensor([[-80.,-1.5,0.],[2.25,.5,90.]],requires_grad=True,dtype=torch.float64)
        // y=torch.tensor([[0.,1.,1.],[0.,.25,0.]],dtype=torch.float64)
        // l=torch.nn.functional.binary_cross_entropy_with_logits(x,y); l.backward(); print(l.item(), x.grad.tolist())
        crate::compute::init();
        let x = Var::new(&[[-80f64, -1.5, 0.0], [2.25, 0.5, 90.0]], &Device::Cpu).unwrap();
        let y = Tensor::new(&[[0f64, 1.0, 1.0], [0.0, 0.25, 0.0]], &Device::Cpu).unwrap();
        let loss = bce_with_logits(&x, &y).unwrap();
        assert!((loss.to_scalar::<f64>().unwrap() - LOSS).abs() < 1e-9);
        let found = loss.backward().unwrap().get(&x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for (found, expected) in found.iter().zip(GRADIENT) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    const LOSS: f64 = 15.932_307_333_607;
    const GRADIENT: [f64; 6] = [
        0.000_000_000_000,
        -0.136_262_412_699,
        -0.083_333_333_333,
        0.150_775_089_183,
        0.062_076_555_200,
        0.166_666_666_667,
    ];
}
