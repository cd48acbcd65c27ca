//! `burnlab export`: a run's weights as a file for others.

use std::path::PathBuf;

use clap::Args;

use super::trained::{self, Which};
use super::{catalogue, note, say};
use crate::error::{Result, count};
use crate::network::{Layout, Naming, WeightFile, export as write};
use crate::plan::check::planned_for;

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// How tensors are called and laid out; pytorch: for `load_state_dict`
    #[arg(long, value_parser = ["burnlab", "pytorch"], default_value = "burnlab")]
    layout: String,
    /// The safetensors file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    which: Which,
}

/// Writes a run's weights.
pub fn export(arguments: ExportArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let classes = trained.measured.classes.len();
    let network = planned_for(&trained.run.settings, trained.images(), classes)?;
    let tensors = network.tensors(classes);
    let layout = match arguments.layout.as_str() {
        "pytorch" => Layout::Pytorch,
        _ => Layout::Burnlab,
    };
    let weights = WeightFile::read(&trained.weights, Naming::default())?;
    write(&weights, &tensors, layout, &arguments.output)?;
    say(&format!(
        "wrote {} of `{}`, seed {} to {}",
        count(tensors.len(), "tensor"),
        trained.run.variant,
        trained.run.seed,
        arguments.output.display()
    ));
    if layout == Layout::Pytorch && tensors.iter().any(|tensor| tensor.role == "running_mean") {
        note(
            "note: `num_batches_tracked` is left out: load with `strict=False`, and give `BatchNorm` the same `eps`",
        );
    }
    Ok(())
}
