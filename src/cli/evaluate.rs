//! `burnlab evaluate`: a trained run, or weights of a file, measured as after training, on its test set or other images.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::trained::{TrainedModel, WeightsArguments, Which};
use super::{DeviceArgument, catalogue, csv, note, print, say};
use crate::data::{
    Catalogue, Classes, DataFields, DatasetSpec, FolderFields, IdxFields, ImageForm, Samples,
    Splits, find,
};
use crate::error::{Error, Place, Problem, Result, count, list};
use crate::models::{Ability, ModelFacts};
use crate::record::{BATCH_METRICS, Measured, Metric, RunFolder, write_atomically};
use crate::rng::Seed;
use crate::table::draw;
use crate::train::{Evaluated, Evaluation, STARTS};

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// Measure on other images: a dataset's name, or a folder of images or of IDX files
    #[arg(long, value_name = "NAME|DIR")]
    data: Option<String>,
    /// Which part of the images [default: test; all images of a folder by --data that has no test images of its own]
    #[arg(long, value_enum)]
    split: Option<Part>,
    #[command(flatten)]
    weights: WeightsArguments,
    /// Print comma-separated values instead of tables
    #[arg(long)]
    csv: bool,
    /// Write evaluation.csv, and confusion.csv of a classifier, into this folder
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Train,
    Validation,
    Test,
    All,
}

/// Measures and prints.
pub fn evaluate(arguments: EvaluateArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let (file, which) = (&arguments.file, arguments.which.clone());
    let run = arguments.weights.find(file, variant, which, &catalogue)?;
    let classes = &run.measured.classes;
    let Measurable {
        what,
        samples,
        is_labeled,
    } = samples(&arguments, &run, &catalogue)?;
    let number = samples.len();
    let evaluation = Evaluation {
        settings: &run.run.settings,
        seed: run.run.seed,
        counts: &counts(&run, &catalogue)?,
        weights: &run.weights,
        naming: run.naming.clone(),
        is_labeled,
        starts: starts(&run, &catalogue),
        feature_classifier: run.feature_classifier.clone(),
        catalogue: &catalogue,
    };
    let evaluated = evaluation.take(samples, &arguments.device.checked()?)?;
    for (measure, reason) in &evaluated.measures.left_out {
        note(format!("note: `{measure}` is left out: {reason}"));
    }
    let rows = rows(&run, &what, number, &evaluated);
    if let Some(folder) = &arguments.output {
        write(folder, &rows, classes, &evaluated)?;
    }
    match arguments.csv {
        true => print(&csv(rows)?),
        false => say_tables(&run, &what, number, &evaluated),
    }
    Ok(())
}

/// Training images of each class, where the run's data tells them; a loss that needs them has no other.
fn counts(run: &TrainedModel, catalogue: &Catalogue) -> Result<Vec<usize>> {
    let settings = &run.run.settings;
    if !settings.train.loss.weighs_by_counts() {
        return Ok(vec![1; run.measured.classes.len()]);
    }
    let counts = catalogue.counts(&settings.data, Seed(run.run.seed))?;
    counts.ok_or_else(|| Error::bug("a run's data has flaws"))
}

/// The first training images, from which samples set out, if a measure needs such and they are there.
fn starts(run: &TrainedModel, catalogue: &Catalogue) -> Vec<f32> {
    let settings = &run.run.settings;
    if run.run.facts.chain.is_none() || settings.measure.frechet_distance.is_none() {
        return Vec::new();
    }
    let Ok(splits) = catalogue.load(&settings.data, Seed(run.run.seed)) else {
        return Vec::new();
    };
    let Samples { pixels, shape, .. } = &splits.train;
    let count = pixels.len().min(STARTS * shape.len());
    pixels.some(0..count).into_owned()
}

/// Images that a model can be measured on.
struct Measurable {
    /// What they are, for people.
    what: String,
    samples: Samples,
    /// Whether anything tells their classes.
    is_labeled: bool,
}

