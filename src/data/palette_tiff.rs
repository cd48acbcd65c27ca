//! TIFF files whose pixels are numbers of colors in a palette (TIFF 6.0, section 5), which `image` does not read.
//!
//! Nor does `tiff`: said to be gray, such a file gives it the numbers, however they are packed.

use std::io::{Cursor, Read, Seek, SeekFrom};

use image::error::{DecodingError, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{ByteOrder, PhotometricInterpretation, Tag};

/// A TIFF file of which the header and the palette were read.
pub(super) struct PaletteTiff {
    decoder: Decoder<Cursor<Vec<u8>>>,
    size: (u32, u32),
    /// Bits of a pixel: 1, 2, 4 or 8.
    bits: usize,
    /// Red, green and blue of each number.
    colors: Vec<[u8; 3]>,
}

impl PaletteTiff {
    /// Reads the header and the palette of a file; none of any other file, which is left at its start.
    ///
    /// # Errors
    /// The file cannot be read, or the palette is not one of 8 bits a pixel at most.
    pub(super) fn find<R: Read + Seek>(source: &mut R) -> ImageResult<Option<Self>> {
        let found = gray_file(source)?;
        source.rewind()?;
        let Some(file) = found else {
            return Ok(None);
        };
        let mut decoder = Decoder::new(Cursor::new(file)).map_err(damaged)?;
        let size = decoder.dimensions().map_err(damaged)?;
        let bits: Vec<usize> = unsigned(&mut decoder, Tag::BitsPerSample)?;
        let bits = match bits.as_slice() {
            [] => 1,
            [bits @ (1 | 2 | 4 | 8)] => *bits,
            other => {
                let bits: Vec<String> = other.iter().map(usize::to_string).collect();
                let message = format!(
                    "of a palette for pixels of {} bits: convert the image to 8 bits a pixel or to RGB",
                    bits.join(" and ")
                );
                let kind = UnsupportedErrorKind::GenericFeature(message);
                let error = UnsupportedError::from_format_and_kind(ImageFormat::Tiff.into(), kind);
                return Err(ImageError::Unsupported(error));
            }
        };
        let parts: Vec<u16> = unsigned(&mut decoder, Tag::ColorMap)?;
        let all = 1 << bits;
        if parts.len() != 3 * all {
            let message = format!(
                "a palette of {} numbers where {} belong",
                parts.len(),
                3 * all
            );
            return Err(damaged(message));
        }
        // All reds, then all greens, then all blues, of 16 bits.
        let color = |at: usize| [0, 1, 2].map(|part| (parts[part * all + at] >> 8) as u8);
        let colors = (0..all).map(color).collect();
        Ok(Some(PaletteTiff {
            decoder,
            size,
            bits,
            colors,
        }))
    }
}

/// The bytes of a TIFF file with a palette, which now says that it is gray.
fn gray_file<R: Read + Seek>(source: &mut R) -> ImageResult<Option<Vec<u8>>> {
    let mut start = [0; 4];
    source.rewind()?;
    // `image` says what is wrong with a file that is shorter, or cannot be understood.
    if source.read_exact(&mut start).is_err() || !matches!(&start[..2], b"II" | b"MM") {
        return Ok(None);
    }
    source.rewind()?;
    let Ok(mut decoder) = Decoder::new(&mut *source) else {
        return Ok(None);
    };
    let interpretation = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation);
    let palette = PhotometricInterpretation::RGBPalette.to_u16();
    if !matches!(interpretation, Ok(Some(found)) if found == palette) {
        return Ok(None);
    }
    let (order, directory) = (decoder.byte_order(), decoder.ifd_pointer());
    let mut file = Vec::new();
    source.seek(SeekFrom::Start(0))?;
    source.read_to_end(&mut file)?;
    let directory = directory.and_then(|at| usize::try_from(at.0).ok());
    let changed = directory.and_then(|at| call_gray(&mut file, at, order));
    Ok(changed.map(|()| file))
}

