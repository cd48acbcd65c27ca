//! Brings named datasets onto this machine.
//!
//! A file counts by the sha256 of its unpacked content. It is written beside its place and renamed only
//! when it is right, so that a broken download leaves nothing behind that looks whole.

mod partial_file;
mod transfer;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};

use partial_file::{PartialFile, remove_left_parts};
use transfer::transfer;
use unpack::unpack;

use super::content::{identity_of, sha256_raw};
use super::dataset::{Archive, Dataset, File, sha256_text};
use super::folders::{Folders, locate};
use super::registry::DATASETS;
use super::verify::{mismatch, state_of};
use crate::error::{Error, Kind, Problem, Result, io_reason};

/// What fetching did about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Where it lies now.
    pub path: PathBuf,
    /// The address it came from; none if it was there already and right.
    pub from: Option<String>,
}

/// Downloads what is missing or wrong; files that are right stay.
///
/// An archive brings the files of all datasets that share its folder.
///
/// They go to the dataset's folder in `destination`, or without one to where the dataset lies already, or else to the first of
/// `$BURNLAB_DATA` and the user's cache. `progress` receives the file, the bytes done, and the bytes in all
/// where the server says them.
pub fn fetch(
    dataset: &Dataset,
    folders: &Folders,
    destination: Option<&Path>,
    progress: &mut dyn FnMut(&str, u64, Option<u64>),
) -> Result<Vec<FetchedFile>> {
    let folder = match destination {
        Some(root) => root.join(dataset.folder),
        None => folders.destination(dataset),
    };
    fs::create_dir_all(&folder)
        .map_err(|error| Error::io(Kind::Data, "create", &folder, &error))?;
    remove_left_parts(&folder);
    let mut job = Job {
        dataset,
        sources: sources(dataset, folders),
        folder: &folder,
        progress,
    };
    let is_right =
        |dataset: &Dataset, file: &'static File| state_of(dataset, file, &folder).state.is_right();
    let (right, wrong): (Vec<&File>, Vec<&File>) =
        dataset.files().partition(|file| is_right(dataset, file));
    let mut done: Vec<FetchedFile> = right
        .into_iter()
        .map(|file| FetchedFile {
            path: locate(&folder, &dataset.spellings(file)).unwrap_or_default(),
            from: None,
        })
        .collect();
    done.extend(
        match &dataset.archive {
            Some(archive) if !wrong.is_empty() => {
                let others = DATASETS
                    .into_iter()
                    .filter(|other| other.folder == dataset.folder && other.name != dataset.name);
                let others =
                    others.flat_map(|other| other.files().filter(|file| !is_right(other, file)));
                job.archive(
                    archive,
                    &wrong.into_iter().chain(others).collect::<Vec<_>>(),
                )
            }
            _ => wrong.iter().map(|file| job.file(file)).collect(),
        }
        .map_err(|failure: Failure| failure.explain(dataset, folders, &folder))?,
    );
    Ok(done)
}

/// Addresses or folders that may hold the files, in the order of trying.
fn sources(dataset: &Dataset, folders: &Folders) -> Vec<String> {
    let own = folders
        .mirror()
        .map(|mirror| format!("{}/{}", mirror.trim_end_matches('/'), dataset.folder));
    let public = dataset.mirrors.iter().map(|mirror| mirror.to_string());
    own.into_iter().chain(public).collect()
}

/// Why a file could not be had.
enum Failure {
    /// Each source tried, and the result.
    Mirrors {
        name: String,
        tried: Vec<(String, String)>,
    },
    Local(Error),
}

impl Failure {
    fn explain(self, dataset: &Dataset, folders: &Folders, folder: &Path) -> Error {
        let (name, tried) = match self {
            Failure::Local(error) => return error,
            Failure::Mirrors { name, tried } => (name, tried),
        };
        let mut message = format!(
            "cannot fetch `{name}` of `{}` from any mirror",
            dataset.name
        );
        for (address, reason) in tried {
            message.push_str(&format!("\n  {address}: {reason}"));
        }
        Error::data(Problem::new(message).hint(format!(
            "{} by hand, or set `BURNLAB_MIRROR` to an address or folder with `{}/{name}` below it",
            folders.by_hand(dataset, folder),
            dataset.folder
        )))
    }
}

struct Job<'a> {
    dataset: &'a Dataset,
    sources: Vec<String>,
    folder: &'a Path,
    progress: &'a mut dyn FnMut(&str, u64, Option<u64>),
}

