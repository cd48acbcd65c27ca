//! The TOML as written: reading files, laying values over each other, places in the text, the schema.
//!
//! Knows what a file may say. What follows from it (runs, shapes, sizes) is the plan's.

mod batch_sizes;
mod blocks;
mod completed;
mod document;
mod expect;
mod file;
mod launch;
mod measured_loss;
mod needs;
mod optimizers;
mod overrides;
mod read;
mod recording;
mod run_settings;
mod schema;
mod search;
mod settings;
mod stack;
mod start;
mod stopping;
mod tables;
mod training_plan;

pub use blocks::{Expanded, expand};
pub use completed::Completed;
pub use document::Document;
pub use expect::{Condition, Expect};
pub use file::{Chain, canonical};
pub use launch::{Elsewhere, How, Launch, Slurm, SlurmOption};
pub use measured_loss::{MeasuredLoss, differ};
pub use needs::{Dependency, FEATURE_CLASSIFIER, GENERATOR, GENERATORS, LABELER, START};
pub use optimizers::Optimizers;
pub use overrides::{Overrides, nested};
pub use read::{Unreadable, read};
pub use recording::{Recording, When, WhenTested};
pub use schema::schema;
pub use search::{
    Bounds, Choices, Distribution, Halving, PositiveBounds, PositiveWholeBounds, SearchFields,
    WholeBounds,
};
pub use settings::{Settings, Train};
pub use stack::{Origin, Resolved, Stack, is_layer_list};
pub use start::Start;
pub use stopping::{Best, EarlyStopping};
pub use tables::{DEFAULTS, SETTINGS, key_in_a_table, meant_at_top};
pub use training_plan::{Interval, Phase, Stage, TrainingPlan};
