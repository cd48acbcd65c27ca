//! The reference: a table of comma-separated values with a row a run, read with every mistake told at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Rule;
use super::entry::{Entry, METRICS, Origin, RunKey};
use crate::error::{Error, Kind, Place, Problem, Result, count, did_you_mean};
use crate::record::{csv, write_atomically};

/// The columns before the metrics.
const LABELS: [&str; 8] = [
    "experiment",
    "variant",
    "seed",
    "id",
    "burnlab",
    "burn",
    "device",
    "date",
];

const ANEW: &str = "`burnlab regress --accept` writes the reference anew";
const REMOVE: &str = "mend it or remove the file; `burnlab regress --accept` then writes it anew";

/// Runs whose numbers others are held against.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    path: PathBuf,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    entry: Entry,
    /// Where it stands, if it was read from a file.
    place: Option<Place>,
}

impl Reference {
    /// Those runs, in their order.
    pub fn new(path: &Path, entries: Vec<Entry>) -> Self {
        let row = |entry| Row { entry, place: None };
        Reference {
            path: path.to_path_buf(),
            rows: entries.into_iter().map(row).collect(),
        }
    }

    /// Reads a reference; everything that is wrong with it is told at once.
    ///
    /// # Errors
    /// There is no such file, or it is no such table.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                let problem = Problem::new("there is no reference to compare with");
                Error::data(problem.at_file(path).hint(ANEW))
            }
            _ => Error::io(Kind::Data, "read the reference", path, &error),
        })?;
        let source = String::from_utf8(bytes).map_err(|_| {
            let problem = Problem::new("the reference is not UTF-8 text");
            Error::data(problem.at_file(path).hint(REMOVE))
        })?;
        Reading::new(path, &source).read()
    }

    /// The same, or `None` where there is no such file.
    ///
    /// # Errors
    /// It is no such table.
    pub fn read_if_there(path: &Path) -> Result<Option<Self>> {
        match path.exists() {
            true => Reference::read(path).map(Some),
            false => Ok(None),
        }
    }

    /// All runs, in the order of the table.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.rows.iter().map(|row| &row.entry)
    }

    /// Sees that it is of the planned runs, each with the hash of its settings: of all experiments, or only of those
    /// that are planned. By the interval, variants must be the same; settings and seeds need not be.
    ///
    /// # Errors
    /// It lacks runs, has others, or is of other settings.
    pub fn check(&self, planned: &[(RunKey, String)], rule: Rule, of_all: bool) -> Result<()> {
        let is_concerned = |key: &RunKey| {
            of_all
                || planned
                    .iter()
                    .any(|(run, _)| run.experiment == key.experiment)
        };
        let rows = self.rows.iter().filter(|row| is_concerned(&row.entry.key));
        let rows: Vec<&Row> = rows.collect();
        let problems: Vec<Problem> = self
            .missing(planned, &rows, rule)
            .into_iter()
            .chain(self.unplanned(planned, &rows, rule))
            .chain(self.of_other_settings(planned, &rows, rule))
            .chain(self.single(&rows, rule))
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Data, problems)),
        }
    }

    fn missing(&self, planned: &[(RunKey, String)], rows: &[&Row], rule: Rule) -> Option<Problem> {
        let known: BTreeSet<RunKey> = rows.iter().map(|row| kept(&row.entry.key, rule)).collect();
        let missing: Vec<&RunKey> = planned
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !known.contains(&kept(key, rule)))
            .collect();
        let first = missing.first()?;
        let more = match missing.len() - 1 {
            0 => String::new(),
            more => format!(", nor {} more", count(more, "run")),
        };
        let problem = Problem::new(format!("the reference has no run {first}{more}"));
        Some(problem.at_file(&self.path).hint(ANEW))
    }

    fn unplanned(
        &self,
        planned: &[(RunKey, String)],
        rows: &[&Row],
        rule: Rule,
    ) -> Option<Problem> {
        let known: BTreeSet<RunKey> = planned.iter().map(|(key, _)| kept(key, rule)).collect();
        let is_other = |row: &&&Row| !known.contains(&kept(&row.entry.key, rule));
        let others: Vec<&&Row> = rows.iter().filter(is_other).collect();
        let first = others.first()?;
        let more = match others.len() - 1 {
            0 => String::new(),
            more => format!(", and {} more", count(more, "run")),
        };
        let key = &first.entry.key;
        let message = format!("the reference has a run that no experiment has: {key}{more}");
        Some(self.at(first, Problem::new(message).hint(ANEW)))
    }

    fn of_other_settings(
        &self,
        planned: &[(RunKey, String)],
        rows: &[&Row],
        rule: Rule,
    ) -> Option<Problem> {
        let ids: BTreeMap<&RunKey, &String> = planned.iter().map(|(key, id)| (key, id)).collect();
        let is_other = |row: &&&Row| {
            let id = ids.get(&row.entry.key);
            id.is_some_and(|id| **id != row.entry.id)
        };
        let others: Vec<&&Row> = rows.iter().filter(is_other).collect();
        let first = others.first().filter(|_| rule == Rule::Equal)?;
        let id = ids[&first.entry.key];
        let message = format!(
            "the reference is of other settings: expected the id `{id}` of {}, found `{}`; so are {} in all",
            first.entry.key,
            first.entry.id,
            count(others.len(), "run")
        );
        let hint = "`--accept` writes the reference anew, `--tolerance interval` compares other settings with it";
        Some(self.at(first, Problem::new(message).hint(hint)))
    }

    /// An interval needs two runs of each variant.
    fn single(&self, rows: &[&Row], rule: Rule) -> Option<Problem> {
        let runs = |of: &Entry| {
            let same = rows.iter().filter(|row| {
                let key = &row.entry.key;
                (&key.experiment, &key.variant) == (&of.key.experiment, &of.key.variant)
            });
            same.count()
        };
        let single = rows.iter().find(|row| runs(&row.entry) < 2);
        let single = single.filter(|_| rule == Rule::Interval)?;
        let RunKey {
            experiment,
            variant,
            ..
        } = &single.entry.key;
        let message = format!(
            "the reference has 1 run of `{experiment}`, `{variant}`; an interval needs 2 at least"
        );
        let hint = "give the experiment more `train.seeds`, then `burnlab regress --accept`";
        Some(self.at(single, Problem::new(message).hint(hint)))
    }

    fn at(&self, row: &Row, problem: Problem) -> Problem {
        match &row.place {
            Some(place) => problem.at(place.clone()),
            None => problem.at_file(&self.path),
        }
    }

    /// The reference with these runs in place of its own of the same experiments.
    pub fn with(&self, now: Vec<Entry>) -> Reference {
        let is_new = |entry: &Entry| {
            let experiment = &entry.key.experiment;
            now.iter().any(|new| new.key.experiment == *experiment)
        };
        let others = self.entries().filter(|entry| !is_new(entry)).cloned();
        let others: Vec<Entry> = others.collect();
        self.only([others, now].concat())
    }

    /// A reference of these runs alone, by experiment. One whose numbers stay as they are stays as it is, with its date.
    pub fn only(&self, now: Vec<Entry>) -> Reference {
        let mut entries: Vec<Entry> = now
            .into_iter()
            .map(|new| self.unchanged(&new).cloned().unwrap_or(new))
            .collect();
        entries.sort_by(|a, b| a.key.experiment.cmp(&b.key.experiment));
        Reference::new(&self.path, entries)
    }

    /// The same run with the same numbers of another day.
    fn unchanged(&self, new: &Entry) -> Option<&Entry> {
        self.entries().find(|old| {
            let mut dated = new.clone();
            dated.origin.date.clone_from(&old.origin.date);
            **old == dated
        })
    }

    /// Writes it to its file, all of it or nothing.
    ///
    /// # Errors
    /// The file or its folder cannot be written.
    pub fn write(&self) -> Result<()> {
        let measured: BTreeSet<&String> = self.entries().flat_map(|e| e.numbers.keys()).collect();
        let names: Vec<&String> = METRICS
            .iter()
            .map(|column| &column.name)
            .filter(|name| measured.contains(name))
            .collect();
        let header = LABELS
            .iter()
            .map(|label| label.to_string())
            .chain(names.iter().map(|name| name.to_string()))
            .collect();
        let records = self.entries().map(|entry| record(entry, &names));
        let bytes = csv("the reference", std::iter::once(header).chain(records))?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)
                .map_err(|error| Error::io(Kind::Data, "make the folder", folder, &error))?;
        }
        write_atomically(&self.path, &bytes)
    }
}

