//! Datasets: the `[data]` table, files on disk, and images and labels in memory.
//!
//! A dataset is named (one file a dataset, one line in the registry) or a folder in a known format.
//! [`Catalogue`] is the way in: it finds, describes, checks and loads, and remembers what it read.
//! Knows nothing of Burn, of runs, or of where a value stood in the experiment's file.

// What the rest is written with: what is known of a dataset by name,
mod dataset;

// bytes of files,
mod content;
mod digests;
mod emnist;
mod ends;
mod left_out;
mod palette_tiff;
mod pixel_values;
mod pixels;
mod read_once;

// how images are brought to one form,
mod image_form;

// and what every format gives.
mod format;

// Where datasets lie.
mod folders;

// The formats,
mod cifar;
mod fake;
mod folder;
mod idx;

// what is kept of folders once they are decoded,
mod decoded;

// the datasets known by name,
mod cifar_10;
mod fashion_mnist;
mod kmnist;
mod mnist;
mod qmnist;
mod registry;

// whether their files are here and right,
mod verify;

// and how they come here.
mod fetch;

// The `[data]` table.
mod fields;
mod generated;
mod scale;

// Which samples, of what was found.
mod catalogue;
mod samples;
mod source;
mod subset;

// Images that nobody labeled.
mod unlabeled;

// What Pillow makes of image files.
#[cfg(test)]
mod reference;

pub use catalogue::{Catalogue, Facts};
pub use dataset::{Archive, Dataset, File, Layout};
pub use fake::Fake;
pub use fetch::{FetchedFile, fetch};
pub use fields::{Classes, DataFields, DatasetSpec, Pick, Subset, Validation};
pub use folder::{FolderFields, LabelSource};
pub use folders::{Folders, Found};
pub use format::Parts;
pub use generated::{Generated, GeneratedLabels, shares};
pub use idx::IdxFields;
pub use image_form::ImageForm;
pub use pixel_values::PixelValues;
pub use registry::{DATASETS, Listing, find, list};
pub use samples::{Samples, Splits};
pub use scale::Scale;
pub use unlabeled::{ReadImages, Unlabeled, read_unlabeled};
pub use verify::{FileState, FileStatus, verify};
