//! Writing a pack: in a hidden folder beside its place, renamed when complete, resumed after an interruption.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    FORMAT, FileEntry, HEADER, Header, MAX_FILMS, PackError, RECORDS, SKIPPED, check_header, image_file, pyramid,
};
use crate::cohort::record::{Name, Row};
use crate::cohort::{Fold, Sex, Skipped};
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, Radiograph, RadiographError};
use crate::store;

const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";

/// What is known about a pack before its films are; the fields are those of the [`Header`].
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each field is described where it is stored, in `Header`")]
pub struct Manifest {
    pub name: String,
    pub vocabulary: Vocabulary,
    pub meaning: Meaning,
    pub range: [f32; 2],
    pub window: [f32; 2],
    /// The largest side stored.
    pub resolution: usize,
    pub phantom: bool,
    /// Given for phantoms; computed from the films otherwise.
    pub identity: Option<String>,
    pub provenance: Vec<String>,
    pub licence: String,
    pub citation: String,
    pub split: String,
    pub fingerprint: String,
}

/// One film's entry, without its pixels.
#[derive(Debug, Clone)]
pub struct Film {
    /// The patient, as the source names them.
    pub patient: String,
    /// The film, as the source names it.
    pub source: String,
    /// One finite value for each finding.
    pub labels: Vec<f32>,
    /// Which fold the patient is in.
    pub fold: Fold,
    /// Age in years.
    pub age: Option<f32>,
    /// Sex as stated.
    pub sex: Option<Sex>,
    /// View or slice; empty: not stated.
    pub view: String,
    /// SHA-256 of the source's bytes.
    pub hash: [u8; 32],
}

/// What became of one planned film: kept, with the hash of its source, or left out, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The pixels are in the arrays.
    Kept([u8; 32]),
    /// It had to be left out.
    Left(String),
}

/// The first line of the journal: only a run with the same fingerprint may continue it.
#[derive(Serialize, Deserialize)]
struct JournalHead {
    format: u32,
    fingerprint: String,
}

/// A pack being written. Dropping it leaves the hidden folder, from which the same import continues.
#[derive(Debug)]
pub struct Writer {
    out: PathBuf,
    part: PathBuf,
    manifest: Manifest,
    sides: Vec<usize>,
    arrays: Vec<BufWriter<File>>,
    films: Vec<Film>,
    skipped: Vec<Skipped>,
    journal: BufWriter<File>,
    unsaved: Vec<Outcome>,
    resumed: Vec<Outcome>,
    lock: File,
}

/// A film's samples at every stored side, largest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(Vec<Vec<u16>>);

impl Levels {
    /// The film as squares of `side`, `side / 2`, … 4: resized once by area means, then halved by 2×2 means in float;
    /// only what is stored is rounded. `range` maps to 0..65535, values outside are clipped.
    ///
    /// # Errors
    /// [`RadiographError`] when `side` is not a possible one.
    pub fn of(image: &Radiograph, side: usize, range: [f32; 2]) -> Result<Self, RadiographError> {
        let scale = f32::from(u16::MAX) / (range[1] - range[0]);
        let store = |value: &f32| ((value - range[0]) * scale).round().clamp(0.0, f32::from(u16::MAX)) as u16;
        let mut level = image.resized(side, side)?;
        let mut levels = Vec::new();
        for (i, _) in pyramid(side).iter().enumerate() {
            if i > 0 {
                level = level.halved();
            }
            levels.push(level.pixels().iter().map(store).collect());
        }
        Ok(Self(levels))
    }
}

