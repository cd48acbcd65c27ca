//! An image file as planes of bytes, `[channels, height, width]`.

use std::io;

use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};

use super::ends::is_cut_short;
use crate::shape::ImageShape;

/// Depths that cameras and scanners write into 16 bits.
const DEPTHS: [u32; 5] = [8, 10, 12, 14, 16];

/// The values of an image, as deep as its file has them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pixels {
    /// From 0 to 255.
    Eight(Vec<u8>),
    /// From 0 to 65535, or to less: files do not say.
    Sixteen(Vec<u16>),
}

impl Pixels {
    /// From 0 to 255, of values of `bits` bits.
    pub fn eight(self, bits: u32) -> Vec<u8> {
        let values = match self {
            Pixels::Eight(values) => return values,
            Pixels::Sixteen(values) => values,
        };
        let white = (1u32 << bits) - 1;
        let byte = |value: u16| ((u32::from(value) * 255 + white / 2) / white).min(255) as u8;
        values.into_iter().map(byte).collect()
    }
}

/// The least usual number of bits that holds all values.
pub(super) fn depth<'a>(values: impl IntoIterator<Item = &'a u16>) -> u32 {
    let largest = values.into_iter().copied().max().unwrap_or(0);
    let holds = |bits: &u32| u32::from(largest) < 1 << bits;
    DEPTHS.into_iter().find(holds).unwrap_or(16)
}

/// An image that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    pub shape: ImageShape,
    pub pixels: Pixels,
    /// Whether it has transparency, and so was laid over black.
    pub is_transparent: bool,
}

/// # Errors
/// The bytes are no PNG or JPEG file, or are cut short or damaged.
pub(super) fn decode(bytes: &[u8]) -> image::ImageResult<Decoded> {
    let header = reader(io::Cursor::new(bytes), 0)?;
    if is_cut_short(bytes) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    let size = header.into_decoder()?.total_bytes();
    let image = reader(io::Cursor::new(bytes), size)?.decode()?;
    let color = image.color();
    let channels = channels(color);
    let shape = ImageShape::new(channels, image.height() as usize, image.width() as usize);
    Ok(Decoded {
        shape,
        pixels: pixels(image, channels),
        is_transparent: color.has_alpha(),
    })
}

/// Bytes that may be taken beside those of the pixels: for color profiles and comments, of which a megabyte can
/// hold a gigabyte.
const BESIDE: u64 = 32 << 20;

/// Bytes that one image may take in all.
const MOST: u64 = 512 << 20;

/// Reads an image whose pixels have `pixels` bytes, or only its header, within bounds of memory.
pub(super) fn reader<R: io::BufRead + io::Seek>(
    source: R,
    pixels: u64,
) -> image::ImageResult<ImageReader<R>> {
    let mut reader = ImageReader::new(source).with_guessed_format()?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(pixels.saturating_mul(2).saturating_add(BESIDE).min(MOST));
    reader.limits(limits);
    Ok(reader)
}

fn pixels(image: DynamicImage, channels: usize) -> Pixels {
    use DynamicImage as Image;
    let is_deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let has_alpha = image.color().has_alpha();
    match (is_deep, has_alpha) {
        (false, false) => Pixels::Eight(planes(image, channels)),
        (false, true) => {
            let values = match channels {
                1 => image.into_luma_alpha8().into_raw(),
                _ => image.into_rgba8().into_raw(),
            };
            let over_black =
                |value: u8, alpha: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
            Pixels::Eight(opaque(&values, channels, over_black))
        }
        (true, true) => {
            let values = match image {
                Image::ImageLumaA16(_) => image.into_luma_alpha16().into_raw(),
                _ => image.into_rgba16().into_raw(),
            };
            let over_black = |value: u16, alpha: u16| {
                ((u64::from(value) * u64::from(alpha) + 32767) / 65535) as u16
            };
            Pixels::Sixteen(opaque(&values, channels, over_black))
        }
        (true, false) => Pixels::Sixteen(match channels {
            1 => image.into_luma16().into_raw(),
            _ => in_planes(&image.into_rgb16().into_raw(), channels),
        }),
    }
}

