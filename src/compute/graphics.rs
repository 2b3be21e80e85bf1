//! A graphics device to compute on: the one the window draws with, or one of its own.
//!
//! In: a device, or a wish for one. Out: a handle that any thread may use, and the word of its driver on what it can.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Storage buffers that one shader of ours reads and writes at most.
const BUFFERS: u32 = 6;
/// Threads that share workgroup memory.
const THREADS: u32 = 128;
/// How often the device is asked whether it is done. Waiting inside the driver would hold up the window's own drawing.
const LOOK: Duration = Duration::from_micros(100);

/// A device that can compute. Clones share it.
#[derive(Clone)]
pub struct Graphics(Arc<Shared>);

struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    software: bool,
    failed: AtomicBool,
}

/// Why a graphics device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphicsError {
    /// There is none, or not of that number.
    #[error("no graphics device {0} was found that can compute")]
    None(String),
    /// It allows less than the work needs.
    #[error("the graphics device {name} allows {has} {what}, and this needs {needs}")]
    TooSmall {
        /// What the device calls itself.
        name: String,
        /// Of what.
        what: &'static str,
        /// How much it allows.
        has: u64,
        /// How much is needed.
        needs: u64,
    },
    /// It answered with an error, with nothing, or was taken away.
    #[error("the graphics device {name} failed: {reason}")]
    Failed {
        /// What the device calls itself.
        name: String,
        /// The driver's words.
        reason: String,
    },
}

impl fmt::Debug for Graphics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graphics").field("name", &self.0.name).field("software", &self.0.software).finish()
    }
}

impl Graphics {
    /// A device that is open already.
    ///
    /// # Errors
    /// [`GraphicsError::TooSmall`] when it allows less than any shader of ours needs.
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self, GraphicsError> {
        let info = device.adapter_info();
        let limits = device.limits();
        let small = |what, has: u32, needs: u32| GraphicsError::TooSmall {
            name: info.name.clone(),
            what,
            has: has.into(),
            needs: needs.into(),
        };
        if limits.max_storage_buffers_per_shader_stage < BUFFERS {
            return Err(small("storage buffers in a shader", limits.max_storage_buffers_per_shader_stage, BUFFERS));
        }
        if limits.max_compute_invocations_per_workgroup < THREADS {
            return Err(small("threads in a group", limits.max_compute_invocations_per_workgroup, THREADS));
        }
        let software = info.device_type == wgpu::DeviceType::Cpu;
        Ok(Self(Arc::new(Shared { device, queue, name: info.name, software, failed: AtomicBool::new(false) })))
    }

    /// Opens a device of its own, without a window: the one of this number in the order of [`Graphics::list`], or the
    /// first.
    ///
    /// # Errors
    /// [`GraphicsError`] when there is none, or it cannot be opened.
    pub fn open(number: Option<usize>) -> Result<Self, GraphicsError> {
        Self::open_within(number, wgpu::Adapter::limits)
    }

