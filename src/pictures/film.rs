//! Frames as a GIF.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage};

use crate::error::{Error, Kind, Problem, Result};

/// Frames of one size that are shown over and over.
#[derive(Debug, Clone, PartialEq)]
pub struct Film {
    pub frames: Vec<RgbImage>,
    /// How long each one stays, in milliseconds.
    pub milliseconds: u32,
    /// How long the last one stays.
    pub last: u32,
}

impl Film {
    /// The film as a GIF.
    pub fn gif(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
        let broken = |error| Error::bug(format!("cannot make a GIF: {error}"));
        encoder.set_repeat(Repeat::Infinite).map_err(broken)?;
        for (index, frame) in self.frames.iter().enumerate() {
            let is_last = index + 1 == self.frames.len();
            let stay = if is_last {
                self.last
            } else {
                self.milliseconds
            };
            let mut picture = DynamicImage::ImageRgb8(frame.clone()).into_rgba8();
            // Some readers take a frame with all 256 shades of gray for one without colors of its own.
            for pixel in picture.pixels_mut().filter(|pixel| pixel.0[..3] == [1; 3]) {
                pixel.0 = [0, 0, 0, 255];
            }
            let delay = Delay::from_numer_denom_ms(stay, 1);
            encoder
                .encode_frame(Frame::from_parts(picture, 0, 0, delay))
                .map_err(broken)?;
        }
        drop(encoder);
        Ok(bytes)
    }
}

/// The pictures of a folder in the order of their names, those of another size than the last one left
/// out: they are of an attempt with other settings.
pub fn frames_in(folder: &Path) -> Result<Vec<RgbImage>> {
    let refused = |error| Error::io(Kind::Data, "read the folder", folder, &error);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        paths.push(entry.map_err(refused)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
    // `10000` comes after `9999`.
    paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    let mut frames = Vec::new();
    for path in &paths {
        let frame = image::open(path).map_err(|error| {
            Error::data(Problem::new(format!("cannot read the picture: {error}")).at_file(path))
        })?;
        frames.push(frame.into_rgb8());
    }
    let size = frames.last().map(RgbImage::dimensions);
    frames.retain(|frame| Some(frame.dimensions()) == size);
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use image::codecs::gif::GifDecoder;
    use image::{AnimationDecoder, Rgb};

    use super::*;

    #[test]
    fn a_film_shows_its_frames_in_order() {
        let frame = |shade: u8| RgbImage::from_pixel(4, 3, Rgb([shade, shade, 0]));
        let film = Film {
            frames: vec![frame(0), frame(100), frame(200)],
            milliseconds: 50,
            last: 1000,
        };
        let gif = film.gif().unwrap();
        let decoder = GifDecoder::new(std::io::Cursor::new(gif)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        let shades: Vec<u8> = frames
            .iter()
            .map(|f| f.buffer().get_pixel(1, 1).0[0])
            .collect();
        assert_eq!(shades, [0, 100, 200]);
        let stays = [&frames[0], &frames[2]].map(|f| f.delay().numer_denom_ms().0);
        assert_eq!(stays, [50, 1000]);
    }

    #[test]
    fn no_frame_has_all_shades_of_gray() {
        let film = Film {
            frames: vec![RgbImage::from_fn(16, 16, |x, y| {
                Rgb([(16 * y + x) as u8; 3])
            })],
            milliseconds: 50,
            last: 50,
        };
        let gif = film.gif().unwrap();
        let decoder = GifDecoder::new(std::io::Cursor::new(gif)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        let shades: Vec<u8> = frames[0]
            .buffer()
            .pixels()
            .map(|pixel| pixel.0[0])
            .collect();
        assert_eq!(shades[..4], [0, 0, 2, 3]);
        assert_eq!(shades[255], 255);
    }

    #[test]
    fn frames_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for (name, shade, width) in [("0010", 10, 2), ("0002", 2, 2), ("0001", 1, 5)] {
            let frame = RgbImage::from_pixel(width, 2, Rgb([shade; 3]));
            frame
                .save(folder.path().join(format!("{name}.png")))
                .unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        let frames = frames_in(folder.path()).unwrap();
        let shades: Vec<u8> = frames.iter().map(|f| f.get_pixel(0, 0).0[0]).collect();
        assert_eq!(shades, [2, 10]);
    }
}
