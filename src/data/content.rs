//! Files as streams of bytes, plain or gzip, hashed as they are read.
//!
//! Whether a file is packed is read from its first bytes, not from its name. Offsets count bytes of
//! the unpacked content.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::dataset::{File as Published, Sum, sha256_text, size_text};
use crate::error::{Error, Kind, Problem, Result, io_reason, thousands};
use crate::hex::hex;

/// The first bytes of every gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes that one of a gzip file can hold: two bits of DEFLATE repeat up to 258 bytes (RFC 1951, section 3.2.5).
const MOST_PACKED: u64 = 4 * 258;

/// Bytes that are read, then hashed, at a time.
const PART: u64 = 1 << 18;

/// What a file should hold, for errors: a header, then equal items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub header: u64,
    /// `image`, `label`.
    pub noun: &'static str,
    pub size: u64,
    pub count: u64,
}

impl Extent {
    /// Bytes in all; `None` if no machine could hold them.
    pub fn total(&self) -> Option<u64> {
        let items = self.size.checked_mul(self.count)?;
        self.header.checked_add(items)
    }

    /// ` at byte 1,234 of 47,040,016 (image 2 of 60,000)`.
    fn place(&self, at: u64) -> String {
        let number = |value: u64| thousands(usize::try_from(value).unwrap_or(usize::MAX));
        let item = if at < self.header {
            "in its header".to_string()
        } else {
            let index = ((at - self.header) / self.size.max(1) + 1).min(self.count);
            format!("{} {} of {}", self.noun, number(index), number(self.count))
        };
        let total = self.total().unwrap_or(u64::MAX);
        format!("at byte {} of {} ({item})", number(at), number(total))
    }
}

/// The SHA-256 of a file that was read to its end, in hexadecimal.
pub(super) struct Sums {
    /// Of the unpacked content.
    pub content: String,
    /// Of the file itself, where it is packed.
    pub packed: Option<String>,
}

/// The rest of a file, whose bytes are hashed as they are read.
struct Hashed {
    file: File,
    hash: Rc<RefCell<Sha256>>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hash.borrow_mut().update(&buffer[..length]);
        Ok(length)
    }
}

/// A file being read.
pub(super) struct Stream {
    path: PathBuf,
    reader: Box<dyn Read>,
    hash: Sha256,
    /// Of the file itself, where it is packed.
    packed: Option<Rc<RefCell<Sha256>>>,
    at: u64,
    /// Bytes that the file can hold, unpacked.
    most: u64,
}

impl Stream {
    pub fn open(path: &Path) -> Result<Self> {
        Stream::start(path).map_err(|error| Error::io(Kind::Data, "read", path, &error))
    }

    fn start(path: &Path) -> io::Result<Self> {
        let mut start = [0; 2];
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let length = read_most(&mut file, &mut start)?;
        let is_packed = start == GZIP;
        let hash = Rc::new(RefCell::new(Sha256::new_with_prefix(&start[..length])));
        let start = io::Cursor::new(start[..length].to_vec());
        let reader: Box<dyn Read> = match is_packed {
            true => {
                let hash = Rc::clone(&hash);
                let rest = BufReader::with_capacity(1 << 16, Hashed { file, hash });
                Box::new(MultiGzDecoder::new(start.chain(rest)))
            }
            false => Box::new(start.chain(BufReader::with_capacity(1 << 16, file))),
        };
        Ok(Stream {
            path: path.to_path_buf(),
            reader,
            most: match is_packed {
                true => size.saturating_mul(MOST_PACKED),
                false => size,
            },
            hash: Sha256::new(),
            packed: is_packed.then_some(hash),
            at: 0,
        })
    }

