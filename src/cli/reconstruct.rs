//! `burnlab reconstruct`: reconstructions of images from their codes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use image::{Rgb, RgbImage};

use super::input_images::{ImageArguments, InputImages};
use super::output_path::PICTURE;
use super::trained::{self, Which};
use super::{DeviceArgument, catalogue, csv, picture, print, say, sound};
use crate::error::{Result, count};
use crate::measure::errors;
use crate::pictures::{Grid, framed};
use crate::table::draw;

/// Images of the run's data that are taken unless the command line says how many.
const USUAL: usize = 10;

/// Images beside each other.
const ACROSS: usize = 20;

const WHITE: Rgb<u8> = Rgb([255; 3]);

#[derive(Debug, Args)]
pub struct ReconstructArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<OsString>,
    /// Files of images, folders of such, or IDX files of images [default: the first 10 test images]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    images: ImageArguments,
    /// Print comma-separated values instead of a table: mean squared errors, in units of `data.scale`
    #[arg(long)]
    csv: bool,
    /// Draw the images above their reconstructions as a PNG file too
    #[arg(long, short, value_name = "FILE.png", value_parser = PICTURE.path())]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Prints how far each image's reconstruction is from it.
pub fn reconstruct(arguments: ReconstructArguments) -> Result<()> {
    let catalogue = catalogue();
    let (variant, paths) = trained::variant_and_paths(arguments.variant, arguments.paths);
    let variant = variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let model = trained.autoencoder("reconstructs no images", &arguments.device)?;
    let images = (arguments.images).take(&paths, Some(USUAL), &trained, &*model, &catalogue)?;
    let outputs = sound(model.reconstruct(&images.pixels, images.labels.as_deref()))?;
    let shape = model.images();
    let errors = errors(&images.pixels, &outputs, shape.len());
    let header = ["image", "label", "squared_error"]
        .map(String::from)
        .to_vec();
    // A program that reads them wants every digit.
    let number = match arguments.csv {
        true => |error: f64| error.to_string(),
        false => |error: f64| format!("{error:.6}"),
    };
    let rows = rows(&images, &errors, &trained.measured.classes, number);
    match arguments.csv {
        true => print(&csv(std::iter::once(header).chain(rows))?),
        false => say(&draw(&header, &rows, 2)),
    }
    if let Some(path) = &arguments.output {
        let scale = &trained.run.settings.data.scale;
        let across = images.names.len().min(ACROSS);
        let tiles = |pixels: &[f32]| picture::tiles(pixels, shape, scale, across);
        let picture = above(&tiles(&images.pixels), &tiles(&outputs));
        picture::write(path, picture)?;
        if !arguments.csv {
            let images = count(images.names.len(), "image");
            say(&format!("drew {images} to {}", path.display()));
        }
    }
    images.all_read()
}

/// Rows of images, each above the row of its reconstructions.
fn above(inputs: &[RgbImage], outputs: &[RgbImage]) -> RgbImage {
    let pairs = inputs.chunks(ACROSS).zip(outputs.chunks(ACROSS));
    let rows = pairs.flat_map(|(inputs, outputs)| [("image", inputs), ("reconstruction", outputs)]);
    let (names, rows): (Vec<&str>, Vec<&[RgbImage]>) = rows.unzip();
    let across = inputs.len().min(ACROSS);
    let empty = |like: &RgbImage| RgbImage::from_pixel(like.width(), like.height(), WHITE);
    let full = |row: &[RgbImage]| {
        let rest = vec![empty(&row[0]); across - row.len()];
        [row.to_vec(), rest].concat()
    };
    framed(
        &Grid {
            rows: names.into_iter().map(String::from).collect(),
            ..Grid::new(rows.into_iter().flat_map(full).collect(), across)
        }
        .draw(),
    )
}

/// The mean squared error of every image, a pixel.
fn rows(
    images: &InputImages,
    errors: &[f64],
    classes: &[String],
    number: fn(f64) -> String,
) -> Vec<Vec<String>> {
    let row = |(index, error): (usize, &f64)| {
        let label = images.class(index, classes).to_string();
        vec![images.names[index].clone(), label, number(*error)]
    };
    errors.iter().enumerate().map(row).collect()
}
