//! NIH ChestX-ray14: the published folder with `Data_Entry_2017.csv`, or one with a `labels.csv` of 0/1 columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::table::{Table, TableRow};
use super::{Item, Pixels, Plan, ReadError, Request, archive, complete_no_finding, files_by_name};
use crate::cohort::{Fold, Sex};
use crate::finding::{NO_FINDING, Vocabulary};
use crate::progress::Progress;

/// Plans the films of the folder (or table) in `request.input`.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let (folder, table_path) = locate(request)?;
    let mut table = Table::open(&table_path)?;
    let mut plan = Plan::density("nih-cxr14", Vocabulary::nih());
    plan.licence = "Free use with link, citation and acknowledgement of the NIH Clinical Center".into();
    plan.citation = "Wang et al., ChestX-ray8, CVPR 2017; images provided by the NIH Clinical Center, \
                     https://nihcc.app.box.com/v/ChestXray-NIHCC"
        .into();
    plan.provenance.push("NIH ChestX-ray14, frontal chest films; findings were text-mined from reports".into());

    let files = files_by_name(&folder, progress)?;
    let splits = source_splits(&files)?;
    let small = small_archives(&folder, request.resolution)?;
    let columns = Columns::of(&table, &plan.vocabulary)?;
    let mut from_archives = Vec::new();
    let mut seen = std::collections::HashSet::new();
    while let Some(row) = table.next_row()? {
        progress.check()?;
        let source = row.cell(columns.image).into_owned();
        if source.is_empty() {
            plan.skip("", &table.at(&row, "names no image"));
            continue;
        }
        let entry = match columns.read(&row, &plan.vocabulary) {
            Ok(entry) => entry,
            Err(problem) => {
                plan.skip(&source, &table.at(&row, problem));
                continue;
            }
        };
        if !seen.insert(source.clone()) {
            plan.skip(&source, &table.at(&row, format!("{source} was listed before")));
            continue;
        }
        let named = columns.file.map(|column| row.cell(column).into_owned()).filter(|name| !name.is_empty());
        let on_disk = find(&files, named.as_deref().unwrap_or(&source));
        let pixels = match (on_disk, small.get(&source)) {
            (Some(path), _) => Pixels::Picture(path),
            (None, Some(pixels)) => pixels.clone(),
            (None, None) => {
                let problem = format!("{source} is not in this folder");
                let remedy = "put the missing image there, or leave it out knowingly";
                plan.skip(&source, &ReadError::new(&folder, problem, remedy));
                continue;
            }
        };
        let fold = entry.fold.or_else(|| splits.get(&source).copied());
        let item = Item { source, fold, pixels, ..entry };
        if matches!(item.pixels, Pixels::Archive { .. }) { from_archives.push(item) } else { plan.items.push(item) }
    }
    if !from_archives.is_empty() {
        let problem = format!(
            "{} films have no file of their own and come from a smaller archive in the folder",
            from_archives.len()
        );
        plan.provenance.push(problem);
    }
    // In the archive's own order, so that it is decompressed once.
    from_archives.sort_by(|a, b| key(&a.pixels).cmp(&key(&b.pixels)));
    plan.items.append(&mut from_archives);
    Ok(plan)
}

/// The folder with the images and the label table.
fn locate(request: &Request) -> Result<(PathBuf, PathBuf), ReadError> {
    let input = &request.input;
    if input.is_file() {
        let folder = input.parent().unwrap_or(Path::new("."));
        return Ok((folder.to_path_buf(), request.labels.clone().unwrap_or_else(|| input.clone())));
    }
    let known = ["Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", "labels.csv"];
    let found = known.iter().map(|name| input.join(name)).find(|path| path.is_file());
    let table = request.labels.clone().or(found).ok_or_else(|| {
        ReadError::new(input, "holds no Data_Entry_2017.csv or labels.csv", "point to the folder that holds it")
    })?;
    Ok((input.clone(), table))
}

/// Where things stand in the label table.
struct Columns {
    image: usize,
    file: Option<usize>,
    patient: usize,
    joined: Option<usize>,
    findings: Vec<Option<usize>>,
    age: Option<usize>,
    sex: Option<usize>,
    view: Option<usize>,
    split: Option<usize>,
}

