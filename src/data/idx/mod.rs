//! The IDX format: big-endian sizes, then bytes (format: the MNIST page of Y. LeCun).
//!
//! Images are `[images, height, width]` (gray) or `[images, channels, height, width]`.

mod fields;
mod names;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use fields::IdxFields;
use names::{Kind, Part as SetPart};

use super::content::{Extent, Stream, Sums, damage, file_name};
use super::format::{Checksum, Format, Labels, Outline, Part, Progress, Raw, Values};
use crate::error::{Error, Problem, Result, count, list, thousands};
use crate::shape::ImageShape;

/// A class is a label up to the largest one; those of more classes are damaged.
const MOST_CLASSES: u32 = 1_000_000;

/// The four files of a dataset; each part has images and labels.
pub(super) struct Files {
    pub train: [PathBuf; 2],
    pub test: [PathBuf; 2],
    /// The classes' labels, where they are known; else they are taken as they are.
    pub known: Option<Range<u32>>,
    /// Whether rows and columns are exchanged.
    pub is_transposed: bool,
}

/// The name of the set that is meant.
fn chosen(fields: &IdxFields, sets: &BTreeMap<String, names::Set>) -> Result<String> {
    let known: Vec<&str> = sets
        .keys()
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    let is_meant = |name: &&str| match &fields.split {
        None => true,
        Some(split) => name == split || name.ends_with(&format!("-{split}")),
    };
    let meant: Vec<&str> = known.iter().copied().filter(is_meant).collect();
    match (meant.as_slice(), &fields.split) {
        ([only], _) => Ok(only.to_string()),
        (_, None) => {
            let message = format!("there are several sets of IDX files here: {}", list(&known));
            let first = known
                .first()
                .and_then(|name| name.rsplit('-').next())
                .unwrap_or_default();
            let hint = format!("dataset = {{ idx = {{ path = \"DIR\", split = \"{first}\" }} }}");
            Err(Error::data(
                Problem::new(message).at_file(&fields.path).hint(hint),
            ))
        }
        (_, Some(split)) => {
            let problem = Problem::new(format!("there is no set `{split}` of IDX files here"));
            let hint = match known.is_empty() {
                true => "only files of one set, with the usual names, are here".to_string(),
                false => format!("those that are here: {}", list(&known)),
            };
            Err(Error::data(problem.at_file(&fields.path).hint(hint)))
        }
    }
}

impl Files {
    /// Finds the files by their usual names, or by those of a set that is published under a name of its own.
    pub fn discover(fields: &IdxFields) -> Result<Self> {
        let folder = &fields.path;
        let sets = names::sets(folder)?;
        let usual = fields.split.is_none() && sets.get("").is_some_and(names::Set::begins);
        let set = match usual || sets.keys().all(String::is_empty) && fields.split.is_none() {
            true => String::new(),
            false => chosen(fields, &sets)?,
        };
        let files = sets.get(&set).cloned().unwrap_or_default();
        let file = |part: SetPart, kind: Kind| {
            files.get(part, kind).ok_or_else(|| {
                let wanted = names::wanted(&set, part, kind);
                let message = format!("`{wanted}` is missing");
                Error::data(Problem::new(message).at_file(folder).hint(
                    "an IDX dataset has `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, \
                     `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, plain or as `.gz`",
                ))
            })
        };
        let part = |part| Ok::<_, Error>([file(part, Kind::Images)?, file(part, Kind::Labels)?]);
        Ok(Files {
            train: part(SetPart::Train)?,
            test: part(SetPart::Test)?,
            known: None,
            is_transposed: set.starts_with("emnist"),
        })
    }

    /// What a reader of files that people bring may not expect.
    fn notes(&self) -> Result<Vec<String>> {
        if self.known.is_some() {
            return Ok(Vec::new());
        }
        let mut notes = Vec::new();
        if self.is_transposed {
            let note =
                "the images are published with rows and columns exchanged; they are set upright";
            notes.push(note.to_string());
        }
        let labels = self.labels()?;
        let least = labels.train.iter().chain(&labels.test).min();
        if let Some(least) = least.filter(|least| **least > 0) {
            let empty = match least {
                1 => "class `0` has".to_string(),
                _ => format!("classes `0` to `{}` have", least - 1),
            };
            notes.push(format!("the labels begin at {least}: {empty} no images"));
        }
        let trained: HashSet<&u32> = labels.train.iter().collect();
        let from = least.copied().unwrap_or_default();
        let last = labels.train.iter().chain(&labels.test).max();
        let untrained = (from..=last.copied().unwrap_or_default())
            .filter(|class| !trained.contains(class))
            .map(|class| class.to_string());
        let untrained: Vec<String> = untrained.collect();
        if !untrained.is_empty() && !trained.is_empty() {
            let noun = if untrained.len() == 1 {
                "class"
            } else {
                "classes"
            };
            let untrained = list(&untrained);
            notes.push(format!(
                "no image of the {noun} {untrained} is for training"
            ));
        }
        Ok(notes)
    }

