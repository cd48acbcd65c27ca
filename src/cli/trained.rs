//! Which trained run a command is about.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{DeviceArgument, ResultsArgument, Set, files, note};
use crate::config::{FEATURE_CLASSIFIER, Settings};
use crate::data::{Catalogue, Scale, Splits};
use crate::error::{Error, Place, Problem, Result, did_you_mean, list};
use crate::models::{Ability, Blueprint, Model};
use crate::network::{Layout, Map, Naming};
use crate::plan::{Memory, Plan, Run};
use crate::record::{Measured, RunFolder, RunRow, Status, TRAINED_ANEW, log_of_run};
use crate::report::best_point;
use crate::rng::Seed;
use crate::run::{ResultsFolder, twin_on_other_data};
use crate::shape::ImageShape;
use crate::train::EarlierRun;

/// What selects one of a variant's runs.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The run's seed [default: the first one of the variant]
    #[arg(long)]
    seed: Option<u64>,
    /// Take the weights of the best epoch by `train.best`, not the final ones
    #[arg(long)]
    best: bool,
    #[command(flatten)]
    results: ResultsArgument,
    #[command(flatten)]
    set: Set,
}

/// Weights of a file in place of those that a run left, and what its layers are called.
#[derive(Debug, Clone, Args)]
pub struct FileArguments {
    /// Take the weights of a safetensors file; the variant need not be trained
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Whose names of layers that file has: all layers are matched, in the order of a forward pass
    #[arg(long, value_parser = ["torchvision"], requires = "weights", conflicts_with = "rename")]
    map: Option<String>,
    /// Take this away where that file's names begin with it
    #[arg(long, value_name = "PREFIX", requires = "weights")]
    strip: Option<String>,
    /// What that file calls a layer or block, and what it is called here; may be given many times
    #[arg(long, value_name = "THERE=HERE", requires = "weights", value_parser = pair)]
    rename: Vec<(String, String)>,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let (there, here) = text.split_once('=').ok_or("there is no `=` in it")?;
    Ok((there.to_string(), here.to_string()))
}

impl FileArguments {
    /// The run that is meant, as [`find`] does, or the run that these weights are for, whose file lays tensors out so.
    ///
    /// # Errors
    /// As [`find`]; or `--best` is asked for besides.
    pub fn find(
        &self,
        layout: Layout,
        file: &Path,
        variant: Option<&str>,
        which: Which,
        catalogue: &Catalogue,
    ) -> Result<TrainedModel> {
        let Some(weights) = &self.weights else {
            return find(file, variant, which, catalogue);
        };
        let naming = Naming {
            layout,
            strip: self.strip.clone(),
            rename: self.rename.iter().cloned().collect(),
            map: self.map.as_ref().map(|_| Map::Torchvision),
        };
        with_weights(file, variant, which, (weights, naming), catalogue)
    }
}

/// The layout of this name; burnlab's own by any other.
pub fn layout(name: &str) -> Layout {
    match name {
        "pytorch" => Layout::Pytorch,
        _ => Layout::Burnlab,
    }
}

/// The same of a file that may be laid out otherwise.
#[derive(Debug, Clone, Args)]
pub struct WeightsArguments {
    #[command(flatten)]
    file: FileArguments,
    /// How that file's tensors are called and laid out; pytorch: as `state_dict` has them
    #[arg(long, value_parser = ["burnlab", "pytorch"], default_value = "burnlab", requires = "weights")]
    layout: String,
}

impl WeightsArguments {
    /// As [`FileArguments::find`].
    pub fn find(
        &self,
        file: &Path,
        variant: Option<&str>,
        which: Which,
        catalogue: &Catalogue,
    ) -> Result<TrainedModel> {
        self.file
            .find(layout(&self.layout), file, variant, which, catalogue)
    }
}

/// A run that is done.
pub struct TrainedModel {
    pub run: Run,
    pub measured: Measured,
    pub weights: PathBuf,
    /// What that file calls layers and tensors.
    pub naming: Naming,
    /// Whether they are of a file that was named, and not what the run left.
    pub is_of_file: bool,
    /// Whether they are those of the best epoch.
    pub is_best: bool,
    /// The classifier that `measure.frechet_distance` names, or why it cannot look.
    pub feature_classifier: std::result::Result<EarlierRun, String>,
    pub folder: RunFolder,
    /// Where its curves are, or would be.
    pub tensorboard: PathBuf,
}

