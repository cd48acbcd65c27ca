//! Codes as TensorBoard's projector reads them: tables, a sprite, and a list of what there is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::tensorboard::Picture;
use crate::error::{Error, Kind, Result};
use crate::record::{Embedding, write_atomically};

/// Writes the codes into the folder of a run, and all that are known so far into the projector's list.
pub fn write(folder: &Path, known: &mut Vec<Listed>, codes: &Embedding) -> Result<()> {
    let own = folder.join("projector");
    fs::create_dir_all(&own)
        .map_err(|error| Error::io(Kind::Data, "make the folder", &own, &error))?;
    let name = &codes.name;
    let file = |ending: &str| own.join(format!("{name}{ending}"));
    write_atomically(&file(".tsv"), table(codes).as_bytes())?;
    // One column has no header.
    let mut classes = codes.classes.join("\n");
    classes.push('\n');
    write_atomically(&file(".classes.tsv"), classes.as_bytes())?;
    let sprite = Picture {
        width: codes.sprite.width as u32,
        height: codes.sprite.height as u32,
        channels: codes.sprite.channels as u8,
        pixels: codes.sprite.pixels.clone(),
    };
    write_atomically(&file(".png"), &sprite.png()?)?;
    known.retain(|listed| listed.name != *name);
    known.push(Listed {
        name: name.clone(),
        tile: codes.tile,
    });
    let list = known.iter().map(Listed::text).collect::<String>();
    write_atomically(&folder.join("projector_config.pbtxt"), list.as_bytes())
}

/// Writes all the codes of a run into its folder.
pub fn write_embeddings(folder: &Path, all: &[Embedding]) -> Result<()> {
    let mut known = Vec::new();
    all.iter()
        .try_for_each(|codes| write(folder, &mut known, codes))
}

/// What the list says of one set of codes.
pub struct Listed {
    name: String,
    tile: [usize; 2],
}

impl Listed {
    /// Paths are below the list's folder.
    fn text(&self) -> String {
        let Listed {
            name,
            tile: [width, height],
        } = self;
        format!(
            "embeddings {{\n  \
               tensor_name: \"{name}\"\n  \
               tensor_path: \"projector/{name}.tsv\"\n  \
               metadata_path: \"projector/{name}.classes.tsv\"\n  \
               sprite {{\n    \
                 image_path: \"projector/{name}.png\"\n    \
                 single_image_dim: {width}\n    \
                 single_image_dim: {height}\n  \
               }}\n\
             }}\n"
        )
    }
}

/// A row an image, the features parted by tabs.
fn table(codes: &Embedding) -> String {
    let mut text = String::new();
    for code in codes.codes.chunks_exact(codes.features.max(1)) {
        for (index, value) in code.iter().enumerate() {
            let tab = if index == 0 { "" } else { "\t" };
            let _ = write!(text, "{tab}{value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[test]
    fn the_list_names_each_set_of_codes_once() {
        let folder = tempfile::tempdir().unwrap();
        let codes = |name: &str| Embedding {
            name: name.to_string(),
            codes: vec![1.0, 2.0, 3.5, -4.0],
            features: 2,
            classes: vec!["cat".to_string(), "dog".to_string()],
            sprite: record::Picture {
                width: 4,
                height: 6,
                channels: 1,
                pixels: vec![7; 24],
            },
            tile: [2, 3],
        };
        let mut known = Vec::new();
        for name in ["codes", "more", "codes"] {
            write(folder.path(), &mut known, &codes(name)).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("projector/codes.tsv"), "1\t2\n3.5\t-4\n");
        assert_eq!(read("projector/codes.classes.tsv"), "cat\ndog\n");
        let list = read("projector_config.pbtxt");
        assert_eq!(list.matches("embeddings {").count(), 2);
        assert!(list.contains("image_path: \"projector/more.png\"\n    single_image_dim: 2\n"));
    }
}
