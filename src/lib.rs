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
pub mod backend;
pub mod layers;
pub mod augment;
pub mod optim;
pub mod objective;
pub mod data;

// From a file to runs.
pub mod record;
pub mod network;
pub mod spec;
pub mod plan;

// From runs to results.
pub mod train;
pub mod run;
pub mod report;
pub mod cli;
