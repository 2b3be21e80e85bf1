//! Sweeps by name: the published constructions, small ones for a laptop, and a demonstration that needs no data.

use std::path::Path;

use super::spec::{ClassPoint, ClassifierSetting, Factor, GeneratorSetting, Phantoms, RankedOn, Seed, SweepSpec};
use crate::generator::Family;
use crate::training::spec::Anchor;

/// All preset names.
pub const NAMES: [&str; 11] = [
    "paper-classes",
    "paper-samples",
    "paper-resolution",
    "paper-classes-brain",
    "paper-samples-brain",
    "paper-resolution-brain",
    "small-classes",
    "small-samples",
    "small-resolution",
    "small-mix",
    "demo",
];

/// Slices without a haemorrhage that the published brain cohort keeps (DuMont Schütte 2021).
const BRAIN_NO_FINDING: Option<usize> = Some(107_365);

/// The sweep of a name, on this pack; `None` for a name not known. `demo` draws its own phantoms.
///
/// `paper-*` are the published constructions with the published networks (DuMont Schütte 2021): days on a
/// GPU. `small-*` keep the constructions, with narrow networks, short training and the small classifier: not the paper's
/// numbers, but its question, in minutes to hours on two processor cores.
pub fn preset(name: &str, cohort: &Path) -> Option<SweepSpec> {
    let generators = |preset: &str, kimg: Option<f64>| {
        let setting = |family: Family| GeneratorSetting {
            name: family.name().to_owned(),
            family,
            preset: preset.to_owned(),
            kimg,
            width: None,
            anchor: None,
            spec: None,
        };
        vec![setting(Family::CpdGan), setting(Family::ProgGan)]
    };
    let paper = |factor: Factor| SweepSpec {
        name: name.to_owned(),
        cohort: Some(cohort.to_path_buf()),
        phantom: None,
        as_published: false,
        seeds: vec![Seed::Same(1000), Seed::Same(2000), Seed::Same(3000)],
        factor,
        generators: generators("paper", None),
        classifier: ClassifierSetting {
            preset: "densenet121".to_owned(),
            epochs: None,
            epoch_images: None,
            weights: None,
        },
    };
    let small = |factor: Factor| SweepSpec {
        seeds: vec![Seed::Same(1), Seed::Same(2), Seed::Same(3)],
        generators: light(15.0, 12.0, 32),
        classifier: ClassifierSetting {
            preset: "small".to_owned(),
            epochs: Some(12),
            epoch_images: Some(960),
            weights: None,
        },
        ..paper(factor)
    };
    let classes = |points: &[(usize, usize)]| {
        points.iter().map(|&(classes, train)| ClassPoint { classes, train }).collect::<Vec<_>>()
    };
    Some(match name {
        "paper-classes" => paper(Factor::Classes {
            resolution: 32,
            least_count: 256,
            no_finding: None,
            ranked_on: RankedOn::All,
            shuffled: true,
            grid: classes(&[(20, 1450), (15, 1600), (10, 2000), (6, 2300), (4, 3900), (2, 6300)]),
            validation: 190,
            test: 170,
        }),
        "paper-classes-brain" => paper(Factor::Classes {
            resolution: 32,
            least_count: 110,
            no_finding: BRAIN_NO_FINDING,
            ranked_on: RankedOn::Train,
            shuffled: false,
            grid: classes(&[(10, 2500), (8, 3120), (6, 4170), (4, 6250), (2, 12_500)]),
            validation: 300,
            test: 200,
        }),
        "paper-samples" => paper(Factor::Samples {
            resolution: 32,
            least_count: 7400,
            no_finding: None,
            classes: None,
            grid: vec![5950, 4500, 3000, 1500, 1000, 500, 400, 200],
            validation: 750,
            test: 750,
        }),
        "paper-samples-brain" => paper(Factor::Samples {
            resolution: 32,
            least_count: 110,
            no_finding: BRAIN_NO_FINDING,
            classes: Some(6),
            grid: vec![5400, 4500, 3000, 1500, 1000, 500, 300, 100],
            validation: 500,
            test: 500,
        }),
        "paper-resolution" => paper(Factor::Resolution {
            least_count: 256,
            no_finding: None,
            grid: vec![32, 64, 128],
            validation: 4000,
            test: 4000,
        }),
        "paper-resolution-brain" => paper(Factor::Resolution {
            least_count: 110,
            no_finding: BRAIN_NO_FINDING,
            grid: vec![32, 64, 128],
            validation: 4000,
            test: 4000,
        }),
        "small-classes" => small(Factor::Classes {
            resolution: 32,
            least_count: 60,
            no_finding: None,
            ranked_on: RankedOn::All,
            shuffled: true,
            grid: classes(&[(8, 70), (6, 80), (4, 100), (2, 140)]),
            validation: 10,
            test: 12,
        }),
        "small-samples" => small(Factor::Samples {
            resolution: 32,
            least_count: 120,
            no_finding: None,
            classes: Some(4),
            grid: vec![160, 80, 40, 20],
            validation: 20,
            test: 20,
        }),
        "small-resolution" => small(Factor::Resolution {
            least_count: 20,
            no_finding: None,
            grid: vec![32, 64, 128],
            validation: 400,
            test: 400,
        }),
        "small-mix" => small(Factor::Mix {
            resolution: 32,
            least_count: 120,
            classes: 4,
            train: 80,
            validation: 20,
            test: 20,
            grid: vec![0.0, 0.5, 1.0, 2.0],
        }),
        "demo" => SweepSpec {
            cohort: None,
            phantom: Some(Phantoms { body: "brain".to_owned(), count: 3600, resolution: 32, seed: 7 }),
            seeds: vec![Seed::Same(1), Seed::Same(2)],
            generators: light(3.0, 2.0, 16),
            classifier: ClassifierSetting {
                preset: "small".to_owned(),
                epochs: Some(4),
                epoch_images: Some(480),
                weights: None,
            },
            ..small(Factor::Classes {
                resolution: 32,
                least_count: 60,
                no_finding: None,
                ranked_on: RankedOn::Train,
                shuffled: false,
                grid: classes(&[(4, 80), (2, 140)]),
                validation: 10,
                test: 10,
            })
        },
        _ => return None,
    })
}

