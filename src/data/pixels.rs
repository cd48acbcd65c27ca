//! An image file read: whole, or only its header.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult};

use super::ends::{is_cut_short, is_cut_short_at};
use super::palette_tiff::PaletteTiff;
use crate::shape::ImageShape;

/// How the names of files end that are read as images.
pub(super) const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif"];

/// An image that was read, turned as its EXIF data says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    pub image: DynamicImage,
    /// Whether something of it may be transparent.
    pub has_alpha: bool,
}

/// What the header of an image says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// As it is when it was turned.
    pub shape: ImageShape,
    /// Whether its values have more than 8 bits.
    pub is_deep: bool,
    /// Whether something of it may be transparent.
    pub has_alpha: bool,
    /// Whether its EXIF data says that it is to be turned or mirrored.
    pub is_turned: bool,
}

/// Reads an image; of several in a file the first.
///
/// # Errors
/// The bytes are no image of a known format, or are cut short or damaged.
pub(super) fn decode(bytes: &[u8]) -> ImageResult<Decoded> {
    let Opened {
        mut decoder,
        format,
        is_palette,
    } = open(Cursor::new(bytes))?;
    if is_cut_short(bytes) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let size = decoder.total_bytes();
    limits(size).reserve(size)?;
    if !is_palette {
        decoder = Box::new(reader(Cursor::new(bytes), size)?.into_decoder()?);
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let has_alpha = has_alpha(format, image.color(), || Ok(image.clone()))?;
    Ok(Decoded { image, has_alpha })
}

/// Reads the header of an image, if the file is there to its end.
///
/// # Errors
/// As [`decode`], as far as the header tells.
pub(super) fn header(path: &Path) -> ImageResult<Header> {
    let Opened {
        mut decoder,
        format,
        ..
    } = open(BufReader::new(File::open(path)?))?;
    if is_cut_short_at(path)? {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let orientation = decoder.orientation()?;
    let whole = || Ok(decode(&std::fs::read(path)?)?.image);
    let has_alpha = has_alpha(format, color, whole)?;
    let [height, width] = match is_on_its_side(orientation) {
        true => [width, height],
        false => [height, width],
    };
    let channels = if color.has_color() { 3 } else { 1 };
    Ok(Header {
        shape: ImageShape::new(channels, height as usize, width as usize),
        is_deep: color.bytes_per_pixel() / color.channel_count() > 1,
        has_alpha,
        is_turned: orientation != Orientation::NoTransforms,
    })
}

fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    )
}

/// Whether something may be transparent. GIF files are all read with opacity: only their pixels tell.
fn has_alpha(
    format: Option<ImageFormat>,
    color: ColorType,
    whole: impl FnOnce() -> ImageResult<DynamicImage>,
) -> ImageResult<bool> {
    Ok(match format {
        Some(ImageFormat::Gif) => whole()?
            .into_rgba8()
            .pixels()
            .any(|pixel| pixel.0[3] < u8::MAX),
        _ => color.has_alpha(),
    })
}

/// Bytes that may be taken beside those of the pixels: for color profiles and comments, of which a megabyte can
/// hold a gigabyte.
const BESIDE: u64 = 32 << 20;

/// Bytes that one image may take in all.
pub(super) const MOST: u64 = 512 << 20;

/// An image of which the header was read.
struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: Option<ImageFormat>,
    /// Whether it is a TIFF file with a palette, which is read whole already.
    is_palette: bool,
}

/// Reads the header of an image.
fn open<'a, R: BufRead + Seek + 'a>(mut source: R) -> ImageResult<Opened<'a>> {
    if let Some(palette) = PaletteTiff::find(&mut source)? {
        return Ok(Opened {
            decoder: Box::new(palette),
            format: Some(ImageFormat::Tiff),
            is_palette: true,
        });
    }
    let reader = reader(source, 0)?;
    Ok(Opened {
        format: reader.format(),
        decoder: Box::new(reader.into_decoder()?),
        is_palette: false,
    })
}

/// Reads an image whose pixels have `pixels` bytes, or only its header, within bounds of memory.
fn reader<R: BufRead + Seek>(source: R, pixels: u64) -> ImageResult<ImageReader<R>> {
    let mut reader = ImageReader::new(source).with_guessed_format()?;
    reader.limits(limits(pixels));
    Ok(reader)
}

fn limits(pixels: u64) -> image::Limits {
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(pixels.saturating_mul(2).saturating_add(BESIDE).min(MOST));
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::png::PngEncoder;
    use image::{ImageBuffer, ImageEncoder as _, Luma};

    #[test]
    fn a_profile_that_unpacks_to_more_than_it_may_is_left_out() {
        let image = ImageBuffer::from_pixel(1, 1, Luma([7u8]));
        for (size, is_read) in [(1000, true), (BESIDE as usize + 1, false)] {
            let mut file = Vec::new();
            let mut encoder = PngEncoder::new(&mut file);
            encoder.set_icc_profile(vec![0; size]).unwrap();
            image.write_with_encoder(encoder).unwrap();
            assert!(file.len() < 100_000);
            let header = reader(Cursor::new(&file), 0).unwrap();
            let profile = header.into_decoder().unwrap().icc_profile().unwrap();
            assert_eq!(profile.is_some(), is_read);
            let decoded = decode(&file).unwrap();
            assert_eq!(decoded.image.into_luma8().into_raw(), [7]);
        }
    }

    #[test]
    fn an_image_cut_short_is_refused() {
        let image = ImageBuffer::from_fn(9, 9, |x, y| Luma([(x * y) as u8]));
        let image = DynamicImage::from(image);
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::Gif,
        ] {
            let mut bytes = Cursor::new(Vec::new());
            let written = match format {
                ImageFormat::Gif => image.to_rgba8().write_to(&mut bytes, format),
                ImageFormat::WebP => image.to_rgb8().write_to(&mut bytes, format),
                _ => image.write_to(&mut bytes, format),
            };
            written.unwrap();
            let bytes = bytes.into_inner();
            assert!(decode(&bytes).is_ok(), "{format:?}");
            let half = &bytes[..bytes.len() / 2];
            assert!(decode(half).is_err(), "{format:?}");
        }
    }

    #[test]
    fn only_a_gif_of_which_something_shows_through_has_opacity() {
        let header_of = |alpha: u8| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.gif");
            let image = image::RgbaImage::from_pixel(2, 3, image::Rgba([9, 9, 9, alpha]));
            image.save(&path).unwrap();
            header(&path).unwrap()
        };
        assert!(header_of(0).has_alpha && !header_of(255).has_alpha);
        assert_eq!(header_of(255).shape, ImageShape::new(3, 3, 2));
    }
}
