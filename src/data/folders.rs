//! Where datasets are looked for.
//!
//! The list is a value, made once from the environment, so that tests look where they like.

use std::env;
use std::path::{Path, PathBuf};

use super::dataset::Dataset;
use crate::error::{Error, Problem, Result, list};
use crate::user_cache::user_cache;

/// Debian's packages of datasets put them here.
const SYSTEM: &str = "/usr/share/datasets";

/// Below the folder that a wheel is installed to: what it brings along.
const INSTALLED: &str = "share/burnlab/datasets";

/// Folders that hold a folder for each dataset, and where new ones are fetched from and to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    roots: Vec<PathBuf>,
    /// Only read from, never fetched to.
    system: Vec<PathBuf>,
    home: PathBuf,
    mirror: Option<String>,
    /// Where digests of files and decoded images are kept.
    kept: Option<PathBuf>,
}

/// What a search for a dataset's files met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A folder with all files.
    Complete(PathBuf),
    /// No folder with all files; the first one with some of them.
    Partial {
        /// The folder with some of the files.
        folder: PathBuf,
        /// Names of the files that it lacks.
        missing: Vec<String>,
    },
    /// No folder with any of the files.
    Nowhere,
}

impl Folders {
    /// `$BURNLAB_DATA`, `data` in the current directory, the user's cache
    /// (`$XDG_CACHE_HOME` or `~/.cache`, below it `burnlab/datasets`), what was installed with the program
    /// (`../share/burnlab/datasets` from its folder), `/usr/share/datasets`.
    ///
    /// Fetched datasets go to `$BURNLAB_DATA` or else to the cache; `$BURNLAB_MIRROR` (an address or
    /// a folder with NAME/FILE below it) is tried before the public mirrors.
    pub fn from_environment() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let own = set("BURNLAB_DATA").map(PathBuf::from);
        let cache = user_cache();
        let kept = cache.clone();
        let cache = cache.map(|cache| cache.join("datasets"));
        let local = PathBuf::from("data");
        let home = own.as_ref().or(cache.as_ref()).unwrap_or(&local).clone();
        Folders {
            roots: own.into_iter().chain([local]).chain(cache).collect(),
            system: installed()
                .into_iter()
                .chain([PathBuf::from(SYSTEM)])
                .collect(),
            home,
            mirror: set("BURNLAB_MIRROR").map(|value| value.to_string_lossy().into_owned()),
            kept,
        }
    }

    /// Looks in one folder only, and fetches to it.
    pub fn only(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Folders {
            roots: vec![root.clone()],
            system: Vec::new(),
            home: root,
            mirror: None,
            kept: None,
        }
    }

    pub(super) fn digests(&self) -> Option<PathBuf> {
        Some(self.kept.as_ref()?.join("digests"))
    }

    pub(super) fn decoded(&self) -> Option<PathBuf> {
        Some(self.kept.as_ref()?.join("decoded"))
    }

    /// Keeps digests of files and decoded images in this folder.
    pub fn with_kept(mut self, folder: impl Into<PathBuf>) -> Self {
        self.kept = Some(folder.into());
        self
    }

    /// Tries this address or folder, with NAME/FILE below it, before the public mirrors.
    pub fn with_mirror(mut self, mirror: impl Into<String>) -> Self {
        self.mirror = Some(mirror.into());
        self
    }

    pub(super) fn mirror(&self) -> Option<&str> {
        self.mirror.as_deref()
    }

    /// The folders that may hold a dataset, in the order of looking.
    pub fn candidates(&self, dataset: &Dataset) -> Vec<PathBuf> {
        let below = |root: &PathBuf| {
            let names = [dataset.folder].into_iter().chain(dataset.aliases.to_vec());
            names.map(|name| root.join(name)).collect::<Vec<_>>()
        };
        self.roots
            .iter()
            .chain(&self.system)
            .flat_map(below)
            .collect()
    }

    /// Looks for a dataset's files by name; opens none.
    pub fn find(&self, dataset: &Dataset) -> Found {
        let mut best = Found::Nowhere;
        for folder in self.candidates(dataset) {
            let missing: Vec<String> = dataset
                .files()
                .filter(|file| locate(&folder, &dataset.spellings(file)).is_none())
                .map(|file| dataset.spellings(file).swap_remove(0))
                .collect();
            if missing.is_empty() {
                return Found::Complete(folder);
            }
            if best == Found::Nowhere && missing.len() < dataset.files().count() {
                best = Found::Partial { folder, missing };
            }
        }
        best
    }

    /// The folder with all of a dataset's files, or an error that says where was looked.
    pub(super) fn require(&self, dataset: &Dataset) -> Result<PathBuf> {
        let problem = match self.find(dataset) {
            Found::Complete(folder) => return Ok(folder),
            Found::Partial { folder, missing } => Problem::new(format!(
                "dataset `{}` is incomplete: {} missing",
                dataset.name,
                match missing.as_slice() {
                    [one] => format!("`{one}` is"),
                    more => format!("{} are", list(more)),
                }
            ))
            .at_file(folder),
            Found::Nowhere => {
                let looked: Vec<String> = self
                    .candidates(dataset)
                    .iter()
                    .map(|folder| folder.display().to_string())
                    .collect();
                Problem::new(format!(
                    "dataset `{}` is not on this machine; looked in {}",
                    dataset.name,
                    list(&looked)
                ))
            }
        };
        Err(Error::data(problem.hint(format!(
            "`burnlab data fetch {}`, or {}",
            dataset.name,
            self.by_hand(dataset, &self.destination(dataset))
        ))))
    }

    /// Where fetching puts a dataset: where it lies already, or else below the home of fetched ones.
    pub(super) fn destination(&self, dataset: &Dataset) -> PathBuf {
        let ours = |folder: &Path| !self.system.iter().any(|system| folder.starts_with(system));
        match self.find(dataset) {
            Found::Complete(folder) | Found::Partial { folder, .. } if ours(&folder) => folder,
            _ => self.home.join(dataset.folder),
        }
    }

    /// `put ... in ...`, for hints.
    pub(super) fn by_hand(&self, dataset: &Dataset, folder: &Path) -> String {
        let names: Vec<String> = dataset
            .files()
            .map(|file| dataset.spellings(file).swap_remove(0))
            .collect();
        format!("put {} in `{}`", list(&names), folder.display())
    }
}

