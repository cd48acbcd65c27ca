//! By what runs are known again: a hash of all that their numbers depend on.

use sha2::{Digest, Sha256};

use crate::config::Settings;
use crate::data::{DatasetSpec, Validation};
use crate::hex::hex;

/// Changes whenever the same settings would give other numbers, so that old runs are not reused.
const NUMBERS: u8 = 2;

/// What a run's numbers depend on, hashed; `digest` stands for data that its name does not. `from` has keys that name what is found elsewhere, each with
/// what tells that apart.
pub(super) fn run_id(
    settings: &Settings,
    digest: Option<&str>,
    seed: u64,
    from: &[(&str, String)],
) -> String {
    identity(settings, digest, from).of(seed)
}

/// What the numbers of runs depend on besides their seeds, as a text.
pub(super) struct Identity(String);

impl Identity {
    pub fn of(&self, seed: u64) -> String {
        short_hash(format!("{NUMBERS} {seed} {}", self.0).as_bytes())
    }
}

pub(super) fn identity(
    settings: &Settings,
    digest: Option<&str>,
    from: &[(&str, String)],
) -> Identity {
    let mut values = serde_json::to_value(settings).expect("settings are plain values");
    if let Some(train) = values
        .get_mut("train")
        .and_then(serde_json::Value::as_object_mut)
    {
        train.remove("seeds");
    }
    // Where data lies is no matter: its digest is part of this.
    let folder = match (&settings.data.dataset, digest) {
        (DatasetSpec::Folder(fields), Some(_)) => Some(match fields.is_path() {
            true => "/data/dataset/folder",
            false => "/data/dataset/folder/path",
        }),
        (DatasetSpec::Idx(fields), Some(_)) => Some(match fields.is_path() {
            true => "/data/dataset/idx",
            false => "/data/dataset/idx/path",
        }),
        _ => None,
    };
    if let Some(folder) = folder.and_then(|folder| values.pointer_mut(folder)) {
        *folder = serde_json::Value::Null;
    }
    // No number depends on what is written down or drawn.
    if let Some(tables) = values.as_object_mut() {
        tables.remove("record");
        tables.remove("pictures");
    }
    for (key, _) in from {
        // Where it is found is no matter.
        if let Some((table, key)) = table_of(&mut values, key) {
            table.remove(key);
            table.insert("from".to_string(), serde_json::Value::Array(Vec::new()));
        }
    }
    for (key, identity) in from {
        let table = table_of(&mut values, key).and_then(|(table, _)| table.get_mut("from"));
        if let Some(serde_json::Value::Array(identities)) = table {
            identities.push(identity.as_str().into());
        }
    }
    let digest = digest.map_or(String::new(), |digest| format!(" {digest}"));
    // A share for validation once was the end of the training set.
    let validation = match settings.data.validation {
        Validation::Count(_) | Validation::Folds(_) => "",
        Validation::Fraction(_) => " stratified",
    };
    Identity(format!("{values}{digest}{validation}"))
}

/// The table that a dotted key stands in, and the key's last part.
fn table_of<'a, 'k>(
    values: &'a mut serde_json::Value,
    key: &'k str,
) -> Option<(&'a mut serde_json::Map<String, serde_json::Value>, &'k str)> {
    let (path, last) = key.rsplit_once('.')?;
    let table = path
        .split('.')
        .try_fold(values, |table, part| table.get_mut(part))?;
    Some((table.as_object_mut()?, last))
}

/// 12 hexadecimal digits of SHA-256.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..6])
}
