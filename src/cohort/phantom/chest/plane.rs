//! The film as a grid in millimetres, and the strokes that add chord lengths to it.

use std::ops::Range;

/// A square film: `side` pixels across `extent` millimetres, origin in the middle, z growing downwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub side: usize,
    pub extent: f32,
}

impl Grid {
    /// Millimetres between pixel centres.
    pub fn pitch(self) -> f32 {
        self.extent / self.side as f32
    }

    /// Position of a column's or row's centre.
    pub fn mm(self, index: usize) -> f32 {
        (index as f32 + 0.5) * self.pitch() - 0.5 * self.extent
    }

    /// Columns or rows whose centres may lie between two positions.
    pub fn span(self, low: f32, high: f32) -> Range<usize> {
        let at = |mm: f32| ((mm / self.extent + 0.5) * self.side as f32).clamp(0.0, self.side as f32);
        let (start, end) = (at(low).floor() as usize, at(high).ceil() as usize);
        start.min(end)..end
    }
}

/// A point of a tube on the film.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub x: f32,
    pub z: f32,
    /// Half of the tube's width on the film, mm.
    pub radius: f32,
    /// Path through the tube over its width on the film: above 1 where it runs along the beam.
    pub gain: f32,
}

/// What a tube is made of across its width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    /// Inner radius over outer radius.
    pub inner: f32,
    /// Share of the material missing inside.
    pub hollow: f32,
}

/// A tube full of its material.
pub(super) const SOLID: Wall = Wall { inner: 0.0, hollow: 0.0 };

/// One value per pixel: a path length in millimetres or an optical depth.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub grid: Grid,
    pub values: Vec<f32>,
}

impl Plane {
    pub fn new(grid: Grid) -> Self {
        Self { grid, values: vec![0.0; grid.side * grid.side] }
    }

    pub fn row(&mut self, row: usize) -> &mut [f32] {
        let side = self.grid.side;
        &mut self.values[row * side..(row + 1) * side]
    }

    /// Visits the pixels of an ellipsoid's shadow with the chord through it, `depth` at the centre.
    ///
    /// `tilt` turns the first semi-axis from the film's x towards z, in radians.
    pub fn ellipsoid(&mut self, centre: [f32; 2], axes: [f32; 2], tilt: f32, depth: f32, put: impl Fn(&mut f32, f32)) {
        let (sin, cos) = tilt.sin_cos();
        let reach_x = (axes[0] * cos).hypot(axes[1] * sin);
        let reach_z = (axes[0] * sin).hypot(axes[1] * cos);
        let columns = self.grid.span(centre[0] - reach_x, centre[0] + reach_x);
        let grid = self.grid;
        for row in grid.span(centre[1] - reach_z, centre[1] + reach_z) {
            let dz = grid.mm(row) - centre[1];
            let values = &mut self.row(row)[columns.clone()];
            for (value, column) in values.iter_mut().zip(columns.clone()) {
                let dx = grid.mm(column) - centre[0];
                let (u, v) = ((dx * cos + dz * sin) / axes[0], (dz * cos - dx * sin) / axes[1]);
                let inside = 1.0 - u * u - v * v;
                if inside > 0.0 {
                    put(value, depth * inside.sqrt());
                }
            }
        }
    }

