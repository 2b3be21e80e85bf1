//! Adam (Kingma and Ba, 2015) with state that can be saved, and steps that skip what is not finite.

use super::parameters::{Named, Parameters};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;
use std::cell::RefCell;

/// The four numbers of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Learning rate.
    pub rate: f64,
    /// Decay of the mean of gradients, 0 up to 1; 0 in the papers.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, 0 up to 1; 0.99 in the papers.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for AdamConfig {
    /// Those of the published GANs (DuMont Schütte 2021).
    fn default() -> Self {
        Self { rate: 0.001, beta1: 0.0, beta2: 0.99, epsilon: 1e-8 }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The parameters moved.
    Taken,
    /// A gradient was not finite: neither parameters nor state have changed.
    Skipped,
}

/// Running means of one parameter.
enum Moments {
    /// On the CPU: plain numbers, updated in place.
    Host { mean: Vec<f32>, square: Vec<f32> },
    /// On another device.
    Device { mean: Tensor, square: Tensor },
}

impl Moments {
    fn zeros(like: &Var) -> Result<Self> {
        Ok(if like.device().is_cpu() {
            let zeros = vec![0.0; like.elem_count()];
            Self::Host { mean: zeros.clone(), square: zeros }
        } else {
            let zeros = Tensor::zeros(like.shape(), DType::F32, like.device())?;
            Self::Device { mean: zeros.clone(), square: zeros }
        })
    }
}

/// One variable and what its steps depend on.
struct Slot {
    name: String,
    variable: Var,
    moments: Moments,
    /// Its part of the learning rate.
    share: f64,
}

/// The optimiser of one network.
pub struct Adam {
    config: AdamConfig,
    slots: Vec<Slot>,
    steps: u64,
    skipped: u64,
}

impl Adam {
    /// An optimiser for every variable of `parameters`, its running means at zero.
    ///
    /// # Errors
    /// If a variable is not `f32`, or the device has no memory left.
    pub fn new(parameters: &Parameters, config: AdamConfig) -> Result<Self> {
        let mut slots = Vec::with_capacity(parameters.len());
        for (name, variable) in parameters.variables() {
            if variable.dtype() != DType::F32 {
                bail!("Adam updates f32 variables, {name} is {:?}", variable.dtype());
            }
            let moments = Moments::zeros(variable)?;
            slots.push(Slot { name: name.to_string(), variable: variable.clone(), moments, share: 1.0 });
        }
        Ok(Self { config, slots, steps: 0, skipped: 0 })
    }

    /// Its numbers.
    pub fn config(&self) -> AdamConfig {
        self.config
    }

    /// Sets the learning rate from the next step on.
    pub fn set_rate(&mut self, rate: f64) {
        self.config.rate = rate;
    }

    /// Lets the variables whose names `is_slow` chooses move by a share of the rate from the next step on.
    pub fn slow(&mut self, share: f64, is_slow: impl Fn(&str) -> bool) {
        self.slots.iter_mut().filter(|slot| is_slow(&slot.name)).for_each(|slot| slot.share = share);
    }

    /// Steps taken since the start or the last [`Adam::reset`].
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Steps skipped since the start because a gradient was not finite.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Forgets all running means, as the growing GAN does at every change of level.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn reset(&mut self) -> Result<()> {
        self.steps = 0;
        for slot in &mut self.slots {
            slot.moments = Moments::zeros(&slot.variable)?;
        }
        Ok(())
    }

