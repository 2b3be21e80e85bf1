//! A pack at a glance: films and patients in each fold, and how often each finding occurs.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::{Fold, Pack};

/// Counts of a pack, as `negatoscope cohort show` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the cohort.
    pub name: String,
    /// Its identity.
    pub identity: String,
    /// Whether it holds phantoms.
    pub phantom: bool,
    /// Stored sides, largest first.
    pub resolutions: Vec<usize>,
    /// Films in train, validation, test.
    pub films: [usize; 3],
    /// Patients in train, validation, test.
    pub patients: [usize; 3],
    /// Films with each finding (label above zero) in train, validation, test; in the vocabulary's order.
    pub findings: Vec<(String, [usize; 3])>,
    /// Different combinations of findings, which the GAN benchmark calls classes.
    pub combinations: usize,
    /// Films the import left out.
    pub skipped: usize,
    /// How folds were assigned.
    pub split: String,
    /// Licence of the films.
    pub licence: String,
}

impl Summary {
    /// Counts a pack: one pass over its records.
    pub fn of(pack: &Pack) -> Self {
        let header = pack.header();
        let mut findings: Vec<(String, [usize; 3])> =
            header.vocabulary.findings.iter().map(|name| (name.clone(), [0; 3])).collect();
        let mut patients: [HashSet<u32>; 3] = Default::default();
        let mut combinations = HashSet::new();
        for film in 0..pack.len() {
            let fold = usize::from(pack.fold(film).code());
            patients[fold].insert(pack.patient_key(film));
            let labels = pack.labels(film);
            for ((_, counts), &label) in findings.iter_mut().zip(labels) {
                counts[fold] += usize::from(label > 0.0);
            }
            combinations.insert(labels.iter().map(|&label| label > 0.0).collect::<Vec<_>>());
        }
        Self {
            name: header.name.clone(),
            identity: header.identity.clone(),
            phantom: header.phantom,
            resolutions: header.resolutions.clone(),
            films: header.folds,
            patients: patients.map(|set| set.len()),
            findings,
            combinations: combinations.len(),
            skipped: header.skipped,
            split: header.split.clone(),
            licence: header.licence.clone(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.phantom { "phantoms, not patients" } else { "real films" };
        let sides: Vec<String> = self.resolutions.iter().map(ToString::to_string).collect();
        writeln!(out, "{} ({kind}), identity {}", self.name, self.identity.get(..16).unwrap_or(&self.identity))?;
        writeln!(out, "sides {}; {}; {} left out", sides.join(" "), self.split, self.skipped)?;
        if !self.licence.is_empty() {
            writeln!(out, "licence: {}", self.licence)?;
        }
        let [a, b, c] = Fold::ALL;
        writeln!(out, "{:<28}{a:>12}{b:>12}{c:>12}", "")?;
        let mut line = |name: &str, [a, b, c]: [usize; 3]| writeln!(out, "{name:<28}{a:>12}{b:>12}{c:>12}");
        line("patients", self.patients)?;
        line("films", self.films)?;
        self.findings.iter().try_for_each(|(name, counts)| line(&format!("  {name}"), *counts))?;
        write!(out, "{} different combinations of findings", self.combinations)
    }
}
