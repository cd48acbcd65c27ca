//! What a person who has only the program can do: a first experiment, manual pages, completions.

use std::fs;
use std::path::Path;

use crate::lab::{Ended, Lab};

/// burnlab in the lab's folder, with the committed data.
fn in_lab(lab: &Lab, arguments: &[&str]) -> Ended {
    let mut command = lab.command(arguments);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    command.current_dir(lab.path()).env("BURNLAB_DATA", data);
    command.output().expect("burnlab starts").into()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
    let entries = entries.into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
    files.map(|entry| name(entry.path())).collect()
}

#[test]
fn a_new_experiment_is_one_file_that_nothing_is_wrong_with() {
    let lab = Lab::new();
    let ended = in_lab(&lab, &["new", "first"]);
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (
            0,
            "first.toml is a first experiment; change it as you like\n  \
             burnlab check first.toml    finds its mistakes\n  \
             burnlab run first.toml      trains it and writes results/\n",
            ""
        )
    );
    assert_eq!(files(lab.path()), ["first.toml"]);
    for name in ["first", "first.toml"] {
        let ended = in_lab(&lab, &["check", name]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.out.contains("9 runs"), "{}", ended.out);
    }
    let run = in_lab(&lab, &["run", "first", "--dry-run"]);
    assert_eq!(run.code, 0, "{}", run.err);
}

