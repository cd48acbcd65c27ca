//! The devices that a grid's runs are shared among.

use std::fmt;

use super::{Device, DeviceSpec};
use crate::error::{Error, Problem, Result};

/// Devices to train on, at least one. Unless some were asked for by number, they compute alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    all: Vec<Device>,
    /// GPUs of the same model that cannot be used now, and why, in a line.
    left_out: Vec<(String, String)>,
}

impl Devices {
    /// The devices of these names: `cuda:1`, or `cuda:0,cuda:2`; a kind alone, as `auto` and `cuda`, stands for all of its GPUs
    /// that are of the first one's model and have free memory.
    ///
    /// # Errors
    /// A name is unknown, this build cannot use the device, or the machine has none such.
    pub fn parse(names: &str) -> Result<Self> {
        let specs = names.split(',').map(|name| name.trim().parse());
        let specs = specs.collect::<Result<Vec<DeviceSpec>>>()?;
        if let ([_], false) = (specs.as_slice(), names.contains(':')) {
            return Ok(Devices::like(Device::open(specs[0])?));
        }
        let mut all: Vec<Device> = Vec::new();
        for spec in specs {
            let device = Device::open(spec)?;
            if all.iter().any(|other| other.name() == device.name()) {
                let problem = Problem::new(format!("`{}` is asked for twice", device.name()));
                return Err(Error::usage(problem));
            }
            all.push(device);
        }
        Ok(Devices {
            all,
            left_out: Vec::new(),
        })
    }

    /// All that compute as this one does.
    fn like(first: Device) -> Self {
        let found = first.kind.models().unwrap_or_default();
        let is_like = |other: &Device| other.model == first.model;
        let others = (0..found.len()).filter_map(|number| first.kind.open(number).ok());
        let alike: Vec<Device> = others.filter(is_like).collect();
        if alike.len() < 2 {
            return Devices::from(first);
        }
        // Each takes the driver a moment.
        let room: Vec<Result<()>> = std::thread::scope(|scope| {
            let asked: Vec<_> = alike
                .iter()
                .map(|device| scope.spawn(|| device.has_room()))
                .collect();
            let told = asked.into_iter().map(|asked| asked.join());
            told.map(|told| told.unwrap_or(Ok(()))).collect()
        });
        let (mut all, mut left_out) = (Vec::new(), Vec::new());
        for (device, room) in alike.into_iter().zip(room) {
            match room {
                Ok(()) => all.push(device),
                Err(error) => left_out.push((device.name(), error.first_message().to_string())),
            }
        }
        match all.is_empty() {
            true => Devices::from(first),
            false => Devices { all, left_out },
        }
    }

    /// The first of them.
    pub fn first(&self) -> &Device {
        &self.all[0]
    }

    /// Their names, as [`Device::parse`] takes them.
    pub fn names(&self) -> Vec<String> {
        self.all.iter().map(Device::name).collect()
    }

    /// GPUs of the same model that cannot be used now: names, and why, in a line.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Whether a run that was trained on this device, as tables name it, has the numbers that it would have on one of them.
    pub fn are_such_as(&self, device: &str) -> bool {
        let kind = kind_of(device);
        self.all.iter().any(|own| kind_of(&own.to_string()) == kind)
    }

    /// Workers that train on them at a time unless somebody says otherwise; `None` for one a core.
    ///
    /// # Errors
    /// One of them cannot be used now.
    pub fn workers(&self) -> Result<Option<usize>> {
        let mut sum = None;
        for device in &self.all {
            sum = match device.workers()? {
                Some(workers) => Some(sum.unwrap_or(0) + workers),
                None => sum,
            };
        }
        Ok(sum)
    }
}

impl From<Device> for Devices {
    fn from(device: Device) -> Self {
        Devices {
            all: vec![device],
            left_out: Vec::new(),
        }
    }
}

/// As tables name them: `cuda:0 (NVIDIA H200), cuda:1 (NVIDIA H200)`.
impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.all.iter().map(Device::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// A device as tables name it, without its number: `cuda (NVIDIA H200)`. Those of one kind compute alike.
pub fn kind_of(device: &str) -> String {
    let (name, model) = match device.split_once(' ') {
        Some((name, model)) => (name, Some(model)),
        None => (device, None),
    };
    let kind = name.split_once(':').map_or(name, |(kind, _)| kind);
    model.map_or(kind.to_string(), |model| format!("{kind} {model}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_device_without_its_number() {
        assert_eq!(kind_of("cpu"), "cpu");
        assert_eq!(kind_of("cuda:1 (NVIDIA H200)"), "cuda (NVIDIA H200)");
        assert_eq!(kind_of("vulkan:0 (a: b)"), "vulkan (a: b)");
    }

    #[test]
    fn devices_go_by_their_names() {
        let cpu = Devices::parse("cpu").unwrap();
        assert_eq!(cpu, Devices::from(Device::cpu()));
        assert_eq!(
            (cpu.names(), cpu.workers()),
            (vec!["cpu".to_string()], Ok(None))
        );
        assert!(cpu.are_such_as("cpu") && !cpu.are_such_as("cuda:0 (NVIDIA H200)"));
        let wrong = |names: &str| Devices::parse(names).unwrap_err().to_string();
        assert_eq!(wrong("cpu,cpu"), "error: `cpu` is asked for twice");
        assert_eq!(
            wrong("cpu,gpu"),
            "error: unknown device `gpu`\n  hint: known here: `auto`, `cuda`, `vulkan`, `cpu` and `ndarray`"
        );
    }

    #[cfg(feature = "cuda")]
    #[test]
    #[ignore = "for a driver with three GPUs, of which the last is in use"]
    fn a_kind_stands_for_all_gpus_that_can_be_used() {
        let cuda = Devices::parse("cuda").unwrap();
        assert_eq!(cuda.names(), ["cuda:0", "cuda:1"]);
        assert_eq!(cuda.workers(), Ok(Some(2)));
        let reason = "the GPU `cuda:2` cannot be used: other programs have its memory";
        let expected = [("cuda:2".to_string(), reason.to_string())];
        assert_eq!(cuda.left_out(), expected);
        assert!(cuda.are_such_as(&cuda.first().to_string()));
        let some = |names| Devices::parse(names).unwrap().names();
        assert_eq!(some("cuda:1"), ["cuda:1"]);
        assert_eq!(some("cuda:1, cuda:0"), ["cuda:1", "cuda:0"]);
    }
}
