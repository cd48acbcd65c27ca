//! The `[grid]` table: which points of the settings are tried.

use std::collections::HashSet;
use std::rc::Rc;

use crate::config::{Chain, Document, Origin, SETTINGS, is_layer_list, meant_at_top};
use crate::error::{Flaw, Place, Problem, did_you_mean, list, thousands};

/// The table's name.
const GRID: &str = "grid";

/// More than anybody can train, and little enough to be checked in seconds.
pub const MOST_POINTS: usize = 100_000;

/// Keys that take their values together: one key, or the keys of one `zip` table.
#[derive(Debug, Clone)]
struct Axis {
    keys: Vec<Key>,
    length: usize,
}

#[derive(Debug, Clone)]
struct Key {
    /// Dotted, as written.
    name: String,
    values: Vec<toml::Value>,
    /// How each is shown.
    shown: Vec<Shown>,
    document: Rc<Document>,
    written: Vec<String>,
}

/// All axes of a file, and the points left out.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    axes: Vec<Axis>,
    skips: Vec<Vec<(String, toml::Value)>>,
}

/// One value of one key at one point.
#[derive(Debug, Clone)]
pub struct Setting {
    pub key: String,
    pub value: toml::Value,
    pub shown: Shown,
    pub origin: Origin,
}

/// How people see a value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// In names.
    pub name: String,
    /// In tables.
    pub text: String,
}

impl Shown {
    /// Texts bare, the rest as TOML: a choice with settings is known by its name and them.
    pub fn of(value: &toml::Value) -> Self {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Shown {
            name: text.clone(),
            text,
        }
    }
}

/// The last document of a chain that names points to be left out, or else its file.
fn skipping(chain: &Chain) -> &Rc<Document> {
    let mut grids = chain.all_with(GRID).rev();
    let found = grids.find(|(_, grid)| grid.get("skip").is_some());
    found.map_or(chain.document(), |(document, _)| document)
}

/// `grid."train.batch_size" = [50, 100]`: what a document says at these keys, and where it stands.
pub fn line(document: &Rc<Document>, keys: &[String], value: &toml::Value) -> (String, Origin) {
    let quoted = keys.iter().map(|key| match key.contains('.') {
        true => format!("\"{key}\""),
        false => key.clone(),
    });
    let keys_shown: Vec<String> = quoted.collect();
    let origin = Origin {
        name: document.origin_name(&keys[0]),
        document: Some(Rc::clone(document)),
        base: Vec::new(),
        written: keys.to_vec(),
    };
    (format!("{} = {value}", keys_shown.join(".")), origin)
}

/// How the values of a key are shown. Whole lists of layers have their numbers for names, from 1, and in tables what
/// they do not have in common.
pub fn shown(key: &str, values: &[toml::Value]) -> Vec<Shown> {
    let last = key.rsplit('.').next().unwrap_or_default();
    let lists: Option<Vec<&[toml::Value]>> = values
        .iter()
        .map(|value| value.as_array().map(Vec::as_slice))
        .collect();
    match lists.filter(|_| is_layer_list(last)) {
        None => values.iter().map(Shown::of).collect(),
        Some(lists) => {
            let numbered = differing(&lists).into_iter().enumerate();
            let shown = |(index, own): (usize, &[toml::Value])| {
                let number = index + 1;
                let own: Vec<String> = own.iter().map(|layer| Shown::of(layer).text).collect();
                Shown {
                    name: number.to_string(),
                    text: match own.is_empty() {
                        true => format!("{number}: nothing more"),
                        false => format!("{number}: {}", own.join(", ")),
                    },
                }
            };
            numbered.map(shown).collect()
        }
    }
}

