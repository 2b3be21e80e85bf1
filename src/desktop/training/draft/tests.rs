use super::*;
use crate::compute::device::DeviceChoice;
use crate::training::spec::{Optimiser, Precision, QualityMeasure};

/// A spec that says all that one can say.
pub fn full() -> RunSpec {
    let preset = presets::preset("small-64", Family::ProgGan).unwrap();
    RunSpec {
        name: preset.name,
        cohort: "/packs/chest".into(),
        seed: preset.seed,
        network: preset.network,
        loss: preset.loss,
        schedule: preset.schedule,
        optimiser: Optimiser { below: Some(0.1), ..preset.optimiser },
        average: preset.average,
        data: preset.data,
        anchor: Some(Anchor {
            alone_kimg: 1.0,
            weight: 1.0,
            findings: 1.0,
            findings_later: Some(0.0),
            rate: Some(0.01),
        }),
        record: preset.record,
        quality: QualityMeasure {
            count: 100,
            encoder: Some("/encoder.safetensors".into()),
            second_encoder: Some("/densenet121.safetensors".into()),
            stop: Some(StopRule { from_kimg: 1.0, patience: 2 }),
        },
        guard: preset.guard,
        micro_batch: Some(8),
        precision: Precision::F32,
        device: DeviceChoice::Cuda(3),
        start_from: Some("/start.safetensors".into()),
    }
}

fn draft() -> Draft {
    let mut draft = Draft::new("small-64", Family::ProgGan, None);
    draft.set("cohort", "/packs/chest");
    draft
}

#[test]
fn every_field_of_every_preset_can_be_seen_and_set() {
    for family in [Family::ProgGan, Family::CpdGan] {
        for preset in presets::NAMES {
            let mut draft = Draft::new(preset, family, None);
            draft.set("cohort", "/packs/chest");
            let mut wanted = presets::preset(draft.preset(), family).unwrap();
            wanted.cohort = "/packs/chest".into();
            assert_eq!(draft.spec(), Some(&wanted), "{preset}");
            // Typing what already stands there changes nothing.
            for field in draft.fields() {
                draft.set(&field.path, &field.text);
            }
            assert_eq!(draft.spec(), Some(&wanted), "{preset}");
        }
    }
}

#[test]
fn a_problem_stands_beside_the_field_that_causes_it() {
    let problem = |draft: &Draft, path: &str| draft.field(path).unwrap().problem;
    let mut draft = draft();
    for (path, wrong, word, right) in [
        ("schedule.levels.1.batch", "6", "multiple of 4", "8"),
        ("optimiser.rate", "0", "above 0", "0.001"),
        ("optimiser.rate", "fast", "is not a number", "0.001"),
        ("name", "../x", "name must be", "chest"),
        ("schedule.total_kimg", "", "give a number", "12"),
        ("record.keep", "1.5", "whole number", "3"),
        ("network.latent", "0", "latent", "32"),
    ] {
        draft.set(path, wrong);
        assert!(problem(&draft, path).is_some_and(|text| text.contains(word)), "{path}: {:?}", problem(&draft, path));
        assert_eq!((draft.spec(), draft.problems()), (None, 1));
        assert_eq!(draft.field(path).unwrap().text, wrong);
        draft.set(path, right);
        assert!(draft.spec().is_some(), "{path}");
    }
    assert_eq!(draft.spec().unwrap().schedule.total_kimg, 12.0);
}

