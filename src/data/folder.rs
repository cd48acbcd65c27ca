//! A folder of images: one folder a class, PNG or JPEG files in it.
//!
//! `train` and `test` folders are kept apart if they are there; else every fifth image of each class, in
//! the order of names, is for testing. Samples of a part are ordered so that classes mix evenly: the first
//! and the last so many hold every class in proportion.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};
use sha2::{Digest, Sha256};

use super::content::{file_name, hex};
use super::format::{Checksum, Format, Labels, Outline, Part, Raw};
use crate::error::{Error, Kind, Problem, Result, count, list};
use crate::shape::ImageShape;

/// Names of the folder of test images, the first one there is taken.
const TEST: [&str; 3] = ["test", "val", "validation"];
/// Every so-manieth image of a class is for testing where there is no such folder.
const EVERY: usize = 5;

/// The files of a dataset: paths with their class.
pub(super) struct Tree {
    root: PathBuf,
    pub classes: Vec<String>,
    train: Vec<(PathBuf, u32)>,
    test: Vec<(PathBuf, u32)>,
}

impl Tree {
    pub fn discover(root: &Path) -> Result<Self> {
        let tests: Vec<PathBuf> = TEST.map(|name| root.join(name)).to_vec();
        let test = tests.iter().find(|folder| folder.is_dir());
        let train = Some(root.join("train")).filter(|folder| folder.is_dir());
        let (classes, train, test) = match (train, test) {
            (Some(train), Some(test)) => {
                let classes = class_folders(&train)?;
                let test = images_in_test(test, &classes)?;
                (classes.clone(), images(&train, &classes)?, test)
            }
            (None, None) => {
                let classes = class_folders(root)?;
                let (train, test) = images(root, &classes)?.into_iter().map(hold_out).unzip();
                (classes, train, test)
            }
            (train, _) => {
                let (has, lacks) = match train {
                    Some(_) => ("train", list(&TEST)),
                    None => ("test", "`train`".to_string()),
                };
                let message = format!("a folder `{has}` is there, but none named {lacks}");
                return Err(Error::data(Problem::new(message).at_file(root)));
            }
        };
        let tree = Tree {
            root: root.to_path_buf(),
            classes,
            train: mixed(train),
            test: mixed(test),
        };
        if tree.test.is_empty() {
            let problem = Problem::new("there are no images to test on").at_file(root);
            return Err(Error::data(problem.hint(format!(
                "every {EVERY}th image of a class is for testing, so each class needs at least {EVERY}"
            ))));
        }
        Ok(tree)
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
        let differ = |what: &str, one: String, other: String| {
            let message = format!(
                "images differ in {what}: `{}` is {one}, `{}` is {other}",
                self.short(known_path),
                self.short(path)
            );
            Err(Error::data(Problem::new(message).at_file(path)))
        };
        if known.channels != shape.channels {
            let colour = |shape: ImageShape| match shape.channels {
                1 => "gray".to_string(),
                _ => "RGB".to_string(),
            };
            return differ("colour", colour(*known), colour(shape));
        }
        let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
        differ("size (height x width)", size(*known), size(shape))
    }

    fn read_part(
        &self,
        files: &[(PathBuf, u32)],
        first: &mut Option<(ImageShape, PathBuf)>,
        hash: &mut Sha256,
    ) -> Result<Part> {
        let mut part = Part {
            pixels: Vec::new(),
            labels: files.iter().map(|file| file.1).collect(),
        };
        for (path, _) in files {
            let bytes =
                fs::read(path).map_err(|error| Error::io(Kind::Data, "read", path, &error))?;
            hash.update(self.short(path).as_bytes());
            hash.update(Sha256::digest(&bytes));
            let (shape, pixels) = decode(&bytes).map_err(|error| unreadable(path, &error))?;
            self.same_shape(first, shape, path)?;
            part.pixels.extend(pixels);
        }
        Ok(part)
    }
}

impl Format for Tree {
    fn outline(&self) -> Result<Outline> {
        let mut first = None;
        for (path, _) in self.train.iter().chain(&self.test) {
            let shape = header(path).map_err(|error| unreadable(path, &error))?;
            self.same_shape(&mut first, shape, path)?;
        }
        let (shape, _) = first.ok_or_else(|| Error::bug("a folder dataset without images"))?;
        Ok(Outline {
            shape,
            train: self.train.len(),
            test: self.test.len(),
        })
    }

    fn labels(&self) -> Result<Labels> {
        let labels = |files: &[(PathBuf, u32)]| files.iter().map(|file| file.1).collect();
        Ok(Labels {
            train: labels(&self.train),
            test: labels(&self.test),
        })
    }

