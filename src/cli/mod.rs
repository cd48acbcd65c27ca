//! The commands: what each takes, what it calls, what it prints.

mod articles;
mod augment;
mod compare;
mod data;
mod detach;
mod doctor;
mod encode;
mod evaluate;
mod export;
mod files;
mod input_images;
mod launch;
mod man;
mod neighbours;
mod new;
mod output;
mod output_path;
mod picture;
mod pictures;
#[cfg(test)]
mod planted;
mod predict;
mod reconstruct;
mod reference;
mod regress;
mod report;
mod reproduce;
mod run;
mod sample;
mod show;
mod signals;
mod tips;
mod trained;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{finish, keep, note, print, say};
pub use reference::reference;

use crate::backend::{Device, Devices, check_threads};
use crate::config::Overrides;
use crate::data::{Catalogue, Folders};
use crate::error::{Error, Kind, Result};
use crate::record::Reporter;
use crate::report::TensorBoard;
use crate::run::{Assignment, begin, work};

/// Runs experiments written as TOML files: trains every variant with every seed, leaves tables,
/// TensorBoard logs and a verdict on what the file claims.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first experiment, with comments, to begin with
    New(new::NewArguments),
    /// Train every run of an experiment that is not done yet
    Run(run::RunArguments),
    /// Train the regression experiments anew and compare their metrics with the committed reference
    Regress(regress::RegressArguments),
    /// Train the experiments of the articles and show every claim beside what was measured
    Reproduce(reproduce::ReproduceArguments),
    /// Find every problem of experiment files without running anything
    Check {
        /// Files or folders [default: experiments, and the experiment files here]
        files: Vec<PathBuf>,
        #[command(flatten)]
        set: Set,
    },
    /// Print the resolved settings with the origin of every value
    Explain {
        /// The experiment, as a path or its name under experiments/
        file: PathBuf,
        /// One of its variants, or of their points as tables name them [default: the file as it stands]
        variant: Option<String>,
        #[command(flatten)]
        set: Set,
    },
    /// Print the layers of an experiment's networks with shapes, parameters and multiply-adds
    Summary {
        /// The experiment, as a path or its name under experiments/
        file: PathBuf,
        /// One of its variants [default: every different network]
        variant: Option<String>,
        /// Show the layers inside blocks too
        #[arg(long)]
        expand: bool,
        #[command(flatten)]
        set: Set,
    },
    /// List the experiments, those under experiments/ and here, and how far they are
    List {
        #[command(flatten)]
        results: ResultsArgument,
    },
    /// Print the tables and the verdict of what has been run, or compare any two experiments, variants or runs
    Compare(compare::CompareArguments),
    /// Write what has been run of an experiment as one page, report.html, into its folder of results
    Report(report::ReportArguments),
    /// Write a trained run's weights, for burnlab or for PyTorch, or its network as an ONNX file
    Export(export::ExportArguments),
    /// Measure a trained run, or weights of a file, on its test set or on other images
    Evaluate(evaluate::EvaluateArguments),
    /// Print the classes that a trained classifier predicts for images
    Predict(predict::PredictArguments),
    /// Draw what an experiment's augmentation makes of its first images, before anything is trained
    Augment(augment::AugmentArguments),
    /// Draw the pictures of a trained run anew from its weights
    Pictures(pictures::PicturesArguments),
    /// Print a trained auto-encoder's codes of images
    Encode(encode::EncodeArguments),
    /// Print a trained auto-encoder's reconstruction errors, or draw the reconstructions
    Reconstruct(reconstruct::ReconstructArguments),
    /// Find the images nearest to a given one in a trained auto-encoder's code space
    Neighbours(neighbours::NeighboursArguments),
    /// Generate images with a trained generative model
    Sample(sample::SampleArguments),
    /// List, download or verify datasets
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Say what this machine and this build can do, and what is missing
    Doctor,
    /// Print the JSON schema of experiment files
    Schema,
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write one for every command
    Man(man::ManArguments),
    /// Print the reference of all that files and commands may say, as Markdown
    Reference,
    /// Train what the supervisor hands over
    #[command(hide = true)]
    Worker {
        #[arg(long)]
        device: String,
        /// On another machine than the supervisor
        #[arg(long)]
        remote: bool,
    },
}

/// Settings over those of the file.
#[derive(Debug, Clone, Default, clap::Args)]
struct Set {
    /// Override a setting, such as train.epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Set {
    fn overrides(self) -> Overrides {
        Overrides {
            set: self.set,
            ..Overrides::from_environment()
        }
    }
}

/// The command line.
///
/// # Errors
/// It is wrong, or asks for help or the version, which was printed.
pub fn parse() -> Result<Arguments, ExitCode> {
    let mut command = Arguments::command();
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let parsed = parsed.and_then(|matches| {
        reproduce::check(&matches, &mut command)?;
        Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    });
    parsed.map_err(|mut answer| {
        let arguments = std::env::args_os().skip(1);
        let arguments: Vec<String> = arguments
            .map(|text| text.to_string_lossy().into_owned())
            .collect();
        tips::suggest(&mut answer, &command, &arguments);
        let printed = answer.print();
        if answer.use_stderr() {
            return ExitCode::from(Kind::Usage.exit_code());
        }
        keep(printed);
        finish().map_or_else(|error| complain(&error), |()| ExitCode::SUCCESS)
    })
}

