//! The datasets known by name. A new one is a file of its own and one line here.

use std::path::PathBuf;

use super::folders::{Folders, Found};
use super::{cifar_10, fashion_mnist, mnist};
use crate::error::{Error, Problem, Result, did_you_mean};
use crate::shape::ImageShape;

/// Every dataset known by name.
pub static DATASETS: [&Dataset; 3] = [
    &mnist::MNIST,
    &fashion_mnist::FASHION_MNIST,
    &cifar_10::CIFAR_10,
];

/// Their names, in the same order.
pub(super) const NAMES: &[&str] = &["mnist", "fashion-mnist", "cifar-10"];

/// How a named dataset's files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Two IDX files a part, images then labels; plain or gzip.
    Idx,
    /// Records of one label byte and 3x32x32 pixel bytes.
    Cifar,
}

/// One published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct File {
    /// Name of the file once unpacked.
    pub name: &'static str,
    /// Bytes once unpacked.
    pub bytes: u64,
    /// Of the unpacked content, so that a copy counts as the same however it is compressed.
    pub sha256: &'static str,
}

/// One archive that holds all files of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Archive {
    /// Name of the tar.gz file on the mirrors.
    pub name: &'static str,
    pub bytes: u64,
    pub sha256: &'static str,
}

/// What is known about a dataset before looking at its files.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Dataset {
    /// Name in an experiment, and of its folder.
    pub name: &'static str,
    pub title: &'static str,
    pub layout: Layout,
    /// Of one image.
    pub shape: ImageShape,
    /// Number of training and of test images.
    pub samples: [usize; 2],
    /// Other names its folder goes by.
    pub aliases: &'static [&'static str],
    /// Files of the training part; IDX: images, labels.
    pub train: &'static [File],
    /// Files of the test part; IDX: images, labels.
    pub test: &'static [File],
    /// Set where the mirrors hold one archive and not the files.
    pub archive: Option<Archive>,
    /// Addresses below which the files (or the archive) lie, tried in this order.
    pub mirrors: &'static [&'static str],
    /// Class names; a label is an index into them.
    pub classes: &'static [&'static str],
    pub licence: &'static str,
    pub citation: &'static str,
}

impl Dataset {
    /// Files of both parts.
    pub fn files(&self) -> impl Iterator<Item = &'static File> + use<> {
        self.train.iter().chain(self.test)
    }

    /// Names a file may have on disk, the one that `fetch` writes first.
    pub(super) fn spellings(&self, file: &File) -> Vec<String> {
        match self.layout {
            Layout::Idx => super::idx::spellings(file.name),
            Layout::Cifar => vec![file.name.to_string()],
        }
    }
}

/// The dataset of that name, or a usage error that offers the near ones.
pub fn find(name: &str) -> Result<&'static Dataset> {
    DATASETS
        .into_iter()
        .find(|dataset| dataset.name == name)
        .ok_or_else(|| {
            let problem = Problem::new(format!("unknown dataset `{name}`"));
            Error::usage(problem.maybe_hint(did_you_mean(name, NAMES)))
        })
}

/// A named dataset and where it lies on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub dataset: &'static Dataset,
    /// The folder that holds all its files; none if no folder does.
    pub folder: Option<PathBuf>,
}

/// All named datasets, in the registry's order.
pub fn list(folders: &Folders) -> Vec<Listing> {
    let listing = |dataset| Listing {
        dataset,
        folder: match folders.find(dataset) {
            Found::Complete(folder) => Some(folder),
            Found::Partial { .. } | Found::Nowhere => None,
        },
    };
    DATASETS.into_iter().map(listing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_datasets() {
        assert!(DATASETS.iter().map(|dataset| &dataset.name).eq(NAMES));
    }

    #[test]
    fn an_unknown_name_offers_the_near_one() {
        assert_eq!(
            find("minst").unwrap_err().to_string(),
            "error: unknown dataset `minst`\n  hint: did you mean `mnist`?"
        );
    }
}
