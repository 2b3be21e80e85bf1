//! A generator as a list of shader runs over buffers that are taken once.

use rayon::prelude::*;
use wgpu::util::DeviceExt as _;

use super::kernels::{Form, GROUP, Kernel, Kernels, Shape};
use crate::compute::graphics::{Graphics, GraphicsError};
use crate::compute::kernel::winograd;
use crate::generator::sampler::{Weights, plan, sums, upsample};
use crate::generator::{Architecture, Family};

/// All that a device needs for one generator.
#[derive(Debug)]
pub struct Network {
    /// Most images of one list of commands.
    pub together: usize,
    /// Runs in their order.
    pub steps: Vec<Step>,
    /// Numbers of every step, [`Shape::STRIDE`] bytes apart.
    pub shapes: wgpu::Buffer,
    /// Latents and labels as given, `[N, input]`.
    pub raw: wgpu::Buffer,
    /// The same, normalised.
    pub normal: wgpu::Buffer,
    /// Where the images are at the end, `[N, R, R]`.
    pub image: wgpu::Buffer,
    /// Where the processor can read them.
    pub staging: wgpu::Buffer,
}

/// One run of a shader.
#[derive(Debug)]
pub struct Step {
    kernel: Kernel,
    pub pipeline: wgpu::ComputePipeline,
    pub bindings: wgpu::BindGroup,
    /// Its numbers, but for the images.
    pub shape: Shape,
}

impl Step {
    /// Groups to start for `n` images.
    pub fn groups(&self, n: usize) -> [u32; 3] {
        self.kernel.groups(&self.shape, n)
    }
}

/// Channels as they are stored: four at a time.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(4)
}

/// Numbers of one image that pass between steps, at their most.
#[derive(Debug, Default)]
struct Extent {
    pixels: usize,
    spread: usize,
    products: usize,
    weights: usize,
}

/// One 3×3 convolution, doubling or not.
#[derive(Debug, Clone)]
struct Layer {
    name: String,
    norm: String,
    form: Form,
    /// Side and channels of what is read.
    from: (usize, usize),
    /// Side and channels of what is written.
    to: (usize, usize),
    shows: bool,
}

impl Layer {
    /// Tiles of an image.
    fn rows(&self) -> usize {
        (self.from.0 / self.form.edges().0).pow(2)
    }
}

/// The convolutions from the lowest level to the image.
fn layers(architecture: &Architecture) -> Vec<Layer> {
    let mut layers = Vec::new();
    for side in architecture.sides() {
        let to = (side, architecture.features(side));
        if side > 4 {
            layers.push(Layer {
                name: format!("g.{side}.up"),
                norm: format!("g.{side}.up_norm"),
                form: Form::Doubled,
                from: (side / 2, architecture.features(side / 2)),
                to,
                shows: false,
            });
        }
        layers.push(Layer {
            name: format!("g.{side}.conv"),
            norm: format!("g.{side}.conv_norm"),
            form: match plan::form(side, to.1) {
                plan::Form::Direct => Form::Neighbours,
                plan::Form::Two => Form::Two,
                plan::Form::Four => Form::Four,
            },
            from: to,
            to,
            // prog-GAN shows its last level only; cpD-GAN sums the images of all.
            shows: architecture.family == Family::CpdGan || side == architecture.resolution,
        });
    }
    layers
}

impl Extent {
    fn of(architecture: &Architecture, layers: &[Layer]) -> Self {
        let first = 16 * padded(architecture.features(4));
        let mut extent = Self { pixels: first, spread: 4, products: first, weights: architecture.input() * first };
        for layer in layers {
            let (matrices, inner, outer) = (layer.form.matrices(), padded(layer.from.1), padded(layer.to.1));
            extent.pixels = extent.pixels.max(layer.to.0 * layer.to.0 * outer);
            extent.spread = extent.spread.max(matrices * layer.rows() * inner);
            extent.products = extent.products.max(matrices * layer.rows() * outer);
            extent.weights = extent.weights.max(matrices * inner * outer);
        }
        extent
    }
}

/// What is put together while the steps are listed.
struct Builder<'a> {
    graphics: &'a Graphics,
    kernels: Kernels<'a>,
    shapes: wgpu::Buffer,
    steps: Vec<Step>,
}

impl Builder<'_> {
    fn buffer(&self, label: &str, numbers: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.graphics.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: (numbers.max(4) * size_of::<f32>()) as u64,
            usage,
            mapped_at_creation: false,
        })
    }

    fn filled(&self, label: &str, numbers: &[f32]) -> wgpu::Buffer {
        self.graphics.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents: bytemuck::cast_slice(numbers),
            usage: wgpu::BufferUsages::STORAGE,
        })
    }

    fn step(&mut self, kernel: Kernel, shape: Shape, buffers: &[&wgpu::Buffer]) {
        let pipeline = self.kernels.get(kernel);
        let numbers = wgpu::BufferBinding {
            buffer: &self.shapes,
            offset: (self.steps.len() * Shape::STRIDE) as u64,
            size: std::num::NonZeroU64::new(size_of::<Shape>() as u64),
        };
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(numbers) }];
        for (binding, buffer) in (1..).zip(buffers) {
            entries.push(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        }
        let bindings = self.graphics.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.steps.push(Step { kernel, pipeline, bindings, shape });
    }
}

