//! Importing: a plan is decoded in parallel, in bounded memory, into a pack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pack::{self, Film, Header, Levels, Manifest, Outcome, Pack, PackError, Writer};
use super::reader::{self, Feed, Item, Pixels, Plan, ReadError, Request, Uncertain};
use super::{Fold, Skipped, split};
use crate::progress::{Cancelled, Progress};
use crate::radiograph::MAX_SIDE;
use crate::store;

/// Part of the fingerprint: raised when the same files would give other pixels, labels or folds than before.
const IMPORTER: u32 = 1;

/// Films decoded between two looks at the cancel switch.
const CHUNK: usize = 64;

/// How often an import is made durable, so that an interruption costs no more than this.
const CHECKPOINT: Duration = Duration::from_secs(20);

/// The formats people have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// NIH ChestX-ray14.
    Nih,
    /// `PhysioNet` CT-ICH as brain-window pictures.
    CtIch,
    /// `CheXpert`.
    Chexpert,
    /// RSNA 2019 intracranial haemorrhage.
    Rsna,
    /// A `MedMNIST` archive.
    Medmnist,
    /// One folder of pictures for each finding.
    Folders,
    /// A DICOM file or tree.
    Dicom,
}

impl Format {
    /// Every format with its name on the command line.
    pub const ALL: [(&'static str, Self); 7] = [
        ("nih", Self::Nih),
        ("ct-ich", Self::CtIch),
        ("chexpert", Self::Chexpert),
        ("rsna", Self::Rsna),
        ("medmnist", Self::Medmnist),
        ("folders", Self::Folders),
        ("dicom", Self::Dicom),
    ];
}

impl std::fmt::Display for Format {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(Self::ALL.iter().find(|(_, format)| format == self).map_or("", |(name, _)| name))
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(name, _)| *name == word).map(|&(_, format)| format).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("\"{word}\" is not a format; use one of {}", names.join(", "))
        })
    }
}

/// Who decides which fold a patient is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splits {
    /// 80/10/10 of the patients, seeded.
    #[default]
    Patient,
    /// The source's own folds; a patient that the source puts into two of them is moved whole into the first.
    Source,
}

impl std::str::FromStr for Splits {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "patient" => Ok(Self::Patient),
            "source" => Ok(Self::Source),
            _ => Err(format!("\"{word}\" is not a way to split; use patient or source")),
        }
    }
}

/// What to import, how, and where to.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The folder or file.
    pub input: PathBuf,
    /// Its format.
    pub format: Format,
    /// The pack to write.
    pub out: PathBuf,
    /// Largest side stored: a power of two, 4 to 8192.
    pub resolution: usize,
    /// Seed of the patient split.
    pub seed: u64,
    /// Who decides on folds.
    pub splits: Splits,
    /// Policy for uncertain labels.
    pub uncertain: Uncertain,
    /// A label table elsewhere than in `input`.
    pub labels: Option<PathBuf>,
    /// Another name for the cohort.
    pub name: Option<String>,
}

impl ImportOptions {
    /// An import with seed 100 and a patient split, at side 64.
    pub fn new(format: Format, input: &Path, out: &Path) -> Self {
        Self {
            input: input.to_path_buf(),
            format,
            out: out.to_path_buf(),
            resolution: 64,
            seed: 100,
            splits: Splits::default(),
            uncertain: Uncertain::default(),
            labels: None,
            name: None,
        }
    }

    fn request(&self) -> Request {
        Request {
            input: self.input.clone(),
            resolution: self.resolution,
            uncertain: self.uncertain,
            source_folds: self.splits == Splits::Source,
            labels: self.labels.clone(),
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, Serialize)]
pub struct ImportReport {
    /// The pack.
    pub path: PathBuf,
    /// What it holds.
    pub header: Header,
    /// Every film left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// The pack was there already, made from the same files with the same options; nothing was done.
    pub up_to_date: bool,
    /// Films taken over from an interrupted import.
    pub resumed: usize,
    /// Time it took, in seconds.
    pub seconds: f64,
}

/// Why there is no pack now.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The pack could not be written.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Someone cancelled; the same import continues where this one stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// An option makes no sense.
    #[error("{0}")]
    Option(String),
}

