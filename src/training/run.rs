//! A run from its first step, or from its last checkpoint, to its end, a pause, or a request to stop.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candle_core::Device;

use super::TrainingError;
use super::anchor::Codes;
use super::events::{Event, Figures, Log, Quality};
use super::guard::{self, Verdict};
use super::quality::Meter;
use super::reals::{Draw, RadiographSource};
use super::run_folder::{Request, RunFolder, RunResult, TrainedOn};
use super::spec::RunSpec;
use super::state::{Course, State, StepFigures};
use super::tensorboard::Board;
use super::{checkpoint, export, sampling};
use crate::compute::device::DeviceChoice;
use crate::compute::{self, memory};
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

/// Goes on with the run in `out` from its last good checkpoint, on `device` where it is not to be the spec's.
///
/// # Errors
/// As [`train`].
pub fn resume(
    out: &Path,
    device: Option<DeviceChoice>,
    progress: &Progress,
    watch: &mut dyn FnMut(&Event),
) -> Result<Outcome, TrainingError> {
    let (folder, mut spec) = RunFolder::open(out)?;
    spec.device = device.unwrap_or(spec.device);
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
    folder.bind(&trained_on(source))?;
    compute::init();
    let mut run = Run::new(&folder, spec, source, watch)?;
    run.going(|run| {
        let state = run.begin()?;
        run.go(state, progress)
    })
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
    folder.bind(&trained_on(source))?;
    compute::init();
    let begun = std::fs::metadata(folder.events()).is_ok_and(|log| log.len() > 0);
    let mut run = Run::new(folder, spec, source, watch)?;
    run.going(|run| {
        let state = if let Some(state) = run.newest(None)? {
            state
        } else {
            if begun {
                run.notice("no checkpoint yet; the run begins anew")?;
            }
            run.begin()?
        };
        run.go(state, progress)
    })
}

