//! The results that are known: those that ship, and those of sweeps on this machine.

use std::path::{Path, PathBuf};

use crate::benchmark::folder::read_json;
use crate::benchmark::{SweepResult, shipped};

/// One result and where it comes from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was found.
    pub result: SweepResult,
    /// The sweep's folder; `None` for results that ship, which come without their models.
    pub folder: Option<PathBuf>,
}

/// Which results are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this cohort alone.
    pub cohort: Option<String>,
    /// Those with this classifier alone.
    pub classifier: Option<String>,
}

impl Filter {
    /// Whether a result is listed.
    pub fn lets(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        is(&self.cohort, &entry.result.cohort.name) && is(&self.classifier, &entry.result.classifier)
    }
}

/// Reads everything there is, own sweeps first, newest first. A file that cannot be read is told of in the second list.
pub fn read(sweeps: &Path) -> (Vec<Entry>, Vec<String>) {
    let folders = std::fs::read_dir(sweeps).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut own: Vec<PathBuf> = folders.filter(|folder| folder.join("result.json").is_file()).collect();
    let age = |folder: &PathBuf| folder.join("result.json").metadata().and_then(|m| m.modified()).ok();
    own.sort_by_key(|folder| std::cmp::Reverse(age(folder)));
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for folder in own {
        match read_json(&folder.join("result.json")) {
            Ok(result) => entries.push(Entry { result, folder: Some(folder) }),
            Err(error) => problems.push(error.to_string()),
        }
    }
    entries.extend(shipped::results().into_iter().map(|result| Entry { result, folder: None }));
    (entries, problems)
}
