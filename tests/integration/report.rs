//! Reports and comparisons of what has been run.

use std::fs;

use crate::lab::{Lab, SMALL};

/// One epoch is enough.
const ONE: [&str; 2] = ["--set", "train.epochs=1"];

/// The path of an experiment that has been run.
fn ran(lab: &Lab, name: &str) -> String {
    let file = lab.file(&format!("{name}.toml"), SMALL);
    let file = file.to_str().unwrap().to_string();
    let ended = lab.burnlab(&["run", &file, ONE[0], ONE[1]]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    file
}

#[test]
fn a_run_leaves_a_report_and_the_command_writes_it_again() {
    let lab = Lab::new();
    let file = ran(&lab, "small");
    let path = lab.results("small").join("report.html");
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains("<h1>a small experiment</h1>"));
    assert!(page.contains("4 of 4 runs done"));
    assert!(page.contains(&format!("burnlab run {file} --set 'train.epochs=1'\n")));
    for id in ["numbers", "curves", "confusion", "settings", "provenance"] {
        assert!(page.contains(&format!("<h2 id=\"{id}\">")), "{id}");
    }
    fs::remove_file(&path).unwrap();
    let ended = lab.burnlab(&["report", &file, ONE[0], ONE[1]]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out, format!("report: {}\n", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
    // Of the folder alone, without the file.
    let ended = lab.burnlab(&["report", lab.results("small").to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("4 of 4 runs done")
    );
}

#[test]
fn where_only_other_settings_were_run_that_is_said() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let short = ["--set", "train.epochs=1", "--set", "train.seeds=[0]"];
    let other = [&["run", file, "--only", "plain", "--quiet"][..], &short].concat();
    assert_eq!(lab.burnlab(&other).code, 0);
    let ended = lab.burnlab(&["compare", file]);
    let folder = lab.results("small");
    let (error, folder) = (ended.err, folder.display());
    assert_eq!(
        error,
        format!(
            "error: no run of `small` is done\n  \
             hint: burnlab run {file}; `{folder}` has runs with other settings\n"
        )
    );
}

#[test]
fn what_never_ran_has_no_report_and_an_unknown_experiment_neither() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["report", file]);
    assert_eq!(ended.code, 3);
    assert_eq!(
        ended.err,
        format!("error: no run of `small` is done\n  hint: burnlab run {file}\n")
    );
    assert!(!lab.results("small").exists());
    let ended = lab.burnlab(&["report", "quickstrat"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        "error: there is no experiment file `quickstrat`\n  hint: did you mean `quickstart`?\n"
    );
    let ended = lab.burnlab(&["report", "--all"]);
    assert_eq!(ended.code, 3);
    let results = lab.path().join("results");
    assert_eq!(
        ended.err,
        format!(
            "error: there are no results of experiments in here\n  {}\n  hint: `burnlab run` leaves some\n",
            results.display()
        )
    );
    assert!(!results.exists());
}

#[test]
fn damaged_results_are_named_and_their_report_stays_as_it_is() {
    let lab = Lab::new();
    let file = ran(&lab, "small");
    ran(&lab, "whole");
    let report = lab.results("small").join("report.html");
    fs::write(&report, "as it was").unwrap();
    let row = lab.run_folder("small", "plain-seed-0").join("run.json");
    fs::write(&row, "{ \"variant\": ").unwrap();
    let message = format!(
        "error: the run's file cannot be read: EOF while parsing a value at line 1 column 13\n  {}\n  \
         hint: `burnlab run` trains runs anew whose folder was removed\n",
        row.display()
    );
    let ended = lab.burnlab(&["report", &file, ONE[0], ONE[1]]);
    assert_eq!((ended.code, &*ended.err), (3, &*message));
    assert_eq!(fs::read_to_string(&report).unwrap(), "as it was");
    let ended = lab.burnlab(&["report", "--all"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.ends_with(&message), "{}", ended.err);
    assert_eq!(fs::read_to_string(&report).unwrap(), "as it was");
    let index = fs::read_to_string(lab.path().join("results/index.html")).unwrap();
    assert!(
        index.contains("<a href=\"./whole/report.html\">whole</a>"),
        "{index}"
    );
    assert!(index.contains("the run's file cannot be read"));

    fs::remove_dir_all(row.parent().unwrap()).unwrap();
    let epochs = lab.run_folder("small", "plain-seed-1").join("epochs.json");
    fs::write(&epochs, "[1]").unwrap();
    let ended = lab.burnlab(&["report", &file, ONE[0], ONE[1]]);
    assert_eq!(ended.code, 3);
    assert!(
        ended
            .err
            .starts_with("error: the run's file cannot be read: invalid type"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains(&format!("\n  {}\n", epochs.display())),
        "{}",
        ended.err
    );
    assert_eq!(fs::read_to_string(&report).unwrap(), "as it was");
}

#[test]
fn any_two_experiments_variants_or_runs_are_compared() {
    let lab = Lab::new();
    let file = ran(&lab, "small");
    let plain = format!("{file}:plain");
    let run = lab.run_folder("small", "turned-seed-1");
    for (other, expected) in [
        (
            format!("{file}:turned"),
            vec!["plain", "turned", "paired, 2 seeds"],
        ),
        (
            format!("{file}:turned:0"),
            vec!["plain", "turned, seed 0", "unknown: too few runs"],
        ),
        (
            run.to_str().unwrap().to_string(),
            vec!["plain", "turned", "unknown: too few runs"],
        ),
        (
            lab.results("small").to_str().unwrap().to_string(),
            vec![": plain", ": turned", "the same in every seed"],
        ),
    ] {
        let output = lab.path().join("page.html");
        let ended = lab.burnlab(&[
            "compare",
            &plain,
            &other,
            "-o",
            output.to_str().unwrap(),
            ONE[0],
            ONE[1],
        ]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let page = fs::read_to_string(&output).unwrap();
        fs::remove_file(&output).unwrap();
        for part in expected {
            assert!(
                ended.out.contains(part) && page.contains(part),
                "{part} in {}",
                ended.out
            );
        }
        assert!(page.contains("<h2 id=\"curves\">"));
    }
    let ended = lab.burnlab(&["compare", &plain, &format!("{file}:turnd"), ONE[0], ONE[1]]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        format!(
            "error: `small` has no variant or run `turnd`\n  {file}:turnd\n  hint: did you mean `turned`?\n"
        )
    );
    let ended = lab.burnlab(&["compare", &plain, &format!("{file}:turned"), ONE[0], ONE[1]]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let page = ended
        .out
        .lines()
        .last()
        .unwrap()
        .strip_prefix("page: ")
        .unwrap()
        .to_string();
    assert!(fs::metadata(&page).unwrap().len() > 100_000);
}

#[test]
fn a_file_that_is_not_under_experiments_keeps_its_claims_in_all_reports() {
    let lab = Lab::new();
    let claim = "[[expect]]\nclaim = 'it is there'\nvariant = 'plain'\nat_least = 0.0\n";
    let text = SMALL.replace("epochs     = 3", "epochs     = 1") + claim;
    let file = lab.file("apart.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let folder = lab.results("apart");
    let page = || fs::read_to_string(folder.join("report.html")).unwrap();
    let whole = page();
    assert!(whole.contains("1 of 1 claim hold") && whole.contains("it is there"));
    let of_folder = ["report", folder.to_str().unwrap()];
    let lost = "its title and its claims are not known here";
    for command in [&["report", "--all"][..], &of_folder] {
        let ended = lab.burnlab(command);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let page = page();
        assert!(page.contains("<h1>a small experiment</h1>"));
        assert!(page.contains("1 of 1 claim hold") && page.contains("it is there"));
        assert!(!page.contains(lost));
    }
    fs::remove_file(&file).unwrap();
    for command in [&["report", "--all"][..], &of_folder] {
        let ended = lab.burnlab(command);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let page = page();
        assert!(page.contains("4 of 4 runs done") && page.contains(lost));
    }
    let index = fs::read_to_string(lab.path().join("results/index.html")).unwrap();
    assert!(index.contains("not known"), "{index}");
}