    fn read_part(
        &self,
        files: &[PathBuf; 2],
        checksums: &mut Vec<Checksum>,
    ) -> Result<(ImageShape, Part)> {
        let (mut stream, shape, extent) = open_images(&files[0])?;
        let mut pixels = stream.take(extent.size * extent.count, &extent)?;
        if self.is_transposed {
            transpose(&mut pixels, shape);
        }
        checksums.push(checksum(&files[0], stream)?);
        let labels = self.read_labels(&files[1], checksums)?;
        same_length(files, extent.count, labels.len() as u64)?;
        let pixels = Values::Eight(pixels);
        Ok((shape, Part { pixels, labels }))
    }

    fn read_labels(&self, path: &Path, checksums: &mut Vec<Checksum>) -> Result<Vec<u32>> {
        let (mut stream, extent) = open_labels(path)?;
        let bytes = stream.take(extent.count * extent.size, &extent)?;
        // The first number of each, of one byte or of four.
        let rows = bytes.chunks_exact(extent.size as usize);
        let labels: Vec<u32> = rows
            .map(|row| match row.first_chunk() {
                Some(number) => u32::from_be_bytes(*number),
                None => u32::from(row[0]),
            })
            .collect();
        let known = self.known.clone().unwrap_or(0..MOST_CLASSES);
        if let Some(at) = labels.iter().position(|label| !known.contains(label)) {
            return Err(stream.damage(format!(
                "holds the label {} at byte {} (label {} of {}), expected {} to {}",
                labels[at],
                thousands((extent.header + at as u64 * extent.size) as usize),
                thousands(at + 1),
                thousands(labels.len()),
                known.start,
                known.end - 1
            )));
        }
        checksums.push(checksum(path, stream)?);
        Ok(labels
            .into_iter()
            .map(|label| label - known.start)
            .collect())
    }
}

impl Format for Files {
    fn outline(&self) -> Result<Outline> {
        let part = |files: &[PathBuf; 2]| {
            let (_, shape, images) = open_images(&files[0])?;
            let (_, labels) = open_labels(&files[1])?;
            same_length(files, images.count, labels.count)?;
            Ok((shape, images.count as usize))
        };
        let (shape, train) = part(&self.train)?;
        let (test_shape, test) = part(&self.test)?;
        self.same_shape(shape, test_shape)?;
        Ok(Outline {
            shape,
            train,
            validation: 0,
            test,
            notes: self.notes()?,
            is_read_anew: false,
        })
    }

    fn labels(&self) -> Result<Labels> {
        let ignored = &mut Vec::new();
        Ok(Labels {
            train: self.read_labels(&self.train[1], ignored)?,
            validation: Vec::new(),
            test: self.read_labels(&self.test[1], ignored)?,
        })
    }

    fn read(&self, _: Progress) -> Result<Raw> {
        let mut checksums = Vec::new();
        let (shape, train) = self.read_part(&self.train, &mut checksums)?;
        let (test_shape, test) = self.read_part(&self.test, &mut checksums)?;
        self.same_shape(shape, test_shape)?;
        Ok(Raw {
            shape,
            train,
            validation: None,
            test,
            checksums,
        })
    }

    fn files(&self) -> Vec<&Path> {
        let files = self.train.iter().chain(&self.test);
        files.map(PathBuf::as_path).collect()
    }
}

impl Files {
    fn same_shape(&self, train: ImageShape, test: ImageShape) -> Result<()> {
        if train == test {
            return Ok(());
        }
        Err(damage(
            &self.test[0],
            format!(
                "holds images of {test}, but `{}` of {train}",
                file_name(&self.train[0])
            ),
        ))
    }
}

