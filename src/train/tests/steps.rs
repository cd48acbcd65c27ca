//! Steps of several batches, averages of weights, and what follows from the epochs so far: rates, and an early end.

use super::*;

#[test]
fn a_run_that_no_longer_gets_better_stops_is_done_and_restores_its_best_weights() {
    let _alone = sole_use_of_graphs();
    // So large a rate that no epoch is better than the first by 1 in accuracy.
    let settings = settings(
        "'flatten', { dense = { units = 'classes' } }",
        "epochs = 9\noptimizer = 'sgd'\n
         early_stopping = { metric = 'validation_accuracy', patience = 2, min_delta = 1 }",
        "",
    );
    let (measured, folder, _temporary) = same_when_resumed(&settings, 2);
    assert!(measured.stopped_early);
    let epochs = folder.epochs();
    assert_eq!(epochs.len(), 3);
    assert_eq!(measured.restored.as_deref(), Some(&epochs[0]));
    // The final weights are those of one epoch of the same training, those of the third are kept too.
    let mut short = settings.clone();
    short.train.epochs = Positive(1);
    short.train.early_stopping = OrNone(None);
    let temporary = tempfile::tempdir().unwrap();
    let one = RunFolder::new(temporary.path());
    attempt(&short, &one, 0);
    assert!(weights(&one) == weights(&folder));
    let last = std::fs::read(folder.file("last.safetensors")).unwrap();
    short.train.epochs = Positive(3);
    let three = RunFolder::new(temporary.path().join("three"));
    attempt(&short, &three, 0);
    assert!(weights(&three) == last);
}

/// All numbers of a safetensors file: 8 bytes of the header's length, the header, 32-bit floats.
fn numbers(bytes: &[u8]) -> Vec<f32> {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let floats = bytes[8 + header..].chunks_exact(4);
    floats
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

#[test]
fn batches_that_make_a_step_together_are_as_one_batch() {
    let _alone = sole_use_of_graphs();
    // 60 images: 30 + 30 against 15 + 15 and 15 + 15, then 40 + 20 against 20 + 20 and 20.
    for (batch_size, whole) in [(15, 30), (20, 40)] {
        let trained = |batch_size: usize, accumulate: usize| {
            let mut settings = settings(
                "{ conv2d = { filters = 3, kernel = 5, stride = 3, activation = 'relu' } }, 'flatten',
                 { dense = { units = 'classes' } }",
                "epochs = 3\noptimizer = { sgd = { learning_rate = 0.1, momentum = 0.9 } }",
                "",
            );
            settings.train.batch_size = Positive(batch_size);
            settings.train.accumulate = Positive(accumulate);
            let temporary = tempfile::tempdir().unwrap();
            let folder = RunFolder::new(temporary.path());
            attempt(&settings, &folder, 0);
            let norms: Vec<f64> = folder
                .epochs()
                .iter()
                .map(|row| row.gradient_norm.unwrap())
                .collect();
            (numbers(&weights(&folder)), norms)
        };
        let (parts, part_norms) = trained(batch_size, 2);
        let (whole, norms) = trained(whole, 1);
        assert_eq!(parts.len(), whole.len());
        let off = parts.iter().zip(&whole).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-5);
        for (a, b) in part_norms.iter().zip(norms) {
            assert!((a - b).abs() < 1e-4, "{a} against {b}");
        }
    }
}