/// Imports a cohort. Counts films in `progress`; can be cancelled and repeated, and never leaves a half pack: until it is
/// complete everything stands in a hidden folder beside `out`, from which a repeated import continues.
///
/// # Errors
/// [`ImportError`]: the sentence names file and remedy. Films that cannot be read are no error but listed in the report.
pub fn import(options: &ImportOptions, progress: &Progress) -> Result<ImportReport, ImportError> {
    let started = Instant::now();
    check_resolution(options.resolution)?;
    let mut plan = reader::plan(options.format, &options.request(), progress)?;
    if let Some(name) = &options.name {
        plan.name.clone_from(name);
    }
    let split_note = assign_folds(&mut plan, options)?;
    let manifest = Manifest {
        name: plan.name.clone(),
        vocabulary: plan.vocabulary.clone(),
        meaning: plan.meaning,
        range: plan.range,
        window: plan.window,
        resolution: options.resolution,
        phantom: false,
        identity: None,
        provenance: plan.provenance.clone(),
        licence: plan.licence.clone(),
        citation: plan.citation.clone(),
        split: split_note,
        fingerprint: fingerprint(&plan, options, progress)?,
    };
    let report = |header, skipped, up_to_date, resumed| ImportReport {
        path: options.out.clone(),
        header,
        skipped,
        up_to_date,
        resumed,
        seconds: started.elapsed().as_secs_f64(),
    };
    if let Some(pack) = up_to_date(&options.out, &manifest.fingerprint) {
        let skipped = pack.skipped()?;
        return Ok(report(pack.header().clone(), skipped, true, 0));
    }

    let mut writer = Writer::begin(&options.out, manifest)?;
    for skipped in &plan.skipped {
        writer.note_skipped(skipped.clone());
    }
    let mut feed = Feed::default();
    let resumed = fill(
        &mut writer,
        &plan.items,
        |item| fetch(&mut feed, item),
        |item, raw| {
            let (image, hash) = reader::load(&item.pixels, raw)?;
            let unusable = |error| ReadError::new(item.pixels.path(), error, "leave it out");
            Ok((film(item, hash), Levels::of(&image, options.resolution, plan.range).map_err(unusable)?))
        },
        film,
        |item| item.source.clone(),
        progress,
    )?;
    let header = writer.finish()?;
    let skipped = Pack::open(&options.out)?.skipped()?;
    Ok(report(header, skipped, false, resumed))
}

/// What an import would do.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsal {
    /// Films that could be read.
    pub films: usize,
    /// Every film that would be left out, with the reason.
    pub skipped: Vec<Skipped>,
}

/// Reads and decodes everything an import would, and writes nothing.
///
/// # Errors
/// As [`import`], except that nothing can go wrong with the pack.
pub fn rehearse(options: &ImportOptions, progress: &Progress) -> Result<Rehearsal, ImportError> {
    check_resolution(options.resolution)?;
    let mut plan = reader::plan(options.format, &options.request(), progress)?;
    let mut rehearsal = Rehearsal { films: 0, skipped: std::mem::take(&mut plan.skipped) };
    progress.set_total(plan.items.len() as u64);
    let mut feed = Feed::default();
    for chunk in plan.items.chunks(CHUNK) {
        progress.check()?;
        let raws = chunk.iter().map(|item| fetch(&mut feed, item)).collect::<Result<Vec<_>, _>>()?;
        let results: Vec<_> = chunk.par_iter().zip(raws).map(|(item, raw)| reader::load(&item.pixels, raw)).collect();
        for (item, result) in chunk.iter().zip(results) {
            match result {
                Ok(_) => rehearsal.films += 1,
                Err(reason) => {
                    rehearsal.skipped.push(Skipped { source: item.source.clone(), reason: reason.to_string() });
                }
            }
        }
        progress.advance(chunk.len() as u64);
    }
    Ok(rehearsal)
}

/// What must be read in order, ahead of decoding in parallel.
fn fetch(feed: &mut Feed, item: &Item) -> Result<Option<reader::Raw>, ReadError> {
    match &item.pixels {
        Pixels::Archive { path, member, index } => feed.take(path, member, *index).map(Some),
        Pixels::Picture(_) | Pixels::Dicom { .. } => Ok(None),
    }
}

/// Whether a side can be the largest of a pack.
pub(super) fn check_resolution(side: usize) -> Result<(), ImportError> {
    if side.is_power_of_two() && (pack::SMALLEST_SIDE..=MAX_SIDE).contains(&side) {
        return Ok(());
    }
    let problem =
        format!("resolution {side} cannot be stored; use a power of two from {} to {MAX_SIDE}", pack::SMALLEST_SIDE);
    Err(ImportError::Option(problem))
}

/// The pack at `out`, when it opens and was made from the same inputs.
pub(super) fn up_to_date(out: &Path, fingerprint: &str) -> Option<Pack> {
    Pack::open(out).ok().filter(|pack| pack.header().fingerprint == fingerprint)
}

