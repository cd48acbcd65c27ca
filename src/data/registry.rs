//! The datasets known by name. A new one is a file of its own and one line here.

use std::path::PathBuf;

use super::dataset::Dataset;
use super::folders::{Folders, Found};
use super::{cifar_10, emnist, fashion_mnist, kmnist, mnist, qmnist};
use crate::error::{Error, Problem, Result, did_you_mean};

/// Every dataset known by name.
pub static DATASETS: [&Dataset; 11] = [
    &mnist::MNIST,
    &fashion_mnist::FASHION_MNIST,
    &kmnist::KMNIST,
    &qmnist::QMNIST,
    &emnist::EMNIST[0],
    &emnist::EMNIST[1],
    &emnist::EMNIST[2],
    &emnist::EMNIST[3],
    &emnist::EMNIST[4],
    &emnist::EMNIST[5],
    &cifar_10::CIFAR_10,
];

/// Their names, in the same order.
pub(super) const NAMES: &[&str] = &[
    "mnist",
    "fashion-mnist",
    "kmnist",
    "qmnist",
    "emnist-balanced",
    "emnist-byclass",
    "emnist-bymerge",
    "emnist-letters",
    "emnist-digits",
    "emnist-mnist",
    "cifar-10",
];

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
    /// The dataset.
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
