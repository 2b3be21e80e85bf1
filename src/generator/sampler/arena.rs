//! Memory that is kept from frame to frame, so that sampling allocates nothing once it has run.

use std::sync::{Mutex, PoisonError};

use crate::compute::kernel::Lane;

/// What one call of the sampler works in.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Latent and labels as given, in lanes `[N, input]`.
    pub raw: Vec<Lane>,
    /// The same, normalised.
    pub normal: Vec<Lane>,
    /// γ and β of every conditional norm, `[N, all]`.
    pub affine: Vec<Lane>,
    /// Activations in and out of a layer, `[N, side, side, channels]`.
    pub current: Vec<Lane>,
    /// See `current`.
    pub next: Vec<Lane>,
    /// Intermediate results of a layer that is computed step by step.
    pub big: Vec<Lane>,
    /// The image of this level and of the one below, `[N, side, side]`.
    pub images: [Vec<f32>; 2],
    /// Results of the dense layers before they are put in order.
    pub sums: Vec<Lane>,
}

/// Workspaces and scratch memory that are not in use.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "a boxed workspace is lent and returned without being moved")]
pub struct Arena {
    workspaces: Mutex<Vec<Box<Workspace>>>,
    scratch: Mutex<Vec<Vec<Lane>>>,
}

impl Arena {
    /// A workspace for one call.
    pub fn workspace(&self) -> Box<Workspace> {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps a workspace for the next call.
    pub fn give_back(&self, workspace: Box<Workspace>) {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }

    /// Calls `f` with scratch memory of `lanes` lanes, whose content is left over from before.
    pub fn with_scratch(&self, lanes: usize, f: impl FnOnce(&mut [Lane])) {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        f(room(&mut scratch, lanes));
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    /// Bytes held, for the test that a second frame takes no more.
    #[cfg(test)]
    pub fn held(&self) -> Vec<usize> {
        let workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |w: &Workspace| {
            let lanes = [&w.raw, &w.normal, &w.affine, &w.current, &w.next, &w.big, &w.sums].map(Vec::capacity);
            lanes.iter().sum::<usize>() * 64 + w.images.iter().map(Vec::capacity).sum::<usize>() * 4
        };
        workspaces.iter().map(|w| of(w)).collect()
    }
}

/// The first `lanes` lanes of `memory`, which grows if it must. The content is left over from before.
pub fn room(memory: &mut Vec<Lane>, lanes: usize) -> &mut [Lane] {
    if memory.len() < lanes {
        memory.resize(lanes, Lane::ZERO);
    }
    &mut memory[..lanes]
}

/// As [`room`], for plain numbers.
pub fn numbers(memory: &mut Vec<f32>, count: usize) -> &mut [f32] {
    if memory.len() < count {
        memory.resize(count, 0.0);
    }
    &mut memory[..count]
}
