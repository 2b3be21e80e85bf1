//! Kernels: the inner loops, with explicit vector instructions and a portable twin for each.
//!
//! In: plain slices, and the instructions that the processor was found to have. Out: plain slices. All `unsafe` code
//! of the arithmetic is in this folder, each block with its proof.

pub mod coarse;
pub mod dot;
pub mod instructions;
pub mod lane;
pub mod packed;
pub mod peak;
pub mod product;
pub mod wide;
pub mod winograd;

pub use instructions::Instructions;
pub use lane::Lane;
pub use packed::{Left, Stack};
