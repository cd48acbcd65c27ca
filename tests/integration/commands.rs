//! The commands that only look.

use std::time::{Duration, Instant};

use burnlab::config::Overrides;
use burnlab::data::{Catalogue, Folders};
use burnlab::plan::Plan;

use crate::lab::{Lab, SMALL};

#[test]
fn explain_names_the_origin_of_every_value() {
    let lab = Lab::new();
    let base = SMALL.split("[variants.plain]").next().unwrap();
    lab.file("base.toml", base);
    lab.file(
        "burnlab.toml",
        "[train]\nbatch_size = 25\n[data]\nscale = [-1.0, 1.0]\n",
    );
    let file = lab.file(
        "child.toml",
        "extends = 'base.toml'\n\n[variants.long.train]\nepochs = 9\n",
    );
    let file = file.to_str().unwrap();
    let mut command = lab.command(&["explain", file, "long", "--set", "train.seeds=[7]"]);
    let output = command.env("BURNLAB_TRAIN__LOSS", "mse").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |start: &str| {
        text.lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("no {start} in\n{text}"))
            .to_string()
    };
    assert!(line("train.epochs = 9").contains("child.toml, variant `long`, line 4"));
    assert!(line("train.batch_size = 50").contains("base.toml, line 18"));
    assert!(line("data.scale = [-1.0,1.0]").contains("burnlab.toml, line 4"));
    assert!(line("train.loss = \"mse\"").contains("BURNLAB_TRAIN__LOSS=mse"));
    assert!(line("train.seeds = [7]").contains("--set train.seeds=[7]"));
    assert!(line("data.validation = 0").contains("the defaults"));
    let dense = "model.classifier.layers.1.dense";
    assert!(line(&format!("{dense}.units = 16")).contains("base.toml, line 11"));
    assert!(line(&format!("{dense}.bias = true")).contains("the defaults"));
    assert!(line("train.optimizer.adam.beta_1 = 0.9").contains("the defaults"));
}

#[test]
fn the_nearest_burnlab_toml_goes_for_a_file() {
    let lab = Lab::new();
    std::fs::create_dir_all(lab.path().join("a/b")).unwrap();
    let file = lab.file("a/b/small.toml", SMALL);
    let explained = || {
        let ended = lab.burnlab(&["explain", file.to_str().unwrap()]);
        let lines = ended.out.lines();
        let of_key = lines.filter(|line| line.starts_with("train.shuffle"));
        of_key.map(String::from).collect::<String>()
    };
    lab.file("burnlab.toml", "[train]\nshuffle = false\n");
    assert!(
        explained().contains("/burnlab.toml, line 2"),
        "{}",
        explained()
    );
    lab.file("a/burnlab.toml", "[train]\n\nshuffle = false\n");
    assert!(
        explained().contains("/a/burnlab.toml, line 3"),
        "{}",
        explained()
    );
}

#[test]
fn overrides_that_are_wrong_are_shown_as_they_were_given() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["check", file, "--set", "train.epocs=3"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.starts_with(
            "error: unknown key `epocs` in `train`\n  --set train.epocs=3\n  hint: did you mean `epochs`?"
        ),
        "{}",
        ended.err
    );
}

#[test]
fn an_override_of_a_swept_key_is_refused() {
    let lab = Lab::new();
    let file = lab.file(
        "small.toml",
        &format!("{SMALL}\n[grid]\n'train.batch_size' = [50, 100]\n"),
    );
    let ended = lab.burnlab(&[
        "check",
        file.to_str().unwrap(),
        "--set",
        "train.batch_size=20",
    ]);
    assert_eq!(ended.code, 2, "{}", ended.out);
    assert_eq!(
        ended.err,
        "error: `plain,batch_size=50` and `plain,batch_size=100` come to the same settings\n  \
         hint: is a swept key overridden by `--set` or a `BURNLAB_` variable? \
         `--set grid.KEY=[...]` gives it other values\n"
    );
}

/// Points of a grid, of which two are left out, and a claim about one of them.
const SWEPT: &str = r#"
[grid]
"train.batch_size" = [50, 100]
skip = [{ variant = "turned", "train.batch_size" = 50 }, { variant = "turned", "train.batch_size" = 100 }]

[[expect]]
claim    = "it learns in large batches"
variant  = "plain,batch_size=100"
at_least = 0.1
"#;

