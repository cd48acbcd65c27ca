//! What a report is about: the runs of an experiment, of a folder or of two sides, as they stand on disk.
//!
//! Tables only skip what is damaged; a report says what, and is not written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::statistics::{Group, groups};
use super::verdict::{ClaimResult, check_claims};
use crate::config::Settings;
use crate::error::{Error, Kind, Problem, Result, count};
use crate::plan::{Plan, Search};
use crate::record::{RunFolder, RunRow, Status, TRAINED_ANEW};
use crate::run::{Results, ResultsFolder};

/// Damaged files that are named one by one.
const MOST_NAMED: usize = 20;

/// Runs, where they lie, and what is known of their experiment.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The experiment's name, or what is compared.
    pub name: String,
    /// What it asks, in a line.
    pub title: String,
    /// Where its claims come from.
    pub source: Option<String>,
    /// The experiment's file, if it is there.
    pub file: Option<PathBuf>,
    /// Keys of the grid and of the search.
    pub swept: Vec<String>,
    /// What was done with the points of a search.
    pub search: Option<Search>,
    /// A row a run, those of a variant together.
    pub rows: Vec<RunRow>,
    /// The folder of each, which need not exist.
    pub folders: Vec<RunFolder>,
    /// The claims of the file, held against the rows.
    pub claims: Vec<ClaimResult>,
    /// What a reader should know of the runs, a sentence each.
    pub notes: Vec<String>,
}

impl Subject {
    /// The runs of an experiment's file.
    ///
    /// # Errors
    /// Files of runs are damaged.
    pub fn of_plan(plan: &Plan, results: &Path) -> Result<Self> {
        let folder = ResultsFolder::of(results, &plan.name);
        let folders: Vec<RunFolder> = plan.runs.iter().map(|run| folder.run(run)).collect();
        let found = read_rows(&folders)?;
        let rows: Vec<RunRow> = found
            .into_iter()
            .zip(&plan.runs)
            .map(|(row, run)| match row {
                Some(row) if row.id == run.id => row,
                _ => run.unfinished(),
            })
            .collect();
        Ok(Subject {
            name: plan.name.clone(),
            title: plan.title.clone(),
            source: plan.source.clone(),
            file: Some(plan.path.clone()),
            swept: plan.swept.clone(),
            search: plan.search.clone(),
            claims: check_claims(&plan.claims, &rows),
            rows,
            folders,
            notes: Vec::new(),
        })
    }

    /// The runs of the table in an experiment's results folder, without the experiment's file and its claims.
    ///
    /// # Errors
    /// The table or files of runs are damaged, or no run is there.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        let table = folder.join("summary.csv");
        let damaged = |error: csv::Error| {
            Error::data(Problem::new(format!("cannot read the table: {error}")).at_file(&table))
        };
        let mut reader = csv::Reader::from_path(&table).map_err(damaged)?;
        let header = reader.headers().map_err(damaged)?;
        let places = ["variant", "id"].map(|name| header.iter().position(|column| column == name));
        let mut wanted = Vec::new();
        for record in reader.records() {
            let record = record.map_err(damaged)?;
            wanted.push(places.map(|at| {
                at.and_then(|at| record.get(at))
                    .unwrap_or_default()
                    .to_string()
            }));
        }
        let there: Vec<RunFolder> = fs::read_dir(folder.join("runs"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(RunFolder::new(entry.ok()?.path())))
            .collect();
        let mut found: HashMap<[String; 2], (RunRow, RunFolder)> = read_rows(&there)?
            .into_iter()
            .zip(there)
            .filter_map(|(row, folder)| {
                let row = row?;
                Some(([row.variant.clone(), row.id.clone()], (row, folder)))
            })
            .collect();
        let all = wanted.len();
        let (rows, folders): (Vec<RunRow>, Vec<RunFolder>) =
            wanted.iter().filter_map(|run| found.remove(run)).unzip();
        if rows.is_empty() {
            let problem = Problem::new("no run of this folder is done").at_file(folder);
            return Err(Error::data(problem));
        }
        let lost = all - rows.len();
        let notes = (lost > 0).then(|| {
            format!(
                "{} of `summary.csv` left no folder, and are missing here.",
                count(lost, "run")
            )
        });
        let name = folder.display().to_string();
        Ok(Subject {
            title: name.clone(),
            name,
            source: None,
            file: None,
            swept: rows[0].swept.iter().map(|(key, _)| key.clone()).collect(),
            search: None,
            rows,
            folders,
            claims: Vec::new(),
            notes: notes.into_iter().collect(),
        })
    }

