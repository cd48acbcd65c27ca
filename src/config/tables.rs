//! The tables of a file by their names, and what they hold where a file says nothing.

use crate::error::{did_you_mean, nearest};

/// The table of `burnlab.toml` that says where workers run; no part of any run.
pub(super) const LAUNCH: &str = "launch";

/// The tables that make up a run's settings; the other keys are the file's own.
pub const SETTINGS: &[&str] = &[
    "data", "augment", "blocks", "model", "start", "train", "measure", "record", "pictures",
];

/// The tables that say which points of the settings are tried.
pub(super) const POINTS: &[&str] = &["grid", "search"];

/// The keys of a file besides its settings and its points.
pub(super) const OWN: &[&str] = &["title", "source", "extends", "variants", "expect"];

/// What a file says nothing of, with comments.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The table of these that has a key of this name by default.
pub(super) fn table_with(key: &str, known: &[&str]) -> Option<String> {
    let tables: toml::Table = DEFAULTS.parse().unwrap_or_default();
    let has_it = |(table, inner): &(&String, &toml::Value)| {
        known.contains(&table.as_str()) && inner.get(key).is_some()
    };
    // It has no default.
    if key == "dataset" && known.contains(&"data") {
        return Some("data".to_string());
    }
    let found = tables.iter().find(has_it);
    found.map(|(table, _)| table.clone())
}

/// Whether a table of settings has this key, or tables of one that begins with it.
pub(super) fn has_key(table: &str, key: &str) -> bool {
    let tables: toml::Table = DEFAULTS.parse().unwrap_or_default();
    let given = tables.get(table).and_then(toml::Value::as_table);
    let given = given.into_iter().flat_map(toml::Table::keys);
    // Those have no defaults.
    let others = [
        ("data", "dataset"),
        ("train", "loss"),
        ("train", "optimizer"),
    ];
    let others = others.iter().filter(|(of, _)| *of == table);
    let mut keys = given.map(String::as_str).chain(others.map(|(_, key)| *key));
    keys.any(|known| key == known || key.starts_with(&format!("{known}_")))
}

/// What was probably meant by an unknown key where tables of settings stand, beside these others.
pub fn meant_at_top(key: &str, known: &[&str]) -> Option<String> {
    let is_known = |table: &str| known.contains(&table);
    if key
        .split_once('.')
        .is_some_and(|(table, _)| is_known(table))
    {
        return Some(format!("a key with dots stands without quotes: `{key}`"));
    }
    if nearest(key, known).is_some() {
        return did_you_mean(key, known);
    }
    let meant = key_in_a_table(key, known).map(|key| format!("did you mean `{key}`?"));
    meant.or_else(|| did_you_mean(key, known))
}

/// Keys, some of them of other programs, that stand deeper than in a table of settings.
const DEEPER: &[(&[&str], &str)] = &[
    (
        &["learning_rate", "lr"],
        "train.optimizer.NAME.learning_rate",
    ),
    (&["weight_decay"], "train.optimizer.NAME.weight_decay"),
    (
        &["label_smoothing"],
        "train.loss.cross_entropy.label_smoothing",
    ),
    (
        &["class_weight", "class_weights"],
        "train.loss.cross_entropy.class_weights",
    ),
    (&["mixup", "cutmix"], "augment.batch"),
];

/// The key of one of these tables of settings that was probably meant by one that is unknown where it stands: `train.seeds`.
pub fn key_in_a_table(key: &str, known: &[&str]) -> Option<String> {
    let deeper = DEEPER.iter().find(|(keys, _)| keys.contains(&key));
    let is_below = |place: &&str| {
        known
            .iter()
            .any(|table| place.starts_with(&format!("{table}.")))
    };
    if let Some(place) = deeper.map(|(_, place)| *place).filter(is_below) {
        return Some(place.to_string());
    }
    if let Some(table) = table_with(key, known) {
        return Some(format!("{table}.{key}"));
    }
    let tables: toml::Table = DEFAULTS.parse().unwrap_or_default();
    let mut tables = tables
        .iter()
        .filter(|(table, _)| known.contains(&table.as_str()));
    tables.find_map(|(table, inner)| {
        let inner: Vec<&String> = inner.as_table()?.keys().collect();
        let name = nearest(key, &inner)?;
        Some(format!("{table}.{name}"))
    })
}