/// The images that the command line asks for, of the shape and with the classes of the run's.
fn samples(
    arguments: &EvaluateArguments,
    run: &TrainedModel,
    catalogue: &Catalogue,
) -> Result<Measurable> {
    let settings = &run.run.settings;
    let seed = Seed(run.run.seed);
    let Some(data) = &arguments.data else {
        let part = arguments.split.unwrap_or(Part::Test);
        let splits = run.splits(catalogue)?;
        return Ok(Measurable {
            what: format!("{} of its data", part.name()),
            samples: part_of(splits, part)?,
            // As in training.
            is_labeled: true,
        });
    };
    let spec = dataset(data, &settings.data.dataset.form(), run)?;
    let facts = catalogue.describe(&spec)?;
    let classes = known_classes(&facts.classes, run);
    let fields = DataFields {
        classes,
        ..DataFields::new(spec)
    };
    let usual = match facts.states_test {
        true => Part::Test,
        false => Part::All,
    };
    let part = arguments.split.unwrap_or(usual);
    for text in facts.notes {
        note(format!("note: {text}"));
    }
    let splits = catalogue.load(&fields, seed)?;
    let known = splits.class_names.clone();
    let mut samples = part_of(splits, part)?;
    if samples.shape != run.images() {
        let (found, wanted) = (samples.shape, run.images());
        let message = format!("the images of `{data}` are {found}, but the network takes {wanted}");
        let problem = Problem::new(message).at(of_option(data));
        return Err(Error::data(
            problem.hint("images of a folder are brought to that"),
        ));
    }
    if facts.is_unlabeled && knows_classes(&run.run.facts) {
        let message = format!("the images of `{data}` have no classes to measure by");
        let problem = Problem::new(message).at(of_option(data));
        return Err(Error::data(problem.hint(
            "a folder a class; `burnlab predict` says which classes images without such are taken for",
        )));
    }
    let labels = labels(&known, &run.measured.classes, &run.run.facts);
    let labels = labels.map_err(|message| {
        let hint = format!("the run's classes are {}", list(&run.measured.classes));
        Error::usage(Problem::new(message).at(of_option(data)).hint(hint))
    })?;
    for label in &mut samples.labels {
        *label = labels[*label as usize];
    }
    Ok(Measurable {
        what: format!("{} of `{data}`", part.name()),
        samples,
        is_labeled: !facts.is_unlabeled,
    })
}

fn of_option(data: &str) -> Place {
    Place::Setting(format!("--data {data}"))
}

/// The dataset of that name, or the folder, whose images are brought to the form of the run's.
fn dataset(data: &str, form: &ImageForm, run: &TrainedModel) -> Result<DatasetSpec> {
    let path = Path::new(data);
    if !path.is_dir() {
        return find(data).map(DatasetSpec::Named).map_err(|mut error| {
            for problem in &mut error.problems {
                problem.message += ", and there is no such folder";
            }
            error
        });
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if super::data::is_idx(&path)? {
        return Ok(DatasetSpec::Idx(IdxFields::at(path)));
    }
    let form = form.clone().to_shape(run.images());
    Ok(DatasetSpec::Folder(FolderFields {
        form,
        ..FolderFields::at(path)
    }))
}

/// The classes of a dataset that a run tells apart, if it tells any apart; others are left out with a note. All of them where it
/// knows none.
fn known_classes(found: &[String], run: &TrainedModel) -> Classes {
    let is_known = |name: &String| run.measured.classes.contains(name);
    let (known, others): (Vec<usize>, Vec<usize>) =
        (0..found.len()).partition(|&class| is_known(&found[class]));
    if !knows_classes(&run.run.facts) || others.is_empty() || known.is_empty() {
        return Classes::All;
    }
    let others: Vec<&str> = others.iter().map(|&class| found[class].as_str()).collect();
    let (noun, verb, them) = match others.len() {
        1 => ("class", "is", "it"),
        _ => ("classes", "are", "them"),
    };
    note(format!(
        "note: {noun} {} {verb} left out: the run does not know {them}",
        list(&others)
    ));
    Classes::Only(known)
}

/// Whether an image's class is anything to the model.
fn knows_classes(facts: &ModelFacts) -> bool {
    facts.can(Ability::Classify) || facts.is_conditional
}

/// For each class of a dataset the run's label of that name; where classes are nothing to the model, one beyond the run's for
/// each that the run does not know.
fn labels(
    known: &[String],
    classes: &[String],
    facts: &ModelFacts,
) -> std::result::Result<Vec<u32>, String> {
    let of_run = |name: &String| classes.iter().position(|class| class == name);
    let label = |(number, name): (usize, &String)| match of_run(name) {
        Some(label) => Ok(label as u32),
        None if !knows_classes(facts) => Ok((classes.len() + number) as u32),
        None => Err(format!("the run knows no class `{name}`")),
    };
    known.iter().enumerate().map(label).collect()
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Train => "training images",
            Part::Validation => "validation images",
            Part::Test => "test images",
            Part::All => "images",
        }
    }
}

