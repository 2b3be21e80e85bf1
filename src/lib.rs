//! Negatoscope: a light box for synthetic medical images.
//!
//! A recipe goes in at the left and becomes pixels; pixels become features; features find neighbours; all of it ends
//! on screen. Each module is a room of that house, ground floor first; a lower room never knows a higher one.

pub mod shipped;
pub mod store;

pub mod finding;
pub mod progress;
pub mod radiograph;
pub mod stats;

pub mod compute;

pub mod cohort;
pub mod generator;

pub mod encoder;
pub mod neighbour;
pub mod training;

pub mod benchmark;
pub mod cluster;

pub mod desktop;

pub mod cli;

/// Version and, where it was built from a repository, git revision.
pub const VERSION: &str = env!("NEGATOSCOPE_VERSION");
