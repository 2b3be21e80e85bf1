//! Where runs, their queue and deleted runs lie on this machine.

use std::path::{Path, PathBuf};

/// Name of the folder, beside a run, into which deleted runs are moved.
const BIN: &str = "negatoscope-bin";

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

    /// The program's own folder; the queue lies in it.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where sweeps go.
    pub fn sweeps(&self) -> PathBuf {
        self.data.join("sweeps")
    }

    /// Where new runs go.
    pub fn runs(&self) -> PathBuf {
        self.data.join("runs")
    }

    /// Where packs of phantoms are kept.
    pub fn packs(&self) -> PathBuf {
        self.data.join("packs")
    }

    /// Where model files made from checkpoints are kept; all of it can be made again.
    pub fn models(&self) -> PathBuf {
        self.data.join("checkpoint-models")
    }

    /// A folder that does not exist yet for a run of this name; its parent is made.
    ///
    /// # Errors
    /// A sentence, when the folder of runs cannot be made.
    pub fn new_run(&self, name: &str) -> Result<PathBuf, String> {
        Self::new_in(&self.runs(), name)
    }

    /// The same in another folder of runs.
    ///
    /// # Errors
    /// A sentence, when that folder cannot be made.
    pub fn new_in(runs: &Path, name: &str) -> Result<PathBuf, String> {
        std::fs::create_dir_all(runs).map_err(|error| format!("cannot make {}: {error}", runs.display()))?;
        Ok(free(runs, &name.trim().replace(' ', "-")))
    }

    /// Where the run in `root` goes when it is deleted: a folder beside it, so that moving it is one step that cannot be
    /// left half done. The bin is made.
    ///
    /// # Errors
    /// A sentence, when the bin cannot be made.
    pub fn in_bin(root: &Path) -> Result<PathBuf, String> {
        let bin = root.parent().unwrap_or(Path::new(".")).join(BIN);
        std::fs::create_dir_all(&bin).map_err(|error| format!("cannot make the bin {}: {error}", bin.display()))?;
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(free(&bin, &name))
    }

    /// Whether a run lies in a bin.
    pub fn is_in_bin(root: &Path) -> bool {
        root.components().any(|part| part.as_os_str() == BIN)
    }
}

/// `name` in `folder`, with a number behind it where that name is taken.
fn free(folder: &Path, name: &str) -> PathBuf {
    let first = folder.join(name);
    if !first.exists() {
        return first;
    }
    let numbered = (2..).map(|number| folder.join(format!("{name}-{number}")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_name_lie_beside_each_other_and_deleted_ones_in_the_bin() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(Some(folder.path().to_path_buf()));
        let first = places.new_run("my run").unwrap();
        assert_eq!(first, folder.path().join("runs/my-run"));
        std::fs::create_dir(&first).unwrap();
        assert_eq!(places.new_run("my run").unwrap(), folder.path().join("runs/my-run-2"));
        let bin = Places::in_bin(&first).unwrap();
        assert!(Places::is_in_bin(&bin) && !Places::is_in_bin(&first));
        std::fs::rename(&first, &bin).unwrap();
        std::fs::create_dir(&first).unwrap();
        assert_ne!(Places::in_bin(&first).unwrap(), bin);
    }
}
