//! What tables and folders call the runs of a variant at a point of the grid.

use super::grid::Setting;
use super::identity::short_hash;

/// `plain,batch_size=50`: the variant, and every key of the grid, cut to the last parts that distinguish it from the others.
pub(super) fn label(variant: Option<&str>, point: &[Setting]) -> String {
    let keys: Vec<&str> = point.iter().map(|setting| setting.key.as_str()).collect();
    let values = point.iter().map(|setting| {
        let key = own_end(&setting.key, &keys);
        format!("{key}={}", setting.shown.name)
    });
    let parts: Vec<String> = variant
        .map(String::from)
        .into_iter()
        .chain(values)
        .collect();
    match parts.is_empty() {
        true => "default".to_string(),
        false => parts.join(","),
    }
}

/// The variant's name in a label, without its point of the grid; empty where the file names no variants.
pub fn own_name(label: &str) -> &str {
    let first = label.split(',').next().unwrap_or_default();
    if first.contains('=') { "" } else { first }
}

/// Whether a label is of a variant, which is named with or without its point.
pub fn is_of(label: &str, variant: &str) -> bool {
    label == variant || label.split(',').next() == Some(variant)
}

/// The label of another variant at the same point; none where there is no grid.
pub(super) fn at_same_point(label: &str, variant: &str) -> Option<String> {
    let (_, point) = label.split_once(',')?;
    Some(format!("{variant},{point}"))
}

/// Dotted keys, cut to the last parts that distinguish each from the others.
pub fn short_keys(keys: &[String]) -> Vec<&str> {
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    all.iter().map(|key| own_end(key, &all)).collect()
}

/// The shortest end of a dotted key that no other key has.
fn own_end<'a>(key: &'a str, keys: &[&str]) -> &'a str {
    let starts = key.rmatch_indices('.').map(|(at, _)| at + 1);
    let mut ends = starts.map(|start| &key[start..]);
    let is_own = |end: &&str| {
        let others = keys.iter().filter(|other| **other != key);
        let dotted = format!(".{end}");
        !others
            .into_iter()
            .any(|other| other == end || other.ends_with(&dotted))
    };
    ends.find(is_own).unwrap_or(key)
}

/// A variant's name as a file's name: what file systems dislike becomes `_`.
pub fn file_name(variant: &str) -> String {
    let safe = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' | ',' | '=' => c,
        _ => '_',
    };
    let name: String = variant.chars().map(safe).take(120).collect();
    match name == variant {
        true => name,
        // What was changed or cut may have distinguished two variants.
        false => format!("{name}-{}", short_hash(variant.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_of_its_variant() {
        assert!(is_of("plain,batch_size=50", "plain"));
        assert!(is_of("plain,batch_size=50", "plain,batch_size=50"));
        assert!(!is_of("plain,batch_size=50", "plain,batch_size=5"));
        assert!(!is_of("plainer", "plain"));
        assert_eq!(own_name("plain,batch_size=50"), "plain");
        assert_eq!(own_name("batch_size=50"), "");
        let other = at_same_point("plain,batch_size=50", "turned");
        assert_eq!(other.unwrap(), "turned,batch_size=50");
        assert_eq!(at_same_point("plain", "turned"), None);
    }

    #[test]
    fn grid_keys_with_the_same_ending_are_distinguished_by_what_precedes_it() {
        let keys = [
            "model.classifier.layers.1.dense.units",
            "model.classifier.layers.3.dense.units",
            "train.batch_size",
            "train.batch.batch_size_",
        ];
        let ends = keys.map(|key| own_end(key, &keys));
        assert_eq!(
            ends,
            [
                "1.dense.units",
                "3.dense.units",
                "batch_size",
                "batch_size_"
            ]
        );
        let nested = ["a.b.rate", "b.rate", "rate"];
        assert_eq!(
            nested.map(|key| own_end(key, &nested)),
            ["a.b.rate", "b.rate", "rate"]
        );
    }
}
