//! What a run measures and leaves.

use super::*;

#[test]
fn a_curve_of_the_test_set_changes_no_number() {
    let _alone = sole_use_of_graphs();
    let plain = settings(NETWORK, "epochs = 3\noptimizer = 'adagrad'", "");
    let mut with_curve = plain.clone();
    with_curve.record = toml::from_str("test = 'every_epoch'\nhistograms = 'never'").unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let train = |settings: &Settings, name: &str| {
        let folder = RunFolder::new(temporary.path().join(name));
        let (outcome, events) = attempt(settings, &folder, 0);
        let Outcome::Done(measured) = outcome else {
            panic!("{outcome:?}")
        };
        (measured.test, weights(&folder), events)
    };
    let (test, weights, without) = train(&plain, "plain");
    let (same_test, same_weights, with) = train(&with_curve, "curve");
    assert_eq!((test, &weights), (same_test, &same_weights));
    assert_eq!(losses(&without), losses(&with));
    let curve = |events: &[Event]| -> Vec<Option<Score>> {
        let row = |event: &Event| match event {
            Event::Epoch(row) => Some(row.test),
            _ => None,
        };
        events.iter().filter_map(row).collect()
    };
    assert_eq!(curve(&without), [None; 3]);
    assert_eq!(curve(&with)[2], Some(test));
    assert!(curve(&with)[0].is_some());
    let is_histogram = |event: &Event| matches!(event, Event::Histogram { .. });
    assert!(without.iter().any(is_histogram) && !with.iter().any(is_histogram));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_as_diverged() {
    let _alone = sole_use_of_graphs();
    let settings = settings(
        "'flatten', { dense = { units = 20 } }, { dense = { units = 'classes' } }",
        "epochs = 5\noptimizer = { sgd = { learning_rate = 1e30 } }",
        "",
    );
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (outcome, events) = attempt(&settings, &folder, 0);
    let Outcome::Diverged { epoch, reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(epoch, 1);
    assert_eq!(reason, "the training loss became NaN in epoch 1");
    assert_eq!(losses(&events), []);
    assert_eq!(folder.epochs(), []);
}

#[test]
fn a_run_leaves_its_files_and_says_what_it_does() {
    let _alone = sole_use_of_graphs();
    let settings = settings(
        NETWORK,
        "epochs = 2\noptimizer = 'adam'",
        "copies = [{ rotate = { degrees = 10 } }]",
    );
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (outcome, events) = attempt(&settings, &folder, 0);
    for file in [
        "weights.safetensors",
        "best.safetensors",
        "epochs.csv",
        "confusion.csv",
    ] {
        assert!(folder.file(file).exists(), "{file}");
    }
    let Outcome::Done(measured) = outcome else {
        panic!("{outcome:?}")
    };
    let tested: usize = measured.confusion.iter().flatten().sum();
    let right: usize = (0..2).map(|class| measured.confusion[class][class]).sum();
    assert_eq!(tested, 2_115);
    let accuracy = measured.test.accuracy.expect("it is a classifier");
    assert!((accuracy - right as f64 / 2_115.0).abs() < 1e-9);
    assert!(measured.best_epoch.is_some() && measured.best.is_some());

    // 60 digits and 60 copies, 25 a batch.
    let last = Event::Progress {
        epoch: 2,
        batch: 5,
        batches: 5,
    };
    assert!(events.contains(&last));
    let pictures: Vec<&Picture> = events
        .iter()
        .filter_map(|event| match event {
            Event::Inputs(pictures) => Some(pictures),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(pictures.len(), 16);
    assert!(
        pictures
            .iter()
            .all(|picture| picture.pixels.len() == 28 * 28)
    );
    let names: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Histogram { name, epoch: 1, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert!(names.contains(&"conv2d_1/weight"));
    assert!(names.contains(&"dense_1/bias/gradient"), "{names:?}");
}

#[test]
fn images_are_measured_in_batches_of_any_size() {
    let _alone = sole_use_of_graphs();
    let measured = |train: &str| {
        let settings = settings(
            NETWORK,
            &format!("epochs = 1\noptimizer = 'adam'\n{train}"),
            "",
        );
        trained(&settings).0
    };
    let auto = measured("");
    for size in [1, 7, 5000] {
        let other = measured(&format!("evaluation_batch_size = {size}"));
        assert_eq!(other.confusion, auto.confusion);
        let (one, two) = (auto.test.loss, other.test.loss);
        // Thousands of 32-bit losses, added up in parts of another size.
        assert!((one - two).abs() < 1e-5 * one.abs(), "{one} against {two}");
    }
}

#[test]
fn only_the_final_weights_are_kept_where_best_is_none() {
    let _alone = sole_use_of_graphs();
    let plain = settings(NETWORK, "epochs = 2\noptimizer = 'adam'", "");
    let none = settings(NETWORK, "epochs = 2\noptimizer = 'adam'\nbest = 'none'", "");
    let temporary = tempfile::tempdir().unwrap();
    let train = |settings: &Settings, name: &str| {
        let folder = RunFolder::new(temporary.path().join(name));
        let (outcome, _) = attempt(settings, &folder, 0);
        let Outcome::Done(measured) = outcome else {
            panic!("{outcome:?}")
        };
        (folder, measured)
    };
    let (kept, with) = train(&plain, "plain");
    let (alone, without) = train(&none, "none");
    assert!(kept.file("best.safetensors").exists() && !alone.file("best.safetensors").exists());
    assert!(with.best.is_some() && with.best_epoch.is_some());
    assert_eq!((without.best, without.best_epoch), (None, None));
    assert!(weights(&kept) == weights(&alone));
}
