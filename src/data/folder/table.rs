//! A file of comma-separated values that tells the images' classes, and perhaps their parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::files::{files_below, is_below_junk, is_image, is_named_as_image};
use super::layout::{Found, in_order};
use crate::data::content::file_name;
use crate::data::left_out::LeftOut;
use crate::error::{Error, Kind, Place, Problem, Result, did_you_mean, list, one_of};
use crate::value::Between;

/// Names of its columns, in any case.
const FILE: [&str; 4] = ["file", "filename", "image", "path"];
const LABEL: [&str; 3] = ["label", "class", "category"];
const SPLIT: [&str; 4] = ["split", "part", "subset", "set"];

/// Names of the parts, in any case.
const PARTS: [(&str, Part); 7] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("valid", Part::Validation),
    ("val", Part::Validation),
    ("validation", Part::Validation),
    ("test", Part::Test),
    ("testing", Part::Test),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Train,
    Validation,
    Test,
}

/// Where the columns stand.
struct Columns {
    file: usize,
    label: usize,
    split: Option<usize>,
    /// The first line names the columns.
    is_header: bool,
    /// Names of those that are not read.
    others: Vec<String>,
}

/// A line of the file.
struct Line {
    /// The byte that it is read from.
    start: usize,
    image: PathBuf,
    label: String,
    part: Part,
}

/// The images that a file names, which lies in their folder or elsewhere; names are from `root`. `share` is what the experiment
/// says is for testing where no line is.
pub(super) fn read(
    root: &Path,
    path: &Path,
    share: Option<Between>,
    left_out: &mut LeftOut,
) -> Result<Found> {
    let (lines, columns) = lines(root, path)?;
    let mut classes: Vec<String> = lines.iter().map(|line| line.label.clone()).collect();
    in_order(&mut classes);
    classes.dedup();
    let numbers: HashMap<&String, usize> = classes.iter().zip(0..).collect();
    let mut parts: BTreeMap<Part, Vec<Vec<PathBuf>>> = BTreeMap::new();
    let mut named = HashSet::new();
    for line in &lines {
        if !named.insert(&line.image) {
            let name = line.image.strip_prefix(root).unwrap_or(&line.image);
            let name = name.display();
            let problem = Problem::new(format!("the image `{name}` is listed twice"));
            return Err(at_line(problem, path, line.start));
        }
        let of_part = parts.entry(line.part);
        let of_part = of_part.or_insert_with(|| vec![Vec::new(); classes.len()]);
        of_part[numbers[&line.label]].push(line.image.clone());
    }
    for images in parts.values_mut().flatten() {
        images.sort();
    }
    if let Some(line) = measured(&lines, classes.len()) {
        let message = format!(
            "the label `{}` is a number that was measured, not a class",
            line.label
        );
        let hint =
            "images are told apart by classes, numbers are not predicted: bring them to classes";
        return Err(at_line(Problem::new(message).hint(hint), path, line.start));
    }
    count_others(root, path, &named, left_out)?;
    let train = parts.remove(&Part::Train);
    let problem = || Problem::new("no line is of the training part").at_file(path);
    let (validation, test) = (parts.remove(&Part::Validation), parts.remove(&Part::Test));
    // As of folders: what is there besides training is for testing first.
    let (validation, test) = match test {
        None => (None, validation),
        test => (validation, test),
    };
    if columns.split.is_some() && test.is_none() && share.is_none() {
        let problem = Problem::new("no line is of the testing part").at_file(path);
        let hint = "`test = 0.2` beside the folder's `path` takes a share of each class";
        return Err(Error::data(problem.hint(hint)));
    }
    Ok(Found {
        train: train.ok_or_else(|| Error::data(problem()))?,
        validation,
        test,
        classes,
        is_unlabeled: false,
        notes: others_note(&columns.others, path).into_iter().collect(),
    })
}

/// Classes that people may call by numbers with decimals.
const FEW: usize = 20;

/// A line whose label is no whole number, where all labels are numbers, many, and hardly one stands twice.
fn measured(lines: &[Line], classes: usize) -> Option<&Line> {
    if classes <= FEW || 2 * classes <= lines.len() {
        return None;
    }
    let number = |line: &Line| line.label.parse::<f64>().ok();
    let is_broken = |line: &&Line| number(line).is_some_and(|number| number.fract() != 0.0);
    lines
        .iter()
        .all(|line| number(line).is_some())
        .then(|| lines.iter().find(is_broken))?
}

fn others_note(others: &[String], path: &Path) -> Option<String> {
    let (noun, verb) = match others.len() {
        0 => return None,
        1 => ("column", "is"),
        _ => ("columns", "are"),
    };
    let (others, file) = (list(others), file_name(path));
    Some(format!("{noun} {others} of `{file}` {verb} not read"))
}

fn lines(root: &Path, path: &Path) -> Result<(Vec<Line>, Columns)> {
    let cannot = |error: csv::Error| {
        let line = error.position().map(start_of);
        let reason = match error.into_kind() {
            csv::ErrorKind::Io(error) => return Error::io(Kind::Data, "read", path, &error),
            csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => format!("this line has {len} fields, the first has {expected_len}"),
            _ => "the file is no comma-separated values in UTF-8".to_string(),
        };
        match line {
            Some(line) => at_line(Problem::new(reason), path, line),
            None => Error::data(Problem::new(reason).at_file(path)),
        }
    };
    let reader = csv::ReaderBuilder::new().has_headers(false).from_path(path);
    let mut records = reader.map_err(cannot)?.into_records();
    let empty = || Error::data(Problem::new("the file of labels is empty").at_file(path));
    let first = records.next().ok_or_else(empty)?.map_err(cannot)?;
    let columns = columns(&first, root, path)?;
    let mut lines = Vec::new();
    let rest = records.map(|record| record.map_err(cannot));
    for record in (!columns.is_header)
        .then_some(Ok(first))
        .into_iter()
        .chain(rest)
    {
        lines.push(line(&record?, &columns, root, path)?);
    }
    if lines.is_empty() {
        return Err(empty());
    }
    Ok((lines, columns))
}

