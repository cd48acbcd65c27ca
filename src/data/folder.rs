//! A folder of images: one folder a class, PNG or JPEG files in it.
//!
//! `train` and `test` folders are kept apart if they are there; else every fifth image of each class, in
//! the order of names, is for testing. Samples of a part are ordered so that classes mix evenly: the first
//! and the last `count` hold every class in proportion. What is left out is counted and named.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use image::{ColorType, ImageDecoder};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::content::file_name;
use super::ends::is_cut_short_at;
use super::format::{Checksum, Format, Labels, Outline, Part, Raw};
use super::left_out::{LeftOut, is_junk};
use super::pixels::{Pixels, channels, decode, depth, reader};
use crate::error::{Error, Kind, Problem, Result, count, list, thousands};
use crate::hex::hex;
use crate::shape::ImageShape;

/// Names of the folder of test images, the first one there is taken.
const TEST: [&str; 3] = ["test", "val", "validation"];
/// One image of a class in `EVERY` is for testing where there is no such folder; the last one of a class
/// that has fewer images.
const EVERY: usize = 5;

/// Files that are no images in a folder of mostly such: less than a disk has.
const MOST_OTHERS: usize = 100_000;

/// The files of a dataset: paths with their class.
pub(super) struct Tree {
    root: PathBuf,
    pub classes: Vec<String>,
    train: Vec<(PathBuf, u32)>,
    test: Vec<(PathBuf, u32)>,
    /// What is not as a reader of the folder would expect.
    notes: Vec<String>,
}

