//! Which file an argument means.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::note;
use crate::config::SETTINGS;
use crate::error::{Error, Problem, Result, did_you_mean, io_reason, thousands};

/// The folder of experiments.
const EXPERIMENTS: &str = "experiments";

/// Files and folders that are looked through for experiments: more than a project has, less than a disk.
const MOST_ENTRIES: usize = 100_000;

/// The file an argument names: a path, or a name under `experiments/`, or here, with or without `.toml`.
///
/// # Errors
/// There is no such file, or it is called as no experiment is: other people's files are not to be shown.
pub fn find(argument: &Path) -> Result<PathBuf> {
    if let Some(found) = find_file(argument) {
        return Ok(found);
    }
    if argument.is_file() {
        let message = format!("`{}` is no experiment file", argument.display());
        let problem = Problem::new(message).hint("experiment files are called `NAME.toml`");
        return Err(Error::usage(problem));
    }
    let runs = argument.join("runs");
    if runs.is_dir() {
        let message = format!(
            "`{}` holds the results of an experiment",
            argument.display()
        );
        let hint = format!(
            "name the experiment, or the folder of a run in `{}`",
            runs.display()
        );
        return Err(Error::usage(Problem::new(message).hint(hint)));
    }
    let known = known().unwrap_or_default();
    let names: Vec<String> = known.iter().map(|path| name(path)).collect();
    let asked = name(argument);
    Err(Error::usage(
        Problem::new(format!(
            "there is no experiment file `{}`",
            argument.display()
        ))
        .maybe_hint(did_you_mean(&asked, &names)),
    ))
}

/// The same; `None` where there is no such file. A folder may have the experiment's name, as that of its photos.
pub fn find_file(argument: &Path) -> Option<PathBuf> {
    if is_toml(argument) && argument.is_file() {
        return Some(argument.to_path_buf());
    }
    let below = with_ending(&Path::new(EXPERIMENTS).join(argument));
    let places = [below, with_ending(argument)];
    places.into_iter().find(|path| path.is_file())
}

/// The file that a new experiment of this name is written to: under `experiments/`, if that is there.
pub fn of_new(name: &Path) -> PathBuf {
    let file = match is_toml(name) {
        true => name.to_path_buf(),
        false => with_ending(name),
    };
    let folder = Path::new(EXPERIMENTS);
    match folder.is_dir() && !file.starts_with(folder) && file.is_relative() {
        true => folder.join(file),
        false => file,
    }
}

fn with_ending(path: &Path) -> PathBuf {
    let mut named = path.as_os_str().to_owned();
    named.push(".toml");
    PathBuf::from(named)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml")
}

fn name(path: &Path) -> String {
    let path = path.strip_prefix(EXPERIMENTS).unwrap_or(path);
    path.with_extension("").display().to_string()
}

/// The experiments that names stand for: those below `experiments/`, then those that lie here and are not called as one
/// of them is.
///
/// # Errors
/// As [`all`].
pub fn known() -> Result<Vec<PathBuf>> {
    let mut found = all(Path::new(EXPERIMENTS))?;
    let entries = WalkDir::new(".")
        .min_depth(1)
        .max_depth(1)
        .sort_by_file_name();
    let here = entries.into_iter().take(MOST_ENTRIES);
    let here = here.filter_map(|entry| experiment(entry.ok()?));
    for path in here.filter(|path| !is_of_other_program(path)) {
        let path = path.strip_prefix(".").unwrap_or(&path).to_path_buf();
        if !Path::new(EXPERIMENTS).join(&path).is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether a TOML file has nothing at its top that an experiment has, such as Cargo's; what is no TOML may be meant as one.
fn is_of_other_program(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_ours = |key: &String| key == "extends" || SETTINGS.contains(&key.as_str());
    text.parse::<toml::Table>()
        .is_ok_and(|table| !table.keys().any(is_ours))
}

/// Every experiment file below a folder, in order; what is called so and is no file (a pipe would be waited
/// for) is skipped with a note.
///
/// # Errors
/// There is more below the folder than a project has, or it cannot be listed.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    all_within(folder, MOST_ENTRIES)
}

fn all_within(folder: &Path, most: usize) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = WalkDir::new(folder).sort_by_file_name();
    for (number, entry) in entries.into_iter().enumerate() {
        if number > most {
            let most = thousands(most);
            let problem = Problem::new(format!("more than {most} files and folders are in here"));
            let problem = problem.hint("name a folder of experiments").at_file(folder);
            return Err(Error::usage(problem));
        }
        match entry {
            Ok(entry) => found.extend(experiment(entry)),
            // A folder that is not there has no files.
            Err(error) if error.depth() == 0 && !folder.exists() => {}
            Err(error) => skip(error.path().unwrap_or(folder), &error),
        }
    }
    Ok(found)
}

fn experiment(entry: DirEntry) -> Option<PathBuf> {
    let path = entry.path();
    let is_named_so = is_toml(path) && entry.file_name() != "burnlab.toml";
    if !is_named_so || path.is_dir() || is_of_a_run(path) {
        return None;
    }
    if !path.is_file() {
        note(format!(
            "note: `{}` is skipped: it is no file",
            path.display()
        ));
        return None;
    }
    Some(entry.into_path())
}

/// Whether it is what a run left of its settings.
fn is_of_a_run(path: &Path) -> bool {
    path.ends_with("config.toml") && path.with_file_name("run.json").is_file()
}

fn skip(path: &Path, error: &walkdir::Error) {
    let reason = error
        .io_error()
        .map_or("links lead in a circle".to_string(), io_reason);
    note(format!("note: `{}` is skipped: {reason}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_looked_through_than_a_project_has() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("a.toml"), "").unwrap();
        fs::write(folder.join("burnlab.toml"), "").unwrap();
        fs::create_dir(folder.join("inner")).unwrap();
        let run = tempfile::tempdir().unwrap();
        for name in ["config.toml", "run.json", "other.toml"] {
            fs::write(run.path().join(name), "").unwrap();
        }
        assert_eq!(all(run.path()).unwrap(), [run.path().join("other.toml")]);
        fs::write(folder.join("inner/b.toml"), "").unwrap();
        let found = all_within(folder, 4).unwrap();
        assert_eq!(
            found,
            ["a.toml", "inner/b.toml"].map(|name| folder.join(name))
        );
        assert_eq!(
            all_within(folder, 3).unwrap_err().to_string(),
            format!(
                "error: more than 3 files and folders are in here\n  {}\n  hint: name a folder of experiments",
                folder.display()
            )
        );
        assert!(all(&folder.join("nowhere")).unwrap().is_empty());
    }
}
