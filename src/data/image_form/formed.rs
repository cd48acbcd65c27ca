//! An image brought to its form: opacity first, then colors, then the size.

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, Luma, Pixel, Primitive, Rgb, Rgba};

use super::bits::white;
use super::{Channels, Filter, Fit, ImageForm};
use crate::shape::ImageShape;

/// The values of an image, `[channels, height, width]`, as deep as its file has them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Pixels {
    /// From 0 to 255.
    Eight(Vec<u8>),
    /// From 0 to 65535, or to less: files do not say. The largest is that before the size was changed.
    Sixteen { values: Vec<u16>, largest: u16 },
}

/// An image brought to a form.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Formed {
    pub shape: ImageShape,
    pub pixels: Pixels,
}

impl ImageForm {
    /// Brings an image to this form.
    pub(in crate::data) fn form(&self, image: DynamicImage) -> Formed {
        let is_color = match self.channels {
            None => image.color().has_color(),
            Some(channels) => channels == Channels::Rgb,
        };
        let is_deep = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
        let size = [image.height(), image.width()].map(|side| side as usize);
        match is_deep {
            false => {
                let background = self.background.0.map(|part| (part * 255.0).round() as u8);
                let (shape, values) = match (is_color, image.color().has_color()) {
                    (true, _) => self.rgb(size, image.into_rgba8().into_raw(), background),
                    (false, true) => self.luma(size, image.into_rgba8().into_raw(), background),
                    (false, false) => {
                        self.gray(size, image.into_luma_alpha8().into_raw(), background)
                    }
                };
                let pixels = Pixels::Eight(values);
                Formed { shape, pixels }
            }
            true => {
                let largest = largest(&image);
                let white = self.bits.map_or(u16::MAX, |bits| white(bits.0));
                let part = |part: f64| (part * f64::from(white)).round() as u16;
                let background = self.background.0.map(part);
                let (shape, values) = match (is_color, image.color().has_color()) {
                    (true, _) => self.rgb(size, image.into_rgba16().into_raw(), background),
                    (false, true) => self.luma(size, image.into_rgba16().into_raw(), background),
                    (false, false) => {
                        self.gray(size, image.into_luma_alpha16().into_raw(), background)
                    }
                };
                let pixels = Pixels::Sixteen { values, largest };
                Formed { shape, pixels }
            }
        }
    }

    /// Colors of values with opacity, brought to size.
    fn rgb<T: Value>(
        &self,
        size: [usize; 2],
        values: Vec<T>,
        background: [T; 3],
    ) -> (ImageShape, Vec<T>)
    where
        Rgb<T>: Pixel<Subpixel = T>,
    {
        let opaque = opaque(&values, background);
        let (shape, values) = self.pixels(size, opaque, Rgb(background));
        (shape, in_planes(&values, 3))
    }

    /// The same of colors that become gray.
    fn luma<T: Value>(
        &self,
        size: [usize; 2],
        values: Vec<T>,
        background: [T; 3],
    ) -> (ImageShape, Vec<T>)
    where
        Luma<T>: Pixel<Subpixel = T>,
    {
        let opaque = opaque(&values, background);
        let gray = opaque
            .chunks_exact(3)
            .map(|color| luma([color[0], color[1], color[2]]));
        self.pixels(size, gray.collect(), Luma([luma(background)]))
    }

    /// The same of gray values with opacity.
    fn gray<T: Value>(
        &self,
        size: [usize; 2],
        values: Vec<T>,
        background: [T; 3],
    ) -> (ImageShape, Vec<T>)
    where
        Luma<T>: Pixel<Subpixel = T>,
    {
        let background = luma(background);
        let opaque = opaque(&values, [background]);
        self.pixels(size, opaque, Luma([background]))
    }

