//! Workers that a command starts elsewhere: here it starts them on this machine, where they can be killed.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::interruption::{children, signal};
use crate::lab::{Lab, Table, wait_until};

/// Enough epochs to be interrupted in, and few enough to be waited for.
const GRID: &str = r#"
title = "a grid elsewhere"

[data]
dataset    = { fake = { shape = [1, 12, 12], classes = 4, train = 300, test = 100 } }
validation = 60

[model.classifier]
layers = [
  { conv2d = { filters = 8, kernel = 3, activation = "relu" } },
  "batch_normalization",
  "flatten",
  { dropout = { rate = 0.3 } },
  { dense = { units = "classes" } },
]

[train]
epochs     = 40
batch_size = 20
seeds      = [0, 1, 2]

[grid]
"train.batch_size" = [10, 20, 40]
"#;

/// A lab with an experiment, and a launcher `far` that has these keys besides.
fn lab(text: &str, keys: &str) -> Lab {
    let lab = Lab::new();
    lab.file("grid.toml", text);
    let launch = "[launch.far]\ncommand = ['env']\nworkers = 4\npatience = 3\n";
    let others = match keys.contains("command") {
        true => launch.replace("command = ['env']\n", ""),
        false => launch.to_string(),
    };
    lab.file("burnlab.toml", &format!("{others}{keys}\n"));
    lab
}

fn arguments(lab: &Lab) -> [String; 4] {
    let file = lab.path().join("grid.toml").display().to_string();
    ["run", &file, "--launch", "far"].map(String::from)
}

fn tables(lab: &Lab) -> [Table; 2] {
    ["summary.csv", "epochs.csv"].map(|name| lab.table("grid", name))
}