/// All images of a file, `[images, channels, height, width]`, and the shape of each.
pub(super) fn read_images(path: &Path) -> Result<(ImageShape, Vec<u8>)> {
    let (mut stream, shape, extent) = open_images(path)?;
    let pixels = stream.take(extent.size * extent.count, &extent)?;
    stream.finish()?;
    Ok((shape, pixels))
}

fn open_images(path: &Path) -> Result<(Stream, ImageShape, Extent)> {
    let (stream, sizes) = open(path, "images", &[3, 4])?;
    let (images, shape) = match *sizes.as_slice() {
        [images, height, width] => (images, [1, height, width]),
        [images, channels, height, width] => (images, [channels, height, width]),
        _ => return Err(Error::bug("an IDX header of images has 3 or 4 sizes")),
    };
    let shape = ImageShape::new(shape[0] as usize, shape[1] as usize, shape[2] as usize);
    let size = sizes[1..]
        .iter()
        .try_fold(1u64, |all, &n| all.checked_mul(u64::from(n)));
    let extent = Extent {
        header: 4 + 4 * sizes.len() as u64,
        noun: "image",
        size: size.unwrap_or(u64::MAX),
        count: u64::from(images),
    };
    if extent.total().is_none() || extent.size * extent.count == 0 {
        return Err(stream.damage(format!(
            "says in its header that it holds {} of {shape}",
            count(images as usize, "image")
        )));
    }
    Ok((stream, shape, extent))
}

/// Labels are bytes, or rows of 32-bit numbers of which the first is the class: QMNIST's.
fn open_labels(path: &Path) -> Result<(Stream, Extent)> {
    let (stream, sizes) = open(path, "labels", &[1])?;
    let row = sizes[1..].iter().map(|&size| 4 * u64::from(size)).product();
    let extent = Extent {
        header: 4 + 4 * sizes.len() as u64,
        noun: "label",
        size: row,
        count: u64::from(sizes[0]),
    };
    if extent.size == 0 || extent.total().is_none() {
        return Err(stream.damage("says in its header that its labels have no numbers"));
    }
    Ok((stream, extent))
}

/// Reads a header: two zeros, 8 for bytes, the number of sizes, then the sizes.
fn open(path: &Path, noun: &str, dimensions: &[u8]) -> Result<(Stream, Vec<u32>)> {
    let mut stream = Stream::open(path)?;
    let header = |length| Extent {
        header: length,
        noun: "image",
        size: 1,
        count: 0,
    };
    let magic = stream.take(4, &header(4 + 4 * u64::from(dimensions[0])))?;
    let is_row_of_numbers = noun == "labels" && magic == [0, 0, 12, 2];
    if !is_row_of_numbers && (magic[..3] != [0, 0, 8] || !dimensions.contains(&magic[3])) {
        let bytes: Vec<String> = magic.iter().map(|byte| format!("{byte:02x}")).collect();
        return Err(stream.damage(format!(
            "starts with the bytes {}, expected 00 00 08 {:02x} as IDX files of {noun} do",
            bytes.join(" "),
            dimensions[0]
        )));
    }
    let length = 4 * u64::from(magic[3]);
    let sizes = stream.take(length, &header(4 + length))?;
    let number = |four: &[u8]| u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
    Ok((stream, sizes.chunks_exact(4).map(number).collect()))
}

fn same_length(files: &[PathBuf; 2], images: u64, labels: u64) -> Result<()> {
    if images == labels {
        return Ok(());
    }
    Err(damage(
        &files[1],
        format!(
            "holds {}, but `{}` holds {}",
            count(labels as usize, "label"),
            file_name(&files[0]),
            count(images as usize, "image")
        ),
    ))
}

/// Exchanges rows and columns of every channel; images are square.
fn transpose(pixels: &mut [u8], shape: ImageShape) {
    let side = shape.width;
    if shape.height != side {
        return;
    }
    for plane in pixels.chunks_exact_mut((side * side).max(1)) {
        for row in 0..side {
            for column in 0..row {
                plane.swap(row * side + column, column * side + row);
            }
        }
    }
}

fn checksum(path: &Path, stream: Stream) -> Result<Checksum> {
    let bytes = Some(stream.at());
    let Sums { content, packed } = stream.finish()?;
    Ok(Checksum {
        path: path.to_path_buf(),
        name: content_name(path),
        bytes,
        sha256: content,
        packed,
    })
}

/// The usual name of a file's content, however the file is spelled.
fn content_name(path: &Path) -> String {
    let name = file_name(path);
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.replace(".idx", "-idx")
}
