//! Stages, and training that is counted in steps.

use super::*;

const STACKED: &str = "
    encoder = ['flatten', { dense = { name = 'one', units = 20, activation = 'sigmoid' } },
               { dense = { name = 'two', units = 5, activation = 'sigmoid' } }]
    decoder = [{ dense = { name = 'two', units = 20, activation = 'sigmoid' } },
               { dense = { name = 'one', units = 784, activation = 'sigmoid' } }]";

#[test]
fn stages_train_what_they_name_and_a_resumed_one_goes_on_where_it_stood() {
    let _alone = sole_use_of_graphs();
    let stages = "loss = 'mse'\nstages = [
        { name = 'first', epochs = 2, skip = ['*.two'] },
        { epochs = 2, train_only = ['*.two'], optimizer = { sgd = { learning_rate = 0.5 } } },
        { steps = 4 },
    ]\nlog_every = 3";
    let settings = autoencoder(STACKED, stages);
    // In the midst of the second stage, and between the first two.
    for stop_after in [3, 2] {
        same_when_resumed(&settings, stop_after);
    }
    let (_, folder, _temporary) = trained(&settings);
    let rows = folder.epochs();
    let stages: Vec<(usize, &str)> = rows
        .iter()
        .map(|row| (row.step, row.stage.as_deref().unwrap()))
        .collect();
    let expected = [
        (3, "first"),
        (6, "first"),
        (9, "2"),
        (12, "2"),
        (15, "3"),
        (16, "3"),
    ];
    assert_eq!(stages, expected);
}

#[test]
fn a_stage_leaves_alone_what_it_skips_and_what_it_freezes() {
    let _alone = sole_use_of_graphs();
    let settings = |stages: &str| {
        let more = format!("loss = 'mse'\nstages = [{stages}]");
        autoencoder(STACKED, &more)
    };
    let layer = |settings: &Settings, name: &str| -> Vec<u8> {
        let (_, folder, _temporary) = trained(settings);
        let bytes = weights(&folder);
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    let still = settings("{ steps = 1, train_only = ['encoder.two'] }");
    let skipping =
        settings("{ epochs = 2, skip = ['*.two'] }, { steps = 1, train_only = ['encoder.two'] }");
    // What was skipped is as it was made; what was not has changed.
    let (name, other) = ("decoder.two.weight", "encoder.one.weight");
    assert!(layer(&still, name) == layer(&skipping, name));
    assert!(layer(&still, other) != layer(&skipping, other));
}

#[test]
fn training_counted_in_steps_makes_a_row_every_log_every_steps() {
    let _alone = sole_use_of_graphs();
    // 60 images in batches of 25: three steps a pass.
    let settings = autoencoder(STACKED, "loss = 'mse'\nsteps = 8\nlog_every = 5");
    let (_, folder, _temporary) = same_when_resumed(&settings, 1);
    let steps: Vec<usize> = folder.epochs().iter().map(|row| row.step).collect();
    assert_eq!(steps, [5, 8]);
    // The same steps as in epochs.
    let mut in_epochs = settings.clone();
    in_epochs.train.steps = OrNone(Some(Positive(9)));
    in_epochs.train.log_every = OrNone(None);
    let mut epochs = in_epochs.clone();
    epochs.train.steps = OrNone(None);
    let ends = [in_epochs, epochs].map(|settings| weights(&trained(&settings).1));
    assert!(ends[0] == ends[1]);
}
