//! A run from its first step, or from its last checkpoint, to its end, a pause, or a request to stop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candle_core::Device;

use super::TrainingError;
use super::anchor::Codes;
use super::events::{Event, Figures, Log};
use super::reals::{Draw, RadiographSource};
use super::run_folder::{Request, RunFolder, RunResult};
use super::spec::RunSpec;
use super::state::{State, StepFigures};
use super::{checkpoint, export, sampling};
use crate::compute;
use crate::progress::Progress;
use crate::store;

/// Time from one line of figures to the next.
const FIGURES_EVERY: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All images were shown, or someone asked it to stop: the model file is written if the network has grown up.
    Done(RunResult),
    /// It can be resumed.
    Paused(RunResult),
}

/// Begins a run in the new folder `out` and trains to its end. `watch` hears of every event as it is logged.
///
/// # Errors
/// A sentence that names the file and the remedy; the folder can be resumed from its last checkpoint.
pub fn train(
    spec: &RunSpec,
    out: &Path,
    progress: &Progress,
    watch: &mut dyn FnMut(&Event),
) -> Result<Outcome, TrainingError> {
    let source = super::pack::PackSource::open(&spec.cohort)?;
    train_on(spec, &source, out, progress, watch)
}

/// Goes on with the run in `out` from its last good checkpoint.
///
/// # Errors
/// As [`train`].
pub fn resume(out: &Path, progress: &Progress, watch: &mut dyn FnMut(&Event)) -> Result<Outcome, TrainingError> {
    let (folder, spec) = RunFolder::open(out)?;
    let source = super::pack::PackSource::open(&spec.cohort)?;
    resume_on(&folder, &spec, &source, progress, watch)
}

/// [`train`] on any source of radiographs.
///
/// # Errors
/// As [`train`].
pub fn train_on(
    spec: &RunSpec,
    source: &dyn RadiographSource,
    out: &Path,
    progress: &Progress,
    watch: &mut dyn FnMut(&Event),
) -> Result<Outcome, TrainingError> {
    spec.validate().map_err(|problem| TrainingError::Spec { path: PathBuf::from(&spec.name), problem })?;
    check(spec, source)?;
    let folder = RunFolder::create(out, spec)?;
    compute::init();
    let mut state = State::new(spec, source.facts().vocabulary.len(), &Device::Cpu)?;
    let mut run = Run::new(&folder, spec, source, watch)?;
    if let Some(from) = &spec.start_from {
        let (taken, left) = checkpoint::start_from(from, &mut state)?;
        run.tell(&Event::Notice { text: format!("{taken} tensors start from {}, {left} anew", from.display()) })?;
    }
    run.go(state, progress)
}

/// [`resume`] on any source of radiographs.
///
/// # Errors
/// As [`train`].
pub fn resume_on(
    folder: &RunFolder,
    spec: &RunSpec,
    source: &dyn RadiographSource,
    progress: &Progress,
    watch: &mut dyn FnMut(&Event),
) -> Result<Outcome, TrainingError> {
    check(spec, source)?;
    compute::init();
    let labels = source.facts().vocabulary.len();
    let mut run = Run::new(folder, spec, source, watch)?;
    for path in folder.checkpoints() {
        match checkpoint::read(&path, spec, labels, &Device::Cpu) {
            Ok(state) => return run.go(state, progress),
            Err(error) => run.tell(&Event::Notice { text: format!("{error}; trying the one before it") })?,
        }
    }
    run.tell(&Event::Notice { text: "no checkpoint yet; the run begins anew".to_owned() })?;
    let mut state = State::new(spec, labels, &Device::Cpu)?;
    if let Some(from) = &spec.start_from {
        checkpoint::start_from(from, &mut state)?;
    }
    run.go(state, progress)
}

/// Whether a source can be trained on at all.
fn check(spec: &RunSpec, source: &dyn RadiographSource) -> Result<(), TrainingError> {
    let wrong = |problem| Err(TrainingError::Cohort { path: spec.cohort.clone(), problem });
    if source.is_empty() {
        return wrong("its train fold is empty; import more radiographs".to_owned());
    }
    let [low, high] = source.facts().window;
    if !(low.is_finite() && high.is_finite() && low < high) {
        return wrong(format!("its window {low} to {high} is not a range; import it again"));
    }
    if let Err(problem) = spec.architecture(source.facts().vocabulary.len()).validate() {
        return wrong(problem);
    }
    match source.radiograph(0, spec.network.resolution) {
        Ok(_) => Ok(()),
        Err(problem) => wrong(problem),
    }
}

