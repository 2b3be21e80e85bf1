//! What the findings do to the body's shape, and which side and size each takes on this film.

use super::dice::Dice;
use super::pleura::{Effusion, Pneumothorax};
use super::ribs::Fracture;

/// Places of the findings in the order of `CheXpert`.
pub(super) mod finding {
    pub const ENLARGED_CARDIOMEDIASTINUM: usize = 1;
    pub const CARDIOMEGALY: usize = 2;
    pub const LUNG_OPACITY: usize = 3;
    pub const LUNG_LESION: usize = 4;
    pub const EDEMA: usize = 5;
    pub const CONSOLIDATION: usize = 6;
    pub const PNEUMONIA: usize = 7;
    pub const ATELECTASIS: usize = 8;
    pub const PNEUMOTHORAX: usize = 9;
    pub const PLEURAL_EFFUSION: usize = 10;
    pub const PLEURAL_OTHER: usize = 11;
    pub const FRACTURE: usize = 12;
    pub const SUPPORT_DEVICES: usize = 13;
}

/// How a collapsed part of the lung looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collapse {
    /// Bands of collapsed lung above a raised diaphragm.
    Plates,
    /// The lower lobe, folded into a wedge beside the spine.
    LowerLobe,
    /// The upper lobe, folded up against the apex.
    UpperLobe,
}

/// The shape of the sick body against the healthy one.
#[derive(Debug, Clone)]
pub(super) struct Disease {
    /// Transverse size of the heart.
    pub heart: f32,
    /// Width of the great vessels and the mediastinum above the heart.
    pub upper: f32,
    /// Displacement of heart and mediastinum to the patient's left, mm.
    pub shift: f32,
    /// Further rise of the diaphragm, right and left, mm.
    pub raised: [f32; 2],
    /// Upper-lobe vessels against normal: above 1 in congestion.
    pub upper_flow: f32,
    pub collapse: Option<(usize, Collapse)>,
    pub pneumothorax: Option<Pneumothorax>,
    pub effusions: Vec<Effusion>,
    pub fracture: Option<Fracture>,
}

impl Disease {
    /// A healthy body.
    pub fn none() -> Self {
        Self {
            heart: 1.0,
            upper: 1.0,
            shift: 0.0,
            raised: [0.0; 2],
            upper_flow: 1.0,
            collapse: None,
            pneumothorax: None,
            effusions: Vec::new(),
            fracture: None,
        }
    }

    /// The body with these findings on this film.
    pub fn of(patient: u64, film: u32, findings: &[bool; 14]) -> Self {
        let mut disease = Self::none();
        if findings[finding::CARDIOMEGALY] {
            disease.heart = Dice::of_patient(patient, "cardiomegaly").within(1.32, 1.55);
        }
        if findings[finding::ENLARGED_CARDIOMEDIASTINUM] {
            disease.upper = Dice::of_patient(patient, "mediastinum").within(1.85, 2.4);
        }
        if findings[finding::EDEMA] {
            disease.upper_flow = 1.55;
        }
        if findings[finding::PNEUMOTHORAX] {
            let pneumothorax = Pneumothorax::of(patient, film);
            disease.shift -= pneumothorax.push();
            disease.pneumothorax = Some(pneumothorax);
        }
        if findings[finding::PLEURAL_EFFUSION] {
            disease.effusions = Effusion::of(patient, film);
            disease.shift -= disease.effusions.iter().map(Effusion::push).sum::<f32>();
        }
        if findings[finding::FRACTURE] {
            disease.fracture = Some(Fracture::of(patient));
        }
        if findings[finding::ATELECTASIS] {
            let mut dice = Dice::of_film(patient, film, "atelectasis");
            let kind = match dice.below(10) {
                0..=5 => Collapse::Plates,
                6..=7 => Collapse::LowerLobe,
                _ => Collapse::UpperLobe,
            };
            let side = dice.side();
            let toward = super::dice::sign(side);
            disease.raised[side] +=
                if kind == Collapse::Plates { dice.within(10.0, 18.0) } else { dice.within(16.0, 28.0) };
            disease.shift += toward * if kind == Collapse::Plates { 0.0 } else { dice.within(7.0, 14.0) };
            disease.collapse = Some((side, kind));
        }
        disease
    }
}
