//! The articles' page from the command line: which experiments a row names, what is trained, what is told.

use std::fs;
use std::process::Stdio;

use crate::lab::{Ended, Lab, wait_until};

/// A full size of three runs, with a claim that fails for a known reason.
const FULL: &str = r#"
title  = "random images"
source = "An Article; in some words"

[data]
dataset = { fake = { shape = [1, 4, 4], classes = 2, train = 20, test = 10 } }

[model.classifier]
layers = ["flatten", { dense = { units = "classes" } }]

[train]
epochs = 2
seeds  = [0, 1, 2]

[[expect]]
claim    = "it learns by heart"
variant  = "default"
at_least = 1.0
why      = "no share is larger than 1"
"#;

const QUICK: &str = r#"
title   = "quick: random images"
extends = "a1-a2-random.toml"

[train]
seeds = [0]

[[expect]]
claim    = "it answers"
variant  = "default"
article  = 0.5
at_least = 0.0
"#;

/// Of one size.
const SURVEY: &str = r#"
title   = "another article"
source  = "Another"
extends = "a1-a2-random-quick.toml"
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    let folder = lab.path().join("experiments/articles");
    fs::create_dir_all(&folder).unwrap();
    lab.file("experiments/articles/a1-a2-random.toml", FULL);
    lab.file("experiments/articles/a1-a2-random-quick.toml", QUICK);
    lab.file("experiments/articles/b1-survey.toml", SURVEY);
    lab
}

fn reproduce(lab: &Lab, more: &[&str]) -> Ended {
    let mut command = lab.command(&[&["reproduce"], more].concat());
    let command = command.current_dir(lab.path()).env("BURNLAB_DEVICE", "cpu");
    command.output().expect("burnlab starts").into()
}

fn page(lab: &Lab) -> String {
    fs::read_to_string(lab.path().join("results/reproduction.md")).unwrap()
}

/// Row, size and verdict of every claim of the page.
fn told(page: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_string()).collect()
    };
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(cells)
        .filter(|cells| !["row", "---"].contains(&cells[0].as_str()))
        .map(|cells| format!("{} {} {} {}", cells[0], cells[1], cells[6], cells[8]))
        .collect()
}

#[test]
fn the_quick_size_is_trained_unless_the_full_one_is_asked_for() {
    let lab = lab();
    let ended = reproduce(&lab, &[]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("2 of 2 claims hold"), "{}", ended.out);
    let quick = ["A1-A2 quick 1 holds", "B1 - 1 holds"];
    assert_eq!(told(&page(&lab)), quick);
    assert!(page(&lab).contains("\n## An Article\n"), "{}", page(&lab));
    let ended = reproduce(&lab, &["--full", "--quiet"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (5, "2 of 3 claims hold\n")
    );
    let failed = "A1-A2 full 3 DOES NOT HOLD: no share is larger than 1";
    assert_eq!(told(&page(&lab)), [failed, quick[0], quick[1]]);
}

#[test]
fn what_was_trained_before_is_kept() {
    let lab = lab();
    reproduce(&lab, &["--quiet"]);
    let row = lab
        .run_folder("articles/b1-survey", "default")
        .join("run.json");
    let before = fs::metadata(&row).unwrap().modified().unwrap();
    assert_eq!(reproduce(&lab, &["--quiet"]).code, 0);
    assert_eq!(fs::metadata(&row).unwrap().modified().unwrap(), before);
}

#[test]
fn a_row_alone_leaves_the_page_of_all_as_it_is() {
    let lab = lab();
    let ended = reproduce(&lab, &["B1", "--quiet"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "1 of 1 claim hold\n"));
    assert!(!lab.path().join("results/reproduction.md").exists());
    assert!(!lab.results("articles/a1-a2-random-quick").exists());
}

#[test]
fn without_training_the_page_says_what_is_missing() {
    let lab = lab();
    let ended = reproduce(&lab, &["--no-train", "--quiet"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (5, "0 of 2 claims hold, 2 not measured\n")
    );
    let missing = "- NOT MEASURED: 1 of 1 runs of `default` unfinished";
    let expected = ["A1-A2 quick", "B1 -"].map(|row| format!("{row} {missing}"));
    assert_eq!(told(&page(&lab)), expected);
    // What trains is named for nothing.
    let ended = reproduce(&lab, &["--no-train", "--device", "cpu"]);
    assert_eq!(ended.code, 2);
    let message = "error: the argument '--no-train' cannot be used with '--device'\n";
    assert!(ended.err.starts_with(message), "{}", ended.err);
}

#[test]
fn every_row_of_the_five_articles_is_there() {
    let lab = Lab::new();
    let ended = lab.burnlab(&["reproduce", "f1"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        "error: no article has a row `f1`\n  hint: known rows: a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, \
         b1, c1, c2, d1, d2, e1, e2; a letter alone is a whole article\n"
    );
}

#[test]
fn where_there_are_no_articles_it_says_so() {
    let lab = Lab::new();
    let ended = reproduce(&lab, &[]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        "error: there are no experiments of articles here\n  experiments/articles\n  \
         hint: go to the folder that holds `experiments/`\n"
    );
}

#[test]
fn workers_are_started_as_the_folder_above_the_articles_says() {
    let lab = lab();
    lab.file(
        "burnlab.toml",
        "[launch.far]\ncommand = ['env']\nworkers = 1\n",
    );
    let ended = reproduce(&lab, &["B1", "--launch", "far"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("\n0 workers ready, 1 queued\n"),
        "{}",
        ended.err
    );
    let ended = reproduce(&lab, &["B1", "--launch", "near"]);
    assert_eq!(
        (ended.code, ended.err.lines().next()),
        (2, Some("error: there is no `[launch.near]`"))
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_needs_runs_that_were_stopped_is_left_alone() {
    let lab = Lab::new();
    fs::create_dir_all(lab.path().join("experiments/articles")).unwrap();
    // Longer than any test takes.
    let long = FULL.split("[[expect]]").next().unwrap();
    let long = long.replace("epochs = 2", "epochs = 1_000_000");
    lab.file("experiments/long.toml", &long);
    let start = "[start]\nrun = { experiment = 'long', variant = 'default', seed = 0 }\n";
    lab.file(
        "experiments/articles/a1-a2-next.toml",
        &format!("{FULL}\n{start}"),
    );
    let mut command = lab.command(&["reproduce", "--full", "--quiet"]);
    let command = command.current_dir(lab.path()).env("BURNLAB_DEVICE", "cpu");
    let mut supervisor = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it trains", || {
        supervisor.try_wait().unwrap().is_some() || lab.results("long").join("runs").is_dir()
    });
    crate::interruption::signal("-INT", supervisor.id());
    assert_eq!(supervisor.wait().unwrap().code(), Some(130));
    assert!(!lab.results("articles/a1-a2-next").exists());
}
