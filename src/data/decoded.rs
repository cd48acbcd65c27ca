//! Images of large folders as they were decoded, kept for the next command.
//!
//! What is kept goes by the content of all files and by what was to be made of them. It is only ever a shortcut:
//! where it cannot be kept, or is damaged, images are decoded again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use sha2::{Digest, Sha256};

use super::digests::keep;
use super::folder::{FolderFields, checksum};
use super::format::{Part, Raw, Values};
use crate::hex::hex;
use crate::shape::ImageShape;

/// Images of which decoding takes no time to speak of.
pub(super) const FEW: usize = 1000;

/// Changes whenever the same files would be decoded to other values.
const VERSION: u32 = 1;

/// What nobody has asked for in this time is removed.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where the images of a folder are kept, whose files have this digest.
pub(super) fn place(store: &Path, fields: &FolderFields, digest: &str) -> PathBuf {
    let anywhere = FolderFields {
        path: PathBuf::new(),
        ..fields.clone()
    };
    let anywhere = serde_json::to_string(&anywhere).expect("fields are plain values");
    let name = Sha256::digest(format!("{VERSION} {digest} {anywhere}"));
    store.join(format!("{}.safetensors", hex(&name[..16])))
}

/// What is kept of a folder; none if it is not there or not sound.
pub(super) fn read(path: &Path, folder: &Path) -> Option<Raw> {
    let bytes = fs::read(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let said = header.metadata().as_ref()?;
    if *said.get("sum")? != sum(&tensors)? {
        return None;
    }
    let [_, channels, height, width] = *tensors.tensor("train.pixels").ok()?.shape() else {
        return None;
    };
    let white = said.get("white")?.parse().ok()?;
    let train = part(&tensors, "train", white)?;
    let test = part(&tensors, "test", white)?;
    let validation = part(&tensors, "validation", white)?;
    let count = [&train, &test, &validation].map(|part| part.labels.len());
    let checksum = checksum(folder, count.iter().sum(), said.get("content")?.clone());
    // Whoever is asked last stays longest.
    let _ = File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    Some(Raw {
        shape: ImageShape::new(channels, height, width),
        train,
        validation: said.contains_key("validation").then_some(validation),
        test,
        checksums: vec![checksum],
    })
}

fn part(tensors: &SafeTensors, name: &str, white: u16) -> Option<Part> {
    let pixels = tensors.tensor(&format!("{name}.pixels")).ok()?;
    let labels = tensors.tensor(&format!("{name}.labels")).ok()?;
    let labels = labels.data().as_chunks::<4>().0.iter();
    Some(Part {
        pixels: match pixels.dtype() {
            Dtype::U8 => Values::Eight(pixels.data().to_vec()),
            Dtype::U16 => {
                let pairs = pixels.data().as_chunks::<2>().0.iter();
                Values::Sixteen(pairs.map(|pair| u16::from_le_bytes(*pair)).collect(), white)
            }
            _ => return None,
        },
        labels: labels.map(|four| u32::from_le_bytes(*four)).collect(),
    })
}

/// The SHA-256 of the tensors' content.
fn sum(tensors: &SafeTensors) -> Option<String> {
    let mut names = tensors.names();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(tensors.tensor(name).ok()?.data());
    }
    Some(hex(&hash.finalize()))
}

/// Keeps the images of a folder, as far as it can be done, and removes what is not used any more.
pub(super) fn write(path: &Path, raw: &Raw) {
    if let Some(store) = path.parent() {
        remove_unused(store);
    }
    if let Some(bytes) = bytes(raw) {
        keep(path, &bytes);
    }
}

