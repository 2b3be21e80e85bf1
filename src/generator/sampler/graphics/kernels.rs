//! The shaders of the sampler as pipelines of one device, and the numbers that each of their runs is told.

use crate::compute::graphics::Graphics;

/// A shader's text and what all of them share, which the language cannot include; `build.rs` has checked them together.
macro_rules! text {
    ($name:literal) => {
        concat!(
            include_str!(concat!("../../../../shaders/sampler_", $name, ".wgsl")),
            include_str!("../../../../shaders/sampler_shape.wgsl")
        )
    };
}

const DENSE: &str = text!("dense");
const SPREAD: &str = text!("spread");
const PRODUCT: &str = text!("product");
const FINISH: &str = text!("finish");

/// Threads of a group in the shaders that spread and finish.
pub const GROUP: u32 = 64;

/// Most groups along one axis that every device allows.
const AXIS: u32 = 65_535;

/// The shaders' `Shape`: see there.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Shape {
    pub images: u32,
    pub side: u32,
    pub inner: u32,
    pub outer: u32,
    pub matrices: u32,
    pub rows: u32,
    pub affine: u32,
    pub affines: u32,
    pub lanes: u32,
    pub shows: u32,
    pub skips: u32,
    pub channels: u32,
}

impl Shape {
    /// Bytes from one step's numbers to the next's: what every device can begin a uniform at.
    pub const STRIDE: usize = 256;
}

/// In which form a layer's products become pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One product for each neighbour of a pixel; a dense layer is such a sum of one.
    Neighbours,
    /// Nine differences for four pixels of twice the side.
    Doubled,
    /// Winograd F(2×2).
    Two,
    /// Winograd F(4×4).
    Four,
}

impl Form {
    /// Products of a tile.
    pub fn matrices(self) -> usize {
        match self {
            Self::Neighbours | Self::Doubled => 9,
            Self::Two => 16,
            Self::Four => 36,
        }
    }

    /// Pixels along the edge of a tile as read, and as written.
    pub fn edges(self) -> (usize, usize) {
        match self {
            Self::Neighbours => (1, 1),
            Self::Doubled => (1, 2),
            Self::Two => (2, 2),
            Self::Four => (4, 4),
        }
    }
}

/// One of the shaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// A dense layer.
    Dense,
    /// Pixels into left-hand sides.
    Spread(Form),
    /// Products in blocks of 32 rows, or of 64.
    Product {
        /// Whether of 64.
        tall: bool,
    },
    /// Products into pixels.
    Finish(Form),
}

/// Pipelines that were compiled, each once.
pub struct Kernels<'a> {
    graphics: &'a Graphics,
    done: Vec<(Kernel, wgpu::ComputePipeline)>,
}

impl<'a> Kernels<'a> {
    /// None yet.
    pub fn new(graphics: &'a Graphics) -> Self {
        Self { graphics, done: Vec::new() }
    }

    /// The pipeline of a kernel.
    pub fn get(&mut self, kernel: Kernel) -> wgpu::ComputePipeline {
        if let Some((_, pipeline)) = self.done.iter().find(|(done, _)| *done == kernel) {
            return pipeline.clone();
        }
        let (text, entry, constants): (_, _, &[(&str, f64)]) = match kernel {
            Kernel::Dense => (DENSE, "dense", &[]),
            Kernel::Spread(Form::Neighbours) => (SPREAD, "neighbours", &[]),
            Kernel::Spread(Form::Doubled) => (SPREAD, "differences", &[]),
            Kernel::Spread(Form::Two) => (SPREAD, "two", &[]),
            Kernel::Spread(Form::Four) => (SPREAD, "four", &[]),
            Kernel::Product { tall: false } => (PRODUCT, "product", &[("TALL", 4.0)]),
            Kernel::Product { tall: true } => (PRODUCT, "product", &[("TALL", 8.0)]),
            Kernel::Finish(Form::Neighbours) => (FINISH, "finish", &[("FORM", 0.0), ("EDGE", 1.0)]),
            Kernel::Finish(Form::Doubled) => (FINISH, "finish", &[("FORM", 1.0), ("EDGE", 2.0)]),
            Kernel::Finish(Form::Two) => (FINISH, "finish", &[("FORM", 2.0), ("EDGE", 2.0)]),
            Kernel::Finish(Form::Four) => (FINISH, "finish", &[("FORM", 3.0), ("EDGE", 4.0)]),
        };
        let device = self.graphics.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(entry),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every shader writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.done.push((kernel, pipeline.clone()));
        pipeline
    }
}

impl Kernel {
    /// Groups to start for `n` images.
    pub fn groups(self, shape: &Shape, n: usize) -> [u32; 3] {
        let n = n as u32;
        match self {
            Self::Dense => [shape.outer.div_ceil(64), n, 1],
            Self::Spread(_) => split((u64::from(n) * u64::from(shape.rows) * u64::from(shape.inner)).div_ceil(64)),
            Self::Product { tall } => {
                let height = if tall { 64 } else { 32 };
                [shape.outer.div_ceil(64), (n * shape.rows).div_ceil(height), shape.matrices]
            }
            Self::Finish(_) => split((u64::from(n) * u64::from(shape.rows)).div_ceil((GROUP / shape.lanes).into())),
        }
    }
}

/// Groups in two axes, so that none has more than a device allows; the shaders leave those alone that are too many.
fn split(groups: u64) -> [u32; 3] {
    let tall = groups.div_ceil(AXIS.into());
    [groups.div_ceil(tall) as u32, tall as u32, 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_all_and_stay_within_an_axis() {
        for groups in [1, 65_535, 65_536, 1 << 22] {
            let [x, y, z] = split(groups);
            assert!(x <= AXIS && y <= AXIS && z == 1 && u64::from(x) * u64::from(y) >= groups, "{groups}");
        }
    }

    #[test]
    fn the_shaders_read_the_numbers_in_the_order_in_which_they_are_told() {
        let body = DENSE.split_once("struct Shape {").unwrap().1.split_once('}').unwrap().0;
        let lines = body.lines().map(str::trim).filter(|line| line.ends_with(": u32,"));
        let fields: Vec<&str> = lines.map(|line| line.trim_end_matches(": u32,")).collect();
        assert_eq!(fields.len() * 4, size_of::<Shape>());
        // Each field's own name, read through the struct's debug form.
        let told = format!("{:?}", Shape::default());
        let names: Vec<&str> =
            told.split(['{', ',']).filter_map(|part| Some(part.split_once(": 0")?.0.trim())).collect();
        assert_eq!(fields, names);
    }
}
