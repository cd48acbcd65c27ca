//! Which images of a folder are for what, and of which class.
//!
//! Folders called `train`, `valid` and `test` (or as people call them) are kept apart if they are there; else a share
//! of each class, evenly in the order of names, is for testing. Samples of a part are ordered so that classes
//! mix evenly: the first and the last `count` hold every class in proportion. What is left out is counted and named.

use std::path::{Path, PathBuf};

use super::files::{entries, files_below, image_files, is_below_junk, is_image};
use super::settings::{FolderFields, LabelSource};
use super::table;
use crate::data::content::file_name;
use crate::data::left_out::{LeftOut, is_junk};
use crate::error::{Error, Problem, Result, count, list};
use crate::value::Between;

/// Names of the folders of the parts, in any case; of several the first that is there is taken.
const TRAIN: [&str; 2] = ["train", "training"];
const VALIDATION: [&str; 3] = ["valid", "val", "validation"];
const TEST: [&str; 2] = ["test", "testing"];

/// The share of a class that is for testing where nothing says which images are, nor how many.
const TESTED: f64 = 0.2;

/// What the only class of images is called that have none.
const NO_CLASS: &str = "unlabeled";

/// Images of one part, by their classes.
pub(super) type ByClass = Vec<Vec<PathBuf>>;

/// An image's file and its class.
pub(super) type Sample = (PathBuf, u32);

/// The images of a folder, each with its part and class.
#[derive(Debug)]
pub(super) struct Layout {
    pub classes: Vec<String>,
    /// Whether nothing tells classes: all images are of one.
    pub is_unlabeled: bool,
    pub train: Vec<Sample>,
    /// Of a folder that has such a part.
    pub validation: Option<Vec<Sample>>,
    pub test: Vec<Sample>,
    /// Whether the folder says which images those are.
    pub states_test: bool,
    /// What is not as a reader of the folder would expect.
    pub notes: Vec<String>,
}

/// Images before those for testing are chosen, where nothing says which ones.
pub(super) struct Found {
    pub classes: Vec<String>,
    pub is_unlabeled: bool,
    pub train: ByClass,
    pub validation: Option<ByClass>,
    /// None where they are still among those of `train`.
    pub test: Option<ByClass>,
    /// What is not as a reader would expect.
    pub notes: Vec<String>,
}

impl Layout {
    pub fn discover(fields: &FolderFields) -> Result<Self> {
        let root = &fields.path;
        let mut left_out = LeftOut::below(root);
        let found = match &fields.labels {
            LabelSource::Folders => by_folders(root, &mut left_out)?,
            LabelSource::None => match Parts::find(root) {
                Ok(Some(parts)) => {
                    count_beside(root, &parts, &mut left_out)?;
                    unlabeled_parts(&parts, &mut left_out)?
                }
                // A part alone is a folder like others.
                _ => Found::unlabeled(unlabeled_below(root, &mut left_out)?, None, None),
            },
            LabelSource::Csv(path) => {
                table::read(root, &root.join(path), fields.test, &mut left_out)?
            }
        };
        let mut notes = found.notes;
        let states_test = found.test.is_some();
        let share = fields.test.map(Between::get);
        let (train, test) = match found.test {
            Some(_) if share.is_some() => {
                let message = "`test` is the share to test on of a folder that does not say which images are for testing; this one does";
                return Err(Error::usage(Problem::new(message).at_file(root)));
            }
            Some(test) => (found.train, test),
            None => {
                let share = share.unwrap_or(TESTED);
                notes.extend(few_notes(&found.classes, &found.train, share));
                let classes = found.train.into_iter();
                classes.map(|files| hold_out(files, share)).unzip()
            }
        };
        if found.is_unlabeled && fields.labels == LabelSource::Folders {
            notes.push("there are no class folders: the images have no classes".to_string());
        }
        notes.extend(left_out.notes());
        let layout = Layout {
            classes: found.classes,
            is_unlabeled: found.is_unlabeled,
            train: mixed(train),
            validation: found.validation.map(mixed),
            test: mixed(test),
            states_test,
            notes,
        };
        if layout.test.is_empty() {
            let problem = Problem::new("there are no images to test on").at_file(root);
            let hint =
                "at least the last image of a class is for testing, so classes need at least 2";
            return Err(Error::data(problem.hint(hint)));
        }
        Ok(layout)
    }

