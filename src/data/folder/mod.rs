//! A folder of images: which ones are for what, of which class, and their pixels.

mod files;
mod layout;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub(super) use files::image_files;
use layout::{Layout, Sample};
pub use settings::{FolderFields, LabelSource};

use super::content::file_name;
use super::format::{Checksum, Format, Labels, Outline, Part, Parts, Progress, Raw, Values};
use super::image_form::{Formed, ImageForm, Pixels};
use super::left_out::some;
use super::pixels::{Header, MOST, decode, header};
use crate::error::{Error, Kind, Problem, Result, count};
use crate::hex::hex;
use crate::shape::ImageShape;

/// Shapes that an error names, the most frequent ones.
const NAMED_SHAPES: usize = 3;

/// The files of a dataset, each with its part and class.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    form: ImageForm,
    /// What tells the classes, if it is a file.
    table: Option<PathBuf>,
    layout: Layout,
}

impl Tree {
    pub fn discover(fields: &FolderFields) -> Result<Self> {
        Ok(Tree {
            root: fields.path.clone(),
            form: fields.form.clone(),
            table: match &fields.labels {
                LabelSource::Csv(path) => Some(fields.path.join(path)),
                LabelSource::Folders | LabelSource::None => None,
            },
            layout: Layout::discover(fields)?,
        })
    }

    pub fn classes(&self) -> &[String] {
        &self.layout.classes
    }

    /// Whether nothing tells the images' classes.
    pub fn is_unlabeled(&self) -> bool {
        self.layout.is_unlabeled
    }

    /// Whether the folder says which images are for testing.
    pub fn states_test(&self) -> bool {
        self.layout.states_test
    }

    /// The path as seen from the dataset's folder.
    fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    /// Sees that an image's shape is that of the first one.
    fn same_shape(
        &self,
        first: &mut Option<(ImageShape, PathBuf)>,
        shape: ImageShape,
        path: &Path,
    ) -> Result<()> {
        let Some((known, known_path)) = first else {
            *first = Some((shape, path.to_path_buf()));
            return Ok(());
        };
        if *known == shape {
            return Ok(());
        }
        let differ = |what: &str, one: String, other: String, key: &str| {
            let message = format!(
                "images differ in {what}: `{}` is {one}, `{}` is {other}",
                self.short(known_path),
                self.short(path)
            );
            let hint = match self.form == ImageForm::default() {
                true => format!("dataset = {{ folder = {{ path = \"DIR\", {key} }} }}"),
                false => format!("`{key}` beside the folder's `path`"),
            };
            Err(Error::data(Problem::new(message).at_file(path).hint(hint)))
        };
        if known.channels != shape.channels {
            let color = |shape: ImageShape| match shape.channels {
                1 => "gray".to_string(),
                _ => "RGB".to_string(),
            };
            let key = "channels = \"rgb\"";
            return differ("color", color(*known), color(shape), key);
        }
        let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
        let what = "size (height x width)";
        differ(what, size(*known), size(shape), "size = 64")
    }

    /// Shapes that images have, with the images' names, as a problem if there are several.
    fn of_many_shapes(&self, mut kinds: Vec<(ImageShape, Vec<String>)>) -> Option<Problem> {
        kinds.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
        let [(usual, _), others @ ..] = &kinds[..] else {
            return None;
        };
        let has_other = |own: fn(&ImageShape) -> [usize; 2]| {
            others.iter().any(|(shape, _)| own(shape) != own(usual))
        };
        let keys = [
            has_other(|shape| [shape.height, shape.width]).then_some("size = 64"),
            has_other(|shape| [shape.channels; 2]).then_some("channels = \"rgb\""),
        ];
        let keys: Vec<&str> = keys.into_iter().flatten().collect();
        if keys.is_empty() {
            return None;
        }
        let more = kinds.len().saturating_sub(NAMED_SHAPES);
        let named = kinds.iter_mut().take(NAMED_SHAPES).map(|(shape, names)| {
            let number = count(names.len(), "image");
            format!("{number} of {shape} ({})", some(names))
        });
        let others = (more > 0).then(|| format!("others of {}", count(more, "more shape")));
        let kinds: Vec<String> = named.chain(others).collect();
        let message = format!("images differ in shape: {}", kinds.join(", "));
        let hint = format!(
            "dataset = {{ folder = {{ path = \"DIR\", {} }} }} in an experiment, \
             whose file `burnlab data verify` takes, too",
            keys.join(", ")
        );
        Some(Problem::new(message).at_file(&self.root).hint(hint))
    }

    /// Reads and forms an image; its file's digest beside it.
    fn image(&self, path: &Path) -> Result<(Formed, [u8; 32])> {
        let bytes = fs::read(path).map_err(|error| Error::io(Kind::Data, "read", path, &error))?;
        let digest = Sha256::digest(&bytes).into();
        let decoded = decode(&bytes).map_err(|error| unreadable(path, &error))?;
        Ok((self.form.form(decoded.image), digest))
    }

