//! The vocabulary of pictures: one file a kind, one line a kind in the registry below, and the
//! `[pictures]` table of an experiment made of them.
//!
//! A kind's file holds its fields as a TOML file writes them, its check against what is known before
//! training, and its drawing, which is pure: a model and plain arrays in, pictures out. Only the folder
//! knows files. Nothing here knows Burn or training.

mod canvas;
mod colors;
mod context;
mod film;
mod folder;
mod principal;
mod subject;
mod table;
#[cfg(test)]
mod testing;
mod tiles;

pub use augmentation::draw_recipe;
pub use canvas::{Grid, enlarged, enlargement, framed, short};
pub use context::PictureContext;
pub use folder::{clear, draw_all};
pub use subject::{PictureInput, TrainingPoint, Unit};
pub use table::Pictures;
pub use tiles::images;

use image::RgbImage;

use crate::error::Flaw;
use crate::record::Embedding;
use crate::tagged::{one_key_enum, write_one_key};
use film::Film;

/// A kind of picture as the file writes it.
trait PictureFields {
    /// What distinguishes it from others of its kind: the layer that it shows.
    fn about(&self) -> Option<&str> {
        None
    }

    /// What is wrong with it for a run of which this is known; keys are the fields' names.
    fn check(&self, context: &PictureContext) -> Vec<Flaw>;

    /// Draws it, the same every time for the same model.
    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput>;
}

/// What a drawing gives.
#[derive(Debug, Clone, PartialEq)]
enum PictureOutput {
    /// For the run's folder and for TensorBoard.
    Picture(RgbImage),
    /// One frame of a film over the training; all of them so far become a film at its end.
    Frame(RgbImage),
    /// A whole film.
    Film(Film),
    /// Numbers behind a picture, as comma-separated values.
    Numbers(String),
    /// Codes for TensorBoard to turn about.
    Embedding(Embedding),
}

/// Declares every kind of picture once: its file, which is its TOML key, and its fields.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        one_key_enum! {
            /// One entry of `draw`: a table with the key of a kind, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            Drawing, "a picture", "Drawing", write_one_key {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl Drawing {
            /// What files and TensorBoard call it: its `name`, or its key and the layer that it shows.
            pub fn name(&self) -> String {
                let (name, about) = match self {
                    $(Drawing::$Name(fields) => (fields.name.as_deref(), fields.about()),)*
                };
                match (name, about) {
                    (Some(name), _) => name.to_string(),
                    (None, Some(about)) => format!("{}.{about}", self.key()),
                    (None, None) => self.key().to_string(),
                }
            }

            /// What is wrong with it; keys are such as `filters.layer`.
            fn check(&self, context: &PictureContext) -> Vec<Flaw> {
                let flaws = match self {
                    $(Drawing::$Name(fields) => fields.check(context),)*
                };
                flaws.into_iter().map(|flaw| flaw.under(self.key())).collect()
            }

            fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
                match self {
                    $(Drawing::$Name(fields) => fields.draw(subject),)*
                }
            }
        }
    };
}

kinds! {
    /// Test images above their reconstructions.
    reconstructions: Reconstructions;
    /// Images that the model generates, beside the same number of real ones.
    samples: Samples;
    /// The kernels of a convolution, or the weights of a dense layer that sees or makes images.
    filters: Filters;
    /// What a layer makes of a test image, before and after its activation function.
    activations: Activations;
    /// Images decoded from an even grid of codes.
    latent_plane: LatentPlane;
    /// Codes of test images as points, colored by class, and as numbers.
    latent_scatter: LatentScatter;
    /// Codes of test images for TensorBoard's projector.
    projector: Projector;
    /// Test images that a classifier gets wrong.
    misclassified: Misclassified;
    /// How often a classifier answers what where what is true.
    confusion: Confusion;
    /// Training images and what the recipe makes of them.
    augmentation: Augmentation;
    /// A film of test images and their reconstructions over the training.
    training_film: TrainingFilm;
    /// A film of the images decoded along a circle of codes.
    circle_film: CircleFilm;
    /// A film from one test image to another by way of their codes.
    morph_film: MorphFilm;
}

/// The flaw of a field that is larger than can be drawn.
fn above(key: &str, value: usize, most: usize) -> Option<Flaw> {
    let message = format!("expected a whole number of at most {most}, received {value}");
    (value > most).then(|| Flaw::new(key, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_writes_and_names_itself() {
        for name in Drawing::NAMES {
            let fields = match *name {
                "filters" | "activations" => r#"{"layer": "conv2d_1"}"#,
                _ => "{}",
            };
            let drawing: Drawing =
                serde_json::from_str(&format!(r#"{{"{name}": {fields}}}"#)).unwrap();
            assert_eq!(drawing.key(), *name);
            assert!(drawing.name().starts_with(name));
            let written = serde_json::to_string(&drawing).unwrap();
            assert_eq!(serde_json::from_str::<Drawing>(&written).unwrap(), drawing);
        }
    }

    #[test]
    fn the_schema_knows_every_kind() {
        let schema = schemars::schema_for!(Drawing);
        let alternatives = schema.get("oneOf").unwrap().as_array().unwrap();
        assert_eq!(alternatives.len(), Drawing::NAMES.len() + 1);
        for (alternative, name) in alternatives.iter().zip(Drawing::NAMES) {
            assert_eq!(alternative["required"][0], *name);
        }
        let alone = alternatives[Drawing::NAMES.len()]["enum"]
            .as_array()
            .unwrap();
        assert_eq!(alone.len(), Drawing::NAMES.len() - 2);
    }
}
