//! A DICOM file, or every DICOM file below a folder, as a plan; labels from an optional table.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{BRAIN_WINDOW, HOUNSFIELD_RANGE, Summary, is_dicom, summary};
use crate::cohort::Fold;
use crate::cohort::reader::table::Table;
use crate::cohort::reader::{Item, MAX_ITEMS, Pixels, Plan, ReadError, Request, complete_no_finding};
use crate::finding::{MAX_FINDINGS, NO_FINDING, Vocabulary};
use crate::progress::Progress;
use crate::radiograph::Meaning;

/// Plans every frame of the file or tree in `request.input`, labelled by `request.labels` or a `labels.csv` beside it.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let root = &request.input;
    let files = dicom_files(root, progress)?;
    let read = summaries(&files, progress)?;
    let labels = request.labels.clone().or_else(|| Some(root.join("labels.csv")).filter(|path| path.is_file()));
    let labels = labels.map(|path| Labels::read(&path)).transpose()?;

    let name = root.file_name().map_or_else(|| "dicom".to_owned(), |name| name.to_string_lossy().into_owned());
    let vocabulary = match &labels {
        Some(labels) => labels.vocabulary.clone(),
        None => Vocabulary::new("unlabelled", ["Unlabelled"]),
    };
    let mut plan = Plan::density(&name, vocabulary);
    plan.provenance.push("DICOM files".into());
    adopt_meaning(&mut plan, &read);
    let hounsfield = plan.meaning == Meaning::Hounsfield;
    for (path, result) in files.iter().zip(read) {
        let source = path.strip_prefix(root).ok().filter(|p| !p.as_os_str().is_empty()).unwrap_or(path);
        let source = source.to_string_lossy().into_owned();
        let summary = match result {
            Ok(summary) if summary.hounsfield == hounsfield => summary,
            Ok(_) => {
                let problem = if hounsfield { "is no CT, as the most here are" } else { "is CT, unlike the most here" };
                plan.skip(&source, &ReadError::new(path, problem, "import CT and radiographs into two packs"));
                continue;
            }
            Err(reason) => {
                plan.skip(&source, &reason);
                continue;
            }
        };
        let row = labels.as_ref().map(|labels| labels.of(path, &summary));
        let (values, fold, patient) = match row {
            None => (vec![1.0], None, None),
            Some(Some(row)) => (row.values.clone(), row.fold, row.patient.clone()),
            Some(None) => {
                plan.skip(&source, &ReadError::new(path, "has no row in the label table", "add one, or leave it out"));
                continue;
            }
        };
        let stated = patient.unwrap_or_else(|| summary.patient.clone());
        for frame in 0..summary.frames {
            let suffix = if summary.frames > 1 { format!(" frame {}", frame + 1) } else { String::new() };
            plan.items.push(Item {
                source: format!("{source}{suffix}"),
                // Without a patient ID, a file is the nearest thing to a patient.
                patient: if stated.is_empty() { source.clone() } else { stated.clone() },
                labels: values.clone(),
                fold,
                age: summary.age,
                sex: summary.sex,
                view: format!("{}{suffix}", summary.view).trim().to_owned(),
                pixels: Pixels::Dicom { path: path.clone(), frame, hounsfield },
            });
        }
        plan.patients_known &= !stated.is_empty();
        if plan.items.len() > MAX_ITEMS {
            return Err(ReadError::new(root, format!("holds more than {MAX_ITEMS} frames"), "import it in parts"));
        }
    }
    Ok(plan)
}

/// HU when most files that could be read are CT.
pub fn adopt_meaning(plan: &mut Plan, read: &[Result<Summary, ReadError>]) {
    let sound = read.iter().flatten().count();
    let ct = read.iter().flatten().filter(|summary| summary.hounsfield).count();
    if 2 * ct > sound {
        plan.meaning = Meaning::Hounsfield;
        plan.range = HOUNSFIELD_RANGE;
        plan.window = BRAIN_WINDOW;
    }
}

