//! Colours, type and spacing of the window, dark and light. One accent for each meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{
    self, Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle,
    Theme, Ui, Visuals, style::WidgetVisuals, vec2,
};

/// Text in panels.
pub const TEXT: f32 = 13.0;
/// Captions and notes.
pub const CAPTION: f32 = 11.0;
/// The grid everything sits on, in points.
pub const GRID: f32 = 8.0;

/// One theme's colours, each with one meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colors {
    /// The sample: its frame and badge, sliders, curves of samples.
    pub synthetic: Color32,
    /// Real radiographs: frames of neighbours, held-out histogram.
    pub real: Color32,
    /// Wherever a stand-in patient plays the real part.
    pub phantom: Color32,
    /// Too near, or failed. Never without a word or a shape.
    pub danger: Color32,
    /// Behind everything.
    pub ground: Color32,
    /// Behind controls.
    pub panel: Color32,
    /// Buttons and fields.
    pub raised: Color32,
    /// Buttons and fields under the pointer.
    pub hovered: Color32,
    /// Lines that separate.
    pub hairline: Color32,
    /// Rails of sliders, switches that are off.
    pub track: Color32,
    /// What is read.
    pub text: Color32,
    /// What is read second.
    pub dim: Color32,
}

const DARK: Colors = Colors {
    synthetic: Color32::from_rgb(0xF2, 0xB8, 0x4B),
    real: Color32::from_rgb(0x5C, 0xC8, 0xE0),
    phantom: Color32::from_rgb(0xB7, 0x9C, 0xED),
    danger: Color32::from_rgb(0xE0, 0x66, 0x4F),
    ground: Color32::from_rgb(0x0D, 0x10, 0x13),
    panel: Color32::from_rgb(0x12, 0x16, 0x1A),
    raised: Color32::from_rgb(0x1A, 0x20, 0x26),
    hovered: Color32::from_rgb(0x24, 0x2C, 0x34),
    hairline: Color32::from_rgb(0x1D, 0x24, 0x2B),
    track: Color32::from_rgb(0x2C, 0x35, 0x3E),
    text: Color32::from_rgb(0xD5, 0xDC, 0xE3),
    dim: Color32::from_rgb(0x87, 0x94, 0xA1),
};

const LIGHT: Colors = Colors {
    synthetic: Color32::from_rgb(0x9A, 0x6A, 0x00),
    real: Color32::from_rgb(0x0F, 0x6E, 0x86),
    phantom: Color32::from_rgb(0x6A, 0x4B, 0xB0),
    danger: Color32::from_rgb(0xB3, 0x34, 0x1D),
    ground: Color32::from_rgb(0xF4, 0xF6, 0xF8),
    panel: Color32::WHITE,
    raised: Color32::from_rgb(0xED, 0xF0, 0xF3),
    hovered: Color32::from_rgb(0xE1, 0xE6, 0xEB),
    hairline: Color32::from_rgb(0xD9, 0xDF, 0xE5),
    track: Color32::from_rgb(0xC6, 0xCE, 0xD6),
    text: Color32::from_rgb(0x1B, 0x23, 0x2B),
    dim: Color32::from_rgb(0x5B, 0x68, 0x75),
};

impl Colors {
    /// The colours of a theme.
    pub const fn of(theme: Theme) -> Self {
        match theme {
            Theme::Dark => DARK,
            Theme::Light => LIGHT,
        }
    }

    /// The colours that light-box overlays use: always the dark ones, because image grounds are black in both themes.
    pub const fn on_film() -> Self {
        DARK
    }

    /// The accent of whoever plays the real part: cyan for patients, lilac for phantoms.
    pub fn reference(&self, phantom: bool) -> Color32 {
        if phantom { self.phantom } else { self.real }
    }
}

/// The colours of the theme that `ui` is drawn in.
pub fn colors(ui: &Ui) -> Colors {
    Colors::of(if ui.visuals().dark_mode { Theme::Dark } else { Theme::Light })
}

/// A colour laid thinly over `ground`.
pub fn tint(color: Color32, ground: Color32, strength: f32) -> Color32 {
    ground.lerp_to_gamma(color, strength)
}

/// The family for what should stand out without being larger.
pub fn medium(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name("medium".into()))
}

/// The font of captions.
pub fn caption() -> FontId {
    FontId::proportional(CAPTION)
}

