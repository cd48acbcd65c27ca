//! Burn's older CPU backend: no kernels of our own.

use burn::backend::ndarray::NdArrayDevice;
use burn::backend::{Autodiff, NdArray};

use super::kernels::Kernels;
use crate::error::Result;

pub(super) type Backend = NdArray;
pub(super) const IS_GPU: bool = false;

pub(super) fn models() -> Result<Vec<Option<String>>> {
    Ok(vec![None])
}

pub(super) fn device(_: usize) -> NdArrayDevice {
    NdArrayDevice::Cpu
}

pub(super) fn requirements(_: usize) -> Result<()> {
    Ok(())
}

pub(super) fn memory(_: usize) -> Result<Option<(u64, u64)>> {
    Ok(None)
}

pub(super) fn is_shared() -> bool {
    true
}

impl Kernels for NdArray {
    const IS_AT_HAND: bool = true;
}

impl Kernels for Autodiff<NdArray> {
    const IS_AT_HAND: bool = true;
}
