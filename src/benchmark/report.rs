//! What leaves the program: a page with figure, table and methods; the table as CSV; the figure as SVG.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::BenchmarkError;
use super::figure::drawing::PAPER;
use super::figure::{Choice, Figure, View, escape, short};
use super::published;
use super::result::{Difference, Point, RESAMPLES, SweepResult, Value};
use crate::stats::Bounds;
use crate::store;

/// The face that figures are written in, so that they look the same everywhere.
const FONT: &[u8] = include_bytes!("../../assets/fonts/Roboto-Regular.ttf");

/// What each number is; shown beside it wherever it is shown.
pub const DEFINITIONS: [(&str, &str); 8] = [
    (
        "AUROC",
        "Probability that a test film with a finding scores above one without it, ties counting half; mean over the findings \
         of which the test films hold both kinds.",
    ),
    (
        "Interval of the AUROC",
        "95 % percentile interval over 1000 draws of the test fold's patients and of the seeds, both with replacement. For one \
         finding: by DeLong, averaged over seeds.",
    ),
    (
        "Relative performance",
        "Mean AUROC of classifiers trained on samples alone over that of classifiers trained on the real films that the samples \
         stand in for, both tested on the same real films; interval from the same draws for both.",
    ),
    (
        "p across seeds",
        "Two-sided paired t test of the differences (synthetic minus real) of classifiers with the same seed; Bonferroni: \
         times the number of such tests in the sweep. Below 4 degrees of freedom it is weak.",
    ),
    (
        "p of a finding",
        "Two-sided paired DeLong test of the two classifiers of one seed on the same test films, not corrected.",
    ),
    (
        "Calibration error",
        "Expected calibration error over ten bins of equal width; where the loss weighted findings by frequency, \
         probabilities are first given the training data's frequencies again.",
    ),
    ("Brier score", "Mean squared difference between probability and outcome; 0 is perfect."),
    (
        "Operating point",
        "Sensitivity, specificity and F1 on the test films at the threshold with the largest sensitivity plus specificity \
         (Youden) on the data on which the classifier's epoch was chosen.",
    ),
];

/// The figure as a file of its own, with its face inside.
pub fn svg(figure: &Figure) -> String {
    figure.svg(&PAPER, Some(&font_source()))
}

/// The figure as pixels, its text set in the same face.
///
/// # Errors
/// A sentence, when it cannot be painted.
pub fn png(figure: &Figure) -> Result<Vec<u8>, String> {
    figure.png(&PAPER, FONT)
}

fn font_source() -> String {
    format!("url(data:font/ttf;base64,{})", base64(FONT))
}

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

/// The methods in a few sentences, fit to stand in a paper's supplement.
pub fn methods(result: &SweepResult) -> String {
    let what = match result.factor.as_str() {
        "classes" => "the number of classes (combinations of findings; nested, the same number of films of each)",
        "samples" => {
            "the number of training films per class (nested subsets; the same validation and test films throughout)"
        }
        "resolution" => "the side of the images (the whole train fold with its own frequencies)",
        _ => "the number of samples added to each real film",
    };
    let generators = result.curves[1.min(result.curves.len())..]
        .iter()
        .map(|curve| format!("{} ({})", curve.name, curve.training))
        .collect::<Vec<_>>()
        .join("; ");
    let code = if result.as_published {
        " As in the published code, AUROCs below one half were mirrored, the loss was unweighted and the last incomplete batch \
         of test films was left out."
    } else {
        ""
    };
    format!(
        "Films: {}{} ({} films of {} patients, split by patient), varied in {what}. At every point and for each of {} a \
         generator of each kind was trained on the train fold ({generators}); one sample was drawn for each film of each fold \
         with that film's label vector and a latent of its own, from the averaged generator, to 8 bits. A classifier ({}) \
         was trained on the samples alone, its epoch chosen on samples, and another on the real films; both were tested on the \
         same real test films. Intervals: percentile bootstrap of patients and seeds, {RESAMPLES} draws.{code}",
        result.cohort.name,
        if result.cohort.phantom { " (phantoms, not patients)" } else { "" },
        result.cohort.films,
        result.cohort.patients,
        if result.seeds == 1 { "1 seed".to_owned() } else { format!("{} seeds", result.seeds) },
        result.classifier,
    )
}

