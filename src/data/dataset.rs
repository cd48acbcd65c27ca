//! What is known of a named dataset before looking at its files.

use crate::error::thousands;
use crate::shape::ImageShape;

/// How a named dataset's files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Two IDX files a part, images then labels; plain or gzip.
    Idx,
    /// The same, with rows and columns exchanged, and a first class that has another label than 0.
    Emnist {
        /// Its label.
        first_label: u32,
    },
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
    /// What tells that it is the published one.
    pub sum: Sum,
}

/// The SHA-256 of a published file, in hexadecimal, where one is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sum {
    /// Of the unpacked content, so that a copy counts as the same however it is compressed.
    Content(&'static str),
    /// Of the packed file, where that of its content is not published: a copy must be packed as it is.
    Packed(&'static str),
    /// None: the archive that a file comes in vouches for it, afterwards its size alone.
    Unpublished,
}

impl File {
    /// What is known of the published one: its sum or, without one, its size.
    pub fn identity(&self) -> String {
        match self.sum {
            Sum::Content(digits) | Sum::Packed(digits) => sha256_text(digits),
            Sum::Unpublished => size_text(self.bytes),
        }
    }

    /// Bytes that it has at most, packed or not: packing never makes it much larger than it is.
    pub(super) fn most_bytes(&self) -> u64 {
        self.bytes + (self.bytes >> 4) + 4096
    }
}

pub(super) fn sha256_text(digits: &str) -> String {
    format!("sha256 {digits}")
}

pub(super) fn size_text(bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    format!("{} bytes", thousands(bytes))
}

/// One archive that holds all files of a dataset, and of those that share its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Archive {
    /// Name of the tar.gz or zip file on the mirrors.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: &'static str,
}

/// What is known about a dataset before looking at its files.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Dataset {
    /// Name in an experiment.
    pub name: &'static str,
    /// Name of its folder; datasets that come in one archive share theirs.
    pub folder: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// How its files are laid out.
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
    /// Its license, as its authors state it.
    pub license: &'static str,
    /// Whom to cite for it.
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
            Layout::Idx | Layout::Emnist { .. } => idx_spellings(file.name),
            Layout::Cifar => vec![file.name.to_string()],
        }
    }
}

/// Names an IDX file goes by: `-idx3-` or `.idx3-`, gzip or plain.
pub(super) fn idx_spellings(name: &str) -> Vec<String> {
    let dotted = name.replace("-idx", ".idx");
    vec![
        format!("{name}.gz"),
        name.to_string(),
        format!("{dotted}.gz"),
        dotted,
    ]
}
