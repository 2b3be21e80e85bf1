//! Where the files that ship with the program lie: models and encoders.

use std::path::PathBuf;

/// The folders that are searched for `.safetensors` files, first to last; those that exist, each once.
///
/// `NEGATOSCOPE_MODELS` (several, separated as in `PATH`), `models` beside the program, `share/negatoscope/models`
/// beside its `bin`, and the source tree it was built from.
pub fn folders() -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    if let Some(named) = std::env::var_os("NEGATOSCOPE_MODELS") {
        candidates.extend(std::env::split_paths(&named));
    }
    if let Ok(program) = std::env::current_exe()
        && let Some(folder) = program.parent()
    {
        candidates.push(folder.join("models"));
        candidates.push(folder.join("../share/negatoscope/models"));
    }
    candidates.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models"));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in candidates.iter().filter_map(|folder| folder.canonicalize().ok()) {
        if folder.is_dir() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// All `.safetensors` files in those folders, in the order of the folders and then of their names.
pub fn weights() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut here: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        here.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors") && path.is_file());
        here.sort();
        files.extend(here);
    }
    files
}
