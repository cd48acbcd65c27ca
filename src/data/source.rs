//! A dataset found on disk, or made up: one of the formats, and what is known of it by name.

use std::path::{Path, PathBuf};

use super::content::identity_of;
use super::dataset::{Dataset, File, Layout, Sum, sha256_text, size_text};
use super::fields::DatasetSpec;
use super::folders::{Folders, locate};
use super::format::{Checksum, Format, Labels, Outline, Progress, Raw};
use super::{cifar, digests, folder, idx};
use crate::error::{Error, Kind, Problem, Result};

/// A dataset whose files were found.
pub(super) struct Source {
    pub name: String,
    /// Empty where the images come from no files.
    pub folder: PathBuf,
    named: Option<&'static Dataset>,
    class_names: Option<Vec<String>>,
    /// Whether nothing tells the images' classes.
    pub is_unlabeled: bool,
    format: Box<dyn Format>,
}

impl Source {
    pub fn open(spec: &DatasetSpec, folders: &Folders) -> Result<Self> {
        match spec {
            DatasetSpec::Named(dataset) => open_named(dataset, &folders.require(dataset)?),
            DatasetSpec::Idx(fields) => Ok(Source {
                name: fields.path.display().to_string(),
                folder: existing(&fields.path)?.to_path_buf(),
                named: None,
                class_names: None,
                is_unlabeled: false,
                format: Box::new(idx::Files::discover(fields)?),
            }),
            DatasetSpec::Folder(fields) => {
                existing(&fields.path)?;
                let tree = folder::Tree::discover(fields)?;
                Ok(Source {
                    name: fields.path.display().to_string(),
                    folder: fields.path.clone(),
                    named: None,
                    class_names: Some(tree.classes().to_vec()),
                    is_unlabeled: tree.is_unlabeled(),
                    format: Box::new(tree),
                })
            }
            DatasetSpec::Fake(fake) => Ok(Source {
                name: spec.to_string(),
                folder: PathBuf::new(),
                named: None,
                class_names: Some(fake.class_names()),
                is_unlabeled: false,
                format: Box::new(fake.clone()),
            }),
        }
    }

    pub fn outline(&self) -> Result<Outline> {
        self.format.outline().map_err(|error| self.hinted(error))
    }

    /// As [`Format::faults`].
    pub fn faults(&self) -> Vec<Problem> {
        self.format.faults()
    }

    pub fn labels(&self) -> Result<Labels> {
        self.format.labels().map_err(|error| self.hinted(error))
    }

    /// Class names; none where the format has no names.
    pub fn classes(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The SHA-256 of all that is read, where a dataset's name does not stand for it; `store` is where
    /// digests of single files are kept.
    pub fn digest(&self, store: Option<&Path>) -> Result<Option<String>> {
        let files = match self.named {
            Some(_) => Vec::new(),
            None => self.format.files(),
        };
        match files.is_empty() {
            true => Ok(None),
            false => digests::digest(&self.folder, &files, store).map(Some),
        }
    }

    /// Everything, with the checksums of a named dataset seen to be right.
    pub fn read(&self, progress: Progress) -> Result<Raw> {
        let raw = self
            .format
            .read(progress)
            .map_err(|error| self.hinted(error))?;
        if let Some(dataset) = self.named {
            for read in &raw.checksums {
                let known = dataset.files().find(|file| file.name == read.name);
                let Some(file) = known else {
                    continue;
                };
                let found = match (file.sum, read.bytes) {
                    (Sum::Content(_), _) => sha256_text(&read.sha256),
                    (Sum::Unpublished, Some(bytes)) => size_text(bytes),
                    _ => identity_of(file, &read.path)
                        .map_err(|error| Error::io(Kind::Data, "read", &read.path, &error))?,
                };
                if found != file.identity() {
                    return Err(self.hinted(changed(dataset, file, read, &found)));
                }
            }
        }
        Ok(raw)
    }

    fn hinted(&self, mut error: Error) -> Error {
        if let Some(dataset) = self.named {
            for problem in &mut error.problems {
                problem.hint.get_or_insert_with(|| {
                    format!(
                        "`burnlab data fetch {}` puts a fresh copy in its place",
                        dataset.name
                    )
                });
            }
        }
        error
    }
}

fn open_named(dataset: &'static Dataset, folder: &Path) -> Result<Source> {
    let path = |file: &File| {
        locate(folder, &dataset.spellings(file)).unwrap_or_else(|| folder.join(file.name))
    };
    let idx = |first_label, is_transposed| idx::Files {
        train: [path(&dataset.train[0]), path(&dataset.train[1])],
        test: [path(&dataset.test[0]), path(&dataset.test[1])],
        known: Some(first_label..first_label + dataset.classes.len() as u32),
        is_transposed,
    };
    let format: Box<dyn Format> = match dataset.layout {
        Layout::Idx => Box::new(idx(0, false)),
        Layout::Emnist { first_label } => Box::new(idx(first_label, true)),
        Layout::Cifar => {
            let batch = |file: &File| (path(file), file.bytes);
            Box::new(cifar::Files {
                train: dataset.train.iter().map(batch).collect(),
                test: dataset.test.iter().map(batch).collect(),
                classes: dataset.classes.len(),
            })
        }
    };
    Ok(Source {
        name: dataset.name.to_string(),
        folder: folder.to_path_buf(),
        named: Some(dataset),
        class_names: Some(
            dataset
                .classes
                .iter()
                .map(|name| name.to_string())
                .collect(),
        ),
        is_unlabeled: false,
        format,
    })
}

fn existing(folder: &Path) -> Result<&Path> {
    match std::fs::metadata(folder) {
        Ok(data) if data.is_dir() => Ok(folder),
        Ok(_) => Err(Error::data(
            Problem::new(format!(
                "`{}` is a file, expected a folder",
                folder.display()
            ))
            .at_file(folder),
        )),
        Err(error) => Err(Error::io(
            Kind::Data,
            "read the dataset's folder",
            folder,
            &error,
        )),
    }
}

fn changed(dataset: &Dataset, file: &File, read: &Checksum, found: &str) -> Error {
    let what = match file.sum {
        Sum::Content(_) | Sum::Unpublished => "its content has",
        Sum::Packed(_) => "packed as published, it has",
    };
    super::content::damage(
        &read.path,
        format!(
            "is not the file that `{}` consists of: {what} {found}, expected {}",
            dataset.name,
            file.identity()
        ),
    )
}
