//! Statistics: pure functions on slices, each held against an independent reference.
//!
//! In: scores, labels, values, patients. Out: areas under curves, moments, percentiles, tests and intervals. Randomness
//! comes in as a stream from the caller, so that the same stream gives the same interval.

mod agreement;
mod bootstrap;
mod calibration;
mod delong;
pub mod fidelity;
mod operating;
mod roc;
mod student;
mod summary;

pub use agreement::{Agreement, Chance, map_agreement, spearman, top_overlap};
pub use bootstrap::{Interval, bootstrap_by_patient, bootstrap_ratio_by_patient};
pub use calibration::{brier, expected_calibration_error};
pub use delong::{Comparison, DeLong};
pub use operating::{Confusion, youden_threshold};
pub use roc::{auroc, finding_aurocs, midranks};
pub use student::{TTest, bonferroni, paired_t_test, student_quantile, t_test, welch_t_test};
pub use summary::{mean, percentile_of, quantile, standard_deviation};

/// Two ends of an interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bounds {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}
