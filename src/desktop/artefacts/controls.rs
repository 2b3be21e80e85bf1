//! The panel at the left: which classifiers, which finding, which film, and how the maps are shown.

use eframe::egui::{Align, ComboBox, Layout, Rect, RichText, Sense, Ui, vec2};

use super::pair::{Candidate, learnt_from};
use super::{Artefacts, BLOCKS, Page};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{Slider, caption, mode_button, section, text_button, toggle};
use crate::encoder::{EncoderCard, attribution};

/// What the list of findings says for the mean over all.
pub const ALL_FINDINGS: &str = "All findings, as published";

/// What the list of films says where none is left out.
const ANY_FILM: &str = "All films";

impl Artefacts {
    pub(super) fn controls(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        section(ui, "Look at", |_| ());
        ui.horizontal_wrapped(|ui| {
            for (page, text, tooltip) in [
                (Page::Film, "A film", "What in a film two classifiers rest on"),
                (Page::Switch, "A switched finding", "What a finding changes in the sample that is open in Explore"),
            ] {
                if mode_button(ui, self.page == page, text, tooltip).clicked() {
                    self.page = page;
                }
            }
        });
        self.classifiers(ui, actions);
        self.findings(ui, session);
        match self.page {
            Page::Film => self.film_controls(ui, actions),
            Page::Switch => sample_controls(ui, session, actions),
        }
        self.map_controls(ui);
    }

    fn classifiers(&mut self, ui: &mut Ui, actions: &mut Actions) {
        section(ui, "Classifiers", |_| ());
        let chosen = self.chosen.as_ref().map_or_else(|| "choose two classifiers".to_owned(), title);
        let mut picked = None;
        ComboBox::from_id_salt("classifiers")
            .width(ui.available_width())
            .truncate()
            .selected_text(chosen)
            .show_ui(ui, |ui| {
                for candidate in self.known.iter().flatten() {
                    let here = self.chosen.as_ref() == Some(candidate);
                    if ui.selectable_label(here, title(candidate)).clicked() {
                        picked = Some(candidate.clone());
                    }
                }
            })
            .response
            .accessible_name("Classifiers");
        if let Some(candidate) = picked {
            let ctx = ui.ctx().clone();
            self.choose(&ctx, candidate);
        }
        for classifier in self.pair.iter().flat_map(|pair| pair.classifiers.iter().flatten()) {
            let card = classifier.card();
            let color = slot_color(ui, card);
            ui.label(RichText::new(format!("Trained on {}", learnt_from(card))).font(theme::caption()).color(color))
                .on_hover_text(format!("{} · {} · {}", card.name, classifier.id(), card.training.schedule));
            ui.scope(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                caption(ui, tested(card));
            });
        }
        ui.horizontal_wrapped(|ui| {
            for (command, text) in [(Command::OpenClassifier, "File…"), (Command::OpenSweepClassifiers, "Of a sweep…")]
            {
                if text_button(ui, text, command.tooltip()).clicked() {
                    actions.push(Action::Run(command));
                }
            }
        });
    }

    fn findings(&mut self, ui: &mut Ui, session: &Session) {
        section(ui, "Finding", |_| ());
        let Some(pair) = &self.pair else {
            caption(ui, "Findings are those of the classifiers.");
            return;
        };
        let switched = if self.page == Page::Switch { self.switched_finding(session) } else { None };
        let shown = switched.or_else(|| self.finding.clone());
        let mut picked = None;
        ComboBox::from_id_salt("finding")
            .width(ui.available_width())
            .truncate()
            .height(420.0)
            .selected_text(shown.clone().unwrap_or_else(|| ALL_FINDINGS.to_owned()))
            .show_ui(ui, |ui| {
                if self.page == Page::Film && ui.selectable_label(shown.is_none(), ALL_FINDINGS).clicked() {
                    picked = Some(None);
                }
                for finding in pair.findings() {
                    let here = shown.as_ref() == Some(&finding);
                    if ui.selectable_label(here, finding.as_str()).clicked() {
                        picked = Some(Some(finding));
                    }
                }
            })
            .response
            .accessible_name("Finding");
        if let Some(finding) = picked {
            self.finding = finding;
        }
    }

    fn film_controls(&mut self, ui: &mut Ui, actions: &mut Actions) {
        let at = self.films.as_ref().map(|films| {
            let listed = films.with(self.filter.as_deref());
            let place = listed.iter().position(|&film| film == self.film);
            (place.map_or_else(|| "–".to_owned(), |i| (i + 1).to_string()), listed.len())
        });
        section(ui, "Film", |ui| {
            if let Some((place, all)) = &at {
                ui.label(
                    RichText::new(format!("{place} of {all}")).font(theme::caption()).color(theme::colors(ui).dim),
                );
            }
        });
        ui.horizontal(|ui| {
            for (command, text) in [(Command::PreviousFilm, "Previous"), (Command::NextFilm, "Next")] {
                let tooltip = format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx()));
                if text_button(ui, text, &tooltip).clicked() {
                    actions.push(Action::Run(command));
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if text_button(ui, "Pack…", Command::OpenFilms.tooltip()).clicked() {
                    actions.push(Action::Run(Command::OpenFilms));
                }
            });
        });
        let Some(films) = &self.films else { return };
        let mut picked = None;
        ComboBox::from_id_salt("films")
            .width(ui.available_width())
            .truncate()
            .height(420.0)
            .selected_text(self.filter.as_ref().map_or_else(|| ANY_FILM.to_owned(), |f| format!("Only with {f}")))
            .show_ui(ui, |ui| {
                if ui.selectable_label(self.filter.is_none(), ANY_FILM).clicked() {
                    picked = Some(None);
                }
                for finding in &films.vocabulary.findings {
                    let count = films.with(Some(finding)).len();
                    let here = self.filter.as_ref() == Some(finding);
                    let text = format!("{finding} ({count})");
                    if ui.add_enabled_ui(count > 0, |ui| ui.selectable_label(here, text)).inner.clicked() {
                        picked = Some(Some(finding.clone()));
                    }
                }
            })
            .response
            .accessible_name("Films with");
        caption(ui, films.about.clone());
        if let Some(filter) = picked {
            // Who looks for films with a finding wants to see that finding.
            if filter.is_some() {
                self.finding.clone_from(&filter);
            }
            self.only_with(filter);
        }
    }

    fn map_controls(&mut self, ui: &mut Ui) {
        section(ui, "Map", |_| ());
        let percent = |value: f32| format!("{:.0} %", 100.0 * value);
        let slider = Slider {
            name: "Opacity",
            tooltip: "How much of a map covers the film. Where δ is small the film is seen through it in any case.",
            value: self.shown.opacity,
            range: 0.0..=1.0,
            default: 0.8,
            show: &percent,
            from_default: false,
        };
        if let Some(change) = slider.show(ui) {
            self.shown.opacity = change.value;
        }
        ui.horizontal(|ui| {
            ui.label("Square");
            for block in BLOCKS {
                let published = if block == attribution::BLOCK { ", as published" } else { "" };
                let tooltip = format!("Squares of {block} × {block} pixels of the classifier's input{published}");
                if mode_button(ui, self.block == block, &format!("{block} px"), &tooltip).clicked() {
                    self.block = block;
                }
            }
        });
        let shared = "Both maps are coloured to the larger of their largest δ; otherwise each to its own";
        if switch(ui, self.shown.shared, "One scale for both", shared) {
            self.shown.shared = !self.shown.shared;
        }
        if self.page == Page::Film && self.films.as_ref().is_some_and(|films| films.phantom) {
            let outline = "Phantoms know where their findings lie: the pixels that the finding changed (O)";
            if switch(ui, self.shown.outlined, "True outline", outline) {
                self.shown.outlined = !self.shown.outlined;
            }
        }
        ui.add_space(4.0);
        caption(
            ui,
            "δ: how much the classifier's loss rises when a square is set to mean grey. Squares that do not hurt are 0. A map \
             shows what a classifier uses, not where disease is.",
        );
    }
}

