//! What a model's card says, for people.

use eframe::egui::{Align, Layout, RichText, ScrollArea, Ui, vec2};

use crate::desktop::session::about;
use crate::desktop::theme;
use crate::desktop::widgets::{caption, grouped};
use crate::generator::ModelCard;

/// Width of a column of figures.
const COLUMN: f32 = 64.0;

/// Draws the page; it scrolls where the window is lower.
pub fn show(ui: &mut Ui, card: &ModelCard, id: &str) {
    ui.spacing_mut().item_spacing.y = 4.0;
    ui.spacing_mut().interact_size.y = 16.0;
    let most = ui.ctx().content_rect().height() - 96.0;
    ScrollArea::vertical().min_scrolled_height(most).max_height(most).show(ui, |ui| page(ui, card, id));
}

fn page(ui: &mut Ui, card: &ModelCard, id: &str) {
    ui.label(RichText::new(&card.name).font(theme::medium(16.0)));
    ui.label(about(card));
    let training = &card.training;
    let kind = if training.phantom { "phantoms" } else { "patients" };
    ui.label(format!(
        "Trained on {}: {} images of {} {kind}, {} steps.",
        training.cohort,
        grouped(training.images as u64),
        grouped(training.patients as u64),
        grouped(training.steps),
    ));
    // Figures of one finding are called WHOLE/FINDING.
    if card.metrics.keys().any(|name| !name.contains('/')) {
        ui.add_space(4.0);
        caption(ui, "Measured");
        for (name, value) in card.metrics.iter().filter(|(name, _)| !name.contains('/')) {
            row(ui, &words(name), [figure(*value)]);
        }
    }
    findings(ui, card);
    for remark in &card.remarks {
        ui.label(remark);
    }
    ui.add_space(4.0);
    caption(ui, format!("Licence: {}", card.licence));
    if !card.citation.is_empty() {
        caption(ui, &card.citation);
    }
    caption(ui, format!("Generator {id}"));
}

/// How well each finding is told by classifiers that learnt from reals and from samples, where that was measured.
fn findings(ui: &mut Ui, card: &ModelCard) {
    let measured = |whole: &str, finding: &str| card.metrics.get(&format!("{whole}/{finding}")).map(|v| figure(*v));
    let rows: Vec<_> = card
        .vocabulary
        .findings
        .iter()
        .filter_map(|name| Some((name, [measured("auroc_real", name)?, measured("auroc_synthetic", name)?])))
        .collect();
    if rows.is_empty() {
        return;
    }
    ui.add_space(4.0);
    caption(ui, "AUROC on real test images of classifiers that learnt from");
    row(ui, "", ["reals".to_owned(), "samples".to_owned()]);
    for (name, figures) in rows {
        row(ui, name, figures);
    }
}

/// A name, and figures in columns at the right.
fn row<const N: usize>(ui: &mut Ui, name: &str, figures: [String; N]) {
    let colors = theme::colors(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new(name).color(colors.dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            for text in figures.into_iter().rev() {
                let cell = Layout::right_to_left(Align::Center);
                ui.allocate_ui_with_layout(vec2(COLUMN, ui.available_height()), cell, |ui| {
                    ui.set_min_width(COLUMN);
                    ui.label(text);
                });
            }
        });
    });
}

/// The name of a figure, abbreviations in capitals: `auroc_real` is "AUROC real".
fn words(name: &str) -> String {
    let word = |word: &str| match word {
        "auroc" | "fid" | "kid" => word.to_uppercase(),
        _ => word.to_owned(),
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// A measured figure with three decimals, a whole number with none.
fn figure(value: f64) -> String {
    let decimals = if value.abs() >= 100.0 || value.fract() == 0.0 { 0 } else { 3 };
    format!("{value:.decimals$}").replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use eframe::egui::Ui;
    use egui_kittest::{Harness, kittest::Queryable};

    use crate::generator::{Family, testing};

    #[test]
    fn findings_measured_one_by_one_have_a_row_each_with_two_figures() {
        let mut card = testing::card(testing::architecture(Family::CpdGan, 16, 8, 2, 128, 16));
        let figures = [
            ("relative_performance", 0.921),
            ("relative_performance_seeds", 3.0),
            ("kid", -0.004),
            ("auroc_synthetic", 0.84),
            ("auroc_real/Finding 0", 0.81),
            ("auroc_synthetic/Finding 0", 0.72),
            // Not told from samples at all: no row.
            ("auroc_real/Finding 1", 0.63),
        ];
        card.metrics.extend(figures.map(|(name, value)| (name.to_owned(), value)));
        let mut installed = false;
        let window = Harness::new_ui(move |ui: &mut Ui| {
            if !std::mem::replace(&mut installed, true) {
                crate::desktop::theme::install(ui.ctx());
                return;
            }
            super::show(ui, &card, "id");
        });
        for text in [
            "relative performance",
            "0.921",
            "AUROC synthetic",
            "3",
            "\u{2212}0.004",
            "Finding 0",
            "reals",
            "samples",
            "0.810",
            "0.720",
        ] {
            assert!(window.query_by_label(text).is_some(), "{text}");
        }
        for text in ["Finding 1", "auroc real/Finding 0", "0.630"] {
            assert!(window.query_by_label(text).is_none(), "{text}");
        }
    }
}
