//! `CheXpert`: `train.csv` and `valid.csv` with paths like `CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg`.
//!
//! The rules of the GAN benchmark (DuMont Schütte 2021): frontal films only, a blank label is 0, −1 follows the policy, films whose
//! 14 labels are all 0 are left out; without a wish for the source's folds, the official validation set is not used.

use std::path::{Path, PathBuf};

use super::table::{Table, TableRow};
use super::{Item, Pixels, Plan, ReadError, Request, Uncertain, inside};
use crate::cohort::{Fold, Sex};
use crate::finding::Vocabulary;
use crate::progress::Progress;

/// Plans the films of the folder (or one table) in `request.input`.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let mut plan = Plan::density("chexpert", Vocabulary::chexpert());
    plan.licence = "Stanford University dataset research use agreement; not to be redistributed".into();
    plan.citation =
        "Irvin et al., CheXpert: a large chest radiograph dataset with uncertainty labels and expert comparison, \
                     AAAI 2019"
            .into();
    plan.provenance.push("CheXpert, frontal chest films; findings were text-mined from reports".into());
    plan.provenance.push(match request.uncertain {
        Uncertain::Ones => "Uncertain labels count as present".into(),
        Uncertain::Zeros => "Uncertain labels count as absent".into(),
        Uncertain::Ignore => "Films with uncertain labels were left out".into(),
    });
    for (path, fold) in tables(request)? {
        read_table(&path, fold, request, &mut plan, progress)?;
    }
    Ok(plan)
}

/// The tables to read: the one given, or `train.csv`, with `valid.csv` when the source's folds are wanted or it is alone.
fn tables(request: &Request) -> Result<Vec<(PathBuf, Fold)>, ReadError> {
    let input = &request.input;
    let fold_of = |path: &Path| {
        let valid = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("valid"));
        if valid { Fold::Validation } else { Fold::Train }
    };
    if let Some(table) = request.labels.clone().or_else(|| input.is_file().then(|| input.clone())) {
        return Ok(vec![(table.clone(), fold_of(&table))]);
    }
    let known = |name: &str| Some(input.join(name)).filter(|path| path.is_file());
    let found: Vec<PathBuf> = match (known("train.csv"), known("valid.csv")) {
        (Some(train), Some(valid)) if request.source_folds => vec![train, valid],
        (Some(train), _) => vec![train],
        (None, Some(valid)) => vec![valid],
        (None, None) => {
            return Err(ReadError::new(input, "holds no train.csv", "point to the folder that holds train.csv"));
        }
    };
    Ok(found.into_iter().map(|path| (path.clone(), fold_of(&path))).collect())
}

fn read_table(
    path: &Path,
    fold: Fold,
    request: &Request,
    plan: &mut Plan,
    progress: &Progress,
) -> Result<(), ReadError> {
    let mut table = Table::open(path)?;
    let film = table.need(&["Path"])?;
    let (age, sex) = (table.column(&["Age"]), table.column(&["Sex"]));
    let view = table.column(&["AP/PA"]);
    let columns: Vec<usize> =
        plan.vocabulary.findings.iter().map(|name| table.need(&[name])).collect::<Result<_, _>>()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    while let Some(row) = table.next_row()? {
        progress.check()?;
        let source = row.cell(film).into_owned();
        if !source.contains("_frontal") {
            // Lateral films are not wanted; listing each would bury what went wrong.
            continue;
        }
        let found = patient(&source).zip(locate(folder, &source));
        let Some((patient, file)) = found else {
            plan.skip(&source, &table.at(&row, "its path names no patient, or leads out of the folder"));
            continue;
        };
        let labels = match read_labels(&row, &columns, request.uncertain) {
            Ok(labels) => labels,
            Err(problem) => {
                plan.skip(&source, &table.at(&row, problem));
                continue;
            }
        };
        let years = age.and_then(|column| row.number(column).ok().flatten()).filter(|age| (0.0..=120.0).contains(age));
        plan.items.push(Item {
            patient,
            labels,
            fold: request.source_folds.then_some(fold),
            age: years,
            sex: sex.and_then(|column| Sex::from_word(&row.cell(column))),
            view: view.map(|column| row.cell(column).into_owned()).unwrap_or_default(),
            pixels: Pixels::Picture(file),
            source,
        });
    }
    Ok(())
}

fn read_labels(row: &TableRow, columns: &[usize], uncertain: Uncertain) -> Result<Vec<f32>, String> {
    let mut labels = Vec::with_capacity(columns.len());
    for &column in columns {
        labels.push(match row.number(column)? {
            None => 0.0,
            Some(value) if value == 0.0 || value == 1.0 => value,
            Some(-1.0) => match uncertain {
                Uncertain::Ones => 1.0,
                Uncertain::Zeros => 0.0,
                Uncertain::Ignore => return Err("has an uncertain label, and those are to be left out".into()),
            },
            Some(value) => return Err(format!("a label is {value} and should be -1, 0, 1 or blank")),
        });
    }
    if labels.iter().all(|&label| label == 0.0) {
        return Err("has no label at all".into());
    }
    Ok(labels)
}

/// `patient00001` in a film's path.
fn patient(path: &str) -> Option<String> {
    path.split(['/', '\\']).find(|part| part.len() > 7 && part.starts_with("patient")).map(str::to_owned)
}

/// The film's file: the path as written below the table's folder or its parent, or without its first part.
fn locate(folder: &Path, path: &str) -> Option<PathBuf> {
    let whole = inside(folder, path)?;
    let beside = inside(folder.parent().unwrap_or(folder), path)?;
    let below = path.split_once('/').and_then(|(_, rest)| inside(folder, rest));
    let candidates = [Some(whole.clone()), Some(beside), below.clone()];
    let found = candidates.into_iter().flatten().find(|path| path.is_file());
    // Where none exists, the plainest one is named as missing when it comes to be read.
    found.or(below).or(Some(whole))
}
