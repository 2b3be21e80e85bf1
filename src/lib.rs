//! Negatoscope: a light box for synthetic medical images.
//!
//! A recipe goes in at the left and becomes pixels; pixels become features; features find neighbours; all of it ends
//! on screen. Each module is a room of that house, ground floor first; a lower room never knows a higher one.
//!
//! # Sources
//!
//! *DuMont Schütte 2021*: A. DuMont Schütte, J. Hetzel, S. Gatidis, T. Hepp, B. Dietz, S. Bauer, P. Schwab, "Overcoming
//! barriers to data sharing with medical image generation: a comprehensive evaluation", npj Digital Medicine 4:141 (2021),
//! and the authors' code, <https://github.com/AugustDS/synthetic-medical-benchmark> (32 to 128 px) and
//! <https://github.com/AugustDS/extd_med_benchmark> (256 and 512 px). What is said of the published networks, losses,
//! schedules, folds and measures is what that code does.

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
