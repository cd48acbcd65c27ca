//! The `[search]` table: points of the settings that are drawn by chance, beside those of the grid.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use rand::Rng;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::grid::{Grid, MOST_POINTS, Setting, Shown, key_flaw, line, shown};
use super::metrics::{Unmeasured, unmeasured};
use super::{Run, note};
use crate::config::{
    Bounds, Chain, Distribution, Document, Halving, Origin, PositiveBounds, PositiveWholeBounds,
    SearchFields, Unreadable, WholeBounds, differ, read,
};
use crate::error::{Place, Problem, count, did_you_mean, thousands};
use crate::measure::column_metric;
use crate::models::Ability;
use crate::record::Watched;
use crate::rng::{Purpose, Seed};

/// How often a point is drawn anew that was drawn before.
const DRAWS: u64 = 100;

/// What is done with the points of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The keys that are drawn.
    pub keys: Vec<String>,
    /// What points are compared by.
    pub metric: Watched,
    /// How the weaker ones are given up early.
    pub halving: Option<Halving>,
}

/// A key and what its values are drawn from.
#[derive(Debug, Clone)]
struct Key {
    /// Dotted, as written.
    name: String,
    distribution: Distribution,
    /// Of choices, each with how it is shown.
    choices: Vec<(toml::Value, Shown)>,
    /// Tells its stream of random numbers from those of other keys.
    stream: u64,
    document: Rc<Document>,
}

/// The `[search]` of a chain of files.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    keys: Vec<Key>,
    fields: SearchFields,
    /// Those that say something of it, in their order.
    documents: Vec<Rc<Document>>,
}

impl Draws {
    /// Reads the searches of a chain of files: keys and fields of a later file replace those of an earlier one, and settings
    /// from outside are laid over the fields.
    pub fn read(chain: &Chain, grid: &Grid, problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        let (mut keys, mut fields) = (Vec::new(), Map::new());
        let mut documents = Vec::new();
        for (document, value) in chain.all_with(SEARCH) {
            documents.push(Rc::clone(document));
            let toml::Value::Table(table) = value else {
                let place = document.place(&[SEARCH.to_string()], SEARCH);
                problems.push(Problem::new("expected a table for `search`").at(place));
                return None;
            };
            for (name, value) in table {
                if SearchFields::NAMES.contains(&name.as_str()) {
                    add_field(document, name, as_json(value), &mut fields);
                } else if let Some(key) = key(document, name, value, problems) {
                    add_key(key, &mut keys);
                }
            }
        }
        if documents.is_empty() {
            return None;
        }
        let fields = read::<SearchFields>(&Value::Object(fields));
        let fields = fields.map_err(|unreadable| {
            problems.extend(unreadable.into_iter().map(|fault| {
                let field = fault.path.first().map(String::as_str);
                unread(saying(&documents, field), fault)
            }));
        });
        let has_faults = problems.len() > before;
        let draws = Draws {
            keys,
            fields: fields.ok()?,
            documents,
        };
        draws.check(grid, has_faults, problems);
        // What is drawn of faulty distributions would only repeat their faults.
        (problems.len() == before).then_some(draws)
    }

    /// Every field that is said, and every key with what it is drawn from, as a file writes it, and where that stands.
    pub fn lines(&self) -> Vec<(String, Origin)> {
        let fields = SearchFields::NAMES.iter();
        let fields = fields.flat_map(|name| self.field_lines(name));
        let keys = self.keys.iter().filter_map(|key| {
            let value = key.document.table.get(SEARCH)?.get(&key.name)?;
            Some(line(
                &key.document,
                &path([key.name.as_str()].into_iter()),
                value,
            ))
        });
        fields.chain(keys).collect()
    }

    /// Of a field that is a table a line for each of its keys: settings from outside are laid over it.
    fn field_lines(&self, name: &str) -> Vec<(String, Origin)> {
        let mut lines: Vec<(String, Origin)> = Vec::new();
        let mut known = HashSet::new();
        for document in self.documents.iter().rev() {
            let search = document.table.get(SEARCH);
            match search.and_then(|search| search.get(name)) {
                None => continue,
                Some(toml::Value::Table(table)) => {
                    for (key, value) in table.iter().filter(|(key, _)| known.insert(*key)) {
                        let keys = path([name, key.as_str()].into_iter());
                        lines.push(line(document, &keys, value));
                    }
                }
                Some(value) => return vec![line(document, &path([name].into_iter()), value)],
            }
            if !document.is_outside() {
                break;
            }
        }
        lines
    }