/// The file itself, or every file below the folder that begins as DICOM files do, in path order.
fn dicom_files(root: &Path, progress: &Progress) -> Result<Vec<PathBuf>, ReadError> {
    let entry = std::fs::metadata(root).map_err(|error| ReadError::io(root, &error))?;
    if entry.is_file() {
        return Ok(vec![root.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name().max_depth(16) {
        progress.check()?;
        let Ok(entry) = entry else { continue };
        let dicom_name = entry.path().extension().is_some_and(|end| end.eq_ignore_ascii_case("dcm"));
        if entry.file_type().is_file() && (dicom_name || is_dicom(entry.path())) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// The headers of many files, read in parallel.
pub fn summaries(files: &[PathBuf], progress: &Progress) -> Result<Vec<Result<Summary, ReadError>>, ReadError> {
    let mut read = Vec::with_capacity(files.len());
    for chunk in files.chunks(256) {
        progress.check()?;
        read.extend(chunk.par_iter().map(|path| summary(path)).collect::<Vec<_>>());
    }
    Ok(read)
}

/// A table with one row for each file: findings as 0/1 columns, and patient and split where stated.
struct Labels {
    vocabulary: Vocabulary,
    rows: HashMap<String, LabelRow>,
}

struct LabelRow {
    values: Vec<f32>,
    fold: Option<Fold>,
    patient: Option<String>,
}

/// Columns that are never findings, whatever they hold.
const NOT_FINDINGS: [&str; 6] = ["any", "slice", "age", "split", "patient", "patient_id"];

impl Labels {
    fn read(path: &Path) -> Result<Self, ReadError> {
        let mut table = Table::open(path)?;
        let key = table.need(&["file", "image", "SOPInstanceUID", "id"])?;
        let patient = table.column(&["patient", "patient_id", "PatientID"]);
        let split = table.column(&["split"]);
        let mut cells = Vec::new();
        let mut binary = vec![true; table.columns().len()];
        while let Some(row) = table.next_row()? {
            let values: Vec<Option<f32>> = (0..binary.len()).map(|column| row.zero_or_one(column).ok()).collect();
            binary.iter_mut().zip(&values).for_each(|(all, value)| *all &= value.is_some());
            let patient = patient.map(|column| row.cell(column).into_owned()).filter(|text| !text.is_empty());
            let fold = split.and_then(|column| Fold::from_word(&row.cell(column)));
            cells.push((row.cell(key).into_owned(), values, patient, fold));
        }
        let excluded: Vec<Option<usize>> = NOT_FINDINGS.iter().map(|name| table.column(&[name])).collect();
        let findings: Vec<usize> =
            (0..binary.len()).filter(|i| binary[*i] && *i != key && !excluded.contains(&Some(*i))).collect();
        if findings.is_empty() || findings.len() >= MAX_FINDINGS {
            let problem = format!("has {} columns of 0 and 1, and needs 1 to {}", findings.len(), MAX_FINDINGS - 1);
            return Err(ReadError::new(path, problem, "give it one column of 0 and 1 for each finding"));
        }
        let rsna = Vocabulary::rsna();
        let names: Vec<&str> = findings.iter().map(|&i| table.columns()[i].as_str()).collect();
        let haemorrhage = rsna.findings.iter().all(|f| f == NO_FINDING || table.column(&[f]).is_some());
        let vocabulary = if haemorrhage {
            rsna
        } else {
            let none = names.iter().all(|name| Vocabulary::new("", [*name]).position(NO_FINDING).is_none());
            Vocabulary::new("table", names.iter().copied().chain(none.then_some(NO_FINDING)))
        };
        vocabulary.validate().map_err(|problem| ReadError::new(path, problem, "rename the columns"))?;
        let places: Vec<Option<usize>> = names.iter().map(|name| vocabulary.position(name)).collect();
        let rows = cells
            .into_iter()
            .map(|(name, cells, patient, fold)| {
                let mut values = vec![0.0; vocabulary.len()];
                for (&column, place) in findings.iter().zip(&places) {
                    if let Some(place) = place {
                        values[*place] = cells[column].unwrap_or(0.0);
                    }
                }
                complete_no_finding(&vocabulary, &mut values);
                (name, LabelRow { values, fold, patient })
            })
            .collect();
        Ok(Self { vocabulary, rows })
    }

    /// A file's row, by its name, its name without ending, or its instance UID.
    fn of(&self, path: &Path, summary: &Summary) -> Option<&LabelRow> {
        let part = |text: Option<&std::ffi::OsStr>| text.and_then(|text| self.rows.get(text.to_str()?));
        part(path.file_name()).or_else(|| part(path.file_stem())).or_else(|| self.rows.get(&summary.instance))
    }
}
