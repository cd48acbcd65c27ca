//! Pictures that commands write.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};

use crate::data::Scale;
use crate::error::{Error, Result};
use crate::pictures::{enlarged, enlargement, images};
use crate::record::write_atomically;
use crate::shape::ImageShape;

/// Height in pixels that small images are enlarged to, about.
const WISHED: usize = 56;

/// The images of `[images, channels, height, width]` as they are looked at, `across` beside each other.
pub fn tiles(pixels: &[f32], shape: ImageShape, scale: &Scale, across: usize) -> Vec<RgbImage> {
    let times = enlargement([shape.width, shape.height], across, WISHED);
    let tiles = images(pixels, shape, scale);
    tiles.iter().map(|tile| enlarged(tile, times)).collect()
}

/// Writes a PNG file, of one channel where the picture is gray.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, picture: RgbImage) -> Result<()> {
    let gray = |pixel: &image::Rgb<u8>| pixel.0 == [pixel.0[0]; 3];
    let is_gray = picture.pixels().all(gray);
    let picture = DynamicImage::from(picture);
    let picture = match is_gray {
        true => picture.to_luma8().into(),
        false => picture,
    };
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(|error| Error::bug(format!("cannot encode a picture: {error}")))?;
    write_atomically(path, &bytes.into_inner())
}
