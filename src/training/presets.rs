//! Specs by name: the published settings, and small ones for machines without a GPU.

use std::path::{Path, PathBuf};

use super::spec::{
    Anchor, Augment, Average, Data, Guard, Level, Loss, Network, Optimiser, Precision, QualityMeasure, Record, RunSpec,
    Schedule, StopRule, Then,
};
use crate::compute::device::DeviceChoice;
use crate::generator::Family;

/// All preset names.
pub const NAMES: [&str; 8] =
    ["paper-32", "paper-64", "paper-128", "paper-256", "paper-512", "small-32", "small-64", "small-128"];

/// The spec of a preset; name, cohort and seed are left for the user to fill in. `None` for a name not known, and for
/// prog-GAN at 256 and 512 px, whose settings were not published.
///
/// `paper-*` follow the published code (DuMont Schütte 2021). `small-*` are not the paper's: narrow networks, an anchored
/// start, logistic loss with R1, augmentation and a balanced draw, made for cohorts of a few thousand images and two
/// processor cores.
pub fn preset(name: &str, family: Family) -> Option<RunSpec> {
    match name {
        "paper-32" => Some(paper(family, 32, 1400.0, 12_000.0)),
        "paper-64" => Some(paper(family, 64, 1000.0, 14_000.0)),
        "paper-128" => Some(paper(family, 128, 1000.0, 16_000.0)),
        "paper-256" if family == Family::CpdGan => Some(paper(family, 256, 0.0, 12_000.0)),
        "paper-512" if family == Family::CpdGan => Some(paper(family, 512, 0.0, 12_000.0)),
        "small-32" => Some(small(family, 32)),
        "small-64" => Some(small(family, 64)),
        "small-128" => Some(small(family, 128)),
        _ => None,
    }
}

fn blank(family: Family, resolution: usize) -> RunSpec {
    RunSpec {
        name: "my-model".to_owned(),
        cohort: PathBuf::from("my-cohort"),
        seed: 1000,
        network: Network {
            family,
            resolution,
            latent: 512,
            feature_base: if family == Family::ProgGan { 8192 } else { 16384 },
            feature_max: 512,
        },
        loss: Loss::WganGp { penalty: 10.0, drift: 0.001 },
        schedule: Schedule { total_kimg: 1.0, levels: Vec::new() },
        optimiser: Optimiser::default(),
        average: Average::default(),
        data: Data::default(),
        record: Record { sample_kimg: 100.0, checkpoint_kimg: 100.0, ..Record::default() },
        anchor: None,
        quality: QualityMeasure::default(),
        guard: Guard::default(),
        micro_batch: None,
        precision: Precision::default(),
        device: DeviceChoice::default(),
        start_from: None,
    }
}

fn paper(family: Family, resolution: usize, level_kimg: f64, total_kimg: f64) -> RunSpec {
    let mut spec = blank(family, resolution);
    spec.schedule.total_kimg = total_kimg;
    // A tick has so many kimg at this side; every fourth is measured, and counts from the earliest on.
    let (tick, from_kimg, patience) = match resolution {
        32 => (100.0, 7000.0, 2),
        64 => (80.0, 7000.0, 2),
        128 => (60.0, 9000.0, 2),
        256 => (40.0, 6000.0, 3),
        _ => (20.0, 6000.0, 3),
    };
    spec.record.quality_kimg = 4.0 * tick;
    let stop = Some(StopRule { from_kimg, patience });
    spec.quality = QualityMeasure { count: 10_000, stop, ..QualityMeasure::default() };
    // As published, nothing is done about losses but to skip a step; a run that cannot recover ends with a sentence.
    spec.guard = Guard { steps: 1000, loss: 1e12, then: Then::Stop, ..Guard::default() };
    if family == Family::CpdGan {
        spec.optimiser.rate = 0.005;
        // At 256 and 512 px the minibatch of the final runs; the search for a rate before them used 256.
        let batch = match resolution {
            256 => 160,
            512 => 64,
            _ => 256,
        };
        spec.schedule.levels = vec![Level { side: resolution, batch, fade_kimg: 0.0, stable_kimg: 0.0 }];
        return spec;
    }
    let batches = [(8, 256), (16, 128), (32, 64), (64, 32), (128, 16)];
    spec.schedule.levels = batches
        .into_iter()
        .filter(|&(side, _)| side <= resolution)
        .map(|(side, batch)| Level {
            side,
            batch,
            fade_kimg: if side == 8 { 0.0 } else { level_kimg },
            stable_kimg: level_kimg,
        })
        .collect();
    spec
}

fn small(family: Family, resolution: usize) -> RunSpec {
    let mut spec = blank(family, resolution);
    spec.network.latent = 64;
    spec.network.feature_base = 1536;
    spec.network.feature_max = 64;
    spec.loss = Loss::R1 { gamma: 1.0, every: 8, label_weight: 0.5 };
    spec.optimiser.rate = 0.003;
    spec.optimiser.settle = 0.2;
    spec.average = Average::HalfLife { kimg: 5.0 };
    spec.data = Data { augment: Augment::Translate, balanced: true };
    spec.record = Record { sample_kimg: 5.0, checkpoint_kimg: 5.0, quality_kimg: 20.0, ..Record::default() };
    spec.quality.count = 1000;
    // The anchor teaches anatomy and the findings' average effects in minutes; then the critic alone says what they look like.
    let rate = Some(if family == Family::CpdGan { 0.02 } else { 0.012 });
    spec.anchor = Some(Anchor { alone_kimg: 10.0, weight: 1.0, findings: 10.0, findings_later: Some(0.0), rate });
    let level = |side, fade_kimg, stable_kimg| Level { side, batch: 16, fade_kimg, stable_kimg };
    let growing = [level(32, 0.0, 60.0), level(64, 6.0, 40.0), level(128, 6.0, 0.0)];
    spec.schedule = match family {
        Family::CpdGan => Schedule { total_kimg: 100.0, levels: vec![level(resolution, 0.0, 0.0)] },
        Family::ProgGan => Schedule {
            total_kimg: match resolution {
                32 => 100.0,
                64 => 130.0,
                _ => 160.0,
            },
            levels: growing.into_iter().filter(|level| level.side <= resolution).collect(),
        },
    };
    spec
}

