//! Numbers about trained models beyond their loss, and what the commands make of such models.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use crate::lab::{Ended, Lab, Table};

/// Models of every kind, trained in a moment on images of nothing.
const MODELS: &str = r#"
title = "models of every kind"

[data]
dataset = { fake = { shape = [1, 6, 6], classes = 3, train = 40, test = 30 } }

[model.autoencoder]
encoder = ["flatten", { gaussian_code = { units = 3 } }]
decoder = [{ dense = { units = 36, activation = "sigmoid" } }]

[train]
epochs     = 2
batch_size = 20
loss       = { binary_cross_entropy = { over_pixels = "sum" } }

[variants.vae.measure]
log_likelihood   = { draws = 5, images = 20 }
precision_at_10  = { queries = 30 }
frechet_distance = { run = { variant = "reader", seed = 0 }, samples = 50, layer = "dense_1" }

[variants.told.model.autoencoder]
encoder = ["flatten", "concat_label", { gaussian_code = { units = 3 } }]
decoder = ["concat_label", { dense = { units = 36, activation = "sigmoid" } }]

[variants.walker.model.autoencoder]
encoder   = ["flatten", { mask_noise = { keep = 0.7 } }, { dense = { units = 3 } }]
walk_back = { steps = 2, chain = 3 }

[variants.walker.measure]
frechet_distance = { run = { variant = "reader", seed = 0 }, samples = 50 }

[variants.one]
data.train_classes        = [1]
model.autoencoder.encoder = ["flatten", { dense = { units = 3 } }]
"#;

const READER: &str = r#"
title = "a reader"

[data]
dataset = { fake = { shape = [1, 6, 6], classes = 3, train = 40, test = 30 } }

[model.classifier]
layers = ["flatten", { dense = { units = 8, activation = "relu" } }, { dense = { units = "classes" } }]

[train]
epochs     = 2
batch_size = 20

[variants.reader]
"#;

