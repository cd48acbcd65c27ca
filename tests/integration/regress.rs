//! The regression gate from the command line: equal, fallen, accepted, and every mistake in a reference.

use std::fs;
use std::path::PathBuf;

use crate::lab::{Ended, Lab, SMALL};

/// A lab with an experiment of two runs and its reference.
struct Gate {
    lab: Lab,
    file: PathBuf,
    reference: PathBuf,
}

impl Gate {
    fn new() -> Self {
        let lab = Lab::new();
        let small = SMALL.split("[variants.plain]").next().unwrap();
        let file = lab.file("small.toml", small);
        let reference = lab.path().join("reference.csv");
        Gate {
            lab,
            file,
            reference,
        }
    }

    fn accepted() -> Self {
        let gate = Gate::new();
        let ended = gate.regress(&["--accept"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        gate
    }

    fn regress(&self, more: &[&str]) -> Ended {
        let paths = [&self.file, &self.reference].map(|path| path.to_str().unwrap());
        let mut arguments = vec!["regress", paths[0], "--reference", paths[1], "--quiet"];
        arguments.extend(more);
        let summary = self.lab.path().join("summary.md");
        let mut command = self.lab.command(&arguments);
        let output = command.env("GITHUB_STEP_SUMMARY", summary).output();
        output.expect("burnlab starts").into()
    }

    fn table(&self) -> String {
        fs::read_to_string(&self.reference).unwrap()
    }

    fn change(&self, change: impl Fn(&str) -> String) {
        fs::write(&self.reference, change(&self.table())).unwrap();
    }

    /// What is said of a reference that is not fit, without the lab's path; nothing is overwritten.
    fn mistake(&self, change: impl Fn(&str) -> String) -> String {
        let sound = self.table();
        self.change(change);
        let before = self.table();
        let ended = self.regress(&[]);
        assert_eq!((ended.code, self.table()), (3, before), "{}", ended.err);
        fs::write(&self.reference, sound).unwrap();
        self.short(&ended.err)
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.lab.path().display()), "")
    }

    /// The cell below a column in the row of a seed.
    fn cell(&self, seed: usize, column: &str) -> String {
        let table = crate::lab::Table::read(&self.table());
        table.column(column)[seed].to_string()
    }
}

