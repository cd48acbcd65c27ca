//! Tensors of a GPU for kernels of our own, and how many units work on them.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Kernels count values by 32 bits, and a grid may have some cubes more than there are values for.
const MOST: usize = u32::MAX as usize - (1 << 20);

/// Units of a cube where each has one value.
pub(super) const UNITS: usize = 256;

pub(super) fn check(values: usize) {
    assert!(
        values <= MOST,
        "a tensor of {values} values is too large for this device"
    );
}

/// Room for 32-bit floats beside `like`, row by row.
pub(super) fn empty<R: CubeRuntime>(like: &CubeTensor<R>, shape: &[usize]) -> CubeTensor<R> {
    check(shape.iter().product());
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.to_vec().into(), DType::F32)
}

/// The tensor row by row, copied if it does not lie so.
pub(super) fn contiguous<R: CubeRuntime>(tensor: CubeTensor<R>) -> CubeTensor<R> {
    check(tensor.meta.num_elements());
    into_contiguous(tensor)
}

/// A tensor as what a kernel is given.
pub(super) fn array<R: CubeRuntime>(tensor: &CubeTensor<R>) -> ArrayArg<R> {
    tensor.clone().into_tensor_arg().into_array_arg()
}

/// Cubes that kernels number by `CUBE_POS`, in a grid that every device takes: there may be more than asked for.
pub(super) fn grid(cubes: usize) -> CubeCount {
    let cubes = cubes.max(1);
    // Vulkan promises no more along an axis.
    let tall = cubes.div_ceil(65535);
    CubeCount::Static(cubes.div_ceil(tall) as u32, tall as u32, 1)
}

/// Cubes of [`UNITS`] that have a unit for each value.
pub(super) fn cubes(values: usize) -> CubeCount {
    grid(values.div_ceil(UNITS))
}

/// A cube of so many units.
pub(super) fn units(units: usize) -> CubeDim {
    CubeDim::new_1d(units as u32)
}

/// The same values in row-major order in another shape.
pub(super) fn shaped<R: CubeRuntime>(x: CubeTensor<R>, shape: &[usize]) -> CubeTensor<R> {
    let x = contiguous(x);
    CubeTensor::new_contiguous(x.client, x.device, shape.to_vec().into(), x.handle, x.dtype)
}
