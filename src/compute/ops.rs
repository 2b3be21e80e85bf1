//! The closed set of differentiable operations.
//!
//! In: candle tensors, `f32` or `f64`. Out: tensors whose gradients of first and second order are right. Each operation
//! is a kernel for the CPU, a composition of framework operations for every other device, and an adjoint that is
//! itself written in operations of this set, so that gradients of any order exist.
//!
//! Call [`init`] before the first backward pass of the program.

#![allow(clippy::disallowed_methods, reason = "this is the one place that may compose the framework's raw calls")]

mod activation;
mod batch_norm;
mod channel;
#[cfg(test)]
mod check;
mod convolution;
mod element;
mod gradient;
mod loss;
mod matrix;
mod norm;
mod operation;
mod patches;
mod pool;
mod resample;

pub use activation::{SLOPE, bias_leaky_relu, leaky_relu, relu};
pub use batch_norm::{NORM_EPSILON, batch_norm_relu, fixed_norm_relu};
pub use convolution::{
    Conv, conv_down, conv_down_prepared, conv_up, conv2d, conv2d_bias, conv2d_bias_leaky_relu, prepare_down,
};
pub use gradient::{backward, input_gradient, without_weight_gradients};
pub use loss::{
    bce_with_logits, log_softmax, sigmoid, softmax, softmax_cross_entropy, softplus, weighted_bce_with_logits,
};
pub use norm::{layer_norm, minibatch_stddev, pixel_norm};
pub use pool::{avg_pool2, global_average, max_pool};
pub use resample::{avg2, sum2, up2};

use std::sync::Once;

/// The environment variable by which the framework is told to keep the graph of a backward pass.
const KEEP_GRAPH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// The environment variable that says how many threads the framework's own elementwise loops take. One is best: they are
/// short and wait for memory, while the framework's workers spin between them, at the cost of our kernels' threads.
const FRAMEWORK_THREADS: &str = "CANDLE_NUM_THREADS";

/// Prepares this process for gradients of second order. Call it first thing in `main` and in every test that
/// differentiates; further calls do nothing.
///
/// The framework reads its switch once for each thread, at that thread's first backward pass.
///
/// # Panics
/// If this thread has already run a backward pass without the switch: second-order gradients would be silently wrong.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for switch in [KEEP_GRAPH, FRAMEWORK_THREADS] {
            if std::env::var_os(switch).is_none() {
                // SAFETY: called before the program starts its threads, as documented; inside the test harness the other
                // threads read their environment only through the standard library, whose lock `set_var` takes.
                unsafe { std::env::set_var(switch, "1") };
            }
        }
    });
    assert!(second_order_works(), "compute::ops::init must run before the first backward pass of this thread");
}

/// Whether (x³)″ at 2 is 12 on this thread.
fn second_order_works() -> bool {
    let second = || -> candle_core::Result<f64> {
        let x = candle_core::Var::new(2f64, &candle_core::Device::Cpu)?;
        let y = (x.sqr()? * x.as_tensor())?;
        let first = y.backward()?.remove(&x).unwrap_or_else(|| y.clone());
        match first.backward()?.get(&x) {
            Some(second) => second.to_scalar(),
            None => Ok(0.0),
        }
    };
    second().is_ok_and(|value| (value - 12.0).abs() < 1e-9)
}
