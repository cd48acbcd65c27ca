//! Devices by name, and the backends behind them.
//!
//! The only place that says which Burn backend trains where. What is generic over a backend gets it
//! through [`Device::run`]. Knows nothing of layers, data or experiments.

mod convolution;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "no_cuda.rs"]
mod cuda;
mod flex;
mod kernels;
mod normalization;
mod transposed_convolution;

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "ndarray")]
use burn::backend::NdArray;
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::AutodiffBackend;

pub use kernels::{Kernels, Sliding, Standardized, fit};

use crate::error::{Error, Problem, Result, did_you_mean};

/// The version of Burn that this is built on.
pub const BURN_VERSION: &str = "0.21.0";

/// Names a device may be asked for by; `cuda:N` stands for one GPU of several.
pub const NAMES: &[&str] = &["auto", "cpu", "ndarray", "cuda"];

/// A device as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceSpec {
    /// The first GPU if there is one, else the CPU.
    Auto,
    /// The CPU, by Burn's `flex` backend.
    Cpu,
    /// The CPU, by Burn's older `ndarray` backend.
    NdArray,
    /// The NVIDIA GPU of this number, from 0.
    Cuda(usize),
}

impl FromStr for DeviceSpec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(DeviceSpec::Auto),
            "cpu" => Ok(DeviceSpec::Cpu),
            "ndarray" => Ok(DeviceSpec::NdArray),
            "cuda" => Ok(DeviceSpec::Cuda(0)),
            _ => match name.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Ok(DeviceSpec::Cuda(number)),
                Some(Err(_)) => Err(Error::usage(
                    Problem::new(format!("`{name}` is no device: a GPU's number is missing"))
                        .hint("`cuda:0` is the first GPU"),
                )),
                None => Err(Error::usage(
                    Problem::new(format!("unknown device `{name}`"))
                        .maybe_hint(did_you_mean(name, NAMES)),
                )),
            },
        }
    }
}

/// A device that was seen to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    place: Place,
    /// As the maker calls it, where that can be had.
    model: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Cpu,
    #[cfg(feature = "ndarray")]
    NdArray,
    #[cfg(feature = "cuda")]
    Cuda(usize),
}

impl Device {
    /// The device of that name: `auto`, `cpu`, `ndarray`, `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// The name is unknown, this build cannot use the device, or the machine has none such.
    pub fn parse(name: &str) -> Result<Self> {
        Device::open(name.parse()?)
    }

    /// The device asked for, after a look whether it is there.
    pub fn open(spec: DeviceSpec) -> Result<Self> {
        match spec {
            DeviceSpec::Auto => match cuda::models() {
                Ok(models) if !models.is_empty() => Device::open(DeviceSpec::Cuda(0)),
                _ => Ok(Device::cpu()),
            },
            DeviceSpec::Cpu => Ok(Device::cpu()),
            DeviceSpec::NdArray => ndarray(),
            DeviceSpec::Cuda(number) => cuda::open(number),
        }
    }

    /// The CPU, by the default backend.
    pub fn cpu() -> Self {
        Device {
            place: Place::Cpu,
            model: None,
        }
    }

    /// Whether the work is done by the CPU's threads.
    pub fn is_cpu(&self) -> bool {
        match self.place {
            Place::Cpu => true,
            #[cfg(feature = "ndarray")]
            Place::NdArray => true,
            #[cfg(feature = "cuda")]
            Place::Cuda(_) => false,
        }
    }

    /// The device's name as [`parse`](Self::parse) takes it.
    pub fn name(&self) -> String {
        match self.place {
            Place::Cpu => "cpu".to_string(),
            #[cfg(feature = "ndarray")]
            Place::NdArray => "ndarray".to_string(),
            #[cfg(feature = "cuda")]
            Place::Cuda(number) => format!("cuda:{number}"),
        }
    }

    /// Does a piece of work on the device's backend.
    pub fn run<W: Work>(&self, work: W) -> W::Output {
        match self.place {
            Place::Cpu => work.run::<Autodiff<Flex>>(Default::default()),
            #[cfg(feature = "ndarray")]
            Place::NdArray => work.run::<Autodiff<NdArray>>(Default::default()),
            #[cfg(feature = "cuda")]
            Place::Cuda(number) => work
                .run::<Autodiff<burn::backend::Cuda>>(burn::backend::cuda::CudaDevice::new(number)),
        }
    }
}

/// `cpu`, `cuda:0 (NVIDIA H200)`: as tables name it.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{} ({model})", self.name()),
            None => f.write_str(&self.name()),
        }
    }
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Device> {
    Ok(Device {
        place: Place::NdArray,
        model: None,
    })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Device> {
    Err(not_built_in("ndarray"))
}

/// The error of a device that this build leaves out.
#[cfg(not(all(feature = "ndarray", feature = "cuda")))]
fn not_built_in(feature: &str) -> Error {
    Error::usage(
        Problem::new(format!("this build cannot use the device `{feature}`")).hint(format!(
            "build with `cargo build --release --features {feature}`"
        )),
    )
}

/// A backend that can train: what is generic over devices asks for this and no more.
pub trait TrainingBackend: AutodiffBackend<InnerBackend: Kernels> + Kernels {}

impl<B> TrainingBackend for B where B: AutodiffBackend<InnerBackend: Kernels> + Kernels {}

/// Work that can be done on any backend.
pub trait Work {
    type Output;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Self::Output;
}

/// Held by every test that draws on a backend's own generator, of which a process has but one.
#[cfg(test)]
pub(crate) fn sole_use_of_chance() -> std::sync::MutexGuard<'static, ()> {
    static CHANCE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    CHANCE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_go_by_their_names() {
        assert_eq!("auto".parse(), Ok(DeviceSpec::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceSpec::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceSpec::Cuda(3)));
        assert_eq!(Device::parse("cpu").unwrap().to_string(), "cpu");
        assert!(Device::parse("auto").is_ok());
    }

    #[test]
    fn wrong_names_are_told() {
        let wrong = |name: &str| Device::parse(name).unwrap_err().to_string();
        assert_eq!(
            wrong("gpu"),
            "error: unknown device `gpu`\n  hint: known here: `auto`, `cpu`, `ndarray` and `cuda`"
        );
        assert_eq!(
            wrong("ndaray"),
            "error: unknown device `ndaray`\n  hint: did you mean `ndarray`?"
        );
        assert_eq!(
            wrong("cuda:x"),
            "error: `cuda:x` is no device: a GPU's number is missing\n  hint: `cuda:0` is the first GPU"
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        assert_eq!(
            Device::parse("cuda:0").unwrap_err().to_string(),
            "error: this build cannot use the device `cuda`\n  \
             hint: build with `cargo build --release --features cuda`"
        );
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn a_gpu_that_is_not_there_is_an_error_and_no_panic() {
        assert!(Device::parse("cuda:4095").is_err());
    }
}
