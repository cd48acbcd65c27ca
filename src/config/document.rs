//! One TOML file: its values, and where in the text each of them stands; or what one setting from outside says in a file's place.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Kind, Place, Problem, Result};

/// A parsed TOML file, or a setting that stands for one.
#[derive(Debug)]
pub struct Document {
    /// The file, for errors; empty of a setting.
    pub path: PathBuf,
    /// Of no file: `--set grid.train.batch_size=[50, 100]`.
    setting: Option<String>,
    text: String,
    /// Values in the file's order.
    pub table: toml::Table,
    spans: Spans,
}

/// Byte ranges of a table or array and of what is in it.
#[derive(Debug, Default)]
struct Spans {
    /// Of the key that names it; empty for elements of arrays.
    key: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
    inner: Vec<(String, Spans)>,
}

impl Spans {
    fn of(&self, key: &str) -> Option<&Spans> {
        let mut inner = self.inner.iter();
        inner.find(|(name, _)| name == key).map(|(_, spans)| spans)
    }
}

impl Document {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// The file is missing, not UTF-8 or not TOML.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path)
            .map_err(|error| Error::io(Kind::Usage, "read the experiment file", path, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let start = error.utf8_error().valid_up_to();
            // Shown with a sign in place of what is no character; what stands before it keeps its place.
            let shown = String::from_utf8_lossy(error.as_bytes());
            let place = Place::of_span(path, &shown, start, start + 1, "");
            let byte = error.as_bytes()[start];
            let message =
                format!("the file is not UTF-8: byte 0x{byte:02x} belongs to no character");
            Error::usage(Problem::new(message).at(place).hint("save it as UTF-8"))
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self> {
        // What follows a syntax error is mostly its echo, so only the first is reported.
        let tree = DeTable::parse(&text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = match error.message() {
                "duplicate key" => format!("`{}` stands here a second time", &text[span.clone()]),
                other => format!("this is not TOML: {other}"),
            };
            let hint = syntax_hint(error.message(), &text, span.start);
            let place = Place::of_span(path, &text, span.start, span.end, "");
            Error::usage(Problem::new(message).at(place).maybe_hint(hint))
        })?;
        let mut large = large_numbers_in(&tree);
        if !large.is_empty() {
            let problem = |(span, range): (std::ops::Range<usize>, &str)| {
                let place = Place::of_span(path, &text, span.start, span.end, "");
                Problem::new(too_large(&text[span], range)).at(place)
            };
            large.sort_by_key(|(span, _)| span.start);
            let problems = large.into_iter().map(problem).collect();
            return Err(Error::new(Kind::Usage, problems));
        }
        let spans = table_spans(tree.get_ref(), 0..0, tree.span());
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| Error::bug(format!("a parsed file does not parse: {error}")))?;
        let document = Document {
            path: path.to_path_buf(),
            setting: None,
            text,
            table,
            spans,
        };
        let mut keys = Vec::new();
        match strange_number(&toml::Value::Table(document.table.clone()), &mut keys) {
            None => Ok(document),
            Some(number) => {
                let place = document.place(&keys, &keys.join("."));
                let problem = Problem::new(not_finite(number));
                Err(Error::usage(problem.at(place)))
            }
        }
    }

    /// What a setting from outside says, as it is called there.
    pub fn outside(setting: String, table: toml::Table) -> Self {
        Document {
            path: PathBuf::new(),
            setting: Some(setting),
            text: String::new(),
            table,
            spans: Spans::default(),
        }
    }

    /// Takes a key at the top for another name, which the file does not have; places stay where the file has the key.
    pub(super) fn read_as(&mut self, key: &str, name: &str) {
        let renamed = |found: String| {
            if found == key {
                name.to_string()
            } else {
                found
            }
        };
        let table = std::mem::take(&mut self.table).into_iter();
        self.table = table.map(|(key, value)| (renamed(key), value)).collect();
        let spans = std::mem::take(&mut self.spans.inner).into_iter();
        self.spans.inner = spans.map(|(key, spans)| (renamed(key), spans)).collect();
    }

