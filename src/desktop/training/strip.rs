//! The same latents at every stage of a run: whole grids for the light box, and one place of the grid over time.
//!
//! In: the sample grids that a run wrote, the stage that is looked at and the place that was picked. Out: films, made by
//! a worker, the nearest stages first.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

use super::history::Stage;
use crate::desktop::lightbox::{Film, Gpu};
use crate::desktop::render_worker::repaint;
use crate::desktop::worker::Worker;
use crate::radiograph::{self, Meaning, Radiograph};

/// Images in a row of a grid; `training::sampling` draws as many latents.
pub const COLUMNS: usize = 8;
/// Most grids kept.
const GRIDS: usize = 12;
/// Most single images kept.
const CELLS: usize = 1200;

/// A place in a grid: column and row.
pub type Cell = (usize, usize);

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
struct Job {
    root: PathBuf,
    /// Stages whose grid or picked image is missing, the nearest to the one looked at first.
    stages: Vec<(Stage, bool)>,
    cell: Cell,
}

/// What the worker made of one stage.
struct Made {
    root: PathBuf,
    step: u64,
    /// The whole grid, where it was wanted.
    grid: Option<Film>,
    cell: Cell,
    image: Option<Film>,
    problem: Option<String>,
}

/// Films of one run's stages.
pub struct FilmStrip {
    worker: Worker<Job, Made>,
    root: PathBuf,
    stages: Vec<Stage>,
    /// The stage that is looked at; `None` follows the newest.
    pinned: Option<u64>,
    cell: Cell,
    grids: BTreeMap<u64, Arc<Film>>,
    cells: HashMap<(u64, Cell), Arc<Film>>,
    problems: BTreeMap<u64, String>,
    wanted: Option<(usize, u64, Cell)>,
}

