//! Devices by name, and the backends behind them.
//!
//! The only place that says which Burn backend trains where. What is generic over a backend gets it
//! through [`Device::run`]. Knows nothing of layers, data or experiments.

#[macro_use]
mod kinds;

mod check;
mod constants;
mod convolution_sizes;
mod cpu;
#[cfg(any(feature = "cuda", feature = "vulkan"))]
mod cube;
mod device_sums;
mod devices;
mod distribution;
mod faults;
mod kernels;
pub mod math;
mod optimizer_steps;
mod passes;
mod precision;
mod recorded;
mod records;
mod shapes;
mod sliding;
#[cfg(test)]
pub(crate) mod testing;
mod threads;
mod volumes;

use std::fmt;
use std::str::FromStr;

use burn::backend::Autodiff;
use burn::tensor::backend::AutodiffBackend;

pub use check::{Precisions, message as panic_message};
pub use constants::LEAST_PROBABILITY;
pub use device_sums::DeviceSums;
pub use devices::{Devices, gone_on, kinds_of};
pub use distribution::Distribution;
pub use faults::{broken_off, check_threads, mark_awaited, watch_threads};
pub use kernels::{Kernels, Standardized, holds_nan, largest_of};
pub use optimizer_steps::{AdamStep, MomentumStep};
pub use precision::Precision;
pub use records::{read_record, write_record};
pub use shapes::{fit, reshape, rows};
pub use sliding::{Sliding, Sliding3d};
pub use threads::{use_threads, with_threads};
pub use volumes::{convolve3d, convolve3d_transpose};

use crate::error::{Error, Problem, Result, count, did_you_mean};

/// The set of kernels that the CPU works with: `avx512`, `avx2`, `neon` or `portable`; all give the same bits.
pub fn kernel_set() -> &'static str {
    cpu::Simd::detected().name()
}

/// The version of Burn that this is built on.
pub const BURN_VERSION: &str = "0.21.0";

kinds! {
    /// NVIDIA's GPUs.
    Cuda, cuda, "cuda", feature = "cuda";
    /// GPUs of any maker.
    Vulkan, vulkan, "vulkan", feature = "vulkan";
    /// The CPU, by Burn's `flex` with kernels of our own.
    Cpu, flex, "cpu", all();
    /// The CPU, by Burn's older backend, to compare with.
    NdArray, ndarray, "ndarray", feature = "ndarray";
}

/// Bytes of a GPU's memory that a worker is given: CUDA's own half a gigabyte, and a network of usual size with its data.
const WORKER: u64 = 4 << 30;

/// A device as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceSpec {
    /// The first GPU if there is one, else the CPU.
    Auto,
    /// The device of this kind and number, from 0.
    Named(&'static str, usize),
}

impl FromStr for DeviceSpec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name == "auto" {
            return Ok(DeviceSpec::Auto);
        }
        if let Some((first, _)) = name.split_once(',') {
            let problem = Problem::new(format!("`{name}` is more than one device"));
            return Err(Error::usage(
                problem.hint(format!("one is needed here, such as `{first}`")),
            ));
        }
        let (kind, number) = match name.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (name, None),
        };
        let known = NAMES.iter().find(|known| **known == kind);
        match (known, number) {
            (Some(kind), None) => Ok(DeviceSpec::Named(kind, 0)),
            (Some(kind), Some(number)) => match number.parse() {
                Ok(number) => Ok(DeviceSpec::Named(kind, number)),
                Err(_) => Err(Error::usage(
                    Problem::new(format!("`{name}` is no device: a GPU's number is missing"))
                        .hint(format!("`{kind}:0` is the first GPU")),
                )),
            },
            (None, _) => Err(Error::usage(
                Problem::new(format!("unknown device `{name}`"))
                    .maybe_hint(did_you_mean(name, NAMES)),
            )),
        }
    }
}

