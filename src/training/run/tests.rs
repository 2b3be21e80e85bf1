//! Runs from end to end: resumed, run away, out of disk, moved, measured.

use super::*;
use crate::encoder::Encoder;
use crate::generator::Family;
use crate::training::events;
use crate::training::presets::preset;
use crate::training::quality::of_model;
use crate::training::reals::tests::Shapes;
use crate::training::run_folder;
use crate::training::spec::{Average, Level, Loss, QualityMeasure, StopRule, Then};
use std::fs;

/// A run of 12 steps of 4 images from 8 to 16 px through every part of the loop.
fn tiny(family: Family) -> RunSpec {
    let mut spec = preset("small-32", family).unwrap();
    (spec.network.resolution, spec.network.latent, spec.anchor) = (16, 8, None);
    (spec.network.feature_base, spec.network.feature_max) = (64, 8);
    spec.loss = match family {
        Family::ProgGan => Loss::R1 { gamma: 1.0, every: 3, label_weight: 1.0 },
        Family::CpdGan => Loss::WganGp { penalty: 10.0, drift: 0.001 },
    };
    spec.average = Average::PerStep { decay: 0.9 };
    spec.optimiser.rate = 0.002;
    let level = |side, fade_kimg, stable_kimg| Level { side, batch: 4, fade_kimg, stable_kimg };
    spec.schedule.levels = match family {
        Family::ProgGan => vec![level(8, 0.0, 0.016), level(16, 0.016, 0.0)],
        Family::CpdGan => vec![level(16, 0.0, 0.0)],
    };
    spec.schedule.total_kimg = 0.048;
    (spec.record.sample_kimg, spec.record.checkpoint_kimg) = (0.016, 0.008);
    spec.record.quality_kimg = 0.0;
    spec
}

fn weights(root: &Path) -> Vec<u8> {
    let all = fs::read_dir(root.join("checkpoints")).unwrap().map(|e| e.unwrap().path());
    fs::read(all.filter(|path| !path.ends_with("best.safetensors")).max().unwrap()).unwrap()
}

#[test]
fn a_resumed_run_ends_byte_for_byte_as_the_unbroken_one() {
    let parent = tempfile::tempdir().unwrap();
    let source = Shapes::new();
    for family in [Family::ProgGan, Family::CpdGan] {
        let (whole, broken) =
            (parent.path().join(format!("{family:?} whole")), parent.path().join(format!("{family:?} broken")));
        let spec = tiny(family);
        let outcome = train_on(&spec, &source, &whole, &Progress::new(), &mut |_| ()).unwrap();
        let Outcome::Done(result) = outcome else { panic!("paused") };
        assert_eq!((result.how.as_str(), result.step), ("finished", 12));

        // Paused after a step by request, then by cancelling, each time in the middle of a reading of the schedule.
        let progress = Progress::new();
        let mut asked = false;
        let mut pause = |event: &Event| {
            if matches!(event, Event::Checkpoint { step: 2, .. }) && !asked {
                asked = true;
                run_folder::request(&broken, Request::Pause).unwrap();
            }
        };
        let outcome = train_on(&spec, &source, &broken, &progress, &mut pause).unwrap();
        assert!(matches!(outcome, Outcome::Paused(RunResult { step: 3, .. })), "{outcome:?}");
        let again = |cancelled: bool| {
            let (folder, spec) = RunFolder::open(&broken).unwrap();
            let progress = Progress::new();
            if cancelled {
                progress.cancel();
            }
            resume_on(&folder, &spec, &source, &progress, &mut |_| ()).unwrap()
        };
        assert!(matches!(again(true), Outcome::Paused(RunResult { step: 4, .. })));
        // A newest checkpoint that is damaged is passed over for the one before it.
        let newest = broken.join(RunFolder::checkpoint(4));
        let mut bytes = fs::read(&newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&newest, bytes).unwrap();
        assert!(matches!(again(false), Outcome::Done(RunResult { step: 12, .. })));
        assert!(weights(&whole) == weights(&broken), "{family:?}: the resumed run ended elsewhere");
        let model = |root: &Path| fs::read(root.join("model.safetensors")).unwrap();
        assert!(model(&whole) == model(&broken));

        let told = events::read(&broken.join("events.jsonl")).unwrap();
        let damaged = |event: &Event| matches!(event, Event::Notice { text } if text.contains("is damaged"));
        assert_eq!(told.iter().filter(|event| damaged(event)).count(), 1);
        assert_eq!(fs::read_dir(broken.join("checkpoints")).unwrap().count(), spec.record.keep);
    }
}

