//! About how much memory a run takes, held against what the machine has.
//!
//! What is counted is what grows with the settings: the data, the weights with their gradients and the optimizer's
//! averages, and what the layers of one batch leave for the way back. Kernels and libraries take more.

use std::fs;

use crate::network::Planned;
use crate::shape::ImageShape;

/// Bytes of a number.
const NUMBER: f64 = 4.0;

/// Numbers kept for one that is trained: itself, its gradient, and two averages of the optimizer.
const PER_PARAMETER: f64 = 4.0;

/// What a run's memory depends on.
pub struct Load<'a> {
    pub layers: &'a [Planned],
    /// Trained numbers.
    pub parameters: usize,
    pub images: ImageShape,
    /// Images of all sets.
    pub samples: usize,
    /// Images of a step.
    pub batch: usize,
}

impl Load<'_> {
    /// Bytes at the peak of training, about.
    pub fn bytes(&self) -> f64 {
        let outputs: f64 = self
            .layers
            .iter()
            .map(|layer| layer.output.len() as f64)
            .sum();
        // Each output has a gradient of its size.
        let batch = 2.0 * outputs * self.batch as f64;
        let data = self.samples as f64 * self.images.len() as f64;
        NUMBER * (batch + data + PER_PARAMETER * self.parameters as f64)
    }
}

/// A note on the run that takes most, if that is more than the machine has.
pub fn note(label: &str, bytes: f64) -> Option<String> {
    let machine = machine()?;
    let gib = |bytes: f64| format!("{:.1} GiB", bytes / f64::from(1 << 30));
    (bytes > machine).then(|| {
        format!(
            "`{label}` takes about {} of memory to train, and this machine has {}",
            gib(bytes),
            gib(machine)
        )
    })
}

/// Bytes of memory that the process may use, where the system says.
fn machine() -> Option<f64> {
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let of_group = limits.iter().filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.trim().parse().ok()
    });
    let whole = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(of_group.fold(whole, f64::min))
}

/// The bytes of `MemTotal`, which the kernel gives in KiB.
fn total(text: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_weights_and_what_a_batch_leaves_are_counted() {
        let load = Load {
            layers: &[],
            parameters: 10,
            images: ImageShape::new(1, 2, 3),
            samples: 5,
            batch: 7,
        };
        assert_eq!(load.bytes(), 4.0 * (30.0 + 40.0));
    }

    #[test]
    fn the_kernel_tells_the_machines_memory_in_kibibytes() {
        assert_eq!(
            total("MemFree: 1 kB\nMemTotal:       16 kB\n"),
            Some(16384.0)
        );
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_the_machine_has_not_is_noted() {
        assert_eq!(note("plain", 1.0), None);
        let text = note("plain", 1e18).unwrap();
        let start = "`plain` takes about 931322574.6 GiB of memory to train, and this machine has ";
        assert!(text.starts_with(start), "{text}");
    }
}
