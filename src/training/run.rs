//! A run from its first step, or from its last checkpoint, to its end, a pause, or a request to stop.

mod pace;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use candle_core::Device;

use super::TrainingError;
use super::anchor::Codes;
use super::events::{Event, Log, Quality};
use super::guard::{self, Verdict};
use super::quality::Meter;
use super::reals::{Draw, RadiographSource};
use super::run_folder::{Request, RunFolder, RunResult, TrainedOn};
use super::spec::RunSpec;
use super::state::{Course, State};
use super::tensorboard::Board;
use super::{checkpoint, export, sampling};
use crate::compute;
use crate::compute::device::DeviceChoice;
use crate::progress::Progress;
use crate::radiograph::is_range;
use crate::store;
use pace::Pace;

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
    if !is_range([low, high]) {
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

    /// Measures quality, keeps the best checkpoint, and says whether the stop rule is met; of two encoders the first judges
    /// both. A measure that is cancelled on the way stays due, and no encoder's figures are told before all have theirs: what
    /// is measured again after a pause was never told.
    fn measure(&mut self, state: &mut State, progress: &Progress) -> Result<bool, TrainingError> {
        let Some(meter) = &mut self.meter else { return Ok(false) };
        let Some(qualities) = meter.measure(state, self.spec, self.source, progress)? else { return Ok(false) };
        state.course.quality_due = false;
        let best = qualities.first().is_some_and(|first| judge(&mut state.course, first, self.spec));
        for quality in qualities {
            self.tell(&Event::Quality(quality))?;
        }
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

#[cfg(test)]
mod tests;
