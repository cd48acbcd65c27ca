//! Whether the files of a named dataset are there, and are those that were published.

use std::path::{Path, PathBuf};

use super::content::identity_of;
use super::dataset::{Dataset, File, Sum};
use super::folders::{Folders, Found, locate};
use crate::error::{Result, io_reason};

/// How a file of a named dataset stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Name of the dataset.
    pub dataset: &'static str,
    /// Name of the unpacked content.
    pub name: &'static str,
    /// Where it lies, if it is there.
    pub path: Option<PathBuf>,
    /// Whether it is there and right.
    pub state: FileStatus,
}

/// See [`FileState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStatus {
    /// There, with the published checksum.
    Right,
    /// There, as long as the published one, of which no checksum is published.
    RightSize,
    /// Not there.
    Missing,
    /// Holds something else.
    Wrong {
        /// Sum or size of what is there, as [`File::identity`] says it.
        found: String,
        /// Of the published one.
        expected: String,
    },
    /// Why it cannot be read or unpacked.
    Unreadable(String),
}

impl FileStatus {
    /// Whether nothing tells it from the published one.
    pub(super) fn is_right(&self) -> bool {
        matches!(self, FileStatus::Right | FileStatus::RightSize)
    }
}

/// The state of every file, in the folder where the dataset is found.
pub fn verify(dataset: &Dataset, folders: &Folders) -> Result<Vec<FileState>> {
    let folder = match folders.find(dataset) {
        Found::Complete(folder) | Found::Partial { folder, .. } => folder,
        Found::Nowhere => folders.require(dataset)?,
    };
    let state = |file| state_of(dataset, file, &folder);
    Ok(dataset.files().map(state).collect())
}

/// The state of a file in a folder.
pub(super) fn state_of(dataset: &Dataset, file: &'static File, folder: &Path) -> FileState {
    let path = locate(folder, &dataset.spellings(file));
    let expected = file.identity();
    let state = match path.as_deref().map(|path| identity_of(file, path)) {
        None => FileStatus::Missing,
        Some(Ok(found)) if found == expected => match file.sum {
            Sum::Content(_) | Sum::Packed(_) => FileStatus::Right,
            Sum::Unpublished => FileStatus::RightSize,
        },
        Some(Ok(found)) => FileStatus::Wrong { found, expected },
        Some(Err(error)) => FileStatus::Unreadable(io_reason(&error)),
    };
    FileState {
        dataset: dataset.name,
        name: file.name,
        path,
        state,
    }
}

/// What is said of a file that is not the published one.
pub(super) fn mismatch(file: &File, found: &str) -> String {
    let what = match file.sum {
        Sum::Content(_) | Sum::Unpublished => "its content",
        Sum::Packed(_) => "it",
    };
    format!("{what} has {found}, expected {}", file.identity())
}
