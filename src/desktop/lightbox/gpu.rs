//! The GPU's half of the light box: 32-bit float textures and the window/level shader.

use std::sync::{Arc, OnceLock};

use eframe::egui::{PaintCallbackInfo, Painter, Rect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use eframe::wgpu::{self, util::DeviceExt as _};

use super::{ColorMap, Look};
use crate::compute::graphics::{Graphics, GraphicsError};
use crate::radiograph::Radiograph;

/// The shader's text; `build.rs` has checked it.
const SHADER: &str = include_str!("../../../shaders/radiograph.wgsl");

/// One device's pipeline and colour tables. Clones share them; any thread may upload films.
#[derive(Clone)]
pub struct Gpu(Arc<Shared>);

struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
    grey: wgpu::TextureView,
    diverging: wgpu::TextureView,
    heat: wgpu::TextureView,
    adapter: String,
}

/// One film on the device.
pub struct GpuFilm {
    view: wgpu::TextureView,
    size: [usize; 2],
}

impl Gpu {
    /// Prepares the shader for the window's device.
    pub fn new(state: &RenderState) -> Self {
        let device = state.device.clone();
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("radiograph"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("radiograph"),
            entries: &[
                entry(
                    0,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                ),
                entry(1, texture()),
                entry(2, texture()),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("radiograph"),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let fragment = if state.target_format.is_srgb() { "fragment_linear" } else { "fragment" };
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("radiograph"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &shader,
                entry_point: Some("vertex"),
                buffers: &[],
                compilation_options: wgpu::PipelineCompilationOptions::default(),
            },
            fragment: Some(wgpu::FragmentState {
                module: &shader,
                entry_point: Some(fragment),
                targets: &[Some(wgpu::ColorTargetState {
                    format: state.target_format,
                    // A film that covers comes with an opacity of 1, which replaces what is below to the bit.
                    blend: Some(wgpu::BlendState::ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
                compilation_options: wgpu::PipelineCompilationOptions::default(),
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview_mask: None,
            cache: None,
        });
        let grey = colour_table(&state.device, &state.queue, ColorMap::Grey);
        let diverging = colour_table(&state.device, &state.queue, ColorMap::Diverging);
        let heat = colour_table(&state.device, &state.queue, ColorMap::Heat);
        let adapter = state.adapter.get_info().name;
        let queue = state.queue.clone();
        Self(Arc::new(Shared { device, queue, layout, pipeline, grey, diverging, heat, adapter }))
    }

    /// What the graphics device calls itself.
    pub fn adapter(&self) -> &str {
        &self.0.adapter
    }

    /// The same device, to compute on.
    ///
    /// # Errors
    /// As [`Graphics::new`].
    pub fn graphics(&self) -> Result<Graphics, GraphicsError> {
        Graphics::new(self.0.device.clone(), self.0.queue.clone())
    }

    /// Copies a film to the device; `None` when it is larger than the device's largest texture.
    pub fn upload(&self, film: &Radiograph) -> Option<GpuFilm> {
        let size = [film.width(), film.height()];
        let most = self.0.device.limits().max_texture_dimension_2d as usize;
        if size.iter().any(|&side| side > most) {
            return None;
        }
        let texture = self.0.device.create_texture_with_data(
            &self.0.queue,
            &wgpu::TextureDescriptor {
                label: Some("film"),
                size: extent(size),
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R32Float,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            },
            wgpu::util::TextureDataOrder::LayerMajor,
            bytemuck::cast_slice(film.pixels()),
        );
        Some(GpuFilm { view: texture.create_view(&wgpu::TextureViewDescriptor::default()), size })
    }

    /// Draws `film` at `place` (points; may reach outside), cut off at the painter's clip rectangle.
    pub fn paint(&self, painter: &Painter, film: &Arc<GpuFilm>, place: Rect, look: &Look) {
        let visible = place.intersect(painter.clip_rect());
        if !visible.is_positive() {
            return;
        }
        // The callback's rectangle is only what is visible, since viewports larger than the target are not allowed;
        // the shader finds its place by the pixel's own coordinates.
        let callback =
            FilmCallback { gpu: self.clone(), film: Arc::clone(film), place, look: *look, bindings: OnceLock::new() };
        painter.add(Callback::new_paint_callback(visible, callback));
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::FRAGMENT, ty, count: None }
}

fn texture() -> wgpu::BindingType {
    wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: false },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    }
}

fn extent([width, height]: [usize; 2]) -> wgpu::Extent3d {
    wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 }
}

fn colour_table(device: &wgpu::Device, queue: &wgpu::Queue, map: ColorMap) -> wgpu::TextureView {
    let bytes: Vec<u8> = (0..=255)
        .flat_map(|i| {
            let [r, g, b] = map.color(i);
            [r, g, b, 255]
        })
        .collect();
    let texture = device.create_texture_with_data(
        queue,
        &wgpu::TextureDescriptor {
            label: Some("colour table"),
            size: extent([256, 1]),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        },
        wgpu::util::TextureDataOrder::LayerMajor,
        &bytes,
    );
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

/// The shader's `View`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct View {
    origin: [f32; 2],
    step: [f32; 2],
    low: f32,
    scale: f32,
    invert: u32,
    linear: u32,
    opacity: f32,
    fade: u32,
    /// A uniform's size is a multiple of 16 bytes.
    unused: [u32; 2],
}

/// One drawing of one film. It owns its uniform buffer: all buffers are written before the pass begins, so that a
/// shared one would show the last view's settings in every view.
struct FilmCallback {
    gpu: Gpu,
    film: Arc<GpuFilm>,
    place: Rect,
    look: Look,
    bindings: OnceLock<wgpu::BindGroup>,
}

impl CallbackTrait for FilmCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        _queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        _resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let origin = self.place.min * screen.pixels_per_point;
        let size = self.place.size() * screen.pixels_per_point;
        let (low, scale) = self.look.low_and_scale();
        let view = View {
            origin: origin.into(),
            step: [self.film.size[0] as f32 / size.x, self.film.size[1] as f32 / size.y],
            low,
            scale,
            invert: u32::from(self.look.invert),
            linear: u32::from(self.look.linear),
            opacity: self.look.overlay.unwrap_or(1.0),
            fade: u32::from(self.look.overlay.is_some()),
            unused: [0; 2],
        };
        let uniforms = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("film view"),
            contents: bytemuck::bytes_of(&view),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let shared = &self.gpu.0;
        let colours = match self.look.map {
            ColorMap::Grey => &shared.grey,
            ColorMap::Diverging => &shared.diverging,
            ColorMap::Heat => &shared.heat,
        };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("film view"),
            layout: &shared.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(&self.film.view) },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(colours) },
            ],
        });
        // A picture may be prepared twice from the same shapes; the bindings are the same then.
        let _ = self.bindings.set(group);
        Vec::new()
    }

    fn paint(&self, _info: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, _resources: &CallbackResources) {
        if let Some(bindings) = self.bindings.get() {
            pass.set_pipeline(&self.gpu.0.pipeline);
            pass.set_bind_group(0, bindings, &[]);
            pass.draw(0..3, 0..1);
        }
    }
}
