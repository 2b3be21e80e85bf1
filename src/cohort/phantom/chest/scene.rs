//! The chest on one film while it is being painted, and the record of what each finding changed.

use super::anatomy::Anatomy;
use super::dice::sign;
use super::disease::Disease;
use super::exposure::{BONE, FAT, LUNG, MUSCLE};
use super::plane::{Grid, Ink, Node, Plane};
use super::pose::Pose;
use super::{bones, lungs, mediastinum, torso, vessels};

/// A place in the body's mid-plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub x: f32,
    pub z: f32,
    /// Right (0) or left (1).
    pub side: usize,
    /// Distance from the midline, mm.
    pub u: f32,
}

/// What the beam meets at one pixel and a finding may change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beam {
    /// Lung, mm.
    pub air: f32,
    /// Blood in the lung's vessels, mm.
    pub blood: f32,
    /// What fills or stands in the lung, as optical depth; it goes where lung is pressed away.
    pub veil: f32,
    /// Anything else, as optical depth.
    pub extra: f32,
}

impl Beam {
    fn depth(self) -> f32 {
        // A vessel shows only against lung around it.
        self.extra + self.veil + (MUSCLE - LUNG) * (VESSEL * self.blood * (self.air / 70.0).clamp(0.0, 1.0) - self.air)
    }
}

/// Vessels lie over one another more than the tree has twigs.
const VESSEL: f32 = 2.9;

/// One chest on one film.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub patient: u64,
    pub film: u32,
    pub anatomy: &'a Anatomy,
    pub pose: &'a Pose,
    pub disease: &'a Disease,
    pub grid: Grid,
    pub air: Plane,
    pub blood: Plane,
    pub veil: Plane,
    pub extra: Plane,
    pub ink: Ink,
    /// Change of optical depth by each finding.
    pub changes: Vec<(usize, Plane)>,
}

/// Lung in the beam, with heart and mediastinum in it.
pub(super) fn aerated(grid: Grid, anatomy: &Anatomy, pose: &Pose, disease: &Disease) -> Plane {
    lungs::paint(mediastinum::paint(grid, anatomy, pose, disease), anatomy, pose, disease)
}

impl<'a> Scene<'a> {
    /// Lungs, heart and vessels.
    pub fn new(
        patient: u64,
        film: u32,
        grid: Grid,
        anatomy: &'a Anatomy,
        pose: &'a Pose,
        disease: &'a Disease,
    ) -> Self {
        let mut ink = Ink::new(grid);
        let mut blood = Plane::new(grid);
        vessels::paint(&mut blood, &mut ink, anatomy, pose, disease);
        // Vessels that cross near the hilum share the chest's depth: their paths do not add without end.
        for path in &mut blood.values {
            *path /= 1.0 + *path / 13.0;
        }
        Self {
            patient,
            film,
            anatomy,
            pose,
            disease,
            grid,
            air: aerated(grid, anatomy, pose, disease),
            blood,
            veil: Plane::new(grid),
            extra: Plane::new(grid),
            ink,
            changes: Vec::new(),
        }
    }

    fn beam(&self, pixel: usize) -> Beam {
        let [air, blood, veil, extra] = [&self.air, &self.blood, &self.veil, &self.extra].map(|p| p.values[pixel]);
        Beam { air, blood, veil, extra }
    }

