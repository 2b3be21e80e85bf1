//! The rail at the left: workspaces that work, and what concerns the whole window.

use eframe::egui::{Align, Frame, Layout, Margin, Panel, Role, Sense, Ui, WidgetInfo, vec2};

use super::action::{Action, Actions};
use super::command::Command;
use super::theme;
use super::widgets::{Icon, icon_button};

/// Draws the rail.
pub fn show(ui: &mut Ui, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let frame = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(4, 8));
    Panel::left("rail").exact_size(64.0).resizable(false).frame(frame).show(ui, |ui| {
        ui.vertical_centered(|ui| {
            let (rect, response) = ui.allocate_exact_size(vec2(56.0, 48.0), Sense::hover());
            response.widget_info(|| WidgetInfo::selected(Role::Tab, true, true, "Explore"));
            let painter = ui.painter();
            painter.rect_filled(rect, 6.0, theme::tint(colors.synthetic, colors.ground, 0.12));
            let ink = colors.synthetic;
            Icon::LightBox.paint(painter, rect.center() - vec2(0.0, 8.0), 17.0, ink);
            let text = painter.layout_no_wrap("Explore".to_owned(), theme::caption(), ink);
            painter.galley(rect.center() + vec2(-text.size().x * 0.5, 6.0), text, ink);
            response.on_hover_text("Sample a generator and see what is near");
        });
        ui.with_layout(Layout::bottom_up(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.y = 8.0;
            let buttons =
                [(Icon::Help, Command::Keys), (Icon::Theme, Command::Theme), (Icon::Search, Command::Palette)];
            for (icon, command) in buttons {
                let tooltip = format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx()));
                if icon_button(ui, icon, Some(colors.dim), command.text(), &tooltip).clicked() {
                    actions.push(Action::Run(command));
                }
            }
        });
    });
}