#[test]
fn another_loss_brings_its_own_numbers_and_parts_can_be_switched_on() {
    let mut draft = draft();
    draft.set("loss.kind", "wgan_gp");
    assert_eq!(draft.spec().unwrap().loss, Loss::WganGp { penalty: 10.0, drift: 0.001 });
    draft.set("loss.penalty", "-1");
    assert!(draft.field("loss.penalty").unwrap().problem.is_some_and(|text| text.contains("negative")));
    draft.set("loss.penalty", "7.5");
    assert_eq!(draft.spec().unwrap().loss, Loss::WganGp { penalty: 7.5, drift: 0.001 });
    draft.switch("anchor", true);
    draft.set("anchor.weight", "2");
    assert_eq!(draft.spec().unwrap().anchor.unwrap().weight, 2.0);
    draft.switch("anchor", false);
    assert!(draft.spec().unwrap().anchor.is_none());
    draft.switch("micro_batch", true);
    assert_eq!(draft.spec().unwrap().micro_batch, Some(8));
    draft.set("micro_batch", "2");
    assert!(draft.field("micro_batch").unwrap().problem.is_some_and(|text| text.contains("at least 4")));
    draft.switch("micro_batch", false);
    draft.switch("quality.stop", true);
    let total = draft.spec().unwrap().schedule.total_kimg;
    assert_eq!(draft.spec().unwrap().quality.stop, Some(StopRule { from_kimg: total / 2.0, patience: 2 }));
    draft.switch("quality.stop", false);
    let spec = draft.spec().unwrap();
    assert_eq!((spec.micro_batch, spec.quality.stop), (None, None));
}

#[test]
fn a_file_that_is_not_there_is_said_when_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1.safetensors");
    let name = file.display().to_string();
    for path in ["start_from", "quality.encoder", "quality.second_encoder"] {
        let mut draft = draft();
        let says = |draft: &Draft, word: &str| {
            assert!(draft.spec().is_none());
            assert!(draft.field(path).unwrap().problem.is_some_and(|text| text.contains(word)), "{path}");
        };
        draft.switch(path, true);
        says(&draft, "give");
        draft.set(path, &name);
        says(&draft, "no such file");
        std::fs::write(&file, "").unwrap();
        draft.set(path, &name);
        let spec = draft.spec().unwrap();
        let named = [&spec.start_from, &spec.quality.encoder, &spec.quality.second_encoder];
        assert_eq!(named.into_iter().flatten().collect::<Vec<_>>(), [&file]);
        assert_eq!(Draft::like(spec).spec(), draft.spec());
        std::fs::remove_file(&file).unwrap();
        says(&Draft::like(draft.spec().unwrap()), "no such file");
        draft.switch(path, false);
        assert!(draft.spec().is_some());
    }
}

#[test]
fn a_pack_of_smaller_images_is_a_problem_of_the_size_until_either_changes() {
    let mut draft = draft();
    draft.set_largest(Some(32));
    assert!(draft.too_large().unwrap().ends_with("--resolution 64."));
    assert!(draft.field("network.resolution").unwrap().problem.is_some());
    assert_eq!((draft.spec(), draft.problems()), (None, 1));
    assert!(Draft::new("small-32", Family::ProgGan, Some(&draft)).spec().is_some());
    assert!(Draft::new("small-128", Family::ProgGan, Some(&draft)).spec().is_none());
    draft.set_largest(Some(64));
    assert!(draft.spec().is_some());
    draft.set_largest(Some(32));
    draft.set("cohort", "/packs/another");
    assert!(draft.too_large().is_none() && draft.spec().is_some());
}

#[test]
fn a_device_is_chosen_from_a_list_that_keeps_that_of_a_duplicated_run() {
    let mut draft = Draft::like(&full());
    let device = |draft: &Draft| draft.field("device").unwrap();
    assert_eq!(device(&draft).text, "cuda:3");
    assert_eq!(device(&draft).choices, ["auto", "cpu", "cuda", "cuda:1", "metal", "cuda:3"]);
    draft.set("device", "cpu");
    assert!(device(&draft).choices.contains(&"cuda:3".to_owned()));
    let first = Draft::like(&RunSpec { device: DeviceChoice::Cuda(0), ..full() });
    assert_eq!((device(&first).text.as_str(), device(&first).choices.len()), ("cuda", 5));
}
