//! Chooses the generator: shipped, recent or any file; and opens its card.

use eframe::egui::{
    Align, Button, Layout, Popup, PopupCloseBehavior, RichText, Role, ScrollArea, Sense, TextWrapMode, Ui, WidgetInfo,
    WidgetText, pos2, vec2,
};

use super::model_card;
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::{Session, about};
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, icon_button, section};

/// Draws the picker.
pub fn show(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    section(ui, "Generator", |ui| {
        if let Some(model) = session.model() {
            let card = model.generator.card();
            let button = icon_button(
                ui,
                Icon::Info,
                Some(theme::colors(ui).dim),
                "Model card",
                "What it was trained on, how it was measured, what is weak",
            );
            Popup::menu(&button).close_behavior(PopupCloseBehavior::CloseOnClickOutside).width(320.0).show(|ui| {
                ui.set_max_width(320.0);
                ui.with_layout(Layout::top_down(Align::LEFT), |ui| model_card::show(ui, card, model.generator.id()));
            });
        }
    });
    let colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::click());
    let (name, detail) = match (session.opening_model(), session.model()) {
        (Some(path), _) => ("Opening…".to_owned(), path.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
        (None, Some(model)) => (model.generator.card().name.clone(), about(model.generator.card())),
        (None, None) => ("Choose a model".to_owned(), String::new()),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Model: {name}")));
    let fill = if response.hovered() || response.has_focus() { colors.hovered } else { colors.raised };
    let painter = ui.painter();
    painter.rect_filled(rect, 4.0, fill);
    let middle = rect.center().y;
    let name = WidgetText::from(RichText::new(name).font(theme::medium(theme::TEXT)));
    let name = name.into_galley(ui, Some(TextWrapMode::Truncate), rect.width() - 40.0, theme::text());
    painter.galley(pos2(rect.left() + 10.0, middle - name.size().y * 0.5), name.clone(), colors.text);
    let room = rect.width() - name.size().x - 52.0;
    let detail = WidgetText::from(RichText::new(detail).font(theme::caption()));
    let detail = detail.into_galley(ui, Some(TextWrapMode::Truncate), room.max(0.0), theme::caption());
    if room > 30.0 {
        let x = rect.left() + 18.0 + name.size().x;
        ui.painter().galley(pos2(x, middle - detail.size().y * 0.5 + 1.0), detail, colors.dim);
    }
    Icon::Down.paint(ui.painter(), pos2(rect.right() - 16.0, middle), 9.0, colors.dim);
    let response = response.on_hover_text("Choose a generator. A model file can also be dropped on the window.");
    Popup::menu(&response).width(rect.width()).show(|ui| menu(ui, session, actions));
    ui.add_space(4.0);
}

fn menu(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    ui.set_min_width(ui.available_width());
    ui.spacing_mut().item_spacing.y = 2.0;
    ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
        if !session.shelf().is_empty() {
            caption(ui, "Shipped");
            for entry in session.shelf() {
                let open = session.model().is_some_and(|model| model.path == entry.path);
                let button = Button::selectable(open, entry.name.as_str()).shortcut_text(entry.about.as_str());
                if ui.add_sized(vec2(ui.available_width(), 26.0), button).clicked() {
                    actions.push(Action::OpenModel(entry.path.clone()));
                }
            }
        }
        let others = session.settings.recent.iter().filter(|r| session.shelf().iter().all(|e| e.id != r.id));
        let others: Vec<_> = others.collect();
        if !others.is_empty() {
            ui.add_space(6.0);
            caption(ui, "Recent");
            for recent in others {
                let open = session.model().is_some_and(|model| model.path == recent.path);
                let button = Button::selectable(open, recent.name.as_str()).right_text("");
                let tooltip = recent.path.display().to_string();
                if ui.add_sized(vec2(ui.available_width(), 26.0), button).on_hover_text(tooltip).clicked() {
                    actions.push(Action::OpenModel(recent.path.clone()));
                }
            }
        }
    });
    ui.add_space(4.0);
    ui.separator();
    let open = Command::OpenModel;
    let button = Button::new(open.text()).shortcut_text(open.shortcut_text(ui.ctx())).frame_when_inactive(false);
    if ui.add_sized(vec2(ui.available_width(), 26.0), button).on_hover_text(open.tooltip()).clicked() {
        actions.push(Action::Run(open));
    }
}
