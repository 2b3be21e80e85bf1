//! Exponential moving average of a network's parameters: the copy that is sampled from and shipped.

use super::parameters::{Named, Parameters};
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, bail};

/// A slowly following copy of a network's parameters.
pub struct Ema {
    shadow: Parameters,
    decay: f64,
}

impl Ema {
    /// Starts as a copy of `parameters`; `decay` is the share of the old value that stays at each update (0.999 in the
    /// papers).
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn new(parameters: &Parameters, decay: f64) -> Result<Self> {
        Ok(Self { shadow: parameters.copied()?, decay })
    }

    /// Changes the share of the old value that stays at each update from now on.
    pub fn set_decay(&mut self, decay: f64) {
        self.decay = decay;
    }

    /// Moves every tensor towards the present one: a ← decay a + (1 − decay) p.
    ///
    /// # Errors
    /// If `parameters` is another network's.
    pub fn update(&mut self, parameters: &Parameters) -> Result<()> {
        for (name, shadow) in self.shadow.variables() {
            let present = parameters.get(name)?.detach();
            if shadow.device().is_cpu() {
                shadow.inplace_op2(&present, &Follow { share: (1.0 - self.decay) as f32 })?;
            } else {
                let old = shadow.as_detached_tensor();
                shadow.set(&(&old + ((present - &old)? * (1.0 - self.decay))?)?)?;
            }
        }
        Ok(())
    }

    /// The average, without gradients; later updates show through.
    pub fn parameters(&self) -> Parameters {
        self.shadow.detached()
    }

    /// The average as plain numbers.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn to_vecs(&self) -> Result<Named> {
        self.shadow.to_vecs()
    }

    /// Takes up a saved average.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn load(&mut self, tensors: &Named) -> Result<()> {
        self.shadow.load(tensors)
    }
}

/// One update of one tensor in place.
struct Follow {
    share: f32,
}

impl InplaceOp2 for Follow {
    fn name(&self) -> &'static str {
        "moving average"
    }

    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout, ps: &CpuStorage, pl: &Layout) -> Result<()> {
        let (Some((start, end)), Some((pstart, pend))) = (l.contiguous_offsets(), pl.contiguous_offsets()) else {
            bail!("the moving average was given a tensor that is not contiguous")
        };
        let (CpuStorage::F32(average), CpuStorage::F32(present)) = (s, ps) else {
            bail!("the moving average was given numbers that are not f32")
        };
        if l.shape() != pl.shape() {
            bail!("a tensor of shape {:?} meets an average of shape {:?}", pl.dims(), l.dims());
        }
        for (average, present) in average[start..end].iter_mut().zip(&present[pstart..pend]) {
            *average += (present - *average) * self.share;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    #[test]
    fn follows_at_the_stated_pace_in_memory_of_its_own() {
        let list = [("w".to_string(), vec![2])];
        let parameters = Parameters::new(list, &Device::Cpu, |_, _| vec![1.0, -2.0]).unwrap();
        let mut ema = Ema::new(&parameters, 0.9).unwrap();
        let (_, variable) = parameters.variables().next().unwrap();
        variable.set(&Tensor::new(&[3f32, 0.0], &Device::Cpu).unwrap()).unwrap();
        ema.update(&parameters).unwrap();
        ema.update(&parameters).unwrap();
        // 1 → 1.2 → 1.38 and −2 → −1.8 → −1.62.
        let found = ema.parameters().get("w").unwrap().to_vec1::<f32>().unwrap();
        assert!((found[0] - 1.38).abs() < 1e-6 && (found[1] + 1.62).abs() < 1e-6, "{found:?}");
        let saved = ema.to_vecs().unwrap();
        let mut other = Ema::new(&parameters, 0.9).unwrap();
        other.load(&saved).unwrap();
        assert_eq!(other.to_vecs().unwrap(), saved);
    }
}
