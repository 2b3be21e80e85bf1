//! A and B: the sample that was kept, the live one, and the difference between them.

use std::sync::Arc;

use super::Session;
use crate::desktop::lightbox::{Film, Gpu};
use crate::desktop::render_worker::Sample;
use crate::radiograph::Radiograph;

/// B minus A.
pub struct Difference {
    /// The difference as a film.
    pub film: Film,
    /// Mean of the absolute differences, in the films' unit.
    pub mean: f32,
    /// Largest absolute difference.
    pub most: f32,
    of: [Arc<Sample>; 2],
}

impl Difference {
    /// Subtracts pixel by pixel; `None` when the films differ in size or meaning.
    fn between(a: &Arc<Sample>, b: &Arc<Sample>, gpu: Option<&Gpu>) -> Option<Self> {
        let (left, right) = (a.film.image(), b.film.image());
        if a.film.size() != b.film.size() || left.meaning() != right.meaning() {
            return None;
        }
        let pixels: Vec<f32> = left.pixels().iter().zip(right.pixels()).map(|(a, b)| b - a).collect();
        let mean = pixels.iter().map(|v| v.abs()).sum::<f32>() / pixels.len() as f32;
        let most = pixels.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let image = Radiograph::new(left.width(), left.height(), pixels, left.meaning()).ok()?;
        Some(Self { film: Film::new(image, gpu), mean, most, of: [Arc::clone(a), Arc::clone(b)] })
    }
}

impl Session {
    /// The sample on the light box becomes A.
    pub fn keep(&mut self) {
        self.kept.clone_from(&self.sample);
        self.difference = None;
    }

    /// A becomes the live sample, and the live one A.
    pub fn swap(&mut self) {
        let Some(kept) = self.kept.clone() else {
            self.notices.say("There is no A yet. Keep a sample as A first (K).");
            return;
        };
        self.kept.clone_from(&self.sample);
        self.restore(kept.recipe.clone());
    }

    /// B minus A, computed when first asked for after either changed.
    pub fn difference(&mut self) -> Option<&Difference> {
        let (a, b) = (self.kept.as_ref()?, self.sample.as_ref()?);
        let fresh = self.difference.as_ref().is_some_and(|d| Arc::ptr_eq(&d.of[0], a) && Arc::ptr_eq(&d.of[1], b));
        if !fresh {
            self.difference = Difference::between(a, b, self.gpu.as_ref());
        }
        self.difference.as_ref()
    }
}
