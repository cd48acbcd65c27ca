//! Folders of images that people fill: what changed, what is left out, what is cut short.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageBuffer, Luma};

use crate::lab::Lab;

/// Ten images of each of two classes, dark and light, and an experiment on them.
fn experiment(lab: &Lab, more: &str) -> PathBuf {
    fill(lab, 0);
    let folder = lab.path().join("pets");
    let text = format!(
        r#"
title = "pets"
[data]
dataset = {{ folder = "{}" }}
{more}
[model.classifier]
layers = ["flatten", {{ dense = {{ units = "classes" }} }}]
[train]
epochs     = 2
batch_size = 4
"#,
        folder.display()
    );
    lab.file("pets.toml", &text)
}

fn fill(lab: &Lab, brighter: u8) {
    for (class, level) in [("cat", 40), ("dog", 160)] {
        for index in 0..10u8 {
            let path = lab.path().join(format!("pets/{class}/{index}.png"));
            gray(&path, level + brighter + index);
        }
    }
}

fn gray(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(4, 4, Luma([value]))
        .save(path)
        .unwrap();
}

fn deep(path: &Path, value: u16) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ImageBuffer::from_pixel(4, 4, Luma([value]))
        .save(path)
        .unwrap();
}

#[test]
fn a_dim_image_of_16_bits_is_scaled_as_the_images_that_were_trained_on() {
    let lab = Lab::new();
    for (class, level) in [("cat", 600), ("dog", 3000)] {
        for index in 0..10 {
            let path = lab.path().join(format!("pets/{class}/{index}.png"));
            deep(&path, level + 10 * index);
        }
    }
    let text = format!(
        r#"
title = "pets"
[data]
dataset = {{ folder = {{ path = "{}" }} }}
[model.classifier]
layers = ["flatten", {{ dense = {{ units = "classes" }} }}]
[train]
epochs     = 2
batch_size = 4
[variants.measured]
[variants.said.data.dataset.folder]
bits = 12
"#,
        lab.path().join("pets").display()
    );
    let file = lab.file("pets.toml", &text);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    // By itself it would be of 10 bits.
    let dim = lab.path().join("dim.png");
    deep(&dim, 650);
    let predicted = |variant: &str| {
        let ended = lab.burnlab(&["predict", file, variant, dim.to_str().unwrap(), "--csv"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out
    };
    assert_eq!(predicted("measured"), predicted("said"));
    let again = lab.burnlab(&["run", file]).err;
    assert!(again.contains("0 runs to train, 2 done before"), "{again}");
}

#[test]
fn images_that_changed_are_trained_on_anew_and_a_note_says_so() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    let run = || {
        let ended = lab.burnlab(&["run", file]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.err
    };
    let note =
        "note: the images have changed since 1 run was trained on them; it is trained anew\n";
    let first = run();
    assert!(
        first.contains("1 run to train") && !first.contains(note),
        "{first}"
    );
    // The same images, written anew.
    fill(&lab, 0);
    let again = run();
    assert!(again.contains("0 runs to train, 1 done before"), "{again}");
    assert!(!again.contains(note), "{again}");
    fill(&lab, 20);
    // The run of before is asked by its folder, about images that are others now.
    let folder = lab.run_folder("pets", "default-seed-0");
    let asked = lab.burnlab(&["evaluate", folder.to_str().unwrap()]);
    let others =
        "note: not the images that `default`, seed 0 was trained on, but those of its data now: ";
    assert!(
        asked.code == 0 && asked.err.starts_with(others),
        "{}",
        asked.err
    );
    let changed = run();
    assert!(changed.contains("1 run to train"), "{changed}");
    assert!(changed.contains(note), "{changed}");
    // What was interrupted on the old images is not gone on with: each has a folder of its own.
    let runs = fs::read_dir(lab.results("pets").join("runs")).unwrap();
    assert_eq!(runs.count(), 2);
    fs::remove_file(lab.path().join("pets/dog/9.png")).unwrap();
    let removed = run();
    assert!(removed.contains(note), "{removed}");
}

/// The table of the images of [`fill`].
const CLASSES: &str = "\
────────────────────────────
 class   training   testing
════════════════════════════
 cat            8         2
 dog            8         2
────────────────────────────
";

#[test]
fn check_and_run_say_what_is_left_out() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    fs::write(lab.path().join("pets/dog/10.heic"), "").unwrap();
    fs::write(lab.path().join("pets/dog/._1.png"), "").unwrap();
    let notes = [
        "note: 1 `.heic` file left out (no image that is read): `dog/10.heic`",
        "note: 1 item skipped that systems leave behind or hide: `dog/._1.png`",
    ];
    let checked = lab.burnlab(&["check", file]);
    let run = lab.burnlab(&["run", file]);
    assert_eq!((checked.code, run.code), (0, 0), "{}", run.err);
    let pets = lab.path().join("pets");
    let verified = lab.burnlab(&["data", "verify", pets.to_str().unwrap()]);
    assert_eq!(
        verified.out,
        format!(
            "right  {}: 16 images for training and 4 for testing, 1x4x4, 2 classes\n   {}\n   {}\n{}",
            pets.display(),
            notes[0],
            notes[1],
            CLASSES
        )
    );
    for note in notes {
        assert!(
            checked.out.contains(&format!("   {note}\n")),
            "{}",
            checked.out
        );
        assert!(run.err.contains(&format!("{note}\n")), "{}", run.err);
    }
}

#[test]
fn a_dataset_is_verified_with_all_that_an_experiment_says_of_it() {
    let lab = Lab::new();
    fill(&lab, 0);
    let pets = lab.path().join("pets");
    let short = pets.join("cat/3.png");
    let whole = fs::read(&short).unwrap();
    GrayImage::from_pixel(6, 5, Luma([90]))
        .save(pets.join("dog/4.png"))
        .unwrap();
    image::RgbImage::new(4, 4)
        .save(pets.join("dog/5.png"))
        .unwrap();
    fs::write(&short, &whole[..whole.len() - 2]).unwrap();
    let verify = |what: &str| {
        let ended = lab.burnlab(&["data", "verify", what]);
        (ended.code, ended.out, ended.err)
    };
    let place = pets.display();
    let cut = format!(
        "error: cannot read image `3.png`: the file is cut short\n  {}\n",
        short.display()
    );
    let shapes = format!(
        "error: images differ in shape: 17 images of 1x4x4 (`cat/0.png`, `cat/1.png`, `cat/2.png` and 14 more), \
         1 image of 3x4x4 (`dog/5.png`), 1 image of 1x5x6 (`dog/4.png`)\n  {place}\n  \
         hint: dataset = {{ folder = {{ path = \"DIR\", size = 64, channels = \"rgb\" }} }} in an experiment, \
         whose file `burnlab data verify` takes, too\n"
    );
    let pets = pets.to_str().unwrap();
    assert_eq!(verify(pets), (3, String::new(), format!("{shapes}\n{cut}")));

    // Of a file that has other mistakes.
    let text = "title = 'pets'\n[data]\ndataset = { folder = { path = 'pets', size = 3, channels = 'gray' } }\n\
        [model.classifier]\nlayers = ['flaten']\n[variants.one]\n[variants.other.data]\n\
        dataset = { fake = { shape = [1, 2, 2], classes = 2 } }\n";
    let file = lab.file("pets.toml", text);
    let file = file.to_str().unwrap();
    assert_eq!(verify(file), (3, String::new(), cut));
    fs::write(&short, &whole).unwrap();
    let (code, out, err) = verify(file);
    assert_eq!((code, err.as_str()), (0, ""));
    let right = format!(
        "right  {place}: 16 images for training and 4 for testing, 1x3x3, 2 classes\n{CLASSES}right  "
    );
    assert!(out.starts_with(&right), "{out}");
    assert!(out.ends_with(": made up, there is no file\n"), "{out}");
    let wrong = lab.file(
        "wrong.toml",
        "[data]\ndataset = { folder = { pth = 'pets' } }\n",
    );
    let (code, _, err) = verify(wrong.to_str().unwrap());
    assert_eq!(code, 2);
    assert!(
        err.starts_with("error: unknown key `pth` in `folder`\n"),
        "{err}"
    );
    let (code, _, err) = verify("no-such.toml");
    assert_eq!(code, 2);
    let missing = "error: there is no experiment file `no-such.toml`\n";
    assert!(err.starts_with(missing), "{err}");
}

#[test]
fn check_names_an_image_that_is_cut_short() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let odd = lab.path().join("pets/cat/3.png");
    let whole = fs::read(&odd).unwrap();
    fs::write(&odd, &whole[..whole.len() - 2]).unwrap();
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert_eq!(ended.code, 3);
    let message = format!(
        "error: cannot read image `3.png`: the file is cut short (`{}`)\n  {}:4:11 data.dataset\n",
        odd.display(),
        file.display()
    );
    assert!(ended.err.starts_with(&message), "{}", ended.err);
}