/// Whether a source can be trained on at all.
///
/// # Errors
/// A sentence that says what it lacks.
pub fn check(spec: &RunSpec, source: &dyn RadiographSource) -> Result<(), TrainingError> {
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

/// What the run folder remembers of its radiographs, so that nobody goes on with it on others.
fn trained_on(source: &dyn RadiographSource) -> TrainedOn {
    TrainedOn { cohort: source.facts().identity.clone(), part: source.part() }
}

/// One process's work on a run.
struct Run<'a> {
    folder: &'a RunFolder,
    spec: &'a RunSpec,
    source: &'a dyn RadiographSource,
    log: Log,
    board: Option<Board>,
    watch: &'a mut dyn FnMut(&Event),
    device: Device,
    /// What it computes on, for reading.
    device_words: String,
    /// The critic steps behind it, for the last words of a run that fails.
    step: u64,
    meter: Option<Meter>,
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
        let log = Log::open(&folder.events())?;
        let board = spec.record.tensorboard.then(|| Board::create(&folder.tensorboard())).transpose()?;
        let opened = spec.device.open();
        let words = opened.words().to_owned();
        Ok(Self {
            folder,
            spec,
            source,
            log,
            board,
            watch,
            device: opened.device,
            device_words: words,
            step: 0,
            meter: None,
            seconds_before: before.map_or(0.0, |result| result.seconds),
            started: Instant::now(),
        })
    }

    fn unusable(&self, problem: String) -> TrainingError {
        TrainingError::Cohort { path: self.spec.cohort.clone(), problem }
    }

    fn tell(&mut self, event: &Event) -> Result<(), TrainingError> {
        self.log.append(event)?;
        if let Some(board) = &mut self.board {
            board.hear(event, self.folder.root())?;
        }
        (self.watch)(event);
        Ok(())
    }

    fn notice(&mut self, text: &str) -> Result<(), TrainingError> {
        self.tell(&Event::Notice { text: text.to_owned() })
    }

    /// Runs `work`; where it fails, the log says so, if it still can.
    fn going(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Outcome, TrainingError>,
    ) -> Result<Outcome, TrainingError> {
        let outcome = work(self);
        if let Err(error) = &outcome {
            // The disk that refused may refuse these words too; the caller hears them all the same.
            let _ = self.notice(&error.to_string());
            let _ = self.tell(&Event::Ended { step: self.step, how: "failed".to_owned() });
        }
        outcome
    }

    /// The networks before the first step.
    fn begin(&mut self) -> Result<State, TrainingError> {
        let mut state = State::new(self.spec, self.source.facts().vocabulary.len(), &self.device)?;
        if let Some(from) = &self.spec.start_from {
            let (taken, left) = checkpoint::start_from(from, &mut state)?;
            self.notice(&format!("{taken} tensors start from {}, {left} anew", from.display()))?;
        }
        Ok(state)
    }

    /// The newest checkpoint that can be read, but not the one of step `but_not` where there is an older one.
    fn newest(&mut self, but_not: Option<u64>) -> Result<Option<State>, TrainingError> {
        let labels = self.source.facts().vocabulary.len();
        let mut last_resort = None;
        for path in self.folder.checkpoints() {
            match checkpoint::read(&path, self.spec, labels, &self.device) {
                Ok(state) if Some(state.position.step) == but_not => last_resort = Some(state),
                Ok(state) => return Ok(Some(state)),
                Err(error) => self.notice(&format!("{error}; trying the one before it"))?,
            }
        }
        Ok(last_resort)
    }

    fn go(&mut self, mut state: State, progress: &Progress) -> Result<Outcome, TrainingError> {
        let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.step = state.position.step;
        let device = self.device_words.clone();
        self.tell(&Event::Started { step: state.position.step, unix_seconds, device })?;
        let total = self.spec.schedule.total();
        progress.set_total(total.saturating_sub(state.position.shown));
        let mut draw = Draw::new(self.source, self.spec.seed, self.spec.data.balanced);
        if self.spec.anchor.is_some() {
            let codes = Codes::of(self.source, state.architecture.latent, self.spec.network.resolution, self.spec.seed);
            draw.codes = Some(codes.map_err(|problem| self.unusable(problem))?);
        }
        let record = self.spec.record;
        let every = |kimg: f64| ((kimg * 1000.0) as u64).max(1);
        if record.quality_kimg > 0.0 {
            self.open_meter()?;
        }
        let mut pace = Pace::new(state.position.shown);
        if state.position.step == 0 {
            self.sample(&state)?;
        }
        // What a pause cut short comes before the next step changes the networks.
        if state.course.quality_due {
            if self.measure(&mut state, progress)? {
                return self.end(&state, "finished").map(Outcome::Done);
            }
            if progress.is_cancelled() {
                return self.end(&state, "paused").map(Outcome::Paused);
            }
        }
        while state.position.shown < total {
            let before = state.position.shown;
            let parts = state.micro_batch.get();
            state.measure_gradients = pace.is_due();
            let figures = state.step(self.spec, self.source, &mut draw)?;
            if state.micro_batch.get() != parts {
                let now = state.micro_batch.get().unwrap_or_default();
                self.notice(&format!("the device's memory is full: from now on {now} images are computed at a time"))?;
            }
            self.step = state.position.step;
            let shown = state.position.shown;
            progress.advance(shown - before);
            if let Some(event) = pace.figures(&state, self.spec, figures) {
                self.tell(&event)?;
            }
            match guard::judge(&mut state.course, &self.spec.guard, &figures) {
                Verdict::GoOn => {}
                Verdict::RollBack => {
                    state = self.roll_back(state)?;
                    pace = Pace::new(state.position.shown);
                    continue;
                }
                Verdict::Stop => {
                    let problem = guard::sentence(&state.course, &self.spec.guard);
                    return Err(TrainingError::Diverged { step: self.step, problem });
                }
            }
            let due = |kimg| before / every(kimg) != shown / every(kimg);
            let request = self.folder.take_request();
            let snapshot = request == Some(Request::Snapshot);
            if due(record.sample_kimg) || snapshot {
                self.sample(&state)?;
            }
            if self.meter.is_some() && due(record.quality_kimg) && export::is_grown(&state, self.spec) {
                state.course.quality_due = true;
            }
            if state.course.quality_due && self.measure(&mut state, progress)? {
                return self.end(&state, "finished").map(Outcome::Done);
            }
            // Networks in trouble are not worth keeping.
            if (due(record.checkpoint_kimg) && state.course.trouble == 0) || snapshot {
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

    fn open_meter(&mut self) -> Result<(), TrainingError> {
        match Meter::open(self.spec, self.source)? {
            Ok(meter) => self.meter = Some(meter),
            Err(reason) if self.spec.quality.stop.is_some() => {
                return Err(self.unusable(format!("{reason}; quality.stop cannot do without a measure")));
            }
            Err(reason) => self.notice(&format!("quality is not measured, for {reason}"))?,
        }
        Ok(())
    }

    /// Measures quality, keeps the best checkpoint, and says whether the stop rule is met. A measure that is cancelled on
    /// the way stays due.
    fn measure(&mut self, state: &mut State, progress: &Progress) -> Result<bool, TrainingError> {
        let Some(meter) = &mut self.meter else { return Ok(false) };
        let Some(quality) = meter.measure(state, self.spec, self.source, progress)? else { return Ok(false) };
        state.course.quality_due = false;
        let best = judge(&mut state.course, &quality, self.spec);
        self.tell(&Event::Quality(quality))?;
        if best {
            checkpoint::write(&self.folder.best(), state)?;
        }
        Ok(self.spec.quality.stop.is_some_and(|stop| state.course.since_best >= stop.patience))
    }

    /// Goes back to the last good checkpoint with a lower rate; a second time without a new checkpoint, to the one before.
    fn roll_back(&mut self, state: State) -> Result<State, TrainingError> {
        let (step, course) = (state.position.step, state.course);
        drop(state);
        let mut back = match self.newest(course.rolled_to)? {
            Some(state) => state,
            None => self.begin()?,
        };
        back.course = Course {
            trouble: 0,
            rolled_back: course.rolled_back + 1,
            rolled_to: Some(back.position.step),
            best: course.best,
            ..back.course
        };
        let rate = self.spec.optimiser.rate * self.spec.guard.lowered(back.course.rolled_back);
        self.notice(&format!(
            "the losses ran away at step {step}: back to step {}, and on with the rate {rate:e}",
            back.position.step
        ))?;
        // What comes after is not gone on from again.
        let kept = self.folder.root().join(RunFolder::checkpoint(back.position.step));
        checkpoint::write(&kept, &back)?;
        for newer in self.folder.checkpoints().into_iter().take_while(|path| *path != kept) {
            // One that stays is gone back to once more, which costs time and nothing else.
            let _ = std::fs::remove_file(newer);
        }
        self.step = back.position.step;
        Ok(back)
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

    /// Makes the model file of the best checkpoint, as published where the stop rule ends a run.
    fn keep_best(&mut self, state: &State) -> Result<(), TrainingError> {
        match checkpoint::read(&self.folder.best(), self.spec, state.architecture.labels, &self.device) {
            Ok(best) => {
                export::write_model(&self.folder.model(), &best, self.spec, self.source)?;
                let text = "the distance has not fallen any more: the model is the one with the smallest, at";
                self.notice(&format!("{text} {:.1} kimg", kimg(&best)))
            }
            Err(error) => self.notice(&format!("{error}; the model is the last one instead of the best")),
        }
    }

    fn end(&mut self, state: &State, how: &str) -> Result<RunResult, TrainingError> {
        self.checkpoint(state)?;
        if how != "paused" {
            self.sample(state)?;
        }
        if self.spec.quality.stop.is_some_and(|stop| state.course.since_best >= stop.patience) {
            self.keep_best(state)?;
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

/// Whether a measure is the smallest that counts, and how many have passed since the one that was.
fn judge(course: &mut Course, quality: &Quality, spec: &RunSpec) -> bool {
    if spec.quality.stop.is_some_and(|stop| quality.kimg < stop.from_kimg) {
        return false;
    }
    let best = course.best.map_or(f64::INFINITY, f64::from_bits);
    if quality.fid < best {
        (course.best, course.since_best) = (Some(quality.fid.to_bits()), 0);
        return true;
    }
    course.since_best += 1;
    false
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

    /// Whether the next step's line of figures is due.
    fn is_due(&self) -> bool {
        self.since.elapsed() >= FIGURES_EVERY
    }

    /// A line of figures, where one is due.
    fn figures(&mut self, state: &State, spec: &RunSpec, step: StepFigures) -> Option<Event> {
        self.penalty = step.penalty.unwrap_or(self.penalty);
        // Decided before the step, so that the step could measure its gradients.
        if !state.measure_gradients {
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
            critic_gradient: step.gradients.map_or(0.0, |[critic, _]| critic),
            generator_gradient: step.gradients.map_or(0.0, |[_, generator]| generator),
            memory_bytes: memory::held(),
        };
        *self = Self { since: Instant::now(), shown: position.shown, penalty: self.penalty };
        Some(Event::Step(figures))
    }
}

#[cfg(test)]
mod tests {
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
}