impl TrainedModel {
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

    /// The variant, and whose weights it has: a run's of a seed, or a file's.
    pub fn called(&self) -> String {
        let variant = &self.run.variant;
        match self.is_of_file {
            true => format!(
                "`{variant}` with the weights of `{}`",
                self.weights.display()
            ),
            false => format!("`{variant}`, seed {}", self.run.seed),
        }
    }

    /// The run's data as it lies there now; a note says where that is not what the run was trained on.
    ///
    /// # Errors
    /// It is not there, or its images have another shape or other classes by now.
    pub fn splits(&self, catalogue: &Catalogue) -> Result<Splits> {
        let data = &self.run.settings.data;
        let splits = catalogue.load(data, Seed(self.run.seed))?;
        let changed = |what: &str, now: String, then: String| {
            let dataset = &data.dataset;
            let message = format!("{what} of `{dataset}` are {now}, but were {then} in training");
            let hint = "images that are named are taken as they are: `evaluate --data DIR`, or paths where a command takes such";
            Err(Error::data(Problem::new(message).hint(hint)))
        };
        let (shape, classes) = (splits.train.shape, &splits.class_names);
        if shape != self.images() {
            return changed("the images", shape.to_string(), self.images().to_string());
        }
        let then = &self.measured.classes;
        if !then.is_empty() && then != classes {
            return changed("the classes", list(classes), list(then));
        }
        self.note_changed_images(&catalogue.checksums(data)?);
        Ok(splits)
    }

    fn note_changed_images(&self, now: &[(String, String)]) {
        let then = self.folder.provenance().map(|run| run.dataset);
        let Some(then) = then.filter(|then| !self.is_of_file && !then.is_empty()) else {
            return;
        };
        let is_other = |(_, sum): &&(String, String)| then.iter().all(|(_, before)| before != sum);
        let changed: Vec<&str> = now
            .iter()
            .filter(is_other)
            .map(|(file, _)| &**file)
            .collect();
        if !changed.is_empty() {
            note(format!(
                "note: not the images that {} was trained on, but those of its data now: changed since are {}",
                self.called(),
                list(&changed)
            ));
        }
    }

    /// The shape of the images that it was trained on.
    pub fn images(&self) -> ImageShape {
        self.run.facts.images
    }

    /// The model but for its weights.
    pub fn blueprint(&self) -> Blueprint {
        let (settings, facts) = (&self.run.settings, &self.run.facts);
        settings.blueprint(facts.images, facts.classes, facts.test)
    }

    /// The trained model in inference mode, on a device.
    ///
    /// # Errors
    /// There is no such device, or the weights cannot be read.
    pub fn open(&self, device: &DeviceArgument) -> Result<Box<dyn Model>> {
        let blueprint = self.blueprint();
        blueprint.load_named(&self.weights, self.naming.clone(), &device.checked()?)
    }

    /// The same of an auto-encoder; `lacks` says what no other kind of model does.
    ///
    /// # Errors
    /// As [`open`](Self::open), or it is of another kind.
    pub fn autoencoder(&self, lacks: &str, device: &DeviceArgument) -> Result<Box<dyn Model>> {
        let facts = &self.run.facts;
        if facts.can(Ability::Encode) {
            return self.open(device);
        }
        let hint = match facts.can(Ability::Classify) {
            true => "`burnlab predict` gives the classes of images",
            false => "`burnlab sample` draws images from it",
        };
        let called = facts.kind.called();
        let message = format!("`{}` is {called}, which {lacks}", self.run.variant);
        Err(Error::usage(Problem::new(message).hint(hint)))
    }
}

