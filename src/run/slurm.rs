//! Workers as jobs of a Slurm cluster, one each: `srun` waits in the queue, starts the worker and carries its pipes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::launcher::{Launcher, Report, Worker};
use super::process::{At, command_of, start};
use crate::config::{Launch, Slurm, SlurmOption};
use crate::error::{Error, Place, Problem, Result, io_reason};

/// Starts workers by `srun`.
pub struct SlurmJobs<'a> {
    /// Where its options stand.
    pub launch: &'a Launch,
    /// Its options.
    pub slurm: &'a Slurm,
    /// What the jobs are called.
    pub job_name: String,
    /// What is started there.
    pub worker: Vec<String>,
    /// Takes what they say on standard error.
    pub log: PathBuf,
    /// What those wait for that are queued.
    pub queue: Queue,
}

/// How often Slurm is asked what jobs wait for.
const ASK: Duration = Duration::from_secs(5);

/// What jobs wait for. Slurm is asked beside everything else: its answer may take its time.
#[derive(Debug, Default)]
pub struct Queue {
    asked: Option<Instant>,
    answer: Arc<Mutex<Option<String>>>,
}

impl Queue {
    /// Slurm's last answer for jobs of a name; asks again now and then.
    fn reason(&mut self, job_name: &str) -> Option<String> {
        if self.asked.is_none_or(|asked| asked.elapsed() > ASK) {
            self.asked = Some(Instant::now());
            let answer = Arc::clone(&self.answer);
            let mut squeue = Command::new("squeue");
            squeue.args(["--me", "--noheader", "--states=PENDING", "--format=%r"]);
            squeue.arg(format!("--name={job_name}"));
            std::thread::spawn(move || {
                let said = squeue.stdin(Stdio::null()).output();
                let said = said.map(|said| said.stdout).unwrap_or_default();
                let said = String::from_utf8_lossy(&said);
                // The first job has it from Slurm; those behind it may say no more than that it is before them.
                let reason = said.lines().map(str::trim).find(|word| *word != "None");
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = reason.map(String::from);
            });
        }
        let answer = self.answer.lock();
        answer.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The keys of `[launch.NAME]` that `srun` calls otherwise.
const NAMES: [(&str, &str); 1] = [("memory", "mem")];

impl<'a> SlurmJobs<'a> {
    /// With nothing to start: what its options are.
    fn of(launch: &'a Launch, slurm: &'a Slurm) -> Self {
        SlurmJobs {
            launch,
            slurm,
            job_name: String::new(),
            worker: Vec::new(),
            log: PathBuf::new(),
            queue: Queue::default(),
        }
    }

    /// The key of the table that Slurm's words are about, if one can be told.
    fn key_of(&self, words: &str) -> Option<&str> {
        let words = words.to_lowercase();
        let options = self.slurm.options.iter().map(|(key, _)| key.as_str());
        let mut keys = options.chain(["cpus", "gpus"]);
        keys.find(|key| {
            let calls = [*key, srun_name(key)];
            let by_name = calls
                .iter()
                .any(|name| words.contains(name) || words.contains(&name.replace('-', " ")));
            by_name || (*key == "constraint" && words.contains("feature"))
        })
    }

    fn at(&self, problem: Problem, key: Option<&str>) -> Error {
        Error::usage(match self.launch.place(key) {
            Some(place) => problem.at(place),
            None => problem.at(Place::Setting(format!("--launch {}", self.launch.name))),
        })
    }
}

fn as_word((key, value): &SlurmOption) -> String {
    let name = srun_name(key);
    match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    }
}

fn srun_name(key: &str) -> &str {
    let known = NAMES.iter().find(|(own, _)| *own == key);
    known.map_or(key, |(_, srun)| srun)
}

impl Launcher for SlurmJobs<'_> {
    fn launch(
        &mut self,
        number: usize,
        _seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        let mut command = command_of(&self.command(number));
        leave_job(&mut command);
        end_with_supervisor(&mut command);
        start(command, At::Elsewhere(cancel), number, &self.log, reports)
    }

    fn command(&self, _: usize) -> Vec<String> {
        let mut words: Vec<String> = ["srun", "--nodes=1", "--ntasks=1"].map(String::from).into();
        words.push(format!("--cpus-per-task={}", self.slurm.cpus));
        if self.slurm.gpus > 0 {
            words.push(format!("--gpus={}", self.slurm.gpus));
        }
        words.push(format!("--job-name={}", self.job_name));
        words.extend(self.slurm.options.iter().map(as_word));
        // Each line of the worker's at once, and nothing of Slurm's among its errors but errors.
        words.extend(["--unbuffered", "--quiet"].map(String::from));
        if !self.slurm.setup.is_empty() {
            let setup = self.slurm.setup.join("\n");
            // A shell that knows the functions of `module`.
            words.extend(["bash", "-c"].map(String::from));
            words.push(format!("set -e\n{setup}\nexec \"$0\" \"$@\""));
        }
        words.extend(self.worker.iter().cloned());
        words
    }

