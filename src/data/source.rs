//! A dataset found on disk, or made up: one of the formats, and what is known of it by name.

use std::path::{Path, PathBuf};

use super::dataset::{Dataset, File, Layout, Sum, sha256_text, size_text};
use super::fields::DatasetSpec;
use super::folders::{Folders, locate};
use super::format::{Checksum, Format, Labels, Outline, Parts, Progress, Raw};
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
    /// Whether it says itself which images are for testing.
    pub states_test: bool,
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
                states_test: true,
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
                    states_test: tree.states_test(),
                    format: Box::new(tree),
                })
            }
            DatasetSpec::Fake(fake) => Ok(Source {
                name: spec.to_string(),
                folder: PathBuf::new(),
                named: None,
                class_names: Some(fake.class_names()),
                is_unlabeled: false,
                states_test: true,
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

    /// As [`Format::names`].
    pub fn names(&self) -> Option<Parts<String>> {
        self.format.names()
    }

    /// Class names; none where the format has no names.
    pub fn classes(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// The SHA-256 of all that is read, where a dataset's name does not stand for it; `store` is where
    /// digests of single files are kept.
    pub fn digest(&self, store: Option<&Path>) -> Result<Option<String>> {
        let files = self.files();
        match self.named.is_some() || files.is_empty() {
            true => Ok(None),
            false => digests::digest(&self.folder, &files, store).map(Some),
        }
    }

    /// As [`Format::files`].
    pub fn files(&self) -> Vec<&Path> {
        self.format.files()
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
                let found = match file.sum {
                    Sum::Content(_) => sha256_text(&read.sha256),
                    Sum::Packed(_) => sha256_text(read.packed.as_ref().unwrap_or(&read.sha256)),
                    Sum::Unpublished => size_text(read.bytes.unwrap_or_default()),
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
        states_test: true,
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::data::content::sha256_raw;
    use crate::data::mnist::MNIST;

    fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A file whose published sum is of this packing.
    fn published(name: &'static str, content: &[u8], packed: &[u8]) -> File {
        let sum = sha256_raw(packed).unwrap();
        File {
            name,
            bytes: content.len() as u64,
            sum: Sum::Packed(Box::leak(sum.into_boxed_str())),
        }
    }

    #[test]
    fn a_file_known_by_its_packing_is_seen_to_be_it_as_it_is_read() {
        let images = [
            &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..],
            &[7; 784],
        ]
        .concat();
        let labels = [0, 0, 8, 1, 0, 0, 0, 1, 3];
        let (packed_images, packed_labels) = (gzip(&images, 9), gzip(&labels, 9));
        let part = |images_name, labels_name| -> &'static [File] {
            Vec::leak(vec![
                published(images_name, &images, &packed_images),
                published(labels_name, &labels, &packed_labels),
            ])
        };
        let dataset: &'static Dataset = Box::leak(Box::new(Dataset {
            name: "packed",
            train: part("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            test: part("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
            ..MNIST
        }));
        let folder = tempfile::tempdir().unwrap();
        let path = |file: &File| folder.path().join(format!("{}.gz", file.name));
        for [images, labels] in [dataset.train, dataset.test].map(|part| [&part[0], &part[1]]) {
            fs::write(path(images), &packed_images).unwrap();
            fs::write(path(labels), &packed_labels).unwrap();
        }
        let read = || open_named(dataset, folder.path()).unwrap().read(&|_, _| {});
        let raw = read().unwrap();
        assert_eq!(raw.train.labels, [3]);

        // The same content, packed otherwise, and not at all.
        let first = &dataset.train[0];
        let other = gzip(&images, 1);
        let sums = [&other, &images].map(|bytes| sha256_raw(bytes.as_slice()).unwrap());
        for (bytes, sum) in [other, images.clone()].iter().zip(sums) {
            fs::write(path(first), bytes).unwrap();
            let error = read().unwrap_err().to_string();
            let wrong = format!(
                "packed as published, it has sha256 {sum}, expected {}",
                first.identity()
            );
            assert!(error.contains(&wrong), "{error}");
        }
    }
}
