use std::path::Path;

use super::*;
use crate::benchmark::presets::preset;
use crate::benchmark::spec::{ClassifierSetting, Factor, Seed};
use crate::generator::testing::{architecture, tensors};
use crate::generator::{Family, ModelCard};
use crate::neighbour::testing;
use crate::radiograph::Meaning;

/// A sweep of one point over all films that have a finding, no generator, and classifiers of one step. All label columns
/// stay, also "Nodule", which no film has.
fn sweep(cohort: &Path, as_published: bool) -> SweepSpec {
    let factor = Factor::Resolution { least_count: 0, no_finding: None, grid: vec![32], validation: 100, test: 100 };
    let classifier =
        ClassifierSetting { preset: "small".to_owned(), epochs: Some(1), epoch_images: Some(48), weights: None };
    let (seeds, generators) = (vec![Seed::Same(1)], Vec::new());
    SweepSpec { seeds, as_published, factor, generators, classifier, ..preset("small-resolution", cohort).unwrap() }
}

/// What a classifier is given to make its logits' frequencies right again, its AUROC when its epoch was chosen, and the
/// AUROC of each finding on the films that it was chosen on.
fn trained(as_published: bool) -> (Vec<f64>, f64, Vec<Option<f64>>) {
    let parent = tempfile::tempdir().unwrap();
    let pack = testing::pack(parent.path(), 96, 3);
    let spec = sweep(pack.folder(), as_published);
    let folder = SweepFolder::create(&parent.path().join("sweep"), &spec).unwrap();
    let plan = Plan::new(&spec, &pack).unwrap();
    let context = Context { spec: &spec, pack: &pack, plan: &plan, folder: &folder };
    let job = plan.jobs.iter().find(|job| matches!(job.work, Work::Classifier { .. })).unwrap();
    let _lock = folder.take(&job.key).unwrap();
    context.perform(job, &Progress::new()).unwrap();
    let Some(JobResult::Classifier { restore, auroc_validation, .. }) = folder.job_result(&job.key).unwrap() else {
        panic!("another result");
    };
    let encoder = Encoder::load(&folder.job(&job.key).join("classifier.safetensors")).unwrap();
    let (scores, labels) = classifier::scores(&encoder, &context.films(job, Fold::Validation)).unwrap();
    (restore, auroc_validation.unwrap(), stats::finding_aurocs(&scores, &labels, 3).0)
}

#[test]
fn class_weights_are_inert_as_published_and_otherwise_undone_in_the_probabilities() {
    assert_eq!(trained(true).0, [0.0; 3]);
    let (restore, ..) = trained(false);
    assert!(restore[0] != 0.0 && restore[1] != 0.0 && restore[2] == 0.0, "{restore:?}");
}

#[test]
fn a_finding_of_one_class_counts_as_zero_in_the_choice_of_the_epoch_only_as_published() {
    for (as_published, counted) in [(true, 3.0), (false, 2.0)] {
        let (_, auroc, each) = trained(as_published);
        assert!(each[0].is_some() && each[1].is_some() && each[2].is_none(), "{each:?}");
        let expected = each.iter().flatten().sum::<f64>() / counted;
        assert!((auroc - expected).abs() < 1e-6, "{auroc} in place of {expected}");
    }
}

#[test]
fn an_auroc_below_one_half_is_mirrored_only_as_published() {
    // Of the six pairs of a positive and a negative one, the positive one is above once.
    let (scores, positive) = ([0.1, 0.3, 0.5, 0.7, 0.9], [true, true, false, true, false]);
    let judged =
        |positive: &[bool], as_published| judge("Mass", (&scores, positive), (&scores, positive), 0.0, as_published);
    let (sound, published) = (judged(&positive, false), judged(&positive, true));
    assert!((sound.auroc.unwrap() - 1.0 / 6.0).abs() < 1e-12 && sound.interval.is_some());
    assert!((published.auroc.unwrap() - 5.0 / 6.0).abs() < 1e-12 && published.interval.is_none());
    // What is above one half stays as it is.
    let other = positive.map(|p| !p);
    assert_eq!(judged(&other, true), judged(&other, false));
}

#[test]
fn the_last_incomplete_batch_of_test_films_is_dropped_only_as_published() {
    // Facts on the GAN benchmark, §5: of the chest's two classes 300 of 340 test films are used.
    assert_eq!((judged(340, true), judged(340, false)), (300, 340));
    // Fewer than one batch would leave nothing to judge.
    assert_eq!((judged(50, true), judged(49, true)), (50, 49));
}

#[test]
fn a_mix_takes_so_many_samples_for_each_film_and_the_same_ones_first() {
    let (films, drawn) = (30, 60);
    let chosen = [0.5, 1.0, 1.25, 2.0].map(|ratio| mixed(drawn, films, ratio, 7));
    assert_eq!(chosen.each_ref().map(Vec::len), [15, 30, 38, 60]);
    assert!(chosen.windows(2).all(|pair| pair[1].starts_with(&pair[0])));
    let mut all = chosen[3].clone();
    all.sort_unstable();
    assert_eq!(all, (0..drawn).collect::<Vec<_>>());
    assert_ne!(mixed(drawn, films, 1.0, 8), chosen[1]);
}

#[test]
fn samples_have_the_labels_of_their_films_and_the_nearest_of_256_greys() {
    let parent = tempfile::tempdir().unwrap();
    let pack = testing::pack(parent.path(), 48, 3);
    let spec = sweep(pack.folder(), false);
    let plan = Plan::new(&spec, &pack).unwrap();
    let films = SubsetFilms::new(&pack, &plan.points[0], Fold::Test, 32);
    let vocabulary = films.facts().vocabulary.clone();
    let shape = architecture(Family::CpdGan, 32, 24, vocabulary.len(), 256, 16);
    let range = [-10.0, 90.0];
    let card = crate::generator::testing::card(shape);
    let card = ModelCard { vocabulary: vocabulary.clone(), range, meaning: Meaning::Hounsfield, ..card };
    let generator = Generator::from_parts(card, tensors(&shape, 2), "0123456789abcdef".repeat(4));
    let drawn = sample(&generator, &films, &mut random::stream(5, "latents"), &Progress::new()).unwrap();
    let count = LabelledImages::len(&films);
    assert_eq!((drawn.samples(), drawn.side, drawn.range, drawn.meaning), (count, 32, range, Meaning::Hounsfield));
    assert_eq!(drawn.labels, films.all_labels());
    let mut latents = random::stream(5, "latents");
    for i in 0..count {
        let mut recipe = generator.recipe(latents.random());
        for (finding, &label) in vocabulary.findings.iter().zip(LabelledImages::labels(&films, i)) {
            recipe.set_strength(finding, label);
        }
        let exact = generator.render(&recipe).unwrap();
        let half = 0.5 * (range[1] - range[0]) / 255.0;
        let near = drawn.image(i).pixels().iter().zip(exact.pixels()).all(|(a, b)| (a - b).abs() <= half + 1e-3);
        assert!(near, "sample {i} is not that of its film's labels");
    }
}