#[test]
fn folders_of_data_are_named_from_the_file_or_from_home_and_moving_them_trains_nothing_anew() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let text = fs::read_to_string(&file).unwrap();
    let pets = lab.path().join("pets").display().to_string();
    let run = |folder: &str| {
        lab.file("pets.toml", &text.replace(&pets, folder));
        let mut command = lab.command(&["run", file.to_str().unwrap()]);
        let output = command.env("HOME", lab.path()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{printed}");
        printed
    };
    let first = run("pets");
    assert!(first.contains("1 run to train"), "{first}");
    for folder in ["~/pets", &pets, "./pets/../pets"] {
        let again = run(folder);
        assert!(again.contains("0 runs to train, 1 done before"), "{again}");
    }
    fs::rename(&pets, lab.path().join("animals")).unwrap();
    let moved = run("animals");
    assert!(moved.contains("0 runs to train, 1 done before"), "{moved}");
}

#[test]
fn a_runs_folder_alone_can_be_asked() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let image = lab.path().join("one.png");
    gray(&image, 45);
    let image = image.to_str().unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(lab.burnlab(&["run", file]).code, 0);
    let with_all = lab.burnlab(&["predict", file, "default", "--csv", image]);
    assert_eq!(with_all.code, 0, "{}", with_all.err);
    let table = lab.burnlab(&["compare", file]).out;
    let kept = lab.path().join("kept");
    fs::rename(lab.run_folder("pets", "default-seed-0"), &kept).unwrap();
    fs::remove_dir_all(lab.path().join("pets")).unwrap();
    fs::remove_file(file).unwrap();
    let folder = kept.to_str().unwrap();
    let asked = lab.burnlab(&["predict", folder, image, "--csv"]);
    assert_eq!(
        (asked.code, &asked.out),
        (0, &with_all.out),
        "{}",
        asked.err
    );
    // Of several images each goes by its path, and all that cannot be read are named.
    let other = lab.path().join("other.png");
    gray(&other, 200);
    let other = other.to_str().unwrap();
    let twice = lab.burnlab(&["predict", folder, image, other, "--csv"]);
    let names: Vec<&str> = twice.out.lines().skip(1).collect();
    assert_eq!(names.len(), 2, "{}", twice.err);
    assert!(
        names[0].starts_with(&format!("{image},")) && names[1].starts_with(&format!("{other},"))
    );
    let refused = lab.burnlab(&["predict", folder, image, "no.png", "none.png"]);
    assert_eq!(
        (refused.code, refused.err.matches("error: ").count()),
        (3, 2),
        "{}",
        refused.err
    );
    let weights = lab.path().join("weights.safetensors");
    let weights = weights.to_str().unwrap();
    let exported = lab.burnlab(&["export", folder, "-o", weights, "--layout", "pytorch"]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let compared = lab.burnlab(&["compare", folder]);
    assert_eq!(compared.code, 0, "{}", compared.err);
    let rows = |text: &str| text.lines().skip(1).map(String::from).collect::<Vec<_>>();
    assert_eq!(rows(&compared.out), rows(&table));
    let refused = lab.burnlab(&["predict", folder, "other", image]);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .starts_with("error: a run's folder is one run's"),
        "{}",
        refused.err
    );

    let back = lab.results("pets").join("runs/default-seed-0-again");
    fs::rename(&kept, back).unwrap();
    let results = lab.results("pets");
    let compared = lab.burnlab(&["compare", results.to_str().unwrap()]);
    assert_eq!(compared.code, 0, "{}", compared.err);
    assert_eq!(rows(&compared.out), rows(&table));
}

