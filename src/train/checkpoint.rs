//! What a run needs to go on after its last whole epoch, in one file.
//!
//! The file is a line that names the format, the SHA-256 of all that follows, and its parts each behind
//! its length: a header in JSON, the network, three networks that may be missing (an empty part): the average, the
//! best, the one to restore; and the optimizers. Burn's readers panic on damaged bytes, so
//! they are shown none that the sum has not vouched for.

use std::fs;
use std::io::Write;
use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Record, Recorder};
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::step::Learner;
use super::stopping::BestWeights;
use super::{Job, TrainingState, stage_after};
use crate::backend::{BURN_VERSION, TrainingBackend};
use crate::config::{Recording, TrainingPlan};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::network::Network;
use crate::pictures::Pictures;
use crate::record::{EpochRow, RunFolder, write_atomically};

const FILE: &str = "checkpoint.bin";
const FORMAT: &[u8] = b"burnlab checkpoint 4\n";
/// Besides the optimizers.
const PARTS: usize = 5;
/// Bytes of the SHA-256.
const SUM: usize = 32;

type Bytes = BinBytesRecorder<FullPrecisionSettings>;

#[derive(Serialize, Deserialize)]
struct Header {
    /// Of the settings, the seed and Burn's version: parts of other runs do not fit.
    run: String,
    rows: Vec<EpochRow>,
}

/// Writes the state, whole or not at all.
pub(super) fn write<B: TrainingBackend>(job: &Job, state: &TrainingState<B>) -> Result<()> {
    let header = Header {
        run: fingerprint(job),
        rows: state.rows.clone(),
    };
    let header = serde_json::to_vec(&header)
        .map_err(|error| Error::bug(format!("cannot write the checkpoint: {error}")))?;
    let best_weights = |network: &Option<Network<B::InnerBackend>>| {
        let network = network.as_ref();
        network.map_or_else(Vec::new, |network| {
            bytes::<B::InnerBackend, _>(network.clone().into_record())
        })
    };
    // One after the other: of a large network the file alone takes much memory.
    let parts: [&dyn Fn() -> Vec<u8>; PARTS] = [
        &|| header.clone(),
        &|| bytes::<B, _>(state.learner.network.clone().into_record()),
        &|| best_weights(&state.learner.average),
        &|| best_weights(&state.best_weights.best),
        &|| best_weights(&state.best_weights.to_restore),
    ];
    let mut file = FORMAT.to_vec();
    file.extend([0; SUM]);
    let start = file.len();
    let optimizers = state.learner.optimizers.iter();
    let parts = parts.iter().map(|part| part());
    for part in parts.chain(optimizers.map(|optimizer| optimizer.save())) {
        // Growing by itself it would take up to twice the room.
        file.reserve_exact(8 + part.len());
        file.extend((part.len() as u64).to_le_bytes());
        file.extend(part);
    }
    let sum = Sha256::digest(&file[start..]);
    file[start - SUM..start].copy_from_slice(&sum);
    write_atomically(&job.folder.file(FILE), &file)
}

/// The state to go on from: that of a sound checkpoint of this very run, else `fresh`.
///
/// Says on standard error why a checkpoint that is there is not used.
pub(super) fn resume<B: TrainingBackend>(
    job: &Job,
    fresh: TrainingState<B>,
    training_plan: &TrainingPlan,
    device: &B::Device,
) -> TrainingState<B> {
    let path = job.folder.file(FILE);
    match read(job, &path) {
        Ok(None) => fresh,
        Ok(Some(parts)) => restored(job, fresh, parts, training_plan, device),
        Err(reason) => {
            // A log that cannot be written is no reason to stop.
            let _ = writeln!(
                std::io::stderr(),
                "warning: starting over: the checkpoint {reason}\n  {}",
                path.display()
            );
            fresh
        }
    }
}

/// Forgets the checkpoint, if there is one: once the run's result is safely written.
pub fn remove(folder: &RunFolder) {
    // One that stays behind costs room, nothing else.
    let _ = fs::remove_file(folder.file(FILE));
}

struct Parts {
    header: Header,
    network: Vec<u8>,
    average: Vec<u8>,
    best: Vec<u8>,
    to_restore: Vec<u8>,
    optimizers: Vec<Vec<u8>>,
}

fn read(job: &Job, path: &Path) -> Result<Option<Parts>, String> {
    let file = match fs::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let rest = file.strip_prefix(FORMAT).ok_or("is of another format")?;
    let (sum, body) = rest.split_at_checked(SUM).ok_or("is cut short")?;
    if Sha256::digest(body).as_slice() != sum {
        return Err("is damaged".to_string());
    }
    let mut body = body;
    let mut parts = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        let (part, rest) = rest.split_at_checked(length).ok_or("lacks a part")?;
        parts.push(part.to_vec());
        body = rest;
    }
    let mut parts = parts.into_iter();
    let first: Vec<Vec<u8>> = parts.by_ref().take(PARTS).collect();
    let first: [Vec<u8>; PARTS] = first.try_into().map_err(|_| "lacks a part")?;
    let [header, network, average, best, to_restore] = first;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|error| format!("has a strange header: {error}"))?;
    if header.run != fingerprint(job) {
        return Err("belongs to another run".to_string());
    }
    Ok(Some(Parts {
        header,
        network,
        average,
        best,
        to_restore,
        optimizers: parts.collect(),
    }))
}

fn restored<B: TrainingBackend>(
    job: &Job,
    fresh: TrainingState<B>,
    parts: Parts,
    training_plan: &TrainingPlan,
    device: &B::Device,
) -> TrainingState<B> {
    let network = fresh.learner.network;
    let stage = stage_after(training_plan, parts.header.rows.len());
    let settings = job.settings;
    let optimizers = settings.train.optimizers_of(stage);
    let mut optimizers = optimizers.build(settings.model.kind());
    let best_weights = |part: Vec<u8>| {
        let record = |part| record::<B::InnerBackend, _>(part, device);
        (!part.is_empty()).then(|| network.valid().load_record(record(part)))
    };
    let average = best_weights(parts.average);
    let best_weights = BestWeights {
        best: best_weights(parts.best),
        to_restore: best_weights(parts.to_restore),
    };
    for (optimizer, part) in optimizers.iter_mut().zip(parts.optimizers) {
        optimizer
            .load(part, device)
            .expect("the checkpoint's sum vouches for its parts");
    }
    TrainingState {
        learner: Learner {
            network: network.load_record(record::<B, _>(parts.network, device)),
            optimizers,
            average,
        },
        best_weights,
        rows: parts.header.rows,
    }
}

fn bytes<B: Backend, R: Record<B>>(record: R) -> Vec<u8> {
    Recorder::<B>::record(&Bytes::default(), record, ()).expect("memory takes any record")
}

fn record<B: Backend, R: Record<B>>(bytes: Vec<u8>, device: &B::Device) -> R {
    Recorder::<B>::load(&Bytes::default(), bytes, device)
        .expect("the checkpoint's sum vouches for its parts")
}

fn fingerprint(job: &Job) -> String {
    let mut settings = job.settings.clone();
    // Which other seeds are run beside this one changes nothing here, nor does what is drawn.
    settings.train.seeds = Vec::new();
    settings.pictures = Pictures::default();
    settings.record = Recording::default();
    let settings = serde_json::to_string(&settings).expect("settings are plain values");
    let text = format!("{BURN_VERSION}\n{}\n{settings}", job.seed);
    hex(&Sha256::digest(text.as_bytes()))
}
