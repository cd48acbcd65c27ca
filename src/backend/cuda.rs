//! Which NVIDIA GPUs there are, asked of the driver itself.
//!
//! Burn's own backend panics where the driver, the compiler library or the GPU is missing.

use cudarc::driver::{DriverError, result};
use cudarc::{driver, nvrtc};

use super::{Device, Place};
use crate::error::{Error, Problem, Result, count};

/// Names of the GPUs, in the order of their numbers.
pub(super) fn models() -> Result<Vec<String>> {
    // SAFETY: both only try to open a library of the system by its well-known name.
    let (driver, compiler) = unsafe {
        (
            driver::sys::is_culib_present(),
            nvrtc::sys::is_culib_present(),
        )
    };
    if !driver {
        return Err(Error::usage(
            Problem::new("the CUDA driver was not found")
                .hint("install NVIDIA's driver, or use `--device cpu`"),
        ));
    }
    if !compiler {
        return Err(Error::usage(
            Problem::new("CUDA's runtime compiler (`libnvrtc`) was not found")
                .hint("install the CUDA toolkit, or use `--device cpu`"),
        ));
    }
    names().map_err(|error| {
        Error::usage(
            Problem::new(format!("the CUDA driver does not answer: {error:?}"))
                .hint("see whether `nvidia-smi` works, or use `--device cpu`"),
        )
    })
}

fn names() -> Result<Vec<String>, DriverError> {
    result::init()?;
    let number = result::device::get_count()?;
    (0..number)
        .map(|index| result::device::get_name(result::device::get(index)?))
        .collect()
}

pub(super) fn open(number: usize) -> Result<Device> {
    let mut models = models()?;
    if number >= models.len() {
        let message = format!(
            "there is no GPU `cuda:{number}`: this machine has {}",
            count(models.len(), "GPU")
        );
        return Err(Error::usage(
            Problem::new(message).hint("GPUs are numbered from 0; `burnlab doctor` lists them"),
        ));
    }
    Ok(Device {
        place: Place::Cuda(number),
        model: Some(models.swap_remove(number)),
    })
}
