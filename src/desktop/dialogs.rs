//! Asking for a file: the system's dialog on a thread of its own, or a path field where the system has none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui::{self, Id, Key, Modal, RichText, TextEdit};

use super::benchmarks::FigureForm;
use super::task::{Outcome, Task};
use super::theme;

/// A dialog that comes back sooner than this was not closed by a person: the system has none to show.
const NO_PERSON: Duration = Duration::from_millis(300);

/// What a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A model file to open.
    OpenModel,
    /// A pack's folder to open.
    OpenCohort,
    /// Where to save the benchmark on screen.
    SaveFigure {
        /// In which form.
        form: FigureForm,
        /// A name to begin with.
        name: String,
    },
    /// An encoder file.
    OpenClassifier,
    /// The folder of a sweep, for its classifiers.
    OpenSweepClassifiers,
    /// The pack whose films classifiers are asked about.
    OpenFilms,
    /// The folder of a run, or one that holds runs.
    OpenRuns,
    /// The pack to train on.
    TrainOn,
    /// Where to save curves.
    SaveCurves {
        /// A name to begin with.
        name: String,
    },
    /// Where to save the sample.
    Save {
        /// In which form.
        form: Form,
        /// A name to begin with.
        name: String,
    },
}

/// The forms a sample can be saved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 16-bit PNG over the whole range.
    Png,
    /// 8-bit PNG through the window.
    PngAsSeen,
    /// DICOM secondary capture.
    Dicom,
}

impl Form {
    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png | Self::PngAsSeen => "png",
            Self::Dicom => "dcm",
        }
    }
}

impl Purpose {
    fn title(&self) -> &'static str {
        match self {
            Self::OpenModel => "Open model",
            Self::OpenCohort => "Open cohort",
            Self::OpenClassifier => "Open classifier",
            Self::OpenSweepClassifiers => "Open classifiers of a sweep",
            Self::OpenFilms => "Look at films of",
            Self::OpenRuns => "Open runs",
            Self::TrainOn => "Train on",
            Self::SaveCurves { .. } => "Export curves",
            Self::Save { .. } => "Export sample",
            Self::SaveFigure { .. } => "Export benchmark",
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::OpenModel | Self::OpenClassifier => "Path of a .safetensors file",
            Self::OpenSweepClassifiers => "Path of a sweep's folder",
            Self::OpenCohort | Self::TrainOn | Self::OpenFilms => "Path of a pack's folder",
            Self::OpenRuns => "Path of a run's folder, or of one that holds runs",
            Self::SaveCurves { .. } => "Path of the file to write, ending in .svg, .png or .csv",
            Self::SaveFigure { form: FigureForm::Figure, .. } => "Path of the file to write, ending in .svg or .png",
            Self::Save { .. } | Self::SaveFigure { .. } => "Path of the file to write",
        }
    }

    /// Shows the system's dialog; `None` when it was cancelled or there is none.
    fn ask_system(&self, folder: Option<&Path>) -> Option<PathBuf> {
        let mut dialog = rfd::FileDialog::new().set_title(self.title());
        if let Some(folder) = folder {
            dialog = dialog.set_directory(folder);
        }
        match self {
            Self::OpenModel => dialog.add_filter("Model", &["safetensors"]).pick_file(),
            Self::OpenClassifier => dialog.add_filter("Encoder", &["safetensors"]).pick_file(),
            Self::OpenCohort | Self::OpenRuns | Self::TrainOn | Self::OpenSweepClassifiers | Self::OpenFilms => {
                dialog.pick_folder()
            }
            Self::SaveCurves { name } => {
                dialog.add_filter("Curves", &["svg", "png", "csv"]).set_file_name(name).save_file()
            }
            Self::Save { form, name } => {
                dialog.add_filter(form.extension(), &[form.extension()]).set_file_name(name).save_file()
            }
            Self::SaveFigure { form: FigureForm::Figure, name } => {
                dialog.add_filter("Figure", &["svg", "png"]).set_file_name(name).save_file()
            }
            Self::SaveFigure { form, name } => {
                dialog.add_filter(form.extension(), &[form.extension()]).set_file_name(name).save_file()
            }
        }
    }
}