#[test]
fn a_run_that_does_not_say_the_shape_of_its_images_is_asked_while_its_data_is_there() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    assert_eq!(lab.burnlab(&["run", file.to_str().unwrap()]).code, 0);
    let folder = lab.run_folder("pets", "default-seed-0");
    let provenance = folder.join("provenance.json");
    let text = fs::read_to_string(&provenance).unwrap();
    let mut values: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As earlier versions wrote it.
    values.as_object_mut().unwrap().remove("images");
    fs::write(&provenance, values.to_string()).unwrap();
    let image = lab.path().join("one.png");
    gray(&image, 45);
    let predict = || lab.burnlab(&["predict", folder.to_str().unwrap(), image.to_str().unwrap()]);
    let asked = predict();
    assert_eq!(asked.code, 0, "{}", asked.err);
    fs::remove_dir_all(lab.path().join("pets")).unwrap();
    let asked = predict();
    assert_eq!(asked.code, 3);
    assert_eq!(
        asked.err,
        format!(
            "error: `provenance.json` of the run does not say the shape of its images, and its data is not there\n  {}\n",
            folder.display()
        )
    );
}

#[test]
fn options_stand_before_or_after_the_image() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    let image = lab.path().join("pets/cat/0.png");
    let image = image.to_str().unwrap();
    assert_eq!(lab.burnlab(&["run", file]).code, 0);
    let usual = lab.burnlab(&["predict", file, image, "--csv"]);
    assert_eq!(usual.code, 0, "{}", usual.err);
    for arguments in [
        ["--csv", file, image, "--top", "3"],
        [file, "--csv", image, "--top", "3"],
        [file, "default", "--csv", "--top=3", image],
        ["--top=3", file, "default", image, "--csv"],
    ] {
        let ended = lab.burnlab(&[&["predict"], &arguments as &[&str]].concat());
        assert_eq!(
            (ended.code, ended.out),
            (0, usual.out.clone()),
            "{}",
            ended.err
        );
    }
    let none = lab.burnlab(&["predict", file]);
    assert_eq!(none.code, 2, "{}", none.err);
}

