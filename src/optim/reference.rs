//! Five steps of every optimizer, and the rates of every schedule, against PyTorch's.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Value;

use super::OptimizerSpec;
use super::schedule::{Rates, ScheduleSpec, Span, WarmUp};
use super::testing::steps;
use crate::record::{EpochRow, Score};
use crate::reference::{Answers, assert_none, cases, check_cover, difference, words};

#[derive(Deserialize)]
struct Case {
    optimizer: Value,
}

#[test]
fn optimizers_step_as_pytorch_does() {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("optimizer") {
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
fn every_optimizer_has_a_case() {
    let cases = cases::<Case>("optimizer").into_values();
    let used: BTreeSet<String> = cases.flat_map(|case| words(&case.optimizer)).collect();
    let schema = schemars::schema_for!(OptimizerSpec);
    check_cover(OptimizerSpec::NAMES, &schema, &used);
}

#[derive(Deserialize)]
struct ScheduleCase {
    /// An epoch has one batch here.
    batches: usize,
    schedule: Value,
    warm_up: Option<WarmUp>,
    /// The training loss of each epoch.
    #[serde(default)]
    losses: Vec<f64>,
}

#[test]
fn schedules_give_pytorchs_rates() {
    let mut differences = Vec::new();
    for (name, case) in cases::<ScheduleCase>("schedule") {
        let schedule: ScheduleSpec = case.schedule.try_into().unwrap();
        let row = |(epoch, &loss): (usize, &f64)| {
            let train = Score {
                loss,
                ..Score::default()
            };
            EpochRow::of_score(epoch + 1, train)
        };
        let rows: Vec<EpochRow> = case.losses.iter().enumerate().map(row).collect();
        let rate = |batch: usize| {
            let rates = Rates {
                learning_rate: 1.0,
                warm_up: case.warm_up,
                schedule: schedule.clone(),
                span: Span {
                    epoch: 1,
                    all: case.batches,
                },
                factor_so_far: schedule.factor_after(&rows[..batch.min(rows.len())]),
            };
            rates.at(batch) as f32
        };
        let received: Vec<f32> = (0..case.batches).map(rate).collect();
        let expected = Answers::new("schedule", &name).values("rates");
        differences.extend(difference(name, &received, &expected, 1e-6));
    }
    assert_none(differences);
}

#[test]
fn every_schedule_has_a_case() {
    let cases = cases::<ScheduleCase>("schedule").into_values();
    let used: BTreeSet<String> = cases.flat_map(|case| words(&case.schedule)).collect();
    let schema = schemars::schema_for!(ScheduleSpec);
    check_cover(ScheduleSpec::NAMES, &schema, &used);
}