impl Writer {
    /// Begins a pack that will stand at `out`, or continues an interrupted one with the same fingerprint.
    ///
    /// # Errors
    /// [`PackError`] when `out` is something else than a pack, when another process writes it, or the disk refuses.
    pub fn begin(out: &Path, manifest: Manifest) -> Result<Self, PackError> {
        let refused = |problem: &str| PackError::Refused { path: out.to_path_buf(), problem: problem.to_owned() };
        let name = out.file_name().ok_or_else(|| refused("it has no name; give a folder to create"))?;
        let folder = super::super::import::parent(out);
        fs::create_dir_all(folder).map_err(PackError::io(folder))?;
        let hidden = |end: &str| folder.join(format!(".{}.{end}", name.to_string_lossy()));
        let (part, old) = (hidden("part"), hidden("old"));
        if !out.exists() && old.join(HEADER).exists() {
            // A replacement was interrupted between its two renames: the old pack goes back to its place.
            fs::rename(&old, out).map_err(PackError::io(out))?;
        }
        let empty = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
        if out.exists() && !empty && !out.join(HEADER).exists() {
            return Err(refused("something that is not a pack stands there; choose another place or remove it"));
        }
        fs::create_dir_all(&part).map_err(PackError::io(&part))?;
        let lock_path = part.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(PackError::io(&lock_path))?;
        if lock.try_lock().is_err() {
            return Err(refused("another import is writing it; wait for that one or stop it"));
        }

        let sides = pyramid(manifest.resolution);
        let resumed = interrupted(&part, &manifest, &sides).unwrap_or_default();
        let kept = resumed.iter().filter(|outcome| matches!(outcome, Outcome::Kept(_))).count();
        let mut arrays = Vec::new();
        for &side in &sides {
            let path = part.join(image_file(side));
            arrays.push(BufWriter::with_capacity(1 << 20, append_at(&path, (kept * side * side * 2) as u64)?));
        }
        // The journal is written anew, so that a torn last line is gone.
        let journal_path = part.join(JOURNAL);
        store::write_atomic_with(&journal_path, |out| {
            let head = JournalHead { format: FORMAT, fingerprint: manifest.fingerprint.clone() };
            writeln!(out, "{}", serde_json::to_string(&head)?)?;
            resumed.iter().try_for_each(|outcome| writeln!(out, "{}", serde_json::to_string(outcome)?))
        })?;
        let journal = OpenOptions::new().append(true).open(&journal_path).map_err(PackError::io(&journal_path))?;
        Ok(Self {
            out: out.to_path_buf(),
            part,
            manifest,
            sides,
            arrays,
            films: Vec::new(),
            skipped: Vec::new(),
            journal: BufWriter::new(journal),
            unsaved: Vec::new(),
            resumed,
            lock,
        })
    }