#[test]
fn experiments_are_listed_wherever_their_names_are_looked_up() {
    let lab = Lab::new();
    let ended = in_lab(&lab, &["list"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (
            0,
            "no experiments, here or in a folder `experiments/`: `burnlab new NAME` writes a first one\n"
        )
    );
    let ended = in_lab(&lab, &["check"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: there are no experiment files here\n  \
             hint: name a file, or let `burnlab new NAME` write a first one\n"
        )
    );

    assert_eq!(in_lab(&lab, &["new", "first"]).code, 0);
    for (name, text) in [
        ("burnlab.toml", "[train]\nepochs = 3\n"),
        ("Cargo.toml", "[package]\nname = 'x'\n"),
        ("wrong.toml", "[data\n"),
    ] {
        lab.file(name, text);
    }
    let first = "A first experiment: do turned copies of few digits help?";
    let listed = in_lab(&lab, &["list"]);
    let wrong = "wrong.toml  has problems      see `burnlab check wrong.toml`\n";
    assert_eq!(
        listed.out,
        format!("first       0 of 9 runs done  {first}\n{wrong}")
    );
    let ended = in_lab(&lab, &["check"]);
    assert_eq!(ended.code, 2);
    assert!(ended.out.starts_with("ok first.toml: "), "{}", ended.out);
    // Variables of the environment hold for all that is asked.
    let mut command = lab.command(&["list"]);
    let command = command
        .current_dir(lab.path())
        .env("BURNLAB_TRAIN__EPOCHS", "none");
    let listed: Ended = command.output().expect("burnlab starts").into();
    assert!(
        listed.out.starts_with("first.toml  has problems"),
        "{}",
        listed.out
    );
    // What is wrong with a file weighs more than data that is missing, in whatever order.
    let gone = "[data]\ndataset = { folder = 'gone' }\n[model.classifier]\nlayers = ['flatten', { dense = { units = 'classes' } }]\n";
    lab.file("gone.toml", gone);
    for (files, code) in [
        (["gone.toml", "wrong.toml"], 2),
        (["wrong.toml", "gone.toml"], 2),
        (["gone.toml", "first.toml"], 3),
    ] {
        assert_eq!(
            in_lab(&lab, &[&["check"], &files[..]].concat()).code,
            code,
            "{files:?}"
        );
    }
    fs::remove_file(lab.path().join("gone.toml")).unwrap();

    // What a name stands for comes first, and stands there once.
    fs::create_dir(lab.path().join("experiments")).unwrap();
    fs::copy(
        lab.path().join("first.toml"),
        lab.path().join("experiments/first.toml"),
    )
    .unwrap();
    fs::remove_file(lab.path().join("wrong.toml")).unwrap();
    let listed = in_lab(&lab, &["list"]);
    assert_eq!(listed.out, format!("first  0 of 9 runs done  {first}\n"));
}

#[test]
fn a_new_experiment_is_written_over_nothing() {
    let lab = Lab::new();
    let file = lab.file("first.toml", "title = 'mine'\n");
    let ended = in_lab(&lab, &["new", "first"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: there is such a file already\n  first.toml\n  \
             hint: another name: nothing is written over it\n"
        )
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "title = 'mine'\n");
    let ended = in_lab(&lab, &["new", "my own"]);
    assert!(
        ended.out.contains("  burnlab run 'my own.toml' "),
        "{}",
        ended.out
    );
    let ended = in_lab(&lab, &["new", "nowhere/first"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: there is no such folder to write into\n  nowhere/first.toml\n"
        )
    );
}

#[test]
fn a_project_has_its_new_experiments_among_the_others_and_editors_find_its_schema() {
    let lab = Lab::new();
    for folder in ["experiments/mine", "schemas"] {
        fs::create_dir_all(lab.path().join(folder)).unwrap();
    }
    fs::write(lab.path().join("schemas/experiment.schema.json"), "{}").unwrap();
    assert_eq!(in_lab(&lab, &["new", "mine/first"]).code, 0);
    let text = fs::read_to_string(lab.path().join("experiments/mine/first.toml")).unwrap();
    assert!(text.starts_with("#:schema ../../schemas/experiment.schema.json\n# An experiment"));
    let ended = in_lab(&lab, &["check", "mine/first"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn every_command_has_its_manual_page_and_its_completion() {
    let lab = Lab::new();
    let ended = in_lab(&lab, &["man", "--output", "pages"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let pages = files(&lab.path().join("pages"));
    let help = in_lab(&lab, &["--help"]).out;
    let commands = help.split("Commands:").nth(1).unwrap().lines().skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // What goes on in the next line stands further in.
    let commands = commands.filter(|line| !line.starts_with("   "));
    let commands = commands.filter_map(|line| line.split_whitespace().next());
    let commands: Vec<&str> = commands.filter(|name| *name != "help").collect();
    assert!(commands.len() > 20, "{commands:?}");
    let bash = in_lab(&lab, &["completions", "bash"]).out;
    for command in commands {
        assert!(pages.contains(&format!("burnlab-{command}.1")), "{pages:?}");
        assert!(bash.contains(&format!("burnlab,{command})")), "{command}");
    }
    let page = in_lab(&lab, &["man"]);
    assert_eq!(
        page.out,
        fs::read_to_string(lab.path().join("pages/burnlab.1")).unwrap()
    );
    assert!(page.out.contains(".TH burnlab 1") && page.out.contains("burnlab\\-run(1)"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let ended = in_lab(&lab, &["completions", shell]);
        assert!(
            ended.code == 0 && ended.out.contains("neighbours"),
            "{shell}"
        );
    }
}

#[test]
fn a_variant_switches_off_what_the_file_sets() {
    let lab = Lab::new();
    lab.file(
        "off.toml",
        "[data]
         dataset = 'mnist'
         train = 200
         validation = 50
         [model.autoencoder]
         encoder = ['flatten', { mask_noise = { keep = 0.7 } }, { dense = { units = 8 } }]
         decoder = [{ dense = { units = 784 } }]
         walk_back = { steps = 3 }
         [train]
         epochs = 2
         steps = 9
         log_every = 3
         loss = 'mse'
         best = { metric = 'train_loss' }
         [variants.on]
         [variants.off]
         model.autoencoder.walk_back = 'none'
         train.steps = 'none'
         train.log_every = 'none'
         train.best = 'none'
        ",
    );
    let explained = |variant: &str| in_lab(&lab, &["explain", "off", variant]).out;
    for setting in [
        "walk_back.steps = 3",
        "train.steps = 9",
        "train.best.metric = \"train_loss\"",
    ] {
        assert!(explained("on").contains(setting), "{}", explained("on"));
        assert!(!explained("off").contains(setting), "{}", explained("off"));
    }
    let ended = in_lab(&lab, &["run", "off", "--quiet", "--jobs", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let epochs = |variant: &str| {
        let folder = lab.run_folder("off", &format!("{variant}-seed-0"));
        let rows = fs::read_to_string(folder.join("epochs.csv"))
            .unwrap()
            .lines()
            .count()
            - 1;
        (rows, folder.join("best.safetensors").exists())
    };
    assert_eq!(epochs("on"), (3, true));
    assert_eq!(epochs("off"), (2, false));
    let ended = in_lab(&lab, &["reconstruct", "off", "off", "--best"]);
    assert!(
        ended.err.starts_with(
            "error: `off`, seed 0 of `off` keeps no best weights: its `train.best` is \"none\"\n"
        ),
        "{}",
        ended.err
    );
}
