//! The rail at the left: workspaces that work, and what concerns the whole window.

use eframe::egui::{Align, Frame, Layout, Margin, Panel, Role, Sense, Ui, WidgetInfo, vec2};

use super::action::{Action, Actions};
use super::command::Command;
use super::theme;
use super::widgets::{Icon, icon_button};
use super::workspace::Workspace;

/// Draws the rail with `here` as the workspace on screen.
pub fn show(ui: &mut Ui, here: Workspace, actions: &mut Actions) {
    let colors = theme::colors(ui);
    let frame = Frame::new().fill(colors.ground).inner_margin(Margin::symmetric(4, 8));
    Panel::left("rail").exact_size(72.0).resizable(false).frame(frame).show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            for workspace in Workspace::ALL {
                if tab(ui, workspace, workspace == here) {
                    actions.push(Action::Run(workspace.command()));
                }
            }
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

/// One workspace's sign and name; `true` when it was clicked.
fn tab(ui: &mut Ui, workspace: Workspace, here: bool) -> bool {
    let colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(64.0, 48.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, here, workspace.text()));
    let painter = ui.painter();
    let lit = response.hovered() || response.has_focus();
    if here {
        painter.rect_filled(rect, 6.0, theme::tint(colors.synthetic, colors.ground, 0.12));
    } else if lit {
        painter.rect_filled(rect, 6.0, colors.hovered);
    }
    let ink = match (here, lit) {
        (true, _) => colors.synthetic,
        (false, true) => colors.text,
        (false, false) => colors.dim,
    };
    workspace.icon().paint(painter, rect.center() - vec2(0.0, 8.0), 17.0, ink);
    let text = painter.layout_no_wrap(workspace.text().to_owned(), theme::caption(), ink);
    painter.galley(rect.center() + vec2(-text.size().x * 0.5, 6.0), text, ink);
    let shortcut = workspace.command().shortcut_text(ui.ctx());
    response.on_hover_text(format!("{} ({shortcut})", workspace.tooltip())).clicked()
}
