//! Whole runs on a few digits.

use std::path::PathBuf;

use super::*;
use crate::backend::sole_use_of_chance;
use crate::data::Folders;
use crate::record::Picture;

/// Hears everything, and sets the stop flag after an epoch.
struct Ear<'a> {
    events: Vec<Event>,
    stop_after: usize,
    stop: &'a AtomicBool,
}

impl Reporter for Ear<'_> {
    fn hear(&mut self, event: &Event) -> Result<()> {
        if matches!(event, Event::Epoch(row) if row.epoch == self.stop_after) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.events.push(event.clone());
        Ok(())
    }
}

fn catalogue() -> Catalogue {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data");
    Catalogue::new(Folders::only(root))
}

/// Settings for 60 digits (and 20 for validation) of two classes, the rest as given.
fn settings(model: &str, train: &str, augment: &str) -> Settings {
    let text = format!(
        "[data]\ndataset = 'mnist'\ntrain = 60\nvalidation = 20\nclasses = [0, 1]\n
         [augment]\n{augment}\n
         [model.classifier]\nlayers = [{model}]\n
         [train]\nbatch_size = 25\nloss = 'cross_entropy'\nseeds = [0]\n{train}"
    );
    toml::from_str(&text).expect("the settings parse")
}

const NETWORK: &str = "
    { conv2d = { filters = 4, kernel = 3, stride = 2, activation = 'relu' } }, 'batch_normalization',
    'flatten', { dropout = { rate = 0.3 } }, { dense = { units = 'classes' } }";

/// Trains in a folder until done or stopped; gives the outcome and all that was heard.
fn attempt(settings: &Settings, folder: &RunFolder, stop_after: usize) -> (Outcome, Vec<Event>) {
    let stop = AtomicBool::new(false);
    let mut ear = Ear {
        events: Vec::new(),
        stop_after,
        stop: &stop,
    };
    folder.create().unwrap();
    let job = Job {
        settings,
        seed: 3,
        folder,
        device: &Device::cpu(),
        catalogue: &catalogue(),
        stop: &stop,
    };
    let outcome = train(&job, &mut ear).unwrap();
    (outcome, ear.events)
}

fn weights(folder: &RunFolder) -> Vec<u8> {
    std::fs::read(folder.file("weights.safetensors")).unwrap()
}

/// The epochs without what time tells.
fn losses(events: &[Event]) -> Vec<(usize, u64, u64)> {
    let row = |event: &Event| match event {
        Event::Epoch(row) => Some((
            row.epoch,
            row.train.loss.to_bits(),
            row.validation.map_or(0, |score| score.loss.to_bits()),
        )),
        _ => None,
    };
    events.iter().filter_map(row).collect()
}

#[test]
fn a_resumed_run_ends_with_the_same_weights_bit_for_bit() {
    let _alone = sole_use_of_chance();
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
        let (outcome, heard) = attempt(&settings, &straight, 0);
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

        assert_eq!(losses(&pieces), losses(&heard), "{optimizer}");
        assert!(weights(&straight) == weights(&halved), "{optimizer}");
        assert_eq!(halved.epochs().len(), 4);
        crate::train::remove_checkpoint(&halved);
        assert!(!halved.file("checkpoint.bin").exists());
    }
}

#[test]
fn a_damaged_checkpoint_costs_a_restart_and_nothing_else() {
    let _alone = sole_use_of_chance();
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
        let (outcome, heard) = attempt(&settings, &folder, 0);
        assert!(matches!(outcome, Outcome::Done(_)));
        assert_eq!(
            heard[0],
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
    let _alone = sole_use_of_chance();
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    attempt(
        &settings(NETWORK, "epochs = 2\noptimizer = 'adam'", ""),
        &folder,
        1,
    );
    let other = settings(NETWORK, "epochs = 2\noptimizer = 'sgd'", "");
    let (_, heard) = attempt(&other, &folder, 0);
    assert_eq!(
        heard[0],
        Event::Started {
            epochs: 2,
            epochs_done: 0
        }
    );
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_as_diverged() {
    let _alone = sole_use_of_chance();
    let settings = settings(
        "'flatten', { dense = { units = 20 } }, { dense = { units = 'classes' } }",
        "epochs = 5\noptimizer = { sgd = { learning_rate = 1e30 } }",
        "",
    );
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (outcome, heard) = attempt(&settings, &folder, 0);
    let Outcome::Diverged { epoch, reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(epoch, 1);
    assert_eq!(reason, "the training loss became NaN in epoch 1");
    assert_eq!(losses(&heard), []);
    assert_eq!(folder.epochs(), []);
}

#[test]
fn a_run_leaves_its_files_and_says_what_it_does() {
    let _alone = sole_use_of_chance();
    let settings = settings(
        NETWORK,
        "epochs = 2\noptimizer = 'adam'",
        "copies = [{ rotate = { degrees = 10 } }]",
    );
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let (outcome, heard) = attempt(&settings, &folder, 0);
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
    assert!((measured.test.accuracy - right as f64 / 2_115.0).abs() < 1e-9);
    assert!(measured.best_epoch.is_some() && measured.best.is_some());

    // 60 digits and 60 copies, 25 a batch.
    let last = Event::Progress {
        epoch: 2,
        batch: 5,
        batches: 5,
    };
    assert!(heard.contains(&last));
    let pictures: Vec<&Picture> = heard
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
    let names: Vec<&str> = heard
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
fn frozen_layers_stay_as_the_file_has_them_and_the_others_learn() {
    let _alone = sole_use_of_chance();
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
        frozen.start = Some(toml::from_str(&table).unwrap());
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
    let _alone = sole_use_of_chance();
    let temporary = tempfile::tempdir().unwrap();
    let first = RunFolder::new(temporary.path().join("first"));
    let plain = settings(NETWORK, "epochs = 2\noptimizer = 'adam'", "");
    attempt(&plain, &first, 0);
    let loss_of_first_epoch = |start: Option<&str>, name: &str| {
        let mut settings = settings(NETWORK, "epochs = 1\noptimizer = 'adam'", "");
        settings.start = start.map(|start| toml::from_str(start).unwrap());
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
    let mut settings = settings(NETWORK, "epochs = 1\noptimizer = 'adam'", "");
    settings.start = Some(toml::from_str("weights = 'nowhere.safetensors'").unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let stop = AtomicBool::new(false);
    let job = Job {
        settings: &settings,
        seed: 0,
        folder: &folder,
        device: &Device::cpu(),
        catalogue: &catalogue(),
        stop: &stop,
    };
    let mut ear = Ear {
        events: Vec::new(),
        stop_after: 0,
        stop: &stop,
    };
    let error = train(&job, &mut ear).unwrap_err();
    assert_eq!(
        error.problems[0].message,
        "cannot read the weights: no such file or directory"
    );
}

/// All tensors of a file, as bytes.
fn tensors(path: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, tensor)| (name, tensor.data().to_vec()))
        .collect()
}