    fn check(&self, grid: &Grid, has_faults: bool, problems: &mut Vec<Problem>) {
        let swept = grid.keys();
        for key in self.keys.iter().filter(|key| swept.contains(&key.name)) {
            let message = format!(
                "`{}` is swept by the grid and drawn by the search",
                key.name
            );
            problems.push(Problem::new(message).at(key.place()));
        }
        if self.keys.is_empty() && !has_faults {
            let hint =
                "such as \"train.optimizer.adam.learning_rate\" = { log_uniform = [1e-4, 1e-1] }";
            problems.push(
                Problem::new("the search draws no key")
                    .at(self.place(&[]))
                    .hint(hint),
            );
        }
        if self.fields.points.get() > MOST_POINTS {
            let message = format!("the search has more than {} points", thousands(MOST_POINTS));
            problems.push(Problem::new(message).at(self.place(&["points"])));
        }
        if let Some(halving) = &self.fields.halving {
            self.check_halving(halving, problems);
        }
    }

    fn check_halving(&self, halving: &Halving, problems: &mut Vec<Problem>) {
        if halving.factor.get() < 2 {
            let message = "expected a factor of 2 or more: of one point in one none is given up";
            problems.push(Problem::new(message).at(self.place(&["halving", "factor"])));
        }
        if halving.rungs.is_empty() {
            let message = "`rungs` names no epoch after which points are compared";
            problems.push(Problem::new(message).at(self.place(&["halving", "rungs"])));
        }
        if !halving
            .rungs
            .is_sorted_by(|one, next| one.get() < next.get())
        {
            let message = "the epochs of `rungs` must grow";
            problems.push(Problem::new(message).at(self.place(&["halving", "rungs"])));
        }
    }

    /// Keeps of the problems with a drawn key's values the first: others are of the same kind.
    pub fn keep_first(&self, problems: &mut Vec<Problem>) {
        let places: Vec<Place> = self.keys.iter().map(Key::value_place).collect();
        let mut is_known = vec![false; places.len()];
        problems.retain(|problem| {
            let at = problem.place.as_deref();
            let position = at.and_then(Place::position);
            let is_there = |place: &Place| match position {
                Some(_) => place.position() == position,
                None => at == Some(place),
            };
            let drawn = places.iter().position(is_there);
            drawn.is_none_or(|key| !std::mem::replace(&mut is_known[key], true))
        });
    }

    /// Points whose losses are of different kinds, where they are compared by them.
    fn other_losses(&self, runs: &[Run]) -> Option<Problem> {
        let name = self.fields.metric.name();
        let metric = column_metric(name)?;
        // The seeds of a point have one.
        let points = runs.chunk_by(|one, next| one.variant == next.variant);
        let mut losses = points.map(|point| point[0].settings.measured_loss());
        let first = losses.next()?;
        let names: BTreeSet<&str> = losses
            .flat_map(|other| first.differing(&other, metric))
            .collect();
        (!names.is_empty()).then(|| {
            let differ = differ(&Vec::from_iter(names));
            let message = format!("the points cannot be compared by `{name}`: {differ} among them");
            let classifies = runs[0].facts.can(Ability::Classify);
            let split = name.split('_').next().unwrap_or_default();
            let hint = classifies.then(|| format!("metric = \"{split}_accuracy\""));
            Problem::new(message).maybe_hint(hint)
        })
    }

    /// What the runs lack that the search needs of each, and whether they can be compared by its metric.
    pub fn check_runs(&self, runs: &[Run], problems: &mut Vec<Problem>) {
        let metric = self.fields.metric;
        if let Some(problem) = self.other_losses(runs) {
            note(problems, problem.at(self.place(&["metric"])));
        }
        for run in runs {
            if let Some(why) = unmeasured(metric.name(), run) {
                let (variant, name) = (&run.variant, metric.name());
                let problem = match why {
                    Unmeasured::Model(reason) => {
                        Problem::new(format!("`{name}` of `{variant}` is not measured: {reason}"))
                    }
                    Unmeasured::NoValidation => {
                        let message = format!(
                            "the search compares by `{name}`, but `{variant}` has no validation set"
                        );
                        Problem::new(message).hint("set `data.validation`")
                    }
                };
                note(problems, problem.at(self.place(&["metric"])));
                return;
            }
            let epochs = run.settings.train.training_plan(run.images).intervals();
            let rungs = self
                .fields
                .halving
                .iter()
                .flat_map(|halving| &halving.rungs);
            if let Some(rung) = rungs.into_iter().find(|rung| rung.get() >= epochs) {
                let message = format!(
                    "the rung of epoch {} is not below the {} of `{}`",
                    rung.get(),
                    count(epochs, "epoch"),
                    run.variant
                );
                note(
                    problems,
                    Problem::new(message).at(self.place(&["halving", "rungs"])),
                );
                return;
            }
        }
    }

