//! The generator that renders recipes: weights, card and directions behind one shared handle.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::directions::{Direction, Directions};
use super::model_file::{self, ModelError, ModelFile, Tensors};
use super::sampler::Sampler;
use super::sampler::graphics::GraphicsSampler;
use super::{ModelCard, Recipe};
use crate::compute::graphics::GraphicsError;
use crate::compute::kernel::Instructions;
use crate::finding::NO_FINDING;
use crate::radiograph::Radiograph;

/// A trained generator, ready to render. Cloning shares it; any thread may render at any time.
#[derive(Debug, Clone)]
pub struct Generator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    card: ModelCard,
    hash: String,
    sampler: Sampler,
    /// Weight of the first dense layer, kept until the directions are asked for.
    first: Vec<f32>,
    directions: OnceLock<Directions>,
}

/// Why a recipe cannot be rendered by this generator.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The recipe names another generator.
    #[error("this recipe is for generator {wanted}, not for \"{name}\" ({id}); open the generator it names")]
    OtherGenerator {
        /// Identity in the recipe.
        wanted: String,
        /// Name of this generator.
        name: String,
        /// Identity of this generator.
        id: String,
    },
    /// The recipe names a finding that the vocabulary does not have.
    #[error("the generator \"{name}\" knows no finding \"{finding}\"; it knows {known}")]
    UnknownFinding {
        /// Name of this generator.
        name: String,
        /// The finding in the recipe.
        finding: String,
        /// All findings it knows, in a row.
        known: String,
    },
    /// The recipe steps along a direction that there is not.
    #[error("the generator \"{name}\" has {count} directions, numbered from 0; the recipe names number {component}")]
    UnknownDirection {
        /// Name of this generator.
        name: String,
        /// How many there are.
        count: usize,
        /// The one in the recipe.
        component: u16,
    },
    /// A number in the recipe is not finite, or truncation is not above zero.
    #[error("the recipe states {what} {value}, which is not possible; set it to a number in its usual range")]
    Value {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: f32,
    },
    /// The network's answer was not finite.
    #[error("the generator \"{name}\" gave no finite image for this recipe: {detail}; take less extreme values")]
    NotFinite {
        /// Name of this generator.
        name: String,
        /// Where, in words.
        detail: String,
    },
    /// The graphics device failed.
    #[error(transparent)]
    Graphics(#[from] GraphicsError),
}

/// How fast a generator renders single samples on this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Median time of one sample, from recipe to radiograph.
    pub median: Duration,
    /// Time that nineteen in twenty samples stay under.
    pub slow: Duration,
    /// Samples that were timed.
    pub samples: usize,
}

impl Pace {
    /// Samples per second at the median time.
    pub fn per_second(&self) -> f64 {
        self.median.as_secs_f64().max(1e-9).recip()
    }
}