impl Job<'_> {
    fn file(&mut self, file: &File) -> Result<FetchedFile, Failure> {
        let name = self.dataset.spellings(file).swap_remove(0);
        let right = |path: &Path| match identity_of(file, path) {
            Ok(found) if found == file.identity() => Ok(()),
            Ok(found) => Err(mismatch(file, &found)),
            Err(error) => Err(format!(
                "what came cannot be unpacked: {}",
                io_reason(&error)
            )),
        };
        let (part, from) = self.download(&name, file.most_bytes(), &right)?;
        let path = self.folder.join(&name);
        part.keep_as(&path).map_err(Failure::Local)?;
        Ok(FetchedFile {
            path,
            from: Some(from),
        })
    }

    fn archive(
        &mut self,
        archive: &Archive,
        wanted: &[&File],
    ) -> Result<Vec<FetchedFile>, Failure> {
        let right = |path: &Path| match fs::File::open(path).and_then(sha256_raw) {
            Ok(found) if found == archive.sha256 => Ok(()),
            Ok(found) => Err(format!(
                "it has {}, expected {}",
                sha256_text(&found),
                sha256_text(archive.sha256)
            )),
            Err(error) => Err(io_reason(&error)),
        };
        let (packed, from) = self.download(archive.name, archive.bytes, &right)?;
        let target = |path: &Path| {
            let is_meant = |name: &String| path.ends_with(name);
            let file = wanted.iter().find_map(|file| {
                let name = self.dataset.spellings(file).into_iter().find(is_meant)?;
                Some((*file, name))
            });
            file.map(|(file, name)| (file, self.folder.join(name)))
        };
        let unpacked = unpack(archive, &packed.path, wanted, &target).map_err(Failure::Local)?;
        let fetched = |path| FetchedFile {
            path,
            from: Some(from.clone()),
        };
        Ok(unpacked.into_iter().map(fetched).collect())
    }

    /// Tries the sources in turn until one gives what is right.
    fn download(
        &mut self,
        name: &str,
        most: u64,
        right: &dyn Fn(&Path) -> Result<(), String>,
    ) -> Result<(PartialFile, String), Failure> {
        let mut tried = Vec::new();
        for source in &self.sources {
            let address = format!("{source}/{name}");
            let part = PartialFile::beside(&self.folder.join(name));
            let mut progress = |done, total| (self.progress)(name, done, total);
            let outcome = transfer(&address, &part.path, most, &mut progress);
            match outcome
                .map_err(Failure::Local)?
                .and_then(|()| right(&part.path))
            {
                Ok(()) => return Ok((part, address)),
                Err(reason) => tried.push((address, reason)),
            }
        }
        Err(Failure::Mirrors {
            name: name.to_string(),
            tried,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{Layout, Sum};
    use crate::data::verify::{FileStatus, verify};
    use crate::shape::ImageShape;
    use std::collections::HashMap;
    use std::io::{self, Read, Write};
    use std::net::TcpListener;
    use std::thread;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    static FILES: [File; 1] = [File {
        name: "hello.bin",
        bytes: 5,
        sum: Sum::Content(HELLO),
    }];
    static PLAIN: Dataset = Dataset {
        name: "plain",
        folder: "plain",
        title: "",
        layout: Layout::Cifar,
        shape: ImageShape::new(1, 1, 1),
        samples: [1, 0],
        aliases: &[],
        train: &FILES,
        test: &[],
        archive: None,
        mirrors: &["http://127.0.0.1:1/public"],
        classes: &["a"],
        license: "",
        citation: "",
    };

    /// Serves some paths over HTTP until the test's process ends.
    fn serve(pages: Vec<(&'static str, Vec<u8>)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let pages: HashMap<_, _> = pages.into_iter().collect();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if connection.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let (status, body) = match pages.get(path) {
                    Some(body) => ("200 OK", body.as_slice()),
                    None => ("404 Not Found", b"".as_slice()),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = connection.write_all(head.as_bytes());
                let _ = connection.write_all(body);
            }
        });
        address
    }

    fn quiet(_: &str, _: u64, _: Option<u64>) {}

    #[test]
    fn a_file_is_fetched_checked_and_then_kept() {
        let dir = tempfile::tempdir().unwrap();
        let address = serve(vec![("/plain/hello.bin", b"hello".to_vec())]);
        let folders = Folders::only(dir.path()).with_mirror(&address);
        let mut reported = Vec::new();
        let mut progress = |name: &str, done, total| reported.push((name.to_string(), done, total));
        let fetched = fetch(&PLAIN, &folders, None, &mut progress).unwrap();
        assert_eq!(reported, [("hello.bin".to_string(), 5, Some(5))]);
        let path = dir.path().join("plain/hello.bin");
        let from = format!("{address}/plain/hello.bin");
        assert_eq!(
            fetched,
            [FetchedFile {
                path: path.clone(),
                from: Some(from)
            }]
        );
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        let again = fetch(&PLAIN, &folders, None, &mut quiet).unwrap();
        assert_eq!(
            again,
            [FetchedFile {
                path: path.clone(),
                from: None
            }]
        );

        fs::write(&path, "hellO").unwrap();
        let states = verify(&PLAIN, &folders).unwrap();
        let sum = |digits: &str| format!("sha256 {digits}");
        let wrong = FileStatus::Wrong {
            found: sum("04a6f55face2f46be8c23f627d539827615851e10751b63ec59db6d2c706b770"),
            expected: sum(HELLO),
        };
        assert_eq!(states[0].state, wrong);
        fetch(&PLAIN, &folders, None, &mut quiet).unwrap();
        assert_eq!(
            verify(&PLAIN, &folders).unwrap()[0].state,
            FileStatus::Right
        );
    }

    #[test]
    fn a_file_that_is_known_packed_counts_only_as_it_was_packed() {
        /// `hello`, packed by gzip.
        const PACKED: [u8; 25] = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0,
            0, 0,
        ];
        const SUM: &str = "c32587980e71266dfdd77e753c31554efcca4cbee4960aa739ee1ade5788bbd0";
        static FILES: [File; 1] = [File {
            name: "hello-idx1-ubyte",
            bytes: 5,
            sum: Sum::Packed(SUM),
        }];
        static PACKED_ONE: Dataset = Dataset {
            name: "packed",
            folder: "packed",
            layout: Layout::Idx,
            train: &FILES,
            ..PLAIN
        };
        let dir = tempfile::tempdir().unwrap();
        let pages = vec![("/packed/hello-idx1-ubyte.gz", PACKED.to_vec())];
        let folders = Folders::only(dir.path()).with_mirror(serve(pages));
        let fetched = fetch(&PACKED_ONE, &folders, None, &mut quiet).unwrap();
        assert_eq!(fs::read(&fetched[0].path).unwrap(), PACKED);
        let state = || verify(&PACKED_ONE, &folders).unwrap().remove(0).state;
        assert_eq!(state(), FileStatus::Right);
        fs::write(&fetched[0].path, "hello").unwrap();
        let wrong = FileStatus::Wrong {
            found: format!("sha256 {HELLO}"),
            expected: format!("sha256 {SUM}"),
        };
        assert_eq!(state(), wrong);
    }

    #[test]
    fn mirrors_are_tried_in_turn_and_each_failure_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let address = serve(vec![("/plain/hello.bin", b"HELLO".to_vec())]);
        let folders = Folders::only(dir.path()).with_mirror(&address);
        let folder = dir.path().join("plain");
        let says = |first: String| {
            format!(
                "error: cannot fetch `hello.bin` of `plain` from any mirror\n  \
                 {first}\n  \
                 http://127.0.0.1:1/public/hello.bin: connection refused\n  \
                 hint: put `hello.bin` in `{}` by hand, or set `BURNLAB_MIRROR` to an address or \
                 folder with `plain/hello.bin` below it",
                folder.display()
            )
        };
        assert_eq!(
            fetch(&PLAIN, &folders, None, &mut quiet)
                .unwrap_err()
                .to_string(),
            says(format!(
                "{address}/plain/hello.bin: its content has sha256 \
                 3733cd977ff8eb18b987357e22ced99f46097f31ecb239e878ae63760e83e4d5, expected sha256 {HELLO}"
            ))
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);

        let folders = Folders::only(dir.path()).with_mirror(format!("{address}/nothing"));
        assert_eq!(
            fetch(&PLAIN, &folders, None, &mut quiet)
                .unwrap_err()
                .to_string(),
            says(format!(
                "{address}/nothing/plain/hello.bin: the server answers 404"
            ))
        );
        let folders = Folders::only(dir.path()).with_mirror("/nowhere");
        assert_eq!(
            fetch(&PLAIN, &folders, None, &mut quiet)
                .unwrap_err()
                .to_string(),
            says("/nowhere/plain/hello.bin: no such file or directory".to_string())
        );
    }

    const CONTENTS: [(&str, &str); 2] = [("d/readme", "read me"), ("d/hello.bin", "hello")];

    fn tar_gz() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in CONTENTS {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        gzip.finish().unwrap()
    }

    fn zip() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in CONTENTS {
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// The dataset as one archive, which a mirror of its own holds.
    fn packed(dir: &Path, name: &'static str, bytes: &[u8]) -> (&'static Dataset, Folders) {
        let sha256 = sha256_raw(bytes).unwrap().leak();
        let mirror = dir.join("mirror");
        fs::create_dir_all(mirror.join("packed")).unwrap();
        fs::write(mirror.join("packed").join(name), bytes).unwrap();
        let dataset = Box::leak(Box::new(Dataset {
            name: "packed",
            folder: "packed",
            title: "",
            layout: Layout::Cifar,
            shape: ImageShape::new(1, 1, 1),
            samples: [1, 0],
            aliases: &[],
            train: &FILES,
            test: &[],
            archive: Some(Archive {
                name,
                bytes: bytes.len() as u64,
                sha256,
            }),
            mirrors: &[],
            classes: &["a"],
            license: "",
            citation: "",
        }));
        let folders = Folders::only(dir.join("data")).with_mirror(mirror.display().to_string());
        (dataset, folders)
    }

    #[test]
    fn an_archive_is_fetched_and_its_files_taken_out() {
        is_fetched("all.tar.gz", &tar_gz());
        is_fetched("all.zip", &zip());
    }

    fn is_fetched(name: &'static str, archive: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        let (dataset, folders) = packed(dir.path(), name, archive);
        let elsewhere = dir.path().join("elsewhere");
        fetch(dataset, &folders, Some(&elsewhere), &mut quiet).unwrap();
        let names: Vec<_> = fs::read_dir(elsewhere.join("packed"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["hello.bin"]);
        assert!(verify(dataset, &folders).is_err());
        assert_eq!(
            verify(dataset, &Folders::only(elsewhere)).unwrap()[0].state,
            FileStatus::Right
        );
    }
}
