//! The contact sheet: neighbouring seeds under the present recipe, or one row for each finding.

use eframe::egui::{Rect, ScrollArea, Sense, Stroke, Ui, UiBuilder, pos2, vec2};

use super::{Explore, edit};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{Thumbnail, mode_button, section};
use crate::generator::Recipe;

/// Side of a thumbnail in the single row.
const LARGE: f32 = 72.0;
/// Side of a thumbnail in the table of findings.
const SMALL: f32 = 48.0;
/// Room for the names of rows.
const ROW_NAME: f32 = 136.0;

/// Height of the panel.
pub fn height(ui: &Ui, session: &Session) -> f32 {
    if session.settings.sheet_rows { (ui.available_height() * 0.4).clamp(180.0, 420.0) } else { 24.0 + LARGE + 40.0 }
}

/// Draws the sheet.
pub fn show(ui: &mut Ui, view: &mut Explore, session: &mut Session, actions: &mut Actions) {
    let rows = session.settings.sheet_rows;
    section(ui, "Contact sheet", |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding = vec2(8.0, 1.0);
        let command = Command::SheetRows;
        let tooltip = format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx()));
        for (chosen, text) in [(rows, "Seeds × findings"), (!rows, "Seeds")] {
            if mode_button(ui, chosen, text, &tooltip).clicked() && !chosen {
                actions.push(Action::Run(command));
            }
        }
    });
    let side = if rows { SMALL } else { LARGE };
    let room = ui.available_width() - if rows { ROW_NAME + 8.0 } else { 0.0 };
    let columns = ((room + 8.0) / (side + 8.0)).floor().max(1.0) as u64;
    view.follow_seed(session.recipe().seed, columns);
    // What is left over is shared out between the thumbnails, so that the row ends at the panel's edge.
    let step = if columns > 1 { side + (room - columns as f32 * side) / (columns - 1) as f32 } else { side };
    let seeds: Vec<u64> = (0..columns).map(|i| view.sheet_start.saturating_add(i)).collect();
    if rows { table(ui, view, session, &seeds, step, actions) } else { row(ui, view, session, &seeds, step, actions) }
}

impl Explore {
    /// Moves the sheet only when the seed leaves it, so that thumbnails stay where they are while one steps.
    fn follow_seed(&mut self, seed: u64, columns: u64) {
        if seed < self.sheet_start || seed >= self.sheet_start.saturating_add(columns) {
            let one_before = seed.checked_add(1) == Some(self.sheet_start);
            let back = if one_before { columns - 1 } else { 0 };
            self.sheet_start = seed.saturating_sub(back);
        }
    }
}

fn with_seed(recipe: &Recipe, seed: u64) -> Recipe {
    Recipe { seed, ..recipe.clone() }
}

fn row(ui: &mut Ui, view: &Explore, session: &mut Session, seeds: &[u64], step: f32, actions: &mut Actions) {
    let recipes: Vec<Recipe> = seeds.iter().map(|&seed| with_seed(session.recipe(), seed)).collect();
    session.sheet.want(recipes.clone());
    let origin = ui.cursor().min;
    for (i, recipe) in recipes.iter().enumerate() {
        let cell = Rect::from_min_size(pos2(origin.x + i as f32 * step, origin.y), vec2(LARGE, LARGE + 18.0));
        thumbnail(ui, view, session, recipe, cell, LARGE, &format!("seed {}", recipe.seed), actions);
        let ink = if recipe.seed == session.recipe().seed { theme::colors(ui).text } else { theme::colors(ui).dim };
        let text = format!("seed {}", recipe.seed);
        let text = if text.len() > 14 { recipe.seed.to_string() } else { text };
        let galley = ui.painter().layout_no_wrap(text, theme::caption(), ink);
        let foot = pos2(cell.center().x - galley.size().x * 0.5, cell.top() + LARGE + 4.0);
        ui.painter_at(cell.expand(4.0)).galley(foot, galley, ink);
    }
    ui.advance_cursor_after_rect(Rect::from_min_size(origin, vec2(ui.available_width(), LARGE + 18.0)));
}

fn table(ui: &mut Ui, view: &Explore, session: &mut Session, seeds: &[u64], step: f32, actions: &mut Actions) {
    let Some(model) = session.model() else { return };
    let mut names: Vec<Option<String>> = vec![None];
    names.extend(model.generator.card().vocabulary.findings.iter().cloned().map(Some));
    let base = session.recipe().clone();
    let recipe_of = |name: &Option<String>, seed: u64| {
        let mut recipe = with_seed(&base, seed);
        recipe.findings.clear();
        if let Some(finding) = name {
            recipe.set_strength(finding, base.strength(finding).max(1.0));
        }
        recipe
    };
    let mut wanted = Vec::new();
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        for name in &names {
            let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), SMALL), Sense::hover());
            if !ui.is_rect_visible(line) {
                continue;
            }
            let colors = theme::colors(ui);
            let text = name.as_deref().unwrap_or("None switched on");
            let on = name.as_ref().is_some_and(|finding| base.strength(finding) > 0.0);
            let ink = if on { colors.text } else { colors.dim };
            let galley = ui.painter().layout(text.to_owned(), theme::caption(), ink, ROW_NAME - 16.0);
            ui.painter().galley(pos2(line.left(), line.center().y - galley.size().y * 0.5), galley, ink);
            for (i, &seed) in seeds.iter().enumerate() {
                let recipe = recipe_of(name, seed);
                let left = line.left() + ROW_NAME + i as f32 * step;
                let cell = Rect::from_min_size(pos2(left, line.top()), vec2(SMALL, SMALL));
                let label = format!("{text}, seed {seed}");
                thumbnail(ui, view, session, &recipe, cell, SMALL, &label, actions);
                wanted.push(recipe);
            }
        }
    });
    session.sheet.want(wanted);
}

fn thumbnail(
    ui: &mut Ui,
    view: &Explore,
    session: &Session,
    recipe: &Recipe,
    cell: Rect,
    side: f32,
    label: &str,
    actions: &mut Actions,
) {
    let colors = theme::colors(ui);
    let chosen = recipe == session.recipe();
    let frame = if chosen { Stroke::new(2.0, colors.synthetic) } else { Stroke::new(1.0, colors.track) };
    let film = session.sheet.film(recipe).cloned();
    let thumbnail = Thumbnail {
        film: film.as_deref(),
        look: view.look(session),
        size: vec2(side, side),
        frame,
        name: label,
        clickable: true,
    };
    let response = ui.scope_builder(UiBuilder::new().max_rect(cell), |ui| thumbnail.show(ui)).inner;
    if response.clicked() {
        actions.push(edit(session, None, |current| current.clone_from(recipe)));
    }
    response.on_hover_text(format!("{label}\nClick to take it to the light box."));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_stays_while_the_seed_is_on_it_and_turns_the_page_when_it_leaves() {
        let mut view = Explore { sheet_start: 100, ..Explore::default() };
        let mut start_after = |seed| {
            view.follow_seed(seed, 10);
            view.sheet_start
        };
        assert_eq!(start_after(105), 100);
        assert_eq!(start_after(110), 110);
        assert_eq!(start_after(109), 100);
        assert_eq!(start_after(5_000), 5_000);
        assert_eq!(start_after(u64::MAX), u64::MAX);
        assert_eq!(start_after(0), 0);
    }
}