/// A device that was seen to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    kind: Kind,
    /// Among those of its kind, from 0.
    number: usize,
    /// As the maker calls it, where that can be had.
    model: Option<String>,
    /// As what numbers factors are multiplied, where it can do so.
    precision: Precision,
}

impl Device {
    /// The device of that name: `auto`, or one of [`NAMES`], with `:N` for one GPU of several.
    ///
    /// # Errors
    /// The name is unknown, this build cannot use the device, or the machine has none such.
    pub fn parse(name: &str) -> Result<Self> {
        Device::open(name.parse()?)
    }

    /// The same, after a [check](Self::check) of what a GPU computes.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), or it computes something wrongly.
    pub fn checked(name: &str) -> Result<Self> {
        let device = Device::parse(name)?;
        device.precisions()?;
        Ok(device)
    }

    /// The device asked for, after a look whether it is there.
    pub fn open(spec: DeviceSpec) -> Result<Self> {
        match spec {
            DeviceSpec::Auto => {
                let mut gpus = Kind::ALL.iter().filter(|kind| kind.is_gpu());
                let first = gpus.find_map(|kind| kind.open(0).ok().filter(Device::is_hardware));
                first.map_or_else(|| Kind::Cpu.open(0), Ok)
            }
            DeviceSpec::Named(kind, number) => Kind::named(kind)?.open(number),
        }
    }

    /// How exact its products are, after a [check](Self::check) if it is a GPU.
    ///
    /// # Errors
    /// It computes something wrongly.
    pub fn precisions(&self) -> Result<Precisions> {
        if self.is_cpu() {
            return Ok(Precisions::F32);
        }
        watch_threads();
        self.check()
    }

    /// Every device by its name, or what is missing of its kind: at least one of each of [`NAMES`] but `auto`.
    pub fn survey() -> Vec<(String, Result<Device>)> {
        let mut found = Vec::new();
        for name in NAMES.iter().filter(|name| **name != "auto") {
            match Kind::named(name).and_then(|kind| Ok((kind, kind.models()?.len()))) {
                Ok((kind, devices)) if kind.is_gpu() => {
                    let devices = 0..devices.max(1);
                    found.extend(devices.map(|n| (format!("{name}:{n}"), kind.open(n))));
                }
                Ok((kind, _)) => found.push((name.to_string(), kind.open(0))),
                Err(error) => found.push((name.to_string(), Err(error))),
            }
        }
        found
    }

    /// Bytes of its own memory that are free, and all of them; `None` where that cannot be had.
    ///
    /// # Errors
    /// It cannot be used now: its memory is spent, or another program has it for itself.
    pub fn memory(&self) -> Result<Option<(u64, u64)>> {
        self.kind.memory(self.number)
    }

    /// Workers that train on it at a time unless somebody says otherwise; `None` for one a core.
    ///
    /// One on a GPU, where processes take turns and a run keeps it busy; where they use it side by side (NVIDIA's
    /// multi-process service), as many as find room in its free memory, up to eight: more gained nothing on an H100.
    ///
    /// # Errors
    /// It cannot be used now.
    pub fn workers(&self) -> Result<Option<usize>> {
        if self.is_cpu() {
            return Ok(None);
        }
        let free = self.memory()?.map_or(0, |(free, _)| free);
        Ok(Some(match self.kind.is_shared() {
            true => ((free / WORKER) as usize).clamp(1, 8),
            false => 1,
        }))
    }

    /// Gives back what tensors that are no more have left of a GPU's memory: the next run's may be of other sizes.
    pub fn free_memory(&self) {
        if !self.is_cpu() {
            self.run(FreeMemory);
        }
    }