    /// The next `count` bytes; an error that names the place if the file ends or breaks before.
    pub fn take(&mut self, count: u64, extent: &Extent) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // Room that grows would be written twice; what a damaged header claims is not believed.
        let _ = bytes.try_reserve_exact(usize::try_from(count.min(self.most)).unwrap_or(0));
        let read = self.read(count, &mut bytes);
        self.at += bytes.len() as u64;
        match read {
            Ok(()) if bytes.len() as u64 == count => Ok(bytes),
            Ok(()) => Err(self.damage(format!("ends {}", extent.place(self.at)))),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    Err(self.damage(format!("ends {}", extent.place(self.at))))
                }
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    Err(self.damage(format!(
                        "is corrupt {}: {}",
                        extent.place(self.at),
                        io_reason(&error)
                    )))
                }
                _ => Err(Error::io(Kind::Data, "read", &self.path, &error)),
            },
        }
    }

    /// Appends the next `count` bytes, or all if there are fewer, and hashes them while they are in the cache.
    fn read(&mut self, count: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = count;
        while rest > 0 {
            let (start, part) = (bytes.len(), rest.min(PART));
            let read = (&mut self.reader).take(part).read_to_end(bytes);
            self.hash.update(&bytes[start..]);
            if (read? as u64) < part {
                break;
            }
            rest -= part;
        }
        Ok(())
    }

    /// The first `count` bytes, or all if there are fewer; the stream is used up.
    pub fn start_of(mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        let length = read_most(&mut self.reader, &mut bytes)
            .map_err(|error| Error::io(Kind::Data, "read", &self.path, &error))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Bytes that were taken.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Sees that nothing follows; what the content and a packed file hash to.
    pub fn finish(mut self) -> Result<Sums> {
        match read_most(&mut self.reader, &mut [0]) {
            // A gzip file's end is seen where no other one follows: it was read to the last byte.
            Ok(0) => Ok(Sums {
                content: hex(&self.hash.finalize()),
                packed: self.packed.map(|hash| hex(&hash.take().finalize())),
            }),
            Ok(_) => Err(self.damage(format!(
                "goes on after byte {}, where its header says it ends",
                thousands(usize::try_from(self.at).unwrap_or(usize::MAX))
            ))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damage("ends within its gzip checksum"))
            }
            Err(error) => Err(self.damage(format!("is corrupt: {}", io_reason(&error)))),
        }
    }

    /// An error about this file: its name, then what is said.
    pub fn damage(&self, says: impl AsRef<str>) -> Error {
        damage(&self.path, says)
    }
}

/// An error about a file: its name, then what is said.
pub(super) fn damage(path: &Path, says: impl AsRef<str>) -> Error {
    let message = format!("`{}` {}", file_name(path), says.as_ref());
    Error::data(Problem::new(message).at_file(path))
}

/// The last part of a path, to be read by people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// What tells whether a file on disk is the published one, as [`Published::identity`] says it; little more is read than
/// that may hold.
pub(super) fn identity_of(file: &Published, path: &Path) -> io::Result<String> {
    Ok(match file.sum {
        Sum::Content(_) => sha256_text(&sha256(path, file.bytes)?.0),
        Sum::Packed(_) => sha256_text(&sha256_raw(File::open(path)?)?),
        Sum::Unpublished => size_text(sha256(path, file.bytes)?.1),
    })
}

/// sha256 and length of a file's unpacked content, of which at most `most` bytes (and one more) are read.
fn sha256(path: &Path, most: u64) -> io::Result<(String, u64)> {
    let mut stream = Stream::start(path)?;
    let mut buffer = vec![0; 1 << 16];
    let mut rest = most.saturating_add(1);
    while rest > 0 {
        let room = buffer
            .len()
            .min(usize::try_from(rest).unwrap_or(usize::MAX));
        match stream.reader.read(&mut buffer[..room])? {
            0 => break,
            length => {
                stream.hash.update(&buffer[..length]);
                stream.at += length as u64;
                rest -= length as u64;
            }
        }
    }
    Ok((hex(&stream.hash.finalize()), stream.at))
}

/// sha256 of bytes as they are, read to the end.
pub(super) fn sha256_raw(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Fills a buffer as far as the reader goes.
fn read_most(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