#[test]
fn a_batch_in_parts_is_as_a_whole_one_with_the_same_chance() {
    let _alone = sole_use_of_graphs();
    let trained = |train: &str| {
        let settings = settings(
            "{ conv2d = { filters = 3, kernel = 5, stride = 3, activation = 'relu', activity = { l1 = 1e-3 } } },
             { gaussian_noise = { standard_deviation = 0.3 } }, 'flatten', { dropout = { rate = 0.4 } },
             { dense = { units = 'classes', l2 = 1e-2 } }",
            &format!("epochs = 2\noptimizer = {{ sgd = {{ learning_rate = 0.1 }} }}\n{train}"),
            "batch = [{ mixup = {} }]",
        );
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        attempt(&settings, &folder, 0);
        let row = |row: EpochRow| [row.train.loss, row.gradient_norm.unwrap()];
        let rows: Vec<[f64; 2]> = folder.epochs().into_iter().map(row).collect();
        (numbers(&weights(&folder)), rows)
    };
    // Parts of 7, 7, 7 and 4; of the last batch of 10, 7 and 3.
    for train in ["", "accumulate = 2"] {
        let (whole, rows) = trained(train);
        let (parts, of_parts) = trained(&format!("{train}\nmicro_batch_size = 7"));
        let off = parts.iter().zip(&whole).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-5);
        for (part, whole) in of_parts.iter().flatten().zip(rows.iter().flatten()) {
            assert!((part - whole).abs() < 1e-5, "{part} against {whole}");
        }
    }
}

#[test]
fn the_averaged_weights_are_the_final_ones_and_training_goes_on_with_its_own() {
    let _alone = sole_use_of_graphs();
    let trained = |epochs: usize, average: &str| {
        let settings = settings(
            "'flatten', { dense = { units = 'classes' } }",
            &format!("epochs = {epochs}\noptimizer = 'sgd'\naverage = {average}"),
            "",
        );
        let mut settings = settings;
        settings.train.batch_size = Positive(60);
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        let (_, events) = attempt(&settings, &folder, 0);
        let losses: Vec<u64> = losses(&events).iter().map(|row| row.1).collect();
        (numbers(&weights(&folder)), losses)
    };
    // A step an epoch.
    let [first, second, third] = [1, 2, 3].map(|epochs| trained(epochs, "'none'").0);
    let (averaged, losses) = trained(3, "{ ema = { decay = 0.75 } }");
    assert_eq!(losses, trained(3, "'none'").1);
    for index in 0..averaged.len() {
        let by_hand = 0.75 * (0.75 * first[index] + 0.25 * second[index]) + 0.25 * third[index];
        assert!((averaged[index] - by_hand).abs() < 1e-6);
    }
}

#[test]
fn the_rate_of_a_plateau_follows_from_the_epochs_so_far_also_when_resumed() {
    let _alone = sole_use_of_graphs();
    // No epoch is better than the first by 1 in accuracy.
    let settings = settings(
        NETWORK,
        "epochs = 6\noptimizer = { sgd = { learning_rate = 0.1 } }
         schedule = { plateau = { metric = 'validation_accuracy', factor = 0.5, patience = 1, min_delta = 1 } }",
        "",
    );
    let rate = |row: &EpochRow| row.learning_rate;
    for stop_after in [2, 4] {
        let (_, folder, _temporary) = same_when_resumed(&settings, stop_after);
        let rates: Vec<f64> = folder.epochs().iter().map(rate).collect();
        assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]);
    }
    // Three steps an epoch, all of the first within the warm-up, which does not count.
    let mut warmed = settings.clone();
    warmed.train.warm_up = OrNone(Some(toml::from_str("epochs = 1").unwrap()));
    let (_, folder, _temporary) = same_when_resumed(&warmed, 3);
    let rates: Vec<f64> = folder.epochs().iter().skip(1).map(rate).collect();
    assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05]);
}

#[test]
fn the_rate_of_a_plateau_is_whole_again_in_the_next_stage() {
    let _alone = sole_use_of_graphs();
    let settings = settings(
        NETWORK,
        "epochs = 1\noptimizer = { sgd = { learning_rate = 0.1 } }\nstages = [{ epochs = 3 }, { epochs = 3 }]
         schedule = { plateau = { metric = 'train_accuracy', factor = 0.5, patience = 0, min_delta = 1 } }",
        "",
    );
    let (_, folder, _temporary) = same_when_resumed(&settings, 4);
    let rates: Vec<f64> = folder
        .epochs()
        .iter()
        .map(|row| row.learning_rate)
        .collect();
    assert_eq!(rates, [0.1, 0.1, 0.05, 0.1, 0.1, 0.05]);
}
