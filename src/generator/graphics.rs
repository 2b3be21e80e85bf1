//! A generator on a graphics device: brought there from its file, and held against the processor before it is used.

use std::path::Path;
use std::time::{Duration, Instant};

use super::model_file::{self, ModelError};
use super::sampler::graphics::GraphicsSampler;
use super::{Generator, Recipe, RenderError};
use crate::compute::graphics::{Graphics, GraphicsError};

/// Samples that are timed on each side, unless time runs out.
const SAMPLES: usize = 5;

/// Largest difference of a pixel between the two, as a share of the card's range, that rounding can explain.
const ROUNDING: f32 = 1e-3;

/// Why a generator cannot be brought to a graphics device.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// Its file cannot be read again.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its file is another one by now.
    #[error("{0} has changed since it was opened; open it again")]
    Changed(String),
    /// The device cannot take it.
    #[error(transparent)]
    Graphics(#[from] GraphicsError),
}

/// What sampling takes on the processor and on a graphics device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Median time of a sample on the processor.
    pub processor: Duration,
    /// Median time of the same sample on the graphics device, from recipe to pixels.
    pub graphics: Duration,
    /// Largest difference of a pixel, as a share of the card's range.
    pub difference: f32,
}

impl Comparison {
    /// Whether the graphics device is the faster one.
    pub fn is_faster(&self) -> bool {
        self.graphics < self.processor
    }
}

impl Generator {
    /// Reads the weights again from this generator's file and brings them to a graphics device. Takes up to some
    /// seconds at paper width.
    ///
    /// # Errors
    /// [`BringError`] when the file cannot be read or has changed, or the device cannot take the network.
    pub fn bring_to(&self, graphics: &Graphics, path: &Path) -> Result<GraphicsSampler, BringError> {
        let file = model_file::read(path)?;
        if file.hash != self.hash() {
            return Err(BringError::Changed(path.display().to_string()));
        }
        Ok(GraphicsSampler::new(graphics, &self.card().architecture, &file.tensors)?)
    }

    /// Times the same samples on the processor and on a graphics device, after one on each that warms up, and compares
    /// their pixels. Stops early when `patience` is spent or `go_on` says no.
    ///
    /// # Errors
    /// [`RenderError::Graphics`] when the device fails, or draws something else than the processor.
    pub fn compare(
        &self,
        sampler: &GraphicsSampler,
        patience: Duration,
        go_on: impl Fn() -> bool,
    ) -> Result<Comparison, RenderError> {
        let begun = Instant::now();
        let [low, high] = self.card().range;
        let (mut processor, mut graphics, mut difference) = (Vec::new(), Vec::new(), 0.0f32);
        for seed in 0..=SAMPLES as u64 {
            let recipe = Recipe::new(self.id(), seed);
            let start = Instant::now();
            let exact = self.render(&recipe)?;
            let middle = Instant::now();
            let drawn = self.render_on(sampler, std::slice::from_ref(&recipe))?.remove(0);
            let of_graphics = middle.elapsed();
            for (a, b) in exact.pixels().iter().zip(drawn.pixels()) {
                difference = difference.max((a - b).abs() / (high - low));
            }
            if difference > ROUNDING {
                let reason = format!("its pixels differ from the processor's by {difference:.1e} of the range");
                return Err(sampler.graphics().failed(reason).into());
            }
            // The first one warms up; where there is time for no other it has to do.
            let late = begun.elapsed() > patience || !go_on();
            if seed > 0 || late {
                processor.push(middle - start);
                graphics.push(of_graphics);
            }
            if late {
                break;
            }
        }
        processor.sort_unstable();
        graphics.sort_unstable();
        let middle = processor.len() / 2;
        Ok(Comparison { processor: processor[middle], graphics: graphics[middle], difference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::testing::{architecture, card, tensors};
    use crate::generator::{Family, Precision};

    #[test]
    fn a_generator_is_brought_over_from_its_file_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let shape = architecture(Family::CpdGan, 16, 24, 5, 256, 32);
        model_file::write(&path, &card(shape), &tensors(&shape, 2), Precision::F16).unwrap();
        let generator = Generator::load(&path).unwrap();
        let graphics = Graphics::open(None).expect("a driver, in hardware or software");
        let sampler = generator.bring_to(&graphics, &path).unwrap();
        let all = generator.compare(&sampler, Duration::from_secs(30), || true).unwrap();
        assert!(all.processor > Duration::ZERO && all.graphics > Duration::ZERO && all.difference < ROUNDING);
        let one = generator.compare(&sampler, Duration::ZERO, || true).unwrap();
        assert!(one.graphics > Duration::ZERO);
        let mut recipe = generator.recipe(3);
        recipe.set_strength("Finding 1", 0.5);
        let [exact, drawn] =
            [generator.render(&recipe).unwrap(), generator.render_on(&sampler, &[recipe.clone()]).unwrap().remove(0)];
        let off = exact.pixels().iter().zip(drawn.pixels()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-4, "{off}");

        // Another network's weights on the device are noticed, and the device is not trusted again.
        let other = GraphicsSampler::new(&graphics, &shape, &tensors(&shape, 9)).unwrap();
        let text = generator.compare(&other, Duration::ZERO, || true).unwrap_err().to_string();
        assert!(text.contains("differ from the processor's"), "{text}");
        assert!(graphics.has_failed());

        model_file::write(&path, &card(shape), &tensors(&shape, 3), Precision::F16).unwrap();
        let text = generator.bring_to(&graphics, &path).unwrap_err().to_string();
        assert!(text.contains("has changed since it was opened"), "{text}");
    }
}
