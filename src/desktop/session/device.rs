//! Where the live sample is computed: the wish, the measurement that decides where none is stated, and the fall back.
//!
//! The window's own graphics device is tried on a worker once the first sample of a model is on screen. A device that is
//! a program on the processor is never chosen unasked. Whatever fails, the processor goes on with one sentence.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::compute::graphics::Graphics;
use crate::desktop::lightbox::Gpu;
use crate::desktop::state::SampleOn;
use crate::desktop::task::{Outcome, Task};
use crate::generator::graphics::Comparison;
use crate::generator::sampler::graphics::GraphicsSampler;

/// How long the measurement may take once the weights are on the device.
const PATIENCE: Duration = Duration::from_secs(2);

/// A model on the graphics device, and how fast it is there.
#[derive(Debug, Clone)]
pub struct Brought {
    sampler: Arc<GraphicsSampler>,
    comparison: Comparison,
}

/// The window's graphics device as one to compute on.
pub(super) struct Devices {
    graphics: Result<Graphics, String>,
    task: Option<Task<Result<Brought, String>>>,
    /// The model that was tried, by its identity; each is tried once.
    tried: String,
    brought: Option<Brought>,
}

impl Devices {
    /// Nothing is tried yet.
    pub fn new(gpu: Option<&Gpu>) -> Self {
        let graphics = match gpu {
            Some(gpu) => gpu.graphics().map_err(|error| error.to_string()),
            None => Err("the window is drawn without a graphics device".to_owned()),
        };
        Self { graphics, task: None, tried: String::new(), brought: None }
    }

    /// Whether a device is being measured.
    pub fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// Forgets what belonged to the model that was open.
    pub fn forget_model(&mut self) {
        self.task = None;
        self.tried.clear();
        self.brought = None;
    }

    /// The sampler that a wish comes to, as far as is known.
    pub fn sampler(&self, wish: SampleOn) -> Option<Arc<GraphicsSampler>> {
        let brought = self.brought.as_ref()?;
        let taken = match wish {
            SampleOn::Processor => false,
            SampleOn::Graphics => true,
            SampleOn::Faster => brought.comparison.is_faster(),
        };
        taken.then(|| Arc::clone(&brought.sampler))
    }

    /// Whether the device is worth a try under this wish.
    fn is_wanted(&self, wish: SampleOn) -> bool {
        let Ok(graphics) = &self.graphics else { return false };
        !graphics.has_failed()
            && match wish {
                SampleOn::Processor => false,
                SampleOn::Graphics => true,
                SampleOn::Faster => !graphics.is_software(),
            }
    }
}

impl Session {
    /// States where live samples shall be computed; remembered.
    pub fn sample_on(&mut self, wish: SampleOn) {
        self.settings.sampling = wish;
        if wish == SampleOn::Graphics {
            match &self.devices.graphics {
                Ok(graphics) if graphics.has_failed() => {
                    let text =
                        format!("{} has failed in this session. Samples are computed on the CPU.", graphics.name());
                    self.notices.fail(text);
                }
                Ok(_) => {}
                Err(reason) => {
                    let text = format!("Samples are computed on the CPU: {reason}.");
                    self.notices.fail(text);
                }
            }
        }
        self.render_current();
    }

    /// The graphics device that computes the live samples now; `None` when the processor does.
    pub fn sampling_device(&self) -> Option<&Graphics> {
        let taken = self.devices.sampler(self.settings.sampling).is_some();
        self.devices.graphics.as_ref().ok().filter(|_| taken)
    }

    /// The graphics device that could compute.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn graphics(&self) -> Result<&Graphics, &str> {
        self.devices.graphics.as_ref().map_err(String::as_str)
    }

    /// How fast the open model is on processor and graphics device, once measured.
    pub fn comparison(&self) -> Option<Comparison> {
        self.devices.brought.as_ref().map(|brought| brought.comparison)
    }

    /// Takes in a measurement, and begins one when the open model has none yet.
    pub(super) fn advance_devices(&mut self) {
        if let Some(task) = &self.devices.task {
            let outcome = match task.poll() {
                Outcome::Running => return,
                Outcome::Done(outcome) => outcome,
                Outcome::Failed => Err("measuring the graphics device failed unexpectedly".to_owned()),
            };
            self.devices.task = None;
            match outcome {
                Ok(brought) => {
                    self.devices.brought = Some(brought);
                    if self.devices.sampler(self.settings.sampling).is_some() {
                        self.render_current();
                    }
                }
                // Unasked, a device that is not fit for it is no news.
                Err(_) if self.settings.sampling == SampleOn::Faster => {}
                Err(reason) => self.notices.fail(format!("Samples are computed on the CPU: {reason}.")),
            }
        }
        let Some(model) = self.models.open() else { return };
        let id = model.generator.id();
        if self.sample.is_none() || self.devices.tried == id || !self.devices.is_wanted(self.settings.sampling) {
            return;
        }
        let Ok(graphics) = self.devices.graphics.clone() else { return };
        self.devices.tried = id.to_owned();
        let (generator, path) = (model.generator.clone(), model.path.clone());
        let task = Task::spawn("measure devices", &self.ctx, move |progress| {
            let sampler = generator.bring_to(&graphics, &path).map_err(|error| error.to_string())?;
            let go_on = || !progress.is_cancelled();
            let comparison = generator.compare(&sampler, PATIENCE, go_on).map_err(|error| error.to_string())?;
            Ok(Brought { sampler: Arc::new(sampler), comparison })
        });
        match task {
            Ok(task) => self.devices.task = Some(task),
            Err(error) => self.notices.fail(format!("No thread could be started to measure the device: {error}")),
        }
    }

    /// The graphics device failed while it was in use.
    pub(super) fn device_failed(&mut self, reason: &str) {
        self.devices.brought = None;
        self.notices.fail(format!("Samples are computed on the CPU: {reason}."));
    }
}
