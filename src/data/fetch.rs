//! Brings named datasets onto this machine and checks that what is there is right.
//!
//! A file counts by the sha256 of its unpacked content. It is written beside its place and renamed only
//! when it is right, so that a broken download leaves nothing behind that looks whole.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::content::{identity_of, sha256_raw};
use super::dataset::{Archive, Dataset, File, Sum, sha256_text};
use super::folders::{Folders, Found, locate};
use super::registry::DATASETS;
use crate::error::{Error, Kind, Problem, Result, io_reason, list};

/// How a file of a named dataset stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Name of the dataset.
    pub dataset: &'static str,
    /// Name of the unpacked content.
    pub name: &'static str,
    /// Where it lies, if it is there.
    pub path: Option<PathBuf>,
    /// Whether it is there and right.
    pub state: FileStatus,
}

/// See [`FileState`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStatus {
    /// There, with the published checksum.
    Right,
    /// There, as long as the published one, of which no checksum is published.
    RightSize,
    /// Not there.
    Missing,
    /// Holds something else.
    Wrong {
        /// Sum or size of what is there, as [`File::identity`] says it.
        found: String,
        /// Of the published one.
        expected: String,
    },
    /// Why it cannot be read or unpacked.
    Unreadable(String),
}

impl FileStatus {
    /// Whether nothing tells it from the published one.
    fn is_right(&self) -> bool {
        matches!(self, FileStatus::Right | FileStatus::RightSize)
    }
}

/// What fetching did about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Where it lies now.
    pub path: PathBuf,
    /// The address it came from; none if it was there already and right.
    pub from: Option<String>,
}

/// The state of every file, in the folder where the dataset is found.
pub fn verify(dataset: &Dataset, folders: &Folders) -> Result<Vec<FileState>> {
    let folder = match folders.find(dataset) {
        Found::Complete(folder) | Found::Partial { folder, .. } => folder,
        Found::Nowhere => folders.require(dataset)?,
    };
    let state = |file| state_of(dataset, file, &folder);
    Ok(dataset.files().map(state).collect())
}

fn state_of(dataset: &Dataset, file: &'static File, folder: &Path) -> FileState {
    let path = locate(folder, &dataset.spellings(file));
    let expected = file.identity();
    let state = match path.as_deref().map(|path| identity_of(file, path)) {
        None => FileStatus::Missing,
        Some(Ok(found)) if found == expected => match file.sum {
            Sum::Content(_) | Sum::Packed(_) => FileStatus::Right,
            Sum::Unpublished => FileStatus::RightSize,
        },
        Some(Ok(found)) => FileStatus::Wrong { found, expected },
        Some(Err(error)) => FileStatus::Unreadable(io_reason(&error)),
    };
    FileState {
        dataset: dataset.name,
        name: file.name,
        path,
        state,
    }
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
        let (part, from) = self.download(&name, most_bytes(file), &right)?;
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
    ) -> Result<(Part, String), Failure> {
        let mut tried = Vec::new();
        for source in &self.sources {
            let address = format!("{source}/{name}");
            let part = Part::beside(&self.folder.join(name));
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

fn mismatch(file: &File, found: &str) -> String {
    let what = match file.sum {
        Sum::Content(_) | Sum::Unpublished => "its content",
        Sum::Packed(_) => "it",
    };
    format!("{what} has {found}, expected {}", file.identity())
}

/// A file on its way, removed unless it is kept.
struct Part {
    path: PathBuf,
}

impl Part {
    fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Part { path: name.into() }
    }

    /// The process that writes it.
    fn writer(path: &Path) -> Option<u32> {
        let name = path.file_name()?.to_str()?;
        let (_, writer) = name.strip_suffix(".part")?.rsplit_once('.')?;
        writer.parse().ok()
    }

    fn keep_as(self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(|error| Error::io(Kind::Data, "write", path, &error))
    }
}

/// Removes what killed processes left of files on their way. Whether a process lives is known on Linux; elsewhere
/// nothing is removed.
fn remove_left_parts(folder: &Path) {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return;
    }
    for path in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = path.path();
        let is_left = |writer: u32| !processes.join(writer.to_string()).exists();
        if Part::writer(&path).is_some_and(is_left) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It is not there after a rename, or if it was never made.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes what an address holds to a file: inside, why the source failed; outside, why this machine did.
fn transfer(
    address: &str,
    to: &Path,
    most: u64,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Result<(), String>> {
    let cannot = |error| Error::io(Kind::Data, "write", to, &error);
    let (mut reader, total) = match open(address) {
        Ok(opened) => opened,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut file = fs::File::create(to).map_err(cannot)?;
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => return Ok(Err(io_reason(&error))),
        };
        done += length as u64;
        if done > most {
            return Ok(Err(format!(
                "sends more than the {most} bytes expected at most"
            )));
        }
        file.write_all(&buffer[..length]).map_err(cannot)?;
        progress(done, total);
    }
    file.sync_all().map_err(cannot)?;
    Ok(Ok(()))
}

/// A reader of what an address or path holds, and its length where that is said.
fn open(address: &str) -> Result<(Box<dyn Read>, Option<u64>), String> {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        let path = address.strip_prefix("file://").unwrap_or(address);
        let file = fs::File::open(path).map_err(|error| io_reason(&error))?;
        let length = file.metadata().map(|data| data.len()).ok();
        return Ok((Box::new(file), length));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(Duration::from_secs(10)))
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into();
    let response = agent.get(address).call().map_err(|error| reason(&error))?;
    let body = response.into_body();
    let length = body.content_length();
    let reader = body.into_with_config().limit(u64::MAX).reader();
    Ok((Box::new(reader), length))
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("the server answers {code}"),
        ureq::Error::HostNotFound => "no such host".to_string(),
        ureq::Error::Timeout(_) => "no answer in time".to_string(),
        ureq::Error::Io(error) => io_reason(error),
        other => other.to_string(),
    }
}

