//! Images of any kind, brought to the shape that a network takes.
//!
//! A form says how, as for the images that it was trained on. Where it says nothing, color is made gray and gray
//! is made color, and the size is changed with a linear filter that averages where it shrinks.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, RgbImage};

use super::content::{Stream, file_name};
use super::image_form::{Formed, ImageForm, Pixels};
use super::pixels::{Decoded, decode};
use super::{folder, idx};
use crate::error::{Error, Kind, Problem, Result};
use crate::shape::ImageShape;

/// An image whose class is to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlabeled {
    /// The file's name, with the image's number from 0 where a file holds many: `digits.gz[7]`; its path where several were
    /// given.
    pub name: String,
    /// From 0 to 1, `[channels, height, width]`.
    pub pixels: Vec<f32>,
    /// What was done to give it its shape: `color to gray, 64x48 to 28x28 (height x width)`; empty for
    /// nothing.
    pub changes: String,
}

/// The images at some paths.
#[derive(Debug, Default)]
pub struct ReadImages {
    /// Those that could be read; at least one.
    pub images: Vec<Unlabeled>,
    /// What is wrong with each of the others.
    pub unread: Vec<Problem>,
}

/// Reads the images at some paths and brings them to a shape: of an image's file, of all such files below a
/// folder, in the order of their names, or of an IDX file of images, plain or gzip.
///
/// # Errors
/// No image could be read: there is none, all files are damaged (each is told), or the images have other channels than gray or
/// RGB where they would have to be changed.
pub fn read_unlabeled(
    paths: &[PathBuf],
    shape: ImageShape,
    form: &ImageForm,
) -> Result<ReadImages> {
    let target = Target { shape, form };
    let mut read = ReadImages::default();
    for path in paths {
        let before = read.images.len();
        target.read(path, &mut read);
        for image in read.images[before..].iter_mut().filter(|_| paths.len() > 1) {
            let folder = if path.is_dir() {
                Some(path.as_path())
            } else {
                path.parent()
            };
            let path = folder.unwrap_or(Path::new("")).join(&image.name);
            image.name = path.display().to_string();
        }
    }
    match read.images.is_empty() {
        true => Err(Error::new(Kind::Data, read.unread)),
        false => Ok(read),
    }
}

impl ReadImages {
    fn add(&mut self, images: Result<Vec<Unlabeled>>) {
        match images {
            Ok(images) => self.images.extend(images),
            Err(error) => self.unread.extend(error.problems),
        }
    }
}

/// Whether a file is of the IDX format, by its first bytes.
fn holds_many(path: &Path) -> Result<bool> {
    let bytes = Stream::open(path)?.start_of(3)?;
    Ok(bytes == [0, 0, 8])
}

/// The shape that images get, and how.
struct Target<'a> {
    shape: ImageShape,
    form: &'a ImageForm,
}