    /// All files, those of training first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let validation = self.validation.iter().flatten();
        let samples = self.train.iter().chain(validation).chain(&self.test);
        samples.map(|(path, _)| path.as_path())
    }
}

impl Found {
    fn unlabeled(
        train: Vec<PathBuf>,
        validation: Option<Vec<PathBuf>>,
        test: Option<Vec<PathBuf>>,
    ) -> Self {
        Found {
            classes: vec![NO_CLASS.to_string()],
            is_unlabeled: true,
            train: vec![train],
            validation: validation.map(|images| vec![images]),
            test: test.map(|images| vec![images]),
            notes: Vec::new(),
        }
    }
}

fn few_notes(classes: &[String], images: &ByClass, share: f64) -> Vec<String> {
    let few = classes.iter().zip(images);
    let few = few.filter(|(_, files)| files.len() > 1 && tested(files.len(), share) == 0);
    few.map(|(class, files)| {
        let images = count(files.len(), "image");
        format!("class `{class}` has only {images}, of which 1 is for testing")
    })
    .collect()
}

/// The folders of a folder's parts.
struct Parts {
    train: PathBuf,
    validation: Option<PathBuf>,
    test: PathBuf,
}

impl Parts {
    /// None where there is no such folder.
    fn find(root: &Path) -> Result<Option<Self>> {
        let folders: Vec<PathBuf> = entries(root)?.into_iter().filter(|p| p.is_dir()).collect();
        let called = |names: &[&str]| {
            let is = |path: &&PathBuf, name: &str| file_name(path).eq_ignore_ascii_case(name);
            let find = |name: &&str| folders.iter().find(|path| is(path, name)).cloned();
            names.iter().find_map(find)
        };
        let (train, validation, test) = (called(&TRAIN), called(&VALIDATION), called(&TEST));
        let (has, lacks) = match (train, validation, test) {
            (Some(train), validation, Some(test)) => {
                return Ok(Some(Parts {
                    train,
                    validation,
                    test,
                }));
            }
            (Some(train), Some(test), None) => {
                return Ok(Some(Parts {
                    train,
                    validation: None,
                    test,
                }));
            }
            (None, None, None) => return Ok(None),
            (Some(train), None, None) => (train, list(&[&TEST[..], &VALIDATION].concat())),
            (None, Some(part), None) | (None, _, Some(part)) => (part, list(&TRAIN)),
        };
        let has = file_name(&has);
        let message = format!("a folder `{has}` is there, but none named {lacks}");
        Err(Error::data(Problem::new(message).at_file(root)))
    }

    fn has(&self, path: &Path) -> bool {
        let validation = self.validation.as_deref();
        path == self.train || path == self.test || Some(path) == validation
    }
}

fn by_folders(root: &Path, left_out: &mut LeftOut) -> Result<Found> {
    let Some(parts) = Parts::find(root)? else {
        if is_flat(root)? {
            return Ok(Found::unlabeled(images_in(root, left_out)?, None, None));
        }
        let classes = class_folders(root, left_out)?;
        return Ok(Found {
            train: images(root, &classes, left_out)?,
            classes,
            is_unlabeled: false,
            validation: None,
            test: None,
            notes: Vec::new(),
        });
    };
    count_beside(root, &parts, left_out)?;
    if is_flat(&parts.train)? {
        return unlabeled_parts(&parts, left_out);
    }
    let classes = class_folders(&parts.train, left_out)?;
    let mut of_part = |part: &Path, what: &str| images_in_part(part, what, &classes, left_out);
    let validation = parts.validation.as_deref();
    let validation = validation
        .map(|part| of_part(part, "validated"))
        .transpose()?;
    let test = of_part(&parts.test, "tested")?;
    let train = images(&parts.train, &classes, left_out)?;
    Ok(Found {
        classes,
        is_unlabeled: false,
        train,
        validation,
        test: Some(test),
        notes: Vec::new(),
    })
}

