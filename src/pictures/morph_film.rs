//! `morph_film`: from one test image to another by way of their codes, and back, as a GIF.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, enlargement, framed};
use super::film::Film;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::value::Positive;

/// The images decoded on the straight line between the codes of two test images, which stand on both sides.
/// Made after the last epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MorphFilm {
    /// What its file is called. Default `morph_film`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which test image it sets out from, from 0. Default 0.
    pub from: usize,
    /// Which one it goes to. Default 1.
    pub to: usize,
    /// Number of codes on the way there, both ends included; from 2 to 360. Default 30.
    pub frames: Positive,
}

impl Default for MorphFilm {
    fn default() -> Self {
        MorphFilm {
            name: None,
            from: 0,
            to: 1,
            frames: Positive(30),
        }
    }
}

/// How long a frame stays.
const MILLISECONDS: u32 = 80;

impl PictureFields for MorphFilm {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        flaws.extend(context.needs("morph_film", Ability::Encode));
        flaws.extend(context.test_image("from", self.from));
        flaws.extend(context.test_image("to", self.to));
        flaws.extend(above("frames", self.frames.get(), 360));
        if self.frames.get() < 2 {
            let message = "expected a whole number of at least 2, received 1";
            flaws.push(Flaw::new("frames", message).hint("one for each end"));
        }
        flaws
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        if !subject.point.is_last {
            return Vec::new();
        }
        let ends = [self.from, self.to]
            .map(|index| subject.image(index))
            .concat();
        let end_labels = [self.from, self.to].map(|index| subject.labels[index]);
        let codes = subject.model.encode(&ends, Some(&end_labels));
        let (from, to) = codes.split_at(codes.len() / 2);
        let way = self.way();
        let mix = |share: &f32| {
            let parts = from.iter().zip(to);
            parts
                .map(|(a, b)| a + share * (b - a))
                .collect::<Vec<f32>>()
        };
        let between: Vec<f32> = way.iter().flat_map(mix).collect();
        let labels: Vec<u32> = way
            .iter()
            .map(|share| end_labels[usize::from(*share > 0.5)])
            .collect();
        let decoded = subject.model.decode(&between, Some(&labels));
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], 3, 112);
        let [from, to] = &subject.tiles(&ends, times)[..] else {
            return Vec::new();
        };
        let frame = |tile| {
            let mut grid = Grid::new(vec![from.clone(), tile, to.clone()], 3);
            grid.below = captions(subject, end_labels)
                .map(|caption| vec![caption])
                .to_vec();
            framed(&grid.draw())
        };
        vec![PictureOutput::Film(Film {
            frames: subject
                .tiles(&decoded, times)
                .into_iter()
                .map(frame)
                .collect(),
            milliseconds: MILLISECONDS,
            last: MILLISECONDS,
        })]
    }
}

/// What stands below the first image, what is between, and the last image.
fn captions(subject: &PictureInput, [from, to]: [u32; 2]) -> [String; 3] {
    [subject.class(from), String::new(), subject.class(to)]
}

impl MorphFilm {
    /// The share of the way at each frame: there, and back without the ends.
    fn way(&self) -> Vec<f32> {
        let last = self.frames.get() - 1;
        let there = 0..=last;
        let back = (1..last).rev();
        there
            .chain(back)
            .map(|frame| frame as f32 / last as f32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_way_leads_there_and_back() {
        let three = MorphFilm {
            frames: Positive(3),
            ..MorphFilm::default()
        };
        assert_eq!(three.way(), [0.0, 0.5, 1.0, 0.5]);
        FakeInput::at(Fake::autoencoder())
            .save("morph_film", "{ morph_film = { from = 0, to = 2 } }");
    }

    #[test]
    fn the_ends_have_their_own_classes_below_however_many_frames_there_are() {
        let input = FakeInput::at(Fake::autoencoder());
        assert_eq!(captions(&input.subject(), [7, 2]), ["seven", "", "two"]);
        // A seven and a two.
        let first = |frames: usize| {
            let drawing = format!("{{ morph_film = {{ from = 0, to = 1, frames = {frames} }} }}");
            input.save(&format!("morph_film_of_{frames}"), &drawing)
        };
        assert!(first(2) == first(5));
    }

    #[test]
    fn both_ends_must_be_there() {
        assert_eq!(
            messages(
                Fake::autoencoder(),
                "{ morph_film = { from = 59, to = 60, frames = 1 } }"
            ),
            [
                "morph_film.to: there is no test image 60: there are 60 test images, from 0",
                "morph_film.frames: expected a whole number of at least 2, received 1"
            ]
        );
    }
}
