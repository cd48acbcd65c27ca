//! `burnlab data`: list, fetch, verify.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::{files, say};
use crate::config::Overrides;
use crate::data::{
    Catalogue, DataFields, Dataset, DatasetSpec, FileStatus, FolderFields, Folders, IdxFields,
    fetch, find, list, verify,
};
use crate::error::{Error, Kind, More, Problem, Result, count, thousands};
use crate::plan::datasets;
use crate::table::draw;

/// Faults of a folder's images that are shown.
const MOST_FAULTS: usize = 100;

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
    /// Compare a dataset's files with their published checksums, or read all of a dataset of your own
    Verify {
        /// Its name, a folder of images or IDX files, or an experiment, whose datasets are read with all their keys
        /// [default: every dataset by name that is there]
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

/// Reads a dataset whole that was not read before; with a bar where it is a large folder, whose decoded images are kept.
pub(super) fn prepare(catalogue: &Catalogue, dataset: &DatasetSpec, quiet: bool) -> Result<()> {
    let bar = match quiet {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(0),
    };
    let style = ProgressStyle::with_template("{bar:30.cyan/dim} {pos}/{len} {msg}");
    bar.set_style(style.expect("the template is right"));
    bar.set_message("images decoded");
    let prepared = catalogue.prepare(dataset, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    prepared
}

fn verify_some(name: Option<&str>, folders: &Folders) -> Result<()> {
    let Some(name) = name else {
        let here = list(folders).into_iter();
        let here = here.filter(|listing| listing.folder.is_some());
        return verify_named(here.map(|listing| listing.dataset), folders);
    };
    let unknown = match find(name) {
        Ok(dataset) => return verify_named([dataset], folders),
        Err(error) => error,
    };
    let path = Path::new(name);
    if path.is_dir() {
        let spec = match is_idx(path)? {
            true => DatasetSpec::Idx(IdxFields::at(path)),
            false => DatasetSpec::Folder(FolderFields::at(path)),
        };
        return verify_read(&spec, folders);
    }
    match files::find(path) {
        Ok(file) => verify_experiment(&file, folders),
        // An experiment is meant: it has a path, or a file's name.
        Err(error) if path.extension().is_some() || path.components().count() > 1 => Err(error),
        Err(_) => Err(unknown),
    }
}

/// The datasets that an experiment names.
fn verify_experiment(file: &Path, folders: &Folders) -> Result<()> {
    for dataset in datasets(file, &Overrides::from_environment())? {
        match &dataset {
            DatasetSpec::Named(dataset) => verify_named([*dataset], folders)?,
            DatasetSpec::Fake(_) => say(&format!("right  {dataset}: made up, there is no file")),
            DatasetSpec::Idx(_) | DatasetSpec::Folder(_) => verify_read(&dataset, folders)?,
        }
    }
    Ok(())
}

/// Reads everything of a dataset that people fill, as a run does, and says what is there and what is left out.
fn verify_read(spec: &DatasetSpec, folders: &Folders) -> Result<()> {
    let (catalogue, fields) = (
        Catalogue::new(folders.clone()),
        DataFields::new(spec.clone()),
    );
    let read = || {
        let (facts, _) = catalogue.check(&fields)?;
        prepare(&catalogue, spec, false)?;
        catalogue.checksums(&fields)?;
        Ok(facts)
    };
    let facts = read().map_err(|error| with_all_faults(error, &catalogue, spec))?;
    let validation = match facts.validation {
        0 => String::new(),
        number => format!(", {} for validation", thousands(number)),
    };
    say(&format!(
        "right  {}: {} for training{validation} and {} for testing, {}, {}",
        facts.folder.display(),
        count(facts.train, "image"),
        thousands(facts.test),
        facts.shape,
        match (facts.is_unlabeled, facts.classes.len()) {
            (true, _) => "no classes".to_string(),
            (false, 1) => "1 class".to_string(),
            (false, classes) => format!("{} classes", thousands(classes)),
        }
    ));
    for note in &facts.notes {
        say(&format!("   note: {note}"));
    }
    if !facts.is_unlabeled {
        say(&class_table(&facts.classes, catalogue.class_sizes(spec)?));
    }
    Ok(())
}

/// Classes with their images for training, for validation if there are any, and for testing.
fn class_table(classes: &[String], [train, validation, test]: [Vec<usize>; 3]) -> String {
    let has_validation = validation.iter().any(|&images| images > 0);
    let parts = [
        Some(("training", train)),
        has_validation.then_some(("validation", validation)),
        Some(("testing", test)),
    ];
    let (names, sizes): (Vec<&str>, Vec<Vec<usize>>) = parts.into_iter().flatten().unzip();
    let row = |(number, class): (usize, &String)| {
        let sizes = sizes.iter().map(|sizes| thousands(sizes[number]));
        std::iter::once(class.clone()).chain(sizes).collect()
    };
    let header = [&["class"], &names[..]].concat();
    let rows: Vec<Vec<String>> = classes.iter().enumerate().map(row).collect();
    draw(&header, &rows, 1)
}

/// All that is wrong with the images of a folder in place of the first of it.
fn with_all_faults(error: Error, catalogue: &Catalogue, spec: &DatasetSpec) -> Error {
    let mut faults = match catalogue.faults(spec) {
        Ok(faults) if !faults.is_empty() => faults,
        _ => return error,
    };
    let more = More {
        count: faults.len().saturating_sub(MOST_FAULTS),
        is_cut: false,
    };
    faults.truncate(MOST_FAULTS);
    Error {
        more,
        ..Error::new(Kind::Data, faults)
    }
}

/// Compares the files of datasets that are known by their names.
fn verify_named(
    datasets: impl IntoIterator<Item = &'static Dataset>,
    folders: &Folders,
) -> Result<()> {
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
