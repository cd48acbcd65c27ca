//! Values from outside the files: variables of the environment, and `--set`.

use std::ffi::OsString;

use super::document::number_flaw;
use super::search::{Distribution, SearchFields};
use super::stack::Origin;
use super::tables::{POINTS, has_key, meant_at_top, table_with};
use crate::error::{Error, Kind, Place, Problem, Result, called_here, nearest};

/// Variables of the environment that are no keys of a file, without the `BURNLAB_` before them.
const VARIABLES: &[&str] = &[
    "data", "mirror", "results", "jobs", "device", "launch", "simd",
];

/// Values from outside the files, weakest first: variables, then `--set`.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `BURNLAB_TRAIN__EPOCHS=3`, as found in the environment.
    pub variables: Vec<(String, String)>,
    /// `train.epochs=3`, as given on the command line.
    pub set: Vec<String>,
    /// Variables of the environment whose names or values are not UTF-8.
    pub unreadable: Vec<String>,
    /// Names of variables of the environment without the two underscores that stand between keys.
    pub undivided: Vec<String>,
}

impl Overrides {
    /// The `BURNLAB_SECTION__KEY` variables of this process.
    pub fn from_environment() -> Self {
        Overrides::from_variables(std::env::vars_os())
    }

    fn from_variables(all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut overrides = Overrides::default();
        for (name, value) in all {
            let shown = name.to_string_lossy();
            if !shown.starts_with("BURNLAB_") {
                continue;
            }
            if !shown.contains("__") {
                overrides.undivided.push(shown.into_owned());
                continue;
            }
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => {
                    let variable = (name.to_string(), value.to_string());
                    overrides.variables.push(variable);
                }
                _ => {
                    let variable = format!("{shown}={}", value.to_string_lossy());
                    overrides.unreadable.push(variable);
                }
            }
        }
        overrides.variables.sort();
        overrides.unreadable.sort();
        overrides.undivided.sort();
        overrides
    }

    /// Those that hold for other experiments which an experiment needs: of the environment, without its points.
    pub fn for_others(&self) -> Self {
        let is_of_points = |name: &str| {
            let key = variable_key(name);
            POINTS
                .iter()
                .any(|table| key.starts_with(&format!("{table}.")))
        };
        let variables = self.variables.iter();
        Overrides {
            variables: variables
                .filter(|(name, _)| !is_of_points(name))
                .cloned()
                .collect(),
            set: Vec::new(),
            unreadable: self.unreadable.clone(),
            undivided: self.undivided.clone(),
        }
    }

    /// Those of launchers, taken away from those of experiments.
    pub fn take_launch(&mut self) -> Self {
        let is_of_launch = |key: &str| key.trim_start().starts_with("launch.");
        let (variables, others) = std::mem::take(&mut self.variables)
            .into_iter()
            .partition(|(name, _)| name.starts_with("BURNLAB_LAUNCH__"));
        self.variables = others;
        let (set, others) = std::mem::take(&mut self.set)
            .into_iter()
            .partition(|set| is_of_launch(set));
        self.set = others;
        Overrides {
            variables,
            set,
            unreadable: Vec::new(),
            undivided: self.undivided.clone(),
        }
    }

    /// The values as they are laid over each other; `known` are the tables that they may be of.
    pub(super) fn layers(&self, known: &[&str]) -> Result<Vec<(Origin, toml::Table)>> {
        if !self.unreadable.is_empty() {
            let problem = |variable: &String| {
                let place = Place::Setting(variable.clone());
                Problem::new("the variable of the environment is not UTF-8").at(place)
            };
            let problems = self.unreadable.iter().map(problem).collect();
            return Err(Error::new(Kind::Usage, problems));
        }
        let undivided: Vec<Problem> = self
            .undivided
            .iter()
            .filter_map(|name| undivided(name, known))
            .collect();
        if !undivided.is_empty() {
            return Err(Error::new(Kind::Usage, undivided));
        }
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (format!("{name}={value}"), variable_key(name), value.clone()));
        let set = self.set.iter().map(|text| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (
                format!("--set {text}"),
                key.trim().to_string(),
                value.trim().to_string(),
            )
        });
        variables
            .chain(set)
            .map(|(name, key, value)| {
                let parts = parts_of(&key);
                let wrong = |message: String, hint: Option<String>| {
                    Error::usage(
                        Problem::new(message)
                            .at(Place::Setting(name.clone()))
                            .maybe_hint(hint),
                    )
                };
                if name.starts_with("--set") && !name.contains('=') {
                    return Err(wrong(
                        format!("expected `key=value`, found `{key}`"),
                        Some("for example `--set train.epochs=3`".to_string()),
                    ));
                }
                if !known.contains(&parts[0].as_str()) {
                    return Err(wrong(
                        format!("unknown key `{key}`"),
                        meant_at_top(&parts[0], known),
                    ));
                }
                let is_switched_off = parts[0] == "start" && value == "none";
                if parts.len() < 2 && !is_switched_off {
                    return Err(wrong(
                        format!("`{key}` is a table: name one of its keys"),
                        None,
                    ));
                }
                let value = parse_value(&value);
                let value = value.map_err(|message| wrong(message, None))?;
                Ok((Origin::outside(name.clone()), nested(&parts, value)))
            })
            .collect()
    }
}

