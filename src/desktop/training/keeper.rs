//! What is done to runs: beginning, resuming, asking, queueing, deleting. One thread does it, in the order it was asked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use eframe::egui;

use super::Places;
use crate::cluster::{self, Resources, Slurm, Submission};
use crate::cohort::Pack;
use crate::desktop::state::ClusterChoice;
use crate::training::launch::{self, Bond};
use crate::training::queue::Queue;
use crate::training::run_folder::{self, Request, RunFolder};
use crate::training::spec::RunSpec;
use crate::training::status;

/// One thing to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Makes a run's folder and begins it, or lets it wait for its turn.
    Make {
        /// What fixes the run.
        spec: Box<RunSpec>,
        /// Whether it waits.
        queued: bool,
    },
    /// Begins or resumes a run.
    Start(PathBuf),
    /// Makes runs' folders and sends them to a cluster: one as a job, several as one array.
    Send {
        /// What fixes each run.
        specs: Vec<RunSpec>,
        /// Where to, and what it asks for.
        cluster: Box<ClusterChoice>,
        /// The job that must have succeeded before they begin.
        after: Option<u64>,
    },
    /// Sends a run once more that was sent before.
    SendAgain(PathBuf),
    /// Takes a run's job back from the cluster.
    CancelJob(PathBuf),
    /// Leaves a request in its folder.
    Ask(PathBuf, Request),
    /// Puts it at the end of the queue.
    Enqueue(PathBuf),
    /// Takes it out of the queue.
    Unqueue(PathBuf),
    /// Moves its folder to the bin beside it.
    Delete(PathBuf),
    /// Moves a folder back from the bin.
    PutBack {
        /// Where it lies in the bin.
        from: PathBuf,
        /// Where it lay.
        to: PathBuf,
    },
    /// Goes on with a queue that was left behind.
    GoOnWithQueue,
}

impl Deed {
    /// Whether another machine may have to answer, so that it must not keep others waiting.
    fn is_far(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::SendAgain(_) | Self::CancelJob(_))
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A run's folder was made, or those of several, of which this is the first.
    Made(PathBuf),
    /// A run was begun or resumed.
    Started(PathBuf),
    /// A job was sent again, or taken back.
    Told,
    /// A request was left.
    Asked,
    /// The queue was changed.
    Queued,
    /// A run was moved to the bin.
    Deleted {
        /// Where it lay.
        from: PathBuf,
        /// Where it lies now.
        to: PathBuf,
    },
    /// A run was moved back.
    Restored(PathBuf),
    /// There was nothing to do.
    Nothing,
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In a sentence.
    pub reason: String,
    /// Whether it is about the cohort of a run that was to be made, so that it belongs beside that field.
    pub cohort: bool,
}

/// The window's end of the thread.
pub struct Keeper {
    deeds: mpsc::Sender<Deed>,
    answers: mpsc::Receiver<Result<Done, Refusal>>,
    open: usize,
}

impl Keeper {
    /// Starts the thread; `program` is what trains, and `bond` says whether it outlives this process.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(ctx: &egui::Context, places: Places, program: PathBuf, bond: Bond) -> io::Result<Self> {
        let (deeds, of_thread) = mpsc::channel::<Deed>();
        let (sender, answers) = mpsc::channel();
        let ctx = ctx.clone();
        thread::Builder::new().name("keep runs".to_owned()).spawn(move || {
            for deed in of_thread {
                let (sender, ctx, places, program) = (sender.clone(), ctx.clone(), places.clone(), program.clone());
                let apart = deed.is_far();
                let perform = move || {
                    // Whoever asked may have gone.
                    let _ = sender.send(act(deed, &places, &program, bond));
                    ctx.request_repaint();
                };
                if !apart {
                    perform();
                } else if let Err(error) = thread::Builder::new().name("tell the cluster".to_owned()).spawn(perform) {
                    tracing::warn!("no thread could be started to tell the cluster: {error}");
                }
            }
        })?;
        Ok(Self { deeds, answers, open: 0 })
    }

    /// Has something done.
    pub fn ask(&mut self, deed: Deed) {
        if self.deeds.send(deed).is_ok() {
            self.open += 1;
        }
    }

    /// What was done since the last call.
    pub fn answers(&mut self) -> Vec<Result<Done, Refusal>> {
        let answers: Vec<_> = self.answers.try_iter().collect();
        self.open -= answers.len().min(self.open);
        answers
    }

    /// Whether something is still to be done.
    pub fn is_busy(&self) -> bool {
        self.open > 0
    }
}

