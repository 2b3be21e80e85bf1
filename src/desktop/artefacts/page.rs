//! The page of one film: the film, two maps, and how they agree.

use eframe::egui::{Color32, ProgressBar, Rect, RichText, ScrollArea, Sense, TextEdit, Ui, UiBuilder, pos2, vec2};

use super::Artefacts;
use super::controls::slot_color;
use super::pair::{heading_of, learnt_from};
use super::panes::{self, GAP, HEAD, Hand, MapPane, amount};
use super::scatter;
use super::worker::{Map, Subject, TOP, View};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, number, text_button};
use crate::stats::{Agreement, Chance};

/// Rank correlation from which maps are said to be much the same.
const STRONG: f64 = 0.5;

/// Height kept for the words below the panes.
const WORDS: f32 = 176.0;

impl Artefacts {
    pub(super) fn film_page(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        let view = self.views[0].clone();
        let Some(view) = view.filter(|_| self.pair.is_some() && self.films.is_some()) else {
            return self.waiting(ui, actions);
        };
        let area = ui.available_rect_before_wrap();
        let width = (area.width() - 2.0 * GAP) / 3.0;
        let height = (width + HEAD).min((area.height() - WORDS).max(160.0));
        let place = |i: usize| Rect::from_min_size(area.min + vec2(i as f32 * (width + GAP), 0.0), vec2(width, height));
        let (look, colors) = (self.look(session), theme::colors(ui));
        let outline = view.question.finding.as_ref().filter(|_| self.shown.outlined);
        let outline = outline.and_then(|finding| view.outlines.iter().find(|(name, _)| name == finding));
        let (mut zoom, mut window, mut pointed) = (self.zoom, self.window, None);
        let mut hand = Hand { zoom: &mut zoom, window: &mut window, pointer: self.pointer, pointed: &mut pointed };
        let (films, film) = match &view.question.subject {
            Subject::Film(films, film) => (films, *film),
            Subject::Switch(_) => return,
        };
        let name = format!("Film {}: {}", films.name(film), films.findings(film));
        MapPane {
            film: &view.film,
            look,
            map: None,
            outline: outline.map(|(_, outline)| outline),
            title: films.name(film),
            color: colors.reference(films.phantom),
            name: &name,
        }
        .show(ui, place(0), &mut hand);
        for slot in 0..2 {
            let rect = place(slot + 1);
            let Some(classifier) = &view.question.pair.classifiers[slot] else {
                no_classifier(ui, rect, slot, &view, actions);
                continue;
            };
            let title = heading_of(classifier.card());
            let color = slot_color(ui, classifier.card());
            let map = view.maps[slot].as_ref();
            let most = self.most(&view, slot);
            let name = match map {
                Some(map) => {
                    format!("Map of the classifier trained on {}: {}", learnt_from(classifier.card()), says(map))
                }
                None => format!("{title}: being asked"),
            };
            MapPane {
                film: &view.film,
                look,
                map: map.map(|map| (map, most, self.shown.opacity)),
                outline: outline.map(|(_, outline)| outline),
                title: &title,
                color,
                name: &name,
            }
            .show(ui, rect, &mut hand);
        }
        (self.zoom, self.window) = (zoom, window);
        if pointed != self.pointer {
            self.pointer = pointed;
            ui.ctx().request_repaint();
        }
        let below = Rect::from_min_max(pos2(area.left(), area.top() + height + GAP), area.max);
        ui.scope_builder(UiBuilder::new().max_rect(below), |ui| {
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                self.progress_line(ui);
                ui.spacing_mut().item_spacing.y = 4.0;
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = GAP;
                    column(ui, width, |ui| {
                        ui.label(RichText::new(films.findings(film)).color(colors.text));
                        let about = match (&view.question.finding, outline) {
                            (Some(finding), _) => {
                                let there = films.vocabulary.position(finding).and_then(|c| films.labels(film).get(c));
                                let there = there.is_some_and(|&v| v > 0.0);
                                format!("{finding}: {} on this film.", if there { "present" } else { "absent" })
                            }
                            (None, _) => "Loss: the mean over all findings, as published.".to_owned(),
                        };
                        caption(ui, about);
                        if outline.is_some() {
                            caption(ui, "Lilac: where the phantom's finding truly lies.");
                        }
                    });
                    for slot in 0..2 {
                        column(ui, width, |ui| {
                            let Some(map) = &view.maps[slot] else { return };
                            ui.label(RichText::new(says(map)).color(colors.text));
                            if let Some(text) = inside(map) {
                                caption(ui, text);
                            }
                            panes::legend(ui, (width - 16.0).max(60.0), self.most(&view, slot));
                        });
                    }
                });
                ui.add_space(4.0);
                if let (Some(agreement), [Some(a), Some(b)]) = (&view.agreement, &view.question.pair.classifiers) {
                    let side = ui.available_height().min(width) - 24.0;
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = GAP;
                        if side > 150.0 {
                            let names = [a, b].map(|classifier| heading_of(classifier.card()));
                            let inks = [a, b].map(|classifier| slot_color(ui, classifier.card()));
                            scatter::show(ui, side, &view.ranks, [&names[0], &names[1]], inks);
                            // The words stand below the maps.
                            ui.add_space((width - side).max(0.0));
                        }
                        ui.vertical(|ui| agree(ui, agreement));
                    });
                }
                if let Some(seconds) = view.seconds {
                    let cells = view.masked.iter().flatten().map(|m| m.cells() * m.cells()).sum::<usize>();
                    caption(
                        ui,
                        format!("{cells} masked images in {seconds:.1} s. Research and teaching, not for diagnosis."),
                    );
                }
            });
        });
    }

    /// The δ that is fully coloured in a classifier's map.
    pub(super) fn most(&self, view: &View, slot: usize) -> f32 {
        let of = |slot: usize| view.maps[slot].as_ref().map_or(0.0, |map| map.most);
        let most = if self.shown.shared { of(0).max(of(1)) } else { of(slot) };
        most.max(crate::encoder::attribution::FLOOR)
    }

    /// How far the classifiers are, with a switch that stops them; or why there is nothing new.
    pub(super) fn progress_line(&mut self, ui: &mut Ui) {
        let colors = theme::colors(ui);
        if let Some(trouble) = self.trouble.clone() {
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
                Icon::Warning.paint(ui.painter(), rect.center(), 14.0, colors.danger);
                ui.label(trouble);
            });
        }
        if self.stopped {
            ui.horizontal(|ui| {
                ui.label("Stopped.");
                if text_button(ui, "Ask again", "Masks the film from the start").clicked() {
                    self.ask_again();
                }
            });
            return;
        }
        let Some((share, left)) = self.asking() else { return };
        ui.horizontal(|ui| {
            let text = match left {
                Some(left) => format!("masking, {:.0} %, {}", 100.0 * share, time_left(left)),
                None => "masking".to_owned(),
            };
            let bar = ProgressBar::new(share).desired_width((ui.available_width() - 80.0).min(420.0));
            ui.add(bar.text(RichText::new(text).font(theme::caption())));
            if text_button(ui, "Stop", "Stops asking the classifiers").clicked() {
                self.stop();
            }
        });
    }

    /// While there is nothing to show: what is missing, and the ways to it.
    pub(super) fn waiting(&mut self, ui: &mut Ui, actions: &mut Actions) {
        let colors = theme::colors(ui);
        let rect = ui.max_rect();
        let area = Rect::from_center_size(rect.center(), vec2((rect.width() - 64.0).min(460.0), 260.0));
        let mut stop = false;
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            ui.vertical_centered(|ui| {
                let busy = self.reading.is_some() || self.opening.is_some() || self.sweep.is_some();
                if busy || self.known.is_none() {
                    ui.label(RichText::new("Reading the classifiers…").color(colors.dim));
                    return;
                }
                if let Some((_, task)) = &self.filming {
                    ui.label(RichText::new("Opening the films…").color(colors.dim));
                    if let Some(share) = task.progress().fraction() {
                        ui.add(ProgressBar::new(share).desired_height(6.0).fill(colors.synthetic));
                        if let Some(left) = task.progress().time_left() {
                            caption(ui, time_left(left));
                        }
                    }
                    return;
                }
                if self.pair.is_none() {
                    ui.label(RichText::new("No classifiers are at hand").font(theme::medium(16.0)));
                    ui.label(
                        RichText::new(
                            "This page compares what two classifiers rest on: one trained on films, one on samples in their \
                             place. None was found beside the program. Open the folder of a sweep, or encoder files.",
                        )
                        .color(colors.dim),
                    );
                    for command in [Command::OpenSweepClassifiers, Command::OpenClassifier] {
                        if text_button(ui, command.text(), command.tooltip()).clicked() {
                            actions.push(Action::Run(command));
                        }
                    }
                    return;
                }
                if let Some((_, reason)) = &self.refused {
                    ui.label(RichText::new("These films cannot be used").font(theme::medium(16.0)));
                    ui.label(reason);
                } else if self.films.is_none() || self.view().is_none() && !self.worker.is_busy() && !self.stopped {
                    ui.label(RichText::new("Films are missing").font(theme::medium(16.0)));
                    let cohort = self.pair.as_ref().and_then(|pair| pair.card()).map(|card| card.training.cohort.clone());
                    ui.label(
                        RichText::new(format!(
                            "These classifiers know {}. Open its pack, and the films of its test fold appear here.",
                            cohort.unwrap_or_default()
                        ))
                        .color(colors.dim),
                    );
                } else {
                    ui.label(RichText::new("Asking the classifiers…").color(colors.dim));
                    stop = text_button(ui, "Stop", "Stops asking the classifiers").clicked();
                    return;
                }
                let command = Command::OpenFilms;
                if text_button(ui, command.text(), command.tooltip()).clicked() {
                    actions.push(Action::Run(command));
                }
            });
        });
        if stop {
            self.stop();
        }
    }
}

