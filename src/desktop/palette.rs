//! The command palette: any command, finding or model by a few letters.

use eframe::egui::{self, Align2, Area, Button, Frame, Id, Key, Modal, ScrollArea, TextEdit, vec2};

use super::action::Action;
use super::command::Command;
use super::session::Session;
use super::theme;

/// What has been typed, and which entry is marked.
#[derive(Debug, Default)]
pub struct Palette {
    query: String,
    marked: usize,
}

/// One entry.
struct Entry {
    text: String,
    detail: String,
    action: Action,
}

/// What became of the palette in this frame.
pub enum Outcome {
    /// It stays open.
    Open,
    /// It was left without a choice.
    Closed,
    /// This was chosen.
    Chosen(Action),
}

impl Palette {
    /// Draws the palette over the window.
    pub fn show(&mut self, ctx: &egui::Context, session: &Session) -> Outcome {
        let found = self.found(ctx, session);
        self.marked = self.marked.min(found.len().saturating_sub(1));
        let step = |key| ctx.input_mut(|input| input.count_and_consume_key(egui::Modifiers::NONE, key));
        let (down, up, enter) = (step(Key::ArrowDown), step(Key::ArrowUp), step(Key::Enter));
        self.marked = (self.marked + down).saturating_sub(up).min(found.len().saturating_sub(1));
        let moved = down + up > 0;
        let mut chosen = (enter > 0).then_some(self.marked);
        let area = Area::new(Id::unique("palette area"))
            .anchor(Align2::CENTER_TOP, vec2(0.0, 72.0))
            .order(egui::Order::Foreground);
        let frame = Frame::window(&ctx.global_style()).inner_margin(12);
        let modal = Modal::new(Id::unique("palette")).area(area).frame(frame).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 64.0).min(560.0));
            let field = TextEdit::singleline(&mut self.query)
                .hint_text("Find a command, a finding or a model")
                .desired_width(f32::INFINITY);
            let response = ui.add(field).accessible_name("Find");
            if response.changed() {
                self.marked = 0;
            }
            response.request_focus();
            ScrollArea::vertical().max_height(380.0).auto_shrink([false, true]).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                if found.is_empty() {
                    ui.label(egui::RichText::new("Nothing of that name").color(theme::colors(ui).dim));
                }
                for (i, entry) in found.iter().enumerate() {
                    let button =
                        Button::selectable(i == self.marked, entry.text.as_str()).shortcut_text(entry.detail.as_str());
                    let line = ui.add_sized(vec2(ui.available_width(), 26.0), button);
                    if i == self.marked && moved {
                        line.scroll_to_me(None);
                    }
                    if line.clicked() {
                        chosen = Some(i);
                    }
                }
            });
        });
        match chosen.and_then(|i| found.into_iter().nth(i)) {
            Some(entry) => Outcome::Chosen(entry.action),
            None if modal.should_close() => Outcome::Closed,
            None => Outcome::Open,
        }
    }

    fn found(&self, ctx: &egui::Context, session: &Session) -> Vec<Entry> {
        let mut entries: Vec<(u32, Entry)> = entries(ctx, session)
            .into_iter()
            .filter_map(|entry| Some((rank(&entry.text, &self.query)?, entry)))
            .collect();
        // Stable: entries of equal rank stay in the order of the list.
        entries.sort_by_key(|(rank, _)| *rank);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn entries(ctx: &egui::Context, session: &Session) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Command::ALL
        .into_iter()
        .map(|command| Entry {
            text: command.text().to_owned(),
            detail: command.shortcut_text(ctx),
            action: Action::Run(command),
        })
        .collect();
    if let Some(model) = session.model() {
        for finding in &model.generator.card().vocabulary.findings {
            let mut recipe = session.recipe().clone();
            let on = recipe.strength(finding) != 0.0;
            recipe.set_strength(finding, if on { 0.0 } else { 1.0 });
            entries.push(Entry {
                text: format!("{finding}: switch {}", if on { "off" } else { "on" }),
                detail: "finding".to_owned(),
                action: Action::Edit { recipe, gesture: None },
            });
        }
    }
    for model in session.shelf() {
        entries.push(Entry {
            text: format!("Open {}", model.name),
            detail: model.about.clone(),
            action: Action::OpenModel(model.path.clone()),
        });
    }
    entries
}

/// How well `text` answers `query`: lower is better, `None` not at all. Letters must appear in order.
fn rank(text: &str, query: &str) -> Option<u32> {
    let (text, query) = (text.to_lowercase(), query.trim().to_lowercase());
    if query.is_empty() {
        return Some(0);
    }
    if text.starts_with(&query) {
        return Some(0);
    }
    if text.split_whitespace().any(|word| word.starts_with(&query)) {
        return Some(1);
    }
    if text.contains(&query) {
        return Some(2);
    }
    let mut letters = text.chars();
    query.chars().filter(|c| !c.is_whitespace()).all(|wanted| letters.any(|c| c == wanted)).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_come_before_words_before_parts_before_scattered_letters() {
        assert_eq!(rank("Invert", "inv"), Some(0));
        assert_eq!(rank("Random seed", "seed"), Some(1));
        assert_eq!(rank("Pneumothorax: switch on", "thorax"), Some(2));
        assert_eq!(rank("Copy as command line", "ccl"), Some(3));
        assert_eq!(rank("Invert", "xyz"), None);
    }
}
