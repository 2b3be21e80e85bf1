//! The train fold as training sees it, and the seeded order in which it is drawn.
//!
//! Every draw is a function of (seed, purpose, position), so that a resumed run draws what the unbroken one would have.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use super::anchor::Codes;
use crate::compute::random;
use crate::finding::{Combination, Vocabulary};
use crate::radiograph::{Meaning, Radiograph};

/// Real radiographs to train on: the train fold of a cohort.
pub trait RadiographSource {
    /// What the model card says about them.
    fn facts(&self) -> &TrainFold;

    /// Number of radiographs.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Label vector of radiograph `i`, as long as the vocabulary.
    fn labels(&self, i: usize) -> &[f32];

    /// Radiograph `i` at `side` × `side` pixels.
    ///
    /// # Errors
    /// A sentence naming the radiograph and what is wrong with it.
    fn radiograph(&self, i: usize, side: usize) -> Result<Radiograph, String>;

    /// Which part of the train fold this is, where it is not the whole: a hash of the choice.
    fn part(&self) -> Option<String> {
        None
    }

    /// Radiographs of the same cohort that are never trained on; only measures of quality look at them.
    fn held_out(&self) -> Option<&dyn RadiographSource> {
        None
    }
}

/// What the model card says about a train fold.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainFold {
    /// Name of the cohort.
    pub cohort: String,
    /// The cohort's identity, which the model card carries.
    pub identity: String,
    /// Whether it holds phantoms.
    pub phantom: bool,
    /// Findings in the order of label vectors.
    pub vocabulary: Vocabulary,
    /// What pixel values stand for.
    pub meaning: Meaning,
    /// Pixel values shown to the networks as −1 and +1.
    pub window: [f32; 2],
    /// Patients in the fold.
    pub patients: usize,
    /// Licence of the images, which the weights inherit.
    pub licence: String,
    /// Whom to cite.
    pub citation: String,
}

/// Draws radiographs and label vectors from a source, position by position.
pub struct Draw<'a> {
    source: &'a dyn RadiographSource,
    seed: u64,
    /// Radiographs by finding; `None` draws each equally often.
    by_finding: Option<Vec<Vec<u32>>>,
    /// The order of one pass through the fold, kept because consecutive steps share it.
    pass: Option<(u64, Vec<u32>)>,
    /// Codes of all radiographs, in an anchored run.
    pub codes: Option<Codes>,
}

impl<'a> Draw<'a> {
    /// Prepares to draw; `balanced` first draws a finding, then one of its radiographs.
    pub fn new(source: &'a dyn RadiographSource, seed: u64, balanced: bool) -> Self {
        let by_finding = balanced.then(|| {
            let findings = source.facts().vocabulary.len();
            let mut lists = vec![Vec::new(); findings];
            for i in 0..source.len() {
                for (list, &label) in lists.iter_mut().zip(source.labels(i)) {
                    if label > 0.0 {
                        list.push(i as u32);
                    }
                }
            }
            lists.retain(|list| !list.is_empty());
            lists
        });
        Self { source, seed, by_finding: by_finding.filter(|lists| !lists.is_empty()), pass: None, codes: None }
    }

    /// Which radiographs make the minibatch of step `step`, which begins after `shown` images.
    pub fn batch(&mut self, step: u64, shown: u64, batch: usize) -> Vec<u32> {
        if let Some(lists) = &self.by_finding {
            let mut rng = random::stream(self.seed, &format!("balanced batch, step {step}"));
            return (0..batch).map(|_| one_of(lists, &mut rng)).collect();
        }
        let n = self.source.len() as u64;
        (shown..shown + batch as u64).map(|position| self.in_order(position / n, (position % n) as usize)).collect()
    }

    /// The radiograph at `position` of a shuffled pass.
    fn in_order(&mut self, pass: u64, position: usize) -> u32 {
        if self.pass.as_ref().is_none_or(|(current, _)| *current != pass) {
            let mut order: Vec<u32> = (0..self.source.len() as u32).collect();
            order.shuffle(&mut random::stream(self.seed, &format!("order of pass {pass}")));
            self.pass = Some((pass, order));
        }
        self.pass.as_ref().map_or(0, |(_, order)| order[position])
    }

    /// Label vectors for the generator's step, drawn from the fold's own, `batch` of them one after another.
    pub fn labels(&self, step: u64, batch: usize) -> Vec<f32> {
        let mut rng = random::stream(self.seed, &format!("generator labels, step {step}"));
        let mut labels = Vec::with_capacity(batch * self.source.facts().vocabulary.len());
        for _ in 0..batch {
            let i = match &self.by_finding {
                Some(lists) => one_of(lists, &mut rng),
                None => rng.random_range(0..self.source.len() as u32),
            };
            labels.extend_from_slice(self.source.labels(i as usize));
        }
        labels
    }
}

fn one_of(lists: &[Vec<u32>], rng: &mut impl Rng) -> u32 {
    let list = &lists[rng.random_range(0..lists.len())];
    list[rng.random_range(0..list.len())]
}

