//! A file that is there as a whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// How the names of files begin that are being written.
pub(super) const PART: &str = ".part-";

/// Writes what a file is to hold.
pub type WriteContent<'a> = &'a dyn Fn(&mut dyn Write) -> std::io::Result<()>;

/// Writes a file in the folder `beside` and renames it.
pub(super) fn replace(path: &Path, content: WriteContent, beside: &Path) -> std::io::Result<()> {
    let mut file = NamedTempFile::with_prefix_in(PART, beside)?;
    write_all(file.as_file_mut(), content)?;
    file.as_file().sync_all()?;
    readable_as_usual(&file)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes it from where the file stands.
pub(super) fn write_all(file: &mut fs::File, content: WriteContent) -> std::io::Result<()> {
    let mut buffered = BufWriter::new(file);
    content(&mut buffered)?;
    buffered.flush()
}

/// Temporary files are the owner's alone; results are for whoever may read the folder.
#[cfg(unix)]
fn readable_as_usual(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_as_usual(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