/// In place of a map: no such classifier is at hand.
pub(super) fn no_classifier(ui: &mut Ui, rect: Rect, slot: usize, view: &View, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let card = view.question.pair.card();
    let cohort = card.map_or("the cohort", |card| card.training.cohort.as_str());
    let (title, color, what) = match slot {
        0 => ("Trained on films", colors.real, format!("No classifier trained on the films of {cohort} is open.")),
        _ => ("Trained on samples", colors.synthetic, format!("No classifier trained on samples of {cohort} is open.")),
    };
    panes::missing(ui, rect, title, color, |ui| {
        panes::on_film(ui, &what, false);
        panes::on_film(ui, "Open a file, or the folder of a sweep; or train one with", true);
        let samples = if slot == 1 { " --samples-of MODEL" } else { "" };
        let mut line = format!("negatoscope encoder train --cohort PACK{samples} --out FILE");
        let width = ui.available_width() - 8.0;
        ui.add(TextEdit::singleline(&mut line).desired_width(width).font(eframe::egui::TextStyle::Monospace))
            .accessible_name("Command that trains a classifier");
        for command in [Command::OpenClassifier, Command::OpenSweepClassifiers] {
            if text_button(ui, command.text(), command.tooltip()).clicked() {
                actions.push(Action::Run(command));
            }
        }
    });
}

