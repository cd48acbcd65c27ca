//! Pictures that commands write.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::data::Scale;
use crate::error::{Error, Result};
use crate::record::write_atomically;
use crate::shape::ImageShape;

/// Pixels from one image to the next.
const GAP: u32 = 4;

/// Height that small images are enlarged to, about.
const WISHED: u32 = 56;

/// Images on a scale, `[images, channels, height, width]`, as they are looked at: colours if there are three
/// channels, else the mean of the channels in gray.
pub fn images(pixels: &[f32], shape: ImageShape, scale: Scale) -> Vec<RgbImage> {
    let plane = shape.height * shape.width;
    let mut pixels = pixels.to_vec();
    scale.undo(&mut pixels);
    let image = |pixels: &[f32]| {
        RgbImage::from_fn(shape.width as u32, shape.height as u32, |x, y| {
            let at = y as usize * shape.width + x as usize;
            let value = |channel: usize| pixels[channel * plane + at];
            let gray = (0..shape.channels).map(value).sum::<f32>() / shape.channels as f32;
            let colour = match shape.channels {
                3 => [0, 1, 2].map(value),
                _ => [gray; 3],
            };
            image::Rgb(colour.map(|value| (value * 255.0).round() as u8))
        })
    };
    pixels.chunks_exact(shape.len()).map(image).collect()
}

/// Images of one size in rows, enlarged.
pub fn grid(images: &[RgbImage], across: usize) -> RgbImage {
    let (width, height) = images.first().map_or((1, 1), RgbImage::dimensions);
    let times = (WISHED / height).max(1);
    let across = across.clamp(1, images.len().max(1));
    let cell = [width * times + GAP, height * times + GAP];
    let size = [across, images.len().div_ceil(across)];
    let mut whole = RgbImage::from_pixel(
        size[0] as u32 * cell[0] - GAP,
        size[1] as u32 * cell[1] - GAP,
        image::Rgb([255; 3]),
    );
    for (index, image) in images.iter().enumerate() {
        let (left, top) = (
            (index % across) as u32 * cell[0],
            (index / across) as u32 * cell[1],
        );
        for (x, y, pixel) in image.enumerate_pixels() {
            for (dx, dy) in (0..times).flat_map(|dx| (0..times).map(move |dy| (dx, dy))) {
                whole.put_pixel(left + x * times + dx, top + y * times + dy, *pixel);
            }
        }
    }
    whole
}

/// Writes a PNG file; gray where the picture is.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, picture: &RgbImage) -> Result<()> {
    let is_gray = picture.pixels().all(|pixel| pixel.0 == [pixel.0[0]; 3]);
    let picture = image::DynamicImage::from(picture.clone());
    let picture = if is_gray {
        picture.to_luma8().into()
    } else {
        picture
    };
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(|error| Error::bug(format!("cannot make a picture: {error}")))?;
    write_atomically(path, &bytes.into_inner())
}