/// Takes the wanted files out of a tar.gz or zip archive, wherever in it they lie. `target` says which of them a path is,
/// and where it goes to.
fn unpack<'a>(
    archive: &Archive,
    packed: &Path,
    wanted: &[&'a File],
    target: &dyn Fn(&Path) -> Option<(&'a File, PathBuf)>,
) -> Result<Vec<PathBuf>> {
    let cannot = |error: io::Error| Error::io(Kind::Data, "unpack", packed, &error);
    let mut unpacked: Vec<(&str, PathBuf)> = Vec::new();
    let mut take = |path: &Path, content: &mut dyn Read| {
        let Some((file, to)) = target(path) else {
            return Ok(());
        };
        write_checked(file, content, &to, &cannot)?;
        unpacked.push((file.name, to));
        Ok(())
    };
    let file = fs::File::open(packed).map_err(cannot)?;
    match archive.name.ends_with(".zip") {
        true => {
            let mut archive = zip::ZipArchive::new(io::BufReader::new(file))
                .map_err(|error| cannot(error.into()))?;
            for at in 0..archive.len() {
                let mut entry = archive.by_index(at).map_err(|error| cannot(error.into()))?;
                if let Some(path) = entry.enclosed_name() {
                    take(&path, &mut entry)?;
                }
            }
        }
        false => {
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in archive.entries().map_err(cannot)? {
                let mut entry = entry.map_err(cannot)?;
                let path = entry.path().map_err(cannot)?.into_owned();
                take(&path, &mut entry)?;
            }
        }
    }
    let is_there = |name: &str| unpacked.iter().any(|(unpacked, _)| *unpacked == name);
    let names = wanted.iter().map(|file| file.name);
    let missing: Vec<&str> = names.filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(unpacked.into_iter().map(|(_, path)| path).collect());
    }
    let message = format!("the archive lacks {}", list(&missing));
    Err(Error::data(Problem::new(message).at_file(packed)))
}

/// Writes a file of an archive, which must be the published one. `cannot` is told why the archive cannot be read.
fn write_checked(
    file: &File,
    content: &mut dyn Read,
    to: &Path,
    cannot: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    let part = Part::beside(to);
    let write = |error| Error::io(Kind::Data, "write", to, &error);
    let mut target = fs::File::create(&part.path).map_err(write)?;
    io::copy(&mut content.take(most_bytes(file)), &mut target).map_err(cannot)?;
    target.sync_all().map_err(write)?;
    let found = identity_of(file, &part.path).map_err(write)?;
    if found != file.identity() {
        let says = mismatch(file, &found);
        return Err(super::content::damage(
            to,
            format!("came out wrong: {says}"),
        ));
    }
    part.keep_as(to)
}

/// Bytes of a file, packed or not, at most: packing never makes it much larger than it is.
fn most_bytes(file: &File) -> u64 {
    file.bytes + (file.bytes >> 4) + 4096
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Layout;
    use crate::shape::ImageShape;
    use std::collections::HashMap;
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

    #[cfg(target_os = "linux")]
    #[test]
    fn parts_that_killed_processes_left_are_removed_and_those_of_living_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        // The largest number of a process on Linux is 2^22.
        let left = dir.path().join("hello.bin.9999999.part");
        let others = [
            format!("hello.bin.{}.part", std::process::id()),
            "hello.bin.9999999".to_string(),
            "mine.part".to_string(),
        ];
        let others = others.map(|name| dir.path().join(name));
        for path in others.iter().chain([&left]) {
            fs::write(path, "").unwrap();
        }
        remove_left_parts(dir.path());
        assert!(!left.exists());
        assert!(others.iter().all(|path| path.exists()));
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
