//! burnlab: a declarative experiment runner for deep learning on Burn.
//!
//! A TOML file states a question; `burnlab run FILE` trains every variant with every seed and leaves
//! tables, TensorBoard logs and a verdict on what the file claimed. Data flows down this list, and a
//! module uses only those above it.

// What everything else is written with: errors as people read them,
pub mod error;

// one seed and its named streams of random numbers,
pub mod rng;

// what flows between layers,
pub mod shape;

// tables with one key,
pub mod tagged;

// numbers that know their range,
pub mod value;

// how a file names a run,
pub mod run_name;

// bytes as hexadecimal digits,
pub mod hex;

// tables for a terminal,
pub mod table;

// the memory that the system gives,
pub mod system_memory;

// where files are kept for the next command,
pub mod user_cache;

// and networks as ONNX has them.
pub mod onnx;

// Devices by name, and the kernels behind them.
pub mod backend;

// The language of results: events, rows, columns, a run's folder.
pub mod record;

// What PyTorch answers, for the tests of layers, losses and optimizers.
#[cfg(test)]
pub mod reference;

// Mistakes that tests plant.
#[cfg(test)]
pub mod defects;

// The vocabularies, one file a word and one line in a registry: layers,
pub mod layers;

// image operations,
pub mod augment;

// optimizers,
pub mod optim;

// losses,
pub mod objective;

// datasets.
pub mod data;

// A list of layers as a network.
pub mod network;

// The vocabulary of kinds of model; a trained one on whatever backend, asked in plain numbers.
pub mod models;

// Numbers about a trained model beyond its loss.
pub mod measure;

// The vocabulary of pictures: what a network learns, to be looked at.
pub mod pictures;

// The TOML as written.
pub mod config;

// Every run of an experiment, resolved, named and checked.
pub mod plan;

// One run.
pub mod train;

// All runs: supervisor, workers, progress.
pub mod run;

// Tables, TensorBoard, reports, the verdict.
pub mod report;

// The commands.
pub mod cli;