    /// Whether it is a setting and no file.
    pub fn is_outside(&self) -> bool {
        self.setting.is_some()
    }

    /// The setting, or the file and the table `key` of it, as origins are called.
    pub fn origin_name(&self, key: &str) -> String {
        match &self.setting {
            Some(setting) => setting.clone(),
            None => format!("{}, {key}", self.path.display()),
        }
    }

    /// The place of the value at `keys`, or of the nearest table around it.
    ///
    /// Keys of arrays are indices. `show` is the key as the error names it.
    pub fn place(&self, keys: &[String], show: &str) -> Place {
        self.place_by_names(keys, &[], show, false)
    }

    /// The place of the key itself at `keys`, or of the nearest table around it.
    pub fn place_of_key(&self, keys: &[String], show: &str) -> Place {
        self.place_by_names(keys, &[], show, true)
    }

    /// The same of the value or `of_key`, where a layer may stand under its name: `names` has it at the place of the layer's
    /// index, and the kind of layer, which is the key behind that, is not written.
    pub fn place_by_names(
        &self,
        keys: &[String],
        names: &[Option<String>],
        show: &str,
        of_key: bool,
    ) -> Place {
        let (spans, whole) = self.walk(keys, names);
        if !of_key {
            return self.of(&spans.value, show);
        }
        let range = if whole && !spans.key.is_empty() {
            &spans.key
        } else {
            &spans.value
        };
        self.of(range, show)
    }

    fn of(&self, range: &std::ops::Range<usize>, show: &str) -> Place {
        if let Some(setting) = &self.setting {
            return Place::Setting(setting.clone());
        }
        if range.is_empty() && range.start == 0 {
            return Place::WholeFile(self.path.clone());
        }
        Place::of_span(&self.path, &self.text, range.start, range.end, show)
    }

    /// The deepest place along the keys that the file holds, and whether it is the last of them.
    fn walk(&self, keys: &[String], names: &[Option<String>]) -> (&Spans, bool) {
        let mut spans = &self.spans;
        let mut at = 0;
        while let Some(key) = keys.get(at) {
            let name = names.get(at).and_then(Option::as_ref);
            if let Some(inner) = spans.of(key) {
                spans = inner;
            } else if let Some(inner) = name.and_then(|name| spans.of(name)) {
                spans = inner;
                at += 1;
            } else {
                return (spans, false);
            }
            at += 1;
        }
        (spans, true)
    }
}

/// What people write who are used to other languages than TOML, and how it is written here.
fn syntax_hint(message: &str, text: &str, start: usize) -> Option<String> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = &text[..start];
    let first = before.trim_end_matches(is_of_word).len();
    let word = &text[first..];
    let word = &word[..word.find(|c| !is_of_word(c)).unwrap_or(word.len())];
    let is_of_escape = ["escape", "unicode"]
        .iter()
        .any(|sign| message.contains(sign));
    match word {
        _ if is_of_escape => Some(
            "in double quotes `\\` begins a sign such as `\\n`; single quotes take a text as it stands: 'C:\\images'"
                .to_string(),
        ),
        "True" | "False" => Some(format!("write `{}`", word.to_lowercase())),
        "None" | "null" | "nil" => Some("where there may be none of a thing, write \"none\"".to_string()),
        _ => None,
    }
}

/// What is wrong with the numbers of a text, in a sentence; nothing of a text that is no TOML.
pub(super) fn number_flaw(text: &str) -> Option<String> {
    let tree = DeTable::parse(text).ok()?;
    if let Some((span, range)) = large_numbers_in(&tree).into_iter().next() {
        return Some(too_large(&text[span], range));
    }
    let table = toml::from_str::<toml::Table>(text).ok()?;
    strange_number(&toml::Value::Table(table), &mut Vec::new()).map(not_finite)
}

fn too_large(number: &str, range: &str) -> String {
    format!("`{number}` is larger than numbers can be: {range}")
}