impl Generator {
    /// Reads a model file and packs its weights for this processor. Takes up to a second at paper width: call it off
    /// the window's thread.
    ///
    /// # Errors
    /// As [`model_file::read`].
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let ModelFile { card, hash, tensors } = model_file::read(path)?;
        Ok(Self::from_parts(card, tensors, hash))
    }

    /// From a checked card, its tensors, and the hash (64 hex digits) of the file they came from.
    ///
    /// # Panics
    /// When the tensors are not those of the card's architecture; [`model_file::read`] has checked it.
    pub fn from_parts(card: ModelCard, mut tensors: Tensors, hash: String) -> Self {
        let sampler = Sampler::new(&card.architecture, &tensors, Instructions::best());
        let first = tensors.remove("g.4.dense.weight").map(|(_, values)| values).unwrap_or_default();
        Self(Arc::new(Inner { card, hash, sampler, first, directions: OnceLock::new() }))
    }

    /// What it is.
    pub fn card(&self) -> &ModelCard {
        &self.0.card
    }

    /// Its identity in recipes: the first 16 hex digits of the file's SHA-256.
    pub fn id(&self) -> &str {
        id_of(&self.0.hash)
    }

    /// SHA-256 of its file, 64 hex digits.
    pub fn hash(&self) -> &str {
        &self.0.hash
    }

    /// Name of the vector instructions it computes with.
    pub fn instructions(&self) -> &'static str {
        self.0.sampler.instructions().name()
    }

    /// Its principal directions, the one that explains most first; at most 32. Computed when first asked for, in some
    /// tenths of a second at paper width.
    pub fn directions(&self) -> &[Direction] {
        self.all_directions().list()
    }

    fn all_directions(&self) -> &Directions {
        let architecture = &self.0.card.architecture;
        let compute = || Directions::of(&self.0.first, architecture.input(), architecture.latent);
        self.0.directions.get_or_init(compute)
    }

    /// A recipe for this generator: the seed with no finding named.
    pub fn recipe(&self, seed: u64) -> Recipe {
        Recipe::new(self.id(), seed)
    }

    /// The latent vector of a recipe, its directions included.
    ///
    /// # Errors
    /// [`RenderError`] for a recipe of another generator, an unknown direction, or a number that is not possible.
    pub fn latent(&self, recipe: &Recipe) -> Result<Vec<f32>, RenderError> {
        if recipe.generator != self.id() {
            let (name, id) = (self.0.card.name.clone(), self.id().to_owned());
            return Err(RenderError::OtherGenerator { wanted: recipe.generator.clone(), name, id });
        }
        let finite =
            |what, value: f32| if value.is_finite() { Ok(()) } else { Err(RenderError::Value { what, value }) };
        if let Some(value) = recipe.truncation {
            finite("truncation", value)?;
            if value <= 0.0 {
                return Err(RenderError::Value { what: "truncation", value });
            }
        }
        recipe.plane.iter().try_for_each(|&value| finite("plane", value))?;
        let mut z = recipe.latent(self.0.card.architecture.latent);
        for &(component, sigma) in &recipe.directions {
            finite("direction", sigma)?;
            let directions = self.all_directions();
            let vector = directions.vector(component).ok_or_else(|| RenderError::UnknownDirection {
                name: self.0.card.name.clone(),
                count: directions.list().len(),
                component,
            })?;
            for (z, v) in z.iter_mut().zip(vector) {
                *z += sigma * v;
            }
        }
        Ok(z)
    }

    /// The label vector of a recipe: each finding's strength at its place.
    ///
    /// Neither network was ever trained with all labels zero (DuMont Schütte 2021). So a recipe that
    /// switches no finding on gets "No Finding" at 1 where the vocabulary has it; where it has not, zeros.
    ///
    /// # Errors
    /// [`RenderError`] for an unknown finding or a strength that is not finite.
    pub fn labels(&self, recipe: &Recipe) -> Result<Vec<f32>, RenderError> {
        let ModelCard { name, vocabulary, .. } = &self.0.card;
        let mut labels = vec![0.0; vocabulary.len()];
        for (finding, strength) in &recipe.findings {
            let place = vocabulary.position(finding).ok_or_else(|| RenderError::UnknownFinding {
                name: name.clone(),
                finding: finding.clone(),
                known: vocabulary.findings.join(", "),
            })?;
            if !strength.is_finite() {
                return Err(RenderError::Value { what: "strength", value: *strength });
            }
            labels[place] = *strength;
        }
        if labels.iter().all(|&label| label == 0.0)
            && let Some(place) = vocabulary.position(NO_FINDING)
        {
            labels[place] = 1.0;
        }
        Ok(labels)
    }

    /// The sample of a recipe. Same recipe, same pixels, whatever the number of threads.
    ///
    /// Pixels are in the card's unit, held within its range: beyond it the network was never shown what values mean.
    ///
    /// # Errors
    /// [`RenderError`], when the recipe is not one for this generator.
    pub fn render(&self, recipe: &Recipe) -> Result<Radiograph, RenderError> {
        let mut one = self.render_batch(std::slice::from_ref(recipe))?;
        // One recipe gives one radiograph.
        Ok(one.remove(0))
    }

    /// The samples of several recipes, in their order; each has the bits that [`Generator::render`] gives it.
    ///
    /// # Errors
    /// As [`Generator::render`], for the first recipe that fails; nothing is rendered then.
    pub fn render_batch(&self, recipes: &[Recipe]) -> Result<Vec<Radiograph>, RenderError> {
        self.render_with(recipes, |z, y, out| {
            self.0.sampler.sample(z, y, out);
            Ok(())
        })
    }

    /// As [`Generator::render_batch`], on a graphics device: equal to within the rounding of single precision, not to
    /// the bit. `sampler` must be this generator's.
    ///
    /// # Errors
    /// As [`Generator::render`], and [`RenderError::Graphics`] when the device fails.
    pub fn render_on(&self, sampler: &GraphicsSampler, recipes: &[Recipe]) -> Result<Vec<Radiograph>, RenderError> {
        self.render_with(recipes, |z, y, out| Ok(sampler.sample(z, y, out)?))
    }

    fn render_with(
        &self,
        recipes: &[Recipe],
        sample: impl FnOnce(&[f32], &[f32], &mut [f32]) -> Result<(), RenderError>,
    ) -> Result<Vec<Radiograph>, RenderError> {
        let card = &self.0.card;
        let (mut z, mut y) = (Vec::new(), Vec::new());
        for recipe in recipes {
            z.extend(self.latent(recipe)?);
            y.extend(self.labels(recipe)?);
        }
        let side = card.architecture.resolution;
        let mut output = vec![0.0; recipes.len() * side * side];
        sample(&z, &y, &mut output)?;
        let [low, high] = card.range;
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        let radiograph = |image: &[f32]| {
            // NaN passes through `clamp`, and is refused below.
            let pixels = image.iter().map(|v| (middle + half * v).clamp(low, high)).collect();
            Radiograph::new(side, side, pixels, card.meaning)
                .map_err(|error| RenderError::NotFinite { name: card.name.clone(), detail: error.to_string() })
        };
        output.chunks_exact(side * side).map(radiograph).collect()
    }

    /// Times `samples` single samples of different seeds, after one that warms up.
    pub fn pace(&self, samples: usize) -> Pace {
        let samples = samples.max(1);
        let time = |seed| {
            let recipe = self.recipe(seed);
            let start = Instant::now();
            // A plain recipe of this generator fails only where its weights overflow; that takes as long.
            let _ = std::hint::black_box(self.render(&recipe));
            start.elapsed()
        };
        time(0);
        let mut times: Vec<Duration> = (1..=samples as u64).map(time).collect();
        times.sort_unstable();
        Pace { median: times[samples / 2], slow: times[(samples * 19 / 20).min(samples - 1)], samples }
    }
}

