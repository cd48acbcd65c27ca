//! Workers as processes: this program again, with pipes to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::launcher::{Launcher, Report, Worker};
use super::protocol::Assignment;
use crate::error::{Error, Kind, Problem, Result, io_reason};

/// Starts worker processes.
pub struct Processes {
    /// Takes what they say on standard error.
    pub log: PathBuf,
    /// As `--device` names it.
    pub device: String,
    /// For each of them.
    pub threads: usize,
}

impl Launcher for Processes {
    fn launch(
        &mut self,
        number: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|error| Error::io(Kind::Data, "open the workers' log", &self.log, &error))?;
        let refused = |error| {
            let reason = io_reason(&error);
            Error::run(Problem::new(format!("cannot start a worker: {reason}")))
        };
        let mut command = Command::new(std::env::current_exe().map_err(refused)?);
        command
            .args(["worker", "--device", &self.device])
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        // Out of the terminal's reach: Ctrl-C is the supervisor's to handle.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(refused)?;
        let output = child.stdout.take().expect("its output is piped");
        let reports = reports.clone();
        std::thread::spawn(move || pass_on(output, number, &reports));
        Ok(Box::new(Process {
            stdin: child.stdin.take(),
            child,
        }))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// Reports what a process says until its output ends.
fn pass_on(output: ChildStdout, number: usize, reports: &Sender<(usize, Report)>) {
    let lines = BufReader::new(output).lines();
    for line in lines.map_while(std::io::Result::ok) {
        // Anything else on its output is not for us.
        if let Ok(message) = serde_json::from_str(&line)
            && reports.send((number, Report::Message(message))).is_err()
        {
            return;
        }
    }
    let _ = reports.send((number, Report::Gone));
}

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Worker for Process {
    fn assign(&mut self, assignment: &Assignment) {
        let mut line = serde_json::to_string(assignment).expect("an assignment is plain values");
        line.push('\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin
                .write_all(line.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }

    fn close(&mut self) {
        self.stdin = None;
    }

    fn wait(&mut self) -> String {
        self.stdin = None;
        match self.child.wait() {
            Err(error) => format!("its process was lost: {}", io_reason(&error)),
            Ok(status) => how_it_ended(status),
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
    }
}

#[cfg(unix)]
fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(9), _) => {
            "its process was killed (signal 9); the system does so when memory runs out".to_string()
        }
        (Some(signal), _) => format!("its process was ended by signal {signal}"),
        (None, code) => format!(
            "its process ended early with code {}; `workers.log` holds its last words",
            code.unwrap_or(-1)
        ),
    }
}

#[cfg(not(unix))]
fn how_it_ended(status: ExitStatus) -> String {
    format!("its process ended early: {status}")
}
