//! What a run needs to go on after its last whole epoch, in one file.
//!
//! The file is a line that names the format, a header in a line of JSON, the network, three networks that may be missing (the
//! average, the best, the one to restore), the optimizers, and the SHA-256 of all that. It is written and read piece by
//! piece: in memory it would be as large as all networks and optimizers together.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::step::Learner;
use super::stopping::BestWeights;
use super::{Job, TrainingState, stage_after};
use crate::backend::{BURN_VERSION, TrainingBackend, read_record, write_record};
use crate::config::TrainingPlan;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::record::{CHECKPOINT, EpochRow, RunFolder, stream_atomically};

const FORMAT: &[u8] = b"burnlab checkpoint 6\n";
/// Bytes of the SHA-256.
const SUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header {
    /// Its id and Burn's version: parts of other runs do not fit.
    run: String,
    rows: Vec<EpochRow>,
}

/// Writes the state, whole or not at all.
pub(super) fn write<B: TrainingBackend>(job: &Job, state: &TrainingState<B>) -> Result<()> {
    let header = Header {
        run: fingerprint(job),
        rows: state.rows.clone(),
    };
    let header = serde_json::to_string(&header)
        .map_err(|error| Error::bug(format!("cannot write the checkpoint: {error}")))?;
    stream_atomically(&job.folder.file(CHECKPOINT), &|to| {
        let mut summed = Summed {
            to,
            sum: Sha256::new(),
        };
        summed.write_all(FORMAT)?;
        writeln!(summed, "{header}")?;
        write_parts(state, &mut summed)?;
        let sum = summed.sum.finalize();
        to.write_all(&sum)
    })
}

fn write_parts<B: TrainingBackend>(state: &TrainingState<B>, to: &mut dyn Write) -> io::Result<()> {
    let learner = &state.learner;
    write_record::<B, _>(learner.network.clone().into_record(), to)?;
    let best_weights = &state.best_weights;
    for network in [
        &learner.average,
        &best_weights.best,
        &best_weights.to_restore,
    ] {
        to.write_all(&[network.is_some().into()])?;
        if let Some(network) = network {
            write_record::<B::InnerBackend, _>(network.clone().into_record(), to)?;
        }
    }
    let mut optimizers = learner.optimizers.iter();
    optimizers.try_for_each(|optimizer| optimizer.save(to))
}

/// Adds up what goes through it.
struct Summed<'a> {
    to: &'a mut dyn Write,
    sum: Sha256,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
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
    let path = job.folder.file(CHECKPOINT);
    match open(job, &path) {
        Ok(None) => fresh,
        Ok(Some((header, mut parts))) => {
            let restored = restored(job, fresh, header, &mut parts, training_plan, device);
            restored.expect("the checkpoint's sum vouches for its parts")
        }
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
    let _ = fs::remove_file(folder.file(CHECKPOINT));
}

/// The header of a sound checkpoint of this very run, and the file from its parts on; none if there is no file.
fn open(job: &Job, path: &Path) -> Result<Option<(Header, BufReader<File>)>, String> {
    let unread = |error: io::Error| format!("cannot be read: {error}");
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    let length = file.get_ref().metadata().map_err(unread)?.len();
    let mut format = Vec::new();
    let mut first = file.by_ref().take(FORMAT.len() as u64);
    first.read_to_end(&mut format).map_err(unread)?;
    if format != FORMAT {
        return Err("is of another format".to_string());
    }
    let summed = length.checked_sub((FORMAT.len() + SUM) as u64);
    let summed = summed.ok_or("is cut short")?;
    let mut sum = Sha256::new_with_prefix(FORMAT);
    io::copy(&mut file.by_ref().take(summed), &mut sum).map_err(unread)?;
    let mut said = Vec::new();
    file.read_to_end(&mut said).map_err(unread)?;
    if sum.finalize().as_slice() != said {
        return Err("is damaged".to_string());
    }
    let start = SeekFrom::Start(FORMAT.len() as u64);
    file.seek(start).map_err(unread)?;
    let mut header = String::new();
    file.read_line(&mut header).map_err(unread)?;
    let header: Header =
        serde_json::from_str(&header).map_err(|error| format!("has a strange header: {error}"))?;
    match header.run == fingerprint(job) {
        true => Ok(Some((header, file))),
        false => Err("belongs to another run".to_string()),
    }
}

/// The state of which `parts` are.
fn restored<B: TrainingBackend>(
    job: &Job,
    fresh: TrainingState<B>,
    header: Header,
    parts: &mut dyn Read,
    training_plan: &TrainingPlan,
    device: &B::Device,
) -> io::Result<TrainingState<B>> {
    let network = fresh.learner.network;
    let network = network.load_record(read_record::<B, _>(parts, device)?);
    // Clones would share what normalizations keep of their batches.
    let mut best_weights = || another(network.valid(), parts, device);
    let (average, best, to_restore) = (best_weights()?, best_weights()?, best_weights()?);
    let stage = stage_after(training_plan, header.rows.len());
    let settings = job.settings;
    let optimizers = settings.train.optimizers_of(stage);
    let mut optimizers = optimizers.build(settings.model.kind());
    for optimizer in &mut optimizers {
        optimizer.load(parts, device)?;
    }
    Ok(TrainingState {
        learner: Learner {
            network,
            optimizers,
            average,
        },
        best_weights: BestWeights { best, to_restore },
        rows: header.rows,
    })
}

/// A network that may be missing, as `like` with other weights.
fn another<B: Backend>(
    like: Network<B>,
    parts: &mut dyn Read,
    device: &B::Device,
) -> io::Result<Option<Network<B>>> {
    let mut is_there = [0];
    parts.read_exact(&mut is_there)?;
    match is_there {
        [0] => Ok(None),
        _ => Ok(Some(like.load_record(read_record::<B, _>(parts, device)?))),
    }
}

/// Of whose state another one can take nothing.
fn fingerprint(job: &Job) -> String {
    format!("{} on Burn {BURN_VERSION}", job.id)
}