fn part_of(splits: Splits, part: Part) -> Result<Samples> {
    let Splits {
        train,
        validation,
        test,
        ..
    } = splits;
    let lacking = || {
        let place = Place::Setting("--split validation".to_string());
        Error::usage(Problem::new("there is no validation set").at(place))
    };
    match part {
        Part::Train => Ok(train),
        Part::Test => Ok(test),
        Part::Validation => validation.ok_or_else(lacking),
        Part::All => {
            let mut all = train;
            for part in validation.into_iter().chain([test]) {
                all.pixels.append(part.pixels);
                all.labels.extend(part.labels);
            }
            Ok(all)
        }
    }
}

/// A header, and what was measured, all digits of it.
fn rows(run: &TrainedModel, what: &str, number: usize, evaluated: &Evaluated) -> Vec<Vec<String>> {
    // Zero has no sign.
    let text = |value: f64| (value + 0.0).to_string();
    let metrics = BATCH_METRICS.iter();
    let metrics = metrics.filter_map(|metric| {
        let value = (metric.of)(&evaluated.score)?;
        Some((metric.metric.name.to_string(), text(value)))
    });
    let measures = evaluated.measures.measures();
    let measures = measures.map(|(name, _, value)| (name.to_string(), text(value)));
    let known = [
        ("variant", run.run.variant.clone()),
        ("seed", run.run.seed.to_string()),
        ("weights", run.weights.display().to_string()),
        ("data", what.replace('`', "")),
        ("images", number.to_string()),
    ];
    let known = known.map(|(name, value)| (name.to_string(), value));
    let (names, values) = known.into_iter().chain(metrics).chain(measures).unzip();
    vec![names, values]
}

fn say_tables(run: &TrainedModel, what: &str, number: usize, evaluated: &Evaluated) {
    let (run_name, number) = (run.called(), count(number, "image"));
    say(&format!("{run_name} on {number}: {what}"));
    let header = ["metric", "unit", "value"].map(String::from).to_vec();
    let row = |name: &str, metric: &Metric, value: f64| {
        let unit = metric.unit.unwrap_or_default().to_string();
        vec![name.to_string(), unit, metric.text(value)]
    };
    let metrics = BATCH_METRICS.iter().filter_map(|batch| {
        let value = (batch.of)(&evaluated.score)?;
        Some(row(batch.metric.name, &batch.metric, value))
    });
    let measures = evaluated.measures.measures();
    let measures = measures.map(|(name, metric, value)| row(name, metric, value));
    say(&draw(
        &header,
        &metrics.chain(measures).collect::<Vec<_>>(),
        2,
    ));
    if evaluated.confusion.is_empty() {
        return;
    }
    let header = ["class", "mostly taken for", "images", "right", "accuracy"];
    let classes = &run.measured.classes;
    let rows = evaluated.confusion.iter().enumerate();
    let rows = rows.map(|(truth, answers)| class_row(truth, answers, classes));
    say("");
    say(&draw(
        &header.map(String::from),
        &rows.collect::<Vec<_>>(),
        2,
    ));
}

/// A class, the wrong one that is answered most, its images, how many are right, and their share.
fn class_row(truth: usize, answers: &[usize], classes: &[String]) -> Vec<String> {
    let all: usize = answers.iter().sum();
    let share = match all {
        0 => String::new(),
        all => format!("{:.4}", answers[truth] as f64 / all as f64),
    };
    let others = (0..answers.len()).filter(|&class| class != truth && answers[class] > 0);
    let most = others.rev().max_by_key(|&class| answers[class]);
    let most = most.map(|class| format!("{} ({})", classes[class], answers[class]));
    vec![
        classes[truth].clone(),
        most.unwrap_or_default(),
        all.to_string(),
        answers[truth].to_string(),
        share,
    ]
}

/// The tables as files.
fn write(
    folder: &Path,
    rows: &[Vec<String>],
    classes: &[String],
    evaluated: &Evaluated,
) -> Result<()> {
    let folder = RunFolder::new(folder);
    folder.create()?;
    let bytes = csv(rows.to_vec())?;
    write_atomically(&folder.file("evaluation.csv"), &bytes)?;
    if evaluated.confusion.is_empty() {
        return Ok(());
    }
    folder.write_confusion(&Measured {
        confusion: evaluated.confusion.clone(),
        classes: classes.to_vec(),
        ..Measured::default()
    })
}