#[test]
fn grids_are_given_from_outside_whose_origin_is_told() {
    let lab = Lab::new();
    let file = lab.file("small.toml", &format!("{SMALL}{SWEPT}"));
    let file = file.to_str().unwrap();
    let variants = |set: &[&str]| -> (Vec<String>, String) {
        let ended = lab.burnlab(&[&["run", file, "--dry-run", "--quiet"], set].concat());
        let checked = lab.burnlab(&[&["check", file], set].concat());
        assert_eq!((ended.code, checked.code), (0, 0), "{}", ended.err);
        let names = ["plain", "turned"];
        let words = ended.out.split_whitespace();
        let labels = words.filter(|word| names.iter().any(|name| word.starts_with(name)));
        let mut labels: Vec<String> = labels.map(String::from).collect();
        labels.dedup();
        (labels, checked.out)
    };
    let all = ["plain,batch_size=50", "plain,batch_size=100"];
    assert_eq!(variants(&[]).0, all);
    let quoted = "grid.\"train.batch_size\"=[20, 100]";
    let (labels, checked) = variants(&["--set", quoted]);
    let others = [
        "plain,batch_size=20",
        "plain,batch_size=100",
        "turned,batch_size=20",
    ];
    assert_eq!(labels, others);
    assert!(
        checked.ends_with("3 variants, 6 runs, 1 claim\n"),
        "{checked}"
    );
    // The claim's point is gone, and one more key is swept.
    let bare = [
        "--set",
        "grid.train.batch_size=[20]",
        "--set",
        "grid.train.epochs=[1, 2]",
    ];
    let (labels, checked) = variants(&bare);
    let others = ["plain", "turned"]
        .map(|name| [1, 2].map(|epochs| format!("{name},batch_size=20,epochs={epochs}")));
    assert_eq!(labels, others.concat());
    let note = "note: the claim \"it learns in large batches\" is not judged: \
        there is no `plain,batch_size=100` among these points\n";
    assert!(checked.contains(note), "{checked}");
    let mut command = lab.command(&["explain", file, "plain", "--set", "grid.skip=[]"]);
    let output = command
        .env("BURNLAB_GRID__TRAIN__BATCH_SIZE", "[20, 30]")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let points: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("grid."))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        points,
        [
            "grid.\"train.batch_size\" = [20, 30] # BURNLAB_GRID__TRAIN__BATCH_SIZE=[20, 30]",
            "grid.skip = [] # --set grid.skip=[]"
        ]
    );
}

#[test]
fn searches_are_given_from_outside_whose_origin_is_told() {
    let lab = Lab::new();
    let search = "[search]\npoints = 4\nmetric = 'train_loss'\nhalving = { factor = 3, rungs = [1] }\n\
        'train.batch_size' = { choice = [20, 50] }\n'train.optimizer.adam.learning_rate' = { log_uniform = [1e-4, 1e-2] }\n";
    let text = SMALL.split("[variants.plain]").next().unwrap();
    let file = lab.file("small.toml", &format!("{text}{search}"));
    let file = file.to_str().unwrap();
    let set = [
        "search.points=3",
        "search.halving.factor=2",
        "search.train.batch_size.int=[30, 40]",
    ];
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
    let checked = lab.burnlab(&[&["check", file][..], &set].concat());
    assert!(
        checked.out.ends_with("3 variants, 6 runs, 0 claims\n"),
        "{}{}",
        checked.out,
        checked.err
    );
    let explained = lab.burnlab(&[&["explain", file][..], &set].concat());
    let points: Vec<String> = explained
        .out
        .lines()
        .filter(|line| line.starts_with("search."))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let name = format!("# {file}, search, line");
    assert_eq!(
        points,
        [
            "search.points = 3 # --set search.points=3".to_string(),
            format!("search.metric = \"train_loss\" {name} 23"),
            "search.halving.factor = 2 # --set search.halving.factor=2".to_string(),
            format!("search.halving.rungs = [1] {name} 24"),
            "search.\"train.batch_size\" = { int = [30, 40] } # --set search.train.batch_size.int=[30, 40]".to_string(),
            format!("search.\"train.optimizer.adam.learning_rate\" = {{ log_uniform = [0.0001, 0.01] }} {name} 26"),
        ]
    );
    for (set, error) in [
        (
            "search.pionts=3",
            "error: unknown key `pionts` in `search`\n  --set search.pionts=3\n  hint: did you mean `points`?\n",
        ),
        (
            "search.points=0",
            "error: expected a whole number of at least 1 for `points`, found `0`\n  --set search.points=0\n",
        ),
        (
            "grid.train.epochs=3",
            "error: expected a list of values for the grid key `train.epochs`\n  --set grid.train.epochs=3\n  \
             hint: \"train.epochs\" = [3]\n",
        ),
        (
            "search.train.batch_size.int=[0, 1]",
            "error: expected a whole number of at least 1 for `batch_size`, found `0`\n  \
             --set search.train.batch_size.int=[0, 1]\n",
        ),
        (
            "grid=3",
            "error: `grid` is a table: name one of its keys\n  --set grid=3\n",
        ),
    ] {
        let points = ["--set", "search.points=100", "--set", set];
        let ended = lab.burnlab(&[&["check", file][..], &points].concat());
        assert_eq!((ended.code, ended.err.as_str()), (2, error));
    }
    let alone = lab.file("alone.toml", text);
    let ended = lab.burnlab(&["check", alone.to_str().unwrap(), "--set", "search.points=3"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: the search draws no key\n  --set search.points=3\n  \
             hint: such as \"train.optimizer.adam.learning_rate\" = { log_uniform = [1e-4, 1e-1] }\n"
        )
    );
}

