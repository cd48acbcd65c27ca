//! The IDX format: big-endian sizes, then bytes (format: the MNIST page of Y. LeCun).
//!
//! Images are `[images, height, width]` (gray) or `[images, channels, height, width]`.

use std::path::{Path, PathBuf};

use super::content::{Extent, Stream, damage, file_name};
use super::dataset::idx_spellings;
use super::folders::locate;
use super::format::{Checksum, Format, Labels, Outline, Part, Progress, Raw, Values};
use crate::error::{Error, Problem, Result, count, thousands};
use crate::shape::ImageShape;

/// The four files of a dataset; each part has images and labels.
pub(super) struct Files {
    pub train: [PathBuf; 2],
    pub test: [PathBuf; 2],
    /// How many classes there are, where that is known; labels are below it.
    pub classes: Option<usize>,
}

impl Files {
    /// Finds the files by their usual names; the test part is called `t10k` or `test`.
    pub fn discover(folder: &Path) -> Result<Self> {
        let find = |parts: &[&str], kinds: &[&str]| {
            let names = parts.iter().flat_map(|part| {
                let named = move |kind: &&str| idx_spellings(&format!("{part}-{kind}-ubyte"));
                kinds.iter().flat_map(named)
            });
            locate(folder, &names.collect::<Vec<_>>()).ok_or_else(|| {
                let wanted = format!("{}-{}-ubyte.gz", parts[0], kinds[0]);
                let message = format!("`{}` is missing", wanted);
                Error::data(Problem::new(message).at_file(folder).hint(
                    "an IDX dataset has `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, \
                     `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, plain or as `.gz`",
                ))
            })
        };
        let images: &[&str] = &["images-idx3", "images-idx4"];
        let labels: &[&str] = &["labels-idx1"];
        let test: &[&str] = &["t10k", "test"];
        Ok(Files {
            train: [find(&["train"], images)?, find(&["train"], labels)?],
            test: [find(test, images)?, find(test, labels)?],
            classes: None,
        })
    }

    fn read_part(
        &self,
        files: &[PathBuf; 2],
        checksums: &mut Vec<Checksum>,
    ) -> Result<(ImageShape, Part)> {
        let (mut stream, shape, extent) = open_images(&files[0])?;
        let pixels = stream.take(extent.size * extent.count, &extent)?;
        checksums.push(checksum(&files[0], stream)?);
        let labels = self.read_labels(&files[1], checksums)?;
        same_length(files, extent.count, labels.len() as u64)?;
        let pixels = Values::Eight(pixels);
        Ok((shape, Part { pixels, labels }))
    }

    fn read_labels(&self, path: &Path, checksums: &mut Vec<Checksum>) -> Result<Vec<u32>> {
        let (mut stream, extent) = open_labels(path)?;
        let labels = stream.take(extent.count, &extent)?;
        if let Some(classes) = self.classes
            && let Some(at) = labels
                .iter()
                .position(|&label| usize::from(label) >= classes)
        {
            return Err(stream.damage(format!(
                "holds the label {} at byte {} (label {} of {}), expected 0 to {}",
                labels[at],
                thousands(at + 8),
                thousands(at + 1),
                thousands(labels.len()),
                classes - 1
            )));
        }
        checksums.push(checksum(path, stream)?);
        Ok(labels.into_iter().map(u32::from).collect())
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
            test,
            validation: 0,
            notes: Vec::new(),
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

fn open_labels(path: &Path) -> Result<(Stream, Extent)> {
    let (stream, sizes) = open(path, "labels", &[1])?;
    let extent = Extent {
        header: 8,
        noun: "label",
        size: 1,
        count: u64::from(sizes[0]),
    };
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
    if magic[..3] != [0, 0, 8] || !dimensions.contains(&magic[3]) {
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

fn checksum(path: &Path, stream: Stream) -> Result<Checksum> {
    Ok(Checksum {
        path: path.to_path_buf(),
        name: content_name(path),
        sha256: stream.finish()?,
    })
}

/// The usual name of a file's content, however the file is spelled.
fn content_name(path: &Path) -> String {
    let name = file_name(path);
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.replace(".idx", "-idx")
}
