//! Tests of operations: gradients of first and second order against central finite differences in `f64`, and kernels
//! against compositions.

use super::operation::Operation;
use crate::compute::random::{normals, stream};
use candle_core::{DType, Device, Result, Tensor, Var};
use rand::Rng;

/// A function from tensors to a tensor.
type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// Half the step of the differences.
const STEP: f64 = 1e-5;

/// Numbers of each argument whose derivative is checked.
const PROBES: usize = 12;

/// A seeded normal tensor.
pub(super) fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let numbers = normals(&mut stream(seed, "check"), shape.iter().product());
    let numbers = numbers.into_iter().map(f64::from).collect::<Vec<_>>();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Seeded numbers below `end`, to draw shapes from.
pub(super) fn draws(seed: u64) -> impl FnMut(usize, usize) -> usize {
    let mut rng = stream(seed, "shapes");
    move |start, end| rng.random_range(start..end)
}

/// A weighted sum of squares, so that the gradient of the result is neither uniform nor constant.
fn scalar(f: Function, args: &[Tensor]) -> Result<Tensor> {
    let y = f(args)?;
    (y.sqr()? * tensor(y.dims(), 99))?.sum_all()
}

fn variables(args: &[Tensor]) -> (Vec<Var>, Vec<Tensor>) {
    let vars: Vec<Var> = args.iter().map(|t| Var::from_tensor(&t.copy().unwrap()).unwrap()).collect();
    let tensors = vars.iter().map(|v| v.as_tensor().clone()).collect();
    (vars, tensors)
}

/// Gradients of first order, by a pass that keeps the graph or by one that drops it.
fn first(f: Function, args: &[Tensor], last: bool) -> Result<Vec<Tensor>> {
    let (vars, tensors) = variables(args);
    let loss = scalar(f, &tensors)?;
    let grads = if last { super::backward(&loss)? } else { loss.backward()? };
    vars.iter().map(|v| grads.get(v).map_or_else(|| v.zeros_like(), |g| Ok(g.detach()))).collect()
}

/// Σ over arguments of a weighted square of the gradient, differentiable.
fn penalty(f: Function, tensors: &[Tensor], vars: &[Var]) -> Result<Tensor> {
    let grads = scalar(f, tensors)?.backward()?;
    let mut sum = Tensor::zeros((), DType::F64, &Device::Cpu)?;
    for (i, var) in vars.iter().enumerate() {
        if let Some(g) = grads.get(var) {
            sum = (sum + (g.sqr()? * tensor(g.dims(), 50 + i as u64))?.sum_all()?)?;
        }
    }
    Ok(sum)
}

/// Compares a gradient with central differences of `value` on some numbers of argument `k`.
fn compare(what: &str, args: &[Tensor], k: usize, gradient: &Tensor, value: &dyn Fn(&[Tensor]) -> Result<f64>) {
    let base = args[k].flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let places: Vec<usize> = (0..PROBES.min(base.len())).map(|i| i * 7919 % base.len()).collect();
    let difference = |place: usize| {
        let at = |shift: f64| {
            let mut numbers = base.clone();
            numbers[place] += shift;
            let mut args = args.to_vec();
            args[k] = Tensor::from_vec(numbers, args[k].shape(), &Device::Cpu).unwrap();
            value(&args).unwrap()
        };
        (at(STEP) - at(-STEP)) / (2.0 * STEP)
    };
    let differences: Vec<f64> = places.iter().map(|place| difference(*place)).collect();
    let scale = differences.iter().fold(1e-3f64, |largest, d| largest.max(d.abs()));
    for (place, difference) in places.iter().zip(&differences) {
        let error = (gradient[*place] - difference).abs() / scale;
        assert!(error < 1e-6, "{what}, argument {k}, number {place}: {} in place of {difference}", gradient[*place]);
    }
}

/// Checks all gradients of first and second order of `f` at `args`.
pub(super) fn check(what: &str, args: &[Tensor], f: Function) {
    super::init();
    for last in [false, true] {
        for (k, gradient) in first(f, args, last).unwrap().iter().enumerate() {
            let value = |args: &[Tensor]| scalar(f, args)?.to_scalar::<f64>();
            compare(&format!("{what}, first order"), args, k, gradient, &value);
        }
    }
    let (vars, tensors) = variables(args);
    let second = super::backward(&penalty(f, &tensors, &vars).unwrap()).unwrap();
    for (k, var) in vars.iter().enumerate() {
        let gradient = second.get(var).map_or_else(|| var.zeros_like().unwrap(), Clone::clone);
        let value = |args: &[Tensor]| {
            let (vars, tensors) = variables(args);
            penalty(f, &tensors, &vars)?.to_scalar::<f64>()
        };
        compare(&format!("{what}, second order"), args, k, &gradient, &value);
    }
}

/// Checks that the kernel of an operation and its composition give the same, in both number types.
pub(super) fn agrees<O: Operation<N>, const N: usize>(operation: &O, args: [&Tensor; N]) {
    for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 2e-5)] {
        let args = args.map(|t| t.to_dtype(dtype).unwrap());
        let kernel = super::operation::run_kernel(operation, args.each_ref()).unwrap();
        let composed = operation.compose(args.each_ref()).unwrap();
        assert_eq!(kernel.dims(), composed.dims(), "{}", O::NAME);
        let size = composed.abs().unwrap().max_all().unwrap().to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
        let error = (kernel - composed).unwrap().abs().unwrap().max_all().unwrap();
        let error = error.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
        assert!(error <= bound * size.max(1.0), "{}: kernel and composition differ by {error} of {size}", O::NAME);
    }
}
