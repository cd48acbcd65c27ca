//! Mistakes planted in the program or in an experiment turn the regression gate red.
//!
//! Each is planted in runs of the committed regression experiments, which are then held against the committed
//! reference by the interval: the rule that must find what differs by more than chance. `cargo test planted --
//! --nocapture` prints by how much.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::backend::{BURN_VERSION, Device};
use crate::config::Overrides;
use crate::data::{Catalogue, Folders};
use crate::defects::{self, Defect};
use crate::error::Result;
use crate::plan::{Plan, Run};
use crate::record::{Event, Reporter, RunFolder, RunRow, Status};
use crate::report::regression::{
    Comparison, Entry, Origin, Reference, RegressionVerdict, Rule, compare,
};
use crate::train::{Job, Outcome, train};

/// How many of an experiment's seeds are trained: the fewer, the wider the interval.
const SEEDS: u64 = 3;

/// Reports nothing.
struct NoReporter;

impl Reporter for NoReporter {
    fn on_event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }
}

fn origin() -> Origin {
    Origin {
        burnlab: env!("CARGO_PKG_VERSION").to_string(),
        burn: BURN_VERSION.to_string(),
        device: "cpu".to_string(),
        date: String::new(),
    }
}

/// Trains a run here; `None` if it diverges.
fn row(run: &Run, catalogue: &Catalogue) -> Option<RunRow> {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(temporary.path());
    let job = Job {
        id: &run.id,
        weights: None,
        until: None,
        settings: &run.settings,
        earlier: &[],
        seed: run.seed,
        folder: &folder,
        device: &Device::cpu(),
        catalogue,
        stop: &AtomicBool::new(false),
    };
    let Outcome::Done(measured) = train(&job, &mut NoReporter).unwrap() else {
        return None;
    };
    Some(RunRow {
        status: Status::Done,
        last: folder.epochs().pop(),
        measured: Some(*measured),
        ..run.unfinished()
    })
}

/// The first seeds of a variant of a regression experiment against the reference.
fn comparisons(
    experiment: &str,
    variant: &str,
    set: &[&str],
    defect: Option<Defect>,
) -> Vec<Comparison> {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let catalogue = Catalogue::new(Folders::only(Path::new("data").to_path_buf()));
    let overrides = Overrides {
        set: set.iter().map(|set| set.to_string()).collect(),
        ..Overrides::default()
    };
    let name = format!("experiments/regression/{experiment}.toml");
    let plan = Plan::make(Path::new(&name), &overrides, &catalogue).unwrap();
    let runs = plan.runs.iter();
    let runs = runs.filter(|run| run.variant == variant && run.seed < SEEDS);
    let rows = defects::with(defect, || {
        runs.map(|run| row(run, &catalogue).expect("the run is done"))
            .collect::<Vec<_>>()
    });
    assert_eq!(rows.len() as u64, SEEDS, "{variant} in {experiment}");
    let entries = rows.iter().map(|row| Entry::of(&plan.name, row, &origin()));
    let entries: Vec<Entry> = entries.collect();
    let reference = Path::new("results/reference/regression.csv");
    let reference = Reference::read(reference).unwrap();
    compare(&reference, &entries, Rule::Interval)
}

/// The metrics that fell, each with its distance from the reference in half widths of the interval.
fn fallen(experiment: &str, variant: &str, set: &[&str], defect: Option<Defect>) -> Vec<String> {
    let mut fallen = Vec::new();
    for comparison in comparisons(experiment, variant, set, defect) {
        let (difference, half) = (comparison.difference(), comparison.half_width);
        let widths = difference
            .zip(half)
            .map_or(f64::NAN, |(difference, half)| difference / half);
        let message = format!("{} {widths:+.1}", comparison.metric);
        println!("{experiment} {variant} {set:?} {defect:?}: {message}");
        if comparison.verdict == RegressionVerdict::Fell {
            fallen.push(message);
        }
    }
    fallen
}

#[track_caller]
fn turns_red(experiment: &str, variant: &str, set: &[&str], defect: Option<Defect>) {
    let fallen = fallen(experiment, variant, set, defect);
    assert!(!fallen.is_empty(), "nothing fell");
}

#[test]
fn a_sound_program_stays_green() {
    for (experiment, variant) in [
        ("classifier", "default"),
        ("augmentation", "copies"),
        ("vae", "default"),
    ] {
        assert_eq!(fallen(experiment, variant, &[], None), [""; 0]);
    }
}

#[test]
fn another_padding_turns_the_gate_red() {
    let valid = [
        "model.classifier.layers.first.padding=\"valid\"",
        "model.classifier.layers.second.padding=\"valid\"",
    ];
    turns_red("classifier", "default", &valid, None);
}

#[test]
fn images_that_are_not_shuffled_turn_the_gate_red() {
    turns_red("augmentation", "copies", &["train.shuffle=false"], None);
}

#[test]
fn a_recipe_that_is_not_applied_turns_the_gate_red() {
    turns_red("augmentation", "copies", &["augment.copies=[]"], None);
    turns_red("augmentation", "random", &["augment.random=[]"], None);
}

#[test]
fn an_optimizers_momentum_the_wrong_way_round_turns_the_gate_red() {
    let wrong = ["train.optimizer.sgd.momentum=0.1"];
    turns_red("classifier", "default", &wrong, None);
}

#[test]
fn a_normalizations_momentum_the_wrong_way_round_turns_the_gate_red() {
    let wrong = ["model.autoencoder.encoder.normal.momentum=0.02"];
    turns_red("normalization", "default", &wrong, None);
}

#[test]
fn dropout_in_evaluation_turns_the_gate_red() {
    let defect = Some(Defect::DropoutInEvaluation);
    turns_red("classifier", "default", &[], defect);
}

#[test]
fn batch_statistics_in_evaluation_turn_the_gate_red() {
    let defect = Some(Defect::BatchStatisticsInEvaluation);
    turns_red("normalization", "default", &[], defect);
}

#[test]
fn labels_off_by_one_turn_the_gate_red() {
    let defect = Some(Defect::LabelsOffByOne);
    turns_red("classifier", "default", &[], defect);
}

#[test]
fn a_divergence_of_the_wrong_sign_turns_the_gate_red() {
    let defect = Some(Defect::DivergenceOfWrongSign);
    turns_red("vae", "default", &[], defect);
}
