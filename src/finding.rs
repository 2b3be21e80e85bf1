//! Findings: the vocabularies people label radiographs with, and label vectors over them.
//!
//! In: names as written in label files. Out: one vocabulary with a fixed order, and label vectors in that order.

use serde::{Deserialize, Serialize};

/// The name every vocabulary here gives to "nothing seen".
pub const NO_FINDING: &str = "No Finding";

/// An ordered list of findings; a label vector has one entry for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Short name: `chexpert`, `nih`, `rsna`, or one of the user's own.
    pub name: String,
    /// Findings in the order of label vectors.
    pub findings: Vec<String>,
}

/// Most findings a vocabulary may have; a file that states more is refused.
pub const MAX_FINDINGS: usize = 256;

impl Vocabulary {
    /// A vocabulary from a name and findings.
    pub fn new<S: Into<String>>(name: &str, findings: impl IntoIterator<Item = S>) -> Self {
        Self { name: name.to_owned(), findings: findings.into_iter().map(Into::into).collect() }
    }

    /// The 14 observations of `CheXpert`, in the order of its label file.
    pub fn chexpert() -> Self {
        Self::new(
            "chexpert",
            [
                NO_FINDING,
                "Enlarged Cardiomediastinum",
                "Cardiomegaly",
                "Lung Opacity",
                "Lung Lesion",
                "Edema",
                "Consolidation",
                "Pneumonia",
                "Atelectasis",
                "Pneumothorax",
                "Pleural Effusion",
                "Pleural Other",
                "Fracture",
                "Support Devices",
            ],
        )
    }

    /// The 14 findings of NIH ChestX-ray14 and "No Finding" last.
    pub fn nih() -> Self {
        Self::new(
            "nih",
            [
                "Atelectasis",
                "Cardiomegaly",
                "Effusion",
                "Infiltration",
                "Mass",
                "Nodule",
                "Pneumonia",
                "Pneumothorax",
                "Consolidation",
                "Edema",
                "Emphysema",
                "Fibrosis",
                "Pleural Thickening",
                "Hernia",
                NO_FINDING,
            ],
        )
    }

    /// The five haemorrhage types of the RSNA challenge, in the order of the GAN benchmark, and "No Finding" last.
    pub fn rsna() -> Self {
        Self::new("rsna", ["Epidural", "Intraparenchymal", "Intraventricular", "Subarachnoid", "Subdural", NO_FINDING])
    }

    /// Number of findings.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Where a finding stands; case, spaces, hyphens and underscores do not matter.
    pub fn position(&self, finding: &str) -> Option<usize> {
        let wanted = plain(finding);
        self.findings.iter().position(|known| plain(known) == wanted)
    }

    /// Label values of this vocabulary in the order of another; what this one does not name is absent.
    pub fn labels_for(&self, labels: &[f32], other: &Self) -> Vec<f32> {
        let value = |finding: &String| self.position(finding).and_then(|i| labels.get(i)).copied().unwrap_or(0.0);
        other.findings.iter().map(value).collect()
    }

    /// The names that are switched on in a label vector.
    pub fn positives<'a>(&'a self, labels: &'a [f32]) -> impl Iterator<Item = &'a str> {
        self.findings.iter().zip(labels).filter(|&(_, &value)| value > 0.0).map(|(name, _)| name.as_str())
    }

    /// Checks what a file stated: at least one finding, no more than [`MAX_FINDINGS`], none empty, none twice.
    ///
    /// # Errors
    /// A sentence that says which rule is broken.
    pub fn validate(&self) -> Result<(), String> {
        if self.is_empty() || self.len() > MAX_FINDINGS {
            return Err(format!("a vocabulary has 1 to {MAX_FINDINGS} findings, not {}", self.len()));
        }
        for (i, finding) in self.findings.iter().enumerate() {
            if plain(finding).is_empty() {
                return Err(format!("finding {i} has no name"));
            }
            if self.position(finding) != Some(i) {
                return Err(format!("finding \"{finding}\" is listed twice"));
            }
        }
        Ok(())
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A class in the benchmark's sense: one combination of findings, as positions in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Combination(pub Vec<u16>);

impl Combination {
    /// The findings switched on in a label vector.
    pub fn of(labels: &[f32]) -> Self {
        Self((0u16..).zip(labels).filter(|&(_, &value)| value > 0.0).map(|(i, _)| i).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_written() {
        let nih = Vocabulary::nih();
        assert_eq!(nih.position("Pleural_Thickening"), Some(12));
        assert_eq!(nih.position("pleural thickening"), Some(12));
        assert_eq!(nih.position("Support Devices"), None);
        assert_eq!((Vocabulary::chexpert().len(), nih.len(), Vocabulary::rsna().len()), (14, 15, 6));
    }

    #[test]
    fn positives_and_combinations_agree() {
        let rsna = Vocabulary::rsna();
        let labels = [0.0, 1.0, 0.0, 0.0, 0.5, 0.0];
        assert_eq!(rsna.positives(&labels).collect::<Vec<_>>(), ["Intraparenchymal", "Subdural"]);
        assert_eq!(Combination::of(&labels), Combination(vec![1, 4]));
    }

    #[test]
    fn doubled_and_empty_findings_are_refused() {
        assert!(Vocabulary::new("x", ["Mass", "mass "]).validate().is_err());
        assert!(Vocabulary::new("x", ["", "Mass"]).validate().is_err());
        assert!(Vocabulary::new::<&str>("x", []).validate().is_err());
        assert!(Vocabulary::chexpert().validate().is_ok());
    }
}