    fn check(&self) -> Result<()> {
        let mut command = Command::new("srun");
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.status() {
            Ok(_) => Ok(()),
            Err(_) => {
                let problem = Problem::new("`srun` is not here: workers are Slurm's to start");
                let place = Place::Setting(format!("--launch {}", self.launch.name));
                let hint = "run on a machine of the cluster, or without `--launch`";
                Err(Error::usage(problem.at(place).hint(hint)))
            }
        }
    }

    fn patience(&self) -> Duration {
        self.launch.patience
    }

    fn silence(&self) -> Option<Duration> {
        Some(self.launch.patience)
    }

    fn queued_for(&mut self) -> Option<String> {
        self.queue.reason(&self.job_name)
    }

    fn retries(&self) -> usize {
        self.launch.retries
    }

    fn refusal(&self, ended: &str, words: &[String]) -> Error {
        let of_srun = |line: &'_ String| {
            let line = line.strip_prefix("srun: ")?;
            // Of what was started, its own words say more.
            let is_of_task = line.contains(": task ");
            (!is_of_task).then(|| line.trim_start_matches("error: ").to_string())
        };
        match words.iter().find_map(of_srun) {
            Some(line) => {
                let key = self.key_of(&line);
                self.at(Problem::new(format!("Slurm starts no worker: {line}")), key)
            }
            None => {
                let mut own = words.iter().filter(|line| !line.starts_with("srun: "));
                let said = own.clone().find_map(|line| line.split_once("error: "));
                let said = said
                    .map(|(_, line)| line)
                    .or(own.next_back().map(String::as_str));
                let said = said.unwrap_or(ended);
                let message = format!("a worker ended before it was ready: {said}");
                let key = said.contains("execve").then_some("program");
                self.at(Problem::new(message), key)
            }
        }
    }
}

/// Lets a job that still waits in the queue go when the supervisor is killed; one that runs ends by itself.
#[cfg(target_os = "linux")]
fn end_with_supervisor(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let ask = || {
        // SAFETY: the call is allowed between fork and exec, and only notes a signal.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_supervisor(_: &mut Command) {}

/// Inside of a job what it starts would share what it has: workers are jobs of their own.
fn leave_job(command: &mut Command) {
    if std::env::var_os("SLURM_JOB_ID").is_none() {
        return;
    }
    let of_job = |name: &str| name.starts_with("SLURM_") && name != "SLURM_CONF";
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_job) {
            command.env_remove(name);
        }
    }
}

/// The options of workers that are those of a supervisor's job, too.
const SHARED: [&str; 3] = ["partition", "account", "qos"];

/// Submits a command as a small job of its own, whose output is added to a file; its number.
///
/// # Errors
/// Slurm refuses.
pub fn submit(
    launch: &Launch,
    slurm: &Slurm,
    experiment: &str,
    words: &[String],
    output: &Path,
) -> Result<String> {
    let own = &slurm.supervisor;
    let shared = slurm.options.iter().filter(|(key, _)| {
        SHARED.contains(&key.as_str()) && !own.iter().any(|(other, _)| other == key)
    });
    let script = shlex::try_join(words.iter().map(String::as_str));
    let script = script.map_err(|_| Error::bug("a word of the command holds a zero byte"))?;
    let mut command = Command::new("sbatch");
    command
        .args(["--parsable", "--nodes=1", "--ntasks=1", "--requeue"])
        .arg(format!("--job-name=burnlab:{experiment}:supervisor"))
        .arg(format!("--output={}", output.display()))
        .arg("--open-mode=append")
        .args(shared.chain(own).map(as_word))
        // In the shell's place, so that what Slurm sends reaches it.
        .arg(format!("--wrap=exec {script}"));
    leave_job(&mut command);
    let refused = |reason: String| {
        let message = format!("Slurm does not take the supervisor: {reason}");
        let jobs = SlurmJobs::of(launch, slurm);
        let key = jobs.key_of(&reason).filter(|key| SHARED.contains(key));
        jobs.at(Problem::new(message), Some(key.unwrap_or("supervisor")))
    };
    let said = command.stdin(Stdio::null()).output();
    let said =
        said.map_err(|error| refused(format!("cannot start `sbatch`: {}", io_reason(&error))))?;
    let number = String::from_utf8_lossy(&said.stdout);
    // With a cluster's name after it, where there are several.
    let number = number.trim().split(';').next().unwrap_or_default();
    if said.status.success() && !number.is_empty() {
        return Ok(number.to_string());
    }
    let errors = String::from_utf8_lossy(&said.stderr);
    let line = errors
        .lines()
        .map(|line| line.trim_start_matches("sbatch: error: "))
        .next_back();
    Err(refused(line.unwrap_or("it does not say why").to_string()))
}