impl Target<'_> {
    /// Adds the images at a path.
    fn read(&self, path: &Path, read: &mut ReadImages) {
        if !path.is_dir() {
            return read.add(self.of_file(path));
        }
        let files = match folder::image_files(path) {
            Ok(files) if files.is_empty() => {
                let problem = Problem::new("there are no images here").at_file(path);
                return read.add(Err(Error::data(problem)));
            }
            Ok(files) => files,
            Err(error) => return read.add(Err(error)),
        };
        for file in files {
            let name = file.strip_prefix(path).unwrap_or(&file).display();
            let image = self.image_file(&file, name.to_string());
            read.add(image.map(|image| vec![image]));
        }
    }

    fn of_file(&self, path: &Path) -> Result<Vec<Unlabeled>> {
        match holds_many(path)? {
            true => self.many(path),
            false => Ok(vec![self.image_file(path, file_name(path))?]),
        }
    }

    fn image_file(&self, path: &Path, name: String) -> Result<Unlabeled> {
        let bytes = fs::read(path).map_err(|error| Error::io(Kind::Data, "read", path, &error))?;
        let Decoded { image, has_alpha } = decode(&bytes).map_err(|error| {
            let mut error = folder::unreadable(path, &error);
            let problem = error.problems.remove(0);
            let hint = "PNG, JPEG, WebP, BMP, TIFF, GIF and IDX files of images are read";
            Error::data(problem.hint(hint))
        })?;
        let laid = has_alpha && self.form.background.is_black();
        let changes = laid.then(|| "laid over black".to_string());
        self.image(name, path, image, changes.into_iter().collect())
    }

    fn many(&self, path: &Path) -> Result<Vec<Unlabeled>> {
        let (found, pixels) = idx::read_images(path)?;
        let name = file_name(path);
        let images = pixels.chunks_exact(found.len()).enumerate();
        let images = images.map(|(index, image)| {
            let name = format!("{name}[{index}]");
            if found == self.shape {
                let pixels = image.iter().map(|&value| f32::from(value) / 255.0);
                return Ok(Unlabeled {
                    name,
                    pixels: pixels.collect(),
                    changes: String::new(),
                });
            }
            match whole(found, image.to_vec()) {
                Some(image) => self.image(name, path, image, Vec::new()),
                None => Err(self.refused(&name, path, found)),
            }
        });
        images.collect()
    }

    /// Brings an image to the shape; `changes` have been made to it before.
    fn image(
        &self,
        name: String,
        path: &Path,
        image: DynamicImage,
        mut changes: Vec<String>,
    ) -> Result<Unlabeled> {
        let channels = if image.color().has_color() { 3 } else { 1 };
        let found = ImageShape::new(channels, image.height() as usize, image.width() as usize);
        let ImageShape {
            channels,
            height,
            width,
        } = self.shape;
        if ![1, 3].contains(&channels) {
            return Err(self.refused(&name, path, found));
        }
        if found.channels != channels {
            let kind = |channels: usize| if channels == 1 { "gray" } else { "color" };
            changes.push(format!("{} to {}", kind(found.channels), kind(channels)));
        }
        if (found.height, found.width) != (height, width) {
            changes.push(format!(
                "{}x{} to {height}x{width} (height x width)",
                found.height, found.width
            ));
        }
        let form = self.form.clone().to_shape(self.shape);
        let Formed { pixels, .. } = form.form(image);
        let pixels = match pixels {
            Pixels::Eight(values) => values
                .into_iter()
                .map(|value| f32::from(value) / 255.0)
                .collect(),
            Pixels::Sixteen { values, largest } => {
                let white = f32::from(form.white(largest));
                let share = |value: u16| (f32::from(value) / white).min(1.0);
                values.into_iter().map(share).collect()
            }
        };
        Ok(Unlabeled {
            name,
            pixels,
            changes: changes.join(", "),
        })
    }

    fn refused(&self, name: &str, path: &Path, found: ImageShape) -> Error {
        let message = format!("`{name}` is {found}, but the network takes {}", self.shape);
        let problem = Problem::new(message).at_file(path);
        Error::data(problem.hint("only gray and RGB images can be changed"))
    }
}