#[test]
fn accepted_numbers_are_equal_the_next_time_and_any_other_digit_fails() {
    let gate = Gate::accepted();
    let table = gate.table();
    assert!(
        table.starts_with("experiment,variant,seed,id,burnlab,burn,device,date,train_accuracy,")
    );
    assert_eq!(table.lines().count(), 3);
    let report = gate.lab.path().join("junit.xml");
    let report = report.to_str().unwrap();

    let ended = gate.regress(&["--junit", report]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    let xml = fs::read_to_string(report).unwrap();
    assert!(xml.contains(r#"failures="0" errors="0""#), "{xml}");
    let accuracy = r#"<testcase name="default test_accuracy" classname="small.default""#;
    assert!(xml.contains(accuracy), "{xml}");
    let page = fs::read_to_string(gate.lab.path().join("summary.md")).unwrap();
    assert!(
        page.starts_with("## \u{2705} burnlab regress\n\n"),
        "{page}"
    );

    // By hand: more than 1 is more than any accuracy now.
    let accuracy = gate.cell(1, "test_accuracy");
    let last = |table: &str| {
        let at = table.rfind(&accuracy).expect("it is there");
        format!("{}1.5{}", &table[..at], &table[at + accuracy.len()..])
    };
    gate.change(last);
    let ended = gate.regress(&["--junit", report]);
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert_eq!(
        gate.short(&ended.err),
        "error: the numbers are not those of the reference\n  reference.csv\n  \
         hint: if they are meant to change, `burnlab regress --accept` writes the reference anew\n"
    );
    assert!(ended.out.contains("DIFFERS"), "{}", ended.out);
    assert!(
        ended
            .out
            .contains("rule: equal to the reference's last printed digit")
    );
    let xml = fs::read_to_string(report).unwrap();
    assert!(
        xml.contains("<failure message=\"DIFFERS: seed 1 has 0.1822, not 1.5: expected "),
        "{xml}"
    );
    let page = fs::read_to_string(gate.lab.path().join("summary.md")).unwrap();
    assert!(page.contains("## \u{274c} burnlab regress\n\n"), "{page}");

    // Accepting shows the change and brings the table back.
    let ended = gate.regress(&["--accept"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("test_accuracy"), "{}", ended.out);
    assert!(!ended.out.contains("test_loss"), "{}", ended.out);
    assert_eq!(gate.table(), table);
    let ended = gate.regress(&["--accept"]);
    assert!(ended.out.starts_with("nothing changed\n"), "{}", ended.out);
}

#[test]
fn other_settings_are_compared_by_the_interval_only() {
    let gate = Gate::accepted();
    let id = gate.cell(0, "id");
    let ended = gate.regress(&["--set", "train.epochs=1"]);
    assert_eq!(ended.code, 3, "{}", ended.err);
    let start = "error: the reference is of other settings: expected the id `";
    assert!(ended.err.starts_with(start), "{}", ended.err);
    assert!(
        ended
            .err
            .contains(&format!("found `{id}`; so are 2 runs in all\n"))
    );
    assert!(ended.err.ends_with(
        "hint: `--accept` writes the reference anew, `--tolerance interval` compares other settings with it\n"
    ));
    // Two seeds of so little training say little: other seeds lie in the interval.
    let fresh = gate.regress(&["--tolerance", "interval", "--set", "train.seeds=[7, 8, 9]"]);
    assert_eq!(fresh.code, 0, "{}{}", fresh.out, fresh.err);
    // A run without a result is worse than any number.
    let wild = "train.optimizer={sgd={learning_rate=1e30}}";
    let ended = gate.regress(&["--tolerance", "interval", "--set", wild]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(
        ended
            .err
            .contains("2 runs without a result:\n  `small`, `default`, seed 0 diverged: ")
    );
}

#[test]
fn every_mistake_in_a_reference_is_reported_at_its_place() {
    let gate = Gate::accepted();
    let loss = gate.cell(1, "test_loss");
    let row = gate.table().lines().nth(2).unwrap().to_string();
    let place = |line: usize, cell: &str, text: &str| {
        let text = text.to_string();
        let column = text.find(cell).unwrap() + 1;
        format!("reference.csv:{line}:{column} ")
    };

    let said = gate.mistake(|table| table.replace(&loss, "0.5x"));
    assert!(
        said.starts_with("error: expected a finite number, found `0.5x`\n"),
        "{said}"
    );
    let changed = row.replace(&loss, "0.5x");
    assert!(
        said.contains(&format!("{}test_loss\n", place(3, "0.5x", &changed))),
        "{said}"
    );
    assert!(said.ends_with(
        "hint: mend it or remove the file; `burnlab regress --accept` then writes it anew\n"
    ));

    let said = gate.mistake(|table| table.replace("test_loss", "test_los"));
    assert!(
        said.starts_with("error: no metric is called `test_los` in this version\n"),
        "{said}"
    );
    assert!(
        said.ends_with("hint: did you mean `test_loss`?\n"),
        "{said}"
    );

    let said = gate.mistake(|table| table.replace(",seed,", ",seeds,"));
    assert!(
        said.starts_with("error: expected the column `seed`, found `seeds`\n"),
        "{said}"
    );
    assert!(said.contains("reference.csv:1:20 seeds\n"), "{said}");

    let said = gate.mistake(|table| table[..table.len() - 9].to_string());
    assert!(said.contains("reference.csv:3:1 experiment\n"), "{said}");

    let said = gate.mistake(|table| table.replace(&format!("{row}\n"), ""));
    assert_eq!(
        said,
        "error: the reference has no run `small`, `default`, seed 1\n  reference.csv\n  \
         hint: `burnlab regress --accept` writes the reference anew\n"
    );

    let said = gate.mistake(|table| format!("{table}{}\n", row.replace(",1,", ",2,")));
    let start =
        "error: the reference has a run that no experiment has: `small`, `default`, seed 2\n";
    assert!(said.starts_with(start), "{said}");
    assert!(said.contains("reference.csv:4:1 experiment\n"), "{said}");

    let said = gate.mistake(|table| format!("{table}{row}\n"));
    assert!(
        said.starts_with("error: the run `small`, `default`, seed 1 is there twice\n"),
        "{said}"
    );

    let said = gate.mistake(|_| String::new());
    assert!(
        said.starts_with("error: the reference has no runs\n"),
        "{said}"
    );

    // Nor is a damaged table overwritten.
    gate.change(|table| table.replace(&loss, "?"));
    let before = gate.table();
    let ended = gate.regress(&["--accept"]);
    assert_eq!((ended.code, gate.table()), (3, before));
}

#[test]
fn what_is_not_there_is_reported_before_anything_runs() {
    let gate = Gate::new();
    let ended = gate.regress(&[]);
    assert_eq!(
        (ended.code, gate.short(&ended.err).as_str()),
        (
            3,
            "error: there is no reference to compare with\n  reference.csv\n  \
             hint: `burnlab regress --accept` writes the reference anew\n"
        )
    );
    let ended = gate.lab.burnlab(&["regress", "regression/clasifier"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: there is no experiment file `regression/clasifier`\n  \
             hint: did you mean `regression/classifier`?\n"
        )
    );
    let ended = gate.regress(&["--accept", "--set", "train.epochs=1"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(!gate.reference.exists());
}

#[test]
fn the_committed_reference_is_of_the_committed_experiments() {
    let text = fs::read_to_string("results/reference/regression.csv").unwrap();
    let table = crate::lab::Table::read(&text);
    for entry in fs::read_dir("experiments/regression").unwrap() {
        let name = entry.unwrap().path();
        let name = format!("regression/{}", name.file_stem().unwrap().to_str().unwrap());
        assert!(table.count("experiment", &name) >= 3, "{name}");
    }
}
