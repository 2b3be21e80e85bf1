//! What leaves the program: a page with figure, table and methods; the table as CSV; the figure as SVG or PNG.

mod definitions;
mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::BenchmarkError;
use super::figure::drawing::{Drawing, PAPER};
use super::figure::{Choice, Figure, View, escape};
use super::published;
use super::reading;
use super::result::{RESAMPLES, SweepResult, seeds};
use crate::store;
pub use definitions::{DEFINITIONS, definition};
pub use table::{FINDING_HEADS, HEADS, Head, csv, finding_rows, row};

/// The face that figures are written in, so that they look the same everywhere.
const FONT: &[u8] = include_bytes!("../../assets/fonts/Roboto-Regular.ttf");

/// A drawing as a file of its own, with its face inside.
pub fn svg(drawing: &Drawing) -> String {
    drawing.svg(Some(&font_source()))
}

/// A drawing as pixels, its text set in the same face.
///
/// # Errors
/// A sentence, when it cannot be painted.
pub fn png(drawing: &Drawing) -> Result<Vec<u8>, String> {
    drawing.png(FONT)
}

fn font_source() -> String {
    format!("url(data:font/ttf;base64,{})", base64(FONT))
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
        " As in the published code, AUROCs below one half were mirrored, the loss was unweighted, findings of one class \
         counted as 0 in the choice of the epoch, and the last incomplete batch of test films was left out."
    } else {
        ""
    };
    let seeds = seeds(result.seeds);
    format!(
        "Films: {}{} ({} films of {} patients, split by patient), varied in {what}. {} Intervals: percentile bootstrap of \
         patients and seeds, {RESAMPLES} draws.{code}",
        result.cohort.name,
        if result.cohort.phantom { " (phantoms, not patients)" } else { "" },
        result.cohort.films,
        result.cohort.patients,
        if result.is_mix() { mixed(result, &seeds, &generators) } else { replaced(result, &seeds, &generators) },
    )
}

/// How classifiers learn where samples stand in for the real films.
fn replaced(result: &SweepResult, seeds: &str, generators: &str) -> String {
    format!(
        "At every point and for each of {seeds} a generator of each kind was trained on the train fold ({generators}); one \
         sample was drawn for each film of each fold with that film's label vector and a latent of its own, from the averaged \
         generator, to 8 bits. A classifier ({}) was trained on the samples alone, its epoch chosen on samples, and another on \
         the real films; both were tested on the same real test films.",
        result.classifier
    )
}

/// How classifiers learn where samples are added to the real films.
fn mixed(result: &SweepResult, seeds: &str, generators: &str) -> String {
    let most = result.points.iter().map(|point| point.value).fold(1.0, f64::max).ceil();
    let times = if most == 1.0 { "one sample was".to_owned() } else { format!("{most} samples were") };
    format!(
        "For each of {seeds} a generator of each kind was trained on the train fold ({generators}); {times} drawn for each \
         train film with that film's label vector and a latent of its own, from the averaged generator, to 8 bits. At every \
         ratio above 0 a classifier ({}) was trained on all real films together with as many of the samples as the ratio says, \
         chosen by lot; at ratio 0 on the real films alone, with which each of the others is compared. All had their epoch \
         chosen on real films and were tested on the same real test films.",
        result.classifier
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
         details td:nth-child(3),details th:nth-child(3){{text-align:left}}summary{{cursor:pointer;margin:8px 0}}\
         th[title]:not([title=\"\"]){{cursor:help;text-decoration:underline dotted}}\
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
    page.push_str(&Figure::of(result, &Choice { seeds: true, ..Choice::default() }).drawing(&PAPER).svg(None));
    if result.curves.len() > 1 {
        page.push_str(
            &Figure::of(result, &Choice { view: View::Ratio, seeds: true, ..Choice::default() })
                .drawing(&PAPER)
                .svg(None),
        );
    }
    page.push_str("<h2>What it says</h2><ul>");
    for sentence in &result.sentences {
        let _ = write!(page, "<li>{}</li>", escape(sentence));
    }
    page.push_str("</ul><h2>Table</h2>");
    page.push_str(&table::means(result));
    for point in &result.points {
        let at = reading::what(result, point.value);
        let _ =
            write!(page, "<details><summary>Per finding at {at}</summary>{}</details>", table::findings(result, point));
    }
    if Figure::of(result, &published).series.iter().any(|series| series.curve.is_none()) {
        let _ = write!(page, "<h2>Beside the published curves</h2><p class=\"dim\">{}</p>", escape(published::NOTE));
        page.push_str(&Figure::of(result, &published).drawing(&PAPER).svg(None));
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

/// Writes page, table and figures into a folder; tells which files.
///
/// # Errors
/// When the disk refuses.
pub fn write(result: &SweepResult, folder: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let figure = |view| svg(&Figure::of(result, &Choice { view, ..Choice::default() }).drawing(&PAPER));
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
        assert_eq!(page.matches("<details>").count(), 2);
        assert!(page.contains("Per finding at 8 classes") && page.contains("<th title=\"Mean squared difference"));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&result, folder.path()).unwrap().len(), 4);
    }
    #[test]
    fn the_methods_of_a_mix_do_not_say_that_samples_stood_alone() {
        let text = methods(&example::result());
        assert!(text.contains("was trained on the samples alone, its epoch chosen on samples"), "{text}");
        let mut mix = example::mix();
        mix.points[1].value = 1.5;
        let text = methods(&mix);
        assert!(text.contains("all real films together with as many of the samples as the ratio says"), "{text}");
        assert!(text.contains("2 samples were drawn for each train film") && !text.contains("samples alone"), "{text}");
    }
}
