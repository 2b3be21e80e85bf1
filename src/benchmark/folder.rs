//! The sweep folder: names of its files, the lock of each job, and what each job left behind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::BenchmarkError;
use super::run::Standing;
use super::spec::SweepSpec;
use crate::cohort::{Pack, PackError, phantom};
use crate::progress::Progress;
use crate::store;

/// Name of the file, in a job's folder, that says how long it took.
const SECONDS: &str = "seconds.json";

/// Largest result or progress file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// What a job left behind; the `result.json` in its folder, written last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum JobResult {
    /// A trained generator in `run/model.safetensors`.
    Generator {
        /// SHA-256 of the model file.
        model: String,
        /// Real images shown, in thousands.
        kimg: f64,
        /// Critic steps.
        steps: u64,
    },
    /// Samples in `train.samples`, `validation.samples` and `test.samples`.
    Samples {
        /// SHA-256 of the three files.
        files: [String; 3],
    },
    /// A trained classifier in `classifier.safetensors`.
    Classifier {
        /// SHA-256 of the file.
        model: String,
        /// Epochs taken.
        epochs: usize,
        /// Which was kept, from 1.
        best: usize,
        /// AUROC on the data the epoch was chosen on.
        auroc_validation: Option<f64>,
        /// What to add to each finding's logit so that probabilities have the training data's frequencies again; zero
        /// where the loss was not weighted.
        restore: Vec<f64>,
    },
    /// Scores of the real test fold in `scores.f32`.
    Test(Box<TestResult>),
}

/// How a classifier did on the real test fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Films judged.
    pub films: usize,
    /// SHA-256 of the scores' file.
    pub scores: String,
    /// Mean AUROC over the findings where it is defined.
    pub auroc: Option<f64>,
    /// Each finding, in the order of the point's vocabulary.
    pub findings: Vec<FindingTest>,
}

/// How a classifier did on one finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingTest {
    /// The finding.
    pub finding: String,
    /// Test films that have it.
    pub positives: usize,
    /// AUROC; absent where the test films are all with or all without it.
    pub auroc: Option<f64>,
    /// 95 % interval by `DeLong`.
    pub interval: Option<crate::stats::Bounds>,
    /// Brier score of the probabilities.
    pub brier: Option<f64>,
    /// Expected calibration error over ten bins of equal width.
    pub calibration_error: Option<f64>,
    /// Score above which the finding is said: Youden's on the data the epoch was chosen on.
    pub threshold: Option<f64>,
    /// Sensitivity at that threshold, on the test films.
    pub sensitivity: Option<f64>,
    /// Specificity at that threshold.
    pub specificity: Option<f64>,
    /// F1 at that threshold.
    pub f1: Option<f64>,
}

/// One sweep's folder.
#[derive(Debug, Clone)]
pub struct SweepFolder {
    root: PathBuf,
}