/// Lists without what all of them begin and end with.
fn differing<'a>(lists: &[&'a [toml::Value]]) -> Vec<&'a [toml::Value]> {
    let shortest = lists.iter().map(|list| list.len()).min().unwrap_or(0);
    let is_common = |at: &dyn Fn(&'a [toml::Value]) -> &'a toml::Value| {
        lists.windows(2).all(|pair| at(pair[0]) == at(pair[1]))
    };
    let start = (0..shortest).take_while(|&i| is_common(&|list| &list[i]));
    let start = start.count();
    let end = (0..shortest - start).take_while(|&i| is_common(&|list| &list[list.len() - 1 - i]));
    let end = end.count();
    lists
        .iter()
        .map(|list| &list[start..list.len() - end])
        .collect()
}

impl Grid {
    /// Reads the grids of a chain of files; a later file's axis replaces an earlier one's, and so does
    /// its `skip`. `variants` are those that `skip` may name.
    pub fn read(chain: &Chain, variants: &[Option<String>], problems: &mut Vec<Problem>) -> Self {
        let mut grid = Grid::default();
        for (document, value) in chain.all_with(GRID) {
            match value {
                toml::Value::Table(table) => grid.add(document, table, problems),
                _ => problems.push(
                    Problem::new("expected a table for `grid`")
                        .at(document.place(&["grid".to_string()], "grid")),
                ),
            }
        }
        grid.check_skips(skipping(chain), variants, problems);
        grid.check_keys(problems);
        if let Some((document, _)) = chain.last_with(GRID) {
            grid.check_size(document, problems);
        }
        grid
    }

    fn check_size(&mut self, document: &Document, problems: &mut Vec<Problem>) {
        let lengths = self.axes.iter().map(|axis| axis.length);
        let points = lengths.fold(1usize, usize::saturating_mul);
        if points > MOST_POINTS {
            let place = document.place_of_key(&["grid".to_string()], "grid");
            let most = thousands(MOST_POINTS);
            problems.push(Problem::new(format!("the grid has more than {most} points")).at(place));
            self.axes.clear();
        }
    }

    fn add(&mut self, document: &Rc<Document>, table: &toml::Table, problems: &mut Vec<Problem>) {
        for (name, value) in table {
            let written = vec!["grid".to_string(), name.clone()];
            match (name.as_str(), value) {
                ("zip", toml::Value::Array(tables)) => {
                    for (index, table) in tables.iter().enumerate() {
                        let written: Vec<String> =
                            written.iter().cloned().chain([index.to_string()]).collect();
                        self.add_zip(document, table, written, problems);
                    }
                }
                ("skip", toml::Value::Array(tables)) => {
                    self.skips.clear();
                    for (index, table) in tables.iter().enumerate() {
                        let Some(table) = table.as_table() else {
                            let at = ["grid", "skip", &index.to_string()].map(String::from);
                            let place = document.place(&at, &at.join("."));
                            problems.push(Problem::new("expected a table in `skip`").at(place));
                            continue;
                        };
                        let entries = table.iter().map(|(k, v)| (k.clone(), v.clone()));
                        self.skips.push(entries.collect());
                    }
                }
                ("zip" | "skip", _) => problems.push(
                    Problem::new(format!("expected a list of tables for `{name}`"))
                        .at(document.place(&written, &format!("grid.{name}"))),
                ),
                _ => {
                    if let Some(key) = axis_key(document, name, value, written, problems) {
                        self.add_axis(key);
                    }
                }
            }
        }
    }

    /// The key replaces one of its name that is alone in an earlier document; of a setting from outside in its place, so that
    /// the names of points keep their order.
    fn add_axis(&mut self, key: Key) {
        let is_same = |axis: &Axis| {
            let is_alone = axis.keys.len() == 1 && axis.keys[0].name == key.name;
            is_alone && !Rc::ptr_eq(&axis.keys[0].document, &key.document)
        };
        let place = self.axes.iter().position(is_same);
        let place = place.filter(|_| key.document.is_outside());
        if place.is_none() {
            self.axes.retain(|axis| !is_same(axis));
        }
        let axis = Axis {
            length: key.values.len(),
            keys: vec![key],
        };
        match place {
            Some(place) => self.axes[place] = axis,
            None => self.axes.push(axis),
        }
    }

