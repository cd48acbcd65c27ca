//! `burnlab data`: list, fetch, verify.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::say;
use crate::data::{
    Catalogue, DATASETS, DataFields, DatasetSpec, FileStatus, FolderFields, Folders, IdxFields,
    fetch, find, list, verify,
};
use crate::error::{Error, Kind, Problem, Result, count, thousands};

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the datasets and where they are
    List,
    /// Download a dataset from its public mirrors, with checksums
    Fetch {
        /// Its name, as `data list` shows it
        name: String,
        /// Folder that will hold NAME/ [default: $BURNLAB_DATA, or the user's cache]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Compare a dataset's files with their published checksums, or read all of a folder of your own
    Verify {
        /// Its name, or a folder of images or IDX files [default: every dataset that is there]
        name: Option<String>,
    },
}

/// Runs `burnlab data`.
pub fn data(command: DataCommand) -> Result<()> {
    let folders = Folders::from_environment();
    match command {
        DataCommand::List => print_list(&folders),
        DataCommand::Fetch { name, to } => return fetch_one(&name, to, &folders),
        DataCommand::Verify { name } => return verify_some(name.as_deref(), &folders),
    }
    Ok(())
}

fn print_list(folders: &Folders) {
    for listing in list(folders) {
        let place = match listing.folder {
            Some(folder) => folder.display().to_string(),
            None => format!("not here: burnlab data fetch {}", listing.dataset.name),
        };
        say(&format!(
            "{:15} {:38} {place}",
            listing.dataset.name, listing.dataset.title
        ));
    }
}

fn fetch_one(name: &str, to: Option<PathBuf>, folders: &Folders) -> Result<()> {
    let dataset = find(name)?;
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:30.cyan/dim} {bytes}/{total_bytes} {msg}");
    bar.set_style(style.expect("the template is right"));
    let fetched = fetch(dataset, folders, to.as_deref(), &mut |file, done, all| {
        bar.set_message(file.to_string());
        bar.set_length(all.unwrap_or(done));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    for file in fetched? {
        match file.from {
            Some(address) => say(&format!("fetched {} from {address}", file.path.display())),
            None => say(&format!("right   {}", file.path.display())),
        }
    }
    Ok(())
}

/// Whether a folder holds IDX files, and no images.
pub(super) fn is_idx(folder: &Path) -> Result<bool> {
    let is_idx = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        name.to_string_lossy().contains("train-images")
    };
    let entries =
        std::fs::read_dir(folder).map_err(|error| Error::io(Kind::Data, "list", folder, &error))?;
    Ok(entries.flatten().any(is_idx))
}

/// Reads everything in a folder that people fill, and says what is there and what is left out.
fn verify_folder(folder: &Path, folders: &Folders) -> Result<()> {
    let spec = match is_idx(folder)? {
        true => DatasetSpec::Idx(IdxFields::at(folder)),
        false => DatasetSpec::Folder(FolderFields::at(folder)),
    };
    let (catalogue, fields) = (Catalogue::new(folders.clone()), DataFields::new(spec));
    let (facts, _) = catalogue.check(&fields)?;
    catalogue.checksums(&fields)?;
    say(&format!(
        "right  {}: {} for training and {} for testing, {}, {}",
        folder.display(),
        count(facts.train, "image"),
        thousands(facts.test),
        facts.shape,
        match facts.classes.len() {
            1 => "1 class".to_string(),
            classes => format!("{} classes", thousands(classes)),
        }
    ));
    for note in facts.notes {
        say(&format!("   note: {note}"));
    }
    Ok(())
}

fn verify_some(name: Option<&str>, folders: &Folders) -> Result<()> {
    let datasets = match name {
        Some(name) if find(name).is_err() && Path::new(name).is_dir() => {
            return verify_folder(Path::new(name), folders);
        }
        Some(name) => vec![find(name)?],
        None => {
            let here = list(folders);
            let here: Vec<_> = here
                .iter()
                .filter(|listing| listing.folder.is_some())
                .collect();
            DATASETS
                .into_iter()
                .filter(|dataset| {
                    here.iter()
                        .any(|listing| listing.dataset.name == dataset.name)
                })
                .collect()
        }
    };
    let mut problems = Vec::new();
    for dataset in datasets {
        for file in verify(dataset, folders)? {
            let path = file.path.unwrap_or_else(|| PathBuf::from(file.name));
            match file.state {
                FileStatus::Right => say(&format!("right  {}", path.display())),
                FileStatus::Missing => problems.push(
                    Problem::new(format!("`{}` of {} is missing", file.name, dataset.name))
                        .hint(format!("burnlab data fetch {}", dataset.name)),
                ),
                FileStatus::RightSize => say(&format!(
                    "right  {} (in size: no checksum of it is published)",
                    path.display()
                )),
                FileStatus::Wrong { found, expected } => problems.push(
                    Problem::new(format!("wrong content: expected {expected}, found {found}"))
                        .at_file(path)
                        .hint(format!("burnlab data fetch {}", dataset.name)),
                ),
                FileStatus::Unreadable(reason) => {
                    problems.push(
                        Problem::new(format!("cannot read the file: {reason}")).at_file(path),
                    );
                }
            }
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::new(Kind::Data, problems)),
    }
}
