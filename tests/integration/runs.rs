//! Runs, tables and verdicts.

use std::fs;
use std::path::Path;

use crate::lab::{Ended, Lab, SMALL, Table};

#[test]
fn the_same_file_gives_the_same_tables_twice_and_for_any_number_of_workers() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let mut tables = Vec::new();
    for jobs in ["1", "2", "1"] {
        let ended = lab.burnlab(&["run", file, "--jobs", jobs, "--fresh"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        tables.push((
            lab.table("small", "summary.csv"),
            lab.table("small", "epochs.csv"),
        ));
    }
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
    let summary = &tables[0].0;
    assert_eq!(summary.column("status"), ["done"; 4]);
    assert_eq!(tables[0].1.rows.len(), 4 * 3);
}

#[test]
fn finished_runs_are_not_trained_again_and_changed_ones_are() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let first = lab.burnlab(&["run", file]);
    assert!(
        first.err.contains("small: 4 runs to train; "),
        "{}",
        first.err
    );
    let again = lab.burnlab(&["run", file]);
    assert_eq!(again.code, 0);
    assert!(
        again.err.contains("small: 0 runs to train, 4 done before"),
        "{}",
        again.err
    );
    assert_eq!(again.out, first.out.replace("\r", ""));

    let changed = SMALL.replace("degrees = 10", "degrees = 5");
    lab.file("small.toml", &changed);
    let third = lab.burnlab(&["run", file]);
    assert!(
        third.err.contains("small: 2 runs to train, 2 done before"),
        "{}",
        third.err
    );
    let fresh = lab.burnlab(&["run", file, "--fresh", "--only", "plain"]);
    assert!(
        fresh.err.contains("small: 2 runs to train; "),
        "{}",
        fresh.err
    );
}

#[test]
fn what_was_not_asked_for_does_not_fail_a_command() {
    let lab = Lab::new();
    let claim = "[[expect]]\nclaim = 'all are right'\nvariant = 'turned'\nat_least = 1.0\n";
    let file = lab.file("small.toml", &format!("{SMALL}{claim}"));
    let only = |variant: &str| {
        let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--only", variant]);
        let note = "note: not judged, for runs that were not asked for: `all are right`\n";
        let is_noted = ended.err.contains(note);
        (ended.code, ended.out.contains("all are right"), is_noted)
    };
    assert_eq!(only("plain"), (0, false, true));
    assert_eq!(only("turned"), (5, true, false));
    assert_eq!(only("plain"), (0, false, true));
    // The tables are those of the whole experiment.
    let table = fs::read_to_string(lab.results("small").join("table.md")).unwrap();
    assert!(
        table.contains("all are right") && table.contains("turned"),
        "{table}"
    );
}

