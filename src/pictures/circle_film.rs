//! `circle_film`: the images decoded along a circle of codes, as a GIF.

use std::f64::consts::TAU;

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Align, CAPTION, blank, enlargement, framed, stacked, width_of, write};
use super::film::Film;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::value::{Positive, PositiveReal};

/// Once around a circle about 0 in the first two features of the code; others are 0. Made after the last
/// epoch. A conditional model gets the first class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CircleFilm {
    /// What its file is called. Default `circle_film`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Radius of the circle. Default 2.
    pub radius: PositiveReal,
    /// Number of codes, at most 360. Default 60.
    pub frames: Positive,
}

impl Default for CircleFilm {
    fn default() -> Self {
        CircleFilm {
            name: None,
            radius: PositiveReal(2.0),
            frames: Positive(60),
        }
    }
}

/// How long a frame stays.
const MILLISECONDS: u32 = 80;

impl PictureFields for CircleFilm {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let code = context.features("circle_film", "at least 2 features", |features| {
            features >= 2
        });
        code.into_iter()
            .chain(above("frames", self.frames.get(), 360))
            .collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let code = subject.model.facts().code.filter(|code| code.len() >= 2);
        let Some(code) = code.filter(|_| subject.point.is_last) else {
            return Vec::new();
        };
        let places = self.places();
        let mut codes = vec![0.0; places.len() * code.len()];
        for (code, place) in codes.chunks_exact_mut(code.len()).zip(&places) {
            code[..2].copy_from_slice(place);
        }
        let pixels = subject.model.decode(&codes, Some(&vec![0; places.len()]));
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], 1, 168);
        let radius = self.radius.get() as f32;
        let captions = places.iter().map(|[z1, z2]| caption([*z1, *z2], radius));
        let frames = subject.tiles(&pixels, times).into_iter().zip(captions);
        vec![PictureOutput::Film(Film {
            frames: frames
                .map(|(tile, caption)| framed(&stacked(&[tile, caption], 6)))
                .collect(),
            milliseconds: MILLISECONDS,
            last: MILLISECONDS,
        })]
    }
}

impl CircleFilm {
    /// `[z1, z2]` of each frame, beginning on the axis of z1.
    fn places(&self) -> Vec<[f32; 2]> {
        let frames = self.frames.get();
        let place = |frame: usize| {
            let angle = TAU * frame as f64 / frames as f64;
            [angle.cos(), angle.sin()].map(|part| (self.radius.get() * part) as f32)
        };
        (0..frames).map(place).collect()
    }
}

/// `z1 = -1.41, z2 = 1.41`, as wide in every frame.
fn caption([z1, z2]: [f32; 2], radius: f32) -> RgbImage {
    let part = |value: f32| {
        // No -0.00.
        let value = if value.abs() < 0.005 { 0.0 } else { value };
        format!("{value:.2}")
    };
    let text = format!("z1 = {}, z2 = {}", part(z1), part(z2));
    let widest = format!("z1 = -{radius:.2}, z2 = -{radius:.2}");
    let mut line = blank(width_of(&widest, CAPTION), CAPTION + 4);
    write(&mut line, &text, [0, CAPTION / 2 + 2], Align::Left, CAPTION);
    line
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_circle_begins_on_an_axis_and_does_not_close_twice() {
        let four = CircleFilm {
            frames: Positive(4),
            ..CircleFilm::default()
        };
        let rounded = |[x, y]: [f32; 2]| [x.round() as i32, y.round() as i32];
        let places: Vec<[i32; 2]> = four.places().into_iter().map(rounded).collect();
        assert_eq!(places, [[2, 0], [0, 2], [-2, 0], [0, -2]]);
        let fake_input = FakeInput::at(Fake::autoencoder().with_code(3));
        fake_input.save("circle_film", "circle_film");
    }

    #[test]
    fn a_circle_needs_two_features() {
        let narrow = Fake::autoencoder().with_code(1);
        assert_eq!(
            messages(narrow, "circle_film"),
            [
                "circle_film: `circle_film` needs a code of at least 2 features but the encoder gives 1"
            ]
        );
        assert_eq!(messages(Fake::gan(), "circle_film"), [""; 0]);
    }
}