    /// What became of the first films in an interrupted run; give these to [`Writer::take_up`] instead of pushing them.
    pub fn take_resumed(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.resumed)
    }

    /// Enters a film whose pixels an interrupted run has stored.
    pub fn take_up(&mut self, film: Film) {
        self.films.push(film);
    }

    /// Appends a film.
    ///
    /// # Errors
    /// [`PackError`] when the disk refuses, or the film does not fit the pack.
    pub fn push(&mut self, film: Film, levels: &Levels) -> Result<(), PackError> {
        let fits = levels.0.len() == self.sides.len()
            && levels.0.iter().zip(&self.sides).all(|(level, side)| level.len() == side * side);
        if !fits || film.labels.len() != self.manifest.vocabulary.len() || film.labels.iter().any(|v| !v.is_finite()) {
            return Err(self.refused(&format!("the size or labels of {} do not fit the pack", film.source)));
        }
        for ((array, level), &side) in self.arrays.iter_mut().zip(&levels.0).zip(&self.sides) {
            let little: Vec<u16> = level.iter().map(|sample| sample.to_le()).collect();
            let path = self.part.join(image_file(side));
            array.write_all(bytemuck::cast_slice(&little)).map_err(PackError::io(&path))?;
        }
        self.unsaved.push(Outcome::Kept(film.hash));
        self.films.push(film);
        Ok(())
    }

    /// Notes a film left out that was not planned for decoding, or that an interrupted run has noted already.
    pub fn note_skipped(&mut self, skipped: Skipped) {
        self.skipped.push(skipped);
    }

    /// Notes a planned film that could not be decoded.
    pub fn skip(&mut self, skipped: Skipped) {
        self.unsaved.push(Outcome::Left(skipped.reason.clone()));
        self.skipped.push(skipped);
    }

    /// Makes everything so far durable, so that an interrupted run continues here.
    ///
    /// # Errors
    /// [`PackError::Io`] when the disk refuses.
    pub fn checkpoint(&mut self) -> Result<(), PackError> {
        for (array, side) in self.arrays.iter_mut().zip(&self.sides) {
            let path = self.part.join(image_file(*side));
            array.flush().and_then(|()| array.get_ref().sync_data()).map_err(PackError::io(&path))?;
        }
        let path = self.part.join(JOURNAL);
        let mut write = || -> std::io::Result<()> {
            for outcome in self.unsaved.drain(..) {
                writeln!(self.journal, "{}", serde_json::to_string(&outcome)?)?;
            }
            self.journal.flush()?;
            self.journal.get_ref().sync_data()
        };
        write().map_err(PackError::io(&path))
    }

    /// Writes the record table and the header, and moves the folder to its place.
    ///
    /// # Errors
    /// [`PackError`] when there is no film at all, or the disk refuses.
    pub fn finish(mut self) -> Result<Header, PackError> {
        if self.films.is_empty() {
            let why =
                self.skipped.first().map_or(String::new(), |first| format!("; the first reason was: {}", first.reason));
            let problem = format!("no film could be read ({} left out{why})", self.skipped.len());
            // Nothing is worth keeping for a later run.
            let _ = fs::remove_dir_all(&self.part);
            return Err(self.refused(&problem));
        }
        if self.films.len() > MAX_FILMS {
            return Err(self.refused(&format!("it would hold more than {MAX_FILMS} films; import it in parts")));
        }
        self.checkpoint()?;
        let (records, patients, text_bytes) = self.records()?;
        store::write_atomic(&self.part.join(RECORDS), &records)?;
        let skipped = serde_json::to_vec_pretty(&self.skipped).map_err(|error| self.refused(&error.to_string()))?;
        store::write_atomic(&self.part.join(SKIPPED), &skipped)?;

        let mut files = std::collections::BTreeMap::new();
        let names = self.sides.iter().map(|&side| image_file(side)).chain([RECORDS.to_owned(), SKIPPED.to_owned()]);
        for name in names {
            let path = self.part.join(&name);
            let bytes = fs::metadata(&path).map_err(PackError::io(&path))?.len();
            files.insert(name, FileEntry { bytes, sha256: store::hash_file(&path)? });
        }
        let manifest = &self.manifest;
        let header = Header {
            format: FORMAT,
            name: manifest.name.clone(),
            vocabulary: manifest.vocabulary.clone(),
            meaning: manifest.meaning,
            range: manifest.range,
            window: manifest.window,
            resolutions: self.sides.clone(),
            films: self.films.len(),
            patients,
            folds: Fold::ALL.map(|fold| self.films.iter().filter(|film| film.fold == fold).count()),
            phantom: manifest.phantom,
            identity: manifest.identity.clone().unwrap_or_else(|| identity(&self.films)),
            provenance: manifest.provenance.clone(),
            licence: manifest.licence.clone(),
            citation: manifest.citation.clone(),
            split: manifest.split.clone(),
            skipped: self.skipped.len(),
            fingerprint: manifest.fingerprint.clone(),
            text_bytes,
            files,
        };
        check_header(&header).map_err(|problem| self.refused(&problem))?;
        let text = serde_json::to_vec_pretty(&header).map_err(|error| self.refused(&error.to_string()))?;
        store::write_atomic(&self.part.join(HEADER), &text)?;
        self.move_into_place()?;
        Ok(header)
    }

    fn move_into_place(self) -> Result<(), PackError> {
        let Self { out, part, journal, arrays, lock, .. } = self;
        drop((journal, arrays));
        for name in [JOURNAL, LOCK] {
            let path = part.join(name);
            fs::remove_file(&path).map_err(PackError::io(&path))?;
        }
        let old = part.with_extension("old");
        if out.exists() {
            if old.exists() {
                fs::remove_dir_all(&old).map_err(PackError::io(&old))?;
            }
            fs::rename(&out, &old).map_err(PackError::io(&out))?;
        }
        fs::rename(&part, &out).map_err(PackError::io(&out))?;
        drop(lock);
        let folder = super::super::import::parent(&out);
        store::sync_folder(folder).map_err(PackError::io(folder))?;
        if old.exists() {
            fs::remove_dir_all(&old).map_err(PackError::io(&old))?;
        }
        Ok(())
    }

    fn refused(&self, problem: &str) -> PackError {
        PackError::Refused { path: self.out.clone(), problem: problem.to_owned() }
    }

    /// `records.bin`, the number of patients and the bytes of the text block.
    fn records(&self) -> Result<(Vec<u8>, usize, usize), PackError> {
        let mut texts: Vec<u8> = Vec::new();
        let mut keys: HashMap<&str, u32> = HashMap::new();
        let mut views: HashMap<&str, u32> = HashMap::new();
        let (mut rows, mut names) = (Vec::with_capacity(self.films.len()), Vec::new());
        let mut put = |text: &str| {
            let at = texts.len() as u32;
            texts.extend_from_slice(text.as_bytes());
            at
        };
        let short =
            |text: &str| u16::try_from(text.len()).map_err(|_| self.refused("a name is longer than 65535 bytes"));
        for film in &self.films {
            let patient = *keys.entry(&film.patient).or_insert_with(|| {
                names.push(Name { at: put(&film.patient), len: film.patient.len() as u32 });
                names.len() as u32 - 1
            });
            let source_at = put(&film.source);
            let view_at = *views.entry(&film.view).or_insert_with(|| put(&film.view));
            rows.push(Row {
                patient,
                source_at,
                view_at,
                source_len: short(&film.source)?,
                view_len: short(&film.view)?,
                age: film.age.unwrap_or(f32::NAN),
                fold: film.fold.code(),
                sex: Row::sex_code(film.sex),
                reserved: [0; 2],
            });
        }
        if texts.len() > u32::MAX as usize {
            return Err(self.refused("its names take more than 4 GB; import it in parts"));
        }
        let mut bytes: Vec<u8> = bytemuck::cast_slice(&rows).to_vec();
        bytes.extend_from_slice(bytemuck::cast_slice(&names));
        for film in &self.films {
            bytes.extend_from_slice(bytemuck::cast_slice(&film.labels));
        }
        for film in &self.films {
            bytes.extend_from_slice(&film.hash);
        }
        bytes.extend_from_slice(&texts);
        Ok((bytes, names.len(), texts.len()))
    }
}