/// What the switch page's sample is.
fn sample_controls(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    section(ui, "Sample", |_| ());
    let Some(model) = session.model() else {
        caption(ui, "No model is open.");
        return;
    };
    let recipe = session.recipe();
    ui.label(format!("{}, seed {}", model.generator.card().name, recipe.seed));
    ui.horizontal(|ui| {
        for (command, text) in [(Command::PreviousFilm, "Previous"), (Command::NextFilm, "Next")] {
            let tooltip = format!("The sample of another seed ({})", command.shortcut_text(ui.ctx()));
            if text_button(ui, text, &tooltip).clicked() {
                actions.push(Action::Run(command));
            }
        }
        if text_button(ui, "Explore", "Change the sample in Explore").clicked() {
            actions.push(Action::Run(Command::GoToExplore));
        }
    });
    caption(ui, "Seed, other findings and latent are those of Explore; only this finding is switched.");
}

fn title(candidate: &Candidate) -> String {
    format!("{} · {}", candidate.title, candidate.from)
}

/// The accent of what a classifier learnt from.
pub fn slot_color(ui: &Ui, card: &EncoderCard) -> eframe::egui::Color32 {
    let colors = theme::colors(ui);
    if card.training.source.is_films() { colors.reference(card.training.phantom) } else { colors.synthetic }
}

/// How well it was measured to do.
fn tested(card: &EncoderCard) -> String {
    match (card.metrics.get("auroc_test"), card.metrics.get("images_test")) {
        (Some(auroc), Some(films)) => format!("AUROC {auroc:.3} on {films:.0} test films · {} px", card.input.side),
        _ => format!("{} px, not measured", card.input.side),
    }
}

/// A switch over the whole width; `true` when it was clicked.
fn switch(ui: &mut Ui, on: bool, name: &str, tooltip: &str) -> bool {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    toggle(ui, Rect::from_min_max(rect.min, rect.max), on, name).on_hover_text(tooltip).clicked()
}
