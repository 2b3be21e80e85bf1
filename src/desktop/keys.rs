//! The page behind F1: what every key and mouse button does.

use eframe::egui::{self, Grid, Id, Modal, RichText, ScrollArea, Ui};

use super::command::{Command, Group};
use super::theme;
use super::widgets::caption;

/// What the mouse does on the light box.
const MOUSE: [(&str, &str); 6] = [
    ("Left drag on a film", "Window: right widens, up brightens"),
    ("Middle drag", "Pan"),
    ("Wheel", "Zoom at the pointer"),
    ("Right click on a film", "Menu"),
    ("Double-click on a slider or the pad", "Reset"),
    ("Drop a file", "Open a model, a pack, a run, or the recipe in an image"),
];

/// Shows the page; `false` when it was closed.
pub fn show(ctx: &egui::Context) -> bool {
    let modal = Modal::new(Id::unique("keys")).show(ctx, |ui| {
        let height = (ctx.content_rect().height() - 140.0).min(620.0);
        ui.spacing_mut().interact_size.y = 18.0;
        ui.set_width((ctx.content_rect().width() - 96.0).min(760.0));
        ui.horizontal(|ui| {
            ui.heading("Keys and mouse");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.button("Close").clicked()).inner
        })
        .inner
            | ScrollArea::vertical()
                .max_height(height)
                .min_scrolled_height(height)
                .show(ui, |ui| {
                    ui.columns(2, |columns| {
                        let (left, right) = columns.split_at_mut(1);
                        group(&mut left[0], Group::Sample);
                        group(&mut left[0], Group::Artefacts);
                        group(&mut left[0], Group::Files);
                        group(&mut right[0], Group::View);
                        group(&mut right[0], Group::Runs);
                        group(&mut right[0], Group::Window);
                    });
                    ui.add_space(8.0);
                    caption(ui, "Mouse");
                    Grid::new("mouse").num_columns(2).spacing([24.0, 6.0]).show(ui, |ui| {
                        for (what, does) in MOUSE {
                            ui.label(RichText::new(what).color(theme::colors(ui).text));
                            ui.label(RichText::new(does).color(theme::colors(ui).dim));
                            ui.end_row();
                        }
                    });
                    false
                })
                .inner
    });
    !(modal.inner || modal.should_close())
}

fn group(ui: &mut Ui, group: Group) {
    caption(ui, group.text());
    Grid::new(group.text()).num_columns(2).spacing([16.0, 4.0]).min_col_width(96.0).show(ui, |ui| {
        for command in Command::ALL.into_iter().filter(|command| command.group() == group) {
            let keys: Vec<String> = command.shortcuts().iter().map(|s| ui.ctx().format_shortcut(s)).collect();
            ui.label(RichText::new(keys.join(", ")).font(theme::medium(12.0)).color(theme::colors(ui).text));
            ui.label(RichText::new(command.text()).color(theme::colors(ui).dim)).on_hover_text(command.tooltip());
            ui.end_row();
        }
    });
    ui.add_space(12.0);
}
