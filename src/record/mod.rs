//! The language of results: what a run reports while it trains, and the rows it leaves.
//!
//! Training speaks it, the supervisor passes it on, reports read it. Knows neither Burn nor TOML.

mod any_number;
mod columns;
mod csv;
mod event;
mod folder;
mod lease;
mod log;
pub mod metrics;
mod replace;
mod row;
mod watched;

pub use columns::{Cell, Column, EPOCH_COLUMNS, run_columns};
pub use csv::csv;
pub use event::{Embedding, Event, Histogram, Node, Picture, Reporter};
pub use folder::{
    CHECKPOINT, RunFolder, TRAINED_ANEW, remove_folder, remove_parts, remove_parts_before,
    stream_atomically, write_atomically,
};
pub use lease::{Holder, Lease, TakeError, holder_of, host, job, log_of};
pub use log::{bring_log, log_of_run, own_log, put_others_aside};
pub use metrics::{
    BATCH_METRICS, BatchMetric, Better, LOSS, Measure, Metric, Requirement, SHARE, Score, Split,
};
pub use row::{EpochRow, Extra, Measured, Provenance, RunRow, Status, runs_done};
pub use watched::Watched;