/// Planes as an image; none where they are neither gray nor RGB.
fn whole(shape: ImageShape, planes: Vec<u8>) -> Option<DynamicImage> {
    let (width, height) = (shape.width as u32, shape.height as u32);
    let plane = shape.width * shape.height;
    match shape.channels {
        1 => GrayImage::from_raw(width, height, planes).map(DynamicImage::from),
        3 => {
            let channels = |at: usize| (0..3).map(move |channel| channel * plane + at);
            let pixels = (0..plane).flat_map(channels).map(|at| planes[at]).collect();
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    const GRAY: ImageShape = ImageShape {
        channels: 1,
        height: 4,
        width: 4,
    };

    /// The images at a path; all can be read.
    fn read(path: &Path, shape: ImageShape) -> Result<Vec<Unlabeled>> {
        let read = read_unlabeled(&[path.to_path_buf()], shape, &ImageForm::default())?;
        assert_eq!(read.unread.len(), 0);
        Ok(read.images)
    }

    fn one(path: &Path, shape: ImageShape) -> Unlabeled {
        let mut images = read(path, shape).unwrap();
        assert_eq!(images.len(), 1);
        images.remove(0)
    }

    #[test]
    fn an_image_of_the_right_shape_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut image = GrayImage::from_pixel(4, 4, Luma([51]));
        image.put_pixel(1, 0, Luma([255]));
        image.save(&path).unwrap();
        let read = one(&path, GRAY);
        assert_eq!((read.name.as_str(), read.changes.as_str()), ("a.png", ""));
        assert_eq!(read.pixels[..3], [0.2, 1.0, 0.2]);
    }

    #[test]
    fn size_and_color_are_changed_and_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        RgbImage::from_pixel(8, 2, Rgb([255, 255, 255]))
            .save(&path)
            .unwrap();
        let read = one(&path, GRAY);
        assert_eq!(read.changes, "color to gray, 2x8 to 4x4 (height x width)");
        assert_eq!(read.pixels, [1.0; 16]);
        RgbImage::from_pixel(4, 4, Rgb([255, 0, 51]))
            .save(&path)
            .unwrap();
        let color = ImageShape::new(3, 2, 2);
        let read = one(&path, color);
        assert_eq!(read.pixels, [[1.0; 4], [0.0; 4], [0.2; 4]].concat());
        GrayImage::from_pixel(4, 4, Luma([51])).save(&path).unwrap();
        let read = one(&path, ImageShape::new(3, 4, 4));
        assert_eq!(
            (read.pixels, read.changes.as_str()),
            (vec![0.2; 48], "gray to color")
        );
    }

    #[test]
    fn a_folder_gives_its_images_by_name_and_skips_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["c.png", "b/a.jpg"] {
            let image = GrayImage::from_pixel(4, 4, Luma([9]));
            image.save(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "no image").unwrap();
        let images = read(folder.path(), GRAY).unwrap().into_iter();
        let names: Vec<String> = images.map(|image| image.name).collect();
        assert_eq!(names, ["b/a.jpg", "c.png"]);
        let empty = tempfile::tempdir().unwrap();
        let error = read(empty.path(), GRAY).unwrap_err();
        assert_eq!(error.problems[0].message, "there are no images here");
    }

    #[test]
    fn images_that_cannot_be_read_do_not_keep_others_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        GrayImage::from_pixel(4, 4, Luma([9]))
            .save(path("a.png"))
            .unwrap();
        fs::write(path("b.png"), "no image").unwrap();
        let paths = [folder.path().to_path_buf(), path("missing"), path("a.png")];
        let read = read_unlabeled(&paths, GRAY, &ImageForm::default()).unwrap();
        let names: Vec<PathBuf> = read
            .images
            .iter()
            .map(|image| PathBuf::from(&image.name))
            .collect();
        assert_eq!(names, [path("a.png"), path("a.png")]);
        let [damaged, missing] = &read.unread[..] else {
            panic!("{:?}", read.unread);
        };
        assert!(
            damaged.message.starts_with("cannot read image `b.png`: "),
            "{damaged}"
        );
        assert_eq!(missing.message, "cannot read: no such file or directory");
    }

    #[test]
    fn an_idx_file_gives_all_its_images() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join("data/mnist/t10k-images-idx3-ubyte.gz");
        let images = read(&path, ImageShape::new(1, 28, 28)).unwrap();
        assert_eq!(images.len(), 10_000);
        assert_eq!(images[7].name, "t10k-images-idx3-ubyte.gz[7]");
        assert!(images[7].pixels.iter().any(|&value| value > 0.9));
    }

    #[test]
    fn what_is_no_image_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        fs::write(&path, "no image").unwrap();
        let problem = read(&path, GRAY).unwrap_err().problems.remove(0);
        assert!(
            problem.message.starts_with("cannot read image `a.png`: "),
            "{problem}"
        );
        assert_eq!(
            problem.hint.as_deref(),
            Some("PNG, JPEG, WebP, BMP, TIFF, GIF and IDX files of images are read")
        );
        let missing = read(&folder.path().join("b.png"), GRAY).unwrap_err();
        assert_eq!(
            missing.problems[0].message,
            "cannot read: no such file or directory"
        );
    }
}
