//! The run that is looked at: how it stands and what can be done with it above, curves at the left, samples at the right.

use std::time::Duration;

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{
    Align, Button, CentralPanel, Color32, Frame, Label, Layout, Margin, Panel, Popup, RichText, ScrollArea, Sense,
    TextStyle, Ui, vec2,
};

use super::charts::{ChartView, Overlaid, chart_height, run_key};
use super::curves::{Chart, CurveLook};
use super::history::Notice;
use super::keeper::Deed;
use super::watcher::Run;
use super::{Training, estimate, label, progress, stages};
use crate::desktop::action::{Action, Actions};
use crate::desktop::command::Command;
use crate::desktop::task::time_left;
use crate::desktop::theme;
use crate::desktop::widgets::{Icon, caption, icon_button, mode_button, text_button};
use crate::training::run_folder::{Request, RunFolder};
use crate::training::status::RunState;
use crate::training::{RunSpec, presets};

/// Draws the run.
pub fn show(ui: &mut Ui, training: &mut Training, actions: &mut Actions) {
    let Some(run) = training.selected().cloned() else { return };
    let colors = theme::colors(ui);
    let bar = Frame::new().fill(colors.panel).inner_margin(Margin { left: 16, right: 16, top: 8, bottom: 8 });
    Panel::top("run").frame(bar).resizable(false).show(ui, |ui| {
        head(ui, training, &run, actions);
    });
    let room = ui.available_width() - if training.nearest.is_open() { super::beside::WIDTH } else { 0.0 };
    let width = (room * 0.44).clamp(256.0, 720.0);
    let frame = Frame::new().fill(colors.panel).inner_margin(Margin { left: 16, right: 12, top: 4, bottom: 8 });
    Panel::left("curves").exact_size(width).resizable(false).frame(frame).show(ui, |ui| {
        curves(ui, training, actions);
    });
    if training.nearest.is_open() {
        let frame = Frame::new().fill(colors.panel).inner_margin(Margin { left: 16, right: 16, top: 4, bottom: 8 });
        Panel::right("beside").exact_size(super::beside::WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            super::beside::show(ui, training);
        });
    }
    CentralPanel::no_frame().frame(Frame::new().fill(Color32::BLACK)).show(ui, |ui| {
        stages::show(ui, training, &run, actions);
    });
}

/// Name, state, what can be done, and the figures.
fn head(ui: &mut Ui, training: &mut Training, run: &Run, actions: &mut Actions) {
    let colors = theme::colors(ui);
    ui.spacing_mut().item_spacing.y = 4.0;
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        ui.label(RichText::new(label(run)).font(theme::medium(16.0)));
        ui.label(RichText::new(progress::state(run)).color(progress::color(run, &colors)));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            more(ui, training, run, actions);
            let state = run.status.state;
            let sent = run.status.job.is_some();
            if run.is_with_cluster() {
                let tooltip = "Takes the job back from the cluster; a run that goes on writes a checkpoint first.";
                if text_button(ui, "Cancel job", tooltip).clicked() {
                    training.ask(Deed::CancelJob(run.root.clone()));
                }
            }
            if state.is_running() {
                if text_button(ui, "Stop", "Writes a checkpoint and ends the run for good; its model stays.").clicked()
                {
                    training.ask(Deed::Ask(run.root.clone(), Request::Stop));
                }
                if text_button(ui, "Snapshot", "Writes a checkpoint and a sample grid now, and goes on.").clicked() {
                    training.ask(Deed::Ask(run.root.clone(), Request::Snapshot));
                }
                let pause = Command::PauseOrResume;
                let tooltip = format!("Writes a checkpoint and ends the process ({}).", pause.shortcut_text(ui.ctx()));
                if text_button(ui, "Pause", &tooltip).clicked() {
                    training.ask(Deed::Ask(run.root.clone(), Request::Pause));
                }
            } else if run.queued.is_some() {
                if text_button(ui, "Leave the queue", "Takes the run out of the queue.").clicked() {
                    training.ask(Deed::Unqueue(run.root.clone()));
                }
                if text_button(ui, "Start now", "Does not wait for its turn.").clicked() {
                    training.ask(Deed::Start(run.root.clone()));
                }
            } else if sent && state.can_resume() {
                if !run.is_with_cluster() {
                    let tooltip = "Goes on from the last checkpoint on this computer, without the cluster.";
                    if text_button(ui, "Resume here", tooltip).clicked() {
                        training.ask(Deed::Start(run.root.clone()));
                    }
                    let tooltip = "As a new job on the same terms; it goes on from the last checkpoint.";
                    if text_button(ui, "Send again", tooltip).clicked() {
                        training.ask(Deed::SendAgain(run.root.clone()));
                    }
                }
            } else if state.can_resume() {
                if text_button(ui, "Add to queue", "Goes on when the runs before it have ended.").clicked() {
                    training.ask(Deed::Enqueue(run.root.clone()));
                }
                let word = if state == RunState::NotBegun { "Start" } else { "Resume" };
                if text_button(ui, word, "Goes on from the last good checkpoint, bit for bit.").clicked() {
                    training.ask(Deed::Start(run.root.clone()));
                }
            }
        });
    });
    progress::bar(ui, run);
    facts(ui, run);
    let words = trouble(run);
    if let Some(words) = &words {
        ui.horizontal_top(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
            Icon::Warning.paint(ui.painter(), rect.center(), 13.0, colors.danger);
            ui.add(Label::new(words).wrap());
        });
    }
    if let Some(followed) = training.report.followed.get(&run.root) {
        notices(ui, &followed.history.notices, words.as_deref());
    }
    if training.doomed.as_ref() == Some(&run.root) {
        ui.horizontal(|ui| {
            ui.label(format!("Move {} to the bin? It can be put back.", label(run)));
            if ui.button("Move to the bin").clicked() {
                training.doomed = None;
                training.ask(Deed::Delete(run.root.clone()));
            }
            if ui.button("Keep it").clicked() {
                training.doomed = None;
            }
        });
    }
}