/// What is wrong with a variable that has nowhere two underscores, and is near to one that means something: a key of one of
/// these tables, or an argument of commands.
fn undivided(name: &str, known: &[&str]) -> Option<Problem> {
    let own = name.trim_start_matches("BURNLAB_").to_lowercase();
    if VARIABLES.contains(&own.as_str()) {
        return None;
    }
    let called = |key: &str| format!("`BURNLAB_{}`", key.to_uppercase().replace('.', "__"));
    if known.contains(&own.as_str()) {
        let hint = format!("`{own}` is a table: name one of its keys, as `{name}__KEY`");
        let message = format!("unknown variable of the environment `{name}`");
        return Some(Problem::new(message).hint(hint));
    }
    let table = own
        .split_once('_')
        .filter(|(table, key)| known.contains(table) && has_key(table, key));
    let hint = match table {
        Some((table, key)) => {
            let key = called(&format!("{table}.{key}"));
            format!("two underscores stand between keys: {key}")
        }
        None => {
            // Other programs may have variables that are merely spelt alike.
            let keys = [
                own.clone(),
                called_here(&own).to_string(),
                format!("{own}s"),
            ];
            let of_table = |key: &String| Some(format!("{}.{key}", table_with(key, known)?));
            let variable = || nearest(&own, VARIABLES).map(String::from);
            let meant = keys.iter().find_map(of_table).or_else(variable);
            format!("did you mean {}?", called(&meant?))
        }
    };
    Some(Problem::new(format!("unknown variable of the environment `{name}`")).hint(hint))
}

/// The key that a variable of the environment names: `train.epochs` of `BURNLAB_TRAIN__EPOCHS`.
fn variable_key(name: &str) -> String {
    let name = name.trim_start_matches("BURNLAB_");
    name.to_lowercase().replace("__", ".")
}

/// The keys down to a value from outside. The dots of a swept key are its own: `grid.train.epochs` is `grid."train.epochs"`.
fn parts_of(key: &str) -> Vec<String> {
    let parts = quoted_parts(key).unwrap_or_else(|| key.split('.').map(String::from).collect());
    let (table, rest) = (parts[0].as_str(), &parts[1..]);
    let own: usize = match (table, rest) {
        (_, []) => return parts,
        ("grid", [only]) if ["zip", "skip"].contains(&only.as_str()) => return parts,
        ("search", [first, ..]) if SearchFields::NAMES.contains(&first.as_str()) => return parts,
        // What it is drawn from may follow the key.
        ("search", [_, .., last]) if Distribution::NAMES.contains(&last.as_str()) => rest.len() - 1,
        ("grid" | "search", _) => rest.len(),
        _ => return parts,
    };
    let swept = rest[..own].join(".");
    [&[table.to_string(), swept], &rest[own..]].concat()
}

/// The parts of a dotted key by the rules of TOML; `None` where it breaks them.
fn quoted_parts(key: &str) -> Option<Vec<String>> {
    let mut table = toml::from_str::<toml::Table>(&format!("{key} = 0")).ok()?;
    let mut parts = Vec::new();
    loop {
        let (part, value) = std::mem::take(&mut table).into_iter().next()?;
        parts.push(part);
        match value {
            toml::Value::Table(inner) => table = inner,
            _ => return Some(parts),
        }
    }
}

/// A value as TOML, or as a plain text where it is no TOML; what is wrong with its numbers, in a sentence.
fn parse_value(text: &str) -> std::result::Result<toml::Value, String> {
    let written = format!("value = {text}");
    if let Some(flaw) = number_flaw(&written) {
        return Err(flaw);
    }
    let table = toml::from_str::<toml::Table>(&written).ok();
    let value = table.and_then(|mut table| table.remove("value"));
    Ok(value.unwrap_or_else(|| toml::Value::String(text.to_string())))
}

