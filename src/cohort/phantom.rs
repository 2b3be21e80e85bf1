//! Phantoms: cohorts of radiographs computed from analytic bodies, so that everything works with no data at all.
//!
//! In: what to draw, how many, a seed. Out: a pack like any other, marked as phantoms. A patient has one anatomy, drawn
//! from their own seed, and several films; which findings occur together is a stated table ([`findings`]).

pub mod bodies;
pub mod brain;
pub mod chest;
pub mod findings;

pub use bodies::{Bodies, Drawn};

use std::path::PathBuf;
use std::time::Instant;

use rand::{Rng, RngCore};
use sha2::{Digest, Sha256};

use super::import::{ImportError, ImportReport, check_resolution, fill, up_to_date};
use super::pack::{Film, Levels, Manifest, Pack, Writer};
use super::reader::ReadError;
use super::split;
use crate::compute::random::stream;
use crate::finding::Vocabulary;
use crate::progress::Progress;
use crate::radiograph::{Meaning, Radiograph};
use crate::store;

/// Part of a phantom's identity: raised whenever the same seed would give another picture, label or fold than before.
pub const GENERATOR: u32 = 1;

/// Largest side a phantom is rendered at.
pub const MAX_PHANTOM_SIDE: usize = 1024;

/// Most films in one phantom cohort.
pub const MAX_PHANTOMS: usize = 10_000_000;

/// Which body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Frontal chest films with the 14 `CheXpert` findings.
    Chest,
    /// Axial head CT slices in HU with the five haemorrhage types.
    Brain,
}

impl Kind {
    /// The name of the cohort.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chest => "phantom-chest",
            Self::Brain => "phantom-brain",
        }
    }

    /// Findings in the order of label vectors.
    pub fn vocabulary(self) -> Vocabulary {
        match self {
            Self::Chest => Vocabulary::chexpert(),
            Self::Brain => Vocabulary::rsna(),
        }
    }

    fn meaning(self) -> Meaning {
        match self {
            Self::Chest => Meaning::Density,
            Self::Brain => Meaning::Hounsfield,
        }
    }

    /// Values kept, and values that networks see: for the head level 40, width 120, the window most head CT collections
    /// are exported with; it holds fat, fluid, brain and fresh blood, and bone is white.
    fn range_and_window(self) -> [[f32; 2]; 2] {
        match self {
            Self::Chest => [[0.0, 1.0], [0.0, 1.0]],
            Self::Brain => [[-1024.0, 3071.0], [-20.0, 100.0]],
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "chest" => Ok(Self::Chest),
            "brain" => Ok(Self::Brain),
            _ => Err(format!("\"{word}\" is not a phantom; use chest or brain")),
        }
    }
}

/// Which phantoms to write, and where to.
#[derive(Debug, Clone)]
pub struct PhantomOptions {
    /// Which body.
    pub kind: Kind,
    /// How many films (chest) or slices (brain).
    pub count: usize,
    /// Largest side stored: a power of two, 4 to [`MAX_PHANTOM_SIDE`].
    pub resolution: usize,
    /// Seed of patients, findings and split.
    pub seed: u64,
    /// The pack to write.
    pub out: PathBuf,
}

/// One planned film: everything its picture depends on.
#[derive(Debug, Clone, PartialEq)]
struct Planned {
    patient: usize,
    patient_seed: u64,
    /// Number of the film within its patient.
    number: u32,
    scene: Scene,
}

#[derive(Debug, Clone, PartialEq)]
enum Scene {
    Chest { findings: [bool; 14] },
    Brain { level: f32, findings: [bool; 6] },
}

/// The sentence that a phantom cohort is generated from; its hash is the cohort's identity.
fn sentence(kind: Kind, count: usize, seed: u64) -> String {
    format!("{} generator {GENERATOR}, {count} films, seed {seed}", kind.name())
}

/// The identity that a cohort of these phantoms has, whatever its resolution; model cards name it.
pub fn identity(kind: Kind, count: usize, seed: u64) -> String {
    store::hash_bytes(sentence(kind, count, seed).as_bytes())
}