/// Both families, narrow, short, and anchored to the train fold's principal components.
fn light(kimg: f64, alone_kimg: f64, width: usize) -> Vec<GeneratorSetting> {
    [Family::CpdGan, Family::ProgGan]
        .into_iter()
        .map(|family| GeneratorSetting {
            name: family.name().to_owned(),
            family,
            preset: "small".to_owned(),
            kimg: Some(kimg),
            width: Some(width),
            // Without a weight on what findings change, so short a training gives samples that do not show them.
            anchor: Some(Anchor {
                alone_kimg,
                weight: 10.0,
                findings: 10.0,
                findings_later: None,
                rate: Some(alone_rate(family)),
            }),
            spec: None,
        })
        .collect()
}

/// Learning rate against the anchor alone, at 32 feature maps. prog-GAN: the best of 0.002, 0.006 and 0.015. cpD-GAN, whose
/// norm multiplies by what label and latent say at every layer: 0.015 was better than 0.006, and this goes on that way.
fn alone_rate(family: Family) -> f64 {
    match family {
        Family::CpdGan => 0.02,
        Family::ProgGan => 0.015,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_reads_back_from_its_text() {
        for name in NAMES {
            let spec = preset(name, Path::new("cohort")).unwrap();
            spec.validate().unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert_eq!(SweepSpec::parse(&spec.to_toml()).unwrap(), spec, "{name}");
        }
        assert!(preset("huge", Path::new("x")).is_none());
    }

    #[test]
    fn the_papers_grids_have_the_papers_totals() {
        // Facts on the GAN benchmark, §2a: train totals.
        for (name, totals) in [
            ("paper-classes", vec![29_000, 24_000, 20_000, 13_800, 15_600, 12_600]),
            ("paper-classes-brain", vec![25_000, 24_960, 25_020, 25_000, 25_000]),
        ] {
            let Some(SweepSpec { factor: Factor::Classes { grid, .. }, .. }) = preset(name, Path::new("x")) else {
                panic!("{name}")
            };
            assert_eq!(grid.iter().map(|p| p.classes * p.train).collect::<Vec<_>>(), totals);
        }
    }

    #[test]
    fn impossible_sweeps_are_refused_with_a_reason() {
        let good = preset("small-classes", Path::new("cohort")).unwrap();
        let refused = |change: &dyn Fn(&mut SweepSpec)| {
            let mut spec = good.clone();
            change(&mut spec);
            SweepSpec::parse(&spec.to_toml()).unwrap_err()
        };
        assert!(refused(&|s| s.seeds.clear()).contains("seeds"));
        assert!(refused(&|s| s.seeds = vec![Seed::Same(1), Seed::Same(1)]).contains("twice"));
        assert!(refused(&|s| s.cohort = None).contains("either cohort"));
        assert!(refused(&|s| s.name = "../x".to_owned()).contains("name"));
        assert!(refused(&|s| s.generators[0].name = "real".to_owned()).contains("real"));
        assert!(refused(&|s| s.generators[1].name = "cpD-GAN".to_owned()).contains("one name"));
        assert!(refused(&|s| s.generators[0].kimg = Some(-1.0)).contains("total_kimg"));
        assert!(refused(&|s| s.classifier.preset = "large".to_owned()).contains("neither small"));
        assert!(
            refused(&|s| s.factor = Factor::Samples {
                resolution: 48,
                least_count: 0,
                no_finding: None,
                classes: None,
                grid: vec![2, 1],
                validation: 1,
                test: 1
            })
            .contains("power of two")
        );
        assert!(
            refused(&|s| s.factor = Factor::Samples {
                resolution: 32,
                least_count: 0,
                no_finding: None,
                classes: None,
                grid: vec![1, 2],
                validation: 1,
                test: 1
            })
            .contains("descend")
        );
        let growing = |s: &mut SweepSpec| {
            s.factor = preset("small-resolution", Path::new("cohort")).unwrap().factor;
            s.generators[1].kimg = Some(0.1);
        };
        assert!(refused(&growing).contains("too few to grow"));
        let unknown = good.to_toml().replace("seeds = ", "sead = 1\nseeds = ");
        assert!(SweepSpec::parse(&unknown).unwrap_err().contains("sead"));
    }
}