/// The dialog that is open, if any.
pub struct Dialogs {
    system: bool,
    waiting: Option<(Purpose, Instant, Task<Option<PathBuf>>)>,
    field: Option<(Purpose, String)>,
}

impl Dialogs {
    /// With the system's dialogs, or with the path field alone.
    pub fn new(system: bool) -> Self {
        Self { system, waiting: None, field: None }
    }

    /// Asks for a file; `folder` is where to begin.
    pub fn ask(&mut self, ctx: &egui::Context, purpose: Purpose, folder: Option<&Path>) {
        let begin = match (&purpose, folder) {
            (
                Purpose::Save { name, .. } | Purpose::SaveCurves { name } | Purpose::SaveFigure { name, .. },
                Some(folder),
            ) => folder.join(name).display().to_string(),
            (Purpose::Save { name, .. } | Purpose::SaveCurves { name } | Purpose::SaveFigure { name, .. }, None) => {
                name.clone()
            }
            (_, Some(folder)) => folder.display().to_string(),
            (_, None) => String::new(),
        };
        // The dialogs of macOS belong to the main thread; they are left out there in favour of the field.
        if !self.system || cfg!(target_os = "macos") {
            self.field = Some((purpose, begin));
            return;
        }
        let (of_thread, folder) = (purpose.clone(), folder.map(Path::to_path_buf));
        match Task::spawn("file dialog", ctx, move |_| of_thread.ask_system(folder.as_deref())) {
            Ok(task) => self.waiting = Some((purpose, Instant::now(), task)),
            Err(_) => self.field = Some((purpose, begin)),
        }
    }

    /// Whether a path field is on screen.
    pub fn is_open(&self) -> bool {
        self.field.is_some()
    }

    /// Draws the path field where it is open; hands over what was chosen.
    pub fn show(&mut self, ctx: &egui::Context) -> Option<(Purpose, PathBuf)> {
        if let Some((purpose, since, task)) = &self.waiting {
            let outcome = task.poll();
            if !matches!(outcome, Outcome::Running) {
                let (purpose, at_once) = (purpose.clone(), since.elapsed() < NO_PERSON);
                self.waiting = None;
                match outcome {
                    Outcome::Done(Some(path)) => return Some((purpose, path)),
                    _ if at_once => {
                        let name = match &purpose {
                            Purpose::Save { name, .. }
                            | Purpose::SaveCurves { name }
                            | Purpose::SaveFigure { name, .. } => name.clone(),
                            _ => String::new(),
                        };
                        self.field = Some((purpose, name));
                    }
                    _ => {}
                }
            }
        }
        let (purpose, mut text) = self.field.take()?;
        let mut done = false;
        let modal = Modal::new(Id::unique("path")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 96.0).min(520.0));
            ui.heading(purpose.title());
            ui.label(RichText::new(purpose.hint()).color(theme::colors(ui).dim));
            let field = ui
                .add(TextEdit::singleline(&mut text).desired_width(f32::INFINITY).hint_text(purpose.hint()))
                .accessible_name("Path");
            done = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            field.request_focus();
            ui.horizontal(|ui| {
                let saves =
                    matches!(purpose, Purpose::Save { .. } | Purpose::SaveCurves { .. } | Purpose::SaveFigure { .. });
                let word = if saves { "Save" } else { "Open" };
                done |= ui.button(word).clicked();
                ui.button("Cancel").clicked()
            })
            .inner
        });
        let left = modal.inner || modal.should_close();
        let path = text.trim();
        if done && !path.is_empty() {
            return Some((purpose, PathBuf::from(path)));
        }
        if !left {
            self.field = Some((purpose, text));
        }
        None
    }
}
