//! Everything else that a spec can say, part by part, folded.

use eframe::egui::{Align2, Label, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::help::help;
use super::{Form, NAME, line, text_field, trouble};
use crate::desktop::theme;
use crate::desktop::training::draft::Field;
use crate::desktop::widgets::{mode_button, section, text_button};

/// Fields that stand in front, so that they are not repeated among the folded ones.
const FRONT: [&str; 4] = ["name", "cohort", "network.family", "schedule.total_kimg"];

/// Parts of a spec in the order in which one thinks of them; those of later versions follow.
const PARTS: [&str; 8] = ["network", "loss", "schedule", "optimiser", "average", "data", "record", "run"];

/// Everything else that a spec can say, part by part.
pub fn folded(ui: &mut Ui, form: &mut Form) {
    let fields: Vec<Field> =
        form.draft.fields().into_iter().filter(|field| !FRONT.contains(&field.path.as_str())).collect();
    let mut parts: Vec<String> = Vec::new();
    for field in &fields {
        let part = part_of(&field.path).to_owned();
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.sort_by_key(|part| PARTS.iter().position(|own| part.starts_with(own)).unwrap_or(PARTS.len()));
    section(ui, "Everything else", |_| ());
    for part in parts {
        let own: Vec<&Field> = fields.iter().filter(|field| part_of(&field.path) == part).collect();
        let wrong = own.iter().filter(|field| field.problem.is_some()).count();
        let open = form.open.contains(&part) || wrong > 0;
        if header(ui, &title(&part), open, wrong, &summary(&own)) {
            if open {
                form.open.remove(&part)
            } else {
                form.open.insert(part.clone())
            };
        }
        if !open {
            continue;
        }
        for field in own {
            let name = words(field.path.strip_prefix(&format!("{part}.")).unwrap_or(&field.path));
            line(ui, &name, help(&field.path), field.problem.as_deref(), |ui| control(ui, form, field, &name));
        }
    }
    let optional: Vec<(&str, bool)> = form.draft.optional().collect();
    for (part, on) in optional {
        let name = name_of_optional(part);
        line(ui, &name, help(part), None, |ui| {
            let word = if on { "Leave out" } else { "Add" };
            if text_button(ui, word, help(part)).accessible_name(format!("{word} {name}")).clicked() {
                form.draft.switch(part, !on);
                let first = form.draft.fields().into_iter().find(|field| field.path.starts_with(part));
                form.open.extend(first.map(|field| part_of(&field.path).to_owned()));
            }
        });
    }
    if let Some(problem) = form.draft.problem_elsewhere().map(str::to_owned) {
        trouble(ui, &problem);
    }
}

/// What a part that may be absent is called in front of its button.
fn name_of_optional(part: &str) -> String {
    match part {
        "optimiser.below" => "Slow levels".to_owned(),
        "quality.second_encoder" => "Second encoder".to_owned(),
        "quality.stop" => "Stop rule".to_owned(),
        _ => title(part),
    }
}

fn control(ui: &mut Ui, form: &mut Form, field: &Field, name: &str) {
    if field.choices.is_empty() {
        let names_file = matches!(field.path.as_str(), "start_from" | "quality.encoder" | "quality.second_encoder");
        let width = if names_file { 320.0 } else { 112.0 };
        text_field(ui, form, &field.path, name, width);
        return;
    }
    ui.horizontal_wrapped(|ui| {
        for choice in &field.choices {
            if mode_button(ui, field.text == *choice, &choice.replace('_', " "), help(&field.path)).clicked() {
                form.draft.set(&field.path, choice);
            }
        }
    });
}

/// The line that folds a part; `true` when it was clicked.
fn header(ui: &mut Ui, title: &str, open: bool, wrong: usize, summary: &str) -> bool {
    let colors = theme::colors(ui);
    let row = ui.push_id(title, |ui| {
        ui.horizontal(|ui| {
            let sign = if open { "\u{2212}" } else { "+" };
            let name = format!("{} {title}", if open { "Fold" } else { "Unfold" });
            let button = fold(ui, sign, title, &name);
            if wrong > 0 {
                ui.label(RichText::new(format!("{wrong} to mend")).font(theme::caption()).color(colors.danger));
            } else if !open {
                ui.add(Label::new(RichText::new(summary).font(theme::caption()).color(colors.dim)).truncate());
            }
            button
        })
    });
    row.inner.inner
}

/// A flat button as wide as the names of fields, its words at the left.
fn fold(ui: &mut Ui, sign: &str, title: &str, name: &str) -> bool {
    let colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(NAME, 24.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 4.0, colors.hovered);
    }
    let text = |x: f32, text: &str, ink| {
        let place = pos2(rect.left() + x, rect.center().y);
        ui.painter().text(place, Align2::LEFT_CENTER, text, theme::medium(theme::TEXT), ink);
    };
    text(2.0, sign, colors.dim);
    text(18.0, title, colors.text);
    response.clicked()
}

/// The first numbers of a folded part, so that one need not unfold it to see them.
fn summary(fields: &[&Field]) -> String {
    let few = fields.iter().take(4).map(|field| {
        let name = field.path.rsplit('.').next().unwrap_or_default();
        format!("{} {}", words(name), field.text.replace('_', " "))
    });
    let rest = if fields.len() > 4 { " …" } else { "" };
    few.collect::<Vec<_>>().join(", ") + rest
}

/// The part of the spec that a field belongs to: its table, or for one level of the schedule, that level.
fn part_of(path: &str) -> &str {
    if path.starts_with("schedule.levels.") {
        let end = path.rfind('.').unwrap_or(path.len());
        return &path[..end];
    }
    path.split_once('.').map_or("run", |(part, _)| part)
}

fn title(part: &str) -> String {
    let text = match part.strip_prefix("schedule.levels.") {
        Some(number) => format!("level {}", number.parse::<usize>().map_or(0, |n| n + 1)),
        None => words(part),
    };
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    first + letters.as_str()
}

fn words(name: &str) -> String {
    name.replace(['_', '.'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_into_parts_that_have_names() {
        assert_eq!(part_of("schedule.levels.1.batch"), "schedule.levels.1");
        assert_eq!((part_of("seed"), part_of("optimiser.rate")), ("run", "optimiser"));
        assert_eq!((part_of("micro_batch"), part_of("quality.stop.patience")), ("run", "quality"));
        assert_eq!(title("schedule.levels.1"), "Level 2");
        assert_eq!(title("start_from"), "Start from");
    }
}