    /// The run of one run's folder.
    ///
    /// # Errors
    /// Its row is damaged.
    pub fn of_run(folder: &Path) -> Result<Self> {
        let folders = vec![RunFolder::new(folder)];
        let rows: Vec<RunRow> = read_rows(&folders)?.into_iter().flatten().collect();
        let row = rows
            .first()
            .ok_or_else(|| Error::data(Problem::new("the folder holds no run").at_file(folder)))?;
        let name = format!("{}, seed {}", row.variant, row.seed);
        Ok(Subject {
            title: name.clone(),
            name,
            source: None,
            file: None,
            swept: row.swept.iter().map(|(key, _)| key.clone()).collect(),
            search: None,
            rows,
            folders,
            claims: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Only the runs for which this is so, without the claims.
    pub fn only(mut self, name: String, is_meant: impl Fn(&RunRow) -> bool) -> Self {
        let keep: Vec<bool> = self.rows.iter().map(&is_meant).collect();
        let mut kept = keep.iter();
        self.rows.retain(|_| *kept.next().unwrap_or(&false));
        let mut kept = keep.iter();
        self.folders.retain(|_| *kept.next().unwrap_or(&false));
        Subject {
            title: name.clone(),
            name,
            // Points are compared with all others.
            search: None,
            claims: Vec::new(),
            ..self
        }
    }

    /// Two sides as one. Variants keep their names where all differ; else each gets that of its side before it.
    pub fn beside(mut self, mut other: Self) -> Self {
        let is_shared = |row: &RunRow| self.rows.iter().any(|own| own.variant == row.variant);
        if other.rows.iter().any(is_shared) {
            let (one, two) = match self.name == other.name {
                true => ("A".to_string(), "B".to_string()),
                false => (self.name.clone(), other.name.clone()),
            };
            for (side, rows) in [(one, &mut self.rows), (two, &mut other.rows)] {
                let several = groups(rows).len() > 1;
                for row in rows {
                    row.variant = match several || !side.contains(&row.variant) {
                        true => format!("{side}: {}", row.variant),
                        false => side.clone(),
                    };
                }
            }
        }
        // The keys of one grid say nothing of the other's points.
        let swept = match self.swept == other.swept {
            true => self.swept,
            false => Vec::new(),
        };
        let name = format!("{} and {}", self.name, other.name);
        Subject {
            title: name.clone(),
            name,
            source: None,
            file: None,
            swept,
            search: None,
            rows: [self.rows, other.rows].concat(),
            folders: [self.folders, other.folders].concat(),
            claims: Vec::new(),
            notes: [self.notes, other.notes].concat(),
        }
    }

    /// Its rows with their epochs.
    ///
    /// # Errors
    /// Epochs of runs are damaged.
    pub fn results(&self) -> Result<Results> {
        let epochs = self.folders.iter().map(RunFolder::checked_epochs);
        Ok(Results {
            rows: self.rows.clone(),
            epochs: epochs.collect::<Result<_>>()?,
        })
    }

    /// Whether a run has ended, well or not.
    pub fn has_results(&self) -> bool {
        self.rows.iter().any(|row| row.status != Status::Unfinished)
    }

    /// The runs by variant.
    pub fn groups(&self) -> Vec<Group<'_>> {
        groups(&self.rows)
    }

    /// A variant's rows with their folders.
    pub fn runs_of(&self, variant: &str) -> impl Iterator<Item = (&RunRow, &RunFolder)> {
        let runs = self.rows.iter().zip(&self.folders);
        runs.filter(move |(row, _)| row.variant == variant)
    }

    /// Whether a variant's training is counted in steps, as far as the settings that its runs kept tell.
    pub fn counts_steps(&self, variant: &str) -> bool {
        let mut kept = self
            .runs_of(variant)
            .filter_map(|(_, folder)| Settings::of_run(folder).ok());
        kept.next()
            .is_some_and(|settings| settings.train.counts_steps())
    }

    /// The resolved settings of a variant as one of its runs kept them, the seeds left out; `None` if none did.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn settings(&self, variant: &str) -> Result<Option<Value>> {
        for (_, folder) in self.runs_of(variant) {
            if let Some(mut settings) = read_config(folder)? {
                if let Some(train) = settings.get_mut("train").and_then(Value::as_object_mut) {
                    train.remove("seeds");
                }
                return Ok(Some(settings));
            }
        }
        Ok(None)
    }
}

/// The rows of folders; of those without one none. All damaged ones are named at once.
fn read_rows(folders: &[RunFolder]) -> Result<Vec<Option<RunRow>>> {
    let mut rows = Vec::with_capacity(folders.len());
    let mut problems = Vec::new();
    for folder in folders {
        match folder.checked_row() {
            Ok(row) => rows.push(row),
            Err(error) => problems.extend(error.problems),
        }
    }
    if problems.is_empty() {
        return Ok(rows);
    }
    let damaged = problems.len();
    problems.truncate(MOST_NAMED);
    if let Some(last) = problems.pop() {
        problems.push(last.hint(TRAINED_ANEW));
    }
    if damaged > MOST_NAMED {
        problems.push(Problem::new(format!(
            "{} are damaged",
            count(damaged, "run")
        )));
    }
    Err(Error::new(Kind::Data, problems))
}

fn read_config(folder: &RunFolder) -> Result<Option<Value>> {
    let path = folder.file("config.toml");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(Kind::Data, "read the file", &path, &error)),
    };
    let read: std::result::Result<Value, _> = toml::from_str(&text);
    read.map(Some).map_err(|error| {
        let message = format!("the run's settings cannot be read: {}", error.message());
        Error::data(Problem::new(message).at_file(path).hint(TRAINED_ANEW))
    })
}
