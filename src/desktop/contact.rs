//! What the contact sheet wants and what it has: rendered thumbnails by recipe, asked for when the hand rests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lightbox::Film;
use super::render_worker::{SheetJob, SheetWorker};
use crate::generator::{Generator, Recipe};

/// How long the recipe must rest before the sheet is rendered, so that the live sample comes first.
const REST: Duration = Duration::from_millis(180);
/// Most thumbnails kept.
const LIMIT: usize = 800;

/// Thumbnails by recipe.
pub struct ContactSheet {
    films: HashMap<String, Arc<Film>>,
    wanted: Vec<Recipe>,
    since: Instant,
    asked: bool,
    worker: SheetWorker,
}

impl ContactSheet {
    /// An empty sheet behind this worker.
    pub fn new(worker: SheetWorker) -> Self {
        Self { films: HashMap::new(), wanted: Vec::new(), since: Instant::now(), asked: true, worker }
    }

    /// The thumbnail of a recipe, if it is there.
    pub fn film(&self, recipe: &Recipe) -> Option<&Arc<Film>> {
        self.films.get(&recipe.to_string())
    }

    /// States which thumbnails are on screen.
    pub fn want(&mut self, recipes: Vec<Recipe>) {
        if recipes != self.wanted {
            if !self.asked || self.worker.is_busy() {
                self.worker.withdraw();
            }
            self.wanted = recipes;
            self.since = Instant::now();
            self.asked = false;
        }
    }

    /// Takes in what was rendered, and asks for what is missing once the hand rests. Tells when to come back.
    pub fn advance(&mut self, generator: &Generator) -> Option<Duration> {
        for (recipe, film) in self.worker.drain().into_iter().flatten() {
            self.films.insert(recipe.to_string(), Arc::new(film));
        }
        if self.films.len() > LIMIT {
            let kept: Vec<String> = self.wanted.iter().map(Recipe::to_string).collect();
            self.films.retain(|key, _| kept.contains(key));
        }
        if self.asked {
            return None;
        }
        if let Some(left) = REST.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero()) {
            return Some(left);
        }
        self.asked = true;
        let recipes: Vec<Recipe> = self.wanted.iter().filter(|r| self.film(r).is_none()).cloned().collect();
        if !recipes.is_empty() {
            self.worker.ask(SheetJob { generator: generator.clone(), recipes });
        }
        None
    }

    /// Thumbnails on screen that are there, and all of them.
    pub fn counts(&self) -> (usize, usize) {
        (self.wanted.iter().filter(|recipe| self.film(recipe).is_some()).count(), self.wanted.len())
    }

    /// Whether thumbnails are being rendered.
    pub fn is_busy(&self) -> bool {
        self.worker.is_busy() || !self.asked
    }

    /// How often rendering panicked.
    pub fn panics(&self) -> u64 {
        self.worker.panics()
    }
}