#[test]
fn ten_thousand_runs_are_checked_and_planned() {
    let lab = Lab::new();
    let rates: Vec<String> = (1..=50).map(|i| format!("{i}e-4")).collect();
    let text = format!(
        "{}\n[grid]\n'train.optimizer.adam.learning_rate' = [{}]\n'train.batch_size' = [10, 20, 30, 40, 50]\n\
         'data.train' = [200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100]\n",
        SMALL,
        rates.join(", ")
    );
    let file = lab.file("grid.toml", &text);
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert!(
        ended.out.contains("5,000 variants, 10,000 runs, 0 claims"),
        "{}{}",
        ended.out,
        ended.err
    );
}

#[test]
fn a_hundred_thousand_seeds_are_planned() {
    let lab = Lab::new();
    let seeds: Vec<String> = (0..100_000).map(|seed| seed.to_string()).collect();
    let text = SMALL.replace("[0, 1]", &format!("[{}]", seeds.join(", ")));
    let file = lab.file("seeds.toml", &text);
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    let message = "2 variants, 200,000 runs, 0 claims";
    assert!(ended.out.contains(message), "{}{}", ended.out, ended.err);
    let third = format!("{text}\n[variants.third]\n");
    let file = lab.file("seeds.toml", &third);
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        format!(
            "error: the experiment has more than 200,000 runs\n  {}\n",
            file.display()
        )
    );
}

#[test]
fn a_hundred_thousand_layers_are_refused_in_seconds() {
    let lab = Lab::new();
    let layers = "'batch_normalization', ".repeat(100_000);
    let file = lab.file(
        "deep.toml",
        &SMALL.replace("\"flatten\",", &format!("\"flatten\", {layers}")),
    );
    let started = Instant::now();
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(ended.code, 2);
    let start =
        "error: layer 20001 (`batch_normalization`) is one of more than 20,000 layers and blocks\n";
    assert!(ended.err.starts_with(start), "{}", ended.err);
}