#[test]
fn classes_may_be_named_and_numbers_of_folders_are_names() {
    let lab = Lab::new();
    let file = experiment(&lab, "classes = [\"dog\", \"cat\"]");
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let folder = lab.run_folder("pets", "default-seed-0");
    let confusion = fs::read_to_string(folder.join("confusion.csv")).unwrap();
    assert!(
        confusion.starts_with("truth,dog,cat,accuracy\n"),
        "{confusion}"
    );
    let ended = lab.burnlab(&["check", file, "--set", "data.classes=[\"dig\"]"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("has no class `dig`"), "{}", ended.err);
    assert!(
        ended.err.contains("hint: known here: `cat` and `dog`"),
        "{}",
        ended.err
    );

    for class in [2, 10, 30] {
        for index in 0..5 {
            gray(
                &lab.path().join(format!("numbers/{class}/{index}.png")),
                class,
            );
        }
    }
    let data = format!(
        "data.dataset.folder={}",
        lab.path().join("numbers").display()
    );
    let set = |classes: &str| {
        let classes = format!("data.classes={classes}");
        lab.burnlab(&["run", file, "--fresh", "--set", &data, "--set", &classes])
    };
    let ended = set("[10, 2]");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let folders = fs::read_dir(lab.results("pets").join("runs")).unwrap();
    let of_numbers = folders
        .map(|entry| fs::read_to_string(entry.unwrap().path().join("confusion.csv")).unwrap())
        .any(|confusion| confusion.starts_with("truth,10,2,accuracy\n"));
    assert!(of_numbers);
    let ended = set("[3]");
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("has no class `3`"), "{}", ended.err);
}

#[test]
fn a_class_that_is_not_validated_is_named() {
    let lab = Lab::new();
    let file = experiment(&lab, "validation = 1");
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["check", file]);
    let note = "note: class `cat` is trained on, but validation has no image of it";
    assert!(ended.out.contains(note), "{}", ended.out);
    let ended = lab.burnlab(&["check", file, "--set", "data.validation=0.25"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(!ended.out.contains("note:"), "{}", ended.out);
}

#[test]
fn classes_without_a_test_image_are_reported_by_check() {
    let lab = Lab::new();
    let file = experiment(&lab, "classes = [\"b\"]");
    for image in [
        "train/a/0",
        "train/a/1",
        "train/b/0",
        "train/b/1",
        "test/a/0",
    ] {
        gray(&lab.path().join(format!("parts/{image}.png")), 7);
    }
    let data = format!("data.dataset.folder={}", lab.path().join("parts").display());
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["check", file, "--set", &data]);
    assert_eq!(ended.code, 2);
    let message = "error: the test set has no image of these classes\n";
    assert!(ended.err.starts_with(message), "{}", ended.err);
    let both = lab.burnlab(&["check", file, "--set", &data, "--set", "data.classes=all"]);
    let note = "note: class `b` is trained on, but the test set has no image of it";
    assert!(both.out.contains(note), "{}{}", both.out, both.err);
}

