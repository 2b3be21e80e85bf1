//! The executor: takes jobs as they become ready, several at a time, and says how far the whole is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::BenchmarkError;
use super::folder::SweepFolder;
use super::job::Context;
use super::plan::{Job, Plan, Work};
use super::result::{SweepResult, aggregate};
use super::spec::SweepSpec;
use super::time_left::at_pace;
use crate::cohort::Pack;
use crate::progress::Progress;

/// Time from one note of where the sweep stands to the next.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Time from one look at the cancel switch, and at jobs of other processes, to the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How a sweep is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Jobs at a time; each gets its share of the threads.
    pub workers: usize,
    /// Only the job with this key, whose needs must be done; what a job of a cluster runs.
    pub only: Option<String>,
}

/// Where a sweep stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Jobs done.
    pub done: usize,
    /// All jobs.
    pub jobs: usize,
    /// Jobs that failed.
    pub failed: usize,
    /// Share of the whole work, 0 to 1, by expected time.
    pub fraction: f64,
    /// Seconds left, once that can be told.
    pub seconds_left: Option<f64>,
    /// What is being done.
    pub running: Vec<String>,
    /// Process that does it.
    pub process: u32,
}

#[derive(Clone, PartialEq)]
enum State {
    Waiting,
    Running,
    /// Another process holds it.
    Elsewhere,
    Done,
    Failed(String),
}

/// One sweep at work.
struct Crew<'a> {
    context: Context<'a>,
    states: Mutex<Vec<State>>,
    /// Progress of each running job.
    running: Mutex<Vec<(usize, Progress)>>,
    changed: Condvar,
    whole: &'a Progress,
    only: Option<usize>,
    finished: AtomicBool,
}

/// Runs a sweep to its end, or until it is cancelled; what is done is found done the next time. `watch` hears about once a
/// second where it stands.
///
/// # Errors
/// [`BenchmarkError::Cancelled`], [`BenchmarkError::Jobs`] when jobs failed, or what kept it from beginning.
pub fn run(
    folder: &SweepFolder,
    spec: &SweepSpec,
    pack: &Pack,
    options: &Options,
    progress: &Progress,
    watch: &(dyn Fn(&Standing) + Sync),
) -> Result<SweepResult, BenchmarkError> {
    let plan = Plan::new(spec, pack)?;
    let states: Vec<State> =
        plan.jobs.iter().map(|job| if folder.is_done(&job.key) { State::Done } else { State::Waiting }).collect();
    let only = match &options.only {
        None => None,
        Some(key) => Some(plan.jobs.iter().position(|job| job.key == *key).ok_or_else(|| BenchmarkError::Spec {
            path: folder.root().join("sweep.toml"),
            problem: format!("has no job {key}; `sweep plan` lists them"),
        })?),
    };
    let crew = Crew {
        context: Context { spec, pack, plan: &plan, folder },
        states: Mutex::new(states),
        running: Mutex::new(Vec::new()),
        changed: Condvar::new(),
        whole: progress,
        only,
        finished: AtomicBool::new(false),
    };
    let workers = options.workers.clamp(1, 64);
    let threads = (rayon::current_num_threads() / workers).max(1);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| crew.watch(watch));
        let crew = &crew;
        let hands: Vec<_> = (0..workers).map(|_| scope.spawn(move || crew.work(threads))).collect();
        for hand in hands {
            // A worker that panicked has left its job marked as running; the count below says that it is not done.
            let _ = hand.join();
        }
        crew.finished.store(true, Ordering::Relaxed);
        let _ = watcher.join();
    });
    let standing = crew.standing(None);
    if crew.only.is_none() {
        folder.note(&standing)?;
    }
    watch(&standing);
    let states = crew.states.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed: Vec<usize> = (0..states.len()).filter(|&i| matches!(states[i], State::Failed(_))).collect();
    if let Some(&first) = failed.first() {
        let problem = if let State::Failed(problem) = &states[first] { problem.clone() } else { String::new() };
        let path = folder.job(&plan.jobs[first].key);
        return Err(BenchmarkError::Jobs { failed: failed.len(), jobs: states.len(), path, problem });
    }
    progress.check()?;
    let done = states.iter().filter(|state| **state == State::Done).count();
    if done < states.len() {
        return Err(BenchmarkError::Unfinished { done, jobs: states.len() });
    }
    let result = aggregate(folder, spec, pack, &plan)?;
    super::folder::write_json(&folder.result(), &result)?;
    Ok(result)
}