/// The whole on one page, with nothing that would have to be fetched.
pub fn html(result: &SweepResult) -> String {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>\
         @font-face{{font-family:Figure;src:{1}}}\
         body{{font:14px/1.5 Figure,Roboto,sans-serif;color:#1B232B;max-width:960px;margin:32px auto;padding:0 16px}}\
         h1{{font-size:20px}}h2{{font-size:15px;margin-top:28px}}table{{border-collapse:collapse;font-size:12px;width:100%}}\
         th,td{{border-bottom:1px solid #D9DFE5;padding:4px 8px;text-align:right;font-variant-numeric:tabular-nums}}\
         th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){{text-align:left}}\
         .dim{{color:#5B6875}}code{{font-size:11px;word-break:break-all}}svg{{max-width:100%;height:auto}}\
         </style></head><body>",
        escape(&result.name),
        font_source()
    );
    let _ = write!(
        page,
        "<h1>{}: {}</h1><p class=\"dim\">Research and teaching, not for diagnosis. Samples are synthetic.{}</p>",
        escape(&result.cohort.name),
        escape(&result.name),
        if result.cohort.phantom { " The films are phantoms, not patients." } else { "" }
    );
    let published = Choice { published: true, ..Choice::default() };
    page.push_str(&Figure::of(result, &Choice { seeds: true, ..Choice::default() }).svg(&PAPER, None));
    if result.curves.len() > 1 {
        page.push_str(
            &Figure::of(result, &Choice { view: View::Ratio, seeds: true, ..Choice::default() }).svg(&PAPER, None),
        );
    }
    page.push_str("<h2>What it says</h2><ul>");
    for sentence in &result.sentences {
        let _ = write!(page, "<li>{}</li>", escape(sentence));
    }
    page.push_str("</ul><h2>Table</h2>");
    page.push_str(&table(result));
    if Figure::of(result, &published).series.iter().any(|series| series.curve.is_none()) {
        let _ = write!(page, "<h2>Beside the published curves</h2><p class=\"dim\">{}</p>", escape(published::NOTE));
        page.push_str(&Figure::of(result, &published).svg(&PAPER, None));
    }
    let _ = write!(page, "<h2>Methods</h2><p>{}</p><h2>Definitions</h2><dl>", escape(&methods(result)));
    for (word, meaning) in DEFINITIONS {
        let _ = write!(page, "<dt><b>{word}</b></dt><dd>{}</dd>", escape(meaning));
    }
    let _ = writeln!(
        page,
        "</dl><h2>Identity</h2><p class=\"dim\">Software: negatoscope <code>{}</code><br>Cohort: <code>{}</code><br>\
         Sweep: <code>{}</code><br>Films of the points: <code>{}</code><br>Licence of the films: {}{}</p></body></html>",
        escape(&result.software),
        escape(&result.cohort.identity),
        escape(&result.spec),
        result.points.iter().map(|p| p.subset.get(..16).unwrap_or(&p.subset)).collect::<Vec<_>>().join(" "),
        escape(&result.cohort.licence),
        if result.cohort.citation.is_empty() {
            String::new()
        } else {
            format!("<br>Cite: {}", escape(&result.cohort.citation))
        }
    );
    page
}

/// A row of the table as cells of text: value, curve, N, AUROC, seeds' interval, relative performance, p.
pub fn row(result: &SweepResult, point: &Point, value: &Value) -> Vec<String> {
    let interval = |v: Option<f64>, b: Option<Bounds>| match (v, b) {
        (Some(v), Some(b)) => format!("{v:.3} ({:.3}–{:.3})", b.low, b.high),
        (Some(v), None) => format!("{v:.3}"),
        _ => "–".to_owned(),
    };
    let relative = value.relative.as_ref();
    let p = |d: Difference| format!("{:.3} ({:.3}, {} df)", d.p, d.p_bonferroni, d.freedom);
    vec![
        short(point.value),
        result.curves[value.curve].name.clone(),
        format!("{} / {} / {}", point.films[0], point.films[1], point.films[2]),
        value.seeds.len().to_string(),
        interval(value.auroc, value.interval),
        value.seed_interval.map_or_else(|| "–".to_owned(), |b| format!("{:.3}–{:.3}", b.low, b.high)),
        relative.map_or_else(|| "–".to_owned(), |r| interval(Some(r.ratio), r.interval)),
        relative.and_then(|r| r.difference).map_or_else(|| "–".to_owned(), p),
    ]
}

/// Heads of the table's columns.
pub const HEADS: [&str; 8] = [
    "Value",
    "Trained on",
    "Films train / val / test",
    "Seeds",
    "AUROC (95 %)",
    "Over seeds (t)",
    "Relative (95 %)",
    "p (Bonferroni)",
];

fn table(result: &SweepResult) -> String {
    let mut text = String::from("<table><tr>");
    HEADS.iter().for_each(|head| text.push_str(&format!("<th>{head}</th>")));
    text.push_str("</tr>");
    for point in &result.points {
        for value in &point.values {
            text.push_str("<tr>");
            row(result, point, value).iter().for_each(|cell| text.push_str(&format!("<td>{}</td>", escape(cell))));
            text.push_str("</tr>");
        }
    }
    text.push_str("</table>");
    text
}

/// Writes page, table and figures into a folder; tells which files.
///
/// # Errors
/// When the disk refuses.
pub fn write(result: &SweepResult, folder: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let figure = |view| svg(&Figure::of(result, &Choice { view, ..Choice::default() }));
    let mut files =
        vec![("report.html", html(result)), ("points.csv", csv(result)), ("figure.svg", figure(View::Auroc))];
    if result.curves.len() > 1 {
        files.push(("figure-relative.svg", figure(View::Ratio)));
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        store::write_atomic(&path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Base 64 as in RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let word = part.iter().enumerate().fold(0u32, |word, (i, &byte)| word | u32::from(byte) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= part.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::result::example;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, §10.
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

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
    fn the_page_carries_figure_sentences_methods_and_hashes_and_fetches_nothing() {
        let mut result = example::result();
        result.sentences.push("<script>alert(1)</script>".to_owned());
        let page = html(&result);
        for part in
            ["<svg", "Said in a sentence.", "percentile bootstrap", &"a".repeat(64), &"b".repeat(64), "phantoms"]
        {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<script") && !page.contains("src=\"http") && !page.contains("href"));
        assert!(page.contains("digitised"));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&result, folder.path()).unwrap().len(), 4);
    }
}
