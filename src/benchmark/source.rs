//! A point's films as training sees them, and its samples as they lie on disk.

use std::collections::BTreeSet;
use std::path::Path;

use super::BenchmarkError;
use super::subset::Subset;
use crate::cohort::{Fold, Pack};
use crate::finding::Vocabulary;
use crate::radiograph::{Meaning, Radiograph, is_range};
use crate::store;
use crate::training::classifier::LabelledImages;
use crate::training::{RadiographSource, TrainFold};

/// Films of one fold of a point, with the label columns that the point keeps.
pub struct SubsetFilms<'a> {
    pack: &'a Pack,
    films: Vec<u32>,
    labels: Vec<f32>,
    facts: TrainFold,
    side: usize,
    /// Names the choice of films and columns.
    part: String,
}

impl<'a> SubsetFilms<'a> {
    /// The films of `fold`, at `side` pixels where a classifier asks for them.
    pub fn new(pack: &'a Pack, subset: &Subset, fold: Fold, side: usize) -> Self {
        let films = subset.fold(fold).to_vec();
        let header = pack.header();
        let column = |film: u32, column: &u16| pack.labels(film as usize)[usize::from(*column)];
        let labels = films.iter().flat_map(|&film| subset.columns.iter().map(move |c| column(film, c))).collect();
        let patients: BTreeSet<u32> = films.iter().map(|&film| pack.patient_key(film as usize)).collect();
        let facts = TrainFold {
            cohort: header.name.clone(),
            identity: header.identity.clone(),
            phantom: header.phantom,
            vocabulary: vocabulary(pack, subset),
            meaning: header.meaning,
            window: header.window,
            patients: patients.len(),
            licence: header.licence.clone(),
            citation: header.citation.clone(),
        };
        Self { pack, films, labels, facts, side, part: subset.hash() }
    }

    /// All label vectors, one behind the other.
    pub fn all_labels(&self) -> &[f32] {
        &self.labels
    }

    /// The patient of each film.
    pub fn patients(&self) -> Vec<u32> {
        self.films.iter().map(|&film| self.pack.patient_key(film as usize)).collect()
    }

    fn label_vector(&self, i: usize) -> &[f32] {
        let findings = self.facts.vocabulary.len();
        &self.labels[i * findings..][..findings]
    }

    /// Leaves out the last films, so that `n` remain.
    pub fn truncated(mut self, n: usize) -> Self {
        self.films.truncate(n);
        self.labels.truncate(n * self.facts.vocabulary.len());
        self
    }
}

/// The findings of the columns that a point keeps.
pub fn vocabulary(pack: &Pack, subset: &Subset) -> Vocabulary {
    let all = &pack.header().vocabulary;
    let kept = subset.columns.iter().filter_map(|&column| all.findings.get(usize::from(column)).cloned());
    Vocabulary::new(&all.name, kept)
}

impl RadiographSource for SubsetFilms<'_> {
    fn facts(&self) -> &TrainFold {
        &self.facts
    }

    fn len(&self) -> usize {
        self.films.len()
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.label_vector(i)
    }

    fn radiograph(&self, i: usize, side: usize) -> Result<Radiograph, String> {
        self.pack.check_side(side)?;
        Ok(self.pack.seen(self.films[i] as usize, side))
    }

    fn part(&self) -> Option<String> {
        Some(self.part.clone())
    }
}

impl LabelledImages for SubsetFilms<'_> {
    fn len(&self) -> usize {
        self.films.len()
    }

    fn image(&self, i: usize) -> Radiograph {
        self.pack.seen(self.films[i] as usize, self.side)
    }

    fn labels(&self, i: usize) -> &[f32] {
        self.label_vector(i)
    }

    fn patient(&self, i: usize) -> u32 {
        self.pack.patient_key(self.films[i] as usize)
    }
}

/// Samples of one fold as they lie on disk: 8 bits a pixel, as published, and label vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleFold {
    /// Side in pixels.
    pub side: usize,
    /// Length of a label vector.
    pub findings: usize,
    /// What a pixel stands for.
    pub meaning: Meaning,
    /// What 0 and 255 stand for.
    pub range: [f32; 2],
    /// Pixels, sample by sample.
    pub pixels: Vec<u8>,
    /// Label vectors, sample by sample.
    pub labels: Vec<f32>,
}

/// First bytes of a file of samples.
const MAGIC: &[u8; 8] = b"NGSAMP01";

