//! One folder per finding, with PNG, JPEG or TIFF files in it; a folder inside is a patient.

use std::path::Path;

use super::{Item, MAX_ITEMS, Pixels, Plan, ReadError, Request};
use crate::finding::{NO_FINDING, Vocabulary};
use crate::progress::Progress;

const REMEDY: &str = "give every finding a folder of its own, with pictures in it";

/// Names of folders that hold films with nothing seen.
const NORMAL: [&str; 5] = ["nofinding", "normal", "healthy", "none", "negative"];

/// Plans every picture below the folders of `request.input`.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let root = &request.input;
    let entries = std::fs::read_dir(root).map_err(|error| ReadError::io(root, &error))?;
    let mut folders: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.retain(|path| !name_of(path).starts_with('.'));
    folders.sort();
    let findings = folders.iter().map(|path| finding(&name_of(path)));
    let vocabulary = Vocabulary::new(&name_of(root), findings);
    vocabulary.validate().map_err(|problem| ReadError::new(root, problem, REMEDY))?;

    let mut plan = Plan::density(&name_of(root), vocabulary);
    plan.provenance.push("Folders of pictures, one folder for each finding".into());
    let mut patients_named = true;
    for (label, folder) in folders.iter().enumerate() {
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name().max_depth(4) {
            progress.check()?;
            let entry = match entry {
                Ok(entry) if entry.file_type().is_file() => entry,
                Ok(_) => continue,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_path_buf();
                    plan.skip(
                        &path.to_string_lossy(),
                        &ReadError::new(&path, "cannot be entered", "check its permissions"),
                    );
                    continue;
                }
            };
            if !is_picture(entry.path()) {
                continue;
            }
            let mut labels = vec![0.0; plan.vocabulary.len()];
            labels[label] = 1.0;
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let patient =
                below.parent().filter(|p| !p.as_os_str().is_empty()).map(|p| p.to_string_lossy().into_owned());
            patients_named &= patient.is_some();
            plan.items.push(Item {
                source: format!("{}/{}", name_of(folder), below.to_string_lossy()),
                // The same file name under two findings is taken for the same person.
                patient: patient.unwrap_or_else(|| stem_of(entry.path())),
                labels,
                fold: None,
                age: None,
                sex: None,
                view: String::new(),
                pixels: Pixels::Picture(entry.into_path()),
            });
            if plan.items.len() > MAX_ITEMS {
                return Err(ReadError::new(root, format!("holds more than {MAX_ITEMS} files"), "import it in parts"));
            }
        }
    }
    plan.patients_known = patients_named;
    Ok(plan)
}

/// Whether a name ends as pictures do.
pub fn is_picture(path: &Path) -> bool {
    let ends = ["png", "jpg", "jpeg", "tif", "tiff"];
    path.extension().is_some_and(|end| ends.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

fn finding(folder: &str) -> String {
    let plain: String = folder.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if NORMAL.contains(&plain.as_str()) { NO_FINDING.to_owned() } else { folder.replace('_', " ") }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "folders".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn stem_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}