    fn add_zip(
        &mut self,
        document: &Rc<Document>,
        table: &toml::Value,
        written: Vec<String>,
        problems: &mut Vec<Problem>,
    ) {
        let at = |keys: &[String]| document.place(keys, &keys.join("."));
        let Some(table) = table.as_table() else {
            problems.push(Problem::new("expected a table of lists in `zip`").at(at(&written)));
            return;
        };
        let mut keys = Vec::new();
        for (name, value) in table {
            let written = written.iter().cloned().chain([name.clone()]).collect();
            keys.extend(axis_key(document, name, value, written, problems));
        }
        let Some(length) = keys.first().map(|key: &Key| key.values.len()) else {
            return;
        };
        if let Some(other) = keys.iter().find(|key| key.values.len() != length) {
            problems.push(
                Problem::new(format!(
                    "keys that move together need equal numbers of values: `{}` has {length}, `{}` has {}",
                    keys[0].name,
                    other.name,
                    other.values.len()
                ))
                .at(at(&other.written)),
            );
            return;
        }
        // Those of earlier documents that sweep one of these keys are replaced.
        self.axes.retain(|axis| {
            let is_swept_anew = |old: &Key| keys.iter().any(|new| new.name == old.name);
            let is_earlier = !Rc::ptr_eq(&axis.keys[0].document, document);
            !(is_earlier && axis.keys.iter().any(is_swept_anew))
        });
        self.axes.push(Axis { keys, length });
    }

    /// Of a grid that sweeps a key twice there are no points.
    fn check_keys(&mut self, problems: &mut Vec<Problem>) {
        let before = problems.len();
        let all: Vec<&Key> = self.axes.iter().flat_map(|axis| &axis.keys).collect();
        for (index, key) in all.iter().enumerate() {
            if all[..index].iter().any(|earlier| earlier.name == key.name) {
                problems.push(
                    Problem::new(format!("the grid sweeps `{}` twice", key.name))
                        .at(key.document.place_of_key(&key.written, &key.name)),
                );
            }
        }
        if problems.len() > before {
            self.axes.clear();
        }
    }

    fn check_skips(
        &self,
        document: &Document,
        variants: &[Option<String>],
        problems: &mut Vec<Problem>,
    ) {
        let keys = self.keys();
        for (index, skip) in self.skips.iter().enumerate() {
            for (key, value) in skip {
                let at = ["grid", "skip", &index.to_string(), key].map(String::from);
                let show = at.join(".");
                if key == "variant" {
                    let names: Vec<&String> = variants.iter().flatten().collect();
                    let name = value.as_str().unwrap_or_default();
                    if !names.iter().any(|known| *known == name) {
                        problems.push(
                            Problem::new(format!(
                                "`skip` names the variant {value}, which does not exist"
                            ))
                            .at(document.place(&at, &show))
                            .maybe_hint(did_you_mean(name, &names)),
                        );
                    }
                    continue;
                }
                let swept = self.axes.iter().flat_map(|axis| &axis.keys);
                match swept.into_iter().find(|swept| swept.name == *key) {
                    None => problems.push(
                        Problem::new(format!(
                            "`skip` names `{key}`, which the grid does not sweep"
                        ))
                        .at(document.place_of_key(&at, &show))
                        .maybe_hint(did_you_mean(key, &keys)),
                    ),
                    // Other values from outside are no mistake of the file.
                    Some(swept) if swept.document.is_outside() => {}
                    Some(swept) if !swept.values.contains(value) => problems.push(
                        Problem::new(format!("`skip` names {value}, which `{key}` does not take"))
                            .at(document.place(&at, &show)),
                    ),
                    Some(_) => {}
                }
            }
        }
    }

