//! GPUs of any maker by Burn's Vulkan backend.

use std::sync::LazyLock;

use burn::backend::wgpu::{Wgpu, WgpuDevice};
use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor};

use super::cube::keep_kernels;
use crate::error::{Error, Problem, Result};

pub(super) type Backend = Wgpu;
pub(super) const IS_GPU: bool = true;

/// The best first: cards of their own, those inside a processor, virtual ones, programs that play one.
fn rank(kind: DeviceType) -> usize {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Cpu => 3,
        DeviceType::Other => 4,
    }
}

/// Kind and name of each GPU, the best first. Those of one kind stay in the driver's order, in which Burn counts
/// them. What Vulkan calls "other" has no name in Burn and is left out.
fn found() -> &'static [(DeviceType, String)] {
    // Asking the drivers takes time, and a process has the GPUs that it began with.
    static FOUND: LazyLock<Vec<(DeviceType, String)>> = LazyLock::new(ask);
    &FOUND
}

fn ask() -> Vec<(DeviceType, String)> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(Backends::VULKAN));
    let mut found: Vec<(DeviceType, String)> = adapters
        .iter()
        .map(|adapter| adapter.get_info())
        .filter(|info| info.device_type != DeviceType::Other)
        .map(|info| (info.device_type, info.name))
        .collect();
    found.sort_by_key(|(kind, _)| rank(*kind));
    found
}

/// Names of the GPUs, in the order of their numbers.
pub(super) fn models() -> Result<Vec<Option<String>>> {
    let found = found();
    if found.is_empty() {
        return Err(Error::usage(
            Problem::new("no Vulkan driver was found")
                .hint("install the GPU's Vulkan driver, or use `--device cpu`"),
        ));
    }
    Ok(found.iter().map(|(_, name)| Some(name.clone())).collect())
}

pub(super) fn device(number: usize) -> WgpuDevice {
    let found = found();
    let Some((kind, name)) = found.get(number) else {
        return WgpuDevice::DefaultDevice;
    };
    keep_kernels(&format!("vulkan-{name}"));
    let among = found[..number].iter().filter(|(other, _)| other == kind);
    let among = among.count();
    match kind {
        DeviceType::DiscreteGpu => WgpuDevice::DiscreteGpu(among),
        DeviceType::IntegratedGpu => WgpuDevice::IntegratedGpu(among),
        DeviceType::VirtualGpu => WgpuDevice::VirtualGpu(among),
        DeviceType::Cpu | DeviceType::Other => WgpuDevice::Cpu,
    }
}

pub(super) fn requirements(_: usize) -> Result<()> {
    Ok(())
}

pub(super) fn memory(_: usize) -> Result<Option<(u64, u64)>> {
    Ok(None)
}

pub(super) fn is_shared() -> bool {
    false
}
