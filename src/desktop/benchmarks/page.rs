//! The middle: curves, small multiples or table of the sweep that is chosen, with what it says in words.

use eframe::egui::{Align, Grid, Label, Layout, Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::chart::{self, ink, symbol};
use super::term::term;
use super::{Benchmarks, Page};
use crate::benchmark::SweepResult;
use crate::benchmark::figure::{Figure, View};
use crate::benchmark::result::seeds;
use crate::benchmark::{published, report};
use crate::desktop::action::{Action, Actions};
use crate::desktop::theme;
use crate::desktop::widgets::{caption, section, text_button, toggle};

/// Height kept for what the curves say.
const WORDS: f32 = 150.0;

impl Benchmarks {
    /// Draws the page; gives the curve and point that were clicked.
    pub(super) fn middle(&mut self, ui: &mut Ui, actions: &mut Actions) -> Option<(usize, usize)> {
        let result = &self.entries.get(self.chosen)?.result;
        heading(ui, result);
        if self.page != Page::Table {
            terms(ui, self.choice.view);
        }
        if self.page != Page::Curves && self.picked.as_ref().is_some_and(|picked| picked.show(ui, actions)) {
            self.picked = None;
        }
        let result = &self.entries.get(self.chosen)?.result;
        match self.page {
            Page::Curves => {
                let (clicked, closed) = self.curves(ui, result, actions);
                if closed {
                    self.picked = None;
                }
                clicked
            }
            Page::Findings => self.findings(ui, result),
            Page::Table => {
                let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
                let tooltip =
                    "Each finding of each curve at each point, with its tests, calibration and operating point";
                if toggle(ui, rect, self.per_finding, "Per finding").on_hover_text(tooltip).clicked() {
                    self.per_finding = !self.per_finding;
                }
                table(ui, result, self.per_finding);
                None
            }
        }
    }

    /// The curves with what they say below them; gives the point that was clicked, and whether the one looked at was closed.
    fn curves(&self, ui: &mut Ui, result: &SweepResult, actions: &mut Actions) -> (Option<(usize, usize)>, bool) {
        let figure = Figure::of(result, &self.choice);
        let lines = figure.series.len().div_ceil(signs_in_a_row(ui)) as f32 * 18.0 + 8.0;
        let height = (ui.available_height() - WORDS - lines).max(220.0);
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        let touched = chart::show(ui, rect, &figure, false, result.cohort.phantom);
        legend(ui, &figure, result.cohort.phantom);
        ui.add_space(8.0);
        let mut closed = false;
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            if let Some(picked) = &self.picked {
                closed = picked.show(ui, actions);
                return;
            }
            for sentence in &result.sentences {
                ui.label(RichText::new(sentence).font(theme::text()));
            }
            if self.choice.published {
                caption(ui, published::NOTE);
            }
            let tests =
                "The band is the 95 % interval over test patients and seeds. Points tell what is behind them when clicked.";
            caption(ui, tests);
        });
        (touched.clicked, closed)
    }

    fn findings(&self, ui: &mut Ui, result: &SweepResult) -> Option<(usize, usize)> {
        let mut clicked = None;
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            let columns = (ui.available_width() / 280.0).floor().max(1.0);
            let width = (ui.available_width() - 8.0 * (columns - 1.0)) / columns;
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(8.0, 8.0);
                for (name, figure) in Figure::of_findings(result, &self.choice) {
                    let (rect, _) = ui.allocate_exact_size(vec2(width - 1.0, 190.0), Sense::hover());
                    let colors = theme::colors(ui);
                    let mut cell = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(&name));
                    let touched = chart::show(&mut cell, rect, &figure, true, result.cohort.phantom);
                    let title = cell.painter().layout_no_wrap(name, theme::medium(theme::CAPTION), colors.text);
                    cell.painter().galley(pos2(rect.left() + 34.0, rect.top() + 2.0), title, colors.text);
                    clicked = clicked.or(touched.clicked);
                }
            });
            let drawn = match self.choice.view {
                View::Auroc => "band by DeLong, averaged over seeds",
                View::Ratio => {
                    "the line at 1 is as good as the films alone; band by the draws of patients and seeds behind the mean's, \
                     which results of earlier versions do not hold"
                }
            };
            let undefined = "Not defined where all test films have the finding, or none.";
            caption(ui, format!("One finding: mean over seeds; {drawn}. {undefined}"));
        });
        clicked
    }

    /// The page while there is no result: what a benchmark is, and how to begin one.
    pub(super) fn empty(&self, ui: &mut Ui, actions: &mut Actions) {
        let colors = theme::colors(ui);
        let rect = ui.max_rect();
        let area = Rect::from_center_size(rect.center(), vec2((rect.width() - 64.0).min(520.0), 240.0));
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            ui.vertical_centered(|ui| {
                ui.label(RichText::new("No sweep has been run yet").font(theme::medium(16.0)));
                let text = "A sweep trains generators and classifiers over one factor and tests all of them on the same real \
                            films: what are samples worth in place of patients?";
                ui.label(RichText::new(text).color(colors.dim));
                ui.add_space(8.0);
                let tooltip = "Trains small generators and classifiers on phantoms, in a process of its own.";
                if self.demo.is_none() && text_button(ui, "Run a demonstration on phantoms", tooltip).clicked() {
                    actions.push(Action::StartDemo);
                }
                let place = format!("Sweeps are kept in {}", self.places.sweeps().display());
                ui.label(RichText::new(place).color(colors.dim));
            });
        });
    }
}