impl FilmStrip {
    /// An empty strip and its worker.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(ctx: &egui::Context, gpu: Option<Gpu>) -> io::Result<Self> {
        let worker = Worker::spawn("film strip", repaint(ctx), move |job: Job, desk| {
            for (stage, whole) in job.stages {
                if desk.superseded() {
                    return;
                }
                let read = read_grid(&job.root.join(&stage.file));
                let (root, step, cell) = (job.root.clone(), stage.step, job.cell);
                desk.answer(match read {
                    Ok(grid) => {
                        let image = cut(&grid, cell).map(|image| Film::new(image, gpu.as_ref()));
                        let grid = whole.then(|| Film::new(grid, gpu.as_ref()));
                        Made { root, step, grid, cell, image, problem: None }
                    }
                    Err(problem) => Made { root, step, grid: None, cell, image: None, problem: Some(problem) },
                });
            }
        })?;
        Ok(Self {
            worker,
            root: PathBuf::new(),
            stages: Vec::new(),
            pinned: None,
            cell: (0, 0),
            grids: BTreeMap::new(),
            cells: HashMap::new(),
            problems: BTreeMap::new(),
            wanted: None,
        })
    }

    /// States whose stages are looked at; another run begins at its newest.
    pub fn follow(&mut self, root: &Path, stages: &[Stage]) {
        if self.root != root {
            self.worker.withdraw();
            root.clone_into(&mut self.root);
            (self.pinned, self.wanted) = (None, None);
            self.grids.clear();
            self.cells.clear();
            self.problems.clear();
        }
        if self.stages != stages {
            // A stage that a resumed run drew anew has the same step and the same pixels.
            self.stages = stages.to_vec();
        }
    }

    /// All stages, in the order of training.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Which of them is looked at.
    pub fn index(&self) -> Option<usize> {
        let newest = self.stages.len().checked_sub(1)?;
        let pinned = self.pinned.and_then(|step| self.stages.iter().position(|stage| stage.step == step));
        Some(pinned.unwrap_or(newest))
    }

    /// The stage that is looked at.
    pub fn stage(&self) -> Option<&Stage> {
        self.stages.get(self.index()?)
    }

    /// Whether the newest stage is followed as it comes.
    pub fn is_following(&self) -> bool {
        self.pinned.is_none()
    }

    /// Looks at stage `index`; the last one is followed from then on.
    pub fn look_at(&mut self, index: usize) {
        let last = self.stages.len().saturating_sub(1);
        self.pinned = self.stages.get(index.min(last)).filter(|_| index < last).map(|stage| stage.step);
    }

    /// Goes `by` stages forward, or back where it is negative.
    pub fn step(&mut self, by: isize) {
        if let Some(index) = self.index() {
            self.look_at(index.saturating_add_signed(by).min(self.stages.len() - 1));
        }
    }

    /// The picked place of the grid.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// Picks a place of the grid.
    pub fn pick(&mut self, cell: Cell) {
        self.cell = cell;
    }

    /// The whole grid that is looked at; while it is being read, the one before it.
    pub fn grid(&self) -> Option<&Arc<Film>> {
        let step = self.stage()?.step;
        self.grids.get(&step).or_else(|| self.grids.range(..step).next_back().map(|(_, film)| film))
    }

    /// The picked image at a stage.
    pub fn image(&self, step: u64) -> Option<&Arc<Film>> {
        self.cells.get(&(step, self.cell))
    }

    /// Why the grid that is looked at cannot be shown.
    pub fn problem(&self) -> Option<&str> {
        self.problems.get(&self.stage()?.step).map(String::as_str)
    }

    /// Whether films are being made.
    pub fn is_busy(&self) -> bool {
        self.worker.is_busy()
    }

    /// Takes in what was made, and asks for what is missing. Never waits.
    pub fn advance(&mut self) {
        for made in self.worker.drain() {
            if made.root != self.root {
                continue;
            }
            if let Some(problem) = made.problem {
                self.problems.insert(made.step, problem);
            }
            if let Some(grid) = made.grid {
                self.grids.insert(made.step, Arc::new(grid));
            }
            if let Some(image) = made.image {
                self.cells.insert((made.step, made.cell), Arc::new(image));
            }
        }
        let Some(index) = self.index() else { return };
        let step = self.stages[index].step;
        while self.grids.len() > GRIDS {
            let far = self.grids.keys().copied().max_by_key(|&other| other.abs_diff(step));
            far.map(|far| self.grids.remove(&far));
        }
        if self.cells.len() > CELLS {
            let cell = self.cell;
            self.cells.retain(|(_, own), _| *own == cell);
        }
        let wanted = (self.stages.len(), step, self.cell);
        if self.wanted == Some(wanted) {
            return;
        }
        self.wanted = Some(wanted);
        let mut order: Vec<usize> = (0..self.stages.len()).collect();
        order.sort_by_key(|&i| i.abs_diff(index));
        let missing = order.into_iter().filter_map(|i| {
            let stage = &self.stages[i];
            let whole = i == index && !self.grids.contains_key(&stage.step);
            let needed = whole || !self.cells.contains_key(&(stage.step, self.cell));
            (needed && !self.problems.contains_key(&stage.step)).then(|| (stage.clone(), whole))
        });
        let stages: Vec<(Stage, bool)> = missing.collect();
        if !stages.is_empty() {
            self.worker.ask(Job { root: self.root.clone(), stages, cell: self.cell });
        }
    }
}

/// A grid as brightness 0 to 1.
fn read_grid(path: &Path) -> Result<Radiograph, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    radiograph::decode_png(&bytes).map(|(image, _)| image).map_err(|error| format!("{}: {error}", path.display()))
}

/// Side of the images in a grid, and its number of rows.
pub fn shape(grid: [usize; 2]) -> (usize, usize) {
    let side = (grid[0] / COLUMNS).max(1);
    (side, grid[1] / side)
}

/// The image at one place of a grid.
pub fn cut(grid: &Radiograph, (column, row): Cell) -> Option<Radiograph> {
    let (side, rows) = shape([grid.width(), grid.height()]);
    if column >= COLUMNS || row >= rows {
        return None;
    }
    let line = |y: usize| {
        let from = (row * side + y) * grid.width() + column * side;
        &grid.pixels()[from..from + side]
    };
    let pixels: Vec<f32> = (0..side).flat_map(line).copied().collect();
    Radiograph::new(side, side, pixels, Meaning::Density).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_cut_out_of_its_place() {
        let pixels: Vec<f32> = (0..16 * 4).map(|i| i as f32).collect();
        let grid = Radiograph::new(16, 4, pixels, Meaning::Density).unwrap();
        assert_eq!(shape([16, 4]), (2, 2));
        assert_eq!(cut(&grid, (3, 1)).unwrap().pixels(), [38.0, 39.0, 54.0, 55.0]);
        assert!(cut(&grid, (8, 0)).is_none() && cut(&grid, (0, 2)).is_none());
    }
}