/// The font of panel text.
pub fn text() -> FontId {
    FontId::proportional(TEXT)
}

/// Sets fonts and both themes once, when the window opens.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| {
            style.text_styles = BTreeMap::from([
                (TextStyle::Small, caption()),
                (TextStyle::Body, text()),
                (TextStyle::Button, text()),
                (TextStyle::Monospace, FontId::monospace(12.0)),
                (TextStyle::Heading, medium(16.0)),
            ]);
            style.visuals = visuals(theme);
            style.spacing.item_spacing = vec2(GRID, GRID);
            style.spacing.button_padding = vec2(10.0, 4.0);
            style.spacing.interact_size = vec2(24.0, 24.0);
            style.spacing.menu_margin = Margin::same(8);
            style.spacing.window_margin = Margin::same(16);
            style.spacing.combo_height = 360.0;
            style.spacing.tooltip_width = 320.0;
            style.spacing.scroll = egui::style::ScrollStyle::thin();
            // Dragging and copying mean something else here than selecting words.
            style.interaction.selectable_labels = false;
            style.interaction.tooltip_delay = 0.6;
            // A reading is not delayed by easing.
            style.animation_time = 0.0;
        });
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, bytes: &'static [u8]| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    };
    add("roboto", include_bytes!("../../assets/fonts/Roboto-Regular.ttf"));
    add("roboto medium", include_bytes!("../../assets/fonts/Roboto-Medium.ttf"));
    let mut plain = fonts.families.remove(&FontFamily::Proportional).unwrap_or_default();
    let mut medium = plain.clone();
    plain.insert(0, "roboto".to_owned());
    medium.insert(0, "roboto medium".to_owned());
    fonts.families.insert(FontFamily::Proportional, plain);
    fonts.families.insert(FontFamily::Name("medium".into()), medium);
    fonts
}

fn visuals(theme: Theme) -> Visuals {
    let colors = Colors::of(theme);
    let mut visuals = match theme {
        Theme::Dark => Visuals::dark(),
        Theme::Light => Visuals::light(),
    };
    let widget = |fill: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::NONE,
        corner_radius: CornerRadius::same(4),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = widget(colors.panel, colors.text);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, colors.hairline);
    visuals.widgets.inactive = widget(colors.raised, colors.text);
    visuals.widgets.hovered = widget(colors.hovered, colors.text);
    visuals.widgets.active = widget(colors.track, colors.text);
    visuals.widgets.open = widget(colors.hovered, colors.text);
    visuals.selection.bg_fill = tint(colors.synthetic, colors.panel, 0.3);
    visuals.selection.stroke = Stroke::new(1.0, colors.synthetic);
    visuals.weak_text_color = Some(colors.dim);
    visuals.hyperlink_color = colors.real;
    visuals.warn_fg_color = colors.synthetic;
    visuals.error_fg_color = colors.danger;
    visuals.faint_bg_color = colors.raised;
    visuals.extreme_bg_color = colors.ground;
    visuals.code_bg_color = colors.raised;
    visuals.panel_fill = colors.panel;
    visuals.window_fill = colors.panel;
    visuals.window_stroke = Stroke::new(1.0, colors.track);
    visuals.window_shadow = Shadow { offset: [0, 8], blur: 24, spread: 0, color: Color32::from_black_alpha(120) };
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::figure::drawing;

    fn contrast(a: Color32, b: Color32) -> f64 {
        let bytes = |color: Color32| [color.r(), color.g(), color.b()];
        drawing::contrast(bytes(a), bytes(b))
    }

    #[test]
    fn every_text_colour_is_readable_on_every_ground() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 1e-3);
        for theme in [Theme::Dark, Theme::Light] {
            let c = Colors::of(theme);
            for ground in [c.ground, c.panel, c.raised] {
                for ink in [c.text, c.dim, c.synthetic, c.real, c.phantom, c.danger] {
                    let found = contrast(ink, ground);
                    assert!(found >= 4.0, "{theme:?}: {ink:?} on {ground:?} has only {found}");
                }
            }
            for ink in [c.text, c.dim, c.synthetic, c.real, c.phantom] {
                assert!(contrast(ink, c.panel) >= 4.5, "{theme:?}: {ink:?}");
            }
        }
    }
}
