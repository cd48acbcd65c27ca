//! What a measured loss is made of, so that losses of different kinds are not compared as if they were of one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Settings;
use crate::error::list;
use crate::layers::{Block, LayerSpec, Role};
use crate::models::{Autoencoder, ModelSpec};
use crate::record::Metric;
use crate::record::metrics::{DISCRIMINATOR_LOSS, LOSS, RECONSTRUCTION};

/// What outputs are judged by.
const JUDGED_BY: [&str; 5] = [
    "model",
    "train.loss",
    "data.scale",
    "test_corruption",
    "encoder",
];

/// What the layers of an auto-encoder add, and its Jacobian.
const ADDED: [&str; 3] = ["contractive", "gaussian_code.beta", "activity"];

/// The settings that enter a measured loss, each as a text; empty where a model has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeasuredLoss {
    /// Those of [`JUDGED_BY`].
    judged_by: [String; JUDGED_BY.len()],
    /// Those of [`ADDED`].
    added: [String; ADDED.len()],
}

impl MeasuredLoss {
    /// The settings, as files call them, that enter a metric and differ from another's.
    pub fn differing(&self, other: &Self, metric: &Metric) -> Vec<&'static str> {
        let is = |name: &str| metric.name == name;
        let is_loss = is(LOSS.metric.name);
        let is_part = is(RECONSTRUCTION.metric.name) || is(DISCRIMINATOR_LOSS.metric.name);
        let judged_by = self.judged_by.iter().zip(&other.judged_by).zip(JUDGED_BY);
        let added = self.added.iter().zip(&other.added).zip(ADDED);
        let judged_by = judged_by.filter(|_| is_loss || is_part);
        let entering = judged_by.chain(added.filter(|_| is_loss));
        let differing = entering.filter(|((own, other), _)| own != other);
        let names: Vec<&str> = differing.map(|(_, name)| name).collect();
        // Behind these, others differ that only one of the two has.
        let has = |name: &str| names.contains(&name);
        let follows = |name: &str| match name {
            "model" | "train.loss" => false,
            "encoder" => has("model") || has("test_corruption"),
            _ => has("model"),
        };
        names
            .iter()
            .copied()
            .filter(|name| !follows(name))
            .collect()
    }
}

/// `` `train.loss` differs ``
pub fn differ(names: &[&str]) -> String {
    let verb = if names.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    format!("{} {verb}", list(names))
}

impl Settings {
    /// What enters the losses that are measured with these settings. Penalties of weights and side classifiers do not.
    pub fn measured_loss(&self) -> MeasuredLoss {
        let loss = &self.train.loss;
        let mut fields = match serde_json::to_value(loss) {
            Ok(Value::Object(mut table)) => table.remove(loss.key()).unwrap_or_default(),
            _ => Value::Null,
        };
        if let Value::Object(table) = &mut fields {
            // Steps go by that; what is measured is the mean.
            table.remove("over_batch");
        }
        let fields = match &fields {
            Value::Object(table) if !table.is_empty() => fields.to_string(),
            _ => String::new(),
        };
        let mut measured = MeasuredLoss::default();
        measured.judged_by[0] = self.model.kind().key().to_string();
        measured.judged_by[1] = format!("{} {fields}", loss.key());
        if let ModelSpec::Autoencoder(autoencoder) = &self.model {
            let scale = serde_json::to_value(&self.data.scale);
            measured.judged_by[2] = scale.unwrap_or_default().to_string();
            measured.judged_by[3] = autoencoder.test_corruption.to_string();
            if autoencoder.test_corruption {
                measured.judged_by[4] = noise(autoencoder);
            }
            measured.added = added(autoencoder);
        }
        measured
    }
}

/// The noise layers that corrupt inputs, whatever they are called.
fn noise(autoencoder: &Autoencoder) -> String {
    fn add(layers: &[LayerSpec], noise: &mut Vec<String>) {
        for layer in layers {
            if layer.role() == Some(Role::Noise) {
                let mut written = serde_json::to_value(layer).unwrap_or_default();
                if let Some(Value::Object(fields)) = written.get_mut(layer.key()) {
                    fields.remove("name");
                }
                noise.push(written.to_string());
            }
            let lists = layer.block().map(Block::lists).unwrap_or_default();
            lists.iter().for_each(|list| add(list.layers, noise));
        }
    }
    let mut noise = Vec::new();
    add(&autoencoder.encoder, &mut noise);
    noise.join(", ")
}

