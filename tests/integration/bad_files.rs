//! Every bad file has its whole error text beside it: `NAME.toml` and `NAME.txt`.
//!
//! `BURNLAB_BLESS=1 cargo test --release bad_files` writes the texts anew, to be read before they are committed.

use std::fs;
use std::path::{Path, PathBuf};

use burnlab::config::Overrides;
use burnlab::data::{Catalogue, Folders};
use burnlab::plan::Plan;

fn bad_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir("tests/fixtures/bad")
        .expect("the fixtures are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}

fn complaint(path: &Path, catalogue: &Catalogue) -> String {
    match Plan::make(path, &Overrides::default(), catalogue) {
        Ok(_) => format!("{} has no problem\n", path.display()),
        Err(error) => format!("{error}\nexit code {}\n", error.kind.exit_code()),
    }
}

#[test]
fn every_bad_file_is_refused_with_exactly_its_text() {
    let catalogue = Catalogue::new(Folders::only("data"));
    let bless = std::env::var_os("BURNLAB_BLESS").is_some();
    let mut wrong = Vec::new();
    let files = bad_files();
    assert!(files.len() >= 40, "only {} bad files", files.len());
    for path in files {
        let received = complaint(&path, &catalogue);
        let expected_path = path.with_extension("txt");
        if bless {
            fs::write(&expected_path, &received).expect("the text is written");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        assert!(!received.contains("has no problem"), "{received}");
        if received != expected {
            wrong.push(format!("--- expected\n{expected}+++ received\n{received}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
