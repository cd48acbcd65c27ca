//! The same file gives the same weights and tables on the CPU, whatever it can do and however the work is shared.

use std::fs;
use std::path::PathBuf;

use crate::lab::{Lab, Table};

/// A network of every kind, trained for a few steps.
const EXPERIMENT: &str = r#"
title = "a network of every kind"

[data]
dataset    = "mnist"
train      = 60
validation = 20
classes    = [0, 1, 2]

[model.classifier]
layers = [
  { conv2d = { filters = 6, kernel = 3, stride = 2, activation = "relu" } },
  "batch_normalization",
  { depthwise_conv2d = { kernel = 3, activation = "elu" } },
  { prelu = { shared = false } },
  { squeeze_excite = { ratio = 2 } },
  { avg_pool2d = { size = 2 } },
  "flatten",
  { dropout = { rate = 0.3 } },
  "layer_normalization",
  { dense = { units = "classes", l2 = 1e-3 } },
]

[train]
epochs     = 2
batch_size = 20
clip       = { norm = 1.0 }

[variants.convolutions]
augment.random = [{ rotate = { degrees = [-10, 10] } }]

[variants.recurrent.model.classifier]
layers = [
  { reshape = { shape = [28, 28] } },
  { lstm = { units = 9, return_sequences = true } },
  { gru = { units = 7 } },
  { dense = { units = "classes" } },
]

[variants.normalizations]
train.loss = "mse"

[variants.normalizations.model.classifier]
layers = [
  { conv2d = { filters = 8, kernel = 3, stride = 2, groups = 1 } },
  { group_normalization = { groups = 2 } },
  { activation = { function = "mish" } },
  { conv2d = { filters = 8, kernel = 3, groups = 4, activation = "selu" } },
  "instance_normalization",
  { local_response_normalization = {} },
  { max_pool2d = { size = 2, padding = "same" } },
  "global_avg_pool",
  { dense = { units = "classes", activation = "softmax" } },
]
"#;

const IMAGES: &str = r#"
title = "models of images"

[data]
dataset = "mnist"
train   = 60
classes = [0, 1, 2]

[model.autoencoder]
encoder = ["flatten", { dense = { units = 20, activation = "tanh" } }, { gaussian_code = { units = 3 } }]
decoder = [{ dense = { units = 20, activation = "softplus" } }, { dense = { units = 784, activation = "sigmoid" } }]

[train]
epochs     = 2
batch_size = 20
loss       = { binary_cross_entropy = { over_pixels = "sum" } }

[variants.variational]

[variants.contractive.model.autoencoder]
contractive = 0.1
encoder = ["flatten", { dense = { units = 12, activation = "sigmoid" } }, { dense = { units = 5, activation = "tanh" } }]

[variants.convolutional.model.autoencoder]
encoder = [{ conv2d = { filters = 5, kernel = 3, stride = 2, activation = "relu" } }, "flatten", { dense = { units = 6 } }]
decoder = [
  { dense = { units = 245 } }, { reshape = { shape = [5, 7, 7] } },
  { conv2d_transpose = { filters = 4, kernel = 3, stride = 2, activation = "relu" } },
  { upsampling = { size = 2, interpolation = "bilinear" } },
  { conv2d = { filters = 1, kernel = 3, activation = "sigmoid" } },
]
"#;

const GAN: &str = r#"
title = "a GAN"

[data]
dataset = "mnist"
train   = 60
classes = [0, 1, 2]

[model.gan]
latent        = 4
generator     = [{ dense = { units = 32, activation = "leaky_relu" } }, { dense = { units = 784, activation = "sigmoid" } }, { reshape = { shape = [1, 28, 28] } }]
discriminator = ["flatten", { dense = { units = 24, activation = "leaky_relu" } }, { dense = { units = 1, activation = "sigmoid" } }]

[train]
epochs     = 2
batch_size = 20
loss       = "binary_cross_entropy"

[variants.gan]
"#;

/// What runs left that is to be equal.
#[derive(PartialEq)]
struct Left {
    tables: Vec<Table>,
    /// By the folder of the run.
    weights: Vec<(PathBuf, Vec<u8>)>,
}

/// Runs all with a set of kernels, in `jobs` workers that share the cores; `None` if this machine has not that set.
fn left(set: &str, jobs: &str) -> Option<Left> {
    let lab = Lab::new();
    let mut left = Left {
        tables: Vec::new(),
        weights: Vec::new(),
    };
    for (name, text) in [("networks", EXPERIMENT), ("images", IMAGES), ("gan", GAN)] {
        let file = lab.file(&format!("{name}.toml"), text);
        let file = file.to_str().expect("a plain path");
        let mut command = lab.command(&["run", file, "--device", "cpu", "--jobs", jobs]);
        command.env("BURNLAB_SIMD", set);
        let output = command.output().expect("burnlab starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("which this machine cannot run") {
            return None;
        }
        assert_eq!(output.status.code(), Some(0), "{set}: {said}");
        let runs = lab.results(name).join("runs");
        left.tables.push(lab.table(name, "epochs.csv"));
        left.tables.push(lab.table(name, "summary.csv"));
        for run in fs::read_dir(&runs).expect("there are runs") {
            let run = run.expect("a run's folder");
            let weights = fs::read(run.path().join("weights.safetensors"));
            left.weights.push((
                run.file_name().into(),
                weights.expect("the run leaves weights"),
            ));
        }
    }
    left.weights.sort();
    Some(left)
}

/// Which runs differ.
fn apart(one: &Left, other: &Left) -> Vec<PathBuf> {
    let pairs = one.weights.iter().zip(&other.weights);
    let apart = pairs.filter(|(one, other)| one != other);
    apart.map(|((run, _), _)| run.clone()).collect()
}

#[test]
fn every_set_of_kernels_and_every_share_of_the_work_gives_the_same_bits() {
    let plain = left("portable", "1").expect("every machine has the portable kernels");
    assert_eq!(plain.weights.len(), 7);
    let mut compared = 0;
    for (set, jobs) in [
        ("avx2", "2"),
        ("avx512", "2"),
        ("neon", "2"),
        ("portable", "2"),
    ] {
        let Some(other) = left(set, jobs) else {
            continue;
        };
        compared += 1;
        assert_eq!(
            apart(&plain, &other),
            [PathBuf::new(); 0],
            "{set}, {jobs} workers"
        );
        assert!(plain == other, "{set}, {jobs} workers: the tables differ");
    }
    assert!(compared > 0);
}
