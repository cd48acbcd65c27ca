//! What every format of images and labels can do, and its results.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::shape::ImageShape;

/// What can be said without reading pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub shape: ImageShape,
    pub train: usize,
    pub test: usize,
    /// What a reader of the files may not expect, a sentence each: what is left out or changed.
    pub notes: Vec<String>,
}

/// The class of every sample, in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels {
    pub train: Vec<u32>,
    pub test: Vec<u32>,
}

/// Images of one part: pixels 0 to 255, `[images, channels, height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub pixels: Vec<u8>,
    pub labels: Vec<u32>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksum {
    pub path: PathBuf,
    /// Name of the unpacked content.
    pub name: String,
    /// Of the unpacked content.
    pub sha256: String,
}

/// A whole dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub shape: ImageShape,
    pub train: Part,
    pub test: Part,
    pub checksums: Vec<Checksum>,
}

/// What every format can do.
pub(super) trait Format {
    /// From headers alone.
    fn outline(&self) -> Result<Outline>;
    fn labels(&self) -> Result<Labels>;
    fn read(&self) -> Result<Raw>;
    /// The files that are read, in order; none of datasets whose content is known or made up.
    fn files(&self) -> Vec<&Path> {
        Vec::new()
    }
}
