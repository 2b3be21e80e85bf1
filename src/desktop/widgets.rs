//! The window's own controls. Each has a reset, a tooltip and an accessible name; each is one file.

mod badge;
mod button;
mod histogram;
pub mod icon;
mod pad;
mod percentile;
mod section;
mod slider;
mod thumbnail;
mod toggle;

pub use badge::badge;
pub use button::{flat, icon_button, mode_button, reset_button, text_button};
pub use histogram::Histogram;
pub use icon::Icon;
pub use pad::Pad;
pub use percentile::percentile_bar;
pub use section::{caption, section};
pub use slider::Slider;
pub use thumbnail::Thumbnail;
pub use toggle::toggle;

/// What a control tells about the hand: the new value, and whether the same gesture still goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<T> {
    /// The value asked for.
    pub value: T,
    /// Whether it is one of many values of one drag.
    pub dragging: bool,
}

/// A signed number with a true minus sign.
pub fn signed(value: f32, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let zero = text.chars().all(|c| c == '0' || c == '.');
    match value {
        _ if zero => text,
        v if v < 0.0 => format!("\u{2212}{text}"),
        _ => format!("+{text}"),
    }
}

/// A number with a true minus sign and no plus.
pub fn number(value: f32, decimals: usize) -> String {
    signed(value, decimals).trim_start_matches('+').to_owned()
}

/// A whole number in groups of three: 7 204 113.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_figures_in_print() {
        assert_eq!([signed(-0.61, 1), signed(0.3, 1), signed(-0.01, 1)], ["\u{2212}0.6", "+0.3", "0.0"]);
        assert_eq!(number(-1000.0, 0), "\u{2212}1000");
        assert_eq!([grouped(7_204_113), grouped(42), grouped(1000)], ["7\u{a0}204\u{a0}113", "42", "1\u{a0}000"]);
    }
}