    /// Lets a finding change the pixels within `[left, right, top, bottom]` of the body, in mm, and records what it did.
    pub fn act(&mut self, finding: usize, area: [f32; 4], change: impl Fn(Spot, &mut Beam)) {
        let mut record = self.record(finding);
        let (pose, grid) = (self.pose, self.grid);
        let scale = pose.scale();
        let to_row = |z: f32| z * scale + (grid.mm(0) - scale * pose.height(grid.mm(0)));
        let side = grid.side;
        for row in grid.span(to_row(area[2]), to_row(area[3])) {
            let z = pose.height(grid.mm(row));
            let middle = self.anatomy.midline(z);
            for (column, x) in pose.columns(grid, z).enumerate() {
                if x < area[0] || x > area[1] {
                    continue;
                }
                let pixel = row * side + column;
                let mut beam = self.beam(pixel);
                let before = beam.depth();
                let lung = usize::from(x > middle);
                change(Spot { x, z, side: lung, u: (x - middle) * sign(lung) }, &mut beam);
                record.values[pixel] += beam.depth() - before;
                self.air.values[pixel] = beam.air;
                self.blood.values[pixel] = beam.blood;
                self.veil.values[pixel] = beam.veil;
                self.extra.values[pixel] = beam.extra;
            }
        }
        self.changes.push((finding, record));
    }

    /// Adds a tube through body points `([x, y, z], radius)`, `weight` optical depth per mm, on behalf of a finding.
    pub fn tube(&mut self, finding: usize, nodes: &[Node], wall: super::plane::Wall, weight: f32) {
        let mut record = self.record(finding);
        self.ink.plane.tube(nodes, wall);
        let mut stroke = Plane::new(self.grid);
        self.ink.pour(&mut stroke, nodes, weight);
        for ((extra, record), stroke) in self.extra.values.iter_mut().zip(&mut record.values).zip(&stroke.values) {
            *extra += stroke;
            *record += stroke;
        }
        self.changes.push((finding, record));
    }

    /// Adds many solid tubes of one finding; where they cross the longer path stays.
    pub fn tubes(&mut self, finding: usize, lines: &[Vec<Node>], weight: f32) {
        let mut record = self.record(finding);
        let mut strokes = Plane::new(self.grid);
        for line in lines {
            strokes.tube(line, super::plane::SOLID);
        }
        for (pixel, stroke) in strokes.values.iter().enumerate() {
            // Drawn in the lung only.
            let change = weight * stroke * (self.air.values[pixel] / 25.0).min(1.0);
            self.extra.values[pixel] += change;
            record.values[pixel] += change;
        }
        self.changes.push((finding, record));
    }

    /// A node of a tube at a body point.
    pub fn node(&self, point: [f32; 3], radius: f32) -> Node {
        let [x, z, scale] = self.pose.project(self.anatomy, point);
        Node { x, z, radius: radius * scale, gain: 1.0 }
    }

    /// The record of a finding, taken out for writing.
    pub fn record(&mut self, finding: usize) -> Plane {
        match self.changes.iter().position(|(index, _)| *index == finding) {
            Some(at) => self.changes.swap_remove(at).1,
            None => Plane::new(self.grid),
        }
    }

    /// Optical depth of the whole body.
    pub fn compose(mut self) -> (Plane, Vec<(usize, Plane)>) {
        let Self { anatomy, pose, grid, .. } = self;
        let mut depth = torso::paint(grid, anatomy, pose);
        let mut airway = Plane::new(grid);
        mediastinum::airway(&mut airway, &mut self.ink, anatomy, pose, self.disease);
        torso::gas(&mut airway, self.patient, self.film, anatomy, pose);
        let mut soft = Plane::new(grid);
        torso::breasts(&mut soft, anatomy, pose);
        let mut bone = Plane::new(grid);
        bones::paint(&mut self, &mut bone);
        if anatomy.heart.calcified {
            mediastinum::calcified_arch(&mut bone, &mut self.ink, anatomy, pose, self.disease);
        }
        let (gas, breast, mineral) = (&airway.values, &soft.values, &bone.values);
        for (pixel, value) in depth.values.iter_mut().enumerate() {
            let tissue = MUSCLE * (*value - 0.8 * gas[pixel]).max(0.0) + FAT * breast[pixel];
            *value = (tissue + self.beam(pixel).depth() + BONE * anatomy.mineral * mineral[pixel]).max(0.0);
        }
        (depth, self.changes)
    }
}
