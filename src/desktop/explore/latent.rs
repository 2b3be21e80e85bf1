//! Which sample: the plane to drag through, the seed, truncation, principal directions.

use eframe::egui::{Key, Label, RichText, TextEdit, Ui, vec2};

use super::{Explore, edit};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::session::Session;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, Pad, Slider, grouped, icon_button, number, reset_button, section, signed};

/// Truncation at the right end of its slider: none.
const UNTRUNCATED: f32 = 3.0;
/// How many directions are offered.
const DIRECTIONS: usize = 8;
/// How many visited places the pad remembers.
const TRAIL: usize = 60;

/// Draws pad, seed, truncation and directions.
pub fn show(ui: &mut Ui, view: &mut Explore, session: &Session, actions: &mut Actions) {
    section(ui, "Latent", |ui| {
        let reset = reset_button(ui, session.recipe().plane != [0.0; 2], "latent plane");
        if reset {
            actions.push(edit(session, None, |recipe| recipe.plane = [0.0; 2]));
        }
        let [u, v] = session.recipe().plane;
        if [u, v] != [0.0; 2] {
            let dim = theme::colors(ui).dim;
            let place = format!("{}  {}", number(u, 2), number(v, 2));
            ui.label(RichText::new(place).font(theme::caption()).color(dim));
        }
    });
    let trail = visited(session);
    let pad = Pad { value: session.recipe().plane, trail: &trail, height: 144.0 };
    if let Some(change) = pad.show(ui) {
        let gesture = change.dragging.then_some("plane");
        actions.push(edit(session, gesture, |recipe| recipe.plane = change.value));
    }
    ui.add_space(6.0);
    seed(ui, view, session, actions);
    truncation(ui, session, actions);
    directions(ui, view, session, actions);
}

/// Places of the plane that were visited with this generator and seed.
fn visited(session: &Session) -> Vec<[f32; 2]> {
    let now = session.recipe();
    let same = |recipe: &&crate::generator::Recipe| recipe.seed == now.seed && recipe.generator == now.generator;
    let mut places: Vec<[f32; 2]> = session.history().trail().iter().filter(same).map(|r| r.plane).collect();
    places.dedup();
    places.split_off(places.len().saturating_sub(TRAIL))
}

fn seed(ui: &mut Ui, view: &mut Explore, session: &Session, actions: &mut Actions) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.set_height(24.0);
        let label = ui.label("Seed");
        ui.add_space(80.0 - label.rect.width() - 4.0);
        let room = ui.available_width() - 2.0 * 28.0;
        let shown = view.seed_text.clone().unwrap_or_else(|| grouped(session.recipe().seed));
        let mut text = shown;
        let field = TextEdit::singleline(&mut text).desired_width(room - 8.0).align(eframe::egui::Align2::LEFT_CENTER);
        let response = ui
            .add_sized(vec2(room, 24.0), field)
            .labelled_by(label.id)
            .on_hover_text("The number that fixes the latent. Click and type another; arrow keys step.");
        if response.gained_focus() {
            view.seed_text = Some(session.recipe().seed.to_string());
        } else if response.has_focus() {
            view.seed_text = Some(text);
        } else if response.lost_focus() {
            let typed: String = text.chars().filter(char::is_ascii_digit).collect();
            let abandoned = ui.input(|i| i.key_pressed(Key::Escape));
            if let (Ok(seed), false) = (typed.parse(), abandoned) {
                actions.push(edit(session, None, |recipe| recipe.seed = seed));
            }
            view.seed_text = None;
        }
        let tooltip =
            |command: Command, ui: &Ui| format!("{} ({})", command.tooltip(), command.shortcut_text(ui.ctx()));
        let dim = theme::colors(ui).dim;
        let dice = tooltip(Command::RandomSeed, ui);
        let enabled = !session.seed_locked;
        ui.add_enabled_ui(enabled, |ui| {
            if icon_button(ui, Icon::Dice, Some(dim), "Random seed", &dice).clicked() {
                actions.push(Action::Run(Command::RandomSeed));
            }
        });
        let (icon, name, ink) = if session.seed_locked {
            (Icon::Locked, "Unlock seed", theme::colors(ui).synthetic)
        } else {
            (Icon::Unlocked, "Lock seed", dim)
        };
        let lock = tooltip(Command::LockSeed, ui);
        if icon_button(ui, icon, Some(ink), name, &lock).clicked() {
            actions.push(Action::Run(Command::LockSeed));
        }
    });
}

fn truncation(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    let slider = Slider {
        name: "Truncation",
        tooltip: "Each latent coordinate is drawn anew until it lies within this many standard deviations: less \
                  variety, more typical samples. Off draws the whole normal distribution.",
        value: session.recipe().truncation.unwrap_or(UNTRUNCATED),
        range: 0.2..=UNTRUNCATED,
        default: UNTRUNCATED,
        show: &|value| if value >= UNTRUNCATED { "off".to_owned() } else { format!("{value:.2}") },
        from_default: false,
    };
    if let Some(change) = slider.show(ui) {
        let value = (change.value < UNTRUNCATED).then_some((change.value * 100.0).round() / 100.0);
        let gesture = change.dragging.then_some("truncation");
        actions.push(edit(session, gesture, |recipe| recipe.truncation = value));
    }
}

fn directions(ui: &mut Ui, view: &mut Explore, session: &Session, actions: &mut Actions) {
    let Some(model) = session.model() else { return };
    let generator = &model.generator;
    for direction in generator.directions().iter().take(DIRECTIONS) {
        let component = direction.component;
        let name = session.settings.direction_name(generator.id(), component);
        let tooltip = format!(
            "Principal direction {} of the first layer's response: {:.0} % of its variance. Steps are standard \
             deviations.",
            component + 1,
            direction.share * 100.0
        );
        let slider = Slider {
            name: &name,
            tooltip: &tooltip,
            value: session.recipe().direction(component),
            range: -3.0..=3.0,
            default: 0.0,
            show: &|value| format!("{} σ", signed(value, 1)),
            from_default: true,
        };
        let change = slider.show_with_name(ui, |ui| direction_name(ui, view, component, &name, &tooltip, actions));
        if let Some(change) = change {
            let value = (change.value * 100.0).round() / 100.0;
            let gesture = change.dragging.then_some("direction");
            actions.push(edit(session, gesture, |recipe| recipe.set_direction(component, value)));
        }
    }
}

/// The name of a direction: double-click to type another.
fn direction_name(ui: &mut Ui, view: &mut Explore, component: u16, name: &str, tooltip: &str, actions: &mut Actions) {
    if let Some((renaming, text)) = &mut view.renaming
        && *renaming == component
    {
        let field = TextEdit::singleline(text).desired_width(ui.available_width() - 8.0).hint_text("Name");
        let response = ui.add(field);
        if response.lost_focus() {
            let abandoned = ui.input(|i| i.key_pressed(Key::Escape));
            if !abandoned {
                actions.push(Action::NameDirection { component, name: text.clone() });
            }
            view.renaming = None;
        } else {
            response.request_focus();
        }
        return;
    }
    let label = ui.add(Label::new(name).truncate().sense(eframe::egui::Sense::click()));
    let mut rename = label.double_clicked();
    label.context_menu(|ui| rename |= ui.button("Rename").clicked());
    label.on_hover_text(format!("{tooltip}\nDouble-click to give it a name."));
    if rename {
        view.renaming = Some((component, name.to_owned()));
    }
}
