//! Whole runs on a few digits.

mod autoencoders;
mod digests;
mod gans;
mod results;
mod resuming;
mod stages;
mod start;
mod steps;

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

/// What tells runs of these settings from others: no number depends on what is written down or drawn.
fn id(settings: &Settings) -> String {
    let settings = Settings {
        record: Default::default(),
        pictures: Default::default(),
        ..settings.clone()
    };
    serde_json::to_string(&settings).unwrap()
}

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
        id: &id(settings),
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
    assert_eq!(timeless(outcome), timeless(Outcome::Done(measured.clone())));
    assert_eq!(losses(&pieces), losses(&events));
    assert!(weights(&straight) == weights(&halved));
    for file in ["best.safetensors", "last.safetensors"] {
        let read = |folder: &RunFolder| std::fs::read(folder.file(file)).ok();
        assert!(read(&straight) == read(&halved), "{file}");
    }
    (*measured, straight, temporary)
}

/// What does not hang on how long anything took.
fn timeless(mut outcome: Outcome) -> Outcome {
    if let Outcome::Done(measured) = &mut outcome
        && let Some(row) = &mut measured.restored
    {
        (row.seconds, row.images_per_second) = (0.0, None);
    }
    outcome
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
        id: name,
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
