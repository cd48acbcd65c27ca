//! What a folder holds: images, other files, and what systems leave behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::data::left_out::is_junk;
use crate::data::pixels::ENDINGS;
use crate::error::{Error, Kind, Problem, Result, thousands};

/// Files that are no images in a folder of mostly such: less than a disk has.
const MOST_OTHERS: usize = 100_000;

/// What lies in a folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |error: io::Error| Error::io(Kind::Data, "list", folder, &error);
    fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| Ok(entry.map_err(cannot)?.path()))
        .collect()
}

/// Everything below a folder that is no folder, links followed.
pub(super) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    files_within(folder, MOST_OTHERS)
}

/// The same, if at most `most_others` of the files are not called like images, or most are images.
fn files_within(folder: &Path, most_others: usize) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut others = 0;
    for entry in walkdir::WalkDir::new(folder).follow_links(true) {
        if let Err(error) = &entry
            && let Some(path) = error
                .path()
                .filter(|path| path.is_symlink() && !path.exists())
        {
            // A link that leads nowhere is an image that cannot be read, if it is called like one.
            files.extend(is_named_as_image(path).then(|| path.to_path_buf()));
            continue;
        }
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
pub(in crate::data) fn image_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = files_below(folder)?;
    files.retain(|path| is_image(path) && !is_below_junk(folder, path));
    files.sort();
    Ok(files)
}

/// Whether a file, or a folder on the way to it, is left behind by a system.
pub(super) fn is_below_junk(folder: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.ancestors().any(is_junk)
}

pub(super) fn is_image(path: &Path) -> bool {
    is_named_as_image(path) && path.is_file()
}

pub(super) fn is_named_as_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|text| text.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ENDINGS.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