/// The folder something stands in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Fills the writer with what becomes of `items`, some at a time; returns how many an interrupted run had done.
///
/// `fetch` runs in order on one thread and brings what `decode` needs; `decode` runs in parallel; `known` makes the entry
/// of a film whose pixels an interrupted run has stored, from the hash it noted.
pub(super) fn fill<T: Sync, R: Send>(
    writer: &mut Writer,
    items: &[T],
    mut fetch: impl FnMut(&T) -> Result<R, ReadError>,
    decode: impl Fn(&T, R) -> Result<(Film, Levels), ReadError> + Sync,
    known: impl Fn(&T, [u8; 32]) -> Film + Sync,
    name: impl Fn(&T) -> String,
    progress: &Progress,
) -> Result<usize, ImportError> {
    let mut resumed = writer.take_resumed();
    resumed.truncate(items.len());
    let (done, left) = items.split_at(resumed.len());
    progress.set_total(left.len() as u64);
    for (item, outcome) in done.iter().zip(&resumed) {
        match outcome {
            Outcome::Kept(hash) => writer.take_up(known(item, *hash)),
            Outcome::Left(reason) => {
                writer.note_skipped(Skipped { source: name(item), reason: reason.clone() });
            }
        }
    }
    let mut saved = Instant::now();
    for chunk in left.chunks(CHUNK) {
        if progress.is_cancelled() {
            writer.checkpoint()?;
            return Err(Cancelled.into());
        }
        let fetched = chunk.iter().map(&mut fetch).collect::<Result<Vec<_>, _>>()?;
        let decoded: Vec<Result<(Film, Levels), ReadError>> =
            chunk.par_iter().zip(fetched).map(|(item, fetched)| decode(item, fetched)).collect();
        for (item, result) in chunk.iter().zip(decoded) {
            match result {
                Ok((film, levels)) => writer.push(film, &levels)?,
                Err(reason) => writer.skip(Skipped { source: name(item), reason: reason.to_string() }),
            }
        }
        progress.advance(chunk.len() as u64);
        if saved.elapsed() > CHECKPOINT {
            writer.checkpoint()?;
            saved = Instant::now();
        }
    }
    Ok(resumed.len())
}

fn film(item: &Item, hash: [u8; 32]) -> Film {
    Film {
        patient: item.patient.clone(),
        source: item.source.clone(),
        labels: item.labels.clone(),
        // `assign_folds` has given every item a fold.
        fold: item.fold.unwrap_or(Fold::Train),
        age: item.age,
        sex: item.sex,
        view: item.view.clone(),
        hash,
    }
}

/// Gives every item its patient's fold; returns the line that says how.
fn assign_folds(plan: &mut Plan, options: &ImportOptions) -> Result<String, ImportError> {
    let all_stated = plan.items.iter().all(|item| item.fold.is_some());
    let source = options.splits == Splits::Source;
    if source && !all_stated {
        let problem = format!("{} states no folds of its own; use a split by patient", options.input.display());
        return Err(ImportError::Option(problem));
    }
    if source || (!plan.patients_known && all_stated) {
        let mut folds: BTreeMap<String, Fold> = BTreeMap::new();
        for item in &plan.items {
            let fold = item.fold.unwrap_or(Fold::Train);
            folds.entry(item.patient.clone()).and_modify(|known| *known = fold.min(*known)).or_insert(fold);
        }
        let mut moved = 0;
        for item in &mut plan.items {
            let fold = folds[&item.patient];
            moved += usize::from(item.fold != Some(fold));
            item.fold = Some(fold);
        }
        let moved =
            if moved == 0 { String::new() } else { format!("; {moved} films moved so that no patient is in two") };
        let why = if source { "" } else { ", because it names no patients" };
        return Ok(format!("the source's own folds{why}{moved}"));
    }
    let folds = split::by_patient(plan.items.iter().map(|item| item.patient.as_str()), options.seed);
    for item in &mut plan.items {
        item.fold = folds.get(&item.patient).copied();
    }
    let unit = if plan.patients_known { "patients" } else { "films, for the source names no patients" };
    Ok(format!("80/10/10 percent of {unit}, seed {}", options.seed))
}

/// Hash over everything that decides what the pack will hold; files count by path, size and time of change.
fn fingerprint(plan: &Plan, options: &ImportOptions, progress: &Progress) -> Result<String, ImportError> {
    let stamp = |path: &Path| -> (u64, u128) {
        let Ok(entry) = std::fs::metadata(path) else { return (0, 0) };
        let time = entry.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        (entry.len(), time.map_or(0, |time| time.as_nanos()))
    };
    let mut hasher = Sha256::new();
    let head = format!(
        "{IMPORTER} {} {} {} {:?} {:?} {:?} {:?}\n",
        pack::FORMAT,
        options.format,
        options.resolution,
        plan.name,
        plan.vocabulary,
        plan.range,
        plan.window
    );
    hasher.update(head);
    for skipped in &plan.skipped {
        hasher.update(format!("{skipped:?}\n"));
    }
    for chunk in plan.items.chunks(4096) {
        progress.check()?;
        let lines: Vec<String> =
            chunk.par_iter().map(|item| format!("{item:?} {:?}\n", stamp(item.pixels.path()))).collect();
        for line in &lines {
            hasher.update(line);
        }
    }
    Ok(store::hash_bytes(&hasher.finalize()))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::real_data;
