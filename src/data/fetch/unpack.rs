//! The files of a dataset out of an archive.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::partial_file::PartialFile;
use crate::data::content::{damage, identity_of};
use crate::data::dataset::{Archive, File};
use crate::data::verify::mismatch;
use crate::error::{Error, Kind, Problem, Result, list};

/// Takes the wanted files out of a tar.gz or zip archive, wherever in it they lie. `target` says which of them a path is,
/// and where it goes to.
pub(super) fn unpack<'a>(
    archive: &Archive,
    packed: &Path,
    wanted: &[&'a File],
    target: &dyn Fn(&Path) -> Option<(&'a File, PathBuf)>,
) -> Result<Vec<PathBuf>> {
    let cannot = |error: io::Error| Error::io(Kind::Data, "unpack", packed, &error);
    let mut unpacked: Vec<(&str, PathBuf)> = Vec::new();
    let mut take = |path: &Path, content: &mut dyn Read| {
        let Some((file, to)) = target(path) else {
            return Ok(());
        };
        write_checked(file, content, &to, &cannot)?;
        unpacked.push((file.name, to));
        Ok(())
    };
    let file = fs::File::open(packed).map_err(cannot)?;
    match archive.name.ends_with(".zip") {
        true => {
            let mut archive = zip::ZipArchive::new(io::BufReader::new(file))
                .map_err(|error| cannot(error.into()))?;
            for at in 0..archive.len() {
                let mut entry = archive.by_index(at).map_err(|error| cannot(error.into()))?;
                if let Some(path) = entry.enclosed_name() {
                    take(&path, &mut entry)?;
                }
            }
        }
        false => {
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in archive.entries().map_err(cannot)? {
                let mut entry = entry.map_err(cannot)?;
                let path = entry.path().map_err(cannot)?.into_owned();
                take(&path, &mut entry)?;
            }
        }
    }
    let is_there = |name: &str| unpacked.iter().any(|(unpacked, _)| *unpacked == name);
    let names = wanted.iter().map(|file| file.name);
    let missing: Vec<&str> = names.filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(unpacked.into_iter().map(|(_, path)| path).collect());
    }
    let message = format!("the archive lacks {}", list(&missing));
    Err(Error::data(Problem::new(message).at_file(packed)))
}

/// Writes a file of an archive, which must be the published one. `cannot` is told why the archive cannot be read.
fn write_checked(
    file: &File,
    content: &mut dyn Read,
    to: &Path,
    cannot: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    let part = PartialFile::beside(to);
    let write = |error| Error::io(Kind::Data, "write", to, &error);
    let mut target = fs::File::create(&part.path).map_err(write)?;
    io::copy(&mut content.take(file.most_bytes()), &mut target).map_err(cannot)?;
    target.sync_all().map_err(write)?;
    let found = identity_of(file, &part.path).map_err(write)?;
    if found != file.identity() {
        let says = mismatch(file, &found);
        return Err(damage(to, format!("came out wrong: {says}")));
    }
    part.keep_as(to)
}
