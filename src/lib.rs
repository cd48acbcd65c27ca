//! burnlab: a declarative experiment runner for deep learning on Burn.
//!
//! A TOML file states a question; `burnlab run FILE` trains every variant with every seed and leaves
//! tables, TensorBoard logs and a verdict on what the file claimed. Data flows down this list, and a
//! module uses only those above it:

// What everything else is written with.
pub mod error;
pub mod rng;
pub mod shape;
pub mod tagged;
pub mod value;

// The vocabularies: one file a word, one line in a registry.
pub mod augment;
pub mod backend;
pub mod data;
pub mod layers;
pub mod objective;
pub mod optim;

// From a file to runs.
pub mod network;
pub mod plan;
pub mod record;
pub mod spec;

// From runs to results.
pub mod cli;
pub mod report;
pub mod run;
pub mod train;
