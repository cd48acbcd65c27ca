//! Weights to start from, and layers that stay as they are.

use super::*;
use crate::tagged::OrNone;

#[test]
fn frozen_layers_stay_as_the_file_has_them_and_the_others_learn() {
    let _alone = sole_use_of_graphs();
    let temporary = tempfile::tempdir().unwrap();
    let first = RunFolder::new(temporary.path().join("first"));
    let plain = settings(NETWORK, "epochs = 1\noptimizer = 'adam'", "");
    attempt(&plain, &first, 0);
    let start = first.file("weights.safetensors");
    let all = tensors(&start);

    for layers in [
        "freeze = ['conv*', 'batch*']",
        "train_only = ['dense_1', 'dropout_1']",
    ] {
        let decay = "optimizer = { adamw = { weight_decay = 0.1 } }";
        let mut frozen = settings(NETWORK, &format!("epochs = 3\n{decay}\n{layers}"), "");
        let table = format!("weights = '{}'", start.display());
        frozen.start = OrNone(Some(toml::from_str(&table).unwrap()));
        let folder = RunFolder::new(temporary.path().join(layers));
        // Stopped and resumed, since a checkpoint must not thaw anything.
        attempt(&frozen, &folder, 1);
        let (outcome, _) = attempt(&frozen, &folder, 0);
        assert!(matches!(outcome, Outcome::Done(_)));
        for (name, values) in tensors(&folder.file("weights.safetensors")) {
            let stayed = values == all[&name];
            assert_eq!(stayed, !name.starts_with("dense_1"), "{name} with {layers}");
        }
    }
}

#[test]
fn a_run_that_starts_from_the_weights_of_another_starts_where_that_ended() {
    let _alone = sole_use_of_graphs();
    let temporary = tempfile::tempdir().unwrap();
    let first = RunFolder::new(temporary.path().join("first"));
    let plain = settings(NETWORK, "epochs = 2\noptimizer = 'adam'", "");
    attempt(&plain, &first, 0);
    let loss_of_first_epoch = |start: Option<&str>, name: &str| {
        let mut settings = settings(NETWORK, "epochs = 1\noptimizer = 'adam'", "");
        settings.start = OrNone(start.map(|start| toml::from_str(start).unwrap()));
        let folder = RunFolder::new(temporary.path().join(name));
        attempt(&settings, &folder, 0);
        folder.epochs()[0].train.loss
    };
    let path = first.file("weights.safetensors");
    let fresh = loss_of_first_epoch(None, "fresh");
    let warm = loss_of_first_epoch(Some(&format!("weights = '{}'", path.display())), "warm");
    assert!(warm < 0.7 * fresh, "{warm} against {fresh}");
    let head = format!("weights = '{}'\ninclude = ['batch*']", path.display());
    let head = loss_of_first_epoch(Some(&head), "head");
    assert!(
        head > warm && head != fresh,
        "{head} against {warm} and {fresh}"
    );
}

#[test]
fn weights_that_are_not_there_fail_the_run() {
    let temporary = tempfile::tempdir().unwrap();
    let (outcome, _) = attempt_in(&temporary, "run", |settings, _| {
        settings.start = OrNone(Some(
            toml::from_str("weights = 'nowhere.safetensors'").unwrap(),
        ));
    });
    let error = outcome.unwrap_err();
    assert_eq!(
        error.problems[0].message,
        "cannot read the weights: no such file or directory"
    );
}

#[test]
fn weights_that_changed_since_the_run_was_planned_fail_it() {
    let _alone = sole_use_of_graphs();
    let temporary = tempfile::tempdir().unwrap();
    let (_, first) = attempt_in(&temporary, "first", |_, _| {});
    let file = first.file("weights.safetensors");
    let planned = WeightFile::read(&file, Naming::default())
        .unwrap()
        .sha256()
        .to_string();
    let start = |settings: &mut Settings| {
        let start = format!("weights = '{}'", file.display());
        settings.start = OrNone(Some(toml::from_str(&start).unwrap()));
    };
    let (outcome, _) = attempt_in(&temporary, "same", |settings, job_weights| {
        start(settings);
        *job_weights = Some(planned.clone());
    });
    assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    let (outcome, _) = attempt_in(&temporary, "other", |settings, job_weights| {
        start(settings);
        *job_weights = Some(planned.replace(|_: char| true, "0"));
    });
    assert_eq!(
        outcome.unwrap_err().problems[0].message,
        format!(
            "the weights `{}` have changed since the run was planned",
            file.display()
        )
    );
}
