//! Where to compute: as asked for, or on the CPU with one sentence that says why.

use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A wish for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first GPU this build can use, else the CPU.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
    /// The Apple GPU of this number.
    Metal(usize),
}

/// A device ready for use.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// The device as the framework knows it.
    pub device: Device,
    /// One sentence for the user: what is computed on and, if that is not what was asked for, why.
    pub sentence: String,
}

impl OpenDevice {
    /// The sentence without its beginning, as a part of others: `the CPU with 2 threads`.
    pub fn words(&self) -> &str {
        self.sentence.trim_start_matches("Computing on ").trim_end_matches('.')
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("there is no device “{text}”; say auto, cpu, cuda, cuda:N, metal or metal:N");
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse::<usize>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        match (kind.to_ascii_lowercase().as_str(), number) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", number) => Ok(Self::Cuda(number.unwrap_or(0))),
            ("metal", number) => Ok(Self::Metal(number.unwrap_or(0))),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device, or the CPU where that fails: this never fails itself.
    pub fn open(self) -> OpenDevice {
        match self {
            Self::Cpu => cpu(None),
            Self::Cuda(number) => cuda(number).unwrap_or_else(|reason| cpu(Some(&reason))),
            Self::Metal(number) => metal(number).unwrap_or_else(|reason| cpu(Some(&reason))),
            Self::Auto => cuda(0).or_else(|_| metal(0)).unwrap_or_else(|_| cpu(None)),
        }
    }
}

fn cpu(reason: Option<&str>) -> OpenDevice {
    let threads = rayon::current_num_threads();
    let what = format!("on the CPU with {threads} {}", if threads == 1 { "thread" } else { "threads" });
    let sentence = match reason {
        Some(reason) => format!("Computing {what}, because {reason}."),
        None => format!("Computing {what}."),
    };
    OpenDevice { device: Device::Cpu, sentence }
}

fn cuda(number: usize) -> Result<OpenDevice, String> {
    if !candle_core::utils::cuda_is_available() {
        return Err("this build has no CUDA (build with --features cuda)".into());
    }
    open(Device::new_cuda(number), &format!("NVIDIA GPU {number}"))
}

fn metal(number: usize) -> Result<OpenDevice, String> {
    if !candle_core::utils::metal_is_available() {
        return Err("this build has no Metal (build with --features metal on macOS)".into());
    }
    open(Device::new_metal(number), &format!("Apple GPU {number}"))
}

/// Opening alone does not show that a driver works: a small product does.
fn open(device: candle_core::Result<Device>, name: &str) -> Result<OpenDevice, String> {
    let try_out = |device: &Device| -> candle_core::Result<f32> {
        let ones = candle_core::Tensor::ones((2, 2), candle_core::DType::F32, device)?;
        ones.matmul(&ones)?.sum_all()?.to_scalar::<f32>()
    };
    match device.and_then(|device| try_out(&device).map(|sum| (device, sum))) {
        Ok((device, 8.0)) => Ok(OpenDevice { device, sentence: format!("Computing on {name}.") }),
        Ok((_, sum)) => Err(format!("{name} computes wrongly ({sum} in place of 8)")),
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            // The driver's own word says it best; without a driver there is no text beside it.
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            match words.find(|word| word.starts_with("CUDA_ERROR_")) {
                Some("CUDA_ERROR_NO_DEVICE") => Err("there is no NVIDIA GPU, or no driver for it".into()),
                Some(word) => Err(format!("{name} cannot be opened ({word})")),
                None => Err(format!("{name} cannot be opened ({line})")),
            }
        }
    }
}

/// Memory of a GPU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// What all processes that use the GPU hold of it together, the driver's own share among it.
    pub used: u64,
    /// All there is.
    pub total: u64,
}

/// Memory of the NVIDIA GPU `device`, which this thread must have computed on; `None` for any other device, and where the
/// driver does not say.
#[cfg(feature = "cuda")]
pub fn memory_of(device: &Device) -> Option<DeviceMemory> {
    if !device.is_cuda() {
        return None;
    }
    // The driver's call, for the context that the thread's last step was computed in: the method of the context would
    // first take, and so hide, an error that is noted there for the next step to report.
    let (free, total) = candle_core::cuda::cudarc::driver::result::mem_get_info().ok()?;
    Some(DeviceMemory { used: total.saturating_sub(free) as u64, total: total as u64 })
}

/// Memory of the NVIDIA GPU `device`; `None` in a build without CUDA.
#[cfg(not(feature = "cuda"))]
pub fn memory_of(_device: &Device) -> Option<DeviceMemory> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_as_written() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(3), DeviceChoice::Metal(0)] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("CUDA".parse(), Ok(DeviceChoice::Cuda(0)));
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cpu:1", "cuda:-1"] {
            assert!(wrong.parse::<DeviceChoice>().unwrap_err().contains("say auto"), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_opened_falls_back_with_the_reason() {
        assert!(DeviceChoice::Cpu.open().sentence.starts_with("Computing on the CPU with "));
        if !candle_core::utils::cuda_is_available() {
            let open = DeviceChoice::Cuda(7).open();
            assert!(open.device.is_cpu());
            assert!(open.sentence.contains("because this build has no CUDA"), "{}", open.sentence);
        }
    }

    #[test]
    fn only_a_gpu_has_memory_of_its_own() {
        assert_eq!(memory_of(&Device::Cpu), None);
        let open = DeviceChoice::Cuda(0).open();
        if let Some(memory) = memory_of(&open.device) {
            assert!(memory.used > 0 && memory.used <= memory.total, "{memory:?}");
        } else {
            assert!(open.device.is_cpu(), "a GPU that does not tell its memory");
        }
    }
}