#[test]
fn a_million_classes_are_checked() {
    let lab = Lab::new();
    let text = SMALL.replace(
        "\"mnist\"\ntrain   = 200",
        "{ fake = { shape = [1, 4, 4], classes = 1000000, train = 10, test = 10 } }",
    );
    let file = lab.file("many.toml", &text);
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn of_a_fault_in_every_point_the_first_hundred_are_reported() {
    let lab = Lab::new();
    let rates: Vec<String> = (1..=64_000).map(|number| format!("{number}.5")).collect();
    let text = format!(
        "{SMALL}\n[grid]\n'train.optimizer.adam.beta_1' = [{}]\n",
        rates.join(", ")
    );
    let file = lab.file("grid.toml", &text);
    let started = Instant::now();
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(ended.code, 2);
    let problems: Vec<&str> = ended.err.split("\n\n").collect();
    assert_eq!(problems.len(), 101, "{}", ended.err);
    let first = "error: expected a number from 0 to below 1 for `beta_1`, found `1.5`\n";
    assert!(problems[0].starts_with(first), "{}", problems[0]);
    assert!(problems[99].contains("found `100.5`"), "{}", problems[99]);
    // A slow machine does not count to the end.
    let rest = problems[100].trim_start_matches("error: at least ");
    let rest = rest.trim_start_matches("error: ");
    let number: String = rest.chars().take_while(|c| *c != ' ').collect();
    assert!(
        number.replace(',', "").parse::<usize>().unwrap() > 100,
        "{}",
        problems[100]
    );
    assert!(
        rest.ends_with(" problems in 1 file, of which 100 are shown\n"),
        "{rest}"
    );
}

#[cfg(unix)]
#[test]
fn variables_that_are_no_utf_8_are_named() {
    use std::os::unix::ffi::OsStrExt;
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    for command in ["check", "run", "explain"] {
        let mut command = lab.command(&[command, file.to_str().unwrap()]);
        command.env(
            "BURNLAB_TRAIN__EPOCHS",
            std::ffi::OsStr::from_bytes(b"3\xff"),
        );
        let output = command.output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "error: the variable of the environment is not UTF-8\n  BURNLAB_TRAIN__EPOCHS=3\u{fffd}\n"
        );
        assert_eq!(output.status.code(), Some(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn runs_that_take_more_memory_than_there_is_are_named_with_what_would_fit() {
    let lab = Lab::new();
    let file = |name: &str, layer: &str, large: &str| {
        let text = format!(
            "data.dataset = 'mnist'\nmodel.classifier.layers = [\n\
             {{ adaptive_max_pool2d = {{ size = [16384, 16384] }} }}, 'global_avg_pool',{layer}\n\
             {{ dense = {{ units = 'classes' }} }}]\ntrain.epochs = 1\n\
             [variants.small]\ntrain.batch_size = 1\n[variants.large.train]\nbatch_size = 5000\n{large}\n"
        );
        lab.file(name, &text)
    };
    let whole = file("whole.toml", "'batch_normalization',", "");
    let parts = file("parts.toml", "", "micro_batch_size = 5000");
    for (command, file, key) in [
        ("check", &whole, "batch_size"),
        ("summary", &whole, "batch_size"),
        ("check", &parts, "micro_batch_size"),
    ] {
        let ended = lab.burnlab(&[command, file.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let start = "note: `large` takes about 10000.";
        let mut lines = ended.out.lines().map(str::trim_start);
        let note = lines.find_map(|line| line.strip_prefix(start));
        let advice = note
            .unwrap_or_else(|| panic!("{}", ended.out))
            .split_once("; ")
            .unwrap()
            .1;
        let is_helpful = advice.starts_with(&format!("`train.{key} = "))
            || advice.starts_with("one image takes 2.0 GiB");
        assert!(is_helpful, "{advice}");
    }
}

#[test]
fn problems_that_are_not_shown_are_counted() {
    let lab = Lab::new();
    let rates: Vec<String> = (1..=250).map(|number| format!("{number}.5")).collect();
    let text = format!(
        "{SMALL}\n[grid]\n'train.optimizer.adam.beta_1' = [{}]\n",
        rates.join(", ")
    );
    let file = lab.file("grid.toml", &text);
    let file = file.to_str().unwrap();
    let last = |command| {
        let ended = lab.burnlab(&[command, file]);
        assert_eq!(ended.code, 2);
        ended.err.split("\n\n").last().unwrap().to_string()
    };
    assert_eq!(
        last("check"),
        "error: 250 problems in 1 file, of which 100 are shown\n"
    );
    assert_eq!(last("run"), "error: 150 more problems, not shown\n");
}

#[test]
fn a_dry_run_shows_the_plan_and_leaves_nothing() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(ended.code, 0);
    let turned = ended
        .out
        .lines()
        .find(|line| line.contains("turned"))
        .unwrap();
    let cells: Vec<&str> = turned.split_whitespace().collect();
    assert_eq!(
        cells[..6],
        ["turned", "0", "3", "400", "24", "12,730"],
        "{}",
        ended.out
    );
    assert!(!lab.results("small").exists());
}

#[test]
fn summary_counts_what_the_article_s_network_has() {
    let lab = Lab::new();
    let ended = lab.burnlab(&["summary", "augmentation", "plain"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("241,546"), "{}", ended.out);
    assert!(ended.out.contains("128x3x3"), "{}", ended.out);
}

#[test]
fn summary_tells_what_is_frozen_of_the_variant_that_is_asked_for() {
    let lab = Lab::new();
    let text = format!("{SMALL}\n[variants.frozen.train]\nfreeze = ['dense_1']\n");
    let file = lab.file("small.toml", &text);
    let file = file.to_str().unwrap();
    let table = |rest: &[&str]| {
        let ended = lab.burnlab(&[&["summary", file], rest].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out
    };
    let parameters = |table: &str, row: &str| -> Option<String> {
        let line = table
            .lines()
            .find(|line| line.trim_start().starts_with(row))?;
        line.split_whitespace().nth(1).map(String::from)
    };
    let frozen = table(&["frozen"]);
    assert!(frozen.starts_with("small: frozen\n"), "{frozen}");
    assert_eq!(parameters(&frozen, "frozen"), Some("12,560".to_string()));
    assert_eq!(parameters(&frozen, "trained"), Some("170".to_string()));
    let plain = table(&["plain"]);
    assert!(plain.starts_with("small: plain\n"), "{plain}");
    assert_eq!(parameters(&plain, "frozen"), None, "{plain}");
    let all = table(&[]);
    assert_eq!(all.matches("small: ").count(), 2, "{all}");
    assert!(
        all.contains(&frozen) && all.starts_with("small: plain, turned\n"),
        "{all}"
    );
}

#[test]
fn missing_data_of_a_known_name_is_reported_when_read_with_what_to_put_where() {
    let lab = Lab::new();
    let text = SMALL.replace("\"mnist\"", "\"fashion-mnist\"");
    let file = lab.file("small.toml", &text);
    let catalogue = Catalogue::new(Folders::only(lab.path()));
    let plan = Plan::make(&file, &Overrides::default(), &catalogue).expect("its shape is known");
    let [absent] = plan.absent.as_slice() else {
        panic!("{:?}", plan.absent);
    };
    let error = catalogue.describe(absent).unwrap_err();
    let folder = lab.path().join("fashion-mnist");
    let folder = folder.display();
    assert_eq!(
        error.to_string(),
        format!(
            "error: dataset `fashion-mnist` is not on this machine; looked in `{folder}`\n  \
             hint: `burnlab data fetch fashion-mnist`, or put `train-images-idx3-ubyte.gz`, \
             `train-labels-idx1-ubyte.gz`, `t10k-images-idx3-ubyte.gz` and \
             `t10k-labels-idx1-ubyte.gz` in `{folder}`"
        )
    );
    assert_eq!(error.kind.exit_code(), 3);
}

#[test]
fn a_folder_of_data_that_is_not_there_is_named() {
    let lab = Lab::new();
    let nowhere = lab.path().join("nowhere");
    let dataset = format!("{{ idx = '{}' }}", nowhere.display());
    let file = lab.file("small.toml", &SMALL.replace("\"mnist\"", &dataset));
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert_eq!(
        ended.err,
        format!(
            "error: cannot read the dataset's folder: no such file or directory (`{}`)\n  \
             {}:5:11 data.dataset\n    \
             5 | dataset = {dataset}\n      \
             |           {}\n",
            nowhere.display(),
            file.display(),
            "^".repeat(dataset.len())
        )
    );
}

#[test]
fn an_experiment_that_is_not_there_is_answered_with_the_nearest() {
    let lab = Lab::new();
    let ended = lab.burnlab(&["check", "augmentatoin"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        "error: there is no experiment file `augmentatoin`\n  hint: did you mean `augmentation`?\n"
    );
}

#[test]
fn programs_read_json() {
    let lab = Lab::new();
    let claim = "\n[[expect]]\nclaim = 'x'\nvariant = 'plain'\nat_least = 0.1\n";
    let file = lab.file("small.toml", &format!("{SMALL}{claim}"));
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines: Vec<serde_json::Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    assert_eq!(lines[0]["to_train"], 4);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["ended"]["status"] == "done")
            .count(),
        4
    );
    assert_eq!(lines.last().unwrap()["holds"], true);
    let is_planned = |line: &&serde_json::Value| line["epochs_done"] == 0;
    let planned: Vec<_> = lines.iter().filter(is_planned).collect();
    assert_eq!(planned.len(), 4);
    assert_eq!(
        (&planned[3]["variant"], &planned[3]["seed"]),
        (&"turned".into(), &1.into())
    );
    // What is done is told of, too, and nothing but JSON is printed.
    for more in [&["--json"][..], &["--json", "--dry-run"]] {
        let ended = lab.burnlab(&[&["run", file.to_str().unwrap()], more].concat());
        let mut lines = ended.out.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line
        });
        assert_eq!(lines.next().unwrap()["to_train"], 0);
        let before: Vec<_> = lines.by_ref().take(4).collect();
        assert!(before.iter().all(|line| line["before"]["status"] == "done"));
        assert_eq!(lines.count(), usize::from(more.len() == 1));
    }
}

#[test]
fn what_other_programs_call_things_is_pointed_out() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file, "train.epochs=3"]);
    let tip = "tip: settings are changed with `--set train.epochs=3`\n";
    assert!(ended.code == 2 && ended.err.contains(tip), "{}", ended.err);
    for (set, hint) in [
        (
            "train.optimizer.adam.lr=0.1",
            "did you mean `learning_rate`?",
        ),
        (
            "train.loss=sparse_categorical_crossentropy",
            "did you mean `cross_entropy`?",
        ),
        ("grid.train.epochs=1,2", "\"train.epochs\" = [1, 2]"),
    ] {
        let ended = lab.burnlab(&["check", file, "--set", set]);
        let end = format!("  --set {set}\n  hint: {hint}\n");
        assert!(
            ended.code == 2 && ended.err.ends_with(&end),
            "{}",
            ended.err
        );
    }
    let ended = lab.burnlab(&["predict", file, "plain"]);
    let error = "error: there is no image or folder `plain`\n  hint: if `plain` is a variant, name an image after it\n";
    assert_eq!((ended.code, ended.err.as_str()), (3, error));
    let ended = lab.burnlab(&["augment", file, "--output", "recipe.jpg"]);
    assert!(
        ended.code == 2 && ended.err.contains("pictures are PNG files: `recipe.png`"),
        "{}",
        ended.err
    );
}

#[test]
fn a_point_of_a_grid_is_explained_by_the_name_that_tables_give_it() {
    let lab = Lab::new();
    let grid = "[grid]\n'train.batch_size' = [20, 40]\n";
    let file = lab.file("small.toml", &format!("{SMALL}\n{grid}"));
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["explain", file, "turned,batch_size=40"]);
    let line = ended
        .out
        .lines()
        .find(|line| line.starts_with("train.batch_size"));
    let line = line.unwrap_or_else(|| panic!("{}{}", ended.out, ended.err));
    assert!(
        line.starts_with("train.batch_size = 40") && line.contains("small.toml, grid, line "),
        "{line}"
    );
    assert!(ended.out.contains("augment.copies.0.rotate.degrees = 10"));
    let ended = lab.burnlab(&["explain", file, "turned,batch_size=50"]);
    let error = format!(
        "error: `{file}` has no variant `turned,batch_size=50`\n  hint: did you mean `turned,batch_size=40`?\n"
    );
    assert_eq!((ended.code, ended.err), (2, error));
    let alone = lab.file("alone.toml", SMALL);
    let alone = alone.to_str().unwrap();
    let ended = lab.burnlab(&["explain", alone, "another"]);
    let error = format!(
        "error: `{alone}` has no variant `another`\n  hint: known here: `plain` and `turned`\n"
    );
    assert_eq!((ended.code, ended.err), (2, error));
}