/// `{ a = { b = value } }` for the keys `a`, `b`.
pub fn nested(keys: &[String], value: toml::Value) -> toml::Table {
    let mut table = toml::Table::new();
    match keys {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            table.insert(first.clone(), toml::Value::Table(nested(rest, value)));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::tables::SETTINGS;
    use super::*;

    #[test]
    fn the_dots_of_a_swept_key_are_its_own() {
        let parts = |key: &str| parts_of(key).join("|");
        assert_eq!(parts("train.epochs"), "train|epochs");
        assert_eq!(parts("train"), "train");
        assert_eq!(parts("augment.random.0 1"), "augment|random|0 1");
        for key in [
            "grid.train.epochs",
            "grid.\"train.epochs\"",
            "grid.'train.epochs'",
        ] {
            assert_eq!(parts(key), "grid|train.epochs", "{key}");
        }
        assert_eq!(parts("grid.zip"), "grid|zip");
        assert_eq!(parts("search.points"), "search|points");
        assert_eq!(parts("search.halving.factor"), "search|halving|factor");
        assert_eq!(parts("search.train.epochs"), "search|train.epochs");
        assert_eq!(parts("search.train.epochs.int"), "search|train.epochs|int");
        let quoted = "search.\"model.classifier.layers.drop.rate\".uniform";
        assert_eq!(
            parts(quoted),
            "search|model.classifier.layers.drop.rate|uniform"
        );
    }

    #[test]
    fn variables_with_one_underscore_between_keys_are_no_secret() {
        let of = |names: &[&str]| {
            let variables = names.iter().map(|name| (name.into(), "3".into()));
            Overrides::from_variables(variables)
        };
        let sound = of(&[
            "BURNLAB_DATA",
            "BURNLAB_JOBS",
            "BURNLAB_TEST_DEVICE",
            "BURNLAB_BLESS",
            "BURNLAB_FUZZ_SEED",
            "BURNLAB_ANY_NUMBERS",
            "BURNLAB_SUPERVISOR",
            "BURNLAB_WORKERS_LOCK",
            "BURNLAB_WORKER_ERRAND",
            "BURNLAB_WORKER_LAST_WORD",
            "BURNLAB_TOOLKIT",
            "BURNLAB_HOME",
        ]);
        assert!(sound.layers(SETTINGS).unwrap().is_empty());
        let hints = of(&[
            "BURNLAB_DATASET",
            "BURNLAB_DEVISE",
            "BURNLAB_EPOCHS",
            "BURNLAB_JOB",
            "BURNLAB_RESULT",
            "BURNLAB_SEED",
        ]);
        let error = hints.layers(&["data", "train"]).unwrap_err();
        let hints: Vec<&str> = error
            .problems
            .iter()
            .filter_map(|p| p.hint.as_deref())
            .collect();
        assert_eq!(
            hints,
            [
                "did you mean `BURNLAB_DATA__DATASET`?",
                "did you mean `BURNLAB_DEVICE`?",
                "did you mean `BURNLAB_TRAIN__EPOCHS`?",
                "did you mean `BURNLAB_JOBS`?",
                "did you mean `BURNLAB_RESULTS`?",
                "did you mean `BURNLAB_TRAIN__SEEDS`?"
            ]
        );
        let overrides = of(&["BURNLAB_TRAIN_EPOCHS"]);
        assert_eq!(
            overrides
                .layers(&["data", "train"])
                .unwrap_err()
                .to_string(),
            "error: unknown variable of the environment `BURNLAB_TRAIN_EPOCHS`\n  \
             hint: two underscores stand between keys: `BURNLAB_TRAIN__EPOCHS`"
        );
        assert!(overrides.layers(&["launch"]).unwrap().is_empty());
    }

    #[test]
    fn points_from_outside_are_not_those_of_other_experiments() {
        let variables = [
            ("BURNLAB_TRAIN__EPOCHS", "3"),
            ("BURNLAB_GRID__TRAIN__EPOCHS", "[1, 2]"),
            ("BURNLAB_SEARCH__POINTS", "5"),
        ];
        let overrides = Overrides {
            set: vec!["train.epochs=4".to_string()],
            ..Overrides::from_variables(variables.map(|(a, b)| (a.into(), b.into())).into_iter())
        };
        let others = overrides.for_others();
        let names = others.variables.iter().map(|(name, _)| name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["BURNLAB_TRAIN__EPOCHS"]);
        assert!(others.set.is_empty());
    }
}
