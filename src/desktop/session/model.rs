//! Models: the one that is open, the ones on the shelf, and opening another without waiting.

use std::io;
use std::path::{Path, PathBuf};

use eframe::egui;

use super::Session;
use crate::desktop::history::History;
use crate::desktop::state::Settings;
use crate::desktop::task::{Outcome, Task};
use crate::generator::{Generator, ModelCard, Recipe, library};

/// A generator and where it came from.
pub struct Model {
    /// The generator.
    pub generator: Generator,
    /// Its file.
    pub path: PathBuf,
}

/// A shipped model, as the picker lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShelfEntry {
    /// Its file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Network and resolution: `cpD-GAN · 64 px`.
    pub about: String,
    /// Its identity.
    pub id: String,
}

/// What is known of models.
pub(super) struct Models {
    open: Option<Model>,
    opening: Option<Opening>,
    shelf: Vec<ShelfEntry>,
    shelf_task: Option<Task<Vec<ShelfEntry>>>,
}

struct Opening {
    path: PathBuf,
    recipe: Option<Recipe>,
    task: Task<Result<Generator, String>>,
}

impl Models {
    /// Nothing open; the shelf is being read.
    pub fn new(ctx: &egui::Context) -> io::Result<Self> {
        let shelf_task = Task::spawn("read shipped models", ctx, |_| {
            let entry = |entry: library::Entry| ShelfEntry {
                about: about(&entry.card),
                name: entry.card.name,
                path: entry.path,
                id: entry.id,
            };
            library::shipped().into_iter().map(entry).collect()
        })?;
        Ok(Self { open: None, opening: None, shelf: Vec::new(), shelf_task: Some(shelf_task) })
    }

    /// The model that is open.
    pub fn open(&self) -> Option<&Model> {
        self.open.as_ref()
    }

    /// Whether a model or the shelf is being read.
    pub fn is_busy(&self) -> bool {
        self.opening.is_some() || self.shelf_task.is_some()
    }

    /// What is being read.
    pub fn job(&self) -> Option<String> {
        self.opening.as_ref().map(|opening| format!("opening {}", file_name(&opening.path)))
    }

    /// Where the generator with this identity lies, as far as shelf and recent models know.
    pub fn path_of(&self, id: &str, settings: &Settings) -> Option<PathBuf> {
        let on_shelf = self.shelf.iter().find(|entry| entry.id == id).map(|entry| entry.path.clone());
        on_shelf.or_else(|| settings.recent.iter().find(|recent| recent.id == id).map(|recent| recent.path.clone()))
    }
}

/// Network and resolution in a few words.
pub fn about(card: &ModelCard) -> String {
    format!("{} · {} px", card.architecture.family.name(), card.architecture.resolution)
}

/// The last part of a path, for people.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The recipe with which a newly opened model begins: what still makes sense of the one before.
fn carried_over(before: &Recipe, model: &Generator) -> Recipe {
    let mut recipe = Recipe::new(model.id(), before.seed);
    recipe.truncation = before.truncation;
    recipe.plane = before.plane;
    for (finding, strength) in &before.findings {
        if model.card().vocabulary.findings.contains(finding) {
            recipe.set_strength(finding, *strength);
        }
    }
    recipe
}

impl Session {
    /// Shipped models.
    pub fn shelf(&self) -> &[ShelfEntry] {
        &self.models.shelf
    }

    /// Whether the shelf has been read, so that an empty one is known to be empty.
    pub fn shelf_is_read(&self) -> bool {
        self.models.shelf_task.is_none()
    }

    /// The model that is being opened, if any.
    pub fn opening_model(&self) -> Option<&Path> {
        self.models.opening.as_ref().map(|opening| opening.path.as_path())
    }

    /// Opens a model file in the background; the session goes on with the present one until it is there.
    pub fn open_model(&mut self, path: PathBuf) {
        self.open_model_for(path, None);
    }

    /// As [`Session::open_model`], and then shows this recipe.
    pub(super) fn open_model_for(&mut self, path: PathBuf, recipe: Option<Recipe>) {
        let of_thread = path.clone();
        let task = Task::spawn("open model", &self.ctx, move |_| {
            let generator = Generator::load(&of_thread).map_err(|error| error.to_string())?;
            // Computed when first asked for; the window shall not be the one who waits for it.
            generator.directions();
            Ok(generator)
        });
        match task {
            Ok(task) => self.models.opening = Some(Opening { path, recipe, task }),
            Err(error) => self.notices.fail(format!("No thread could be started to open the model: {error}")),
        }
    }

    pub(super) fn advance_models(&mut self) {
        if let Some(task) = &self.models.shelf_task {
            match task.poll() {
                Outcome::Running => {}
                Outcome::Done(shelf) => {
                    self.models.shelf = shelf;
                    self.models.shelf_task = None;
                }
                Outcome::Failed => self.models.shelf_task = None,
            }
        }
        let Some(opening) = &self.models.opening else { return };
        let outcome = match opening.task.poll() {
            Outcome::Running => return,
            Outcome::Done(result) => result,
            Outcome::Failed => Err(format!("Reading {} failed unexpectedly.", opening.path.display())),
        };
        let Some(Opening { path, recipe, .. }) = self.models.opening.take() else { return };
        match outcome {
            Ok(generator) => self.model_is_open(Model { generator, path }, recipe),
            Err(reason) => {
                if self.settings.last_model.as_ref() == Some(&path) {
                    self.settings.last_model = None;
                }
                self.notices.fail(reason);
            }
        }
    }

    fn model_is_open(&mut self, model: Model, recipe: Option<Recipe>) {
        let (name, id) = (model.generator.card().name.clone(), model.generator.id().to_owned());
        self.notices.clear_failures();
        self.settings.note_model(&model.path, &name, &id);
        let recipe = recipe.filter(|recipe| recipe.generator == id);
        let restored = recipe.is_some();
        // After an undo across models the history already stands at a recipe of this model.
        if restored || self.history.current().generator != id {
            let next = recipe.unwrap_or_else(|| carried_over(self.history.current(), &model.generator));
            if self.history.current().generator.is_empty() {
                self.history = History::new(next);
            } else {
                self.history.edit(next, None);
            }
        }
        self.models.open = Some(model);
        self.devices.forget_model();
        self.sample = None;
        self.difference = None;
        self.verdict = None;
        self.render_current();
        self.reopen_cohort();
        if restored {
            self.notices.say(format!("Opened {name} for this recipe."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_the_last_part() {
        assert_eq!(file_name(Path::new("/a/b/nih-chest.safetensors")), "nih-chest.safetensors");
        assert_eq!(file_name(Path::new("/")), "/");
    }
}