    /// Where the points are named that are left out.
    pub fn place_of_skips(chain: &Chain) -> Place {
        let keys = [GRID, "skip"].map(String::from);
        skipping(chain).place_of_key(&keys, &keys.join("."))
    }

    /// Every key with its values, as a file writes it, and where that stands; the same of points that are left out.
    pub fn lines(&self, chain: &Chain) -> Vec<(String, Origin)> {
        let keys = self.axes.iter().flat_map(|axis| &axis.keys);
        let mut lines: Vec<(String, Origin)> = keys
            .map(|key| {
                let values = toml::Value::Array(key.values.clone());
                line(&key.document, &key.written, &values)
            })
            .collect();
        let skip = [GRID, "skip"].map(String::from);
        let document = skipping(chain);
        let skips = document.table.get(GRID).and_then(|grid| grid.get("skip"));
        lines.extend(skips.map(|skips| line(document, &skip, skips)));
        lines
    }

    /// The swept keys in order.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.axes.iter().flat_map(|axis| &axis.keys);
        keys.map(|key| key.name.clone()).collect()
    }

    /// Every point, the last axis moving fastest, without those that `skip` names for the variant.
    pub fn points(&self, variant: &str) -> Vec<Vec<Setting>> {
        let count: usize = self.axes.iter().map(|axis| axis.length).product();
        (0..count)
            .map(|number| self.point(number))
            .filter(|point| !self.is_skipped(variant, point))
            .collect()
    }

    fn point(&self, mut number: usize) -> Vec<Setting> {
        let mut indices = vec![0; self.axes.len()];
        for (index, axis) in indices.iter_mut().zip(&self.axes).rev() {
            *index = number % axis.length;
            number /= axis.length;
        }
        let along = self.axes.iter().zip(indices);
        along
            .flat_map(|(axis, index)| axis.keys.iter().map(move |key| key.setting(index)))
            .collect()
    }

    fn is_skipped(&self, variant: &str, point: &[Setting]) -> bool {
        self.skips.iter().any(|skip| {
            skip.iter().all(|(key, value)| match key.as_str() {
                "variant" => value.as_str() == Some(variant),
                _ => point
                    .iter()
                    .any(|setting| setting.key == *key && setting.value == *value),
            })
        })
    }
}

impl Key {
    fn setting(&self, index: usize) -> Setting {
        let written = self.written.iter().cloned().chain([index.to_string()]);
        Setting {
            key: self.name.clone(),
            value: self.values[index].clone(),
            shown: self.shown[index].clone(),
            origin: Origin {
                name: self.document.origin_name(GRID),
                document: Some(Rc::clone(&self.document)),
                base: self.name.split('.').map(String::from).collect(),
                written: written.collect(),
            },
        }
    }
}

fn axis_key(
    document: &Rc<Document>,
    name: &str,
    value: &toml::Value,
    written: Vec<String>,
    problems: &mut Vec<Problem>,
) -> Option<Key> {
    let flaw = axis_flaw(name, value);
    if let Some(flaw) = flaw {
        let place = match flaw.key.as_str() {
            "" => document.place_of_key(&written, &written.join(".")),
            index => {
                let at: Vec<String> = written.iter().cloned().chain([index.to_string()]).collect();
                document.place(&at, &written.join("."))
            }
        };
        problems.push(Problem::new(flaw.message).at(place).maybe_hint(flaw.hint));
        return None;
    }
    let values = value.as_array().cloned().unwrap_or_default();
    Some(Key {
        name: name.to_string(),
        shown: shown(name, &values),
        values,
        document: Rc::clone(document),
        written,
    })
}

