//! Experiment files with random damage: never a panic, never without an end, never the program's own fault.
//!
//! `BURNLAB_FUZZ=5000 BURNLAB_FUZZ_SEED=7` tries more mutants, and others.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use burnlab::config::Overrides;
use burnlab::data::{Catalogue, Folders};
use burnlab::error::Kind;
use burnlab::plan::Plan;

use crate::grown::number;
use crate::lab::Lab;

/// What is put in at random places and in place of words.
const WORDS: [&str; 36] = [
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\"",
    "'",
    "\n",
    "#",
    "[[",
    "]]",
    "0",
    "-1",
    "1",
    "3",
    "0.5",
    "1e400",
    "1e-400",
    "-0.0",
    "nan",
    "inf",
    "65536",
    "4294967296",
    "9223372036854775807",
    "99999999999999999999",
    "true",
    "\"all\"",
    "\"classes\"",
    "\"\"",
    "[]",
    "{}",
    "1979-05-27",
    "\u{feff}",
    "\"\\u001b[2J\"",
];

fn experiments() -> Vec<PathBuf> {
    let folders = ["experiments", "benches", "tests/fixtures/bad"];
    let entries = folders.into_iter().flat_map(walkdir::WalkDir::new);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.into_path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}

/// The bytes of a file with one to four changes.
fn mutant(bytes: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let words = words(&bytes);
        let place = |rng: &mut ChaCha8Rng, length: usize| rng.random_range(0..=length);
        match rng.random_range(0..9) {
            // A byte.
            0 if !bytes.is_empty() => {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            // A word in between.
            1 => {
                let at = place(rng, bytes.len());
                let word = WORDS.choose(rng).expect("there are words");
                bytes.splice(at..at, word.bytes());
            }
            // The end.
            2 => bytes.truncate(place(rng, bytes.len())),
            // A stretch again, or without.
            3 | 4 => {
                let at = place(rng, bytes.len());
                let end = (at + rng.random_range(0..80)).min(bytes.len());
                let again = if rng.random_bool(0.5) {
                    bytes[at..end].to_vec()
                } else {
                    Vec::new()
                };
                bytes.splice(at..end, [again.clone(), again].concat());
            }
            // A stretch of another file.
            5 if !other.is_empty() => {
                let from = rng.random_range(0..other.len());
                let to = (from + rng.random_range(0..120)).min(other.len());
                let at = place(rng, bytes.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            // A word in place of another.
            _ => {
                if let Some(range) = words.choose(rng) {
                    let word = match rng.random_bool(0.5) {
                        true => WORDS
                            .choose(rng)
                            .expect("there are words")
                            .as_bytes()
                            .to_vec(),
                        false => {
                            let taken = words.choose(rng).expect("there is a word");
                            bytes[taken.clone()].to_vec()
                        }
                    };
                    bytes.splice(range.clone(), word);
                }
            }
        }
    }
    bytes
}

/// Where names, numbers and texts stand.
fn words(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.\"'".contains(&byte);
    let mut words = Vec::new();
    let mut start = None;
    for (at, &byte) in bytes.iter().chain(b" ").enumerate() {
        match (start, is_part(byte)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// What is wrong with how a file was checked.
fn fault(file: &Path) -> Option<String> {
    let catalogue = Catalogue::new(Folders::only("data"));
    let check = || Plan::make(file, &Overrides::default(), &catalogue);
    match catch_unwind(AssertUnwindSafe(check)) {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            Some(format!("a panic: {}", text.unwrap_or_default()))
        }
        Ok(Err(error)) if error.kind == Kind::Bug => Some(error.to_string()),
        Ok(Err(error)) if !matches!(error.kind, Kind::Usage | Kind::Data) => {
            Some(format!("exit code {}: {error}", error.kind.exit_code()))
        }
        Ok(_) => None,
    }
}

#[test]
fn damaged_files_are_reported_and_harm_nothing_else() {
    let (count, seed) = (number("BURNLAB_FUZZ", 600), number("BURNLAB_FUZZ_SEED", 0));
    let files = experiments();
    assert!(files.len() > 100, "only {} files", files.len());
    let lab = Lab::new();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut faults = Vec::new();
    for number in 0..count {
        let mut drawn = || fs::read(files.choose(&mut rng).expect("there are files")).unwrap();
        let (one, other) = (drawn(), drawn());
        let bytes = mutant(&one, &other, &mut rng);
        let file = lab.path().join("mutant.toml");
        fs::write(&file, &bytes).unwrap();
        let (send, receive) = channel();
        let checked = file.clone();
        std::thread::spawn(move || send.send(fault(&checked)));
        // What takes so long hangs.
        let fault = receive.recv_timeout(Duration::from_secs(300));
        let fault = fault.unwrap_or_else(|_| Some("it does not end".to_string()));
        if let Some(fault) = fault {
            let text = String::from_utf8_lossy(&bytes);
            faults.push(format!("mutant {number}: {fault}\n{text}"));
        }
    }
    let (number, first) = (faults.len(), faults.iter().take(5));
    let first: Vec<&str> = first.map(String::as_str).collect();
    assert!(
        faults.is_empty(),
        "{number} of {count}\n{}",
        first.join("\n\n")
    );
}
