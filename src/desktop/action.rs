//! What the drawn window asks for. Drawing only reads; all changes are made in one place, after the frame is drawn.

use std::path::PathBuf;

use super::command::Command;
use super::session::Trained;
use crate::generator::Recipe;

/// One thing the hand asked for in this frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A command, as from key or palette.
    Run(Command),
    /// Another recipe; all edits of one gesture are one step of undo.
    Edit {
        /// The recipe as it shall be.
        recipe: Recipe,
        /// Name of the gesture while it goes on.
        gesture: Option<&'static str>,
    },
    /// Opens a model file.
    OpenModel(PathBuf),
    /// Opens a model that a run or a sweep has made, in Explore, beside the films it was trained on where they are still there.
    OpenTrained(Trained),
    /// Looks at a run in Training.
    ShowRun(PathBuf),
    /// Opens a pack.
    OpenCohort(PathBuf),
    /// Makes the phantoms that the open model was trained on.
    MakePhantoms,
    /// Stops opening, indexing or making a cohort.
    CancelCohort,
    /// Closes the cohort, so that another can be opened.
    CloseCohort,
    /// Names a principal direction.
    NameDirection {
        /// Which.
        component: u16,
        /// Its name; empty takes the name away.
        name: String,
    },
    /// Begins the demonstration sweep, or goes on with it.
    StartDemo,
    /// Stops the demonstration sweep.
    StopDemo,
    /// Tells the person something.
    Say(String),
    /// Takes a message away.
    Dismiss(usize),
}

/// The actions of one frame, in the order they were asked for.
pub type Actions = Vec<Action>;