#[test]
fn variants_and_points_are_chosen_by_patterns() {
    let lab = Lab::new();
    let variants = "\n[variants.wide]\n[variants.wider]\ntrain.epochs = 2\n[variants.narrow]\n";
    let file = lab.file(
        "small.toml",
        &format!("{SMALL}{variants}[grid]\n\"train.batch_size\" = [50, 100]\n"),
    );
    let file = file.to_str().unwrap();
    let chosen = |pattern: &str| {
        let ended = lab.burnlab(&["run", file, "--dry-run", "--only", pattern]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let rows = ended.out.lines().filter(|row| row.contains("to train"));
        let labels = rows.filter_map(|row| row.split_whitespace().next());
        let mut labels: Vec<&str> = labels.collect();
        labels.dedup();
        labels.join(" ")
    };
    assert_eq!(
        chosen("wide*"),
        "wide,batch_size=50 wide,batch_size=100 wider,batch_size=50 wider,batch_size=100"
    );
    assert_eq!(chosen("wide"), "wide,batch_size=50 wide,batch_size=100");
    assert_eq!(chosen("wide?,batch_size=100"), "wider,batch_size=100");
    assert!(chosen("*,batch_size=100").ends_with("narrow,batch_size=100"));
    let ended = lab.burnlab(&["run", file, "--dry-run", "--only", "x*"]);
    let message = format!("error: `{file}` has no variant `x*`\n  hint: known here: ");
    assert_eq!(ended.code, 2);
    assert!(ended.err.starts_with(&message), "{}", ended.err);
}

#[test]
fn a_run_leaves_everything_that_tells_what_it_was() {
    let lab = Lab::new();
    let file = lab.file(
        "small.toml",
        &SMALL.replace("train   = 200", "train = 200\nvalidation = 500"),
    );
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--only", "plain"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let run = lab.run_folder("small", "plain-seed-0");
    for name in [
        "config.toml",
        "epochs.csv",
        "confusion.csv",
        "weights.safetensors",
        "best.safetensors",
        "provenance.json",
        "run.json",
    ] {
        assert!(run.join(name).is_file(), "{name} is missing");
    }
    assert!(
        !run.join("checkpoint.bin").exists(),
        "a finished run needs no checkpoint"
    );

    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    let provenance: serde_json::Value = serde_json::from_str(&read("provenance.json")).unwrap();
    assert_eq!(provenance["burn"], "0.21.0");
    assert_eq!(provenance["device"], "cpu");
    assert_eq!(provenance["dataset"].as_array().unwrap().len(), 4);
    assert!(provenance["end"].as_str() >= provenance["start"].as_str());

    let confusion = Table::read(&read("confusion.csv"));
    let count = |row: &[String], class: usize| row[class + 1].parse::<usize>().unwrap();
    let rows = confusion.rows.iter();
    let answers: usize = rows
        .map(|row| (0..10).map(|class| count(row, class)).sum::<usize>())
        .sum();
    assert_eq!(answers, 10_000, "every test image is answered once");

    let summary = lab.table("small", "summary.csv");
    let value = |column: &str| -> f64 { summary.column(column)[0].parse().unwrap() };
    let rows = confusion.rows.iter().enumerate();
    let right: usize = rows.map(|(class, row)| count(row, class)).sum();
    assert!((value("test_accuracy") - right as f64 / 10_000.0).abs() < 1e-9);
    assert_eq!(value("parameters"), (784 * 16 + 16 + 16 * 10 + 10) as f64);
    assert!(value("validation_loss") > 0.0 && value("best_test_accuracy") > 0.2);

    // What it was trained with can be trained again.
    let again = lab.file("again.toml", &read("config.toml"));
    let again = lab.burnlab(&["run", again.to_str().unwrap()]);
    assert_eq!(again.code, 0, "{}", again.err);
}

#[test]
fn a_run_that_diverges_says_when_and_sinks_no_other() {
    let lab = Lab::new();
    let text = SMALL.replace(
        "[variants.turned.augment]",
        "[variants.wild.train.optimizer.sgd]\nlearning_rate = 1e30\n\n[variants.turned.augment]",
    ) + "\n[[expect]]\nclaim = 'the wild one learns'\nvariant = 'wild'\nat_least = 0.0\n";
    let file = lab.file("small.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(
        ended
            .err
            .contains("wild, seed 0 diverged: the training loss became"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("in epoch 1"), "{}", ended.err);
    assert!(
        ended
            .out
            .contains("NOT MEASURED: 2 of 2 runs of `wild` diverged"),
        "{}",
        ended.out
    );
    let summary = lab.table("small", "summary.csv");
    assert_eq!(summary.count("status", "done"), 4);
    assert_eq!(summary.count("status", "diverged"), 2);
}

#[test]
fn a_claim_that_does_not_hold_sets_the_exit_code() {
    let lab = Lab::new();
    let claim = |least: &str| {
        format!("{SMALL}\n[[expect]]\nclaim = 'it reads'\nvariant = 'plain'\nat_least = {least}\n")
    };
    let file = lab.file("small.toml", &claim("0.999"));
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 5);
    assert!(
        ended.out.contains("DOES NOT HOLD") && ended.out.contains("0 of 1 claims hold"),
        "{}",
        ended.out
    );
    lab.file("small.toml", &claim("0.2"));
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(ended.out.contains("1 of 1 claims hold"), "{}", ended.out);
    let table = fs::read_to_string(lab.results("small").join("table.md")).unwrap();
    assert!(
        table.contains("| it reads | plain | test_accuracy | at least 0.2 |"),
        "{table}"
    );
}

#[test]
fn a_grid_sweeps_its_keys_and_skips_what_it_says() {
    let lab = Lab::new();
    let text = format!(
        "{SMALL}\n[grid]\n'train.batch_size' = [50, 100]\n'train.epochs' = [1, 2]\n\
         skip = [{{ variant = 'turned', 'train.epochs' = 2 }}]\n"
    );
    let file = lab.file("small.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let summary = lab.table("small", "summary.csv");
    let header = [
        "variant",
        "seed",
        "train.batch_size",
        "train.epochs",
        "status",
    ];
    assert_eq!(summary.header[..5], header);
    assert_eq!(summary.rows.len(), (4 + 2) * 2);
    assert_eq!(summary.count("variant", "plain,batch_size=50,epochs=2"), 2);
    assert_eq!(summary.count("variant", "turned,batch_size=50,epochs=2"), 0);
    assert_eq!(summary.column("status"), ["done"; 12]);
}

#[test]
fn the_first_failure_stops_everything_if_asked_to() {
    let lab = Lab::new();
    let text = SMALL.replace(
        "[variants.plain]",
        "[variants.a_wild.train.optimizer.sgd]\nlearning_rate = 1e30\n\n[variants.plain]",
    );
    let file = lab.file("small.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--fail-fast", "--jobs", "1"]);
    assert_eq!(ended.code, 4);
    let summary = lab.table("small", "summary.csv");
    assert_eq!(summary.count("status", "diverged"), 1);
    assert_eq!(summary.count("status", "unfinished"), 5);
}

#[test]
fn results_that_cannot_be_written_are_reported_before_training() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let blocked = lab.file("blocked", "a file, not a folder");
    let ended = lab.burnlab(&[
        "run",
        file.to_str().unwrap(),
        "--results",
        blocked.to_str().unwrap(),
    ]);
    assert_eq!(ended.code, 3);
    assert!(
        ended
            .err
            .starts_with("error: cannot make the results folder: "),
        "{}",
        ended.err
    );
}