/// The tables of the experiment on this machine, where nothing disturbs it.
fn undisturbed(text: &str) -> [Table; 2] {
    let here = lab(text, "");
    let file = here.path().join("grid.toml").display().to_string();
    let ended = here.burnlab(&["run", &file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    tables(&here)
}

/// What is said of the processes that held each run: their numbers, and the epochs that they found.
fn leases(lab: &Lab) -> Vec<Vec<(u64, u64)>> {
    let runs = fs::read_dir(lab.results("grid").join("runs")).unwrap();
    let log = |path: &Path| -> Vec<(u64, u64)> {
        let text = fs::read_to_string(path.join("leases.json")).unwrap();
        let holders: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let number = |holder: &serde_json::Value, key: &str| holder[key].as_u64().unwrap();
        let pair = |holder| (number(holder, "number"), number(holder, "epochs"));
        holders.iter().map(pair).collect()
    };
    runs.map(|run| log(&run.unwrap().path())).collect()
}

fn is_sorted_without_twins(numbers: &[(u64, u64)]) -> bool {
    let grow = |pair: &[(u64, u64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
    numbers.windows(2).all(grow)
}

#[test]
fn a_grid_elsewhere_whose_workers_die_at_random_ends_with_the_table_of_this_machine() {
    let lab = lab(GRID, "retries = 100");
    let words = arguments(&lab);
    let mut supervisor = lab.start(&words.each_ref().map(String::as_str));
    let mut deaths = 0;
    let mut random: u64 = 7;
    while supervisor.try_wait().unwrap().is_none() {
        let workers = children(supervisor.id());
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        // Not forever: on a busy machine workers would hardly begin.
        if !workers.is_empty() && deaths < 25 {
            let name = ["-9", "-9", "-TERM", "-STOP"][(random >> 40) as usize % 4];
            signal(name, workers[(random >> 33) as usize % workers.len()]);
            deaths += 1;
        }
        // Long enough for the only one that is left to be ready now and then.
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
    assert_eq!(tables(&lab), undisturbed(GRID));
    let leases = leases(&lab);
    assert_eq!(leases.len(), 9);
    assert!(
        leases.iter().all(|of_run| is_sorted_without_twins(of_run)),
        "{leases:?}"
    );
    assert!(
        leases.iter().any(|of_run| of_run.len() > 1),
        "nothing was taken over"
    );
}

#[test]
fn a_worker_that_was_believed_lost_writes_nothing_when_it_wakes_up() {
    let text = GRID
        .replace("[10, 20, 40]", "[10]")
        .replace("[0, 1, 2]", "[0]");
    let text = text.replace("epochs     = 40", "epochs     = 400");
    let lab = lab(&text, "");
    let words = arguments(&lab);
    let said = lab.path().join("said");
    let mut command = lab.command(&words.each_ref().map(String::as_str));
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said).unwrap());
    let mut supervisor = command.spawn().unwrap();
    let folder = || lab.run_folder("grid", "batch_size=10-seed-0");
    let runs = lab.results("grid").join("runs");
    wait_until("the run is begun", || {
        runs.is_dir()
            && fs::read_dir(&runs).unwrap().next().is_some()
            && folder().join("epochs.json").exists()
    });
    let sleeper = children(supervisor.id())[0];
    signal("-STOP", sleeper);
    wait_until("another worker has the run", || {
        let log = fs::read_to_string(folder().join("leases.json")).unwrap_or_default();
        log.matches("\"number\"").count() >= 3
    });
    signal("-CONT", sleeper);
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
    let said = fs::read_to_string(&said).unwrap();
    assert!(
        said.contains("(1 of 3): nothing was heard of its worker on `"),
        "{said}"
    );
    assert_eq!(tables(&lab), undisturbed(&text));
}

#[test]
fn workers_end_with_a_supervisor_that_was_killed_and_the_next_call_goes_on_at_once() {
    let lab = lab(GRID, "");
    let words = arguments(&lab);
    let words = words.each_ref().map(String::as_str);
    let mut supervisor = lab.start(&words);
    wait_until("there are workers", || children(supervisor.id()).len() == 4);
    std::thread::sleep(Duration::from_secs(2));
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let ended = lab.burnlab(&words);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(tables(&lab), undisturbed(GRID));
}

/// The error that a launcher with these keys ends with, the lab's own folder left out.
fn refused(keys: &str) -> (i32, String) {
    let lab = lab(GRID, keys);
    let words = arguments(&lab);
    let ended = lab.burnlab(&words.each_ref().map(String::as_str));
    let error = ended
        .err
        .split_once("error: ")
        .map(|(_, error)| error.trim_end());
    let own = format!("{}/", lab.path().display());
    (ended.code, error.unwrap_or(&ended.err).replace(&own, ""))
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let (code, error) = refused("program = '/nowhere/burnlab'");
    let expected = "a worker ended before it was ready: its worker ended with code 127: \
        env: '/nowhere/burnlab': No such file or directory";
    assert_eq!((code, plain_quotes(&error).as_str()), (4, expected));
}

/// `env` writes quotes as its language has them.
fn plain_quotes(text: &str) -> String {
    text.replace(['\u{2018}', '\u{2019}'], "'")
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let (code, error) = refused("command = ['no-such-command']");
    assert_eq!(
        (code, error.as_str()),
        (
            4,
            "cannot start a worker by `no-such-command`: no such file or directory"
        )
    );
}

#[test]
fn a_worker_that_is_another_program_is_refused() {
    let other = Lab::new();
    let program = other.path().join("burnlab");
    fs::copy(env!("CARGO_BIN_EXE_burnlab"), &program).unwrap();
    let mut file = fs::File::options().append(true).open(&program).unwrap();
    std::io::Write::write_all(&mut file, b"x").unwrap();
    drop(file);
    let (code, error) = refused(&format!("program = '{}'", program.display()));
    assert_eq!(code, 2);
    let start = "the worker on `";
    let hint = "hint: the same program must be there: `program` in `[launch]` names it";
    assert!(error.starts_with(start) && error.ends_with(hint), "{error}");
    assert!(
        error.contains("` is burnlab 0.1.0 (") && error.contains("), and this is 0.1.0 ("),
        "{error}"
    );
}

#[test]
fn a_results_folder_that_workers_do_not_see_is_named() {
    let (code, error) = refused("command = ['sh', '-c', 'sed -u s/holder/other/ | \"$0\" \"$@\"']");
    assert_eq!(code, 3);
    let rest = error
        .strip_prefix("the worker on `")
        .and_then(|error| error.split_once('`'));
    let expected = " does not see the results folder\n  results/grid\n  \
        hint: write into a folder that all machines share with `--results DIR`";
    assert_eq!(rest.map(|(_, rest)| rest), Some(expected), "{error}");
}

#[test]
fn the_command_is_shown_before_it_is_run() {
    let lab = lab(
        GRID,
        "hosts = ['one', 'two']\ncommand = ['ssh', '-o', 'BatchMode=yes', 'me and {host}']",
    );
    let words = arguments(&lab);
    let [run, file, option, name] = words.each_ref().map(String::as_str);
    let shown = lab.burnlab(&[
        run,
        file,
        option,
        name,
        "--dry-run",
        "--set",
        "launch.far.program=/far/burnlab",
    ]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    let expected =
        "a worker: ssh -o BatchMode=yes 'me and one' /far/burnlab worker --remote --device auto\n";
    assert!(shown.out.ends_with(expected), "{}", shown.out);
}
