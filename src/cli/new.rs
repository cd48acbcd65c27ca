//! `burnlab new`: a first experiment to begin with.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{files, say};
use crate::error::{Error, Problem, Result, io_reason};

/// The experiment.
const FIRST: &str = include_str!("new.toml");

/// What editors read, where a project has it.
const SCHEMA: &str = "schemas/experiment.schema.json";

#[derive(Debug, Args)]
pub struct NewArguments {
    /// What it is called: NAME.toml is written under experiments/, if that is there, or here
    name: PathBuf,
}

/// Writes one file, and nothing over another.
///
/// # Errors
/// There is one, or it cannot be written.
pub fn new(arguments: &NewArguments) -> Result<()> {
    let path = files::of_new(&arguments.name);
    let text = format!("{}{FIRST}", first_line(&path));
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let problem = Problem::new("there is such a file already").at_file(&path);
            Error::usage(problem.hint("another name: nothing is written over it"))
        }
        ErrorKind::NotFound => {
            let problem = Problem::new("there is no such folder to write into");
            Error::usage(problem.at_file(&path))
        }
        _ => {
            let message = format!("cannot write the experiment: {}", io_reason(&error));
            Error::data(Problem::new(message).at_file(&path))
        }
    })?;
    let command = |name: &str| {
        let words = ["burnlab", name, &path.to_string_lossy()];
        shlex::try_join(words).unwrap_or_else(|_| words.join(" "))
    };
    let (check, run) = (command("check"), command("run"));
    let path = path.display();
    say(&format!(
        "{path} is a first experiment; change it as you like"
    ));
    say(&format!("  {check}    finds its mistakes"));
    say(&format!("  {run}      trains it and writes results/"));
    Ok(())
}

/// Where editors find the schema: from the file's folder, if the project has it.
fn first_line(path: &Path) -> String {
    if !path.is_relative() || !Path::new(SCHEMA).is_file() {
        return String::new();
    }
    let deep = path.components().count().saturating_sub(1);
    format!("#:schema {}{SCHEMA}\n", "../".repeat(deep))
}