    /// What is to be said of the images by their headers.
    fn header_notes(&self, headers: &[Header]) -> Vec<String> {
        let with = |has: fn(&Header) -> bool| headers.iter().filter(|header| has(header)).count();
        let mut notes = Vec::new();
        let deep = with(|header| header.is_deep);
        if deep > 0 && self.form.bits.is_none() {
            notes.push(format!(
                "{} 16 bits a value: they are scaled as the least of 8, 10, 12, 14 and 16 bits that holds the \
                 largest value of all",
                has_or_have(deep)
            ));
        }
        let transparent = with(|header| header.has_alpha);
        if transparent > 0 && self.form.background.is_black() {
            notes.push(format!(
                "{} transparency, which is laid over black",
                has_or_have(transparent)
            ));
        }
        let turned = with(|header| header.is_turned);
        if turned > 0 {
            let verb = if turned == 1 { "is" } else { "are" };
            notes.push(format!(
                "{} {verb} turned as the EXIF data says",
                count(turned, "image")
            ));
        }
        notes
    }

    /// Images whose depth must be known for the background's color.
    fn check_depth(&self, headers: &[Header]) -> Result<()> {
        let is_deep = headers.iter().any(|header| header.is_deep);
        let has_alpha = headers.iter().any(|header| header.has_alpha);
        if !is_deep || !self.form.needs_bits(has_alpha) {
            return Ok(());
        }
        let message =
            "a background that is not black needs `bits` where images have 16 bits a value";
        let problem = Problem::new(message).at_file(&self.root);
        Err(Error::data(
            problem.hint("bits = 16, or as many as are used"),
        ))
    }
}

/// Images besides the first one that is not of the first one's shape.
fn odd(shapes: &[Result<ImageShape>]) -> Option<String> {
    let mut sound = shapes.iter().flatten();
    let first = sound.next();
    let odd = sound.filter(|shape| Some(*shape) != first).count();
    (odd > 1).then(|| count(odd - 1, "other image"))
}

/// An error about one image, with the others that it holds for, too.
fn with_others(mut error: Error, others: Option<String>) -> Error {
    if let (Some(problem), Some(others)) = (error.problems.first_mut(), others) {
        let others = format!("so it is with {others}");
        problem.hint = Some(match problem.hint.take() {
            Some(hint) => format!("{hint}; {others}"),
            None => others,
        });
    }
    error
}

impl Format for Tree {
    fn outline(&self) -> Result<Outline> {
        let files: Vec<&Path> = self.layout.files().collect();
        let read = |path: &&Path| header(path).map_err(|error| unreadable(path, &error));
        let headers: Vec<Result<Header>> = files.par_iter().map(read).collect();
        let shape_of = |header: &Result<Header>| match header {
            Ok(header) => Ok(self.form.shape(header.shape)),
            Err(error) => Err(error.clone()),
        };
        let shapes: Vec<Result<ImageShape>> = headers.iter().map(shape_of).collect();
        let unread = files
            .iter()
            .zip(&shapes)
            .filter(|(_, shape)| shape.is_err());
        let mut unread: Vec<String> = unread.skip(1).map(|(path, _)| self.short(path)).collect();
        let unread = (!unread.is_empty()).then(|| some(&mut unread));
        let odd = odd(&shapes);
        let mut first = None;
        for (path, shape) in files.iter().zip(shapes) {
            let shape = shape.map_err(|error| with_others(error, unread.clone()))?;
            self.same_shape(&mut first, shape, path)
                .map_err(|error| with_others(error, odd.clone()))?;
        }
        let headers: Vec<Header> = headers.into_iter().collect::<Result<_>>()?;
        self.check_depth(&headers)?;
        let (shape, _) = first.ok_or_else(|| Error::bug("a folder dataset without images"))?;
        let layout = &self.layout;
        let notes = layout.notes.iter().cloned();
        Ok(Outline {
            shape,
            train: layout.train.len(),
            validation: layout.validation.as_ref().map_or(0, Vec::len),
            test: layout.test.len(),
            notes: notes.chain(self.header_notes(&headers)).collect(),
            is_read_anew: headers
                .iter()
                .any(|header| header.is_turned || header.is_deep),
        })
    }

    fn labels(&self) -> Result<Labels> {
        let labels = |files: &[Sample]| files.iter().map(|file| file.1).collect();
        Ok(Labels {
            train: labels(&self.layout.train),
            validation: labels(self.layout.validation.as_deref().unwrap_or_default()),
            test: labels(&self.layout.test),
        })
    }