    /// Values pixel by pixel, brought to size.
    fn pixels<P: Pixel + 'static>(
        &self,
        [height, width]: [usize; 2],
        values: Vec<P::Subpixel>,
        background: P,
    ) -> (ImageShape, Vec<P::Subpixel>) {
        let image = ImageBuffer::<P, _>::from_raw(width as u32, height as u32, values);
        let image = self.sized(image.expect("all values of every pixel"), background);
        let channels = usize::from(P::CHANNEL_COUNT);
        let shape = ImageShape::new(channels, image.height() as usize, image.width() as usize);
        (shape, image.into_raw())
    }

    /// An image brought to the size, if there is one.
    fn sized<P>(
        &self,
        image: ImageBuffer<P, Vec<P::Subpixel>>,
        background: P,
    ) -> ImageBuffer<P, Vec<P::Subpixel>>
    where
        P: Pixel + 'static,
    {
        let Some([height, width]) = self.size else {
            return image;
        };
        let wanted = [width as u32, height as u32];
        let [across, down] = match self.fit {
            Fit::Stretch => wanted,
            Fit::Crop => in_proportion(image.dimensions(), wanted, true),
            Fit::Pad => in_proportion(image.dimensions(), wanted, false),
        };
        if (across, down) == image.dimensions() && [across, down] == wanted {
            return image;
        }
        let resized = imageops::resize(&image, across, down, self.filter.of_image());
        let [width, height] = wanted;
        let half = |all: u32, part: u32| (f64::from(all - part) / 2.0).round_ties_even() as u32;
        match self.fit {
            Fit::Stretch => resized,
            Fit::Crop => {
                let (left, top) = (half(across, width), half(down, height));
                imageops::crop_imm(&resized, left, top, width, height).to_image()
            }
            Fit::Pad => {
                let mut padded = ImageBuffer::from_pixel(width, height, background);
                let (left, top) = (half(width, across), half(height, down));
                imageops::replace(&mut padded, &resized, left.into(), top.into());
                padded
            }
        }
    }
}

impl Filter {
    fn of_image(self) -> FilterType {
        match self {
            Filter::Nearest => FilterType::Nearest,
            Filter::Bilinear => FilterType::Triangle,
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Lanczos => FilterType::Lanczos3,
        }
    }
}

/// A value of a pixel, of 8 or 16 bits.
trait Value: Primitive + Into<u64> + 'static {
    const WHITE: u64;
    fn of(value: u64) -> Self;
}

impl Value for u8 {
    const WHITE: u64 = u8::MAX as u64;
    fn of(value: u64) -> Self {
        value as u8
    }
}

impl Value for u16 {
    const WHITE: u64 = u16::MAX as u64;
    fn of(value: u64) -> Self {
        value as u16
    }
}

/// The size `[width, height]` in an image's proportions that just covers the wanted one, or that just fits into it.
fn in_proportion(of: (u32, u32), wanted: [u32; 2], covers: bool) -> [u32; 2] {
    let (width, height) = (f64::from(of.0), f64::from(of.1));
    let [across, down] = wanted.map(f64::from);
    let follows_width = (width / height > across / down) != covers;
    let rounded = |side: f64| (side.round_ties_even() as u32).max(1);
    match follows_width {
        true => [wanted[0], rounded(height / width * across)],
        false => [rounded(width / height * down), wanted[1]],
    }
}

/// Pixels whose last value is their opacity, laid over a background.
fn opaque<T: Value, const N: usize>(values: &[T], background: [T; N]) -> Vec<T> {
    let pixels = values.chunks_exact(N + 1);
    let flat = pixels.flat_map(|pixel| {
        let alpha: u64 = pixel[N].into();
        let over = move |(value, behind): (&T, T)| {
            let (value, behind): (u64, u64) = ((*value).into(), behind.into());
            let sum = value * alpha + behind * (T::WHITE - alpha);
            T::of((sum + T::WHITE / 2) / T::WHITE)
        };
        pixel[..N].iter().zip(background).map(over)
    });
    flat.collect()
}

