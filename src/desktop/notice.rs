//! Short messages over the light box: what was done, or what went wrong and what helps.

use std::time::{Duration, Instant};

use eframe::egui::{Rect, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::action::{Action, Actions};
use super::theme::{self, Colors};
use super::widgets::{Icon, icon_button};

/// How long a message that needs no answer stays.
const STAYS: Duration = Duration::from_secs(6);
/// Most messages at once; older ones give way.
const MOST: usize = 4;

/// One message.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Whether something went wrong; such a message stays until it is dismissed.
    pub failed: bool,
    since: Instant,
}

/// The messages now on screen, oldest first.
#[derive(Debug, Default)]
pub struct Notices(Vec<Notice>);

impl Notices {
    /// Says that something was done.
    pub fn say(&mut self, text: impl Into<String>) {
        self.push(text.into(), false);
    }

    /// Says that something went wrong.
    pub fn fail(&mut self, text: impl Into<String>) {
        self.push(text.into(), true);
    }

    fn push(&mut self, text: String, failed: bool) {
        self.0.retain(|notice| notice.text != text);
        self.0.push(Notice { text, failed, since: Instant::now() });
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Forgets messages that have been on screen long enough; tells when the next one will have been.
    pub fn expire(&mut self) -> Option<Duration> {
        self.0.retain(|notice| notice.failed || notice.since.elapsed() < STAYS);
        self.0.iter().filter(|n| !n.failed).map(|n| STAYS.saturating_sub(n.since.elapsed())).min()
    }

    /// The messages, oldest first.
    pub fn all(&self) -> &[Notice] {
        &self.0
    }

    /// Takes a message away.
    pub fn dismiss(&mut self, index: usize) {
        if index < self.0.len() {
            self.0.remove(index);
        }
    }

    /// Takes all failures away, when what failed was tried again.
    pub fn clear_failures(&mut self) {
        self.0.retain(|notice| !notice.failed);
    }
}

/// Draws the messages at the top of `rect`, below the captions.
pub fn show(ui: &mut Ui, rect: Rect, notices: &Notices, actions: &mut Actions) {
    let on = Colors::on_film();
    let width = (rect.width() - 32.0).min(560.0);
    let mut top = rect.top() + 44.0;
    for (index, notice) in notices.all().iter().enumerate() {
        let ink = if notice.failed { on.danger } else { on.text };
        let text = ui.painter().layout(notice.text.clone(), theme::text(), on.text, width - 76.0);
        let size = vec2(width, text.size().y + 16.0);
        let area = Rect::from_min_size(pos2(rect.center().x - width * 0.5, top), size);
        let pen = Stroke::new(1.0, theme::tint(ink, on.panel, 0.5));
        ui.painter().rect(area, 4.0, on.raised, pen, StrokeKind::Inside);
        let icon = if notice.failed { Icon::Warning } else { Icon::Info };
        icon.paint(ui.painter(), pos2(area.left() + 20.0, area.center().y), 14.0, ink);
        let name = notice.text.clone();
        let response = ui.interact(area, ui.scope_id().with(("notice", index)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Alert, true, &name));
        ui.painter().galley(pos2(area.left() + 40.0, area.top() + 8.0), text, on.text);
        let close = Rect::from_center_size(pos2(area.right() - 18.0, area.center().y), vec2(24.0, 24.0));
        ui.scope_builder(UiBuilder::new().max_rect(close), |ui| {
            if icon_button(ui, Icon::Close, Some(on.dim), "Dismiss", "Takes this message away").clicked() {
                actions.push(Action::Dismiss(index));
            }
        });
        top = area.bottom() + 8.0;
    }
}