/// A variant and paths as arguments that may be left out: a variant that is there, or of several paths a file or what no variant can be
/// called, is the first path.
pub fn variant_and_paths(
    mut variant: Option<OsString>,
    mut paths: Vec<PathBuf>,
) -> (Option<String>, Vec<PathBuf>) {
    let is_path = |name: &OsString| match paths.is_empty() {
        true => Path::new(name).exists(),
        false => Path::new(name).is_file() || name.to_string_lossy().contains(['/', '\\']),
    };
    if variant.as_ref().is_some_and(is_path) {
        paths.splice(..0, variant.take().map(PathBuf::from));
    }
    let variant = variant.map(|name| name.to_string_lossy().into_owned());
    (variant, paths)
}

/// There is no such image.
pub fn no_image(name: &str) -> Error {
    let problem = Problem::new(format!("there is no image or folder `{name}`"));
    let hint = format!("if `{name}` is a variant, name an image after it");
    Error::data(problem.hint(hint))
}

/// No image is named.
pub fn image_unsaid() -> Error {
    Error::usage(Problem::new("no image is named").hint("name it after the experiment"))
}

/// A variant, which may be left out, and an image: one alone is the path, or the number of an image.
///
/// # Errors
/// There is none.
pub fn variant_and_image(
    variant: Option<OsString>,
    path: Option<PathBuf>,
) -> Result<(Option<String>, PathBuf)> {
    let (variant, path) = match (variant, path) {
        (Some(only), None) => {
            let path = PathBuf::from(only);
            let name = path.to_string_lossy();
            if !path.exists() && name.parse::<usize>().is_err() {
                return Err(no_image(&name));
            }
            (None, Some(path))
        }
        both => both,
    };
    let variant = variant.map(|name| name.to_string_lossy().into_owned());
    Ok((variant, path.ok_or_else(image_unsaid)?))
}

/// The run of an experiment that is meant, with what it left; or that of a run's folder, for which neither the
/// experiment's file nor its data need be there.
///
/// # Errors
/// There is no such run, several could be meant, or it is not done.
pub fn find(
    file: &Path,
    variant: Option<&str>,
    which: Which,
    catalogue: &Catalogue,
) -> Result<TrainedModel> {
    if file.join("run.json").is_file() {
        return of_folder(file, variant, &which, catalogue);
    }
    let path = files::find(file)?;
    let plan = Plan::make(&path, &which.set.overrides(), catalogue)?;
    let results = ResultsFolder::of(&which.results.folder, &plan.name);
    let run = one_run(&plan, variant, which.seed, &results)?;
    let name = format!("`{}`, seed {} of `{}`", run.variant, run.seed, plan.name);
    let folder = results.run(run);
    let row = folder.row().filter(|row| row.id == run.id);
    let Some(measured) = measured(row, &name, &folder)? else {
        return Err(untrained(file, run, &name, &results));
    };
    Ok(TrainedModel {
        run: Run {
            settings: Arc::new(run.settings.as_ref().clone().as_trained(&folder)?),
            ..run.clone()
        },
        weights: weights(&folder, &measured, which.best, &run.settings, &name)?,
        naming: Naming::default(),
        measured,
        is_of_file: false,
        is_best: which.best,
        feature_classifier: feature_classifier(&plan, run, &which.results.folder),
        tensorboard: log_of_run(&results.tensorboard(run), &folder),
        folder,
    })
}

/// Why there is no trained model of a run that has not failed, and what would make one.
fn untrained(file: &Path, run: &Run, name: &str, results: &ResultsFolder) -> Error {
    let row = results.row(run);
    let mut problem = match row.status {
        Status::Halted => {
            let reason = row.reason.unwrap_or_default();
            Problem::new(format!("{name} was not trained to its end: {reason}"))
        }
        _ => Problem::new(format!("{name} is not trained")),
    };
    let file = file.display();
    let mut hint = format!("burnlab run {file} --only {}", run.variant);
    let there = results.runs();
    if let Some(before) = twin_on_other_data(run, &there) {
        problem.message += " on the images as they are now";
        hint += &format!(
            "; the run on the images as they were, for `predict` and its like, can be named by its folder, `{}`",
            before.display()
        );
    }
    Error::data(problem.hint(hint))
}

