//! The classifiers that a sweep has left behind, in pairs: trained on real films, and on samples in their place.

use std::path::PathBuf;

use super::plan::{Plan, Work};
use super::{BenchmarkError, SweepFolder, SweepSpec};
use crate::cohort::Pack;

/// Two classifiers of one point and one seed, which differ in nothing but what they learnt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassifierPair {
    /// Point, generator and seed in words: `classes 4, cpD-GAN, seed 1`.
    pub title: String,
    /// The encoder file of the one trained on real films.
    pub real: PathBuf,
    /// The encoder file of the one trained on samples.
    pub synthetic: PathBuf,
}

/// All pairs of which both classifiers are done, in the order of points, seeds and generators.
///
/// # Errors
/// When the spec does not fit the pack.
pub fn classifier_pairs(
    folder: &SweepFolder,
    spec: &SweepSpec,
    pack: &Pack,
) -> Result<Vec<ClassifierPair>, BenchmarkError> {
    let plan = Plan::new(spec, pack)?;
    let curves = Plan::curves(spec);
    let file = |test: usize| {
        let Work::Test { classifier, .. } = &plan.jobs[test].work else { return None };
        let path = folder.job(&plan.jobs[*classifier].key).join("classifier.safetensors");
        path.is_file().then_some(path)
    };
    let pairs = plan.cells.iter().filter(|cell| cell.curve > 0).filter_map(|cell| {
        // A mixture has its real classifier at the point where nothing is added.
        let real = plan.cells.iter().filter(|other| other.curve == 0 && other.seed == cell.seed);
        let real = real.min_by_key(|other| (other.point != cell.point, other.point))?;
        Some(ClassifierPair {
            title: format!(
                "{} {}, {}, seed {}",
                spec.factor.kind(),
                spec.factor.value(cell.point),
                curves[cell.curve],
                spec.seeds[cell.seed].classifier(),
            ),
            real: file(real.test)?,
            synthetic: file(cell.test)?,
        })
    });
    Ok(pairs.collect())
}