    /// Every point, each another one; with more of them the first ones are the same.
    pub fn points(&self, problems: &mut Vec<Problem>) -> Vec<Vec<Setting>> {
        let wanted = self.fields.points.get();
        let (mut points, mut known) = (Vec::new(), HashSet::new());
        for number in 0..wanted {
            let mut draws = (0..DRAWS).map(|draw| self.point(number, draw));
            let text = |point: &Vec<Setting>| -> Vec<String> {
                point
                    .iter()
                    .map(|setting| setting.value.to_string())
                    .collect()
            };
            let Some(point) = draws.find(|point| known.insert(text(point))) else {
                let message = format!(
                    "of {} points only {number} different ones were found",
                    thousands(wanted)
                );
                problems.push(Problem::new(message).at(self.place(&["points"])));
                break;
            };
            points.push(point);
        }
        points
    }

    fn point(&self, number: usize, draw: u64) -> Vec<Setting> {
        let seed = Seed(self.fields.seed);
        let setting = |key: &Key| {
            let place = [number as u64, draw, key.stream];
            key.setting(&mut seed.stream(Purpose::Search, &place))
        };
        self.keys.iter().map(setting).collect()
    }

    /// What is done with the points.
    pub fn search(&self) -> Search {
        Search {
            keys: self.keys.iter().map(|key| key.name.clone()).collect(),
            metric: self.fields.metric,
            halving: self.fields.halving.clone(),
        }
    }

    fn place(&self, keys: &[&str]) -> Place {
        let document = saying(&self.documents, keys.first().copied());
        let keys: Vec<String> = path(keys.iter().copied());
        document.place(&keys, &keys.join("."))
    }
}

/// The last of some documents that says something of a key of `[search]`, or else the last.
fn saying<'a>(documents: &'a [Rc<Document>], key: Option<&str>) -> &'a Rc<Document> {
    let says = |document: &&Rc<Document>| {
        let search = document.table.get(SEARCH);
        search.is_some_and(|search| key.is_some_and(|key| search.get(key).is_some()))
    };
    let found = documents.iter().rev().find(says);
    found.unwrap_or(&documents[documents.len() - 1])
}

/// The table's name.
const SEARCH: &str = "search";

fn path<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    std::iter::once(SEARCH)
        .chain(keys)
        .map(String::from)
        .collect()
}

fn as_json(value: &toml::Value) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Of tables a setting from outside changes the keys that it names.
fn add_field(document: &Document, name: &str, value: Value, fields: &mut Map<String, Value>) {
    match (fields.get_mut(name), value) {
        (Some(Value::Object(below)), Value::Object(over)) if document.is_outside() => {
            below.extend(over);
        }
        (_, value) => {
            fields.insert(name.to_string(), value);
        }
    }
}

/// The key replaces one of its name; of a setting from outside in its place, so that the names of points keep their order.
fn add_key(key: Key, keys: &mut Vec<Key>) {
    let place = keys.iter().position(|known| known.name == key.name);
    match place {
        Some(place) if key.document.is_outside() => keys[place] = key,
        _ => {
            keys.retain(|known| known.name != key.name);
            keys.push(key);
        }
    }
}

/// A value of the table that cannot be read.
fn unread(document: &Document, fault: Unreadable) -> Problem {
    let keys = path(fault.path.iter().map(String::as_str));
    let place = match fault.is_key {
        true => document.place_of_key(&keys, &keys.join(".")),
        false => document.place(&keys, &keys.join(".")),
    };
    let message = fault
        .message
        .replace("the experiment needs", "the search needs");
    Problem::new(message).at(place).maybe_hint(fault.hint)
}