/// Luma of ITU-R BT.601, as Pillow rounds it.
fn luma<T: Value>(color: [T; 3]) -> T {
    let [red, green, blue]: [u64; 3] = color.map(Into::into);
    T::of((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16)
}

/// The largest value besides opacity.
fn largest(image: &DynamicImage) -> u16 {
    let of = |values: &mut dyn Iterator<Item = u16>| values.max().unwrap_or(0);
    match image {
        DynamicImage::ImageLuma16(image) => of(&mut image.pixels().map(|pixel| pixel.0[0])),
        DynamicImage::ImageLumaA16(image) => of(&mut image.pixels().map(|pixel| pixel.0[0])),
        DynamicImage::ImageRgb16(image) => of(&mut image.iter().copied()),
        DynamicImage::ImageRgba16(image) => {
            let colors = image
                .pixels()
                .map(|Rgba([red, green, blue, _])| (*red).max(*green).max(*blue));
            of(&mut { colors })
        }
        // Broken numbers go from 0 to 1.
        _ => u16::MAX,
    }
}

fn in_planes<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
    (0..channels)
        .flat_map(|channel| values.iter().skip(channel).step_by(channels).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Background;
    use super::super::bits::{Bits, depth};
    use super::*;

    fn deep(form: &ImageForm, image: impl Into<DynamicImage>) -> (Vec<u16>, u16) {
        match form.form(image.into()).pixels {
            Pixels::Sixteen { values, largest } => (values, form.white(largest)),
            Pixels::Eight(_) => panic!("8 bits"),
        }
    }

    #[test]
    fn values_of_16_bits_are_as_deep_as_the_largest_or_as_is_said() {
        for (largest, bits) in [
            (0, 8),
            (255, 8),
            (256, 10),
            (4095, 12),
            (4096, 14),
            (16384, 16),
            (65535, 16),
        ] {
            assert_eq!(depth(largest), bits, "{largest}");
            assert_eq!(Bits::of(white(bits)), Bits(bits));
        }
        let image = || ImageBuffer::from_fn(2, 1, |x, _| Luma([[0u16, 1000][x as usize]]));
        assert_eq!(deep(&ImageForm::default(), image()), (vec![0, 1000], 1023));
        let said = ImageForm {
            bits: Some(Bits(12)),
            ..ImageForm::default()
        };
        assert_eq!(deep(&said, image()), (vec![0, 1000], 4095));
        let colors = ImageBuffer::from_fn(2, 1, |x, _| Rgb([x as u16, 256, 512 + x as u16]));
        assert_eq!(
            deep(&ImageForm::default(), colors).0,
            [0, 1, 256, 256, 512, 513]
        );
    }

    #[test]
    fn a_cubic_that_overshoots_changes_no_depth() {
        let form = ImageForm {
            size: Some([1, 9]),
            filter: Filter::Bicubic,
            ..ImageForm::default()
        };
        let image = ImageBuffer::from_fn(4, 1, |x, _| Luma([[0u16, 0, 4095, 4095][x as usize]]));
        let (values, white) = deep(&form, image);
        assert_eq!(white, 4095);
        assert!(values.iter().any(|&value| value > 4095), "{values:?}");
    }

    #[test]
    fn what_is_transparent_shows_the_background() {
        let image =
            || ImageBuffer::from_fn(2, 1, |x, _| Rgba([200u8, 100, 50, [255, 51][x as usize]]));
        let of = |form: &ImageForm| form.form(image().into()).pixels;
        assert_eq!(
            of(&ImageForm::default()),
            Pixels::Eight(vec![200, 40, 100, 20, 50, 10])
        );
        let red = ImageForm {
            background: Background([1.0, 0.0, 0.0]),
            ..ImageForm::default()
        };
        assert_eq!(of(&red), Pixels::Eight(vec![200, 244, 100, 20, 50, 10]));
    }

    #[test]
    fn proportions_are_kept_by_cutting_off_or_by_padding() {
        let image = || {
            let wide =
                ImageBuffer::from_fn(6, 2, |x, _| Luma([[0u8, 0, 90, 90, 200, 200][x as usize]]));
            DynamicImage::from(wide)
        };
        let of = |fit| {
            let form = ImageForm {
                size: Some([2, 2]),
                fit,
                filter: Filter::Nearest,
                background: Background([1.0; 3]),
                ..ImageForm::default()
            };
            match form.form(image()).pixels {
                Pixels::Eight(values) => values,
                Pixels::Sixteen { .. } => panic!("16 bits"),
            }
        };
        assert_eq!(of(Fit::Crop), [90, 90, 90, 90]);
        assert_eq!(of(Fit::Pad), [0, 200, 255, 255]);
        assert_eq!(of(Fit::Stretch), [0, 200, 0, 200]);
    }
}
