//! CIFAR's binary format: records of one label byte, then 3x32x32 pixel bytes
//! (red, green, blue planes; format: the CIFAR page of A. Krizhevsky).

use std::path::{Path, PathBuf};

use super::content::{Extent, Stream, Sums, damage, file_name};
use super::format::{Checksum, Format, Labels, Outline, Part, Progress, Raw, Values};
use crate::error::{Error, Kind, Result, thousands};
use crate::shape::ImageShape;

const PIXELS: usize = 3 * 32 * 32;
const RECORD: u64 = 1 + PIXELS as u64;

/// The batches of a dataset, each with the bytes it should have.
pub(super) struct Files {
    pub train: Vec<(PathBuf, u64)>,
    pub test: Vec<(PathBuf, u64)>,
    pub classes: usize,
}

impl Files {
    fn read_part(&self, batches: &[(PathBuf, u64)], checksums: &mut Vec<Checksum>) -> Result<Part> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for (path, bytes) in batches {
            let mut stream = Stream::open(path)?;
            let records = stream.take(*bytes, &extent(*bytes))?;
            let bytes = Some(stream.at());
            let Sums { content, packed } = stream.finish()?;
            checksums.push(Checksum {
                path: path.clone(),
                name: file_name(path),
                bytes,
                sha256: content,
                packed,
            });
            pixels.reserve(records.len());
            for (index, record) in records.chunks_exact(RECORD as usize).enumerate() {
                labels.push(self.label(path, index, record[0])?);
                pixels.extend_from_slice(&record[1..]);
            }
        }
        let pixels = Values::Eight(pixels);
        Ok(Part { pixels, labels })
    }

    fn label(&self, path: &Path, index: usize, label: u8) -> Result<u32> {
        if usize::from(label) < self.classes {
            return Ok(u32::from(label));
        }
        Err(damage(
            path,
            format!(
                "holds the label {label} at byte {} (image {}), expected 0 to {}",
                thousands(index * RECORD as usize),
                thousands(index + 1),
                self.classes - 1
            ),
        ))
    }
}

impl Format for Files {
    fn outline(&self) -> Result<Outline> {
        let part = |batches: &[(PathBuf, u64)]| {
            let mut images = 0;
            for (path, bytes) in batches {
                let length = std::fs::metadata(path)
                    .map_err(|error| Error::io(Kind::Data, "read", path, &error))?
                    .len();
                if length < *bytes {
                    // Reading what there is words the error.
                    Stream::open(path)?.take(*bytes, &extent(*bytes))?;
                }
                images += bytes / RECORD;
            }
            Ok::<_, Error>(images as usize)
        };
        Ok(Outline {
            shape: ImageShape::new(3, 32, 32),
            train: part(&self.train)?,
            test: part(&self.test)?,
            validation: 0,
            notes: Vec::new(),
            is_read_anew: false,
        })
    }

    fn labels(&self) -> Result<Labels> {
        let part = |batches: &[(PathBuf, u64)]| {
            let mut labels = Vec::new();
            for (path, bytes) in batches {
                let records = Stream::open(path)?.take(*bytes, &extent(*bytes))?;
                for (index, label) in records.iter().step_by(RECORD as usize).enumerate() {
                    labels.push(self.label(path, index, *label)?);
                }
            }
            Ok::<_, Error>(labels)
        };
        Ok(Labels {
            train: part(&self.train)?,
            validation: Vec::new(),
            test: part(&self.test)?,
        })
    }

    fn read(&self, _: Progress) -> Result<Raw> {
        let mut checksums = Vec::new();
        Ok(Raw {
            shape: ImageShape::new(3, 32, 32),
            train: self.read_part(&self.train, &mut checksums)?,
            validation: None,
            test: self.read_part(&self.test, &mut checksums)?,
            checksums,
        })
    }

    fn files(&self) -> Vec<&Path> {
        let batches = self.train.iter().chain(&self.test);
        batches.map(|(path, _)| path.as_path()).collect()
    }
}

fn extent(bytes: u64) -> Extent {
    Extent {
        header: 0,
        noun: "image",
        size: RECORD,
        count: bytes / RECORD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Two training batches of two images and a test batch of one; pixels of an image are its number.
    fn small(folder: &Path) -> Files {
        let write = |name: &str, labels: &[u8]| {
            let record = |(index, &label): (usize, &u8)| {
                let mut record = vec![label];
                record.extend((0..PIXELS).map(|at| index as u8 + 10 * (at / 1024) as u8));
                record
            };
            let bytes: Vec<u8> = labels.iter().enumerate().flat_map(record).collect();
            let path = folder.join(name);
            fs::write(&path, &bytes).unwrap();
            (path, bytes.len() as u64)
        };
        Files {
            train: vec![
                write("data_batch_1.bin", &[3, 1]),
                write("data_batch_2.bin", &[0, 2]),
            ],
            test: vec![write("test_batch.bin", &[4])],
            classes: 5,
        }
    }

    #[test]
    fn records_become_planar_images_and_labels() {
        let dir = tempfile::tempdir().unwrap();
        let files = small(dir.path());
        let outline = files.outline().unwrap();
        assert_eq!((outline.train, outline.test), (4, 1));
        let raw = files.read(&|_, _| {}).unwrap();
        assert_eq!(raw.train.labels, [3, 1, 0, 2]);
        assert_eq!(raw.train.labels, files.labels().unwrap().train);
        let Values::Eight(pixels) = raw.train.pixels else {
            panic!("16 bits");
        };
        assert_eq!(pixels.len(), 4 * PIXELS);
        let second = &pixels[PIXELS..];
        assert_eq!([second[0], second[1024], second[2048]], [1, 11, 21]);
        assert_eq!(raw.checksums.len(), 3);
    }

    #[test]
    fn damage_names_the_file_and_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let files = small(dir.path());
        let path = &files.train[1].0;
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..4000]).unwrap();
        let text = format!(
            "error: `data_batch_2.bin` ends at byte 4,000 of 6,146 (image 2 of 2)\n  {}",
            path.display()
        );
        assert_eq!(files.outline().unwrap_err().to_string(), text);
        assert_eq!(files.read(&|_, _| {}).unwrap_err().to_string(), text);

        let mut wrong = whole.clone();
        wrong[3073] = 9;
        fs::write(path, &wrong).unwrap();
        assert_eq!(
            files.labels().unwrap_err().to_string(),
            format!(
                "error: `data_batch_2.bin` holds the label 9 at byte 3,073 (image 2), expected 0 to 4\n  {}",
                path.display()
            )
        );
    }
}
