//! `burnlab encode`: the codes that a trained auto-encoder makes of images.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::input_images::ImageArguments;
use super::output_path::TABLE;
use super::trained::{self, Which};
use super::{DeviceArgument, catalogue, csv, print, say, sound};
use crate::error::{Result, count};
use crate::record::write_atomically;

#[derive(Debug, Args)]
pub struct EncodeArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<OsString>,
    /// Files of images, folders of such, or IDX files of images [default: the test images]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    images: ImageArguments,
    /// Write the table to a file instead of printing it
    #[arg(long, short, value_name = "FILE", value_parser = TABLE.path())]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Prints or writes the code of every image, as comma-separated values.
pub fn encode(arguments: EncodeArguments) -> Result<()> {
    let catalogue = catalogue();
    let (variant, paths) = trained::variant_and_paths(arguments.variant, arguments.paths);
    let variant = variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let model = trained.autoencoder("makes no codes of images", &arguments.device)?;
    let images = (arguments.images).take(&paths, None, &trained, &*model, &catalogue)?;
    let codes = sound(model.encode(&images.pixels, images.labels.as_deref()))?;
    let size = codes.len() / images.names.len().max(1);
    let header = ["image", "label"].map(String::from).into_iter();
    let header = header.chain((1..=size).map(|unit| format!("code_{unit}")));
    let classes = &trained.measured.classes;
    let row = |(index, code): (usize, &[f32])| -> Vec<String> {
        let name = images.names[index].clone();
        let label = images.class(index, classes).to_string();
        let code = code.iter().map(f32::to_string);
        [name, label].into_iter().chain(code).collect()
    };
    let rows = codes.chunks_exact(size.max(1)).enumerate().map(row);
    let table = csv(std::iter::once(header.collect()).chain(rows))?;
    match arguments.output {
        None => print(&table),
        Some(path) => {
            write_atomically(&path, &table)?;
            let codes = count(images.names.len(), "code");
            let numbers = count(size, "number");
            say(&format!("wrote {codes} of {numbers} to {}", path.display()));
        }
    }
    images.all_read()
}
