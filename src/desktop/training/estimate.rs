//! What a run will cost, before it is begun: time from a pace that this machine has shown, else from a stated guess.

use crate::compute::device::DeviceChoice;
use crate::generator::Family;
use crate::training::estimate::fixed_bytes;
use crate::training::micro_batch::{GROUP, that_fits};
use crate::training::schedule::pace_at;
use crate::training::spec::{Loss, RunSpec};

use super::watcher::Run;

/// What a run will cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds from beginning to end.
    pub seconds: f64,
    /// The run whose pace was measured; `None` for a guess.
    pub measured_on: Option<String>,
    /// Bytes of memory at the level that needs most.
    pub memory: f64,
    /// Bytes of them that do not depend on the minibatch.
    fixed: f64,
    /// Bytes that each image computed at a time adds at full size.
    per_image: f64,
    /// Parameters of both networks.
    pub parameters: usize,
}

/// Estimates a run with `labels` findings; `runs` are those whose pace is known.
pub fn estimate(spec: &RunSpec, labels: usize, runs: &[Run]) -> Estimate {
    let largest = spec.network.resolution;
    let alike = runs.iter().find_map(|run| {
        let (other, figures) = (run.spec.as_ref()?, run.status.figures.as_ref()?);
        let same =
            other.network == spec.network && std::mem::discriminant(&other.loss) == std::mem::discriminant(&spec.loss);
        let known = same && figures.images_per_second > 0.0 && figures.side > 0;
        known.then(|| (pace_at(figures.images_per_second, figures.side, largest), run.status.name.clone()))
    });
    let (pace, measured_on) = match alike {
        Some((pace, name)) => (pace, Some(name)),
        None => (guess(spec), None),
    };
    let architecture = spec.architecture(labels.max(1));
    let generator: usize = architecture.generator().iter().map(crate::generator::architecture::Parameter::count).sum();
    let critic: usize = architecture.critic().iter().map(crate::generator::architecture::Parameter::count).sum();
    let level_bytes = |side| 4.0 * activations(spec, side);
    let levels = spec.schedule.levels.iter();
    let levels = levels.map(|level| at_a_time(level.batch, spec.micro_batch) as f64 * level_bytes(level.side));
    // 64 MB of program.
    let fixed = fixed_bytes([generator, critic]) as f64 + 64e6;
    Estimate {
        seconds: spec.schedule.seconds_at(pace),
        measured_on,
        memory: fixed + levels.fold(0.0, f64::max),
        fixed,
        per_image: level_bytes(largest),
        parameters: generator + critic,
    }
}

impl Estimate {
    /// Why `available` bytes do not suffice, and what to do; `None` where they do, or where their number is not known.
    pub fn shortage(&self, available: u64) -> Option<String> {
        if available == 0 || self.memory <= available as f64 {
            return None;
        }
        // What fits is less than is computed at a time now, so that no minibatch bounds it.
        let remedy = match that_fits(available, self.fixed as u64, self.per_image as u64, usize::MAX) {
            Some(most) => format!("Set a micro-batch of at most {most}, or choose a smaller size."),
            None => "A micro-batch would not help: choose a smaller size.".to_owned(),
        };
        Some(format!("More than the {} that this computer can give now. {remedy}", bytes(available as f64)))
    }
}

/// Whether a run computes in this computer's own memory: builds without a GPU's framework always do.
pub fn is_on_processor(device: DeviceChoice) -> bool {
    device == DeviceChoice::Cpu || !cfg!(any(feature = "cuda", feature = "metal"))
}

/// Images of a minibatch that are computed at a time.
fn at_a_time(batch: usize, micro_batch: Option<usize>) -> usize {
    let groups = micro_batch.filter(|_| batch.is_multiple_of(GROUP)).map(|most| most / GROUP * GROUP);
    groups.map_or(batch, |most| most.max(GROUP).min(batch))
}

/// Images per second at full size, from the pace of a narrow network on two processor cores: 27 at 64 px with R1.
fn guess(spec: &RunSpec) -> f64 {
    let network = &spec.network;
    let width = (network.feature_max as f64 / 64.0).min(network.feature_base as f64 / 1024.0).max(0.25);
    let cores = std::thread::available_parallelism().map_or(2.0, |cores| cores.get() as f64);
    let loss = match spec.loss {
        // The penalty of every step costs about as much as the step.
        Loss::WganGp { .. } => 0.55,
        Loss::R1 { .. } => 1.0,
    };
    pace_at(27.0, 64, network.resolution) * loss * cores / 2.0 / (width * width)
}

