//! The whole skeleton, and what a fracture changes in it.

use super::disease::finding;
use super::exposure::BONE;
use super::plane::Plane;
use super::ribs::{self, Fracture};
use super::scene::Scene;
use super::skeleton;

/// Bone in the beam, mm of compact bone; fractures are recorded in the scene.
pub(super) fn paint(scene: &mut Scene<'_>, bone: &mut Plane) {
    let (anatomy, pose) = (scene.anatomy, scene.pose);
    let fracture = scene.disease.fracture.clone().unwrap_or(Fracture { breaks: Vec::new(), clavicle: None });
    skeleton::spine(bone, anatomy, pose);
    skeleton::shoulders(bone, &mut scene.ink, anatomy, pose);
    let ribs = ribs::paint(bone, &mut scene.ink, anatomy, pose, &fracture.breaks);
    let clavicle = skeleton::clavicles(bone, &mut scene.ink, anatomy, pose, fracture.clavicle);
    for change in [ribs, clavicle].into_iter().flatten() {
        let mut record = scene.record(finding::FRACTURE);
        for (value, change) in record.values.iter_mut().zip(&change.values) {
            *value += BONE * anatomy.mineral * change;
        }
        scene.changes.push((finding::FRACTURE, record));
    }
}