fn not_finite(number: f64) -> String {
    format!("expected a finite number, found `{number}`")
}

fn large_numbers_in(tree: &Spanned<DeTable<'_>>) -> Vec<(std::ops::Range<usize>, &'static str)> {
    let mut large = Vec::new();
    for (_, value) in tree.get_ref() {
        large_numbers(value, &mut large);
    }
    large
}

/// The numbers that 64 bits do not hold, with their places and what there is.
fn large_numbers(
    value: &Spanned<DeValue<'_>>,
    found: &mut Vec<(std::ops::Range<usize>, &'static str)>,
) {
    match value.get_ref() {
        DeValue::Integer(number)
            if i64::from_str_radix(number.as_str(), number.radix()).is_err() =>
        {
            found.push((value.span(), "whole ones go from -2^63 to 2^63 - 1"));
        }
        DeValue::Float(number) => {
            let text = number.as_str();
            let is_infinite = text.parse::<f64>().is_ok_and(f64::is_infinite);
            if is_infinite && !text.contains("inf") {
                found.push((value.span(), "they end at about 1.8e308"));
            }
        }
        DeValue::Array(items) => {
            for item in items.iter() {
                large_numbers(item, found);
            }
        }
        DeValue::Table(table) => {
            for (_, value) in table.iter() {
                large_numbers(value, found);
            }
        }
        _ => {}
    }
}

/// The first NaN or infinity, which no setting can be, and the keys down to it.
fn strange_number(value: &toml::Value, keys: &mut Vec<String>) -> Option<f64> {
    let inner: Vec<(String, &toml::Value)> = match value {
        toml::Value::Float(number) => return (!number.is_finite()).then_some(*number),
        toml::Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        toml::Value::Table(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        _ => return None,
    };
    inner.into_iter().find_map(|(key, value)| {
        keys.push(key);
        let found = strange_number(value, keys);
        if found.is_none() {
            keys.pop();
        }
        found
    })
}

fn table_spans(
    table: &DeTable<'_>,
    key: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
) -> Spans {
    let inner = table
        .iter()
        .map(|(name, value)| (name.get_ref().to_string(), value_spans(value, name.span())))
        .collect();
    Spans { key, value, inner }
}

fn value_spans(value: &Spanned<DeValue<'_>>, key: std::ops::Range<usize>) -> Spans {
    let span = value.span();
    match value.get_ref() {
        DeValue::Table(table) => {
            // A table without a header of its own (`[a.b]` makes `a`) is found at its key.
            let span = if span.is_empty() { key.clone() } else { span };
            table_spans(table, key, span)
        }
        DeValue::Array(array) => Spans {
            key,
            value: span,
            inner: array
                .iter()
                .enumerate()
                .map(|(index, item)| (index.to_string(), value_spans(item, 0..0)))
                .collect(),
        },
        _ => Spans {
            key,
            value: span,
            inner: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(dotted: &str) -> Vec<String> {
        dotted.split('.').map(String::from).collect()
    }

    #[test]
    fn values_and_keys_are_found_in_the_text() {
        let text = "[train]\nepochs = 10\noptimizer = { adam = { beta_1 = 0.9 } }\n";
        let document = Document::parse(Path::new("x.toml"), text.to_string()).unwrap();
        let place = document.place(&keys("train.optimizer.adam.beta_1"), "beta_1");
        assert!(
            matches!(
                place,
                Place::File {
                    line: 3,
                    column: 33,
                    width: 3,
                    ..
                }
            ),
            "{place:?}"
        );
        let place = document.place_of_key(&keys("train.epochs"), "train.epochs");
        assert!(
            matches!(
                place,
                Place::File {
                    line: 2,
                    column: 1,
                    width: 6,
                    ..
                }
            ),
            "{place:?}"
        );
        let nearest = document.place(&keys("train.epochs.deeper"), "");
        assert!(
            matches!(
                nearest,
                Place::File {
                    line: 2,
                    column: 10,
                    ..
                }
            ),
            "{nearest:?}"
        );
    }
}