#[test]
fn problems_are_counted_with_the_files_that_have_them() {
    let lab = Lab::new();
    lab.file("good.toml", SMALL);
    lab.file("bad.toml", &format!("stranger = 1\nforeigner = 2\n{SMALL}"));
    let folder = lab.path().to_str().unwrap();
    let ended = lab.burnlab(&["check", folder]);
    assert!(
        ended.err.ends_with("error: 2 problems in 1 file\n"),
        "{}",
        ended.err
    );
}

#[test]
fn variants_of_the_same_settings_are_noted() {
    let lab = Lab::new();
    let more = "\n[variants.again.train]\nbatch_size = 20\n[grid]\n'train.batch_size' = [20, 50]\n";
    let file = lab.file("small.toml", &format!("{SMALL}{more}"));
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: variants `plain` and `again` come to the same settings in 4 runs; both are trained\n";
    assert_eq!(ended.err, note);
}

#[test]
fn seeds_hold_out_the_folds_of_a_cross_validation() {
    let lab = Lab::new();
    let text = SMALL.replace(
        "train   = 200",
        "train = \"all\"\nvalidation = { folds = 3 }\nclasses = [0, 1]",
    );
    let fake = "dataset = { fake = { shape = [1, 4, 4], classes = 2, train = 31, test = 10 } }";
    let text = text.replace("dataset = \"mnist\"", fake);
    let file = lab.file("small.toml", &text);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file, "--only", "plain"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: `train.seeds` holds out 2 of the 3 folds of `data.validation`: the seeds 0 to 2 hold out each once\n";
    assert!(ended.err.starts_with(note), "{}", ended.err);
    // Half of 31 images a class, of which each fold has a third.
    let confusion = |seed: u64| {
        let seed = seed.to_string();
        let arguments = [
            "evaluate",
            file,
            "plain",
            "--split",
            "validation",
            "--seed",
            &seed,
            "--csv",
        ];
        let ended = lab.burnlab(&arguments);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out
    };
    assert!(confusion(0).contains(",10,") && confusion(1).contains(",10,"));
    let ended = lab.burnlab(&["check", file, "--set", "data.validation.folds=1"]);
    assert!(
        ended.code == 2 && ended.err.contains("expected at least 2 folds"),
        "{}",
        ended.err
    );
    let ended = lab.burnlab(&["check", file, "--set", "data.validation.folds=20"]);
    assert!(
        ended
            .err
            .contains("no class has 20 samples, one for each fold"),
        "{}",
        ended.err
    );
    let ended = lab.burnlab(&["check", file, "--set", "train.seeds=[3,4,5]"]);
    assert_eq!((ended.code, &*ended.err), (0, ""));
    let ended = lab.burnlab(&["check", file, "--set", "train.seeds=[0,1,2,3]"]);
    let note = "note: `train.seeds` holds out some of the 3 folds of `data.validation` more often than others, which means weigh more: the seeds 0 to 2 hold out each once\n";
    assert!(
        ended.code == 0 && ended.out.ends_with(note),
        "{}",
        ended.out
    );
}

