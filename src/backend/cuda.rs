//! NVIDIA GPUs by Burn's CUDA backend: which there are, and whether they have what it needs.
//!
//! Burn's own backend panics where the driver, the compiler library, its headers or the GPU is missing.

use std::ffi::c_int;
use std::path::{Path, PathBuf};

use burn::backend::Cuda;
use burn::backend::cuda::CudaDevice;
use cudarc::driver::sys::CUdevice_attribute::{
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
};
use cudarc::driver::sys::cudaError_enum::CUDA_ERROR_OUT_OF_MEMORY;
use cudarc::driver::{DriverError, result};
use cudarc::{driver, nvrtc};

use super::cube::keep_kernels;
use crate::error::{Error, Problem, Result};

pub(super) type Backend = Cuda;
pub(super) const IS_GPU: bool = true;

pub(super) fn device(number: usize) -> CudaDevice {
    let name = names().ok().and_then(|mut names| {
        let is_there = number < names.len();
        is_there.then(|| names.swap_remove(number))
    });
    let name = name.unwrap_or_default();
    let (driver, compiler) = (driver_version(), compiler_version());
    keep_kernels(&format!("cuda-{name}-{driver}-{compiler}"));
    CudaDevice::new(number)
}

/// 13000 for CUDA 13.0; 0 if the driver does not say.
fn driver_version() -> c_int {
    let mut version = 0;
    // SAFETY: it writes one number.
    let asked = unsafe { driver::sys::cuDriverGetVersion(&mut version) };
    asked.result().map_or(0, |()| version)
}

/// 13.0 for that of CUDA 13.0; 0.0 if it does not say.
fn compiler_version() -> String {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: it writes two numbers; where there are devices, the library was found.
    let _ = unsafe { nvrtc::sys::nvrtcVersion(&mut major, &mut minor) };
    format!("{major}.{minor}")
}

/// Names of the GPUs, in the order of their numbers.
pub(super) fn models() -> Result<Vec<Option<String>>> {
    // SAFETY: both only try to open a library of the system by its well-known name.
    let (driver, compiler) = unsafe {
        (
            driver::sys::is_culib_present(),
            nvrtc::sys::is_culib_present(),
        )
    };
    if !driver {
        return Err(missing(
            "the CUDA driver was not found",
            "install NVIDIA's driver",
        ));
    }
    if !compiler {
        return Err(missing(
            "CUDA's runtime compiler (`libnvrtc`) was not found",
            "install the CUDA toolkit",
        ));
    }
    let names = names().map_err(|error| {
        missing(
            format!("the CUDA driver does not answer: {error:?}"),
            "see whether `nvidia-smi` works",
        )
    })?;
    Ok(names.into_iter().map(Some).collect())
}

fn missing(what: impl Into<String>, remedy: &str) -> Error {
    Error::usage(Problem::new(what).hint(format!("{remedy}, or use `--device cpu`")))
}

fn names() -> Result<Vec<String>, DriverError> {
    result::init()?;
    let number = result::device::get_count()?;
    (0..number)
        .map(|index| result::device::get_name(result::device::get(index)?))
        .collect()
}

/// What compiling kernels for the GPU takes.
///
/// # Errors
/// CUDA's headers are not there, or its compiler does not know the GPU.
pub(super) fn requirements(number: usize) -> Result<()> {
    headers()?;
    let capability = capability(number).map_err(|error| {
        missing(
            format!("the GPU `cuda:{number}` does not answer: {error:?}"),
            "see whether `nvidia-smi` works",
        )
    })?;
    let known = architectures();
    if known.is_empty() || known.contains(&capability) {
        return Ok(());
    }
    let (oldest, newest) = (known[0], known[known.len() - 1]);
    let (what, remedy) = match capability < oldest {
        true => ("old", "install an older CUDA toolkit"),
        false => ("new", "install a newer CUDA toolkit"),
    };
    let digits = |capability: c_int| format!("{}.{}", capability / 10, capability % 10);
    let message = format!(
        "the GPU `cuda:{number}` is too {what} for CUDA's compiler: it has compute capability {}, \
         known are {} to {}",
        digits(capability),
        digits(oldest),
        digits(newest)
    );
    Err(missing(message, remedy))
}