/// Replaces the photometric interpretation in a directory of a TIFF or BigTIFF file.
fn call_gray(file: &mut [u8], directory: usize, order: ByteOrder) -> Option<()> {
    let number = |bytes: &[u8]| {
        let digit = |number: usize, byte: &u8| number.saturating_mul(256) + usize::from(*byte);
        match order {
            ByteOrder::LittleEndian => bytes.iter().rev().fold(0, digit),
            ByteOrder::BigEndian => bytes.iter().fold(0, digit),
        }
    };
    let is_big = number(file.get(2..4)?) == 43;
    // Bytes of the number of entries, of an entry, and before an entry's value.
    let (count, entry, value) = if is_big { (8, 20, 12) } else { (2, 12, 8) };
    let entries = file.get_mut(directory..)?;
    let (length, entries) = entries.split_at_mut_checked(count)?;
    let mut entries = entries.chunks_exact_mut(entry).take(number(length));
    let tag = usize::from(Tag::PhotometricInterpretation.to_u16());
    let found = entries.find(|entry| number(&entry[..2]) == tag)?;
    let palette = PhotometricInterpretation::RGBPalette.to_u16() as u8;
    let gray = PhotometricInterpretation::BlackIsZero.to_u16() as u8;
    // Its one byte that is not 0, wherever that lies by the order of bytes.
    *found[value..].iter_mut().find(|byte| **byte == palette)? = gray;
    Some(())
}

/// The numbers of a tag; none if it is not there.
fn unsigned<T: TryFrom<u64>>(
    decoder: &mut Decoder<Cursor<Vec<u8>>>,
    tag: Tag,
) -> ImageResult<Vec<T>> {
    let found = decoder.find_tag_unsigned_vec(tag).map_err(damaged)?;
    Ok(found.unwrap_or_default())
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ImageError {
    let error = error.into();
    match error.downcast::<TiffError>().map(|error| *error) {
        Ok(TiffError::IoError(error)) => ImageError::IoError(error),
        Ok(error) => ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), error)),
        Err(error) => ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), error)),
    }
}

impl ImageDecoder for PaletteTiff {
    fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    fn color_type(&self) -> ColorType {
        ColorType::Rgb8
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let found: Vec<u8> = unsigned(&mut self.decoder, Tag::Orientation)?;
        let orientation = found.first().and_then(|&exif| Orientation::from_exif(exif));
        Ok(orientation.unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(mut self, pixels: &mut [u8]) -> ImageResult<()> {
        let DecodingResult::U8(packed) = self.decoder.read_image().map_err(damaged)? else {
            return Err(damaged("values that are no numbers of colors"));
        };
        let width = self.size.0 as usize;
        // A row begins with a byte of its own; its first pixel has the highest bits.
        let rows = packed.chunks_exact((width * self.bits).div_ceil(8).max(1));
        for (row, pixels) in rows.zip(pixels.chunks_exact_mut((3 * width).max(1))) {
            for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                let first = at * self.bits;
                let above = 8 - self.bits - first % 8;
                let number = usize::from(row[first / 8] >> above) & (self.colors.len() - 1);
                pixel.copy_from_slice(&self.colors[number]);
            }
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pixels::decode;

    /// 13x9 pixels of 4 bits, its numbers the highest byte first.
    fn file() -> Vec<u8> {
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/images/files");
        std::fs::read(format!("{files}/palette-4.tif")).unwrap()
    }

    #[test]
    fn a_palette_for_deep_pixels_is_refused() {
        let mut deep = file();
        // The third entry of the directory says how many bits a pixel has.
        assert_eq!(deep[34..36], 258u16.to_be_bytes());
        deep[43] = 16;
        assert_eq!(
            decode(&deep).unwrap_err().to_string(),
            "The decoder for Tiff does not support the format features of a palette for pixels of 16 bits: \
             convert the image to 8 bits a pixel or to RGB"
        );
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_and_never_panics() {
        let file = file();
        let is_read = |file: &[u8]| decode(file).is_ok();
        assert!(is_read(&file));
        // 9 rows of 7 bytes come last.
        for length in 0..file.len() - 9 * 7 {
            assert!(!is_read(&file[..length]), "{length} bytes");
        }
        for at in 0..file.len() {
            for value in [0, 1, 255] {
                let mut changed = file.clone();
                changed[at] = value;
                is_read(&changed);
            }
        }
    }
}
