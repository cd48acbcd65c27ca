//! A picture in memory, and its PNG.
//!
//! Knows nothing of what the picture shows.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::error::{Error, Result, count};

/// A gray or colored picture of at least one pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: u8,
    /// `[height, width, channels]`, 0 is dark.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// The picture as a PNG file; an error if the fields contradict each other.
    pub fn png(&self) -> Result<Vec<u8>> {
        let color = match self.channels {
            1 => ExtendedColorType::L8,
            3 => ExtendedColorType::Rgb8,
            other => {
                let message = format!("a picture has 1 or 3 channels, not {other}");
                return Err(Error::bug(message));
            }
        };
        let expected = self.width as usize * self.height as usize * self.channels as usize;
        if expected == 0 || self.pixels.len() != expected {
            return Err(Error::bug(format!(
                "a picture of {}x{} pixels (width x height) with {} holds {}, received {}",
                self.width,
                self.height,
                count(self.channels.into(), "channel"),
                count(expected, "value"),
                self.pixels.len()
            )));
        }
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&self.pixels, self.width, self.height, color)
            .map_err(|error| Error::bug(format!("cannot encode a picture: {error}")))?;
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_picture_stays_wide() {
        let pixels = vec![10, 20, 30, 40, 50, 60];
        let picture = Picture {
            width: 3,
            height: 2,
            channels: 1,
            pixels: pixels.clone(),
        };
        let back = image::load_from_memory(&picture.png().unwrap()).unwrap();
        assert_eq!((back.width(), back.height()), (3, 2));
        assert_eq!(back.into_luma8().into_raw(), pixels);
    }

    #[test]
    fn a_tall_colored_picture_stays_tall() {
        let pixels: Vec<u8> = (0..18).collect();
        let picture = Picture {
            width: 2,
            height: 3,
            channels: 3,
            pixels: pixels.clone(),
        };
        let back = image::load_from_memory(&picture.png().unwrap()).unwrap();
        assert_eq!((back.width(), back.height()), (2, 3));
        assert_eq!(back.into_rgb8().into_raw(), pixels);
    }

    #[test]
    fn contradicting_fields_are_an_error() {
        let picture = |width, channels, values| Picture {
            width,
            height: 2,
            channels,
            pixels: vec![0; values],
        };
        assert_eq!(
            picture(3, 1, 5).png().unwrap_err().to_string(),
            "error: a picture of 3x2 pixels (width x height) with 1 channel holds 6 values, \
             received 5"
        );
        assert_eq!(
            picture(3, 4, 24).png().unwrap_err().to_string(),
            "error: a picture has 1 or 3 channels, not 4"
        );
        assert!(picture(0, 1, 0).png().is_err());
    }
}