/// Planes of pixels whose last value is their opacity, laid over black.
fn opaque<T: Copy>(values: &[T], channels: usize, over_black: impl Fn(T, T) -> T) -> Vec<T> {
    let pixels = values.chunks_exact(channels + 1);
    let flat = pixels.flat_map(|pixel| {
        let over_black = &over_black;
        pixel[..channels]
            .iter()
            .map(move |&value| over_black(value, pixel[channels]))
    });
    in_planes(&flat.collect::<Vec<T>>(), channels)
}

fn in_planes<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
    (0..channels)
        .flat_map(|channel| values.iter().skip(channel).step_by(channels).copied())
        .collect()
}

/// An image of 8 bits without transparency.
pub(super) fn planes(image: DynamicImage, channels: usize) -> Vec<u8> {
    match channels {
        1 => image.into_luma8().into_raw(),
        _ => in_planes(&image.into_rgb8().into_raw(), channels),
    }
}

/// 1 for gray, 3 for color; transparency is no channel.
pub(super) fn channels(color: ColorType) -> usize {
    if color.has_color() { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::png::PngEncoder;
    use image::{ImageBuffer, ImageEncoder as _, ImageFormat, Luma, LumaA, Rgb, Rgba};

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_profile_that_unpacks_to_more_than_it_may_is_left_out() {
        let image = ImageBuffer::from_pixel(1, 1, Luma([7u8]));
        for (size, is_read) in [(1000, true), (BESIDE as usize + 1, false)] {
            let mut file = Vec::new();
            let mut encoder = PngEncoder::new(&mut file);
            encoder.set_icc_profile(vec![0; size]).unwrap();
            image.write_with_encoder(encoder).unwrap();
            assert!(file.len() < 100_000);
            let header = reader(io::Cursor::new(&file), 0).unwrap();
            let profile = header.into_decoder().unwrap().icc_profile().unwrap();
            assert_eq!(profile.is_some(), is_read);
            assert_eq!(decode(&file).unwrap().pixels, Pixels::Eight(vec![7]));
        }
    }

    #[test]
    fn values_of_16_bits_are_scaled_by_their_depth() {
        let image = ImageBuffer::from_fn(4, 1, |x, _| Luma([[0u16, 1000, 1100, 4095][x as usize]]));
        let image = decode(&png(image)).unwrap();
        let Pixels::Sixteen(values) = &image.pixels else {
            panic!("{image:?}");
        };
        assert_eq!(depth(values), 12);
        assert_eq!(image.pixels.eight(12), [0, 62, 68, 255]);
        for (largest, bits) in [
            (0, 8),
            (255, 8),
            (256, 10),
            (4096, 14),
            (16384, 16),
            (65535, 16),
        ] {
            assert_eq!(depth(&[0, largest]), bits, "{largest}");
        }
        let white = Pixels::Sixteen(vec![65535, 0, 32768]);
        assert_eq!(white.eight(16), [255, 0, 128]);
        let colors = ImageBuffer::from_fn(2, 1, |x, _| Rgb([x as u16, 256, 512 + x as u16]));
        let image = decode(&png(colors)).unwrap();
        assert_eq!(
            image.pixels,
            Pixels::Sixteen(vec![0, 1, 256, 256, 512, 513])
        );
    }

    #[test]
    fn what_is_transparent_is_laid_over_black() {
        let image =
            ImageBuffer::from_fn(2, 1, |x, _| Rgba([200u8, 100, 50, [255, 51][x as usize]]));
        let image = decode(&png(image)).unwrap();
        assert!(image.is_transparent);
        assert_eq!(image.pixels, Pixels::Eight(vec![200, 40, 100, 20, 50, 10]));
        let image = ImageBuffer::from_fn(2, 1, |x, _| LumaA([60000u16, [65535, 0][x as usize]]));
        let image = decode(&png(image)).unwrap();
        assert_eq!(image.shape, ImageShape::new(1, 1, 2));
        assert_eq!(image.pixels, Pixels::Sixteen(vec![60000, 0]));
    }

    #[test]
    fn an_image_cut_short_is_refused() {
        let image = ImageBuffer::from_fn(9, 9, |x, y| Luma([(x * y) as u8]));
        let bytes = png(image);
        assert!(decode(&bytes).is_ok());
        assert!(decode(&bytes[..bytes.len() - 3]).is_err());
    }
}