/// Writes a phantom cohort. As with an import: it can be cancelled, is continued or found up to date when repeated, and
/// leaves no half pack.
///
/// # Errors
/// [`ImportError`] when an option is impossible, the disk refuses or someone cancels.
pub fn write(options: &PhantomOptions, progress: &Progress) -> Result<ImportReport, ImportError> {
    let started = Instant::now();
    check_resolution(options.resolution)?;
    if options.resolution > MAX_PHANTOM_SIDE || !(1..=MAX_PHANTOMS).contains(&options.count) {
        let problem = format!("phantoms are 1 to {MAX_PHANTOMS} films of at most {MAX_PHANTOM_SIDE} pixels a side");
        return Err(ImportError::Option(problem));
    }
    let (kind, seed) = (options.kind, options.seed);
    let sentence = sentence(kind, options.count, seed);
    let fingerprint = store::hash_bytes(format!("{sentence}, side {}", options.resolution).as_bytes());
    let report = |header, up_to_date, resumed| ImportReport {
        path: options.out.clone(),
        header,
        skipped: Vec::new(),
        up_to_date,
        resumed,
        seconds: started.elapsed().as_secs_f64(),
    };
    if let Some(pack) = up_to_date(&options.out, &fingerprint) {
        return Ok(report(pack.header().clone(), true, 0));
    }
    let [range, window] = kind.range_and_window();
    let manifest = Manifest {
        name: kind.name().to_owned(),
        vocabulary: kind.vocabulary(),
        meaning: kind.meaning(),
        range,
        window,
        resolution: options.resolution,
        phantom: true,
        identity: Some(store::hash_bytes(sentence.as_bytes())),
        provenance: vec![format!("Computed, not taken from anyone: {sentence}")],
        licence: "MIT OR Apache-2.0, as the program that computed them".to_owned(),
        citation: String::new(),
        split: format!("80/10/10 percent of phantom patients, seed {seed}"),
        fingerprint,
    };
    let planned = plan(kind, options.count, seed);
    let names: Vec<String> = planned.iter().map(Planned::patient_name).collect();
    let folds = split::by_patient(names.iter().map(String::as_str), seed);

    let mut writer = Writer::begin(&options.out, manifest)?;
    let film = |item: &Planned| Film {
        patient: item.patient_name(),
        source: item.source(),
        labels: item.labels(),
        fold: folds.get(&item.patient_name()).copied().unwrap_or(super::Fold::Train),
        age: None,
        sex: None,
        view: item.view(),
        hash: Sha256::digest(format!("{sentence}, {item:?}")).into(),
    };
    let resumed = fill(
        &mut writer,
        &planned,
        |_| Ok(()),
        |item, ()| {
            let image = item.render(options.resolution);
            let unusable = |error| ReadError::new(&options.out, error, "choose another seed");
            Ok((film(item), Levels::of(&image, options.resolution, range).map_err(unusable)?))
        },
        |item, _| film(item),
        Planned::source,
        progress,
    )?;
    let header = writer.finish()?;
    Pack::open(&options.out)?;
    Ok(report(header, false, resumed))
}

/// The films of a cohort: patients one after another, each with one to four films or four to eight slices.
fn plan(kind: Kind, count: usize, seed: u64) -> Vec<Planned> {
    let mut rng = stream(seed, "phantom patients");
    let mut planned = Vec::with_capacity(count);
    for patient in 0.. {
        let patient_seed = rng.next_u64();
        let scenes: Vec<Scene> = match kind {
            Kind::Chest => {
                let films = rng.random_range(1..=4);
                findings::chest(&mut rng, films).into_iter().map(|findings| Scene::Chest { findings }).collect()
            }
            Kind::Brain => {
                let slices: u32 = rng.random_range(4..=8);
                let findings = findings::brain(&mut rng);
                // Evenly spaced from base to vertex, begun anywhere within one spacing, as a scan is.
                let start: f32 = rng.random_range(0.0..1.0);
                (0..slices).map(|i| Scene::Brain { level: (i as f32 + start) / slices as f32, findings }).collect()
            }
        };
        for (number, scene) in (0..).zip(scenes) {
            if planned.len() == count {
                return planned;
            }
            planned.push(Planned { patient, patient_seed, number, scene });
        }
    }
    planned
}

impl Planned {
    fn patient_name(&self) -> String {
        format!("phantom {:07}", self.patient + 1)
    }

    fn source(&self) -> String {
        format!("{}, {}", self.patient_name(), self.view())
    }

    fn view(&self) -> String {
        match self.scene {
            Scene::Chest { .. } => format!("film {}", self.number + 1),
            Scene::Brain { level, .. } => format!("level {level:.2}"),
        }
    }

    fn labels(&self) -> Vec<f32> {
        let values = |seen: &[bool]| seen.iter().map(|&on| if on { 1.0 } else { 0.0 }).collect();
        match &self.scene {
            Scene::Chest { findings } => values(findings),
            Scene::Brain { level, findings } => values(&brain::visible_findings(self.patient_seed, *level, findings)),
        }
    }

    fn render(&self, side: usize) -> Radiograph {
        // The renderers draw 32 pixels a side or more; smaller films are averaged down from that.
        let side = side.max(32);
        match &self.scene {
            Scene::Chest { findings } => chest::film(self.patient_seed, self.number, findings, side).image,
            Scene::Brain { level, findings } => brain::slice(self.patient_seed, *level, findings, side).image,
        }
    }
}

#[cfg(test)]
mod tests;
