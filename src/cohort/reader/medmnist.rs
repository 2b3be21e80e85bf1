//! `MedMNIST` archives: `{train,val,test}_{images,labels}` and, where given, `…_names` with the films' own names.

use std::path::Path;

use super::{Item, Pixels, Plan, ReadError, Request, archive, complete_no_finding};
use crate::cohort::Fold;
use crate::finding::{MAX_FINDINGS, NO_FINDING, Vocabulary};

const REMEDY: &str = "use an archive in the MedMNIST layout";

const PARTS: [(&str, Fold); 3] = [("train", Fold::Train), ("val", Fold::Validation), ("test", Fold::Test)];

/// Class names of single-label editions that are radiographs, by the start of the file's name.
const KNOWN: [(&str, &[&str]); 3] = [
    ("pneumoniamnist", &[NO_FINDING, "Pneumonia"]),
    ("breastmnist", &["Malignant", NO_FINDING]),
    ("kermany", &[NO_FINDING, "Bacterial Pneumonia", "Viral Pneumonia"]),
];

/// Plans the films of one archive.
pub fn plan(request: &Request) -> Result<Plan, ReadError> {
    let path = &request.input;
    let arrays = archive::arrays(path)?;
    let find = |name: &str| arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();

    let mut parts = Vec::new();
    for (part, fold) in PARTS {
        let member = format!("{part}_images");
        let Some(images) = find(&member) else { continue };
        let bad = |problem: String| ReadError::new(path, problem, REMEDY);
        let (count, _) = images.image_shape().map_err(|problem| bad(format!("{member} {problem}")))?;
        let (shape, labels) = archive::numbers(path, &format!("{part}_labels"))?;
        let columns = match *shape.as_slice() {
            [n] if n == count => 1,
            [n, k] if n == count && (1..=MAX_FINDINGS as u64).contains(&k) => k as usize,
            _ => return Err(bad(format!("{part}_labels has shape {shape:?} for {count} images"))),
        };
        if let Some(value) = labels.iter().find(|v| !(v.fract() == 0.0 && (0.0..=f32::from(u8::MAX)).contains(*v))) {
            return Err(bad(format!("{part}_labels holds {value}, which is no class")));
        }
        let name_member = format!("{part}_names");
        let names = if find(&name_member).is_some() { archive::texts(path, &name_member)? } else { Vec::new() };
        if !names.is_empty() && names.len() as u64 != count {
            return Err(bad(format!("{name_member} has {} names for {count} images", names.len())));
        }
        parts.push((part, fold, count, columns, labels, names));
    }
    let columns = parts.first().map_or(0, |part| part.3);
    if parts.iter().any(|part| part.3 != columns) || columns == 0 {
        return Err(ReadError::new(path, "has no train_images with labels of one width", REMEDY));
    }

    let highest = parts.iter().flat_map(|part| &part.4).fold(0.0_f32, |a, &b| a.max(b));
    if columns > 1 && highest > 1.0 {
        return Err(ReadError::new(path, "has several label columns that are not 0 or 1", REMEDY));
    }
    let vocabulary = vocabulary(&stem, columns, highest as usize + 1);
    let mut plan = Plan::density(&stem, vocabulary);
    plan.patients_known = parts.iter().all(|part| part.5.iter().any(|name| patient_of(name).is_some()));
    plan.provenance.push(format!("MedMNIST archive {stem}.npz"));
    for (part, fold, count, columns, labels, names) in &parts {
        for index in 0..*count {
            let row = &labels[index as usize * columns..][..*columns];
            let mut values = vec![0.0; plan.vocabulary.len()];
            if *columns == 1 {
                values[row[0] as usize] = 1.0;
            } else {
                values[..*columns].copy_from_slice(row);
                complete_no_finding(&plan.vocabulary, &mut values);
            }
            let own = format!("{part}_{index:07}");
            let source = names.get(index as usize).filter(|name| !name.is_empty()).cloned().unwrap_or(own);
            plan.items.push(Item {
                patient: patient_of(&source).unwrap_or_else(|| source.clone()),
                source,
                labels: values,
                fold: Some(*fold),
                age: None,
                sex: None,
                view: String::new(),
                pixels: Pixels::Archive { path: path.clone(), member: format!("{part}_images"), index },
            });
        }
    }
    Ok(plan)
}

/// The findings of an edition: NIH's for 14 columns (`ChestMNIST` has their order), known class names, or `Class 0`, ….
fn vocabulary(stem: &str, columns: usize, classes: usize) -> Vocabulary {
    if columns == 14 {
        return Vocabulary::nih();
    }
    if columns > 1 {
        let findings = (0..columns).map(|i| format!("Finding {i}")).chain([NO_FINDING.to_owned()]);
        return Vocabulary::new(stem, findings);
    }
    match KNOWN.iter().find(|(start, names)| stem.starts_with(start) && classes <= names.len()) {
        Some((_, names)) => Vocabulary::new(stem, names.iter().copied()),
        None => Vocabulary::new(stem, (0..classes).map(|i| format!("Class {i}"))),
    }
}

/// The patient in a film's name, for the naming of NIH (`00000013_009.png`) and Kermany (`person17_virus_48.jpeg`,
/// `IM-0115-0001.jpeg`, `NORMAL2-IM-0927-0001.jpeg`).
pub fn patient_of(name: &str) -> Option<String> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    if let Some((patient, film)) = stem.split_once('_') {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if patient.len() == 8 && digits(patient) && digits(film) {
            return Some(without_zeros(patient));
        }
        if patient.strip_prefix("person").is_some_and(digits) {
            return Some(patient.to_owned());
        }
    }
    let (before, rest) = stem.split_once("IM-")?;
    let (number, _) = rest.split_once('-')?;
    Some(format!("{before}IM-{number}"))
}

/// A patient number without leading zeros, so that `00000013` and `13` are one person.
pub fn without_zeros(number: &str) -> String {
    let short = number.trim_start_matches('0');
    if short.is_empty() && !number.is_empty() { "0".to_owned() } else { short.to_owned() }
}
