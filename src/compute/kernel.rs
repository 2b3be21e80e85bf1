//! Kernels: the inner loops, with explicit vector instructions and a portable twin for each.

pub mod dot;
pub mod product;
