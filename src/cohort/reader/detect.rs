//! Guessing a format from what is there, for drag and drop.

use std::path::Path;

use super::dicom::is_dicom;
use super::folders::is_picture;
use super::table::Table;
use crate::cohort::Format;

/// Files looked at before giving up.
const ENOUGH: usize = 2000;

/// The format that a file or folder seems to be in; `None` when it looks like none of them.
pub fn detect(path: &Path) -> Option<Format> {
    if path.is_file() {
        return match path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("npz") => Some(Format::Medmnist),
            Some("csv") => of_table(path),
            _ => is_dicom(path).then_some(Format::Dicom),
        };
    }
    let tables = [
        "Data_Entry_2017.csv",
        "Data_Entry_2017_v2020.csv",
        "stage_2_train.csv",
        "train.csv",
        "valid.csv",
        "labels.csv",
    ];
    let by_table =
        tables.iter().map(|name| path.join(name)).filter(|path| path.is_file()).find_map(|path| of_table(&path));
    if by_table.is_some() {
        return by_table;
    }
    let mut pictures = false;
    for entry in walkdir::WalkDir::new(path).max_depth(6).into_iter().flatten().take(ENOUGH) {
        if !entry.file_type().is_file() {
            continue;
        }
        if is_dicom(entry.path()) {
            return Some(Format::Dicom);
        }
        pictures |= entry.depth() >= 2 && is_picture(entry.path());
    }
    pictures.then_some(Format::Folders)
}

/// The format a label table belongs to, by its columns.
fn of_table(path: &Path) -> Option<Format> {
    let table = Table::open(path).ok()?;
    let has = |name: &str| table.column(&[name]).is_some();
    match () {
        () if has("Finding Labels") || (has("Hernia") && has("image")) => Some(Format::Nih),
        () if has("Frontal/Lateral") && has("Path") => Some(Format::Chexpert),
        () if has("ID") && has("Label") => Some(Format::Rsna),
        () if has("Epidural") && has("slice") => Some(Format::CtIch),
        () if has("Epidural") && has("file") => Some(Format::Rsna),
        () => None,
    }
}
