//! Statistics: pure functions on slices, each held against an independent reference.
//!
//! In: scores, labels, values, patients. Out: areas under curves, moments, percentiles and intervals. Randomness comes in
//! as a stream from the caller, so that the same stream gives the same interval.

mod bootstrap;
pub mod fidelity;
mod roc;
mod summary;

pub use bootstrap::{Interval, bootstrap_by_patient};
pub use roc::{auroc, finding_aurocs, midranks};
pub use summary::{mean, percentile_of, quantile, standard_deviation};
