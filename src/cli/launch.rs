//! Where a command's workers are started, and on what they compute.

use std::path::Path;

use clap::Args;

use super::JobsArgument;
use crate::backend::{DeviceSpec, Devices};
use crate::config::{How, Launch, Overrides, Slurm};
use crate::error::{Error, Problem, Result, io_reason};
use crate::run::{Commands, Launcher, Local, Queue, ResultsFolder, SlurmJobs};

/// What starts a command's workers.
#[derive(Debug, Args)]
pub(super) struct LaunchArgument {
    /// What starts workers: local, slurm, or a table [launch.NAME] of burnlab.toml
    #[arg(
        long,
        value_name = "NAME",
        default_value = "local",
        env = "BURNLAB_LAUNCH"
    )]
    launch: String,
}

/// What is said of a command's workers.
pub(super) struct Workers {
    /// Nothing, if the command takes no `--launch`: they are started here.
    launch: Option<Launch>,
    /// The device of those elsewhere, by its name there.
    device: String,
    /// The devices of those that are here.
    here: Option<Devices>,
}

impl Workers {
    /// On this machine.
    pub(super) fn here(devices: &Devices) -> Self {
        Workers {
            launch: None,
            device: devices.first().name(),
            here: Some(devices.clone()),
        }
    }

    /// By the launcher that is asked for, for an experiment's file.
    ///
    /// # Errors
    /// There is no such launcher, something is wrong with its table or what it needs is missing, or there is no such
    /// device.
    pub(super) fn by(
        argument: &LaunchArgument,
        experiment: &Path,
        overrides: &Overrides,
        device: &str,
    ) -> Result<Self> {
        let launch = Launch::read(experiment, &argument.launch, overrides)?;
        if launch.how == How::Local {
            let here = Workers::here(&Devices::parse(device)?);
            return Ok(Workers {
                launch: Some(launch),
                ..here
            });
        }
        device.parse::<DeviceSpec>()?;
        let device = match &launch.how {
            // Left to itself, a job whose GPU does not work would train on the processor.
            How::Slurm(slurm) if slurm.gpus > 0 && device == "auto" => "cuda",
            _ => device,
        };
        Ok(Workers {
            device: device.to_string(),
            here: None,
            launch: Some(launch),
        })
    }

    /// The devices, if they are this machine's.
    pub(super) fn devices(&self) -> Option<&Devices> {
        self.here.as_ref()
    }

    /// How many at a time; `None` for one a core.
    pub(super) fn jobs(&self, asked: &JobsArgument) -> Option<usize> {
        let asked = asked.jobs.map(usize::from);
        let known = self.launch.as_ref().and_then(|launch| launch.workers);
        let usual = || self.here.as_ref().and_then(Devices::workers);
        asked.or(known).or_else(usual)
    }

    /// Threads of each, where they do not share this machine.
    pub(super) fn threads(&self) -> Option<usize> {
        match self.how() {
            How::Local => None,
            How::Slurm(slurm) => Some(slurm.cpus),
            How::Command(_) => Some(1),
        }
    }

    /// What a command needs that is detached: Slurm, as the file has it.
    ///
    /// # Errors
    /// Workers are started otherwise.
    pub(super) fn slurm(&self) -> Result<(&Launch, &Slurm)> {
        match (&self.launch, self.how()) {
            (Some(launch), How::Slurm(slurm)) => Ok((launch, slurm)),
            _ => {
                let problem = Problem::new("`--detach` is for what Slurm starts");
                Err(Error::usage(problem.hint("add `--launch slurm`")))
            }
        }
    }

    fn how(&self) -> &How {
        self.launch
            .as_ref()
            .map_or(&How::Local, |launch| &launch.how)
    }

    /// What starts them, for the results of this experiment.
    ///
    /// # Errors
    /// The system does not say where this program is.
    pub(super) fn launcher(
        &self,
        experiment: &str,
        folder: &ResultsFolder,
        threads: usize,
    ) -> Result<Box<dyn Launcher + '_>> {
        let log = folder.path().join("workers.log");
        let retries = self.launch.as_ref().map_or(0, |launch| launch.retries);
        let seats = self.here.as_ref().map(Devices::seats);
        let local = || Local {
            lock: folder.workers_lock(),
            log: log.clone(),
            seats: seats.clone().unwrap_or_default(),
            threads,
            retries,
        };
        let Some(launch) = &self.launch else {
            return Ok(Box::new(local()));
        };
        Ok(match &launch.how {
            How::Local => Box::new(local()),
            How::Slurm(slurm) => Box::new(SlurmJobs {
                launch,
                slurm,
                job_name: format!("burnlab:{experiment}"),
                worker: self.worker()?,
                log,
                queue: Queue::default(),
            }),
            How::Command(elsewhere) => Box::new(Commands {
                elsewhere: elsewhere.clone(),
                worker: self.worker()?,
                log,
                silence: launch.patience,
                retries,
            }),
        })
    }

    /// The words that start a worker on another machine.
    fn worker(&self) -> Result<Vec<String>> {
        let launch = self.launch.as_ref();
        let program = match launch.and_then(|launch| launch.program.as_ref()) {
            Some(program) => program.display().to_string(),
            None => own_program()?,
        };
        let words = [&program, "worker", "--remote", "--device", &self.device];
        Ok(words.map(String::from).into())
    }
}

/// Where this program is, for other machines.
///
/// # Errors
/// The system does not say.
pub(super) fn own_program() -> Result<String> {
    let own = std::env::current_exe().map_err(|error| {
        let reason = io_reason(&error);
        Error::run(Problem::new(format!(
            "cannot tell where burnlab is: {reason}"
        )))
    })?;
    Ok(own.display().to_string())
}