/// All models, trained once for all tests.
static TRAINED: LazyLock<Lab> = LazyLock::new(|| {
    let lab = Lab::new();
    let reader = lab.file("reader.toml", READER);
    let experiment = format!("experiment = '{}', variant", reader.display());
    lab.file(
        "models.toml",
        &MODELS.replace("run = { variant", &format!("run = {{ {experiment}")),
    );
    let ended = lab.burnlab(&["run", path(&lab, "models.toml").as_str()]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    lab
});

fn path(lab: &Lab, name: &str) -> String {
    lab.path().join(name).display().to_string()
}

/// A command about the trained models.
fn ask(command: &str, rest: &[&str]) -> Ended {
    let file = path(&TRAINED, "models.toml");
    TRAINED.burnlab(&[&[command, file.as_str()], rest].concat())
}

/// The same, which must succeed; what it prints.
fn answer(command: &str, rest: &[&str]) -> String {
    let ended = ask(command, rest);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.out
}

/// The same, which must be refused; its first line.
fn refusal(command: &str, rest: &[&str]) -> String {
    let ended = ask(command, rest);
    assert_eq!(ended.code, 2, "{}{}", ended.out, ended.err);
    ended.err.lines().next().unwrap_or_default().to_string()
}

/// A variant's value in `summary.csv`.
fn value(lab: &Lab, variant: &str, column: &str) -> Option<f64> {
    let table = lab.table("models", "summary.csv");
    let variants = table.column("variant");
    let at = variants.iter().position(|name| *name == variant);
    let cell = table.column(column)[at.expect("the variant has a row")];
    (!cell.is_empty()).then(|| cell.parse().expect("a number"))
}

fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

#[test]
fn runs_measure_what_makes_sense_and_what_their_file_asks_for() {
    let of = |variant: &str, column: &str| value(&TRAINED, variant, column);
    let (likelihood, bound) = (of("vae", "test_log_likelihood"), of("vae", "test_elbo"));
    // The images are not the same, but noise is alike everywhere.
    let off = (likelihood.unwrap() - bound.unwrap()).abs();
    assert!(off < 1.0, "{likelihood:?} {bound:?}");
    let precision = of("vae", "precision_at_10").unwrap();
    assert!((0.1..0.7).contains(&precision), "{precision}");
    assert!(of("vae", "frechet_distance").unwrap() > 0.0);
    assert!(of("vae", "active_units").unwrap() <= 3.0);
    assert_eq!(of("told", "precision_at_10"), None);
    assert_eq!(of("told", "anomaly_auc"), None);
    assert_eq!(of("one", "active_units"), None);
    let area = of("one", "anomaly_auc").unwrap();
    assert!((0.2..0.8).contains(&area), "{area}");
}

#[test]
fn measures_are_the_same_every_time() {
    let lab = Lab::new();
    lab.file("reader.toml", READER);
    let text = fs::read_to_string(TRAINED.path().join("models.toml")).unwrap();
    let text = text.replace(&path(&TRAINED, "reader.toml"), &path(&lab, "reader.toml"));
    let file = lab.file("models.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--jobs", "1"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    for column in ["test_log_likelihood", "frechet_distance", "precision_at_10"] {
        let of = |lab: &Lab| value(lab, "vae", column);
        assert_eq!(of(&lab), of(&TRAINED), "{column}");
    }
}

/// The names and numbers that `evaluate` prints as CSV, without what they were measured on; and what it notes.
fn evaluated(arguments: &[&str]) -> (Vec<(String, f64)>, String) {
    let ended = TRAINED.burnlab(&[&["evaluate"], arguments, &["--csv"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let mut lines = ended.out.lines().map(|line| line.split(','));
    let pairs = lines.next().unwrap().zip(lines.next().unwrap()).skip(5);
    let numbers = pairs.map(|(name, value)| (name.to_string(), value.parse().unwrap()));
    (numbers.collect(), ended.err)
}

#[test]
fn a_run_that_is_measured_again_has_the_numbers_of_its_table_to_the_last_digit() {
    let file = path(&TRAINED, "models.toml");
    let measured = |variant: &str| {
        let (numbers, notes) = evaluated(&[&file, variant]);
        assert_eq!(notes, "");
        let folder = TRAINED.run_folder("models", &format!("{variant}-seed-0"));
        let row = fs::read_to_string(folder.join("run.json")).unwrap();
        let row: serde_json::Value = serde_json::from_str(&row).unwrap();
        let table = TRAINED.table("models", "summary.csv");
        let at = table.column("variant").iter().position(|of| *of == variant);
        for (name, number) in &numbers {
            let kept = &row["measured"];
            let kept = kept["extra"].get(name).or(kept["test"].get(name)).unwrap();
            assert_eq!(kept.as_f64(), Some(*number), "{variant} {name}");
            let column = [name.clone(), format!("test_{name}")];
            let column = column.iter().find(|name| table.header.contains(name));
            let cell = table.column(column.unwrap())[at.unwrap()];
            let decimals = cell.split_once('.').map_or(0, |(_, digits)| digits.len());
            assert_eq!(format!("{number:.decimals$}"), cell, "{variant} {name}");
        }
        numbers
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        measured("vae"),
        [
            "loss",
            "reconstruction",
            "kl",
            "elbo",
            "log_likelihood",
            "precision_at_10",
            "frechet_distance",
            "active_units"
        ]
    );
    assert_eq!(
        measured("walker"),
        ["loss", "reconstruction", "frechet_distance"]
    );
    assert_eq!(measured("one"), ["loss", "reconstruction", "anomaly_auc"]);
}

#[test]
fn what_stands_in_the_table_of_a_run_that_stopped_early_is_of_the_weights_that_are_kept() {
    let lab = Lab::new();
    let text = r#"
title = "stops early"

[data]
dataset    = { fake = { shape = [1, 6, 6], classes = 3, train = 60, test = 30 } }
validation = 20

[model.autoencoder]
encoder = ["flatten", { gaussian_code = { units = 3 } }]
decoder = [{ dense = { units = 36, activation = "sigmoid" } }]

[train]
epochs         = 30
batch_size     = 20
loss           = { binary_cross_entropy = { over_pixels = "sum" } }
optimizer      = { adam = { learning_rate = 0.3 } }
early_stopping = { patience = 2 }

[variants.plain]

[variants.curve.record]
test = "every_epoch"
"#;
    let file = lab.file("early.toml", text);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let (table, epochs) = (
        lab.table("early", "summary.csv"),
        lab.table("early", "epochs.csv"),
    );
    let of_test = ["plain", "curve"].map(|variant| {
        let at = table.column("variant").iter().position(|of| *of == variant);
        let cell = |name: &str| table.column(name)[at.unwrap()].to_string();
        let restored = cell("restored_epoch");
        let line = format!(
            "stopped after epoch {}, weights of epoch {restored}",
            cell("epochs")
        );
        assert!(ended.err.contains(&line), "{}", ended.err);
        let places = epochs
            .column("variant")
            .into_iter()
            .zip(epochs.column("epoch"));
        let kept = places
            .into_iter()
            .position(|place| place == (variant, &restored));
        for name in ["train_loss", "validation_loss"] {
            assert_eq!(
                epochs.column(name)[kept.unwrap()],
                cell(name),
                "{variant} {name}"
            );
        }
        if variant == "curve" {
            assert_eq!(epochs.column("test_loss")[kept.unwrap()], cell("test_loss"));
        }
        let again = lab.burnlab(&["evaluate", file, variant, "--split", "validation", "--csv"]);
        assert_eq!(again.code, 0, "{}", again.err);
        let loss: f64 = Table::read(&again.out).column("loss")[0].parse().unwrap();
        assert_eq!(
            format!("{loss:.6}"),
            format!("{:.6}", cell("validation_loss").parse::<f64>().unwrap())
        );
        cell("test_loss")
    });
    assert_eq!(of_test[0], of_test[1], "what is recorded changes no number");
}

#[test]
fn measures_that_other_images_do_not_allow_are_left_out_and_say_why() {
    let lab = Lab::new();
    let few = lab.path().join("few");
    let few = few.to_str().unwrap();
    answer("sample", &["vae", "--count", "5", "--output", few]);
    let file = path(&TRAINED, "models.toml");
    let names = |numbers: Vec<(String, f64)>| -> Vec<String> {
        numbers.into_iter().map(|(name, _)| name).collect()
    };
    let (numbers, notes) = evaluated(&[&file, "vae", "--data", few]);
    let kept = [
        "loss",
        "reconstruction",
        "kl",
        "elbo",
        "log_likelihood",
        "frechet_distance",
        "active_units",
    ];
    assert_eq!(names(numbers), kept);
    assert_eq!(
        notes,
        "note: there are no class folders: the images have no classes\n\
         note: `precision_at_10` is left out: more than 10 images are needed, not 5\n"
    );
    let many = lab.path().join("many");
    let many = many.to_str().unwrap();
    answer("sample", &["vae", "--count", "20", "--output", many]);
    let folder = TRAINED.run_folder("models", "vae-seed-0");
    let (numbers, notes) = evaluated(&[folder.to_str().unwrap(), "--data", many]);
    let kept = [
        "loss",
        "reconstruction",
        "kl",
        "elbo",
        "log_likelihood",
        "active_units",
    ];
    assert_eq!(names(numbers), kept);
    assert_eq!(
        notes,
        "note: there are no class folders: the images have no classes\n\
         note: `precision_at_10` is left out: nothing tells the classes of the images\n\
         note: `frechet_distance` is left out: a run's folder does not say where its classifier is: \
         name the experiment's file\n"
    );
    let (numbers, notes) = evaluated(&[&file, "one", "--data", few]);
    assert_eq!(names(numbers), ["loss", "reconstruction"]);
    assert!(
        notes.ends_with(
            "note: `anomaly_auc` is left out: nothing tells the classes of the images\n"
        ),
        "{notes}"
    );
}

#[test]
fn images_of_classes_that_an_autoencoder_never_saw_are_the_strange_ones() {
    let lab = Lab::new();
    let folder = lab.path().join("mixed");
    for (class, count) in [("2", "12"), ("zebra", "9")] {
        let folder = folder.join(class);
        answer(
            "sample",
            &[
                "vae",
                "--count",
                count,
                "--output",
                folder.to_str().unwrap(),
            ],
        );
    }
    let file = path(&TRAINED, "models.toml");
    let data = folder.to_str().unwrap();
    let (numbers, notes) = evaluated(&[&file, "vae", "--data", data]);
    let of = |name: &str| numbers.iter().find(|(of, _)| of == name).map(|pair| pair.1);
    let area = of("anomaly_auc").unwrap();
    assert!((0.0..=1.0).contains(&area), "{area}");
    assert!(of("precision_at_10").is_some());
    assert_eq!(notes, "");
    let (numbers, notes) = evaluated(&[&file, "one", "--data", data]);
    assert_eq!(numbers.len(), 2);
    assert!(
        notes.ends_with(
            "note: `anomaly_auc` is left out: no image is of a class that was trained on\n"
        ),
        "{notes}"
    );
    // Of a model that tells classes apart, the others are left out.
    let ended = ask("evaluate", &["told", "--data", data]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: class `zebra` is left out: the run does not know it\n";
    assert_eq!(ended.err, note);
    assert!(ended.out.contains("on 12 images"), "{}", ended.out);
    fs::remove_dir_all(folder.join("2")).unwrap();
    let ended = ask("evaluate", &["told", "--data", data]);
    assert_eq!(
        (ended.code, ended.err.lines().last()),
        (2, Some("  hint: the run's classes are `0`, `1` and `2`"))
    );
}

#[test]
fn codes_stand_beside_their_images() {
    let table = answer("encode", &["vae", "--count", "2"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "image,label,code_1,code_2,code_3");
    assert!(lines.len() == 3 && lines[2].starts_with("1,"), "{table}");
    let folder = TRAINED.path().join("drawn");
    let folder = folder.to_str().unwrap();
    answer("sample", &["vae", "--count", "2", "--output", folder]);
    let fewer = ask("sample", &["vae", "--count", "1", "--output", folder]).err;
    assert_eq!(
        fewer,
        format!("note: `{folder}` also holds 1 picture that was there before\n")
    );
    let files = answer("encode", &["vae", folder]);
    assert!(
        files.lines().nth(2).unwrap().starts_with("0002.png,,"),
        "{files}"
    );
    let output = TRAINED.path().join("codes.csv");
    let said = answer(
        "encode",
        &[
            "one",
            "--split",
            "train",
            "--output",
            output.to_str().unwrap(),
        ],
    );
    let count = fs::read_to_string(&output).unwrap().lines().count() - 1;
    assert_eq!(
        said,
        format!("wrote {count} codes of 3 numbers to {}\n", output.display())
    );
    // One class of three.
    assert!((5..25).contains(&count), "{count}");
}

#[test]
fn samples_go_into_one_picture_or_into_files_of_their_own() {
    let lab = Lab::new();
    let draw = |name: &str, rest: &[&str]| {
        let output = lab.path().join(name);
        answer(
            "sample",
            &[&["told", "--output", output.to_str().unwrap()], rest].concat(),
        );
        output
    };
    let one = draw("one.png", &["--count", "7"]);
    let (width, height) = size(&one);
    // Three classes beside each other make three rows of seven images.
    assert_eq!(width, height);
    let same = fs::read(draw("same.png", &["--count", "7"])).unwrap();
    let other = fs::read(draw("other.png", &["--count", "7", "--draw-seed", "1"])).unwrap();
    assert_eq!(fs::read(&one).unwrap(), same);
    assert_ne!(same, other);
    let each = draw("each", &["--count", "2", "--label", "2"]);
    assert_eq!(size(&each.join("0001-2.png")), (6, 6));
    assert!(each.join("0002-2.png").is_file());
}

#[test]
fn neighbors_are_others_in_the_order_of_their_distance() {
    let table = answer(
        "neighbours",
        &["vae", "4", "--split", "test", "--count", "40", "--csv"],
    );
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    // All others of 30.
    assert_eq!(rows.len(), 29);
    assert!(rows.iter().all(|row| row[0] != "4"), "{table}");
    let distances: Vec<f64> = rows.iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(distances.is_sorted(), "{table}");
    let output = TRAINED.path().join("near.png");
    answer(
        "neighbours",
        &["vae", "4", "--output", output.to_str().unwrap()],
    );
    assert!(size(&output).0 > 11 * 6);
}

#[test]
fn reconstructions_are_reported_and_drawn() {
    let output = TRAINED.path().join("reconstructions.png");
    let rest = [
        "vae",
        "--count",
        "4",
        "--csv",
        "--output",
        output.to_str().unwrap(),
    ];
    let table = answer("reconstruct", &rest);
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!((rows[0], rows.len()), ("image,label,squared_error", 5));
    let error: f64 = rows[1].rsplit(',').next().unwrap().parse().unwrap();
    // Noise between 0 and 1 against its mean.
    assert!((0.04..0.15).contains(&error), "{error}");
    assert!(output.is_file());
}

#[test]
fn what_a_model_cannot_do_is_reported() {
    let output = path(&TRAINED, "none.png");
    assert_eq!(
        refusal("sample", &["one", "--output", &output]),
        "error: `one` is not generative: no images can be drawn from it"
    );
    assert_eq!(
        refusal("sample", &["vae", "--label", "1", "--output", &output]),
        "error: `vae` is not given the class of an image"
    );
    assert_eq!(
        refusal("sample", &["told", "--label", "seven", "--output", &output]),
        "error: there is no class `seven`"
    );
    assert_eq!(
        refusal("neighbours", &["vae", "30"]),
        "error: there is no test image 30: there are 30 test images, from 0"
    );
    assert_eq!(
        refusal("encode", &["vae", "--split", "validation"]),
        "error: `vae` has no validation set"
    );
    let file = path(&TRAINED, "reader.toml");
    for (command, what) in [
        ("encode", "makes no codes of images"),
        ("reconstruct", "reconstructs no images"),
    ] {
        let ended = TRAINED.burnlab(&[command, &file]);
        assert_eq!(ended.code, 2);
        let message = format!(
            "error: `reader` is a classifier, which {what}\n  hint: `burnlab predict` gives the classes of images\n"
        );
        assert_eq!(ended.err, message);
    }
}

#[test]
fn images_at_a_path_need_a_class_where_the_model_is_conditional() {
    let lab = Lab::new();
    let folder = lab.path().join("drawn");
    let folder = folder.to_str().unwrap();
    answer("sample", &["told", "--count", "1", "--output", folder]);
    let ended = ask("encode", &["told", folder]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (
            2,
            "error: `told` needs the class of an image\n  hint: --label CLASS\n"
        )
    );
    let codes = answer("encode", &["told", folder, "--label", "0"]);
    assert!(
        codes.lines().nth(1).unwrap().starts_with("0001-0.png,0,"),
        "{codes}"
    );
}
