//! The light box: one radiograph through a window, zoomed and panned, with the value under the pointer.
//!
//! In: a film and how it is looked at. Out: pixels on screen, never sharpened or smoothed, and what the hand did.

mod film;
mod geometry;
mod gpu;
mod look;
mod pane;

pub use film::Film;
pub use geometry::Zoom;
pub use gpu::{Gpu, GpuFilm};
pub use look::{ColorMap, Look};
pub use pane::{Pane, Reading, drag_window};
