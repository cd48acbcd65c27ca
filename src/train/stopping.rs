//! Which epochs' weights are kept, and whether training is over.
//!
//! All of it follows from the rows of the epochs so far, so that a resumed run decides the same.

use burn::tensor::backend::Backend;

use crate::config::{EarlyStopping, Train, TrainingPlan};
use crate::network::Network;
use crate::record::EpochRow;

/// The networks of the best epochs so far.
pub(super) struct BestWeights<B: Backend> {
    /// By `train.best`; none before the first epoch, or where that is not measured.
    pub best: Option<Network<B>>,
    /// By `train.early_stopping`; none unless that restores it.
    pub to_restore: Option<Network<B>>,
}

impl<B: Backend> BestWeights<B> {
    pub fn none() -> Self {
        BestWeights {
            best: None,
            to_restore: None,
        }
    }

    /// Keeps the network of the last of these epochs wherever it is the best.
    pub fn consider(&mut self, train: &Train, rows: &[EpochRow], network: Network<B>) {
        let last = Some(rows.len());
        if best_epoch(train, rows) == last {
            self.best = Some(network.clone());
        }
        if epoch_to_restore(train, rows) == last {
            self.to_restore = Some(network);
        }
    }
}

/// The rows of the stage of the last one: what other stages trained is not the same network.
fn of_last_stage(rows: &[EpochRow]) -> &[EpochRow] {
    let stage = rows.last().and_then(|row| row.stage.as_ref());
    let before = rows.iter().rposition(|row| row.stage.as_ref() != stage);
    &rows[before.map_or(0, |before| before + 1)..]
}

/// The epoch that is best by `train.best`, from 1.
pub(super) fn best_epoch(train: &Train, rows: &[EpochRow]) -> Option<usize> {
    train.best_metric()?.best_epoch(of_last_stage(rows), 0.0)
}

/// The epoch whose weights early stopping brings back, from 1.
pub(super) fn epoch_to_restore(train: &Train, rows: &[EpochRow]) -> Option<usize> {
    let stopping = train.early_stopping.as_ref();
    best_by(stopping.filter(|stopping| stopping.restore_best)?, rows)
}

/// Whether no epoch is to follow these.
pub(super) fn is_over(train: &Train, training_plan: &TrainingPlan, rows: &[EpochRow]) -> bool {
    let waited_too_long = |stopping: &EarlyStopping| {
        let best = best_by(stopping, rows);
        best.is_some_and(|best| rows.len() - best >= stopping.patience.get())
    };
    rows.len() >= training_plan.intervals()
        || train.early_stopping.as_ref().is_some_and(waited_too_long)
}

fn best_by(stopping: &EarlyStopping, rows: &[EpochRow]) -> Option<usize> {
    let min_delta = stopping.min_delta.get();
    stopping.metric.best_epoch(rows, min_delta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Score;

    fn train(more: &str) -> Train {
        let text = format!(
            "epochs = 8\nbatch_size = 10\nloss = 'cross_entropy'\noptimizer = 'adam'\nseeds = [0]\n{more}"
        );
        toml::from_str(&text).expect("the settings parse")
    }

    /// Epochs of these validation losses; the training loss falls all the time.
    fn rows(losses: &[f64]) -> Vec<EpochRow> {
        let score = |loss: f64| Score {
            loss,
            accuracy: Some(1.0 - loss),
            ..Score::default()
        };
        let row = |(index, &loss): (usize, &f64)| EpochRow {
            epoch: index + 1,
            step: index + 1,
            stage: None,
            train: score(1.0 / (index + 1) as f64),
            validation: Some(score(loss)),
            test: None,
            learning_rate: 0.1,
            gradient_norm: None,
            seconds: 1.0,
            images_per_second: Some(1.0),
        };
        losses.iter().enumerate().map(row).collect()
    }

    /// Epochs done when training is over.
    fn done(more: &str, losses: &[f64]) -> usize {
        let (train, rows) = (train(more), rows(losses));
        let over =
            (0..=rows.len()).find(|&done| is_over(&train, &train.training_plan(10), &rows[..done]));
        over.expect("all planned epochs are there")
    }

    const LOSSES: [f64; 8] = [0.5, 0.4, 0.45, 0.39, 0.41, 0.5, 0.42, 0.1];

    #[test]
    fn training_ends_after_epochs_without_a_better_one() {
        assert_eq!(done("", &LOSSES), 8);
        assert_eq!(done("early_stopping = { patience = 1 }", &LOSSES), 3);
        assert_eq!(done("early_stopping = { patience = 3 }", &LOSSES), 7);
        assert_eq!(done("early_stopping = { patience = 4 }", &LOSSES), 8);
        let accuracy = "early_stopping = { metric = 'validation_accuracy', patience = 3 }";
        assert_eq!(done(accuracy, &LOSSES), 7);
        let training = "early_stopping = { metric = 'train_loss', patience = 1 }";
        assert_eq!(done(training, &LOSSES), 8);
        // 0.39 is not better than 0.4 by more than 0.02.
        let delta = "early_stopping = { patience = 3, min_delta = 0.02 }";
        assert_eq!(done(delta, &LOSSES), 5);
    }

    #[test]
    fn the_best_and_the_restored_weights_are_distinguished() {
        let rows = rows(&LOSSES[..7]);
        assert_eq!(best_epoch(&train(""), &rows), Some(4));
        assert_eq!(epoch_to_restore(&train(""), &rows), None);
        let both = "best = { metric = 'train_accuracy' }\nearly_stopping = { min_delta = 0.02 }";
        assert_eq!(best_epoch(&train(both), &rows), Some(7));
        assert_eq!(epoch_to_restore(&train(both), &rows), Some(2));
        let no = "early_stopping = { restore_best = false }";
        assert_eq!(epoch_to_restore(&train(no), &rows), None);
    }
}