/// The name of a cohort: SHA-256 over the sorted SHA-256 of each film's source name, source hash, patient, labels and
/// fold, so that neither resolution nor reading order matters.
fn identity(films: &[Film]) -> String {
    let mut digests: Vec<[u8; 32]> = films
        .iter()
        .map(|film| {
            let mut hasher = Sha256::new();
            for text in [&film.source, &film.patient] {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            hasher.update(film.hash);
            hasher.update([film.fold.code()]);
            film.labels.iter().for_each(|value| hasher.update(value.to_le_bytes()));
            hasher.finalize().into()
        })
        .collect();
    digests.sort_unstable();
    store::hash_bytes(bytemuck::cast_slice(&digests))
}

/// What an interrupted run in `part` got done, if it was the same import and its arrays hold what its journal says.
fn interrupted(part: &Path, manifest: &Manifest, sides: &[usize]) -> Option<Vec<Outcome>> {
    let mut lines = BufReader::new(File::open(part.join(JOURNAL)).ok()?).lines();
    let head: JournalHead = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    if head.format != FORMAT || head.fingerprint != manifest.fingerprint {
        return None;
    }
    let outcomes: Vec<Outcome> = lines.map_while(|line| serde_json::from_str(&line.ok()?).ok()).collect();
    let kept = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Kept(_))).count() as u64;
    let stored = |side: &usize| {
        fs::metadata(part.join(image_file(*side))).is_ok_and(|file| file.len() >= kept * (side * side * 2) as u64)
    };
    sides.iter().all(stored).then_some(outcomes)
}

/// Opens `path` for writing behind its first `length` bytes; what followed is cut off.
fn append_at(path: &Path, length: u64) -> Result<File, PackError> {
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(PackError::io(path))?;
    file.set_len(length).map_err(PackError::io(path))?;
    Ok(file)
}