    /// Moves every variable that has a gradient; skips the whole step if any gradient is not finite.
    ///
    /// # Errors
    /// If a gradient has another shape or type than its variable.
    pub fn step(&mut self, grads: &GradStore) -> Result<Step> {
        for slot in &self.slots {
            if let Some(gradient) = grads.get(&slot.variable)
                && !is_finite(gradient)?
            {
                self.skipped += 1;
                return Ok(Step::Skipped);
            }
        }
        self.steps += 1;
        let AdamConfig { rate, beta1, beta2, epsilon } = self.config;
        let steps = self.steps.min(i32::MAX as u64) as i32;
        let rate = rate / (1.0 - beta1.powi(steps));
        let root = (1.0 - beta2.powi(steps)).sqrt();
        for Slot { variable, moments, share, .. } in &mut self.slots {
            let Some(gradient) = grads.get(variable) else { continue };
            let gradient = gradient.detach();
            let rate = rate * *share;
            match moments {
                Moments::Host { mean, square } => {
                    let [beta1, beta2, rate] = [beta1 as f32, beta2 as f32, rate as f32];
                    let (root, epsilon) = (root as f32, epsilon as f32);
                    let update = Update { moments: RefCell::new((mean, square)), beta1, beta2, rate, root, epsilon };
                    variable.inplace_op2(&gradient.contiguous()?, &update)?;
                }
                Moments::Device { mean, square } => {
                    *mean = ((&*mean * beta1)? + (&gradient * (1.0 - beta1))?)?;
                    *square = ((&*square * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
                    let scale = ((square.sqrt()? / root)? + epsilon)?;
                    variable.set(&(variable.as_detached_tensor() - ((&*mean / scale)? * rate)?)?)?;
                }
            }
        }
        Ok(Step::Taken)
    }

    /// The running means as named tensors, `mean.NAME` and `square.NAME`; with [`Adam::steps`] and [`Adam::skipped`] the
    /// whole state.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn to_vecs(&self) -> Result<Named> {
        let mut tensors = Named::new();
        for Slot { name, variable, moments, .. } in &self.slots {
            let (mean, square) = match moments {
                Moments::Host { mean, square } => (mean.clone(), square.clone()),
                Moments::Device { mean, square } => (mean.flatten_all()?.to_vec1()?, square.flatten_all()?.to_vec1()?),
            };
            tensors.insert(format!("mean.{name}"), (variable.dims().to_vec(), mean));
            tensors.insert(format!("square.{name}"), (variable.dims().to_vec(), square));
        }
        Ok(tensors)
    }

    /// Takes up the state that [`Adam::to_vecs`], [`Adam::steps`] and [`Adam::skipped`] gave.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape; nothing has been changed then.
    pub fn load(&mut self, tensors: &Named, steps: u64, skipped: u64) -> Result<()> {
        let mut loaded = Vec::with_capacity(self.slots.len());
        for Slot { name, variable, .. } in &self.slots {
            let find = |kind: &str| {
                let name = format!("{kind}.{name}");
                match tensors.get(&name) {
                    Some((shape, numbers)) if shape == variable.dims() && numbers.len() == variable.elem_count() => {
                        Ok(numbers.clone())
                    }
                    Some((shape, _)) => bail!("{name} has the shape {shape:?} in place of {:?}", variable.dims()),
                    None => bail!("the optimiser's tensor {name} is missing"),
                }
            };
            let (mean, square) = (find("mean")?, find("square")?);
            loaded.push(if variable.device().is_cpu() {
                Moments::Host { mean, square }
            } else {
                let place = |numbers| Tensor::from_vec(numbers, variable.shape(), variable.device());
                Moments::Device { mean: place(mean)?, square: place(square)? }
            });
        }
        for (slot, moments) in self.slots.iter_mut().zip(loaded) {
            slot.moments = moments;
        }
        self.steps = steps;
        self.skipped = skipped;
        Ok(())
    }
}

/// Whether every number of a tensor is finite.
fn is_finite(tensor: &Tensor) -> Result<bool> {
    let tensor = tensor.detach();
    if tensor.device().is_cpu() && tensor.is_contiguous() && tensor.dtype() == DType::F32 {
        let (storage, layout) = tensor.storage_and_layout();
        if let (candle_core::Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) {
            // A product with zero is zero unless the number is infinite or not a number.
            return Ok(storage.as_slice::<f32>()?[start..end].iter().map(|x| x * 0.0).sum::<f32>() == 0.0);
        }
    }
    Ok((tensor * 0.0)?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()? == 0.0)
}

/// One update of one variable in one pass over its memory.
struct Update<'a> {
    moments: RefCell<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
    beta1: f32,
    beta2: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "Adam"
    }

    fn cpu_fwd(&self, s: &mut CpuStorage, l: &Layout, gs: &CpuStorage, gl: &Layout) -> Result<()> {
        let (Some((start, end)), Some((gstart, gend))) = (l.contiguous_offsets(), gl.contiguous_offsets()) else {
            bail!("Adam was given a tensor that is not contiguous")
        };
        let (CpuStorage::F32(values), CpuStorage::F32(gradient)) = (s, gs) else {
            bail!("Adam was given numbers that are not f32")
        };
        let (values, gradient) = (&mut values[start..end], &gradient[gstart..gend]);
        let (mean, square) = &mut *self.moments.borrow_mut();
        if values.len() != gradient.len() || l.shape() != gl.shape() {
            bail!("a gradient of shape {:?} meets a variable of shape {:?}", gl.dims(), l.dims());
        }
        let Self { beta1, beta2, rate, root, epsilon, .. } = *self;
        let (rise1, rise2, inverse_root) = (1.0 - beta1, 1.0 - beta2, 1.0 / root);
        let piece = 1 << 15;
        let moments = mean.par_chunks_mut(piece).zip(square.par_chunks_mut(piece));
        values.par_chunks_mut(piece).zip(gradient.par_chunks(piece)).zip(moments).for_each(|((x, g), (m, v))| {
            for ((x, &g), (m, v)) in x.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
                *m = *m * beta1 + g * rise1;
                *v = *v * beta2 + g * g * rise2;
                *x -= rate * *m / (v.sqrt() * inverse_root + epsilon);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn one() -> Parameters {
        let list = [("w".to_string(), vec![3])];
        Parameters::new(list, &Device::Cpu, |_, _| vec![0.5, -1.0, 2.0]).unwrap()
    }

    /// Gradients of Σ c x² with a factor c for each of three steps.
    fn grads(parameters: &Parameters, factor: f64) -> GradStore {
        let w = parameters.get("w").unwrap();
        (w.sqr().unwrap() * factor).unwrap().sum_all().unwrap().backward().unwrap()
    }

    fn run(config: AdamConfig) -> Vec<f32> {
        let parameters = one();
        let mut adam = Adam::new(&parameters, config).unwrap();
        for factor in [1.0, -0.3, 0.02] {
            assert_eq!(adam.step(&grads(&parameters, factor)).unwrap(), Step::Taken);
        }
        parameters.get("w").unwrap().to_vec1().unwrap()
    }

    fn assert_close(found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-7 * expected.abs().max(1.0), "{found} in place of {expected}");
        }
    }

    // import torch
    // for betas, lr in (((0.0, 0.99), 0.005), ((0.9, 0.999), 0.01)):
    //     w = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    //     adam = torch.optim.Adam([w], lr=lr, betas=betas, eps=1e-8)
    //     for c in (1.0, -0.3, 0.02):
    //         adam.zero_grad(); (c * w**2).sum().backward(); adam.step()
    //     print([f'{v:.8f}' for v in w.tolist()])
    #[test]
    fn three_steps_are_those_of_pytorch() {
        let paper = AdamConfig { rate: 0.005, ..AdamConfig::default() };
        assert_close(&run(paper), &PAPER);
        let usual = AdamConfig { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        assert_close(&run(usual), &USUAL);
    }

    const PAPER: [f32; 3] = [0.496_851_65, -0.996_860_56, 1.996_865];
    const USUAL: [f32; 3] = [0.482_207_24, -0.982_249_86, 1.982_271_1];

    #[test]
    fn a_slow_variable_moves_by_its_share_of_the_rate() {
        let config = |rate| AdamConfig { rate, ..AdamConfig::default() };
        let (slowed, slow) = (one(), one());
        let mut adam = Adam::new(&slowed, config(0.004)).unwrap();
        adam.slow(0.25, |name| name == "w");
        let mut other = Adam::new(&slow, config(0.001)).unwrap();
        adam.step(&grads(&slowed, 1.0)).unwrap();
        other.step(&grads(&slow, 1.0)).unwrap();
        assert_eq!(slowed.to_vecs().unwrap(), slow.to_vecs().unwrap());
        assert_eq!(adam.to_vecs().unwrap(), other.to_vecs().unwrap());
        adam.slow(0.0, |name| name == "v");
        adam.step(&grads(&slowed, 1.0)).unwrap();
        assert_ne!(slowed.to_vecs().unwrap(), slow.to_vecs().unwrap());
    }

    #[test]
    fn a_step_that_is_not_finite_changes_nothing_and_is_counted() {
        let parameters = one();
        let mut adam = Adam::new(&parameters, AdamConfig::default()).unwrap();
        adam.step(&grads(&parameters, 1.0)).unwrap();
        let (values, state) = (parameters.to_vecs().unwrap(), adam.to_vecs().unwrap());
        for bad in [f64::NAN, f64::INFINITY] {
            assert_eq!(adam.step(&grads(&parameters, bad)).unwrap(), Step::Skipped);
        }
        assert_eq!((adam.steps(), adam.skipped()), (1, 2));
        assert_eq!((parameters.to_vecs().unwrap(), adam.to_vecs().unwrap()), (values, state));
    }

    #[test]
    fn saved_state_continues_as_if_never_interrupted() {
        let config = AdamConfig { beta1: 0.5, ..AdamConfig::default() };
        let (first, second) = (one(), one());
        let mut straight = Adam::new(&first, config).unwrap();
        straight.step(&grads(&first, 1.0)).unwrap();
        second.load(&first.to_vecs().unwrap()).unwrap();
        let mut resumed = Adam::new(&second, config).unwrap();
        resumed.load(&straight.to_vecs().unwrap(), straight.steps(), straight.skipped()).unwrap();
        straight.step(&grads(&first, -0.7)).unwrap();
        resumed.step(&grads(&second, -0.7)).unwrap();
        assert_eq!(first.to_vecs().unwrap(), second.to_vecs().unwrap());
        assert!(resumed.load(&Named::new(), 0, 0).is_err());
        straight.reset().unwrap();
        assert!(straight.to_vecs().unwrap().values().all(|(_, numbers)| numbers.iter().all(|x| *x == 0.0)));
    }
}
