//! The page of one finding switched at a fixed latent: the sample without and with it, the difference, and where the
//! classifiers look.

use eframe::egui::{Rect, RichText, ScrollArea, Ui, UiBuilder, pos2, vec2};

use super::Artefacts;
use super::controls::slot_color;
use super::page::{column, no_classifier, says};
use super::pair::{heading_of, learnt_from};
use super::panes::{GAP, HEAD, Hand, MapPane, legend};
use super::worker::{Subject, TOP};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::lightbox::{ColorMap, Look};
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{caption, number, text_button};
use crate::radiograph::{Meaning, Window};

/// Height kept for the words below the panes.
const WORDS: f32 = 128.0;

impl Artefacts {
    pub(super) fn switch_page(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        if session.model().is_none() {
            return invite(ui, session, actions);
        }
        let view = self.views[1].clone();
        let Some(view) = view.filter(|_| self.pair.is_some()) else {
            return self.no_switch(ui, session, actions);
        };
        let (Some(change), Subject::Switch(switch)) = (&view.change, &view.question.subject) else { return };
        let colors = theme::colors(ui);
        let area = ui.available_rect_before_wrap();
        let width = (area.width() - 2.0 * GAP) / 3.0;
        let height = ((area.height() - WORDS - GAP) / 2.0).max(140.0).min(width + HEAD);
        let place = |row: usize, column: usize| {
            let corner = vec2(column as f32 * (width + GAP), row as f32 * (height + GAP));
            Rect::from_min_size(area.min + corner, vec2(width, height))
        };
        let look = self.look(session);
        let meaning = view.film.image().meaning();
        let difference =
            Look { window: Window::new(0.0, 2.0 * change.most.max(1e-4)), map: ColorMap::Diverging, ..look };
        let (mut zoom, mut window, mut pointed) = (self.zoom, self.window, None);
        let mut hand = Hand { zoom: &mut zoom, window: &mut window, pointer: self.pointer, pointed: &mut pointed };
        let finding = &switch.finding;
        let titles = [format!("{finding} off"), format!("{finding} on"), "On less off".to_owned()];
        let films = [&change.off, &view.film, &change.difference];
        for (i, film) in films.into_iter().enumerate() {
            let name =
                format!("Sample of {}, seed {}: {}", switch.generator.card().name, switch.recipe.seed, titles[i]);
            MapPane {
                film,
                look: if i == 2 { difference } else { look },
                map: None,
                outline: None,
                title: &titles[i],
                color: colors.synthetic,
                name: &name,
            }
            .show(ui, place(0, i), &mut hand);
        }
        for slot in 0..2 {
            let rect = place(1, slot);
            let Some(classifier) = &view.question.pair.classifiers[slot] else {
                no_classifier(ui, rect, slot, &view, actions);
                continue;
            };
            let map = view.maps[slot].as_ref();
            let title = heading_of(classifier.card());
            let name = match map {
                Some(map) => {
                    format!(
                        "Map of the classifier trained on {}, finding on: {}",
                        learnt_from(classifier.card()),
                        says(map)
                    )
                }
                None => format!("{title}: being asked"),
            };
            MapPane {
                film: &view.film,
                look,
                map: map.map(|map| (map, self.most(&view, slot), self.shown.opacity)),
                outline: None,
                title: &title,
                color: slot_color(ui, classifier.card()),
                name: &name,
            }
            .show(ui, rect, &mut hand);
        }
        (self.zoom, self.window) = (zoom, window);
        if pointed != self.pointer {
            self.pointer = pointed;
            ui.ctx().request_repaint();
        }
        let amount = |value: f32| {
            let decimals = if meaning == Meaning::Density { 4 } else { 1 };
            format!("{} {}", number(value, decimals), meaning.unit()).trim_end().to_owned()
        };
        ui.scope_builder(UiBuilder::new().max_rect(place(1, 2)), |ui| {
            ui.set_clip_rect(place(1, 2));
            ScrollArea::vertical().id_salt("change").auto_shrink([false, false]).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 6.0;
                ui.label(RichText::new("What the switch changes").font(theme::medium(theme::TEXT)));
                ui.label(format!("Mean absolute difference {}, largest {}", amount(change.mean), amount(change.most)));
                for slot in 0..2 {
                    let (Some([inside, outside]), Some(classifier)) =
                        (change.inside_outside[slot], &view.question.pair.classifiers[slot])
                    else {
                        continue;
                    };
                    let ratio = if outside > 0.0 { format!(", {:.1} times", inside / outside) } else { String::new() };
                    ui.label(
                        RichText::new(format!(
                            "{}, its highest 1 in {TOP} squares: {} inside, {} outside{ratio}",
                            heading_of(classifier.card()),
                            amount(inside),
                            amount(outside),
                        ))
                        .color(slot_color(ui, classifier.card())),
                    );
                }
                caption(ui, "Blue: darker with the finding. Orange: brighter. The latent and all other findings stay.");
            });
        });
        let below = Rect::from_min_max(pos2(area.left(), area.top() + 2.0 * (height + GAP)), area.max);
        ui.scope_builder(UiBuilder::new().max_rect(below), |ui| {
            ScrollArea::vertical().id_salt("answers").auto_shrink([false, false]).show(ui, |ui| {
                self.progress_line(ui);
                ui.horizontal_top(|ui| {
                    ui.spacing_mut().item_spacing.x = GAP;
                    for slot in 0..2 {
                        column(ui, width, |ui| {
                            let Some(map) = &view.maps[slot] else { return };
                            ui.label(says(map));
                            legend(ui, (width - 16.0).max(60.0), self.most(&view, slot));
                        });
                    }
                });
                caption(ui, "SYNTHETIC. Research and teaching, not for diagnosis.");
            });
        });
    }

    /// While there is nothing to show although a model is open.
    fn no_switch(&mut self, ui: &mut Ui, session: &Session, actions: &mut Actions) {
        let (Some(model), Some(card)) = (session.model(), self.pair.as_ref().and_then(|pair| pair.card())) else {
            return self.waiting(ui, actions);
        };
        let text = if model.generator.card().meaning != card.input.meaning {
            "The open model and the classifiers look at different kinds of images. Choose classifiers of its cohort at the left."
        } else if self.switched_finding(session).is_none() {
            "The open model and the classifiers have no finding in common. Choose classifiers of its cohort at the left."
        } else {
            "Rendering the sample…"
        };
        ui.centered_and_justified(|ui| ui.label(RichText::new(text).color(theme::colors(ui).dim)));
    }
}

/// While no model is open: the shelf.
fn invite(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let rect = ui.max_rect();
    let area = Rect::from_center_size(rect.center(), vec2((rect.width() - 64.0).min(420.0), 280.0));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ui.vertical_centered(|ui| {
            if session.opening_model().is_some() {
                ui.label(RichText::new("Opening the model…").color(colors.dim));
                return;
            }
            ui.label(RichText::new("No model is open").font(theme::medium(16.0)));
            let text =
                "Here one finding of a sample is switched on and off while everything else stays. Choose a generator.";
            ui.label(RichText::new(text).color(colors.dim));
            for entry in session.shelf() {
                let button = eframe::egui::Button::new(entry.name.as_str()).shortcut_text(entry.about.as_str());
                if ui.add_sized(vec2(260.0, 28.0), button).clicked() {
                    actions.push(Action::OpenModel(entry.path.clone()));
                }
            }
            let open = Command::OpenModel;
            if text_button(ui, open.text(), open.tooltip()).clicked() {
                actions.push(Action::Run(open));
            }
        });
    });
}