/// The folder of datasets that came with the program, if some did.
fn installed() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?.parent()?.join(INSTALLED);
    folder.is_dir().then_some(folder)
}

/// The first of some names that a folder holds as a file.
pub(super) fn locate(folder: &Path, names: &[String]) -> Option<PathBuf> {
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::registry;
    use std::fs;

    #[test]
    fn a_dataset_that_is_nowhere_says_where_it_was_looked_for_and_what_to_do() {
        let folders = Folders {
            roots: vec!["data".into(), "cache".into()],
            system: vec!["/nonexistent".into()],
            home: "cache".into(),
            mirror: None,
            kept: None,
        };
        let dataset = registry::find("mnist").unwrap();
        let folders = Folders {
            roots: folders
                .roots
                .iter()
                .map(|r| Path::new("/none").join(r))
                .collect(),
            ..folders
        };
        assert_eq!(
            folders.require(dataset).unwrap_err().to_string(),
            "error: dataset `mnist` is not on this machine; looked in `/none/data/mnist`, \
             `/none/cache/mnist` and `/nonexistent/mnist`\n  \
             hint: `burnlab data fetch mnist`, or put `train-images-idx3-ubyte.gz`, \
             `train-labels-idx1-ubyte.gz`, `t10k-images-idx3-ubyte.gz` and \
             `t10k-labels-idx1-ubyte.gz` in `cache/mnist`"
        );
    }

    #[test]
    fn a_folder_that_lacks_a_file_is_named_unless_a_later_one_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let dataset = registry::find("cifar-10").unwrap();
        let partial = dir.path().join("a/cifar-10-batches-bin");
        let complete = dir.path().join("b/cifar-10");
        for (folder, skip) in [(&partial, 1), (&complete, 0)] {
            fs::create_dir_all(folder).unwrap();
            for file in dataset.files().skip(skip) {
                fs::write(folder.join(file.name), "").unwrap();
            }
        }
        let mut folders = Folders::only(dir.path().join("a"));
        assert_eq!(
            folders.require(dataset).unwrap_err().to_string(),
            format!(
                "error: dataset `cifar-10` is incomplete: `data_batch_1.bin` is missing\n  {0}\n  \
                 hint: `burnlab data fetch cifar-10`, or put `data_batch_1.bin`, \
                 `data_batch_2.bin`, `data_batch_3.bin`, `data_batch_4.bin`, `data_batch_5.bin` \
                 and `test_batch.bin` in `{0}`",
                partial.display()
            )
        );
        folders.roots.push(dir.path().join("b"));
        assert_eq!(folders.require(dataset), Ok(complete));
    }
}
