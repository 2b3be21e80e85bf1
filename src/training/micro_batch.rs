//! A minibatch computed in parts, for networks whose activations do not fit in memory all at once.
//!
//! The critic compares images in groups of four that lie a quarter of the minibatch apart (DuMont Schütte 2021).
//! Each part takes whole groups, and lies so that its own groups are those of the whole; the sum of the parts'
//! gradients is then the gradient of the whole minibatch, but for the order of additions.

use candle_core::Result;
use candle_core::backprop::GradStore;

use crate::compute::parameters::Parameters;

/// Images that the critic compares with each other.
pub const GROUP: usize = 4;

/// Which images of a minibatch of `n` make up each part of at most `most`; `None` where it is computed in one piece.
pub fn parts(n: usize, most: usize) -> Option<Vec<Vec<u32>>> {
    if n <= most || !n.is_multiple_of(GROUP) {
        return None;
    }
    let groups = n / GROUP;
    let together = (most / GROUP).max(1);
    let part = |first: usize| {
        let own = first..groups.min(first + together);
        (0..GROUP).flat_map(|member| own.clone().map(move |group| (member * groups + group) as u32)).collect()
    };
    Some((0..groups).step_by(together).map(part).collect())
}

/// Whether a device said that its memory does not suffice.
pub fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string().to_lowercase();
    text.contains("out of memory") || text.contains("out_of_memory")
}

/// The next smaller micro-batch than `most` for a minibatch of `n`; `None` where there is none.
pub fn smaller(n: usize, most: Option<usize>) -> Option<usize> {
    let half = most.unwrap_or(n).min(n) / 2 / GROUP * GROUP;
    (half >= GROUP).then_some(half)
}

/// Adds the gradients of `parameters` in `more` to those in `sum`.
///
/// # Errors
/// When the device refuses.
pub fn add(sum: &mut GradStore, more: &GradStore, parameters: &Parameters) -> Result<()> {
    for (_, variable) in parameters.variables() {
        let Some(more) = more.get(variable) else { continue };
        let total = match sum.get(variable) {
            Some(sum) => (sum.detach() + more.detach())?,
            None => more.detach(),
        };
        sum.insert(variable, total);
    }
    Ok(())
}

/// The largest micro-batch that needs no more than `available` bytes, where `n` images need `fixed + n × each`; `None`
/// where not even one group fits.
pub fn that_fits(available: u64, fixed: u64, each: u64, batch: usize) -> Option<usize> {
    let most = available.checked_sub(fixed)? / each.max(1);
    let most = (most.min(batch as u64) as usize) / GROUP * GROUP;
    (most >= GROUP).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::reals::tests::Shapes;
    use crate::training::reals::{Draw, RadiographSource};
    use crate::training::spec::{Anchor, Augment, Average, Level, Loss};
    use crate::training::state::State;
    use candle_core::Device;

    #[test]
    fn parts_hold_whole_groups_in_the_order_that_keeps_them() {
        assert_eq!(parts(8, 8), None);
        assert_eq!(parts(3, 1), None);
        assert_eq!(parts(8, 4).unwrap(), [[0, 2, 4, 6], [1, 3, 5, 7]]);
        assert_eq!(parts(16, 8).unwrap(), [[0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]]);
        // The last part may be smaller; a limit below a group still takes a group.
        assert_eq!(parts(12, 8).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [8, 4]);
        assert_eq!(parts(8, 1).unwrap().len(), 2);
        assert_eq!(
            [None, Some(16), Some(10), Some(4)].map(|most| smaller(64, most)),
            [Some(32), Some(8), Some(4), None]
        );
    }

    #[test]
    fn a_step_in_parts_is_the_step_of_the_whole() {
        crate::compute::init();
        let source = Shapes::new();
        let labels = source.facts().vocabulary.len();
        let anchor = Some(Anchor { alone_kimg: 0.0, weight: 0.5, findings: 1.0, findings_later: None, rate: None });
        let logistic = Loss::R1 { gamma: 1.0, every: 1, label_weight: 1.0 };
        let published = Loss::WganGp { penalty: 10.0, drift: 0.001 };
        for (family, loss, anchor, sizes) in
            [(Family::ProgGan, logistic, anchor, &[8][..]), (Family::CpdGan, published, None, &[4, 8, 12][..])]
        {
            let mut spec = crate::training::presets::preset("small-32", family).unwrap();
            (spec.network.resolution, spec.network.latent) = (16, 8);
            (spec.network.feature_base, spec.network.feature_max) = (64, 8);
            spec.loss = loss;
            spec.average = Average::PerStep { decay: 0.9 };
            spec.schedule.levels = vec![Level { side: 16, batch: 16, fade_kimg: 0.0, stable_kimg: 0.0 }];
            spec.data.augment = Augment::TranslateTone;
            spec.anchor = anchor;
            // Adam divides by the gradient's size: epsilon keeps rounding from deciding the sign of a weight's step.
            spec.optimiser.epsilon = 1e-3;
            let weights = |micro_batch: Option<usize>| {
                let mut state = State::new(&spec, labels, &Device::Cpu).unwrap();
                state.micro_batch.set(micro_batch);
                state.measure_gradients = true;
                let mut draw = Draw::new(&source, 1, false);
                draw.codes = anchor.map(|_| crate::training::anchor::Codes::of(&source, 8, 16, 1).unwrap());
                let figures = state.step(&spec, &source, &mut draw).unwrap();
                let flat = |p: &Parameters| p.to_vecs().unwrap().into_values().flat_map(|t| t.1).collect::<Vec<f32>>();
                (figures, [flat(&state.generator), flat(&state.critic)])
            };
            let (whole, whole_weights) = weights(None);
            for &most in sizes {
                let (parts, part_weights) = weights(Some(most));
                let close = |a: f32, b: f32| assert!((a - b).abs() <= 1e-4 * a.abs().max(0.1), "{family:?} {a} {b}");
                close(whole.critic_loss, parts.critic_loss);
                close(whole.generator_loss, parts.generator_loss);
                close(whole.real_score, parts.real_score);
                close(whole.penalty.unwrap(), parts.penalty.unwrap());
                whole.gradients.unwrap().iter().zip(parts.gradients.unwrap()).for_each(|(&a, b)| close(a, b));
                for (a, b) in whole_weights.iter().zip(&part_weights) {
                    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(worst < 2e-5, "{family:?} {most}: {worst}");
                }
            }
            // Another order would group other images together and be another step.
            let plain: Vec<u32> = (0..16).collect();
            assert_ne!(super::parts(16, 4).unwrap().concat(), plain);
        }
    }

    #[test]
    fn the_micro_batch_that_fits_is_a_multiple_of_four_within_memory() {
        assert_eq!(that_fits(1000, 200, 50, 64), Some(16));
        assert_eq!(that_fits(1000, 200, 1, 64), Some(64));
        assert_eq!(that_fits(1000, 200, 250, 64), None);
        assert_eq!(that_fits(100, 200, 1, 64), None);
    }
}
