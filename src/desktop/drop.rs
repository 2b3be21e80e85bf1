//! Files dropped on the window, and text pasted into it: models, packs, recipes.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Align2, Color32, Id, LayerId, Order, Stroke, StrokeKind};

use super::theme::{self, Colors};
use crate::generator::{Recipe, export};

/// What a dropped path is.
#[derive(Debug, Clone, PartialEq)]
pub enum Dropped {
    /// A model file.
    Model(PathBuf),
    /// A pack's folder.
    Cohort(PathBuf),
    /// The folder of a run, or one that holds runs.
    Runs(PathBuf),
    /// A file that may carry a recipe.
    Carrier(PathBuf),
}

impl Dropped {
    /// Tells by kind and ending alone; whatever it is, opening it checks it.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if path.file_name().is_some_and(|name| name == "run.toml") {
            Self::Runs(path.parent().unwrap_or(path).to_path_buf())
        } else if holds_runs(path) {
            Self::Runs(path.to_path_buf())
        } else if path.is_dir() {
            Self::Cohort(path.to_path_buf())
        } else if path.file_name().is_some_and(|name| name == "pack.json") {
            Self::Cohort(path.parent().unwrap_or(path).to_path_buf())
        } else if ending.as_deref() == Some("safetensors") {
            Self::Model(path.to_path_buf())
        } else {
            Self::Carrier(path.to_path_buf())
        }
    }
}

/// Whether a folder is a run, or has one directly below it.
fn holds_runs(folder: &Path) -> bool {
    let below = || std::fs::read_dir(folder).into_iter().flatten().flatten().take(256);
    folder.join("run.toml").is_file() || below().any(|entry| entry.path().join("run.toml").is_file())
}

/// The paths dropped in this frame.
pub fn dropped(ctx: &egui::Context) -> Vec<PathBuf> {
    ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect())
}

/// The recipe in a pasted text: the first line that is one.
///
/// # Errors
/// A sentence that says what a recipe looks like.
pub fn pasted(text: &str) -> Result<Recipe, String> {
    let line = text.lines().map(str::trim).find(|line| line.starts_with("recipe/")).unwrap_or_default();
    line.parse().map_err(|error| format!("The clipboard holds no recipe: {error}."))
}

/// The recipe that a dropped file carries.
///
/// # Errors
/// A sentence that names the file.
pub fn carried(path: &Path) -> Result<Recipe, String> {
    export::recipe_in(path).map_err(|error| error.to_string())
}

/// While files hover over the window: what dropping them does.
pub fn hover(ctx: &egui::Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let colors = Colors::on_film();
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(200));
    painter.rect_stroke(rect.shrink(16.0), 8.0, Stroke::new(2.0, colors.synthetic), StrokeKind::Inside);
    let text = "Drop a model, a pack, a run, or an image that carries a recipe";
    painter.text(rect.center(), Align2::CENTER_CENTER, text, theme::medium(16.0), colors.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_kind() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Dropped::of(folder.path()), Dropped::Cohort(folder.path().to_path_buf()));
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::write(run.join("run.toml"), "").unwrap();
        assert_eq!(Dropped::of(&run), Dropped::Runs(run.clone()));
        assert_eq!(Dropped::of(&run.join("run.toml")), Dropped::Runs(run));
        assert_eq!(Dropped::of(folder.path()), Dropped::Runs(folder.path().to_path_buf()));
        assert_eq!(Dropped::of(Path::new("/x/pack.json")), Dropped::Cohort(PathBuf::from("/x")));
        assert_eq!(Dropped::of(Path::new("A.SafeTensors")), Dropped::Model(PathBuf::from("A.SafeTensors")));
        assert_eq!(Dropped::of(Path::new("a.png")), Dropped::Carrier(PathBuf::from("a.png")));
    }

    #[test]
    fn a_recipe_is_found_among_other_lines_and_else_told_of() {
        let recipe = pasted("Look at this:\n  recipe/1 generator=ab; seed=7\nNice, is it not?").unwrap();
        assert_eq!(recipe.seed, 7);
        assert!(pasted("hello").unwrap_err().contains("recipe/1"));
        assert!(pasted(&"x".repeat(100_000)).is_err());
    }
}
