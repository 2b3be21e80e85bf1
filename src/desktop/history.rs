//! Undo and redo: a list of recipes and a place in it.

use crate::generator::Recipe;

/// Most recipes kept; the oldest are forgotten first.
const LIMIT: usize = 1000;

/// A list of recipes with the present one marked. What one gesture of the hand changes is one entry.
#[derive(Debug, Clone)]
pub struct History {
    recipes: Vec<Recipe>,
    at: usize,
    gesture: Option<String>,
}

impl History {
    /// A history that begins with `recipe`.
    pub fn new(recipe: Recipe) -> Self {
        Self { recipes: vec![recipe], at: 0, gesture: None }
    }

    /// The present recipe.
    pub fn current(&self) -> &Recipe {
        &self.recipes[self.at]
    }

    /// Makes `recipe` the present one and forgets what was undone.
    ///
    /// While the same `gesture` goes on (one drag of one slider) its recipes replace each other.
    pub fn edit(&mut self, recipe: Recipe, gesture: Option<&str>) {
        if recipe == *self.current() {
            return;
        }
        self.recipes.truncate(self.at + 1);
        if gesture.is_some() && self.gesture.as_deref() == gesture {
            self.recipes[self.at] = recipe;
            return;
        }
        self.gesture = gesture.map(str::to_owned);
        self.recipes.push(recipe);
        if self.recipes.len() > LIMIT {
            self.recipes.remove(0);
        }
        self.at = self.recipes.len() - 1;
    }

    /// Ends the gesture: the next edit is an entry of its own.
    pub fn end_gesture(&mut self) {
        self.gesture = None;
    }

    /// Steps back; `false` at the beginning.
    pub fn undo(&mut self) -> bool {
        self.gesture = None;
        let possible = self.can_undo();
        self.at -= usize::from(possible);
        possible
    }

    /// Steps forward again; `false` at the end.
    pub fn redo(&mut self) -> bool {
        self.gesture = None;
        let possible = self.can_redo();
        self.at += usize::from(possible);
        possible
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.at > 0
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.at + 1 < self.recipes.len()
    }

    /// The recipes up to and including the present one, oldest first: the way that led here.
    pub fn trail(&self) -> &[Recipe] {
        &self.recipes[..=self.at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(seed: u64) -> Recipe {
        Recipe::new("0123456789abcdef", seed)
    }

    #[test]
    fn undo_and_redo_walk_the_list_and_an_edit_cuts_it() {
        let mut history = History::new(seed(0));
        for n in 1..=3 {
            history.edit(seed(n), None);
        }
        assert!(history.undo() && history.undo());
        assert_eq!(history.current().seed, 1);
        assert!(history.redo());
        history.edit(seed(9), None);
        assert!(!history.can_redo());
        assert_eq!(history.trail().iter().map(|r| r.seed).collect::<Vec<_>>(), [0, 1, 2, 9]);
        while history.undo() {}
        assert_eq!(history.current().seed, 0);
    }

    #[test]
    fn one_gesture_is_one_entry() {
        let mut history = History::new(seed(0));
        for n in 1..50 {
            history.edit(seed(n), Some("pad"));
        }
        history.end_gesture();
        history.edit(seed(50), Some("pad"));
        assert_eq!(history.trail().len(), 3);
        assert!(history.undo());
        assert_eq!(history.current().seed, 49);
        assert!(history.undo());
        assert_eq!(history.current().seed, 0);
    }

    #[test]
    fn the_list_is_bounded_and_an_edit_without_change_is_none() {
        let mut history = History::new(seed(0));
        history.edit(seed(0), None);
        assert!(!history.can_undo());
        for n in 1..=LIMIT as u64 + 10 {
            history.edit(seed(n), None);
        }
        assert_eq!(history.trail().len(), LIMIT);
    }
}
