//! What people read: tables, the verdict on claims, reports as pages, the regression gate, TensorBoard. Never sees Burn.

mod difference;
mod events;
pub mod html;
mod losses;
mod projector;
pub mod regression;
pub mod reproduction;
mod search;
mod statistics;
mod subject;
mod tables;
pub mod tensorboard;
#[cfg(test)]
mod tests;
mod verdict;
mod view;
mod warnings;

pub use events::TensorBoard;
pub use projector::write_embeddings;
pub use search::best_point;
pub use statistics::{Group, Spread, groups, spread};
pub use subject::Subject;
pub use tables::{comparison, differences, failures, outcome, plan_table, write_tables};
pub use verdict::{ClaimResult, Verdict, check_claims};
pub use view::View;