fn bytes(raw: &Raw) -> Option<Vec<u8>> {
    let none = Part {
        pixels: match raw.train.pixels {
            Values::Eight(_) => Values::Eight(Vec::new()),
            Values::Sixteen(_, white) => Values::Sixteen(Vec::new(), white),
        },
        labels: Vec::new(),
    };
    let parts = [
        ("test", &raw.test),
        ("train", &raw.train),
        ("validation", raw.validation.as_ref().unwrap_or(&none)),
    ];
    let mut white = u16::from(u8::MAX);
    let (mut data, mut hash) = (Vec::new(), Sha256::new());
    for (name, part) in parts {
        let labels: Vec<u8> = part.labels.iter().flat_map(|l| l.to_le_bytes()).collect();
        let (dtype, pixels) = match &part.pixels {
            Values::Eight(values) => (Dtype::U8, Cow::from(values)),
            Values::Sixteen(values, of) => {
                white = *of;
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (Dtype::U16, Cow::from(bytes))
            }
        };
        // In the order of the tensors' names.
        hash.update(&labels);
        hash.update(&pixels);
        let ImageShape {
            channels,
            height,
            width,
        } = raw.shape;
        let count = part.labels.len();
        data.push((
            format!("{name}.labels"),
            Dtype::U32,
            vec![count],
            Cow::from(labels),
        ));
        let shape = vec![count, channels, height, width];
        data.push((format!("{name}.pixels"), dtype, shape, pixels));
    }
    let mut said = HashMap::from([
        ("sum".to_string(), hex(&hash.finalize())),
        ("white".to_string(), white.to_string()),
        ("content".to_string(), raw.checksums.first()?.sha256.clone()),
    ]);
    if raw.validation.is_some() {
        said.insert("validation".to_string(), String::new());
    }
    let views = data.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).ok();
        view.map(|view| (name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Option<_>>()?;
    serialize(views, Some(said)).ok()
}

fn remove_unused(store: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let used = entry.metadata().and_then(|data| data.modified());
        if used.is_ok_and(|used| used < now - UNUSED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(values: fn(Vec<u8>) -> Values, with_validation: bool) -> Raw {
        let part = |from: u8, count: u8| Part {
            pixels: values((from..from + 2 * count).collect()),
            labels: (0..u32::from(count)).collect(),
        };
        Raw {
            shape: ImageShape::new(1, 2, 1),
            train: part(0, 5),
            validation: with_validation.then(|| part(100, 2)),
            test: part(200, 3),
            checksums: vec![checksum(
                Path::new("pets"),
                if with_validation { 10 } else { 8 },
                "abc".to_string(),
            )],
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("decoded/a.safetensors");
        let sixteen = |bytes: Vec<u8>| {
            let deep = bytes.into_iter().map(|byte| 16 * u16::from(byte));
            Values::Sixteen(deep.collect(), 4095)
        };
        for raw in [
            raw(Values::Eight, true),
            raw(Values::Eight, false),
            raw(sixteen, true),
        ] {
            write(&path, &raw);
            assert_eq!(read(&path, Path::new("pets")), Some(raw));
        }
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path, Path::new("pets")), None);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(read(&path, Path::new("pets")), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&path, Path::new("pets")), None);
    }

    #[test]
    fn what_nobody_asked_for_lately_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old.safetensors");
        fs::write(&old, "").unwrap();
        let file = File::options().write(true).open(&old).unwrap();
        file.set_modified(SystemTime::now() - 2 * UNUSED).unwrap();
        let new = dir.path().join("new.safetensors");
        write(&new, &raw(Values::Eight, false));
        assert!(new.exists() && !old.exists());
    }

    #[test]
    fn content_and_form_tell_what_is_kept_apart_and_the_folder_does_not() {
        let place = |path: &str, size, digest| {
            let mut fields = FolderFields::at(path);
            fields.form.size = size;
            super::place(Path::new(""), &fields, digest)
        };
        let one = place("a", None, "1");
        assert_eq!(one, place("b", None, "1"));
        assert_ne!(one, place("a", Some([8, 8]), "1"));
        assert_ne!(one, place("a", None, "2"));
    }
}
