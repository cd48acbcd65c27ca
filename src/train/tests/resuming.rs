//! Runs that are stopped, killed or damaged, and go on.

use super::*;

#[test]
fn a_resumed_run_ends_with_the_same_weights_bit_for_bit() {
    let _alone = sole_use_of_graphs();
    for optimizer in [
        "{ adam = { learning_rate = 0.01 } }",
        "{ sgd = { momentum = 0.9, nesterov = true } }",
        "{ rmsprop = { momentum = 0.5, centered = true, learning_rate = 0.001 } }",
        "'adagrad'",
    ] {
        let settings = settings(
            NETWORK,
            &format!("epochs = 4\noptimizer = {optimizer}"),
            "random = [{ rotate = { degrees = [-10, 10] } }]",
        );
        let temporary = tempfile::tempdir().unwrap();
        let straight = RunFolder::new(temporary.path().join("straight"));
        let (outcome, events) = attempt(&settings, &straight, 0);
        let Outcome::Done(measured) = outcome else {
            panic!("{outcome:?}")
        };

        let halved = RunFolder::new(temporary.path().join("halved"));
        let (outcome, mut pieces) = attempt(&settings, &halved, 2);
        assert_eq!(outcome, Outcome::Interrupted);
        let (outcome, rest) = attempt(&settings, &halved, 0);
        assert_eq!(
            rest[0],
            Event::Started {
                epochs: 4,
                epochs_done: 2
            }
        );
        assert_eq!(outcome, Outcome::Done(measured));
        pieces.extend(rest);

        assert_eq!(losses(&pieces), losses(&events), "{optimizer}");
        assert!(weights(&straight) == weights(&halved), "{optimizer}");
        assert_eq!(halved.epochs().len(), 4);
        crate::train::remove_checkpoint(&halved);
        assert!(!halved.file("checkpoint.bin").exists());
    }
}

#[test]
fn a_run_that_is_stopped_keeps_every_epoch_however_seldom_it_writes_checkpoints() {
    let _alone = sole_use_of_graphs();
    let mut settings = settings(NETWORK, "epochs = 5\noptimizer = 'adam'", "");
    settings.record = toml::from_str("checkpoint_every = 100").unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (outcome, _) = attempt(&settings, &folder, 3);
    assert_eq!(outcome, Outcome::Interrupted);
    let (_, events) = attempt(&settings, &folder, 0);
    let started = Event::Started {
        epochs: 5,
        epochs_done: 3,
    };
    assert_eq!(events[0], started);
}

#[test]
fn a_resumed_run_with_everything_switched_on_ends_with_the_same_weights() {
    let _alone = sole_use_of_graphs();
    let mut settings = settings(
        NETWORK,
        "epochs = 5\noptimizer = { adamw = { learning_rate = 0.01 } }\nschedule = 'one_cycle'
         warm_up = { steps = 2 }\nclip = { norm = 0.5 }\naccumulate = 2\n
         average = { ema = { decay = 0.5 } }\nbest = { metric = 'validation_accuracy' }
         early_stopping = { metric = 'train_loss', patience = 4 }",
        "batch = ['mixup', 'cutmix']",
    );
    settings.train.loss = serde_json::from_str(
        r#"{"cross_entropy": {"label_smoothing": 0.1, "class_weights": "balanced"}}"#,
    )
    .unwrap();
    let (measured, folder, _temporary) = same_when_resumed(&settings, 3);
    assert!(measured.best_epoch.is_some());
    let rows = folder.epochs();
    // Three batches and so two steps an epoch, of which the warm-up has the first two.
    let first = settings.train.training_plan(60).interval(1);
    let rates = settings
        .train
        .rates(Kind::Classifier, &first, &[])
        .remove(0);
    assert_eq!(rates.span, Span { epoch: 2, all: 10 });
    for row in &rows {
        assert_eq!(row.learning_rate, rates.at(2 * row.epoch - 1));
        assert!(row.gradient_norm.unwrap() > 0.0);
    }
    assert_eq!(rows[0].learning_rate, 0.005);
}

#[test]
fn a_run_killed_between_its_last_epoch_and_its_end_does_not_train_on() {
    let _alone = sole_use_of_graphs();
    let settings = settings(
        "'flatten', { dense = { units = 'classes' } }",
        "epochs = 9\noptimizer = 'sgd'\nearly_stopping = { patience = 1, min_delta = 100 }",
        "",
    );
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (first, _) = attempt(&settings, &folder, 0);
    let (again, events) = attempt(&settings, &folder, 0);
    assert_eq!(losses(&events), []);
    assert_eq!(again, first);
}

#[test]
fn a_damaged_checkpoint_costs_a_restart_and_nothing_else() {
    let _alone = sole_use_of_graphs();
    let settings = settings(NETWORK, "epochs = 2\noptimizer = 'adam'", "");
    let temporary = tempfile::tempdir().unwrap();
    let sound = RunFolder::new(temporary.path().join("sound"));
    attempt(&settings, &sound, 1);
    let checkpoint = std::fs::read(sound.file("checkpoint.bin")).unwrap();
    let mut flipped = checkpoint.clone();
    flipped[checkpoint.len() / 2] ^= 1;
    let half = checkpoint[..checkpoint.len() / 2].to_vec();
    attempt(&settings, &sound, 0);
    for damaged in [flipped, half, b"something else".to_vec(), Vec::new()] {
        let folder = RunFolder::new(temporary.path().join("damaged"));
        folder.create().unwrap();
        std::fs::write(folder.file("checkpoint.bin"), damaged).unwrap();
        let (outcome, events) = attempt(&settings, &folder, 0);
        assert!(matches!(outcome, Outcome::Done(_)));
        assert_eq!(
            events[0],
            Event::Started {
                epochs: 2,
                epochs_done: 0
            }
        );
        assert!(weights(&folder) == weights(&sound));
    }
}

#[test]
fn a_checkpoint_of_other_settings_is_not_used() {
    let _alone = sole_use_of_graphs();
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    attempt(
        &settings(NETWORK, "epochs = 2\noptimizer = 'adam'", ""),
        &folder,
        1,
    );
    let other = settings(NETWORK, "epochs = 2\noptimizer = 'sgd'", "");
    let (_, events) = attempt(&other, &folder, 0);
    assert_eq!(
        events[0],
        Event::Started {
            epochs: 2,
            epochs_done: 0
        }
    );
}
