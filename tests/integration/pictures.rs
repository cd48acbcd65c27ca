//! What is drawn of a run, while it trains and afterwards.

use std::fs;
use std::path::Path;

use crate::lab::Lab;

const TWO_NUMBERS: &str = r#"
[data]
dataset = "mnist"
train   = 200

[model.autoencoder]
encoder = ["flatten", { dense = { units = 16, activation = "tanh" } }, { dense = { units = 2 } }]
decoder = [{ dense = { units = 784, activation = "sigmoid" } }]

[train]
epochs     = 3
batch_size = 50
loss       = "binary_cross_entropy"

[pictures]
every = 2
draw = [
  { reconstructions = { count = 4 } },
  { filters = { layer = "encoder.dense_1" } },
  { latent_plane = { from = -1, to = 1, step = 1 } },
  { latent_scatter = { count = 100 } },
  { projector = { count = 30 } },
  { training_film = { count = 3 } },
  { circle_film = { frames = 4 } },
]
"#;

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn a_run_leaves_pictures_of_every_other_epoch_and_of_the_last() {
    let lab = Lab::new();
    let file = lab.file("two.toml", TWO_NUMBERS);
    let file = file.to_str().unwrap();
    let ended = lab.burnlab(&["run", file]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let run = lab.run_folder("two", "default-seed-0");
    let pictures = run.join("pictures");
    assert_eq!(
        names(&pictures),
        [
            "circle_film.gif",
            "filters.encoder.dense_1",
            "latent_plane",
            "latent_scatter",
            "reconstructions",
            "training_film",
            "training_film.gif",
        ]
    );
    assert_eq!(
        names(&pictures.join("reconstructions")),
        ["0002.png", "0003.png"]
    );
    let codes = fs::read_to_string(pictures.join("latent_scatter/0003.csv")).unwrap();
    assert_eq!(codes.lines().count(), 101);
    let board = lab.results("two").join("tensorboard/default/seed-0");
    assert_eq!(
        names(&board.join("projector")),
        ["projector.classes.tsv", "projector.png", "projector.tsv"]
    );
    let codes = fs::read_to_string(board.join("projector/projector.tsv")).unwrap();
    assert_eq!(codes.lines().count(), 30);

    // Whatever is drawn, it is the same run.
    let more = TWO_NUMBERS.replace("count = 4", "count = 5");
    lab.file("two.toml", &more);
    let weights = fs::read(run.join("weights.safetensors")).unwrap();
    let again = lab.burnlab(&["run", file]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(
        names(&pictures.join("reconstructions")),
        ["0002.png", "0003.png"]
    );
    assert_eq!(fs::read(run.join("weights.safetensors")).unwrap(), weights);

    // Nor does drawing change its numbers.
    let plain = TWO_NUMBERS.split("[pictures]").next().unwrap();
    let plain = lab.file("plain.toml", plain);
    let plain = lab.burnlab(&["run", plain.to_str().unwrap()]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    let undrawn = lab.run_folder("plain", "default-seed-0");
    assert!(!undrawn.join("pictures").exists());
    assert_eq!(
        fs::read(undrawn.join("weights.safetensors")).unwrap(),
        weights
    );
}

#[test]
fn pictures_are_drawn_anew_from_a_run_s_weights() {
    let lab = Lab::new();
    let plain = TWO_NUMBERS.split("[pictures]").next().unwrap();
    let file = lab.file("two.toml", plain);
    let file = file.to_str().unwrap();
    let untrained = lab.burnlab(&["pictures", file]);
    assert_eq!(untrained.code, 3);
    assert_eq!(lab.burnlab(&["run", file]).code, 0);
    let nothing = lab.burnlab(&["pictures", file]);
    assert_eq!(nothing.code, 2);
    assert!(
        nothing.err.contains("asks for no pictures"),
        "{}",
        nothing.err
    );

    let drawn = [
        "pictures",
        file,
        "--set",
        "pictures.draw=['reconstructions', 'circle_film']",
    ];
    let ended = lab.burnlab(&drawn);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let pictures = lab.run_folder("two", "default-seed-0").join("pictures");
    assert_eq!(names(&pictures), ["circle_film.gif", "reconstructions"]);
    assert_eq!(names(&pictures.join("reconstructions")), ["0003.png"]);
    assert!(ended.out.starts_with("drawn into "), "{}", ended.out);
}
