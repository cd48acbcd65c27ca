//! Every loss's value and gradient against PyTorch's.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Value;

use super::{Loss, Objective, Targets};
use crate::backend::TrainingBackend;
use crate::backend::testing::on_test_device;
use crate::reference::{Answers, assert_none, cases, check_cover, difference, words};

#[derive(Deserialize)]
struct Case {
    loss: Value,
    images: Option<usize>,
    /// Whether it is the side of a GAN's generator.
    #[serde(default)]
    of_generator: bool,
}

#[test]
fn losses_agree_with_pytorch() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(losses() -> ());
}

fn losses<B: TrainingBackend>(device: &B::Device) {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("loss") {
        let loss: Loss = case.loss.try_into().unwrap();
        let answers = Answers::new("loss", &name);
        let outputs = answers.tensor::<B, 2>("outputs", device).require_grad();
        let objective = Objective::new(&loss, &[], device);
        let [batch, _] = outputs.dims();
        let mean = match case.images {
            _ if case.of_generator => objective.of_forgeries(outputs.clone()),
            Some(_) => objective.of_values(outputs.clone(), answers.tensor("targets", device)),
            None => objective.mean(outputs.clone(), &Targets::of(answers.targets(device))),
        };
        let mean = mean * objective.loss().step_factor(batch);
        let gradient = outputs.grad(&mean.backward()).unwrap();
        for (what, received, tolerance) in [
            ("loss", mean.into_data(), 1e-5),
            ("gradient.outputs", gradient.into_data(), 1e-5),
        ] {
            let received: Vec<f32> = received.into_vec().unwrap();
            let title = format!("{name}, {what}");
            differences.extend(difference(
                title,
                &received,
                &answers.values(what),
                tolerance,
            ));
        }
    }
    assert_none(differences);
}

#[test]
fn every_loss_has_a_case() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let cases = cases::<Case>("loss").into_values();
    let used: BTreeSet<String> = cases.flat_map(|case| words(&case.loss)).collect();
    let schema = schemars::schema_for!(Loss);
    check_cover(Loss::NAMES, &schema, &used);
}