/// A run of an experiment, which need not be trained, with weights of a file; or that of a run's folder.
///
/// # Errors
/// There is no such run, several could be meant, or its data is missing.
fn with_weights(
    file: &Path,
    variant: Option<&str>,
    which: Which,
    (weights, naming): (&Path, Naming),
    catalogue: &Catalogue,
) -> Result<TrainedModel> {
    if which.best {
        let message = "both `--best` and `--weights` say which weights are taken";
        let place = Place::Setting("--best".to_string());
        return Err(Error::usage(Problem::new(message).at(place)));
    }
    if file.join("run.json").is_file() {
        let trained = of_folder(file, variant, &which, catalogue)?;
        return Ok(TrainedModel {
            weights: weights.to_path_buf(),
            naming,
            is_of_file: true,
            ..trained
        });
    }
    let path = files::find(file)?;
    let plan = Plan::make(&path, &which.set.overrides(), catalogue)?;
    let results = ResultsFolder::of(&which.results.folder, &plan.name);
    let run = one_run(&plan, variant, which.seed, &results)?;
    let (facts, _) = catalogue.check(&run.settings.data)?;
    let mut settings = run.settings.clone();
    if settings.data.scale == Scale::Standardize {
        let splits = catalogue.load(&settings.data, Seed(run.seed))?;
        settings = Arc::new(settings.measured(&splits));
    }
    Ok(TrainedModel {
        run: Run {
            settings,
            ..run.clone()
        },
        measured: Measured {
            classes: facts.classes,
            ..Measured::default()
        },
        weights: weights.to_path_buf(),
        naming,
        is_of_file: true,
        is_best: false,
        feature_classifier: feature_classifier(&plan, run, &which.results.folder),
        folder: results.run(run),
        tensorboard: log_of_run(&results.tensorboard(run), &results.run(run)),
    })
}

/// The classifier in whose features a run's samples are compared with images, or why there is none that can look.
fn feature_classifier(
    plan: &Plan,
    run: &Run,
    results: &Path,
) -> std::result::Result<EarlierRun, String> {
    let mut earlier = run.earlier.iter();
    let earlier = earlier.find(|earlier| earlier.key == FEATURE_CLASSIFIER);
    let (plan, found) = plan.earlier(earlier.ok_or("no classifier is named")?);
    let results = ResultsFolder::of(results, &plan.name);
    if results.row(found).status != Status::Done {
        let (variant, seed) = (&found.variant, found.seed);
        return Err(format!(
            "`{variant}`, seed {seed} of `{}` is not trained",
            plan.name
        ));
    }
    Ok(EarlierRun {
        key: FEATURE_CLASSIFIER.to_string(),
        folder: results.run(found).path().to_path_buf(),
        settings: found.settings.as_ref().clone(),
    })
}

/// What was measured of a run, if it is done.
///
/// # Errors
/// It ended otherwise.
fn measured(row: Option<RunRow>, name: &str, folder: &RunFolder) -> Result<Option<Measured>> {
    match row.map(|row| (row.status, row.reason, row.measured)) {
        Some((Status::Done, _, measured)) => Ok(measured),
        Some((status @ (Status::Failed | Status::Diverged), reason, _)) => {
            let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
            let problem = Problem::new(format!("{name} {}{reason}", status.name()));
            Err(Error::data(problem.at_file(folder.path())))
        }
        _ => Ok(None),
    }
}

fn weights(
    folder: &RunFolder,
    measured: &Measured,
    best: bool,
    settings: &Settings,
    name: &str,
) -> Result<PathBuf> {
    if best && measured.best_epoch.is_none() {
        let lack = settings
            .train
            .best_lack(false)
            .unwrap_or("no epoch was measured");
        let message = format!("{name} keeps no best weights: {lack}");
        let problem = Problem::new(message).at_file(folder.path());
        return Err(Error::data(problem.hint("leave out `--best`")));
    }
    let path = folder.file(match best {
        true => "best.safetensors",
        false => "weights.safetensors",
    });
    match path.exists() {
        true => Ok(path),
        false => {
            let problem = Problem::new(format!("the weights of {name} are gone")).at_file(path);
            Err(Error::data(problem.hint(TRAINED_ANEW)))
        }
    }
}