#[test]
fn files_of_one_name_do_not_share_their_results() {
    let lab = Lab::new();
    for folder in ["a", "b"] {
        fs::create_dir(lab.path().join(folder)).unwrap();
    }
    let one = lab.file("a/small.toml", SMALL);
    let other = lab.file("b/small.toml", SMALL);
    let run = |file: &std::path::Path| {
        let file = file.to_str().unwrap();
        lab.burnlab(&["run", file, "--set", "train.epochs=1", "--only", "plain"])
    };
    assert_eq!(run(&one).code, 0);
    let table = fs::read(lab.results("small").join("summary.csv")).unwrap();
    let refused = run(&other);
    assert_eq!(refused.code, 2);
    let expected = format!(
        "error: the results of `small` are those of another file, `{}`\n  {}\n  hint: give one of the files \
         another name, or write elsewhere with `--results DIR`\n",
        fs::canonicalize(&one).unwrap().display(),
        lab.results("small").display()
    );
    assert!(refused.err.ends_with(&expected), "{}", refused.err);
    assert_eq!(
        fs::read(lab.results("small").join("summary.csv")).unwrap(),
        table
    );
    assert_eq!(run(&one).code, 0);
    // A file that was moved takes its results along.
    fs::rename(&one, lab.path().join("moved.toml")).unwrap();
    let moved = run(&other);
    assert!(moved.err.contains("2 done before"), "{}", moved.err);
}