/// Numbers that one image keeps alive in a step: about twelve times the features of both networks at every side.
fn activations(spec: &RunSpec, side: usize) -> f64 {
    let network = &spec.network;
    let sides = (2..=side.max(4).ilog2()).map(|power| 1usize << power);
    let features = sides.map(|s| {
        let width = (network.feature_base * 4 / s.max(1)).min(network.feature_max).max(1);
        (s * s * width) as f64
    });
    let convolutions = if network.family == Family::ProgGan { 12.0 } else { 14.0 };
    convolutions * features.sum::<f64>()
}

/// A time as a person plans with it: "40 s", "25 min", "7 h", "3 days".
pub fn about(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "an unknown time".to_owned(),
        s if s < 90.0 => format!("{:.0} s", s.max(1.0)),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 36.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86400.0),
    }
}

/// An amount of memory: "480 MB", "2.1 GB".
pub fn bytes(count: f64) -> String {
    if count < 1e9 { format!("{:.0} MB", count / 1e6) } else { format!("{:.1} GB", count / 1e9) }
}

/// A share of an amount of memory: "3.1 of 150 GB"; the share alone where the whole is not known.
pub fn bytes_of(share: f64, whole: Option<f64>) -> String {
    match whole {
        // A tenth of a gigabyte of a hundred tells nothing.
        Some(whole) if whole >= 1e9 => {
            format!("{:.1} of {:.*} GB", share / 1e9, usize::from(whole < 1e11), whole / 1e9)
        }
        _ => bytes(share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::presets::preset;
    use std::path::PathBuf;
    use std::sync::Arc;

    #[test]
    fn a_pace_that_was_measured_goes_before_a_guess() {
        let spec = preset("small-32", Family::ProgGan).unwrap();
        let guessed = estimate(&spec, 14, &[]);
        assert!(guessed.measured_on.is_none() && guessed.seconds > 60.0 && guessed.memory > 64e6);
        let mut run = Run {
            root: PathBuf::from("/r"),
            status: crate::training::status::RunStatus { name: "before".into(), ..Default::default() },
            spec: Some(Arc::new(spec.clone())),
            problem: None,
            queued: None,
            has_model: false,
            job: None,
            last_words: String::new(),
            made: 0,
        };
        let figures = crate::training::events::Figures { side: 32, images_per_second: 10.0, ..Default::default() };
        run.status.figures = Some(figures);
        let measured = estimate(&spec, 14, std::slice::from_ref(&run));
        assert_eq!(measured.measured_on.as_deref(), Some("before"));
        // 100 kimg at 32 px and 10 images/s.
        let wanted = 100e3 / 10.0;
        assert!((measured.seconds / wanted - 1.0).abs() < 1e-6, "{} {wanted}", measured.seconds);
        let paper = preset("paper-32", Family::ProgGan).unwrap();
        assert!(estimate(&paper, 14, &[run]).seconds > 50.0 * guessed.seconds);
    }

    #[test]
    fn memory_that_does_not_suffice_is_said_with_a_micro_batch_that_would() {
        let mut spec = preset("paper-128", Family::CpdGan).unwrap();
        let whole = estimate(&spec, 14, &[]);
        let half = whole.memory as u64 / 2;
        assert_eq!([0, whole.memory as u64 + 1].map(|available| whole.shortage(available)), [None, None]);
        let text = whole.shortage(half).unwrap();
        let most: usize = text.split("at most ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        spec.micro_batch = Some(most);
        let parts = estimate(&spec, 14, &[]);
        assert!(most < 256 && parts.memory < whole.memory && parts.shortage(half).is_none(), "{text}");
        assert!(whole.shortage(1).unwrap().contains("would not help"));
        assert_eq!(
            [(16, None), (16, Some(10)), (16, Some(64)), (2, Some(8))].map(|(n, m)| at_a_time(n, m)),
            [16, 8, 16, 2]
        );
    }

    #[test]
    fn times_are_said_as_one_plans_with_them() {
        assert_eq!([40.0, 1500.0, 25200.0, 3.2e5].map(about), ["40 s", "25 min", "7.0 h", "3.7 days"]);
        assert_eq!([4.8e8, 2.13e9].map(bytes), ["480 MB", "2.1 GB"]);
        let of = [Some(1.5e11), Some(8.59e9), None].map(|whole| bytes_of(3.12e9, whole));
        assert_eq!(of, ["3.1 of 150 GB", "3.1 of 8.6 GB", "3.1 GB"]);
    }
}
