//! What a run will need, measured before it starts: a few real steps of few images at the largest side.
//!
//! Memory grows with the images that are computed at a time, on top of what does not: weights, gradients, Adam's two
//! means, the average. Two measures of different size give both parts. On a GPU the framework does not tell its memory, so
//! that only the part that can be counted is given there.

use std::time::Instant;

use serde::Serialize;

use super::TrainingError;
use super::micro_batch::{self, GROUP};
use super::reals::{Draw, RadiographSource};
use super::spec::{Loss, RunSpec};
use super::state::State;
use crate::compute::memory;

/// Images of the two measures.
const SIZES: [usize; 2] = [GROUP, 2 * GROUP];

/// What a run will need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// What it was measured on.
    pub device: String,
    /// Numbers in the generator and in the critic.
    pub parameters: [usize; 2],
    /// Bytes of weights, gradients, Adam's means and the average: what does not depend on the minibatch.
    pub fixed_bytes: u64,
    /// Bytes that each image of a minibatch adds at the largest side; `None` where they could not be measured.
    pub bytes_per_image: Option<u64>,
    /// Images of a minibatch at the largest side, and how many of them are computed at a time.
    pub batch: [usize; 2],
    /// Bytes at the largest side, all told; `None` where they could not be measured.
    pub bytes: Option<u64>,
    /// Bytes that the machine could give.
    pub available: u64,
    /// The micro-batch that fits, where what the spec asks for does not; 0 where not even four images fit.
    pub proposed_micro_batch: Option<usize>,
    /// Images per second at the largest side.
    pub images_per_second: f64,
    /// Seconds of the whole run, if every doubling of the side divides the speed by 3; measures of quality not counted.
    pub seconds: f64,
}

/// Bytes of weights, gradients and Adam's two means of generator and critic, and of the generator's average, for these
/// numbers of parameters.
pub fn fixed_bytes([generator, critic]: [usize; 2]) -> u64 {
    4 * (5 * generator as u64 + 4 * critic as u64)
}

/// Takes a few steps at the largest side and says what the whole run will need. Nothing is written.
///
/// # Errors
/// As for training.
pub fn estimate(spec: &RunSpec, source: &dyn RadiographSource) -> Result<Estimate, TrainingError> {
    let opened = spec.device.open();
    let labels = source.facts().vocabulary.len();
    let level = spec.schedule.levels.last().copied();
    let batch = level.map_or(GROUP, |level| level.batch);
    let at_a_time = spec.micro_batch.map_or(batch, |most| most.min(batch).max(GROUP.min(batch)));
    let available = memory::available();
    let mut state = State::new(spec, labels, &opened.device)?;
    let parameters = [state.generator.count(), state.critic.count()];
    let fixed_bytes = fixed_bytes(parameters);

    let mut draw = Draw::new(source, spec.seed, spec.data.balanced);
    let mut shrunk = spec.clone();
    (shrunk.micro_batch, shrunk.anchor) = (None, None);
    // The smaller measure is taken first: memory that it leaves cached belongs to the larger one too.
    let mut measured = Vec::new();
    for size in SIZES.map(|size| size.min(batch)) {
        // Only the last level is left, so that the network has its full size from the first step on.
        shrunk.schedule.levels = level.map(|level| super::spec::Level { batch: size, ..level }).into_iter().collect();
        let known = memory::forget_peak();
        let before = memory::held();
        let mut seconds = 0.0;
        let [first, others] = match spec.loss {
            // One step with the penalty, and one without that stands for all others.
            Loss::R1 { every, .. } => [1.0 / every as f64, 1.0 - 1.0 / every as f64],
            Loss::WganGp { .. } => [0.5, 0.5],
        };
        state.position.step = 0;
        for weight in [first, others] {
            let started = Instant::now();
            state.step(&shrunk, source, &mut draw)?;
            seconds += weight * started.elapsed().as_secs_f64();
        }
        let bytes = (known && opened.device.is_cpu()).then(|| memory::peak().saturating_sub(before));
        measured.push((size, bytes, seconds));
    }
    let (small, large) = (measured[0], measured[measured.len() - 1]);
    let each = match (small, large) {
        ((a, Some(x), _), (b, Some(y), _)) if b > a && y > x => Some((y - x) / (b - a) as u64),
        ((a, Some(x), _), _) => Some(x / a as u64),
        _ => None,
    };
    let bytes = each.map(|each| fixed_bytes + each * at_a_time as u64);
    let proposed_micro_batch = match (each, bytes) {
        (Some(each), Some(bytes)) if bytes > available => {
            Some(micro_batch::that_fits(available, fixed_bytes, each, batch).unwrap_or(0))
        }
        _ => None,
    };
    let images_per_second = large.0 as f64 / large.2.max(1e-9);
    let seconds = spec.schedule.seconds_at(images_per_second);
    Ok(Estimate {
        device: opened.words().to_owned(),
        parameters,
        fixed_bytes,
        bytes_per_image: each,
        batch: [batch, at_a_time],
        bytes,
        available,
        proposed_micro_batch,
        images_per_second,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::device::DeviceChoice;
    use crate::generator::Family;
    use crate::training::presets::preset;
    use crate::training::reals::tests::Shapes;
    use crate::training::spec::Level;

    #[test]
    fn an_estimate_counts_the_parameters_and_asks_for_smaller_parts_where_memory_is_short() {
        crate::compute::init();
        let mut spec = preset("small-32", Family::ProgGan).unwrap();
        (spec.network.resolution, spec.network.latent, spec.device) = (16, 8, DeviceChoice::Cpu);
        (spec.network.feature_base, spec.network.feature_max) = (64, 8);
        let level = |side, stable_kimg| Level { side, batch: 16, fade_kimg: 0.0, stable_kimg };
        spec.schedule.levels = vec![level(8, 1.0), level(16, 0.0)];
        spec.schedule.total_kimg = 2.0;
        let found = estimate(&spec, &Shapes::new()).unwrap();
        let shape = spec.architecture(2);
        let count = |list: Vec<crate::generator::architecture::Parameter>| {
            list.iter().map(crate::generator::architecture::Parameter::count).sum::<usize>()
        };
        assert_eq!(found.parameters, [count(shape.generator()), count(shape.critic())]);
        assert_eq!(found.batch, [16, 16]);
        // 1 kimg at 16 px and 1 at 8 px, three times as fast.
        let expected = 1000.0 / found.images_per_second * (1.0 + 1.0 / 3.0);
        assert!((found.seconds - expected).abs() < 1e-6 * expected, "{found:?}");
        spec.micro_batch = Some(8);
        assert_eq!(estimate(&spec, &Shapes::new()).unwrap().batch, [16, 8]);
    }
}