/// The figures in one line of text, which wraps where it must.
fn facts(ui: &mut Ui, run: &Run) {
    let colors = theme::colors(ui);
    let mut text = LayoutJob::default();
    let mut item = |name: &str, value: &str| {
        let dim = TextFormat::simple(theme::caption(), colors.dim);
        text.append(name, if text.is_empty() { 0.0 } else { 16.0 }, dim);
        let gap = if name.is_empty() { 0.0 } else { 5.0 };
        text.append(&value.replace(' ', "\u{a0}"), gap, TextFormat::simple(theme::caption(), colors.text));
        text.append(" ", 0.0, TextFormat::simple(theme::caption(), colors.dim));
    };
    item("shown", &progress::kimg(run));
    item("step", &crate::desktop::widgets::grouped(run.status.step));
    if let Some(figures) = &run.status.figures {
        let faded = format!(", {:.0} % faded in", 100.0 * (1.0 - figures.fade));
        item("drawing", &format!("{} px{}", figures.side, if figures.fade > 0.0 { faded.as_str() } else { "" }));
        if run.status.state.is_running() {
            if let Some(speed) = progress::speed(run) {
                item("speed", &speed);
            }
            item("time", &time_left(Duration::from_secs_f64(figures.seconds_left.clamp(0.0, 1e9))));
        }
        if let Some(used) = figures.device_memory_bytes {
            let total = figures.device_memory_total_bytes.map(|total| total as f64);
            item("GPU memory of all processes", &estimate::bytes_of(used as f64, total));
        }
        if figures.memory_bytes > 0 {
            item("memory", &estimate::bytes(figures.memory_bytes as f64));
        }
        if figures.skipped > 0 {
            item("skipped", &format!("{} steps", figures.skipped));
        }
    }
    if let Some(device) = &run.status.device {
        item("on", device);
    }
    if let Some(holder) = run.status.holder.as_ref().filter(|_| run.status.state.is_running()) {
        item("process", &format!("{} on {}", holder.pid, holder.host));
    }
    if let Some(job) = &run.job {
        let words = match &job.state {
            Ok(Some(state)) => state.words(),
            Ok(None) => "no longer known to the cluster".to_owned(),
            Err(_) => "not known".to_owned(),
        };
        item(&job.name(), &words);
    }
    item("cohort", &run.status.cohort.file_name().unwrap_or_default().to_string_lossy());
    ui.add(Label::new(text).wrap());
}

/// What went wrong, where something did.
fn trouble(run: &Run) -> Option<String> {
    if let Some(problem) = &run.problem {
        return Some(problem.clone());
    }
    if let Some(trouble) = run.job.as_ref().and_then(|job| job.trouble(run.status.state)) {
        return Some(trouble);
    }
    match run.status.state {
        _ if run.is_with_cluster() => None,
        RunState::Interrupted => Some(
            "Its process ended without a word: it was killed, or the power failed. Resuming goes on from the last good \
             checkpoint."
                .to_owned(),
        ),
        RunState::Failed => run.status.notice.clone().or_else(|| Some(run.last_words.clone())),
        RunState::NotBegun if !run.last_words.is_empty() => Some(run.last_words.clone()),
        _ => None,
    }
}

/// The newest of what a person should know, and all of it in the hover; without what is `said` already.
fn notices(ui: &mut Ui, notices: &[Notice], said: Option<&str>) {
    let told: Vec<&Notice> = notices.iter().rev().filter(|notice| Some(notice.text.as_str()) != said).collect();
    let Some(newest) = told.first() else { return };
    let line = match told.len() {
        1 => format!("At {}", placed(newest)),
        count => format!("{count} notices, the newest at {}", placed(newest)),
    };
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
        Icon::Info.paint(ui.painter(), rect.center(), 13.0, theme::colors(ui).dim);
        let label = ui.add(Label::new(line).truncate().show_tooltip_when_elided(false));
        label.on_hover_text(listed(&told));
    });
}

/// A notice behind the place in training where it was told.
fn placed(notice: &Notice) -> String {
    format!("{} kimg: {}", progress::thousands(notice.kimg), notice.text)
}

