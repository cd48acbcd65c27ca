//! `burnlab neighbours`: the images nearest to a given one in a trained auto-encoder's code space.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::input_images::{ImageSplit, InputImages};
use super::output_path::PICTURE;
use super::trained::{self, TrainedModel, Which};
use super::{DeviceArgument, catalogue, csv, picture, print, say, sound};
use crate::data::Catalogue;
use crate::error::{Error, Place, Problem, Result, count};
use crate::measure::{Neighbor, Rows, nearest};
use crate::models::Model;
use crate::pictures::{Grid, framed, short};
use crate::table::draw;

/// Images beside each other.
const ACROSS: usize = 11;

#[derive(Debug, Args)]
pub struct NeighboursArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<OsString>,
    /// An image's file, or the number of a test image from 0
    image: Option<PathBuf>,
    /// Number of neighbors
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Look among the images of this part of the run's data
    #[arg(long, value_enum, default_value = "train")]
    split: ImageSplit,
    /// The class of the image, for conditional models
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,
    /// Print comma-separated values instead of a table
    #[arg(long)]
    csv: bool,
    /// Draw the image and its neighbors as a PNG file too
    #[arg(long, short, value_name = "FILE.png", value_parser = PICTURE.path())]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Prints the images whose codes are nearest to that of one image.
pub fn neighbours(arguments: NeighboursArguments) -> Result<()> {
    let catalogue = catalogue();
    let (variant, image) = trained::variant_and_image(arguments.variant, arguments.image)?;
    let variant = variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let model = trained.autoencoder("makes no codes of images", &arguments.device)?;
    let label = arguments.label.as_deref();
    let (query, number) = query(&image, label, &trained, &*model, &catalogue)?;
    let among = InputImages::part(arguments.split, &trained, &catalogue)?;
    let own = number
        .filter(|_| arguments.split == ImageSplit::Test)
        .map(|number| [number]);
    let code = |images: &InputImages| model.encode(&images.pixels, images.labels.as_deref());
    let (wanted, codes) = sound((code(&query), code(&among)))?;
    let (wanted, codes) = (
        Rows::new(&wanted, wanted.len()),
        Rows::new(&codes, wanted.len()),
    );
    let count_asked = usize::from(arguments.count);
    let own = own.as_ref().map(|own| own.as_slice());
    let found = nearest(wanted, codes, count_asked, own).remove(0);
    let classes = &trained.measured.classes;
    let header = ["image", "label", "distance"].map(String::from).to_vec();
    let row = |near: &Neighbor| {
        let label = among.class(near.index, classes).to_string();
        vec![
            among.names[near.index].clone(),
            label,
            match arguments.csv {
                true => near.distance.to_string(),
                false => format!("{:.4}", near.distance),
            },
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    match arguments.csv {
        true => print(&csv(std::iter::once(header).chain(rows.iter().cloned()))?),
        false => say(&draw(&header, &rows, 2)),
    }
    if let Some(path) = &arguments.output {
        draw_all(path, &query, &among, &found, &trained, &*model)?;
        if !arguments.csv {
            let neighbours = count(found.len(), "neighbor");
            say(&format!(
                "drew the image and its {neighbours} to {}",
                path.display()
            ));
        }
    }
    query.all_read()
}

/// The query image, and its number if it is a test image.
fn query(
    image: &Path,
    label: Option<&str>,
    trained: &TrainedModel,
    model: &dyn Model,
    catalogue: &Catalogue,
) -> Result<(InputImages, Option<usize>)> {
    let number = image.to_str().and_then(|text| text.parse::<usize>().ok());
    let Some(number) = number.filter(|_| !image.exists()) else {
        let mut images = InputImages::files(&[image.to_path_buf()], trained)?;
        if images.names.len() != 1 {
            let message = format!("expected one image, found {}", images.names.len());
            return Err(Error::usage(Problem::new(message).at_file(image)));
        }
        images.set_label(label, trained, model)?;
        return Ok((images, None));
    };
    if label.is_some() {
        let message = "`--label` is for a file: test images have classes";
        let place = Place::Setting("--label".to_string());
        return Err(Error::usage(Problem::new(message).at(place)));
    }
    let test = InputImages::part(ImageSplit::Test, trained, catalogue)?;
    let one = test.one(number).ok_or_else(|| {
        let images = count(test.names.len(), "test image");
        let message = format!("there is no test image {number}: there are {images}, from 0");
        Error::usage(Problem::new(message))
    })?;
    Ok((one, Some(number)))
}

/// The image first, then its neighbors with their classes and distances.
fn draw_all(
    path: &Path,
    query: &InputImages,
    among: &InputImages,
    found: &[Neighbor],
    trained: &TrainedModel,
    model: &dyn Model,
) -> Result<()> {
    let (shape, scale) = (model.images(), &trained.run.settings.data.scale);
    let classes = &trained.measured.classes;
    let numbers: Vec<usize> = found.iter().map(|near| near.index).collect();
    let near = Rows::new(&among.pixels, shape.len()).pick(&numbers);
    let across = (1 + found.len()).min(ACROSS);
    let pixels = [query.pixels.as_slice(), &near].concat();
    let own = vec![short(query.class(0, classes)), "image".to_string()];
    let captions = found.iter().map(|near| {
        let class = among.class(near.index, classes);
        vec![short(class), format!("{:.2}", near.distance)]
    });
    let grid = Grid {
        below: std::iter::once(own).chain(captions).collect(),
        ..Grid::new(picture::tiles(&pixels, shape, scale, across), across)
    };
    picture::write(path, framed(&grid.draw()))
}
