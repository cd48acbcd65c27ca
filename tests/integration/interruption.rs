//! Killed workers, killed supervisors, Ctrl-C: nothing is lost but the epoch at hand.

use std::fs;
use std::process::Command;

use crate::lab::{Lab, wait_until};

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

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.expect("kill is there").success());
}

/// The processes that a process started.
fn children(process: u32) -> Vec<u32> {
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

impl Lab {
    /// Epochs that the first run with this start has behind it.
    fn epochs(&self, start: &str) -> usize {
        let runs = self.results("longer").join("runs");
        let Ok(entries) = fs::read_dir(runs) else {
            return 0;
        };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
            .filter_map(|entry| fs::read_to_string(entry.path().join("epochs.csv")).ok())
            .map(|text| text.lines().count().saturating_sub(1))
            .next()
            .unwrap_or(0)
    }
}

/// The tables of an experiment that nothing interrupted.
fn undisturbed() -> (String, String) {
    let lab = Lab::new();
    let file = lab.file("longer.toml", LONGER);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    (
        lab.table("longer", "summary.csv"),
        lab.table("longer", "epochs.csv"),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_killed_the_tables_end_up_the_same() {
    let expected = undisturbed();

    // A worker is killed: its run fails, the other goes on, and the next call resumes it.
    let lab = Lab::new();
    let file = lab.file("longer.toml", LONGER);
    let file = file.to_str().unwrap();
    let mut supervisor = lab.start(&["run", file, "--jobs", "1"]);
    wait_until("two epochs are done", || lab.epochs("default-seed-0") >= 2);
    signal("-9", children(supervisor.id())[0]);
    let status = supervisor.wait().unwrap();
    assert_eq!(status.code(), Some(4));
    let summary = lab.table("longer", "summary.csv");
    assert!(
        summary.contains("failed") && summary.contains("was killed (signal 9)"),
        "{summary}"
    );
    assert!(
        summary.contains(",1,done,"),
        "the other run goes on: {summary}"
    );
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended
            .err
            .contains("1 run to train (1 of them resumed), 1 done before"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains("resumed   default, seed 0 after epoch"),
        "{}",
        ended.err
    );
    assert_eq!(
        (
            lab.table("longer", "summary.csv"),
            lab.table("longer", "epochs.csv")
        ),
        expected
    );

    // Another seed beside it changes nothing for a run that was interrupted.
    let lab = Lab::new();
    let file = lab.file("longer.toml", &LONGER.replace("[0, 1]", "[0]"));
    let file = file.to_str().unwrap();
    let mut supervisor = lab.start(&["run", file]);
    wait_until("two epochs are done", || lab.epochs("default-seed-0") >= 2);
    signal("-INT", supervisor.id());
    assert_eq!(supervisor.wait().unwrap().code(), Some(130));
    lab.file("longer.toml", LONGER);
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.err.contains("resumed   default, seed 0"),
        "{}",
        ended.err
    );
    let log = fs::read_to_string(lab.results("longer").join("workers.log")).unwrap();
    assert!(!log.contains("starting over"), "{log}");
    assert_eq!(lab.table("longer", "summary.csv"), expected.0);

    // The supervisor is killed: its workers end by themselves, and the next call goes on.
    let lab = Lab::new();
    let file = lab.file("longer.toml", LONGER);
    let file = file.to_str().unwrap();
    let mut supervisor = lab.start(&["run", file, "--jobs", "2"]);
    wait_until("two epochs are done", || {
        lab.epochs("default-seed-0") >= 2 && lab.epochs("default-seed-1") >= 2
    });
    let workers = children(supervisor.id());
    signal("-9", supervisor.id());
    supervisor.wait().unwrap();
    wait_until("the workers ended", || {
        !workers.iter().any(|&worker| is_alive(worker))
    });
    assert!(
        lab.epochs("default-seed-0") < 16,
        "it was killed in the middle"
    );
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.err.contains("2 runs to train (2 of them resumed)"),
        "{}",
        ended.err
    );
    assert_eq!(
        (
            lab.table("longer", "summary.csv"),
            lab.table("longer", "epochs.csv")
        ),
        expected
    );

    // Ctrl-C, and a checkpoint that is damaged afterwards: that run starts over.
    let lab = Lab::new();
    let file = lab.file("longer.toml", LONGER);
    let file = file.to_str().unwrap();
    let mut supervisor = lab.start(&["run", file, "--jobs", "2"]);
    wait_until("two epochs are done", || lab.epochs("default-seed-0") >= 2);
    signal("-INT", supervisor.id());
    assert_eq!(supervisor.wait().unwrap().code(), Some(130));
    let checkpoint = lab
        .run_folder("longer", "default-seed-0")
        .join("checkpoint.bin");
    let bytes = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &bytes[..bytes.len() / 2]).unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        (
            lab.table("longer", "summary.csv"),
            lab.table("longer", "epochs.csv")
        ),
        expected
    );
}

#[test]
fn two_supervisors_do_not_share_a_folder() {
    let lab = Lab::new();
    let file = lab.file("longer.toml", LONGER);
    let file = file.to_str().unwrap();
    let mut first = lab.start(&["run", file]);
    wait_until("the first has begun", || {
        lab.results("longer").join("summary.csv").is_file()
    });
    let second = lab.burnlab(&["run", file]);
    assert_eq!(second.code, 2);
    assert!(
        second
            .err
            .starts_with("error: another burnlab is running this experiment\n"),
        "{}",
        second.err
    );
    signal("-INT", first.id());
    first.wait().unwrap();
}