fn heading(ui: &mut Ui, result: &SweepResult) {
    let colors = theme::colors(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(result.title()).font(theme::medium(16.0)));
        let (word, color) =
            if result.cohort.phantom { ("PHANTOMS", colors.phantom) } else { ("REAL TEST FILMS", colors.real) };
        ui.label(RichText::new(word).font(theme::medium(theme::CAPTION)).color(color));
        let tests: Vec<String> = result.points.iter().map(|point| point.films[2].to_string()).collect();
        let text = format!(
            "{} · {} · {} test films · classifier {}",
            if result.as_published { "as published" } else { "sound variant" },
            seeds(result.seeds),
            tests.join(" / "),
            result.classifier
        );
        ui.label(RichText::new(text).font(theme::caption()).color(colors.dim)).on_hover_ui(|ui| {
            ui.set_max_width(520.0);
            ui.label(report::methods(result));
        });
    });
}

/// What the figure shows, in words that tell what they mean.
fn terms(ui: &mut Ui, view: View) {
    ui.horizontal_wrapped(|ui| {
        let words = match view {
            View::Auroc => ["AUROC", "Interval of the AUROC"],
            View::Ratio => ["Relative performance", "AUROC"],
        };
        words.into_iter().for_each(|word| term(ui, word, word));
    });
}

/// Width of a sign with a curve's name.
const SIGN: f32 = 210.0;

/// How many curves' names stand side by side.
fn signs_in_a_row(ui: &Ui) -> usize {
    ((ui.available_width() / SIGN) as usize).max(1)
}

/// The curves' names with their signs.
fn legend(ui: &mut Ui, figure: &Figure, phantom: bool) {
    let colors = theme::colors(ui);
    for row in figure.series.chunks(signs_in_a_row(ui)) {
        let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
        for (place, series) in row.iter().enumerate() {
            let left = line.left_center() + vec2(place as f32 * SIGN, 0.0);
            symbol(ui.painter(), series.ink, left + vec2(12.0, 0.0), 4.0, ink(&colors, series.ink, phantom));
            let rect = Rect::from_min_size(left + vec2(32.0, -8.0), vec2(SIGN - 40.0, 16.0));
            let text = RichText::new(&series.name).font(theme::caption()).color(colors.text);
            let inside = UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center));
            ui.scope_builder(inside, |ui| ui.add(Label::new(text).truncate()));
        }
    }
}

fn table(ui: &mut Ui, result: &SweepResult, per_finding: bool) {
    let colors = theme::colors(ui);
    let values = result.points.iter().flat_map(|point| point.values.iter().map(move |value| (point, value)));
    let (heads, rows): (&[report::Head], Vec<Vec<String>>) = if per_finding {
        let rows = values.flat_map(|(point, value)| report::finding_rows(result, point, value));
        (&report::FINDING_HEADS, rows.collect())
    } else {
        (&report::HEADS, values.map(|(point, value)| report::row(result, point, value)).collect())
    };
    ScrollArea::both().auto_shrink([false, false]).show(ui, |ui| {
        Grid::new(("numbers", per_finding)).striped(true).spacing(vec2(20.0, 6.0)).show(ui, |ui| {
            for (words, defined) in heads {
                term(ui, words, defined);
            }
            ui.end_row();
            for row in rows {
                for cell in row {
                    ui.label(RichText::new(cell).font(theme::text()));
                }
                ui.end_row();
            }
        });
        ui.add_space(16.0);
        section(ui, "What the numbers are", |_| ());
        for (word, meaning) in report::DEFINITIONS {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(word).font(theme::medium(theme::CAPTION)));
                ui.label(RichText::new(meaning).font(theme::caption()).color(colors.dim));
            });
        }
    });
}