fn act(deed: Deed, places: &Places, program: &Path, bond: Bond) -> Result<Done, Refusal> {
    let refused = |reason: String| Refusal { reason, cohort: false };
    let queue = Queue::new(places.data());
    match deed {
        Deed::Make { spec, queued } => {
            let cohort = |reason| Refusal { reason, cohort: true };
            let spec = checked(*spec).map_err(cohort)?;
            let root = places.new_run(&spec.name).map_err(refused)?;
            // Let go of at once: the process that trains takes hold of it.
            drop(RunFolder::create(&root, &spec).map_err(|error| refused(error.to_string()))?);
            if queued {
                queue.add(&root).map_err(|error| refused(error.to_string()))?;
                work_on(&queue, program).map_err(refused)?;
            } else {
                start(program, &root, bond).map_err(refused)?;
            }
            Ok(Done::Made(root))
        }
        Deed::Start(root) => {
            // Requests of an earlier evening shall not end this one.
            for request in ["request.pause", "request.stop"] {
                let _ = std::fs::remove_file(root.join(request));
            }
            queue.remove(&root).map_err(|error| refused(error.to_string()))?;
            start(program, &root, bond).map_err(refused)?;
            Ok(Done::Started(root))
        }
        Deed::Send { specs, cluster, after } => send(specs, &cluster, after, places, program),
        Deed::SendAgain(root) => {
            for request in ["request.pause", "request.stop"] {
                let _ = std::fs::remove_file(root.join(request));
            }
            cluster::send_again(&root).map_err(|error| refused(error.to_string()))?;
            Ok(Done::Told)
        }
        Deed::CancelJob(root) => {
            cluster::cancel(&root).map_err(|error| refused(error.to_string()))?;
            Ok(Done::Told)
        }
        Deed::Ask(root, request) => {
            run_folder::request(&root, request).map_err(|error| refused(error.to_string()))?;
            Ok(Done::Asked)
        }
        Deed::Enqueue(root) => {
            queue.add(&root).map_err(|error| refused(error.to_string()))?;
            work_on(&queue, program).map_err(refused)?;
            Ok(Done::Queued)
        }
        Deed::Unqueue(root) => {
            queue.remove(&root).map_err(|error| refused(error.to_string()))?;
            Ok(Done::Queued)
        }
        Deed::Delete(root) => {
            if status::status(&root).is_ok_and(|status| status.state.is_running()) {
                return Err(refused(format!("{} is running; pause or stop it first.", root.display())));
            }
            queue.remove(&root).map_err(|error| refused(error.to_string()))?;
            let to = Places::in_bin(&root).map_err(refused)?;
            std::fs::rename(&root, &to)
                .map_err(|error| refused(format!("{} could not be moved to the bin: {error}", root.display())))?;
            Ok(Done::Deleted { from: root, to })
        }
        Deed::PutBack { from, to } => {
            if to.exists() {
                return Err(refused(format!("{} exists again; the deleted run stays in the bin.", to.display())));
            }
            std::fs::rename(&from, &to)
                .map_err(|error| refused(format!("{} could not be moved back: {error}", from.display())))?;
            Ok(Done::Restored(to))
        }
        Deed::GoOnWithQueue => {
            work_on(&queue, program).map_err(refused)?;
            Ok(Done::Nothing)
        }
    }
}