/// A key that is drawn, unless something is wrong with it.
fn key(
    document: &Rc<Document>,
    name: &str,
    value: &toml::Value,
    problems: &mut Vec<Problem>,
) -> Option<Key> {
    let keys = path([name].into_iter());
    let fault = match name.contains('.') {
        true => {
            key_flaw("search", name).map(|flaw| Problem::new(flaw.message).maybe_hint(flaw.hint))
        }
        false => {
            let message = format!("unknown key `{name}` in `search`");
            Some(Problem::new(message).maybe_hint(did_you_mean(name, SearchFields::NAMES)))
        }
    };
    if let Some(problem) = fault {
        problems.push(problem.at(document.place_of_key(&keys, &keys.join("."))));
        return None;
    }
    let distribution = match read::<Distribution>(&as_json(value)) {
        Ok(distribution) => distribution,
        Err(unreadable) => {
            let below = |mut fault: Unreadable| {
                if let (true, Some(values)) = (fault.path.is_empty(), value.as_array()) {
                    fault.hint = Some(forms_of_list(value, values));
                }
                fault.path.insert(0, name.to_string());
                unread(document, fault)
            };
            problems.extend(unreadable.into_iter().map(below));
            return None;
        }
    };
    let choices = value.get("choice").and_then(toml::Value::as_array);
    let choices = choices.cloned().unwrap_or_default();
    let shown = shown(name, &choices);
    let digest = Sha256::digest(name.as_bytes());
    Some(Key {
        name: name.to_string(),
        distribution,
        choices: choices.into_iter().zip(shown).collect(),
        stream: u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes")),
        document: Rc::clone(document),
    })
}

impl Key {
    fn place(&self) -> Place {
        let keys = path([self.name.as_str()].into_iter());
        self.document.place_of_key(&keys, &self.name)
    }

    fn value_place(&self) -> Place {
        let keys = path([self.name.as_str()].into_iter());
        self.document.place(&keys, &self.name)
    }

    fn setting(&self, rng: &mut crate::rng::Rng) -> Setting {
        let (value, shown) = self.draw(rng);
        Setting {
            key: self.name.clone(),
            value,
            shown,
            origin: Origin {
                name: self.document.origin_name(SEARCH),
                document: Some(Rc::clone(&self.document)),
                base: self.name.split('.').map(String::from).collect(),
                written: path([self.name.as_str()].into_iter()),
            },
        }
    }

    fn draw(&self, rng: &mut crate::rng::Rng) -> (toml::Value, Shown) {
        let value = match &self.distribution {
            Distribution::Choice(_) => {
                return self.choices[rng.random_range(0..self.choices.len())].clone();
            }
            Distribution::Int(WholeBounds([low, high])) => {
                toml::Value::Integer(rng.random_range(*low..=*high))
            }
            Distribution::LogInt(PositiveWholeBounds([low, high])) => {
                // Each number from half below it to half above.
                let [first, last] = [*low as f64 - 0.5, *high as f64 + 0.5];
                let drawn = rng.random_range(first.ln()..=last.ln()).exp();
                toml::Value::Integer((drawn.round() as i64).clamp(*low, *high))
            }
            Distribution::Uniform(Bounds([low, high])) => {
                toml::Value::Float(rounded(rng.random_range(*low..=*high)).clamp(*low, *high))
            }
            Distribution::LogUniform(PositiveBounds([low, high])) => {
                let drawn = rng.random_range(low.ln()..=high.ln()).exp();
                toml::Value::Float(rounded(drawn).clamp(*low, *high))
            }
        };
        let shown = Shown::of(&value);
        (value, shown)
    }
}

/// Three significant digits: so a name tells the whole value, and machines whose logarithms differ in the last bit agree.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// How a list is written that values are drawn from: as what is chosen from, and two numbers as a range, too.
fn forms_of_list(list: &toml::Value, values: &[toml::Value]) -> String {
    use toml::Value::{Float, Integer};
    let range = match values {
        [Integer(_), Integer(_)] => Some("int"),
        [Integer(_) | Float(_), Integer(_) | Float(_)] => Some("uniform"),
        _ => None,
    };
    let range = range.map(|form| format!(", or {{ {form} = {list} }}"));
    format!("write {{ choice = {list} }}{}", range.unwrap_or_default())
}

/// What helps where a number that was drawn is to be whole.
pub(super) fn whole_hint(message: &str, origin: Option<&Origin>) -> Option<String> {
    let is_of_search =
        origin.is_some_and(|origin| origin.written.first().is_some_and(|key| key == SEARCH));
    let found = message.rsplit('`').nth(1).unwrap_or_default();
    let is_broken = message.starts_with("expected a whole number") && found.contains('.');
    (is_of_search && is_broken)
        .then(|| "whole numbers are drawn by `int` and `log_int`".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_kept() {
        assert_eq!(rounded(0.001_234_56), 0.001_23);
        assert_eq!(rounded(-98_765.0), -98_800.0);
        assert_eq!(rounded(0.0), 0.0);
    }
}