impl Columns {
    fn of(table: &Table, vocabulary: &Vocabulary) -> Result<Self, ReadError> {
        let joined = table.column(&["Finding Labels"]);
        let findings = if joined.is_some() {
            Vec::new()
        } else {
            let needed = |name: &String| {
                if name == NO_FINDING { Ok(table.column(&[name])) } else { table.need(&[name]).map(Some) }
            };
            vocabulary.findings.iter().map(needed).collect::<Result<_, _>>()?
        };
        Ok(Self {
            image: table.need(&["Image Index", "image"])?,
            file: table.column(&["file256", "file"]),
            patient: table.need(&["Patient ID", "patient_id", "patient"])?,
            joined,
            findings,
            age: table.column(&["Patient Age", "age"]),
            sex: table.column(&["Patient Gender", "Patient Sex", "sex", "gender"]),
            view: table.column(&["View Position", "view"]),
            split: table.column(&["split"]),
        })
    }

    /// A row as an item without its name and pixels.
    fn read(&self, row: &TableRow, vocabulary: &Vocabulary) -> Result<Item, String> {
        let mut labels = vec![0.0; vocabulary.len()];
        if let Some(joined) = self.joined {
            for name in row.cell(joined).split('|').filter(|name| !name.trim().is_empty()) {
                let at = vocabulary.position(name).ok_or_else(|| format!("\"{name}\" is not a finding of this set"))?;
                labels[at] = 1.0;
            }
        } else {
            for (label, column) in labels.iter_mut().zip(&self.findings) {
                *label = column.map_or(Ok(0.0), |column| row.zero_or_one(column))?;
            }
        }
        complete_no_finding(vocabulary, &mut labels);
        let patient = super::medmnist::without_zeros(&row.cell(self.patient));
        if patient.is_empty() {
            return Err("names no patient".into());
        }
        Ok(Item {
            source: String::new(),
            patient,
            labels,
            fold: self.split.and_then(|column| Fold::from_word(&row.cell(column))),
            age: self.age.and_then(|column| years(&row.cell(column))),
            sex: self.sex.and_then(|column| Sex::from_word(&row.cell(column))),
            view: self.view.map(|column| row.cell(column).into_owned()).unwrap_or_default(),
            pixels: Pixels::Picture(PathBuf::new()),
        })
    }
}

/// An age as `58` or `058Y`; some of the published ages are mistyped (up to 414) and then count as not stated.
fn years(cell: &str) -> Option<f32> {
    let age: f32 = cell.trim_end_matches(['Y', 'y']).parse().ok()?;
    (0.0..=120.0).contains(&age).then_some(age)
}

/// A file by its name, or by the same name with another picture extension.
fn find(files: &HashMap<String, PathBuf>, name: &str) -> Option<PathBuf> {
    let name = Path::new(name).file_name()?.to_str()?;
    let stem = Path::new(name).file_stem()?.to_str()?;
    let others = ["png", "jpg", "jpeg", "PNG", "JPG"].map(|end| format!("{stem}.{end}"));
    std::iter::once(name).chain(others.iter().map(String::as_str)).find_map(|name| files.get(name)).cloned()
}

/// The published lists `train_val_list.txt` and `test_list.txt`, where they are there.
fn source_splits(files: &HashMap<String, PathBuf>) -> Result<HashMap<String, Fold>, ReadError> {
    let mut splits = HashMap::new();
    for (list, fold) in [("train_val_list.txt", Fold::Train), ("test_list.txt", Fold::Test)] {
        let Some(path) = files.get(list) else { continue };
        let text = super::read_capped(path, 64 << 20)?;
        splits.extend(String::from_utf8_lossy(&text).lines().map(|line| (line.trim().to_owned(), fold)));
    }
    Ok(splits)
}

/// Films by name in `.npz` archives beside the table, where these are at least as large as what is wanted.
fn small_archives(folder: &Path, resolution: usize) -> Result<HashMap<String, Pixels>, ReadError> {
    let mut found = HashMap::new();
    let entries = std::fs::read_dir(folder).map_err(|error| ReadError::io(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "npz")) {
        for (member, array) in archive::arrays(&path)? {
            let Some(part) = member.strip_suffix("_images") else { continue };
            let large_enough = array.image_shape().is_ok_and(|(_, [h, w, _])| h >= resolution && w >= resolution);
            let Ok(names) = archive::texts(&path, &format!("{part}_names")) else { continue };
            if large_enough {
                let pixels = |index| Pixels::Archive { path: path.clone(), member: member.clone(), index };
                found.extend(names.into_iter().zip((0..).map(pixels)));
            }
        }
    }
    Ok(found)
}

fn key(pixels: &Pixels) -> (&Path, &str, u64) {
    match pixels {
        Pixels::Archive { path, member, index } => (path, member, *index),
        other => (other.path(), "", 0),
    }
}
