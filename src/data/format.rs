//! What every format of images and labels can do, and its results.

use std::path::{Path, PathBuf};

use super::image_form::Bits;
use crate::error::{Problem, Result};
use crate::shape::ImageShape;

/// What can be said without reading pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub shape: ImageShape,
    pub train: usize,
    /// Images that the files themselves keep back for validation.
    pub validation: usize,
    pub test: usize,
    /// What a reader of the files may not expect, a sentence each: what is left out or changed.
    pub notes: Vec<String>,
    /// Whether images are read in another way than runs of burnlab 0.1.0 read them, whose numbers are not these.
    pub is_read_anew: bool,
}

/// What is known of every sample, part by part, in file order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<T> {
    /// Of those to train on.
    pub train: Vec<T>,
    /// Of those for validation: as files have them, of the images that the files themselves keep back for it.
    pub validation: Vec<T>,
    /// Of those to test on.
    pub test: Vec<T>,
}

/// Their classes.
pub(super) type Labels = Parts<u32>;

/// Values of pixels, `[images, channels, height, width]`, from 0 for black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// White is 255.
    Eight(Vec<u8>),
    /// White is the number beside them.
    Sixteen(Vec<u16>, u16),
}

impl Values {
    /// How many of 16 bits they use; none of those of 8 bits.
    pub fn bits(&self) -> Option<Bits> {
        match self {
            Values::Eight(_) => None,
            Values::Sixteen(_, white) => Some(Bits::of(*white)),
        }
    }
}

/// Images of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub pixels: Values,
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
    /// The SHA-256 of the file itself where it is packed, as it was read.
    pub packed: Option<String>,
    /// Of the unpacked content, in bytes; none of the images of a folder.
    pub bytes: Option<u64>,
}

/// A whole dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub shape: ImageShape,
    pub train: Part,
    /// What the files themselves keep back for validation.
    pub validation: Option<Part>,
    pub test: Part,
    pub checksums: Vec<Checksum>,
}

/// Told how many images of all have been read.
pub(super) type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// What every format can do.
pub(super) trait Format {
    /// From headers alone.
    fn outline(&self) -> Result<Outline>;
    fn labels(&self) -> Result<Labels>;
    fn read(&self, progress: Progress) -> Result<Raw>;
    /// All that keeps it from being read, where its files are images of their own: each that cannot be read, and those that
    /// are not of one shape.
    fn faults(&self) -> Vec<Problem> {
        Vec::new()
    }
    /// What the images are called, where each has a file of its own.
    fn names(&self) -> Option<Parts<String>> {
        None
    }
    /// The files that are read, in order; none of images that are made up.
    fn files(&self) -> Vec<&Path> {
        Vec::new()
    }
}
