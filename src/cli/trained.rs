//! Which trained run a command is about.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Set, files};
use crate::backend::Device;
use crate::data::Catalogue;
use crate::error::{Error, Place, Problem, Result, did_you_mean, list};
use crate::models::{Ability, Model};
use crate::plan::{Plan, Run};
use crate::record::{Measured, RunFolder, Status};
use crate::run::{ResultsFolder, is_variant};

/// What tells runs of a variant apart.
#[derive(Debug, Args)]
pub struct Which {
    /// The run's seed [default: the first one of the variant]
    #[arg(long)]
    seed: Option<u64>,
    /// Take the weights of the best epoch by `train.best`, not the final ones
    #[arg(long)]
    best: bool,
    /// Where results are
    #[arg(
        long,
        value_name = "DIR",
        default_value = "results",
        env = "BURNLAB_RESULTS"
    )]
    results: PathBuf,
    #[command(flatten)]
    set: Set,
}

/// A run that is done.
pub struct Trained {
    pub run: Run,
    pub measured: Measured,
    pub weights: PathBuf,
    /// Whether they are those of the best epoch.
    pub is_best: bool,
    pub folder: RunFolder,
    pub tensorboard: PathBuf,
}

impl Trained {
    /// The class of that name.
    ///
    /// # Errors
    /// There is no such class.
    pub fn class(&self, name: &str) -> Result<u32> {
        let classes = &self.measured.classes;
        let found = classes.iter().position(|class| class == name);
        found.map(|class| class as u32).ok_or_else(|| {
            let problem = Problem::new(format!("there is no class `{name}`"));
            let place = Place::Setting(format!("--label {name}"));
            Error::usage(problem.at(place).maybe_hint(did_you_mean(name, classes)))
        })
    }

    /// The trained model, at rest on a device.
    ///
    /// # Errors
    /// There is no such device, or the weights cannot be read.
    pub fn open(&self, device: &str, catalogue: &Catalogue) -> Result<Box<dyn Model>> {
        let settings = &self.run.settings;
        let (facts, _) = catalogue.check(&settings.data)?;
        let blueprint = settings.blueprint(facts.shape, facts.classes.len(), facts.test);
        blueprint.load(&self.weights, &Device::checked(device)?)
    }

    /// The same of an auto-encoder; `lacks` says what no other kind of model does.
    ///
    /// # Errors
    /// As [`open`](Self::open), or it is of another kind.
    pub fn autoencoder(
        &self,
        lacks: &str,
        device: &str,
        catalogue: &Catalogue,
    ) -> Result<Box<dyn Model>> {
        let facts = &self.run.facts;
        if facts.can(Ability::Encode) {
            return self.open(device, catalogue);
        }
        let hint = match facts.can(Ability::Classify) {
            true => "`burnlab predict` tells the classes of images",
            false => "`burnlab sample` draws images from it",
        };
        let called = facts.kind.called();
        let message = format!("`{}` is {called}, which {lacks}", self.run.variant);
        Err(Error::usage(Problem::new(message).hint(hint)))
    }
}

/// A variant and a path as two arguments that may be left out: one alone that is there is the path.
pub fn variant_and_path(
    variant: Option<String>,
    path: Option<PathBuf>,
) -> (Option<String>, Option<PathBuf>) {
    match (variant, path) {
        (Some(only), None) if Path::new(&only).exists() => (None, Some(PathBuf::from(only))),
        both => both,
    }
}

/// The run of an experiment that is meant, with what it left.
///
/// # Errors
/// There is no such run, several could be meant, or it is not done.
pub fn find(
    file: &Path,
    variant: Option<&str>,
    which: Which,
    catalogue: &Catalogue,
) -> Result<Trained> {
    let path = files::find(file)?;
    let plan = Plan::make(&path, &which.set.overrides(), catalogue)?;
    let run = one_run(&plan, variant, which.seed)?;
    let name = format!("`{}`, seed {} of `{}`", run.variant, run.seed, plan.name);
    let results = ResultsFolder::of(&which.results, &plan.name);
    let folder = results.run(run);
    let row = folder.row().filter(|row| row.id == run.id);
    let told = |says: String| Problem::new(format!("{name} {says}")).at_file(folder.path());
    let measured = match row.map(|row| (row.status, row.reason, row.measured)) {
        Some((Status::Done, _, Some(measured))) => measured,
        Some((status @ (Status::Failed | Status::Diverged), reason, _)) => {
            let reason = reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            return Err(Error::data(told(format!("{}{reason}", status.name()))));
        }
        _ => {
            let problem = Problem::new(format!("{name} is not trained"));
            let command = format!("burnlab run {} --only {}", file.display(), run.variant);
            return Err(Error::data(problem.hint(command)));
        }
    };
    let weights = folder.file(match which.best {
        true => "best.safetensors",
        false => "weights.safetensors",
    });
    if which.best && measured.best_epoch.is_none() {
        let says = "keeps no best weights: it has no validation set".to_string();
        return Err(Error::data(told(says).hint("leave out `--best`")));
    }
    Ok(Trained {
        run: run.clone(),
        measured,
        weights,
        is_best: which.best,
        tensorboard: results.tensorboard(run),
        folder,
    })
}

fn one_run<'a>(plan: &'a Plan, variant: Option<&str>, seed: Option<u64>) -> Result<&'a Run> {
    let is_meant = |run: &&Run| variant.is_none_or(|variant| is_variant(run, variant));
    let runs: Vec<&Run> = plan.runs.iter().filter(is_meant).collect();
    let mut labels: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    labels.dedup();
    let usage = |message: String| Problem::new(message);
    let Some(first) = runs.first() else {
        let asked = variant.unwrap_or_default();
        let problem = usage(format!(
            "`{}` has no variant `{asked}`",
            plan.path.display()
        ));
        return Err(Error::usage(
            problem.maybe_hint(did_you_mean(asked, &plan.variants())),
        ));
    };
    if labels.len() > 1 {
        let problem = usage(format!(
            "`{}` has several variants: name one",
            plan.path.display()
        ));
        return Err(Error::usage(
            problem.hint(format!("they are {}", list(&labels))),
        ));
    }
    let Some(seed) = seed else {
        return Ok(first);
    };
    let found = runs.iter().find(|run| run.seed == seed);
    found.copied().ok_or_else(|| {
        let seeds: Vec<String> = runs.iter().map(|run| run.seed.to_string()).collect();
        let problem = usage(format!("`{}` has no run with seed {seed}", first.variant));
        Error::usage(problem.hint(format!("its seeds: {}", seeds.join(", "))))
    })
}