    /// Does a piece of work with as many threads as are [wanted](use_threads) now.
    pub fn with_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.is_cpu() {
            true => threads::with_threads(work),
            // On a GPU a thread has a queue of work of its own.
            false => work(),
        }
    }

    /// The CPU, by the default backend.
    pub fn cpu() -> Self {
        Device {
            kind: Kind::Cpu,
            number: 0,
            model: None,
            precision: Precision::F32,
        }
    }

    /// The same, for work with this precision; where it has none such, with a higher one.
    pub fn with_precision(&self, precision: Precision) -> Self {
        Device {
            precision,
            ..self.clone()
        }
    }

    /// Whether the work is done by the CPU's threads.
    pub fn is_cpu(&self) -> bool {
        !self.kind.is_gpu()
    }

    /// The set of kernels that it works with, where these are our own; all sets give the same bits.
    pub fn kernels(&self) -> Option<&'static str> {
        matches!(self.kind, Kind::Cpu).then(kernel_set)
    }

    /// Whether it is more than a program that plays a GPU, of which nobody wants to train by default.
    fn is_hardware(&self) -> bool {
        let software = ["llvmpipe", "SwiftShader"];
        let model = self.model.as_deref().unwrap_or_default();
        !software.iter().any(|name| model.contains(name))
    }

    /// The device's name as [`parse`](Self::parse) takes it.
    pub fn name(&self) -> String {
        match self.kind.is_gpu() {
            true => format!("{}:{}", self.kind.name(), self.number),
            false => self.kind.name().to_string(),
        }
    }
}

impl Kind {
    /// The device of this kind and number, if the machine has it.
    fn open(self, number: usize) -> Result<Device> {
        let mut models = self.models()?;
        if number >= models.len() {
            let name = self.name();
            let found = match models.len() {
                0 => "none of this kind".to_string(),
                found => count(found, "device") + " of this kind",
            };
            let message = format!("there is no `{name}:{number}`: this machine has {found}");
            return Err(Error::usage(
                Problem::new(message)
                    .hint("devices are numbered from 0; `burnlab doctor` lists them"),
            ));
        }
        self.requirements(number)?;
        Ok(Device {
            kind: self,
            number,
            model: models.swap_remove(number),
            precision: Precision::F32,
        })
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

/// The error of a device that this build leaves out.
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

struct FreeMemory;

impl Work for FreeMemory {
    type Output = ();

    fn run<B: TrainingBackend>(self, device: B::Device) {
        B::memory_cleanup(&device);
    }
}

/// Work that can be done on any backend.
pub trait Work {
    /// What the work gives.
    type Output;

    /// Does the work on a device of backend `B`.
    fn run<B: TrainingBackend>(self, device: B::Device) -> Self::Output;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_go_by_their_names() {
        assert_eq!("auto".parse(), Ok(DeviceSpec::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceSpec::Named("cuda", 0)));
        assert_eq!("vulkan:3".parse(), Ok(DeviceSpec::Named("vulkan", 3)));
        assert_eq!(Device::parse("cpu").unwrap().to_string(), "cpu");
        assert!(Device::parse("auto").is_ok());
    }

    #[test]
    fn wrong_names_are_reported() {
        let wrong = |name: &str| Device::parse(name).unwrap_err().to_string();
        assert_eq!(
            wrong("gpu"),
            "error: unknown device `gpu`\n  hint: known here: `auto`, `cuda`, `vulkan`, `cpu` and `ndarray`"
        );
        assert_eq!(
            wrong("ndaray"),
            "error: unknown device `ndaray`\n  hint: did you mean `ndarray`?"
        );
        assert_eq!(
            wrong("cuda:x"),
            "error: `cuda:x` is no device: a GPU's number is missing\n  hint: `cuda:0` is the first GPU"
        );
        assert_eq!(
            wrong("cuda:0,cuda:1"),
            "error: `cuda:0,cuda:1` is more than one device\n  hint: one is needed here, such as `cuda:0`"
        );
        assert_eq!(
            wrong("cpu:1"),
            "error: there is no `cpu:1`: this machine has 1 device of this kind\n  \
             hint: devices are numbered from 0; `burnlab doctor` lists them"
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
