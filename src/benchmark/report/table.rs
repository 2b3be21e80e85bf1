//! The numbers as tables: CSV for other programs, cells of text for the window, rows of HTML for the page.

use std::fmt::Write as _;

use super::definition;
use crate::benchmark::figure::{escape, short};
use crate::benchmark::result::{Difference, Point, SweepResult, Value};
use crate::stats::Bounds;

/// The head of a column: its words, and the word of [`super::DEFINITIONS`] that says what is in it; empty where that is plain.
pub type Head = (&'static str, &'static str);

/// Heads of the table of means.
pub const HEADS: [Head; 8] = [
    ("Value", ""),
    ("Trained on", ""),
    ("Films train / val / test", ""),
    ("Seeds", ""),
    ("AUROC (95 %)", "AUROC"),
    ("Over seeds (t)", "Interval over seeds"),
    ("Relative (95 %)", "Relative performance"),
    ("p (Bonferroni)", "p across seeds"),
];

/// Heads of the table of single findings.
pub const FINDING_HEADS: [Head; 11] = [
    ("Value", ""),
    ("Trained on", ""),
    ("Finding", ""),
    ("Positive", ""),
    ("AUROC (95 % DeLong)", "Interval of the AUROC"),
    ("p by seed", "p of a finding"),
    ("Calibration error", "Calibration error"),
    ("Brier", "Brier score"),
    ("Sensitivity", "Operating point"),
    ("Specificity", "Operating point"),
    ("F1", "Operating point"),
];

/// The whole result as a table, one line for each seed of each curve at each point and each finding, and for the mean.
pub fn csv(result: &SweepResult) -> String {
    let mut text = String::from(
        "sweep,cohort,factor,value,side,classes,train,validation,test,curve,seed,finding,auroc,low,high,relative,relative_low,\
         relative_high,p,p_bonferroni,brier,calibration_error,sensitivity,specificity,f1,test_job\n",
    );
    let number = |v: Option<f64>| v.map_or_else(String::new, |v| format!("{v:.6}"));
    for point in &result.points {
        let [train, validation, test] = point.films;
        for value in &point.values {
            let head = format!(
                "{},{},{},{},{},{},{train},{validation},{test},{}",
                field(&result.name),
                field(&result.cohort.name),
                result.factor,
                point.value,
                point.side,
                point.classes,
                field(&result.curves[value.curve].name)
            );
            let relative = value.relative.as_ref();
            let ends = |b: Option<Bounds>| (number(b.map(|b| b.low)), number(b.map(|b| b.high)));
            let (low, high) = ends(value.interval);
            let (ratio_low, ratio_high) = ends(relative.and_then(|r| r.interval));
            let difference = relative.and_then(|r| r.difference);
            let _ = writeln!(
                text,
                "{head},all,mean,{},{low},{high},{},{ratio_low},{ratio_high},{},{},,,,,,",
                number(value.auroc),
                number(relative.map(|r| r.ratio)),
                number(difference.map(|d| d.p)),
                number(difference.map(|d| d.p_bonferroni)),
            );
            for seed in &value.seeds {
                let _ =
                    writeln!(text, "{head},{},mean,{},,,,,,,,,,,,,{}", seed.seed + 1, number(seed.auroc), seed.test);
                for (i, finding) in seed.result.findings.iter().enumerate() {
                    let (low, high) = ends(finding.interval);
                    let _ = writeln!(
                        text,
                        "{head},{},{},{},{low},{high},,,,{},,{},{},{},{},{},{}",
                        seed.seed + 1,
                        field(&finding.finding),
                        number(finding.auroc),
                        number(seed.against_real.get(i).copied().flatten()),
                        number(finding.brier),
                        number(finding.calibration_error),
                        number(finding.sensitivity),
                        number(finding.specificity),
                        number(finding.f1),
                        seed.test
                    );
                }
            }
        }
    }
    text
}

/// A field of a table, quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// A row of the table of means, as cells of text.
pub fn row(result: &SweepResult, point: &Point, value: &Value) -> Vec<String> {
    let relative = value.relative.as_ref();
    let p = |d: Difference| format!("{:.3} ({:.3}, {} df)", d.p, d.p_bonferroni, d.freedom);
    vec![
        short(point.value),
        trained_on(result, value),
        format!("{} / {} / {}", point.films[0], point.films[1], point.films[2]),
        value.seeds.len().to_string(),
        with_interval(value.auroc, value.interval),
        value.seed_interval.map_or_else(absent, |b| format!("{:.3}–{:.3}", b.low, b.high)),
        relative.map_or_else(absent, |r| with_interval(Some(r.ratio), r.interval)),
        relative.and_then(|r| r.difference).map_or_else(absent, p),
    ]
}