    /// As [`Graphics::open`], with limits of the caller's choice.
    pub(crate) fn open_within(
        number: Option<usize>,
        limits: impl FnOnce(&wgpu::Adapter) -> wgpu::Limits,
    ) -> Result<Self, GraphicsError> {
        let none = || GraphicsError::None(number.map_or_else(String::new, |number| number.to_string()));
        let adapter = adapters().into_iter().nth(number.unwrap_or(0)).ok_or_else(none)?;
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("sampler"), required_limits: limits(&adapter), ..Default::default() };
        let name = adapter.get_info().name;
        match at_once(adapter.request_device(&descriptor)) {
            Some(Ok((device, queue))) => Self::new(device, queue),
            Some(Err(error)) => Err(GraphicsError::Failed { name, reason: error.to_string() }),
            None => Err(GraphicsError::Failed { name, reason: "it did not open".to_owned() }),
        }
    }

    /// Names of the devices that can be opened: hardware first, software last.
    pub fn list() -> Vec<String> {
        adapters().iter().map(|adapter| adapter.get_info().name).collect()
    }

    /// What the device calls itself.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is a program on the processor that only behaves like a device.
    pub fn is_software(&self) -> bool {
        self.0.software
    }

    /// The device, for buffers and pipelines.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// Where its work is handed in.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// Bytes that one storage buffer may have.
    pub fn largest_buffer(&self) -> u64 {
        let limits = self.0.device.limits();
        limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
    }

    /// Whether it has failed before; it is not asked again then.
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// The failure with the driver's words; remembered.
    pub fn failed(&self, reason: impl Into<String>) -> GraphicsError {
        self.0.failed.store(true, Ordering::Relaxed);
        GraphicsError::Failed { name: self.0.name.clone(), reason: reason.into() }
    }

    /// Runs `work` on this thread and gives the first error that the device reported meanwhile; without this an error
    /// would end the program.
    ///
    /// # Errors
    /// [`GraphicsError::Failed`] with the driver's words.
    pub fn guarded<T>(&self, work: impl FnOnce() -> T) -> Result<T, GraphicsError> {
        let device = &self.0.device;
        let scopes = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
            .map(|filter| device.push_error_scope(filter));
        let result = work();
        // The last one opened is the first to be closed.
        let errors = scopes.into_iter().rev().filter_map(|scope| at_once(scope.pop()).flatten());
        match errors.last() {
            Some(error) => Err(self.failed(error.to_string().lines().next().unwrap_or_default())),
            None => Ok(result),
        }
    }

    /// Copies the beginning of a buffer that can be mapped into `out`, once the device has done what it was asked for.
    ///
    /// # Errors
    /// [`GraphicsError::Failed`] when the device is lost or takes longer than `patience`.
    pub fn read(&self, buffer: &wgpu::Buffer, out: &mut [f32], patience: Duration) -> Result<(), GraphicsError> {
        let (sender, receiver) = mpsc::channel();
        let bytes = size_of_val(out) as u64;
        self.guarded(|| {
            buffer.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // Nobody listens any more when patience was at its end.
                let _ = sender.send(result);
            });
        })?;
        let start = Instant::now();
        loop {
            if let Err(error) = self.0.device.poll(wgpu::PollType::Poll) {
                return Err(self.failed(error.to_string()));
            }
            match receiver.recv_timeout(LOOK) {
                Ok(Ok(())) => break,
                Ok(Err(error)) => return Err(self.failed(error.to_string())),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.failed("it was lost")),
                Err(mpsc::RecvTimeoutError::Timeout) if start.elapsed() > patience => {
                    return Err(self.failed(format!("no answer came in {:.0} s", patience.as_secs_f32())));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
        {
            let view = buffer.get_mapped_range(..bytes).map_err(|error| self.failed(error.to_string()))?;
            bytemuck::cast_slice_mut(out).copy_from_slice(&view);
        }
        buffer.unmap();
        Ok(())
    }
}

/// Raises what a device will be asked for to what the adapter allows, where it concerns computing.
pub fn widen(limits: &mut wgpu::Limits, adapter: &wgpu::Limits) {
    limits.max_buffer_size = adapter.max_buffer_size;
    limits.max_storage_buffer_binding_size = adapter.max_storage_buffer_binding_size;
    limits.max_storage_buffers_per_shader_stage = adapter.max_storage_buffers_per_shader_stage;
    limits.max_compute_workgroup_storage_size = adapter.max_compute_workgroup_storage_size;
    limits.max_compute_invocations_per_workgroup = adapter.max_compute_invocations_per_workgroup;
    limits.max_compute_workgroup_size_x = adapter.max_compute_workgroup_size_x;
    limits.max_compute_workgroup_size_y = adapter.max_compute_workgroup_size_y;
    limits.max_compute_workgroup_size_z = adapter.max_compute_workgroup_size_z;
    limits.max_compute_workgroups_per_dimension = adapter.max_compute_workgroups_per_dimension;
}

/// The process's own entry to the graphics drivers, which is never closed: a driver that nobody holds any more is unloaded,
/// but an exit handler it has registered is still called.
pub fn instance() -> &'static wgpu::Instance {
    static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle()))
}

/// All adapters that can compute, hardware first.
fn adapters() -> Vec<wgpu::Adapter> {
    let mut adapters = at_once(instance().enumerate_adapters(wgpu::Backends::all())).unwrap_or_default();
    adapters.retain(|adapter| {
        let can = adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS);
        can && adapter.limits().max_storage_buffers_per_shader_stage >= BUFFERS
    });
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
            wgpu::DeviceType::Cpu => 3,
        };
        // The same device through the older interface comes behind.
        (kind, info.backend == wgpu::Backend::Gl)
    });
    adapters
}

/// The result of what, outside of browsers, is there at once.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
