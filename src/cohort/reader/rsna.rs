//! RSNA 2019 intracranial haemorrhage: `stage_2_train.csv` in its long form (`ID_12cadc6af_epidural,0`, six rows a slice)
//! and the slices as DICOM or pictures; also a table with one row a slice.
//!
//! "any" is replaced by "No Finding", which is 1 exactly when none of the five types is (DuMont Schütte 2021).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::dicom::{adopt_meaning, summaries};
use super::table::Table;
use super::{Item, Pixels, Plan, ReadError, Request, complete_no_finding, files_by_name};
use crate::finding::{NO_FINDING, Vocabulary};
use crate::progress::Progress;
use crate::radiograph::Meaning;

/// Label tables by their published names, and the authors' own with a third column for the patient.
const TABLES: [&str; 5] =
    ["stage_2_train.csv", "new_stage_2_train.csv", "stage_1_train.csv", "stage_2_train_labels.csv", "labels.csv"];

/// A slice as the table has it.
struct Slice {
    id: String,
    labels: [f32; 6],
    patient: String,
}

/// Plans the slices of the folder in `request.input`.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let root = &request.input;
    let found = TABLES.iter().map(|name| root.join(name)).find(|path| path.is_file());
    let table = request.labels.clone().or(found).ok_or_else(|| {
        ReadError::new(root, "holds no stage_2_train.csv", "point to the folder that holds the label table")
    })?;
    let mut plan = Plan::density("rsna-ich", Vocabulary::rsna());
    plan.licence = "RSNA 2019 challenge terms: non-commercial research and education".into();
    plan.citation =
        "Flanders et al., Construction of a machine learning dataset through collaboration: the RSNA 2019 brain \
                     CT hemorrhage challenge, Radiology: AI 2020, doi 10.1148/ryai.2020190211"
            .into();
    plan.provenance.push("RSNA 2019 intracranial haemorrhage, axial head CT".into());
    let slices = read_table(&table, &mut plan, progress)?;

    let files = files_by_name(root, progress)?;
    let mut with_files = Vec::new();
    for slice in slices {
        if let Some(path) = find(&files, &slice.id) {
            with_files.push((slice, path));
        } else {
            let problem = format!("{} is not in this folder", slice.id);
            let reason = ReadError::new(root, problem, "put the missing slice there, or leave it out knowingly");
            plan.skip(&slice.id, &reason);
        }
    }
    let is_dicom = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("dcm"));
    let dicom_paths: Vec<PathBuf> =
        with_files.iter().map(|(_, path)| path).filter(|path| is_dicom(path)).cloned().collect();
    let read = summaries(&dicom_paths, progress)?;
    if !dicom_paths.is_empty() {
        adopt_meaning(&mut plan, &read);
    }
    let hounsfield = plan.meaning == Meaning::Hounsfield;
    let mut summaries = read.into_iter();
    for (slice, path) in with_files {
        let dicom = is_dicom(&path);
        let summary = if dicom { summaries.next().transpose() } else { Ok(None) };
        let summary = match summary {
            Ok(summary) if dicom == hounsfield || !hounsfield => summary,
            Ok(_) => {
                let problem = "is a picture among slices in Hounsfield units";
                plan.skip(&slice.id, &ReadError::new(&path, problem, "import pictures and DICOM into two packs"));
                continue;
            }
            Err(reason) => {
                plan.skip(&slice.id, &reason);
                continue;
            }
        };
        let from_header = summary.as_ref().map(|summary| summary.patient.clone()).unwrap_or_default();
        let patient = if slice.patient.is_empty() { from_header } else { slice.patient };
        plan.patients_known &= !patient.is_empty();
        plan.items.push(Item {
            patient: if patient.is_empty() { slice.id.clone() } else { patient },
            source: slice.id,
            labels: slice.labels.to_vec(),
            fold: None,
            age: summary.as_ref().and_then(|summary| summary.age),
            sex: summary.as_ref().and_then(|summary| summary.sex),
            view: String::new(),
            pixels: if dicom { Pixels::Dicom { path, frame: 0, hounsfield } } else { Pixels::Picture(path) },
        });
    }
    Ok(plan)
}

fn read_table(path: &Path, plan: &mut Plan, progress: &Progress) -> Result<Vec<Slice>, ReadError> {
    let mut table = Table::open(path)?;
    if table.column(&["Label"]).is_some() { long(&mut table, plan, progress) } else { wide(&mut table, plan, progress) }
}