impl SweepFolder {
    /// Makes the folder, or takes one that is there, and writes the spec into it. A spec that has changed replaces the old
    /// one; jobs that it shares with the old one stay done.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn create(root: &Path, spec: &SweepSpec) -> Result<Self, BenchmarkError> {
        fs::create_dir_all(root.join("jobs")).map_err(|e| BenchmarkError::Damaged {
            path: root.to_path_buf(),
            problem: format!("it cannot be made: {e}; check free space and permissions"),
        })?;
        let mut kept = spec.clone();
        let whole = |path: &mut PathBuf| *path = path.canonicalize().unwrap_or_else(|_| path.clone());
        kept.cohort.as_mut().map(whole);
        kept.classifier.weights.as_mut().map(whole);
        store::write_atomic(&root.join("sweep.toml"), kept.to_toml().as_bytes())?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// Opens the folder of a sweep that was begun before.
    ///
    /// # Errors
    /// When there is no sweep in it.
    pub fn open(root: &Path) -> Result<(Self, SweepSpec), BenchmarkError> {
        let spec = SweepSpec::read(&root.join("sweep.toml"))?;
        Ok((Self { root: root.to_path_buf() }, spec))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Opens the sweep's cohort; phantoms are drawn first, where they are not there yet.
    ///
    /// # Errors
    /// When there is no such pack, or the phantoms cannot be drawn.
    pub fn cohort(&self, spec: &SweepSpec, progress: &Progress) -> Result<Pack, BenchmarkError> {
        let path = match (&spec.phantom, &spec.cohort) {
            (Some(phantoms), _) => {
                let out = self.root.join("cohort");
                let wrong = |problem| BenchmarkError::Spec { path: self.root.join("sweep.toml"), problem };
                let kind = phantoms.kind().map_err(wrong)?;
                let (count, resolution, seed) = (phantoms.count, phantoms.resolution, phantoms.seed);
                phantom::write(&phantom::PhantomOptions { kind, count, resolution, seed, out: out.clone() }, progress)?;
                out
            }
            (None, Some(path)) => path.clone(),
            (None, None) => PathBuf::from("cohort"),
        };
        Pack::open(&path).map_err(|error: PackError| BenchmarkError::Cohort { path, problem: error.to_string() })
    }

    /// The folder of a job.
    pub fn job(&self, key: &str) -> PathBuf {
        self.root.join("jobs").join(key)
    }

    /// The run of a generator's job.
    pub fn run(&self, key: &str) -> PathBuf {
        self.job(key).join("run")
    }

    /// The model file of a generator's job.
    pub fn model(&self, key: &str) -> PathBuf {
        self.run(key).join("model.safetensors")
    }

    /// The aggregated result.
    pub fn result(&self) -> PathBuf {
        self.root.join("result.json")
    }

    /// Whether a job is done.
    pub fn is_done(&self, key: &str) -> bool {
        self.job(key).join("result.json").is_file()
    }

    /// What a job left behind; `None` where it is not done.
    ///
    /// # Errors
    /// When its result cannot be read.
    pub fn job_result(&self, key: &str) -> Result<Option<JobResult>, BenchmarkError> {
        if self.is_done(key) { read_json(&self.job(key).join("result.json")).map(Some) } else { Ok(None) }
    }

    /// Writes what a job left behind, after which it counts as done.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&self, key: &str, result: &JobResult) -> Result<(), BenchmarkError> {
        write_json(&self.job(key).join("result.json"), result)
    }

    /// Seconds that computing a job took, all of its parts together; `None` where that was not noted.
    pub fn seconds(&self, key: &str) -> Option<f64> {
        read_json(&self.job(key).join(SECONDS)).ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
    }

    /// Notes how long computing a job took, in seconds. Not a part of its result, which is the same on every machine.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note_seconds(&self, key: &str, seconds: f64) -> Result<(), BenchmarkError> {
        write_json(&self.job(key).join(SECONDS), &seconds)
    }

    /// Takes a job for this process; `None` when another process works on it.
    ///
    /// # Errors
    /// When its folder cannot be made or locked.
    pub fn take(&self, key: &str) -> Result<Option<File>, BenchmarkError> {
        let folder = self.job(key);
        let wrong = |path: &Path, problem: String| BenchmarkError::Damaged { path: path.to_path_buf(), problem };
        fs::create_dir_all(&folder).map_err(|e| wrong(&folder, format!("it cannot be made: {e}")))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|e| wrong(&path, e.to_string()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(wrong(&path, e.to_string())),
        }
    }

    /// Where the sweep stood when its process last wrote it down; `None` where none did.
    pub fn standing(&self) -> Option<Standing> {
        read_json(&self.root.join("progress.json")).ok()
    }

    /// Writes down where the sweep stands.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note(&self, standing: &Standing) -> Result<(), BenchmarkError> {
        write_json(&self.root.join("progress.json"), standing)
    }
}

/// Reads a JSON file of a size that such files have.
///
/// # Errors
/// [`BenchmarkError::Damaged`] when it is missing, too large, or not what it should be.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, BenchmarkError> {
    let wrong = |problem: String| BenchmarkError::Damaged { path: path.to_path_buf(), problem };
    let bytes = fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if bytes > MAX_BYTES {
        return Err(wrong(format!("it has {bytes} bytes, more than such a file can have")));
    }
    let text = fs::read(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))
}

/// Writes a JSON file durably.
///
/// # Errors
/// When the disk refuses.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), BenchmarkError> {
    let wrong = |e: serde_json::Error| BenchmarkError::Damaged { path: path.to_path_buf(), problem: e.to_string() };
    let mut text = serde_json::to_vec_pretty(value).map_err(wrong)?;
    text.push(b'\n');
    Ok(store::write_atomic(path, &text)?)
}
