//! `burnlab sample`: images that a trained generative model dreams up.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;

use super::chosen::{Chosen, Split};
use super::trained::{self, Trained, Which};
use super::{catalogue, picture, say};
use crate::data::Catalogue;
use crate::error::{Error, Kind, Place, Problem, Result, count};
use crate::models::Model;
use crate::pictures::{Grid, framed, images};
use crate::plan::file_name;

/// Images beside each other where no classes give another number.
const ACROSS: usize = 10;

#[derive(Debug, Args)]
pub struct SampleArguments {
    /// The experiment, as a path or its name under experiments/
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// Number of images
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// The class of all images, for models that are told it [default: all classes in turn]
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,
    /// A PNG file for one picture of all, or a folder for a PNG file of each
    #[arg(long, short, value_name = "FILE.png|DIR")]
    output: PathBuf,
    /// What the images are drawn by: the same ones for the same number
    #[arg(long, value_name = "SEED", default_value = "0")]
    draw_seed: u64,
    /// auto, cpu, cuda, vulkan or ndarray; cuda:N, vulkan:N for one GPU of several
    #[arg(long, default_value = "auto", env = "BURNLAB_DEVICE")]
    device: String,
    #[command(flatten)]
    which: Which,
}

/// Draws images and writes them.
pub fn sample(arguments: SampleArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let number = arguments.count as usize;
    let not_generative = || {
        let message = format!(
            "`{}` is not generative: no images can be drawn from it",
            trained.run.variant
        );
        let hint = "images can be drawn from an auto-encoder with a `gaussian_code` or `walk_back`, and from a GAN";
        Error::usage(Problem::new(message).hint(hint))
    };
    if !trained.run.facts.is_generative() {
        return Err(not_generative());
    }
    let model = trained.open(&arguments.device, &catalogue)?;
    let labels = labels(&trained, &*model, arguments.label.as_deref(), number)?;
    let starts = starts(&trained, &catalogue, number)?;
    let drawn = model.sample(number, labels.as_deref(), &starts, arguments.draw_seed);
    let pixels = drawn.ok_or_else(not_generative)?;
    let (shape, scale) = (model.images(), trained.run.settings.data.scale);
    let output = &arguments.output;
    let is_file = output
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    if is_file {
        let in_turn = labels.is_some() && arguments.label.is_none();
        let across = if in_turn {
            model.facts().classes
        } else {
            ACROSS
        };
        let grid = Grid::new(picture::tiles(&pixels, shape, scale, across), across);
        picture::write(output, framed(&grid.draw()))?;
    } else {
        write_each(
            output,
            images(&pixels, shape, scale),
            labels.as_deref(),
            &trained,
        )?;
    }
    let images = count(number, "image");
    say(&format!("wrote {images} to {}", output.display()));
    Ok(())
}

/// The class of each image, if the model is told it.
fn labels(
    trained: &Trained,
    model: &dyn Model,
    asked: Option<&str>,
    count: usize,
) -> Result<Option<Vec<u32>>> {
    let asked = asked.map(|name| trained.class(name)).transpose()?;
    match (asked, model.facts().is_conditional) {
        (None, false) => Ok(None),
        (Some(label), true) => Ok(Some(vec![label; count])),
        (None, true) => {
            let classes = model.facts().classes as u32;
            Ok(Some((0..classes).cycle().take(count).collect()))
        }
        (Some(_), false) => {
            let message = format!(
                "`{}` is not told the class of an image",
                trained.run.variant
            );
            let problem = Problem::new(message).at(Place::Setting("--label".to_string()));
            Err(Error::usage(problem.hint("leave out `--label`")))
        }
    }
}

/// Training images, from which a chain of samples sets out: the first ones, in turn where there are fewer.
fn starts(trained: &Trained, catalogue: &Catalogue, count: usize) -> Result<Vec<f32>> {
    let images = Chosen::part(Split::Train, trained, catalogue)?;
    let size = images.pixels.len() / images.names.len().max(1);
    let images = images.pixels.chunks_exact(size.max(1)).cycle().take(count);
    Ok(images.flatten().copied().collect())
}

/// `0001.png`, or `0001-CLASS.png` where the model was told the class.
fn write_each(
    folder: &Path,
    images: Vec<RgbImage>,
    labels: Option<&[u32]>,
    trained: &Trained,
) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| Error::io(Kind::Data, "make the folder", folder, &error))?;
    for (index, image) in images.into_iter().enumerate() {
        let class = labels.map(|labels| &trained.measured.classes[labels[index] as usize]);
        let class = class.map(|class| format!("-{}", file_name(class)));
        let name = format!("{:04}{}.png", index + 1, class.unwrap_or_default());
        picture::write(&folder.join(name), image)?;
    }
    Ok(())
}
