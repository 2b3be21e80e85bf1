//! The kinds of backward pass, and what each may leave out.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};
use std::cell::Cell;

thread_local! {
    static SKIP_WEIGHTS: Cell<bool> = const { Cell::new(false) };
    static DROP_GRAPH: Cell<bool> = const { Cell::new(false) };
}

/// Sets a flag for as long as `work` runs, also when it panics.
fn with_flag<R>(flag: &'static std::thread::LocalKey<Cell<bool>>, work: impl FnOnce() -> R) -> R {
    struct Restore(&'static std::thread::LocalKey<Cell<bool>>, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _restore = Restore(flag, flag.replace(true));
    work()
}

/// Whether weights get no gradient at present.
pub(super) fn skips_weights() -> bool {
    SKIP_WEIGHTS.get()
}

/// Whether a gradient may itself be differentiated.
pub(super) fn keeps_graph() -> bool {
    !DROP_GRAPH.get()
}

/// Runs `work` with backward passes that leave out the gradients of weights and biases (this thread only).
///
/// For the first pass of a gradient penalty, which needs the gradient of the image alone. The graph of that gradient
/// is kept, so that the second pass finds the weights.
pub fn without_weight_gradients<R>(work: impl FnOnce() -> R) -> R {
    with_flag(&SKIP_WEIGHTS, work)
}

/// Gradient of the sum of `y` with respect to `x`, itself differentiable: the first pass of a gradient penalty.
///
/// # Errors
/// If `y` does not depend on `x`.
pub fn input_gradient(y: &Tensor, x: &Var) -> Result<Tensor> {
    let mut grads = without_weight_gradients(|| y.backward())?;
    match grads.remove(x) {
        Some(gradient) => Ok(gradient),
        None => bail!("the value does not depend on the variable whose gradient is asked for"),
    }
}

/// Gradients of `loss` with respect to all variables, not to be differentiated again: the last pass of a step.
///
/// Memory of each intermediate gradient is given back as soon as it has been used.
///
/// # Errors
/// Those of the operations in the graph.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    with_flag(&DROP_GRAPH, || loss.backward())
}
