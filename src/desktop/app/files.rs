//! Files: asking where, opening what was chosen or dropped, writing what is exported.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::App;
use crate::desktop::benchmarks::FigureForm;
use crate::desktop::dialogs::{Form, Purpose};
use crate::desktop::drop::{self, Dropped};
use crate::desktop::render_worker::Drawn;
use crate::desktop::task::{Outcome, Task};
use crate::desktop::workspace::Workspace;
use crate::generator::export;
use crate::store;

impl App {
    pub(super) fn ask(&mut self, ctx: &egui::Context, purpose: Purpose) {
        self.dialogs.ask(ctx, purpose, None);
    }

    pub(super) fn ask_export(&mut self, ctx: &egui::Context, form: Form) {
        let (Some(model), Some(sample)) = (self.session.model(), self.session.sample()) else { return };
        let name = format!("{}-{}.{}", model.generator.card().name, sample.recipe.seed, form.extension());
        let folder = self.session.settings.export_folder.clone();
        self.dialogs.ask(ctx, Purpose::Save { form, name }, folder.as_deref());
    }

    pub(super) fn ask_curves(&mut self, ctx: &egui::Context) {
        let Some(run) = self.training.selected() else { return };
        let name = format!("{}-curves.svg", run.status.name);
        let folder = self.session.settings.export_folder.clone();
        self.dialogs.ask(ctx, Purpose::SaveCurves { name }, folder.as_deref());
    }

    pub(super) fn ask_figure(&mut self, ctx: &egui::Context, form: FigureForm) {
        let Some(name) = self.benchmarks.file_name(form) else { return };
        let folder = self.session.settings.export_folder.clone();
        self.dialogs.ask(ctx, Purpose::SaveFigure { form, name }, folder.as_deref());
    }

    pub(super) fn chosen(&mut self, ctx: &egui::Context, purpose: &Purpose, path: PathBuf) {
        match purpose {
            Purpose::OpenModel => self.session.open_model(path),
            Purpose::OpenCohort => self.session.open_cohort(path),
            Purpose::OpenClassifier => self.open_classifier(ctx, &path),
            Purpose::OpenSweepClassifiers => self.artefacts.open_sweep(ctx, path, &mut self.session.notices),
            Purpose::OpenFilms => self.artefacts.open_films(path),
            Purpose::Save { form, .. } => self.export(ctx, *form, path),
            Purpose::OpenRuns | Purpose::TrainOn | Purpose::SaveCurves { .. } => {
                self.training.chosen(ctx, purpose, path, &mut self.session.settings);
            }
            Purpose::SaveFigure { form, .. } => {
                self.session.settings.export_folder = path.parent().map(PathBuf::from).filter(|p| p.is_absolute());
                self.benchmarks.export(ctx, *form, path, &mut self.session.notices);
            }
        }
    }

    fn open_classifier(&mut self, ctx: &egui::Context, path: &Path) {
        if let Err(reason) = self.artefacts.open_file(ctx, path) {
            self.session.notices.fail(reason);
        }
    }

    /// Writes the sample on the light box in the background.
    fn export(&mut self, ctx: &egui::Context, form: Form, path: PathBuf) {
        let (Some(model), Some(sample)) = (self.session.model(), self.session.sample()) else { return };
        let (generator, sample, window) = (model.generator.clone(), sample.clone(), self.explore.window);
        self.session.settings.export_folder = path.parent().map(PathBuf::from).filter(|p| p.is_absolute());
        let task = Task::spawn("export", ctx, move |_| {
            let recipe = &sample.recipe;
            // What is kept must be what its recipe gives again, to the bit.
            let exact = match sample.drawn {
                Drawn::Graphics => Some(generator.render(recipe).map_err(|error| error.to_string())?),
                Drawn::Processor | Drawn::Fallen(_) => None,
            };
            let image = exact.as_ref().unwrap_or_else(|| sample.film.image());
            let bytes = match form {
                Form::Png => export::png(image, recipe, &generator),
                Form::PngAsSeen => export::png_as_seen(image, window, recipe, &generator),
                Form::Dicom => export::dicom(image, recipe, &generator),
            };
            let bytes = bytes.map_err(|error| error.to_string())?;
            store::write_atomic(&path, &bytes).map_err(|error| error.to_string())?;
            Ok(path)
        });
        match task {
            Ok(task) => self.writing = Some(task),
            Err(error) => self.session.notices.fail(format!("No thread could be started to export: {error}")),
        }
    }

    pub(super) fn drop(&mut self, ctx: &egui::Context, path: &Path) {
        match Dropped::of(path) {
            Dropped::Model(path) if self.workspace == Workspace::Artefacts => self.open_classifier(ctx, &path),
            Dropped::Model(path) => self.session.open_model(path),
            Dropped::Cohort(folder) if self.workspace == Workspace::Artefacts => self.artefacts.open_films(folder),
            Dropped::Cohort(folder) => match self.training.form().filter(|_| self.workspace == Workspace::Training) {
                Some(form) => form.set_cohort(&folder),
                None => self.session.open_cohort(folder),
            },
            Dropped::Runs(folder) => {
                self.workspace = Workspace::Training;
                self.training.open_folder(&folder, &mut self.session.settings);
            }
            Dropped::Carrier(path) => match Task::spawn("read recipe", ctx, move |_| drop::carried(&path)) {
                Ok(task) => self.reading = Some(task),
                Err(error) => self.session.notices.fail(format!("No thread could be started to read it: {error}")),
            },
        }
    }

    pub(super) fn take_in_files(&mut self) {
        if let Some(task) = &self.reading {
            let outcome = task.poll();
            if !matches!(outcome, Outcome::Running) {
                self.reading = None;
            }
            match outcome {
                Outcome::Done(Ok(recipe)) => self.session.restore(recipe),
                Outcome::Done(Err(reason)) => self.session.notices.fail(reason),
                Outcome::Failed => self.session.notices.fail("Reading the dropped file failed unexpectedly."),
                Outcome::Running => {}
            }
        }
        if let Some(task) = &self.writing {
            let outcome = task.poll();
            if !matches!(outcome, Outcome::Running) {
                self.writing = None;
            }
            match outcome {
                Outcome::Done(Ok(path)) => {
                    self.session.notices.say(format!("Saved {} with its recipe inside.", path.display()));
                }
                Outcome::Done(Err(reason)) => self.session.notices.fail(reason),
                Outcome::Failed => self.session.notices.fail("The export failed unexpectedly."),
                Outcome::Running => {}
            }
        }
    }
}
