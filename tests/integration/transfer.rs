//! Runs that start from others, and weights and images in and out.

use std::fs;

use crate::interruption::signal;
use crate::lab::{Lab, SMALL, wait_until};

/// A variant that starts from another one, and one that starts from that.
const CHAIN: &str = r#"
[variants.head]
train  = { train_only = ["dense_2"], epochs = 1 }
start  = { run = { variant = "plain" } }

[variants.all.start]
run     = { variant = "head" }
exclude = ["dense_2"]
"#;

fn chain() -> String {
    let plain = SMALL.split("[variants.turned").next().unwrap();
    // What comes later in the file is needed first too.
    let head = plain.replace("[variants.plain]", "");
    format!("{head}{CHAIN}\n[variants.plain]\n")
}

/// A cell of `summary.csv`, by variant and seed.
fn cell(lab: &Lab, experiment: &str, variant: &str, seed: &str, column: &str) -> String {
    let summary = lab.table(experiment, "summary.csv");
    let runs: Vec<(&str, &str)> = summary
        .column("variant")
        .into_iter()
        .zip(summary.column("seed"))
        .collect();
    let at = runs.iter().position(|run| *run == (variant, seed));
    let at = at.unwrap_or_else(|| panic!("no {variant}, seed {seed} in {runs:?}"));
    summary.column(column)[at].to_string()
}