/// The part of a file hash that recipes carry.
pub fn id_of(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Vocabulary;
    use crate::generator::Family;
    use crate::generator::testing::{architecture, card, tensors};
    use crate::radiograph::Meaning;

    fn generator(vocabulary: Vocabulary) -> Generator {
        let shape = architecture(Family::CpdGan, 16, 24, vocabulary.len(), 256, 32);
        let card = ModelCard { vocabulary, range: [-10.0, 90.0], meaning: Meaning::Hounsfield, ..card(shape) };
        let tensors = tensors(&shape, 2);
        Generator::from_parts(card, tensors, "0123456789abcdef".repeat(4))
    }

    #[test]
    fn a_recipe_renders_in_the_cards_unit_and_always_alike() {
        let generator = generator(Vocabulary::rsna());
        let mut recipe = generator.recipe(7);
        recipe.set_strength("Subdural", 0.8);
        recipe.set_direction(1, 0.5);
        recipe.plane = [0.3, -0.2];
        let image = generator.render(&recipe).unwrap();
        assert_eq!((image.width(), image.height(), image.meaning()), (16, 16, Meaning::Hounsfield));
        let (low, high) = image.range();
        assert!(low >= -10.0 && high <= 90.0 && high > low, "{low} {high}");
        assert_eq!(generator.render(&recipe).unwrap(), image);
        let others = [generator.recipe(1), recipe.clone(), generator.recipe(2)];
        assert_eq!(generator.render_batch(&others).unwrap()[1], image);
        for change in [
            |r: &mut Recipe| r.set_strength("Subdural", 0.0),
            |r: &mut Recipe| r.set_direction(1, 0.0),
            |r: &mut Recipe| r.plane = [0.0, 0.0],
            |r: &mut Recipe| r.truncation = Some(0.5),
            |r: &mut Recipe| r.seed = 8,
        ] {
            let mut other = recipe.clone();
            change(&mut other);
            assert_ne!(generator.render(&other).unwrap(), image, "{other}");
        }
    }

    #[test]
    fn no_finding_is_said_only_where_the_vocabulary_can_say_it() {
        let with = generator(Vocabulary::rsna());
        assert_eq!(with.labels(&with.recipe(1)).unwrap(), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let mut recipe = with.recipe(1);
        recipe.set_strength("epidural", 0.5);
        assert_eq!(with.labels(&recipe).unwrap(), [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let without = generator(Vocabulary::new("two", ["Mass", "Nodule"]));
        assert_eq!(without.labels(&without.recipe(1)).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn recipes_for_others_say_why_they_cannot_be_rendered() {
        let generator = generator(Vocabulary::rsna());
        let fails = |change: &dyn Fn(&mut Recipe), part: &str| {
            let mut recipe = generator.recipe(1);
            change(&mut recipe);
            let text = generator.render(&recipe).unwrap_err().to_string();
            assert!(text.contains(part), "{text}");
        };
        fails(&|r| r.generator = "ffff".into(), "open the generator it names");
        fails(&|r| r.set_strength("Edema", 1.0), "Intraparenchymal");
        fails(&|r| r.set_direction(99, 1.0), "24 directions");
        fails(&|r| r.set_direction(0, f32::NAN), "direction NaN");
        fails(&|r| r.truncation = Some(0.0), "truncation 0");
        fails(&|r| r.plane = [f32::INFINITY, 0.0], "plane inf");
        fails(&|r| r.set_strength("Epidural", f32::NAN), "strength NaN");
    }

    #[test]
    fn a_step_of_one_is_one_standard_deviation_along_a_unit_vector() {
        let generator = generator(Vocabulary::rsna());
        let mut recipe = generator.recipe(1);
        let before = generator.latent(&recipe).unwrap();
        recipe.set_direction(2, 1.5);
        let after = generator.latent(&recipe).unwrap();
        let step: f32 = before.iter().zip(&after).map(|(a, b)| (b - a).powi(2)).sum();
        assert!((step - 2.25).abs() < 1e-4, "{step}");
        let shares: Vec<f32> = generator.directions().iter().map(|d| d.share).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b) && (shares.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{shares:?}");
    }

    #[test]
    fn pace_is_a_median_of_real_renderings() {
        let pace = generator(Vocabulary::rsna()).pace(5);
        assert!(pace.samples == 5 && pace.median > Duration::ZERO && pace.slow >= pace.median);
        assert!((pace.per_second() * pace.median.as_secs_f64() - 1.0).abs() < 1e-9);
    }
}
