//! The panel at the left: which sweep, what of it, the demonstration, and files.

use eframe::egui::{ComboBox, ProgressBar, Rect, RichText, Sense, Ui, vec2};

use super::chart::{ink, symbol};
use super::shelf::Entry;
use super::{Benchmarks, Page, other};
use crate::benchmark::figure::{Ink, View};
use crate::benchmark::{published, report};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{caption, mode_button, section, text_button, toggle};
use crate::generator::Family;

impl Benchmarks {
    pub(super) fn controls(&mut self, ui: &mut Ui, actions: &mut Actions) {
        section(ui, "Sweeps", |_| ());
        self.filters(ui);
        let mut chosen = self.chosen;
        for (i, entry) in self.entries.iter().enumerate().filter(|(_, entry)| self.filter.lets(entry)) {
            let result = &entry.result;
            let from = if entry.folder.is_some() { "run on this machine" } else { "shipped with the program" };
            let films = if result.cohort.phantom { "phantoms" } else { "real films" };
            let tooltip = format!(
                "{} ({films}), {} points, {} seeds, {from}",
                result.cohort.name,
                result.points.len(),
                result.seeds
            );
            let text = format!("{} · {}", result.cohort.name, result.factor);
            let text = if self
                .entries
                .iter()
                .filter(|e| e.result.factor == result.factor && e.result.cohort.name == result.cohort.name)
                .count()
                > 1
            {
                format!("{text} · {}", result.name)
            } else {
                text
            };
            if mode_button(ui, i == self.chosen, &text, &tooltip).clicked() {
                chosen = i;
            }
        }
        self.choose(chosen);
        ui.add_space(8.0);
        self.demonstration(ui, actions);
        let Some(entry) = self.entries.get(self.chosen) else { return };
        let result = &entry.result;
        ui.add_space(8.0);
        section(ui, "Show", |_| ());
        ui.horizontal_wrapped(|ui| {
            for (page, text, tooltip) in [
                (Page::Curves, "Curves", "The mean over findings against the factor"),
                (Page::Findings, "Findings", "One small chart for each finding"),
                (Page::Table, "Table", "All numbers with intervals, N and tests"),
            ] {
                if mode_button(ui, self.page == page, text, tooltip).clicked() {
                    self.page = page;
                }
            }
        });
        let ratio = self.choice.view == View::Ratio;
        if switch(ui, ratio, "Relative to real", report::definition("Relative performance")) {
            self.choice.view = other(self.choice.view);
        }
        if switch(ui, self.choice.seeds, "Single seeds", "Each repeat as a small ring beside its mean") {
            self.choice.seeds = !self.choice.seeds;
        }
        let known = !published::points(&result.factor, false).is_empty();
        if known && switch(ui, self.choice.published, "Published curves", published::NOTE) {
            self.choice.published = !self.choice.published;
        }
        ui.add_space(8.0);
        section(ui, "Trained on", |_| ());
        let colors = theme::colors(ui);
        for (curve, entry) in result.curves.iter().enumerate() {
            let shape = match entry.family {
                None => Ink::Real,
                Some(Family::CpdGan) => Ink::Cpd,
                Some(Family::ProgGan) => Ink::Prog,
            };
            let name = match (entry.family, result.cohort.phantom) {
                (None, true) => "Phantom films (in the real part)".to_owned(),
                (None, false) => "Real films".to_owned(),
                _ if result.is_mix() => format!("Films with samples of {}", entry.name),
                _ => format!("Samples of {}", entry.name),
            };
            let hidden = self.choice.hidden.contains(&curve);
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
            let row = Rect::from_min_max(rect.min, rect.max - vec2(24.0, 0.0));
            if toggle(ui, row, !hidden, &name).on_hover_text(&entry.training).clicked() {
                if hidden {
                    self.choice.hidden.retain(|&c| c != curve);
                } else {
                    self.choice.hidden.push(curve);
                }
            }
            let at = rect.right_center() - vec2(12.0, 0.0);
            symbol(ui.painter(), shape, at, 4.0, ink(&colors, shape, result.cohort.phantom));
        }
        ui.add_space(8.0);
        section(ui, "Take along", |_| ());
        ui.horizontal_wrapped(|ui| {
            for command in [Command::CopyTable, Command::ExportFigure, Command::ExportTable, Command::ExportReport] {
                if text_button(ui, command.text(), command.tooltip()).clicked() {
                    actions.push(Action::Run(command));
                }
            }
        });
    }

    /// Which cohort and which classifier, where there is more than one of them.
    fn filters(&mut self, ui: &mut Ui) {
        let several = |of: fn(&Entry) -> &String| {
            let mut all: Vec<String> = self.entries.iter().map(|entry| of(entry).clone()).collect();
            all.sort();
            all.dedup();
            if all.len() > 1 { all } else { Vec::new() }
        };
        let cohorts = several(|entry| &entry.result.cohort.name);
        let classifiers = several(|entry| &entry.result.classifier);
        let before = self.filter.clone();
        pick(ui, "Cohort", "All cohorts", &cohorts, &mut self.filter.cohort);
        pick(ui, "Classifier", "All classifiers", &classifiers, &mut self.filter.classifier);
        if self.filter != before && !self.entries.get(self.chosen).is_some_and(|entry| self.filter.lets(entry)) {
            // What is on screen is one of those in the list; two filters that leave nothing leave it where it is.
            let first = self.entries.iter().position(|entry| self.filter.lets(entry));
            self.choose(first.unwrap_or(self.chosen));
        }
    }

    fn demonstration(&mut self, ui: &mut Ui, actions: &mut Actions) {
        let Some(demo) = &self.demo else {
            let tooltip =
                "Trains small generators and classifiers on phantoms, in a process of its own, in a few minutes.";
            if text_button(ui, "Run the demonstration", tooltip).clicked() {
                actions.push(Action::StartDemo);
            }
            return;
        };
        let standing = demo.standing().unwrap_or_default();
        let left = standing.seconds_left.map(std::time::Duration::from_secs_f64).map(time_left);
        let text = match (standing.jobs, left) {
            (0, _) => "drawing phantoms".to_owned(),
            (jobs, None) => format!("{} of {jobs} jobs", standing.done),
            (jobs, Some(left)) => format!("{} of {jobs} jobs, {left}", standing.done),
        };
        ui.add(ProgressBar::new(standing.fraction as f32).text(RichText::new(text).font(theme::caption())));
        for running in &standing.running {
            caption(ui, running.clone());
        }
        if text_button(ui, "Stop", "Ends the sweep; what is done is found done the next time.").clicked() {
            actions.push(Action::StopDemo);
        }
    }
}

/// A list of which one or all are wanted; nothing is drawn where there is no choice.
fn pick(ui: &mut Ui, name: &str, all: &str, values: &[String], wanted: &mut Option<String>) {
    if values.is_empty() {
        *wanted = None;
        return;
    }
    let list = ComboBox::from_id_salt(name).width(ui.available_width() - 8.0).truncate();
    let list = list.selected_text(wanted.as_deref().unwrap_or(all)).show_ui(ui, |ui| {
        if ui.selectable_label(wanted.is_none(), all).clicked() {
            *wanted = None;
        }
        for value in values {
            if ui.selectable_label(wanted.as_ref() == Some(value), value).clicked() {
                *wanted = Some(value.clone());
            }
        }
    });
    list.response.accessible_name(name);
}

/// A switch over the whole width; `true` when it was clicked.
fn switch(ui: &mut Ui, on: bool, name: &str, tooltip: &str) -> bool {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    toggle(ui, rect, on, name).on_hover_text(tooltip).clicked()
}
