//! Limits of what is checked, so that every check ends in seconds: far above what anybody trains.

use serde_json::Value;

use crate::error::{Flaw, thousands};
use crate::network::MOST_LAYERS;

/// Problems of a file that are looked for.
pub const MOST_PROBLEMS: usize = 100;

/// Runs of an experiment.
pub const MOST_RUNS: usize = 200_000;

/// The number that is counted without a plan, whose making reports the first layer too many.
const MOST_COUNTED: usize = 2_000_000;

/// What is wrong with a model whose blocks repeat blocks without end; `model` as the file has it.
pub fn layers_flaw(model: &Value) -> Option<Flaw> {
    (layers(model) > MOST_COUNTED).then(|| {
        let most = thousands(MOST_LAYERS);
        Flaw::new(
            "model",
            format!("the model has more than {most} layers and blocks, repetitions counted"),
        )
    })
}

/// Layers and blocks in a list or table, those inside blocks too.
fn layers(value: &Value) -> usize {
    match value {
        Value::Array(items) => {
            let named = items
                .iter()
                .filter(|item| item.is_object() || item.is_string());
            named.fold(0, |sum: usize, item| {
                sum.saturating_add(1).saturating_add(layers(item))
            })
        }
        Value::Object(table) => table.iter().fold(0, |sum: usize, (key, value)| {
            let times = match (key.as_str(), value.get("times")) {
                ("repeat", Some(times)) => times.as_u64().unwrap_or(1) as usize,
                _ => 1,
            };
            sum.saturating_add(layers(value).saturating_mul(times))
        }),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repetitions_multiply_and_numbers_are_no_layers() {
        let inner =
            json!({ "repeat": { "times": 1000, "layers": ["relu", { "dense": { "units": 3 } }] } });
        let model =
            json!({ "classifier": { "layers": [inner, { "reshape": { "shape": [1, 2] } }] } });
        assert_eq!(layers(&model), 2 + 2000);
        assert_eq!(layers_flaw(&model), None);
        let deep = json!([{ "repeat": { "times": u64::MAX, "layers": [inner, inner] } }]);
        assert_eq!(layers(&deep), usize::MAX);
        assert_eq!(
            layers_flaw(&deep).unwrap().message,
            "the model has more than 20,000 layers and blocks, repetitions counted"
        );
    }
}
