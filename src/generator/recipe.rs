//! The recipe: everything that fixes one sample. Same recipe, same pixels.
//!
//! It reads and writes as one line of text, which travels in exported files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::compute::random;

/// Keyword under which a recipe travels in PNG text chunks.
pub const PNG_KEYWORD: &str = "negatoscope-recipe";

/// Everything that fixes one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Identity of the generator: the first 16 hex digits of its file's SHA-256.
    pub generator: String,
    /// Seed of the latent stream.
    pub seed: u64,
    /// Findings that are not zero, by name, with their strength (0 to 1, beyond on purpose only).
    pub findings: Vec<(String, f32)>,
    /// Each latent coordinate is drawn anew until it lies within ±truncation; `None` draws the whole normal.
    pub truncation: Option<f32>,
    /// Position on the latent plane through this seed; (0, 0) is the seed itself.
    pub plane: [f32; 2],
    /// Steps along principal directions: component number and standard deviations.
    pub directions: Vec<(u16, f32)>,
}

/// Why a line of text is not a recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a recipe: {0}; a recipe looks like \"recipe/1 generator=0123456789abcdef; seed=7; finding=Edema:1\"")]
pub struct RecipeError(String);

impl Recipe {
    /// The sample of this seed with no finding switched on.
    pub fn new(generator: impl Into<String>, seed: u64) -> Self {
        Self {
            generator: generator.into(),
            seed,
            findings: Vec::new(),
            truncation: None,
            plane: [0.0; 2],
            directions: Vec::new(),
        }
    }

    /// Strength of a finding; 0 where it is not named.
    pub fn strength(&self, finding: &str) -> f32 {
        self.findings.iter().find(|(name, _)| name == finding).map_or(0.0, |&(_, strength)| strength)
    }

    /// Sets the strength of a finding; 0 removes it.
    pub fn set_strength(&mut self, finding: &str, strength: f32) {
        self.findings.retain(|(name, _)| name != finding);
        if strength != 0.0 {
            self.findings.push((finding.to_owned(), strength));
        }
    }

    /// Standard deviations along a principal direction; 0 where it is not named.
    pub fn direction(&self, component: u16) -> f32 {
        self.directions.iter().find(|(k, _)| *k == component).map_or(0.0, |&(_, sigma)| sigma)
    }

    /// Sets the step along a principal direction; 0 removes it.
    pub fn set_direction(&mut self, component: u16, sigma: f32) {
        self.directions.retain(|(k, _)| *k != component);
        if sigma != 0.0 {
            self.directions.push((component, sigma));
            self.directions.sort_by_key(|&(k, _)| k);
        }
    }

    /// The latent vector before principal directions are added: `length` standard-normal coordinates.
    ///
    /// On the plane, z = (z₀ + u·a + v·b) / √(1 + u² + v²) with a and b drawn like z₀: wherever the hand drags, z keeps
    /// the distribution that the generator was trained on.
    pub fn latent(&self, length: usize) -> Vec<f32> {
        let draw = |purpose: &str| {
            let mut rng = random::stream(self.seed, purpose);
            match self.truncation {
                Some(limit) => random::truncated_normals(&mut rng, length, limit),
                None => random::normals(&mut rng, length),
            }
        };
        let mut z = draw("latent");
        let [u, v] = self.plane;
        if self.plane != [0.0; 2] {
            let (a, b) = (draw("latent plane, across"), draw("latent plane, down"));
            let shrink = (1.0 + u * u + v * v).sqrt().recip();
            for ((z, a), b) in z.iter_mut().zip(a).zip(b) {
                *z = (*z + u * a + v * b) * shrink;
            }
        }
        z
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipe/1 generator={}; seed={}", escape(&self.generator), self.seed)?;
        for (name, strength) in &self.findings {
            write!(f, "; finding={}:{strength}", escape(name))?;
        }
        if let Some(truncation) = self.truncation {
            write!(f, "; truncation={truncation}")?;
        }
        if self.plane != [0.0; 2] {
            write!(f, "; plane={}:{}", self.plane[0], self.plane[1])?;
        }
        for (component, sigma) in &self.directions {
            write!(f, "; direction={component}:{sigma}")?;
        }
        Ok(())
    }
}