/// The command line as its documents show it: the same whatever the environment is.
fn documented() -> clap::Command {
    Arguments::command()
        .mut_args(|argument| argument.hide_env_values(true))
        .mut_subcommands(|command| command.mut_args(|argument| argument.hide_env_values(true)))
}

/// Prints what went wrong and gives the exit code for its kind.
pub fn complain(error: &Error) -> ExitCode {
    note(error);
    ExitCode::from(error.kind.exit_code())
}

/// Does what the command line asks.
///
/// # Errors
/// Whatever went wrong, with the exit code for its kind.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    signals::refuse_large_files();
    let code = carry_out(arguments)?;
    finish()?;
    Ok(code)
}

fn carry_out(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::New(arguments) => new::new(&arguments)?,
        Command::Run(arguments) => return run::run(arguments),
        Command::Regress(arguments) => return regress::regress(arguments),
        Command::Reproduce(arguments) => return reproduce::reproduce(arguments),
        Command::Check { files, set } => show::check(files, &set.overrides())?,
        Command::Explain { file, variant, set } => {
            show::explain(&files::find(&file)?, &set.overrides(), variant.as_deref())?;
        }
        Command::Summary {
            file,
            variant,
            expand,
            set,
        } => {
            let overrides = set.overrides();
            show::summary(&files::find(&file)?, &overrides, variant.as_deref(), expand)?;
        }
        Command::List { results } => show::list(&results.folder)?,
        Command::Compare(arguments) => return compare::compare(arguments),
        Command::Report(arguments) => return report::report(arguments),
        Command::Export(arguments) => export::export(arguments)?,
        Command::Evaluate(arguments) => evaluate::evaluate(arguments)?,
        Command::Predict(arguments) => predict::predict(arguments)?,
        Command::Augment(arguments) => augment::augment(arguments)?,
        Command::Pictures(arguments) => pictures::pictures(arguments)?,
        Command::Encode(arguments) => encode::encode(arguments)?,
        Command::Reconstruct(arguments) => reconstruct::reconstruct(arguments)?,
        Command::Neighbours(arguments) => neighbours::neighbours(arguments)?,
        Command::Sample(arguments) => sample::sample(arguments)?,
        Command::Data(command) => data::data(command)?,
        Command::Doctor => doctor::doctor(),
        Command::Schema => print(format!("{:#}\n", crate::config::schema()).as_bytes()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "burnlab", &mut script);
            print(&script);
        }
        Command::Man(arguments) => man::man(&arguments)?,
        Command::Reference => print(reference().as_bytes()),
        Command::Worker { device, remote } => worker(&device, remote)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn worker(device: &str, remote: bool) -> Result<()> {
    let errand = remote.then(begin).transpose()?;
    let asked = signals::asked_to_stop();
    let device = Device::parse(device);
    let make = |assignment: &Assignment| -> Result<Box<dyn Reporter>> {
        Ok(Box::new(TensorBoard::new(assignment)?))
    };
    work(device, &catalogue(), &make, errand, asked)
}

/// Where a command's results are.
#[derive(Debug, Clone, Args)]
struct ResultsArgument {
    /// The folder of results
    #[arg(
        id = "results",
        long = "results",
        value_name = "DIR",
        default_value = "results",
        env = "BURNLAB_RESULTS"
    )]
    folder: PathBuf,
}

/// How many workers a command trains with.
#[derive(Debug, Args)]
struct JobsArgument {
    /// Worker processes at a time [default: one a core; on each GPU one, or up to eight where NVIDIA's MPS runs]
    #[arg(long, short, value_name = "N", env = "BURNLAB_JOBS", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl JobsArgument {
    /// As many as were asked for, or as the devices take; `None` for one a core.
    fn on(&self, devices: &Devices) -> Option<usize> {
        self.jobs.map(usize::from).or(devices.workers())
    }
}

/// Which device a command computes on.
#[derive(Debug, Args)]
struct DeviceArgument {
    /// auto, cpu, cuda, vulkan or ndarray; cuda:N, vulkan:N for one GPU of several
    #[arg(long, default_value = "auto", env = "BURNLAB_DEVICE")]
    device: String,
}

impl DeviceArgument {
    /// The device, which computes what it should.
    ///
    /// # Errors
    /// There is no such device, or it cannot be used.
    fn checked(&self) -> Result<Device> {
        Device::checked(&self.device)
    }
}

/// What a device made, unless something broke off on it: then it is wrong in silence.
fn sound<T>(made: T) -> Result<T> {
    check_threads().map(|()| made)
}

/// Which devices a command trains on.
#[derive(Debug, Args)]
struct DevicesArgument {
    /// auto, cpu, cuda, vulkan or ndarray; cuda stands for all GPUs of the first one's model, cuda:1 for one, cuda:0,cuda:2 for some
    #[arg(long, default_value = "auto", env = "BURNLAB_DEVICE")]
    device: String,
}

fn catalogue() -> Catalogue {
    Catalogue::new(Folders::from_environment())
}

/// Comma-separated values, the header first.
fn csv(records: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>> {
    crate::record::csv("the table", records)
}
