//! Head CT of `PhysioNet` CT-ICH as brain-window pictures: `labels.csv` beside a folder of `PPP_SS.jpg`.
//!
//! The pictures hold displayed grey values. Six of seven patients whose slices are also at hand in HU were exported at
//! level 40, width 120, one at a width near 72: so the values stay density, and are not called HU.

use super::table::{Table, TableRow};
use super::{Item, Pixels, Plan, ReadError, Request, complete_no_finding, files_by_name};
use crate::cohort::Fold;
use crate::finding::{NO_FINDING, Vocabulary};
use crate::progress::Progress;

/// Plans the slices of the folder in `request.input`.
pub fn plan(request: &Request, progress: &Progress) -> Result<Plan, ReadError> {
    let table_path = request.labels.clone().unwrap_or_else(|| request.input.join("labels.csv"));
    let mut table = Table::open(&table_path)?;
    let mut plan = Plan::density("ct-ich", Vocabulary::rsna());
    plan.licence = "CC BY 4.0".into();
    plan.citation =
        "Hssayeni et al., Intracranial hemorrhage segmentation, Data 2020, 5(1), 14, doi 10.3390/data5010014; \
                     Goldberger et al., PhysioBank, PhysioToolkit and PhysioNet, Circulation 2000"
            .into();
    plan.provenance.push("PhysioNet CT-ICH 1.0.0, axial head CT as brain-window pictures".into());
    plan.provenance.push(
        "Stored as displayed brightness: most patients were exported at level 40 HU, width 120 HU, but not all".into(),
    );

    let image = table.need(&["image", "file"])?;
    let patient = table.need(&["patient", "patient_id"])?;
    let slice = table.column(&["slice"]);
    let split = table.column(&["split"]);
    let findings: Vec<Option<usize>> = plan
        .vocabulary
        .findings
        .iter()
        .map(|name| if name == NO_FINDING { Ok(None) } else { table.need(&[name]).map(Some) })
        .collect::<Result<_, _>>()?;
    let files = files_by_name(&request.input, progress)?;
    let mut seen = std::collections::HashSet::new();
    while let Some(row) = table.next_row()? {
        progress.check()?;
        let source = row.cell(image).into_owned();
        let labels = read_labels(&row, &findings);
        let who = row.cell(patient).into_owned();
        let reason = match &labels {
            Err(problem) => Some(table.at(&row, problem)),
            Ok(_) if source.is_empty() || who.is_empty() => Some(table.at(&row, "names no image or no patient")),
            Ok(_) if !seen.insert(source.clone()) => Some(table.at(&row, format!("{source} was listed before"))),
            Ok(_) => None,
        };
        if let Some(reason) = reason {
            plan.skip(&source, &reason);
            continue;
        }
        let (Ok(mut labels), Some(path)) = (labels, files.get(&source)) else {
            let problem = format!("{source} is not in this folder");
            plan.skip(&source, &ReadError::new(&request.input, problem, "put the missing image there"));
            continue;
        };
        complete_no_finding(&plan.vocabulary, &mut labels);
        let number = slice.map(|column| row.cell(column).into_owned()).unwrap_or_default();
        plan.items.push(Item {
            source,
            patient: who,
            labels,
            fold: split.and_then(|column| Fold::from_word(&row.cell(column))),
            age: None,
            sex: None,
            view: if number.is_empty() { String::new() } else { format!("slice {number}") },
            pixels: Pixels::Picture(path.clone()),
        });
    }
    Ok(plan)
}

fn read_labels(row: &TableRow, findings: &[Option<usize>]) -> Result<Vec<f32>, String> {
    findings.iter().map(|column| column.map_or(Ok(0.0), |column| row.zero_or_one(column))).collect()
}