#[test]
fn layers_that_a_variant_changes_by_name_are_explained_by_their_lines() {
    let lab = Lab::new();
    let text = SMALL.replace("{ rate = 0.2 }", "{ name = 'drop', rate = 0.2 }");
    let text = text.replace("{ units = 16,", "{ name = 'first', units = 16,");
    let more = "[variants.wide.model.classifier.layers]\nfirst.units = 32\ndrop.rate = 0.5\n";
    let file = lab.file("named.toml", &format!("{text}\n{more}"));
    let explained = lab.burnlab(&["explain", file.to_str().unwrap(), "wide"]);
    let line = |start: &str| {
        let mut lines = explained.out.lines();
        let found = lines.find(|line| line.starts_with(start));
        let number = found.and_then(|line| line.rsplit_once("variant `wide`, line "));
        number.map(|(_, number)| number.parse::<usize>().unwrap())
    };
    let all = format!("{text}\n{more}");
    let of = |words: &str| {
        all.lines()
            .position(|line| line.starts_with(words))
            .map(|at| at + 1)
    };
    assert_eq!(
        line("model.classifier.layers.1.dense.units = 32"),
        of("first.units")
    );
    assert_eq!(
        line("model.classifier.layers.2.dropout.rate = 0.5"),
        of("drop.rate")
    );
}

#[test]
fn a_file_is_checked_beside_a_folder_of_its_name() {
    let lab = Lab::new();
    lab.file("photos.toml", SMALL);
    std::fs::create_dir(lab.path().join("photos")).unwrap();
    let name = lab.path().join("photos").display().to_string();
    let ended = lab.burnlab(&["check", &name]);
    assert_eq!((ended.code, &*ended.err), (0, ""), "{}", ended.out);
    let start = format!("ok {name}.toml: ");
    assert!(ended.out.starts_with(&start), "{}", ended.out);
}

#[test]
fn a_variant_without_augmentation_has_no_picture_of_it() {
    let lab = Lab::new();
    let file = lab.file(
        "small.toml",
        &format!("pictures.draw = ['augmentation']\n{SMALL}"),
    );
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.err,
        "note: `augmentation` is not drawn of `plain`: the recipe has neither `copies` nor `random`\n"
    );
}