impl Crew<'_> {
    fn states(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Progress)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker: job after job, until there is none left that could become ready.
    fn work(&self, threads: usize) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        while let Some(place) = self.next() {
            let job = &self.context.plan.jobs[place];
            let lock = match self.context.folder.take(&job.key) {
                Ok(Some(lock)) => lock,
                Ok(None) => {
                    self.set(place, State::Elsewhere);
                    continue;
                }
                Err(error) => {
                    self.set(place, State::Failed(error.to_string()));
                    continue;
                }
            };
            if self.context.folder.is_done(&job.key) {
                self.set(place, State::Done);
                continue;
            }
            let progress = Progress::new();
            self.running().push((place, progress.clone()));
            let began = Instant::now();
            let perform = || self.context.perform(job, &progress);
            let outcome = match &pool {
                Ok(pool) => pool.install(perform),
                Err(_) => perform(),
            };
            self.note_seconds(job, began.elapsed(), outcome.is_ok());
            drop(lock);
            self.running().retain(|(running, _)| *running != place);
            self.set(
                place,
                match outcome {
                    Ok(()) => State::Done,
                    Err(_) if self.whole.is_cancelled() => State::Waiting,
                    Err(error) => State::Failed(error.to_string()),
                },
            );
        }
    }

    /// Notes how long a job took: of a generator, which goes on where it was, what it took before as well.
    fn note_seconds(&self, job: &Job, took: Duration, done: bool) {
        let goes_on = matches!(job.work, Work::Generator { .. });
        if !done && !goes_on {
            return;
        }
        let folder = self.context.folder;
        let before = if goes_on { folder.seconds(&job.key) } else { None };
        // A note that cannot be written costs the estimate of the time left, not the job.
        let _ = folder.note_seconds(&job.key, before.unwrap_or(0.0) + took.as_secs_f64());
    }

    /// The next job that is ready, marked as running; waits where one may become ready. `None` where none will.
    fn next(&self) -> Option<usize> {
        let mut states = self.states();
        loop {
            if self.whole.is_cancelled() {
                return None;
            }
            let ready = |i: usize, states: &[State]| {
                let wanted = self.only.is_none_or(|only| only == i);
                let open = matches!(states[i], State::Waiting | State::Elsewhere);
                wanted && open && self.context.plan.jobs[i].needs.iter().all(|&need| states[need] == State::Done)
            };
            // One that another process holds is tried again only after a pause.
            if let Some(place) = (0..states.len()).find(|&i| states[i] == State::Waiting && ready(i, &states)) {
                states[place] = State::Running;
                return Some(place);
            }
            let elsewhere = (0..states.len()).any(|i| states[i] == State::Elsewhere && ready(i, &states));
            if !elsewhere && !states.contains(&State::Running) {
                return None;
            }
            let waited = self.changed.wait_timeout(states, 5 * LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
            states = waited.0;
            if waited.1.timed_out() {
                states.iter_mut().filter(|state| **state == State::Elsewhere).for_each(|state| *state = State::Waiting);
            }
        }
    }

    fn set(&self, place: usize, state: State) {
        self.states()[place] = state;
        self.changed.notify_all();
    }

    /// Hands the cancel switch on to the jobs, and tells where the sweep stands.
    fn watch(&self, watch: &(dyn Fn(&Standing) + Sync)) {
        let began = (Instant::now(), self.standing(None).fraction);
        let (mut noted, mut counted) = (None::<Instant>, 0);
        self.whole.set_total(1000);
        while !self.finished.load(Ordering::Relaxed) {
            if self.whole.is_cancelled() {
                self.running().iter().for_each(|(_, progress)| progress.cancel());
                self.changed.notify_all();
            }
            let standing = self.standing(Some(began));
            let thousandths = (standing.fraction * 1000.0) as u64;
            self.whole.advance(thousandths.saturating_sub(counted));
            counted = counted.max(thousandths);
            if noted.is_none_or(|at| at.elapsed() >= NOTE_EVERY) {
                noted = Some(Instant::now());
                // One job of many would overwrite what the others note. A note that cannot be written costs the watcher a
                // second, not the sweep.
                if self.only.is_none() {
                    let _ = self.context.folder.note(&standing);
                }
                watch(&standing);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Where it stands; `began` are time and share at the start, from which the time left is told.
    fn standing(&self, began: Option<(Instant, f64)>) -> Standing {
        let states = self.states().clone();
        let running = self.running().clone();
        let jobs = &self.context.plan.jobs;
        let all: f64 = jobs.iter().map(|job| job.weight).sum();
        let share = |i: usize| match &states[i] {
            State::Done => 1.0,
            _ => running.iter().find(|(at, _)| *at == i).and_then(|(_, p)| p.fraction()).map_or(0.0, f64::from),
        };
        let fraction = (0..jobs.len()).map(|i| share(i) * jobs[i].weight).sum::<f64>() / all.max(1e-9);
        let seconds_left =
            began.and_then(|(since, before)| at_pace(since.elapsed().as_secs_f64(), fraction - before, 1.0 - fraction));
        let title = |(i, progress): &(usize, Progress)| match progress.fraction() {
            Some(part) => format!("{} ({:.0} %)", jobs[*i].title, 100.0 * part),
            None => jobs[*i].title.clone(),
        };
        Standing {
            done: states.iter().filter(|state| **state == State::Done).count(),
            jobs: jobs.len(),
            failed: states.iter().filter(|state| matches!(state, State::Failed(_))).count(),
            fraction,
            seconds_left,
            running: running.iter().map(title).collect(),
            process: std::process::id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::benchmark::folder::read_json;
    use crate::benchmark::spec::{ClassPoint, ClassifierSetting, Factor, GeneratorSetting, RankedOn, Seed};
    use crate::encoder::Source;
    use crate::generator::Family;
    use crate::neighbour::testing;

    /// A sweep of two points, two generators of a few steps and classifiers of one epoch.
    fn tiny(pack: &Pack) -> SweepSpec {
        let generator = |family: Family| GeneratorSetting {
            name: family.name().to_owned(),
            family,
            preset: "small".to_owned(),
            kimg: Some(0.6),
            width: Some(4),
            anchor: None,
            spec: None,
        };
        let point = |classes, train| ClassPoint { classes, train };
        SweepSpec {
            name: "tiny".to_owned(),
            cohort: Some(pack.folder().to_path_buf()),
            seeds: vec![Seed::Same(1)],
            as_published: false,
            phantom: None,
            factor: Factor::Classes {
                resolution: 32,
                least_count: 4,
                no_finding: None,
                ranked_on: RankedOn::All,
                shuffled: true,
                grid: vec![point(3, 10), point(2, 12)],
                validation: 3,
                test: 3,
            },
            generators: vec![generator(Family::CpdGan), generator(Family::ProgGan)],
            classifier: ClassifierSetting {
                preset: "small".to_owned(),
                epochs: Some(1),
                epoch_images: Some(48),
                weights: None,
            },
        }
    }

    fn sweep(root: &Path, spec: &SweepSpec, pack: &Pack, options: &Options) -> Result<SweepResult, BenchmarkError> {
        let folder = SweepFolder::create(root, spec).unwrap();
        run(&folder, spec, pack, options, &Progress::new(), &|_| ())
    }

    #[test]
    fn a_sweep_gives_the_same_bytes_with_other_workers_and_after_being_stopped() {
        let parent = tempfile::tempdir().unwrap();
        let pack = testing::pack(parent.path(), 96, 3);
        let spec = tiny(&pack);
        let (whole, broken) = (parent.path().join("whole"), parent.path().join("broken"));
        let two = Options { workers: 2, only: None };
        let result = sweep(&whole, &spec, &pack, &two).unwrap();
        // 2 points of 2 generators, their samples, 3 classifiers and 3 tests.
        let plan = Plan::new(&spec, &pack).unwrap();
        assert_eq!((plan.jobs.len(), plan.cells.len()), (2 * (2 + 2 + 3 + 3), 6));
        assert!(plan.jobs.iter().enumerate().all(|(i, job)| job.needs.iter().all(|&need| need < i)));
        assert_eq!(result.points.iter().map(|p| p.values.len()).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(result.points[1].findings.len(), 2);
        assert_eq!(result.points[0].films, [30, 9, 9]);
        let relative = result.points[0].values[1].relative.as_ref().unwrap();
        let (synthetic, real) = (result.points[0].values[1].auroc.unwrap(), result.points[0].values[0].auroc.unwrap());
        assert!((relative.ratio - synthetic / real).abs() < 1e-12);

        // One job alone, as on a cluster; then stopped in the middle; then to the end with one worker.
        let only = Options { workers: 1, only: Some(plan.jobs[0].key.clone()) };
        let error = sweep(&broken, &spec, &pack, &only).unwrap_err();
        assert!(matches!(error, BenchmarkError::Unfinished { done: 1, jobs: 20 }), "{error}");
        let folder = SweepFolder::create(&broken, &spec).unwrap();
        let progress = Progress::new();
        let stop = |standing: &Standing| {
            if standing.done >= 1 {
                progress.cancel();
            }
        };
        let one = Options { workers: 1, only: None };
        let error = run(&folder, &spec, &pack, &one, &progress, &stop).unwrap_err();
        assert!(matches!(error, BenchmarkError::Cancelled(_)), "{error}");
        sweep(&broken, &spec, &pack, &one).unwrap();
        let bytes = |root: &Path| std::fs::read(root.join("result.json")).unwrap();
        assert!(bytes(&whole) == bytes(&broken), "the stopped sweep ended elsewhere");
        let read: SweepResult = read_json(&whole.join("result.json")).unwrap();
        assert_eq!(read.points.len(), 2);

        // Each point has left pairs of classifiers that say what they learnt from.
        let pairs = crate::benchmark::classifier_pairs(&folder, &spec, &pack).unwrap();
        assert_eq!(pairs.len(), 4);
        let learnt = |path: &Path| crate::encoder::file::read(path).unwrap().card.training.source;
        assert!(pairs.iter().all(|pair| learnt(&pair.real).is_films()));
        for (i, pair) in pairs.iter().enumerate() {
            let key = &plan.jobs[plan.cells.iter().filter_map(|cell| cell.generator).nth(i).unwrap()].key;
            let model = crate::store::hash_file(&folder.model(key)).unwrap();
            let Source::Samples { id, .. } = learnt(&pair.synthetic) else { panic!("{}", pair.title) };
            assert_eq!(id, model[..16], "{}", pair.title);
        }

        // How long each job took is noted beside its result.
        assert!(plan.jobs.iter().all(|job| folder.seconds(&job.key).is_some_and(|seconds| seconds > 0.0)));
        assert!(crate::benchmark::time_left::on_cluster(&folder, &plan, None) == Some(0.0));

        // A job whose result is gone is done again and comes to the same.
        let key = &plan.jobs[plan.cells[1].test].key;
        std::fs::remove_file(folder.job(key).join("result.json")).unwrap();
        sweep(&broken, &spec, &pack, &one).unwrap();
        assert!(bytes(&whole) == bytes(&broken));
    }

    #[test]
    fn jobs_on_films_that_are_clipped_before_they_are_shrunk_have_other_keys() {
        let parent = tempfile::tempdir().unwrap();
        let whole = testing::pack(parent.path(), 96, 3);
        let file = whole.folder().join("pack.json");
        let header: crate::cohort::pack::Header = read_json(&file).unwrap();
        let window = [0.25, 0.75];
        let narrow = serde_json::to_vec(&crate::cohort::pack::Header { window, ..header }).unwrap();
        std::fs::write(&file, narrow).unwrap();
        let narrow = Pack::open(whole.folder()).unwrap();
        let keys = |pack: &Pack| -> Vec<String> {
            Plan::new(&tiny(pack), pack).unwrap().jobs.into_iter().map(|job| job.key).collect()
        };
        let (whole, narrow) = (keys(&whole), keys(&narrow));
        assert!(whole.len() == narrow.len() && whole.iter().all(|key| !narrow.contains(key)));
    }

    #[test]
    fn a_changed_seed_redoes_only_what_follows() {
        let parent = tempfile::tempdir().unwrap();
        let pack = testing::pack(parent.path(), 96, 3);
        let keys = |seeds: Vec<Seed>| -> Vec<(String, String)> {
            let plan = Plan::new(&SweepSpec { seeds, ..tiny(&pack) }, &pack).unwrap();
            plan.jobs.into_iter().map(|job| (job.key, job.title)).collect()
        };
        let before = keys(vec![Seed::Same(1)]);
        let more = keys(vec![Seed::Same(1), Seed::Same(2)]);
        assert!(before.iter().all(|job| more.contains(job)) && more.len() == 2 * before.len());
        let changed = |generator, samples, classifier| {
            let after = keys(vec![Seed::Each { generator, samples, classifier }]);
            let kept = |word: &str| {
                let count = |list: &[(String, String)]| list.iter().filter(|job| job.1.starts_with(word)).count();
                let shared: Vec<_> = after.iter().filter(|a| before.iter().any(|b| b.0 == a.0)).cloned().collect();
                (count(&shared), count(&after))
            };
            [kept("train cpD"), kept("draw"), kept("train a classifier"), kept("test")]
        };
        assert_eq!(changed(1, 1, 1), [(2, 2), (4, 4), (6, 6), (6, 6)]);
        assert_eq!(changed(1, 1, 9), [(2, 2), (4, 4), (0, 6), (0, 6)]);
        assert_eq!(changed(1, 9, 1), [(2, 2), (0, 4), (2, 6), (2, 6)]);
        assert_eq!(changed(9, 1, 1), [(0, 2), (0, 4), (2, 6), (2, 6)]);
    }
}