/// Whether Slurm still has a job in its queue, or does not answer.
pub fn is_in_queue(job: &str) -> bool {
    let mut squeue = Command::new("squeue");
    squeue.args(["--noheader", "--format=%T", "--jobs", job]);
    match squeue.stdin(Stdio::null()).output() {
        Ok(said) if said.status.success() => !said.stdout.trim_ascii().is_empty(),
        Ok(said) => !String::from_utf8_lossy(&said.stderr).contains("Invalid job id"),
        Err(_) => true,
    }
}

/// Ends a job, whatever becomes of the `srun` that started it.
pub fn cancel(job: &str) {
    let mut scancel = Command::new("scancel");
    scancel.args(["--quiet", job]);
    let silent = scancel
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Ok(mut child) = silent.spawn() {
        // A controller that does not answer is not waited for.
        std::thread::spawn(move || child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{How, Overrides};

    fn launch(text: &str) -> Launch {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("burnlab.toml"), text).unwrap();
        let file = folder.path().join("x.toml");
        Launch::read(&file, "slurm", &Overrides::default()).unwrap()
    }

    fn jobs(launch: &Launch) -> SlurmJobs<'_> {
        let How::Slurm(slurm) = &launch.how else {
            panic!("{launch:?}");
        };
        SlurmJobs {
            launch,
            slurm,
            job_name: "burnlab:x".to_string(),
            worker: ["burnlab", "worker"].map(String::from).into(),
            log: PathBuf::new(),
            queue: Queue::default(),
        }
    }

    #[test]
    fn the_command_has_every_option() {
        let text = "[launch.slurm]\npartition = 'short'\nmemory = '2G'\nexclusive = true\ngpus = 1\ncpus = 4\n";
        let expected = "srun --nodes=1 --ntasks=1 --cpus-per-task=4 --gpus=1 --job-name=burnlab:x --exclusive \
            --mem=2G --partition=short --unbuffered --quiet burnlab worker";
        assert_eq!(jobs(&launch(text)).command(0).join(" "), expected);

        let text = "[launch.slurm]\nsetup = ['module load cuda', 'cd /x']\n";
        let launch = launch(text);
        let words = jobs(&launch).command(0);
        let script = "set -e\nmodule load cuda\ncd /x\nexec \"$0\" \"$@\"";
        assert_eq!(words[7..], ["bash", "-c", script, "burnlab", "worker"]);
    }

    #[test]
    fn what_slurm_refuses_is_told_in_its_words_beside_the_line() {
        let launch = launch("[launch.slurm]\npartition = 'nowhere'\nconstraint = 'fast'\n");
        let refused = |words: &[&str]| -> String {
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            let error = jobs(&launch)
                .refusal("its worker ended with code 1", &words)
                .to_string();
            let lines = error.lines().enumerate();
            let place = |line: &str| line.rsplit('/').next().unwrap_or_default().to_string();
            let lines = lines.map(|(number, line)| match number {
                1 => place(line),
                _ => line.trim().to_string(),
            });
            lines.collect::<Vec<String>>().join("|")
        };
        assert_eq!(
            refused(&["srun: error: invalid partition specified: nowhere"]),
            "error: Slurm starts no worker: invalid partition specified: nowhere|\
             burnlab.toml:2:13 launch.slurm.partition|2 | partition = 'nowhere'||             ^^^^^^^^^"
        );
        assert_eq!(
            refused(&["srun: error: Unable to allocate resources: Invalid feature specification"]),
            "error: Slurm starts no worker: Unable to allocate resources: Invalid feature specification|\
             burnlab.toml:3:14 launch.slurm.constraint|3 | constraint = 'fast'||              ^^^^^^"
        );
        assert_eq!(
            refused(&[
                "slurmstepd: error: execve(): /x/burnlab: No such file or directory",
                "srun: error: n1: task 0: Exited with exit code 2"
            ]),
            "error: a worker ended before it was ready: execve(): /x/burnlab: No such file or directory|\
             burnlab.toml:1:1 launch.slurm.program|1 | [launch.slurm]|| ^^^^^^^^^^^^^^"
        );
        assert_eq!(
            refused(&["error: this build has no `cuda`", "  hint: build it so"]),
            "error: a worker ended before it was ready: this build has no `cuda`|\
             burnlab.toml:1:1 launch.slurm|1 | [launch.slurm]|| ^^^^^^^^^^^^^^"
        );
    }
}