/// Why a key that `what` gives values is none.
pub fn key_flaw(what: &str, name: &str) -> Option<Flaw> {
    let section = name.split('.').next().unwrap_or_default();
    if !SETTINGS.contains(&section) || !name.contains('.') {
        let flaw = Flaw::new("", format!("the {what} key `{name}` points at nothing"));
        return Some(match meant_at_top(section, SETTINGS) {
            Some(_) if SETTINGS.contains(&section) => flaw.hint(format!(
                "name one key of `{section}`, such as \"{section}.{}\"",
                if section == "train" {
                    "batch_size"
                } else {
                    "..."
                }
            )),
            Some(hint) => flaw.hint(hint),
            None => flaw,
        });
    }
    if name == "train.seeds" {
        return Some(
            Flaw::new(
                "",
                "`train.seeds` cannot be swept: every seed is a run already",
            )
            .hint("list the seeds in `[train]`"),
        );
    }
    None
}

fn axis_flaw(name: &str, value: &toml::Value) -> Option<Flaw> {
    if let Some(flaw) = key_flaw("grid", name) {
        return Some(flaw);
    }
    let Some(values) = value.as_array() else {
        return Some(
            Flaw::new(
                "",
                format!("expected a list of values for the grid key `{name}`"),
            )
            .hint(format!("\"{name}\" = [{}]", items(value).join(", "))),
        );
    };
    if values.is_empty() {
        return Some(Flaw::new(
            "",
            format!("the grid key `{name}` has no values"),
        ));
    }
    let mut seen = HashSet::new();
    // Values of different types are written differently.
    let repeated = values
        .iter()
        .position(|value| !seen.insert(value.to_string()))?;
    let message = format!(
        "the grid key `{name}` has {} twice",
        list(&[Shown::of(&values[repeated]).text])
    );
    Some(Flaw::new(repeated.to_string(), message))
}

/// The values of the list that was probably meant: those between commas, if there are any in a text.
fn items(value: &toml::Value) -> Vec<String> {
    let Some(text) = value.as_str().filter(|text| text.contains(',')) else {
        return vec![value.to_string()];
    };
    let item = |item: &str| {
        let item = item.trim();
        match toml::from_str::<toml::Table>(&format!("item = {item}")) {
            Ok(_) => item.to_string(),
            Err(_) => toml::Value::from(item).to_string(),
        }
    };
    text.split(',').map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lists_of_layers_are_named_by_number_and_told_by_what_they_do_not_share() {
        let list = |text: &str| -> toml::Value {
            let table: toml::Table = toml::from_str(&format!("list = {text}")).unwrap();
            table["list"].clone()
        };
        let values = [
            r#"["flatten", { dense = { units = 5 } }, { dense = { units = "classes" } }]"#,
            r#"["flatten", { dense = { units = "classes" } }]"#,
            r#"["flatten", { dense = { units = 7 } }, "batch_normalization", { dense = { units = "classes" } }]"#,
        ]
        .map(list);
        let texts = |key: &str| -> Vec<[String; 2]> {
            let shown = shown(key, &values).into_iter();
            shown.map(|shown| [shown.name, shown.text]).collect()
        };
        assert_eq!(
            texts("model.classifier.layers"),
            [
                ["1", "1: { dense = { units = 5 } }"],
                ["2", "2: nothing more"],
                ["3", "3: { dense = { units = 7 } }, batch_normalization"],
            ]
            .map(|pair| pair.map(String::from))
        );
        // Elsewhere a list is a value like others.
        let shown = shown("data.classes", &[list("[0, 1]")]);
        assert_eq!((&*shown[0].name, &*shown[0].text), ("[0, 1]", "[0, 1]"));
    }

    #[test]
    fn values_between_commas_are_offered_as_a_list() {
        let hint = |value: toml::Value| axis_flaw("train.epochs", &value).unwrap().hint.unwrap();
        assert_eq!(hint(3.into()), "\"train.epochs\" = [3]");
        assert_eq!(hint("20, 40".into()), "\"train.epochs\" = [20, 40]");
        let names = "\"train.epochs\" = [\"adam\", \"sgd\"]";
        assert_eq!(hint("adam,sgd".into()), names);
    }
}
