//! The library: where model files lie, which there are, and which one a name means.

use std::path::{Path, PathBuf};

use super::ModelCard;
use super::model_file::{self, ModelError};
use super::render::id_of;
use crate::{shipped, store};

/// One model in the library.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub card: ModelCard,
    /// Its identity in recipes: the first 16 hex digits of the file's SHA-256.
    pub id: String,
}

/// What a search found: models that can be used, and why others cannot. Files that are something else are passed over.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Usable models, by name.
    pub entries: Vec<Entry>,
    /// Damaged models and those of another version.
    pub refused: Vec<ModelError>,
}

/// All usable models of the library, by name.
pub fn shipped() -> Vec<Entry> {
    survey(&shipped::folders()).entries
}

/// Looks through folders. Of two models with one name the one in the earlier folder counts; a folder that is not there
/// is passed over.
pub fn survey(folders: &[PathBuf]) -> Shelf {
    let mut shelf = Shelf::default();
    for folder in folders {
        let Ok(files) = std::fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
        paths.sort();
        for path in paths {
            match entry(&path) {
                Ok(entry) if shelf.entries.iter().any(|known| known.card.name == entry.card.name) => {}
                Ok(entry) => shelf.entries.push(entry),
                Err(error) if error.is_foreign() => {}
                Err(error) => shelf.refused.push(error),
            }
        }
    }
    shelf.entries.sort_by(|a, b| a.card.name.cmp(&b.card.name));
    shelf
}

/// Card and identity of one file; its tensors are not read into memory.
///
/// # Errors
/// As [`model_file::read_card`].
pub fn entry(path: &Path) -> Result<Entry, ModelError> {
    let card = model_file::read_card(path)?;
    let hash = store::hash_file(path)?;
    Ok(Entry { path: path.to_path_buf(), card, id: id_of(&hash).to_owned() })
}

/// The file that a name or a path means: an existing file as it is, otherwise the library's model of that name.
///
/// # Errors
/// [`ModelError::Unknown`] with the names there are.
pub fn find(name_or_path: &str) -> Result<PathBuf, ModelError> {
    find_in(name_or_path, &shipped::folders())
}

fn find_in(name_or_path: &str, folders: &[PathBuf]) -> Result<PathBuf, ModelError> {
    let path = Path::new(name_or_path);
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let Shelf { entries, refused } = survey(folders);
    let named = entries.iter().find(|entry| entry.card.name == name_or_path || entry.id == name_or_path);
    if let Some(entry) = named {
        return Ok(entry.path.clone());
    }
    // A damaged file of that name explains more than its absence.
    let damaged = |error: &ModelError| match error {
        ModelError::Refused { path, .. } => path.file_stem().is_some_and(|stem| stem == name_or_path),
        _ => false,
    };
    if let Some(error) = refused.into_iter().find(damaged) {
        return Err(error);
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.card.name.as_str()).collect();
    let known =
        if names.is_empty() { "no model is installed".into() } else { format!("there are {}", names.join(", ")) };
    Err(ModelError::Unknown { name: name_or_path.to_owned(), known })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::testing::{architecture, card, tensors};
    use crate::generator::{Family, Generator, Precision};

    fn put(folder: &Path, name: &str, seed: u64) -> PathBuf {
        let shape = architecture(Family::ProgGan, 8, 4, 2, 32, 8);
        let card = ModelCard { name: name.into(), ..card(shape) };
        let path = folder.join(name).with_extension("safetensors");
        model_file::write(&path, &card, &tensors(&shape, seed), Precision::F32).unwrap();
        path
    }

    #[test]
    fn models_are_found_by_name_identity_and_path_and_damage_is_told() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [first.path().to_path_buf(), second.path().to_path_buf(), first.path().join("absent")];
        let chest = put(first.path(), "chest", 1);
        put(second.path(), "chest", 2);
        let brain = put(second.path(), "brain", 3);
        let cut = first.path().join("broken.safetensors");
        let bytes = std::fs::read(&chest).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() - 8]).unwrap();
        std::fs::write(first.path().join("other.safetensors"), b"not one").unwrap();
        let shelf = survey(&folders);
        let names: Vec<&str> = shelf.entries.iter().map(|entry| entry.card.name.as_str()).collect();
        assert_eq!(names, ["brain", "chest"]);
        assert_eq!((shelf.entries[1].path.clone(), shelf.refused.len()), (chest.clone(), 1));
        assert_eq!(Generator::load(&chest).unwrap().id(), shelf.entries[1].id);
        assert_eq!(find_in("brain", &folders).unwrap(), brain);
        assert_eq!(find_in(&shelf.entries[1].id, &folders).unwrap(), chest);
        assert_eq!(find_in(chest.to_str().unwrap(), &[]).unwrap(), chest);
        assert!(find_in("broken", &folders).unwrap_err().to_string().contains("broken.safetensors"));
        let text = find_in("knee", &folders).unwrap_err().to_string();
        assert!(text.contains("knee") && text.contains("brain, chest"), "{text}");
        assert!(find_in("knee", &[]).unwrap_err().to_string().contains("no model is installed"));
    }
}