impl FromStr for Recipe {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let wrong = |what: String| RecipeError(what);
        let text = text.trim();
        if text.len() > 65_536 {
            return Err(wrong("it is longer than 64 KiB".to_owned()));
        }
        let rest =
            text.strip_prefix("recipe/1 ").ok_or_else(|| wrong("it does not begin with \"recipe/1\"".to_owned()))?;
        let mut recipe = Self::new(String::new(), 0);
        let (mut named, mut seeded) = (false, false);
        for part in rest.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(format!("\"{part}\" has no =")))?;
            let number = |value: &str| match value.trim().parse::<f32>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(wrong(format!("\"{value}\" in \"{part}\" is not a number"))),
            };
            let pair = || value.rsplit_once(':').ok_or_else(|| wrong(format!("\"{part}\" has no :")));
            match key.trim() {
                "generator" => (recipe.generator, named) = (unescape(value), true),
                "seed" => {
                    recipe.seed =
                        value.trim().parse().map_err(|_| wrong(format!("seed \"{value}\" is not a whole number")))?;
                    seeded = true;
                }
                "finding" => {
                    let (name, strength) = pair()?;
                    recipe.set_strength(&unescape(name), number(strength)?);
                }
                "truncation" => recipe.truncation = Some(number(value)?),
                "plane" => {
                    let (u, v) = pair()?;
                    recipe.plane = [number(u)?, number(v)?];
                }
                "direction" => {
                    let (component, sigma) = pair()?;
                    let component = component.trim().parse();
                    let component = component.map_err(|_| wrong(format!("\"{part}\" names no component")))?;
                    recipe.set_direction(component, number(sigma)?);
                }
                other => return Err(wrong(format!("\"{other}\" is not known to this version"))),
            }
        }
        if named && seeded { Ok(recipe) } else { Err(wrong("it names no generator or no seed".to_owned())) }
    }
}

/// Hides the characters that separate the parts of a recipe.
fn escape(name: &str) -> String {
    name.replace('%', "%25").replace(';', "%3B").replace(':', "%3A").replace('=', "%3D").replace('\n', "%0A")
}

fn unescape(text: &str) -> String {
    let plain = text.trim().replace("%3B", ";").replace("%3A", ":").replace("%3D", "=").replace("%0A", "\n");
    plain.replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recipe_reads_back_from_its_line() {
        let mut recipe = Recipe::new("0123456789abcdef", 7);
        recipe.set_strength("Support Devices", 0.7);
        recipe.set_strength("a:b;c=d%3A", 1.0);
        recipe.truncation = Some(0.7);
        recipe.plane = [0.25, -1.5];
        recipe.set_direction(3, -0.6);
        assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
    }

    #[test]
    fn the_plane_passes_through_the_seed_and_keeps_unit_variance() {
        let mut recipe = Recipe::new("x", 7);
        let origin = recipe.latent(4096);
        recipe.plane = [1.5, -0.5];
        let moved = recipe.latent(4096);
        assert_ne!(origin, moved);
        let variance = moved.iter().map(|v| v * v).sum::<f32>() / 4096.0;
        assert!((variance - 1.0).abs() < 0.08, "{variance}");
    }

    #[test]
    fn what_is_not_a_recipe_says_so() {
        for text in [
            "",
            "recipe/2 seed=1",
            "recipe/1 seed=1",
            "recipe/1 generator=a; seed=-1",
            "recipe/1 generator=a; seed=1; plane=1",
        ] {
            assert!(text.parse::<Recipe>().is_err(), "{text}");
        }
        assert!("recipe/1 generator=a; seed=1; finding=Edema:NaN".parse::<Recipe>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered_without_a_panic(text in "\\PC{0,200}") {
            let _ = text.parse::<Recipe>();
            let _ = format!("recipe/1 {text}").parse::<Recipe>();
        }

        #[test]
        fn any_recipe_round_trips(seed: u64, name in "[a-zA-Z%;:= ]{1,20}", strength in 0.1f32..2.0, u in -3f32..3.0) {
            let mut recipe = Recipe::new("ab", seed);
            recipe.set_strength(name.trim(), strength);
            recipe.plane = [u, 0.5];
            prop_assert_eq!(recipe.to_string().parse::<Recipe>().unwrap(), recipe);
        }
    }
}
