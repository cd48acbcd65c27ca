//! Whole runs on a few digits.

use std::path::PathBuf;

use super::*;
use crate::backend::testing::{sole_use_of_graphs, test_device};
use crate::data::Folders;
use crate::models::Kind;
use crate::network::Naming;
use crate::optim::schedule::Span;
use crate::record::Picture;
use crate::tagged::OrNone;
use crate::value::Positive;
use tempfile::TempDir;

/// Records everything, and sets the stop flag after an epoch.
struct Recorder<'a> {
    events: Vec<Event>,
    stop_after: usize,
    stop: &'a AtomicBool,
}

impl Reporter for Recorder<'_> {
    fn on_event(&mut self, event: &Event) -> Result<()> {
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

/// Trains in a folder until done or stopped; gives the outcome and all events.
fn attempt(settings: &Settings, folder: &RunFolder, stop_after: usize) -> (Outcome, Vec<Event>) {
    let stop = AtomicBool::new(false);
    let mut recorder = Recorder {
        events: Vec::new(),
        stop_after,
        stop: &stop,
    };
    folder.create().unwrap();
    let job = Job {
        weights: None,
        until: None,
        settings,
        earlier: &[],
        seed: 3,
        folder,
        device: test_device(),
        catalogue: &catalogue(),
        stop: &stop,
    };
    let outcome = train(&job, &mut recorder).unwrap();
    (outcome, recorder.events)
}

fn weights(folder: &RunFolder) -> Vec<u8> {
    std::fs::read(folder.file("weights.safetensors")).unwrap()
}

/// The epochs without their times.
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

/// Settings of models of which training computes all that others do, besides convolutions.
const EVERY_KIND: [&str; 3] = [
    "[model.classifier]
     layers = [
       { reshape = { shape = [28, 28] } }, { lstm = { units = 9, return_sequences = true } }, { gru = { units = 7 } },
       'layer_normalization', { dense = { units = 'classes', l2 = 1e-3 } },
     ]
     [train]
     loss = 'cross_entropy'",
    "[model.autoencoder]
     encoder = ['flatten', { dense = { units = 20, activation = 'tanh' } }, { gaussian_code = { units = 3 } }]
     decoder = [{ dense = { units = 20, activation = 'softplus' } }, { dense = { units = 784, activation = 'sigmoid' } }]
     [train]
     loss = { binary_cross_entropy = { over_pixels = 'sum' } }",
    "[model.gan]
     latent = 4
     generator = [
       { dense = { units = 245, activation = 'elu' } }, { reshape = { shape = [5, 7, 7] } },
       { conv2d_transpose = { filters = 4, kernel = 3, stride = 2, activation = 'relu' } }, { upsampling = { size = 2 } },
       { conv2d = { filters = 1, kernel = 3, activation = 'sigmoid' } },
     ]
     discriminator = [
       { conv2d = { filters = 6, kernel = 3, stride = 2, activation = 'leaky_relu' } }, { squeeze_excite = { ratio = 2 } },
       'flatten', { dense = { units = 1, activation = 'sigmoid' } },
     ]
     [train]
     loss = 'binary_cross_entropy'",
];

/// Layers that the others lack.
const VOLUMES: &str = "[model.classifier]
     layers = [
       { reshape = { shape = [1, 4, 14, 14] } }, { conv3d = { filters = 5, kernel = 3, stride = [1, 2, 2], activation = 'gelu' } },
       { conv3d_transpose = { filters = 3, kernel = 2, stride = [1, 2, 1], activation = 'silu' } }, { avg_pool3d = {} },
       { max_pool3d = {} }, 'flatten', { dense = { units = 'classes' } },
     ]
     [train]
     schedule = 'cosine'
     loss = 'cross_entropy'";

/// The first digits of the SHA-256 of the weights that a few steps leave, and of the numbers that were measured: a network of
/// convolutions, then [`EVERY_KIND`], then [`VOLUMES`].
const DIGESTS: [[&str; 2]; 5] = [
    ["61a8bb5e0a830fcb", "46d8c1871513d5a3"],
    ["daa12227c502da10", "d712f5ca984d1bc6"],
    ["4b935437f2830756", "4c1991f6b8c087b5"],
    ["969c70a15330680c", "fc76c6b3035b50db"],
    ["994ed6e303bdb486", "a63a8ed4c063a8e1"],
];

/// The promise that one file gives one result on every processor, across machines: what one of them wrote down.
#[test]
fn a_run_on_the_cpu_gives_the_bits_that_another_machine_gave() {
    if test_device().kernels().is_none() {
        return;
    }
    let _alone = sole_use_of_graphs();
    let recipe = "random = [{ rotate = { degrees = [-10, 10] } }]";
    let mut all = vec![settings(NETWORK, "epochs = 2\noptimizer = 'adam'", recipe)];
    all.extend(EVERY_KIND.into_iter().chain([VOLUMES]).map(|model| {
        let data =
            "[data]\ndataset = 'mnist'\ntrain = 60\nvalidation = 20\nclasses = [0, 1]\n[augment]\n";
        let train =
            "\nepochs = 2\nbatch_size = 25\noptimizer = 'adam'\nseeds = [0]\nclip = { norm = 1.0 }";
        toml::from_str(&format!("{data}{model}{train}")).expect("the settings parse")
    }));
    let temporary = tempfile::tempdir().unwrap();
    let digest = |bytes: &[u8]| {
        use sha2::{Digest, Sha256};
        crate::hex::hex(&Sha256::digest(bytes)[..8])
    };
    let digests = |(number, settings): (usize, &Settings)| -> [String; 2] {
        let folder = RunFolder::new(temporary.path().join(number.to_string()));
        let (outcome, _) = attempt(settings, &folder, 0);
        let Outcome::Done(measured) = outcome else {
            panic!("{outcome:?}")
        };
        let rows = folder.epochs().into_iter().map(|row| {
            let scores = (row.train, row.validation);
            serde_json::to_string(&(scores, row.learning_rate, row.gradient_norm)).unwrap()
        });
        let numbers = rows.collect::<String>() + &serde_json::to_string(&measured).unwrap();
        [digest(&weights(&folder)), digest(numbers.as_bytes())]
    };
    let received: Vec<[String; 2]> = all.iter().enumerate().map(digests).collect();
    assert_eq!(received, DIGESTS);
}

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

/// Trains straight through and again with a stop after an epoch; both must come to the same.
fn same_when_resumed(settings: &Settings, stop_after: usize) -> (Measured, RunFolder, TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let straight = RunFolder::new(temporary.path().join("straight"));
    let (outcome, events) = attempt(settings, &straight, 0);
    let Outcome::Done(measured) = outcome else {
        panic!("{outcome:?}")
    };
    let halved = RunFolder::new(temporary.path().join("halved"));
    let (outcome, mut pieces) = attempt(settings, &halved, stop_after);
    assert_eq!(outcome, Outcome::Interrupted);
    let (outcome, rest) = attempt(settings, &halved, 0);
    pieces.extend(rest);
    if !test_device().is_cpu() {
        // A GPU adds in whatever order its threads come: numbers repeat, but not to the last bit.
        let Outcome::Done(again) = outcome else {
            panic!("{outcome:?}")
        };
        let (one, other) = (measured.test.loss, again.test.loss);
        assert!((one - other).abs() <= 1e-4 * one.abs(), "{one}, {other}");
        assert_eq!(losses(&pieces).len(), losses(&events).len());
        return (*measured, straight, temporary);
    }
    assert_eq!(outcome, Outcome::Done(measured.clone()));
    assert_eq!(losses(&pieces), losses(&events));
    assert!(weights(&straight) == weights(&halved));
    for file in ["best.safetensors", "last.safetensors"] {
        let read = |folder: &RunFolder| std::fs::read(folder.file(file)).ok();
        assert!(read(&straight) == read(&halved), "{file}");
    }
    (*measured, straight, temporary)
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
fn a_run_that_no_longer_gets_better_stops_is_done_and_restores_its_best_weights() {
    let _alone = sole_use_of_graphs();
    // So large a rate that no epoch is better than the first by 1 in accuracy.
    let settings = settings(
        "'flatten', { dense = { units = 'classes' } }",
        "epochs = 9\noptimizer = 'sgd'\n
         early_stopping = { metric = 'validation_accuracy', patience = 2, min_delta = 1 }",
        "",
    );
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    assert!(measured.stopped_early);
    assert_eq!(folder.epochs().len(), 3);
    // The final weights are those of one epoch of the same training, those of the third are kept too.
    let mut short = settings.clone();
    short.train.epochs = Positive(1);
    short.train.early_stopping = OrNone(None);
    let temporary = tempfile::tempdir().unwrap();
    let one = RunFolder::new(temporary.path());
    attempt(&short, &one, 0);
    assert!(weights(&one) == weights(&folder));
    let last = std::fs::read(folder.file("last.safetensors")).unwrap();
    short.train.epochs = Positive(3);
    let three = RunFolder::new(temporary.path().join("three"));
    attempt(&short, &three, 0);
    assert!(weights(&three) == last);
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

/// All numbers of a safetensors file: 8 bytes of the header's length, the header, 32-bit floats.
fn numbers(bytes: &[u8]) -> Vec<f32> {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let floats = bytes[8 + header..].chunks_exact(4);
    floats
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

#[test]
fn batches_that_make_a_step_together_are_as_one_batch() {
    let _alone = sole_use_of_graphs();
    // 60 images: 30 + 30 against 15 + 15 and 15 + 15, then 40 + 20 against 20 + 20 and 20.
    for (batch_size, whole) in [(15, 30), (20, 40)] {
        let trained = |batch_size: usize, accumulate: usize| {
            let mut settings = settings(
                "{ conv2d = { filters = 3, kernel = 5, stride = 3, activation = 'relu' } }, 'flatten',
                 { dense = { units = 'classes' } }",
                "epochs = 3\noptimizer = { sgd = { learning_rate = 0.1, momentum = 0.9 } }",
                "",
            );
            settings.train.batch_size = Positive(batch_size);
            settings.train.accumulate = Positive(accumulate);
            let temporary = tempfile::tempdir().unwrap();
            let folder = RunFolder::new(temporary.path());
            attempt(&settings, &folder, 0);
            let norms: Vec<f64> = folder
                .epochs()
                .iter()
                .map(|row| row.gradient_norm.unwrap())
                .collect();
            (numbers(&weights(&folder)), norms)
        };
        let (parts, part_norms) = trained(batch_size, 2);
        let (whole, norms) = trained(whole, 1);
        assert_eq!(parts.len(), whole.len());
        let off = parts.iter().zip(&whole).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-5);
        for (a, b) in part_norms.iter().zip(norms) {
            assert!((a - b).abs() < 1e-4, "{a} against {b}");
        }
    }
}

#[test]
fn the_averaged_weights_are_the_final_ones_and_training_goes_on_with_its_own() {
    let _alone = sole_use_of_graphs();
    let trained = |epochs: usize, average: &str| {
        let settings = settings(
            "'flatten', { dense = { units = 'classes' } }",
            &format!("epochs = {epochs}\noptimizer = 'sgd'\naverage = {average}"),
            "",
        );
        let mut settings = settings;
        settings.train.batch_size = Positive(60);
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        let (_, events) = attempt(&settings, &folder, 0);
        let losses: Vec<u64> = losses(&events).iter().map(|row| row.1).collect();
        (numbers(&weights(&folder)), losses)
    };
    // A step an epoch.
    let [first, second, third] = [1, 2, 3].map(|epochs| trained(epochs, "'none'").0);
    let (averaged, losses) = trained(3, "{ ema = { decay = 0.75 } }");
    assert_eq!(losses, trained(3, "'none'").1);
    for index in 0..averaged.len() {
        let by_hand = 0.75 * (0.75 * first[index] + 0.25 * second[index]) + 0.25 * third[index];
        assert!((averaged[index] - by_hand).abs() < 1e-6);
    }
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
    let _alone = sole_use_of_graphs();
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
    let temporary = tempfile::tempdir().unwrap();
    let (outcome, _) = attempt_in(&temporary, "run", |settings, _| {
        settings.start = Some(toml::from_str("weights = 'nowhere.safetensors'").unwrap());
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
        settings.start = Some(toml::from_str(&start).unwrap());
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

/// Trains an epoch in a folder, with settings and planned weights as they are changed.
fn attempt_in(
    temporary: &TempDir,
    name: &str,
    change: impl Fn(&mut Settings, &mut Option<String>),
) -> (crate::error::Result<Outcome>, RunFolder) {
    let mut settings = settings(NETWORK, "epochs = 1\noptimizer = 'adam'", "");
    let mut weights = None;
    change(&mut settings, &mut weights);
    let folder = RunFolder::new(temporary.path().join(name));
    folder.create().unwrap();
    let stop = AtomicBool::new(false);
    let job = Job {
        weights: weights.as_deref(),
        until: None,
        settings: &settings,
        earlier: &[],
        seed: 0,
        folder: &folder,
        device: test_device(),
        catalogue: &catalogue(),
        stop: &stop,
    };
    let mut recorder = Recorder {
        events: Vec::new(),
        stop_after: 0,
        stop: &stop,
    };
    (train(&job, &mut recorder), folder)
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

/// All tensors of a file, as bytes.
fn tensors(path: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, tensor)| (name, tensor.data().to_vec()))
        .collect()
}

/// Settings for an auto-encoder on 60 digits (and 20 for validation) of two classes.
fn autoencoder(model: &str, train: &str) -> Settings {
    let text = format!(
        "[data]\ndataset = 'mnist'\ntrain = 60\nvalidation = 20\nclasses = [0, 1]\n
         [augment]\n[model.autoencoder]\n{model}\n
         [train]\nepochs = 3\nbatch_size = 25\noptimizer = {{ adam = {{ learning_rate = 0.01 }} }}\nseeds = [0]\n{train}"
    );
    toml::from_str(&text).expect("the settings parse")
}

/// Trains from start to end.
fn trained(settings: &Settings) -> (Measured, RunFolder, TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    match attempt(settings, &folder, 0).0 {
        Outcome::Done(measured) => (*measured, folder, temporary),
        other => panic!("{other:?}"),
    }
}

const VARIATIONAL: &str = "
    encoder = ['flatten', { gaussian_noise = { standard_deviation = 0.1 } }, 'concat_label',
               { dense = { units = 16, activation = 'relu' } }, { gaussian_code = { units = 3, beta = 0.5 } }]
    decoder = ['concat_label', { dense = { units = 784, activation = 'sigmoid' } }]";

#[test]
fn a_resumed_variational_auto_encoder_ends_with_the_same_weights() {
    let _alone = sole_use_of_graphs();
    let settings = autoencoder(
        VARIATIONAL,
        "loss = { binary_cross_entropy = { over_pixels = 'sum' } }",
    );
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    let test = measured.test;
    let (loss, kl) = (test.reconstruction.unwrap(), test.kl.unwrap());
    assert!((test.loss - (loss + 0.5 * kl)).abs() < 1e-3, "{test:?}");
    assert!((test.elbo.unwrap() + loss + kl).abs() < 1e-3, "{test:?}");
    assert_eq!(test.accuracy, None);
    let rows = folder.epochs();
    assert!(rows[2].train.loss < rows[0].train.loss);
    assert!(rows.iter().all(|row| row.validation.unwrap().kl.is_some()));
}

const STACKED: &str = "
    encoder = ['flatten', { dense = { name = 'one', units = 20, activation = 'sigmoid' } },
               { dense = { name = 'two', units = 5, activation = 'sigmoid' } }]
    decoder = [{ dense = { name = 'two', units = 20, activation = 'sigmoid' } },
               { dense = { name = 'one', units = 784, activation = 'sigmoid' } }]";

#[test]
fn stages_train_what_they_name_and_a_resumed_one_goes_on_where_it_stood() {
    let _alone = sole_use_of_graphs();
    let stages = "loss = 'mse'\nstages = [
        { name = 'first', epochs = 2, skip = ['*.two'] },
        { epochs = 2, train_only = ['*.two'], optimizer = { sgd = { learning_rate = 0.5 } } },
        { steps = 4 },
    ]\nlog_every = 3";
    let settings = autoencoder(STACKED, stages);
    // In the midst of the second stage, and between the first two.
    for stop_after in [3, 2] {
        same_when_resumed(&settings, stop_after);
    }
    let (_, folder, _temporary) = trained(&settings);
    let rows = folder.epochs();
    let stages: Vec<(usize, &str)> = rows
        .iter()
        .map(|row| (row.step, row.stage.as_deref().unwrap()))
        .collect();
    let expected = [
        (3, "first"),
        (6, "first"),
        (9, "2"),
        (12, "2"),
        (15, "3"),
        (16, "3"),
    ];
    assert_eq!(stages, expected);
}

#[test]
fn a_stage_leaves_alone_what_it_skips_and_what_it_freezes() {
    let _alone = sole_use_of_graphs();
    let settings = |stages: &str| {
        let more = format!("loss = 'mse'\nstages = [{stages}]");
        autoencoder(STACKED, &more)
    };
    let layer = |settings: &Settings, name: &str| -> Vec<u8> {
        let (_, folder, _temporary) = trained(settings);
        let bytes = weights(&folder);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    let still = settings("{ steps = 1, train_only = ['encoder.two'] }");
    let skipping =
        settings("{ epochs = 2, skip = ['*.two'] }, { steps = 1, train_only = ['encoder.two'] }");
    // What was skipped is as it was made; what was not has changed.
    let (name, other) = ("decoder.two.weight", "encoder.one.weight");
    assert!(layer(&still, name) == layer(&skipping, name));
    assert!(layer(&still, other) != layer(&skipping, other));
}

#[test]
fn training_counted_in_steps_makes_a_row_every_log_every_steps() {
    let _alone = sole_use_of_graphs();
    // 60 images in batches of 25: three steps a pass.
    let settings = autoencoder(STACKED, "loss = 'mse'\nsteps = 8\nlog_every = 5");
    let (_, folder, _temporary) = same_when_resumed(&settings, 1);
    let steps: Vec<usize> = folder.epochs().iter().map(|row| row.step).collect();
    assert_eq!(steps, [5, 8]);
    // The same steps as in epochs.
    let mut in_epochs = settings.clone();
    in_epochs.train.steps = OrNone(Some(Positive(9)));
    in_epochs.train.log_every = OrNone(None);
    let mut epochs = in_epochs.clone();
    epochs.train.steps = OrNone(None);
    let ends = [in_epochs, epochs].map(|settings| weights(&trained(&settings).1));
    assert!(ends[0] == ends[1]);
}

#[test]
fn an_auto_encoder_with_all_its_penalties_learns_and_resumes() {
    let _alone = sole_use_of_graphs();
    let model = "contractive = 0.01
        encoder = ['flatten', { dense = { units = 12, activation = 'sigmoid', l2 = 1e-4,
                   activity = { kl = { target = 0.1, weight = 0.1 } } } }]
        decoder = [{ dense = { units = 784 } }]";
    let (measured, _, _temporary) = same_when_resumed(&autoencoder(model, "loss = 'huber'"), 1);
    let test = measured.test;
    assert!(test.loss > test.reconstruction.unwrap());
    assert_eq!((test.kl, test.elbo), (None, None));
}

#[test]
fn a_walk_back_is_led_through_as_often_as_it_says() {
    let _alone = sole_use_of_graphs();
    let trained_with = |walk_back: &str| {
        let model = format!(
            "{walk_back}
             encoder = ['flatten', {{ salt_and_pepper_noise = {{ rate = 0.2 }} }}, {{ dense = {{ units = 12, activation = 'tanh' }} }}]
             decoder = [{{ dense = {{ units = 784, activation = 'sigmoid' }} }}]"
        );
        let settings = autoencoder(&model, "loss = 'binary_cross_entropy'");
        let (measured, folder, temporary) = same_when_resumed(&settings, 2);
        drop(temporary);
        (measured.test.loss, folder)
    };
    let (once, _) = trained_with("walk_back = { steps = 1 }");
    let (plain, _) = trained_with("");
    let (often, _) = trained_with("walk_back = { steps = 3 }");
    assert_eq!(once.to_bits(), plain.to_bits());
    assert_ne!(once.to_bits(), often.to_bits());
}

#[test]
fn both_parts_of_a_gan_learn_and_a_resumed_one_ends_the_same() {
    let _alone = sole_use_of_graphs();
    let text = "[data]\ndataset = 'mnist'\ntrain = 60\nclasses = [0, 1]\n[augment]\n
        [model.gan]\nlatent = 4
        generator = [{ dense = { units = 784, activation = 'sigmoid' } }, { reshape = { shape = [1, 28, 28] } }]
        discriminator = ['flatten', { dense = { units = 8, activation = 'leaky_relu' } }, { dense = { units = 1, activation = 'sigmoid' } }]
        [train]\nepochs = 3\nbatch_size = 25\nloss = 'binary_cross_entropy'\nseeds = [0]
        optimizer = { adam = { learning_rate = 0.01 } }";
    let settings: Settings = toml::from_str(text).expect("the settings parse");
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    assert!(measured.test.discriminator_loss.unwrap() > 0.0);
    let mut short = settings.clone();
    short.train.epochs = Positive(1);
    let (_, first, _other) = trained(&short);
    let read = |folder: &RunFolder, name: &str| {
        let bytes = weights(folder);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    for name in ["generator.dense_1.weight", "discriminator.dense_1.weight"] {
        assert!(read(&first, name) != read(&folder, name), "{name}");
    }
    let rows = folder.epochs();
    assert!(rows[2].train.discriminator_loss.unwrap() < rows[0].train.discriminator_loss.unwrap());
}

/// A small GAN on 60 digits, whose discriminator ends with what the loss asks for.
fn gan(of_model: &str, verdict: &str, of_training: &str) -> Settings {
    let text = format!(
        "[data]\ndataset = 'mnist'\ntrain = 60\nclasses = [0, 1]\n[augment]\n
        [model.gan]\nlatent = 4\n{of_model}
        generator = [{{ dense = {{ units = 784, activation = 'sigmoid' }} }}, {{ reshape = {{ shape = [1, 28, 28] }} }}]
        discriminator = ['flatten', {{ dense = {{ units = 8, activation = 'leaky_relu' }} }}, {{ dense = {{ units = 1{verdict} }} }}]
        [train]\nepochs = 3\nbatch_size = 10\nseeds = [0]\n{of_training}"
    );
    toml::from_str(&text).expect("the settings parse")
}

#[test]
fn parts_of_a_gan_have_optimizers_of_their_own_and_a_resumed_one_ends_the_same() {
    let _alone = sole_use_of_graphs();
    let sigmoid = ", activation = 'sigmoid'";
    let with = |optimizer: &str| {
        let train = format!("loss = 'binary_cross_entropy'\noptimizer = {optimizer}");
        gan("", sigmoid, &train)
    };
    let adam = "{ adam = { learning_rate = 0.01 } }";
    let both = with(&format!("{{ generator = {adam}, discriminator = {adam} }}"));
    let (_, of_parts, _one) = same_when_resumed(&both, 2);
    let (_, of_all, _two) = same_when_resumed(&with(adam), 2);
    assert!(weights(&of_parts) == weights(&of_all));
    let rates = "{ generator = { sgd = { learning_rate = 0.5, momentum = 0.9 } }, discriminator = { adam = { learning_rate = 1e-3 } } }";
    let (_, apart, _three) = same_when_resumed(&with(rates), 1);
    assert!(weights(&apart) != weights(&of_all));
    assert_eq!(apart.epochs()[0].learning_rate, 0.5);
}

#[test]
fn a_wasserstein_gan_takes_its_steps_of_the_discriminator_and_bounds_its_weights() {
    let _alone = sole_use_of_graphs();
    let train = "loss = { wasserstein = { clip = 0.02 } }\noptimizer = { rmsprop = { learning_rate = 0.001 } }";
    let trained = |steps: &str| {
        let (measured, folder, temporary) = same_when_resumed(&gan(steps, "", train), 2);
        assert!(measured.test.discriminator_loss.unwrap() < 0.0);
        let all = tensors(&folder.file("weights.safetensors"));
        drop(temporary);
        all
    };
    let (four, six) = (
        trained("discriminator_steps = 4"),
        trained("discriminator_steps = 6"),
    );
    let largest = |bytes: &[u8]| {
        let (values, _) = bytes.as_chunks::<4>();
        let values = values.iter().map(|value| f32::from_le_bytes(*value).abs());
        values.fold(0.0, f32::max)
    };
    for (name, values) in &four {
        let (part, largest) = (name.split('.').next().unwrap(), largest(values));
        assert_eq!(
            largest <= 0.02,
            part == "discriminator",
            "{name}: {largest}"
        );
    }
    // An epoch has 6 steps, the training 18: 4 of the generator or 3.
    assert!(four["generator.dense_1.weight"] != six["generator.dense_1.weight"]);
}

#[test]
fn the_generator_of_a_gan_is_measured_in_epochs_without_its_turn_too() {
    let _alone = sole_use_of_graphs();
    let seldom = gan(
        "discriminator_steps = 100",
        "",
        "loss = 'hinge'\noptimizer = { adam = { learning_rate = 0.01 } }",
    );
    let (_, folder, _temporary) = same_when_resumed(&seldom, 1);
    let rows = folder.epochs();
    assert!(rows.iter().all(|row| row.train.loss != 0.0));
    // The discriminator learns, a generator that never has its turn does not.
    let of = |row: &EpochRow| row.train.discriminator_loss.unwrap();
    assert!(of(&rows[2]) < of(&rows[0]), "{rows:?}");
}

#[test]
fn the_rate_of_a_plateau_follows_from_the_epochs_so_far_also_when_resumed() {
    let _alone = sole_use_of_graphs();
    // No epoch is better than the first by 1 in accuracy.
    let settings = settings(
        NETWORK,
        "epochs = 6\noptimizer = { sgd = { learning_rate = 0.1 } }
         schedule = { plateau = { metric = 'validation_accuracy', factor = 0.5, patience = 1, min_delta = 1 } }",
        "",
    );
    let rate = |row: &EpochRow| row.learning_rate;
    for stop_after in [2, 4] {
        let (_, folder, _temporary) = same_when_resumed(&settings, stop_after);
        let rates: Vec<f64> = folder.epochs().iter().map(rate).collect();
        assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]);
    }
    // Three steps an epoch, all of the first within the warm-up, which does not count.
    let mut warmed = settings.clone();
    warmed.train.warm_up = OrNone(Some(toml::from_str("epochs = 1").unwrap()));
    let (_, folder, _temporary) = same_when_resumed(&warmed, 3);
    let rates: Vec<f64> = folder.epochs().iter().skip(1).map(rate).collect();
    assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05]);
}

#[test]
fn the_rate_of_a_plateau_is_whole_again_in_the_next_stage() {
    let _alone = sole_use_of_graphs();
    let settings = settings(
        NETWORK,
        "epochs = 1\noptimizer = { sgd = { learning_rate = 0.1 } }\nstages = [{ epochs = 3 }, { epochs = 3 }]
         schedule = { plateau = { metric = 'train_accuracy', factor = 0.5, patience = 0, min_delta = 1 } }",
        "",
    );
    let (_, folder, _temporary) = same_when_resumed(&settings, 4);
    let rates: Vec<f64> = folder
        .epochs()
        .iter()
        .map(|row| row.learning_rate)
        .collect();
    assert_eq!(rates, [0.1, 0.1, 0.05, 0.1, 0.1, 0.05]);
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
