//! Five steps of every optimiser against PyTorch's.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Value;

use super::OptimizerSpec;
use super::testing::steps;
use crate::peers::{Answers, assert_none, cases, check_cover, difference, waits, words};

#[derive(Deserialize)]
struct Case {
    optimizer: Value,
}

#[test]
fn optimisers_step_as_pytorch_does() {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("optimizer") {
        if waits(&words(&case.optimizer)) {
            continue;
        }
        let spec: OptimizerSpec = case.optimizer.try_into().unwrap();
        let answers = Answers::new("optimizer", &name);
        let start: [f32; 4] = answers.values("start").try_into().unwrap();
        let gradients = answers.values("gradients");
        let gradients = gradients.as_chunks::<4>().0.iter().copied();
        let received = steps(&spec, start, gradients);
        let expected = answers.values("steps");
        differences.extend(difference(name, received.as_flattened(), &expected, 1e-5));
    }
    assert_none(differences);
}

#[test]
fn every_optimiser_has_a_case() {
    let cases = cases::<Case>("optimizer").into_values();
    let used: BTreeSet<String> = cases.flat_map(|case| words(&case.optimizer)).collect();
    let schema = schemars::schema_for!(OptimizerSpec);
    check_cover(OptimizerSpec::NAMES, &schema, &used);
}

// PENDING: schedules. Their cases (`schedule`, `batches`, `warm_up`) and answers (`rates`, one a batch, of an
// optimiser whose own rate is 1) are there; what belongs here are the two tests above for their registry.
