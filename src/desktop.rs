//! The window: its workspaces, their light box, their workers.
//!
//! In: a model and a cohort to begin with, both optional. Out: a window that never waits: all that takes longer than a
//! millisecond is done by workers of which the newest request wins.

pub mod action;
mod app;
pub mod artefacts;
pub mod benchmarks;
pub mod command;
mod contact;
mod dialogs;
mod drop;
pub mod explore;
pub mod history;
mod keys;
mod leaving;
pub mod lightbox;
mod neighbour_worker;
mod notice;
mod palette;
mod phantoms;
pub mod probe;
mod rail;
pub mod reference;
mod render_worker;
pub mod session;
pub mod state;
mod status;
mod task;
pub mod theme;
mod tour;
pub mod training;
pub mod widgets;
mod worker;
pub mod workspace;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{ViewportBuilder, vec2};
use eframe::egui_wgpu::WgpuSetup;

use crate::compute::graphics;

use crate::training::launch::Bond;
pub use app::App;
pub use tour::{Tour, TourError, tour};

/// Identity of the window for the desktop environment, and of the folder its settings lie in.
const APP_ID: &str = "negatoscope";

/// What to begin with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Model file to open; otherwise the one that was open last.
    pub model: Option<PathBuf>,
    /// Pack to compare with; otherwise the one remembered for the model.
    pub cohort: Option<PathBuf>,
    /// Settings to begin with, in place of the remembered ones.
    pub settings: Option<state::Settings>,
    /// Whether files are asked for by the system's dialogs; otherwise by a path field.
    pub system_dialogs: bool,
    /// Folder for runs, their queue and their bin; otherwise one in the user's data folder.
    pub data: Option<PathBuf>,
    /// The program that trains; otherwise this one.
    pub trainer: Option<PathBuf>,
    /// Whether runs outlive this window.
    pub bond: Bond,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: None,
            cohort: None,
            settings: None,
            system_dialogs: true,
            data: None,
            trainer: None,
            bond: Bond::Free,
        }
    }
}

/// Why the window could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the window could not be opened: {0} (is there a display? `negatoscope tour` draws without one)")]
pub struct WindowError(String);

/// Opens the window and returns when it is closed.
///
/// # Errors
/// [`WindowError`] when there is no display or no graphics driver.
pub fn run(options: &Options) -> Result<(), WindowError> {
    let viewport = ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Negatoscope")
        .with_inner_size(vec2(1440.0, 900.0))
        .with_min_inner_size(vec2(960.0, 600.0))
        .with_drag_and_drop(true);
    let mut native = eframe::NativeOptions { viewport, ..Default::default() };
    if let WgpuSetup::CreateNew(setup) = &mut native.wgpu_options.wgpu_setup {
        // Computing asks for more of the device than drawing does.
        let drawing = Arc::clone(&setup.device_descriptor);
        setup.device_descriptor = Arc::new(move |adapter| {
            let mut descriptor = drawing(adapter);
            graphics::widen(&mut descriptor.required_limits, &adapter.limits());
            descriptor
        });
    }
    eframe::run_native(APP_ID, native, Box::new(|cc| Ok(Box::new(App::new(cc, options)?))))
        .map_err(|error| WindowError(error.to_string()))
}