/// What must be the same of a run: by the interval, not its seed.
fn kept(key: &RunKey, rule: Rule) -> RunKey {
    let seed = match rule {
        Rule::Equal => key.seed,
        Rule::Interval => 0,
    };
    RunKey {
        seed,
        ..key.clone()
    }
}

fn record(entry: &Entry, names: &[&String]) -> Vec<String> {
    let Entry {
        key,
        id,
        origin,
        numbers,
    } = entry;
    let labels = [
        &key.experiment,
        &key.variant,
        &key.seed.to_string(),
        id,
        &origin.burnlab,
        &origin.burn,
        &origin.device,
        &origin.date,
    ];
    let numbers = names
        .iter()
        .map(|name| numbers.get(*name).cloned().unwrap_or_default());
    labels.into_iter().cloned().chain(numbers).collect()
}

/// A table that is being read.
struct Reading<'a> {
    path: &'a Path,
    source: &'a str,
    header: Vec<String>,
    problems: Vec<Problem>,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path, source: &'a str) -> Self {
        Reading {
            path,
            source,
            header: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn read(mut self) -> Result<Reference> {
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(self.source.as_bytes());
        let mut rows: Vec<Row> = Vec::new();
        for record in reader.records() {
            // Only what is not UTF-8 cannot be read so, and that was seen.
            let Ok(record) = record else { continue };
            if self.header.is_empty() {
                self.read_header(&record);
                if !self.problems.is_empty() {
                    break;
                }
            } else if let Some(row) = self.row(&record, &rows) {
                rows.push(row);
            }
        }
        if rows.is_empty() && self.problems.is_empty() {
            let problem = Problem::new("the reference has no runs");
            self.problems.push(problem.at_file(self.path).hint(REMOVE));
        }
        match self.problems.is_empty() {
            true => Ok(Reference {
                path: self.path.to_path_buf(),
                rows,
            }),
            false => Err(Error::new(Kind::Data, self.problems)),
        }
    }

    fn read_header(&mut self, record: &::csv::StringRecord) {
        self.header = record.iter().map(String::from).collect();
        let labels = &self.header[..LABELS.len().min(self.header.len())];
        if labels != LABELS {
            let found = self.header.iter().zip(LABELS);
            let same = found.take_while(|(found, label)| *found == label).count();
            let message = match self.header.get(same) {
                Some(found) => {
                    format!("expected the column `{}`, found `{found}`", LABELS[same])
                }
                None => format!("expected the column `{}`, found none", LABELS[same]),
            };
            return self.wrong(record, same, &message, Some(REMOVE.to_string()));
        }
        let known: Vec<String> = METRICS.iter().map(|column| column.name.clone()).collect();
        for (at, name) in record.iter().enumerate().skip(LABELS.len()) {
            if !known.iter().any(|known| known == name) {
                let message = format!("no metric is called `{name}` in this version");
                self.wrong(record, at, &message, did_you_mean(name, &known));
            } else if self.header[..at].iter().any(|other| other == name) {
                let message = format!("the column `{name}` is there twice");
                self.wrong(record, at, &message, Some(REMOVE.to_string()));
            }
        }
    }

    fn row(&mut self, record: &::csv::StringRecord, rows: &[Row]) -> Option<Row> {
        let before = self.problems.len();
        if record.len() != self.header.len() {
            let expected = self.header.len();
            let message = format!("expected {expected} values, found {}", record.len());
            self.wrong(record, 0, &message, Some(REMOVE.to_string()));
            return None;
        }
        let seed = record[2].parse();
        if seed.is_err() {
            let message = format!("expected a seed, found `{}`", &record[2]);
            self.wrong(record, 2, &message, None);
        }
        let mut numbers = BTreeMap::new();
        for (at, cell) in record.iter().enumerate().skip(LABELS.len()) {
            match cell.parse::<f64>() {
                _ if cell.is_empty() => {}
                Ok(number) if number.is_finite() => {
                    numbers.insert(self.header[at].clone(), cell.to_string());
                }
                _ => {
                    let message = format!("expected a finite number, found `{cell}`");
                    self.wrong(record, at, &message, None);
                }
            }
        }
        let text = |at: usize| record[at].to_string();
        let key = RunKey {
            experiment: text(0),
            variant: text(1),
            seed: seed.unwrap_or_default(),
        };
        if rows.iter().any(|row| row.entry.key == key) {
            self.wrong(record, 0, &format!("the run {key} is there twice"), None);
        }
        let entry = Entry {
            key,
            id: text(3),
            origin: Origin {
                burnlab: text(4),
                burn: text(5),
                device: text(6),
                date: text(7),
            },
            numbers,
        };
        let place = Some(self.place(record, 0));
        (self.problems.len() == before).then_some(Row { entry, place })
    }

    fn wrong(
        &mut self,
        record: &::csv::StringRecord,
        at: usize,
        message: &str,
        hint: Option<String>,
    ) {
        let problem = Problem::new(message).at(self.place(record, at));
        let hint = hint.or(Some(REMOVE.to_string()));
        self.problems.push(problem.maybe_hint(hint));
    }

    /// Of the cell with this number, from 0, named by its column.
    fn place(&self, record: &::csv::StringRecord, at: usize) -> Place {
        let start = record.position().map_or(0, |place| place.byte() as usize);
        let line = self.source[start..].lines().next().unwrap_or_default();
        let (from, to) = cell_span(line, at);
        let key = self.header.get(at).map_or("", String::as_str);
        Place::of_span(self.path, self.source, start + from, start + to, key)
    }
}

/// The bytes of a line that hold the cell with this number, from 0, quotes included; of none its end.
fn cell_span(line: &str, at: usize) -> (usize, usize) {
    let (mut start, mut cell, mut quoted) = (0, 0, false);
    for (place, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted && cell == at => return (start, place),
            ',' if !quoted => {
                cell += 1;
                start = place + 1;
            }
            _ => {}
        }
    }
    match cell == at {
        true => (start, line.len()),
        false => (line.len(), line.len()),
    }
}
