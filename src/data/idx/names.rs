//! The names that IDX files are published under.
//!
//! MNIST's are `train-images-idx3-ubyte` and its like, `t10k` or `test` for the other part, with a dot before `idx` or a
//! hyphen, plain or as `.gz`. EMNIST and QMNIST have their names before: `emnist-letters-train-images-idx3-ubyte`,
//! `qmnist-test-labels-idx2-int`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind as ErrorKind, Result};

/// A part of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Train,
    Test,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Images,
    Labels,
}

/// The files of a set, the ones to prefer where there are several of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set(BTreeMap<(Part, Kind), (Preference, PathBuf)>);

/// Less is better: `t10k` before `test`, then gzip before plain, then a hyphen before a dot.
type Preference = [bool; 3];

impl Set {
    pub fn get(&self, part: Part, kind: Kind) -> Option<PathBuf> {
        self.0.get(&(part, kind)).map(|(_, path)| path.clone())
    }

    /// Whether it has training images.
    pub fn begins(&self) -> bool {
        self.0.contains_key(&(Part::Train, Kind::Images))
    }
}

/// The sets of a folder by what stands before the usual names; nothing for the usual ones.
pub fn sets(folder: &Path) -> Result<BTreeMap<String, Set>> {
    let cannot = |error: std::io::Error| Error::io(ErrorKind::Data, "list", folder, &error);
    let mut sets: BTreeMap<String, Set> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((set, part, kind, preference)) = name.and_then(parsed) else {
            continue;
        };
        if !path.is_file() {
            continue;
        }
        let files = &mut sets.entry(set).or_default().0;
        let known = files.get(&(part, kind)).map(|(known, _)| *known);
        if known.is_none_or(|known| preference < known) {
            files.insert((part, kind), (preference, path));
        }
    }
    Ok(sets)
}

fn parsed(name: &str) -> Option<(String, Part, Kind, Preference)> {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let is_dotted = plain.contains(".idx");
    let plain = plain.replace(".idx", "-idx");
    let endings = [
        ("-images-idx3-ubyte", Kind::Images),
        ("-images-idx4-ubyte", Kind::Images),
        ("-labels-idx1-ubyte", Kind::Labels),
        ("-labels-idx2-int", Kind::Labels),
    ];
    let ending = |(ending, kind)| Some((plain.strip_suffix(ending)?, kind));
    let (start, kind) = endings.into_iter().find_map(ending)?;
    let (set, part) = match start.rsplit_once('-') {
        Some((set, part)) => (set, part),
        None => ("", start),
    };
    let part_of = match part {
        "train" => Part::Train,
        "t10k" | "test" => Part::Test,
        _ => return None,
    };
    let preference = [part == "test", plain.len() == name.len(), is_dotted];
    Some((set.to_string(), part_of, kind, preference))
}

/// The name of a file that is missing.
pub fn wanted(set: &str, part: Part, kind: Kind) -> String {
    let start = if set.is_empty() {
        String::new()
    } else {
        format!("{set}-")
    };
    let part = match (part, set.is_empty()) {
        (Part::Train, _) => "train",
        (Part::Test, true) => "t10k",
        (Part::Test, false) => "test",
    };
    let kind = match kind {
        Kind::Images => "images-idx3-ubyte",
        Kind::Labels => "labels-idx1-ubyte",
    };
    format!("{start}{part}-{kind}.gz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_are_known() {
        let of = |name: &str| parsed(name).map(|(set, part, kind, _)| (set, part, kind));
        let is = |set: &str, part, kind| Some((set.to_string(), part, kind));
        assert_eq!(
            of("train-images-idx3-ubyte.gz"),
            is("", Part::Train, Kind::Images)
        );
        assert_eq!(
            of("t10k-labels.idx1-ubyte"),
            is("", Part::Test, Kind::Labels)
        );
        assert_eq!(
            of("emnist-letters-test-labels-idx1-ubyte.gz"),
            is("emnist-letters", Part::Test, Kind::Labels)
        );
        assert_eq!(
            of("qmnist-train-labels-idx2-int.gz"),
            is("qmnist", Part::Train, Kind::Labels)
        );
        assert_eq!(of("emnist-letters-mapping.txt"), None);
        assert_eq!(of("qmnist-test10k-labels-idx1-ubyte"), None);
        let preferred = |name: &str| parsed(name).unwrap().3;
        assert!(preferred("t10k-images.idx3-ubyte") < preferred("test-images-idx3-ubyte.gz"));
        assert!(preferred("t10k-images-idx3-ubyte.gz") < preferred("t10k-images-idx3-ubyte"));
    }
}
