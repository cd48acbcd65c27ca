//! Numbers as small pictures, a number a pixel.

use image::{Rgb, RgbImage};

use super::colors::Map;
use crate::data::Scale;
use crate::shape::ImageShape;

/// An image scaled as for the model, `[channels, height, width]`: colors if it has three channels, else
/// the mean of its channels in gray. What lies beyond black or white is drawn as these.
pub fn image(pixels: &[f32], shape: ImageShape, scale: &Scale) -> RgbImage {
    let plane = shape.height * shape.width;
    let value = |channel: usize, at: usize| scale.pixel(channel, pixels[channel * plane + at]);
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    RgbImage::from_fn(shape.width as u32, shape.height as u32, |x, y| {
        let at = y as usize * shape.width + x as usize;
        if shape.channels == 3 {
            return Rgb([0, 1, 2].map(|channel| byte(value(channel, at))));
        }
        let sum: f32 = (0..shape.channels).map(|channel| value(channel, at)).sum();
        Rgb([byte(sum / shape.channels as f32); 3])
    })
}

/// All images of `[images, channels, height, width]`.
pub fn images(pixels: &[f32], shape: ImageShape, scale: &Scale) -> Vec<RgbImage> {
    pixels
        .chunks_exact(shape.len().max(1))
        .map(|pixels| image(pixels, shape, scale))
        .collect()
}

/// A plane `[height, width]` in the colors of a map, the ends of the range as the map's ends.
pub fn plane(values: &[f32], width: usize, map: Map, [low, high]: [f32; 2]) -> RgbImage {
    let span = if high > low { high - low } else { 1.0 };
    let height = values.len() / width.max(1);
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        map.color((values[y as usize * width + x as usize] - low) / span)
    })
}

/// The map and range that show these values best: signed ones about 0, others from the least (0, if
/// that is the bound) to the largest.
pub fn map_of(values: &[f32]) -> (Map, [f32; 2]) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let low = finite().fold(f32::INFINITY, f32::min);
    let high = finite().fold(f32::NEG_INFINITY, f32::max);
    if low > high {
        return (Map::Viridis, [0.0, 1.0]);
    }
    if low >= 0.0 {
        return (Map::Viridis, [0.0, high]);
    }
    let limit = high.max(-low);
    (Map::Diverging, [-limit, limit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_drawn_between_black_and_white() {
        let shape = ImageShape::new(1, 1, 3);
        let drawn = image(&[-1.0, 0.0, 3.0], shape, &Scale::Range([-1.0, 1.0]));
        assert_eq!(drawn.into_raw(), [0, 0, 0, 128, 128, 128, 255, 255, 255]);
        let shape = ImageShape::new(3, 1, 1);
        let drawn = image(&[0.0, 0.2, f32::NAN], shape, &Scale::default());
        assert_eq!(drawn.into_raw(), [0, 51, 0]);
        let shape = ImageShape::new(2, 1, 1);
        let drawn = image(&[0.2, 0.6], shape, &Scale::default());
        assert_eq!(drawn.into_raw(), [102; 3]);
    }

    #[test]
    fn signed_values_are_shown_about_zero() {
        assert_eq!(
            map_of(&[-1.0, 3.0, f32::NAN]),
            (Map::Diverging, [-3.0, 3.0])
        );
        assert_eq!(map_of(&[1.0, 3.0]), (Map::Viridis, [0.0, 3.0]));
        assert_eq!(map_of(&[f32::NAN]), (Map::Viridis, [0.0, 1.0]));
        let drawn = plane(&[-3.0, 0.0, 3.0, 3.0], 2, Map::Diverging, [-3.0, 3.0]);
        assert_eq!(drawn.dimensions(), (2, 2));
        assert_eq!(drawn.get_pixel(1, 0).0, [255; 3]);
    }
}
