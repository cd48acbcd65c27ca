//! A worker as a process with pipes to it: this program again, or a command that starts it elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::launcher::{Report, Worker};
use super::protocol::{Assignment, Begin, Hello, Request};
use crate::error::{Error, Kind, Problem, Result, io_reason};
use crate::system_memory::killed_processes;

/// How long a command that is to end may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last words of a command that ended may be on their way: what it left behind may hold its standard error.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Lines of standard error that are kept of a worker on another machine.
const WORDS: usize = 20;

/// Ends what the cluster runs of a job, by its number.
pub(super) type EndJob = fn(&str);

/// Where a process's worker is.
pub(super) enum At {
    /// On this machine: the process is the worker.
    Here,
    /// On another: the process reaches it. What it runs in can be ended by this.
    Elsewhere(EndJob),
}

/// A command of its words, of which there is at least the program's.
pub(super) fn command_of(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// Starts a process that reports under this number.
///
/// # Errors
/// The system refuses.
pub(super) fn start(
    mut command: Command,
    at: At,
    number: usize,
    log_path: &Path,
    reports: &Sender<(usize, Report)>,
) -> Result<Box<dyn Worker>> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(log_path)
        .map_err(|error| Error::io(Kind::Data, "open the workers' log", log_path, &error))?;
    let program = command.get_program().to_string_lossy().into_owned();
    let refused = |error: std::io::Error| {
        let reason = io_reason(&error);
        Error::run(Problem::new(format!(
            "cannot start a worker by `{program}`: {reason}"
        )))
    };
    let said_before = log.metadata().map_or(0, |log| log.len());
    let killed_before = killed_processes();
    command
        // A step frees what the next one takes: the system need not clear it anew each time.
        .env("MIMALLOC_PURGE_DELAY", "10000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    match at {
        At::Here => command.stderr(log.try_clone().map_err(refused)?),
        At::Elsewhere(_) => command.stderr(Stdio::piped()),
    };
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Out of the terminal's reach: Ctrl-C is the supervisor's to handle.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(refused)?;
    let output = child.stdout.take().expect("its output is piped");
    let errors = child.stderr.take();
    let words = Arc::new(Mutex::new(Vec::new()));
    let (speaks, silent) = channel();
    let process = Process {
        stdin: child.stdin.take(),
        child,
        killed_before,
        log: log_path.to_path_buf(),
        said_before,
        elsewhere: match at {
            At::Here => None,
            At::Elsewhere(end_job) => Some(Elsewhere {
                end_job,
                hello: None,
                words: Arc::clone(&words),
                silent,
            }),
        },
    };
    let reports = reports.clone();
    let other = log.try_clone().map_err(refused)?;
    // Without the thread the process is closed, and ends.
    std::thread::Builder::new()
        .spawn(move || pass_on(output, number, &reports, other))
        .map_err(refused)?;
    if let Some(errors) = errors {
        std::thread::Builder::new()
            .spawn(move || {
                keep(errors, log, &words);
                drop(speaks);
            })
            .map_err(refused)?;
    }
    Ok(Box::new(process))
}

/// The lines of what is read, until it ends. What is no UTF-8 in them is replaced: a host greets in any encoding.
fn lines(from: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(from).split(b'\n');
    lines.map_while(std::io::Result::ok).map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        String::from_utf8_lossy(line).into_owned()
    })
}

/// Reports what a process says until its output ends. What is no message, such as a host's greeting, goes into the log.
fn pass_on(output: ChildStdout, number: usize, reports: &Sender<(usize, Report)>, mut log: File) {
    for line in lines(output) {
        match serde_json::from_str(&line) {
            Ok(message) => {
                if reports.send((number, Report::Message(message))).is_err() {
                    return;
                }
            }
            Err(_) => {
                let _ = writeln!(log, "{line}");
            }
        }
    }
    let _ = reports.send((number, Report::Gone));
}

/// Copies what is said on standard error into the log, and keeps the last of it.
fn keep(errors: ChildStderr, mut log: File, words: &Mutex<Vec<String>>) {
    for line in lines(errors) {
        let _ = writeln!(log, "{line}");
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == WORDS {
            words.remove(0);
        }
        words.push(line);
    }
}

/// What is known of a worker on another machine.
struct Elsewhere {
    end_job: EndJob,
    hello: Option<Hello>,
    words: Arc<Mutex<Vec<String>>>,
    /// Disconnected once all words are kept.
    silent: Receiver<()>,
}

struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Processes that the system had killed for lack of memory when it started.
    killed_before: Option<u64>,
    log: PathBuf,
    /// Bytes that the log held then.
    said_before: u64,
    /// Unless the process is the worker.
    elsewhere: Option<Elsewhere>,
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

    fn begin(&mut self, begin: &Begin) {
        self.ask(&Request::Begin(Box::new(begin.clone())));
    }

    fn process(&self) -> Option<u32> {
        self.elsewhere.is_none().then(|| self.child.id())
    }

    fn is_ready(&mut self, hello: &Hello) {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.hello = Some(hello.clone());
        }
    }

    fn beat(&mut self) {
        self.ask(&Request::Beat);
    }

    fn words(&self) -> Vec<String> {
        let words = self.elsewhere.as_ref().map(|elsewhere| &elsewhere.words);
        words.map_or(Vec::new(), |words| {
            words.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    fn use_threads(&mut self, number: usize) {
        self.ask(&Request::UseThreads(number));
    }

    fn close(&mut self) {
        self.stdin = None;
    }

    fn wait(&mut self) -> String {
        self.stdin = None;
        let ended = match &self.elsewhere {
            None => self.child.wait(),
            Some(_) => self.wait_or_kill(),
        };
        match (ended, &self.elsewhere) {
            (Err(error), _) => format!("its process was lost: {}", io_reason(&error)),
            (Ok(status), None) => self.how_it_ended(status),
            (Ok(status), Some(elsewhere)) => {
                let _ = elsewhere.silent.recv_timeout(LAST_WORDS);
                how_it_ended_elsewhere(status, elsewhere.hello.as_ref(), self.words().last())
            }
        }
    }

    fn kill(&mut self) {
        if self.elsewhere.is_none() {
            let _ = self.child.kill();
            return;
        }
        self.end_job();
        // What reaches the worker takes it along if it is asked, and leaves it behind if it is killed.
        #[cfg(unix)]
        // SAFETY: the process was not waited for, so that its number is still its own.
        unsafe {
            libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM);
        }
        #[cfg(not(unix))]
        let _ = self.child.kill();
    }
}

/// How a command ended that reached a worker, with the last words that came from there.
fn how_it_ended_elsewhere(
    status: ExitStatus,
    hello: Option<&Hello>,
    last: Option<&String>,
) -> String {
    let place = hello.map_or("its worker".to_string(), |hello| match &hello.job {
        Some(job) => format!("its worker on `{}` (job {job})", hello.host),
        None => format!("its worker on `{}`", hello.host),
    });
    let how = match status.code() {
        Some(code) => format!("ended with code {code}"),
        None => "was killed".to_string(),
    };
    let words = last.map(|words| format!(": {words}")).unwrap_or_default();
    format!("{place} {how}{words}")
}

impl Process {
    /// Ends the job that the worker runs in, if it is known.
    fn end_job(&self) {
        let elsewhere = self.elsewhere.as_ref();
        let known = elsewhere.and_then(|one| Some((one.end_job, one.hello.as_ref()?)));
        if let Some((end_job, Hello { job: Some(job), .. })) = known {
            end_job(job);
        }
    }

    /// Waits for a command that is to end, for a while.
    fn wait_or_kill(&mut self) -> std::io::Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.end_job();
        let _ = self.child.kill();
        self.child.wait()
    }

    #[cfg(unix)]
    fn how_it_ended(&self, status: ExitStatus) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (status.signal(), status.code()) {
            (Some(libc::SIGKILL), _) => how_killed(self.killed_before, killed_processes()),
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
        lines(log)
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
            elsewhere: None,
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
    fn the_last_words_of_a_command_are_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "(sleep 0.3; echo too late? >&2) & exit 7"]);
        let (reports, _kept) = channel();
        let log = folder.path().join("workers.log");
        let mut worker = start(shell, At::Elsewhere(|_| {}), 0, &log, &reports).unwrap();
        assert_eq!(worker.wait(), "its worker ended with code 7: too late?");
    }

    #[test]
    fn a_greeting_in_another_encoding_is_passed_over_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        let script = r"printf 'caf\351\n'; printf 'na\357ve\r\n' >&2; echo later >&2; exit 7";
        shell.args(["-c", script]);
        let (reports, received) = channel();
        let log = folder.path().join("workers.log");
        let mut worker = start(shell, At::Elsewhere(|_| {}), 0, &log, &reports).unwrap();
        assert_eq!(worker.wait(), "its worker ended with code 7: later");
        assert!(matches!(received.recv().unwrap(), (0, Report::Gone)));
        let log = std::fs::read_to_string(log).unwrap();
        let mut lines: Vec<&str> = log.lines().collect();
        // Two streams, one log.
        lines.sort();
        assert_eq!(lines, ["caf\u{fffd}", "later", "na\u{fffd}ve"]);
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
