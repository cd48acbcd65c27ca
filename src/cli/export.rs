//! `burnlab export`: a run's weights as a file for others.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output_path::Written;
use super::trained::{FileArguments, TrainedModel, Which, layout};
use super::{catalogue, note, say};
use crate::error::{Error, Place, Problem, Result, count};
use crate::models::{Ability, Described};
use crate::network::{Layout, WeightFile, export as write};
use crate::plan::check::planned_for;
use crate::record::write_atomically;

#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// What is written: weights in burnlab's layout or, for `load_state_dict`, in PyTorch's; or the whole network
    /// [default: onnx into a file.onnx, else burnlab]
    #[arg(long, value_parser = ["burnlab", "pytorch", "onnx"])]
    layout: Option<String>,
    /// The file to write, a safetensors file but for onnx
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    weights: FileArguments,
    #[command(flatten)]
    which: Which,
}

/// Writes a run's weights, or its network with them.
pub fn export(arguments: ExportArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let (file, which) = (&arguments.file, arguments.which);
    let weights = &arguments.weights;
    let trained = weights.find(Layout::Burnlab, file, variant, which, &catalogue)?;
    let usual = match arguments
        .output
        .extension()
        .is_some_and(|ending| ending == "onnx")
    {
        true => "onnx",
        false => "burnlab",
    };
    let wanted = arguments.layout.as_deref().unwrap_or(usual);
    check_ending(wanted, &arguments.output)?;
    if wanted == "onnx" {
        return export_network(&trained, &arguments.output);
    }
    let classes = trained.measured.classes.len();
    let network = planned_for(&trained.run.settings, trained.images(), classes)?;
    let tensors = network.tensors(classes);
    let layout = layout(wanted);
    let weights = WeightFile::read(&trained.weights, trained.naming.clone())?;
    write(&weights, &tensors, layout, &arguments.output)?;
    say(&format!(
        "wrote {} of {} to {}",
        count(tensors.len(), "tensor"),
        trained.called(),
        arguments.output.display()
    ));
    if layout == Layout::Pytorch && tensors.iter().any(|tensor| tensor.role == "running_mean") {
        note(
            "note: `num_batches_tracked` is left out: load with `strict=False`, and give `BatchNorm` the same `eps`",
        );
    }
    Ok(())
}

/// Sees that a file is not called what it will not be.
fn check_ending(layout: &str, output: &Path) -> Result<()> {
    let is_network = layout == "onnx";
    let written = Written {
        is: "weights or a network",
        endings: if is_network {
            &["onnx"]
        } else {
            &["safetensors"]
        },
    };
    if let Some(ending) = written.other_ending(output) {
        let message = format!("what is written is no `.{ending}` file");
        let place = Place::Setting(format!("--output {}", output.display()));
        let hint = match is_network {
            true => "call it `.onnx`",
            false => {
                "call it `.safetensors`, which PyTorch reads with `safetensors.torch.load_file` after `--layout pytorch`; \
                 `.onnx` is the whole network"
            }
        };
        return Err(Error::usage(Problem::new(message).at(place).hint(hint)));
    }
    Ok(())
}

/// Writes the network in inference as an ONNX file.
fn export_network(trained: &TrainedModel, output: &Path) -> Result<()> {
    let (run, classes) = (&trained.run, &trained.measured.classes);
    let described = Described {
        title: &trained.called().replace('`', ""),
        classes,
        scale: &run.settings.data.scale,
    };
    let weights = WeightFile::read(&trained.weights, trained.naming.clone())?;
    let bytes = trained.blueprint().onnx(&weights, &described)?;
    write_atomically(output, &bytes)?;
    let takes = match run.facts.can(Ability::Discriminate) {
        true => "it takes latent numbers and gives pixels from 0 to 1",
        false => "it takes pixels from 0 to 1",
    };
    let label = match run.facts.is_conditional {
        true => ", and the class",
        false => "",
    };
    let (what, file) = (trained.called(), output.display());
    say(&format!(
        "wrote the network of {what} to {file}: {takes}{label}"
    ));
    Ok(())
}
