//! Whether a PNG, JPEG or WebP file is there to its end.
//!
//! Decoders are lenient: what a file that was cut short lacks, they fill with gray. Formats: RFC 2083 for
//! PNG's chunks, ITU-T T.81 (annex B) for JPEG's markers, RFC 9649 for WebP's header.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
const JPEG: [u8; 2] = [0xff, 0xd8];
/// PNG's last chunk: no bytes, its name, its checksum.
const PNG_END: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";
const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// Whether a file lacks its end, by its last bytes; only where others follow the image is it read whole.
pub(super) fn is_cut_short_at(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = [0; 12];
    let read = file.read(&mut start)?;
    if let [b'R', b'I', b'F', b'F', ..] = start {
        return Ok(is_short_webp(&start[..read], length));
    }
    if !start.starts_with(&PNG) && !start.starts_with(&JPEG) {
        return Ok(false);
    }
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(PNG_END.len() as u64)))?;
    file.read_to_end(&mut end)?;
    if end == PNG_END || end.ends_with(&JPEG_END) {
        return Ok(false);
    }
    Ok(is_cut_short(&fs::read(path)?))
}

/// Whether the bytes of a PNG, JPEG or WebP file end before the image does; never so of other bytes.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"RIFF") {
        return is_short_webp(bytes, bytes.len() as u64);
    }
    if let Some(chunks) = bytes.strip_prefix(&PNG) {
        return png_end(chunks).is_none();
    }
    match bytes.strip_prefix(&JPEG) {
        Some(segments) => jpeg_end(segments).is_none(),
        None => false,
    }
}

/// Whether a file has fewer bytes than its header says, after that and its own eight.
fn is_short_webp(start: &[u8], length: u64) -> bool {
    let size = start.get(4..8).and_then(|size| size.first_chunk::<4>());
    let is_webp = start.get(8..12) == Some(b"WEBP");
    let says = |size: &[u8; 4]| u64::from(u32::from_le_bytes(*size)) + 8;
    is_webp && size.is_some_and(|size| length < says(size))
}

/// What follows the last chunk; `None` if it is not there.
fn png_end(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        // The content, and four bytes of checksum.
        rest = after.get(length.checked_add(4)?..)?;
        if name == b"IEND" {
            return Some(rest);
        }
    }
}

/// What follows the end of the image; `None` if it is not there.
fn jpeg_end(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        // Coded data holds no marker but restarts; 0xff in it is followed by 0.
        let at = rest.iter().position(|&byte| byte == 0xff)?;
        let marker = *rest.get(at + 1)?;
        rest = &rest[at + 1..];
        match marker {
            // Fill bytes may stand before a marker.
            0xff => {}
            0xd9 => return Some(&rest[1..]),
            0x00 | 0x01 | 0xd0..=0xd8 => rest = &rest[1..],
            // A segment gives its length, in which a thumbnail's own end may stand.
            _ => {
                let (length, _) = rest.get(1..)?.split_first_chunk::<2>()?;
                rest = rest.get(1 + usize::from(u16::from_be_bytes(*length))..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage};

    fn bytes(format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(40, 30, |x, y| {
            Rgb([
                (x * 37 % 256) as u8,
                (y * 91 % 256) as u8,
                (x * y % 256) as u8,
            ])
        });
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_file_without_its_last_byte_is_cut_short_and_one_with_more_is_not() {
        let dir = tempfile::tempdir().unwrap();
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let whole = bytes(format);
            let is_short = |bytes: &[u8]| {
                let path = dir.path().join("image");
                fs::write(&path, bytes).unwrap();
                let (here, there) = (is_cut_short(bytes), is_cut_short_at(&path).unwrap());
                assert_eq!(here, there, "{format:?}, {} bytes", bytes.len());
                here
            };
            assert!(!is_short(&whole), "{format:?}");
            for length in (12..whole.len()).step_by(7).chain([whole.len() - 1]) {
                assert!(is_short(&whole[..length]), "{format:?}, {length} bytes");
            }
            assert!(!is_short(&[&whole[..], b"a comment"].concat()));
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_that_of_the_image() {
        let whole = bytes(ImageFormat::Jpeg);
        let (start, rest) = whole.split_at(2);
        let thumbnail = [0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let file = [start, &thumbnail, rest].concat();
        assert!(!is_cut_short(&file));
        assert!(is_cut_short(&file[..file.len() - 2]));
        assert!(is_cut_short(&file[..20]));
    }
}