/// The values of [`ADDED`]: those of layers wherever they are, each once.
fn added(autoencoder: &Autoencoder) -> [String; ADDED.len()] {
    let (mut beta, mut activity) = (BTreeSet::new(), BTreeSet::new());
    for layers in [&autoencoder.encoder, &autoencoder.decoder] {
        let layers = serde_json::to_value(layers).unwrap_or_default();
        visit(&layers, &mut |key, value| match key {
            "gaussian_code" => beta.extend(value.get("beta").map(Value::to_string)),
            "activity" => activity.extend([value.to_string()]),
            _ => {}
        });
    }
    let joined = |values: BTreeSet<String>| Vec::from_iter(values).join(", ");
    [
        autoencoder.contractive.get().to_string(),
        joined(beta),
        joined(activity),
    ]
}

/// Every key with its value, wherever it is.
fn visit(value: &Value, each: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
        Value::Object(table) => {
            for (key, value) in table {
                each(key, value);
                visit(value, each);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metrics::{ACCURACY, KL};

    fn measured(loss: &str, encoder: &str, more: &str) -> MeasuredLoss {
        let text = format!(
            "[data]\ndataset = 'mnist'\ntrain = 100\nvalidation = 0\nclasses = 'all'\nscale = [0.0, 1.0]\n\
             [augment]\ncopies = []\nrandom = []\nbatch = []\n\
             [model.autoencoder]\nencoder = ['flatten', {encoder}]\ndecoder = [{{ dense = {{ units = 784 }} }}]\n{more}\n\
             [train]\nepochs = 1\nbatch_size = 10\nloss = {loss}\noptimizer = {{ sgd = {{ learning_rate = 0.1 }} }}\nseeds = [0]\n"
        );
        let settings: Settings = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
        settings.measured_loss()
    }

    #[test]
    fn what_enters_a_loss_tells_it_from_others() {
        const CODE: &str = "{ gaussian_code = { units = 2 } }";
        let plain = measured("'mse'", CODE, "");
        let differing = |other: &MeasuredLoss| {
            [&LOSS, &RECONSTRUCTION, &ACCURACY, &KL]
                .map(|batch| plain.differing(other, &batch.metric))
        };
        let none: Vec<&str> = Vec::new();
        let only_loss = |name| [vec![name], none.clone(), none.clone(), none.clone()];
        let losses = |name| [vec![name], vec![name], none.clone(), none.clone()];
        assert_eq!(differing(&plain), [const { Vec::<&str>::new() }; 4]);
        let other = measured("'huber'", CODE, "");
        assert_eq!(differing(&other), losses("train.loss"));
        let other = measured("'mse'", "{ gaussian_code = { units = 2, beta = 4.0 } }", "");
        assert_eq!(differing(&other), only_loss("gaussian_code.beta"));
        let other = measured("'mse'", CODE, "contractive = 0.1");
        assert_eq!(differing(&other), only_loss("contractive"));
        let active =
            "{ dense = { units = 2, activity = { l1 = 0.1 } } }, { gaussian_code = { units = 2 } }";
        let other = measured("'mse'", active, "");
        assert_eq!(differing(&other), only_loss("activity"));
        let noisy = "{ mask_noise = { keep = 0.5 } }, { gaussian_code = { units = 2 } }";
        assert_eq!(measured("'mse'", noisy, ""), plain);
        let corrupted = |noise: &str| measured("'mse'", noise, "test_corruption = true");
        let differ = plain.differing(&corrupted(noisy), &LOSS.metric);
        assert_eq!(differ, ["test_corruption"]);
        let less = corrupted(&noisy.replace("0.5", "0.9"));
        assert_eq!(less.differing(&corrupted(noisy), &LOSS.metric), ["encoder"]);
        let named = corrupted(&noisy.replace("keep", "name = 'n', keep"));
        assert_eq!(named, corrupted(noisy));
        // Neither the size of the network nor the penalties of weights do.
        let deep = "{ dense = { units = 9, l2 = 0.1 } }, { gaussian_code = { units = 3 } }";
        assert_eq!(measured("'mse'", deep, ""), plain);
    }

    #[test]
    fn what_steps_go_by_does_not_enter() {
        let code = "{ dense = { units = 2 } }";
        let by_mean = measured("{ sum_squared = { over_batch = 'mean' } }", code, "");
        assert_eq!(by_mean, measured("'sum_squared'", code, ""));
        let of = |fields: &str| {
            measured(
                &format!("{{ binary_cross_entropy = {{ {fields} }} }}"),
                code,
                "",
            )
        };
        assert_eq!(of("over_batch = 'sum'"), of(""));
        assert_ne!(of("over_pixels = 'sum'"), of(""));
    }
}