/// Rows of the table of single findings, one for each finding of a curve at a point.
pub fn finding_rows(result: &SweepResult, point: &Point, value: &Value) -> Vec<Vec<String>> {
    let number = |v: Option<f64>| v.map_or_else(absent, |v| format!("{v:.3}"));
    let row = |name: &String| {
        let finding = value.finding(name)?;
        let against: Vec<String> = finding.against_real.iter().map(|&p| number(p)).collect();
        Some(vec![
            short(point.value),
            trained_on(result, value),
            name.clone(),
            format!("{} of {}", finding.positives, point.films[2]),
            with_interval(finding.auroc, finding.interval),
            if value.curve == 0 { absent() } else { against.join(" / ") },
            number(finding.calibration_error),
            number(finding.brier),
            number(finding.sensitivity),
            number(finding.specificity),
            number(finding.f1),
        ])
    };
    point.findings.iter().filter_map(row).collect()
}

/// What a curve's classifiers were trained on; in a mix, samples come to the real films.
fn trained_on(result: &SweepResult, value: &Value) -> String {
    let name = &result.curves[value.curve].name;
    if result.is_mix() && value.curve > 0 { format!("real + {name}") } else { name.clone() }
}

fn with_interval(v: Option<f64>, b: Option<Bounds>) -> String {
    match (v, b) {
        (Some(v), Some(b)) => format!("{v:.3} ({:.3}–{:.3})", b.low, b.high),
        (Some(v), None) => format!("{v:.3}"),
        _ => absent(),
    }
}

/// What stands where there is no number.
fn absent() -> String {
    "–".to_owned()
}

/// The table of means as HTML.
pub(super) fn means(result: &SweepResult) -> String {
    let values = result.points.iter().flat_map(|point| point.values.iter().map(move |value| (point, value)));
    html(&HEADS, values.map(|(point, value)| row(result, point, value)))
}

/// The table of single findings of a point as HTML.
pub(super) fn findings(result: &SweepResult, point: &Point) -> String {
    html(&FINDING_HEADS, point.values.iter().flat_map(|value| finding_rows(result, point, value)))
}

fn html(heads: &[Head], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::from("<table><tr>");
    for (words, defined) in heads {
        let _ = write!(text, "<th title=\"{}\">{words}</th>", escape(definition(defined)));
    }
    text.push_str("</tr>");
    for row in rows {
        text.push_str("<tr>");
        row.iter().for_each(|cell| text.push_str(&format!("<td>{}</td>", escape(cell))));
        text.push_str("</tr>");
    }
    text.push_str("</table>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::report::DEFINITIONS;
    use crate::benchmark::result::example;

    #[test]
    fn every_line_of_the_table_has_every_column() {
        let text = csv(&example::result());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = reader.headers().unwrap().len();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        // 2 points of 3 curves: a mean, and for each of 3 seeds a mean and 2 findings.
        assert_eq!(rows.len(), 2 * 3 * (1 + 3 * 3));
        assert!(rows.iter().all(|row| row.len() == columns));
        assert_eq!(&rows[10][9], "cpD-GAN");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    #[test]
    fn every_column_has_a_head_and_every_head_a_definition_that_there_is() {
        let result = example::result();
        let (point, value) = (&result.points[0], &result.points[0].values[1]);
        assert_eq!(row(&result, point, value).len(), HEADS.len());
        let rows = finding_rows(&result, point, value);
        assert!(rows.len() == 2 && rows.iter().all(|row| row.len() == FINDING_HEADS.len()));
        let expected = ["8", "cpD-GAN", "Edema", "40 of 100", "0.800 (0.750–0.850)", "0.200 / 0.200 / 0.200"];
        assert_eq!(rows[0][..6], expected);
        assert_eq!(rows[0][6..], ["0.050", "0.200", "0.800", "0.700", "0.750"]);
        assert_eq!(
            (rows[1][5].as_str(), finding_rows(&result, point, &point.values[0])[0][5].as_str()),
            ("– / – / –", "–")
        );
        for (_, word) in HEADS.iter().chain(&FINDING_HEADS) {
            assert!(word.is_empty() || DEFINITIONS.iter().any(|(known, _)| known == word), "{word}");
        }
        let mix = example::mix();
        assert_eq!(row(&mix, &mix.points[1], &mix.points[1].values[0])[1], "real + cpD-GAN");
    }
}