/// Shapes whose labels are absurd for some of the radiographs that are asked for.
struct Absurd {
    shapes: Shapes,
    asked: std::cell::Cell<u32>,
    bad: std::ops::RangeInclusive<u32>,
}

impl Absurd {
    fn new(bad: std::ops::RangeInclusive<u32>) -> Self {
        Self { shapes: Shapes::new(), asked: std::cell::Cell::new(0), bad }
    }
}

impl RadiographSource for Absurd {
    fn facts(&self) -> &super::super::TrainFold {
        self.shapes.facts()
    }

    fn len(&self) -> usize {
        self.shapes.len()
    }

    fn labels(&self, i: usize) -> &[f32] {
        if self.bad.contains(&self.asked.get()) { &[1e30, 1e30] } else { self.shapes.labels(i) }
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<crate::radiograph::Radiograph, String> {
        self.asked.set(self.asked.get() + 1);
        self.shapes.radiograph(i, side)
    }
}

#[test]
fn losses_that_run_away_send_the_run_back_with_a_lower_rate_or_end_it() {
    let parent = tempfile::tempdir().unwrap();
    let mut spec = tiny(Family::CpdGan);
    spec.guard.steps = 2;
    // One radiograph is asked for before the first step, and four at each: these are those of steps 7 and 8, and after
    // the return to the checkpoint of step 6 those of the two steps that follow it.
    let source = Absurd::new(26..=41);
    let root = parent.path().join("back");
    let outcome = train_on(&spec, &source, &root, &Progress::new(), &mut |_| ()).unwrap();
    assert!(matches!(outcome, Outcome::Done(RunResult { step: 12, .. })), "{outcome:?}");
    let events = events::read(&root.join("events.jsonl")).unwrap();
    let notices: Vec<&str> = events
        .iter()
        .filter_map(|event| if let Event::Notice { text } = event { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].contains("at step 8: back to step 6") && notices[0].contains("1e-3"), "{notices:?}");
    assert!(notices[1].contains("at step 8: back to step 4") && notices[1].contains("5e-4"), "{notices:?}");
    let newest = root.join(RunFolder::checkpoint(12));
    let state = checkpoint::read(&newest, &spec, 2, &Device::Cpu).unwrap();
    assert_eq!((state.course.rolled_back, state.course.rolled_to, state.course.trouble), (2, Some(4), 0));

    // Without end: the returns are used up, or none were wanted.
    for (name, then) in [("no more", Then::RollBack), ("at once", Then::Stop)] {
        (spec.guard.then, spec.guard.most) = (then, 1);
        let root = parent.path().join(name);
        let failed = train_on(&spec, &Absurd::new(26..=1000), &root, &Progress::new(), &mut |_| ()).unwrap_err();
        assert!(failed.to_string().contains("stopped at step 8: the losses ran away"), "{failed}");
        let status = crate::training::status::status(&root).unwrap();
        assert_eq!(status.state, crate::training::RunState::Failed);
        assert_eq!(status.notice.unwrap(), failed.to_string());
        // The checkpoint before the trouble is still there.
        let (folder, _) = RunFolder::open(&root).unwrap();
        assert_eq!(folder.checkpoints()[0], root.join(RunFolder::checkpoint(6)));
    }
}

#[test]
fn a_disk_that_is_full_at_any_write_stops_the_run_with_a_sentence_and_it_can_be_resumed() {
    let parent = tempfile::tempdir().unwrap();
    let source = Shapes::new();
    let mut spec = tiny(Family::CpdGan);
    spec.network.resolution = 8;
    spec.schedule.levels = vec![Level { side: 8, batch: 4, fade_kimg: 0.0, stable_kimg: 0.0 }];
    spec.schedule.total_kimg = 0.008;
    (spec.record.sample_kimg, spec.record.checkpoint_kimg) = (1.0, 0.008);
    let begin = |root: &Path| train_on(&spec, &source, root, &Progress::new(), &mut |_| ());
    let whole = parent.path().join("whole");
    let (_, operations) = store::faults::full_after(u64::MAX, || begin(&whole).unwrap());
    assert!(operations > 40, "{operations}");
    for n in 0..operations {
        let root = parent.path().join(n.to_string());
        let (stopped, _) = store::faults::full_after(n, || begin(&root));
        let sentence = stopped.unwrap_err().to_string();
        let named = sentence.contains(&root.to_string_lossy().into_owned());
        assert!(named && sentence.contains("check free space"), "{n} of {operations}: {sentence}");
        let outcome = if root.join("run.toml").is_file() {
            let (folder, spec) = RunFolder::open(&root).unwrap();
            resume_on(&folder, &spec, &source, &Progress::new(), &mut |_| ()).unwrap()
        } else {
            begin(&root).unwrap()
        };
        assert!(matches!(outcome, Outcome::Done(RunResult { step: 2, .. })), "{n}: {outcome:?}");
        assert!(weights(&whole) == weights(&root), "{n} of {operations}: resumed to another end");
        fs::remove_dir_all(&root).unwrap();
    }
}

#[test]
fn a_folder_that_is_moved_away_stops_the_run_which_goes_on_from_its_new_place() {
    let parent = tempfile::tempdir().unwrap();
    let source = Shapes::new();
    let spec = tiny(Family::CpdGan);
    let (whole, root, moved) = (parent.path().join("whole"), parent.path().join("a"), parent.path().join("b"));
    train_on(&spec, &source, &whole, &Progress::new(), &mut |_| ()).unwrap();
    let mut move_away = |event: &Event| {
        if matches!(event, Event::Checkpoint { step: 4, .. }) {
            fs::rename(&root, &moved).unwrap();
        }
    };
    let stopped = train_on(&spec, &source, &root, &Progress::new(), &mut move_away).unwrap_err().to_string();
    assert!(stopped.contains("cannot write") && !root.exists(), "{stopped}");
    assert_eq!(crate::training::status::status(&moved).unwrap().state, crate::training::RunState::Failed);
    let (folder, spec) = RunFolder::open(&moved).unwrap();
    resume_on(&folder, &spec, &source, &Progress::new(), &mut |_| ()).unwrap();
    assert!(weights(&whole) == weights(&moved));
}

#[test]
fn quality_is_measured_on_the_way_and_its_rule_ends_the_run_with_the_best_model() {
    let parent = tempfile::tempdir().unwrap();
    let source = Shapes::new();
    let mut spec = tiny(Family::CpdGan);
    let encoder = parent.path().join("encoder.safetensors");
    write_encoder(&encoder, &source);
    spec.quality = QualityMeasure {
        count: 16,
        encoder: Some(encoder.clone()),
        second_encoder: None,
        stop: Some(StopRule { from_kimg: 0.008, patience: 1 }),
    };
    spec.record.quality_kimg = 0.004;
    spec.schedule.total_kimg = 4.0;
    // Eight shapes are too few to measure against.
    let few = train_on(&spec, &source, &parent.path().join("few"), &Progress::new(), &mut |_| ()).unwrap_err();
    assert!(few.to_string().contains("too few"), "{few}");

    let source = Many(source);
    let whole = parent.path().join("whole");
    let outcome = train_on(&spec, &source, &whole, &Progress::new(), &mut |_| ()).unwrap();
    let Outcome::Done(result) = outcome else { panic!("paused") };
    assert!(result.how == "finished" && result.kimg < 4.0, "{result:?}");
    let told = events::read(&whole.join("events.jsonl")).unwrap();
    let measures: Vec<&Quality> =
        told.iter().filter_map(|event| if let Event::Quality(now) = event { Some(now) } else { None }).collect();
    assert_eq!(measures.len() as u64, result.step);
    assert!(measures.iter().all(|now| now.count == 16 && now.encoder == "example" && now.fid > 0.0));
    assert!(measures.iter().all(|now| now.precision.is_some() && now.nearest_percentile.is_some()));
    // The first measure does not count; the last is the first that counts and is not smaller than all before.
    let counting = &measures[1..];
    let smallest = counting.iter().map(|now| now.fid).fold(f64::INFINITY, f64::min);
    assert!(counting[counting.len() - 1].fid > smallest);
    let best = counting.iter().find(|now| now.fid == smallest).unwrap();
    let model = crate::generator::model_file::read(&whole.join("model.safetensors")).unwrap();
    assert_eq!(model.card.training.steps, best.step);

    // Measured afterwards, from its file, the model is as good as it was found to be on the way.
    let encoder = Encoder::load(&encoder).unwrap();
    let (sizes, progress) = ((16, spec.seed), Progress::new());
    let again = of_model(&model, encoder, &source, sizes, &spec.cohort, &progress).unwrap().unwrap();
    assert!((again.fid / best.fid - 1.0).abs() < 0.01, "{} beside {}", again.fid, best.fid);
    assert_eq!((again.step, again.kimg, again.count), (best.step, best.kimg, best.count));
    assert!(again.nearest_hundredth.is_some_and(|share| (0.0..=1.0).contains(&share)));

    // A measure that a pause cuts short is taken after it, and everything ends as before.
    let broken = parent.path().join("broken");
    let mut progress = Progress::new();
    progress.cancel();
    train_on(&spec, &source, &broken, &progress, &mut |_| ()).unwrap();
    let (folder, spec) = RunFolder::open(&broken).unwrap();
    progress = Progress::new();
    resume_on(&folder, &spec, &source, &progress, &mut |_| ()).unwrap();
    let fids = |root: &Path| {
        let told = events::read(&root.join("events.jsonl")).unwrap();
        told.into_iter()
            .filter_map(|event| if let Event::Quality(now) = event { Some((now.step, now.fid)) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(fids(&whole), fids(&broken));
    assert!(weights(&whole) == weights(&broken));
    let best = |root: &Path| fs::read(root.join("checkpoints/best.safetensors")).unwrap();
    assert!(best(&whole) == best(&broken));
}

#[test]
fn a_second_encoder_measures_the_same_samples_and_judges_nothing_and_a_pause_amid_it_leaves_no_trace() {
    let parent = tempfile::tempdir().unwrap();
    let place = |name: &str| parent.path().join(name);
    let mut spec = tiny(Family::CpdGan);
    write_encoder(&place("encoder.safetensors"), &Shapes::new());
    crate::encoder::example::write_as_torchvision(&place("photographs.safetensors"));
    spec.quality.count = 16;
    spec.quality.encoder = Some(place("encoder.safetensors"));
    spec.record.quality_kimg = 0.004;
    spec.schedule.total_kimg = 0.012;
    let source = Many(Shapes::new());
    let train = |spec: &RunSpec, name: &str| train_on(spec, &source, &place(name), &Progress::new(), &mut |_| ());
    let told = |name: &str| {
        let told = events::read(&place(name).join("events.jsonl")).unwrap();
        told.into_iter()
            .filter_map(|event| if let Event::Quality(now) = event { Some(now) } else { None })
            .collect::<Vec<_>>()
    };
    train(&spec, "alone").unwrap();
    spec.quality.second_encoder = Some(place("photographs.safetensors"));
    train(&spec, "whole").unwrap();

    let (first, second): (Vec<Quality>, Vec<Quality>) = told("whole").into_iter().partition(|now| !now.second);
    let steps = |some: &[Quality]| some.iter().map(|now| now.step).collect::<Vec<_>>();
    assert_eq!((steps(&first), steps(&second)), (vec![1, 2, 3], vec![1, 2, 3]));
    // The first's figures are those of a run without a second, to the last bit; so are weights and best checkpoint.
    assert_eq!(first, told("alone"));
    assert!(second.iter().all(|now| now.encoder == "photographs" && now.count == 16 && now.fid > 0.0));
    assert!(first.iter().zip(&second).all(|(a, b)| a.encoder == "example" && a.fid != b.fid));
    let best = |name: &str| fs::read(place(name).join("checkpoints/best.safetensors")).unwrap();
    assert!(weights(&place("alone")) == weights(&place("whole")) && best("alone") == best("whole"));
    let status = crate::training::status::status(&place("whole")).unwrap();
    assert_eq!(status.quality.as_ref(), first.last());

    // Cancelled when the first encoder has seen all reals and the second some.
    let progress = Progress::new();
    let stopping = Cancelling { source: Many(Shapes::new()), asked: std::cell::Cell::new(0), at: 25, progress };
    let outcome = train_on(&spec, &stopping, &place("broken"), &stopping.progress, &mut |_| ()).unwrap();
    assert!(matches!(outcome, Outcome::Paused(RunResult { step: 1, .. })), "{outcome:?}");
    assert!(stopping.asked.get() >= 25 && told("broken").is_empty());
    let (folder, again) = RunFolder::open(&place("broken")).unwrap();
    resume_on(&folder, &again, &source, &Progress::new(), &mut |_| ()).unwrap();
    assert_eq!(told("broken"), told("whole"));
    assert!(weights(&place("broken")) == weights(&place("whole")) && best("broken") == best("whole"));

    // What cannot be used is refused at the start, by the setting's name.
    fs::write(place("empty.safetensors"), "").unwrap();
    let refused = |second: &str, encoder: Option<PathBuf>, word: &str| {
        let mut spec = spec.clone();
        (spec.quality.encoder, spec.quality.second_encoder) = (encoder, Some(place(second)));
        let error = train(&spec, &format!("run {word}")).unwrap_err();
        assert!(
            matches!(&error, TrainingError::Spec { path, .. } if path == Path::new("quality.second_encoder")),
            "{error}"
        );
        assert!(error.to_string().contains(word), "{error}");
    };
    let own = spec.quality.encoder.clone();
    refused("empty.safetensors", own.clone(), "not a usable encoder");
    refused("encoder.safetensors", own, "first encoder too");
    refused("photographs.safetensors", None, "no first encoder");
}

/// A source that cancels when the radiograph number `at` is asked for.
struct Cancelling {
    source: Many,
    asked: std::cell::Cell<u32>,
    at: u32,
    progress: Progress,
}

impl RadiographSource for Cancelling {
    fn facts(&self) -> &super::super::TrainFold {
        self.source.facts()
    }

    fn len(&self) -> usize {
        self.source.len()
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.source.labels(i)
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<crate::radiograph::Radiograph, String> {
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() == self.at {
            self.progress.cancel();
        }
        self.source.radiograph(i, side)
    }

    fn held_out(&self) -> Option<&dyn RadiographSource> {
        self.source.held_out()
    }
}

/// The shapes, each several times, with themselves held out.
struct Many(Shapes);

impl RadiographSource for Many {
    fn facts(&self) -> &super::super::TrainFold {
        self.0.facts()
    }

    fn len(&self) -> usize {
        24
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.0.labels(i % 8)
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<crate::radiograph::Radiograph, String> {
        self.0.radiograph(i % 8, side)
    }

    fn held_out(&self) -> Option<&dyn RadiographSource> {
        Some(&self.0)
    }
}

/// An encoder that nobody trained.
fn write_encoder(path: &Path, source: &dyn RadiographSource) {
    use crate::encoder::{DenseNetConfig, EncoderCard, EncoderTraining, Input, Precision, Stem, example, file};
    let facts = source.facts();
    let config = DenseNetConfig { labels: facts.vocabulary.len(), ..example::config(Stem::Light) };
    let tensors = example::tensors(&config);
    let card = EncoderCard {
        name: "example".to_owned(),
        preset: "own".to_owned(),
        architecture: config,
        input: Input::native(32, facts.meaning, facts.window),
        vocabulary: facts.vocabulary.clone(),
        training: EncoderTraining {
            cohort: facts.cohort.clone(),
            cohort_hash: facts.identity.clone(),
            phantom: true,
            images: 8,
            patients: 8,
            schedule: String::new(),
            seed: 1,
            source: crate::encoder::Source::Films,
        },
        metrics: std::collections::BTreeMap::new(),
        remarks: Vec::new(),
        licence: "CC0".to_owned(),
        citation: String::new(),
    };
    file::write(path, &card, &tensors, Precision::F32).unwrap();
}

#[test]
fn training_moves_samples_towards_the_reals_and_writes_a_model_that_reads_back() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("run");
    let mut spec = tiny(Family::ProgGan);
    spec.schedule.total_kimg = 1.6;
    spec.optimiser.rate = 0.01;
    (spec.record.sample_kimg, spec.record.checkpoint_kimg) = (1.0, 1.0);
    train_on(&spec, &Shapes::new(), &root, &Progress::new(), &mut |_| ()).unwrap();
    let file = crate::generator::model_file::read(&root.join("model.safetensors")).unwrap();
    assert_eq!((file.card.training.images, file.card.training.kimg), (8, 1.6));
    assert!(file.card.training.schedule.contains("not the paper's loss"), "{}", file.card.training.schedule);

    // Mean image of the last grid against the mean real image: black border, bright middle.
    let grids: Vec<_> = fs::read_dir(root.join("samples")).unwrap().map(|e| e.unwrap().path()).collect();
    let contrast = |path: &PathBuf| {
        let (image, _) = crate::radiograph::decode_png(&fs::read(path).unwrap()).unwrap();
        let (mut middle, mut border) = (0.0, 0.0);
        for (p, &value) in image.pixels().iter().enumerate() {
            let (x, y) = ((p % image.width()) % 16, (p / image.width()) % 16);
            let inside = (6..10).contains(&x) && (6..10).contains(&y);
            let outside = [0, 15].contains(&x) && [0, 15].contains(&y);
            middle += if inside { value / 16.0 } else { 0.0 };
            border += if outside { value / 4.0 } else { 0.0 };
        }
        (middle - border) / (image.pixels().len() / 256) as f32
    };
    let (first, last) = (contrast(grids.iter().min().unwrap()), contrast(grids.iter().max().unwrap()));
    assert!(last > 0.4 && last > first + 0.3, "from {first} to {last}; reals have 1");
}