    /// One checksum stands for all files: of their names and their own checksums, in order.
    fn read(&self) -> Result<Raw> {
        let (mut first, mut hash) = (None, Sha256::new());
        let train = self.read_part(&self.train, &mut first, &mut hash)?;
        let test = self.read_part(&self.test, &mut first, &mut hash)?;
        let (shape, _) = first.ok_or_else(|| Error::bug("a folder dataset without images"))?;
        let files = count(self.train.len() + self.test.len(), "image");
        Ok(Raw {
            shape,
            train,
            test,
            checksums: vec![Checksum {
                path: self.root.clone(),
                name: format!("{} ({files})", file_name(&self.root)),
                sha256: hex(&hash.finalize()),
            }],
        })
    }
}

/// Names of the folders in a folder, sorted.
fn class_folders(folder: &Path) -> Result<Vec<String>> {
    let is_class = |path: &PathBuf| path.is_dir() && !file_name(path).starts_with('.');
    let mut names: Vec<String> = entries(folder)?
        .iter()
        .filter(|path| is_class(path))
        .map(|path| file_name(path))
        .collect();
    names.sort();
    if names.is_empty() {
        let message = "there are no class folders with images here";
        return Err(Error::data(Problem::new(message).at_file(folder)));
    }
    Ok(names)
}

/// PNG and JPEG files of each class, sorted by name.
fn images(folder: &Path, classes: &[String]) -> Result<Vec<Vec<PathBuf>>> {
    let of_class = |class: &String| {
        let folder = folder.join(class);
        let mut files: Vec<PathBuf> = entries(&folder)?
            .into_iter()
            .filter(|path| is_image(path))
            .collect();
        files.sort();
        if files.is_empty() {
            let message = format!("class `{class}` has no PNG or JPEG images");
            return Err(Error::data(Problem::new(message).at_file(folder)));
        }
        Ok(files)
    };
    classes.iter().map(of_class).collect()
}

/// Like [`images`], for classes known from the training part; a class may be absent.
fn images_in_test(folder: &Path, classes: &[String]) -> Result<Vec<Vec<PathBuf>>> {
    let there = class_folders(folder)?;
    if let Some(class) = there.iter().find(|class| !classes.contains(class)) {
        let message = format!(
            "class `{class}` is tested but not trained; trained are {}",
            list(classes)
        );
        return Err(Error::data(
            Problem::new(message).at_file(folder.join(class)),
        ));
    }
    let of_class = |class: &String| {
        if there.contains(class) {
            Ok(images(folder, std::slice::from_ref(class))?.swap_remove(0))
        } else {
            Ok(Vec::new())
        }
    };
    classes.iter().map(of_class).collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |error: io::Error| Error::io(Kind::Data, "list", folder, &error);
    fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| Ok(entry.map_err(cannot)?.path()))
        .collect()
}

pub(super) fn is_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|text| text.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg")) && path.is_file()
}

/// Splits a class into training and test images.
fn hold_out(files: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (test, train): (Vec<_>, Vec<_>) = files
        .into_iter()
        .enumerate()
        .partition(|(index, _)| index % EVERY == EVERY - 1);
    let paths = |part: Vec<(usize, PathBuf)>| part.into_iter().map(|(_, path)| path).collect();
    (paths(train), paths(test))
}

/// Orders files by how far along their class they stand, so that classes mix evenly.
fn mixed(classes: Vec<Vec<PathBuf>>) -> Vec<(PathBuf, u32)> {
    let mut placed = Vec::new();
    for (class, files) in classes.into_iter().enumerate() {
        let length = files.len() as u64;
        for (index, path) in files.into_iter().enumerate() {
            placed.push(((2 * index as u64 + 1, length), class as u32, path));
        }
    }
    // Compares fractions a/b by cross-multiplication, exactly.
    placed.sort_by(|((a, b), class, _), ((c, d), other, _)| {
        (a * d).cmp(&(c * b)).then(class.cmp(other))
    });
    placed
        .into_iter()
        .map(|(_, class, path)| (path, class))
        .collect()
}

/// Shape of an image by its header.
fn header(path: &Path) -> image::ImageResult<ImageShape> {
    let reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let channels = channels(decoder.color_type());
    Ok(ImageShape::new(channels, height as usize, width as usize))
}

/// An image as planes, `[channels, height, width]`.
pub(super) fn decode(bytes: &[u8]) -> image::ImageResult<(ImageShape, Vec<u8>)> {
    let image = ImageReader::new(io::Cursor::new(bytes))
        .with_guessed_format()?
        .decode()?;
    let channels = channels(image.color());
    let shape = ImageShape::new(channels, image.height() as usize, image.width() as usize);
    Ok((shape, planes(image, channels)))
}

