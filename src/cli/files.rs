//! Which file an argument means.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::{Error, Problem, Result, did_you_mean};

/// Where experiments live.
const EXPERIMENTS: &str = "experiments";

/// The file an argument names: a path, or a name under `experiments/` with or without `.toml`.
///
/// # Errors
/// There is no such file.
pub fn find(argument: &Path) -> Result<PathBuf> {
    let named = PathBuf::from(format!("{EXPERIMENTS}/{}.toml", argument.display()));
    if argument.is_file() {
        return Ok(argument.to_path_buf());
    }
    if named.is_file() {
        return Ok(named);
    }
    let names: Vec<String> = all(Path::new(EXPERIMENTS))
        .iter()
        .map(|path| name(path))
        .collect();
    let asked = name(argument);
    Err(Error::usage(
        Problem::new(format!(
            "there is no experiment file `{}`",
            argument.display()
        ))
        .maybe_hint(did_you_mean(&asked, &names)),
    ))
}

fn name(path: &Path) -> String {
    let path = path.strip_prefix(EXPERIMENTS).unwrap_or(path);
    path.with_extension("").display().to_string()
}

/// Every experiment file below a folder, in order; a file stands for itself.
pub fn all(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    WalkDir::new(path)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .filter(|path| path.file_name().is_some_and(|name| name != "burnlab.toml"))
        .collect()
}
