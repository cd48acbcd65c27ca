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

/// A GPU as a driver names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gpu {
    kind: DeviceType,
    name: String,
    /// Where it is plugged in; empty if the driver does not say.
    place: String,
    /// Its number among those of its kind, as Burn counts them.
    number: usize,
}

/// The GPUs, the best first. What Vulkan calls "other" has no name in Burn and is left out.
fn found() -> &'static [Gpu] {
    // Asking the drivers takes time, and a process has the GPUs that it began with.
    static FOUND: LazyLock<Vec<Gpu>> = LazyLock::new(|| sorted(ask()));
    &FOUND
}

/// Kind, name and place of all that the drivers have, in their order.
fn ask() -> Vec<(DeviceType, String, String)> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(Backends::VULKAN));
    let infos = adapters.iter().map(|adapter| adapter.get_info());
    infos
        .map(|info| (info.device_type, info.name, info.device_pci_bus_id))
        .collect()
}

/// Each GPU once: a driver that is installed twice, as in containers, has all of its GPUs twice.
fn sorted(asked: Vec<(DeviceType, String, String)>) -> Vec<Gpu> {
    let mut found: Vec<Gpu> = Vec::new();
    for (kind, name, place) in asked {
        let number = found.iter().filter(|other| other.kind == kind).count();
        found.push(Gpu {
            kind,
            name,
            place,
            number,
        });
    }
    let all = found.clone();
    let is_same = |one: &Gpu, other: &Gpu| {
        (&one.name, &one.place) == (&other.name, &other.place) && !one.place.is_empty()
    };
    found.retain(|gpu| {
        let earlier = all.iter().take_while(|other| *other != gpu);
        gpu.kind != DeviceType::Other && !earlier.into_iter().any(|other| is_same(gpu, other))
    });
    found.sort_by_key(|gpu| rank(gpu.kind));
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
    Ok(found.iter().map(|gpu| Some(gpu.name.clone())).collect())
}

pub(super) fn device(number: usize) -> WgpuDevice {
    let Some(gpu) = found().get(number) else {
        return WgpuDevice::DefaultDevice;
    };
    keep_kernels(&format!("vulkan-{}", gpu.name));
    match gpu.kind {
        DeviceType::DiscreteGpu => WgpuDevice::DiscreteGpu(gpu.number),
        DeviceType::IntegratedGpu => WgpuDevice::IntegratedGpu(gpu.number),
        DeviceType::VirtualGpu => WgpuDevice::VirtualGpu(gpu.number),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_of_a_driver_that_is_installed_twice_is_there_once() {
        use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other};
        let one = |kind, name: &str, place: &str| (kind, name.to_string(), place.to_string());
        let asked = vec![
            one(Cpu, "llvmpipe", ""),
            one(DiscreteGpu, "a", "0000:01:00.0"),
            one(DiscreteGpu, "a", "0000:02:00.0"),
            one(IntegratedGpu, "b", "0000:00:02.0"),
            one(Other, "layer", ""),
            one(DiscreteGpu, "a", "0000:01:00.0"),
            one(DiscreteGpu, "a", "0000:02:00.0"),
            one(DiscreteGpu, "a by another driver", "0000:01:00.0"),
            one(Cpu, "llvmpipe", ""),
        ];
        let found = sorted(asked);
        let found: Vec<_> = found
            .iter()
            .map(|gpu| (gpu.name.as_str(), gpu.number))
            .collect();
        assert_eq!(
            found,
            [
                ("a", 0),
                ("a", 1),
                ("a by another driver", 4),
                ("b", 0),
                ("llvmpipe", 0),
                ("llvmpipe", 1),
            ]
        );
    }
}