/// One process's work on a run.
struct Run<'a> {
    folder: &'a RunFolder,
    spec: &'a RunSpec,
    source: &'a dyn RadiographSource,
    log: Log,
    watch: &'a mut dyn FnMut(&Event),
    /// Seconds that earlier processes spent.
    seconds_before: f64,
    started: Instant,
}

impl<'a> Run<'a> {
    fn new(
        folder: &'a RunFolder,
        spec: &'a RunSpec,
        source: &'a dyn RadiographSource,
        watch: &'a mut dyn FnMut(&Event),
    ) -> Result<Self, TrainingError> {
        let before = std::fs::read(folder.result()).ok();
        let before = before.and_then(|bytes| serde_json::from_slice::<RunResult>(&bytes).ok());
        Ok(Self {
            folder,
            spec,
            source,
            log: Log::open(&folder.events())?,
            watch,
            seconds_before: before.map_or(0.0, |result| result.seconds),
            started: Instant::now(),
        })
    }

    fn unusable(&self, problem: String) -> TrainingError {
        TrainingError::Cohort { path: self.spec.cohort.clone(), problem }
    }

    fn tell(&mut self, event: &Event) -> Result<(), TrainingError> {
        self.log.append(event)?;
        (self.watch)(event);
        Ok(())
    }

    fn go(&mut self, mut state: State, progress: &Progress) -> Result<Outcome, TrainingError> {
        let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.tell(&Event::Started { step: state.position.step, unix_seconds, device: "CPU".to_owned() })?;
        let total = self.spec.schedule.total();
        progress.set_total(total.saturating_sub(state.position.shown));
        let mut draw = Draw::new(self.source, self.spec.seed, self.spec.data.balanced);
        if self.spec.anchor.is_some() {
            let codes = Codes::of(self.source, state.architecture.latent, self.spec.network.resolution, self.spec.seed);
            draw.codes = Some(codes.map_err(|problem| self.unusable(problem))?);
        }
        let mut pace = Pace::new(state.position.shown);
        let record = self.spec.record;
        let every = |kimg: f64| ((kimg * 1000.0) as u64).max(1);
        if state.position.step == 0 {
            self.sample(&state)?;
        }
        while state.position.shown < total {
            let before = state.position.shown;
            let figures = state.step(self.spec, self.source, &mut draw)?;
            let shown = state.position.shown;
            progress.advance(shown - before);
            if let Some(event) = pace.figures(&state, self.spec, figures) {
                self.tell(&event)?;
            }
            let due = |kimg| before / every(kimg) != shown / every(kimg);
            let request = self.folder.take_request();
            let snapshot = request == Some(Request::Snapshot);
            if due(record.sample_kimg) || snapshot {
                self.sample(&state)?;
            }
            if due(record.checkpoint_kimg) || snapshot {
                self.checkpoint(&state)?;
            }
            if request == Some(Request::Stop) {
                return self.end(&state, "stopped").map(Outcome::Done);
            }
            if request == Some(Request::Pause) || progress.is_cancelled() {
                return self.end(&state, "paused").map(Outcome::Paused);
            }
        }
        self.end(&state, "finished").map(Outcome::Done)
    }

    fn sample(&mut self, state: &State) -> Result<(), TrainingError> {
        let file = RunFolder::sample(state.position.step);
        sampling::write_grid(&self.folder.root().join(&file), state, self.spec, self.source)?;
        self.tell(&Event::Sample { step: state.position.step, kimg: kimg(state), file })
    }