/// Where the columns stand by the first line.
fn columns(first: &csv::StringRecord, root: &Path, path: &Path) -> Result<Columns> {
    let called = |names: &[&str]| {
        let is = |field: &str| {
            names
                .iter()
                .any(|name| field.trim().eq_ignore_ascii_case(name))
        };
        first.iter().position(is)
    };
    if first.len() < 2 {
        let problem =
            Problem::new("expected a column of files and one of labels, found one column");
        let other = [(';', "semicolons"), ('\t', "tabs")];
        let other = other
            .iter()
            .find(|(separator, _)| first[0].contains(*separator));
        let hint = other.map(|(_, name)| format!("columns are separated by commas, not by {name}"));
        return Err(at_line(problem.maybe_hint(hint), path, 0));
    }
    let names: Vec<String> = first.iter().map(|name| name.trim().to_string()).collect();
    let begins_with_image = || {
        let image = root.join(&names[0]);
        is_named_as_image(&image) || image.is_file()
    };
    let (file, label, is_header) = match (called(&FILE), called(&LABEL)) {
        (Some(file), Some(label)) => (file, label, true),
        (Some(file), None) if first.len() == 2 => (file, 1 - file, true),
        (None, Some(label)) if first.len() == 2 => (1 - label, label, true),
        _ if first.len() == 2 => (0, 1, !begins_with_image()),
        (file, _) => {
            let (message, hint) = match (file, begins_with_image()) {
                (None, true) => (
                    format!("{} columns need a first line that names them", first.len()),
                    "such as file,label,split".to_string(),
                ),
                (Some(_), _) => (
                    "none of the columns is called as one of labels".to_string(),
                    format!("call it {}", one_of(&LABEL)),
                ),
                (None, false) => (
                    "none of the columns is called as one of files".to_string(),
                    format!("call it {}", one_of(&FILE)),
                ),
            };
            return Err(at_line(Problem::new(message).hint(hint), path, 0));
        }
    };
    let split = called(&SPLIT);
    let is_read = |at: usize| [Some(file), Some(label), split].contains(&Some(at));
    // An index, as pandas writes it, has no name.
    let others = (0..names.len()).filter(|&at| !is_read(at) && !names[at].is_empty());
    Ok(Columns {
        file,
        label,
        split,
        is_header,
        others: others.map(|at| names[at].clone()).collect(),
    })
}

/// Where a record is read from; ends of lines may come first.
fn start_of(position: &csv::Position) -> usize {
    position.byte() as usize
}

fn line(record: &csv::StringRecord, columns: &Columns, root: &Path, path: &Path) -> Result<Line> {
    let start = record.position().map_or(0, start_of);
    let field = |at: usize| record.get(at).unwrap_or_default().trim();
    let (name, label) = (field(columns.file), field(columns.label));
    let image = root.join(name);
    if !is_image(&image) {
        let message = match image.is_file() {
            true => format!("`{name}` is no image that can be read"),
            false => format!("there is no image `{name}`"),
        };
        let hint = "files are named from the folder of images, with their endings";
        return Err(at_line(Problem::new(message).hint(hint), path, start));
    }
    if label.is_empty() {
        let problem = Problem::new(format!("the image `{name}` has no label"));
        return Err(at_line(problem, path, start));
    }
    let part = match columns.split.map(field) {
        None => Part::Train,
        Some(split) => part(split).map_err(|problem| at_line(problem, path, start))?,
    };
    Ok(Line {
        start,
        image,
        label: label.to_string(),
        part,
    })
}

fn part(split: &str) -> std::result::Result<Part, Problem> {
    let mut parts = PARTS.iter();
    let found = parts.find(|(name, _)| name.eq_ignore_ascii_case(split));
    found.map(|(_, part)| *part).ok_or_else(|| {
        let known = PARTS.map(|(name, _)| name);
        let found = if split.is_empty() {
            "nothing".to_string()
        } else {
            format!("`{split}`")
        };
        let message = format!("expected train, validation or test, found {found}");
        Problem::new(message).maybe_hint(did_you_mean(split, &known))
    })
}

/// Counts what lies below the folder and is not in the file.
fn count_others(
    root: &Path,
    table: &Path,
    named: &HashSet<&PathBuf>,
    left_out: &mut LeftOut,
) -> Result<()> {
    for path in files_below(root)? {
        if named.contains(&path) || path == table {
            continue;
        }
        match is_below_junk(root, &path) {
            true => left_out.junk(&path),
            false => left_out.file(&path),
        }
    }
    Ok(())
}

/// At the line that is read from this byte on: behind the ends of lines that are still to come there.
fn at_line(problem: Problem, path: &Path, start: usize) -> Error {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    let start = text.len() - rest.trim_start_matches(['\u{feff}', '\r', '\n']).len();
    let end = start + text[start..].lines().next().map_or(0, str::len);
    Error::data(problem.at(Place::of_span(path, &text, start, end, "")))
}
