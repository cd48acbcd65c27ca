//! Pictures that commands write.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::data::Scale;
use crate::error::{Error, Result};
use crate::pictures::{enlarged, enlargement, images};
use crate::record::write_atomically;
use crate::shape::ImageShape;

/// Height in pixels that small images are enlarged to, about.
const WISHED: usize = 56;

/// How files are called that hold no PNG.
const OTHERS: [&str; 9] = [
    "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "svg", "pdf",
];

/// The path that a picture, or a folder of such, is to be written to.
///
/// # Errors
/// It is called as a picture of another kind.
fn png(path: PathBuf) -> std::result::Result<PathBuf, String> {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    match ending.is_some_and(|ending| OTHERS.iter().any(|other| ending == *other)) {
        true => {
            let named = path.with_extension("png");
            Err(format!("pictures are PNG files: `{}`", named.display()))
        }
        false => Ok(path),
    }
}

/// Reads such a path from the command line.
pub fn png_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(png)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_not_called_as_another_kind() {
        for kept in ["a.png", "a.PNG", "a", "of-v1.2"] {
            assert_eq!(png(PathBuf::from(kept)), Ok(PathBuf::from(kept)));
        }
        let error = png(PathBuf::from("to/a.JPG")).unwrap_err();
        assert_eq!(error, "pictures are PNG files: `to/a.png`");
    }
}
