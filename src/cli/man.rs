//! `burnlab man`: manual pages, made of the command line itself.

use std::path::PathBuf;

use clap::Args;

use super::{documented, print, say};
use crate::error::{Error, Problem, Result, io_reason};

#[derive(Debug, Args)]
pub struct ManArguments {
    /// Write burnlab.1, burnlab-run.1 and so on into this folder [default: print burnlab.1]
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints the manual page, or writes all of them.
///
/// # Errors
/// The folder cannot be written.
pub fn man(arguments: &ManArguments) -> Result<()> {
    let Some(folder) = &arguments.output else {
        let mut page = Vec::new();
        let command = documented().disable_help_subcommand(true);
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Error::bug(format!("cannot make the manual page: {error}")))?;
        print(&page);
        return Ok(());
    };
    let made = std::fs::create_dir_all(folder);
    let written = made.and_then(|()| clap_mangen::generate_to(documented(), folder));
    written.map_err(|error| {
        let message = format!("cannot write the manual pages: {}", io_reason(&error));
        Error::data(Problem::new(message).at_file(folder))
    })?;
    let folder = folder.display();
    say(&format!(
        "wrote the manual pages into {folder}: man {folder}/burnlab.1"
    ));
    Ok(())
}
