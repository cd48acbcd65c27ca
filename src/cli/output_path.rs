//! What files that commands write may be called: a name that says something else is most often a slip, and may be an
//! experiment's own.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Endings that say what a file holds.
const KNOWN: &[&str] = &[
    "png",
    "jpg",
    "jpeg",
    "webp",
    "gif",
    "bmp",
    "tif",
    "tiff",
    "svg",
    "pdf",
    "csv",
    "tsv",
    "txt",
    "json",
    "jsonl",
    "toml",
    "yaml",
    "yml",
    "xml",
    "html",
    "htm",
    "md",
    "safetensors",
    "onnx",
    "pt",
    "pth",
    "ckpt",
    "bin",
    "h5",
    "hdf5",
    "keras",
    "pb",
    "tflite",
    "npy",
    "npz",
    "pkl",
    "gz",
    "py",
    "rs",
];

/// What a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// In a sentence.
    pub is: &'static str,
    /// How it may be called, the usual ending first.
    pub endings: &'static [&'static str],
}

pub const PICTURE: Written = Written {
    is: "pictures are PNG files",
    endings: &["png"],
};

pub const TABLE: Written = Written {
    is: "codes are comma-separated values",
    endings: &["csv", "txt"],
};

pub const PAGE: Written = Written {
    is: "pages are HTML files",
    endings: &["html", "htm"],
};

impl Written {
    /// The ending of a path that says it would hold something else.
    pub fn other_ending(self, path: &Path) -> Option<String> {
        let ending = path.extension()?.to_string_lossy().to_lowercase();
        let is_other = KNOWN.contains(&&*ending) && !self.endings.contains(&&*ending);
        is_other.then_some(ending)
    }

    fn checked(self, path: PathBuf) -> Result<PathBuf, String> {
        match self.other_ending(&path) {
            Some(_) => {
                let named = path.with_extension(self.endings[0]);
                Err(format!("{}: `{}`", self.is, named.display()))
            }
            None => Ok(path),
        }
    }

    /// Reads the path of such a file, or of a folder of them, from the command line.
    pub fn path(self) -> impl TypedValueParser<Value = PathBuf> {
        PathBufValueParser::new().try_map(move |path| self.checked(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_called_as_something_else() {
        for kept in ["a.png", "a.PNG", "a", "of-v1.2"] {
            assert_eq!(
                PICTURE.checked(PathBuf::from(kept)),
                Ok(PathBuf::from(kept))
            );
        }
        let refused = |what: Written, path: &str| what.checked(PathBuf::from(path)).unwrap_err();
        assert_eq!(
            refused(PICTURE, "to/a.JPG"),
            "pictures are PNG files: `to/a.png`"
        );
        assert_eq!(refused(PAGE, "a.toml"), "pages are HTML files: `a.html`");
        assert_eq!(
            refused(TABLE, "a.toml"),
            "codes are comma-separated values: `a.csv`"
        );
    }
}
