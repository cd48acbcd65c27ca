//! Datasets: the `[data]` table, files on disk, and images and labels in memory.
//!
//! A dataset is named (one file a dataset, one line in the registry) or a folder in a known format.
//! [`Catalogue`] is the way in: it finds, describes, checks and loads, and remembers what it read.
//! Knows nothing of Burn, of runs, or of where a value stood in the experiment's file.

mod catalogue;
mod cifar;
mod cifar_10;
mod content;
mod fake;
mod fashion_mnist;
mod fetch;
mod fields;
mod folder;
mod folders;
mod generated;
mod idx;
mod mnist;
mod registry;
mod source;
mod subset;
mod unlabelled;

pub use catalogue::{Catalogue, Facts, Samples, Splits};
pub use fake::Fake;
pub use fetch::{FetchedFile, FileState, State, fetch, verify};
pub use fields::{Classes, DataFields, DatasetSpec, Pick, Scale, Subset, Validation};
pub use folders::{Folders, Found};
pub use generated::{Generated, GeneratedLabels, shares};
pub use registry::{Archive, DATASETS, Dataset, File, Layout, Listing, find, list};
pub use unlabelled::{Unlabelled, read_unlabelled};
