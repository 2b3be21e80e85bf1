//! The keys of the commands, and what they ask for in a frame.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::Command::{self, self as C};
use crate::desktop::workspace::Workspace;

impl Command {
    /// The keys that give this command; the first is the one shown.
    pub fn shortcuts(self) -> Vec<KeyboardShortcut> {
        let plain = |key| vec![KeyboardShortcut::new(Modifiers::NONE, key)];
        let ctrl = |key| vec![KeyboardShortcut::new(Modifiers::COMMAND, key)];
        let both = |key| vec![KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, key)];
        match self {
            // One key means the one in Explore, the other in Training, the third in Artefacts.
            C::NextSeed | C::LaterStage | C::NextFilm => plain(Key::ArrowRight),
            C::PreviousSeed | C::EarlierStage | C::PreviousFilm => plain(Key::ArrowLeft),
            C::NextFinding => plain(Key::ArrowDown),
            C::PreviousFinding => plain(Key::ArrowUp),
            C::TrueOutline => plain(Key::O),
            C::OpenClassifier => ctrl(Key::K),
            C::OpenSweepClassifiers => both(Key::K),
            C::OpenFilms => ctrl(Key::F),
            C::RandomSeed => plain(Key::R),
            C::LockSeed => plain(Key::L),
            C::Undo => ctrl(Key::Z),
            C::Redo => [ctrl(Key::Y), both(Key::Z)].concat(),
            C::ResetFindings => ctrl(Key::Backspace),
            C::ResetLatent | C::FirstStage => plain(Key::Home),
            C::ResetAll => both(Key::Backspace),
            C::ViewSample => plain(Key::S),
            C::ViewPair => plain(Key::A),
            C::ViewBlink => plain(Key::B),
            C::ViewDifference => plain(Key::D),
            C::KeepAsA => plain(Key::K),
            C::SwapPair => plain(Key::X),
            C::Preset1 => plain(Key::Num1),
            C::Preset2 => plain(Key::Num2),
            C::Preset3 => plain(Key::Num3),
            C::Preset4 => plain(Key::Num4),
            C::Invert => plain(Key::I),
            C::Interpolation => plain(Key::N),
            C::ResetView => plain(Key::Space),
            C::SheetRows => plain(Key::G),
            C::OpenModel => ctrl(Key::O),
            C::OpenCohort => both(Key::O),
            C::CopyRecipe | C::CopyTable => ctrl(Key::C),
            C::CopyCommandLine => both(Key::C),
            C::PasteRecipe => ctrl(Key::V),
            C::ExportPng | C::ExportCurves | C::ExportFigure => ctrl(Key::E),
            C::ExportWindowedPng | C::ExportTable => ctrl(Key::S),
            C::ExportDicom | C::ExportReport => both(Key::E),
            C::NewRun => ctrl(Key::N),
            C::OpenRuns => both(Key::N),
            C::TrainOn | C::SampleFaster | C::SampleOnCpu | C::SampleOnGpu => Vec::new(),
            C::PauseOrResume => plain(Key::P),
            C::NewestStage => plain(Key::End),
            C::Compare => plain(Key::C),
            C::Teach => ctrl(Key::L),
            C::GoToExplore => ctrl(Key::Num1),
            C::GoToTraining => ctrl(Key::Num2),
            C::GoToBenchmarks => ctrl(Key::Num3),
            C::GoToArtefacts => ctrl(Key::Num4),
            C::Palette => ctrl(Key::P),
            C::Keys => plain(Key::F1),
            C::Theme => ctrl(Key::T),
            C::Quit => ctrl(Key::Q),
        }
    }

    /// The first shortcut as this system writes it; empty when there is none.
    pub fn shortcut_text(self, ctx: &egui::Context) -> String {
        self.shortcuts().first().map(|shortcut| ctx.format_shortcut(shortcut)).unwrap_or_default()
    }
}

/// What the keyboard asks for in this frame, with the text that was pasted, if any.
///
/// Keys without Ctrl belong to whatever has the focus or to an open menu, copying and pasting to the text field that has
/// it. Keys of commands that are about another workspace than `here` are left alone.
pub fn pressed(ctx: &egui::Context, here: Workspace) -> (Vec<Command>, Option<String>) {
    let typing = ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some()) || egui::Popup::is_any_open(ctx);
    let mut commands = Vec::new();
    let mut pasted = None;
    ctx.input_mut(|input| {
        // Longer chords first: Ctrl+Z would also answer to Ctrl+Shift+Z.
        let commands_here = Command::ALL.into_iter().filter(|c| c.concerns().is_none_or(|of| of == here));
        let mut chords: Vec<(Command, KeyboardShortcut)> =
            commands_here.flat_map(|c| c.shortcuts().into_iter().map(move |s| (c, s))).collect();
        chords.sort_by_key(|(_, chord)| !chord.modifiers.shift);
        for (command, chord) in chords {
            let of_widget = chord.modifiers.is_none() && chord.logical_key != Key::F1 && focused;
            if of_widget || typing && chord.logical_key != Key::F1 && chord.logical_key != Key::P {
                continue;
            }
            // On a slow frame a key may have been pressed more than once.
            let presses = input.count_and_consume_key(chord.modifiers, chord.logical_key);
            commands.extend(std::iter::repeat_n(command, presses));
        }
        // The system's own copy and paste arrive as events, not as keys.
        if !typing && here == Workspace::Explore {
            input.events.retain(|event| match event {
                egui::Event::Copy => {
                    commands.push(Command::CopyRecipe);
                    false
                }
                egui::Event::Paste(text) => {
                    pasted = Some(text.clone());
                    false
                }
                _ => true,
            });
        }
        if !typing && here == Workspace::Benchmarks && input.events.contains(&egui::Event::Copy) {
            input.events.retain(|event| *event != egui::Event::Copy);
            commands.push(Command::CopyTable);
        }
    });
    (commands, pasted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn no_two_commands_share_a_shortcut() {
        let mut seen: HashMap<(Workspace, (Modifiers, Key)), Command> = HashMap::new();
        for command in Command::ALL {
            for shortcut in command.shortcuts() {
                let chord = (shortcut.modifiers, shortcut.logical_key);
                for here in Workspace::ALL.into_iter().filter(|&here| command.concerns().is_none_or(|of| of == here)) {
                    if let Some(other) = seen.insert((here, chord), command) {
                        panic!("{command:?} and {other:?} both listen to {shortcut:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn plain_keys_stay_with_the_text_field_that_is_typed_into() {
        let ctx = egui::Context::default();
        let mut text = String::new();
        let frame = |text: &mut String, events: Vec<egui::Event>| {
            let mut commands = Vec::new();
            let input = egui::RawInput { events, ..Default::default() };
            ctx.run_ui(input, |ui| {
                commands = pressed(ui, Workspace::Explore).0;
                ui.text_edit_singleline(text).request_focus();
            })
            .drop_without_applying_deltas();
            commands
        };
        let key = |key| egui::Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        assert_eq!(frame(&mut text, vec![key(Key::I)]), [Command::Invert]);
        assert_eq!(frame(&mut text, vec![key(Key::I)]), []);
        assert_eq!(frame(&mut text, vec![key(Key::F1)]), [Command::Keys]);
    }
}
