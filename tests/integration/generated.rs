//! Training sets that other runs' dreams widen.

use std::fs;

use crate::lab::Lab;

/// Classifiers of random images, and models that dream such images up: one that is told the class, one that
/// is not, and one for each class.
const GENERATED: &str = r#"
title = "classifiers and those that dream for them"

[data]
dataset = { fake = { shape = [1, 6, 6], classes = 3, train = 60, test = 20 } }

[model.classifier]
layers = ["flatten", { dense = { units = "classes" } }]

[train]
epochs     = 2
batch_size = 20
seeds      = [0, 1]

[variants.told.data.generated]
run   = { variant = "conditional" }
count = 31

[variants.one_per_class.data.generated]
runs = { variant = "of-{class}" }

[variants.labelled.data.generated]
run    = { variant = "free" }
labels = { classifier = { variant = "plain" }, confidence = 0.35 }
count  = 30

[variants.plain]

[variants.conditional]
train.loss = "binary_cross_entropy"
[variants.conditional.model.autoencoder]
encoder = ["flatten", "concat_label", { dense = { units = 8, activation = "relu" } }, { gaussian_code = { units = 2 } }]
decoder = ["concat_label", { dense = { units = 8, activation = "relu" } }, { dense = { units = 36, activation = "sigmoid" } }]

[variants.free]
train.loss = "binary_cross_entropy"
[variants.free.model.autoencoder]
encoder = ["flatten", { dense = { units = 8, activation = "relu" } }, { gaussian_code = { units = 8 } }]
decoder = [{ dense = { units = 36, activation = "sigmoid", init = { normal = { standard_deviation = 3.0 } } } }]
"#;

/// The same with models for each class.
fn generated() -> String {
    let free = GENERATED.split("[variants.free]").nth(1).unwrap();
    let of_class = |class: usize| {
        let free = free.replace("variants.free", &format!("variants.of-{class}"));
        format!("\n[variants.of-{class}]\ndata.train_classes = [{class}]\n{free}")
    };
    let of_classes: String = (0..3).map(of_class).collect();
    format!("{GENERATED}{of_classes}")
}

#[test]
fn generated_images_extend_a_training_set() {
    let lab = Lab::new();
    let file = lab.file("dreams.toml", &generated());
    let file = file.to_str().unwrap();
    let dry = lab.burnlab(&["run", file, "--dry-run"]);
    let images = |variant: &str| {
        let line = dry
            .out
            .lines()
            .find(|line| line.trim_start().starts_with(variant));
        let line = line.unwrap_or_else(|| panic!("no {variant} in\n{}", dry.out));
        line.split_whitespace()
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert!(images("told").contains(&"91".to_string()), "{}", dry.out);
    assert!(
        images("labelled").contains(&"90".to_string()),
        "{}",
        dry.out
    );
    assert!(
        images("one_per_class").contains(&"120".to_string()),
        "{}",
        dry.out
    );
    let ended = lab.burnlab(&["run", file, "--jobs", "2"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let at = |name: &str| {
        let line = format!("done      {name}, seed 1");
        let at = ended.err.find(&line);
        at.unwrap_or_else(|| panic!("no {line} in\n{}", ended.err))
    };
    for (generator, variant) in [
        ("conditional", "told"),
        ("of-0", "one_per_class"),
        ("of-2", "one_per_class"),
        ("free", "labelled"),
        ("plain", "labelled"),
    ] {
        assert!(at(generator) < at(variant), "{}", ended.err);
    }

    // What a run leaves can be run again from elsewhere, with the same numbers.
    let weights = |experiment: &str, start: &str| {
        let folder = lab.run_folder(experiment, start);
        fs::read(folder.join("weights.safetensors")).unwrap()
    };
    let folder = lab.run_folder("dreams", "labelled-seed-1");
    let config = fs::read_to_string(folder.join("config.toml")).unwrap();
    let config = config.replace("seeds = [0, 1]", "seeds = [1]");
    fs::create_dir(lab.path().join("elsewhere")).unwrap();
    let again = lab.file("elsewhere/again.toml", &config);
    let ended = lab.burnlab(&["run", again.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let once_more = weights("again", "default-seed-1");
    assert!(once_more == weights("dreams", "labelled-seed-1"));
}

#[test]
fn only_the_generators_of_a_variant_are_trained_with_it() {
    let lab = Lab::new();
    let file = lab.file("dreams.toml", &generated());
    let seed = ["--set", "train.seeds=[0]"];
    let run = ["run", file.to_str().unwrap(), "--only", "one_per_class"];
    let ended = lab.burnlab(&[run.as_slice(), &seed].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.err.contains("dreams: 4 runs to train"),
        "{}",
        ended.err
    );
}

#[test]
fn a_classifier_that_is_never_sure_ends_the_run() {
    let lab = Lab::new();
    let doubtful = generated().replace("confidence = 0.35", "confidence = 1.0");
    let file = lab.file("dreams.toml", &doubtful);
    let seed = ["--set", "train.seeds=[0]"];
    let run = ["run", file.to_str().unwrap(), "--only", "labelled"];
    let ended = lab.burnlab(&[run.as_slice(), &seed].concat());
    assert_eq!(ended.code, 4, "{}", ended.err);
    let says = "failed    labelled, seed 0: of 1,000 generated images too few are surely of the class `0`: 10 more are wanted";
    assert!(ended.err.contains(says), "{}", ended.err);
}