/// Settings of `[data]` that stand in the place of those of the file.
fn data(lab: &Lab, folder: &str, table: &str) -> String {
    let path = lab.path().join(folder);
    format!(
        "data.dataset={{ folder = {{ path = '{}', {table} }} }}",
        path.display()
    )
}

#[test]
fn images_of_all_sizes_colors_and_formats_are_trained_on_and_predicted_in_one_form() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    for (class, level) in [("cat", 40), ("dog", 160)] {
        for index in 0..10u32 {
            let image = image::RgbImage::from_pixel(4 + index, 9, image::Rgb([level; 3]));
            let ending = ["png", "jpg", "webp", "bmp", "tif"][index as usize % 5];
            let path = lab.path().join(format!("mixed/{class}/{index}.{ending}"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image.save(path).unwrap();
        }
    }
    let plain = data(&lab, "mixed", "channels = 'gray'");
    let ended = lab.burnlab(&["check", file, "--set", &plain]);
    assert_eq!(ended.code, 3);
    let message =
        "error: images differ in size (height x width): `cat/0.png` is 9x4, `cat/1.jpg` is 9x5";
    assert!(ended.err.starts_with(message), "{}", ended.err);
    let hint = "hint: `size = 64` beside the folder's `path`; so it is with 17 other images";
    assert!(ended.err.contains(hint), "{}", ended.err);

    let formed = data(&lab, "mixed", "channels = 'gray', size = 6, fit = 'pad'");
    let ended = lab.burnlab(&["run", file, "--set", &formed]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let folder = lab.run_folder("pets", "default-seed-0");
    let config = fs::read_to_string(folder.join("config.toml")).unwrap();
    assert!(config.contains("fit = \"pad\""), "{config}");
    // An image is padded for a prediction as it was for training.
    let image = lab.path().join("mixed/dog/9.tif");
    let ended = lab.burnlab(&[
        "predict",
        folder.to_str().unwrap(),
        image.to_str().unwrap(),
        "--csv",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: 1 image changed: color to gray, 9x13 to 6x6 (height x width)";
    assert!(ended.err.contains(note), "{}", ended.err);
    let square =
        image::GrayImage::from_fn(6, 6, |_, y| Luma([if y == 0 || y == 5 { 0 } else { 160 }]));
    let path = lab.path().join("square.png");
    square.save(&path).unwrap();
    let same = lab.burnlab(&[
        "predict",
        folder.to_str().unwrap(),
        path.to_str().unwrap(),
        "--csv",
    ]);
    let answer = |text: &str| {
        text.lines()
            .nth(1)
            .unwrap()
            .split_once(',')
            .unwrap()
            .1
            .to_string()
    };
    assert_eq!(answer(&ended.out), answer(&same.out));
}

#[test]
fn a_folder_for_validation_is_measured_after_every_epoch() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    for (part, count) in [("Training", 10), ("val", 4), ("Testing", 4)] {
        for (class, level) in [("cat", 40), ("dog", 160)] {
            for index in 0..count {
                let path = lab.path().join(format!("parts/{part}/{class}/{index}.png"));
                gray(&path, level + index);
            }
        }
    }
    let parts = format!("data.dataset.folder={}", lab.path().join("parts").display());
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--set", &parts]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let table = lab.table("pets", "epochs.csv");
    assert!(
        table
            .column("validation_loss")
            .iter()
            .all(|loss| !loss.is_empty())
    );
}

#[test]
fn where_no_image_for_validation_is_of_the_classes_there_is_no_validation_set() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    for (part, classes) in [
        ("train", &["cat", "dog", "eel"][..]),
        ("val", &["cat"]),
        ("test", &["dog", "eel"]),
    ] {
        for (class, level) in classes.iter().zip([40, 100, 160]) {
            for index in 0..4 {
                let path = lab.path().join(format!("parts/{part}/{class}/{index}.png"));
                gray(&path, level + index);
            }
        }
    }
    let parts = format!("data.dataset.folder={}", lab.path().join("parts").display());
    let classes = "data.classes=['dog', 'eel']";
    let ended = lab.burnlab(&[
        "run",
        file.to_str().unwrap(),
        "--set",
        &parts,
        "--set",
        classes,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: no image that the dataset keeps for validation is of these classes: there is no validation set";
    assert!(ended.err.contains(note), "{}", ended.err);
}

#[test]
fn a_classifier_of_images_without_classes_is_refused_and_an_auto_encoder_is_not() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    for index in 0..10 {
        gray(&lab.path().join(format!("flat/{index}.png")), 20 * index);
    }
    let folder = lab.path().join("flat").display().to_string();
    let flat = format!("data.dataset.folder={folder}");
    let ended = lab.burnlab(&["check", file.to_str().unwrap(), "--set", &flat]);
    assert_eq!(ended.code, 2);
    let message = format!("error: the images of `{folder}` have no classes to tell apart\n");
    assert!(ended.err.starts_with(&message), "{}", ended.err);
    let text = format!(
        r#"
title = "photographs"
data.dataset = {{ folder = "{folder}" }}
[model.autoencoder]
encoder = ["flatten", {{ dense = {{ units = 2 }} }}]
decoder = [{{ dense = {{ units = 16, activation = "sigmoid" }} }}]
[train]
epochs = 1
batch_size = 4
loss = "mse"
"#
    );
    let file = lab.file("photographs.toml", &text);
    let ended = lab.burnlab(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let note = "note: there are no class folders: the images have no classes";
    assert!(ended.err.contains(note), "{}", ended.err);
}

#[test]
fn a_file_of_labels_is_read_and_its_lines_are_part_of_what_is_trained_on() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let mut lines = String::from("file,label\n");
    for index in 0..20u8 {
        gray(&lab.path().join(format!("listed/{index}.png")), 10 * index);
        lines += &format!(
            "{index}.png,{}\n",
            if index < 10 { "dark" } else { "light" }
        );
    }
    lab.file("listed/labels.csv", &lines);
    let listed = data(&lab, "listed", "labels = 'labels.csv'");
    let run = || {
        let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--set", &listed]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.err
    };
    let first = run();
    assert!(first.contains("1 run to train"), "{first}");
    assert!(run().contains("0 runs to train, 1 done before"));
    lab.file(
        "listed/labels.csv",
        &lines.replace("10.png,light", "10.png,dark"),
    );
    assert!(run().contains("1 run to train"));
}

#[test]
fn moments_are_measured_when_a_run_begins_and_kept_for_whoever_asks_it() {
    let lab = Lab::new();
    let file = experiment(&lab, "scale = \"standardize\"");
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let folder = lab.run_folder("pets", "default-seed-0");
    let config = fs::read_to_string(folder.join("config.toml")).unwrap();
    let config: toml::Table = toml::from_str(&config).unwrap();
    let scale = &config["data"]["scale"];
    // Of the 16 images that are trained on: 40 to 48 and 160 to 168, without the fifth.
    let levels: Vec<f64> = [40.0, 160.0]
        .iter()
        .flat_map(|level| {
            (0..9)
                .filter(|i| i % 5 != 4)
                .map(move |i| (level + f64::from(i)) / 255.0)
        })
        .collect();
    let mean = levels.iter().sum::<f64>() / levels.len() as f64;
    let squares: f64 = levels.iter().map(|level| (level - mean).powi(2)).sum();
    let deviation = (squares / levels.len() as f64).sqrt();
    let number = |key: &str| scale[key][0].as_float().unwrap();
    assert!((number("mean") - mean).abs() < 1e-6, "{scale}");
    assert!(
        (number("standard_deviation") - deviation).abs() < 1e-6,
        "{scale}"
    );

    let image = lab.path().join("one.png");
    gray(&image, 45);
    let image = image.to_str().unwrap();
    let by_file = lab.burnlab(&["predict", file, image, "--csv"]);
    let by_folder = lab.burnlab(&["predict", folder.to_str().unwrap(), image, "--csv"]);
    assert_eq!(by_file.code, 0, "{}", by_file.err);
    assert_eq!(by_file.out, by_folder.out);
    // With these moments given, training gives the same numbers.
    let given = format!(
        "data.scale={{ mean = {}, standard_deviation = {} }}",
        scale["mean"], scale["standard_deviation"]
    );
    let losses = lab
        .table("pets", "epochs.csv")
        .column("train_loss")
        .join(" ");
    let ended = lab.burnlab(&["run", file, "--set", &given]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("1 run to train"), "{}", ended.err);
    assert_eq!(
        lab.table("pets", "epochs.csv")
            .column("train_loss")
            .join(" "),
        losses
    );
}

#[test]
fn a_trained_run_is_measured_again_on_its_own_images_and_on_others() {
    let lab = Lab::new();
    let file = experiment(&lab, "scale = \"standardize\"");
    let file = file.to_str().unwrap();
    assert_eq!(lab.burnlab(&["run", file]).code, 0);
    let folder = lab.run_folder("pets", "default-seed-0");
    let values = |arguments: &[&str]| -> Vec<String> {
        let ended = lab.burnlab(&[&["evaluate"], arguments, &["--csv"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        let line = ended.out.lines().nth(1).unwrap().to_string();
        line.split(',').map(String::from).collect()
    };
    // variant, seed, weights, data, images, accuracy, loss
    let table = lab.table("pets", "summary.csv");
    let summary = |column: &str| table.column(column)[0].parse::<f64>().unwrap();
    let own = values(&[file]);
    assert_eq!(own[3..5], ["test images of its data", "4"]);
    let near = |found: &str, expected: f64| {
        let found: f64 = found.parse().unwrap();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    };
    near(&own[5], summary("test_accuracy"));
    near(&own[6], summary("test_loss"));
    let weights = folder.join("weights.safetensors");
    let weights = weights.to_str().unwrap();
    let by_weights = values(&[file, "--weights", weights, "--set", "train.seeds=[7]"]);
    assert_eq!(by_weights[5..], own[5..]);
    assert_eq!(by_weights[1], "7");
    let said = lab.burnlab(&["evaluate", file, "--weights", weights]).out;
    let whose =
        format!("`default` with the weights of `{weights}` on 4 images: test images of its data\n");
    assert!(said.starts_with(&whose), "{said}");

    // Other images, of another size, and of one of the classes alone.
    for index in 0..6 {
        let path = lab.path().join(format!("others/cat/{index}.jpg"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(9, 7, Luma([40 + index]))
            .save(path)
            .unwrap();
    }
    let others = lab.path().join("others");
    let others = others.to_str().unwrap();
    let run = folder.to_str().unwrap();
    let found = values(&[run, "--data", others]);
    assert_eq!(
        found[3..5],
        [format!("images of {others}"), "6".to_string()]
    );
    let output = lab.path().join("measured");
    let ended = lab.burnlab(&[
        "evaluate",
        run,
        "--data",
        others,
        "--split",
        "test",
        "--output",
        output.to_str().unwrap(),
    ]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended
            .out
            .starts_with("`default`, seed 0 on 1 image: test images of"),
        "{}",
        ended.out
    );
    let confusion = fs::read_to_string(output.join("confusion.csv")).unwrap();
    assert!(
        confusion.starts_with("truth,cat,dog,accuracy\n"),
        "{confusion}"
    );
    assert!(output.join("evaluation.csv").is_file());

    fs::rename(lab.path().join("others/cat"), lab.path().join("others/yak")).unwrap();
    let ended = lab.burnlab(&["evaluate", run, "--data", others]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        format!(
            "error: the run knows no class `yak`\n  --data {others}\n  hint: the run's classes are `cat` and `dog`\n"
        )
    );
    let ended = lab.burnlab(&["evaluate", run, "--data", "mnits"]);
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.err,
        "error: unknown dataset `mnits`, and there is no such folder\n  hint: did you mean `mnist`?\n"
    );
}

#[test]
fn a_recipe_is_looked_at_before_anything_is_trained() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    let picture = lab.path().join("recipe.png");
    let picture = picture.to_str().unwrap();
    let draw = |recipe: &str| {
        let recipe = format!("augment.random={recipe}");
        lab.burnlab(&[
            "augment", file, "--output", picture, "--count", "5", "--set", &recipe,
        ])
    };
    let ended = draw(
        "[\"trivial_augment\", { random_crop = { padding = \"25%\", border = \"reflect\" } }]",
    );
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.out,
        format!("drawn into {picture}: 5 images of `default`, seed 0\n")
    );
    let drawn = image::open(picture).unwrap();
    // Originals and three epochs, enlarged.
    assert!(drawn.height() > 4 * 80 && drawn.width() > 5 * 80);
    assert!(!lab.results("pets").exists());
    let ended = draw("[]");
    assert_eq!(ended.code, 2);
    let message = format!("error: no variant of `{file}` has `copies` or `random` in its recipe\n");
    assert!(ended.err.starts_with(&message), "{}", ended.err);
}