impl SampleFold {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.labels.len() / self.findings.max(1)
    }

    /// Writes the fold durably; returns the file's SHA-256.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, path: &Path) -> Result<String, BenchmarkError> {
        let mut bytes = Vec::with_capacity(64 + self.pixels.len() + self.labels.len() * 4);
        bytes.extend(MAGIC);
        for number in [self.samples(), self.side, self.findings, usize::from(self.meaning == Meaning::Hounsfield)] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.extend(self.range.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(self.labels.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(&self.pixels);
        store::write_atomic(path, &bytes)?;
        Ok(store::hash_bytes(&bytes))
    }

    /// Reads a fold; the file's size is checked against what it states before memory is taken for it.
    ///
    /// # Errors
    /// [`BenchmarkError::Damaged`] when it is not what it says.
    pub fn read(path: &Path) -> Result<Self, BenchmarkError> {
        let wrong = |problem: String| BenchmarkError::Damaged { path: path.to_path_buf(), problem };
        let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        let cut = || wrong("it is cut off".to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("it is no file of samples".to_owned()))?;
        let (head, rest) = rest.split_at_checked(40).ok_or_else(cut)?;
        let number = |at: usize| {
            let part: [u8; 8] = head[at * 8..][..8].try_into().unwrap_or_default();
            usize::try_from(u64::from_le_bytes(part)).unwrap_or(usize::MAX)
        };
        let (n, side, findings) = (number(0), number(1), number(2));
        let expected = side
            .checked_mul(side)
            .and_then(|area| area.checked_add(findings.checked_mul(4)?))
            .and_then(|each| each.checked_mul(n));
        if expected != Some(rest.len()) || !(1..=1024).contains(&side) || !(1..=256).contains(&findings) {
            return Err(wrong("its size is not what it states".to_owned()));
        }
        let float = |part: &[u8]| f32::from_le_bytes(part.try_into().unwrap_or_default());
        let [low, high] = [float(&head[32..36]), float(&head[36..40])];
        if !is_range([low, high]) {
            return Err(wrong(format!("its pixels are said to lie between {low} and {high}, which is no range")));
        }
        let (labels, pixels) = rest.split_at(n * findings * 4);
        Ok(Self {
            side,
            findings,
            meaning: if number(3) == 1 { Meaning::Hounsfield } else { Meaning::Density },
            range: [low, high],
            pixels: pixels.to_vec(),
            labels: labels.chunks_exact(4).map(float).collect(),
        })
    }
}

impl LabelledImages for SampleFold {
    fn len(&self) -> usize {
        self.samples()
    }

    fn image(&self, i: usize) -> Radiograph {
        let [low, high] = self.range;
        let area = self.side * self.side;
        let pixels = self.pixels[i * area..][..area].iter();
        let pixels = pixels.map(|&grey| low + (high - low) * f32::from(grey) / 255.0).collect();
        // Size and range are checked when the fold is read, and eight bits between two finite numbers are finite.
        Radiograph::new(self.side, self.side, pixels, self.meaning).expect("a square of finite numbers")
    }

    fn labels(&self, i: usize) -> &[f32] {
        &self.labels[i * self.findings..][..self.findings]
    }

    fn patient(&self, i: usize) -> u32 {
        i as u32
    }
}

/// Real films and some of the samples behind them.
pub struct Mixture<'a> {
    /// Films.
    pub real: &'a SubsetFilms<'a>,
    /// Samples.
    pub samples: &'a SampleFold,
    /// Which samples.
    pub chosen: Vec<usize>,
}

impl LabelledImages for Mixture<'_> {
    fn len(&self) -> usize {
        LabelledImages::len(self.real) + self.chosen.len()
    }

    fn image(&self, i: usize) -> Radiograph {
        match i.checked_sub(LabelledImages::len(self.real)) {
            None => self.real.image(i),
            Some(sample) => self.samples.image(self.chosen[sample]),
        }
    }

    fn labels(&self, i: usize) -> &[f32] {
        match i.checked_sub(LabelledImages::len(self.real)) {
            None => LabelledImages::labels(self.real, i),
            Some(sample) => self.samples.labels(self.chosen[sample]),
        }
    }

    fn patient(&self, i: usize) -> u32 {
        i as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_read_back_as_written_and_damaged_ones_are_refused_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.bin");
        let fold = SampleFold {
            side: 2,
            findings: 1,
            meaning: Meaning::Hounsfield,
            range: [-20.0, 100.0],
            pixels: vec![0, 51, 204, 255],
            labels: vec![1.0],
        };
        fold.write(&path).unwrap();
        assert_eq!(SampleFold::read(&path).unwrap(), fold);
        assert_eq!(fold.image(0).pixels(), [-20.0, 4.0, 76.0, 100.0]);
        let refused = || SampleFold::read(&path).unwrap_err().to_string();
        for range in [[f32::NAN, 1.0], [0.0, f32::INFINITY], [1.0, 1.0], [f32::MIN, f32::MAX], [0.0, 1e38]] {
            SampleFold { range, ..fold.clone() }.write(&path).unwrap();
            assert!(refused().contains("samples.bin") && refused().contains("no range"), "{range:?}");
        }
        fold.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for (cut, said) in [(4, "no file of samples"), (20, "cut off"), (bytes.len() - 1, "not what it states")] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(refused().contains(said), "{cut}: {}", refused());
        }
    }
}
