//! How far a run is, in words and as a bar.

use eframe::egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, vec2};

use super::watcher::Run;
use crate::cluster::JobState;
use crate::desktop::theme::{self, Colors};
use crate::desktop::widgets::number;
use crate::training::status::RunState;

/// Share of the run that is done, 0 to 1.
pub fn share(run: &Run) -> f32 {
    let status = &run.status;
    if status.state == RunState::Finished {
        return 1.0;
    }
    if status.total_kimg > 0.0 { (status.kimg / status.total_kimg).clamp(0.0, 1.0) as f32 } else { 0.0 }
}

/// The same in per cent.
pub fn percent(run: &Run) -> String {
    let percent = 100.0 * share(run);
    if percent > 0.0 && percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Thousands of images shown, of how many.
pub fn kimg(run: &Run) -> String {
    let (done, total) = (run.status.kimg, run.status.total_kimg);
    let places = usize::from(total < 100.0);
    format!("{done:.places$} of {total:.places$} kimg")
}

/// Thousands of images, with a decimal while they are few.
pub fn thousands(kimg: f64) -> String {
    number(kimg as f32, usize::from(kimg < 100.0))
}

/// Images per second, once measured.
pub fn speed(run: &Run) -> Option<String> {
    let rate = run.status.figures.as_ref()?.images_per_second;
    let places = match rate {
        r if r < 0.1 => 3,
        r if r < 10.0 => 1,
        _ => 0,
    };
    (rate > 0.0).then(|| format!("{rate:.places$} img/s"))
}

/// The state in a few words, with the place in the queue.
pub fn state(run: &Run) -> String {
    let state = run.status.state;
    match run.queued {
        _ if run.problem.is_some() => "cannot be read".to_owned(),
        Some(1) if !state.is_running() => "next in the queue".to_owned(),
        Some(place) if !state.is_running() => format!("{place} in the queue"),
        _ if run.is_with_cluster() && !state.is_running() => on_cluster(run),
        _ if state == RunState::NotBegun && run.status.job.is_some() => "sent to the cluster".to_owned(),
        _ if state == RunState::NotBegun && !run.last_words.is_empty() => "did not begin".to_owned(),
        _ if state == RunState::NotBegun && is_new(run) => "starting".to_owned(),
        _ if run.status.request.is_some() && state.is_running() => "about to obey".to_owned(),
        _ => state.words().to_owned(),
    }
}

/// Whether its folder was made a moment ago, so that whoever made it is about to begin it.
fn is_new(run: &Run) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    now.saturating_sub(run.made) < 60
}

/// How a run stands that the cluster has and nobody trains yet.
fn on_cluster(run: &Run) -> String {
    let Some(job) = &run.job else { return String::new() };
    let words = job.state.as_ref().ok().and_then(Option::as_ref).map(JobState::words).unwrap_or_default();
    match run.status.state {
        _ if !job.waits() => "starting on the cluster".to_owned(),
        RunState::NotBegun => format!("{words} on the cluster"),
        _ => format!("{words} again on the cluster"),
    }
}

/// The colour of the state: amber while samples are being made, red where something is wrong. The word stands beside it.
pub fn color(run: &Run, colors: &Colors) -> Color32 {
    if run.is_with_cluster() && !run.status.state.is_running() {
        return colors.dim;
    }
    let failed = run.problem.is_some() || run.status.state == RunState::NotBegun && !run.last_words.is_empty();
    match run.status.state {
        RunState::Failed | RunState::Interrupted => colors.danger,
        _ if failed => colors.danger,
        RunState::RunningHere | RunState::RunningElsewhere => colors.synthetic,
        _ => colors.dim,
    }
}

/// A thin bar over the whole width.
pub fn bar(ui: &mut Ui, run: &Run) {
    let colors = theme::colors(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 3.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, percent(run)));
    ui.painter().rect_filled(rect, 1.5, colors.track);
    let done = Rect::from_min_size(rect.min, vec2(rect.width() * share(run), rect.height()));
    let fill =
        if run.status.state.is_running() { colors.synthetic } else { theme::tint(colors.dim, colors.panel, 0.7) };
    ui.painter().rect_filled(done, 1.5, fill);
}
