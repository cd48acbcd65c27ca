//! Killed workers, killed supervisors, Ctrl-C: nothing is lost but the epoch at hand. Linux tells what is alive.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::lab::{Lab, Table, as_from_a_terminal, wait_until};

/// Long enough to be interrupted, short enough to be waited for.
const LONGER: &str = r#"
title = "a longer experiment"

[data]
dataset    = "mnist"
train      = 400
validation = 200

[model.classifier]
layers = [
  { conv2d = { filters = 8, kernel = 3, activation = "relu" } },
  "batch_normalization",
  { max_pool2d = { size = 2 } },
  "flatten",
  { dropout = { rate = 0.3 } },
  { dense = { units = "classes" } },
]

[train]
epochs     = 16
batch_size = 50
seeds      = [0, 1]

[augment]
random = [{ rotate = { degrees = [-10, 10] } }]
"#;

/// Sends a signal to a process, unless it is gone by now.
pub fn signal(name: &str, process: u32) {
    let mut kill = Command::new("kill");
    kill.args([name, &process.to_string()])
        .stderr(Stdio::null());
    kill.status().expect("kill is there");
}

/// The processes that a process started.
pub fn children(process: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{process}/task/{process}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn is_alive(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// The experiment with this number of epochs, and how to interrupt it.
struct Scene {
    lab: Lab,
    epochs: usize,
}

impl Scene {
    fn new(epochs: usize) -> Self {
        let scene = Scene {
            lab: Lab::new(),
            epochs,
        };
        scene.write("[0, 1]");
        scene
    }

    /// Writes the file with these seeds.
    fn write(&self, seeds: &str) {
        let epochs = format!("epochs     = {}", self.epochs);
        let text = LONGER
            .replace("epochs     = 16", &epochs)
            .replace("[0, 1]", seeds);
        self.lab.file("longer.toml", &text);
    }

    fn arguments(&self) -> [String; 2] {
        let file = self.lab.path().join("longer.toml");
        ["run".to_string(), file.display().to_string()]
    }

    /// Starts it with so many workers and waits until each of these seeds has two epochs behind it.
    fn start(&self, jobs: &str, seeds: &[u64]) -> Child {
        let [run, file] = self.arguments();
        let supervisor = self.lab.start(&[&run, &file, "--jobs", jobs]);
        wait_until("two epochs are done", || {
            seeds.iter().all(|&seed| self.done(seed) >= 2)
        });
        supervisor
    }

    /// What workers hold for as long as they live, held as by one that outlives its supervisor.
    fn held(&self) -> fs::File {
        let lock = self.lab.results("longer").join(".workers.lock");
        let lock = fs::File::open(lock).unwrap();
        lock.lock_shared().unwrap();
        lock
    }

    /// Epochs that the run with this seed has behind it.
    fn done(&self, seed: u64) -> usize {
        let start = format!("default-seed-{seed}-");
        let runs = fs::read_dir(self.lab.results("longer").join("runs"));
        let mut folders = runs.into_iter().flatten().filter_map(Result::ok);
        let folder = folders.find(|entry| entry.file_name().to_string_lossy().starts_with(&start));
        let table =
            folder.and_then(|entry| fs::read_to_string(entry.path().join("epochs.csv")).ok());
        table.map_or(0, |text| text.lines().count().saturating_sub(1))
    }

    /// Whether none of these runs was done before it was interrupted.
    fn was_in_time(&self, seeds: &[u64]) -> bool {
        seeds.iter().all(|&seed| self.done(seed) < self.epochs)
    }

    /// Runs what is left; what was printed.
    fn finish(&self) -> String {
        let [run, file] = self.arguments();
        let ended = self.lab.burnlab(&[&run, &file]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.err
    }

    fn tables(&self) -> [Table; 2] {
        ["summary.csv", "epochs.csv"].map(|name| self.lab.table("longer", name))
    }
}

/// Interrupts an experiment and finishes it; gives `None` if a run was done before it was interrupted.
type Interruption = fn(&Scene) -> Option<()>;

/// After an interruption the tables must be those of an experiment that nothing interrupted. One that came
/// too late says nothing: it is tried again with more epochs, so that no machine is too fast.
fn ends_the_same(interruption: Interruption) {
    for epochs in [16, 128, 1024] {
        let scene = Scene::new(epochs);
        if interruption(&scene).is_some() {
            assert_eq!(scene.tables(), undisturbed(epochs));
            return;
        }
    }
    panic!("every interruption came too late");
}

/// The tables of an experiment that nothing interrupted.
fn undisturbed(epochs: usize) -> [Table; 2] {
    static SHORT: LazyLock<[Table; 2]> = LazyLock::new(|| run_undisturbed(16));
    match epochs {
        16 => SHORT.clone(),
        more => run_undisturbed(more),
    }
}

fn run_undisturbed(epochs: usize) -> [Table; 2] {
    let scene = Scene::new(epochs);
    scene.finish();
    let tables = scene.tables();
    assert_eq!(tables[0].column("status"), ["done", "done"]);
    tables
}

#[test]
fn a_killed_worker_costs_its_run_and_the_next_call_resumes_it() {
    ends_the_same(|scene| {
        let mut supervisor = scene.start("1", &[0]);
        // There is none if all runs are done already.
        for worker in children(supervisor.id()) {
            signal("-9", worker);
        }
        let code = supervisor.wait().unwrap().code();
        let [summary, _] = scene.tables();
        let statuses = summary.column("status");
        if statuses[0] == "done" {
            return None;
        }
        assert_eq!(statuses, ["failed", "done"], "the other run goes on");
        assert_eq!(code, Some(4));
        // Whether the system tells who killed it depends on the system.
        let reason = summary.column("reason")[0];
        assert!(reason.starts_with("its process was killed"), "{reason}");
        let output = scene.finish();
        let opening = "1 run to train (1 of them resumed), 1 done before";
        assert!(output.contains(opening), "{output}");
        assert!(
            output.contains("resumed   default, seed 0 after epoch"),
            "{output}"
        );
        Some(())
    });
}

#[test]
fn workers_end_with_their_supervisor_and_the_next_call_goes_on() {
    ends_the_same(|scene| kills_supervisor(scene, false));
}

/// What is trained at once and then measured for many minutes.
const MEASURED: &str = r#"
[data]
dataset = { fake = { shape = [1, 14, 14], classes = 2, train = 2, test = 40000 } }

[model.classifier]
layers = [
  { conv2d = { filters = 256, kernel = 9, activation = "relu" } },
  { conv2d = { filters = 256, kernel = 9, activation = "relu" } },
  "flatten",
  { dense = { units = "classes" } },
]

[train]
epochs     = 1
batch_size = 2
"#;

#[test]
fn a_worker_that_measures_ends_soon_after_its_supervisor_and_the_run_can_be_resumed() {
    let lab = Lab::new();
    let file = lab.file("measured.toml", MEASURED);
    let file = file.to_str().unwrap();
    let mut supervisor = lab.start(&["run", file]);
    let trained = || {
        let runs = fs::read_dir(lab.results("measured").join("runs"));
        let mut folders = runs.into_iter().flatten().filter_map(Result::ok);
        folders.any(|folder| folder.path().join("epochs.csv").exists())
    };
    wait_until("the only epoch is done", trained);
    let workers = children(supervisor.id());
    assert_eq!(workers.len(), 1);
    signal("-9", supervisor.id());
    supervisor.wait().unwrap();
    let start = Instant::now();
    while is_alive(workers[0]) {
        // Five seconds are promised; this is for machines that are busy with other things.
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it still measures"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let plan = lab.burnlab(&["run", file, "--dry-run"]);
    assert!(plan.out.contains("to resume after epoch 1"), "{}", plan.out);
}

#[test]
fn a_run_waits_until_workers_of_a_killed_supervisor_write_no_more() {
    ends_the_same(|scene| {
        let mut supervisor = scene.start("1", &[0]);
        let worker = scene.held();
        signal("-9", supervisor.id());
        supervisor.wait().unwrap();
        let said = scene.lab.path().join("said");
        let [run, file] = scene.arguments();
        let mut command = scene.lab.command(&[&run, &file]);
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&said).unwrap());
        let mut next = command.spawn().unwrap();
        let waiting = "waiting for the workers of a burnlab that was killed\n";
        wait_until("it says that it waits", || {
            fs::read_to_string(&said).unwrap() == waiting
        });
        std::thread::sleep(Duration::from_millis(500));
        assert!(children(next.id()).is_empty() && next.try_wait().unwrap().is_none());

        drop(worker);
        assert_eq!(next.wait().unwrap().code(), Some(0));
        let said = fs::read_to_string(&said).unwrap();
        let goes_on = said.strip_prefix(waiting);
        assert!(
            goes_on.is_some_and(|rest| rest.contains("to train")),
            "{said}"
        );
        Some(())
    });
}

#[test]
fn ctrl_c_ends_the_wait_for_workers_of_a_killed_supervisor() {
    let scene = Scene::new(1_000_000);
    let mut supervisor = scene.start("1", &[0]);
    let _worker = scene.held();
    signal("-9", supervisor.id());
    supervisor.wait().unwrap();
    let [run, file] = scene.arguments();
    let mut next = scene.lab.command(&[&run, &file]);
    let mut next = next
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(next.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.starts_with("waiting for the workers"), "{said}");
    signal("-INT", next.id());
    assert_eq!(next.wait().unwrap().code(), Some(130));
}

#[test]
fn a_hang_up_that_is_ignored_stays_ignored() {
    let scene = Scene::new(16);
    let [run, file] = scene.arguments();
    let own = scene.lab.command(&[&run, &file, "--jobs", "2"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP INT; exec \"$0\" \"$@\""]);
    nohup.arg(own.get_program()).args(own.get_args());
    nohup.current_dir(env!("CARGO_MANIFEST_DIR"));
    nohup.envs(
        own.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    nohup.stdout(Stdio::null()).stderr(Stdio::null());
    let mut supervisor = nohup.spawn().unwrap();
    wait_until("an epoch is done", || scene.done(0) >= 1);
    for process in [vec![supervisor.id()], children(supervisor.id())].concat() {
        signal("-HUP", process);
        signal("-INT", process);
    }
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
    assert_eq!(scene.tables(), undisturbed(16));
}

#[test]
fn a_hang_up_that_is_not_ignored_stops_as_ctrl_c_does() {
    // Longer than any test takes.
    let scene = Scene::new(1_000_000);
    let mut supervisor = scene.start("1", &[0]);
    signal("-HUP", supervisor.id());
    assert_eq!(supervisor.wait().unwrap().code(), Some(130));
}

#[test]
fn a_program_that_was_deleted_while_it_runs_still_starts_workers() {
    let scene = Scene::new(1_000);
    let program = scene.lab.path().join("burnlab");
    fs::copy(env!("CARGO_BIN_EXE_burnlab"), &program).unwrap();
    let [run, file] = scene.arguments();
    let own = scene.lab.command(&[&run, &file, "--jobs", "1"]);
    let mut copy = Command::new(&program);
    copy.args(own.get_args())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    copy.envs(
        own.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    copy.stdout(Stdio::null()).stderr(Stdio::null());
    as_from_a_terminal(&mut copy);
    let mut supervisor = copy.spawn().unwrap();
    wait_until("an epoch is done", || scene.done(0) >= 1);
    fs::remove_file(&program).unwrap();
    for worker in children(supervisor.id()) {
        signal("-9", worker);
    }
    wait_until("the next run has an epoch behind it", || {
        scene.done(1) >= 1 || supervisor.try_wait().unwrap().is_some()
    });
    assert!(scene.done(1) >= 1, "no other worker was started");
    signal("-INT", supervisor.id());
    supervisor.wait().unwrap();
}

#[test]
fn supervisor_and_workers_killed_at_once_lose_the_epoch_at_hand_alone() {
    ends_the_same(|scene| kills_supervisor(scene, true));
}

/// Kills the supervisor of two runs, and its workers too if they are not left to end by themselves.
fn kills_supervisor(scene: &Scene, and_workers: bool) -> Option<()> {
    let mut supervisor = scene.start("2", &[0, 1]);
    let workers = children(supervisor.id());
    signal("-9", supervisor.id());
    if and_workers {
        workers.iter().for_each(|&worker| signal("-9", worker));
    }
    supervisor.wait().unwrap();
    wait_until("the workers ended", || {
        !workers.iter().any(|&worker| is_alive(worker))
    });
    scene.was_in_time(&[0, 1]).then_some(())?;
    let output = scene.finish();
    assert!(
        output.contains("2 runs to train (2 of them resumed)"),
        "{output}"
    );
    Some(())
}

#[test]
fn another_seed_beside_it_changes_nothing_for_a_run_that_was_interrupted() {
    ends_the_same(|scene| {
        scene.write("[0]");
        let mut supervisor = scene.start("1", &[0]);
        signal("-INT", supervisor.id());
        let code = supervisor.wait().unwrap().code();
        scene.was_in_time(&[0]).then_some(())?;
        assert_eq!(code, Some(130));
        scene.write("[0, 1]");
        // An earlier day.
        let provenance = scene
            .lab
            .run_folder("longer", "default-seed-0")
            .join("provenance.json");
        let kept = fs::read_to_string(&provenance).unwrap();
        let (before, start) = kept.split_once("\"start\": \"").unwrap();
        let (_, after) = start.split_once('"').unwrap();
        let long_ago = "\"start\": \"2026-01-01T00:00:00Z\"";
        fs::write(&provenance, format!("{before}{long_ago}{after}")).unwrap();
        let output = scene.finish();
        assert!(output.contains("resumed   default, seed 0"), "{output}");
        let kept = fs::read_to_string(&provenance).unwrap();
        assert!(kept.contains(long_ago), "{kept}");
        let log = fs::read_to_string(scene.lab.results("longer").join("workers.log")).unwrap();
        assert!(!log.contains("starting over"), "{log}");
        Some(())
    });
}

#[test]
fn a_run_whose_checkpoint_is_damaged_starts_over() {
    ends_the_same(|scene| {
        let mut supervisor = scene.start("2", &[0]);
        signal("-INT", supervisor.id());
        let code = supervisor.wait().unwrap().code();
        scene.was_in_time(&[0]).then_some(())?;
        assert_eq!(code, Some(130));
        let folder = scene.lab.run_folder("longer", "default-seed-0");
        let checkpoint = folder.join("checkpoint.bin");
        let bytes = fs::read(&checkpoint).unwrap();
        fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
        scene.finish();
        let log = fs::read_to_string(scene.lab.results("longer").join("workers.log")).unwrap();
        assert!(
            log.contains("starting over: the checkpoint is damaged"),
            "{log}"
        );
        Some(())
    });
}

#[test]
fn two_supervisors_do_not_share_a_folder() {
    // Longer than any test takes.
    let scene = Scene::new(1_000_000);
    let mut first = scene.start("1", &[0]);
    let [run, file] = scene.arguments();
    let second = scene.lab.burnlab(&[&run, &file]);
    assert_eq!(second.code, 2);
    assert!(
        second
            .err
            .starts_with("error: another burnlab is running this experiment\n"),
        "{}",
        second.err
    );
    signal("-INT", first.id());
    assert_eq!(first.wait().unwrap().code(), Some(130));
}
