//! Files on their way: written beside their place, and renamed once they are right.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// A file on its way, removed unless it is kept.
pub(super) struct PartialFile {
    pub path: PathBuf,
}

impl PartialFile {
    /// One beside the place where it is to be.
    pub fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        PartialFile { path: name.into() }
    }

    /// The process that writes it.
    fn writer(path: &Path) -> Option<u32> {
        let name = path.file_name()?.to_str()?;
        let (_, writer) = name.strip_suffix(".part")?.rsplit_once('.')?;
        writer.parse().ok()
    }

    /// Moves it to its place, whole.
    pub fn keep_as(self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|error| Error::io(Kind::Data, "write", path, &error))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // It is not there after a rename, or if it was never made.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what killed processes left of files on their way. Whether a process lives is known on Linux; elsewhere
/// nothing is removed.
pub(super) fn remove_left_parts(folder: &Path) {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    for path in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = path.path();
        let is_left = |writer: u32| !processes.join(writer.to_string()).exists();
        if PartialFile::writer(&path).is_some_and(is_left) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn parts_that_killed_processes_left_are_removed_and_those_of_living_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        // The largest number of a process on Linux is 2^22.
        let left = dir.path().join("hello.bin.9999999.part");
        let others = [
            format!("hello.bin.{}.part", std::process::id()),
            "hello.bin.9999999".to_string(),
            "mine.part".to_string(),
        ];
        let others = others.map(|name| dir.path().join(name));
        for path in others.iter().chain([&left]) {
            fs::write(path, "").unwrap();
        }
        remove_left_parts(dir.path());
        assert!(!left.exists());
        assert!(others.iter().all(|path| path.exists()));
    }
}