    /// Draws a tube along the nodes; where strokes overlap the longer path stays.
    ///
    /// A tube thinner than a pixel is spread over the pixel with its cross-section kept.
    pub fn tube(&mut self, nodes: &[Node], wall: Wall) {
        let grid = self.grid;
        let soften = 0.35 * grid.pitch() * grid.pitch();
        for pair in nodes.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let reach = (a.radius.max(b.radius).powi(2) + soften).sqrt();
            let columns = grid.span(a.x.min(b.x) - reach, a.x.max(b.x) + reach);
            let (dx, dz) = (b.x - a.x, b.z - a.z);
            let inverse = 1.0 / (dx * dx + dz * dz + 1e-6);
            for row in grid.span(a.z.min(b.z) - reach, a.z.max(b.z) + reach) {
                let z = grid.mm(row) - a.z;
                let values = &mut self.row(row)[columns.clone()];
                for (value, column) in values.iter_mut().zip(columns.clone()) {
                    let x = grid.mm(column) - a.x;
                    let along = ((x * dx + z * dz) * inverse).clamp(0.0, 1.0);
                    let (ex, ez) = (x - along * dx, z - along * dz);
                    let off = ex * ex + ez * ez;
                    let radius = a.radius + (b.radius - a.radius) * along;
                    let wide = radius * radius + soften;
                    if off < wide {
                        let core = wall.inner * wall.inner * radius * radius;
                        let outer = (wide - off).sqrt() * (radius * radius / wide);
                        let inner = if off < core { (core - off).sqrt() } else { 0.0 };
                        let gain = a.gain + (b.gain - a.gain) * along;
                        *value = value.max(2.0 * gain * (outer - wall.hollow * inner).max(0.0));
                    }
                }
            }
        }
    }

    /// Gaussian blur with edges held, `sigma` in millimetres.
    pub fn blur(&mut self, sigma: f32) {
        let side = self.grid.side;
        let sigma = sigma / self.grid.pitch();
        let radius = ((2.6 * sigma).ceil() as usize).clamp(1, side - 1);
        let mut kernel: Vec<f32> = (0..=radius).map(|i| (-0.5 * (i as f32 / sigma.max(0.05)).powi(2)).exp()).collect();
        let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
        for weight in &mut kernel {
            *weight /= sum;
        }
        let mut padded = vec![0.0; side + 2 * radius];
        for row in self.values.chunks_exact_mut(side) {
            padded[..radius].fill(row[0]);
            padded[radius..radius + side].copy_from_slice(row);
            padded[radius + side..].fill(row[side - 1]);
            for (x, value) in row.iter_mut().enumerate() {
                *value = kernel[0] * padded[x + radius];
            }
            for (k, &weight) in kernel.iter().enumerate().skip(1) {
                let (left, right) = (&padded[radius - k..], &padded[radius + k..]);
                for ((value, l), r) in row.iter_mut().zip(left).zip(right) {
                    *value += weight * (l + r);
                }
            }
        }
        let source = self.values.clone();
        let line = |row: isize| {
            let row = row.clamp(0, side as isize - 1) as usize;
            &source[row * side..(row + 1) * side]
        };
        for (z, row) in self.values.chunks_exact_mut(side).enumerate() {
            for (value, &centre) in row.iter_mut().zip(line(z as isize)) {
                *value = kernel[0] * centre;
            }
            for (k, &weight) in kernel.iter().enumerate().skip(1) {
                let (above, below) = (line(z as isize - k as isize), line(z as isize + k as isize));
                for ((value, a), b) in row.iter_mut().zip(above).zip(below) {
                    *value += weight * (a + b);
                }
            }
        }
    }

    /// The mean of each `factor`×`factor` block.
    pub fn reduced(&self, factor: usize) -> Self {
        let side = self.grid.side / factor;
        let mut out = Self::new(Grid { side, extent: self.grid.extent });
        let scale = 1.0 / (factor * factor) as f32;
        for (row, target) in out.values.chunks_exact_mut(side).enumerate() {
            for line in 0..factor {
                let start = (row * factor + line) * self.grid.side;
                let source = &self.values[start..start + side * factor];
                for (value, block) in target.iter_mut().zip(source.chunks_exact(factor)) {
                    *value += scale * block.iter().sum::<f32>();
                }
            }
        }
        out
    }

    /// The same film on a finer grid, linear between pixel centres.
    pub fn enlarged(&self, side: usize) -> Self {
        let mut out = Self::new(Grid { side, extent: self.grid.extent });
        let last = self.grid.side - 1;
        let ratio = self.grid.side as f32 / side as f32;
        let place = |i: usize| {
            let at = ((i as f32 + 0.5) * ratio - 0.5).clamp(0.0, last as f32);
            let low = (at as usize).min(last.saturating_sub(1));
            (low, (low + 1).min(last), at - low as f32)
        };
        let places: Vec<_> = (0..side).map(place).collect();
        let coarse = self.grid.side;
        let mut line = vec![0.0; coarse];
        for (row, target) in out.values.chunks_exact_mut(side).enumerate() {
            let (a, b, t) = places[row];
            let (above, below) =
                (&self.values[a * coarse..(a + 1) * coarse], &self.values[b * coarse..(b + 1) * coarse]);
            for ((value, p), q) in line.iter_mut().zip(above).zip(below) {
                *value = p + (q - p) * t;
            }
            for (value, &(l, r, t)) in target.iter_mut().zip(&places) {
                *value = line[l] + (line[r] - line[l]) * t;
            }
        }
        out
    }
}

/// A scratch plane for one bone or tube, poured into the film when its outline is complete.
#[derive(Debug)]
pub(super) struct Ink {
    pub plane: Plane,
}

impl Ink {
    pub fn new(grid: Grid) -> Self {
        Self { plane: Plane::new(grid) }
    }

    /// Draws one tube and adds it, `weight` times, to `target`; the scratch is clean again afterwards.
    pub fn tube(&mut self, target: &mut Plane, nodes: &[Node], wall: Wall, weight: f32) {
        self.plane.tube(nodes, wall);
        self.pour(target, nodes, weight);
    }

    /// Adds what was drawn around the nodes to `target` and wipes it.
    pub fn pour(&mut self, target: &mut Plane, nodes: &[Node], weight: f32) {
        let grid = self.plane.grid;
        let edge = 2.0 * grid.pitch();
        let reach = |node: &Node| node.radius + edge;
        let bounds = nodes.iter().fold([f32::MAX, f32::MIN, f32::MAX, f32::MIN], |b, n| {
            let r = reach(n);
            [b[0].min(n.x - r), b[1].max(n.x + r), b[2].min(n.z - r), b[3].max(n.z + r)]
        });
        let columns = grid.span(bounds[0], bounds[1]);
        for row in grid.span(bounds[2], bounds[3]) {
            let source = &mut self.plane.row(row)[columns.clone()];
            for (value, ink) in target.row(row)[columns.clone()].iter_mut().zip(source) {
                *value += weight * *ink;
                *ink = 0.0;
            }
        }
    }
}

/// Smooth step from 0 at `low` to 1 at `high`; falls when `high < low`.
pub(super) fn ramp(low: f32, high: f32, at: f32) -> f32 {
    let t = ((at - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Smooth noise in about −1..1 with features of `size` mm; the same at every resolution.
pub(super) fn mottle(x: f32, z: f32, size: f32, seed: u32) -> f32 {
    let (u, v) = (x / size, z / size);
    let (iu, iv) = (u.floor(), v.floor());
    let corner = |du: i32, dv: i32| {
        let mut h = (iu as i32 + du).cast_unsigned().wrapping_mul(0x8da6_b343)
            ^ (iv as i32 + dv).cast_unsigned().wrapping_mul(0xd816_3841)
            ^ seed.wrapping_mul(0xcb1a_b31f);
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        (h ^ (h >> 15)) as f32 * (2.0 / u32::MAX as f32) - 1.0
    };
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tu, tv) = (smooth(u - iu), smooth(v - iv));
    let top = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * tu;
    let bottom = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * tu;
    top + (bottom - top) * tv
}
