//! What people read: tables, the verdict on claims, the regression gate, TensorBoard. Never sees Burn.

mod events;
mod projector;
pub mod regression;
pub mod reproduction;
mod statistics;
mod tables;
pub mod tensorboard;
#[cfg(test)]
mod tests;
mod verdict;

pub use events::TensorBoard;
pub use projector::write_embeddings;
pub use statistics::{Group, Spread, groups, spread};
pub use tables::{comparison, failures, markdown, plan_table, write_tables};
pub use verdict::{ClaimResult, Verdict, check_claims};