pub(super) fn planes(image: DynamicImage, channels: usize) -> Vec<u8> {
    if channels == 1 {
        return image.into_luma8().into_raw();
    }
    let pixels = image.into_rgb8().into_raw();
    (0..channels)
        .flat_map(|channel| pixels.iter().skip(channel).step_by(channels).copied())
        .collect()
}

/// 1 for gray, 3 for colour; transparency is no channel.
fn channels(colour: image::ColorType) -> usize {
    if colour.has_color() { 3 } else { 1 }
}

pub(super) fn unreadable(path: &Path, error: &image::ImageError) -> Error {
    let reason = match error {
        image::ImageError::IoError(error) => crate::error::io_reason(error),
        other => other.to_string(),
    };
    let message = format!("cannot read image `{}`: {reason}", file_name(path));
    Error::data(Problem::new(message).at_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage};

    fn gray(path: PathBuf, height: u32, value: u8) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(4, height, Luma([value]))
            .save(path)
            .unwrap();
    }

    fn zoo() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..10 {
            gray(dir.path().join(format!("dog/{index}.png")), 3, 100 + index);
        }
        for index in 0..5 {
            gray(dir.path().join(format!("ant/{index}.png")), 3, index);
        }
        fs::write(dir.path().join("ant/notes.txt"), "no image").unwrap();
        dir
    }

    #[test]
    fn classes_are_folders_and_every_fifth_image_tests() {
        let dir = zoo();
        let tree = Tree::discover(dir.path()).unwrap();
        assert_eq!(tree.classes, ["ant", "dog"]);
        let outline = tree.outline().unwrap();
        assert_eq!(outline.shape, ImageShape::new(1, 3, 4));
        assert_eq!((outline.train, outline.test), (12, 3));
        let raw = tree.read().unwrap();
        assert_eq!(raw.train.labels, [1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1]);
        let values: Vec<u8> = raw.test.pixels.chunks(12).map(|image| image[0]).collect();
        assert_eq!(values, [104, 4, 109]);
        assert_eq!(
            raw.checksums[0].sha256,
            tree.read().unwrap().checksums[0].sha256
        );
    }

    #[test]
    fn train_and_test_folders_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        for (index, class) in ["a", "b"].into_iter().enumerate() {
            gray(
                dir.path().join(format!("train/{class}/x.png")),
                2,
                index as u8,
            );
            gray(
                dir.path().join(format!("val/{class}/y.png")),
                2,
                10 + index as u8,
            );
        }
        let raw = Tree::discover(dir.path()).unwrap().read().unwrap();
        assert_eq!(raw.train.labels, [0, 1]);
        assert_eq!(raw.test.pixels[..9], [10, 10, 10, 10, 10, 10, 10, 10, 11]);
        fs::remove_dir_all(dir.path().join("val")).unwrap();
        assert_eq!(
            Tree::discover(dir.path()).err().unwrap().to_string(),
            format!(
                "error: a folder `train` is there, but none named `test`, `val` and `validation`\n  {}",
                dir.path().display()
            )
        );
    }

    #[test]
    fn colour_images_become_planes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir_all(&folder).unwrap();
        for index in 0..5 {
            let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 10 + x as u8, 20 + x as u8]));
            image.save(folder.join(format!("{index}.png"))).unwrap();
        }
        let raw = Tree::discover(dir.path()).unwrap().read().unwrap();
        assert_eq!(raw.shape, ImageShape::new(3, 1, 2));
        assert_eq!(raw.test.pixels, [0, 1, 10, 11, 20, 21]);
    }

    #[test]
    fn images_that_differ_are_both_named() {
        let dir = zoo();
        let odd = dir.path().join("dog/9.png");
        gray(odd.clone(), 5, 0);
        let tree = Tree::discover(dir.path()).unwrap();
        assert_eq!(
            tree.outline().unwrap_err().to_string(),
            format!(
                "error: images differ in size (height x width): `dog/0.png` is 3x4, `dog/9.png` is 5x4\n  {}",
                odd.display()
            )
        );
        RgbImage::new(4, 3).save(&odd).unwrap();
        assert_eq!(
            tree.read().unwrap_err().to_string(),
            format!(
                "error: images differ in colour: `dog/0.png` is gray, `dog/9.png` is RGB\n  {}",
                odd.display()
            )
        );
    }

    #[test]
    fn a_file_that_is_no_image_is_named() {
        let dir = zoo();
        let bad = dir.path().join("ant/2.png");
        fs::write(&bad, "hello").unwrap();
        let tree = Tree::discover(dir.path()).unwrap();
        assert_eq!(
            tree.outline().unwrap_err().to_string(),
            format!(
                "error: cannot read image `2.png`: The image format could not be determined\n  {}",
                bad.display()
            )
        );
    }
}