/// The run of a folder, as its files describe it.
fn of_folder(
    path: &Path,
    variant: Option<&str>,
    which: &Which,
    catalogue: &Catalogue,
) -> Result<TrainedModel> {
    if variant.is_some() || which.seed.is_some() || !which.set.set.is_empty() {
        let message = "a run's folder is one run's: it has its variant, its seed and its settings";
        return Err(Error::usage(Problem::new(message).at_file(path)));
    }
    let folder = RunFolder::new(path);
    let damaged = |what: &str| Error::data(Problem::new(what).at_file(path));
    let row = folder.row();
    let row = row.ok_or_else(|| damaged("`run.json` of the run cannot be read"))?;
    let name = format!("`{}`, seed {}", row.variant, row.seed);
    let measured = measured(Some(row.clone()), &name, &folder)?;
    let measured = measured.ok_or_else(|| damaged(&format!("{name} is not trained")))?;
    let settings = Settings::of_run(&folder)?;
    let images = folder.provenance().and_then(|provenance| provenance.images);
    // Runs of earlier versions did not say; a dataset that is there, or known by its name, does.
    let of_data = || Some(catalogue.check(&settings.data).ok()?.0.shape);
    let unknown = "`provenance.json` of the run does not say the shape of its images, and its data is not there";
    let images = images.or_else(of_data).ok_or_else(|| damaged(unknown))?;
    let classes = measured.classes.len();
    let (network, flaws) = settings.network(images, classes);
    if let Some(flaw) = flaws.first() {
        return Err(damaged(&format!("`config.toml`: {}", flaw.message)));
    }
    let blueprint = settings.blueprint_of(network, images, classes, 0);
    let settings = Arc::new(settings);
    let run = Run {
        variant: row.variant,
        seed: row.seed,
        id: row.id,
        earlier: Vec::new(),
        facts: Arc::new(blueprint.facts),
        has_validation: folder.epochs().iter().any(|row| row.validation.is_some()),
        settings: Arc::clone(&settings),
        digest: None,
        weights: None,
        swept: row.swept,
        images: 0,
        parameters: measured.parameters,
        work: 0.0,
        memory: Memory::default(),
    };
    let tensorboard = match ResultsFolder::around(&folder) {
        Some(results) => log_of_run(&results.tensorboard(&run), &folder),
        None => folder.file("tensorboard"),
    };
    Ok(TrainedModel {
        run,
        weights: weights(&folder, &measured, which.best, &settings, &name)?,
        naming: Naming::default(),
        measured,
        is_of_file: false,
        is_best: which.best,
        feature_classifier: Err(
            "a run's folder does not say where its classifier is: name the experiment's file"
                .to_string(),
        ),
        tensorboard,
        folder,
    })
}

/// The run of a variant and a seed; of the points of a search that could be meant the best one.
fn one_run<'a>(
    plan: &'a Plan,
    variant: Option<&str>,
    seed: Option<u64>,
    results: &ResultsFolder,
) -> Result<&'a Run> {
    let is_meant = |run: &&Run| variant.is_none_or(|variant| run.is_of(variant));
    let mut runs: Vec<&Run> = plan.runs.iter().filter(is_meant).collect();
    if let Some(best) = best_of_points(plan, &runs, results) {
        note(format!("note: the best point of the search is `{best}`"));
        runs.retain(|run| run.variant == best);
    }
    let mut labels: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    labels.dedup();
    let usage = |message: String| Problem::new(message);
    let Some(first) = runs.first() else {
        return Err(plan.no_variant(variant.unwrap_or_default()));
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

/// The best point of a search where several of its points could be meant.
fn best_of_points(plan: &Plan, runs: &[&Run], results: &ResultsFolder) -> Option<String> {
    let search = plan.search.as_ref()?;
    let is_one = runs
        .windows(2)
        .all(|pair| pair[0].variant == pair[1].variant);
    if is_one {
        return None;
    }
    let rows: Vec<RunRow> = runs.iter().map(|run| results.row(run)).collect();
    // The best is not known before all points have ended.
    if rows.iter().any(|row| row.status == Status::Unfinished) {
        return None;
    }
    best_point(search, &rows).map(String::from)
}