/// The dense layers of all conditional norms as one: `[input, all]` and the biases; and where each norm begins.
struct Conditions {
    columns: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Conditions {
    fn new(architecture: &Architecture, weights: &Weights, norms: &[(String, usize)]) -> Self {
        let columns: usize = norms.iter().map(|(_, channels)| 2 * padded(*channels)).sum();
        let mut all = vec![0.0; architecture.input() * columns];
        let mut bias = vec![0.0; columns];
        let mut first = 0;
        for (norm, channels) in norms {
            for part in ["gamma", "beta"] {
                let (values, scale) = weights.get(&format!("{norm}.{part}.weight"));
                for (column, row) in (first..).zip(values.chunks_exact(architecture.input())) {
                    for (all, value) in all.chunks_exact_mut(columns).zip(row) {
                        all[column] = value * scale;
                    }
                }
                bias[first..][..*channels].copy_from_slice(weights.get(&format!("{norm}.{part}.bias")).0);
                first += padded(*channels);
            }
        }
        Self { columns, weights: all, bias }
    }
}

/// Weights of the first dense layer, `[input, 16 pixels, channels]`.
fn first_weights(architecture: &Architecture, weights: &Weights) -> Vec<f32> {
    let (values, scale) = weights.get("g.4.dense.weight");
    let (input, channels) = (architecture.input(), padded(architecture.features(4)));
    let mut all = vec![0.0; input * 16 * channels];
    for (row, values) in values.chunks_exact(input).enumerate() {
        let (channel, pixel) = (row / 16, row % 16);
        for (all, value) in all.chunks_exact_mut(16 * channels).zip(values) {
            all[pixel * channels + channel] = value * scale;
        }
    }
    all
}

/// Weights of a convolution in its form, `[matrices, inner, outer]`: the very numbers that the processor's engine packs.
fn layer_weights(layer: &Layer, weights: &Weights) -> Vec<f32> {
    let weights = weights.get(&format!("{}.weight", layer.name));
    let (matrices, input, out) = (layer.form.matrices(), layer.from.1, layer.to.1);
    let (inner, outer) = (padded(input), padded(out));
    let rows: Vec<Vec<f32>> = (0..input)
        .into_par_iter()
        .map(|i| {
            let mut row = vec![0.0; matrices * outer];
            let mut values = vec![0.0; matrices];
            for o in 0..out {
                let kernel = sums::kernel(weights, input, i, o);
                match layer.form {
                    Form::Neighbours => {
                        for (value, tap) in values.iter_mut().zip(kernel.iter().flatten()) {
                            *value = *tap as f32;
                        }
                    }
                    Form::Doubled => values.copy_from_slice(&upsample::combine(kernel)),
                    Form::Two => winograd::kernel::<4>(kernel, &mut values),
                    Form::Four => winograd::kernel::<6>(kernel, &mut values),
                }
                for (matrix, value) in values.iter().enumerate() {
                    row[matrix * outer + o] = *value;
                }
            }
            row
        })
        .collect();
    let mut all = vec![0.0; matrices * inner * outer];
    for (i, row) in rows.iter().enumerate() {
        for (matrix, values) in row.chunks_exact(outer).enumerate() {
            all[(matrix * inner + i) * outer..][..outer].copy_from_slice(values);
        }
    }
    all
}

/// Bias, weights of the image where one is shown, and the image's bias.
fn constants(weights: &Weights, name: &str, (side, channels): (usize, usize), shows: bool) -> Vec<f32> {
    let outer = padded(channels);
    let mut all = vec![0.0; 2 * outer + 4];
    all[..channels].copy_from_slice(weights.get(&format!("{name}.bias")).0);
    if shows {
        let (values, scale) = weights.get(&format!("g.{side}.image.weight"));
        for (to, value) in all[outer..].iter_mut().zip(values) {
            *to = value * scale;
        }
        all[2 * outer] = weights.get(&format!("g.{side}.image.bias")).0[0];
    }
    all
}

impl Network {
    /// Lists the steps and fills the buffers, for as many images at once as fit, at most `together`.
    ///
    /// # Errors
    /// [`GraphicsError::TooSmall`] when not even one fits.
    pub fn new(
        graphics: &Graphics,
        architecture: &Architecture,
        weights: &Weights,
        together: usize,
    ) -> Result<Self, GraphicsError> {
        use wgpu::BufferUsages as Usage;
        let layers = layers(architecture);
        let extent = Extent::of(architecture, &layers);
        let conditional = architecture.family == Family::CpdGan;
        let mut norms = vec![("g.4.dense_norm".to_owned(), architecture.features(4))];
        norms.extend(layers.iter().map(|layer| (layer.norm.clone(), layer.to.1)));
        let conditions = conditional.then(|| Conditions::new(architecture, weights, &norms));

        let largest = extent.pixels.max(extent.spread).max(extent.products);
        let of_weights = extent.weights.max(conditions.as_ref().map_or(0, |all| all.weights.len()));
        let has = graphics.largest_buffer();
        let needs = (largest.max(of_weights) * size_of::<f32>()) as u64;
        if needs > has {
            let name = graphics.name().to_owned();
            return Err(GraphicsError::TooSmall { name, what: "bytes in a buffer", has, needs });
        }
        let together = together.min((has / (largest * size_of::<f32>()) as u64) as usize);

        let uniform = wgpu::BufferDescriptor {
            label: Some("shapes"),
            size: ((2 + 3 * layers.len() + 1) * Shape::STRIDE) as u64,
            usage: Usage::UNIFORM | Usage::COPY_DST,
            mapped_at_creation: false,
        };
        let shapes = graphics.device().create_buffer(&uniform);
        let mut list = Builder { graphics, kernels: Kernels::new(graphics), shapes, steps: Vec::new() };
        let given = Usage::STORAGE | Usage::COPY_DST;
        let raw = list.buffer("raw", together * architecture.input(), given);
        let normal = list.buffer("normal", together * architecture.input(), given);
        let spread = list.buffer("spread", together * extent.spread, Usage::STORAGE);
        let products = list.buffer("products", together * extent.products, Usage::STORAGE);
        let mut pixels = [0, 1].map(|_| list.buffer("pixels", together * extent.pixels, Usage::STORAGE));
        let shown = together * architecture.resolution.pow(2);
        let mut images = [0, 1].map(|_| list.buffer("image", shown, Usage::STORAGE | Usage::COPY_SRC));
        let affines = conditions.as_ref().map_or(0, |all| all.columns);
        let affine = list.buffer("affine", together * affines, Usage::STORAGE);

        let input = architecture.input() as u32;
        if let Some(all) = conditions {
            let (columns, bias) = (list.filled("conditions", &all.weights), list.filled("conditions", &all.bias));
            let shape = Shape { inner: input, outer: all.columns as u32, ..Shape::default() };
            list.step(Kernel::Dense, shape, &[&raw, &columns, &bias, &affine]);
        }
        let first = padded(architecture.features(4));
        let dense = list.filled("first", &first_weights(architecture, weights));
        let zeros = list.filled("zeros", &vec![0.0; 16 * first]);
        let shape = Shape { inner: input, outer: 16 * first as u32, ..Shape::default() };
        list.step(Kernel::Dense, shape, &[&normal, &dense, &zeros, &products]);

        // Threads that share a tile: all of a group, or fewer where there are fewer channels.
        let lanes = |outer: usize| (outer.next_power_of_two() as u32).min(GROUP);
        let mut place = 0;
        let mut finish = |side: usize, channels: usize, matrices: usize, rows: usize, shows: bool| {
            let outer = padded(channels);
            let shape = Shape {
                side: side as u32,
                outer: outer as u32,
                matrices: matrices as u32,
                rows: rows as u32,
                affine: place,
                affines: affines as u32,
                lanes: lanes(outer),
                shows: shows.into(),
                skips: (shows && conditional && side > 4).into(),
                channels: channels as u32,
                ..Shape::default()
            };
            place += 2 * outer as u32;
            shape
        };
        let (four, shape) = ((4, architecture.features(4)), finish(4, architecture.features(4), 1, 16, false));
        let bias = list.filled("constants", &constants(weights, "g.4.dense", four, false));
        let [image, below] = &images;
        let buffers = [&products, &bias, &affine, &pixels[0], image, below];
        list.step(Kernel::Finish(Form::Neighbours), shape, &buffers);
        for layer in &layers {
            let (inner, outer) = (padded(layer.from.1) as u32, padded(layer.to.1) as u32);
            let (matrices, rows) = (layer.form.matrices() as u32, layer.rows() as u32);
            let right = list.filled(&layer.name, &layer_weights(layer, weights));
            let shape = Shape { side: layer.from.0 as u32, inner, outer, matrices, rows, ..Shape::default() };
            list.step(Kernel::Spread(layer.form), shape, &[&pixels[0], &spread]);
            list.step(Kernel::Product { tall: rows >= 64 }, shape, &[&spread, &right, &products]);
            let shape = finish(layer.to.0, layer.to.1, layer.form.matrices(), layer.rows(), layer.shows);
            let bias = list.filled("constants", &constants(weights, &layer.name, layer.to, layer.shows));
            let [image, below] = &images;
            let buffers = [&products, &bias, &affine, &pixels[1], image, below];
            list.step(Kernel::Finish(layer.form), shape, &buffers);
            pixels.swap(0, 1);
            if layer.shows {
                images.swap(0, 1);
            }
        }
        // The last image written is the one "below" the next.
        let [_, image] = images;
        let staging = list.buffer("staging", shown, Usage::MAP_READ | Usage::COPY_DST);
        let Builder { shapes, steps, .. } = list;
        Ok(Self { together, steps, shapes, raw, normal, image, staging })
    }
}