#[test]
fn runs_wait_for_those_they_start_from() {
    let lab = Lab::new();
    let file = lab.file("chain.toml", &chain());
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file, "--jobs", "2"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let at = |name: &str| {
        ended
            .err
            .find(name)
            .unwrap_or_else(|| panic!("{}", ended.err))
    };
    for seed in [0, 1] {
        let name = |variant: &str| format!("done      {variant}, seed {seed}");
        assert!(at(&name("plain")) < at(&name("head")), "{}", ended.err);
        assert!(at(&name("head")) < at(&name("all")), "{}", ended.err);
    }
    let weights = |start: &str| {
        let bytes = fs::read(lab.run_folder("chain", start).join("weights.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |name: &str| file.tensor(name).unwrap().data().to_vec();
        (tensor("dense_1.weight"), tensor("dense_2.weight"))
    };
    let (plain, head, all) = (
        weights("plain-seed-1"),
        weights("head-seed-1"),
        weights("all-seed-1"),
    );
    assert!(plain.0 == head.0, "what is frozen stays");
    assert!(plain.1 != head.1 && head.0 != all.0);

    // The config that a run leaves says where its weights came from, and can be run again.
    let config = lab.run_folder("chain", "head-seed-1").join("config.toml");
    let config = fs::read_to_string(config).unwrap().replace("[0, 1]", "[1]");
    let again = lab.file("again.toml", &config);
    let again_ended = lab.burnlab(&["run", again.to_str().unwrap()]);
    assert_eq!(again_ended.code, 0, "{}", again_ended.err);
    for column in [
        "status",
        "train_loss",
        "test_loss",
        "test_accuracy",
        "epochs",
    ] {
        let again = cell(&lab, "again", "default", "1", column);
        assert_eq!(again, cell(&lab, "chain", "head", "1", column), "{column}");
    }
}

#[test]
fn only_one_variant_brings_what_it_starts_from_along() {
    let lab = Lab::new();
    let file = lab.file("chain.toml", &chain());
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file, "--only", "head", "--set", "train.seeds=[0]"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.err.contains("chain: 2 runs to train"),
        "{}",
        ended.err
    );
    assert_eq!(cell(&lab, "chain", "all", "0", "status"), "unfinished");

    // What it starts from is not asked for, and is gone on with.
    lab.file(
        "chain.toml",
        &chain().replace("epochs     = 3", "epochs     = 300"),
    );
    let rows = |lab: &Lab| {
        let folder = fs::read_dir(lab.results("chain").join("runs")).unwrap();
        let tables = folder.map(|entry| entry.unwrap().path().join("epochs.csv"));
        let tables = tables.filter_map(|path| fs::read_to_string(path).ok());
        tables.max_by_key(String::len).unwrap_or_default()
    };
    let one = ["run", file, "--only", "head", "--set", "train.seeds=[0]"];
    let mut supervisor = lab.start(&one);
    wait_until("some epochs are done", || rows(&lab).lines().count() > 20);
    signal("-INT", supervisor.id());
    assert_eq!(supervisor.wait().unwrap().code(), Some(130));
    let before = rows(&lab);
    let ended = lab.burnlab(&[&one[..], &["--fresh"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(rows(&lab).starts_with(&before), "{}", ended.err);

    // Another way of training the first makes runs of all that follow from it anew.
    lab.file(
        "chain.toml",
        &chain().replace("batch_size = 50", "batch_size = 40"),
    );
    let dry = lab.burnlab(&["run", file, "--dry-run"]);
    assert_eq!(dry.out.matches("to train").count(), 6, "{}", dry.out);
}

#[test]
fn a_run_that_diverges_takes_those_that_start_from_it_along() {
    let lab = Lab::new();
    let wild = "[variants.plain.train.optimizer.sgd]\nlearning_rate = 1e30\n\n[variants.other]\n";
    let file = lab.file("chain.toml", &chain().replace("[variants.plain]", wild));
    let ended = lab.burnlab(&["run", file.to_str().unwrap(), "--set", "train.seeds=[0]"]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    let has = |text: &str| assert!(ended.err.contains(text), "no {text} in {}", ended.err);
    has("failed    head, seed 0: a run it needs (`plain`, seed 0) diverged");
    has("failed    all, seed 0: a run it needs (`head`, seed 0) failed");
    assert_eq!(cell(&lab, "chain", "other", "0", "status"), "done");
}

#[test]
fn another_experiment_is_trained_first_as_far_as_it_is_needed() {
    let lab = Lab::new();
    lab.file("base.toml", SMALL);
    let plain = SMALL.split("[variants.plain]").next().unwrap();
    let start = "[start]\nrun = { experiment = \"base\", variant = \"plain\", seed = 1 }\n";
    let file = lab.file(
        "tuned.toml",
        &format!("{plain}{start}").replace("[0, 1]", "[0, 3]"),
    );
    let file = file.to_str().unwrap();
    let dry = lab.burnlab(&["run", file, "--dry-run"]);
    assert!(
        dry.out.contains("base:") && dry.out.contains("tuned:"),
        "{}",
        dry.out
    );
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let (base, tuned) = (
        ended.err.find("base: 1 run to train"),
        ended.err.find("tuned: 2 runs to train"),
    );
    assert!(base.is_some() && base < tuned, "{}", ended.err);
    assert_eq!(cell(&lab, "base", "plain", "0", "status"), "unfinished");
    let again = lab.burnlab(&["run", file]);
    assert!(
        !again.err.contains("base:") && again.err.contains("2 done before"),
        "{}",
        again.err
    );
    // It is trained as its own file says, and its page tells so; again where its weights were lost.
    let weights = lab
        .run_folder("base", "plain-seed-1")
        .join("weights.safetensors");
    fs::remove_file(&weights).unwrap();
    let other = lab.burnlab(&["run", file, "--set", "train.batch_size=40"]);
    assert_eq!(other.code, 0, "{}", other.err);
    assert!(
        other.err.contains("base: 1 run to train") && weights.is_file(),
        "{}",
        other.err
    );
    let command = |experiment: &str| {
        let page = fs::read_to_string(lab.results(experiment).join("report.html")).unwrap();
        page.contains("train.batch_size=40")
    };
    assert!(command("tuned") && !command("base"));
}

#[test]
fn experiments_that_need_each_other_are_refused() {
    let lab = Lab::new();
    let plain = SMALL.split("[variants.plain]").next().unwrap();
    let start = |other: &str| format!("{plain}[start]\nrun = {{ experiment = \"{other}\" }}\n");
    let file = lab.file("one.toml", &start("two"));
    lab.file("two.toml", &start("one.toml"));
    let ended = lab.burnlab(&["check", file.to_str().unwrap()]);
    assert_eq!(ended.code, 2, "{}", ended.out);
    assert!(
        ended
            .err
            .starts_with("error: experiments need each other: `one` -> `two` -> `one`\n"),
        "{}",
        ended.err
    );
}

#[test]
fn weights_go_out_for_pytorch_and_come_in_again() {
    let lab = Lab::new();
    let file = lab.file("small.toml", SMALL);
    let file = file.to_str().unwrap();
    let out = lab.path().join("out.safetensors");
    let export = |more: &[&str]| {
        let start = ["export", file, "-o", out.to_str().unwrap()];
        lab.burnlab(&[&start, more].concat())
    };
    let early = export(&["plain"]);
    assert_eq!(early.code, 3, "{}", early.out);
    assert_eq!(
        early.err,
        format!(
            "error: `plain`, seed 0 of `small` is not trained\n  hint: burnlab run {file} --only plain\n"
        )
    );
    assert_eq!(lab.burnlab(&["run", file, "--only", "plain"]).code, 0);
    let wrong = export(&[]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("has several variants: name one"),
        "{}",
        wrong.err
    );
    let wrong = export(&["plain", "--best"]);
    assert!(wrong.err.contains("keeps no best weights"), "{}", wrong.err);
    let wrong = export(&["plain", "--seed", "7"]);
    assert!(wrong.err.contains("hint: its seeds: 0, 1"), "{}", wrong.err);
    let done = export(&["plain", "--seed", "1", "--layout", "pytorch"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(
        done.out
            .starts_with("wrote 4 tensors of `plain`, seed 1 to "),
        "{}",
        done.out
    );
    let network = lab.path().join("network.onnx");
    let done = lab.burnlab(&[
        "export",
        file,
        "plain",
        "--layout",
        "onnx",
        "-o",
        network.to_str().unwrap(),
    ]);
    assert_eq!(done.code, 0, "{}", done.err);
    let start = "wrote the network of `plain`, seed 0 to ";
    assert!(done.out.starts_with(start), "{}", done.out);
    let bytes = fs::read(&network).unwrap();
    let called_so = lab.path().join("called-so.onnx");
    lab.burnlab(&["export", file, "plain", "-o", called_so.to_str().unwrap()]);
    assert!(fs::read(&called_so).unwrap() == bytes);
    for name in [
        "images",
        "batch",
        "dense_1.weight",
        "dense_2/Gemm",
        "logits",
        "probabilities",
        "classes",
    ] {
        let mut places = bytes.windows(name.len());
        assert!(places.any(|place| place == name.as_bytes()), "no {name}");
    }
    let bytes = fs::read(&out).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("dense_1.weight").unwrap().shape(), [16, 784]);

    let plain = SMALL.split("[variants.plain]").next().unwrap();
    let start = |layout: &str| {
        format!("{plain}[start]\nweights = \"out.safetensors\"\nlayout = \"{layout}\"\n")
    };
    let tuned = lab.file("tuned.toml", &start("pytorch"));
    let tuned = tuned.to_str().unwrap();
    let ended = lab.burnlab(&["run", tuned, "--set", "train.seeds=[0]"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    lab.file("tuned.toml", &start("burnlab"));
    let ended = lab.burnlab(&["check", tuned]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.starts_with(
            "error: the weights do not fit: `dense_1` needs weight 784x16, bias 16, \
             found weight 16x784, bias 16; `dense_2` needs weight 16x10, bias 10, \
             found weight 10x16, bias 10\n"
        ),
        "{}",
        ended.err
    );
}

/// A file as people have it: names of another network behind a prefix, precisions of all kinds, a count of batches.
fn weights_from_elsewhere() -> Vec<u8> {
    use burn::tensor::{bf16, f16};
    use safetensors::tensor::{Dtype, TensorView, serialize};
    let value = |at: usize| ((at % 23) as f32 - 11.0) / 64.0;
    let values = |number: usize| (0..number).map(value);
    let tensors: [(&str, Dtype, &[usize], Vec<u8>); 5] = [
        (
            "features.0.weight",
            Dtype::F16,
            &[16, 784],
            values(16 * 784)
                .flat_map(|v| f16::from_f32(v).to_le_bytes())
                .collect(),
        ),
        (
            "features.0.bias",
            Dtype::F64,
            &[16],
            values(16)
                .flat_map(|v| f64::from(v).to_le_bytes())
                .collect(),
        ),
        (
            "features.0.num_batches_tracked",
            Dtype::I64,
            &[],
            vec![0; 8],
        ),
        (
            "classifier.6.weight",
            Dtype::BF16,
            &[10, 16],
            values(160)
                .flat_map(|v| bf16::from_f32(v).to_le_bytes())
                .collect(),
        ),
        (
            "classifier.6.bias",
            Dtype::F32,
            &[10],
            values(10).flat_map(f32::to_le_bytes).collect(),
        ),
    ];
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.to_vec(), bytes).unwrap();
        (format!("module.{name}"), view)
    });
    serialize(views, None).unwrap()
}

#[test]
fn weights_from_elsewhere_are_taken_by_other_names() {
    let lab = Lab::new();
    let plain = SMALL.split("[variants.plain]").next().unwrap();
    let file = lab.file("small.toml", plain);
    let file = file.to_str().unwrap();
    let weights = lab.path().join("there.safetensors");
    fs::write(&weights, weights_from_elsewhere()).unwrap();
    let evaluate = |naming: &[&str]| {
        let start = [
            "evaluate",
            file,
            "--csv",
            "--weights",
            weights.to_str().unwrap(),
        ];
        lab.burnlab(&[&start, naming].concat())
    };
    let renamed = evaluate(&[
        "--layout=pytorch",
        "--strip=module.",
        "--rename=features.0=dense_1",
        "--rename=classifier.6=dense_2",
    ]);
    assert_eq!(renamed.code, 0, "{}", renamed.err);
    let mapped = evaluate(&["--map=torchvision", "--strip=module."]);
    assert_eq!(
        (mapped.code, &mapped.out),
        (0, &renamed.out),
        "{}",
        mapped.err
    );

    let here = lab.path().join("here.safetensors");
    let paths = [&weights, &here].map(|path| path.to_str().unwrap());
    let exported = lab.burnlab(&[
        "export",
        file,
        "--weights",
        paths[0],
        "--map=torchvision",
        "--strip=module.",
        "-o",
        paths[1],
    ]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let bytes = fs::read(&here).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("dense_2.weight").unwrap().shape(), [16, 10]);

    let start = |naming: &str| {
        let text = format!("{plain}[start]\nweights = \"there.safetensors\"\n{naming}\n");
        lab.file("tuned.toml", &text);
        lab.burnlab(&["check", lab.path().join("tuned.toml").to_str().unwrap()])
    };
    let rename = "{ 'features.0' = 'dense_1', 'classifier.6' = 'dense_2' }";
    let ended = start(&format!(
        "layout = 'pytorch'\nstrip = 'module.'\nrename = {rename}"
    ));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let message = |naming: &str| {
        let ended = start(naming);
        assert_eq!(ended.code, 2, "{}", ended.out);
        let lines = ended.err.lines().map(str::trim_start);
        let lines = lines.filter(|line| line.starts_with("error: ") || line.starts_with("hint: "));
        lines.map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(
        message("layout = 'pytorch'\nstrip = 'module.'\nrename = { 'features.0' = 'dense_1' }"),
        [
            "error: the weights do not fit: `dense_2` needs weight 16x10, bias 10, found nothing of that name",
            "hint: the file also has `module.classifier.6` (bias 10, weight 10x16): `rename` gives them the names \
             that they have here; layers named in `start.exclude` start fresh"
        ]
    );
    assert_eq!(
        message("strip = 'model.'\nlayout = 'pytorch'"),
        [
            "error: no name in the file begins with `model.`",
            "hint: the first is `module.classifier.6.bias`"
        ]
    );
    assert_eq!(
        message("map = 'torchvision'"),
        [
            "error: the names of the file are not those of torchvision's alexnet, vgg, resnet or googlenet",
            "hint: it has `module.classifier.6` (bias 10, weight 10x16), `module.features.0` (bias 16, weight 16x784)"
        ]
    );
}

#[test]
fn a_trained_run_says_what_it_sees() {
    let lab = Lab::new();
    let file = lab.file(
        "small.toml",
        &SMALL.replace("epochs     = 3", "epochs = 10"),
    );
    let file = file.to_str().unwrap();
    assert_eq!(lab.burnlab(&["run", file, "--only", "plain"]).code, 0);
    let predict = |path: &str, more: &[&str]| {
        lab.burnlab(&[&["predict", file, "plain", path], more].concat())
    };
    let digits = "data/mnist/t10k-images-idx3-ubyte.gz";
    let ended = predict(digits, &["--csv", "--top", "2"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines: Vec<Vec<&str>> = ended
        .out
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(
        lines[0],
        ["image", "class", "probability", "class_2", "probability_2"]
    );
    assert_eq!(lines.len(), 10_001);

    // As many right answers as the run measured.
    let labels = fs::read("data/mnist/t10k-labels-idx1-ubyte.gz").unwrap();
    let mut truth = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(labels.as_slice()),
        &mut truth,
    )
    .unwrap();
    let pairs = lines[1..].iter().zip(&truth[8..]);
    let right = pairs
        .filter(|(line, label)| line[1] == label.to_string())
        .count();
    let run = fs::read_to_string(lab.run_folder("small", "plain-seed-0").join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let accuracy = run["measured"]["test"]["accuracy"].as_f64().unwrap();
    assert!(
        (accuracy - right as f64 / 10_000.0).abs() < 1e-9,
        "{right} of {accuracy}"
    );
    assert!(accuracy > 0.4);

    let picture = lab.path().join("white.png");
    image::RgbImage::from_pixel(56, 56, image::Rgb([255, 255, 255]))
        .save(&picture)
        .unwrap();
    let ended = predict(picture.to_str().unwrap(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(
        ended.err,
        "note: 1 image changed: color to gray, 56x56 to 28x28 (height x width)\n"
    );
    assert!(
        ended.out.contains("white.png") && ended.out.contains("class_3"),
        "{}",
        ended.out
    );

    let notes = lab.file("notes.txt", "no image");
    let ended = predict(notes.to_str().unwrap(), &[]);
    assert_eq!(ended.code, 3);
    assert!(
        ended
            .err
            .starts_with("error: cannot read image `notes.txt`: "),
        "{}",
        ended.err
    );

    // What can be read is answered all the same.
    let ended = predict(
        notes.to_str().unwrap(),
        &["--csv", picture.to_str().unwrap()],
    );
    assert_eq!(ended.code, 3);
    assert!(
        ended.out.lines().any(|row| row.contains("white.png,")),
        "{}",
        ended.out
    );
    assert!(
        ended.err.contains("error: cannot read image `notes.txt`: "),
        "{}",
        ended.err
    );
}