/// Every kernel includes CUDA's headers, which are sought where CubeCL seeks them.
fn headers() -> Result<()> {
    let usual = ["/usr/local/cuda", "/opt/cuda"].map(PathBuf::from);
    let toolkit = match std::env::var_os("CUDA_PATH") {
        Some(path) => Some(PathBuf::from(path)),
        None if cfg!(windows) => return Ok(()),
        None => usual.into_iter().find(|path| path.exists()).or_else(|| {
            let compiler = PathBuf::from("/usr/bin/nvcc");
            compiler.exists().then(|| PathBuf::from("/usr"))
        }),
    };
    let header = toolkit.map(|toolkit| toolkit.join("include/cuda_runtime.h"));
    match header {
        Some(header) if header.exists() => Ok(()),
        Some(header) => Err(missing(
            format!(
                "CUDA's headers were not found: there is no `{}`",
                header.display()
            ),
            "install the CUDA toolkit, or set `CUDA_PATH` to its folder",
        )),
        None => Err(missing(
            "CUDA's headers were not found",
            "install the CUDA toolkit, or set `CUDA_PATH` to its folder",
        )),
    }
}

/// 75 for 7.5.
fn capability(number: usize) -> Result<c_int, DriverError> {
    result::init()?;
    let device = result::device::get(number as c_int)?;
    // SAFETY: the device comes from the driver.
    unsafe {
        let major =
            result::device::get_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor =
            result::device::get_attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(10 * major + minor)
    }
}

/// The compute capabilities that the compiler makes code for, rising; none if it does not say.
fn architectures() -> Vec<c_int> {
    let mut count: c_int = 0;
    // SAFETY: both write what they are asked for: a count, and that many numbers.
    unsafe {
        let counted = nvrtc::sys::nvrtcGetNumSupportedArchs(&mut count).result();
        let mut found = vec![0; count.max(0) as usize];
        let listed = nvrtc::sys::nvrtcGetSupportedArchs(found.as_mut_ptr()).result();
        match counted.and(listed) {
            Ok(()) => found,
            Err(_) => Vec::new(),
        }
    }
}

/// Bytes of the GPU's memory that are free, and all of them.
///
/// # Errors
/// No program may use the GPU now: its memory is spent, or another has it for itself.
pub(super) fn memory(number: usize) -> Result<Option<(u64, u64)>> {
    let asked = || -> Result<(usize, usize), DriverError> {
        result::init()?;
        let device = result::device::get(number as c_int)?;
        // SAFETY: the context is the one that Burn will use too, and is given back.
        unsafe {
            let context = result::primary_ctx::retain(device)?;
            let memory = result::ctx::set_current(context).and_then(|()| result::mem_get_info());
            result::primary_ctx::release(device)?;
            memory
        }
    };
    match asked() {
        Ok((free, all)) => Ok(Some((free as u64, all as u64))),
        Err(error) => {
            let reason = match error.0 {
                CUDA_ERROR_OUT_OF_MEMORY => "other programs have its memory".to_string(),
                _ => format!("{error:?}"),
            };
            Err(missing(
                format!("the GPU `cuda:{number}` cannot be used: {reason}"),
                "see `nvidia-smi` for what else runs there",
            ))
        }
    }
}

/// Whether NVIDIA's multi-process service runs: without it kernels of several processes take turns.
pub(super) fn is_shared() -> bool {
    let folder = std::env::var_os("CUDA_MPS_PIPE_DIRECTORY");
    let folder = folder.map_or_else(|| PathBuf::from("/tmp/nvidia-mps"), PathBuf::from);
    // A service that was killed leaves its files.
    let number = std::fs::read_to_string(folder.join("nvidia-cuda-mps-control.pid"));
    number.is_ok_and(|number| Path::new("/proc").join(number.trim()).exists())
}
