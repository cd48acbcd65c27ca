//! A run of every kind against what other machines wrote down.

use super::*;

/// Settings of models of which training computes all that others do, besides convolutions.
const EVERY_KIND: [&str; 3] = [
    "[model.classifier]
     layers = [
       { reshape = { shape = [28, 28] } }, { lstm = { units = 9, return_sequences = true } }, { gru = { units = 7 } },
       'layer_normalization', { dense = { units = 'classes', l2 = 1e-3 } },
     ]
     [train]
     loss = 'cross_entropy'",
    "[model.autoencoder]
     encoder = ['flatten', { dense = { units = 20, activation = 'tanh' } }, { gaussian_code = { units = 3 } }]
     decoder = [{ dense = { units = 20, activation = 'softplus' } }, { dense = { units = 784, activation = 'sigmoid' } }]
     [train]
     loss = { binary_cross_entropy = { over_pixels = 'sum' } }",
    "[model.gan]
     latent = 4
     generator = [
       { dense = { units = 245, activation = 'elu' } }, { reshape = { shape = [5, 7, 7] } },
       { conv2d_transpose = { filters = 4, kernel = 3, stride = 2, activation = 'relu' } }, { upsampling = { size = 2 } },
       { conv2d = { filters = 1, kernel = 3, activation = 'sigmoid' } },
     ]
     discriminator = [
       { conv2d = { filters = 6, kernel = 3, stride = 2, activation = 'leaky_relu' } }, { squeeze_excite = { ratio = 2 } },
       'flatten', { dense = { units = 1, activation = 'sigmoid' } },
     ]
     [train]
     loss = 'binary_cross_entropy'",
];

/// Layers that the others lack.
const VOLUMES: &str = "[model.classifier]
     layers = [
       { reshape = { shape = [1, 4, 14, 14] } }, { conv3d = { filters = 5, kernel = 3, stride = [1, 2, 2], activation = 'gelu' } },
       { conv3d_transpose = { filters = 3, kernel = 2, stride = [1, 2, 1], activation = 'silu' } }, { avg_pool3d = {} },
       { max_pool3d = {} }, 'flatten', { dense = { units = 'classes' } },
     ]
     [train]
     schedule = 'cosine'
     loss = 'cross_entropy'";

/// The first digits of the SHA-256 of the weights that a few steps leave, and of the numbers that were measured: a network of
/// convolutions, then [`EVERY_KIND`], then [`VOLUMES`].
const DIGESTS: [[&str; 2]; 5] = [
    ["61a8bb5e0a830fcb", "eb7a7d7042993eaa"],
    ["daa12227c502da10", "3473508060d2207e"],
    ["4b935437f2830756", "f4c973eeb476cb25"],
    ["b09d23e0fc7470ba", "aa70d459c95686d1"],
    ["994ed6e303bdb486", "76c489cd39393c23"],
];

/// The promise that one file gives one result on every processor, across machines: what one of them wrote down.
#[test]
fn a_run_on_the_cpu_gives_the_bits_that_another_machine_gave() {
    if test_device().kernels().is_none() {
        return;
    }
    let _alone = sole_use_of_graphs();
    let recipe = "random = [{ rotate = { degrees = [-10, 10] } }]";
    let mut all = vec![settings(NETWORK, "epochs = 2\noptimizer = 'adam'", recipe)];
    all.extend(EVERY_KIND.into_iter().chain([VOLUMES]).map(|model| {
        let data =
            "[data]\ndataset = 'mnist'\ntrain = 60\nvalidation = 20\nclasses = [0, 1]\n[augment]\n";
        let train =
            "\nepochs = 2\nbatch_size = 25\noptimizer = 'adam'\nseeds = [0]\nclip = { norm = 1.0 }";
        toml::from_str(&format!("{data}{model}{train}")).expect("the settings parse")
    }));
    let temporary = tempfile::tempdir().unwrap();
    let digest = |bytes: &[u8]| {
        use sha2::{Digest, Sha256};
        crate::hex::hex(&Sha256::digest(bytes)[..8])
    };
    let digests = |(number, settings): (usize, &Settings)| -> [String; 2] {
        let folder = RunFolder::new(temporary.path().join(number.to_string()));
        let (outcome, _) = attempt(settings, &folder, 0);
        let Outcome::Done(measured) = outcome else {
            panic!("{outcome:?}")
        };
        let rows = folder.epochs().into_iter().map(|row| {
            let scores = (row.train, row.validation);
            serde_json::to_string(&(scores, row.learning_rate, row.gradient_norm)).unwrap()
        });
        let numbers = rows.collect::<String>() + &serde_json::to_string(&measured).unwrap();
        [digest(&weights(&folder)), digest(numbers.as_bytes())]
    };
    let received: Vec<[String; 2]> = all.iter().enumerate().map(digests).collect();
    assert_eq!(received, DIGESTS);
}
