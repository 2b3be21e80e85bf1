//! The neighbour strip: the real films nearest to the sample, how near that is, and where the sample falls.

use eframe::egui::{RichText, ScrollArea, Stroke, Ui, vec2};

use super::{Explore, cohort_states};
use crate::desktop::action::Actions;
use crate::desktop::lightbox::Look;
use crate::desktop::neighbour_worker::Verdict;
use crate::desktop::reference::{Near, Reference};
use crate::desktop::session::{Cohort, Session};
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::{Icon, Thumbnail, caption, grouped, number, percentile_bar, section};

/// Below this percentile a sample lies nearer to a training patient than almost any unseen patient does.
const TOO_NEAR: f32 = 1.0;

/// Draws the strip, or what to do so that there is one.
pub fn show(ui: &mut Ui, view: &Explore, session: &Session, actions: &mut Actions) {
    match session.cohort() {
        Cohort::Ready { reference, histogram } => {
            let phantom = reference.is_phantom();
            let title = if phantom { "Nearest phantoms" } else { "Nearest real radiographs" };
            section(ui, title, |ui| cohort_states::cohort_menu(ui, reference, actions));
            // Heading, histogram and its caption, which takes one line more in the narrow panel.
            let foot = if ui.available_width() < 240.0 { 216.0 } else { 200.0 };
            let list = (ui.available_height() - foot).max(120.0);
            let verdict = session.verdict();
            ScrollArea::vertical().max_height(list).min_scrolled_height(list).content_margin(1).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 12.0;
                ui.spacing_mut().interact_size.y = 16.0;
                match verdict.map(|verdict| &verdict.nears) {
                    Some(Ok(nears)) => {
                        for near in nears {
                            neighbour(ui, view.look(session), near, phantom);
                        }
                    }
                    Some(Err(reason)) => failed(ui, reason),
                    None => {
                        caption(ui, "Comparing…");
                    }
                }
            });
            ui.add_space(8.0);
            where_it_falls(ui, reference, histogram, verdict);
        }
        other => cohort_states::show(ui, other, session, actions),
    }
}

fn failed(ui: &mut Ui, reason: &str) {
    let danger = theme::colors(ui).danger;
    ui.horizontal_top(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), eframe::egui::Sense::hover());
        Icon::Warning.paint(ui.painter(), rect.center(), 14.0, danger);
        ui.label(reason);
    });
}

/// One neighbour: its film, how near it is, and whose it is.
pub fn neighbour(ui: &mut Ui, look: Look, near: &Near, phantom: bool) {
    let colors = theme::colors(ui);
    let accent = colors.reference(phantom);
    let side = if ui.available_width() < 230.0 { 80.0 } else { 104.0 };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing = vec2(12.0, 2.0);
        let name = who(&near.patient, phantom);
        let thumbnail = Thumbnail {
            film: Some(&near.film),
            look,
            size: vec2(side, side),
            frame: Stroke::new(1.0, theme::tint(accent, colors.panel, 0.7)),
            name: &name,
            clickable: false,
        };
        let (width, height) = (near.film.size()[0], near.film.size()[1]);
        thumbnail
            .show(ui)
            .on_hover_text(format!("{name}\n{} × {} pixels, film {} of the cohort", width, height, near.item));
        ui.vertical(|ui| {
            let too_near = near.percentile.is_some_and(|percentile| percentile < TOO_NEAR);
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 5.0;
                let figure = RichText::new(number(near.distance, 3)).font(theme::medium(theme::TEXT)).color(accent);
                ui.label(figure).on_hover_text("1 − cosine of the two images' features: 0 is the same, 1 unrelated.");
                ui.label(RichText::new("cosine").color(colors.dim));
                if too_near {
                    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), eframe::egui::Sense::hover());
                    Icon::Warning.paint(ui.painter(), rect.center(), 13.0, colors.danger);
                    ui.label(RichText::new("Too near").font(theme::medium(theme::TEXT)).color(colors.danger));
                }
            });
            if let Some(percentile) = near.percentile {
                percentile_bar(ui, percentile, phantom);
                ui.label(sentence(percentile, phantom, too_near, &colors)).on_hover_text(
                    "Of the films of people the generator never saw: the share whose own nearest training film is \
                     farther away than this one is from the sample.",
                );
            } else {
                caption(ui, "no unseen patients to judge by");
            }
            ui.add_space(2.0);
            ui.label(RichText::new(&name).font(theme::caption()).color(colors.text));
            let findings = if near.findings.is_empty() { "no finding".to_owned() } else { near.findings.join(", ") };
            let about = if near.about.is_empty() { findings } else { format!("{} · {findings}", near.about) };
            caption(ui, about);
            let mut more = vec![format!("pixel RMS {:.3}", near.pixel_rms)];
            match near.more_films {
                0 => {}
                1 => more.push("+1 more film".to_owned()),
                n => more.push(format!("+{n} more films")),
            }
            caption(ui, more.join(" · ")).on_hover_text(
                "Root mean square difference of brightness (0 black, 1 white), as a second opinion; and further films \
                 of this patient among the nearest.",
            );
        });
    });
}

