//! The factor of a sweep: what changes from point to point, and the grid.

use serde::{Deserialize, Serialize};

/// What changes from point to point. A class is a combination of findings; combinations that are rare in the whole cohort
/// (and films with no label at all) are left out first. Facts on the GAN benchmark, §2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Factor {
    /// Number of classes: the k commonest combinations, the same number of films of each (§2a).
    Classes {
        /// Side in pixels.
        resolution: usize,
        /// Combinations with as many films or fewer are left out.
        least_count: usize,
        /// Most films of no finding at all; the rest is left out by lot before anything else is chosen (§1). Left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_finding: Option<usize>,
        /// Where combinations are counted to rank them.
        ranked_on: RankedOn,
        /// Whether films of a combination are shuffled before the first so many are taken, or taken in their stored order.
        shuffled: bool,
        /// Points, the most classes first.
        grid: Vec<ClassPoint>,
        /// Validation films of each class.
        validation: usize,
        /// Test films of each class.
        test: usize,
    },
    /// Films of each class, from nested subsets (§2b).
    Samples {
        /// Side in pixels.
        resolution: usize,
        /// Combinations with as many films or fewer are left out.
        least_count: usize,
        /// Most films of no finding at all; the rest is left out by lot before anything else is chosen (§1). Left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_finding: Option<usize>,
        /// How many of the combinations commonest in the train fold; left out: all that remain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        classes: Option<usize>,
        /// Train films of each class, descending.
        grid: Vec<usize>,
        /// Validation films of each class.
        validation: usize,
        /// Test films of each class.
        test: usize,
    },
    /// Side in pixels, on the whole train fold with its own frequencies (§2c).
    Resolution {
        /// Combinations with as many films or fewer are left out.
        least_count: usize,
        /// Most films of no finding at all; the rest is left out by lot before anything else is chosen (§1). Left out: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_finding: Option<usize>,
        /// Sides, ascending.
        grid: Vec<usize>,
        /// Validation films in all, each combination in its share.
        validation: usize,
        /// Test films in all, each combination in its share.
        test: usize,
    },
    /// Samples added to the real films, in multiples of their number. Not in the paper.
    Mix {
        /// Side in pixels.
        resolution: usize,
        /// Combinations with as many films or fewer are left out.
        least_count: usize,
        /// How many of the commonest combinations.
        classes: usize,
        /// Train films of each class.
        train: usize,
        /// Validation films of each class.
        validation: usize,
        /// Test films of each class.
        test: usize,
        /// Samples for each real film, ascending; 0 is the real films alone.
        grid: Vec<f64>,
    },
}

/// Where combinations are counted to rank them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedOn {
    /// All films, as published for the chest.
    All,
    /// The train fold, as published for the brain.
    Train,
}

/// One point of a sweep over the number of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPoint {
    /// Number of classes.
    pub classes: usize,
    /// Train films of each class.
    pub train: usize,
}

impl Factor {
    /// Number of points.
    pub fn points(&self) -> usize {
        match self {
            Self::Classes { grid, .. } => grid.len(),
            Self::Samples { grid, .. } | Self::Resolution { grid, .. } => grid.len(),
            Self::Mix { grid, .. } => grid.len(),
        }
    }

    /// The number that stands on the axis.
    ///
    /// # Panics
    /// When there is no such point, as for a slice.
    pub fn value(&self, point: usize) -> f64 {
        match self {
            Self::Classes { grid, .. } => grid[point].classes as f64,
            Self::Samples { grid, .. } | Self::Resolution { grid, .. } => grid[point] as f64,
            Self::Mix { grid, .. } => grid[point],
        }
    }

    /// Side of the images at a point.
    ///
    /// # Panics
    /// When there is no such point, as for a slice.
    pub fn side(&self, point: usize) -> usize {
        match self {
            Self::Classes { resolution, .. } | Self::Samples { resolution, .. } | Self::Mix { resolution, .. } => {
                *resolution
            }
            Self::Resolution { grid, .. } => grid[point],
        }
    }

    /// Most films of no finding at all; `None`: all.
    pub fn no_finding(&self) -> Option<usize> {
        match self {
            Self::Classes { no_finding, .. }
            | Self::Samples { no_finding, .. }
            | Self::Resolution { no_finding, .. } => *no_finding,
            Self::Mix { .. } => None,
        }
    }

    /// Combinations with as many films or fewer are left out.
    pub fn least_count(&self) -> usize {
        match self {
            Self::Classes { least_count, .. }
            | Self::Samples { least_count, .. }
            | Self::Resolution { least_count, .. }
            | Self::Mix { least_count, .. } => *least_count,
        }
    }

    /// The word for the kind, as in the spec.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Classes { .. } => "classes",
            Self::Samples { .. } => "samples",
            Self::Resolution { .. } => "resolution",
            Self::Mix { .. } => "mix",
        }
    }

    /// What the axis says.
    pub fn axis(kind: &str) -> &'static str {
        match kind {
            "classes" => "Classes (combinations of findings)",
            "samples" => "Training films per class",
            "resolution" => "Side in pixels",
            "mix" => "Samples per real film",
            _ => "Value",
        }
    }
}