/// A column of words as wide as a pane.
pub(super) fn column(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui)) {
    ui.vertical(|ui| {
        ui.set_width(width);
        ui.set_max_width(width);
        add(ui);
    });
}

/// What a map comes to, in a line.
pub(super) fn says(map: &Map) -> String {
    let most = format!("largest δ {}", amount(map.most));
    match (map.probability_off, map.probability) {
        (Some(off), Some(on)) => format!("says {} off, {} on · {most}", percent(off), percent(on)),
        (None, Some(probability)) => format!("says {} · {most}", percent(probability)),
        _ => most,
    }
}

/// A probability as a person says it.
pub(super) fn percent(probability: f32) -> String {
    match 100.0 * probability {
        p if p < 0.95 => "under 1 %".to_owned(),
        p if p > 99.05 => "over 99 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// How much of a map lies inside the true outline.
fn inside(map: &Map) -> Option<String> {
    let (share, area) = map.inside?;
    let times = if area > 0.0 { format!(" ({:.1} times its share)", share / area) } else { String::new() };
    Some(format!(
        "{:.0} % of the map lies inside the outline, which is {:.0} % of the film{times}",
        100.0 * share,
        100.0 * area
    ))
}

/// How two maps agree, in words.
fn agree(ui: &mut Ui, agreement: &Agreement) {
    let colors = theme::colors(ui);
    let line = |ui: &mut Ui, what: &str, value: String, rest: String, strong: bool| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.label(RichText::new(what).color(colors.dim));
            let ink: Color32 = if strong { colors.text } else { colors.dim };
            ui.label(RichText::new(value).font(theme::medium(theme::TEXT)).color(ink));
            ui.label(RichText::new(rest).font(theme::caption()).color(colors.dim)).on_hover_text(
                "Shuffled: the squares of one map in random order, 999 times. Moved: one map shifted against the other by every \
                 whole step, around the edges, so that neighbouring squares stay neighbours and smoothness alone is no agreement.",
            );
        });
    };
    line(
        ui,
        "Rank correlation of the maps",
        number(agreement.correlation as f32, 2),
        baseline(&agreement.correlation_shuffled, agreement.correlation_moved.as_ref(), 2, 1.0),
        true,
    );
    line(
        ui,
        &format!("Overlap of the {} highest squares (1 in {TOP})", agreement.top),
        format!("{:.0} %", 100.0 * agreement.overlap),
        baseline(&agreement.overlap_shuffled, agreement.overlap_moved.as_ref(), 0, 100.0),
        true,
    );
    ui.label(RichText::new(verdict(agreement)).color(colors.text));
}

