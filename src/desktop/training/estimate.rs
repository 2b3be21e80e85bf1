//! What a run will cost, before it is begun: time from a pace that this machine has shown, else from a stated guess.

use crate::generator::Family;
use crate::training::estimate::fixed_bytes;
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
    /// Bytes of memory at the largest level.
    pub memory: f64,
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
    let levels = spec.schedule.levels.iter().map(|level| level.batch as f64 * activations(spec, level.side));
    let activations = levels.fold(0.0, f64::max);
    let weights = fixed_bytes([generator, critic]) as f64;
    Estimate {
        seconds: spec.schedule.seconds_at(pace),
        measured_on,
        // 64 MB of program.
        memory: weights + 4.0 * activations + 64e6,
        parameters: generator + critic,
    }
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
    fn times_are_said_as_one_plans_with_them() {
        assert_eq!([40.0, 1500.0, 25200.0, 3.2e5].map(about), ["40 s", "25 min", "7.0 h", "3.7 days"]);
        assert_eq!([4.8e8, 2.13e9].map(bytes), ["480 MB", "2.1 GB"]);
    }
}