/// Counts what lies beside the parts.
fn count_beside(root: &Path, parts: &Parts, left_out: &mut LeftOut) -> Result<()> {
    for other in entries(root)? {
        if is_junk(&other) {
            left_out.junk(&other);
        } else if other.is_dir() && !parts.has(&other) {
            left_out.part(&other, image_files(&other)?.len());
        } else if !other.is_dir() {
            left_out.file(&other);
        }
    }
    Ok(())
}

/// All images below each part.
fn unlabeled_parts(parts: &Parts, left_out: &mut LeftOut) -> Result<Found> {
    let mut images = |part: &Path| unlabeled_below(part, left_out);
    let train = images(&parts.train)?;
    let validation = parts.validation.as_deref();
    let validation = validation.map(&mut images).transpose()?;
    let test = images(&parts.test)?;
    Ok(Found::unlabeled(train, validation, Some(test)))
}

/// Whether a folder holds images and no folders that could be classes.
fn is_flat(folder: &Path) -> Result<bool> {
    let entries = entries(folder)?;
    let mut entries = entries.iter().filter(|path| !is_junk(path));
    let has_images = entries.clone().any(|path| is_image(path));
    Ok(has_images && !entries.any(|path| path.is_dir()))
}

/// The images in a folder of nothing else, sorted by name.
fn images_in(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if is_junk(&path) {
            left_out.junk(&path);
        } else if is_image(&path) {
            files.push(path);
        } else {
            left_out.file(&path);
        }
    }
    files.sort();
    Ok(files)
}

/// All images below a folder, sorted by name.
fn unlabeled_below(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in files_below(folder)? {
        if is_below_junk(folder, &path) {
            left_out.junk(&path);
        } else if is_image(&path) {
            files.push(path);
        } else {
            left_out.file(&path);
        }
    }
    files.sort();
    if files.is_empty() {
        let problem = Problem::new("there are no images in here").at_file(folder);
        return Err(Error::data(problem));
    }
    Ok(files)
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
    in_order(&mut names);
    if names.is_empty() {
        let message = "there are no class folders with images here";
        return Err(Error::data(Problem::new(message).at_file(folder)));
    }
    Ok(names)
}

/// Sorts classes: numbers by size, else as text.
pub(super) fn in_order(names: &mut [String]) {
    names.sort();
    if names.iter().all(|name| name.parse::<u64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<u64>().ok());
    }
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

/// The images of each class, sorted by name, those of folders inside it too.
fn images(folder: &Path, classes: &[String], left_out: &mut LeftOut) -> Result<ByClass> {
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
            let message = format!("class `{class}` has no images");
            return Err(Error::data(Problem::new(message).at_file(folder)));
        }
        Ok(files)
    };
    classes.iter().map(of_class).collect()
}

/// Like [`images`], for classes known from the training part; a class may be absent.
fn images_in_part(
    folder: &Path,
    what: &str,
    classes: &[String],
    left_out: &mut LeftOut,
) -> Result<ByClass> {
    let there = class_folders(folder, left_out)?;
    if let Some(class) = there.iter().find(|class| !classes.contains(class)) {
        let message = format!(
            "class `{class}` is {what} but not trained; trained are {}",
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

/// How many of the first `images` ones of a class are for testing.
fn tested(images: usize, share: f64) -> usize {
    // A tenth of ten may come out a little below one.
    (images as f64 * share + 1e-9) as usize
}

/// Splits a class into training and test images; of two images at least one is for testing.
fn hold_out(files: Vec<PathBuf>, share: f64) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let last = files.len().saturating_sub(1);
    let are_few = last > 0 && tested(files.len(), share) == 0;
    let is_tested = |index| tested(index + 1, share) > tested(index, share);
    let (test, train): (Vec<_>, Vec<_>) = files
        .into_iter()
        .enumerate()
        .partition(|&(index, _)| is_tested(index) || are_few && index == last);
    let paths = |part: Vec<(usize, PathBuf)>| part.into_iter().map(|(_, path)| path).collect();
    (paths(train), paths(test))
}

/// Orders files by how far along their class they stand, so that classes mix evenly.
fn mixed(classes: ByClass) -> Vec<Sample> {
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
