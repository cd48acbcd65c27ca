//! Workers as processes: this program again, with pipes to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::launcher::{Launcher, Report, Worker};
use super::machine::{killed_for_memory, program};
use super::protocol::{Assignment, LOCK, Request, SUPERVISOR};
use crate::error::{Error, Kind, Problem, Result, io_reason};

/// Starts worker processes.
pub struct Processes {
    /// A file that each of them locks, together with the others, for as long as it lives.
    pub lock: PathBuf,
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
        let said_before = log.metadata().map_or(0, |log| log.len());
        let mut command = Command::new(program().map_err(refused)?);
        command
            .args(["worker", "--device", &self.device])
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .env(SUPERVISOR, std::process::id().to_string())
            // A step frees what the next one takes: the system need not clear it anew each time.
            .env("MIMALLOC_PURGE_DELAY", "10000")
            .env(LOCK, &self.lock)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Out of the terminal's reach: Ctrl-C is the supervisor's to handle.
            command.process_group(0).arg0("burnlab");
        }
        let killed_before = killed_for_memory();
        let mut child = command.spawn().map_err(refused)?;
        let output = child.stdout.take().expect("its output is piped");
        let process = Process {
            stdin: child.stdin.take(),
            child,
            killed_before,
            log: self.log.clone(),
            said_before,
        };
        let reports = reports.clone();
        // Without the thread the process is closed, and ends.
        std::thread::Builder::new()
            .spawn(move || pass_on(output, number, &reports))
            .map_err(refused)?;
        Ok(Box::new(process))
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
    /// Processes that the system had killed for lack of memory when it started.
    killed_before: Option<u64>,
    log: PathBuf,
    /// Bytes that the log held then.
    said_before: u64,
}

impl Process {
    fn ask(&mut self, request: &Request) {
        let mut line = serde_json::to_string(request).expect("a request is plain values");
        line.push('\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin
                .write_all(line.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }
}

impl Worker for Process {
    fn assign(&mut self, assignment: &Assignment) {
        self.ask(&Request::Train(Box::new(assignment.clone())));
    }

    fn use_threads(&mut self, number: usize) {
        self.ask(&Request::UseThreads(number));
    }

    fn close(&mut self) {
        self.stdin = None;
    }

    fn wait(&mut self) -> String {
        self.stdin = None;
        match self.child.wait() {
            Err(error) => format!("its process was lost: {}", io_reason(&error)),
            Ok(status) => self.how_it_ended(status),
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
    }
}

impl Process {
    #[cfg(unix)]
    fn how_it_ended(&self, status: ExitStatus) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (status.signal(), status.code()) {
            (Some(libc::SIGKILL), _) => how_killed(self.killed_before, killed_for_memory()),
            (Some(signal), _) => {
                let reason = match (signal, self.refused_memory()) {
                    (libc::SIGABRT, Some(line)) => Some(line),
                    _ => meaning(signal).map(String::from),
                };
                let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
                format!("its process was ended by signal {signal}{reason}")
            }
            (None, code) => format!(
                "its process ended early with code {}; `workers.log` holds its last words",
                code.unwrap_or(-1)
            ),
        }
    }

    #[cfg(not(unix))]
    fn how_it_ended(&self, status: ExitStatus) -> String {
        format!("its process ended early: {status}")
    }

    /// What a program says when it gets no memory, as it stands in the log since this process was started.
    #[cfg(unix)]
    fn refused_memory(&self) -> Option<String> {
        let mut log = File::open(&self.log).ok()?;
        log.seek(SeekFrom::Start(self.said_before)).ok()?;
        let lines = BufReader::new(log).lines().map_while(std::io::Result::ok);
        lines
            .filter(|line| line.starts_with("memory allocation of "))
            .last()
    }
}

/// How a process was killed, by the numbers of those that the system had killed for lack of memory.
#[cfg(unix)]
fn how_killed(before: Option<u64>, after: Option<u64>) -> String {
    match before.zip(after) {
        None => "its process was killed (signal 9); the system does so when memory runs out",
        Some((before, after)) if after > before => {
            "its process was killed by the system: memory ran out (signal 9)"
        }
        Some(_) => "its process was killed from outside (signal 9)",
    }
    .to_string()
}

/// What a signal that ends a process means.
#[cfg(unix)]
fn meaning(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "its terminal was closed",
        libc::SIGINT | libc::SIGTERM => "it was asked to end from outside",
        libc::SIGILL => "the processor lacks an instruction",
        libc::SIGABRT => "the program broke off; `workers.log` holds its last words",
        libc::SIGBUS => "memory of a file or device is gone, as when a disk is full",
        libc::SIGSEGV => "it used memory that is not its own, a fault of the program or a driver",
        libc::SIGXCPU => "the limit of processor time was reached (`ulimit -t`)",
        libc::SIGXFSZ => "a file would outgrow the limit of file sizes (`ulimit -f`)",
        libc::SIGSYS => "a sandbox forbids what it asked of the system",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A process that a shell's command ends, as a worker would be.
    fn ended_by(command: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("workers.log");
        std::fs::write(&log, "memory allocation of 1 bytes failed\n").unwrap();
        let said_before = std::fs::metadata(&log).unwrap().len();
        let stderr = File::options().append(true).open(&log).unwrap();
        let mut shell = Command::new("sh");
        let mut child = shell.args(["-c", command]).stderr(stderr).spawn().unwrap();
        let mut process = Process {
            stdin: child.stdin.take(),
            child,
            killed_before: None,
            log,
            said_before,
        };
        process.wait()
    }

    #[test]
    fn signals_are_distinguished_by_what_they_mean() {
        assert_eq!(
            ended_by("kill -9 $$"),
            "its process was killed (signal 9); the system does so when memory runs out"
        );
        assert_eq!(
            ended_by("kill -ABRT $$"),
            "its process was ended by signal 6: the program broke off; `workers.log` holds its last words"
        );
        assert_eq!(
            ended_by("echo 'memory allocation of 99 bytes failed' >&2; kill -ABRT $$"),
            "its process was ended by signal 6: memory allocation of 99 bytes failed"
        );
        assert_eq!(
            ended_by("kill -XFSZ $$"),
            "its process was ended by signal 25: a file would outgrow the limit of file sizes (`ulimit -f`)"
        );
        assert_eq!(
            ended_by("kill -USR1 $$"),
            "its process was ended by signal 10"
        );
        assert_eq!(
            ended_by("exit 3"),
            "its process ended early with code 3; `workers.log` holds its last words"
        );
    }

    #[test]
    fn the_kernels_counter_tells_who_killed_a_process() {
        assert_eq!(
            how_killed(Some(2), Some(3)),
            "its process was killed by the system: memory ran out (signal 9)"
        );
        assert_eq!(
            how_killed(Some(2), Some(2)),
            "its process was killed from outside (signal 9)"
        );
        let unknown = "its process was killed (signal 9); the system does so when memory runs out";
        assert_eq!(how_killed(None, Some(2)), unknown);
    }
}
