//! What a folder of images holds that is not used, counted and named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::pixels::ENDINGS;
use crate::error::{count, list_first};

/// How many names are listed of those that are left out together.
const NAMED: usize = 3;

/// Files and folders that are not used.
pub(super) struct LeftOut {
    root: PathBuf,
    junk: Vec<String>,
    parts: Vec<(String, usize)>,
    /// By their endings.
    files: BTreeMap<String, Vec<String>>,
    /// Images that are used though they lie in a folder inside their class's.
    pub nested: usize,
}

impl LeftOut {
    /// Nothing yet of a dataset's folder.
    pub fn below(root: &Path) -> Self {
        LeftOut {
            root: root.to_path_buf(),
            junk: Vec::new(),
            parts: Vec::new(),
            files: BTreeMap::new(),
            nested: 0,
        }
    }

    fn short(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        path.display().to_string()
    }

    /// What a system leaves behind.
    pub fn junk(&mut self, path: &Path) {
        self.junk.push(self.short(path));
    }

    /// A folder beside those of the parts, with its number of images.
    pub fn part(&mut self, path: &Path, images: usize) {
        self.parts.push((self.short(path), images));
    }

    /// A file that is no image which can be read, or an image that belongs to no class.
    pub fn file(&mut self, path: &Path) {
        let ending = path.extension().map(|text| text.to_string_lossy());
        let ending = ending.map_or(String::new(), |text| text.to_lowercase());
        let name = self.short(path);
        self.files.entry(ending).or_default().push(name);
    }

    /// A sentence for each kind.
    pub fn notes(mut self) -> Vec<String> {
        let mut notes = Vec::new();
        self.parts.sort();
        for (name, images) in &self.parts {
            notes.push(format!(
                "the folder `{name}` ({}) is not used: it is no part that is known, or there is another of its kind",
                count(*images, "image")
            ));
        }
        for (ending, mut names) in self.files {
            let files = match ending.as_str() {
                "" => count(names.len(), "file"),
                ending => count(names.len(), &format!("`.{ending}` file")),
            };
            let why = match ending.as_str() {
                ending if ENDINGS.contains(&ending) => "of no class, or no plain file",
                _ => "no image that is read",
            };
            notes.push(format!("{files} left out ({why}): {}", some(&mut names)));
        }
        if !self.junk.is_empty() {
            notes.push(format!(
                "{} skipped that systems leave behind or hide: {}",
                count(self.junk.len(), "item"),
                some(&mut self.junk)
            ));
        }
        if self.nested > 0 {
            notes.push(format!(
                "{} from folders inside class folders are used, too",
                count(self.nested, "image")
            ));
        }
        notes
    }
}

/// The first names, and how many more there are.
pub(super) fn some(names: &mut [String]) -> String {
    names.sort();
    list_first(names, NAMED)
}

/// Whether a name is one that a system leaves behind (macOS's `__MACOSX` and `._x`, `Thumbs.db`), or hides.
pub(super) fn is_junk(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else {
        return false;
    };
    let known = ["__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini"];
    name.starts_with('.') || known.iter().any(|known| name.eq_ignore_ascii_case(known))
}