/// Makes a folder for each run where every node sees it, and sends them together.
fn send(
    specs: Vec<RunSpec>,
    choice: &ClusterChoice,
    after: Option<u64>,
    places: &Places,
    program: &Path,
) -> Result<Done, Refusal> {
    let refused = |reason: String| Refusal { reason, cohort: false };
    let specs = specs.into_iter().map(checked).collect::<Result<Vec<RunSpec>, String>>();
    let specs = specs.map_err(|reason| Refusal { reason, cohort: true })?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let folder = given(&choice.folder).map_or_else(|| places.runs(), PathBuf::from);
    let mut roots = Vec::with_capacity(specs.len());
    let made = specs.iter().try_for_each(|spec| -> Result<(), String> {
        let root = Places::new_in(&folder, &spec.name)?;
        // Only made, not held: the node holds it.
        drop(RunFolder::create(&root, spec).map_err(|error| error.to_string())?);
        roots.push(root);
        Ok(())
    });
    let submission = Submission {
        specs: roots.clone(),
        out: folder,
        program: given(&choice.program).map_or_else(|| program.to_path_buf(), PathBuf::from),
        resources: Resources {
            partition: given(&choice.partition),
            time: choice.time.trim().to_owned(),
            gpus: choice.gpus,
            cores: choice.cores.max(1),
            memory: choice.memory.trim().to_owned(),
            together: 0,
        },
        slurm: slurm(choice),
        after: after.map(|job| job.to_string()),
    };
    let sent = made.and_then(|()| submission.send().map_err(|error| error.to_string()));
    if let Err(reason) = sent {
        // Nothing but the spec lies in them, and that is still in the form.
        roots.iter().for_each(|root| drop(std::fs::remove_dir_all(root)));
        return Err(refused(reason));
    }
    Ok(roots.into_iter().next().map_or(Done::Nothing, Done::Made))
}

/// Where the Slurm of a choice is called.
pub fn slurm(choice: &ClusterChoice) -> Slurm {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Slurm { host: given(&choice.host), commands: given(&choice.commands).map(PathBuf::from) }
}

/// The spec with its paths made whole, if its pack can serve it.
fn checked(mut spec: RunSpec) -> Result<RunSpec, String> {
    let quality = [spec.quality.encoder.as_mut(), spec.quality.second_encoder.as_mut()];
    for path in [Some(&mut spec.cohort), spec.start_from.as_mut()].into_iter().chain(quality).flatten() {
        if let Ok(whole) = std::path::absolute(&*path) {
            *path = whole;
        }
    }
    let pack = Pack::open(&spec.cohort).map_err(|error| error.to_string())?;
    pack.check_side(spec.network.resolution).map_err(|problem| format!("{}: {problem}", pack.header().name))?;
    Ok(spec)
}

fn start(program: &Path, root: &Path, bond: Bond) -> Result<(), String> {
    let child = launch::launch(program, root, bond);
    let child = child.map_err(|error| format!("{} could not be started: {error}", program.display()))?;
    let_go(child);
    Ok(())
}

fn work_on(queue: &Queue, program: &Path) -> Result<(), String> {
    let worker = queue.begin(program).map_err(|error| format!("the queue could not be worked on: {error}"))?;
    worker.into_iter().for_each(let_go);
    Ok(())
}

/// The process goes on without the window; while the window is there, a thread takes note of its end, so that nothing is
/// left of it.
fn let_go(mut child: std::process::Child) {
    let waiting = thread::Builder::new().name("wait for training".to_owned()).spawn(move || {
        // Waiting would close it, and a run that is tied to this process ends with its standard input.
        let line = child.stdin.take();
        let _ = child.wait();
        drop(line);
    });
    if let Err(error) = waiting {
        tracing::warn!("no thread waits for the training process: {error}");
    }
}
