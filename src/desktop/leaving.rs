//! What is asked when the window closes while runs of this machine go on: they outlive it, unless they are paused.

use eframe::egui::{self, Button, Id, Modal, RichText, ViewportCommand};

use super::theme;
use super::training::watcher::Run;
use crate::training::run_folder::{self, Request};

/// The question, and whether it has been answered.
#[derive(Debug, Default)]
pub struct Leaving {
    asked: bool,
    answered: bool,
}

impl Leaving {
    /// Holds back a window that is being closed while runs go on, to ask first.
    pub fn hold_back(&mut self, ctx: &egui::Context, runs: &[Run]) {
        let closing = ctx.input(|input| input.viewport().close_requested());
        if closing && !self.answered && runs.iter().any(Run::runs_here) {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.asked = true;
        }
    }

    /// Whether the question is on the screen.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// Asks, and closes the window once it is answered; `ask` is whether to ask the next time too.
    ///
    /// # Errors
    /// A sentence for a run that could not be asked to pause; the window then stays.
    pub fn show(&mut self, ctx: &egui::Context, runs: &[Run], ask: &mut bool) -> Result<(), String> {
        if !self.asked {
            return Ok(());
        }
        let waiting = runs.iter().filter(|run| run.queued.is_some() && !run.status.state.is_running()).count();
        let running: Vec<&Run> = runs.iter().filter(|run| run.runs_here()).collect();
        let [mut leave, mut pause] = [false; 2];
        let modal = Modal::new(Id::unique("leaving")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 96.0).min(440.0));
            ui.heading(match running.len() {
                0 => "No run goes on any more".to_owned(),
                1 => "A run goes on".to_owned(),
                n => format!("{n} runs go on"),
            });
            let text = "Training does not need this window. Opened again, it finds the runs as they are then.";
            ui.label(RichText::new(text).color(theme::colors(ui).dim));
            ui.add_space(4.0);
            let mut silent = !*ask;
            if ui.checkbox(&mut silent, "Always leave runs running, without asking").changed() {
                *ask = !silent;
            }
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                leave = ui.button("Leave running").clicked();
                let can = waiting == 0 && !running.is_empty();
                pause = ui
                    .add_enabled(can, Button::new("Pause and close"))
                    .on_disabled_hover_text("Runs that wait for their turn would begin in their place.")
                    .clicked();
                ui.button("Cancel").clicked()
            })
            .inner
        });
        if modal.inner || modal.should_close() {
            self.asked = false;
        }
        if pause {
            for run in running {
                run_folder::request(&run.root, Request::Pause).map_err(|error| error.to_string())?;
            }
        }
        if leave || pause {
            (self.asked, self.answered) = (false, true);
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        Ok(())
    }
}
