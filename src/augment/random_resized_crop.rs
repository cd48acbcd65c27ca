//! `random_resized_crop`: a part of the image, enlarged to its size.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, Interpolation, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A rectangle of the image, of random size, proportions and place, cut out and enlarged to the image's size: as
/// torchvision's `RandomResizedCrop`, which is bilinear unless it is told otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// The rectangle's share of the image's area, above 0, at most 1; a number or a range as [low, high]. Default
    /// [0.08, 1.0].
    #[serde(default = "areas")]
    pub area: Drawn,
    /// Its width over its height, from 0.01 to 100, drawn evenly in logarithms; a number or a range as [low, high].
    /// Default [0.75, 1.3333333333333333].
    #[serde(default = "ratios")]
    pub ratio: Drawn,
    /// How values between pixels are found: nearest, bilinear or bicubic. Default bicubic.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

fn areas() -> Drawn {
    Drawn([0.08, 1.0])
}

fn ratios() -> Drawn {
    Drawn([3.0 / 4.0, 4.0 / 3.0])
}

/// Rectangles that are drawn before one in the middle is taken, as torchvision does.
const ATTEMPTS: usize = 10;

/// A rectangle of pixels: the first row and column, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    pub place: [usize; 2],
    pub size: [usize; 2],
}

impl Rectangle {
    /// One of random size, proportions (width over height) and place inside an image, its sides at most as many
    /// pixels as is said; none if those that are drawn do not fit.
    pub fn draw(
        area: Drawn,
        ratio: Drawn,
        shape: ImageShape,
        most: [usize; 2],
        rng: &mut Rng,
    ) -> Option<Self> {
        let whole = (shape.height * shape.width) as f64;
        let ratios = Drawn([libm::log(ratio.low()), libm::log(ratio.high())]);
        // All attempts are drawn, so that later draws move by nothing.
        let drawn: Vec<([f64; 2], [f64; 2])> = (0..ATTEMPTS)
            .map(|_| {
                let (area, ratio) = (whole * area.draw(rng), libm::exp(ratios.draw(rng)));
                let size = [(area / ratio).sqrt().round(), (area * ratio).sqrt().round()];
                (size, [rng.random(), rng.random()])
            })
            .collect();
        let sides = [shape.height, shape.width];
        let fitting = drawn
            .into_iter()
            .map(|(size, place)| (size.map(|side| side as usize), place));
        let mut fitting = fitting.filter(|(size, _)| {
            let mut pairs = size.iter().zip(most);
            pairs.all(|(&side, most)| (1..=most).contains(&side))
        });
        let (size, place) = fitting.next()?;
        let at = |axis: usize| {
            let places = (sides[axis] - size[axis] + 1) as f64;
            (place[axis] * places) as usize
        };
        Some(Rectangle {
            place: [at(0), at(1)],
            size,
        })
    }
}

impl OperationFields for RandomResizedCrop {
    type Draw = Rectangle;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        area_and_ratio_flaws(self.area, self.ratio)
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Rectangle {
        let most = [shape.height, shape.width];
        let drawn = Rectangle::draw(self.area, self.ratio, shape, most, rng);
        drawn.unwrap_or_else(|| in_the_middle(self.ratio, shape))
    }

    fn apply(&self, rectangle: &Rectangle, image: &mut Image) {
        let (height, width) = (image.shape.height, image.shape.width);
        let Rectangle {
            place: [top, left],
            size: [tall, wide],
        } = *rectangle;
        let filter = match self.interpolation {
            Interpolation::Nearest => FilterType::Nearest,
            Interpolation::Bilinear => FilterType::Triangle,
            Interpolation::Bicubic => FilterType::CatmullRom,
        };
        for plane in image.planes() {
            let rows = (top..top + tall).flat_map(|row| &plane[row * width + left..][..wide]);
            let part: Vec<f32> = rows.copied().collect();
            let part = ImageBuffer::<Luma<f32>, _>::from_raw(wide as u32, tall as u32, part)
                .expect("a rectangle has its height times its width pixels");
            let enlarged = imageops::resize(&part, width as u32, height as u32, filter);
            plane.copy_from_slice(&enlarged);
        }
    }
}

/// The flaws of the fields that a rectangle is drawn by.
pub(super) fn area_and_ratio_flaws(area: Drawn, ratio: Drawn) -> Vec<Flaw> {
    let is_share = |area: f64| area > 0.0 && area <= 1.0;
    let area = outside("area", area, is_share, "a share above 0 and at most 1");
    let is_ratio = |ratio: f64| (0.01..=100.0).contains(&ratio);
    let ratio = outside("ratio", ratio, is_ratio, "a ratio from 0.01 to 100");
    area.into_iter().chain(ratio).collect()
}

/// The largest rectangle in the middle whose proportions are within the range.
fn in_the_middle(ratio: Drawn, shape: ImageShape) -> Rectangle {
    let [height, width] = [shape.height, shape.width].map(|side| side as f64);
    let size = match width / height {
        own if own < ratio.low() => [(width / ratio.low()).round(), width],
        own if own > ratio.high() => [height, (height * ratio.high()).round()],
        _ => [height, width],
    };
    let size = size.map(|side| (side as usize).max(1));
    Rectangle {
        place: [(shape.height - size[0]) / 2, (shape.width - size[1]) / 2],
        size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_lie_inside_and_have_the_area_and_the_ratio() {
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        let shape = ImageShape::new(1, 60, 90);
        let mut areas = Vec::new();
        for _ in 0..2000 {
            let drawn = Rectangle::draw(areas_of(), ratios(), shape, [60, 90], &mut rng).unwrap();
            let [height, width] = drawn.size;
            assert!(drawn.place[0] + height <= 60 && drawn.place[1] + width <= 90);
            let area = (height * width) as f64 / 5400.0;
            assert!((0.09..0.51).contains(&area), "{area}");
            let ratio = width as f64 / height as f64;
            assert!((0.7..1.43).contains(&ratio), "{ratio}");
            areas.push(area);
        }
        let mean = areas.iter().sum::<f64>() / 2000.0;
        assert!((mean - 0.3).abs() < 0.01, "{mean}");
    }

    fn areas_of() -> Drawn {
        Drawn([0.1, 0.5])
    }

    #[test]
    fn what_fits_nowhere_is_taken_from_the_middle() {
        let crop = RandomResizedCrop {
            area: Drawn::fixed(1.0),
            ratio: ratios(),
            interpolation: Interpolation::Nearest,
            probability: always(),
        };
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        let drawn = crop.draw(ImageShape::new(1, 4, 12), &mut rng);
        assert_eq!(
            drawn,
            Rectangle {
                place: [0, 3],
                size: [4, 5]
            }
        );
        let tall = crop.draw(ImageShape::new(1, 8, 3), &mut rng);
        assert_eq!(tall.size, [4, 3]);
    }

    #[test]
    fn a_quarter_is_enlarged_to_the_whole() {
        let crop: RandomResizedCrop =
            serde_json::from_str(r#"{"interpolation": "nearest"}"#).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 2, 4),
            pixels: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        };
        let corner = Rectangle {
            place: [1, 2],
            size: [1, 2],
        };
        crop.apply(&corner, &mut image);
        assert_eq!(image.pixels, [0.7, 0.7, 0.8, 0.8, 0.7, 0.7, 0.8, 0.8]);
    }
}