fn baseline(shuffled: &Chance, moved: Option<&Chance>, decimals: usize, scale: f64) -> String {
    let unit = if scale > 1.0 { " %" } else { "" };
    let value = |v: f64| format!("{}{unit}", number((scale * v) as f32, decimals));
    let mut text = format!(
        "by chance {} on average; shuffled, 95 % of {} lie below {} (p {})",
        value(shuffled.mean),
        shuffled.draws,
        value(shuffled.high),
        p_text(shuffled),
    );
    if let Some(moved) = moved {
        text += &format!("; moved, below {} (p {})", value(moved.high), p_text(moved));
    }
    text
}

fn p_text(chance: &Chance) -> String {
    if chance.p < 0.0095 { format!("{:.3}", chance.p) } else { format!("{:.2}", chance.p) }
}

/// What the agreement means, in a sentence that says no more than the numbers.
fn verdict(agreement: &Agreement) -> &'static str {
    let beyond_moves = agreement.correlation_moved.as_ref().is_none_or(|moved| moved.p < 0.05);
    match (agreement.correlation_shuffled.p < 0.05, beyond_moves) {
        (true, true) if agreement.correlation >= STRONG => {
            "On this film both classifiers rest on much the same places: more than chance or smoothness gives."
        }
        (true, true) => {
            "On this film the classifiers rest in part on the same places: more than chance or smoothness gives."
        }
        (true, false) => {
            "The maps agree more than shuffled ones, but no more than maps moved out of place: smoothness alone could do that."
        }
        (false, _) => "On this film the maps agree no more than by chance: the classifiers rest on different places.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(p: f64, moved: f64) -> Agreement {
        let chance = |p| Chance { mean: 0.0, high: 0.1, p, draws: 999 };
        Agreement {
            correlation: 0.3,
            correlation_shuffled: chance(p),
            correlation_moved: Some(chance(moved)),
            top: 26,
            overlap: 0.2,
            overlap_shuffled: chance(p),
            overlap_moved: Some(chance(moved)),
        }
    }

    #[test]
    fn agreement_is_said_only_where_neither_chance_nor_smoothness_explains_it() {
        assert!(verdict(&agreement(0.001, 0.01)).contains("in part on the same places"));
        let strong = Agreement { correlation: 0.7, ..agreement(0.001, 0.01) };
        assert!(verdict(&strong).contains("much the same places"));
        assert!(verdict(&agreement(0.001, 0.4)).contains("smoothness alone"));
        assert!(verdict(&agreement(0.3, 0.4)).contains("no more than by chance"));
        let text = baseline(&agreement(0.001, 0.04).correlation_shuffled, None, 2, 1.0);
        assert_eq!(text, "by chance 0.00 on average; shuffled, 95 % of 999 lie below 0.10 (p 0.001)");
    }

    #[test]
    fn probabilities_never_claim_certainty() {
        assert_eq!([0.001, 0.256, 0.9999].map(percent), ["under 1 %", "26 %", "over 99 %"]);
    }
}