/// Pixels and label vectors of the radiographs `items`, one after another; pixels in −1..1.
///
/// # Errors
/// What the source says about a radiograph that it cannot give.
pub fn gather(source: &dyn RadiographSource, items: &[u32], side: usize) -> Result<(Vec<f32>, Vec<f32>), String> {
    let [low, high] = source.facts().window;
    let mut pixels = Vec::with_capacity(items.len() * side * side);
    let mut labels = Vec::with_capacity(items.len() * source.facts().vocabulary.len());
    for &i in items {
        let radiograph = source.radiograph(i as usize, side)?;
        pixels.extend(radiograph.pixels().iter().map(|v| 2.0 * (v.clamp(low, high) - low) / (high - low) - 1.0));
        labels.extend_from_slice(source.labels(i as usize));
    }
    Ok((pixels, labels))
}

/// The `most` label vectors that occur most often, the commonest first; each as its radiographs have it.
pub fn common_labels(source: &dyn RadiographSource, most: usize) -> Vec<Vec<f32>> {
    let mut counts: BTreeMap<Combination, (usize, usize)> = BTreeMap::new();
    for i in 0..source.len() {
        counts.entry(Combination::of(source.labels(i))).or_insert((0, i)).0 += 1;
    }
    let mut ranked: Vec<(usize, usize)> = counts.into_values().collect();
    ranked.sort_by_key(|&(count, first)| (std::cmp::Reverse(count), first));
    ranked.into_iter().take(most).map(|(_, first)| source.labels(first).to_vec()).collect()
}

/// A source small enough to train on in a test.
#[cfg(test)]
pub mod tests {
    use super::*;

    /// Eight discs and squares of 16 × 16 pixels over two findings.
    pub struct Shapes(TrainFold);

    impl Default for Shapes {
        fn default() -> Self {
            Self::new()
        }
    }

    impl Shapes {
        /// The eight of them.
        pub fn new() -> Self {
            Self(TrainFold {
                cohort: "shapes".to_owned(),
                identity: "0".repeat(64),
                phantom: true,
                vocabulary: Vocabulary::new("shapes", ["Disc", "Square"]),
                meaning: Meaning::Density,
                window: [0.0, 1.0],
                patients: 8,
                licence: "CC0".to_owned(),
                citation: String::new(),
            })
        }
    }

    impl RadiographSource for Shapes {
        fn facts(&self) -> &TrainFold {
            &self.0
        }

        fn len(&self) -> usize {
            8
        }

        fn labels(&self, i: usize) -> &[f32] {
            if i == 0 { &[0.0, 1.0] } else { &[1.0, 0.0] }
        }

        fn radiograph(&self, i: usize, side: usize) -> Result<Radiograph, String> {
            let pixels = (0..256).map(|p| {
                let (x, y) = ((p % 16) as f32 - 7.5, (p / 16) as f32 - 7.5);
                let inside = if i == 0 { x.abs().max(y.abs()) < 5.0 } else { x.hypot(y) < 2.0 + i as f32 * 0.5 };
                f32::from(u8::from(inside))
            });
            let full = Radiograph::new(16, 16, pixels.collect(), Meaning::Density).map_err(|e| e.to_string())?;
            full.resized(side, side).map_err(|e| e.to_string())
        }
    }

    #[test]
    fn one_pass_shows_every_radiograph_once_and_repeats_by_seed() {
        let source = Shapes::new();
        let draw = |seed| {
            let mut draw = Draw::new(&source, seed, false);
            (0..4).flat_map(|step| draw.batch(step, step * 4, 4)).collect::<Vec<_>>()
        };
        let order = draw(1);
        for pass in order.chunks(8) {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..8).collect::<Vec<_>>());
        }
        assert_eq!(order, draw(1));
        assert_ne!(order, draw(2));
        // Starting in the middle gives the same second half.
        assert_eq!(Draw::new(&source, 1, false).batch(3, 12, 4), order[12..]);
    }

    #[test]
    fn a_balanced_draw_shows_the_rare_finding_half_the_time() {
        let source = Shapes::new();
        let items = Draw::new(&source, 1, true).batch(0, 0, 2000);
        let rare = items.iter().filter(|&&i| i == 0).count();
        assert!((900..1100).contains(&rare), "{rare}");
    }

    #[test]
    fn pixels_are_scaled_by_the_window_and_clipped() {
        let mut source = Shapes::new();
        source.0.window = [0.0, 0.5];
        let (pixels, labels) = gather(&source, &[0, 1], 16).unwrap();
        assert_eq!((pixels.len(), labels), (512, vec![0.0, 1.0, 1.0, 0.0]));
        assert!(pixels.iter().all(|v| [-1.0, 1.0].contains(v)));
        assert_eq!(common_labels(&source, 5), [vec![1.0, 0.0], vec![0.0, 1.0]]);
    }
}
