//! Arithmetic one can trust: seeded randomness, the closed set of differentiable operations, optimiser.
//!
//! In: tensors and seeds. Out: tensors whose gradients of first and second order are tested. No other room may call
//! the framework operations that this one replaces.

pub mod adam;
pub mod clip;
pub mod device;
pub mod ema;
pub mod graphics;
pub mod kernel;
pub mod memory;
pub mod ops;
pub mod parameters;
pub mod random;

pub use ops::init;