/// Six rows a slice: `ID_<slice>_<type>,<0|1>[,<patient>]`.
fn long(table: &mut Table, plan: &mut Plan, progress: &Progress) -> Result<Vec<Slice>, ReadError> {
    let (id, label) = (table.need(&["ID"])?, table.need(&["Label"])?);
    let patient = table.column(&["patient", "patient_id", "PatientID"]);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut slices: Vec<(Slice, u8)> = Vec::new();
    while let Some(row) = table.next_row()? {
        progress.check()?;
        let name = row.cell(id);
        let parts = name.rsplit_once('_').filter(|(slice, _)| !slice.is_empty());
        let Some((slice, kind)) = parts.map(|(slice, kind)| (slice.to_owned(), kind.to_owned())) else {
            plan.skip(&name, &table.at(&row, "names no slice and type, as in ID_12cadc6af_epidural"));
            continue;
        };
        let any = kind.eq_ignore_ascii_case("any");
        let place = plan.vocabulary.position(&kind).filter(|&place| plan.vocabulary.findings[place] != NO_FINDING);
        let value = row.zero_or_one(label);
        let (Ok(value), true) = (&value, any || place.is_some()) else {
            let problem = value.err().unwrap_or_else(|| format!("\"{kind}\" is not a type of haemorrhage"));
            plan.skip(&slice, &table.at(&row, problem));
            continue;
        };
        let at = *places.entry(slice.clone()).or_insert_with(|| {
            slices.push((Slice { id: slice, labels: [0.0; 6], patient: String::new() }, 0));
            slices.len() - 1
        });
        let (slice, seen) = &mut slices[at];
        if let Some(place) = place {
            // The published table holds a few slices twice, with the same labels.
            slice.labels[place] = slice.labels[place].max(*value);
            *seen |= 1 << place;
        }
        if let Some(column) = patient {
            row.cell(column).as_ref().clone_into(&mut slice.patient);
        }
    }
    let mut complete = Vec::new();
    for (mut slice, seen) in slices {
        if seen == 0b1_1111 {
            complete_no_finding(&plan.vocabulary, &mut slice.labels);
            complete.push(slice);
        } else {
            let problem = format!("{} lacks rows for some of the five types", slice.id);
            plan.skip(&slice.id, &ReadError::new(&table.path, problem, "complete the table"));
        }
    }
    Ok(complete)
}

/// One row a slice, one column a type.
fn wide(table: &mut Table, plan: &mut Plan, progress: &Progress) -> Result<Vec<Slice>, ReadError> {
    let id = table.need(&["file", "image", "ID"])?;
    let patient = table.column(&["patient", "patient_id", "PatientID"]);
    let columns: Vec<Option<usize>> = plan
        .vocabulary
        .findings
        .iter()
        .map(|name| if name == NO_FINDING { Ok(None) } else { table.need(&[name]).map(Some) })
        .collect::<Result<_, _>>()?;
    let mut seen = std::collections::HashSet::new();
    let mut slices = Vec::new();
    while let Some(row) = table.next_row()? {
        progress.check()?;
        let name = row.cell(id).into_owned();
        let stem = Path::new(&name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let mut labels = [0.0; 6];
        let read: Result<(), String> = labels.iter_mut().zip(&columns).try_for_each(|(label, column)| {
            *label = column.map_or(Ok(0.0), |column| row.zero_or_one(column))?;
            Ok(())
        });
        match read {
            Err(problem) => plan.skip(&name, &table.at(&row, problem)),
            Ok(()) if stem.is_empty() => plan.skip(&name, &table.at(&row, "names no slice")),
            Ok(()) if !seen.insert(stem.clone()) => plan.skip(&name, &table.at(&row, "repeats a slice")),
            Ok(()) => {
                complete_no_finding(&plan.vocabulary, &mut labels);
                let patient = patient.map(|column| row.cell(column).into_owned()).unwrap_or_default();
                slices.push(Slice { id: stem, labels, patient });
            }
        }
    }
    Ok(slices)
}

/// A slice's file: DICOM before pictures.
fn find(files: &HashMap<String, PathBuf>, id: &str) -> Option<PathBuf> {
    ["dcm", "png", "jpg", "jpeg"].iter().find_map(|end| files.get(&format!("{id}.{end}"))).cloned()
}
