//! The sampler once more, on a graphics device: the same products of the same weights, in compute shaders.
//!
//! In: the tensors of a model file and a device. Out: network output as the processor's engine gives it, to within the
//! rounding of single precision but not to the bit: what must be repeatable is sampled on the processor. Memory is taken
//! once; a sample is one list of commands, and its pixels are read back without holding up whoever else uses the device.

mod kernels;
mod network;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::finish::EPSILON;
use super::{Architecture, TOGETHER, Weights};
use crate::compute::graphics::{Graphics, GraphicsError};
use crate::generator::Tensors;
use kernels::Shape;
use network::Network;

/// How long the device may take for one list of commands before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// A generator with its weights on a graphics device. Shared between threads, which take turns.
#[derive(Debug)]
pub struct GraphicsSampler {
    graphics: Graphics,
    architecture: Architecture,
    network: Network,
    /// Images that the device's numbers are set for now.
    images: Mutex<usize>,
}

impl GraphicsSampler {
    /// Transforms the weights, copies them to the device and compiles the shaders there. Takes up to some seconds at
    /// paper width: call it off the window's thread.
    ///
    /// `tensors` must be those of [`Architecture::generator`], as [`crate::generator::model_file::read`] has checked.
    ///
    /// # Errors
    /// [`GraphicsError`] when the device is too small for this network, or fails.
    pub fn new(graphics: &Graphics, architecture: &Architecture, tensors: &Tensors) -> Result<Self, GraphicsError> {
        if graphics.has_failed() {
            return Err(graphics.failed("it has failed before in this session"));
        }
        let weights = Weights::new(architecture, tensors);
        let network = graphics.guarded(|| Network::new(graphics, architecture, &weights, TOGETHER))??;
        Ok(Self { graphics: graphics.clone(), architecture: *architecture, network, images: Mutex::new(0) })
    }

    /// The device it runs on.
    pub fn graphics(&self) -> &Graphics {
        &self.graphics
    }

    /// Network output for latents `z` `[N, latent]` and label vectors `y` `[N, labels]`: `[N, R, R]`, as
    /// [`super::Sampler::sample`] gives it.
    ///
    /// # Errors
    /// [`GraphicsError::Failed`] when the device is lost or answers with an error; `out` is not to be used then.
    ///
    /// # Panics
    /// When the lengths of `z`, `y` and `out` do not fit one N.
    pub fn sample(&self, z: &[f32], y: &[f32], out: &mut [f32]) -> Result<(), GraphicsError> {
        let Architecture { latent, labels, resolution, .. } = self.architecture;
        let pixels = resolution * resolution;
        let n = out.len() / pixels;
        assert_eq!((z.len(), y.len(), out.len()), (n * latent, n * labels, n * pixels), "sizes of one batch");
        if self.graphics.has_failed() {
            return Err(self.graphics.failed("it has failed before in this session"));
        }
        let together = self.network.together;
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = z.chunks(together * latent).zip(y.chunks(together * labels));
        for ((z, y), out) in parts.zip(out.chunks_mut(together * pixels)) {
            self.forward(&mut images, z, y, out)?;
        }
        Ok(())
    }

    fn forward(&self, images: &mut usize, z: &[f32], y: &[f32], out: &mut [f32]) -> Result<(), GraphicsError> {
        let (network, queue) = (&self.network, self.graphics.queue());
        let n = z.len() / self.architecture.latent;
        let (raw, normal) = inputs(&self.architecture, z, y);
        self.graphics.guarded(|| {
            queue.write_buffer(&network.raw, 0, bytemuck::cast_slice(&raw));
            queue.write_buffer(&network.normal, 0, bytemuck::cast_slice(&normal));
            if *images != n {
                let mut shapes = vec![0u8; network.steps.len() * Shape::STRIDE];
                for (step, bytes) in network.steps.iter().zip(shapes.chunks_exact_mut(Shape::STRIDE)) {
                    let shape = Shape { images: n as u32, ..step.shape };
                    bytes[..size_of::<Shape>()].copy_from_slice(bytemuck::bytes_of(&shape));
                }
                queue.write_buffer(&network.shapes, 0, &shapes);
            }
            let mut encoder = self.graphics.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for step in &network.steps {
                    let [x, y, z] = step.groups(n);
                    pass.set_pipeline(&step.pipeline);
                    pass.set_bind_group(0, &step.bindings, &[]);
                    pass.dispatch_workgroups(x, y, z);
                }
            }
            encoder.copy_buffer_to_buffer(&network.image, 0, &network.staging, 0, size_of_val(out) as u64);
            queue.submit([encoder.finish()]);
        })?;
        *images = n;
        self.graphics.read(&network.staging, out, PATIENCE)
    }
}

/// Latents and labels side by side as given, and divided by their root mean square (as `input::prepare` does).
fn inputs(architecture: &Architecture, z: &[f32], y: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut raw, mut normal) = (Vec::new(), Vec::new());
    for (z, y) in z.chunks_exact(architecture.latent).zip(y.chunks_exact(architecture.labels)) {
        let values = || z.iter().chain(y);
        let square = values().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() / architecture.input() as f64;
        let norm = (square + f64::from(EPSILON)).sqrt().recip() as f32;
        raw.extend(values());
        normal.extend(values().map(|v| v * norm));
    }
    (raw, normal)
}

#[cfg(test)]
mod tests;
