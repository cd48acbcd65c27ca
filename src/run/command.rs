//! Workers by any command that starts a process elsewhere and carries its pipes: ssh, `docker run -i`, `kubectl run -i`.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::launcher::{Launcher, Report, Worker};
use super::process::{At, command_of, start};
use crate::config::Elsewhere;
use crate::error::Result;

/// Starts workers by a command.
pub struct Commands {
    /// The command and its hosts.
    pub elsewhere: Elsewhere,
    /// What is started there.
    pub worker: Vec<String>,
    /// Takes what they say on standard error.
    pub log: PathBuf,
    /// See [`Launcher::silence`].
    pub silence: Duration,
    /// See [`Launcher::retries`].
    pub retries: usize,
}

impl Launcher for Commands {
    fn launch(
        &mut self,
        number: usize,
        _seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        let command = command_of(&self.command(number));
        start(command, At::Elsewhere(|_| {}), number, &self.log, reports)
    }

    fn command(&self, number: usize) -> Vec<String> {
        let hosts = &self.elsewhere.hosts;
        let host = hosts.get(number % hosts.len().max(1));
        let host = host.map(String::as_str).unwrap_or_default();
        let own = self.elsewhere.command.iter();
        let own = own.map(|word| word.replace("{host}", host));
        own.chain(self.worker.iter().cloned()).collect()
    }

    fn patience(&self) -> Duration {
        self.silence
    }

    fn silence(&self) -> Option<Duration> {
        Some(self.silence)
    }

    fn retries(&self) -> usize {
        self.retries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_take_turns() {
        let words =
            |words: &[&str]| -> Vec<String> { words.iter().map(|word| word.to_string()).collect() };
        let commands = Commands {
            elsewhere: Elsewhere {
                command: words(&["ssh", "me@{host}"]),
                hosts: words(&["one", "two"]),
            },
            worker: words(&["burnlab", "worker"]),
            log: PathBuf::new(),
            silence: Duration::ZERO,
            retries: 0,
        };
        assert_eq!(commands.command(0), ["ssh", "me@one", "burnlab", "worker"]);
        assert_eq!(commands.command(3), ["ssh", "me@two", "burnlab", "worker"]);
    }
}
