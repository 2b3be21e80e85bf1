//! One film's entry: whose it is, what was seen on it, which fold it is in, and how that lies on disk.

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

/// The three parts of a cohort; a patient is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Networks learn from these.
    Train,
    /// Schedules and thresholds are chosen on these.
    Validation,
    /// Results are reported on these.
    Test,
}

impl Fold {
    /// All folds, in their stored order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// 0, 1 or 2, as stored.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The fold with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The fold that label files write as this word (`train`, `val`, `valid`, `validation`, `dev`, `test`).
    pub fn from_word(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

impl std::fmt::Display for Fold {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// The patient's sex as the source states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Stated, but neither of the two.
    Other,
}

impl Sex {
    /// Reads `F`, `Female`, `M`, `Male` or `O`; anything else is unknown.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.trim().to_ascii_uppercase().as_str() {
            "F" | "FEMALE" => Some(Self::Female),
            "M" | "MALE" => Some(Self::Male),
            "O" | "OTHER" => Some(Self::Other),
            _ => None,
        }
    }
}

/// One film of a pack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// The patient, as the source names them.
    pub patient: String,
    /// The film, as the source names it.
    pub source: String,
    /// One value for each finding of the vocabulary.
    pub labels: Vec<f32>,
    /// Which part of the cohort it belongs to.
    pub fold: Fold,
    /// Age in years.
    pub age: Option<f32>,
    /// Sex as stated.
    pub sex: Option<Sex>,
    /// View or slice: `PA`, `AP`, `slice 12`.
    pub view: Option<String>,
}

/// A file or row that an import had to leave out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The film, as the source names it.
    pub source: String,
    /// A sentence that names the file and what can be done.
    pub reason: String,
}

/// A record as it lies in `records.bin`: 24 bytes, little-endian; texts are slices of the text block at its end.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Row {
    /// Which patient, counted in order of first appearance.
    pub patient: u32,
    /// Where the source name starts.
    pub source_at: u32,
    /// Where the view starts.
    pub view_at: u32,
    /// Bytes of the source name.
    pub source_len: u16,
    /// Bytes of the view; zero: not stated.
    pub view_len: u16,
    /// Age in years; NaN: not stated.
    pub age: f32,
    /// [`Fold::code`].
    pub fold: u8,
    /// 0 not stated, 1 female, 2 male, 3 other.
    pub sex: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Where a patient's name lies in the text block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Name {
    /// First byte.
    pub at: u32,
    /// Bytes.
    pub len: u32,
}

impl Row {
    /// The stored code of a sex.
    pub fn sex_code(sex: Option<Sex>) -> u8 {
        match sex {
            None => 0,
            Some(Sex::Female) => 1,
            Some(Sex::Male) => 2,
            Some(Sex::Other) => 3,
        }
    }

    /// The sex of a stored code.
    pub fn sex(&self) -> Option<Sex> {
        match self.sex {
            1 => Some(Sex::Female),
            2 => Some(Sex::Male),
            3 => Some(Sex::Other),
            _ => None,
        }
    }
}
