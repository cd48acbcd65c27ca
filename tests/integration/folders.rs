//! Folders of images that people fill: what changed, what is left out, what is cut short.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma};

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

#[test]
fn check_and_run_say_what_is_left_out() {
    let lab = Lab::new();
    let file = experiment(&lab, "");
    let file = file.to_str().unwrap();
    fs::write(lab.path().join("pets/dog/10.webp"), "").unwrap();
    fs::write(lab.path().join("pets/dog/._1.png"), "").unwrap();
    let notes = [
        "note: 1 `.webp` file left out (no PNG or JPEG): `dog/10.webp`",
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
            "right  {}: 16 images for training and 4 for testing, 1x4x4, 2 classes\n   {}\n   {}\n",
            pets.display(),
            notes[0],
            notes[1]
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
