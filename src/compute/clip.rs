//! Clipping of gradients by their common norm.

use super::parameters::Parameters;
use candle_core::backprop::GradStore;
use candle_core::{DType, Result};

/// Scales the gradients of all variables of `parameters` down so that their common Euclidean norm is at most `limit`;
/// gives the norm before. A norm that is not finite changes nothing: the optimiser skips such a step.
///
/// # Errors
/// If the device cannot be read.
pub fn clip_norm(grads: &mut GradStore, parameters: &Parameters, limit: f64) -> Result<f64> {
    let mut square = 0.0;
    for (_, variable) in parameters.variables() {
        if let Some(gradient) = grads.get(variable) {
            square += gradient.detach().sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        }
    }
    let norm = square.sqrt();
    if norm.is_finite() && norm > limit {
        for (_, variable) in parameters.variables() {
            if let Some(gradient) = grads.remove(variable) {
                grads.insert(variable, (gradient.detach() * (limit / norm))?);
            }
        }
    }
    Ok(norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn long_gradients_are_shortened_and_short_ones_left() {
        let list = [("a".to_string(), vec![1]), ("b".to_string(), vec![1])];
        let parameters =
            Parameters::new(list, &Device::Cpu, |name, _| vec![if name == "a" { 3.0 } else { 4.0 }]).unwrap();
        let (a, b) = (parameters.get("a").unwrap(), parameters.get("b").unwrap());
        let loss = ((a.sqr().unwrap() + b.sqr().unwrap()).unwrap() * 0.5).unwrap().sum_all().unwrap();
        let value = |grads: &GradStore, t| grads.get(t).unwrap().to_vec1::<f32>().unwrap()[0];
        let mut grads = loss.backward().unwrap();
        assert!((clip_norm(&mut grads, &parameters, 10.0).unwrap() - 5.0).abs() < 1e-6);
        assert_eq!((value(&grads, a), value(&grads, b)), (3.0, 4.0));
        assert!((clip_norm(&mut grads, &parameters, 1.0).unwrap() - 5.0).abs() < 1e-6);
        assert!((value(&grads, a) - 0.6).abs() < 1e-6 && (value(&grads, b) - 0.8).abs() < 1e-6);
    }
}