/// The largest side that a run can be taken on to.
const LARGEST: usize = 512;

/// The spec of a run that takes a cpD-GAN on at twice its side, from a checkpoint; `None` for prog-GAN, which grows by itself,
/// and beyond 512 px.
///
/// What the levels of the smaller network say of findings is learnt already, so they move little from here on. The new level
/// first learns by itself, at the anchor's rate, to fill in what the smaller image leaves open, and then with the critic.
pub fn grown(spec: &RunSpec, checkpoint: &Path) -> Option<RunSpec> {
    let (from, side) = (spec.network.resolution, spec.network.resolution * 2);
    if spec.network.family != Family::CpdGan || side > LARGEST {
        return None;
    }
    let mut grown = spec.clone();
    let stem = spec.name.strip_suffix(&format!("-{from}")).unwrap_or(&spec.name);
    grown.name = format!("{stem}-{side}");
    grown.start_from = Some(checkpoint.to_path_buf());
    grown.network.resolution = side;
    grown.schedule.total_kimg = 26.0;
    grown.schedule.levels.iter_mut().for_each(|level| level.side = side);
    (grown.optimiser.below, grown.optimiser.settle) = (Some(0.03), 0.4);
    grown.average = Average::HalfLife { kimg: 2.0 };
    let weight = spec.anchor.map_or(0.2, |anchor| anchor.weight);
    grown.anchor = Some(Anchor { alone_kimg: 3.0, weight, findings: 0.0, findings_later: None, rate: Some(0.02) });
    // A rule made for a run from nothing would not begin to count.
    grown.quality.stop = None;
    Some(grown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_the_papers_have_the_papers_width() {
        for family in [Family::ProgGan, Family::CpdGan] {
            for spec in NAMES.iter().filter_map(|name| preset(name, family)) {
                spec.validate().unwrap();
                if spec.quality.stop.is_some() {
                    let resolution = spec.network.resolution;
                    let published = crate::generator::Architecture::paper(family, resolution, 14);
                    assert_eq!(spec.architecture(14), published);
                    assert_eq!(spec.data, Data::default());
                }
            }
        }
        assert!(preset("huge", Family::ProgGan).is_none());
    }

    #[test]
    fn a_run_is_taken_on_at_twice_its_side_by_a_valid_spec() {
        let spec = preset("small-32", Family::CpdGan).unwrap();
        let once = grown(&RunSpec { name: "chest-32".into(), ..spec }, Path::new("a.safetensors")).unwrap();
        let twice = grown(&once, Path::new("b.safetensors")).unwrap();
        for (spec, name, side, start) in [(&once, "chest-64", 64, "a"), (&twice, "chest-128", 128, "b")] {
            spec.validate().unwrap();
            assert_eq!((spec.name.as_str(), spec.network.resolution, spec.schedule.levels[0].side), (name, side, side));
            assert_eq!(spec.start_from, Some(PathBuf::from(format!("{start}.safetensors"))));
        }
        assert!(grown(&preset("paper-512", Family::CpdGan).unwrap(), Path::new("a")).is_none());
        assert!(grown(&preset("small-32", Family::ProgGan).unwrap(), Path::new("a")).is_none());
    }

    #[test]
    fn the_papers_batches_rates_caps_and_stop_rules_are_those_of_its_tables() {
        // DuMont Schütte 2021: side, minibatch, rate, cap and earliest measure in kimg, patience.
        let table = [
            (32, 256, 0.005, 12_000.0, 7000.0, 2),
            (64, 256, 0.005, 14_000.0, 7000.0, 2),
            (128, 256, 0.005, 16_000.0, 9000.0, 2),
            (256, 160, 0.005, 12_000.0, 6000.0, 3),
            (512, 64, 0.005, 12_000.0, 6000.0, 3),
        ];
        for (side, batch, rate, cap, from_kimg, patience) in table {
            let spec = preset(&format!("paper-{side}"), Family::CpdGan).unwrap();
            assert_eq!(spec.schedule.levels.len(), 1);
            assert_eq!((spec.schedule.levels[0].side, spec.schedule.levels[0].batch), (side, batch));
            assert_eq!((spec.optimiser.rate, spec.schedule.total_kimg), (rate, cap));
            assert_eq!(spec.quality.stop, Some(StopRule { from_kimg, patience }));
            assert_eq!(spec.quality.count, 10_000);
            let prog = preset(&format!("paper-{side}"), Family::ProgGan);
            assert_eq!(prog.is_some(), side <= 128);
            if let Some(prog) = prog {
                assert_eq!((prog.optimiser.rate, prog.schedule.total_kimg), (0.001, cap));
                assert_eq!(prog.quality, spec.quality);
            }
        }
        // At 32 px a tick is 100 kimg and every fourth is measured.
        assert_eq!(preset("paper-32", Family::ProgGan).unwrap().record.quality_kimg, 400.0);
    }
}