    /// Writes a checkpoint, and the model file once the network has its full size; then drops the oldest checkpoints.
    fn checkpoint(&mut self, state: &State) -> Result<(), TrainingError> {
        let file = RunFolder::checkpoint(state.position.step);
        checkpoint::write(&self.folder.root().join(&file), state)?;
        self.tell(&Event::Checkpoint { step: state.position.step, kimg: kimg(state), file })?;
        if export::is_grown(state, self.spec) {
            export::write_model(&self.folder.model(), state, self.spec, self.source)?;
        }
        for old in self.folder.checkpoints().into_iter().skip(self.spec.record.keep) {
            // One that cannot be removed costs space, not the run.
            let _ = std::fs::remove_file(old);
        }
        Ok(())
    }

    fn end(&mut self, state: &State, how: &str) -> Result<RunResult, TrainingError> {
        self.checkpoint(state)?;
        if how != "paused" {
            self.sample(state)?;
        }
        let result = RunResult {
            how: how.to_owned(),
            step: state.position.step,
            kimg: kimg(state),
            seconds: self.seconds_before + self.started.elapsed().as_secs_f64(),
            model: export::is_grown(state, self.spec).then(|| PathBuf::from("model.safetensors")),
        };
        let text = serde_json::to_vec_pretty(&result).map_err(|e| candle_core::Error::Msg(e.to_string()))?;
        store::write_atomic(&self.folder.result(), &text)?;
        self.tell(&Event::Ended { step: state.position.step, how: how.to_owned() })?;
        Ok(result)
    }
}

fn kimg(state: &State) -> f64 {
    state.position.shown as f64 / 1000.0
}

/// Measures speed between two lines of figures.
struct Pace {
    since: Instant,
    shown: u64,
    penalty: f32,
}

impl Pace {
    fn new(shown: u64) -> Self {
        Self { since: Instant::now(), shown, penalty: 0.0 }
    }

    /// A line of figures, where one is due.
    fn figures(&mut self, state: &State, spec: &RunSpec, step: StepFigures) -> Option<Event> {
        self.penalty = step.penalty.unwrap_or(self.penalty);
        if self.since.elapsed() < FIGURES_EVERY {
            return None;
        }
        let position = state.position;
        let rate = (position.shown - self.shown) as f64 / self.since.elapsed().as_secs_f64();
        let growth = state.growth(spec);
        let figures = Figures {
            step: position.step,
            kimg: kimg(state),
            side: growth.side,
            fade: growth.fade,
            critic_loss: step.critic_loss,
            generator_loss: step.generator_loss,
            real_score: step.real_score,
            fake_score: step.fake_score,
            penalty: self.penalty,
            skipped: state.skipped(),
            images_per_second: rate,
            seconds_left: spec.schedule.seconds_left(position.shown, rate),
            ..Figures::default()
        };
        *self = Self { since: Instant::now(), shown: position.shown, penalty: self.penalty };
        Some(Event::Step(figures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Family;
    use crate::training::events;
    use crate::training::presets::preset;
    use crate::training::reals::tests::Shapes;
    use crate::training::run_folder;
    use crate::training::spec::{Average, Level, Loss};
    use std::fs;

    /// A run of 12 steps of 4 images from 8 to 16 px through every part of the loop.
    fn tiny(family: Family) -> RunSpec {
        let mut spec = preset("small-32", family).unwrap();
        (spec.network.resolution, spec.network.latent) = (16, 8);
        (spec.network.feature_base, spec.network.feature_max) = (64, 8);
        spec.loss = match family {
            Family::ProgGan => Loss::R1 { gamma: 1.0, every: 3, label_weight: 1.0 },
            Family::CpdGan => Loss::WganGp { penalty: 10.0, drift: 0.001 },
        };
        spec.average = Average::PerStep { decay: 0.9 };
        let level = |side, fade_kimg, stable_kimg| Level { side, batch: 4, fade_kimg, stable_kimg };
        spec.schedule.levels = match family {
            Family::ProgGan => vec![level(8, 0.0, 0.016), level(16, 0.016, 0.0)],
            Family::CpdGan => vec![level(16, 0.0, 0.0)],
        };
        spec.schedule.total_kimg = 0.048;
        (spec.record.sample_kimg, spec.record.checkpoint_kimg) = (0.016, 0.008);
        spec
    }

    fn weights(root: &Path) -> Vec<u8> {
        let newest = fs::read_dir(root.join("checkpoints")).unwrap().map(|e| e.unwrap().path()).max().unwrap();
        fs::read(newest).unwrap()
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
}
