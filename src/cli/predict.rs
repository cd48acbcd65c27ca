//! `burnlab predict`: what a trained run says of images.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::input_images::InputImages;
use super::trained::{self, WeightsArguments, Which};
use super::{DeviceArgument, catalogue, csv, print, say, sound};
use crate::error::{Error, Problem, Result};
use crate::models::{Ability, AnswerKind};
use crate::table::draw;

#[derive(Debug, Args)]
pub struct PredictArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<OsString>,
    /// Files of images, folders of such, or IDX files of images
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print comma-separated values instead of a table
    #[arg(long)]
    csv: bool,
    /// Show the K likeliest classes
    #[arg(long, value_name = "K", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    weights: WeightsArguments,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Prints the likeliest classes of every image.
pub fn predict(arguments: PredictArguments) -> Result<()> {
    let catalogue = catalogue();
    let (variant, paths) = trained::variant_and_paths(arguments.variant, arguments.paths);
    let variant = variant.as_deref();
    if paths.is_empty() {
        return Err(variant.map_or_else(trained::image_unsaid, trained::no_image));
    }
    let (file, which) = (&arguments.file, arguments.which);
    let found = arguments.weights.find(file, variant, which, &catalogue)?;
    if !found.run.facts.can(Ability::Classify) {
        let message = format!(
            "`{}` is no classifier: it finds no classes",
            found.run.variant
        );
        let hint = "`burnlab encode`, `reconstruct` and `sample` ask other models";
        return Err(Error::usage(Problem::new(message).hint(hint)));
    }
    let images = InputImages::files(&paths, &found)?;
    let classes = &found.measured.classes;
    let blueprint = found.blueprint();
    let model = found.open(&arguments.device)?;
    let answers = sound(blueprint.answers(&*model, &images.pixels))?;
    let top = usize::from(arguments.top).min(classes.len());
    let header = header(top, blueprint.answer_kind());
    // A program that reads them wants every digit.
    let number = match arguments.csv {
        true => |value: f32| value.to_string(),
        false => |value: f32| format!("{value:.4}"),
    };
    let named = images.names.iter().zip(&answers);
    let rows: Vec<Vec<String>> = named
        .map(|(name, answer)| row(name, answer, classes, top, number))
        .collect();
    match arguments.csv {
        true => print(&csv(std::iter::once(header).chain(rows))?),
        false => say(&draw(&header, &rows, 1)),
    }
    images.all_read()
}

/// `image`, then class and number in turn, the likeliest first.
fn header(top: usize, kind: AnswerKind) -> Vec<String> {
    let pair = |place: usize| match place {
        1 => ["class".to_string(), kind.name().to_string()],
        _ => [format!("class_{place}"), format!("{}_{place}", kind.name())],
    };
    let pairs = (1..=top).flat_map(pair);
    std::iter::once("image".to_string()).chain(pairs).collect()
}

fn row(
    name: &str,
    answer: &[f32],
    classes: &[String],
    top: usize,
    number: fn(f32) -> String,
) -> Vec<String> {
    let mut order: Vec<usize> = (0..answer.len()).collect();
    order.sort_by(|&one, &other| answer[other].total_cmp(&answer[one]));
    let pair = |&class: &usize| [classes[class].clone(), number(answer[class])];
    let pairs = order[..top].iter().flat_map(pair);
    std::iter::once(name.to_string()).chain(pairs).collect()
}