/// The patient's name with the word before it, unless the name begins with that word itself.
fn who(patient: &str, phantom: bool) -> String {
    let word = if phantom { "Phantom" } else { "Patient" };
    match patient.to_lowercase().strip_prefix(&word.to_lowercase()) {
        Some(rest) => format!("{word}{rest}"),
        None => format!("{word} {patient}"),
    }
}

/// The percentile in words.
fn sentence(percentile: f32, phantom: bool, too_near: bool, colors: &Colors) -> RichText {
    let share = (100.0 - percentile).clamp(0.0, 100.0);
    let who = if phantom { "unseen phantoms" } else { "unseen patients" };
    let text = format!("nearer than {} % of {who}", share_text(share));
    let ink = if too_near { colors.danger } else { colors.text };
    RichText::new(text).font(theme::caption()).color(ink)
}

/// A share with one decimal, and never "100.0" while it is less.
fn share_text(share: f32) -> String {
    if share < 100.0 && share > 99.9 { "over 99.9".to_owned() } else { format!("{share:.1}") }
}

fn where_it_falls(
    ui: &mut Ui,
    reference: &Reference,
    histogram: &crate::desktop::widgets::Histogram,
    verdict: Option<&Verdict>,
) {
    let colors = theme::colors(ui);
    let phantom = reference.is_phantom();
    section(ui, "Where this sample falls", |_| ());
    let nearest = verdict.and_then(|v| v.nears.as_ref().ok()?.first().map(|near| near.distance));
    histogram.show(ui, 96.0, nearest, colors.reference(phantom), colors.synthetic);
    let count = reference.held_out().len();
    let (who, color) = if phantom { ("phantoms", "Lilac") } else { ("patients", "Cyan") };
    caption(
        ui,
        format!(
            "{color}: N = {} films of unseen {who}, by distance to the nearest training film. Amber: this sample. \
             Research and teaching, not for diagnosis.",
            grouped(count as u64),
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_never_claims_all_while_it_is_less() {
        assert_eq!(share_text(96.94), "96.9");
        assert_eq!(share_text(99.96), "over 99.9");
        assert_eq!(share_text(100.0), "100.0");
    }

    #[test]
    fn a_phantom_is_not_called_so_twice() {
        assert_eq!(who("phantom 0000007", true), "Phantom 0000007");
        assert_eq!(who("00000284", false), "Patient 00000284");
    }

    #[test]
    fn too_near_is_said_in_red_and_otherwise_not() {
        let colors = Colors::on_film();
        assert!(sentence(0.4, false, true, &colors).text().contains("99.6 % of unseen patients"));
        assert!(sentence(3.1, true, false, &colors).text().contains("96.9 % of unseen phantoms"));
    }
}