/// Notices line by line, as many as a screen holds.
fn listed(told: &[&Notice]) -> String {
    const MOST: usize = 12;
    let mut lines: Vec<String> = told.iter().take(MOST).map(|notice| placed(notice)).collect();
    if told.len() > MOST {
        lines.push(format!("and {} earlier", told.len() - MOST));
    }
    lines.join("\n")
}

/// The menu of what is done more seldom.
fn more(ui: &mut Ui, training: &mut Training, run: &Run, actions: &mut Actions) {
    let button = icon_button(ui, Icon::More, None, "More", "Duplicate, export curves, delete");
    Popup::menu(&button).show(|ui| {
        ui.set_min_width(180.0);
        if ui.button("Duplicate…").on_hover_text("Composes a new run like this one.").clicked()
            && let Some(spec) = &run.spec
        {
            training.form = Some(super::Form::like(spec, &training.places, &training.cluster));
        }
        let grown = grown(training, run);
        let grow = ui.add_enabled(grown.is_some(), Button::new("Grow…"));
        let grow = grow.on_hover_text("Composes a run that takes this network on at twice its side.");
        if grow
            .on_disabled_hover_text("For a cpD-GAN up to 256 px that is not training and keeps a checkpoint.")
            .clicked()
            && let Some(spec) = grown
        {
            training.form = Some(super::Form::like(&spec, &training.places, &training.cluster));
        }
        if ui.button("Export curves…").on_hover_text("As SVG, PNG or CSV, by the ending of the name.").clicked() {
            actions.push(Action::Run(Command::ExportCurves));
        }
        if ui.button("Copy folder").on_hover_text("Copies the path of the run's folder.").clicked() {
            ui.ctx().copy_text(run.root.display().to_string());
        }
        let (running, sent) = (run.status.state.is_running(), run.is_with_cluster());
        let delete = ui.add_enabled(!running && !sent, Button::new("Delete…"));
        let tooltip = match (running, sent) {
            (true, _) => "Pause or stop it first.",
            (_, true) => "Cancel its job first.",
            (false, false) => "Moves the folder to a bin beside it.",
        };
        if delete.on_hover_text(tooltip).on_disabled_hover_text(tooltip).clicked() {
            training.doomed = Some(run.root.clone());
        }
    });
}

/// The spec that takes a run on at twice its side from its newest checkpoint, which a run that goes on would soon delete.
fn grown(training: &Training, run: &Run) -> Option<RunSpec> {
    let newest = training.report.followed.get(&run.root)?.checkpoints.first()?;
    let spec = run.spec.as_ref().filter(|_| !run.status.state.is_running())?;
    presets::grown(spec, &run.root.join(RunFolder::checkpoint(*newest)))
}

/// The column of charts with what changes all of them above.
fn curves(ui: &mut Ui, training: &mut Training, actions: &mut Actions) {
    let marked = training.strip.stage().map(|stage| stage.kimg).filter(|_| !training.strip.is_following());
    let mut look = training.look;
    let names: Vec<String> = training.drawn().iter().map(|(name, _)| (*name).to_owned()).collect();
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        ui.spacing_mut().item_spacing.x = 4.0;
        caption(ui, "Smoothing");
        for (word, keep) in [("off", 0.0), ("some", 0.8), ("much", 0.97)] {
            let name = format!("Smoothing {word}");
            let button =
                mode_button(ui, look.smoothing == keep, word, "A running mean; the faint line is as measured.");
            let button = button.accessible_name(&name);
            if button.clicked() {
                look.smoothing = keep;
            }
        }
        ui.add_space(8.0);
        let tooltip =
            "Logarithmic away from zero, straight within \u{b1}0.01, so that negative losses can be drawn too.";
        if mode_button(ui, look.log, "log", tooltip).clicked() {
            look.log = !look.log;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let export = Command::ExportCurves;
            if text_button(ui, "Export…", export.tooltip()).clicked() {
                actions.push(Action::Run(export));
            }
        });
    });
    set_look(training, look);
    if names.len() > 1 {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            run_key(ui, &names.iter().map(String::as_str).collect::<Vec<_>>());
        });
    }
    let drawn = training.drawn();
    let runs: Vec<Overlaid> = drawn.iter().map(|(name, followed)| Overlaid { name, followed }).collect();
    let charts: Vec<Chart> = Chart::ALL
        .into_iter()
        .filter(|&chart| runs.iter().any(|run| !run.followed.curves.chart(chart).is_empty()))
        .collect();
    if charts.is_empty() {
        caption(ui, "The first figures come about two seconds after training begins.");
        return;
    }
    let foot = 18.0;
    let height = chart_height(ui.available_size() - vec2(0.0, foot), charts.len());
    let room = ui.available_height() - foot;
    ScrollArea::vertical().auto_shrink([false, false]).max_height(room).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.set_max_width(ui.available_width() - 4.0);
        // The figures at the axes are captions.
        ui.style_mut().text_styles.insert(TextStyle::Body, theme::caption());
        for chart in charts {
            ChartView { chart, look, height, runs: &runs, marked }.show(ui);
        }
    });
    caption(ui, "Along all of them: thousands of images shown.");
}

fn set_look(training: &mut Training, look: CurveLook) {
    training.look = look;
}