    fn names(&self) -> Option<Parts<String>> {
        let names = |files: &[Sample]| files.iter().map(|file| self.short(&file.0)).collect();
        Some(Parts {
            train: names(&self.layout.train),
            validation: names(self.layout.validation.as_deref().unwrap_or_default()),
            test: names(&self.layout.test),
        })
    }

    /// One checksum stands for all files: of their names and their own checksums, in order.
    fn read(&self, progress: Progress) -> Result<Raw> {
        let files: Vec<&Path> = self.layout.files().collect();
        let done = AtomicUsize::new(0);
        let read = |path: &&Path| {
            let image = self.image(path);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
            image
        };
        let images: Vec<Result<(Formed, [u8; 32])>> = files.par_iter().map(read).collect();
        let (mut first, mut hash, mut largest) = (None, Sha256::new(), None);
        let mut formed = Vec::with_capacity(images.len());
        for (path, image) in files.iter().zip(images) {
            let (image, digest) = image?;
            self.same_shape(&mut first, image.shape, path)?;
            hash.update(self.short(path).as_bytes());
            hash.update(digest);
            if let Pixels::Sixteen { largest: own, .. } = image.pixels {
                largest = Some(largest.unwrap_or(0).max(own));
            }
            formed.push(image.pixels);
        }
        let (shape, _) = first.ok_or_else(|| Error::bug("a folder dataset without images"))?;
        let white = largest.map(|largest| self.form.white(largest));
        let mut formed = formed.into_iter();
        let mut part = |samples: &[Sample]| Part {
            pixels: joined(formed.by_ref().take(samples.len()), white),
            labels: samples.iter().map(|sample| sample.1).collect(),
        };
        let (train, validation, test) = (
            part(&self.layout.train),
            self.layout.validation.as_deref().map(&mut part),
            part(&self.layout.test),
        );
        Ok(Raw {
            shape,
            train,
            validation,
            test,
            checksums: vec![checksum(&self.root, files.len(), hex(&hash.finalize()))],
        })
    }

    fn faults(&self) -> Vec<Problem> {
        let files: Vec<&Path> = self.layout.files().collect();
        let shape = |path: &&Path| self.image(path).map(|(formed, _)| formed.shape);
        let shapes: Vec<Result<ImageShape>> = files.par_iter().map(shape).collect();
        let mut unreadable = Vec::new();
        let mut kinds: Vec<(ImageShape, Vec<String>)> = Vec::new();
        for (path, shape) in files.iter().zip(shapes) {
            match shape {
                Err(error) => unreadable.extend(error.problems),
                Ok(shape) => match kinds.iter_mut().find(|(known, _)| *known == shape) {
                    Some((_, names)) => names.push(self.short(path)),
                    None => kinds.push((shape, vec![self.short(path)])),
                },
            }
        }
        let of_shapes = self.of_many_shapes(kinds).into_iter();
        of_shapes.chain(unreadable).collect()
    }

    fn files(&self) -> Vec<&Path> {
        let table = self.table.as_deref();
        self.layout.files().chain(table).collect()
    }
}

/// What stands for all images of a folder.
pub(super) fn checksum(folder: &Path, images: usize, sha256: String) -> Checksum {
    Checksum {
        path: folder.to_path_buf(),
        name: format!("{} ({})", file_name(folder), count(images, "image")),
        sha256,
        packed: None,
        bytes: None,
    }
}

/// The values of images one after another, deep ones and others in one depth where there is a white of such.
fn joined(images: impl Iterator<Item = Pixels>, white: Option<u16>) -> Values {
    let Some(white) = white else {
        let mut values = Vec::new();
        for image in images {
            if let Pixels::Eight(image) = image {
                values.extend(image);
            }
        }
        return Values::Eight(values);
    };
    let deepened = |value: u8| ((u32::from(value) * u32::from(white) + 127) / 255) as u16;
    let mut values = Vec::new();
    for image in images {
        match image {
            Pixels::Eight(image) => values.extend(image.into_iter().map(deepened)),
            Pixels::Sixteen { values: deep, .. } => values.extend(deep),
        }
    }
    Values::Sixteen(values, white)
}

/// `1 image has`, `3 images have`.
fn has_or_have(number: usize) -> String {
    let verb = if number == 1 { "has" } else { "have" };
    format!("{} {verb}", count(number, "image"))
}

/// The error of an image that cannot be read.
pub(super) fn unreadable(path: &Path, error: &image::ImageError) -> Error {
    let mut hint = None;
    let reason = match error {
        image::ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the file is cut short".to_string()
        }
        image::ImageError::IoError(error) => crate::error::io_reason(error),
        image::ImageError::Limits(_) => {
            hint = Some("scale it down, or take it out of the folder".to_string());
            format!("it takes more than {} MiB to read", MOST >> 20)
        }
        other => other.to_string(),
    };
    let message = format!("cannot read image `{}`: {reason}", file_name(path));
    Error::data(Problem::new(message).at_file(path).maybe_hint(hint))
}
