//! What operations on colors share: gray, blending, and what enhancing means.
//!
//! As Pillow's `ImageEnhance` and torchvision: an image is blended with what it would be without the property.

use super::Image;
use crate::error::{Flaw, count};
use crate::shape::ImageShape;

/// A flaw of images that are not red, green and blue.
pub fn needs_color(shape: ImageShape) -> Option<Flaw> {
    let channels = count(shape.channels, "channel");
    let message = format!("needs images of 3 channels (red, green, blue), these have {channels}");
    (shape.channels != 3).then(|| Flaw::new("", message))
}

/// The luma of every pixel (ITU-R BT.601); of other than color images their first channel.
pub fn luma(image: &Image) -> Vec<f32> {
    let plane = (image.shape.height * image.shape.width).max(1);
    match image.shape.channels {
        3 => {
            let (red, rest) = image.pixels.split_at(plane);
            let (green, blue) = rest.split_at(plane);
            let colors = red.iter().zip(green).zip(blue);
            colors
                .map(|((red, green), blue)| 0.299 * red + 0.587 * green + 0.114 * blue)
                .collect()
        }
        _ => image.pixels[..plane].to_vec(),
    }
}

/// `value * factor + other * (1 - factor)`, clipped to [0, 1]; `other` stands for every channel.
fn blend(image: &mut Image, other: impl Fn(usize) -> f32, factor: f32) {
    for plane in image.planes() {
        for (at, pixel) in plane.iter_mut().enumerate() {
            *pixel = (*pixel * factor + other(at) * (1.0 - factor)).clamp(0.0, 1.0);
        }
    }
}

/// Colors drawn nearer to or further from gray.
pub fn saturate(image: &mut Image, factor: f64) {
    if image.shape.channels == 3 {
        let gray = luma(image);
        blend(image, |at| gray[at], factor as f32);
    }
}

/// Values drawn nearer to or further from black.
pub fn brighten(image: &mut Image, factor: f64) {
    blend(image, |_| 0.0, factor as f32);
}

/// Values drawn nearer to or further from the mean of all luma.
pub fn contrast(image: &mut Image, factor: f64) {
    let gray = luma(image);
    let sum: f64 = gray.iter().map(|&value| f64::from(value)).sum();
    let mean = (sum / gray.len().max(1) as f64) as f32;
    blend(image, |_| mean, factor as f32);
}

/// Values drawn nearer to or further from those of the smoothed image: the 3x3 pixels around, that in the middle
/// five times, over 13. The outermost pixels stay as they are.
pub fn sharpen(image: &mut Image, factor: f64) {
    let (height, width) = (image.shape.height, image.shape.width);
    let factor = factor as f32;
    for plane in image.planes() {
        let before = plane.to_vec();
        for row in 1..height.saturating_sub(1) {
            for column in 1..width.saturating_sub(1) {
                let at = row * width + column;
                let around = (row - 1..=row + 1).flat_map(|row| {
                    let start = row * width + column - 1;
                    &before[start..start + 3]
                });
                let smooth = (around.sum::<f32>() + 4.0 * before[at]) / 13.0;
                plane[at] = (before[at] * factor + smooth * (1.0 - factor)).clamp(0.0, 1.0);
            }
        }
    }
}

/// The values of each channel stretched so that the least is black and the largest white.
pub fn autocontrast(image: &mut Image) {
    for plane in image.planes() {
        let low = plane.iter().copied().fold(f32::INFINITY, f32::min);
        let high = plane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if high > low {
            for pixel in plane {
                *pixel = (*pixel - low) / (high - low);
            }
        }
    }
}

/// A value in steps of 255.
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// The values of each channel, in steps of 255, spread so that all are about as frequent.
///
/// As Pillow's `ImageOps.equalize`: the sum of the histogram below a value, over the mean number of a step.
pub fn equalize(image: &mut Image) {
    for plane in image.planes() {
        let mut histogram = [0usize; 256];
        for &pixel in plane.iter() {
            histogram[usize::from(byte(pixel))] += 1;
        }
        let last = histogram.iter().rev().find(|&&number| number > 0);
        let step = (plane.len() - last.copied().unwrap_or(0)) / 255;
        if step == 0 {
            continue;
        }
        let mut sum = step / 2;
        let table = histogram.map(|number| {
            let value = (sum / step).min(255) as f32 / 255.0;
            sum += number;
            value
        });
        for pixel in plane {
            *pixel = table[usize::from(byte(*pixel))];
        }
    }
}

/// Values, in steps of 255, of which only the highest bits are kept.
pub fn posterize(image: &mut Image, bits: usize) {
    let mask = !(u8::MAX.checked_shr(bits as u32).unwrap_or(0));
    image.change(|value| f32::from(byte(value) & mask) / 255.0);
}

/// Values from a threshold on made their opposite.
pub fn solarize(image: &mut Image, threshold: f64) {
    let threshold = threshold as f32;
    image.change(|value| match value >= threshold {
        true => 1.0 - value,
        false => value,
    });
}