impl Tree {
    pub fn discover(root: &Path) -> Result<Self> {
        let mut left_out = LeftOut::below(root);
        let mut notes = Vec::new();
        let tests: Vec<PathBuf> = TEST.map(|name| root.join(name)).to_vec();
        let test = tests.iter().find(|folder| folder.is_dir());
        let train = Some(root.join("train")).filter(|folder| folder.is_dir());
        let (classes, train, test) = match (train, test) {
            (Some(train), Some(test)) => {
                for other in entries(root)? {
                    if is_junk(&other) {
                        left_out.junk(&other);
                    } else if other.is_dir() && other != train && other != *test {
                        left_out.part(&other, image_files(&other)?.len());
                    } else if !other.is_dir() {
                        left_out.file(&other);
                    }
                }
                let classes = class_folders(&train, &mut left_out)?;
                let test = images_in_test(test, &classes, &mut left_out)?;
                let train = images(&train, &classes, &mut left_out)?;
                (classes, train, test)
            }
            (None, None) => {
                let classes = class_folders(root, &mut left_out)?;
                let files = images(root, &classes, &mut left_out)?;
                let few = classes.iter().zip(&files);
                for (class, files) in few.filter(|(_, files)| (2..EVERY).contains(&files.len())) {
                    notes.push(format!(
                        "class `{class}` has only {}, of which 1 is for testing",
                        count(files.len(), "image")
                    ));
                }
                let (train, test) = files.into_iter().map(hold_out).unzip();
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
        notes.extend(left_out.notes());
        let tree = Tree {
            root: root.to_path_buf(),
            classes,
            train: mixed(train),
            test: mixed(test),
            notes,
        };
        if tree.test.is_empty() {
            let problem = Problem::new("there are no images to test on").at_file(root);
            return Err(Error::data(problem.hint(format!(
                "every {EVERY}th image of a class is for testing, or its last one, so classes need at least 2"
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
            let color = |shape: ImageShape| match shape.channels {
                1 => "gray".to_string(),
                _ => "RGB".to_string(),
            };
            return differ("color", color(*known), color(shape));
        }
        let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
        differ("size (height x width)", size(*known), size(shape))
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        let files = self.train.iter().chain(&self.test);
        files.map(|(path, _)| path.as_path())
    }

    /// Images of 16 bits a value are left as zeros and added to `deep`, as their depth is that of all.
    fn read_part(
        &self,
        files: &[(PathBuf, u32)],
        first: &mut Option<(ImageShape, PathBuf)>,
        hash: &mut Sha256,
        deep: &mut Vec<(usize, Vec<u16>)>,
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
            let image = decode(&bytes).map_err(|error| unreadable(path, &error))?;
            self.same_shape(first, image.shape, path)?;
            match image.pixels {
                Pixels::Eight(pixels) => part.pixels.extend(pixels),
                Pixels::Sixteen(values) => {
                    let start = part.pixels.len();
                    part.pixels.resize(start + values.len(), 0);
                    deep.push((start, values));
                }
            }
        }
        Ok(part)
    }
}

/// Images besides the first that cannot be read, and besides the first that is not of the first one's shape.
fn others(headers: &[Result<(ImageShape, ColorType)>]) -> [usize; 2] {
    let mut shapes = headers.iter().flatten().map(|(shape, _)| shape);
    let first = shapes.next();
    let odd = shapes.filter(|shape| Some(*shape) != first).count();
    let unreadable = headers.iter().filter(|header| header.is_err()).count();
    [unreadable, odd].map(|number| number.saturating_sub(1))
}

/// An error about one image, with the number of those that it holds for, too.
fn with_others(mut error: Error, others: usize) -> Error {
    if let (Some(problem), 1..) = (error.problems.first_mut(), others) {
        let others = format!("so it is with {}", count(others, "other image"));
        problem.hint = Some(match problem.hint.take() {
            Some(hint) => format!("{hint}; {others}"),
            None => others,
        });
    }
    error
}

impl Format for Tree {
    fn outline(&self) -> Result<Outline> {
        let files: Vec<&Path> = self.all().collect();
        let headers: Vec<Result<(ImageShape, ColorType)>> = files
            .par_iter()
            .map(|path| header(path).map_err(|error| unreadable(path, &error)))
            .collect();
        let others = others(&headers);
        let (mut first, mut colors) = (None, Vec::new());
        for (path, header) in files.iter().zip(headers) {
            let (shape, color) = header.map_err(|error| with_others(error, others[0]))?;
            self.same_shape(&mut first, shape, path)
                .map_err(|error| with_others(error, others[1]))?;
            colors.push(color);
        }
        let (shape, _) = first.ok_or_else(|| Error::bug("a folder dataset without images"))?;
        let mut notes = self.notes.clone();
        let with = |has: fn(ColorType) -> bool| colors.iter().filter(|&&color| has(color)).count();
        let deep = with(|color| color.bytes_per_pixel() / color.channel_count() > 1);
        if deep > 0 {
            notes.push(format!(
                "{} 16 bits a value: they are scaled as the least of 8, 10, 12, 14 and 16 bits that holds the \
                 largest value of all",
                has_or_have(deep)
            ));
        }
        let transparent = with(|color| color.has_alpha());
        if transparent > 0 {
            notes.push(format!(
                "{} transparency, which is laid over black",
                has_or_have(transparent)
            ));
        }
        Ok(Outline {
            shape,
            train: self.train.len(),
            test: self.test.len(),
            notes,
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
        let mut deep = [Vec::new(), Vec::new()];
        let [of_train, of_test] = &mut deep;
        let mut train = self.read_part(&self.train, &mut first, &mut hash, of_train)?;
        let mut test = self.read_part(&self.test, &mut first, &mut hash, of_test)?;
        let bits = depth(deep.iter().flatten().flat_map(|(_, values)| values));
        for (part, deep) in [&mut train, &mut test].into_iter().zip(deep) {
            for (start, values) in deep {
                let pixels = Pixels::Sixteen(values).eight(bits);
                part.pixels[start..start + pixels.len()].copy_from_slice(&pixels);
            }
        }
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

    fn files(&self) -> Vec<&Path> {
        self.all().collect()
    }
}

/// `1 image has`, `3 images have`.
fn has_or_have(number: usize) -> String {
    let verb = if number == 1 { "has" } else { "have" };
    format!("{} {verb}", count(number, "image"))
}

/// Names of the folders in a folder: numbers by size, else sorted as text.
fn class_folders(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        if is_junk(&path) {
            left_out.junk(&path);
        } else if path.is_dir() {
            names.push(name(&path)?);
        } else {
            left_out.file(&path);
        }
    }
    names.sort();
    if names.iter().all(|name| name.parse::<u64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u64>().ok());
    }
    if names.is_empty() {
        let message = "there are no class folders with images here";
        return Err(Error::data(Problem::new(message).at_file(folder)));
    }
    Ok(names)
}

/// A class by its folder.
fn name(path: &Path) -> Result<String> {
    let text = path.file_name().and_then(|name| name.to_str());
    text.map(String::from).ok_or_else(|| {
        let message = format!(
            "the folder `{}` has a name that is no UTF-8",
            file_name(path)
        );
        Error::data(
            Problem::new(message)
                .at_file(path)
                .hint("give it another name"),
        )
    })
}

/// PNG and JPEG files of each class, sorted by name, those of folders inside it too.
fn images(folder: &Path, classes: &[String], left_out: &mut LeftOut) -> Result<Vec<Vec<PathBuf>>> {
    let of_class = |class: &String| {
        let folder = folder.join(class);
        let mut files = Vec::new();
        for path in files_below(&folder)? {
            if is_below_junk(&folder, &path) {
                left_out.junk(&path);
            } else if is_image(&path) {
                left_out.nested += usize::from(path.parent() != Some(&folder));
                files.push(path);
            } else {
                left_out.file(&path);
            }
        }
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
fn images_in_test(
    folder: &Path,
    classes: &[String],
    left_out: &mut LeftOut,
) -> Result<Vec<Vec<PathBuf>>> {
    let there = class_folders(folder, left_out)?;
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
            Ok(images(folder, std::slice::from_ref(class), left_out)?.swap_remove(0))
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

/// Everything below a folder that is no folder, links followed.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    files_within(folder, MOST_OTHERS)
}

/// The same, if at most `most_others` of the files are not called like images, or most are images.
fn files_within(folder: &Path, most_others: usize) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut others = 0;
    for entry in walkdir::WalkDir::new(folder).follow_links(true) {
        let entry = entry.map_err(|error| {
            let problem = Problem::new(format!("cannot list the folder: {error}"));
            Error::data(problem.at_file(error.path().unwrap_or(folder)))
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        others += usize::from(!is_named_as_image(entry.path()));
        files.push(entry.into_path());
        if others > most_others && 2 * others > files.len() {
            let others = thousands(most_others);
            let problem = Problem::new(format!("more than {others} files in here are no images"));
            let problem = problem.hint("name a folder of images").at_file(folder);
            return Err(Error::data(problem));
        }
    }
    Ok(files)
}

/// All images below a folder, without what systems leave behind, in the order of their names.
pub(super) fn image_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(folder)?;
    files.retain(|path| is_image(path) && !is_below_junk(folder, path));
    files.sort();
    Ok(files)
}

/// Whether a file, or a folder on the way to it, is left behind by a system.
fn is_below_junk(folder: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.ancestors().any(is_junk)
}

fn is_image(path: &Path) -> bool {
    is_named_as_image(path) && path.is_file()
}

fn is_named_as_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|text| text.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// Splits a class into training and test images.
fn hold_out(files: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let last = files.len() - 1;
    let is_last_of_few = |index| (1..EVERY - 1).contains(&last) && index == last;
    let (test, train): (Vec<_>, Vec<_>) = files
        .into_iter()
        .enumerate()
        .partition(|&(index, _)| index % EVERY == EVERY - 1 || is_last_of_few(index));
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

/// Shape and colors of an image by its header, if the file is there to its end.
fn header(path: &Path) -> image::ImageResult<(ImageShape, ColorType)> {
    let decoder = reader(BufReader::new(File::open(path)?), 0)?.into_decoder()?;
    if is_cut_short_at(path)? {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let shape = ImageShape::new(channels(color), height as usize, width as usize);
    Ok((shape, color))
}

pub(super) fn unreadable(path: &Path, error: &image::ImageError) -> Error {
    let reason = match error {
        image::ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the file is cut short".to_string()
        }
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

    #[test]
    fn a_disk_is_not_looked_through_for_images() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(dir.path().join(name), "").unwrap();
        ["a", "b", "c.png"].into_iter().for_each(write);
        assert_eq!(files_within(dir.path(), 2).unwrap().len(), 3);
        let refused = files_within(dir.path(), 1).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!(
                "error: more than 1 files in here are no images\n  {}\n  hint: name a folder of images",
                dir.path().display()
            )
        );
        ["d.jpg", "e.PNG"].into_iter().for_each(write);
        assert_eq!(files_within(dir.path(), 2).unwrap().len(), 5);
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
    fn color_images_become_planes() {
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
        gray(dir.path().join("dog/8.png"), 6, 0);
        let error = tree.outline().unwrap_err();
        assert_eq!(
            error.problems[0].hint.as_deref(),
            Some("so it is with 1 other image")
        );
        gray(dir.path().join("dog/8.png"), 3, 0);
        RgbImage::new(4, 3).save(&odd).unwrap();
        assert_eq!(
            tree.read().unwrap_err().to_string(),
            format!(
                "error: images differ in color: `dog/0.png` is gray, `dog/9.png` is RGB\n  {}",
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

    fn notes(dir: &tempfile::TempDir) -> Vec<String> {
        Tree::discover(dir.path()).unwrap().outline().unwrap().notes
    }

    #[test]
    fn what_is_left_out_is_counted_and_named() {
        let dir = zoo();
        for name in ["b.webp", "a.webp", "d.webp", "c.WEBP", "e.gif", "README"] {
            fs::write(dir.path().join("dog").join(name), "no PNG").unwrap();
        }
        gray(dir.path().join("stray.png"), 3, 1);
        assert_eq!(
            notes(&dir),
            [
                "1 file left out (no PNG or JPEG): `dog/README`",
                "1 `.gif` file left out (no PNG or JPEG): `dog/e.gif`",
                "1 `.png` file left out (in no class's folder, or no plain file): `stray.png`",
                "1 `.txt` file left out (no PNG or JPEG): `ant/notes.txt`",
                "4 `.webp` files left out (no PNG or JPEG): `dog/a.webp`, `dog/b.webp`, \
                 `dog/c.WEBP` and 1 more",
            ]
        );
    }

    #[test]
    fn what_systems_leave_behind_is_no_class_and_no_image() {
        let dir = zoo();
        fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
        for name in [
            "__MACOSX/ant/._0.png",
            "ant/._0.png",
            "ant/Thumbs.db",
            ".DS_Store",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "junk").unwrap();
        }
        let tree = Tree::discover(dir.path()).unwrap();
        assert_eq!(tree.classes, ["ant", "dog"]);
        let outline = tree.outline().unwrap();
        assert_eq!((outline.train, outline.test), (12, 3));
        assert_eq!(
            outline.notes,
            [
                "4 items skipped that systems leave behind or hide: `.DS_Store`, `__MACOSX`, \
                 `ant/._0.png` and 1 more"
            ]
        );
    }

    #[test]
    fn images_in_folders_inside_a_class_are_its_images() {
        let dir = zoo();
        fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
        for index in 0..10 {
            gray(dir.path().join(format!("dog/puppies/{index}.png")), 3, 9);
        }
        let outline = Tree::discover(dir.path()).unwrap().outline().unwrap();
        assert_eq!((outline.train, outline.test), (20, 5));
        assert_eq!(
            outline.notes,
            ["10 images from folders inside class folders are used, too"]
        );
    }

    #[test]
    fn a_part_that_is_not_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for part in ["train", "test", "valid"] {
            for index in 0..3 {
                gray(dir.path().join(format!("{part}/a/{index}.png")), 2, 0);
            }
        }
        assert_eq!(
            notes(&dir),
            [
                "the folder `valid` (3 images) is not used: it is neither the training nor the test part"
            ]
        );
    }

    #[test]
    fn a_small_class_has_a_test_image_too_and_is_named() {
        let dir = zoo();
        fs::remove_file(dir.path().join("ant/notes.txt")).unwrap();
        for index in 0..3 {
            gray(dir.path().join(format!("yak/{index}.png")), 3, 200 + index);
        }
        gray(dir.path().join("zho/0.png"), 3, 1);
        let tree = Tree::discover(dir.path()).unwrap();
        let raw = tree.read().unwrap();
        let yaks = |part: &Part| part.labels.iter().filter(|&&label| label == 2).count();
        assert_eq!((yaks(&raw.train), yaks(&raw.test)), (2, 1));
        assert_eq!(
            tree.outline().unwrap().notes,
            ["class `yak` has only 3 images, of which 1 is for testing"]
        );
    }

    #[test]
    fn folders_called_by_numbers_are_in_the_order_of_numbers() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["10", "9", "1"] {
            for index in 0..5 {
                gray(dir.path().join(format!("{class}/{index}.png")), 2, 0);
            }
        }
        assert_eq!(
            Tree::discover(dir.path()).unwrap().classes,
            ["1", "9", "10"]
        );
    }

    #[test]
    fn values_of_16_bits_share_their_depth_and_transparency_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir_all(&folder).unwrap();
        for index in 0..5u16 {
            let image = image::ImageBuffer::from_pixel(2, 1, Luma([200 * (index + 1)]));
            image.save(folder.join(format!("{index}.png"))).unwrap();
        }
        let tree = Tree::discover(dir.path()).unwrap();
        let raw = tree.read().unwrap();
        // Of 10 bits, as the largest value is 1000.
        assert_eq!(raw.train.pixels, [50, 50, 100, 100, 150, 150, 199, 199]);
        assert_eq!(raw.test.pixels, [249, 249]);
        let image = image::ImageBuffer::from_pixel(2, 1, image::LumaA([100u8, 51]));
        image.save(folder.join("5.png")).unwrap();
        assert_eq!(
            notes(&dir),
            [
                "5 images have 16 bits a value: they are scaled as the least of 8, 10, 12, 14 and 16 bits that \
                 holds the largest value of all",
                "1 image has transparency, which is laid over black",
            ]
        );
        let raw = Tree::discover(dir.path()).unwrap().read().unwrap();
        assert_eq!(raw.train.pixels[8..], [20, 20]);
    }

    #[test]
    fn an_image_cut_short_is_named_by_its_header_already() {
        let dir = zoo();
        let bad = dir.path().join("ant/2.jpg");
        let image = GrayImage::from_fn(4, 3, |x, y| Luma([(x * 40 + y) as u8]));
        image.save(&bad).unwrap();
        let whole = fs::read(&bad).unwrap();
        let tree = Tree::discover(dir.path()).unwrap();
        assert!(tree.outline().is_ok());
        fs::write(&bad, &whole[..whole.len() - 5]).unwrap();
        let message = format!(
            "error: cannot read image `2.jpg`: the file is cut short\n  {}",
            bad.display()
        );
        assert_eq!(tree.outline().unwrap_err().to_string(), message);
        assert_eq!(tree.read().unwrap_err().to_string(), message);
    }
}
