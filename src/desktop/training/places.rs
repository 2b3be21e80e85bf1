//! Where runs, their queue and deleted runs lie on this machine.

use std::path::PathBuf;

/// The folder that the program keeps for itself, and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    data: PathBuf,
}

impl Places {
    /// Within `data`; otherwise within the user's data folder.
    pub fn new(data: Option<PathBuf>) -> Self {
        let own = || {
            directories::ProjectDirs::from("", "", "negatoscope")
                .map_or_else(|| std::env::temp_dir().join("negatoscope"), |dirs| dirs.data_dir().to_path_buf())
        };
        Self { data: data.unwrap_or_else(own) }
    }

    /// Where new runs go.
    pub fn runs(&self) -> PathBuf {
        self.data.join("runs")
    }
}