#[test]
fn blocks_may_be_nested_deeper_than_forty() {
    let lab = Lab::new();
    let mut text = String::from(
        "data.dataset = \"mnist\"\ndata.train = 20\ntrain.epochs = 1\n\
         model.classifier.layers = [\"flatten\", { block = { use = \"b0\" } }, { dense = { units = \"classes\" } }]\n",
    );
    for depth in 0..60 {
        text += &format!(
            "blocks.b{depth}.layers = [{{ block = {{ use = \"b{}\" }} }}]\n",
            depth + 1
        );
    }
    text += "blocks.b60.layers = [{ dense = { units = 4 } }]\n";
    let file = lab.file("deep.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(lab.table("deep", "summary.csv").column("status"), ["done"]);
}

/// Four points, of which two go on after the first epoch.
const SEARCH: &str = r#"
title = "a search"

[data]
dataset    = { fake = { shape = [1, 8, 8], classes = 3, train = 120, test = 60 } }
validation = 30

[model.classifier]
layers = [
  { conv2d = { filters = 4, kernel = 3, activation = "relu" } },
  "batch_normalization",
  "flatten",
  { dropout = { rate = 0.2 } },
  { dense = { units = "classes" } },
]

[train]
epochs     = 4
batch_size = 10
optimizer  = { adam = { learning_rate = 1e-3 } }

[search]
points  = 4
metric  = "validation_accuracy"
halving = { factor = 2, rungs = [1] }
"train.optimizer.adam.learning_rate" = { log_uniform = [1e-4, 1e-1] }
"train.batch_size" = { choice = [10, 15, 30] }
"#;

#[test]
fn points_of_a_search_that_pause_and_go_on_have_the_numbers_of_those_that_never_paused() {
    let lab = Lab::new();
    let file = lab.file("search.toml", SEARCH);
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--jobs", "2"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("learning_rate   batch_size   epochs"),
        "{}",
        ended.out
    );
    let of = |lab: &Lab, column: &str| -> Vec<String> {
        let table = lab.table("search", "summary.csv");
        let cells = table.column(column).into_iter();
        cells.map(String::from).collect()
    };
    let statuses = of(&lab, "status");
    let count = |name: &str| statuses.iter().filter(|status| *status == name).count();
    assert_eq!((count("done"), count("halted")), (2, 2), "{statuses:?}");
    let places = fs::read_to_string(lab.results("search").join("search.csv")).unwrap();
    assert!(
        places.starts_with("place,learning_rate,batch_size,epochs,state,"),
        "{places}"
    );
    assert_eq!(places.lines().count(), 5, "{places}");
    // What comes after takes the best point, and knows of those that were given up.
    let file = file.to_str().unwrap();
    let compared = lab.burnlab(&["compare", file]);
    let table = |text: &str| {
        text.split_once(" place ")
            .unwrap()
            .1
            .lines()
            .nth(2)
            .map(String::from)
    };
    assert_eq!(table(&compared.out), table(&ended.out));
    let variants = of(&lab, "variant");
    let standing = |wanted: &str| statuses.iter().position(|status| status == wanted).unwrap();
    let evaluated = lab.burnlab(&["evaluate", file]);
    let best = places.lines().nth(1).unwrap();
    let mut cells = best.split(',').skip(1);
    let mut cell = || cells.next().unwrap();
    let best = format!("learning_rate={},batch_size={}", cell(), cell());
    assert_eq!(
        evaluated.err,
        format!("note: the best point of the search is `{best}`\n")
    );
    let given_up = &variants[standing("halted")];
    let asked = lab.burnlab(&["evaluate", file, given_up]);
    assert_eq!(
        (asked.code, asked.err),
        (
            3,
            format!(
                "error: `{given_up}`, seed 0 of `search` was not trained to its end: given up after epoch 1: others are better\n  \
                 hint: burnlab run {file} --only {given_up}\n"
            )
        )
    );

    let whole = Lab::new();
    let lines = SEARCH.lines().filter(|line| !line.starts_with("halving"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let file = whole.file("search.toml", &text);
    let ended = whole.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let of_done = |lab: &Lab, column: &str| -> Vec<String> {
        let cells = of(lab, column).into_iter().zip(&statuses);
        let done = cells.filter(|(_, status)| *status == "done");
        done.map(|(cell, _)| cell).collect()
    };
    for column in [
        "id",
        "test_loss",
        "test_accuracy",
        "validation_loss",
        "train_loss",
    ] {
        assert_eq!(of_done(&lab, column), of_done(&whole, column), "{column}");
    }
}

#[test]
fn damaged_images_are_found_before_results_are_removed() {
    let lab = Lab::new();
    let folder = lab.path().join("data/mnist");
    fs::create_dir_all(&folder).unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    for file in fs::read_dir(committed).unwrap().flatten() {
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let run = |more: &[&str]| -> Ended {
        let arguments = [&["run", file, "--set", "train.epochs=1"], more].concat();
        let mut command = lab.command(&arguments);
        command.env("BURNLAB_DATA", lab.path().join("data"));
        command.output().unwrap().into()
    };
    assert_eq!(run(&[]).code, 0);
    let table = lab.results("small").join("summary.csv");
    let before = fs::read_to_string(&table).unwrap();
    let images = folder.join("t10k-images-idx3-ubyte.gz");
    let whole = fs::read(&images).unwrap();
    fs::write(&images, &whole[..1_000_000]).unwrap();
    let ended = run(&["--fresh"]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    let expected = format!(
        "error: `t10k-images-idx3-ubyte.gz` ends at byte 4,923,853 of 7,840,016 (image 6,281 of 10,000)\n  {}\n  \
         hint: `burnlab data fetch mnist` puts a fresh copy in its place\n",
        images.display()
    );
    assert_eq!(ended.err, expected);
    assert_eq!(fs::read_to_string(&table).unwrap(), before);
    // What is done needs no images.
    assert_eq!(run(&[]).code, 0);
}
