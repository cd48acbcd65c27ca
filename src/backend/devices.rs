//! The devices that a grid's runs are shared among.

use std::fmt;
use std::panic::resume_unwind;

use super::{Device, DeviceSpec};
use crate::error::{Error, Problem, Result};

/// Devices to train on, at least one. Unless some were asked for by number, they compute alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    all: Vec<Usable>,
    /// GPUs of the same model that cannot be used now, and why, in a line.
    left_out: Vec<(String, String)>,
}

/// A device with the workers that train on it at a time unless somebody says otherwise; `None` for one a core.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Usable {
    device: Device,
    workers: Option<usize>,
}

impl Usable {
    /// # Errors
    /// The device cannot be used now.
    fn of(device: Device) -> Result<Self> {
        let workers = device.workers()?;
        Ok(Usable { device, workers })
    }

    /// # Errors
    /// The device cannot be used now, or has too little free memory to train anything.
    fn with_room(device: Device) -> Result<Self> {
        device.has_room()?;
        Usable::of(device)
    }
}

impl Devices {
    /// The devices of these names: `cuda:1`, or `cuda:0,cuda:2`; a kind alone, as `auto` and `cuda`, stands for all of its GPUs
    /// that are of the first one's model and can be used now.
    ///
    /// # Errors
    /// A name is unknown, this build cannot use the device, the machine has none such, or it cannot be used now.
    pub fn parse(names: &str) -> Result<Self> {
        let specs = names.split(',').map(|name| name.trim().parse());
        let specs = specs.collect::<Result<Vec<DeviceSpec>>>()?;
        if let ([spec], false) = (specs.as_slice(), names.contains(':')) {
            return Devices::like(Device::open(*spec)?);
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
        let (_, all) = asked(all, Usable::of);
        Ok(Devices {
            all: all.into_iter().collect::<Result<_>>()?,
            left_out: Vec::new(),
        })
    }

    /// All that compute as this one does.
    ///
    /// # Errors
    /// None of them can be used now.
    fn like(first: Device) -> Result<Self> {
        let (kind, model) = (first.kind, first.model.clone());
        let others = (0..kind.models()?.len()).filter(|number| *number != first.number);
        let others = others.filter_map(|number| kind.open(number).ok());
        let mut alike: Vec<Device> = others.filter(|other| other.model == model).collect();
        alike.push(first.clone());
        alike.sort_by_key(|device| device.number);
        let (names, asked) = asked(alike, Usable::with_room);
        if asked.iter().all(Result::is_err) {
            // Where nothing is left to train, nothing is missing.
            return Ok(Devices {
                all: vec![Usable::of(first)?],
                left_out: Vec::new(),
            });
        }
        let (mut all, mut left_out) = (Vec::new(), Vec::new());
        for (name, usable) in names.into_iter().zip(asked) {
            match usable {
                Ok(usable) => all.push(usable),
                Err(error) => left_out.push((name, error.first_message().to_string())),
            }
        }
        Ok(Devices { all, left_out })
    }

    /// The first of them.
    pub fn first(&self) -> &Device {
        &self.all[0].device
    }

    /// GPUs of the same model that cannot be used now: names, and why, in a line.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Whether a run that was trained on this device, as tables name it, has the numbers that it would have on one of them.
    pub fn are_such_as(&self, device: &str) -> bool {
        let kind = kind_of(device);
        let mut kinds = self.all.iter().map(|own| kind_of(&own.device.to_string()));
        kinds.any(|own| own == kind)
    }

    /// The device of each worker, by the name that [`Device::parse`] takes: each device as often as it takes workers, in turns.
    pub fn seats(&self) -> Vec<String> {
        let workers_of = |usable: &Usable| usable.workers.unwrap_or(1);
        let rounds = self.all.iter().map(workers_of).max().unwrap_or(0);
        let of_round = |round: usize| {
            self.all
                .iter()
                .filter(move |usable| workers_of(usable) > round)
        };
        let seats = (0..rounds).flat_map(of_round);
        seats.map(|usable| usable.device.name()).collect()
    }

    /// Workers that train on them at a time unless somebody says otherwise; `None` for one a core.
    pub fn workers(&self) -> Option<usize> {
        match self.all.as_slice() {
            [Usable { workers: None, .. }] => None,
            _ => Some(self.seats().len()),
        }
    }
}

/// Names of devices, and their workers, or why they cannot be used now: each takes its driver a moment, all of them together
/// no longer.
fn asked(
    devices: Vec<Device>,
    ask: fn(Device) -> Result<Usable>,
) -> (Vec<String>, Vec<Result<Usable>>) {
    let names = devices.iter().map(Device::name).collect();
    let usable = std::thread::scope(|scope| {
        let devices = devices.into_iter();
        let asked: Vec<_> = devices
            .map(|device| scope.spawn(move || ask(device)))
            .collect();
        let told = asked.into_iter().map(|asked| asked.join());
        told.map(|told| told.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    (names, usable)
}

/// As tables name them: `cuda:0 (NVIDIA H200), cuda:1 (NVIDIA H200)`.
impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.all.iter().map(|usable| usable.device.to_string());
        let names: Vec<String> = names.collect();
        f.write_str(&names.join(", "))
    }
}

/// Between the devices of one run.
const THEN: &str = ", then ";

/// The devices of a run that goes on on one of another kind than before, as tables name them: `cpu, then cuda:0 (NVIDIA H200)`.
pub fn gone_on(before: &str, now: &str) -> String {
    let last = before.rsplit(THEN).next().unwrap_or(before);
    match kind_of(last) == kind_of(now) {
        true => before.to_string(),
        false => format!("{before}{THEN}{now}"),
    }
}

/// The kinds of the devices of one run.
pub fn kinds_of(devices: &str) -> impl Iterator<Item = String> {
    devices.split(THEN).map(kind_of)
}

/// A device as tables name it, without its number: `cuda (NVIDIA H200)`. Those of one kind compute alike.
fn kind_of(device: &str) -> String {
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
    fn a_run_that_goes_on_elsewhere_names_both_devices() {
        let (one, other) = ("cuda:0 (NVIDIA H100)", "cuda:3 (NVIDIA H100)");
        assert_eq!(gone_on(one, other), one);
        let both = gone_on("cpu", one);
        assert_eq!(both, "cpu, then cuda:0 (NVIDIA H100)");
        assert_eq!(gone_on(&both, other), both);
        let kinds: Vec<String> = kinds_of(&both).collect();
        assert_eq!(kinds, ["cpu", "cuda (NVIDIA H100)"]);
    }

    #[test]
    fn devices_go_by_their_names() {
        let cpu = Devices::parse("cpu").unwrap();
        assert_eq!(cpu.first(), &Device::cpu());
        assert_eq!(
            (cpu.seats(), cpu.workers()),
            (vec!["cpu".to_string()], None)
        );
        assert!(cpu.are_such_as("cpu") && !cpu.are_such_as("cuda:0 (NVIDIA H200)"));
        let wrong = |names: &str| Devices::parse(names).unwrap_err().to_string();
        assert_eq!(wrong("cpu,cpu"), "error: `cpu` is asked for twice");
        assert_eq!(
            wrong("cpu,gpu"),
            "error: unknown device `gpu`\n  hint: known here: `auto`, `cuda`, `vulkan`, `cpu` and `ndarray`"
        );
    }

    #[test]
    fn a_device_has_as_many_seats_as_it_takes_workers() {
        let usable = |number: usize, workers: Option<usize>| Usable {
            device: Device {
                number,
                ..Device::cpu()
            },
            workers,
        };
        let workers = |all: &[Option<usize>]| {
            let all = all.iter().enumerate();
            let devices = Devices {
                all: all.map(|(at, workers)| usable(at, *workers)).collect(),
                left_out: Vec::new(),
            };
            (devices.seats().len(), devices.workers())
        };
        assert_eq!(workers(&[None]), (1, None));
        assert_eq!(workers(&[Some(1)]), (1, Some(1)));
        // A processor beside others has one worker with all of its share of threads.
        assert_eq!(workers(&[Some(1), None]), (2, Some(2)));
        assert_eq!(workers(&[Some(3), Some(1), Some(2)]), (6, Some(6)));
    }

    #[cfg(feature = "cuda")]
    #[test]
    #[ignore = "for a driver with three GPUs, of which the last is in use"]
    fn a_kind_stands_for_all_gpus_that_can_be_used() {
        let cuda = Devices::parse("cuda").unwrap();
        assert_eq!(cuda.seats(), ["cuda:0", "cuda:1"]);
        assert_eq!(cuda.workers(), Some(2));
        let reason = "the GPU `cuda:2` cannot be used: other programs have its memory";
        let expected = [("cuda:2".to_string(), reason.to_string())];
        assert_eq!(cuda.left_out(), expected);
        assert!(cuda.are_such_as(&cuda.first().to_string()));
        let some = |names| Devices::parse(names).unwrap().seats();
        assert_eq!(some("cuda:1"), ["cuda:1"]);
        assert_eq!(some("cuda:1, cuda:0"), ["cuda:1", "cuda:0"]);
        let full = Devices::parse("cuda:0,cuda:2").unwrap_err();
        assert_eq!(full.first_message(), reason);
    }
}
