//! The Explore workspace: what the sample is made of at the left, the light box in the middle, what is near at the
//! right, more samples below.

mod cohort_states;
mod controls;
mod empty;
mod findings;
mod latent;
mod model_card;
mod model_picker;
mod sheet;
mod stage;
mod strip;
mod toolbar;

pub use strip::neighbour;

use eframe::egui::{CentralPanel, Color32, Frame, Margin, Panel, Stroke, Ui};

use super::action::{Action, Actions};
use super::lightbox::{ColorMap, Look, Zoom};
use super::session::Session;
use super::theme;
use crate::radiograph::{Meaning, Window};

/// What the light box shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The live sample.
    #[default]
    Sample,
    /// A beside B.
    Pair,
    /// A and B in turn.
    Blink,
    /// B minus A.
    Difference,
}

/// How the person looks, apart from what is open.
pub struct Explore {
    /// What the light box shows.
    pub mode: Mode,
    /// Window of all films, in the model's unit.
    pub window: Window,
    /// Black and white change places.
    pub invert: bool,
    /// Value at which a difference is fully coloured; `None` follows the largest difference.
    pub difference_span: Option<f32>,
    /// Magnification and pan, shared by A and B.
    pub zoom: Zoom,
    /// First seed of the contact sheet.
    sheet_start: u64,
    /// The direction whose name is being typed, and the text so far.
    renaming: Option<(u16, String)>,
    /// The seed while it is being typed.
    seed_text: Option<String>,
    /// The model whose window this is.
    window_of: String,
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            window: Window::initial(Meaning::Density),
            invert: false,
            difference_span: None,
            zoom: Zoom::default(),
            sheet_start: 1,
            renaming: None,
            seed_text: None,
            window_of: String::new(),
        }
    }
}

/// Widths of the panels at the sides for a window of this width: the image grows, not they.
fn side_widths(window: f32) -> (f32, f32) {
    if window < 1280.0 { (240.0, 248.0) } else { (288.0, 304.0) }
}

impl Explore {
    /// Draws the workspace into all of `ui`.
    pub fn show(&mut self, ui: &mut Ui, session: &mut Session, actions: &mut Actions) {
        self.follow_model(session);
        let colors = theme::colors(ui);
        let (left, right) = side_widths(ui.ctx().content_rect().width());
        let panel = Frame::new().fill(colors.panel);
        let padded = panel.inner_margin(Margin::symmetric(16, 8));
        Panel::left("controls").exact_size(left).resizable(false).frame(padded).show(ui, |ui| {
            controls::show(ui, self, session, actions);
        });
        Panel::right("neighbours").exact_size(right).resizable(false).frame(padded).show(ui, |ui| {
            strip::show(ui, self, session, actions);
        });
        if session.model().is_some() {
            let height = sheet::height(ui, session);
            let frame = panel.inner_margin(Margin { left: 16, right: 16, top: 4, bottom: 8 });
            Panel::bottom("contact sheet").exact_size(height).frame(frame).show(ui, |ui| {
                sheet::show(ui, self, session, actions);
            });
            let bar = panel.inner_margin(Margin::symmetric(16, 8));
            Panel::top("toolbar").exact_size(40.0).frame(bar).show(ui, |ui| {
                toolbar::show(ui, self, session, actions);
            });
        }
        CentralPanel::no_frame().frame(Frame::new().fill(Color32::BLACK).stroke(Stroke::NONE)).show(ui, |ui| {
            stage::show(ui, self, session, actions);
        });
    }

    /// How films are looked at.
    pub fn look(&self, session: &Session) -> Look {
        Look {
            window: self.window,
            invert: self.invert,
            linear: session.settings.linear,
            map: ColorMap::Grey,
            overlay: None,
        }
    }

    /// How a difference with this largest value is looked at: symmetric about zero.
    pub fn difference_look(&self, session: &Session, most: f32) -> Look {
        let span = self.difference_span.unwrap_or_else(|| round_up(most));
        Look {
            window: Window::new(0.0, 2.0 * span),
            invert: false,
            linear: session.settings.linear,
            map: ColorMap::Diverging,
            overlay: None,
        }
    }

    /// Back to the window a model opens with, the whole film, not inverted.
    pub fn reset_view(&mut self, session: &Session) {
        self.window = initial_window(session);
        self.difference_span = None;
        self.invert = false;
        self.zoom.reset();
    }

    /// Another model brings its own unit, so that its own window must come with it.
    fn follow_model(&mut self, session: &Session) {
        let Some(model) = session.model() else { return };
        if self.window_of != model.generator.id() {
            model.generator.id().clone_into(&mut self.window_of);
            self.reset_view(session);
        }
    }
}

/// The next of 1, 2, 5, 10, … and their tenths that is not below `value`, so that a legend has round ends.
fn round_up(value: f32) -> f32 {
    let value = value.max(1e-4);
    let decade = 10_f32.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    decade * steps.into_iter().find(|step| decade * step >= value * 0.999).unwrap_or(10.0)
}

/// The window a model opens with: the first preset of its unit, held within what its pixels can be.
fn initial_window(session: &Session) -> Window {
    let Some(model) = session.model() else { return Window::initial(Meaning::Density) };
    let card = model.generator.card();
    match card.meaning {
        Meaning::Density => Window::spanning(card.range[0], card.range[1]),
        Meaning::Hounsfield => Window::initial(Meaning::Hounsfield),
    }
}

/// Asks for a recipe in which `change` was made.
fn edit(
    session: &Session,
    gesture: Option<&'static str>,
    change: impl FnOnce(&mut crate::generator::Recipe),
) -> Action {
    let mut recipe = session.recipe().clone();
    change(&mut recipe);
    Action::Edit { recipe, gesture }
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn legends_end_in_round_numbers() {
        let found = [0.08, 0.1, 0.13, 0.92, 37.0, 1000.0, 0.0].map(round_up);
        let wanted = [0.1, 0.1, 0.2, 1.0, 50.0, 1000.0, 1e-4];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a / b - 1.0).abs() < 1e-4), "{found:?}");
    }
}
