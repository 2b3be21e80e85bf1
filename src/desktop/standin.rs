//! TEMPORARY stand-ins until the rooms below land. Not to be merged.
#![allow(missing_docs, clippy::pedantic)]
use crate::generator::{Architecture, Family, ModelCard, Recipe, card::Training};
use crate::radiograph::{Meaning, Radiograph};
use std::path::{Path, PathBuf};

#[derive(Clone)]
pub struct Generator { card: std::sync::Arc<ModelCard> }
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(pub String);
#[derive(Clone, Debug)]
pub struct Direction { pub component: u16, pub share: f32 }
impl Generator {
    pub fn load(path: &Path) -> Result<Self, RenderError> {
        if !path.exists() { return Err(RenderError(format!("cannot read {}: not found", path.display()))); }
        Ok(Self { card: std::sync::Arc::new(ModelCard {
            name: path.file_stem().unwrap().to_string_lossy().into(),
            architecture: Architecture { family: Family::CpdGan, resolution: 128, latent: 64, labels: 14, feature_base: 512, feature_max: 64 },
            vocabulary: crate::finding::Vocabulary::chexpert(), meaning: Meaning::Density, range: [0.0, 1.0],
            training: Training { cohort: "phantom-chest".into(), cohort_hash: "abc".into(), phantom: true, images: 4000, patients: 2000, steps: 1, kimg: 1.0, seed: 0, schedule: String::new() },
            metrics: [("auroc_real".to_owned(), 0.91), ("auroc_synthetic".to_owned(), 0.84)].into(), remarks: vec!["Ribs blur at the edges.".into()], licence: "MIT OR Apache-2.0".into(), citation: String::new(),
        }) })
    }
    pub fn card(&self) -> &ModelCard { &self.card }
    pub fn id(&self) -> &str { "0123456789abcdef" }
    pub fn directions(&self) -> &[Direction] { const D: [Direction; 8] = [Direction{component:0,share:0.3},Direction{component:1,share:0.2},Direction{component:2,share:0.1},Direction{component:3,share:0.05},Direction{component:4,share:0.04},Direction{component:5,share:0.03},Direction{component:6,share:0.02},Direction{component:7,share:0.02}]; &D }
    pub fn render(&self, r: &Recipe) -> Result<Radiograph, RenderError> {
        let z = r.latent(16);
        let n = 128;
        let mut px = Vec::new();
        for y in 0..n { for x in 0..n {
            let (u, v) = ((x as f32 / n as f32 - 0.5) * 2.0, (y as f32 / n as f32 - 0.5) * 2.0);
            let body = 1.0 - ((u / (0.85 + 0.03 * z[0])).powi(4) + ((v - 0.2) / 1.1).powi(4)).min(1.0);
            let lung = |cx: f32| (1.0 - ((u - cx) / 0.27).powi(2) - ((v + 0.05 + 0.05 * z[1]) / 0.55).powi(2)).max(0.0).sqrt();
            let heart = (1.0 - ((u - 0.12) / (0.28 + 0.04 * z[2] + 0.15 * r.strength("Cardiomegaly"))).powi(2) - ((v - 0.35) / 0.3).powi(2)).max(0.0).sqrt();
            let spine = (1.0 - (u / 0.08).powi(2)).max(0.0);
            let ribs = ((v * 18.0 + u.abs() * 6.0 + z[3]).sin() * 0.5 + 0.5) * 0.08;
            let dev = if r.strength("Support Devices") > 0.0 && (u - 0.3 * v - 0.1).abs() < 0.012 { 0.5 * r.strength("Support Devices") } else { 0.0 };
            px.push((body * (0.62 + ribs) - 0.42 * (lung(-0.42) + lung(0.42)) * body + 0.35 * heart + 0.2 * spine * body + dev).clamp(0.0, 1.0));
        } }
        std::thread::sleep(std::time::Duration::from_millis(4));
        Ok(Radiograph::new(n, n, px, Meaning::Density).unwrap())
    }
    pub fn render_batch(&self, r: &[Recipe]) -> Result<Vec<Radiograph>, RenderError> { r.iter().map(|r| self.render(r)).collect() }
}
pub mod library {
    use super::*;
    pub struct Entry { pub path: PathBuf, pub card: ModelCard, pub id: String }
    pub fn shipped() -> Vec<Entry> { let g = Generator::load(Path::new("/tmp/phantom-chest.safetensors")); g.map(|g| vec![Entry { path: "/tmp/phantom-chest.safetensors".into(), card: g.card().clone(), id: g.id().into() }]).unwrap_or_default() }
    pub fn find(name: &str) -> Result<PathBuf, RenderError> { Ok(PathBuf::from(name)) }
}
