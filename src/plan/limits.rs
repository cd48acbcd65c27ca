//! Limits of what is checked, so that every check ends in seconds: far above what anybody trains.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Flaw, More, Place, Problem, thousands};
use crate::network::MOST_LAYERS;

/// Problems of a file that are shown.
pub const MOST_PROBLEMS: usize = 100;

/// How long others are counted.
const COUNTING: Duration = Duration::from_secs(3);

/// Runs of an experiment.
pub const MOST_RUNS: usize = 200_000;

/// The number that is counted without a plan, whose making reports the first layer too many.
const MOST_COUNTED: usize = 2_000_000;

/// Problems beyond those that are shown: each is counted once, and none is kept.
#[derive(Default)]
pub struct Surplus {
    known: HashSet<u64>,
    since: Option<Instant>,
    is_cut: bool,
}

impl Surplus {
    /// Takes those that are too many out of the list.
    pub fn take(&mut self, problems: &mut Vec<Problem>) {
        if problems.len() >= MOST_PROBLEMS {
            self.since.get_or_insert_with(Instant::now);
            let too_many = problems.drain(MOST_PROBLEMS..);
            self.known.extend(too_many.map(|problem| digest(&problem)));
        }
    }

    /// Whether all that are shown are found, and others were counted for long enough.
    pub fn is_over(&mut self) -> bool {
        self.is_cut |= self.since.is_some_and(|since| since.elapsed() > COUNTING);
        self.is_cut
    }

    /// How many they are.
    pub fn more(&self) -> More {
        More {
            count: self.known.len(),
            is_cut: self.is_cut,
        }
    }
}

/// Of what tells a problem apart; the line of the file is left out, which may be long.
fn digest(problem: &Problem) -> u64 {
    let mut hasher = DefaultHasher::new();
    problem.message.hash(&mut hasher);
    match problem.place.as_deref() {
        Some(Place::File {
            path, line, column, ..
        }) => (path, line, column).hash(&mut hasher),
        Some(Place::WholeFile(path)) => path.hash(&mut hasher),
        Some(Place::Setting(text)) => text.hash(&mut hasher),
        None => {}
    }
    hasher.finish()
}

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
    fn problems_that_are_too_many_are_counted_once() {
        let problem = |number: usize| Problem::new(format!("{number}"));
        let mut surplus = Surplus::default();
        let mut problems: Vec<Problem> = (0..99).map(problem).collect();
        surplus.take(&mut problems);
        assert_eq!((problems.len(), surplus.since), (99, None));
        for _ in 0..2 {
            problems.extend((99..250).map(problem));
            surplus.take(&mut problems);
        }
        assert_eq!(problems.len(), 100);
        // The second time 99 is one of them: whoever adds problems leaves out those in the list.
        let count = 151;
        let is_cut = false;
        assert_eq!(surplus.more(), More { count, is_cut });
        assert!(!surplus.is_over());
        surplus.since = Instant::now().checked_sub(COUNTING * 2);
        assert!(surplus.is_over() && surplus.more().is_cut);
    }

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
